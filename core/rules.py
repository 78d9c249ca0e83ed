"""Rules that need no database: calendar months, working days (domain §3.2, §3.6), and when a nightly job is overdue."""

import calendar
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.choices import JobStatus

SATURDAY = 5
# The nightly plan runs at 02:00 and must be there when people come in (screens S9).
NIGHTLY_DEADLINE = time(6, 0)
# A million customers are planned in minutes; a run that is still going after this has lost its worker.
STUCK_AFTER = timedelta(hours=2)


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


def error_text(error: BaseException) -> str:
    """Return what kind of error it was and what it says, without the row that a database adds to its message.

    ``Failing row contains (…)`` and ``Key (mobile)=(…)`` are customers' data: not for a log or the list of jobs.
    """
    said = getattr(getattr(error.__cause__, "diag", None), "message_primary", None)
    return f"{type(error).__name__}: {said or error}"


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


class AlarmKind(StrEnum):
    """What is wrong with the nightly run of a place."""

    FAILED = "failed"
    STUCK = "stuck"
    MISSING = "missing"


@dataclass(frozen=True)
class Place:
    """A store as far as its nights matter: when its day begins depends on its time zone (IANA name)."""

    code: str
    name: str
    time_zone: str


@dataclass(frozen=True)
class RunFacts:
    """What an alarm needs to know of a run; an empty ``store_code`` means that it was for all stores."""

    store_code: str
    business_date: date
    status: str
    started_at: datetime


@dataclass(frozen=True)
class JobAlarm:
    """The nightly run that ``place`` lacks: which kind of trouble, and for which business date."""

    kind: AlarmKind
    place: Place
    business_date: date


def business_date_due(now: datetime, time_zone: str) -> date:
    """Return the newest business date whose plan must be there by ``now``: today from 06:00 local time on.

    Before that it is still yesterday, so that an alarm does not fall silent at midnight.
    """
    local = now.astimezone(ZoneInfo(time_zone))
    return local.date() if local.time() >= NIGHTLY_DEADLINE else local.date() - timedelta(days=1)


def job_alarm(place: Place, runs: Iterable[RunFacts], *, now: datetime) -> JobAlarm | None:
    """Tell what is wrong with the nightly run of ``place`` at ``now``, or None when all is well (screens S9).

    The newest run decides whether the job failed or hangs; a good run after it ends the alarm. Without such trouble
    the plan is missing unless a run was completed for the business date that is due, or a later one, that began on that
    day or after it in the place's own time. A run made ahead (``plan_care --on``) knew nothing of what came after it:
    it stands for no night that was still to come.
    """
    covering = [run for run in runs if run.store_code in ("", place.code)]
    last = max(covering, key=lambda run: run.started_at, default=None)
    if last is not None and last.status == JobStatus.FAILED:
        return JobAlarm(AlarmKind.FAILED, place, last.business_date)
    if last is not None and last.status == JobStatus.RUNNING and now - last.started_at > STUCK_AFTER:
        return JobAlarm(AlarmKind.STUCK, place, last.business_date)
    due = business_date_due(now, place.time_zone)
    night_from = datetime.combine(due, time.min, ZoneInfo(place.time_zone))
    if any(
        run.status == JobStatus.DONE and run.business_date >= due and run.started_at >= night_from for run in covering
    ):
        return None
    return JobAlarm(AlarmKind.MISSING, place, due)


def job_alarms(places: Iterable[Place], runs: Iterable[RunFacts], *, now: datetime) -> list[JobAlarm]:
    """Return the alarms of ``places`` in their order, see ``job_alarm``."""
    known = list(runs)
    return [alarm for place in places if (alarm := job_alarm(place, known, now=now))]
