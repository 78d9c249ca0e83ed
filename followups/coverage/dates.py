"""The dates of the care plan, by a second way.

Everything here is written without a look at the planner's arithmetic: months by dateutil, the lunar calendar and
Qingming by borax (tables after the Hong Kong Observatory) where the planner uses lunar-python, working days by own
steps through the stored calendar. Two ways that agree are worth more than one that is tested against itself.
"""

import calendar
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from borax.calendars.lunardate import LCalendars, LunarDate, TermUtils
from dateutil.relativedelta import relativedelta

from core.models import CalendarDay

# What the tables of borax hold for certain in both calendars.
FIRST_YEAR, LAST_YEAR = 1902, 2099

_ONE_DAY = timedelta(days=1)
_SOLAR_FESTIVALS = {"new_year": (1, 1), "women": (3, 8), "labour": (5, 1), "national": (10, 1)}
_LUNAR_FESTIVALS = {
    "spring": (1, 1),
    "lantern": (1, 15),
    "dragon_boat": (5, 5),
    "qixi": (7, 7),
    "mid_autumn": (8, 15),
    "double_ninth": (9, 9),
}


def months_after(anchor: date, months: int) -> date:
    """Return the same day of the month so many months later; a day that this month lacks becomes its last one."""
    return anchor + relativedelta(months=months)


def yearly(month: int, day: int, first: date, last: date) -> Iterator[date]:
    """Yield the days of a yearly date in a period; 29 February is 28 February in common years.

    A date that no year has (31 April) yields nothing: nobody can keep such a promise.
    """
    for year in range(first.year, last.year + 1):
        if month == 2 and day == 29 and not calendar.isleap(year):
            on = date(year, 2, 28)
        elif 1 <= day <= calendar.monthrange(year, month)[1]:
            on = date(year, month, day)
        else:
            continue
        if first <= on <= last:
            yield on


def lunar_day(year: int, month: int, day: int, *, in_leap_month: bool = False) -> date:
    """Return the day of a lunar year's month; the 30th of a short month is its last day.

    ``in_leap_month`` means the leap month of that name where the year has it, else the ordinary month.
    """
    leap = int(in_leap_month and LCalendars.leap_month(year) == month)
    return LunarDate(year, month, min(day, LCalendars.ndays(year, month, leap)), leap).to_solar_date()


def lunar_yearly(month: int, day: int, first: date, last: date, *, in_leap_month: bool = False) -> Iterator[date]:
    """Yield the days of a yearly lunar date in a period (a lunar year ends in the next calendar year)."""
    for year in range(first.year - 1, last.year + 1):
        on = lunar_day(year, month, day, in_leap_month=in_leap_month)
        if first <= on <= last:
            yield on


def festival_days(code: str, first: date, last: date) -> Iterator[date]:
    """Yield the days of a festival (domain §3.2 FE) in a period. Raises ``KeyError`` for an unknown code."""
    if code in _SOLAR_FESTIVALS:
        yield from yearly(*_SOLAR_FESTIVALS[code], first, last)
    elif code == "qingming":
        for year in range(first.year, last.year + 1):
            on = TermUtils.nth_term_day(year, term_name="清明")
            if first <= on <= last:
                yield on
    else:
        yield from lunar_yearly(*_LUNAR_FESTIVALS[code], first, last)


class WorkingDays:
    """Monday to Friday, but for the days that the calendar says otherwise of (domain §3.6, 6)."""

    def __init__(self, exceptions: Mapping[date, bool]) -> None:
        self._exceptions = exceptions

    @classmethod
    def stored(cls) -> "WorkingDays":
        """The calendar as it is stored, all years."""
        return cls({day.day: day.is_working for day in CalendarDay.objects.order_by("day")})

    def is_working(self, day: date) -> bool:
        return self._exceptions.get(day, day.isoweekday() <= 5)

    def shifted(self, nominal: date, shift: str, anchor: date) -> date:
        """Return the due date: a rest day moves ``later`` or ``earlier``, but never back to the anchor or before it."""
        if shift == "stay":
            return nominal
        step = _ONE_DAY if shift == "later" else -_ONE_DAY
        day = nominal
        while not self.is_working(day):
            day += step
            if shift == "earlier" and day <= anchor:
                return nominal
        return day
