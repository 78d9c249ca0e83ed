"""Made-up contacts of the past nine months: calls after deliveries and visits, invitations, greetings by tier."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from core.rules import add_months
from customers.choices import Channel, DoNotContact, Tier
from followups.choices import NextStepKind, Outcome, Severity
from followups.demo.catalogue import CONTACT_NOTES
from followups.demo.files import DemoCar, DemoContact, DemoCustomer
from followups.rules import OUTCOMES
from service.choices import MAINTENANCE, JobType
from vehicles.choices import VehicleStatus

DAY = timedelta(days=1)
DAYS_BACK = 270
SUNDAY = 6
# Next steps older than this were taken over by their desks, but for a few.
_SETTLED_DAYS = 9

_AFTER_A_VISIT_OR_GREETING = (
    (Outcome.SATISFIED, 640),
    (Outcome.NOT_REACHED, 190),
    (Outcome.LATER, 50),
    (Outcome.MESSAGE_SENT, 80),
    (Outcome.GRIEVANCE, 12),
    (Outcome.REFERRAL, 12),
    (Outcome.TRADE_IN, 8),
    (Outcome.SERVICED_ELSEWHERE, 8),
)
_INVITATIONS = (
    (Outcome.BOOKED, 420),
    (Outcome.SATISFIED, 180),
    (Outcome.NOT_REACHED, 190),
    (Outcome.MESSAGE_SENT, 170),
    (Outcome.SERVICED_ELSEWHERE, 40),
)
_KEPT = {Tier.VIP: 0.8, Tier.QUALITY: 0.7, Tier.ORDINARY: 0.5}


@dataclass(frozen=True, slots=True)
class _Occasion:
    """Why somebody was to be called on a day, by whom, about which car (its place among the customer's)."""

    on: date
    by: str
    is_invitation: bool = False
    is_greeting: bool = False
    car: int | None = None


def make_contacts(rng: Random, customer: DemoCustomer, *, today: date, zone: ZoneInfo) -> list[DemoContact]:
    """Return the contacts of the last months up to yesterday, oldest first, at most one a day.

    Nobody was called after asking for rest, nobody on a Sunday, and only within the hours of domain §3.6.
    """
    first = today - timedelta(days=DAYS_BACK)
    last = today - DAY
    if customer.do_not_contact == DoNotContact.ALL_BUT_SAFETY and customer.do_not_contact_on:
        last = min(last, customer.do_not_contact_on)
    by_day: dict[date, _Occasion] = {}
    for occasion in (*_of_cars(rng, customer, today=today), *_of_tier(rng, customer, today=today)):
        day = occasion.on - DAY if occasion.on.weekday() == SUNDAY else occasion.on
        if first <= day <= last:
            by_day.setdefault(day, occasion)
    return [_contact(rng, by_day[day], day, today=today, zone=zone) for day in sorted(by_day)]


def _of_cars(rng: Random, customer: DemoCustomer, *, today: date) -> Iterator[_Occasion]:
    for place, car in enumerate(customer.cars):
        yield from _of_ownership(rng, customer, place, car, today=today)
        yield from _of_visits(rng, customer, place, car, today=today)


def _of_ownership(rng: Random, customer: DemoCustomer, place: int, car: DemoCar, *, today: date) -> Iterator[_Occasion]:
    """The sales consultant's calls: after the delivery, then every quarter (domain §3.2 D1, D3, M3k)."""
    seller = customer.sales_consultant
    age = (today - car.delivery_on).days
    if age <= DAYS_BACK:
        # Of the 24-hour and the 3-day call one is enough for most.
        for days, chance in ((1, 0.85), (3, 0.8)):
            if rng.random() < chance:
                yield _Occasion(car.delivery_on + days * DAY, seller, car=place)
    quarters = age // 91
    for quarter in range(max(quarters - 3, 1), quarters + 1):
        on = add_months(car.delivery_on, 3 * quarter) + rng.randint(-4, 5) * DAY
        if rng.random() < _KEPT[Tier(customer.tier)] and on <= (car.left_on or today):
            yield _Occasion(on, seller, car=place)


def _of_visits(rng: Random, customer: DemoCustomer, place: int, car: DemoCar, *, today: date) -> Iterator[_Occasion]:
    """The care specialist's calls: invitations to service, calls after a visit, wake-up calls (FS, PS, PV, DW)."""
    caller = customer.care_specialist
    for order in car.orders:
        if order.job_type == JobType.INTERNAL or (today - order.arrived_on).days > DAYS_BACK + 10:
            continue
        if order.job_type in MAINTENANCE and rng.random() < 0.45:
            yield _Occasion(order.arrived_on - rng.randint(2, 9) * DAY, caller, is_invitation=True, car=place)
        if order.handed_over_on and rng.random() < 0.85:
            yield _Occasion(order.handed_over_on + rng.randint(2, 3) * DAY, caller, car=place)
    last_on = car.orders[-1].arrived_on if car.orders else car.delivery_on
    if car.status == VehicleStatus.IN_USE and (today - last_on).days > 220 and rng.random() < 0.5:
        yield _Occasion(today - rng.randint(20, 160) * DAY, caller, is_invitation=True, car=place)


def _of_tier(rng: Random, customer: DemoCustomer, *, today: date) -> Iterator[_Occasion]:
    """Greetings between the occasions: every other week for VIPs, monthly for quality customers (domain §2.5)."""
    if customer.tier == Tier.ORDINARY:
        return
    step, chance = (14, 0.55) if customer.tier == Tier.VIP else (30, 0.55)
    first_delivery = min(car.delivery_on for car in customer.cars)
    for days in range(rng.randint(1, step), 180, step):
        on = today - days * DAY
        if on > first_delivery + 20 * DAY and rng.random() < chance:
            yield _Occasion(on, customer.sales_consultant, is_greeting=True)


def _contact(rng: Random, occasion: _Occasion, day: date, *, today: date, zone: ZoneInfo) -> DemoContact:
    odds = _INVITATIONS if occasion.is_invitation else _AFTER_A_VISIT_OR_GREETING
    outcome = rng.choices([outcome for outcome, _ in odds], [chance for _, chance in odds])[0]
    channel = Channel.PHONE
    if outcome == Outcome.MESSAGE_SENT:
        channel = rng.choice((Channel.WECHAT, Channel.SMS))
    elif occasion.is_greeting and outcome == Outcome.SATISFIED and rng.random() < 0.4:
        channel = rng.choice((Channel.WECHAT, Channel.VISIT))
    is_inbound = outcome == Outcome.SATISFIED and rng.random() < 0.04
    rule = OUTCOMES[outcome]
    is_fresh = (today - day).days <= _SETTLED_DAYS
    return DemoContact(
        at=datetime.combine(day, time(rng.choice((9, 10, 11, 14, 15, 16, 17)), rng.randrange(60)), zone),
        by=occasion.by,
        channel=channel,
        outcome=outcome,
        is_effective=rule.is_effective,
        is_proactive=rule.is_proactive and not is_inbound,
        is_inbound=is_inbound,
        is_marketing_message=outcome == Outcome.MESSAGE_SENT and occasion.is_greeting,
        note=rng.choice(CONTACT_NOTES[outcome]),
        next_step=rule.makes or "",
        severity=_severity(rng) if rule.makes == NextStepKind.COMPLAINT else "",
        is_step_done=not is_fresh and rng.random() < 0.98,
        car=occasion.car,
        reason="住处附近的店更方便" if outcome == Outcome.SERVICED_ELSEWHERE else "",
    )


def _severity(rng: Random) -> str:
    return rng.choices((Severity.GENERAL, Severity.ESCALATED, Severity.MAJOR), (80, 16, 4))[0]
