"""Which stores are to be planned, and for which of their days."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from accounts.models import Store
from customers.models import Customer
from followups.planner.runs import completed_runs

PLAN_AT = time(2)


def stores_to_plan(*, now: datetime) -> list[tuple[Store | None, date]]:
    """Return the stores and local days that are to be planned now; the store is None where it is all of them at once.

    A day is to be planned from 02:00 of the store's own clock on, until a run of it has completed that began on the day
    itself: one made ahead could not know what would change until then.
    """
    stores = list(Store.objects.active().order_by("pk"))
    due: list[tuple[Store, date]] = []
    for store in stores:
        local = now.astimezone(ZoneInfo(store.time_zone))
        runs = completed_runs(store).filter(
            business_date=local.date(), started_at__gte=datetime.combine(local, time(0), local.tzinfo)
        )
        if local.time() >= PLAN_AT and not runs.exists():
            due.append((store, local.date()))
    return _together(due, of=stores)


def stores_today(*, now: datetime) -> list[tuple[Store | None, date]]:
    """Return all stores in business with the day that it is there; the store is None where it is the same for all."""
    stores = list(Store.objects.active().order_by("pk"))
    return _together([(store, now.astimezone(ZoneInfo(store.time_zone)).date()) for store in stores], of=stores)


def _together(due: list[tuple[Store, date]], *, of: Sequence[Store]) -> list[tuple[Store | None, date]]:
    days = {day for _, day in due}
    if len(due) == len(of) > 1 and len(days) == 1:
        return [(None, days.pop())]
    return list(due)


def customers_today(customer_ids: Iterable[int], *, now: datetime) -> dict[date, list[int]]:
    """Return customers by the day that it is in their store."""
    zones = Customer.objects.filter(pk__in=list(customer_ids)).order_by("pk").values_list("pk", "store__time_zone")
    found: dict[date, list[int]] = defaultdict(list)
    for pk, zone in zones:
        found[now.astimezone(ZoneInfo(zone)).date()].append(pk)
    return dict(found)
