"""Celery's side of the care engine: adapters only, the work is in ``followups.planner`` and the actions."""

from datetime import date

from celery import shared_task
from django.utils import timezone

from accounts.models import Store, User
from followups.actions.leases import release_expired
from followups.planner import plan_care, plan_customers
from followups.planner.due import customers_today, stores_to_plan


@shared_task(name="followups.plan_due_stores")
def plan_due_stores_task() -> None:
    """Plan every store whose clock has passed 02:00 and whose day is not planned yet: a missed hour is caught up."""
    failures: list[Exception] = []
    for store, day in stores_to_plan(now=timezone.now()):
        try:
            plan_care(on=day, store=store)
        except Exception as error:  # noqa: BLE001 - one store must not keep the others from their night
            failures.append(error)
    if failures:
        raise ExceptionGroup("The night of some stores was not planned.", failures)


@shared_task(name="followups.plan_care")
def plan_care_task(*, on: str, store_code: str = "", by_id: int | None = None) -> None:
    """Plan a day for one store or all; started by hand from the jobs page."""
    store = Store.objects.get(code=store_code) if store_code else None
    by = User.objects.get(pk=by_id) if by_id else None
    plan_care(on=date.fromisoformat(on), store=store, by=by)


@shared_task(name="followups.plan_customers")
def plan_customers_task(*, customer_ids: list[int]) -> None:
    """Plan for some customers at once, after facts changed: each for the day that it is in their store."""
    for day, ids in customers_today(customer_ids, now=timezone.now()).items():
        plan_customers(customer_ids=ids, on=day)


@shared_task(name="followups.release_expired_leases")
def release_expired_leases_task() -> None:
    """Remove leases of customers that keep nobody any more."""
    release_expired(now=timezone.now())
