from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When

from accounts.permissions import within_reach
from customers.choices import CustomerStatus, DoNotContact, TimeSlot
from customers.querysets import channels_that_reach
from followups.choices import CareClass, Handling, NextStepKind, Outcome, Severity, TouchPointStatus
from followups.permissions import pool_store_ids, work_store_ids
from followups.rules.outcomes import AFTER_SERVICE_TRIGGER
from service.models import WorkOrder
from vehicles.choices import VehicleStatus

if TYPE_CHECKING:
    from accounts.models import User

# How long a missed contact is shown to those who can make up for it.
MISSED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class QueueFilters:
    """What a user narrows the day to, on the page and in the guided queue alike; empty means everything.

    ``rule_codes``, ``is_overdue`` and ``is_due_today`` look at every reason of a customer, also at those another one
    speaks for. ``series`` are car series of the catalogue. ``includes_pool`` adds what nobody owns, for those who may
    take it (see ``pool_store_ids``).
    """

    rule_codes: tuple[str, ...] = ()
    priorities: tuple[int, ...] = ()
    tiers: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    is_overdue: bool = False
    is_due_today: bool = False
    includes_pool: bool = False


class CareRuleQuerySet(models.QuerySet):
    def active(self) -> Self:
        """Rules that are switched on."""
        return self.filter(is_active=True)

    def own_of(self, store_id: int, *, codes: Collection[str]) -> Self:
        """The rules by which a store replaces the group's of the same codes.

        Touch points are filed under the group's rule, so that they stay the same ones when a store begins or ends to do
        it its own way; what the rule says now is to be read from here first.
        """
        return self.filter(store_id=store_id, code__in=codes).order_by("code")

    def visible_to(self, user: "User") -> Self:
        """The group's rules, and those that stores in the user's sight have of their own (domain §10)."""
        mine = user.memberships.active()
        return self.filter(Q(store=None) | Q(store__in=mine.values("store")) | Exists(mine.filter(store=None)))


class TouchPointQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Touch points of customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="customer__sales_consultant")

    def open(self) -> Self:
        """Touch points that still have to be worked off, without those that another one speaks for."""
        return self.filter(status=TouchPointStatus.OPEN)

    def live(self) -> Self:
        """Open touch points and the ones merged into them."""
        return self.filter(status__in=(TouchPointStatus.OPEN, TouchPointStatus.MERGED), closed_on=None)

    def for_contact(self) -> Self:
        """Touch points that a person works off one customer at a time."""
        return self.filter(handling=Handling.CONTACT)

    def with_reach(self) -> Self:
        """Each with ``reach``: the message channels for which its customer has a number or an address."""
        return self.annotate(reach=channels_that_reach("customer__"))

    def reachable_by(self, *channels: str) -> Self:
        """Those whose customers a message by one of the channels can reach."""
        return self.with_reach().filter(reach__overlap=list(channels))

    def unreachable_by(self, *channels: str) -> Self:
        """Those whose customers no message by any of the channels can reach."""
        return self.with_reach().exclude(reach__overlap=list(channels))

    def overdue(self, *, on: date) -> Self:
        """Open ones whose due date is past while the window is not."""
        return self.open().filter(due_on__lt=on)

    def missed_lately(self, *, on: date) -> Self:
        """Contacts that nobody made in their window, which ended within the last seven days."""
        return self.for_contact().filter(status=TouchPointStatus.MISSED, closes_on__gte=on - MISSED_FOR)

    def still_wanted(self) -> Self:
        """Those that may be made today: the customer and the car are there, and the customer wishes it (§3.6, 1)."""
        rests = Q(customer__do_not_contact=DoNotContact.ALL_BUT_SAFETY) & ~Q(rule__care_class=CareClass.LEGAL)
        rests |= Q(customer__do_not_contact=DoNotContact.MARKETING, rule__care_class=CareClass.MARKETING)
        is_there = Q(vehicle=None) | Q(vehicle__status=VehicleStatus.IN_USE, vehicle__owner=F("customer"))
        return self.filter(is_there, customer__status=CustomerStatus.ACTIVE).exclude(
            rests | Q(customer__refused_channels__contains=F("rule__channels"))
        )

    def ready(self, *, now: datetime, today: date) -> Self:
        """Open ones that a person can work off now: for contact, the window open, and nothing to wait for."""
        return self.open().for_contact().filter(Q(not_before=None) | Q(not_before__lte=now), opens_on__lte=today)

    def owned_by(self, user: "User") -> Self:
        """Touch points that were given to a user, in the stores that the user works in now."""
        return self.filter(assignee=user, store_id__in=work_store_ids(user))

    def in_pool_of(self, user: "User") -> Self:
        """Touch points that nobody owns and that a user may take."""
        return self.filter(assignee=None, store_id__in=pool_store_ids(user))

    def received_by(self, user: "User") -> Self:
        """Post-service calls about visits at which a user received the car: never that user's (domain §3.2 PV)."""
        visits = WorkOrder.objects.filter(
            vehicle=OuterRef("vehicle"), handed_over_on=OuterRef("anchor_on"), adviser=user
        )
        return self.filter(Exists(visits), rule__trigger=AFTER_SERVICE_TRIGGER)

    def in_charge_of(self, user: "User") -> Self:
        """Touch points that are a user's own work: see ``permissions.is_in_charge``."""
        people = ("sales_consultant", "service_adviser", "care_specialist")
        own = Q(assignee=user)
        for name in people:
            own |= Q(**{f"customer__{name}": user})
        return self.filter(Q(store_id__in=pool_store_ids(user)) | Q(own, store_id__in=work_store_ids(user)))

    def for_queue(self, user: "User", *, now: datetime, today: date, filters: QueueFilters | None = None) -> Self:
        """What a user works off now, one row a customer's lead; ``today`` is the local date of ``now``.

        The page of the day and the guided queue both read this; the order is ``in_queue_order``.
        """
        filters = filters or QueueFilters()
        mine = Q(assignee=user, store_id__in=work_store_ids(user))
        if filters.includes_pool:
            mine |= Q(assignee=None, store_id__in=pool_store_ids(user))
        return self.ready(now=now, today=today).filter(mine).matching(filters, today=today)

    def for_desk(self, user: "User", *, today: date) -> Self:
        """Lists and internal forms that a user deals with at the desk: given to them, or of a pool they work."""
        mine = Q(assignee=user, store_id__in=work_store_ids(user)) | Q(assignee=None, store_id__in=pool_store_ids(user))
        return self.open().filter(mine, handling__in=(Handling.LIST, Handling.FORM), opens_on__lte=today)

    def matching(self, filters: QueueFilters, *, today: date) -> Self:
        """Leads that satisfy the filters of the day (whose they are is not looked at here)."""
        queryset = self
        if filters.priorities:
            queryset = queryset.filter(priority__in=filters.priorities)
        if filters.tiers:
            queryset = queryset.filter(customer__tier__in=filters.tiers)
        if filters.is_overdue:
            queryset = queryset.with_reason_where(due_on__lt=today)
        if filters.is_due_today:
            queryset = queryset.with_reason_where(due_on=today)
        if filters.rule_codes:
            queryset = queryset.with_reason_where(rule__code__in=filters.rule_codes)
        if filters.series:
            queryset = queryset.with_reason_where(vehicle__model__series__in=filters.series)
        return queryset

    def with_reason_where(self, condition: Q | None = None, **lookups: object) -> Self:
        """Leads that satisfy a condition themselves, or one of whose live merged touch points does."""
        wanted = Q(condition or Q(), **lookups)
        merged = self.model._default_manager.filter(wanted, lead=OuterRef("pk"), closed_on=None)
        return self.filter(wanted | Exists(merged))

    def in_queue_order(self, *, slot: str = "") -> Self:
        """The order of the day: the window that closes first, priority, customers whose preferred time is now, id."""
        preferences = [When(customer__preferred_slot=TimeSlot.ANY, then=Value(1))]
        if slot:
            preferences.insert(0, When(customer__preferred_slot=slot, then=Value(0)))
        return self.order_by("closes_on", "priority", Case(*preferences, default=Value(2)), "pk")


class ContactLogQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Contacts with customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="customer__sales_consultant")

    def one_by_one(self) -> Self:
        """Contacts made with one customer at a time: neither passed over nor reached by a message to many."""
        to_many = {"outcome": Outcome.MESSAGE_SENT, "touch_points__handling": Handling.BATCH}
        return self.exclude(outcome=Outcome.SKIPPED).exclude(**to_many)

    def effective(self) -> Self:
        """Contacts at which the person was reached and content was exchanged."""
        return self.filter(is_effective=True)

    def made_by(self, user: "User", *, on: date) -> Self:
        """Contacts that a user made on a day."""
        return self.filter(by=user, on=on)

    def saved_from(self, form_key: str, *, by: "User") -> Self:
        """The contact that a user's form made already; none for a new form, or for a key that is none."""
        try:
            return self.filter(submission=UUID(form_key), by=by)
        except ValueError:
            return self.none()

    def for_activity(self, user: "User", *, on: date) -> models.QuerySet:
        """Pairs (customer id, owns a car from us) of a user's effective contacts of a day, for ``count_activity``."""
        has_car = Q(customer__last_delivery_on__isnull=False)
        pairs = (
            self.made_by(user, on=on)
            .effective()
            .annotate(is_existing=models.ExpressionWrapper(has_car, output_field=models.BooleanField()))
        )
        return pairs.order_by("pk").values_list("customer_id", "is_existing")


class QueueLeaseQuerySet(models.QuerySet):
    def live(self, *, now: datetime) -> Self:
        """Leases that still keep a customer for their holder."""
        return self.filter(expires_at__gt=now)


class NextStepQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Next steps of customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="customer__sales_consultant")

    def open(self) -> Self:
        """Next steps that nobody has taken over yet."""
        return self.filter(done_at=None)

    def holding_complaints(self) -> Self:
        """Open escalated and major complaints: they hold marketing and routine care (domain §3.6, 2)."""
        return self.open().filter(kind=NextStepKind.COMPLAINT, severity__in=(Severity.ESCALATED, Severity.MAJOR))
