"""Writes of the calendar: edits by hand survive the library."""

from datetime import date

import pytest

from core.actions import DayNotInCalendar, fill_calendar, library_days, remove_calendar_day, set_calendar_day
from core.models import CalendarDay
from core.queries import work_calendar

pytestmark = pytest.mark.django_db

NATIONAL_DAY = date(2026, 10, 1)  # a Thursday
MAKE_UP = date(2026, 10, 10)  # a Saturday worked instead
ORDINARY = date(2026, 11, 24)  # a Tuesday


def test_the_library_knows_holidays_and_make_up_days_of_2026():
    days = library_days([2026])
    assert days[NATIONAL_DAY].is_working is False
    assert days[MAKE_UP].is_working is True
    assert {day.year for day in days} == {2026}


def test_filling_a_year_that_is_there_changes_nothing():
    assert fill_calendar([2026]) == 0


def test_filling_brings_back_what_was_lost_and_takes_out_what_the_library_dropped():
    CalendarDay.objects.filter(day=NATIONAL_DAY).delete()
    CalendarDay.objects.create(day=ORDINARY, is_working=False, name="dropped")
    CalendarDay.objects.filter(day=MAKE_UP).update(is_working=False)
    assert fill_calendar([2026]) == 3
    assert not CalendarDay.objects.filter(day=ORDINARY).exists()
    assert CalendarDay.objects.get(day=MAKE_UP).is_working


def test_filling_leaves_what_somebody_edited(admin_user):
    set_calendar_day(day=NATIONAL_DAY, is_working=True, name="加班", by=admin_user)
    set_calendar_day(day=ORDINARY, is_working=False, name="店庆", by=admin_user)
    assert fill_calendar([2026]) == 0
    assert CalendarDay.objects.get(day=NATIONAL_DAY).is_working
    assert not work_calendar(ORDINARY, ORDINARY).is_working(ORDINARY)


def test_a_day_of_the_library_stays_removed(admin_user):
    remove_calendar_day(day=NATIONAL_DAY, by=admin_user)
    assert fill_calendar([2026]) == 0
    assert work_calendar(NATIONAL_DAY, NATIONAL_DAY).is_working(NATIONAL_DAY)


def test_a_removed_make_up_day_is_a_weekend_again(admin_user):
    remove_calendar_day(day=MAKE_UP, by=admin_user)
    assert not work_calendar(MAKE_UP, MAKE_UP).is_working(MAKE_UP)


def test_a_day_of_ones_own_is_removed_for_good(admin_user):
    set_calendar_day(day=ORDINARY, is_working=False, name="店庆", by=admin_user)
    assert remove_calendar_day(day=ORDINARY, by=admin_user) is None
    assert not CalendarDay.objects.filter(day=ORDINARY).exists()


def test_an_ordinary_day_cannot_be_removed(admin_user):
    with pytest.raises(DayNotInCalendar):
        remove_calendar_day(day=ORDINARY, by=admin_user)


def test_the_history_names_who_edited_a_day(admin_user):
    row = set_calendar_day(day=ORDINARY, is_working=False, name="店庆", by=admin_user)
    event = CalendarDay.pgh_event_model.objects.select_related("pgh_context").get(pgh_obj_id=row.pk)
    assert (event.pgh_label, event.pgh_context.metadata["user"]) == ("insert", admin_user.pk)
