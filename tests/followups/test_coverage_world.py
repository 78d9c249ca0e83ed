"""A little world of everything that makes promises, planned for sixty nights and then checked by the second opinion."""

import json
import random
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from core.actions import fill_calendar
from customers.actions.files import update_customer
from customers.choices import BirthdayCalendar, CustomerStatus, DoNotContact, Salutation, Tier
from customers.models import Customer
from followups.coverage import check_coverage
from followups.models import CareRule, TouchPoint
from followups.planner import plan_care
from service.actions import refresh_visit_facts
from service.choices import JobType
from tests.factories import (
    CareRuleFactory,
    ContactLogFactory,
    CustomerFactory,
    InsurancePolicyFactory,
    OdometerReadingFactory,
    PersonalEventFactory,
    SuggestedWorkFactory,
    VehicleFactory,
    WorkOrderFactory,
    vin,
)
from tests.planning import only
from vehicles.actions import (
    CannotChangeVehicle,
    change_status,
    create_vehicle,
    refresh_delivery_dates,
    refresh_vehicle_facts,
    transfer_owner,
    update_vehicle,
)
from vehicles.choices import PolicyKind, Use, VehicleStatus
from vehicles.models import Vehicle

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 12, 1), date(2027, 1, 29)
# The planner stands still for weeks in between and then catches up.
NIGHTS = (FIRST, FIRST + timedelta(days=1), date(2026, 12, 20), LAST)
ENTERED = (date(2026, 10, 1), date(2026, 11, 20))
SHANGHAI = ZoneInfo("Asia/Shanghai")


class World:
    """Customers with cars, visits, policies, birthdays and contacts of all kinds; the same for the same seed."""

    def __init__(self, stores, *, seed: int) -> None:
        self.stores = stores
        self.chance = random.Random(seed)

    def fill(self, customers: int) -> None:
        people = [self.make_customer() for _ in range(customers)]
        cars = [self.make_car(one) for one in people for _ in range(self.chance.choice([0, 1, 1, 2]))]
        refresh_visit_facts([car.pk for car in cars], on=ENTERED[1])
        refresh_vehicle_facts([car.pk for car in cars], on=ENTERED[1])
        refresh_delivery_dates([one.pk for one in people], on=ENTERED[0])

    def day(self, first: date, last: date) -> date:
        return first + timedelta(days=self.chance.randrange((last - first).days + 1))

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    def make_customer(self):
        pick = self.chance.choice
        lunar = self.happens(0.4)
        customer = CustomerFactory(
            store=pick(self.stores),
            entered_on=self.day(*ENTERED),
            status=CustomerStatus.DECEASED if self.happens(0.05) else CustomerStatus.ACTIVE,
            salutation=pick(Salutation.values),
            tier=pick(Tier.values),
            do_not_contact=pick(DoNotContact.values),
            birthday_calendar=BirthdayCalendar.LUNAR if lunar else BirthdayCalendar.SOLAR,
            birthday_month=pick([1, 2, 10, 11, 12]),
            birthday_day=pick([1, 10, 25, 28, 29, *([30] if lunar else [])]),
            is_birthday_leap_month=lunar and self.happens(0.3),
        )
        if self.happens(0.3):
            PersonalEventFactory(customer=customer, on=self.day(FIRST, LAST).replace(year=2020), is_yearly=True)
        if self.happens(0.2):
            PersonalEventFactory(customer=customer, on=self.day(FIRST, LAST), is_yearly=False)
        for _ in range(pick([0, 0, 1, 2])):
            at = datetime.combine(self.day(date(2025, 6, 1), date(2026, 11, 20)), time(10), SHANGHAI)
            ContactLogFactory(customer=customer, at=at, by=None, not_reached=self.happens(0.2))
        spoken_to = customer.contact_logs.filter(is_effective=True).order_by("-on").first()
        if spoken_to:
            customer.last_effective_contact_on = spoken_to.on
            customer.save(update_fields=["last_effective_contact_on"])
        return customer

    def make_car(self, owner):
        delivery_on = self.chance.choice(
            [
                self.day(date(2018, 1, 1), date(2026, 11, 20)),
                self.day(date(2025, 1, 5), date(2025, 2, 20)),
                date(2024, 2, 29),
                date(2026, 8, 31),
            ]
        )
        car = VehicleFactory(
            owner=owner,
            care_from=owner.entered_on,
            delivery_on=delivery_on if self.happens(0.95) else None,
            purchase_on=delivery_on,
            registered_on=delivery_on,
            use=self.chance.choice([Use.PRIVATE, Use.PRIVATE, Use.OFFICIAL, Use.COMMERCIAL]),
            energy=self.chance.choice(["petrol", "bev"]),
            status=VehicleStatus.SCRAPPED if self.happens(0.08) else VehicleStatus.IN_USE,
        )
        self.bring_to_workshop(car, delivery_on)
        for kind in PolicyKind.values:
            if self.happens(0.7):
                ends_on = self.day(FIRST - timedelta(days=10), LAST + timedelta(days=50))
                InsurancePolicyFactory(vehicle=car, kind=kind, starts_on=None, ends_on=ends_on)
                if self.happens(0.2):
                    later = ends_on + timedelta(days=365)
                    InsurancePolicyFactory(vehicle=car, kind=kind, starts_on=None, ends_on=later)
        return car

    def bring_to_workshop(self, car, delivery_on: date) -> None:
        visits = {self.day(date(2025, 11, 25), date(2026, 11, 20)) for _ in range(self.chance.choice([0, 1, 2]))}
        if self.happens(0.3):
            visits.add(date(2026, 11, 28))
        km = 0
        for on in sorted(on for on in visits if on > delivery_on):
            km += self.chance.randrange(500, 15000)
            OdometerReadingFactory(vehicle=car, on=on, km=km)
            kind = self.chance.choice(JobType.values)
            order = WorkOrderFactory(vehicle=car, arrived_on=on, km=km, job_type=kind)
            if self.happens(0.4):
                SuggestedWorkFactory(work_order=order, status=self.chance.choice(["open", "open", "done"]))


class Changes:
    """What happens to a world in a day: facts that come, go, are put right and are told late. By the actions."""

    KINDS = (
        "salutation",
        "tier",
        "transfer",
        "gone",
        "back",
        "bought",
        "first_service",
        "delivery",
        "visit",
        "contact",
    )

    def __init__(self, *, seed: int) -> None:
        self.chance = random.Random(seed)

    def happen(self, on: date, times: int) -> None:
        people, cars = Customer.objects.order_by("pk"), Vehicle.objects.order_by("pk")
        for _ in range(times):
            kind = self.chance.choice(self.KINDS)
            with suppress(CannotChangeVehicle):  # the customer has the car already, and the like
                getattr(self, kind)(self.chance.choice(people), self.chance.choice(cars), on)

    def ago(self, on: date, days: int) -> date:
        return on - timedelta(days=self.chance.randrange(days))

    def salutation(self, person, _, on: date) -> None:
        update_customer(customer=person, values={"salutation": self.chance.choice(Salutation.values)}, on=on, by=None)

    def tier(self, person, _, on: date) -> None:
        update_customer(customer=person, values={"tier": self.chance.choice(Tier.values)}, on=on, by=None)

    def transfer(self, person, car, on: date) -> None:
        transfer_owner(vehicle=car, to=person, on=on, by=None)

    def gone(self, _, car, on: date) -> None:
        statuses = [status for status in VehicleStatus if status != VehicleStatus.IN_USE]
        change_status(vehicle=car, status=self.chance.choice(statuses), on=on, by=None)

    def back(self, _, car, on: date) -> None:
        change_status(vehicle=car, status=VehicleStatus.IN_USE, on=on, by=None)

    def bought(self, person, _, on: date) -> None:
        facts = {"delivery_on": self.ago(on, 2500), "use": self.chance.choice([Use.PRIVATE, Use.COMMERCIAL])}
        number = 900_000 + Vehicle.objects.count()
        create_vehicle(owner=person, vin=vin(number), care_from=on, by=None, **facts)

    def first_service(self, _, car, on: date) -> None:
        update_vehicle(vehicle=car, values={"first_service_done_on": self.ago(on, 60)}, on=on, by=None)

    def delivery(self, _, car, on: date) -> None:
        update_vehicle(vehicle=car, values={"delivery_on": self.ago(on, 900)}, on=on, by=None)

    def visit(self, _, car, on: date) -> None:
        came_on = self.ago(on, self.chance.choice([1, 300]))
        WorkOrderFactory(vehicle=car, arrived_on=came_on, known_since=on, job_type=self.chance.choice(JobType.values))
        refresh_visit_facts([car.pk], on=on)

    def contact(self, person, _, on: date) -> None:
        ContactLogFactory(customer=person, at=datetime.combine(on, time(10), SHANGHAI), on=on, by=None)
        Customer.objects.filter(pk=person.pk).update(last_effective_contact_on=on)


@pytest.fixture
def planned_world(store, other_store):
    """Two stores, of which one has a version of its own of two rules and a third one switched off."""
    fill_calendar([2026, 2027])
    World([store, other_store], seed=7).fill(60)
    routine = CareRule.objects.filter(code="M3k", store=None).values().get()
    del routine["id"], routine["store_id"]
    CareRule.objects.create(**routine | {"store": other_store, "offsets": [2, 4, 8, 12], "late_days": 3})
    CareRuleFactory(code="D7", store=other_store, trigger="delivery", offsets=[7])
    CareRuleFactory(code="SE", store=other_store, trigger="season", is_active=False)
    CareRule.objects.filter(code="SE", store=None).update(params={"days": ["11-01", "12-12"]})
    CareRuleFactory(code="LATE", trigger="delivery", offsets=[30], repeat_every=30, active_from=date(2026, 12, 20))
    for night in NIGHTS:
        plan_care(on=night)


def check(capsys, *arguments: str) -> tuple[dict[str, int], int, str]:
    """Run the command; return its JSON, its exit status and what it said on stderr."""
    status = 0
    try:
        call_command("care_coverage", *arguments)
    except SystemExit as stopped:
        status = stopped.code
    said = capsys.readouterr()
    return json.loads(said.out.splitlines()[-1]), status, said.err


def test_planned_nights_leave_nothing_missing_and_a_lost_row_is_told_and_healed(planned_world, capsys):
    period = ("--from", str(FIRST), "--to", str(LAST))
    points = TouchPoint.objects.filter(nominal_on__range=(FIRST, LAST))
    # Every kind of promise is among them.
    assert set(points.values_list("rule__trigger", flat=True)) == set(
        CareRule.objects.values_list("trigger", flat=True)
    )

    count = points.count()
    assert count > 400
    whole = {"expected": count, "accounted": count, "missing": 0, "duplicates": 0}
    assert check(capsys, *period) == (whole, 0, "")

    lost = points.filter(rule__code="FE", lead=None, merged=None).order_by("pk").first()
    TouchPoint.objects.filter(pk=lost.pk).delete()
    counts, status, said = check(capsys, *period)
    assert counts == whole | {"accounted": count - 1, "missing": 1}
    assert status == 1
    assert said.startswith(f"missing: {lost.store.code} FE {lost.customer.number} - {lost.nominal_on} festival")

    # The way out that it tells.
    assert f"manage.py plan_care --on {LAST} --since {lost.closes_on}\n" in said
    call_command("plan_care", "--on", str(LAST), "--since", str(lost.closes_on))
    assert check(capsys, *period) == (whole, 0, "")


def test_facts_that_change_between_the_nights_leave_nothing_missing_and_nothing_double(store, other_store):
    """ADR 0006: what the store learns late, and what it no longer knows, makes no promise for the time before."""
    fill_calendar([2026, 2027])
    World([store, other_store], seed=1).fill(30)
    only("AJ", "DW", "FE", "PE", "RQ", "SE", "TO", "TQ", "TV")
    CareRule.objects.filter(code="FE").update(params={"festivals": ["women", "new_year"]})
    CareRule.objects.filter(code="SE").update(params={"days": ["12-12", "01-05", "02-02"]})
    changes, chance, night, last = Changes(seed=1), random.Random(1), FIRST, date(2027, 3, 12)
    while night < last:
        plan_care(on=night)
        changes.happen(night, times=12)
        night += timedelta(days=chance.choice([1, 2, 5, 12]))
    plan_care(on=last)
    found = check_coverage(first=FIRST, last=last, now=datetime(2090, 1, 1, tzinfo=SHANGHAI))
    assert (found.missing_first, found.duplicates) == ([], 0)
    assert found.expected > 100
