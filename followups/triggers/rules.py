"""Which anchors and offsets lead to a nominal date: pure date rules of the care plan (domain §3.2)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.rules import add_months, anchors_of, days_between


@dataclass(frozen=True, slots=True)
class Offsets:
    """The offsets of a rule, in days or months from the anchor; the last one repeats every ``repeat_every``."""

    values: Sequence[int]
    in_months: bool = False
    repeat_every: int | None = None

    def up_to(self, limit: int) -> Iterator[int]:
        """Yield the offsets up to a limit in their unit, in ascending order without repeats."""
        listed = sorted(set(self.values))
        yield from (value for value in listed if value <= limit)
        if self.repeat_every and listed:
            value = listed[-1] + self.repeat_every
            while value <= limit:
                yield value
                value += self.repeat_every


@dataclass(frozen=True, slots=True)
class Nominal:
    """A nominal date and the candidates it belongs to: those whose key equals ``key``."""

    key: date | int
    step: int
    anchor_on: date
    nominal_on: date


def nominal_date(anchor: date, offset: int, *, in_months: bool) -> date:
    """Return the nominal date of one offset, always counted from the original anchor."""
    return add_months(anchor, offset) if in_months else anchor + timedelta(days=offset)


def nominals_of_offsets(offsets: Offsets, first: date, last: date, *, oldest: date) -> Iterator[Nominal]:
    """Yield every (anchor, offset) whose nominal date lies between two days: the inverse of ``nominal_date``.

    ``oldest`` is the earliest anchor there is; it bounds rules that repeat for ever.
    """
    if oldest > last and all(value >= 0 for value in offsets.values):
        return
    span = (last - oldest).days
    limit = span // 28 + 1 if offsets.in_months else span
    steps = list(offsets.up_to(max(limit, *offsets.values) if not offsets.repeat_every and offsets.values else limit))
    for nominal in days_between(first, last):
        for step in steps:
            if offsets.in_months:
                anchors: Iterable[date] = anchors_of(nominal, step)
            else:
                anchors = (nominal - timedelta(days=step),)
            for anchor in anchors:
                if anchor >= oldest:
                    yield Nominal(anchor, step, anchor, nominal)


def nominals_of_month_ends(first: date, last: date) -> Iterator[Nominal]:
    """Yield for every month's last day the days of the month after it: the due list of the coming month (PS0)."""
    for nominal in days_between(first, last):
        next_day = nominal + timedelta(days=1)
        if next_day.day == 1:
            for due in days_between(next_day, add_months(next_day, 1) - timedelta(days=1)):
                yield Nominal(due, 0, due, nominal)


def is_leap_year(year: int) -> bool:
    """Tell whether a year of the Gregorian calendar has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def solar_days_celebrated(day: date) -> Iterator[tuple[int, int]]:
    """Yield the (month, day) celebrated on a day: 29 Feb falls on 28 Feb in common years (domain §3.2 BD)."""
    yield day.month, day.day
    if (day.month, day.day) == (2, 28) and not is_leap_year(day.year):
        yield 2, 29


SOLAR, LUNAR, LUNAR_LEAP = 0, 10_000, 20_000


def birthday_key(month: int, day: int, calendar: int = SOLAR) -> int:
    """Return the number by which a birthday is found; the same as ``Customer.birthday_key`` in the database."""
    return calendar + month * 100 + day
