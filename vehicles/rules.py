"""Rules about cars: numbers, plates, odometers, service, warranty, inspection (domain §1.2, §2.1, §3.5, §11.3).

Nothing here knows today's date or the database. Kilometres are whole numbers, rates are kilometres per day.
"""

import calendar
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from core.rules import add_months
from vehicles.choices import AgeBand, Energy, OdometerFlag, PlateKind, ServiceKind, Use

# --- VIN (domain §1.2, V3) -------------------------------------------------------------------------------------

VIN_SHAPE = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES = {str(digit): digit for digit in range(10)} | dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)


def normalise_vin(text: str) -> str:
    """Return a VIN in capitals without spaces, hyphens and full-width characters; its shape is not checked."""
    return re.sub(r"[\s\-_]", "", unicodedata.normalize("NFKC", text)).upper()


def is_vin(text: str) -> bool:
    """Tell whether a normalised text has the shape of a VIN: 17 characters, none of them I, O or Q."""
    return VIN_SHAPE.fullmatch(text) is not None


def vin_check_digit(vin: str) -> str:
    """Return the check digit (GB 16735) that belongs at the 9th place of a VIN of the right shape."""
    remainder = sum(_VIN_VALUES[char] * weight for char, weight in zip(vin, _VIN_WEIGHTS, strict=True)) % 11
    return "X" if remainder == 10 else str(remainder)


def has_right_check_digit(vin: str) -> bool:
    """Tell whether the 9th character is the check digit. A mismatch is a warning only: European VINs carry none."""
    return vin[8] == vin_check_digit(vin)


# --- Plates (domain §1.2, V4) ----------------------------------------------------------------------------------

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_ORDINARY_PLATE = re.compile(rf"[{PROVINCES}][A-Z][A-HJ-NP-Z0-9]{{5}}")
_NEV_SMALL_PLATE = re.compile(rf"[{PROVINCES}][A-Z][A-HJK][A-HJ-NP-Z0-9]\d{{4}}")
_NEV_LARGE_PLATE = re.compile(rf"[{PROVINCES}][A-Z]\d{{5}}[A-HJK]")
_SPECIAL_PLATE = re.compile(rf"[{PROVINCES}][A-Z]?[A-HJ-NP-Z0-9]{{4,5}}[挂学警港澳领使试超应急]{{1,2}}|[使领]\d{{6}}")
_NO_PLATE = re.compile(r"(?:(?:暂|尚)?未上牌|(?:暂)?无(?:牌|车牌)?|新车|NONE|N/A|NO|/)?")
_TEMPORARY_WORD = re.compile(r"临(?:时)?(?:行驶)?(?:车)?(?:号)?(?:牌)?(?:照)?")


class PlateProblem(StrEnum):
    """Why a text is no plate."""

    PROVINCE = "province"
    LENGTH = "length"
    CHARACTERS = "characters"


@dataclass(frozen=True)
class Plate:
    """A plate in capitals without separators, and its kind as far as the number tells.

    A yellow plate looks like a blue one: its kind comes from elsewhere. ``number`` is empty for a car that has no plate
    yet, or a temporary one without a number.
    """

    number: str
    kind: PlateKind


def read_plate(text: str) -> Plate | PlateProblem:
    """Return the plate that a text means, or why it is none. Separators, spaces and small letters do not matter."""
    number = re.sub(r"[\s·•・.\-–—_]", "", unicodedata.normalize("NFKC", text)).upper()
    if _NO_PLATE.fullmatch(number):
        return Plate("", PlateKind.NONE)
    if "临" in number:
        without_word = _TEMPORARY_WORD.sub("", number)
        return Plate(number[:12] if without_word else "", PlateKind.TEMPORARY)
    if _NEV_SMALL_PLATE.fullmatch(number):
        return Plate(number, PlateKind.NEV_SMALL)
    if _NEV_LARGE_PLATE.fullmatch(number):
        return Plate(number, PlateKind.NEV_LARGE)
    if _ORDINARY_PLATE.fullmatch(number):
        return Plate(number, PlateKind.BLUE)
    if _SPECIAL_PLATE.fullmatch(number):
        return Plate(number, PlateKind.OTHER)
    if number[0] not in PROVINCES:
        return PlateProblem.PROVINCE
    return PlateProblem.CHARACTERS if len(number) in (7, 8) else PlateProblem.LENGTH


# Third character of a small, last character of a large new-energy plate (V4).
_BATTERY_LETTERS = "DABCE"


def energy_of_plate(plate: Plate) -> Energy | None:
    """Return what a new-energy plate says of the drive: battery electric, or other (a plug-in hybrid); else None."""
    if plate.kind not in (PlateKind.NEV_SMALL, PlateKind.NEV_LARGE):
        return None
    letter = plate.number[2] if plate.kind == PlateKind.NEV_SMALL else plate.number[-1]
    return Energy.BEV if letter in _BATTERY_LETTERS else Energy.PHEV


# --- Odometer log (domain §1.2) --------------------------------------------------------------------------------

LEAP_KM_PER_DAY = 1000
# No car goes further; a larger number is not a mileage.
MAX_KM = 3_000_000
KM_PER_MILE = Decimal("1.609344")
# How many readings back a consistent predecessor is looked for; it bounds the work on logs of many thousand lines.
_LOOK_BACK = 200


@dataclass(frozen=True)
class Reading:
    """One line of an odometer log."""

    on: date
    km: int
    is_new_odometer: bool = False


def flag_readings(readings: Sequence[Reading]) -> list[OdometerFlag]:
    """Return for each reading, ordered by date and km, whether it is used or why it is left out (domain §1.2).

    Used is the longest series that never falls and never rises by more than 1,000 km a day (a step within one day
    counts as a day): one odd reading, high or low, first or last, does not spoil the readings around it. Where two
    readings contradict each other and nothing else decides, the earlier one is believed. A replaced odometer starts a
    new series.
    """
    flags: list[OdometerFlag] = []
    for series in _series_of(readings):
        flags += _flags_of_series(series)
    return flags


def _series_of(readings: Sequence[Reading]) -> Iterator[Sequence[Reading]]:
    start = 0
    for index, reading in enumerate(readings):
        if reading.is_new_odometer and index > start:
            yield readings[start:index]
            start = index
    if len(readings) > start:
        yield readings[start:]


def _follows(earlier: Reading, later: Reading) -> bool:
    driven = later.km - earlier.km
    return 0 <= driven <= LEAP_KM_PER_DAY * max((later.on - earlier.on).days, 1)


def _flags_of_series(series: Sequence[Reading]) -> list[OdometerFlag]:
    if all(_follows(a, b) for a, b in itertools.pairwise(series)):
        return [OdometerFlag.OK] * len(series)
    lengths = [1] * len(series)
    before: list[int | None] = [None] * len(series)
    for index, reading in enumerate(series):
        for candidate in range(max(index - _LOOK_BACK, 0), index):
            if lengths[candidate] + 1 > lengths[index] and _follows(series[candidate], reading):
                lengths[index], before[index] = lengths[candidate] + 1, candidate
    used = set()
    last: int | None = lengths.index(max(lengths))
    while last is not None:
        used.add(last)
        last = before[last]
    flags = []
    reached = 0
    for index, reading in enumerate(series):
        if index in used:
            reached = reading.km
            flags.append(OdometerFlag.OK)
        else:
            flags.append(OdometerFlag.FALLING if reading.km < reached else OdometerFlag.LEAPING)
    return flags


# --- Daily kilometres and next service (domain §3.5) -----------------------------------------------------------

DEFAULT_DAILY_KM = Decimal(40)
MIN_DAILY_KM = Decimal(5)
MAX_DAILY_KM = Decimal(400)
RATE_DAYS = 30


def daily_km(used: Sequence[Reading], *, delivery_on: date | None) -> Decimal | None:
    """Return the kilometres a day of a car, to one decimal, between 5 and 400; None when nothing was measured.

    ``used`` are the readings without a flag, in order. The rate runs from the latest reading back to the nearest one at
    least 30 days before it; without such a pair, back to the delivery of the new car at 0 km. After a replaced
    odometer the rate of the old one holds until the new one has 30 days.
    """
    for series in reversed(list(_series_of(used))):
        last = series[-1]
        for earlier in reversed(series):
            days = (last.on - earlier.on).days
            if days >= RATE_DAYS:
                return _clamped(last.km - earlier.km, days)
    if used and delivery_on and not any(reading.is_new_odometer for reading in used):
        days = (used[-1].on - delivery_on).days
        if days > 0:
            return _clamped(used[-1].km, days)
    return None


def _clamped(km: int, days: int) -> Decimal:
    rate = (Decimal(km) / days).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    return min(max(rate, MIN_DAILY_KM), MAX_DAILY_KM)


@dataclass(frozen=True)
class ServiceTerms:
    """When a model comes to the workshop, by months or kilometres, whichever is first (domain §3.2 FS, §3.5)."""

    first_months: int = 3
    first_km: int = 5000
    interval_months: int = 6
    interval_km: int = 10000


DEFAULT_TERMS = ServiceTerms()
BATTERY_TERMS = ServiceTerms(interval_months=12, interval_km=20000)


def default_terms(energy: str) -> ServiceTerms:
    """Return the service terms of a car whose model has no plan of its own."""
    return BATTERY_TERMS if energy == Energy.BEV else DEFAULT_TERMS


@dataclass(frozen=True)
class ServiceForecast:
    """The next service: which, when, at how many kilometres (None: not known), in the cycle begun when."""

    kind: ServiceKind
    due_on: date
    due_km: int | None
    from_on: date


def forecast_service(
    *,
    use: str,
    terms: ServiceTerms,
    delivery_on: date | None,
    first_service_done_on: date | None = None,
    last_service_on: date | None = None,
    last_service_km: int | None = None,
    used: Sequence[Reading] = (),
    rate: Decimal | None = None,
) -> ServiceForecast | None:
    """Return the next service of a car, or None when neither its delivery nor a service is known (domain §3.5).

    The first service is due ``first_months`` after delivery or at ``first_km``; a later one ``interval_months`` or
    ``interval_km`` after the last, whichever is first; commercial cars go by kilometres only. The day on which a
    mileage is reached is counted from the latest used reading with ``rate`` kilometres a day (None: 40), never before
    the cycle began. Before any reading the car stands at 0 km on its delivery, or at the kilometres of its last
    service.
    """
    done_on = max((day for day in (last_service_on, first_service_done_on) if day), default=None)
    if done_on is None and delivery_on is None:
        return None
    rate = rate or DEFAULT_DAILY_KM
    km_at_start: int | None
    if done_on is None:
        assert delivery_on is not None  # noqa: S101 - told to the type checker; checked above
        kind, from_on, km_at_start = ServiceKind.FIRST, delivery_on, 0
        months, km = terms.first_months, terms.first_km
    else:
        kind, from_on = ServiceKind.PERIODIC, done_on
        months, km = terms.interval_months, terms.interval_km
        km_at_start = last_service_km if done_on == last_service_on else None
    due_km = None if km_at_start is None else km_at_start + km
    last = used[-1] if used else None
    replaced_since = any(reading.is_new_odometer and reading.on > from_on for reading in used)
    if due_km is None or last is None or replaced_since or last.on < from_on:
        km_on = from_on + timedelta(days=int(km / rate))
    else:
        km_on = max(last.on + timedelta(days=int((due_km - last.km) // rate)), from_on)
    due_on = km_on if use == Use.COMMERCIAL else min(add_months(from_on, months), km_on)
    return ServiceForecast(kind=kind, due_on=due_on, due_km=None if replaced_since else due_km, from_on=from_on)


# --- Warranty and three guarantees (domain §2.1, §11.3) --------------------------------------------------------

WARRANTY_NOTICE_DAYS = 90
WARRANTY_NOTICE_KM_SHARE = Decimal("0.9")
FORECAST_DAYS = 36_500


@dataclass(frozen=True)
class WarrantyTerms:
    """The maker's warranty and the legal three-guarantees period inside it."""

    months: int = 36
    km: int = 60000
    three_guarantees_months: int = 24
    three_guarantees_km: int = 50000


DEFAULT_WARRANTY = WarrantyTerms()


@dataclass(frozen=True)
class WarrantyDates:
    """``ends_on`` is the limit by months alone; ``runs_out_on`` when months or forecast kilometres end the warranty.

    ``notice_on``: when its nearing end is to be spoken about. The three guarantees are for household cars only.
    """

    from_on: date
    ends_on: date
    km: int
    notice_on: date
    runs_out_on: date
    three_guarantees_end_on: date | None
    three_guarantees_run_out_on: date | None


def warranty_dates(
    *,
    terms: WarrantyTerms,
    use: str,
    purchase_on: date | None,
    delivery_on: date | None,
    used: Sequence[Reading] = (),
    rate: Decimal | None = None,
) -> WarrantyDates | None:
    """Return the warranty dates of a car, or None when neither delivery nor invoice date is known.

    Warranty runs from the delivery date, else from the invoice (domain §11.3, V1). It and the three guarantees run out
    after their months or at their kilometres, whichever is first (domain §2.1): the day on which a mileage is reached
    is counted from the latest used reading with ``rate`` kilometres a day (None: 40), never before the beginning. The
    end is near 90 days before the months are over, or on the day on which the forecast reaches 90 % of the kilometres
    (domain §3.2 WE1), whichever is first. Whether a car *is* within its kilometres is no forecast: see ``age_band``.
    """
    from_on = delivery_on or purchase_on
    if from_on is None:
        return None
    last = used[-1] if used else Reading(from_on, 0)

    def first_of(by_months: date, km: int) -> date:
        days = int((km - last.km) // (rate or DEFAULT_DAILY_KM))
        # "Unlimited" kilometres are entered as very many; a calendar has an end.
        by_km = last.on + timedelta(days=max(-FORECAST_DAYS, min(days, FORECAST_DAYS)))
        return max(min(by_months, by_km), from_on)

    ends_on = add_months(from_on, terms.months)
    is_household = use == Use.PRIVATE
    guarantees_end_on = add_months(from_on, terms.three_guarantees_months) if is_household else None
    return WarrantyDates(
        from_on=from_on,
        ends_on=ends_on,
        km=terms.km,
        notice_on=first_of(ends_on - timedelta(days=WARRANTY_NOTICE_DAYS), int(terms.km * WARRANTY_NOTICE_KM_SHARE)),
        runs_out_on=first_of(ends_on, terms.km),
        three_guarantees_end_on=guarantees_end_on,
        three_guarantees_run_out_on=guarantees_end_on and first_of(guarantees_end_on, terms.three_guarantees_km),
    )


MID_AGE_MONTHS = 60


def age_band(
    *, on: date, from_on: date | None, warranty_ends_on: date | None, warranty_km: int | None, km: int | None
) -> AgeBand | None:
    """Return the age band of a car on a day (domain §2.1), or None when its age is not known.

    In warranty means within the months and within the kilometres; an unknown mileage counts as within.
    """
    if from_on is None or warranty_ends_on is None:
        return None
    is_within_km = km is None or warranty_km is None or km <= warranty_km
    if on <= warranty_ends_on and is_within_km:
        return AgeBand.IN_WARRANTY
    return AgeBand.MID_AGE if on <= add_months(from_on, MID_AGE_MONTHS) else AgeBand.OUT


# --- Inspection (domain §11.3, V30, V31) -----------------------------------------------------------------------


def inspection_steps(*, use: str, seats: int, is_minivan: bool) -> Iterator[int]:
    """Yield the ages in months at which a car has to have been inspected, without end (domain §11.3).

    Private and official cars up to 9 seats that are no minivans: years 2, 4, 6, 8, 10, then every year. Minivans: every
    2 years to year 6, every year to year 15, then every half-year. 10 seats and more: every year to year 10, then
    every half-year. Commercial cars: every year to year 5, then every half-year.
    """
    stages: tuple[tuple[int, int | None], ...]
    if use == Use.COMMERCIAL:
        stages = ((12, 60), (6, None))
    elif seats > 9:
        stages = ((12, 120), (6, None))
    elif is_minivan:
        stages = ((24, 72), (12, 180), (6, None))
    else:
        stages = ((24, 120), (12, None))
    age = 0
    for step, until in stages:
        while until is None or age < until:
            age += step
            yield age


def estimate_inspection(*, registered_on: date, on: date, use: str, seats: int = 5, is_minivan: bool = False) -> date:
    """Return the end of the inspection that is valid on a day: the last day of a month. A confirmed date is better."""
    for months in inspection_steps(use=use, seats=seats, is_minivan=is_minivan):
        due = add_months(registered_on, months)
        month_end = due.replace(day=calendar.monthrange(due.year, due.month)[1])
        if month_end >= on:
            return month_end
    raise AssertionError("the steps never end")


# What was promised for an inspection must have had its window before the next one takes its place.
LAPSED_FOR = timedelta(days=30)
# An inspection is done within the three months before its end (domain §11.3): two ends that are nearer are of the same.
_SAME_INSPECTION_MONTHS = 3


def has_lapsed(valid_until: date, *, on: date) -> bool:
    """Tell whether an inspection has been over for so long that what was promised for it is over as well."""
    return valid_until < on - LAPSED_FOR


def inspection_after(
    confirmed: date, *, registered_on: date | None, on: date, use: str, seats: int = 5, is_minivan: bool = False
) -> date | None:
    """Return the estimated end of the inspection that follows a confirmed one, or None while the confirmed one counts.

    It counts until it has lapsed, and as long as the cycle means the same inspection by an end of its own: a confirmed
    date wins for its inspection, also when the registration says that it is a month later. Where nothing says how old
    the car is, it is taken for new on the confirmed date: that keeps the month, and errs on the late side.
    """
    if not has_lapsed(confirmed, on=on):
        return None
    estimate = estimate_inspection(
        registered_on=registered_on or confirmed, on=on, use=use, seats=seats, is_minivan=is_minivan
    )
    return None if estimate < add_months(confirmed, _SAME_INSPECTION_MONTHS) else estimate
