"""The Chinese calendar: lunar birthdays and festivals, by the `lunar-python` library."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from lunar_python import LunarYear, Solar

from core.rules import days_between
from followups.triggers.rules import (
    LUNAR,
    LUNAR_LEAP,
    Nominal,
    birthday_key,
    solar_days_celebrated,
)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the lunar calendar: its first day and how many days it has (29 or 30)."""

    year: int
    number: int
    is_leap: bool
    first_on: date
    days: int


@lru_cache(maxsize=64)
def months_of(year: int) -> tuple[Month, ...]:
    """Return the twelve or thirteen months of a lunar year, in order."""
    found = []
    for month in LunarYear.fromYear(year).getMonths():
        if month.getYear() == year:
            solar = Solar.fromJulianDay(month.getFirstJulianDay())
            first_on = date(solar.getYear(), solar.getMonth(), solar.getDay())
            number = month.getMonth()
            found.append(Month(year, abs(number), number < 0, first_on, month.getDayCount()))
    return tuple(found)


@lru_cache(maxsize=64)
def leap_month(year: int) -> int:
    """Return the number of the leap month of a lunar year, or 0."""
    return next((month.number for month in months_of(year) if month.is_leap), 0)


def lunar_date(day: date) -> tuple[Month, int]:
    """Return the lunar month and the day in it of a day."""
    year = day.year if day >= months_of(day.year)[0].first_on else day.year - 1
    months = months_of(year)
    month = months[bisect_right(months, day, key=lambda each: each.first_on) - 1]
    return month, (day - month.first_on).days + 1


def lunar_days_celebrated(day: date) -> Iterator[tuple[int, int, bool]]:
    """Yield the (month, day, is leap birthday) celebrated on a day, by the lunar calendar of that year.

    The 30th is celebrated on the last day of a short month. A birthday in a leap month is celebrated in the leap month
    where the year has that one, else in the ordinary month; an ordinary birthday never in a leap month.
    """
    month, lunar_day = lunar_date(day)
    for number in (29, 30) if lunar_day == month.days == 29 else (lunar_day,):
        yield month.number, number, month.is_leap
        if not month.is_leap and leap_month(month.year) != month.number:
            yield month.number, number, True


def nominals_of_birthdays(first: date, last: date) -> Iterator[Nominal]:
    """Yield the birthdays celebrated between two dates, in both calendars."""
    for nominal in days_between(first, last):
        for month, day in solar_days_celebrated(nominal):
            yield Nominal(birthday_key(month, day), 0, nominal, nominal)
        for month, day, is_leap in lunar_days_celebrated(nominal):
            yield Nominal(birthday_key(month, day, LUNAR_LEAP if is_leap else LUNAR), 0, nominal, nominal)


FIXED_FESTIVALS = {"new_year": (1, 1), "women": (3, 8), "labour": (5, 1), "national": (10, 1)}
LUNAR_FESTIVALS = {
    "spring": (1, 1),
    "lantern": (1, 15),
    "dragon_boat": (5, 5),
    "qixi": (7, 7),
    "mid_autumn": (8, 15),
    "double_ninth": (9, 9),
}
# The step of a festival's touch point: a number that never changes, so that a festival is found again.
FESTIVAL_STEPS = {
    "new_year": 1,
    "spring": 2,
    "lantern": 3,
    "women": 4,
    "qingming": 5,
    "labour": 6,
    "dragon_boat": 7,
    "qixi": 8,
    "mid_autumn": 9,
    "national": 10,
    "double_ninth": 11,
}


@lru_cache(maxsize=64)
def qingming(year: int) -> date:
    """Return the day of the solar term 清明 in a year."""
    solar = Solar.fromYmd(year, 4, 1).getLunar().getJieQiTable()["清明"]
    return date(solar.getYear(), solar.getMonth(), solar.getDay())


def festival_on(day: date, festival: str) -> bool:
    """Tell whether a festival falls on a day. Raises ``KeyError`` for a festival that is not known."""
    if festival in FIXED_FESTIVALS:
        return (day.month, day.day) == FIXED_FESTIVALS[festival]
    if festival == "qingming":
        return day == qingming(day.year)
    month, lunar_day = lunar_date(day)
    return not month.is_leap and (month.number, lunar_day) == LUNAR_FESTIVALS[festival]
