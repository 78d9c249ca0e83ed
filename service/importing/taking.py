"""Whose row it is and what it changes: one row after the other into a batch, in memory."""

from collections import defaultdict
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Field, Model
from django.utils.translation import gettext as _

from accounts.choices import Role
from accounts.models import Membership, Store, User
from core.fields import keyed_digest
from customers.actions.files import SEARCH_COLUMNS
from customers.choices import ConsentPurpose, DoNotContact
from customers.models import Consent, ContactPerson, Customer
from customers.rules import is_stricter
from service.importing.batch import Batch, CarEntry, Entry, plain_name
from service.importing.rows import STAFF, ParsedRow
from vehicles.choices import InspectionSource, OdometerSource, VehicleStatus
from vehicles.models import InsurancePolicy, OdometerReading, Vehicle
from vehicles.rules import has_lapsed

STAFF_ROLES = {
    "sales_consultant": Role.SALES_CONSULTANT,
    "service_adviser": Role.SERVICE_ADVISER,
    "care_specialist": Role.CARE_SPECIALIST,
}
# What happened to the car and may be known better here: the later date counts.
_LATEST_COUNTS = ("last_visit_on", "last_service_on")
_BIRTHDAY = frozenset(
    {"birthday_calendar", "birthday_year", "birthday_month", "birthday_day", "is_birthday_leap_month"}
)
# Whoever refuses a channel in a file refuses it for whatever it is about.
_REFUSED_PURPOSES = (ConsentPurpose.MARKETING, ConsentPurpose.SERVICE)


class RowRefused(Exception):
    """The row contradicts what is on file; the message says how."""


class RowTaker:
    """Takes the rows of one file into batches: finds the customer and the car, and compares."""

    def __init__(self, *, store: Store, on: date, by: User | None, now: datetime | None) -> None:
        self.store, self.on, self.by = store, on, by
        self.refused_at = self._refused_at(now)
        self.staff = self._staff()

    def _refused_at(self, now: datetime | None) -> datetime:
        """When the file refuses what it refuses: now, if it comes in on its own day; of another day nobody knows."""
        zone = ZoneInfo(self.store.time_zone)
        if now is not None and now.astimezone(zone).date() == self.on:
            return now
        return datetime.combine(self.on, time(12), zone)

    def _staff(self) -> dict[tuple[str, str], list[int]]:
        people: dict[tuple[str, str], list[int]] = defaultdict(list)
        members = Membership.objects.filter(store=self.store).active().select_related("user").order_by("pk")
        for member in members:
            for word in {plain_name(member.user.name), plain_name(member.user.username)} - {""}:
                people[member.role, word].append(member.user_id)
        return people

    def take(self, row: ParsedRow, batch: Batch) -> None:
        """Take a row into the batch; raise ``RowRefused`` before anything is changed."""
        car = batch.vehicles.get(row.vin) if row.vin else None
        if car and car.instance.store_id != self.store.pk:
            raise RowRefused(_("The VIN %(vin)s is on file elsewhere in the group.") % {"vin": row.vin})
        if row.number in batch.numbers_elsewhere:
            raise RowRefused(_("The customer no. %(number)s is in use elsewhere.") % {"number": row.number})
        owner = self._owner_of(car, batch)
        customer = self._customer_of(row, owner, batch)
        if car and owner is not customer:
            raise RowRefused(
                _(
                    "The car %(vin)s belongs to another customer, %(owner)s. If it was sold, transfer it on the page "
                    "of the car first; if it is the same person, make name and mobile agree."
                )
                % {"vin": row.vin, "owner": f"{owner.instance.number} {owner.instance.name}".strip() if owner else "?"}
            )
        self._refuse_taken_plate(row, car, batch)
        if customer is None and "name" not in row.customer:
            raise RowRefused(_("The name is missing."))
        if customer is None and not self._can_be_found_again(row):
            raise RowRefused(_("A mobile, ID number, customer no. or VIN is needed to know the customer again."))
        before = len(batch.new_customers) + len(batch.new_vehicles)
        entry, customer_changed = self._take_customer(row, customer, batch)
        car_changed = bool(row.vin) and self._take_car(row, car, entry, batch)
        created = len(batch.new_customers) + len(batch.new_vehicles) > before
        if not (created or customer_changed or car_changed):
            batch.unchanged += 1

    @staticmethod
    def _can_be_found_again(row: ParsedRow) -> bool:
        customer = row.customer
        return bool(row.number or row.vin or {"mobile", "other_phone", "id_number", "credit_code"} & customer.keys())

    @staticmethod
    def _owner_of(car: Entry | None, batch: Batch) -> Entry | None:
        if car is None:
            return None
        return car.owner if isinstance(car, CarEntry) else batch.customers.get(car.instance.owner_id)

    def _customer_of(self, row: ParsedRow, owner: Entry | None, batch: Batch) -> Entry | None:
        """The customer a row speaks of (domain §1.5): by number, ID number or credit code, phone and name, own car."""
        if found := batch.by_number.get(row.number) if row.number else None:
            return found
        values = row.customer
        name = plain_name(values.get("name", ""))
        candidates = []
        if "id_number" in values:
            candidates.append(batch.by_id_number.get(keyed_digest(values["id_number"])))
        if "credit_code" in values:
            candidates.append(batch.by_credit_code.get(values["credit_code"]))
        if name:
            phones = [values[key] for key in ("mobile", "other_phone") if key in values]
            candidates += [batch.by_phone_and_name.get((phone, name)) for phone in phones]
        if owner and (not name or plain_name(owner.instance.name) == name):
            candidates.append(owner)
        for candidate in candidates:
            if candidate and self._may_be(candidate, row):
                if row.number:
                    batch.by_number[row.number] = batch.aliases[row.number] = candidate
                return candidate
        return None

    @staticmethod
    def _may_be(candidate: Entry, row: ParsedRow) -> bool:
        """Two ID numbers are two people, and so are two customer numbers of one file."""
        known, given = candidate.instance.id_number_hash, keyed_digest(row.customer.get("id_number", ""))
        if known and given and known != given:
            return False
        return not (row.number and candidate.is_seen and candidate.instance.number != row.number)

    @staticmethod
    def _refuse_taken_plate(row: ParsedRow, car: Entry | None, batch: Batch) -> None:
        plate = row.car.get("plate")
        status = row.car.get("status") or (car.instance.status if car else VehicleStatus.IN_USE)
        holder = batch.plates.get(plate or "")
        if plate and holder not in (None, row.vin) and status == VehicleStatus.IN_USE:
            raise RowRefused(_("Another car in use has the plate %(plate)s.") % {"plate": plate})

    def _take_customer(self, row: ParsedRow, entry: Entry | None, batch: Batch) -> tuple[Entry, bool]:
        values = row.customer | self._staff_of(row, batch)
        if entry is None:
            customer = Customer(store=self.store, entered_on=self.on, number=row.number)
            entry = Entry(customer, is_new=True, is_seen=False)
            _overwrite(customer, values)
            _fill_blanks(customer, row.customer_hints)
            if customer.do_not_contact != DoNotContact.NONE:
                customer.do_not_contact_on, customer.do_not_contact_reason = self.on, _words_of_refusal(row)
            self._refuse_channels(row, customer, batch)
            customer.id_number_hash = keyed_digest(customer.id_number)
            _warn_of_same_mobile(row, customer, batch)
            batch.new_customers.append(entry)
            batch.index_customer(entry)
            changed = True
        else:
            changed = self._update_customer(row, entry, values, batch)
        entry.is_seen = True
        batch.used[id(entry)] = entry
        if row.contact and self._take_contact(row.contact, entry, batch):
            entry.is_touched = changed = True
        return entry, changed

    def _update_customer(self, row: ParsedRow, entry: Entry, values: dict[str, Any], batch: Batch) -> bool:
        customer = entry.instance
        wish = values.pop("do_not_contact", None)
        # The first row of a customer in a file has its say; later ones of the same customer fill what is empty.
        fields = (_fill_blanks if entry.is_seen else _overwrite)(customer, values)
        fields |= _fill_blanks(customer, row.customer_hints)
        if entry.is_seen and _differs(customer, values):
            _warn(batch, row, _("an earlier row of this customer says something else, which was kept"))
        # A file never lifts what the customer asked for.
        if wish and is_stricter(wish, customer.do_not_contact):
            customer.do_not_contact, customer.do_not_contact_on = wish, self.on
            customer.do_not_contact_reason = _words_of_refusal(row)
            fields |= {"do_not_contact", "do_not_contact_on", "do_not_contact_reason"}
        is_refusal = self._refuse_channels(row, customer, batch)
        entry.is_touched |= is_refusal
        if "mobile" in fields and customer.is_mobile_wrong:
            customer.is_mobile_wrong = False
            fields.add("is_mobile_wrong")
        if fields & _BIRTHDAY:
            customer.birthday_since = self.on
            fields.add("birthday_since")
        if "tier" in fields:
            customer.tier_since = self.on
            fields.add("tier_since")
        if fields & {"name", "id_number"}:
            customer.id_number_hash = keyed_digest(customer.id_number)
            fields |= set(SEARCH_COLUMNS)
        entry.changed |= fields
        return bool(fields) or is_refusal

    def _refuse_channels(self, row: ParsedRow, customer: Customer, batch: Batch) -> bool:
        """Withdraw the consent for channels that a row refuses and that are not refused yet; tell whether any was.

        A line that is in the ledger already was overruled by a later consent: it says nothing new.
        """
        refused = [channel for channel in row.refused_channels if channel not in customer.refused_channels]
        lines = [
            Consent(
                customer=customer,
                purpose=purpose,
                channel=channel,
                is_given=False,
                at=self.refused_at,
                evidence=_words_of_refusal(row),
                recorded_by=self.by,
            )
            for channel in refused
            for purpose in _REFUSED_PURPOSES
            if (customer.pk, purpose, channel, self.refused_at) not in batch.withdrawals
        ]
        batch.new_consents += lines
        customer.refused_channels = sorted({*customer.refused_channels, *refused})
        return bool(lines)

    def _staff_of(self, row: ParsedRow, batch: Batch) -> dict[str, Any]:
        found = {}
        for name in STAFF:
            word = row.staff.get(name)
            if not word:
                continue
            people = self.staff.get((STAFF_ROLES[name], plain_name(word)), [])
            if len(people) == 1:
                found[f"{name}_id"] = people[0]
            else:
                sentence = _("several people are called “%(name)s”") if people else _("nobody “%(name)s” in that role")
                _warn(batch, row, sentence % {"name": word})
        return found

    @staticmethod
    def _take_contact(contact: tuple[str, str, str], entry: Entry, batch: Batch) -> bool:
        name, role, mobile = contact
        key = (entry.instance.pk or -id(entry), name)
        if key in batch.contacts or plain_name(name) == plain_name(entry.instance.name):
            return False
        is_first = not any(customer == key[0] for customer, _name in batch.contacts)
        batch.contacts.add(key)
        batch.new_contacts.append(
            ContactPerson(customer=entry.instance, name=name, role=role, mobile=mobile, is_main=is_first)
        )
        return True

    def _take_car(self, row: ParsedRow, entry: "Entry | None", customer: Entry, batch: Batch) -> bool:
        values = dict(row.car)
        if row.catalogue:
            values["model_id"] = batch.models[row.catalogue].pk
        changed = True
        if entry is None:
            car = Vehicle(vin=row.vin, store=self.store, owner=customer.instance, care_from=self.on)
            if row.catalogue:
                car.model = batch.models[row.catalogue]
            entry = CarEntry(car, is_new=True, is_seen=False, owner=customer)
            _overwrite(car, values)
            _fill_blanks(car, row.car_hints)
            batch.vehicles[row.vin] = entry
            batch.new_vehicles.append(entry)
            batch.has_retaken_plates |= car.plate in batch.freed_plates
        else:
            changed = self._update_car(row, entry, values, batch)
        if entry.instance.plate and entry.instance.status == VehicleStatus.IN_USE:
            batch.plates[entry.instance.plate] = row.vin
        _note_visit(customer, row.car.get("last_visit_on"))
        entry.is_seen = True
        batch.used[id(entry)] = entry
        if self._take_happenings(row, entry, batch):
            entry.is_touched = changed = True
        return changed

    def _update_car(self, row: ParsedRow, entry: Entry, values: dict[str, Any], batch: Batch) -> bool:
        car = entry.instance
        _keep_what_is_newer(car, values, is_seen=entry.is_seen, on=self.on)
        if values.get("status") == VehicleStatus.IN_USE != car.status:
            # What staff learnt of a car is newer than the list it came from.
            del values["status"]
            _warn(batch, row, _("the car is on file as no longer in use; it stays so"))
        old_plate = car.plate
        fields = (_fill_blanks if entry.is_seen else _overwrite)(car, values)
        if "inspection_valid_until" in values:
            fields |= _overwrite(car, {name: values[name] for name in ("inspection_valid_until", "inspection_source")})
        # What would have been due by the dates of the file, and is over, was never promised.
        if "inspection_valid_until" in fields:
            car.inspection_since = self.on
            fields.add("inspection_since")
        if "delivery_on" in fields and car.care_from < self.on:
            car.care_from = self.on
            fields.add("care_from")
        entry.changed |= fields
        if "plate" in fields:
            batch.has_retaken_plates |= car.plate in batch.freed_plates
            if old_plate:
                batch.freed_plates.add(old_plate)
                batch.plates.pop(old_plate, None)
        if entry.is_seen and _differs(car, values):
            _warn(batch, row, _("an earlier row of this car says something else, which was kept"))
        return bool(fields)

    def _take_happenings(self, row: ParsedRow, entry: Entry, batch: Batch) -> bool:
        """Readings and policies of a row that are not on file yet."""
        is_new = False
        known = batch.readings[row.vin]
        for day, km in row.readings:
            # A mileage without a date is of today; the same file tomorrow is no news.
            if (day, km) in known or (day is None and any(km == other for _day, other in known)):
                continue
            known.add((day or self.on, km))
            batch.new_readings[row.vin].append(
                OdometerReading(vehicle=entry.instance, on=day or self.on, km=km, source=OdometerSource.IMPORT)
            )
            is_new = True
        policies = batch.policies[row.vin]
        for kind, ends_on, insurer in row.policies:
            if (kind, ends_on) not in policies:
                policies.add((kind, ends_on))
                since = None if entry.is_new else self.on
                batch.new_policies.append(
                    InsurancePolicy(
                        vehicle=entry.instance, kind=kind, ends_on=ends_on, insurer=insurer, known_since=since
                    )
                )
                is_new = True
        return is_new


def _words_of_refusal(row: ParsedRow) -> str:
    """What is kept as the reason of a wish that a file brought: what the cell says, or that it was the file."""
    return (_("Import: %(reason)s") % {"reason": row.refusal_reason} if row.refusal_reason else _("Import"))[:200]


def _warn(batch: Batch, row: ParsedRow, text: str) -> None:
    batch.warnings.append((row.source.line, text))


def _warn_of_same_mobile(row: ParsedRow, customer: Customer, batch: Batch) -> None:
    """A household, or one person entered twice: allowed, and worth a look (domain §1.1)."""
    other = batch.by_mobile.get(customer.mobile)
    if other is not None and other.instance.number:
        _warn(batch, row, _("customer %(number)s has the same mobile") % {"number": other.instance.number})
    elif other is not None:
        _warn(batch, row, _("another customer of this file has the same mobile"))


def _overwrite(instance: Model, values: dict[str, Any]) -> set[str]:
    fields = {name for name, value in values.items() if getattr(instance, name) != value}
    for name in fields:
        setattr(instance, name, values[name])
    return fields


def _fill_blanks(instance: Model, values: dict[str, Any]) -> set[str]:
    """Take values where nothing is known yet. A birthday is one value, whatever its parts.

    What stands in a new row for want of anything better, such as the tier, counts as nothing known.
    """
    if getattr(instance, "birthday_month", None) is not None:
        values = {name: value for name, value in values.items() if name not in _BIRTHDAY}
    fields = set()
    for name, value in values.items():
        known = getattr(instance, name)
        column = instance._meta.get_field(name)
        is_default = instance.pk is None and isinstance(column, Field) and known == column.get_default()
        if known != value and (known in (None, "") or is_default or name in _BIRTHDAY):
            setattr(instance, name, value)
            fields.add(name)
    return fields


def _differs(instance: Model, values: dict[str, Any]) -> bool:
    return any(getattr(instance, name) != value for name, value in values.items())


def _keep_what_is_newer(car: Vehicle, values: dict[str, Any], *, is_seen: bool, on: date) -> None:
    """Leave out what is known better here: a later visit or service, an inspection confirmed for longer.

    An inspection that has lapsed is known better by the estimate of the one that followed it. Were it taken again, the
    same file would change the car with each run; and it keeps no later row from saying until when the present one is.
    """
    service_on = values.get("last_service_on")
    if service_on and car.last_service_on and service_on < car.last_service_on:
        values.pop("last_service_km", None)
    for name in _LATEST_COUNTS:
        known = getattr(car, name)
        if name in values and known and values[name] <= known:
            del values[name]
    valid_until, known = values.get("inspection_valid_until"), car.inspection_valid_until
    if valid_until is None or known is None:
        return
    if car.inspection_source in ("", InspectionSource.ESTIMATE):
        is_known_better = has_lapsed(valid_until, on=on)
    else:
        is_known_better = valid_until <= known or (is_seen and not has_lapsed(known, on=on))
    if is_known_better:
        del values["inspection_valid_until"], values["inspection_source"]


def _note_visit(customer: Entry, visit_on: date | None) -> None:
    known = customer.instance.last_visit_on
    if visit_on and (known is None or visit_on > known):
        customer.instance.last_visit_on = visit_on
        customer.changed.add("last_visit_on")
