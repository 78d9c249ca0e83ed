"""Reads of the bottom layer."""

from datetime import date

from core.models import CalendarDay
from core.rules import WorkCalendar


def work_calendar(first: date, last: date) -> WorkCalendar:
    """Return the working days between two dates, with the exceptions stored for them (see ``fill_calendar``)."""
    days = CalendarDay.objects.filter(day__range=(first, last)).order_by("day")
    return WorkCalendar(dict(days.values_list("day", "is_working")))
