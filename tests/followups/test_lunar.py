"""The lunar calendars against the printed one.

The dates written here are those of the Gregorian-Lunar Calendar Conversion Tables of the Hong Kong Observatory
(hko.gov.hk/en/gts/time/conversion.htm); none of them was taken from a library. lunar-python serves the planner, borax
the coverage check; lunardate belongs to the tests alone.
"""

from datetime import date, timedelta

import pytest
from borax.calendars.lunardate import LCalendars, TermUtils
from borax.calendars.lunardate import LunarDate as BoraxDate
from lunar_python import Lunar, LunarYear, Solar
from lunardate import LunarDate

NEW_YEAR = {
    1990: (1, 27), 1991: (2, 15), 1992: (2, 4), 1993: (1, 23), 1994: (2, 10), 1995: (1, 31), 1996: (2, 19),
    1997: (2, 7), 1998: (1, 28), 1999: (2, 16), 2000: (2, 5), 2001: (1, 24), 2002: (2, 12), 2003: (2, 1),
    2004: (1, 22), 2005: (2, 9), 2006: (1, 29), 2007: (2, 18), 2008: (2, 7), 2009: (1, 26), 2010: (2, 14),
    2011: (2, 3), 2012: (1, 23), 2013: (2, 10), 2014: (1, 31), 2015: (2, 19), 2016: (2, 8), 2017: (1, 28),
    2018: (2, 16), 2019: (2, 5), 2020: (1, 25), 2021: (2, 12), 2022: (2, 1), 2023: (1, 22), 2024: (2, 10),
    2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26), 2029: (2, 13), 2030: (2, 3), 2031: (1, 23),
    2032: (2, 11), 2033: (1, 31), 2034: (2, 19), 2035: (2, 8),
}  # fmt: skip
LEAP_MONTH = {
    1990: 5, 1993: 3, 1995: 8, 1998: 5, 2001: 4, 2004: 2, 2006: 7, 2009: 5, 2012: 4, 2014: 9, 2017: 6, 2020: 4,
    2023: 2, 2025: 6, 2028: 5, 2031: 3, 2033: 11,
}  # fmt: skip
DRAGON_BOAT = {
    2010: (6, 16), 2011: (6, 6), 2012: (6, 23), 2013: (6, 12), 2014: (6, 2), 2015: (6, 20), 2016: (6, 9),
    2017: (5, 30), 2018: (6, 18), 2019: (6, 7), 2020: (6, 25), 2021: (6, 14), 2022: (6, 3), 2023: (6, 22),
    2024: (6, 10), 2025: (5, 31), 2026: (6, 19), 2027: (6, 9), 2028: (5, 28), 2029: (6, 16), 2030: (6, 5),
}  # fmt: skip
MID_AUTUMN = {
    2010: (9, 22), 2011: (9, 12), 2012: (9, 30), 2013: (9, 19), 2014: (9, 8), 2015: (9, 27), 2016: (9, 15),
    2017: (10, 4), 2018: (9, 24), 2019: (9, 13), 2020: (10, 1), 2021: (9, 21), 2022: (9, 10), 2023: (9, 29),
    2024: (9, 17), 2025: (10, 6), 2026: (9, 25), 2027: (9, 15), 2028: (10, 3), 2029: (9, 22), 2030: (9, 12),
}  # fmt: skip
QINGMING = {
    2019: (4, 5), 2020: (4, 4), 2021: (4, 4), 2022: (4, 5), 2023: (4, 5), 2024: (4, 4), 2025: (4, 4), 2026: (4, 5),
}  # fmt: skip
# First days of the lunar months of 2025, a year with a leap sixth month (table of 2025, Yi-si).
MONTHS_OF_2025 = {
    (1, False): date(2025, 1, 29),
    (2, False): date(2025, 2, 28),
    (3, False): date(2025, 3, 29),
    (4, False): date(2025, 4, 28),
    (5, False): date(2025, 5, 27),
    (6, False): date(2025, 6, 25),
    (6, True): date(2025, 7, 25),
    (7, False): date(2025, 8, 23),
    (8, False): date(2025, 9, 22),
    (9, False): date(2025, 10, 21),
    (10, False): date(2025, 11, 20),
    (11, False): date(2025, 12, 20),
    (12, False): date(2026, 1, 19),
}


def by_lunar_python(year: int, month: int, day: int, is_leap: bool = False) -> date:
    solar = Lunar.fromYmd(year, -month if is_leap else month, day).getSolar()
    return date(solar.getYear(), solar.getMonth(), solar.getDay())


def by_borax(year: int, month: int, day: int, is_leap: bool = False) -> date:
    return BoraxDate(year, month, day, int(is_leap)).to_solar_date()


def by_lunardate(year: int, month: int, day: int, is_leap: bool = False) -> date:
    return LunarDate(year, month, day, is_leap).to_solar_date()


LIBRARIES = pytest.mark.parametrize("solar_day", [by_lunar_python, by_borax, by_lunardate])


def days(table: dict[int, tuple[int, int]]) -> dict[int, date]:
    return {year: date(year, month, day) for year, (month, day) in table.items()}


@LIBRARIES
@pytest.mark.parametrize(
    ("month", "day", "printed"),
    [(1, 1, NEW_YEAR), (5, 5, DRAGON_BOAT), (8, 15, MID_AUTUMN)],
    ids=["new year", "dragon boat", "mid-autumn"],
)
def test_festivals_fall_on_the_printed_days(solar_day, month, day, printed):
    assert {year: solar_day(year, month, day) for year in printed} == days(printed)


@LIBRARIES
def test_the_months_of_2025_begin_on_the_printed_days(solar_day):
    assert {(month, leap): solar_day(2025, month, 1, leap) for month, leap in MONTHS_OF_2025} == MONTHS_OF_2025


def test_leap_months_are_the_printed_ones():
    years = range(1990, 2036)
    assert {year: leap for year in years if (leap := LunarYear.fromYear(year).getLeapMonth())} == LEAP_MONTH
    assert {year: leap for year in years if (leap := LCalendars.leap_month(year))} == LEAP_MONTH
    assert {year: leap for year in years if (leap := LunarDate.leap_month_for_year(year))} == LEAP_MONTH


@LIBRARIES
def test_the_years_2025_to_2029_begin_after_a_29th_and_2024_after_a_30th(solar_day):
    for year in range(2025, 2030):
        assert solar_day(year - 1, 12, 29) == solar_day(year, 1, 1) - timedelta(days=1)
    assert solar_day(2023, 12, 30) == date(2024, 2, 9)


def test_qingming_falls_on_the_printed_days():
    assert {year: TermUtils.nth_term_day(year, term_name="清明") for year in QINGMING} == days(QINGMING)
    by_planner = {}
    for year in QINGMING:
        solar = Lunar.fromYmd(year, 6, 1).getJieQiTable()["清明"]
        by_planner[year] = date(solar.getYear(), solar.getMonth(), solar.getDay())
    assert by_planner == days(QINGMING)


def months_by_lunar_python(year: int) -> list[tuple[int, bool, date, int]]:
    """The months of a lunar year: number, leap, first day, days."""
    found = []
    for month in LunarYear.fromYear(year).getMonthsInYear():
        first = Solar.fromJulianDay(month.getFirstJulianDay())
        first_day = date(first.getYear(), first.getMonth(), first.getDay())
        found.append((abs(month.getMonth()), month.isLeap(), first_day, month.getDayCount()))
    return found


def months_by_borax(year: int) -> list[tuple[int, bool, date, int]]:
    return [
        (month, bool(leap), by_borax(year, month, 1, bool(leap)), length)
        for month, length, leap in LCalendars.iter_year_month(year)
    ]


def test_every_day_from_1950_to_2049_is_the_same_in_both_calendars():
    """Months that begin on the same day, have the same name and length and leave no gap have the same days."""
    for year in range(1949, 2050):
        assert months_by_lunar_python(year) == months_by_borax(year)
        *_, (_, _, first, length) = months_by_borax(year)
        assert first + timedelta(days=length) == by_borax(year + 1, 1, 1)


def test_the_third_calendar_differs_in_two_months_where_the_printed_one_is_against_it():
    """lunardate begins two months a day off.

    Printed: the eleventh month of 1954 began on 25 November, and Mid-Autumn 1978 was on 17 September.
    """
    odd_ones = []
    day = date(1950, 1, 1)
    while day.year < 2050:
        check, third = BoraxDate.from_solar(day), LunarDate.from_solar_date(day.year, day.month, day.day)
        if (third.year, third.month, third.day, third.is_leap_month) != (
            check.year,
            check.month,
            check.day,
            bool(check.leap),
        ):
            odd_ones.append(day)
        day += timedelta(days=1)
    first, second = odd_ones[:30], odd_ones[30:]
    assert (len(first), first[0], first[-1]) == (30, date(1954, 11, 25), date(1954, 12, 24))
    assert (len(second), second[0], second[-1]) == (30, date(1978, 9, 2), date(1978, 10, 1))
    assert by_lunar_python(1954, 11, 1) == by_borax(1954, 11, 1) == date(1954, 11, 25)
    assert by_lunar_python(1978, 8, 15) == by_borax(1978, 8, 15) == date(1978, 9, 17)
