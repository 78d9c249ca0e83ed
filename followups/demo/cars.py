"""A made-up car and what happened to it: services kept or missed, repairs, mileage, insurance, inspection."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random

from core.rules import add_months
from followups.demo.catalogue import (
    BODY_COLOURS,
    INSURERS,
    INTERIOR_COLOURS,
    JOB_SUMMARIES,
    SERIES,
    SUGGESTIONS,
    DemoSeries,
)
from followups.demo.files import DemoCar, DemoOrder, DemoPolicy, DemoReading, DemoSuggestion
from followups.demo.odds import Odds
from service.choices import JobType, SuggestionStatus
from vehicles.choices import (
    Energy,
    InspectionSource,
    OdometerSource,
    PlateKind,
    PolicyKind,
    Use,
    VehicleStatus,
)
from vehicles.rules import estimate_inspection, vin_check_digit

DAY = timedelta(days=1)
# 2010 is A; the letters I, O, Q, U, Z and the digit 0 are not used (GB 16735).
_VIN_YEARS = "ABCDEFGHJKLMNPRSTVWXY123456789"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_PLATE_SIGNS = _LETTERS + "0123456789"
# A prime that shares no factor with the sizes below: consecutive numbers are scattered, none meets another.
_SCATTER = 7919
_SERIALS = 1_000_000
_PLATES = len(_PLATE_SIGNS) ** 2 * 1_000
_NEV_PLATES = len(_PLATE_SIGNS) * 10_000
_WITH_PLUG = (Energy.BEV, Energy.PHEV, Energy.EREV)
# Of the plates that a town cannot give any more.
_FAR_TOWNS = ("鲁B", "鲁F", "鲁G", "鲁H", "鲁V")
_PLATE_TOWNS = ("鲁M",) * 22 + ("鲁E", "鲁C", "鲁A")
_ENDS = Odds(
    (
        (VehicleStatus.TRANSFERRED, 70),
        (VehicleStatus.SCRAPPED, 10),
        (VehicleStatus.MOVED_AWAY, 15),
        (VehicleStatus.OUT_OF_TOUCH, 5),
    )
)
_REPAIRS = Odds(
    (
        (JobType.GENERAL_REPAIR, 46),
        (JobType.ACCIDENT_REPAIR, 18),
        (JobType.WARRANTY_CLAIM, 14),
        (JobType.ACCESSORIES, 14),
        (JobType.RECALL, 5),
        (JobType.COMEBACK, 3),
    )
)
_FRESH_SUGGESTIONS = Odds(((SuggestionStatus.OPEN, 85), (SuggestionStatus.DONE, 10), (SuggestionStatus.DROPPED, 5)))
_OLD_SUGGESTIONS = Odds(((SuggestionStatus.OPEN, 8), (SuggestionStatus.DONE, 62), (SuggestionStatus.DROPPED, 30)))
_RENEWED_HERE, _RENEWED_ELSEWHERE = 0.66, 0.8


def make_vin(number: int, *, wmi: str, vds: str, year: int) -> str:
    """Return the VIN of the car with that number, check digit included; different numbers give different VINs."""
    year_sign = _VIN_YEARS[(year - 2010) % len(_VIN_YEARS)]
    plant_sign = _LETTERS[number // _SERIALS % 8]
    draft = f"{wmi}{vds}0{year_sign}{plant_sign}{number * _SCATTER % _SERIALS:06d}"
    return f"{draft[:8]}{vin_check_digit(draft)}{draft[9:]}"


def make_plate(number: int, *, energy: Energy, town: str) -> tuple[str, PlateKind]:
    """Return the plate and its kind; different numbers give different plates whatever the town (domain §1.2).

    Numbers beyond what one town can give get another one. Raises ``IndexError`` when all are used up.
    """
    has_plug = energy in _WITH_PLUG
    far = number // (3 * _NEV_PLATES if has_plug else _PLATES)
    if far:
        town = _FAR_TOWNS[far - 1]
    if has_plug:
        scattered = number * _SCATTER % _NEV_PLATES
        letter = ("DAB" if energy == Energy.BEV else "FGH")[number // _NEV_PLATES % 3]
        sign, digits = divmod(scattered, 10_000)
        return f"{town}{letter}{_PLATE_SIGNS[sign]}{digits:04d}", PlateKind.NEV_SMALL
    rest, digits = divmod(number * _SCATTER % _PLATES, 1_000)
    first, second = divmod(rest, len(_PLATE_SIGNS))
    return f"{town}{_PLATE_SIGNS[first]}{_PLATE_SIGNS[second]}{digits:03d}", PlateKind.BLUE


@dataclass(slots=True)
class _Odometer:
    """The mileage of one car as time goes by: now a bit more, now a bit less than its rate."""

    rng: Random
    rate: float
    on: date
    km: float

    def at(self, day: date) -> int:
        """Return the mileage on a day not before the last one asked for."""
        self.km += self.rate * self.rng.uniform(0.8, 1.2) * (day - self.on).days
        self.on = day
        return int(self.km)


def make_car(
    rng: Random, number: int, *, use: Use, delivery_on: date, today: date, advisers: Sequence[str], has_left: bool
) -> DemoCar:
    """Invent a car delivered on a day, with its history up to ``today``.

    ``has_left``: it was sold, scrapped or moved away some time ago, and its history ends there.
    """
    series = _sold(use, delivery_on.year).draw(rng)
    model_year = delivery_on.year + (delivery_on.month >= 9 and rng.random() < 0.5)
    vin = make_vin(number, wmi=series.wmi, vds=series.vds, year=model_year)
    registered_on: date | None = delivery_on + rng.randint(1, 12) * DAY
    plate, plate_kind = "", PlateKind.NONE
    if registered_on and registered_on <= today:
        plate, plate_kind = make_plate(number, energy=series.energy, town=rng.choice(_PLATE_TOWNS))
    else:
        registered_on = None
    car = DemoCar(
        series=series,
        trim=rng.choice(series.trims),
        model_year=model_year,
        vin=vin,
        plate=plate,
        plate_kind=plate_kind,
        engine_no=f"{series.engine}{rng.randrange(10**6, 10**7)}"[:20],
        gearbox_no="" if series.energy == Energy.BEV else f"6T{rng.randrange(10**7, 10**8)}",
        battery_code=f"001PE{series.vds[:3]}{rng.randrange(10**15, 10**16)}" if series.energy in _WITH_PLUG else "",
        use=use,
        status=VehicleStatus.IN_USE,
        body_colour=rng.choice(BODY_COLOURS),
        interior_colour=rng.choice(INTERIOR_COLOURS),
        purchase_on=delivery_on - rng.choice((0, 0, 1, 2, 3, 5, 7)) * DAY,
        delivery_on=delivery_on,
        registered_on=registered_on,
        inspection_valid_until=None,
        inspection_source="",
    )
    until = today
    if has_left:
        car.left_on = until = delivery_on + rng.randint(200, max((today - delivery_on).days, 201)) * DAY
        car.left_on = until = min(until, today - 3 * DAY)
        car.status = _ENDS.draw(rng)
    _live(rng, car, until=until, today=today, advisers=advisers)
    _insure(rng, car, until=until, today=today)
    _inspect(rng, car, today=today)
    return car


@cache
def _sold(use: Use, year: int) -> Odds[DemoSeries]:
    """Return the series that were sold for a use in a year."""
    return Odds(
        [(series, series.weight) for series in SERIES if use in series.uses and series.since <= year <= series.until]
    )


def _daily_rate(rng: Random, use: Use) -> float:
    if use == Use.COMMERCIAL:
        return rng.uniform(70, 220)
    middle = 36 if use == Use.PRIVATE else 58
    return min(max(rng.lognormvariate(math.log(middle), 0.42), 7), 120)


def _live(rng: Random, car: DemoCar, *, until: date, today: date, advisers: Sequence[str]) -> None:
    """Let the car come to the workshop by its plan, until its owner stays away or ``until``."""
    plan = car.series.plan
    odometer = _Odometer(rng, _daily_rate(rng, Use(car.use)), car.delivery_on, rng.uniform(4, 60))
    own_adviser = rng.choice(advisers)

    def visit(job: JobType, arrived_on: date) -> date:
        """Add a visit and return the day after it."""
        days = _days_in_workshop(rng, job)
        handed_over_on: date | None = arrived_on + days * DAY
        if handed_over_on and (handed_over_on > today or (arrived_on == today and rng.random() < 0.4)):
            handed_over_on = None
        order = DemoOrder(
            job_type=job,
            summary=rng.choice(JOB_SUMMARIES[job]),
            arrived_on=arrived_on,
            handed_over_on=handed_over_on,
            km=odometer.at(arrived_on),
            amount=_amount(rng, job),
            adviser=own_adviser if rng.random() < 0.75 else rng.choice(advisers),
        )
        order.suggestion = _suggest(rng, order, today=today)
        car.orders.append(order)
        car.readings.append(DemoReading(arrived_on, order.km, OdometerSource.WORK_ORDER))
        return (handed_over_on or today) + DAY

    if rng.random() < 0.3:
        _inspect_new(car, adviser=own_adviser)
    car.readings.append(DemoReading(car.delivery_on, int(odometer.km), OdometerSource.DELIVERY))

    from_on, free_on = car.delivery_on, car.delivery_on + DAY
    months, km = plan.first_months, plan.first_km
    job = JobType.FIRST_SERVICE
    while True:
        due_on = from_on + math.ceil(km / odometer.rate) * DAY
        if car.use != Use.COMMERCIAL:
            due_on = min(due_on, add_months(from_on, months))
        come_on = max(due_on + int(rng.triangular(-12, 38, 2)) * DAY, free_on)
        if rng.random() < 0.2:
            free_on = _visit_between(rng, visit, first=free_on, last=min(come_on, until + DAY) - DAY)
            come_on = max(come_on, free_on)
        if come_on > until:
            break
        if rng.random() < _chance_to_stay_away(car, come_on):
            # Silent from here; a few come back after a long while.
            if job == JobType.FIRST_SERVICE and rng.random() < 0.5:
                car.first_service_done_on, job = come_on, JobType.PERIODIC_SERVICE
            come_on += rng.randint(240, 500) * DAY
            if rng.random() < 0.85 or come_on > until:
                break
        free_on = visit(job, come_on)
        if job == JobType.FIRST_SERVICE:
            car.first_service_done_on = car.orders[-1].handed_over_on
        job, from_on = JobType.PERIODIC_SERVICE, come_on
        months, km = plan.interval_months, plan.interval_km
    _log_by_customer(rng, car, odometer, until=until)


def _chance_to_stay_away(car: DemoCar, day: date) -> float:
    """Return how likely an owner stops coming: least in the warranty, more with every age band (domain §2.1)."""
    if not car.orders:
        return 0.12
    age = (day - car.delivery_on).days
    if age < 3 * 365:
        return 0.09
    return 0.2 if age < 5 * 365 else 0.28


def _visit_between(rng: Random, visit: Callable[[JobType, date], date], *, first: date, last: date) -> date:
    """Let something break, or a wish come up, between two services; return the first free day afterwards."""
    span = (last - first).days
    if span < 5:
        return first
    job = _REPAIRS.draw(rng)
    return visit(job, first + rng.randint(1, span) * DAY)


def _inspect_new(car: DemoCar, *, adviser: str) -> None:
    on = car.delivery_on - DAY
    car.orders.append(
        DemoOrder(JobType.INTERNAL, JOB_SUMMARIES[JobType.INTERNAL][0], on, on, km=3, amount=0, adviser=adviser)
    )


def _days_in_workshop(rng: Random, job: JobType) -> int:
    if job == JobType.ACCIDENT_REPAIR:
        return rng.randint(2, 12)
    if job in (JobType.GENERAL_REPAIR, JobType.WARRANTY_CLAIM, JobType.COMEBACK):
        return rng.choice((0, 0, 0, 1, 1, 2, 4))
    return 0


def _amount(rng: Random, job: JobType) -> int:
    """Return what the customer paid, in yuan: nothing where the maker pays."""
    low, high = {
        JobType.PERIODIC_SERVICE: (28, 95),
        JobType.GENERAL_REPAIR: (12, 320),
        JobType.ACCIDENT_REPAIR: (90, 1600),
        JobType.ACCESSORIES: (18, 420),
    }.get(job, (0, 0))
    return rng.randint(low, high) * 10


def _suggest(rng: Random, order: DemoOrder, *, today: date) -> DemoSuggestion | None:
    on = order.handed_over_on
    if on is None or order.job_type in (JobType.INTERNAL, JobType.RECALL) or rng.random() > 0.15:
        return None
    is_fresh = (today - on).days < 75
    status = (_FRESH_SUGGESTIONS if is_fresh else _OLD_SUGGESTIONS).draw(rng)
    return DemoSuggestion(rng.choice(SUGGESTIONS), on, status)


def _log_by_customer(rng: Random, car: DemoCar, odometer: _Odometer, *, until: date) -> None:
    """Add what owners told on the phone, and what goes wrong with odometers: slips of the pen and new instruments."""
    if rng.random() < 0.12 and (until - odometer.on).days > 20:
        day = odometer.on + rng.randint(10, (until - odometer.on).days) * DAY
        car.readings.append(DemoReading(day, odometer.at(day), OdometerSource.CUSTOMER, "电话告知"))
    if len(car.readings) < 4:
        return
    luck = rng.random()
    place = rng.randrange(1, len(car.readings) - 1)
    before, after = car.readings[place], car.readings[place + 1]
    if luck < 0.008 and (after.on - before.on).days > 8:
        on = before.on + rng.randint(2, (after.on - before.on).days - 2) * DAY
        car.readings.insert(place + 1, DemoReading(on, before.km // 10, OdometerSource.CUSTOMER, "电话告知，少报一位"))
    elif luck < 0.016 and (after.on - before.on).days > 8:
        on = before.on + rng.randint(2, (after.on - before.on).days - 2) * DAY
        car.readings.insert(
            place + 1, DemoReading(on, before.km + 900_000, OdometerSource.CUSTOMER, "电话告知，多报一位")
        )
    elif luck < 0.019:
        _replace_odometer(car, place=place + 1)


def _replace_odometer(car: DemoCar, *, place: int) -> None:
    """Let the instrument be replaced at a reading: it and all later ones count from zero."""
    taken = car.readings[place].km
    on = car.readings[place].on
    car.readings[place].is_new_odometer = True
    car.readings[place].note = f"换表，旧表 {taken} 公里"
    for reading in car.readings[place:]:
        reading.km -= taken
    for order in car.orders:
        if order.arrived_on >= on and order.job_type != JobType.INTERNAL:
            order.km -= taken


def _insure(rng: Random, car: DemoCar, *, until: date, today: date) -> None:
    """Insure the car year by year until nobody knows where it went; policies of the last two years are kept."""
    kinds = [PolicyKind.COMPULSORY] + [PolicyKind.COMMERCIAL] * (rng.random() < 0.85)
    insurer = rng.choice(INSURERS)
    starts_on, is_bought_here = car.delivery_on, rng.random() < 0.85
    while True:
        ends_on = add_months(starts_on, 12) - DAY
        if ends_on >= today - timedelta(days=400):
            for kind in kinds:
                premium = 950 if kind == PolicyKind.COMPULSORY else rng.randint(18, 62) * 100
                number = f"P{kind[:4].upper()}{rng.randrange(10**11, 10**12)}"
                car.policies.append(DemoPolicy(kind, insurer, number, starts_on, ends_on, premium, is_bought_here))
        luck = rng.random()
        starts_on = ends_on + DAY
        # Most renewals are agreed in the weeks before the end, some only on the last day; see who is late today.
        days_ahead = rng.choice((0, 0, 3, 8, 15, 25, 33))
        if luck > _RENEWED_ELSEWHERE or starts_on - days_ahead * DAY > until:
            return
        is_bought_here = luck < _RENEWED_HERE
        if not is_bought_here:
            insurer = rng.choice(INSURERS)


def _inspect(rng: Random, car: DemoCar, *, today: date) -> None:
    """Give some cars a confirmed inspection; of a few it ran out a short while ago. The others go by the estimate."""
    if car.registered_on is None or rng.random() > 0.28:
        return
    seen_on = today - timedelta(days=rng.randint(1, 90) if rng.random() < 0.14 else 0)
    car.inspection_valid_until = estimate_inspection(
        registered_on=car.registered_on,
        on=max(seen_on, car.registered_on),
        use=car.use,
        seats=car.series.seats,
        is_minivan=car.series.is_minivan,
    )
    car.inspection_source = rng.choice((InspectionSource.LICENCE, InspectionSource.LICENCE, InspectionSource.AUTHORITY))
