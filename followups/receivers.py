"""What the care engine does at once when something changed elsewhere."""

import logging
from typing import Any

from django.dispatch import receiver
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from customers.signals import wishes_changed
from followups.tasks import plan_customers_task
from vehicles.signals import care_facts_changed

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
