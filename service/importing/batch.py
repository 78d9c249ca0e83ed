"""What is on file about the customers and cars that a batch of rows speaks of: a few queries for a thousand rows."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from accounts.models import Store
from core.fields import keyed_digest
from customers.choices import CustomerStatus
from customers.models import Consent, ContactPerson, Customer
from service.importing.reading import Row
from service.importing.rows import CatalogueKey, ParsedRow
from vehicles.choices import VehicleStatus
from vehicles.models import CarModel, InsurancePolicy, OdometerReading, Vehicle


@dataclass(eq=False)
class Entry:
    """A customer or car that rows speak of, with what became of it. ``pk`` in hand or still to come."""

    instance: Any
    is_new: bool
    is_seen: bool
    changed: set[str] = field(default_factory=set)
    # Set when something beside its own columns came in: a reading, a policy, a contact person.
    is_touched: bool = False


@dataclass(eq=False, kw_only=True)
class CarEntry(Entry):
    """A car that this batch enters: its owner may have no id yet."""

    owner: Entry


@dataclass
class Batch:
    """What is on file about the customers and cars that a batch of rows speaks of, and what the rows add to it."""

    vehicles: dict[str, Entry] = field(default_factory=dict)
    customers: dict[int, Entry] = field(default_factory=dict)
    by_number: dict[str, Entry] = field(default_factory=dict)
    by_id_number: dict[str, Entry] = field(default_factory=dict)
    by_credit_code: dict[str, Entry] = field(default_factory=dict)
    by_phone_and_name: dict[tuple[str, str], Entry] = field(default_factory=dict)
    by_mobile: dict[str, Entry] = field(default_factory=dict)
    numbers_elsewhere: set[str] = field(default_factory=set)
    # In use: plate → VIN.
    plates: dict[str, str] = field(default_factory=dict)
    freed_plates: set[str] = field(default_factory=set)
    has_retaken_plates: bool = False
    models: dict[CatalogueKey, CarModel] = field(default_factory=dict)
    readings: dict[str, set[tuple[date, int]]] = field(default_factory=lambda: defaultdict(set))
    policies: dict[str, set[tuple[str, date]]] = field(default_factory=lambda: defaultdict(set))
    contacts: set[tuple[int, str]] = field(default_factory=set)
    # Lines of the consent ledger: customer, purpose, channel, moment.
    withdrawals: set[tuple[int, str, str, datetime]] = field(default_factory=set)

    new_customers: list[Entry] = field(default_factory=list)
    new_vehicles: list[Entry] = field(default_factory=list)
    new_readings: dict[str, list[OdometerReading]] = field(default_factory=lambda: defaultdict(list))
    new_policies: list[InsurancePolicy] = field(default_factory=list)
    new_contacts: list[ContactPerson] = field(default_factory=list)
    new_consents: list[Consent] = field(default_factory=list)
    used: dict[int, Entry] = field(default_factory=dict)

    # Numbers of the file for customers who have another number here.
    aliases: dict[str, Entry] = field(default_factory=dict)
    refused: list[tuple[Row, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    unchanged: int = 0

    def index_customer(self, entry: Entry) -> None:
        customer = entry.instance
        if customer.pk:
            self.customers[customer.pk] = entry
        if customer.number:
            self.by_number.setdefault(customer.number, entry)
        if customer.id_number_hash:
            self.by_id_number.setdefault(customer.id_number_hash, entry)
        if customer.credit_code:
            self.by_credit_code.setdefault(customer.credit_code, entry)
        if customer.mobile and customer.status == CustomerStatus.ACTIVE:
            self.by_mobile.setdefault(customer.mobile, entry)
        for phone in (customer.mobile, customer.other_phone):
            if phone:
                self.by_phone_and_name.setdefault((phone, plain_name(customer.name)), entry)


def plain_name(name: str) -> str:
    """Return a name as it is compared: without spaces, capitals and full-width forms."""
    return re.sub(r"[\s·•・.]", "", unicodedata.normalize("NFKC", name)).casefold()


class IdSet:
    """A set of ids with a bit for each: those of one import lie close together, and there may be a million."""

    _BLOCK = 1 << 16

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def add(self, pk: int) -> None:
        """Add an id."""
        block, bit = divmod(pk, self._BLOCK)
        self._blocks.setdefault(block, bytearray(self._BLOCK // 8))[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, pk: int) -> bool:
        block, bit = divmod(pk, self._BLOCK)
        return block in self._blocks and bool(self._blocks[block][bit >> 3] >> (bit & 7) & 1)


@dataclass
class Memory:
    """What an import remembers from batch to batch: the ids it has met, a bit or two a row."""

    seen_customers: IdSet = field(default_factory=IdSet)
    seen_vehicles: IdSet = field(default_factory=IdSet)
    counted_customers: IdSet = field(default_factory=IdSet)
    counted_vehicles: IdSet = field(default_factory=IdSet)
    aliases: dict[str, int] = field(default_factory=dict)
    models: dict[CatalogueKey, CarModel] = field(default_factory=dict)


def look_up(rows: Iterable[ParsedRow], *, store: Store, memory: Memory) -> Batch:
    """Return what is on file about the rows: cars of the whole group, customers of the store, plates in use.

    Catalogue entries that are missing are made on the way.
    """
    rows = [row for row in rows if not row.problems]
    batch = Batch(models=dict(memory.models))
    cars = list(Vehicle.objects.filter(vin__in={row.vin for row in rows if row.vin}).order_by("pk"))
    for car in cars:
        batch.vehicles[car.vin] = Entry(car, is_new=False, is_seen=car.pk in memory.seen_vehicles)
    owners = {car.owner_id for car in cars if car.store_id == store.pk}
    _look_up_customers(rows, owners, batch, store=store, memory=memory)
    plates = {row.car["plate"] for row in rows if "plate" in row.car}
    in_use = Vehicle.objects.filter(plate__in=plates, status=VehicleStatus.IN_USE).order_by("pk")
    batch.plates = dict(in_use.values_list("plate", "vin"))
    _look_up_models(rows, batch)
    vins = {car.pk: car.vin for car in cars}
    readings = OdometerReading.objects.filter(vehicle__in=vins).order_by()
    for vehicle_id, day, km in readings.values_list("vehicle_id", "on", "km"):
        batch.readings[vins[vehicle_id]].add((day, km))
    policies = InsurancePolicy.objects.filter(vehicle__in=vins).order_by()
    for vehicle_id, kind, day in policies.values_list("vehicle_id", "kind", "ends_on"):
        batch.policies[vins[vehicle_id]].add((kind, day))
    if any(row.contact for row in rows):
        people = ContactPerson.objects.filter(customer__in=batch.customers).order_by()
        batch.contacts = set(people.values_list("customer_id", "name"))
    if any(row.refused_channels for row in rows):
        lines = Consent.objects.filter(customer__in=batch.customers, is_given=False).order_by()
        batch.withdrawals = set(lines.values_list("customer_id", "purpose", "channel", "at"))
    return batch


def _look_up_customers(
    rows: Iterable[ParsedRow], owners: Set[int], batch: Batch, *, store: Store, memory: Memory
) -> None:
    numbers = {row.number for row in rows if row.number}
    ids = set(owners) | {memory.aliases[number] for number in numbers & memory.aliases.keys()}
    taken = Customer.objects.filter(number__in=numbers).order_by()
    for pk, number, store_id in taken.values_list("pk", "number", "store_id"):
        if store_id == store.pk:
            ids.add(pk)
        else:
            batch.numbers_elsewhere.add(number)
    mine = Customer.objects.filter(store=store).order_by()
    for condition, values in _keys_of_customers(rows).items():
        if values:
            ids.update(mine.filter(**{condition: values}).values_list("pk", flat=True))
    for customer in mine.filter(pk__in=ids).order_by("pk"):
        batch.index_customer(Entry(customer, is_new=False, is_seen=customer.pk in memory.seen_customers))
    for number in numbers & memory.aliases.keys():
        batch.by_number[number] = batch.customers[memory.aliases[number]]


def _keys_of_customers(rows: Iterable[ParsedRow]) -> Mapping[str, set[str]]:
    """By what the customers of the rows may be found, as conditions of a query."""
    given: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name in ("id_number", "mobile", "other_phone", "credit_code"):
            if value := row.customer.get(name):
                given[name].add(value)
    return {
        "id_number_hash__in": {keyed_digest(number) for number in given["id_number"]},
        "mobile__in": given["mobile"],
        "other_phone__in": given["other_phone"] - given["mobile"],
        "credit_code__in": given["credit_code"],
    }


def _look_up_models(rows: Iterable[ParsedRow], batch: Batch) -> None:
    missing = {row.catalogue for row in rows if row.catalogue and row.vin} - batch.models.keys()
    if not missing:
        return
    CarModel.objects.bulk_create(
        [
            CarModel(brand=key.brand, series=key.series, year=key.year, trim=key.trim, **energy)
            for key, energy in _energies(rows, missing)
        ],
        ignore_conflicts=True,
    )
    entries = CarModel.objects.filter(series__in={key.series for key in missing}).order_by("pk")
    for model in entries.select_related("service_plan", "warranty_policy"):
        batch.models[CatalogueKey(model.brand, model.series, model.year, model.trim)] = model


def _energies(rows: Iterable[ParsedRow], keys: Iterable[CatalogueKey]) -> Iterator[tuple[CatalogueKey, dict[str, str]]]:
    """New catalogue entries with the energy that most of their cars have in this batch."""
    votes: dict[CatalogueKey, Counter[str]] = defaultdict(Counter)
    for row in rows:
        energy = row.car.get("energy") or row.car_hints.get("energy")
        if row.catalogue and energy:
            votes[row.catalogue][energy] += 1
    for key in sorted(keys, key=lambda k: (k.brand, k.series, k.year or 0, k.trim)):
        yield key, {"energy": votes[key].most_common(1)[0][0]} if votes[key] else {}
