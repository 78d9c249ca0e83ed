"""Date rules that need no database: calendar months and working days (domain §3.2, §3.6)."""

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

SATURDAY = 5


def add_months(anchor: date, months: int) -> date:
    """Return ``anchor`` moved by calendar months, clamped to the month's end.

    Always count from the original anchor: 31 Aug + 6 is 28 or 29 Feb, + 12 is 31 Aug again. Chaining the results
    would lose days for ever. Raises ``ValueError`` outside the years 1 to 9999.
    """
    month_index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(month_index, 12)
    last_day = calendar.monthrange(year, month + 1)[1] if year >= 1 else 0
    return date(year, month + 1, min(anchor.day, last_day))


def anchors_of(nominal: date, months: int) -> Iterator[date]:
    """Yield every anchor for which ``add_months(anchor, months) == nominal``: one to four dates or none."""
    candidate = add_months(nominal.replace(day=1), -months)
    last_day = calendar.monthrange(candidate.year, candidate.month)[1]
    nominal_is_month_end = nominal.day == calendar.monthrange(nominal.year, nominal.month)[1]
    if nominal.day <= last_day:
        yield candidate.replace(day=nominal.day)
    if nominal_is_month_end:
        for day in range(nominal.day + 1, last_day + 1):
            yield candidate.replace(day=day)


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from ``first`` to ``last``, both included; nothing when ``last`` is earlier."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


@dataclass(frozen=True)
class WorkCalendar:
    """Which days are worked: Monday to Friday, unless ``exceptions`` says otherwise (holidays, make-up days)."""

    exceptions: Mapping[date, bool] = field(default_factory=dict)

    def is_working(self, day: date) -> bool:
        """Tell whether people work on ``day``."""
        return self.exceptions.get(day, day.weekday() < SATURDAY)

    def on_or_after(self, day: date) -> date:
        """Return the first working day from ``day`` on."""
        while not self.is_working(day):
            day += timedelta(days=1)
        return day

    def on_or_before(self, day: date, *, not_before: date) -> date | None:
        """Return the last working day up to ``day``, or None when there is none from ``not_before`` on."""
        while day >= not_before:
            if self.is_working(day):
                return day
            day -= timedelta(days=1)
        return None
