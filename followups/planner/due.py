"""Which stores the nightly run still has to plan."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from accounts.models import Store
from core.choices import JobStatus
from core.models import JobRun
from followups.planner.run import JOB_NAME

PLAN_AT = time(2)


def stores_to_plan(*, now: datetime) -> list[tuple[Store | None, date]]:
    """Return the stores and local days that are to be planned now; the store is None where it is all of them at once.

    A day is to be planned from 02:00 of the store's own clock on, until a run of it has completed.
    """
    due: list[tuple[Store, date]] = []
    stores = list(Store.objects.active().order_by("pk"))
    for store in stores:
        local = now.astimezone(ZoneInfo(store.time_zone))
        if local.time() < PLAN_AT:
            continue
        done = JobRun.objects.filter(
            name=JOB_NAME,
            status=JobStatus.DONE,
            business_date=local.date(),
            store_code__in=("", store.code),
        )
        if not done.exists():
            due.append((store, local.date()))
    days = {day for _, day in due}
    if len(due) == len(stores) > 1 and len(days) == 1:
        return [(None, days.pop())]
    return list(due)
