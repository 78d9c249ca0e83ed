"""Made-up customers, one after the other, each with cars, consents, dates that matter and contacts."""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from faker import Faker

from core.rules import add_months
from customers.choices import (
    BirthdayCalendar,
    Channel,
    ConsentPurpose,
    CustomerKind,
    CustomerStatus,
    DoNotContact,
    Salutation,
    Source,
    Tier,
    TimeSlot,
)
from followups.demo.cars import make_car
from followups.demo.catalogue import (
    DO_NOT_CONTACT_REASONS,
    ESTATES,
    FIRST_STORE_SHARE,
    MOBILE_PREFIXES,
    OFFICES,
    PERSONAL_EVENTS,
    REGIONS,
    SOURCES,
    STORES,
    TRADES,
)
from followups.demo.contacts import Diary, make_contacts
from followups.demo.files import DemoConsent, DemoCustomer
from followups.demo.keys import MOST_CARS
from followups.demo.odds import Odds
from followups.demo.staff import GROUP_PEOPLE, DemoPerson, DemoTeam, staff_of_store, team_of
from followups.triggers.lunar import lunar_date
from vehicles.choices import Use

DAY = timedelta(days=1)
YEARS_BACK = 8
# The system went live so many days ago; older customers were entered on that day.
LIVE_DAYS = 60
MOST_NAMES = 20_000
TIME_ZONE = ZoneInfo("Asia/Shanghai")
# Of forty customers one got a car in the last five days and one in the four months before, whatever their number:
# today's calls need them.
_RECENT_EVERY, _RECENT_PLACE, _FIRST_MONTHS_PLACE = 40, 7, 23

_REGIONS = Odds([((name, code, area), share) for name, code, area, share in REGIONS])
_SOURCES = Odds(SOURCES)
_GARAGES = Odds(((1, 76), (2, 20), (3, 4)))
_FLEETS = Odds(((1, 30), (2, 35), (3, 23), (MOST_CARS, 12)))
_USES_AT_HOME = Odds(((Use.PRIVATE, 97), (Use.COMMERCIAL, 3)))
_USES_AT_WORK = Odds(((Use.COMMERCIAL, 70), (Use.OFFICIAL, 30)))
_TIERS = Odds(((Tier.VIP, 8), (Tier.QUALITY, 30), (Tier.ORDINARY, 62)))
_CHANNELS = Odds(((Channel.PHONE, 50), (Channel.WECHAT, 30), (Channel.SMS, 12), (Channel.EMAIL, 3), (Channel.VISIT, 5)))
_SLOTS = Odds(((TimeSlot.MORNING, 35), (TimeSlot.AFTERNOON, 45), (TimeSlot.EVENING, 20)))
_WISHES_FOR_REST = Odds(((DoNotContact.MARKETING, 67), (DoNotContact.ALL_BUT_SAFETY, 33)))

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _random(*parts: object) -> Random:
    """Return a source of numbers that depends on the parts alone, on every machine and in every process."""
    return Random(":".join(str(part) for part in parts))  # noqa: S311 - believable, not secret


def resident_id(region: str, born_on: date, sequence: int) -> str:
    """Return a resident ID with its check digit; the sequence is odd for men (domain §1.1, V2)."""
    body = f"{region}{born_on:%Y%m%d}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def credit_code(region: str, sequence: int) -> str:
    """Return a unified social credit code with its check sign (domain §1.1)."""
    body = f"91{region}MA{sequence:06d}X"
    total = sum(_CREDIT_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    return body + _CREDIT_SIGNS[(31 - total % 31) % 31]


@dataclass(frozen=True, slots=True)
class _Names:
    """What Faker drew once; customers pick from it."""

    men: Sequence[str]
    women: Sequence[str]
    companies: Sequence[str]
    streets: Sequence[str]


def _draw_names(seed: int, count: int) -> _Names:
    faker = Faker("zh_CN")
    faker.seed_instance(seed)
    half = min(max(count // 2, 100), MOST_NAMES // 2)
    return _Names(
        men=[faker.name_male() for _ in range(half)],
        women=[faker.name_female() for _ in range(half)],
        companies=[faker.company_prefix() for _ in range(60)],
        streets=[faker.street_name() for _ in range(150)],
    )


class DemoWorld:
    """Everything that a seed, a date and a number of customers make: the same three give the same world."""

    def __init__(self, *, seed: int, today: date, customers: int) -> None:
        self.seed, self.today, self.count = seed, today, customers
        self.live_on = today - timedelta(days=LIVE_DAYS)
        self.diary = Diary(today=today, live_on=self.live_on, zone=TIME_ZONE)
        self.names = _draw_names(seed, customers)
        self.people = self._hire()
        self.teams: Mapping[str, DemoTeam] = {
            code: team_of([person for person in self.people if person.store == code]) for code, _name, _phone in STORES
        }

    def _hire(self) -> list[DemoPerson]:
        rng = _random(self.seed, "staff")
        names = [rng.choice(rng.choice((self.names.men, self.names.women))) for _ in range(300)]
        people: list[DemoPerson] = []
        for place, (code, _name, _phone) in enumerate(STORES):
            share = FIRST_STORE_SHARE if place == 0 else 100 - FIRST_STORE_SHARE
            people += staff_of_store(
                code,
                customers=self.count * share // 100,
                today=self.today,
                names=names[place * 150 : place * 150 + 150],
            )
        people += [DemoPerson(username, name, role, "") for username, name, role in GROUP_PEOPLE]
        return people

    def customers(self) -> Iterator[DemoCustomer]:
        """Yield the customers in order of their index."""
        return map(self.customer, range(self.count))

    def customer(self, index: int) -> DemoCustomer:
        """Return the customer with that index, who does not depend on the others."""
        rng = _random(self.seed, self.today, index)
        store = STORES[0][0] if rng.randrange(100) < FIRST_STORE_SHARE else STORES[1][0]
        make = self._organisation if rng.random() < 0.06 else self._person
        customer = make(index, rng, store)
        team = self.teams[store]
        # Those who left or are away long have fewer customers of their own: most were handed over.
        customer.sales_consultant = _mostly_present(rng, team.sales_consultants)
        customer.service_adviser = rng.choice(team.service_advisers)
        customer.care_specialist = _mostly_present(rng, team.care_specialists)
        self._add_cars(customer, rng)
        first_delivery = min(car.delivery_on for car in customer.cars)
        customer.entered_on = max(first_delivery, self.live_on)
        self._rate(customer, rng)
        self._preferences(customer, rng, known_since=first_delivery)
        if customer.status == CustomerStatus.ACTIVE:
            customer.contacts = make_contacts(rng, customer, self.diary)
        return customer

    def _person(self, index: int, rng: Random, store: str) -> DemoCustomer:
        is_man = rng.random() < 0.6
        region, region_code, _area = _REGIONS.draw(rng)
        born_on = self.today - timedelta(days=rng.randint(21 * 365, 68 * 365))
        customer = DemoCustomer(
            index=index,
            store=store,
            kind=CustomerKind.PERSON,
            status=CustomerStatus.ACTIVE,
            entered_on=self.live_on,
            name=rng.choice(self.names.men if is_man else self.names.women),
            salutation=Salutation.UNKNOWN if rng.random() < 0.04 else (Salutation.MR if is_man else Salutation.MS),
            mobile=_mobile(rng),
            language="en" if rng.random() < 0.005 else "zh-hans",
        )
        if rng.random() < 0.55:
            customer.wechat = f"wx_{rng.choice('abcdefghjkmnpqrstwxyz')}{rng.randrange(10**6, 10**8)}"
        if rng.random() < 0.2:
            customer.email = f"u{rng.randrange(10**5, 10**8)}@example.com"
        if rng.random() < 0.08:
            customer.other_phone = _mobile(rng)
        if rng.random() < 0.35:
            customer.id_number = resident_id(region_code, born_on, rng.randrange(0, 499) * 2 + is_man)
        if rng.random() < 0.9:
            customer.address_region = region
            customer.address_detail = (
                f"{rng.choice(self.names.streets)}{rng.randint(1, 399)}号{rng.choice(ESTATES)}"
                f"{rng.randint(1, 32)}号楼{rng.randint(1, 4)}单元{rng.randint(101, 1802)}"
            )
        if rng.random() < 0.8:
            _set_birthday(customer, rng, born_on)
        if rng.random() < 0.004:
            customer.status = CustomerStatus.DECEASED
        return customer

    def _organisation(self, index: int, rng: Random, store: str) -> DemoCustomer:
        region, region_code, area = _REGIONS.draw(rng)
        town = region.removeprefix("山东省")[-3:-1]
        customer = DemoCustomer(
            index=index,
            store=store,
            kind=CustomerKind.ORGANISATION,
            status=CustomerStatus.ACTIVE,
            entered_on=self.live_on,
            name=f"{town}{rng.choice(self.names.companies)}{rng.choice(TRADES)}有限公司",
            salutation=Salutation.UNKNOWN,
            mobile=_mobile(rng),
            other_phone=f"{area}-{rng.randrange(2_100_000, 8_900_000)}",
            credit_code=credit_code(region_code, rng.randrange(10**6)) if rng.random() < 0.7 else "",
            address_region=region,
            address_detail=f"{rng.choice(self.names.streets)}{rng.randint(1, 599)}号",
        )
        offices = rng.sample(OFFICES, rng.choice((1, 1, 2)))
        customer.contact_persons = [
            (
                rng.choice(rng.choice((self.names.men, self.names.women))),
                office,
                _mobile(rng) if place else customer.mobile,
            )
            for place, office in enumerate(offices)
        ]
        return customer

    def _add_cars(self, customer: DemoCustomer, rng: Random) -> None:
        is_organisation = customer.kind == CustomerKind.ORGANISATION
        if is_organisation:
            count = _FLEETS.draw(rng)
        else:
            count = _GARAGES.draw(rng)
        ages = sorted((int(self._oldest_days * rng.random() ** 1.1) for _ in range(count)), reverse=True)
        place = customer.index % _RECENT_EVERY
        if place == _RECENT_PLACE:
            ages[-1] = rng.randint(0, 4)
        elif place == _FIRST_MONTHS_PLACE:
            ages[-1] = rng.randint(5, 120)
        advisers = self.teams[customer.store].service_advisers
        for number, age in enumerate(sorted(ages, reverse=True), start=customer.index * MOST_CARS):
            has_left = age > 700 and rng.random() < 0.05
            if is_organisation:
                use = _USES_AT_WORK.draw(rng)
            else:
                use = _USES_AT_HOME.draw(rng)
            customer.cars.append(
                make_car(
                    rng,
                    number,
                    use=use,
                    delivery_on=self.today - age * DAY,
                    today=self.today,
                    advisers=advisers,
                    has_left=has_left,
                )
            )

    @property
    def _oldest_days(self) -> int:
        return (self.today - add_months(self.today, -12 * YEARS_BACK)).days

    def _rate(self, customer: DemoCustomer, rng: Random) -> None:
        """Set tier and criteria as domain §2.5 has them: three times 1 to 3, VIP from 8 without a 1, quality from 5."""
        tier = _TIERS.draw(rng)
        scores: tuple[int | None, int | None, int | None]
        if tier == Tier.VIP:
            scores = rng.choice(((3, 3, 3), (3, 3, 2), (3, 2, 3), (2, 3, 3)))
        elif tier == Tier.QUALITY:
            scores = rng.choice(((2, 2, 2), (3, 2, 1), (2, 2, 1), (2, 1, 2), (2, 3, 2), (3, 2, 2), (1, 2, 2)))
        elif rng.random() < 0.6:
            scores = rng.choice(((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)))
        else:
            scores = (None, None, None)
        customer.tier = tier
        customer.communication, customer.network, customer.referral_willingness = scores

    def _preferences(self, customer: DemoCustomer, rng: Random, *, known_since: date) -> None:
        if rng.random() < 0.4:
            customer.preferred_channel = _CHANNELS.draw(rng)
        if rng.random() < 0.4:
            customer.preferred_slot = _SLOTS.draw(rng)
        customer.source = _SOURCES.draw(rng)
        if customer.source == Source.REFERRAL and customer.index:
            customer.referrer = rng.randrange(customer.index)
        if rng.random() < 0.15:
            name, is_yearly = rng.choice(PERSONAL_EVENTS)
            days = rng.randint(-2500, 0) if is_yearly else rng.randint(-120, 240)
            customer.events.append((name, self.today + days * DAY, is_yearly))
        self._consents(customer, rng, known_since=known_since)
        if rng.random() < 0.03:
            customer.do_not_contact = _WISHES_FOR_REST.draw(rng)
            customer.do_not_contact_reason = rng.choice(DO_NOT_CONTACT_REASONS)
            days = max((self.today - known_since).days, 1)
            customer.do_not_contact_on = self.today - rng.randint(1, min(days, 900)) * DAY

    def _consents(self, customer: DemoCustomer, rng: Random, *, known_since: date) -> None:
        """Ask for consent at the first delivery; a few withdraw a channel later."""
        if rng.random() > 0.72:
            return
        at = datetime.combine(known_since, time(rng.randint(9, 17), rng.randrange(60)), TIME_ZONE)
        channels = (Channel.PHONE, Channel.SMS, Channel.WECHAT)[: rng.randint(1, 3)]
        for channel in channels:
            customer.consents.append(
                DemoConsent(ConsentPurpose.MARKETING, channel, True, at, "交车时书面签署", customer.sales_consultant)
            )
        days = (self.today - known_since).days
        if rng.random() < 0.04 and days > 2:
            channel = rng.choice(channels)
            withdrawn_at = at + timedelta(days=rng.randint(1, days - 1))
            customer.consents.append(
                DemoConsent(
                    ConsentPurpose.MARKETING, channel, False, withdrawn_at, "电话中提出", customer.care_specialist
                )
            )
            customer.refused_channels = [channel]


def _mostly_present(rng: Random, usernames: Sequence[str]) -> str:
    if len(usernames) > 1 and rng.random() < 0.97:
        return rng.choice(usernames[:-1])
    return usernames[-1]


def _mobile(rng: Random) -> str:
    return f"{rng.choice(MOBILE_PREFIXES)}{rng.randrange(10**8):08d}"


def _set_birthday(customer: DemoCustomer, rng: Random, born_on: date) -> None:
    if rng.random() < 0.15:
        month, customer.birthday_day = lunar_date(born_on)
        customer.birthday_calendar = BirthdayCalendar.LUNAR
        customer.birthday_year, customer.birthday_month = month.year, month.number
        customer.is_birthday_leap_month = month.is_leap
        return
    is_year_known = rng.random() < 0.85
    customer.birthday_year = born_on.year if is_year_known else None
    customer.birthday_month, customer.birthday_day = born_on.month, born_on.day
    if is_year_known and rng.random() < 0.003:
        leap_year = born_on.year - born_on.year % 4
        if calendar.isleap(leap_year):
            customer.birthday_year, customer.birthday_month, customer.birthday_day = leap_year, 2, 29
