"""The record of the runs: which were completed, what they have seen, which were killed (ADR 0018)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Store, User
from core.choices import JobStatus
from core.models import JobRun
from core.rules import error_text

JOB_NAME = "plan_care"
RUN_LOCK = 7301
# A transaction that began before the last run may have committed after it; its changes carry its beginning. The run
# notes when the oldest one of its time began; so far back it is looked where the database did not tell.
CHANGE_MARGIN = timedelta(hours=6)
# A transaction has its moment a little before it shows among those that run.
UNANNOUNCED = timedelta(seconds=5)


def completed_runs(store: Store) -> QuerySet[JobRun]:
    """Return the runs that planned a store to their end: its own, and those of all stores that it was one of.

    A store that is out of business for a night is not planned in it, and catches up when it is back.
    """
    of_all = Q(store_code="") & (Q(counts__stores__contains=[store.code]) | ~Q(counts__has_key="stores"))
    return JobRun.objects.filter(Q(store_code=store.code) | of_all, name=JOB_NAME, status=JobStatus.DONE)


def latest_runs(stores: Sequence[Store]) -> dict[int, JobRun | None]:
    """Return the latest run that each store completed, by store; None for a store without one."""
    return {
        store.pk: completed_runs(store).order_by("-business_date", "-started_at", "-pk").first() for store in stores
    }


def last_completed(latest: Mapping[int, JobRun | None]) -> JobRun | None:
    """Return the latest run that all of some stores have completed, or None where one of them has none."""
    runs = [run for run in latest.values() if run is not None]
    if not runs or len(runs) < len(latest):
        return None
    return min(runs, key=lambda run: (run.business_date, run.started_at))


def unseen_changes_since(latest: Mapping[int, JobRun | None]) -> datetime | None:
    """Return the moment since which changes may have been made that the latest run of one of the stores did not see.

    Stores without a run are left out; None where none has one.
    """
    return min((_saw_until(run) for run in latest.values() if run is not None), default=None)


def _saw_until(run: JobRun) -> datetime:
    if told := run.counts.get("saw_changes_until"):
        return datetime.fromisoformat(told)
    return run.started_at - CHANGE_MARGIN


def saw_changes_until() -> datetime | None:
    """Return the moment before which all that was changed is there to be read from now on, or undone for ever.

    A row carries the moment at which the transaction that changed it began (``stamp_change``), so it is that of the
    oldest one that runs. None where the database hides one of them: from another role, by a setting, or a prepared one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database()
HAVING current_setting('track_activities')::boolean
   AND NOT bool_or(query = '<insufficient privilege>')
   AND NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())"""
        )
        row = cursor.fetchone()
    return row[0] - UNANNOUNCED if row and row[0] else None


@contextmanager
def recorded(*, on: date, store: Store | None, by: User | None, dry_run: bool) -> Iterator[JobRun | None]:
    """Keep a ``JobRun`` of what happens inside; a dry run leaves none. A failure is recorded and raised on."""
    if dry_run:
        yield None
        return
    run = JobRun.objects.create(
        name=JOB_NAME,
        store_code=store.code if store else "",
        business_date=on,
        started_at=timezone.now(),
        started_by=by,
    )
    with connection.cursor() as cursor:
        # Held while this run is alive, so that another one can tell a waiting run from a killed one.
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [RUN_LOCK, run.pk])
    try:
        yield run
    except BaseException as error:
        JobRun.objects.filter(pk=run.pk).update(
            status=JobStatus.FAILED, finished_at=timezone.now(), error=error_text(error)
        )
        raise
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [RUN_LOCK, run.pk])


def bury_killed_runs(run: JobRun) -> None:
    """Mark earlier runs as failed whose process is gone: nobody holds their lock any more."""
    for earlier in JobRun.objects.filter(name=JOB_NAME, status=JobStatus.RUNNING).exclude(pk=run.pk).order_by("pk"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [RUN_LOCK, earlier.pk])
            if cursor.fetchone() == (True,):
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [RUN_LOCK, earlier.pk])
                JobRun.objects.filter(pk=earlier.pk, status=JobStatus.RUNNING).update(
                    status=JobStatus.FAILED, finished_at=timezone.now(), error="Interrupted before it ended."
                )
