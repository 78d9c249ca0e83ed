"""Made-up contacts of the past half-year: what the staff did of what the care plan asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from random import Random
from zoneinfo import ZoneInfo

from core.rules import WorkCalendar, add_months, days_between
from customers.choices import BirthdayCalendar, Channel, DoNotContact, Tier
from followups.choices import NextStepKind, Outcome, Severity
from followups.demo.catalogue import CONTACT_NOTES
from followups.demo.files import DemoCar, DemoContact, DemoCustomer
from followups.demo.odds import Odds
from followups.rules.outcomes import OUTCOMES
from followups.triggers.lunar import FESTIVAL_STEPS, festival_on
from service.choices import MAINTENANCE, JobType
from vehicles.choices import VehicleStatus

DAY = timedelta(days=1)
DAYS_BACK = 180
# Next steps older than this were taken over by their desks, but for a few.
_SETTLED_DAYS = 9
# Before the system went live calls were kept by tier; since then most of those that it asked for were made.
_KEPT_BEFORE = {Tier.VIP: 0.7, Tier.QUALITY: 0.6, Tier.ORDINARY: 0.5}
_KEPT_SINCE = 0.93
_WRITTEN = (Channel.WECHAT, Channel.SMS)

_CALLS = (
    (Outcome.SATISFIED, 740),
    (Outcome.NOT_REACHED, 120),
    (Outcome.LATER, 40),
    (Outcome.MESSAGE_SENT, 60),
    (Outcome.GRIEVANCE, 12),
    (Outcome.REFERRAL, 12),
    (Outcome.TRADE_IN, 8),
    (Outcome.SERVICED_ELSEWHERE, 8),
)
_INVITATIONS = (
    (Outcome.BOOKED, 450),
    (Outcome.SATISFIED, 220),
    (Outcome.NOT_REACHED, 120),
    (Outcome.MESSAGE_SENT, 170),
    (Outcome.SERVICED_ELSEWHERE, 40),
)
_SECOND_ATTEMPTS = ((Outcome.SATISFIED, 80), (Outcome.NOT_REACHED, 20))
_MESSAGES = ((Outcome.MESSAGE_SENT, 100),)


class _Kind(Enum):
    """What a contact is about; it decides how it may end."""

    CALL = "call"
    INVITATION = "invitation"
    TIER = "tier"
    SECOND_ATTEMPT = "second_attempt"
    GREETING = "greeting"
    TIP = "tip"


_ODDS = {
    _Kind.CALL: Odds(_CALLS),
    _Kind.INVITATION: Odds(_INVITATIONS),
    _Kind.TIER: Odds(_CALLS),
    _Kind.SECOND_ATTEMPT: Odds(_SECOND_ATTEMPTS),
    _Kind.GREETING: Odds(_MESSAGES),
    _Kind.TIP: Odds(_MESSAGES),
}
_SEVERITIES = Odds(((Severity.GENERAL, 80), (Severity.ESCALATED, 16), (Severity.MAJOR, 4)))
_MARKETING = frozenset({_Kind.TIER, _Kind.GREETING})


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What was to be done on a day, by whom, about which car (its place among the customer's)."""

    on: date
    by: str
    kind: _Kind = _Kind.CALL
    car: int | None = None


class Diary:
    """The days that everybody shares: since when calls are planned, working days, festivals and season tips."""

    def __init__(self, *, today: date, live_on: date, zone: ZoneInfo) -> None:
        self.today, self.live_on, self.zone = today, live_on, zone
        self.calendar = WorkCalendar()
        past = list(days_between(live_on, today - DAY))
        self.festivals = [day for day in past if any(festival_on(day, name) for name in _FESTIVALS)]
        self.tips = [day for day in past if (day.month, day.day) in _SEASON_DAYS]

    def later(self, day: date) -> date:
        """Return the first working day from ``day`` on."""
        return self.calendar.on_or_after(day)

    def earlier(self, day: date, *, after: date) -> date:
        """Return the last working day up to ``day`` that is after another day, else ``day``."""
        return self.calendar.on_or_before(day, not_before=after + DAY) or day


# Women's Day is for women only.
_FESTIVALS = tuple(name for name in FESTIVAL_STEPS if name != "women")
_SEASON_DAYS = ((5, 15), (11, 1))


def make_contacts(rng: Random, customer: DemoCustomer, diary: Diary) -> list[DemoContact]:
    """Return the contacts of the last months up to yesterday, oldest first, at most one a day.

    Nobody was contacted after asking for rest, and only within the hours of domain §3.6.
    """
    first, last = diary.today - timedelta(days=DAYS_BACK), diary.today - DAY
    if customer.do_not_contact == DoNotContact.ALL_BUT_SAFETY and customer.do_not_contact_on:
        last = min(last, customer.do_not_contact_on)
    by_day: dict[date, _Occasion] = {}
    for occasion in (
        *_of_cars(rng, customer, diary),
        *_of_tier(rng, customer, diary),
        *_of_calendar(rng, customer, diary),
    ):
        if first <= occasion.on <= last:
            by_day.setdefault(occasion.on, occasion)
    contacts = []
    for day in sorted(by_day):
        contact = _contact(rng, by_day[day], diary)
        contacts.append(contact)
        again_on = diary.later(day + DAY)
        if contact.outcome in _NOT_SPOKEN and again_on <= last and again_on not in by_day and rng.random() < 0.8:
            occasion = _Occasion(again_on, by_day[day].by, _Kind.SECOND_ATTEMPT, by_day[day].car)
            contacts.append(_contact(rng, occasion, diary))
    return contacts


_NOT_SPOKEN = (Outcome.NOT_REACHED, Outcome.LATER)


def _is_kept(rng: Random, customer: DemoCustomer, on: date, diary: Diary) -> bool:
    """Tell whether a call was made at all."""
    return rng.random() < (_KEPT_SINCE if on >= diary.live_on else _KEPT_BEFORE[Tier(customer.tier)])


def _of_cars(rng: Random, customer: DemoCustomer, diary: Diary) -> Iterator[_Occasion]:
    for place, car in enumerate(customer.cars):
        yield from _of_ownership(rng, customer, place, car, diary)
        yield from _of_visits(rng, customer, place, car, diary)
        if car.status == VehicleStatus.IN_USE:
            yield from _of_policies(rng, customer, place, car, diary)


def _of_ownership(rng: Random, customer: DemoCustomer, place: int, car: DemoCar, diary: Diary) -> Iterator[_Occasion]:
    """The sales consultant's calls: after the delivery, then every quarter (domain §3.2 D1, D3, M3k, M12k, ML)."""
    seller, delivery_on = customer.sales_consultant, car.delivery_on
    age = (diary.today - delivery_on).days
    if age <= DAYS_BACK:
        for days in (1, 3):
            on = diary.earlier(delivery_on + days * DAY, after=delivery_on)
            if _is_kept(rng, customer, on, diary):
                yield _Occasion(on, seller, car=place)
    quarters = age // 91
    for quarter in range(max(quarters - 3, 1), quarters + 1):
        on = diary.later(add_months(delivery_on, 3 * quarter) + rng.randint(-5, 4) * DAY)
        if on <= (car.left_on or diary.today) and _is_kept(rng, customer, on, diary):
            yield _Occasion(on, seller, car=place)


def _of_visits(rng: Random, customer: DemoCustomer, place: int, car: DemoCar, diary: Diary) -> Iterator[_Occasion]:
    """The care specialist's calls: invitations to service, calls after a visit, wake-up calls (FS, PS, PV, DW)."""
    caller = customer.care_specialist
    for order in car.orders:
        if order.job_type == JobType.INTERNAL or (diary.today - order.arrived_on).days > DAYS_BACK + 10:
            continue
        if order.job_type in MAINTENANCE and rng.random() < 0.45:
            yield _Occasion(diary.later(order.arrived_on - rng.randint(4, 9) * DAY), caller, _Kind.INVITATION, place)
        if order.handed_over_on:
            on = diary.earlier(order.handed_over_on + 3 * DAY, after=order.handed_over_on)
            if _is_kept(rng, customer, on, diary):
                yield _Occasion(on, caller, car=place)
    last_on = car.orders[-1].arrived_on if car.orders else car.delivery_on
    if car.status == VehicleStatus.IN_USE and (diary.today - last_on).days > 220 and rng.random() < 0.6:
        on = diary.later(diary.today - rng.randint(5, 160) * DAY)
        yield _Occasion(on, caller, _Kind.INVITATION, place)


def _of_policies(rng: Random, customer: DemoCustomer, place: int, car: DemoCar, diary: Diary) -> Iterator[_Occasion]:
    """The renewal calls since the system went live (domain §3.2 IN), and those about the inspection (IS)."""
    caller = customer.care_specialist
    ends = {policy.ends_on for policy in car.policies}
    for end in sorted(ends):
        is_renewed = any(other > end for other in ends)
        for days in () if is_renewed else (45, 33, 30, 15, 7, 1):
            on = diary.later(end - days * DAY)
            if on >= diary.live_on and rng.random() < 0.75:
                yield _Occasion(on, caller, car=place)
    if car.inspection_valid_until:
        for days in (60, 30, 7):
            on = diary.later(car.inspection_valid_until - days * DAY)
            if on >= diary.live_on and rng.random() < 0.75:
                yield _Occasion(on, caller, _Kind.TIP, place)


def _of_tier(rng: Random, customer: DemoCustomer, diary: Diary) -> Iterator[_Occasion]:
    """Greetings between the occasions: every other week for VIPs, monthly for quality customers (domain §2.5)."""
    if customer.tier == Tier.ORDINARY:
        return
    step = 14 if customer.tier == Tier.VIP else 30
    first_delivery = min(car.delivery_on for car in customer.cars)
    for days in range(rng.randint(1, step), 180, step):
        on = diary.later(diary.today - days * DAY)
        if on > first_delivery + 20 * DAY and _is_kept(rng, customer, on, diary):
            yield _Occasion(on, customer.sales_consultant, _Kind.TIER)


def _of_calendar(rng: Random, customer: DemoCustomer, diary: Diary) -> Iterator[_Occasion]:
    """Messages since the system went live: festivals, season tips and birthdays by the Gregorian calendar."""
    is_without_marketing = customer.do_not_contact != DoNotContact.NONE or set(_WRITTEN) <= set(
        customer.refused_channels
    )
    for day in diary.tips:
        if rng.random() < 0.95:
            yield _Occasion(diary.later(day), customer.care_specialist, _Kind.TIP)
    if is_without_marketing:
        return
    for day in diary.festivals:
        if rng.random() < 0.95:
            yield _Occasion(day, customer.care_specialist, _Kind.GREETING)
    if customer.birthday_month and customer.birthday_calendar == BirthdayCalendar.SOLAR and rng.random() < 0.9:
        birthday = _latest_birthday(customer.birthday_month, customer.birthday_day or 1, before=diary.today)
        if birthday >= diary.live_on:
            yield _Occasion(birthday, customer.sales_consultant, _Kind.GREETING)


def _latest_birthday(month: int, day: int, *, before: date) -> date:
    """Return the last time a birthday was celebrated before a day; 29 Feb on 28 Feb in common years."""
    day = min(day, 28) if month == 2 else day
    this_year = date(before.year, month, day)
    return this_year if this_year < before else date(before.year - 1, month, day)


def _contact(rng: Random, occasion: _Occasion, diary: Diary) -> DemoContact:
    outcome = _ODDS[occasion.kind].draw(rng)
    channel = Channel.PHONE
    if outcome == Outcome.MESSAGE_SENT:
        channel = rng.choice(_WRITTEN)
    elif occasion.kind is _Kind.TIER and outcome == Outcome.SATISFIED and rng.random() < 0.4:
        channel = rng.choice((Channel.WECHAT, Channel.VISIT))
    is_inbound = outcome == Outcome.SATISFIED and rng.random() < 0.04
    rule = OUTCOMES[outcome]
    is_fresh = (diary.today - occasion.on).days <= _SETTLED_DAYS
    at = time(rng.choice((9, 10, 11, 14, 15, 16, 17)), rng.randrange(60))
    return DemoContact(
        at=datetime.combine(occasion.on, at, diary.zone),
        by=occasion.by,
        channel=channel,
        outcome=outcome,
        is_effective=rule.is_effective,
        is_proactive=rule.is_proactive and not is_inbound,
        is_inbound=is_inbound,
        is_marketing_message=outcome == Outcome.MESSAGE_SENT and occasion.kind in _MARKETING,
        note=rng.choice(CONTACT_NOTES[outcome]),
        next_step=rule.makes or "",
        severity=_SEVERITIES.draw(rng) if rule.makes == NextStepKind.COMPLAINT else "",
        is_step_done=not is_fresh and rng.random() < 0.98,
        car=occasion.car,
        reason="住处附近的店更方便" if outcome == Outcome.SERVICED_ELSEWHERE else "",
    )
