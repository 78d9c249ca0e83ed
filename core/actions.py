"""Writes of the bottom layer."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import holidays
import pghistory
from django.contrib.auth.base_user import AbstractBaseUser

from core.models import CalendarDay


def acting(by: AbstractBaseUser | None, **words: Any) -> AbstractContextManager:
    """Name who is behind the changes made inside the block, for the history that triggers write; None is the system."""
    return pghistory.context(**({"user": by.pk} if by else {}), **words)


def fill_calendar(years: Iterable[int]) -> int:
    """Store the public holidays and make-up days of the given years, as far as they are known; return how many are new.

    Source: the `holidays` library (State Council notices). For a year whose notice is not in the library yet it gives
    the holidays of the law (domain §11.3, V32) without make-up days; an administrator enters the notice when it comes.
    Days that somebody edited stay as they are.
    """
    rows = []
    for year in sorted(set(years)):
        china = holidays.country_holidays("CN", years=year, language="zh_CN")
        rows += [
            CalendarDay(day=day, is_working=False, name=name[:80])
            for day, name in sorted(china.items())
            if day.year == year
        ]
        rows += [
            CalendarDay(day=day, is_working=True, name="调休上班")
            for day in sorted(china.weekend_workdays)
            if day.year == year
        ]
    before = CalendarDay.objects.count()
    CalendarDay.objects.bulk_create(rows, ignore_conflicts=True)
    return CalendarDay.objects.count() - before
