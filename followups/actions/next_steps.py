"""What a contact asked of another desk, closed when the file is put right (domain §3.4)."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.models import User
from followups.choices import NextStepKind
from followups.models import NextStep


def close_number_corrections(
    *, customer_ids: Iterable[int], now: datetime, by: User | None, person: int | None = None
) -> int:
    """Close the open corrections of the customers' own numbers, or of a contact person's; return how many.

    The caller has locked the customers (ADR 0011), so that no contact asks for another one meanwhile.
    """
    waiting = NextStep.objects.filter(customer__in=list(customer_ids), kind=NextStepKind.NUMBER_CORRECTION)
    if person is None:
        waiting = waiting.exclude(payload__has_key="person")
    else:
        waiting = waiting.filter(payload__person=person)
    return _close(waiting, now=now, by=by)


def close_owner_corrections(*, vehicle_id: int, customer_id: int, now: datetime, by: User | None) -> int:
    """Close the open corrections of a car's owner: those about the car, and those of the customer about no car.

    Return how many. The caller has locked the customer (ADR 0011).
    """
    about = Q(vehicle=vehicle_id) | Q(vehicle=None, customer=customer_id)
    return _close(NextStep.objects.filter(about, kind=NextStepKind.OWNER_CORRECTION), now=now, by=by)


def _close(steps: QuerySet[NextStep], *, now: datetime, by: User | None) -> int:
    return steps.filter(done_at=None).update(done_at=now, done_by=by)
