"""Leases: the customer on somebody's screen is nobody else's meanwhile (screens S2)."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import memberships_of
from customers.models import Customer
from followups.models import QueueLease, TouchPoint
from followups.permissions import can_work, work_store_ids
from followups.querysets import QueueFilters, TouchPointQuerySet
from followups.rules.hours import local_time, slot_at


class CannotClaimCustomer(Exception):
    """The customer cannot be taken onto the screen; the message says why to the person who asked for it."""


class CustomerIsHeld(CannotClaimCustomer):
    """Somebody else works on this customer now."""

    def __init__(self, lease: QueueLease) -> None:
        self.lease = lease
        super().__init__(
            _("%(holder)s is working on this customer now. Take another one, or try again later.")
            % {"holder": lease.holder}
        )


class NotYourCustomer(CannotClaimCustomer):
    """The person does not work for this customer (see ``can_work``)."""


def local_now(user: User, now: datetime) -> datetime:
    """Return a moment by the clock of the store a user works in; unchanged for somebody who works in none."""
    working_in = work_store_ids(user)
    store = next((m.store for m in memberships_of(user) if m.store is not None and m.store_id in working_in), None)
    return local_time(now, store.time_zone) if store is not None else now


@transaction.atomic
def claim_next(*, by: User, now: datetime, filters: QueueFilters | None = None) -> Customer | None:
    """Take the next customer of a user's queue and keep them for the user; None when nothing is left to do now.

    A customer whom the user still holds comes first (an interrupted card), then the user's own ones, then, if the
    filters ask for it, the pool of the store; each in ``in_queue_order``. Two people never get the same customer: the
    row is locked while it is taken, locked rows are passed over, and the lease is one row a customer.
    """
    filters = filters or QueueFilters()
    here = local_now(by, now)
    ready = TouchPoint.objects.ready(now=now, today=here.date()).matching(filters, today=here.date())
    own = ready.owned_by(by)
    parts = [own, ready.in_pool_of(by)] if filters.includes_pool else [own]

    held = list(QueueLease.objects.live(now=now).filter(holder=by).order_by("pk").values_list("customer", flat=True))
    for part in parts if held else ():
        customer = _claim_first(part.filter(customer__in=held), by=by, now=now, here=here)
        if customer is not None:
            return customer
    for part in parts:
        customer = _claim_first(part, by=by, now=now, here=here)
        if customer is not None:
            return customer
    return None


def _claim_first(leads: TouchPointQuerySet, *, by: User, now: datetime, here: datetime) -> Customer | None:
    others = QueueLease.objects.live(now=now).filter(customer=OuterRef("customer")).exclude(holder=by)
    free = (
        leads.filter(~Exists(others))
        .select_related("customer__store")
        .in_queue_order(slot=slot_at(here))
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
    )
    while (lead := free.first()) is not None:
        # Between the choice and the lease somebody may have taken the customer through another touch point; the next
        # look sees that lease.
        if _take_lease(customer=lead.customer, by=by, now=now):
            return lead.customer
    return None


def _take_lease(*, customer: Customer, by: User, now: datetime) -> bool:
    """Write the lease unless somebody else's runs; one statement, so that there is nothing to race for."""
    expires_at = now + timedelta(minutes=customer.store.lease_minutes)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO followups_queuelease AS lease (customer_id, holder_id, expires_at)
            VALUES (%(customer)s, %(holder)s, %(expires_at)s)
            ON CONFLICT (customer_id) DO UPDATE
            SET holder_id = EXCLUDED.holder_id, expires_at = EXCLUDED.expires_at
            WHERE lease.holder_id = EXCLUDED.holder_id OR lease.expires_at <= %(now)s
            RETURNING lease.id
            """,
            {"customer": customer.pk, "holder": by.pk, "expires_at": expires_at, "now": now},
        )
        return cursor.fetchone() is not None


@transaction.atomic
def claim(*, customer: Customer, by: User, now: datetime) -> QueueLease:
    """Take a certain customer, or keep them longer, and return the lease.

    Raises ``NotYourCustomer`` and ``CustomerIsHeld``.
    """
    if not can_work(by, customer):
        raise NotYourCustomer(_("This customer is not yours to call; ask a manager to assign them to you."))
    lease = None
    while lease is None:
        # A lease that is given back between the two statements was worth another try.
        is_ours = _take_lease(customer=customer, by=by, now=now)
        lease = QueueLease.objects.filter(customer=customer).select_related("holder").first()
        if lease is not None and not is_ours:
            raise CustomerIsHeld(lease)
    return lease


def lease_of(*, customer: Customer, now: datetime) -> QueueLease | None:
    """Return the lease that keeps a customer now, with its holder, or None."""
    return QueueLease.objects.live(now=now).filter(customer=customer).select_related("holder").first()


def release(*, customer: Customer, by: User) -> bool:
    """Give a customer back to the queue and tell whether the user held them; somebody else's lease stays."""
    deleted, _per_model = QueueLease.objects.filter(customer=customer, holder=by).delete()
    return bool(deleted)


def release_expired(*, now: datetime) -> int:
    """Remove leases that keep nobody any more and return how many. They do no harm; this keeps the table small."""
    # One that is being taken anew is not waited for: it has not run out.
    free = QueueLease.objects.filter(expires_at__lte=now).select_for_update(skip_locked=True).values("pk")
    deleted, _per_model = QueueLease.objects.filter(pk__in=free).delete()
    return deleted
