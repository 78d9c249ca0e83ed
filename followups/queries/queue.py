"""What S2 shows: who the customer is, why to call, and where the caller stands in the day's work."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Q
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.queries import work_calendar
from customers.choices import Lifecycle
from customers.models import ContactPerson, Customer
from customers.rules import lifecycle_stage
from followups.choices import NextStepKind
from followups.models import CareRule, ContactLog, NextStep, QueueLease, TouchPoint
from followups.queries.cautions import Caution, cautions_of
from followups.queries.day import channel_label, due_state, preferred_channel
from followups.queries.words import CustomerMessage, address_of, customer_message, point_values
from followups.querysets import TouchPointQuerySet
from followups.rules.hours import MESSAGE_CHANNELS, local_time
from followups.rules.outcomes import AFTER_SERVICE_TRIGGER
from followups.strategies import strategies_for
from followups.talking_points import fill_lines
from vehicles.choices import AgeBand, ServiceKind, VehicleStatus
from vehicles.models import Vehicle
from vehicles.rules import age_band

LAST_CONTACTS = 5
CARS_SHOWN = 6
# A complaint that was settled this recently is still in the customer's mind: thank first.
SETTLED_COMPLAINT_DAYS = timedelta(days=90)

# What the anchor date of a trigger is, in words; triggers without an entry just have an anchor date.
ANCHOR_NAMES: dict[str, Promise] = {
    "delivery": _("Delivery date"),
    "first_service": _("First service due"),
    "periodic_service": _("Periodic service due"),
    "hand_over": _("Handed over"),
    "suggested_work": _("Suggested on"),
    "birthday": _("Birthday"),
    "festival": _("Festival"),
    "personal_event": _("Date of the event"),
    "policy_end": _("Insurance ends"),
    "inspection_end": _("Inspection valid until"),
    "warranty_near": _("Warranty end near from"),
    "warranty_end": _("Warranty ends"),
    "three_guarantees_end": _("Three guarantees end"),
    "tier_contact": _("Counted from"),
    "regular": _("Last effective contact"),
    "silence": _("Silent since"),
}


@dataclass(frozen=True)
class CarFacts:
    """A car as the caller needs it: ``km_today`` is a forecast, None when nothing is known to forecast from."""

    vehicle: Vehicle
    age_band: AgeBand | None
    km_today: int | None
    next_service_kind: str
    strategies: list[Promise]

    @property
    def age_band_label(self) -> str:
        """The age band in the reader's language."""
        return str(self.age_band.label) if self.age_band else ""


@dataclass(frozen=True)
class CardReason:
    """One due reason with its talking points in the reader's language.

    ``waits_until`` is the time before which it is not to be tried, agreed or of the next attempt: naive, by the store's
    clock. ``is_barred`` for the reader, who received the car: the call is a colleague's.
    """

    point: TouchPoint
    state: str
    waits_until: datetime | None
    is_barred: bool
    anchor_name: str
    points: list[str]


@dataclass(frozen=True)
class Progress:
    """The caller's day: customers contacted so far and those still to call."""

    contacted: int
    remaining: int

    @property
    def total(self) -> int:
        """All customers of the day."""
        return self.contacted + self.remaining

    @property
    def position(self) -> int:
        """The place of the customer on screen."""
        return min(self.contacted + 1, self.total) if self.total else 1


@dataclass(frozen=True)
class Saved:
    """What was just saved: whose, in a sentence, and what became of the steps for other desks."""

    customer_id: int
    sentence: str
    steps: list[str]


@dataclass(frozen=True)
class QueueCard:
    """One customer on the screen of the guided queue."""

    customer: Customer
    address: str
    lifecycle: Lifecycle
    persons: list[ContactPerson]
    cautions: list[Caution]
    cars: list[CarFacts]
    more_cars: int
    contacts: list[ContactLog]
    open_steps: list[NextStep]
    reasons: list[CardReason]
    message: CustomerMessage
    channel: str
    lease: QueueLease | None

    @property
    def points(self) -> list[TouchPoint]:
        """The touch points on the card."""
        return [reason.point for reason in self.reasons]

    @property
    def tickable(self) -> list[TouchPoint]:
        """The touch points that the reader may work off."""
        return [reason.point for reason in self.reasons if not reason.is_barred]

    @property
    def wants_message(self) -> bool:
        """Whether the plan would have one of the reasons settled by a message."""
        return any(point.channel in MESSAGE_CHANNELS for point in self.points)

    @property
    def channel_label(self) -> str:
        """The channel to try first, in words."""
        return channel_label(self.channel)

    @property
    def strategies(self) -> list[str]:
        """What to keep in mind, once each, for the first car spoken about."""
        return [str(text) for text in self.cars[0].strategies] if self.cars else []


def progress_of(user: User, leads: TouchPointQuerySet, *, on: date) -> Progress:
    """Return where a person stands in the day's work; ``leads`` are the touch points still to work off. Two queries."""
    return Progress(
        contacted=ContactLog.objects.made_by(user, on=on).one_by_one().order_by().values("customer").distinct().count(),
        remaining=leads.order_by().values("customer").distinct().count(),
    )


# Who takes over what a contact asks for, said at once so that nobody waits for something that was never passed on.
STEP_SENTENCES: dict[str, Promise] = {
    NextStepKind.APPOINTMENT: _("The wished visit is noted; the service desk confirms it."),
    NextStepKind.COMPLAINT: _("The complaint is noted; the complaint desk picks it up."),
    NextStepKind.REFERRAL: _("The referral is noted, the friend as a lead; the sales desk calls the friend."),
    NextStepKind.LEAD: _("The trade-in wish is noted; the sales desk picks it up."),
    NextStepKind.NUMBER_CORRECTION: _("The number has to be corrected; the task is on the customer's file."),
    NextStepKind.OWNER_CORRECTION: _("The owner has to be corrected; the task is on the customer's file."),
}


def saved_contact(log: ContactLog) -> Saved:
    """Return what to say about a contact that was just saved; one query."""
    # The lead that a referral makes is said with the referral.
    steps = log.next_steps.exclude(kind=NextStepKind.LEAD, payload__has_key="referral")
    kinds = steps.order_by("pk").values_list("kind", flat=True)
    return Saved(
        customer_id=log.customer_id,
        sentence=gettext("Saved: %(customer)s · %(outcome)s")
        % {"customer": log.customer.name, "outcome": log.get_outcome_display()},
        steps=[str(STEP_SENTENCES[kind]) for kind in kinds if kind in STEP_SENTENCES],
    )


def queue_card(customer: Customer, *, user: User, now: datetime) -> QueueCard:
    """Return everything the guided queue says about a customer, in the active language.

    ``customer`` comes with its ``store``. The number of queries is fixed: nine, however much there is to say, and one
    more where there is a call after a service.
    """
    zone = customer.store.time_zone
    today = local_time(now, zone).date()
    points = card_points(customer, on=today)
    barred = barred_points(points, user=user)
    cars, more_cars = _cars(customer, points, on=today)
    contacts = list(
        ContactLog.objects.filter(customer=customer)
        .select_related("by")
        .prefetch_related("touch_points__rule")
        .order_by("-at", "-pk")[:LAST_CONTACTS]
    )
    steps = list(
        NextStep.objects.filter(customer=customer)
        .filter(Q(done_at=None) | Q(kind=NextStepKind.COMPLAINT, done_at__gte=now - SETTLED_COMPLAINT_DAYS))
        .order_by("-created_at", "-pk")
    )
    first_services = [
        car.vehicle.next_service_on
        for car in cars
        if car.vehicle.next_service_kind == ServiceKind.FIRST and car.vehicle.next_service_on
    ]
    first_car = cars[0].vehicle if cars else None
    channel = preferred_channel(customer, points[0] if points else None)
    return QueueCard(
        customer=customer,
        address=address_of(customer, language=translation.get_language() or ""),
        lifecycle=lifecycle_stage(
            on=today,
            last_delivery_on=customer.last_delivery_on,
            last_visit_on=customer.last_visit_on,
            last_effective_contact_on=customer.last_effective_contact_on,
            first_service_due_on=max(first_services, default=None),
        ),
        persons=list(customer.contact_persons.order_by("-is_main", "pk")),
        cautions=cautions_of(customer, contacts=contacts, steps=steps, now=now, time_zone=zone),
        cars=cars,
        more_cars=more_cars,
        contacts=contacts,
        open_steps=[step for step in steps if step.done_at is None],
        reasons=[
            _reason(point, customer=customer, car=first_car, user=user, now=now, is_barred=point.pk in barred)
            for point in points
        ],
        message=customer_message(
            # What a colleague has to ask, and what was put off to an agreed time, is not written about either.
            [p for p in points if p.pk not in barred and (p.not_before is None or p.not_before <= now)],
            customer=customer,
            car=first_car,
            user=user,
            channel=channel,
        ),
        channel=channel,
        lease=QueueLease.objects.filter(customer=customer, expires_at__gt=now).select_related("holder").first(),
    )


PROPOSED_CLOCKS = ((0, time(9, 30)), (0, time(14, 0)), (1, time(10, 0)))


def proposed_times(*, on: date) -> list[datetime]:
    """Return three times to offer, on the next two working days: two to choose from and one to fall back on.

    Naive, local to the store. They are proposals of the house's hours, not free slots. One query.
    """
    calendar = work_calendar(on, on + timedelta(days=21))
    first = calendar.on_or_after(on + timedelta(days=1))
    days = (first, calendar.on_or_after(first + timedelta(days=1)))
    return [datetime.combine(days[index], clock) for index, clock in PROPOSED_CLOCKS]


def _due_points(customer: Customer, *, on: date) -> TouchPointQuerySet:
    live: TouchPointQuerySet = TouchPoint.objects.live()
    return live.for_contact().filter(customer=customer, opens_on__lte=on).order_by("pk")


def card_choices(customer: Customer, *, on: date) -> list[TouchPoint]:
    """Return what may be ticked on a customer's card, with as much as the form has to know of it; one query."""
    return list(_due_points(customer, on=on).select_related("rule").only("pk", "rule__code", "rule__trigger"))


def card_points(customer: Customer, *, on: date) -> list[TouchPoint]:
    """Return what is due to a customer, leads first, each with what the store's own plan says about it; two queries.

    ``on`` is today by the store's calendar. What has not opened is nothing to speak about: the forecast of a service
    may have moved away after it had opened.
    """
    points = list(_due_points(customer, on=on).select_related("rule", "vehicle__model"))
    own = {
        rule.code: rule
        for rule in CareRule.objects.own_of(customer.store_id, codes={point.rule.code for point in points})
    }
    for point in points:
        # Filed under the group's rule; the store's own version says what is said.
        point.rule = own.get(point.rule.code, point.rule)
    return sorted(points, key=lambda point: (point.lead_id is not None, point.priority, point.closes_on, point.pk))


def barred_points(points: Iterable[TouchPoint], *, user: User) -> frozenset[int]:
    """Return which touch points are a colleague's call because the user received the car, by id; one query at most."""
    calls = [point.pk for point in points if point.rule.trigger == AFTER_SERVICE_TRIGGER]
    if not calls:
        return frozenset()
    return frozenset(TouchPoint.objects.filter(pk__in=calls).received_by(user).values_list("pk", flat=True))


def card_cars(customer: Customer) -> list[Vehicle]:
    """Return the cars that a customer uses, the newest first; one query."""
    return list(
        Vehicle.objects.filter(owner=customer, status=VehicleStatus.IN_USE)
        .select_related("model")
        .order_by("-delivery_on", "-pk")
    )


def forecast_km(vehicle: Vehicle, *, on: date) -> int | None:
    """Return the mileage to expect on a day, to the nearest hundred; None without a reading or a daily rate."""
    if vehicle.odometer_km is None or vehicle.odometer_on is None or vehicle.daily_km is None:
        return None
    driven = Decimal(max((on - vehicle.odometer_on).days, 0)) * vehicle.daily_km
    return round(vehicle.odometer_km + int(driven), -2)


def _cars(customer: Customer, points: Sequence[TouchPoint], *, on: date) -> tuple[list[CarFacts], int]:
    """The cars spoken about come first; of a big fleet only the first few are shown."""
    cars = card_cars(customer)
    spoken_about = {point.vehicle_id for point in points}
    cars.sort(key=lambda car: car.pk not in spoken_about)
    return [_car_facts(car, on=on) for car in cars[:CARS_SHOWN]], max(len(cars) - CARS_SHOWN, 0)


def _car_facts(car: Vehicle, *, on: date) -> CarFacts:
    km_today = forecast_km(car, on=on)
    band = age_band(
        on=on,
        from_on=car.warranty_from_on or car.delivery_on or car.purchase_on,
        warranty_ends_on=car.warranty_ends_on,
        km=km_today if km_today is not None else car.odometer_km,
        warranty_km=car.warranty_km,
    )
    return CarFacts(
        vehicle=car,
        age_band=band,
        km_today=km_today,
        next_service_kind=car.get_next_service_kind_display() if car.next_service_kind else "",
        strategies=strategies_for(age_band=band, use=car.use),
    )


def _reason(
    point: TouchPoint,
    *,
    customer: Customer,
    car: Vehicle | None,
    user: User,
    now: datetime,
    is_barred: bool,
) -> CardReason:
    zone = customer.store.time_zone
    waits = point.not_before if point.not_before is not None and point.not_before > now else None
    values = point_values(
        point, customer=customer, car=car, adviser=str(user), language=translation.get_language() or ""
    )
    return CardReason(
        point=point,
        state=due_state(point.due_on, on=local_time(now, zone).date()),
        waits_until=local_time(waits, zone).replace(tzinfo=None) if waits else None,
        is_barred=is_barred,
        anchor_name=str(ANCHOR_NAMES.get(point.rule.trigger) or _("Anchor date")),
        points=fill_lines(point.rule.points, values),
    )
