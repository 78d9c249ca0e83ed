"""What S1 shows: one row a customer with all that is due, and the counts above."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Coalesce, Least
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Store, User
from customers.choices import Channel, TimeSlot
from customers.models import Customer
from followups.models import ContactLog, TouchPoint
from followups.permissions import pool_store_ids
from followups.querysets import TouchPointQuerySet
from followups.rules.hours import MESSAGE_CHANNELS
from followups.rules.workload import (
    ESCALATES_AFTER,
    ESCALATES_AFTER_URGENT,
    URGENT,
    Activity,
    count_activity,
    escalation_level,
)
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle

PAGE_SIZE = 30
WEEK = timedelta(days=7)

# One word for all steps of a trigger; triggers without an entry are called by the name of their rule.
SHORT_NAMES: dict[str, Promise] = {
    "first_service": _("First service"),
    "periodic_service": _("Periodic service"),
    "policy_end": _("Insurance renewal"),
    "inspection_end": _("Vehicle inspection"),
    "warranty_near": _("Warranty ends"),
    "warranty_end": _("Warranty ends"),
    "birthday": _("Birthday"),
    "tier_contact": _("Tier contact"),
    "silence": _("Wake-up"),
    "suggested_work": _("Suggested work"),
}

ChipState = Literal["overdue", "today", "soon", ""]


@dataclass(frozen=True)
class DayCounts:
    """Customers with something overdue, due today, due in the seven days after; all of them, and their touch points.

    ``week`` is what is open already; what comes besides is counted apart (``queries.ahead``).
    """

    overdue: int
    today: int
    week: int
    customers: int
    care: int


@dataclass(frozen=True)
class ReasonChip:
    """All due reasons of one kind: ``count`` of them, the most urgent ``state``, and the full names for a tooltip."""

    label: str
    count: int
    state: ChipState
    title: str


@dataclass(frozen=True)
class DayRow:
    """A customer with all reasons due.

    ``comes_on`` is set in the list of the days ahead: the day on which something opens, falls due or comes back. There
    ``is_open`` tells whether there is something to work off already.
    """

    customer: Customer
    reasons: list[ReasonChip]
    vehicle: Vehicle | None
    vehicle_count: int
    latest_on: date
    is_overdue: bool
    channel: str
    slot: str
    last_contact: ContactLog | None
    attempts: int
    escalation: int
    assignees: list[str]
    sort_key: date
    comes_on: date | None = None
    is_open: bool = True

    @property
    def channel_label(self) -> str:
        """The channel to try first, in words."""
        return channel_label(self.channel)

    @property
    def slot_label(self) -> str:
        """The preferred time in words; empty when any time will do."""
        return str(TimeSlot(self.slot).label) if self.slot else ""


@dataclass(frozen=True)
class DayPage:
    """A page of rows; ``after`` is the cursor of the next page, empty on the last one."""

    rows: list[DayRow]
    after: str


def escalated(on: date, *, of: str = "") -> Q:
    """Match touch points that are overdue for so long that a supervisor has to look (see ``escalation_level``).

    ``of`` is the path to them, where they are not the rows themselves.
    """
    urgent = {f"{of}priority": URGENT, f"{of}due_on__lt": on - ESCALATES_AFTER_URGENT}
    return Q(**{f"{of}due_on__lt": on - ESCALATES_AFTER}) | Q(**urgent)


def escalated_reason(on: date) -> Q:
    """Match leads that are escalated themselves, or that speak for one that is; see ``any_reason``."""
    return escalated(on) | (Q(merged__closed_on=None) & escalated(on, of="merged__"))


def any_reason(**lookups: object) -> Q:
    """Match leads for which the lookups hold, or for one of the live touch points that they speak for.

    For counts of customers alone: the rows are joined with those that were merged into them.
    """
    return Q(**lookups) | Q(merged__closed_on=None, **{f"merged__{name}": value for name, value in lookups.items()})


def day_counts(leads: TouchPointQuerySet, *, on: date) -> DayCounts:
    """Count customers by when something open is due to them, merged reasons included; one query."""
    counts = leads.order_by().aggregate(
        overdue=Count("customer", distinct=True, filter=any_reason(due_on__lt=on)),
        today=Count("customer", distinct=True, filter=any_reason(due_on=on)),
        week=Count("customer", distinct=True, filter=any_reason(due_on__gt=on, due_on__lte=on + WEEK)),
        customers=Count("customer", distinct=True),
        care=Count("pk", distinct=True) + Count("merged", distinct=True, filter=Q(merged__closed_on=None)),
    )
    return DayCounts(**counts)


def customer_count(leads: TouchPointQuerySet) -> int:
    """Count the customers of a list, however many rows they have in it."""
    return leads.order_by().values("customer").distinct().count()


def activity_of(user: User, *, on: date) -> Activity:
    """Return the 7+3 bar of a person's day (domain §3.7); one query."""
    return count_activity(ContactLog.objects.for_activity(user, on=on))


def waiting_count(user: User, *, now: datetime, on: date) -> int:
    """Count the customers of a person that come back later: another time was agreed, or nobody answered."""
    return (
        TouchPoint.objects.open()
        .for_contact()
        .owned_by(user)
        .filter(opens_on__lte=on, not_before__gt=now)
        .order_by()
        .values("customer")
        .distinct()
        .count()
    )


def missed_count(user: User, *, on: date, store: Store | None = None) -> int:
    """Count the contacts missed lately in the stores whose pool a user works, or in one of them."""
    points = TouchPoint.objects.filter(store__in=[store.pk] if store else pool_store_ids(user))
    return points.missed_lately(on=on).count()


def parse_cursor(text: str) -> tuple[date, int] | None:
    """Return the sort key and customer of a cursor, or None for one that is none."""
    day, _separator, customer = text.partition("_")
    try:
        return date.fromisoformat(day), int(customer)
    except ValueError:
        return None


SORTS = ("latest", "-latest", "contact", "-contact")
_NEVER = date(1900, 1, 1)


def day_page(
    leads: TouchPointQuerySet, *, on: date, after: str = "", sort: str = "latest", size: int | None = None
) -> DayPage:
    """Return one page of customers, most urgent first (or by ``sort``), keyset-paged by ``after``.

    The latest date allowed is the first end of a window among all that is due to the customer, merged reasons included.
    The number of queries does not depend on the number of rows.
    """
    size = size or PAGE_SIZE
    keys = leads.order_by().values("customer_id")
    if sort.removeprefix("-") == "contact":
        keys = keys.annotate(sort_key=Coalesce(Max("customer__last_effective_contact_on"), _NEVER))
    else:
        keys = keys.annotate(
            sort_key=Least(Min("closes_on"), Min("merged__closes_on", filter=Q(merged__closed_on=None)))
        )
    descending = sort.startswith("-")
    if cursor := parse_cursor(after):
        past = "lt" if descending else "gt"
        keys = keys.filter(
            Q(**{f"sort_key__{past}": cursor[0]}) | Q(sort_key=cursor[0], **{f"customer_id__{past}": cursor[1]})
        )
    order = ("-sort_key", "-customer_id") if descending else ("sort_key", "customer_id")
    found = list(keys.order_by(*order).values_list("customer_id", "sort_key")[: size + 1])
    page = found[:size]
    following = f"{page[-1][1].isoformat()}_{page[-1][0]}" if len(found) > size else ""
    return DayPage(rows=day_rows(page, on=on), after=following)


def day_rows(
    page: Sequence[tuple[int, date]],
    *,
    on: date,
    until: date | None = None,
    planned: Mapping[int, Sequence[TouchPoint]] | None = None,
) -> list[DayRow]:
    """Return the rows of (customer, sort key), with all that is live, and unsaved touch points that are only planned.

    Left out is what opens after ``until`` (``on`` unless told otherwise): a forecast that moved away is live too.
    Customers without either are left out. The number of queries does not depend on the number of rows.
    """
    planned = planned or {}
    ids = [customer for customer, _key in page]
    customers = Customer.objects.select_related("store").in_bulk(ids)
    points: dict[int, list[TouchPoint]] = defaultdict(list)
    for point in (
        TouchPoint.objects.live()
        .for_contact()
        .filter(customer__in=ids, opens_on__lte=until or on)
        .select_related("rule", "vehicle__model", "assignee")
        .order_by("priority", "closes_on", "pk")
    ):
        points[point.customer_id].append(point)
    for customer, coming in planned.items():
        points[customer] += coming
    cars_of_planned = Vehicle.objects.select_related("model").in_bulk(
        {point.vehicle_id for coming in planned.values() for point in coming if point.vehicle_id}
    )
    for coming in planned.values():
        for point in coming:
            point.vehicle = cars_of_planned.get(point.vehicle_id or 0)
    cars = Vehicle.objects.filter(owner__in=ids, status=VehicleStatus.IN_USE)
    car_counts = dict(cars.order_by().values_list("owner").annotate(count=Count("pk")))
    newest_cars = {
        car.owner_id: car
        for car in cars.order_by("owner_id", "-delivery_on", "-pk").distinct("owner_id").select_related("model")
    }
    last_contacts = {
        contact.customer_id: contact
        for contact in ContactLog.objects.filter(customer__in=ids, is_effective=True)
        .order_by("customer_id", "-at", "-pk")
        .distinct("customer_id")
    }
    return [
        _row(
            customers[customer],
            points[customer],
            on=on,
            sort_key=key,
            newest_car=newest_cars.get(customer),
            vehicle_count=car_counts.get(customer, 0),
            last_contact=last_contacts.get(customer),
        )
        for customer, key in page
        if points[customer]
    ]


def _row(
    customer: Customer,
    points: Sequence[TouchPoint],
    *,
    on: date,
    sort_key: date,
    newest_car: Vehicle | None,
    vehicle_count: int,
    last_contact: ContactLog | None,
) -> DayRow:
    leads = [point for point in points if point.lead_id is None]
    first = leads[0] if leads else points[0]
    return DayRow(
        customer=customer,
        reasons=reason_chips(points, on=on),
        vehicle=next((point.vehicle for point in points if point.vehicle_id), newest_car),
        vehicle_count=vehicle_count,
        latest_on=min(point.closes_on for point in points),
        is_overdue=any(point.due_on < on for point in points),
        channel=preferred_channel(customer, first),
        slot=customer.preferred_slot,
        last_contact=last_contact,
        attempts=max(point.attempts for point in points),
        escalation=max(escalation_level(point.priority, point.due_on, on=on) for point in points),
        assignees=sorted({str(point.assignee) for point in leads if point.assignee}),
        sort_key=sort_key,
    )


def preferred_channel(customer: Customer, lead: TouchPoint | None) -> str:
    """Return the channel to try first: the customer's wish, else the plan's; '' where all of these were refused.

    The plan's comes first where it varies the channel from time to time (domain §3.2, TV to TO), and where all calls
    went unanswered and a message is to be written (§3.4).
    """
    of_plan = (lead.channel, *lead.rule.channels) if lead is not None else ()
    wishes = (customer.preferred_channel, *of_plan, Channel.PHONE)
    if lead is not None and (lead.rule.rotates_channels or (lead.attempts and lead.channel in MESSAGE_CHANNELS)):
        wishes = (lead.channel, *wishes)
    return next((c for c in wishes if c and c not in customer.refused_channels), "")


def channel_label(channel: str) -> str:
    """Return a channel in words, or that there is none."""
    return str(Channel(channel).label) if channel else gettext("no channel: all are refused")


def short_name(point: TouchPoint) -> str:
    """Return the one or two words by which staff call a reason."""
    return str(SHORT_NAMES.get(point.rule.trigger) or point.rule.name)


def reason_chips(points: Iterable[TouchPoint], *, on: date) -> list[ReasonChip]:
    """Return the reasons of one customer by kind, in the order of their first touch point."""
    by_name: dict[str, list[TouchPoint]] = defaultdict(list)
    for point in points:
        by_name[short_name(point)].append(point)
    return [
        ReasonChip(
            label=label,
            count=len(group),
            state=due_state(min(point.due_on for point in group), on=on),
            title=" · ".join(f"{point.rule.name} {point.due_on}" for point in group),
        )
        for label, group in by_name.items()
    ]


def due_state(due_on: date, *, on: date) -> ChipState:
    """Say how urgent a due date is."""
    if due_on < on:
        return "overdue"
    if due_on == on:
        return "today"
    return "soon" if due_on == on + timedelta(days=1) else ""
