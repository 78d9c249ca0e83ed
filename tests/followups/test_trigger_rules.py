"""The inverse of the care plan's dates: checked against counting forward."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rules import WorkCalendar, days_between
from followups.choices import Shift
from followups.planner.rules import Horizon, Window, due_date, hits
from followups.triggers.lunar import festival_on, leap_month, lunar_date, lunar_days_celebrated
from followups.triggers.rules import (
    Nominal,
    Offsets,
    nominal_date,
    nominals_of_month_ends,
    nominals_of_offsets,
    solar_days_celebrated,
)

DATES = st.dates(min_value=date(2012, 1, 1), max_value=date(2032, 12, 31))
NEAR = st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 12, 31))
LOYALTY = Offsets((39,), in_months=True, repeat_every=3)
ROUTINE = Offsets((3, 6, 9, 15, 18, 21, 27, 30, 33), in_months=True)
VIP = Offsets((14,), repeat_every=14)
FIRST_SERVICE = Offsets((-14,))


@settings(max_examples=60, deadline=None)
@given(anchor=DATES, first=DATES, offsets=st.sampled_from([LOYALTY, ROUTINE, VIP, FIRST_SERVICE]))
def test_the_inverse_finds_just_the_dates_that_counting_forward_gives(anchor, first, offsets):
    last = first + timedelta(days=40)
    limit = 12 * 22 if offsets.in_months else 366 * 22
    forward = {
        (step, nominal_date(anchor, step, in_months=offsets.in_months))
        for step in offsets.up_to(limit)
        if first <= nominal_date(anchor, step, in_months=offsets.in_months) <= last
    }
    inverse = {
        (found.step, found.nominal_on)
        for found in nominals_of_offsets(offsets, first, last, oldest=min(anchor, date(2012, 1, 1)))
        if found.anchor_on == anchor
    }
    assert inverse == forward


def test_the_due_list_of_a_month_is_made_on_the_last_day_of_the_month_before():
    found = list(nominals_of_month_ends(date(2027, 1, 20), date(2027, 2, 10)))
    assert {nominal.nominal_on for nominal in found} == {date(2027, 1, 31)}
    assert [found[0].key, found[-1].key, len(found)] == [date(2027, 2, 1), date(2027, 2, 28), 28]


def test_a_birthday_on_29_february_is_celebrated_on_the_28th_in_common_years():
    assert list(solar_days_celebrated(date(2027, 2, 28))) == [(2, 28), (2, 29)]
    assert list(solar_days_celebrated(date(2028, 2, 28))) == [(2, 28)]
    assert list(solar_days_celebrated(date(2028, 2, 29))) == [(2, 29)]


def test_a_lunar_birthday_on_the_30th_falls_on_the_last_day_of_a_short_month():
    # The 12th month of the year of the snake (2025) has 29 days; its last day is 16 February 2026.
    assert list(lunar_days_celebrated(date(2026, 2, 16)))[:3] == [(12, 29, False), (12, 29, True), (12, 30, False)]


def test_a_birthday_in_a_leap_month_is_celebrated_in_it_where_the_year_has_it():
    # 2025 has a leap sixth month: 25 July to 22 August.
    assert leap_month(2025) == 6
    assert list(lunar_days_celebrated(date(2025, 7, 25))) == [(6, 1, True)]
    assert list(lunar_days_celebrated(date(2025, 6, 25))) == [(6, 1, False)]


def test_a_birthday_in_a_leap_month_is_celebrated_in_the_ordinary_month_of_other_years():
    # The sixth month of 2026 begins on 14 July.
    assert list(lunar_days_celebrated(date(2026, 7, 14))) == [(6, 1, False), (6, 1, True)]


@settings(max_examples=40, deadline=None)
@given(
    year=st.integers(min_value=2015, max_value=2040),
    month=st.integers(1, 12),
    day=st.integers(1, 30),
    leap=st.booleans(),
)
def test_every_lunar_birthday_is_celebrated_once_in_a_lunar_year(year, month, day, leap):
    celebrated = [
        found
        for found in days_between(date(year, 1, 20), date(year + 1, 3, 1))
        if lunar_date(found)[0].year == year and (month, day, leap) in set(lunar_days_celebrated(found))
    ]
    assert len(celebrated) == 1


@pytest.mark.parametrize(
    ("day", "festival"),
    [
        (date(2026, 2, 17), "spring"),
        (date(2026, 3, 3), "lantern"),
        (date(2026, 4, 5), "qingming"),
        (date(2026, 6, 19), "dragon_boat"),
        (date(2026, 8, 19), "qixi"),
        (date(2026, 9, 25), "mid_autumn"),
        (date(2026, 10, 18), "double_ninth"),
        (date(2026, 10, 1), "national"),
        (date(2027, 2, 6), "spring"),
    ],
)
def test_festivals_fall_on_their_days(day, festival):
    assert festival_on(day, festival)
    assert not festival_on(day + timedelta(days=1), festival)


FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 11, 20) + timedelta(days=n) for n in range(4))


def test_a_due_date_on_a_rest_day_moves_to_the_next_working_day():
    due = due_date(SATURDAY, anchor=date(2026, 5, 21), shift=Shift.LATER, calendar=WorkCalendar())
    assert due == MONDAY


def test_a_deadline_on_a_rest_day_moves_to_the_working_day_before():
    due = due_date(SUNDAY, anchor=date(2026, 11, 19), shift=Shift.EARLIER, calendar=WorkCalendar())
    assert due == FRIDAY


def test_a_24_hour_call_never_comes_before_the_day_after_the_delivery():
    due = due_date(SUNDAY, anchor=SATURDAY, shift=Shift.EARLIER, calendar=WorkCalendar())
    assert due == SUNDAY


def test_festivals_and_birthdays_stay_on_the_day():
    assert due_date(SATURDAY, anchor=SATURDAY, shift=Shift.STAY, calendar=WorkCalendar()) == SATURDAY


@settings(max_examples=80, deadline=None)
@given(
    opens=st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 12, 1)),
    shift=st.sampled_from(Shift.values),
    early=st.integers(0, 10),
    late=st.integers(0, 10),
)
def test_the_range_of_nominal_dates_leaves_out_no_window_that_opens_in_it(opens, shift, early, late):
    calendar = WorkCalendar({date(2026, 10, day): False for day in range(1, 8)} | {date(2026, 10, 10): True})
    window = Window(early, late, shift)
    horizon = Horizon(opens_from=opens, opens_until=opens, closes_from=opens)
    first, last = horizon.nominal_range(window, calendar)
    wide = days_between(opens - timedelta(days=40), opens + timedelta(days=60))
    nominals = [Nominal(day, 0, date(2020, 1, 1), day) for day in wide]
    opened = [hit.nominal_on for hit in hits(nominals, window, calendar) if horizon.includes(hit)]
    assert all(first <= nominal <= last for nominal in opened)


@settings(max_examples=60, deadline=None)
@given(
    opens_from=st.one_of(st.just(date.min), NEAR),
    until=NEAR,
    closes_from=NEAR,
    days=st.integers(1, 200),
)
def test_the_slices_of_a_long_catching_up_include_each_of_its_windows_once(opens_from, until, closes_from, days):
    whole = Horizon(opens_from=opens_from, opens_until=until, closes_from=closes_from)
    around = days_between(min(until, closes_from) - timedelta(days=40), max(until, closes_from) + timedelta(days=40))
    window = Window(early_days=7, late_days=7, shift=Shift.STAY)
    every = list(hits((Nominal(day, 0, day, day) for day in around), window, WorkCalendar({})))
    parts = list(whole.slices(days=days))
    assert [sum(part.includes(hit) for part in parts) for hit in every] == [whole.includes(hit) for hit in every]
