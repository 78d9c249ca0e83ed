"""The rows of made-up customers, as text for COPY. Needs no database, so that several processes can write at once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from functools import lru_cache
from typing import Any

from core.fields import cipher, keyed_digest
from customers.models import Consent, ContactPerson, Customer, PersonalEvent
from customers.rules import name_search_terms
from followups.choices import NextStepKind
from followups.demo.catalogue import SERIES, DemoSeries
from followups.demo.copying import CopyTable, CopyText, array_literal
from followups.demo.files import DemoCar, DemoContact, DemoCustomer, DemoReading
from followups.demo.keys import FileIds, Keys
from followups.demo.people import TIME_ZONE, DemoWorld
from followups.models import ContactLog, NextStep
from service.choices import MAINTENANCE, JobType
from service.models import SuggestedWork, WorkOrder
from vehicles.actions import vehicle_facts
from vehicles.choices import OdometerFlag, VehicleStatus
from vehicles.models import InsurancePolicy, OdometerReading, Ownership, Vehicle
from vehicles.rules import Reading, flag_readings


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


class RowWriter:
    """Composes the rows of one world. Facts that actions keep are computed by the same rules, from the rows beside."""

    def __init__(self, world: DemoWorld, keys: Keys) -> None:
        self.world, self.keys, self.today = world, keys, world.today
        self.days_of_orders: Counter[date] = Counter()
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

    def compose(self, indexes: Iterable[int]) -> dict[str, CopyText]:
        """Return the rows of the customers with these indexes, by the kind of row, in the order of foreign keys."""
        for index in indexes:
            self._add_customer(self.world.customer(index))
        return {name: table.take() for name, table in self.tables.items()}

    def _add_customer(self, file: DemoCustomer) -> None:
        ids = self.keys.ids_of(file.index)
        pk, store = ids.customer, self.keys.stores[file.store]
        self.days_of_orders.clear()
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
            None if file.referrer is None else self.keys.ids_of(file.referrer).customer,
            self.keys.users[file.sales_consultant],
            self.keys.users[file.service_adviser],
            self.keys.users[file.care_specialist],
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
                self.keys.users[consent.by],
            )  # fmt: skip
        for name, on, is_yearly in file.events:
            self.events.add(pk, name, on, is_yearly)
        cars = []
        for car, visit in zip(file.cars, visits, strict=True):
            cars.append(next(ids.cars))
            self._add_car(car, visit, cars[-1], file=file, ids=ids)
        for contact in file.contacts:
            vehicle = None if contact.car is None else cars[contact.car]
            self._add_contact(contact, next(ids.contacts), customer=pk, store=store, vehicle=vehicle)

    def _add_car(self, car: DemoCar, visits: "_Visits", pk: int, *, file: DemoCustomer, ids: "FileIds") -> None:
        owner, store = ids.customer, self.keys.stores[file.store]
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
            store,
            owner,
            max(car.delivery_on, self.world.live_on),
            self.keys.models[car.series.brand, car.series.name, car.model_year, car.trim],
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
            order_id = next(ids.orders)
            number = self._order_number(file, order.arrived_on)
            self.orders.add(
                order_id, store, number, pk, owner, order.job_type, order.summary, order.arrived_on, order.km,
                order.handed_over_on, self.keys.users[order.adviser], order.amount,
            )  # fmt: skip
            if suggestion := order.suggestion:
                self.suggestions.add(order_id, suggestion.text, suggestion.on, suggestion.status)

    def _order_number(self, file: DemoCustomer, on: date) -> str:
        """Return a number that no other order of the store has, found without asking what others were given."""
        self.days_of_orders[on] += 1
        again = self.days_of_orders[on]
        return f"R{file.store}{on:%y%m%d}{file.index + 1:06d}" + (f"-{again}" if again > 1 else "")

    def _add_contact(self, contact: DemoContact, pk: int, *, customer: int, store: int, vehicle: int | None) -> None:
        by = self.keys.users[contact.by]
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
