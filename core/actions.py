"""Writes of the bottom layer."""

import random
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import date
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import holidays
import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from psycopg2.errors import DeadlockDetected

from core.models import CalendarDay
from core.rules import SATURDAY

QueryT = TypeVar("QueryT", bound=QuerySet)
P = ParamSpec("P")
R = TypeVar("R")
# A second deadlock in a row is rare, a third one means something else.
ATTEMPTS = 3
# Seconds between two attempts: the one who won wakes up in them. Who begins anew at once can take the row back from
# under a winner that is still asleep, and both stand where they stood.
BREATH = (0.05, 0.25)


def acting(by: AbstractBaseUser | None, **words: Any) -> AbstractContextManager:
    """Name who is behind the changes made inside the block, for the history that triggers write; None is the system."""
    return pghistory.context(**({"user": by.pk} if by else {}), **words)


def locked(rows: QueryT) -> QueryT:
    """Return rows so that reading them locks them until the transaction ends, in the order of ADR 0011: by id.

    Who only refers to a locked row, by a foreign key, does not wait for it.
    """
    return rows.select_for_update(of=("self",), no_key=True).order_by("pk")


def atomic_again(action: Callable[P, R]) -> Callable[P, R]:
    """Run an action in a transaction, and once more if the database ended it for a deadlock, up to three times.

    For what writes touch points: the night writes those of thousands of customers in the order in which it finds them,
    which no order of locks can foresee (ADR 0011). Inside another transaction the error is passed on; the outermost one
    must begin anew. The action must not have done anything outside of the database before it ends. Between two attempts
    it waits for a quarter of a second at most (``BREATH``).
    """

    @wraps(action)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        for _attempt in range(ATTEMPTS - 1):
            try:
                with transaction.atomic():
                    return action(*args, **kwargs)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected) or connection.in_atomic_block:
                    raise
            time.sleep(random.uniform(*BREATH))  # noqa: S311 - chance, not secrecy
        with transaction.atomic():
            return action(*args, **kwargs)

    return again


class DayNotInCalendar(Exception):
    """The day is not one of the calendar's exceptions, so there is nothing to remove."""


def library_days(years: Iterable[int]) -> dict[date, CalendarDay]:
    """Return the public holidays and make-up days that the `holidays` library knows for the years, unsaved.

    For a year whose State Council notice is not in the library yet it gives the holidays of the law (domain §11.3,
    V32) without make-up days.
    """
    days: dict[date, CalendarDay] = {}
    for year in sorted(set(years)):
        china = holidays.country_holidays("CN", years=year, language="zh_CN")
        days |= {
            day: CalendarDay(day=day, is_working=False, name=name[:80])
            for day, name in sorted(china.items())
            if day.year == year
        }
        days |= {
            day: CalendarDay(day=day, is_working=True, name="调休上班")
            for day in sorted(china.weekend_workdays)
            if day.year == year
        }
    return days


@transaction.atomic
def fill_calendar(years: Iterable[int], *, by: AbstractBaseUser | None = None) -> int:
    """Bring the calendar of the given years up to the library (``library_days``); return how many days changed.

    Days that somebody edited stay as they are. Days of an older edition of the library that the present one no longer
    lists go out: a notice replaces what the law alone had suggested.
    """
    wanted_years = sorted(set(years))
    library = library_days(wanted_years)
    stored = {row.day: row for row in locked(CalendarDay.objects.filter(day__year__in=wanted_years))}
    outdated = [row.pk for day, row in stored.items() if not row.is_edited and day not in library]
    changed = []
    for day, row in stored.items():
        fresh = library.get(day)
        if fresh and not row.is_edited and (row.is_working, row.name) != (fresh.is_working, fresh.name):
            row.is_working, row.name = fresh.is_working, fresh.name
            changed.append(row)
    added = [row for day, row in library.items() if day not in stored]
    with acting(by):
        CalendarDay.objects.filter(pk__in=outdated).delete()
        CalendarDay.objects.bulk_update(changed, ["is_working", "name"])
        CalendarDay.objects.bulk_create(added, ignore_conflicts=True)
    return len(outdated) + len(changed) + len(added)


@transaction.atomic
def set_calendar_day(*, day: date, is_working: bool, name: str, by: AbstractBaseUser) -> CalendarDay:
    """Say that ``day`` is worked or not, whatever the library thinks; ``by`` is the user who says so."""
    with acting(by):
        row, _ = CalendarDay.objects.update_or_create(
            day=day, defaults={"is_working": is_working, "name": name, "is_edited": True}
        )
    return row


@transaction.atomic
def remove_calendar_day(*, day: date, by: AbstractBaseUser) -> CalendarDay | None:
    """Make ``day`` an ordinary one again: worked from Monday to Friday.

    A day of the library stays as an edited row that says so, or the next filling would bring it back; that row is
    returned. Any other row is deleted. Raises ``DayNotInCalendar``.
    """
    row = locked(CalendarDay.objects.filter(day=day)).first()
    if row is None:
        raise DayNotInCalendar(day)
    with acting(by):
        if day not in library_days([day.year]):
            row.delete()
            return None
        row.is_working, row.name, row.is_edited = day.weekday() < SATURDAY, "", True
        row.save(update_fields=["is_working", "name", "is_edited"])
    return row
