"""Writes made-up data into an empty database."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from functools import lru_cache
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Membership, Store, User
from core.choices import JobStatus
from core.fields import cipher, keyed_digest
from core.models import JobRun
from customers.models import Consent, ContactPerson, Customer, PersonalEvent
from customers.rules import name_search_terms
from followups.choices import NextStepKind
from followups.demo.catalogue import DEMO_PASSWORD, PLANS, SERIES, STORES, WARRANTIES, DemoSeries
from followups.demo.copying import CopyTable, array_literal, reserve_ids
from followups.demo.files import DemoCar, DemoContact, DemoCustomer, DemoReading
from followups.demo.people import TIME_ZONE, DemoWorld
from followups.models import ContactLog, NextStep
from service.choices import MAINTENANCE, JobType
from service.models import SuggestedWork, WorkOrder
from vehicles.actions import vehicle_facts
from vehicles.choices import OdometerFlag, VehicleStatus
from vehicles.models import (
    CarModel,
    InsurancePolicy,
    OdometerReading,
    Ownership,
    ServicePlan,
    Vehicle,
    WarrantyPolicy,
)
from vehicles.rules import Reading, flag_readings

BATCH = 1000
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
        counts = _Loader(DemoWorld(seed=seed, today=today, customers=customers)).run(on_progress)
        JobRun.objects.create(
            name=JOB_NAME,
            business_date=today,
            status=JobStatus.DONE,
            started_at=started_at,
            finished_at=timezone.now(),
            counts={**counts, **wanted},
        )
    return LoadResult(counts, round(time.monotonic() - started, 1))


@lru_cache(maxsize=50_000)
def _search_columns(name: str) -> tuple[str, str, str]:
    terms = name_search_terms(name)
    return terms.pinyin, terms.initials, array_literal(terms.grams)


def _encrypted(text: str) -> str:
    return cipher().encrypt(text.encode()).decode() if text else ""


@lru_cache(maxsize=len(SERIES))
def _terms_of(series: DemoSeries) -> dict[str, Any]:
    """The part of a car's facts that hangs on its model, under the names that ``vehicle_facts`` reads."""
    plan, policy = series.plan, series.warranty
    return {
        "energy": series.energy,
        "seats": series.seats,
        "is_minivan": series.is_minivan,
        "model__service_plan__first_months": plan.first_months,
        "model__service_plan__first_km": plan.first_km,
        "model__service_plan__interval_months": plan.interval_months,
        "model__service_plan__interval_km": plan.interval_km,
        "model__warranty_policy__months": policy.months,
        "model__warranty_policy__km": policy.km,
        "model__warranty_policy__three_guarantees_months": policy.three_guarantees_months,
        "model__warranty_policy__three_guarantees_km": policy.three_guarantees_km,
    }


_SAME_NAME = (
    "kind",
    "status",
    "entered_on",
    "name",
    "salutation",
    "mobile",
    "is_mobile_wrong",
    "other_phone",
    "wechat",
    "email",
    "credit_code",
    "address_region",
    "language",
    "birthday_calendar",
    "birthday_year",
    "birthday_month",
    "birthday_day",
    "is_birthday_leap_month",
    "preferred_channel",
    "preferred_slot",
    "do_not_contact",
    "do_not_contact_reason",
    "do_not_contact_on",
    "source",
    "communication",
    "network",
    "referral_willingness",
    "tier",
    "note",
)
_CAR_SAME_NAME = (
    "status",
    "vin",
    "plate",
    "plate_kind",
    "engine_no",
    "gearbox_no",
    "battery_code",
    "use",
    "body_colour",
    "interior_colour",
    "purchase_on",
    "delivery_on",
    "registered_on",
    "first_service_done_on",
)
_CAR_FACTS = (
    "odometer_km",
    "odometer_on",
    "daily_km",
    "next_service_kind",
    "next_service_on",
    "next_service_km",
    "next_service_from_on",
    "warranty_from_on",
    "warranty_ends_on",
    "warranty_km",
    "warranty_notice_on",
    "warranty_runs_out_on",
    "three_guarantees_end_on",
    "three_guarantees_run_out_on",
    "inspection_valid_until",
    "inspection_source",
)


class _Loader:
    """Writes one world. Facts that actions keep are computed by the same rules, from the rows written beside them."""

    def __init__(self, world: DemoWorld) -> None:
        self.world = world
        self.today = world.today
        self.customer_ids: list[int] = []
        self.order_numbers: Counter[tuple[str, date]] = Counter()
        self.customers = CopyTable(
            Customer,
            (
                "id", "store", "number", *_SAME_NAME, "name_pinyin", "name_initials", "name_grams",
                "id_number", "id_number_hash", "address_detail", "refused_channels", "referrer",
                "sales_consultant", "service_adviser", "care_specialist",
                "last_effective_contact_on", "last_proactive_contact_on", "last_visit_on", "last_delivery_on",
            ),
        )  # fmt: skip
        self.persons = CopyTable(ContactPerson, ("customer", "name", "role", "mobile", "is_main"))
        self.consents = CopyTable(
            Consent, ("customer", "purpose", "channel", "is_given", "at", "wording", "evidence", "recorded_by")
        )
        self.events = CopyTable(PersonalEvent, ("customer", "name", "on", "is_yearly"))
        self.vehicles = CopyTable(
            Vehicle,
            (
                "id", "store", "owner", "care_from", "model", "energy", "seats", "is_minivan", *_CAR_SAME_NAME,
                "last_visit_on", "last_service_on", "last_service_km", *_CAR_FACTS,
                "forecast_since",
            ),
        )  # fmt: skip
        self.ownerships = CopyTable(Ownership, ("vehicle", "customer", "started_on", "ended_on"))
        self.readings = CopyTable(OdometerReading, ("vehicle", "on", "km", "source", "flag", "note", "is_new_odometer"))
        self.policies = CopyTable(
            InsurancePolicy,
            ("vehicle", "kind", "insurer", "number", "starts_on", "ends_on", "premium", "is_bought_here"),
        )
        self.orders = CopyTable(
            WorkOrder,
            (
                "id", "store", "number", "vehicle", "customer", "job_type", "summary", "arrived_on", "km",
                "handed_over_on", "adviser", "amount",
            ),
        )  # fmt: skip
        self.suggestions = CopyTable(SuggestedWork, ("work_order", "text", "suggested_on", "status"))
        self.contacts = CopyTable(
            ContactLog,
            (
                "id", "store", "customer", "by", "at", "on", "channel", "is_inbound", "outcome", "is_effective",
                "is_marketing_message", "note", "reason",
            ),
        )  # fmt: skip
        self.next_steps = CopyTable(
            NextStep,
            (
                "store", "customer", "vehicle", "contact", "kind", "severity", "wanted_at", "detail", "created_at",
                "done_at", "done_by", "payload",
            ),
        )  # fmt: skip
        # In the order of their foreign keys.
        self.tables = {
            "customers": self.customers,
            "contact_persons": self.persons,
            "consents": self.consents,
            "personal_events": self.events,
            "vehicles": self.vehicles,
            "ownerships": self.ownerships,
            "odometer_readings": self.readings,
            "policies": self.policies,
            "work_orders": self.orders,
            "suggestions": self.suggestions,
            "contacts": self.contacts,
            "next_steps": self.next_steps,
        }

    def run(self, on_progress: Any) -> dict[str, int]:
        """Write everything and return the number of rows of each kind."""
        with connection.cursor() as cursor:
            # Otherwise the checks of millions of foreign keys would pile up in memory until the commit.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self.stores = _write_stores()
        self.users = _write_staff(self.world)
        self.models = _write_catalogue(self.world)
        for place, batch in enumerate(_ahead(self.world.customers())):
            self._write_batch(batch)
            if place == 0:
                # The plans by which foreign keys are checked are kept. Made while the tables are thought to be empty,
                # they read whole indexes for each row.
                _analyse()
            if on_progress:
                on_progress(len(self.customer_ids))
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval('customers_customer_number', %s)", [max(len(self.customer_ids), 1)])
        # The statistics decide how tonight's plan is looked up; they must not wait for the next autovacuum.
        _analyse()
        return {
            "stores": len(self.stores),
            "staff": len(self.world.people),
            "car_models": len(self.models),
            **{name: table.count for name, table in self.tables.items()},
        }

    # --- Batches ---

    def _write_batch(self, batch: list[DemoCustomer]) -> None:
        self.customer_ids += reserve_ids(Customer, len(batch))
        car_ids = iter(reserve_ids(Vehicle, sum(len(file.cars) for file in batch)))
        order_ids = iter(reserve_ids(WorkOrder, sum(len(car.orders) for file in batch for car in file.cars)))
        contact_ids = iter(reserve_ids(ContactLog, sum(len(file.contacts) for file in batch)))
        for file in batch:
            self._add_customer(file, car_ids=car_ids, order_ids=order_ids, contact_ids=contact_ids)
        for table in self.tables.values():
            table.flush()

    def _add_customer(
        self,
        file: DemoCustomer,
        *,
        car_ids: Iterator[int],
        order_ids: Iterator[int],
        contact_ids: Iterator[int],
    ) -> None:
        pk, store = self.customer_ids[file.index], self.stores[file.store]
        visits = [_visits_of(car) for car in file.cars]
        self.customers.add(
            pk,
            store,
            f"C{file.entered_on:%y}{file.index + 1:06d}",
            *(getattr(file, name) for name in _SAME_NAME),
            *_search_columns(file.name),
            _encrypted(file.id_number),
            keyed_digest(file.id_number),
            _encrypted(file.address_detail),
            array_literal(file.refused_channels),
            None if file.referrer is None else self.customer_ids[file.referrer],
            self.users[file.sales_consultant],
            self.users[file.service_adviser],
            self.users[file.care_specialist],
            max((contact.at.date() for contact in file.contacts if contact.is_effective), default=None),
            max((contact.at.date() for contact in file.contacts if contact.is_proactive), default=None),
            max((on for visit in visits if (on := visit.last_visit_on)), default=None),
            max((car.delivery_on for car in file.cars if car.status == VehicleStatus.IN_USE), default=None),
        )
        for place, (name, role, mobile) in enumerate(file.contact_persons):
            self.persons.add(pk, name, role, mobile, place == 0)
        for consent in file.consents:
            self.consents.add(
                pk, consent.purpose, consent.channel, consent.is_given, consent.at, "2024-01", consent.evidence,
                self.users[consent.by],
            )  # fmt: skip
        for name, on, is_yearly in file.events:
            self.events.add(pk, name, on, is_yearly)
        cars = []
        for car, visit in zip(file.cars, visits, strict=True):
            cars.append(next(car_ids))
            self._add_car(car, visit, cars[-1], owner=pk, store=file.store, order_ids=order_ids)
        for contact in file.contacts:
            vehicle = None if contact.car is None else cars[contact.car]
            self._add_contact(contact, next(contact_ids), customer=pk, store=store, vehicle=vehicle)

    def _add_car(
        self, car: DemoCar, visits: "_Visits", pk: int, *, owner: int, store: str, order_ids: Iterator[int]
    ) -> None:
        store_id = self.stores[store]
        log, used = _flagged(car.readings)
        values = {
            **_terms_of(car.series),
            "use": car.use,
            "purchase_on": car.purchase_on,
            "delivery_on": car.delivery_on,
            "registered_on": car.registered_on,
            "first_service_done_on": car.first_service_done_on,
            "last_service_on": visits.last_service_on,
            "last_service_km": visits.last_service_km,
            "inspection_valid_until": car.inspection_valid_until,
            "inspection_source": car.inspection_source,
        }
        facts = vehicle_facts(values, used, on=self.today)
        self.vehicles.add(
            pk,
            store_id,
            owner,
            max(car.delivery_on, self.world.live_on),
            self.models[car.series.brand, car.series.name, car.model_year, car.trim],
            car.series.energy,
            car.series.seats,
            car.series.is_minivan,
            *(getattr(car, name) for name in _CAR_SAME_NAME),
            visits.last_visit_on,
            visits.last_service_on,
            visits.last_service_km,
            *(facts[name] for name in _CAR_FACTS),
            # The forecast has been what it is since the newest of what it was computed from.
            max(day for day in (log[-1][0].on, visits.last_service_on, car.delivery_on) if day),
        )
        has_new_owner = car.status == VehicleStatus.TRANSFERRED
        self.ownerships.add(pk, owner, car.delivery_on, car.left_on if has_new_owner else None)
        for reading, flag in log:
            self.readings.add(pk, reading.on, reading.km, reading.source, flag, reading.note, reading.is_new_odometer)
        for policy in car.policies:
            self.policies.add(
                pk, policy.kind, policy.insurer, policy.number, policy.starts_on, policy.ends_on, policy.premium,
                policy.is_bought_here,
            )  # fmt: skip
        for order in car.orders:
            order_id = next(order_ids)
            self.order_numbers[store, order.arrived_on] += 1
            number = f"R{store}{order.arrived_on:%y%m%d}{self.order_numbers[store, order.arrived_on]:03d}"
            self.orders.add(
                order_id, store_id, number, pk, owner, order.job_type, order.summary, order.arrived_on, order.km,
                order.handed_over_on, self.users[order.adviser], order.amount,
            )  # fmt: skip
            if suggestion := order.suggestion:
                self.suggestions.add(order_id, suggestion.text, suggestion.on, suggestion.status)

    def _add_contact(self, contact: DemoContact, pk: int, *, customer: int, store: int, vehicle: int | None) -> None:
        by = self.users[contact.by]
        self.contacts.add(
            pk, store, customer, by, contact.at, contact.at.date(), contact.channel, contact.is_inbound,
            contact.outcome, contact.is_effective, contact.is_marketing_message, contact.note, contact.reason,
        )  # fmt: skip
        if not contact.next_step:
            return
        wanted_at = None
        if contact.next_step == NextStepKind.APPOINTMENT:
            wanted_at = datetime.combine(contact.at.date() + timedelta(days=4), clock(9, 30), TIME_ZONE)
        done_at = contact.at + timedelta(days=1) if contact.is_step_done else None
        self.next_steps.add(
            store, customer, vehicle, pk, contact.next_step, contact.severity, wanted_at, contact.note, contact.at,
            done_at, by if done_at else None, "{}",
        )  # fmt: skip


def _ahead(files: Iterator[DemoCustomer]) -> Iterator[list[DemoCustomer]]:
    """Yield the files in batches; while the database takes one in, the next one is invented."""

    def take() -> list[DemoCustomer]:
        return list(islice(files, BATCH))

    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(take)
        while batch := coming.result():
            coming = pool.submit(take)
            yield batch


_ANALYSED = tuple(
    model._meta.db_table
    for model in (
        Customer, Consent, ContactPerson, PersonalEvent, Vehicle, Ownership, OdometerReading, InsurancePolicy,
        WorkOrder, SuggestedWork, ContactLog, NextStep,
    )
)  # fmt: skip


def _analyse() -> None:
    with connection.cursor() as cursor:
        for table in _ANALYSED:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(table)}")


@dataclass(frozen=True, slots=True)
class _Visits:
    """What a car's orders say about it, as ``service.actions.refresh_visit_facts`` has it."""

    last_visit_on: date | None
    last_service_on: date | None
    last_service_km: int | None


def _visits_of(car: DemoCar) -> _Visits:
    over = [order for order in car.orders if order.handed_over_on and order.job_type != JobType.INTERNAL]
    last_service = next((order for order in reversed(over) if order.job_type in MAINTENANCE), None)
    return _Visits(
        last_visit_on=max((order.handed_over_on for order in over if order.handed_over_on), default=None),
        last_service_on=last_service.handed_over_on if last_service else None,
        last_service_km=last_service.km if last_service else None,
    )


def _flagged(log: list[DemoReading]) -> tuple[list[tuple[DemoReading, OdometerFlag]], list[Reading]]:
    """Return the log in order with its flags, and the readings without one."""
    lines = sorted(log, key=lambda line: (line.on, line.is_new_odometer, line.km))
    readings = [Reading(line.on, line.km, line.is_new_odometer) for line in lines]
    flags = flag_readings(readings)
    used = [reading for reading, flag in zip(readings, flags, strict=True) if flag == OdometerFlag.OK]
    return list(zip(lines, flags, strict=True)), used


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
