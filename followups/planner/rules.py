"""From a nominal date to a window: pure rules of the planner (domain §3.2, §3.6)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from core.rules import WorkCalendar
from followups.choices import Shift
from followups.triggers.rules import Nominal

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """How a rule turns a nominal date into a due date and the days around it on which the contact may be made."""

    early_days: int
    late_days: int
    shift: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A nominal date with its window, for all candidates that have ``key``."""

    key: date | int
    step: int
    anchor_on: date
    nominal_on: date
    due_on: date
    opens_on: date
    closes_on: date


def due_date(nominal: date, *, anchor: date, shift: str, calendar: WorkCalendar) -> date:
    """Return the day on which the contact is due (domain §3.6, 6).

    A deadline moves to the working day before, but never to the anchor day or earlier: a 24-hour call cannot come
    before its 24 hours have begun. Where no working day is left in between, it stays.
    """
    if shift == Shift.LATER:
        return calendar.on_or_after(nominal)
    if shift == Shift.EARLIER:
        return calendar.on_or_before(nominal, not_before=anchor + timedelta(days=1)) or nominal
    return nominal


def hits(nominals: Iterable[Nominal], window: Window, calendar: WorkCalendar) -> Iterator[Hit]:
    """Yield the nominal dates with their windows."""
    for nominal in nominals:
        due = due_date(nominal.nominal_on, anchor=nominal.anchor_on, shift=window.shift, calendar=calendar)
        yield Hit(
            key=nominal.key,
            step=nominal.step,
            anchor_on=nominal.anchor_on,
            nominal_on=nominal.nominal_on,
            due_on=due,
            opens_on=due - timedelta(days=window.early_days),
            closes_on=due + timedelta(days=window.late_days),
        )


@dataclass(frozen=True, slots=True)
class Horizon:
    """Which windows are looked at: opened from ``opens_from`` to ``opens_until``, closed from ``closes_from`` on."""

    opens_until: date
    closes_from: date
    opens_from: date = date.min

    def nominal_range(self, window: Window, calendar: WorkCalendar) -> tuple[date, date]:
        """Return the first and last nominal date that can have such a window."""
        early, late = timedelta(days=window.early_days), timedelta(days=window.late_days)
        first = self.closes_from - late
        if self.opens_from != date.min:
            first = max(first, self.opens_from + early)
        last = self.opens_until + early
        if window.shift == Shift.LATER:  # rest days before the first due date end on it
            while not calendar.is_working(first - ONE_DAY):
                first -= ONE_DAY
        elif window.shift == Shift.EARLIER:  # rest days after the last due date come back to it
            while not calendar.is_working(last + ONE_DAY):
                last += ONE_DAY
        return first, last

    def slices(self, days: int) -> Iterator["Horizon"]:
        """Yield horizons that together include the same windows, each once, and span so many days of opening at most.

        The combinations of a nominal date and a step grow with the square of the time that is caught up; what is held
        in memory must not.
        """
        first = self.opens_from if self.opens_from != date.min else self.closes_from
        start = self.opens_from
        while first + timedelta(days=days) <= self.opens_until:
            first += timedelta(days=days)
            yield replace(self, opens_from=start, opens_until=first - ONE_DAY)
            start = first
        yield replace(self, opens_from=start)

    def includes(self, hit: Hit) -> bool:
        """Tell whether a window is one of those looked at."""
        return self.opens_from <= hit.opens_on <= self.opens_until and hit.closes_on >= self.closes_from
