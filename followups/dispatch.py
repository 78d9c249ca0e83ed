"""Handing the nightly plan to the workers by hand (screens S9)."""

from datetime import datetime

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.models import Store, User
from followups.planner.due import stores_today
from followups.rules.hours import local_time
from followups.tasks import plan_care_task

PING_SECONDS = 1.0


class CannotStartJob(Exception):
    """The base of what keeps a job from being started."""


class BrokerDown(CannotStartJob):
    """The broker does not answer, so nothing could be handed over."""


class NoWorker(CannotStartJob):
    """The broker answers but no worker does; the job would lie in the queue unseen."""


def start_plan(*, now: datetime, store: Store | None, by: User) -> None:
    """Ask a worker to plan the day that it is in a store, or in each of them with None.

    Returns when the job is handed over; the worker's ``JobRun`` tells the rest. Raises ``BrokerDown`` or ``NoWorker``,
    and then nothing was started.
    """
    try:
        if not worker_answers():
            raise NoWorker
        for place, day in [(store, local_time(now, store.time_zone).date())] if store else stores_today(now=now):
            code = place.code if place else ""
            plan_care_task.apply_async(kwargs={"on": day.isoformat(), "store_code": code, "by_id": by.pk}, retry=False)
    except (OperationalError, RedisError, ConnectionError) as error:
        raise BrokerDown from error


def worker_answers() -> bool:
    """Tell whether anybody would take a job now; the first answer is enough, none takes ``PING_SECONDS``."""
    if current_app.conf.task_always_eager:
        return True
    return bool(current_app.control.broadcast("ping", reply=True, timeout=PING_SECONDS, limit=1))
