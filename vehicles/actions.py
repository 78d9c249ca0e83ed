"""Writes of the car file, and the facts about cars that the care engine reads."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from psycopg2.errors import UniqueViolation

from accounts.models import Store, User
from core.actions import acting, locked
from customers.models import Customer
from vehicles.choices import (
    InspectionSource,
    OdometerFlag,
    OdometerSource,
    PlateKind,
    PolicyKind,
    ServiceKind,
    VehicleStatus,
)
from vehicles.models import (
    CarModel,
    InsurancePolicy,
    OdometerReading,
    Ownership,
    ServicePlan,
    Vehicle,
    WarrantyPolicy,
)
from vehicles.rules import (
    DEFAULT_WARRANTY,
    LAPSED_FOR,
    PlateProblem,
    Reading,
    ServiceTerms,
    WarrantyTerms,
    daily_km,
    default_terms,
    estimate_inspection,
    flag_readings,
    forecast_service,
    inspection_after,
    is_vin,
    normalise_vin,
    read_plate,
    warranty_dates,
)
from vehicles.signals import care_facts_changed, owner_settled

BATCH = 1000


class CannotChangeVehicle(Exception):
    """The change contradicts what is known; the message says so to the person who asked for it."""


class CannotTransferOwner(CannotChangeVehicle):
    """The car cannot go to this customer on this day."""


class PlateTaken(CannotChangeVehicle):
    """Another car in use carries this plate."""


# --- Facts ------------------------------------------------------------------------------------------------------

_FACT_TYPES = {
    "odometer_km": "integer",
    "odometer_on": "date",
    "daily_km": "numeric",
    "next_service_kind": "text",
    "next_service_on": "date",
    "next_service_km": "integer",
    "next_service_from_on": "date",
    "warranty_from_on": "date",
    "warranty_ends_on": "date",
    "warranty_km": "integer",
    "warranty_notice_on": "date",
    "warranty_runs_out_on": "date",
    "three_guarantees_end_on": "date",
    "three_guarantees_run_out_on": "date",
    "inspection_valid_until": "date",
    "inspection_source": "text",
}
# Forecasts that contacts are planned from: one that moves is known since that day.
_MOVING = (
    "next_service_on",
    "next_service_from_on",
    "warranty_notice_on",
    "warranty_runs_out_on",
    "three_guarantees_run_out_on",
)
_INPUTS = (
    "pk",
    "energy",
    "use",
    "seats",
    "is_minivan",
    "purchase_on",
    "delivery_on",
    "registered_on",
    "first_service_done_on",
    "last_service_on",
    "last_service_km",
    "inspection_valid_until",
    "inspection_source",
    "model__service_plan__first_months",
    "model__service_plan__first_km",
    "model__service_plan__interval_months",
    "model__service_plan__interval_km",
    "model__warranty_policy__months",
    "model__warranty_policy__km",
    "model__warranty_policy__three_guarantees_months",
    "model__warranty_policy__three_guarantees_km",
)


def refresh_vehicle_facts(vehicle_ids: Iterable[int], *, on: date) -> int:
    """Recompute what the care engine reads about cars; return how many cars changed.

    That is: the flags of the odometer log, mileage and kilometres a day, the next service, warranty and
    three-guarantees dates, and the inspection that is valid on ``on``, unless somebody confirmed a date that has not
    lapsed (``rules.inspection_after``). Two reads and at most two writes a thousand cars; a car whose facts stay the
    same is not written. Run again, it changes nothing. The dates of visits are kept by ``service.actions``, which call
    this afterwards.
    """
    ids = iter(sorted(set(vehicle_ids)))
    changed = 0
    while batch := list(islice(ids, BATCH)):
        with transaction.atomic():
            changed += _refresh_batch(batch, on=on)
    return changed


def refresh_lapsed_inspections(*, store_ids: Sequence[int], lapsed_by: date, on: date) -> int:
    """Move inspections that were over a month before ``lapsed_by`` to those that are estimated to be valid on ``on``.

    Returns how many cars changed.

    The estimate is of the inspection that is valid on a day. A visit or a reading computes it anew; of cars that nobody
    hears of, the night must do it, or they would be told of one inspection and never of another. A confirmed date wins
    for its own inspection alone: the one after it is estimated like all others. A month later: what was promised for
    the present one must have had its window, and the next is half a year away at least.
    """
    lapsed = Vehicle.objects.filter(
        store__in=store_ids, status=VehicleStatus.IN_USE, inspection_valid_until__lt=lapsed_by - LAPSED_FOR
    )
    return refresh_vehicle_facts(lapsed.order_by().values_list("pk", flat=True), on=on)


def refresh_cars(cars: QuerySet[Vehicle], *, now: datetime) -> int:
    """Recompute what the care engine reads about cars, however many, each for the day that it is in its store.

    Returns how many cars changed. A thousand cars are a transaction of their own, in ascending order of their ids, so
    that nobody waits long for one and what is done stays done; call it outside a transaction. It tells the night, not
    the day: what moved is seen by the next run of the planner, as after every other change of a car.
    """
    zones = {store.pk: ZoneInfo(store.time_zone) for store in Store.objects.order_by("pk")}
    changed, last = 0, 0
    while batch := list(cars.filter(pk__gt=last).order_by("pk").values_list("pk", "store_id")[:BATCH]):
        by_day: dict[date, list[int]] = defaultdict(list)
        for pk, store_id in batch:
            by_day[now.astimezone(zones[store_id]).date()].append(pk)
        for day, ids in sorted(by_day.items()):
            changed += refresh_vehicle_facts(ids, on=day)
        last = batch[-1][0]
    return changed


def _refresh_batch(vehicle_ids: Sequence[int], *, on: date) -> int:
    # Two refreshes of one car follow each other: the later one sees what the earlier one read and more.
    list(locked(Vehicle.objects.filter(pk__in=vehicle_ids)).values_list("pk"))
    used = _used_readings(vehicle_ids)
    rows = []
    for car in Vehicle.objects.filter(pk__in=vehicle_ids).order_by("pk").values(*_INPUTS):
        facts = vehicle_facts(car, used.get(car["pk"], ()), on=on)
        rows.append((car["pk"], *(facts[name] for name in _FACT_TYPES)))
    if not rows:
        return 0
    columns = list(zip(*rows, strict=True))
    arrays = ", ".join(["%s::bigint[]", *(f"%s::{sql_type}[]" for sql_type in _FACT_TYPES.values())])
    names = ", ".join(_FACT_TYPES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE vehicles_vehicle AS car SET {", ".join(f"{name} = fact.{name}" for name in _FACT_TYPES)},
                forecast_since = CASE
                    WHEN ({", ".join(f"car.{name}" for name in _MOVING)})
                        IS DISTINCT FROM ({", ".join(f"fact.{name}" for name in _MOVING)})
                    THEN %s ELSE car.forecast_since END,
                inspection_since = CASE
                    WHEN car.inspection_valid_until IS DISTINCT FROM fact.inspection_valid_until
                    THEN %s ELSE car.inspection_since END
            FROM unnest({arrays}) AS fact(id, {names})
            WHERE car.id = fact.id
              AND ({", ".join(f"car.{name}" for name in _FACT_TYPES)})
                  IS DISTINCT FROM ({", ".join(f"fact.{name}" for name in _FACT_TYPES)})
            """,  # noqa: S608 - the names are those above
            [on, on, *(list(column) for column in columns)],
        )
        return int(cursor.rowcount)


def _used_readings(vehicle_ids: Sequence[int]) -> dict[int, list[Reading]]:
    """Bring the flags of the cars' odometer logs up to date and return the readings without one."""
    logs: dict[int, list[tuple[int, str, Reading]]] = defaultdict(list)
    lines = OdometerReading.objects.filter(vehicle__in=vehicle_ids).order_by("vehicle", "on", "km", "pk")
    for pk, vehicle_id, day, km, flag, is_new in lines.values_list(
        "pk", "vehicle_id", "on", "km", "flag", "is_new_odometer"
    ):
        logs[vehicle_id].append((pk, flag, Reading(day, km, is_new)))
    used = {}
    wrong: list[tuple[int, str]] = []
    for vehicle_id, log in logs.items():
        # The first reading of a new odometer comes after the last one of the old, whatever the figures say.
        log.sort(key=lambda line: (line[2].on, line[2].is_new_odometer, line[2].km))
        flags = flag_readings([reading for _pk, _flag, reading in log])
        wrong += [(pk, flag) for (pk, old, _reading), flag in zip(log, flags, strict=True) if old != flag]
        used[vehicle_id] = [
            reading for (_pk, _flag, reading), flag in zip(log, flags, strict=True) if flag == OdometerFlag.OK
        ]
    if wrong:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE vehicles_odometerreading AS line SET flag = new.flag "
                "FROM unnest(%s::bigint[], %s::text[]) AS new(id, flag) WHERE line.id = new.id",
                [[pk for pk, _flag in wrong], [str(flag) for _pk, flag in wrong]],
            )
    return used


def vehicle_facts(car: Mapping[str, Any], used: Sequence[Reading], *, on: date) -> dict[str, Any]:
    """Return the computed columns of a car from the columns that people enter, its plan and policy, and its log."""
    rate = daily_km(used, delivery_on=car["delivery_on"])
    service = forecast_service(
        use=car["use"],
        terms=_service_terms(car),
        delivery_on=car["delivery_on"],
        first_service_done_on=car["first_service_done_on"],
        last_service_on=car["last_service_on"],
        last_service_km=car["last_service_km"],
        used=used,
        rate=rate,
    )
    warranty = warranty_dates(
        terms=_warranty_terms(car),
        use=car["use"],
        purchase_on=car["purchase_on"],
        delivery_on=car["delivery_on"],
        used=used,
        rate=rate,
    )
    valid_until, source = _inspection(car, on=on)
    return {
        "odometer_km": used[-1].km if used else None,
        "odometer_on": used[-1].on if used else None,
        "daily_km": rate,
        "next_service_kind": str(service.kind) if service else "",
        "next_service_on": service.due_on if service else None,
        "next_service_km": service.due_km if service else None,
        "next_service_from_on": service.from_on if service else None,
        "warranty_from_on": warranty.from_on if warranty else None,
        "warranty_ends_on": warranty.ends_on if warranty else None,
        "warranty_km": warranty.km if warranty else None,
        "warranty_notice_on": warranty.notice_on if warranty else None,
        "warranty_runs_out_on": warranty.runs_out_on if warranty else None,
        "three_guarantees_end_on": warranty.three_guarantees_end_on if warranty else None,
        "three_guarantees_run_out_on": warranty.three_guarantees_run_out_on if warranty else None,
        "inspection_valid_until": valid_until,
        "inspection_source": source,
    }


def fill_vehicle_facts(vehicle: Vehicle, readings: Sequence[OdometerReading], *, on: date) -> None:
    """Compute the facts of a car that is not on file yet, and the flags of its first readings. Nothing is saved.

    For writing many new cars at once: ``refresh_vehicle_facts`` would find nothing left to do.
    """
    readings = sorted(readings, key=lambda line: (line.on, line.is_new_odometer, line.km))
    log = [Reading(line.on, line.km, line.is_new_odometer) for line in readings]
    for line, flag in zip(readings, flag_readings(log), strict=True):
        line.flag = flag
    used = [reading for reading, line in zip(log, readings, strict=True) if line.flag == OdometerFlag.OK]
    for name, value in vehicle_facts(_inputs_of(vehicle), used, on=on).items():
        setattr(vehicle, name, value)


def _inputs_of(vehicle: Vehicle) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for path in _INPUTS:
        value: Any = vehicle
        for name in path.split("__"):
            value = None if value is None else getattr(value, name)
        inputs[path] = value
    return inputs


def _service_terms(car: Mapping[str, Any]) -> ServiceTerms:
    plan = "model__service_plan__"
    if car[f"{plan}first_months"] is None:
        return default_terms(car["energy"])
    return ServiceTerms(
        car[f"{plan}first_months"], car[f"{plan}first_km"], car[f"{plan}interval_months"], car[f"{plan}interval_km"]
    )


def _warranty_terms(car: Mapping[str, Any]) -> WarrantyTerms:
    policy = "model__warranty_policy__"
    if car[f"{policy}months"] is None:
        return DEFAULT_WARRANTY
    return WarrantyTerms(
        car[f"{policy}months"],
        car[f"{policy}km"],
        car[f"{policy}three_guarantees_months"],
        car[f"{policy}three_guarantees_km"],
    )


def _inspection(car: Mapping[str, Any], *, on: date) -> tuple[date | None, str]:
    known, source = car["inspection_valid_until"], car["inspection_source"]
    registered_on = car["registered_on"] or car["delivery_on"] or car["purchase_on"]
    kind = {"use": car["use"], "seats": car["seats"], "is_minivan": car["is_minivan"]}
    if known is not None and source != InspectionSource.ESTIMATE:
        estimate = inspection_after(known, registered_on=registered_on, on=on, **kind)
        return (known, source) if estimate is None else (estimate, str(InspectionSource.ESTIMATE))
    if registered_on is None:
        if known is None:
            return None, ""
        if known >= on:
            return known, source
        # Without any of these dates an estimate follows a date that was confirmed once, and goes on from there.
        registered_on = known
    return estimate_inspection(registered_on=registered_on, on=on, **kind), str(InspectionSource.ESTIMATE)


def refresh_delivery_dates(customer_ids: Iterable[int], *, on: date) -> int:
    """Bring the last delivery of customers in line with their cars in use; return how many customers changed.

    ``on`` is the day since which the store knows it: what counts from it, and was over by then, was never promised.
    Who has locked cars has locked these customers before (ADR 0011).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE customers_customer AS customer
            SET last_delivery_on = known.last_delivery_on, last_delivery_since = %s
            FROM (
                SELECT owner.id, max(car.delivery_on) AS last_delivery_on
                FROM customers_customer AS owner
                LEFT JOIN vehicles_vehicle AS car ON car.owner_id = owner.id AND car.status = %s
                WHERE owner.id = ANY(%s)
                GROUP BY owner.id
            ) AS known
            WHERE customer.id = known.id AND customer.last_delivery_on IS DISTINCT FROM known.last_delivery_on
            """,
            [on, VehicleStatus.IN_USE, sorted(set(customer_ids))],
        )
        return int(cursor.rowcount)


# --- The catalogue ----------------------------------------------------------------------------------------------

# What the facts of a car are computed from, by kind of entry.
_TERMS: dict[type[ServicePlan | WarrantyPolicy | CarModel], tuple[str, ...]] = {
    ServicePlan: ("first_months", "first_km", "interval_months", "interval_km"),
    WarrantyPolicy: ("months", "km", "three_guarantees_months", "three_guarantees_km"),
    CarModel: ("service_plan_id", "warranty_policy_id"),
}


@transaction.atomic
def save_catalogue_entry(*, entry: ServicePlan | WarrantyPolicy | CarModel, at: datetime, by: User | None) -> int:
    """Save a service plan, a warranty policy or a model; return how many models have to be computed anew.

    Those are the models with cars whose terms are others now. They are marked, and ``refresh_changed_models`` does the
    rest: a model may have a hundred thousand cars.
    """
    kind = type(entry)
    before = locked(kind._default_manager.filter(pk=entry.pk)).values_list(*_TERMS[kind]).first()
    with acting(by):
        entry.save()
    if before is None or before == tuple(getattr(entry, name) for name in _TERMS[kind]):
        return 0
    own = {ServicePlan: "service_plan", WarrantyPolicy: "warranty_policy", CarModel: "pk"}[kind]
    with_cars = Exists(Vehicle.objects.filter(model=OuterRef("pk")))
    models = list(locked(CarModel.objects.filter(with_cars, **{own: entry.pk})).values_list("pk", flat=True))
    return CarModel.objects.filter(pk__in=models).update(terms_changed_at=at)


def refresh_changed_models(*, now: datetime) -> int:
    """Compute the cars of all models anew whose terms changed, and take the marks off; return how many cars changed.

    Killed, or run twice at once, it loses nothing: a mark goes only when all cars of the model are done, and not if the
    terms changed again meanwhile.
    """
    changed = 0
    marked = CarModel.objects.filter(terms_changed_at__isnull=False).order_by("pk")
    for model_id, mark in list(marked.values_list("pk", "terms_changed_at")):
        changed += refresh_cars(Vehicle.objects.filter(model=model_id), now=now)
        CarModel.objects.filter(pk=model_id, terms_changed_at=mark).update(terms_changed_at=None)
    return changed


# --- Cars and their owners --------------------------------------------------------------------------------------

_NOT_BY_UPDATE = frozenset({"id", "store", "owner", "care_from", "status", "vin", "created_at", "changed_at"}) | (
    frozenset(_FACT_TYPES) - {"inspection_valid_until", "inspection_source"}
)


def _set_values(vehicle: Vehicle, values: Mapping[str, Any]) -> list[str]:
    known = {field.name for field in Vehicle._meta.concrete_fields}
    changed = []
    for name, value in values.items():
        if name not in known or name in _NOT_BY_UPDATE:
            raise TypeError(f"Vehicle.{name} is not set by this action.")
        if getattr(vehicle, name) != value:
            setattr(vehicle, name, value)
            changed.append(name)
    return changed


def _with_read_plate(values: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(values)
    if "plate" in values:
        plate = read_plate(values["plate"])
        if isinstance(plate, PlateProblem):
            raise CannotChangeVehicle(_("“%(plate)s” is not a plate number.") % {"plate": values["plate"]})
        values["plate"] = plate.number
        # A yellow plate looks like a blue one: who says so is believed.
        if plate.kind != PlateKind.BLUE or not values.get("plate_kind"):
            values["plate_kind"] = plate.kind
    return values


def _save(vehicle: Vehicle, **how: Any) -> None:
    """Save a car. The database alone says whether plate and VIN are free, so that two people at once are told alike."""
    try:
        with transaction.atomic():
            vehicle.save(**how)
    except IntegrityError as error:
        cause = error.__cause__
        match cause.diag.constraint_name if isinstance(cause, UniqueViolation) else None:
            case "vehicle_plate_once_in_use":
                message = _("Another car in use has the plate %(plate)s.") % {"plate": vehicle.plate}
                raise PlateTaken(message) from error
            case "vehicles_vehicle_vin_key":
                raise CannotChangeVehicle(_("The VIN %(vin)s is on file already.") % {"vin": vehicle.vin}) from error
        raise


def lock_car(vehicle: Vehicle, *customers: int) -> None:
    """Lock a car until the transaction ends, before it its owner and further customers, and bring it up to date.

    Everybody locks in this order (ADR 0011). What was set on the instance and not saved is lost.
    """
    while True:
        owner = Vehicle.objects.values_list("owner_id", flat=True).get(pk=vehicle.pk)
        with transaction.atomic():
            list(locked(Customer.objects.filter(pk__in={owner, *customers})).values_list("pk"))
            vehicle.refresh_from_db(from_queryset=locked(Vehicle.objects.all()))
            if vehicle.owner_id == owner:
                return
            # Sold while we waited: give the locks back and begin with the new owner.
            transaction.set_rollback(True)


@transaction.atomic
def create_vehicle(*, owner: Customer, vin: str, care_from: date, by: User | None, **values: Any) -> Vehicle:
    """Enter a car of a customer, with its first owner in the ownership history; care is promised from ``care_from``.

    Raises ``CannotChangeVehicle`` for a VIN of the wrong shape or one that is on file, and ``PlateTaken``. A wrong
    check digit is no error (domain §1.2).
    """
    vin = normalise_vin(vin)
    if not is_vin(vin):
        raise CannotChangeVehicle(_("“%(vin)s” is not a VIN: 17 letters and digits without I, O and Q.") % {"vin": vin})
    list(locked(Customer.objects.filter(pk=owner.pk)).values_list("pk"))
    vehicle = Vehicle(store_id=owner.store_id, owner=owner, vin=vin, care_from=care_from)
    _set_values(vehicle, _with_read_plate(values))
    with acting(by):
        _save(vehicle, force_insert=True)
        Ownership.objects.create(
            vehicle=vehicle, customer=owner, started_on=min(vehicle.delivery_on or care_from, care_from)
        )
        _refresh(vehicle, on=care_from)
        refresh_delivery_dates([owner.pk], on=care_from)
    announce(owner.pk)
    return vehicle


@transaction.atomic
def update_vehicle(*, vehicle: Vehicle, values: Mapping[str, Any], on: date, by: User | None) -> list[str]:
    """Change fields of a car, recompute its facts, and return the names of the fields that really changed.

    Compared is with what is stored now, not with the instance: it is brought up to date, and what somebody else changed
    in other fields stays. Owner and status have actions of their own (``TypeError``); raises ``PlateTaken`` and
    ``CannotChangeVehicle``.
    """
    values = _with_read_plate(values)
    lock_car(vehicle)
    changed = _set_values(vehicle, values)
    if not changed:
        return []
    if "delivery_on" in changed:
        # What would have been due by the corrected date, and is over, was never promised.
        vehicle.care_from = max(vehicle.care_from, on)
        changed.append("care_from")
    if "inspection_valid_until" in changed:
        vehicle.inspection_since = on
        changed.append("inspection_since")
    elif vehicle.inspection_source == InspectionSource.ESTIMATE and _lost_its_age(vehicle, changed):
        # It was estimated from the date that is gone.
        vehicle.inspection_valid_until, vehicle.inspection_source = None, ""
        changed += ["inspection_valid_until", "inspection_source"]
    with acting(by):
        _save(vehicle, update_fields=changed)
        _refresh(vehicle, on=on)
        if "delivery_on" in changed:
            refresh_delivery_dates([vehicle.owner_id], on=on)
    announce(vehicle.owner_id)
    return changed


def _lost_its_age(vehicle: Vehicle, changed: Sequence[str]) -> bool:
    dates = {"registered_on", "delivery_on", "purchase_on"}
    return not dates.isdisjoint(changed) and not any(getattr(vehicle, name) for name in dates)


def announce(*customer_ids: int) -> None:
    """Tell the rest of the house, once the transaction is committed, that facts of these customers' cars changed."""
    transaction.on_commit(lambda: care_facts_changed.send(sender=Vehicle, customer_ids=list(customer_ids)))


def _refresh(vehicle: Vehicle, *, on: date) -> None:
    refresh_vehicle_facts([vehicle.pk], on=on)
    vehicle.refresh_from_db(fields=list(_FACT_TYPES))


@transaction.atomic
def transfer_owner(*, vehicle: Vehicle, to: Customer, on: date, by: User | None) -> Vehicle:
    """Give a car to another customer of ours: care for it is promised to the new owner from ``on``.

    The old ownership ends that day, the car goes to the new owner's store and is in use. Raises
    ``CannotTransferOwner`` when the customer has it already or the old ownership began later, and ``PlateTaken``.
    """
    lock_car(vehicle, to.pk)
    return _transfer(vehicle, to, on=on, by=by)


def _transfer(vehicle: Vehicle, to: Customer, *, on: date, by: User | None) -> Vehicle:
    before = vehicle.owner_id
    if before == to.pk:
        raise CannotTransferOwner(_("The customer is the owner of this car already."))
    open_ownership = vehicle.ownerships.filter(ended_on=None).first()
    if open_ownership and open_ownership.started_on > on:
        raise CannotTransferOwner(
            _("The present owner has had the car since %(day)s only.") % {"day": open_ownership.started_on}
        )
    vehicle.owner, vehicle.store_id, vehicle.care_from = to, to.store_id, on
    vehicle.status = VehicleStatus.IN_USE
    with acting(by):
        if open_ownership:
            open_ownership.ended_on = on
            open_ownership.save(update_fields=["ended_on"])
        Ownership.objects.create(vehicle=vehicle, customer=to, started_on=on)
        _save(vehicle, update_fields=["owner", "store", "care_from", "status"])
        refresh_delivery_dates([before, to.pk], on=on)
        _settle_owner(vehicle, before, by=by)
    announce(before, to.pk)
    return vehicle


@transaction.atomic
def change_status(*, vehicle: Vehicle, status: VehicleStatus, on: date, by: User | None) -> Vehicle:
    """Say what became of a car. Care ends when it is no longer in use (domain §3.6, 8).

    Sold or scrapped, the ownership ends on ``on`` and nobody need ask for the owner any more; back in use, care is
    promised again from ``on``, to the same owner.
    Raises ``PlateTaken`` when its plate is on another car by now.
    """
    lock_car(vehicle)
    return _set_status(vehicle, status, on=on, by=by)


def _set_status(vehicle: Vehicle, status: VehicleStatus, *, on: date, by: User | None) -> Vehicle:
    if vehicle.status == status:
        return vehicle
    vehicle.status = status
    changed = ["status"]
    with acting(by):
        open_ownership = vehicle.ownerships.filter(ended_on=None).first()
        if status == VehicleStatus.IN_USE:
            vehicle.care_from = on
            changed.append("care_from")
            if open_ownership is None:
                Ownership.objects.create(vehicle=vehicle, customer_id=vehicle.owner_id, started_on=on)
        elif status in (VehicleStatus.TRANSFERRED, VehicleStatus.SCRAPPED) and open_ownership:
            open_ownership.ended_on = max(on, open_ownership.started_on)
            open_ownership.save(update_fields=["ended_on"])
        _save(vehicle, update_fields=changed)
        refresh_delivery_dates([vehicle.owner_id], on=on)
        if status in (VehicleStatus.TRANSFERRED, VehicleStatus.SCRAPPED):
            _settle_owner(vehicle, vehicle.owner_id, by=by)
    announce(vehicle.owner_id)
    return vehicle


@transaction.atomic
def correct_owner(*, vehicle: Vehicle, was: int, to: Customer | None, on: date, by: User | None) -> Vehicle:
    """Write down who has a car now, after somebody asked: a customer of ours, or with None nobody whom we know.

    ``was`` is the owner, by id, whom the person who decides had before their eyes; the same customer as ``to`` says
    that they have the car, so one that was taken for sold is in use again. Whatever waited for the answer is settled
    (``signals.owner_settled``). Raises ``CannotTransferOwner`` when the car has changed hands meanwhile or as
    ``transfer_owner`` does, and ``PlateTaken``.
    """
    lock_car(vehicle, *([to.pk] if to else []))
    if vehicle.owner_id != was:
        raise CannotTransferOwner(_("The car has changed hands meanwhile. Look at its owner again."))
    if to is not None and to.pk != was:
        return _transfer(vehicle, to, on=on, by=by)
    if to is None:
        _set_status(vehicle, VehicleStatus.TRANSFERRED, on=on, by=by)
    elif vehicle.status == VehicleStatus.TRANSFERRED:
        _set_status(vehicle, VehicleStatus.IN_USE, on=on, by=by)
    _settle_owner(vehicle, was, by=by)
    return vehicle


def _settle_owner(vehicle: Vehicle, customer_id: int, *, by: User | None) -> None:
    owner_settled.send(sender=Vehicle, vehicle_id=vehicle.pk, customer_id=customer_id, by=by)


# --- What happens to a car --------------------------------------------------------------------------------------


@transaction.atomic
def add_reading(
    *,
    vehicle: Vehicle,
    on: date,
    km: int,
    source: OdometerSource,
    by: User | None,
    note: str = "",
    is_new_odometer: bool = False,
    known_on: date | None = None,
) -> OdometerReading:
    """Add a line to the odometer log and recompute the car's facts; the same line twice is one line.

    ``known_on`` is the day on which we came to know, ``on`` unless told: a forecast that moves is known since then
    (ADR 0006). Odd readings are kept: look at ``flag`` of the answer (domain §1.2).
    """
    reading, _is_new = OdometerReading.objects.get_or_create(
        vehicle=vehicle,
        on=on,
        km=km,
        defaults={"source": source, "note": note[:200], "is_new_odometer": is_new_odometer},
    )
    with acting(by):
        _refresh(vehicle, on=known_on or on)
    reading.refresh_from_db()
    announce(vehicle.owner_id)
    return reading


@transaction.atomic
def service_done_elsewhere(
    *, vehicle: Vehicle, on: date, by: User | None, km: int | None = None, known_on: date | None = None
) -> Vehicle:
    """Remember that another workshop serviced the car: the next service is counted from there (domain §3.4).

    ``known_on`` is the day on which the customer told us, ``on`` unless told: the new forecast is known since then
    (ADR 0006).
    """
    lock_car(vehicle)
    changed = []
    if vehicle.first_service_done_on is None and vehicle.next_service_kind in ("", ServiceKind.FIRST):
        vehicle.first_service_done_on = on
        changed.append("first_service_done_on")
    if vehicle.last_service_on is None or on >= vehicle.last_service_on:
        vehicle.last_service_on, vehicle.last_service_km = on, km
        changed += ["last_service_on", "last_service_km"]
    with acting(by):
        if changed:
            vehicle.save(update_fields=changed)
        if km is not None:
            OdometerReading.objects.get_or_create(
                vehicle=vehicle,
                on=on,
                km=km,
                defaults={"source": OdometerSource.CUSTOMER, "note": _("Serviced elsewhere")},
            )
        _refresh(vehicle, on=known_on or on)
    announce(vehicle.owner_id)
    return vehicle


@transaction.atomic
def add_policy(
    *,
    vehicle: Vehicle,
    kind: PolicyKind,
    ends_on: date,
    by: User | None,
    starts_on: date | None = None,
    insurer: str = "",
    number: str = "",
    premium: Decimal | None = None,
    is_bought_here: bool = False,
    on: date | None = None,
) -> InsurancePolicy:
    """Enter an insurance policy of a car; the same kind with the same end again corrects the one on file.

    ``on`` is the day from which its end is known; none means that it was known when the car was entered.

    Raises ``CannotChangeVehicle`` when it would end before it starts.
    """
    if starts_on is not None and ends_on <= starts_on:
        raise CannotChangeVehicle(_("A policy ends after it starts."))
    details = {
        "starts_on": starts_on,
        "insurer": insurer,
        "number": number,
        "premium": premium,
        "is_bought_here": is_bought_here,
    }
    lock_car(vehicle)
    with acting(by):
        policy, _is_new = InsurancePolicy.objects.update_or_create(
            vehicle=vehicle,
            kind=kind,
            ends_on=ends_on,
            defaults=details,
            create_defaults={**details, "known_since": on},
        )
    announce(vehicle.owner_id)
    return policy


@transaction.atomic
def confirm_inspection(
    *, vehicle: Vehicle, valid_until: date, source: InspectionSource, on: date, by: User | None
) -> Vehicle:
    """Enter until when the inspection is valid as read from a document: it beats every estimate (domain §1.2)."""
    lock_car(vehicle)
    if vehicle.inspection_valid_until != valid_until:
        vehicle.inspection_since = on
    vehicle.inspection_valid_until, vehicle.inspection_source = valid_until, source
    with acting(by):
        vehicle.save(update_fields=["inspection_valid_until", "inspection_source", "inspection_since"])
    announce(vehicle.owner_id)
    return vehicle
