"""Who works what: giving touch points to people; handing over everything of one who leaves (domain §3.6, §10)."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import BigIntegerField, Case, F, Q, Value, When
from django.utils.translation import gettext as _

from accounts.models import Store, User
from core.actions import acting, atomic_again, locked
from customers.models import Customer
from followups.actions.locks import locked_points
from followups.choices import TouchPointStatus
from followups.models import QueueLease, TouchPoint
from followups.permissions import can_assign, can_be_assigned, can_hand_over
from followups.querysets import TouchPointQuerySet


class CannotAssign(Exception):
    """The touch points cannot be given to this person; the message says why to the person who asked for it."""


class NotYoursToAssign(CannotAssign):
    """Only managers of the store give its touch points to people."""


class NoSuchColleague(CannotAssign):
    """The person does not call customers in this store."""


class ReceivingAdviser(CannotAssign):
    """A post-service call is never made by the adviser who received the car (domain §3.2 PV)."""


@dataclass(frozen=True)
class HandOver:
    """What went from one person to another; ``to_pool`` are calls that the new person may not make."""

    customers: int
    touch_points: int
    to_pool: int


@atomic_again
def assign(*, touch_points: Sequence[int], to: User | None, by: User) -> int:
    """Give open touch points, with those merged into them, to a person, or to the pool; return how many moved.

    Those closed meanwhile are passed over. Raises ``NotYoursToAssign`` unless ``by`` manages the store of every one of
    them, ``NoSuchColleague`` unless ``to`` calls customers there, and ``ReceivingAdviser``; then nothing is moved.
    """
    picked = Q(pk__in=touch_points) | Q(lead__in=touch_points)
    rows = list(locked_points(TouchPoint.objects.filter(picked).live()).values_list("pk", "store_id"))
    stores = {store_id for _pk, store_id in rows}
    if not all(can_assign(by, store_id) for store_id in stores):
        raise NotYoursToAssign(_("Only managers of the store give its tasks to people."))
    moving = TouchPoint.objects.filter(pk__in=[pk for pk, _store_id in rows])
    if to is not None:
        if not all(can_be_assigned(to, store_id) for store_id in stores):
            raise NoSuchColleague(_("%(person)s does not call customers in this store.") % {"person": to})
        if moving.received_by(to).exists():
            raise ReceivingAdviser(
                _("%(person)s received one of these cars and cannot make the call after the service.") % {"person": to}
            )
    return moving.update(assignee=to)


# The people of a customer.
_STAFF_FIELDS = ("sales_consultant", "service_adviser", "care_specialist")


def _replaced(name: str, leaving: User, to: User) -> Case:
    return Case(When(**{name: leaving}, then=Value(to.pk)), default=F(f"{name}_id"), output_field=BigIntegerField())


@atomic_again
def hand_over(*, leaving: User, to: User, store: Store, by: User) -> HandOver:
    """Give everything of a person in a store, customers and open touch points, to another one at once (domain §10).

    Post-service calls of cars that the new person received go to the pool instead, by themselves where they were merged
    with others: who calls about those must not make them along the way. The history of who looked after whom is kept by
    the database. Raises ``NotYoursToAssign`` unless ``by`` manages the store, and ``NoSuchColleague``
    when the two are one, or ``to`` calls no customers there.
    """
    if not can_hand_over(by, store.pk):
        raise NotYoursToAssign(_("Only managers of the store hand over its customers."))
    if leaving.pk == to.pk:
        raise NoSuchColleague(_("Choose another person to take over."))
    if not can_be_assigned(to, store.pk):
        raise NoSuchColleague(_("%(person)s does not call customers in this store.") % {"person": to})
    theirs = Q()
    for name in _STAFF_FIELDS:
        theirs |= Q(**{name: leaving})
    given = TouchPoint.objects.filter(assignee=leaving, store=store).live()
    concerned = Customer.objects.filter(Q(theirs, store=store) | Q(pk__in=given.order_by().values("customer")))
    ids = list(locked(concerned).values_list("pk", flat=True))
    live = TouchPoint.objects.filter(pk__in=list(locked(given.filter(customer__in=ids)).values_list("pk", flat=True)))
    with acting(by):
        customers = Customer.objects.filter(theirs, store=store, pk__in=ids).update(
            **{name: _replaced(name, leaving, to) for name in _STAFF_FIELDS}
        )
    to_pool = _set_apart_for_pool(live, leaving=leaving, to=to)
    touch_points = live.filter(assignee=leaving).update(assignee=to)
    QueueLease.objects.filter(holder=leaving, customer__store=store).delete()
    return HandOver(customers=customers, touch_points=touch_points, to_pool=to_pool)


def _set_apart_for_pool(live: TouchPointQuerySet, *, leaving: User, to: User) -> int:
    """Let post-service calls that ``to`` may not make stand by themselves, in the pool; return how many came into it.

    Also those that a lead among ``live`` speaks for. What they spoke for goes on behind the best of the rest, as after
    a contact (``rules.regroup``).
    """
    together = TouchPoint.objects.filter(Q(pk__in=live) | Q(lead__in=live)).live()
    barred = list(together.received_by(to).order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH child AS (
                SELECT id, first_value(id) OVER (
                    PARTITION BY lead_id ORDER BY not_before NULLS FIRST, priority, closes_on, id
                ) AS best
                FROM followups_touchpoint
                WHERE lead_id = ANY(%(barred)s) AND id <> ALL(%(barred)s) AND closed_on IS NULL
            )
            UPDATE followups_touchpoint AS point
            SET status = CASE WHEN point.id = child.best THEN %(open)s ELSE %(merged)s END,
                lead_id = NULLIF(child.best, point.id)
            FROM child WHERE child.id = point.id
            """,
            {"barred": barred, "open": TouchPointStatus.OPEN, "merged": TouchPointStatus.MERGED},
        )
    apart = TouchPoint.objects.filter(pk__in=barred)
    apart.update(status=TouchPointStatus.OPEN, lead=None)
    return apart.filter(assignee=leaving).update(assignee=None)
