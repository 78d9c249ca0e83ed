"""The Chinese calendar: lunar birthdays and festivals, by the `lunar-python` library."""

from collections.abc import Iterator
from datetime import date

from lunar_python import Lunar, LunarMonth, LunarYear, Solar

from core.rules import days_between
from followups.triggers.rules import (
    LUNAR,
    LUNAR_LEAP,
    Nominal,
    birthday_key,
    solar_days_celebrated,
)


def lunar_date(day: date) -> tuple[int, int, int, bool]:
    """Return (lunar year, month, day, is leap month) of a day."""
    lunar: Lunar = Solar.fromYmd(day.year, day.month, day.day).getLunar()
    month = lunar.getMonth()
    return lunar.getYear(), abs(month), lunar.getDay(), month < 0


def month_length(year: int, month: int, *, is_leap: bool) -> int:
    """Return 29 or 30, the days of a lunar month. Raises ``ValueError`` where the year has no such month."""
    found = LunarMonth.fromYm(year, -month if is_leap else month)
    if found is None:
        raise ValueError(f"lunar year {year} has no {'leap ' if is_leap else ''}month {month}")
    return int(found.getDayCount())


def leap_month(year: int) -> int:
    """Return the number of the leap month of a lunar year, or 0."""
    return int(LunarYear.fromYear(year).getLeapMonth())


def lunar_days_celebrated(day: date) -> Iterator[tuple[int, int, bool]]:
    """Yield the (month, day, is leap birthday) celebrated on a day, by the lunar calendar of that year.

    The 30th is celebrated on the last day of a short month. A birthday in a leap month is celebrated in the leap month
    where the year has that one, else in the ordinary month; an ordinary birthday never in a leap month.
    """
    year, month, lunar_day, is_leap = lunar_date(day)
    days = [lunar_day]
    if lunar_day == 29 and month_length(year, month, is_leap=is_leap) == 29:
        days.append(30)
    for number in days:
        if is_leap:
            yield month, number, True
        else:
            yield month, number, False
            if leap_month(year) != month:
                yield month, number, True


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


def festival_on(day: date, festival: str) -> bool:
    """Tell whether a festival falls on a day. Raises ``KeyError`` for a festival that is not known."""
    if festival in FIXED_FESTIVALS:
        return (day.month, day.day) == FIXED_FESTIVALS[festival]
    if festival == "qingming":
        term = Solar.fromYmd(day.year, day.month, day.day).getLunar().getJieQi()
        return bool(term == "清明")
    _year, month, lunar_day, is_leap = lunar_date(day)
    return not is_leap and (month, lunar_day) == LUNAR_FESTIVALS[festival]
