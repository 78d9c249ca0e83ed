"""Who works what: giving touch points to people; handing over everything of one who leaves (domain §3.6, §10)."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, Q, Value, When
from django.utils.translation import gettext as _

from accounts.models import Store, User
from core.actions import acting, atomic_again, locked
from customers.models import Customer
from followups.actions.locks import locked_points
from followups.models import QueueLease, TouchPoint
from followups.permissions import can_assign, can_be_assigned, can_hand_over
from followups.querysets import TouchPointQuerySet
from service.models import WorkOrder

AFTER_SERVICE_TRIGGER = "hand_over"


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


def _received_by(user: User) -> Exists:
    """Tell of a post-service touch point whether a user received the car at that visit."""
    return Exists(
        WorkOrder.objects.filter(vehicle=OuterRef("vehicle"), handed_over_on=OuterRef("anchor_on"), adviser=user)
    )


def _post_service(queryset: TouchPointQuerySet) -> TouchPointQuerySet:
    return queryset.filter(rule__trigger=AFTER_SERVICE_TRIGGER)


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
        if _post_service(moving).filter(_received_by(to)).exists():
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

    Post-service calls of cars that the new person received go to the pool instead. The history of who looked after
    whom is kept by the database. Raises ``NotYoursToAssign`` unless ``by`` manages the store, and ``NoSuchColleague``
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
    to_pool = _post_service(live).filter(_received_by(to)).update(assignee=None)
    touch_points = live.filter(assignee=leaving).update(assignee=to)
    QueueLease.objects.filter(holder=leaving, customer__store=store).delete()
    return HandOver(customers=customers, touch_points=touch_points, to_pool=to_pool)
