"""Writes made-up data into an empty database."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import Max, Model
from django.utils import timezone

from accounts.models import Membership, Store, User
from core.choices import JobStatus
from core.models import JobRun
from customers.models import Consent, ContactPerson, Customer, PersonalEvent
from followups.demo.catalogue import DEMO_PASSWORD, PLANS, SERIES, STORES, WARRANTIES
from followups.demo.copying import copy_in, foreign_keys_checked_at_the_end
from followups.demo.keys import Keys
from followups.demo.people import DemoWorld
from followups.demo.processes import composed
from followups.models import ContactLog, NextStep
from service.models import SuggestedWork, WorkOrder
from vehicles.models import (
    CarModel,
    InsurancePolicy,
    OdometerReading,
    Ownership,
    ServicePlan,
    Vehicle,
    WarrantyPolicy,
)

JOB_NAME = "load_demo"


class CannotLoadDemo(Exception):
    """The demo data cannot go here; the message says why and what to do."""


@dataclass(frozen=True)
class LoadResult:
    """How many rows of each kind were written; ``was_there`` when the same data had been loaded before."""

    counts: Mapping[str, int]
    seconds: float
    was_there: bool = False


def load_demo(*, customers: int, seed: int, today: date, on_progress: Any = None) -> LoadResult:
    """Fill an empty database with the world of a seed and a date, all or nothing.

    The same seed, date and number give the same data, keys of the rows apart. Where exactly these were loaded before,
    nothing happens. ``on_progress`` is called with the number of customers written so far. Raises ``CannotLoadDemo`` in
    production, and where other customers are on file.
    """
    if settings.ENVIRONMENT == "production":
        raise CannotLoadDemo("Demo data are not loaded in production: their people sign in with a public password.")
    started = time.monotonic()
    started_at = timezone.now()
    wanted = {"seed": seed, "customers_wanted": customers}
    with transaction.atomic():
        # Two loads at the same time: the second one waits and then finds customers.
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Customer._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        if Customer.objects.exists():
            earlier = JobRun.objects.filter(
                name=JOB_NAME, status=JobStatus.DONE, business_date=today, counts__contains=wanted
            ).first()
            if earlier is None:
                raise CannotLoadDemo(
                    "This database holds other customers already; demo data go into an empty one. "
                    "Point DATABASE_URL at an empty database, or remove the folder var/ of a trial."
                )
            counts = {name: number for name, number in earlier.counts.items() if name not in wanted}
            return LoadResult(counts, round(time.monotonic() - started, 1), was_there=True)
        counts = _write_world(DemoWorld(seed=seed, today=today, customers=customers), on_progress)
        JobRun.objects.create(
            name=JOB_NAME,
            business_date=today,
            status=JobStatus.DONE,
            started_at=started_at,
            finished_at=timezone.now(),
            counts={**counts, **wanted},
        )
    return LoadResult(counts, round(time.monotonic() - started, 1))


# --- Rows ---


def _write_world(world: DemoWorld, on_progress: Any) -> dict[str, int]:
    """Write everything and return the number of rows of each kind."""
    stores, users, models = _write_stores(), _write_staff(world), _write_catalogue(world)
    keys = Keys(
        stores,
        users,
        models,
        first_customer=_next_id(Customer),
        first_car=_next_id(Vehicle),
        first_order=_next_id(WorkOrder),
        first_contact=_next_id(ContactLog),
    )
    counts = {"stores": len(stores), "staff": len(world.people), "car_models": len(models)}
    written = 0
    with foreign_keys_checked_at_the_end(_FILLED):
        for batch in composed(world, keys):
            for name, rows in batch.items():
                copy_in(rows)
                counts[name] = counts.get(name, 0) + rows.count
            written += batch["customers"].count
            if on_progress:
                on_progress(written)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('customers_customer_number', %s)", [written])
    for model in (Customer, Vehicle, WorkOrder, ContactLog):
        _continue_ids(model)
    # The statistics decide how tonight's plan is looked up; they must not wait for the next autovacuum.
    _analyse()
    return counts


def _next_id(model: type[Model]) -> int:
    """Return the first key that is free. Nobody else draws one meanwhile: the table of customers is locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [model._meta.db_table])
        return int(cursor.fetchone()[0])


def _continue_ids(model: type[Model]) -> None:
    """Let the keys of later rows follow on those that were given here."""
    if newest := model._default_manager.aggregate(newest=Max("pk"))["newest"]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [model._meta.db_table, newest])


_FILLED: tuple[type[Model], ...] = (
    Customer, Consent, ContactPerson, PersonalEvent, Vehicle, Ownership, OdometerReading, InsurancePolicy, WorkOrder,
    SuggestedWork, ContactLog, NextStep,
)  # fmt: skip


def _analyse() -> None:
    with connection.cursor() as cursor:
        for model in _FILLED:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


# --- Stores, people, catalogue ---


def _write_stores() -> dict[str, int]:
    for code, name, phone in STORES:
        Store.objects.get_or_create(code=code, defaults={"name": name, "phone": phone})
    return dict(Store.objects.order_by("pk").values_list("code", "pk"))


def _write_staff(world: DemoWorld) -> dict[str, int]:
    """Enter the people who are not there yet, all with the demo password; those who left cannot sign in."""
    stores = {store.code: store for store in Store.objects.all()}
    present = set(User.objects.values_list("username", flat=True))
    # One hash for all: computing it is slow on purpose, and everybody knows this password.
    password = make_password(DEMO_PASSWORD)
    newcomers = [person for person in world.people if person.username not in present]
    User.objects.bulk_create(
        User(username=person.username, name=person.name, password=password, is_active=not person.has_left)
        for person in newcomers
    )
    users = {user.username: user for user in User.objects.all()}
    Membership.objects.bulk_create(
        Membership(
            user=users[person.username],
            store=stores[person.store] if person.store else None,
            role=person.role,
            is_active=not person.has_left,
            absent_from=person.absent_from,
            absent_until=person.absent_until,
        )
        for person in newcomers
    )
    return {username: user.pk for username, user in users.items()}


def _write_catalogue(world: DemoWorld) -> dict[tuple[str, str, int, str], int]:
    """Enter plans, policies and models; return the models by brand, series, year and trim."""
    ServicePlan.objects.bulk_create(
        (
            ServicePlan(
                name=plan.name,
                first_months=plan.first_months,
                first_km=plan.first_km,
                interval_months=plan.interval_months,
                interval_km=plan.interval_km,
            )
            for plan in PLANS
        ),
        ignore_conflicts=True,
    )
    WarrantyPolicy.objects.bulk_create(
        (
            WarrantyPolicy(
                name=policy.name,
                months=policy.months,
                km=policy.km,
                three_guarantees_months=policy.three_guarantees_months,
                three_guarantees_km=policy.three_guarantees_km,
            )
            for policy in WARRANTIES
        ),
        ignore_conflicts=True,
    )
    plans = {plan.name: plan for plan in ServicePlan.objects.all()}
    policies = {policy.name: policy for policy in WarrantyPolicy.objects.all()}
    first_year = world.today.year - 8
    CarModel.objects.bulk_create(
        (
            CarModel(
                brand=series.brand,
                series=series.name,
                year=year,
                trim=trim,
                energy=series.energy,
                service_plan=plans[series.plan.name],
                warranty_policy=policies[series.warranty.name],
            )
            for series in SERIES
            for year in range(max(series.since, first_year), min(series.until, world.today.year) + 2)
            for trim in series.trims
        ),
        ignore_conflicts=True,
    )
    keys = CarModel.objects.filter(year__isnull=False).values_list("brand", "series", "year", "trim", "pk")
    return {(brand, series, year or 0, trim): pk for brand, series, year, trim, pk in keys}
