"""Writing what was taken from a thousand rows: locked in order, few statements, facts and wishes brought up to date."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Value
from django.db.models.functions import Greatest

from accounts.models import User
from core.actions import locked
from core.copying import copy_in
from customers.actions.files import SEARCH_COLUMNS, allocate_customer_numbers, fill_search_columns
from customers.actions.wishes import (
    IDENTITY,
    announce_wishes,
    lock_people,
    pass_on_wishes,
    refresh_refused_channels,
    take_over_wishes,
)
from customers.models import Customer
from customers.rules import is_stricter
from customers.signals import mobile_corrected
from service.importing.batch import Batch, Entry
from vehicles.actions import announce, fill_vehicle_facts, refresh_delivery_dates, refresh_vehicle_facts
from vehicles.choices import VehicleStatus
from vehicles.models import Ownership, Vehicle

# The longest that a contact after a delivery is promised for without a day to spare: D3, three days after it (domain
# §3.2). Whatever the file says of an older delivery can wait for the night.
PROMISED_AT_ONCE = timedelta(days=3)
_LEFT = (VehicleStatus.TRANSFERRED, VehicleStatus.SCRAPPED)


def save_batch(batch: Batch, *, on: date, by: User | None) -> None:
    """Write what was taken into a batch, as of a day. To be called in a transaction."""
    _lock_known(batch)
    _save_customers(batch, on=on)
    _save_cars(batch, on=on)
    # They were made before their car or customer had an id.
    for readings in batch.new_readings.values():
        for reading in readings:
            reading.vehicle = reading.vehicle
    for policy in batch.new_policies:
        policy.vehicle = policy.vehicle
    for person in batch.new_contacts:
        person.customer = person.customer
    for line in batch.new_consents:
        line.customer = line.customer
    copy_in([reading for readings in batch.new_readings.values() for reading in readings])
    copy_in(batch.new_policies)
    copy_in(batch.new_contacts)
    copy_in(batch.new_consents)
    _share_wishes(batch, by=by)
    _tell_of_numbers(batch, by=by)
    known_cars = [e for e in batch.used.values() if isinstance(e.instance, Vehicle) and not e.is_new]
    changed = [e for e in known_cars if e.changed or e.is_touched]
    refresh_vehicle_facts([e.instance.pk for e in changed], on=on)
    owners = {e.instance.owner_id for e in changed if e.changed & {"delivery_on", "status"}}
    owners |= {e.instance.owner_id for e in batch.new_vehicles}
    refresh_delivery_dates(owners, on=on)
    _announce_deliveries(batch, on=on)


def _announce_deliveries(batch: Batch, *, on: date) -> None:
    """Have care planned at once where a delivery of the last days came in: its first calls may be due today.

    For these alone: the night takes the rest of the file, and an old customer base asks nothing of the broker.
    """
    cars = [entry for entry in batch.used.values() if isinstance(entry.instance, Vehicle)]
    delivered = {
        entry.instance.owner_id
        for entry in cars
        if (entry.is_new or "delivery_on" in entry.changed)
        and entry.instance.status == VehicleStatus.IN_USE
        and entry.instance.delivery_on is not None
        and entry.instance.delivery_on >= on - PROMISED_AT_ONCE
    }
    if delivered:
        announce(*sorted(delivered))


def _tell_of_numbers(batch: Batch, *, by: User | None) -> None:
    """Say whose number the file put right, so that nobody is asked to correct it any more."""
    known = [e for e in batch.used.values() if isinstance(e.instance, Customer) and not e.is_new]
    if corrected := sorted(e.instance.pk for e in known if "mobile" in e.changed and e.instance.mobile):
        mobile_corrected.send(sender=Customer, customer_ids=corrected, by=by)


def _share_wishes(batch: Batch, *, by: User | None) -> None:
    """Bring the wishes of the batch into the other files of the same people in the group, and theirs into these."""
    known = [e for e in batch.used.values() if isinstance(e.instance, Customer) and not e.is_new]
    refusing = {line.customer_id for line in batch.new_consents}
    stricter = {e.instance.pk for e in known if "do_not_contact" in e.changed or e.instance.pk in refusing}
    refresh_refused_channels(refusing)
    somebody_else = {e.instance.pk for e in known if e.changed & IDENTITY}
    new = {e.instance.pk for e in batch.new_customers}
    pass_on_wishes(new | somebody_else | stricter, by=by)
    taken_over = set(take_over_wishes(new | somebody_else, by=by))
    # For the new ones nothing is planned that could be forbidden.
    announce_wishes(stricter | taken_over - new)


def _save_customers(batch: Batch, *, on: date) -> None:
    for car in batch.new_vehicles:
        owner, delivery_on = car.instance.owner, car.instance.delivery_on
        if owner.pk is None and delivery_on and car.instance.status == VehicleStatus.IN_USE:
            owner.last_delivery_on = max(delivery_on, owner.last_delivery_on or delivery_on)
    new = [entry.instance for entry in batch.new_customers]
    unnumbered = [customer for customer in new if not customer.number]
    numbers = allocate_customer_numbers(len(unnumbered), on=on)
    for customer, number in zip(unnumbered, numbers, strict=True):
        customer.number = number
    for customer in new:
        fill_search_columns(customer)
    copy_in(new)
    known = [e for e in batch.used.values() if isinstance(e.instance, Customer) and not e.is_new and e.changed]
    for entry in known:
        if entry.changed & set(SEARCH_COLUMNS):
            fill_search_columns(entry.instance)
        if "salutation" in entry.changed:  # said by the file, or by the ID number that it brought
            entry.instance.salutation_since = on
            entry.changed.add("salutation_since")
        if "last_visit_on" in entry.changed:
            entry.instance.last_visit_since = on
            entry.changed.add("last_visit_since")
    _update_by_fields(known)


def _save_cars(batch: Batch, *, on: date) -> None:
    for entry in batch.new_vehicles:
        car = entry.instance
        car.owner = car.owner  # its id is known by now
        fill_vehicle_facts(car, batch.new_readings[car.vin], on=on)
    known = [e for e in batch.used.values() if isinstance(e.instance, Vehicle) and not e.is_new and e.changed]
    if batch.has_retaken_plates:
        # A plate that one car gives up and another takes within the batch must be free in between.
        movers = [e.instance.pk for e in known if "plate" in e.changed]
        Vehicle.objects.filter(pk__in=movers).update(plate="")
    _update_by_fields(known)
    new = [entry.instance for entry in batch.new_vehicles]
    copy_in(new)
    copy_in([_ownership_of(car, on=on) for car in new])
    left = [e.instance.pk for e in known if "status" in e.changed and e.instance.status in _LEFT]
    open_ones = Ownership.objects.filter(vehicle__in=left, ended_on=None)
    open_ones.update(ended_on=Greatest("started_on", Value(on)))


def _ownership_of(car: Vehicle, *, on: date) -> Ownership:
    started_on = car.delivery_on or on
    ended_on = on if car.status in _LEFT else None
    return Ownership(vehicle=car, customer_id=car.owner_id, started_on=started_on, ended_on=ended_on)


def _lock_known(batch: Batch) -> None:
    """Lock the customers and cars on file that a batch may write, in the order of ADR 0011.

    With the customers go the other files of the same people. What was asked for since the batch was looked up stays
    when it is stricter.
    """
    cars = [e.instance for e in batch.used.values() if isinstance(e.instance, Vehicle)]
    written = [e for e in batch.used.values() if isinstance(e.instance, Customer)]
    people = {e.instance.pk for e in written} | {car.owner.pk if car.pk is None else car.owner_id for car in cars}
    tells = [e.instance for e in written if e.is_new or e.changed & IDENTITY]
    lock_people(
        people - {None},
        mobiles=[customer.mobile for customer in tells],
        id_number_hashes=[customer.id_number_hash for customer in tells],
    )
    refusing = {e.instance.pk: e for e in written if not e.is_new and "do_not_contact" in e.changed}
    for pk, level in Customer.objects.filter(pk__in=refusing).order_by().values_list("pk", "do_not_contact"):
        if not is_stricter(refusing[pk].instance.do_not_contact, level):
            refusing[pk].changed -= {"do_not_contact", "do_not_contact_on", "do_not_contact_reason"}
    list(locked(Vehicle.objects.filter(pk__in=[car.pk for car in cars if car.pk])).values_list("pk"))


def _update_by_fields(entries: Sequence[Entry]) -> None:
    """Write each changed row with the columns that changed, and no others: few statements, honest history."""
    groups: dict[frozenset[str], list[Any]] = defaultdict(list)
    for entry in entries:
        groups[frozenset(name.removesuffix("_id") for name in entry.changed)].append(entry.instance)
    for names, instances in sorted(groups.items(), key=lambda group: sorted(group[0])):
        type(instances[0])._default_manager.bulk_update(instances, sorted(names))
