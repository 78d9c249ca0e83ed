"""What the care engine does at once when something changed elsewhere."""

import logging
from typing import Any

from django.dispatch import receiver
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.models import User
from customers.signals import mobile_corrected, wishes_changed
from followups.actions.next_steps import close_number_corrections, close_owner_corrections
from followups.tasks import plan_customers_task
from vehicles.signals import care_facts_changed, owner_settled

logger = logging.getLogger(__name__)


@receiver([care_facts_changed, wishes_changed])
def plan_for_changed_customers(*, customer_ids: list[int], **kwargs: Any) -> None:
    """Plan for the customers now: a car delivered today has its first contact today, a refusal counts today.

    Without a broker nothing is lost: the night looks at everything that changed.
    """
    try:
        # No retry: the person who saved the change waits for this line.
        plan_customers_task.apply_async(kwargs={"customer_ids": customer_ids}, retry=False)
    except (OperationalError, RedisError, ConnectionError) as error:
        logger.warning("The broker does not answer; customers %s are planned tonight. %s", customer_ids, error)


@receiver(mobile_corrected)
def close_corrections_of_numbers(*, customer_ids: list[int], by: User | None, **kwargs: Any) -> None:
    """Close what asked for the number, wherever it was put right. A failure takes the correction back with it."""
    close_number_corrections(customer_ids=customer_ids, now=timezone.now(), by=by)


@receiver(owner_settled)
def close_corrections_of_owners(*, vehicle_id: int, customer_id: int, by: User | None, **kwargs: Any) -> None:
    """Close what asked for the owner of a car. A failure takes the change of the owner back with it."""
    close_owner_corrections(vehicle_id=vehicle_id, customer_id=customer_id, now=timezone.now(), by=by)
