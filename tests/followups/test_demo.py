"""The demo data: the same for the same seed, consistent, and usable to sign in and work with."""

import hashlib
import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Max, Q

from accounts.models import Membership, Store, User
from core.models import JobRun
from customers.actions.files import allocate_customer_numbers
from customers.choices import BirthdayCalendar, Tier
from customers.models import Consent, ContactPerson, Customer, PersonalEvent
from customers.rules import is_credit_code, is_mobile, is_resident_id, name_search_terms, relation_tier
from followups.choices import Handling, TouchPointStatus
from followups.demo.cars import make_plate
from followups.demo.catalogue import DEMO_PASSWORD
from followups.demo.copying import foreign_keys_checked_at_the_end
from followups.demo.keys import Keys
from followups.demo.people import LIVE_DAYS, DemoWorld
from followups.demo.processes import composed
from followups.models import ContactLog, NextStep, TouchPoint
from followups.planner import JOB_NAME
from followups.rules.outcomes import OUTCOMES
from service.actions import refresh_visit_facts
from service.choices import JobType
from service.models import SuggestedWork, WorkOrder
from vehicles.actions import refresh_delivery_dates, refresh_vehicle_facts
from vehicles.choices import Energy, OdometerFlag, VehicleStatus
from vehicles.models import CarModel, InsurancePolicy, OdometerReading, Ownership, Vehicle
from vehicles.rules import Plate, has_right_check_digit, read_plate

TODAY = date(2026, 11, 21)
COUNT = 60

KEYED = (
    (Customer, "number"),
    (ContactPerson, "customer__number"),
    (Consent, "customer__number"),
    (PersonalEvent, "customer__number"),
    (Vehicle, "vin"),
    (Ownership, "vehicle__vin"),
    (OdometerReading, "vehicle__vin"),
    (InsurancePolicy, "vehicle__vin"),
    (WorkOrder, "number"),
    (SuggestedWork, "work_order__number"),
    (ContactLog, "customer__number"),
    (NextStep, "customer__number"),
    (Membership, "user__username"),
)


def load(**options):
    """Run the command and return its line of JSON."""
    out = StringIO()
    call_command(
        "load_demo", **{"customers": COUNT, "seed": 7, "today": TODAY, **options}, stdout=out, stderr=StringIO()
    )
    return json.loads(out.getvalue())


def contents():
    """Return everything that was loaded, with keys replaced by what they point at, as one digest a model."""
    names = {
        User: dict(User.objects.values_list("pk", "username")),
        Customer: dict(Customer.objects.values_list("pk", "number")),
        Vehicle: dict(Vehicle.objects.values_list("pk", "vin")),
        WorkOrder: dict(WorkOrder.objects.values_list("pk", "number")),
    }
    digests = {}
    for model, key in KEYED:
        lines = []
        for row in model.objects.annotate(key=F(key)).order_by("key", "pk"):
            values = {}
            for field in model._meta.concrete_fields:
                if field.primary_key or (field.name in ("created_at", "changed_at") and field.has_db_default()):
                    continue  # when the row was written
                value = getattr(row, field.attname)
                related = names.get(field.related_model)
                if field.is_relation:
                    value = related.get(value) if related else "…"
                values[field.name] = value
            lines.append(repr(sorted(values.items())))
        digests[model.__name__] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return digests


@pytest.fixture
def world(db):
    """Sixty customers of seed 7."""
    return load()


def clear():
    """Take the demo data out again, so that they can be loaded once more in the same test."""
    for model in (
        NextStep, ContactLog, SuggestedWork, WorkOrder, InsurancePolicy, OdometerReading, Ownership, Vehicle, Consent,
        ContactPerson, PersonalEvent,
    ):  # fmt: skip
        model.objects.all().delete()
    Customer.objects.update(referrer=None)
    Customer.objects.all().delete()
    JobRun.objects.all().delete()


def test_the_same_seed_and_date_give_the_same_data(world):
    first = contents()
    clear()
    load()
    assert contents() == first


def test_several_processes_compose_the_same_rows(world):
    small = DemoWorld(seed=7, today=TODAY, customers=1500)
    keys = Keys(
        stores=dict(Store.objects.values_list("code", "pk")),
        users=dict(User.objects.values_list("username", "pk")),
        models={
            (model.brand, model.series, model.year, model.trim): model.pk
            for model in CarModel.objects.filter(year__isnull=False)
        },
        first_customer=1,
        first_car=1,
        first_order=1,
        first_contact=1,
    )

    def told(processes):
        # What is encrypted differs each time.
        return [
            {name: (rows.sql, rows.count, rows.text if name != "customers" else None) for name, rows in batch.items()}
            for batch in composed(small, keys, processes=processes)
        ]

    assert told(2) == told(0)


def test_loading_leaves_every_constraint_as_it_was(db):
    def constraints():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2"
            )
            return cursor.fetchall()

    before = constraints()
    load()
    assert constraints() == before


def test_a_row_that_points_nowhere_is_noticed_at_the_end(world):
    with (
        pytest.raises(IntegrityError, match="foreign key"),
        transaction.atomic(),
        foreign_keys_checked_at_the_end([Ownership]),
    ):
        Ownership.objects.update(customer_id=10**9)


def test_later_keys_follow_on_those_of_the_demo(world):
    for model in (Customer, Vehicle, WorkOrder, ContactLog):
        newest = model.objects.aggregate(newest=Max("pk"))["newest"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [model._meta.db_table])
            assert cursor.fetchone() == (newest + 1,)


def test_plates_differ_beyond_what_one_town_can_give():
    for energy, numbers in ((Energy.PETROL, 34**2 * 1000), (Energy.BEV, 3 * 34 * 10_000)):
        plates = [make_plate(number, energy=energy, town="鲁M") for number in (5, numbers + 5, 2 * numbers + 5)]
        assert len(set(plates)) == 3
        assert all(isinstance(read_plate(plate), Plate) for plate, _kind in plates)


def test_another_seed_gives_other_people(world):
    first = contents()
    clear()
    load(seed=8)
    second = contents()
    first.pop("Membership")  # people who are there already stay
    assert [name for name in first if first[name] == second[name]] == []


def test_the_report_counts_what_was_written(world):
    assert world["customers"] == Customer.objects.count() == COUNT
    assert world["vehicles"] == Vehicle.objects.count()
    assert world["work_orders"] == WorkOrder.objects.count()
    assert world["contacts"] == ContactLog.objects.count()
    assert world["odometer_readings"] == OdometerReading.objects.count()
    assert world["staff"] == User.objects.count()
    assert world["was_there"] is False


def test_loading_the_same_again_changes_nothing(world):
    first = contents()
    again = load()
    assert again["was_there"] is True
    assert again["customers"] == COUNT
    assert contents() == first


def test_other_customers_are_never_mixed_with_demo_data(world):
    with pytest.raises(CommandError, match="holds other customers already"):
        load(seed=8)
    assert Customer.objects.count() == COUNT


def test_production_refuses_demo_data(db, settings):
    settings.ENVIRONMENT = "production"
    with pytest.raises(CommandError, match="not loaded in production"):
        load()
    assert not Customer.objects.exists()


def test_no_customers_is_an_error(db):
    with pytest.raises(CommandError, match="1 or more"):
        load(customers=0)


def test_customer_numbers_go_on_after_the_demo(world):
    assert allocate_customer_numbers(1, on=TODAY) == [f"C26{COUNT + 1:06d}"]


def test_facts_about_cars_are_those_the_actions_compute(world):
    ids = list(Vehicle.objects.values_list("pk", flat=True))
    before = list(Vehicle.objects.order_by("pk").values())
    assert refresh_visit_facts(ids, on=TODAY) == 0
    assert refresh_vehicle_facts(ids, on=TODAY) == 0
    assert list(Vehicle.objects.order_by("pk").values()) == before


def test_dates_on_the_customer_are_the_newest_of_the_rows(world):
    assert refresh_delivery_dates(Customer.objects.values_list("pk", flat=True), on=TODAY) == 0
    visits = Q(work_orders__handed_over_on__isnull=False) & ~Q(work_orders__job_type=JobType.INTERNAL)
    customers = Customer.objects.annotate(visited_on=Max("work_orders__handed_over_on", filter=visits))
    assert [customer for customer in customers if customer.last_visit_on != customer.visited_on] == []
    proactive = [outcome for outcome, rule in OUTCOMES.items() if rule.is_proactive]
    customers = Customer.objects.annotate(
        reached_on=Max("contact_logs__on", filter=Q(contact_logs__is_effective=True)),
        approached_on=Max(
            "contact_logs__on", filter=Q(contact_logs__is_inbound=False, contact_logs__outcome__in=proactive)
        ),
    )
    assert [customer for customer in customers if customer.last_effective_contact_on != customer.reached_on] == []
    assert [customer for customer in customers if customer.last_proactive_contact_on != customer.approached_on] == []


def test_outcomes_are_effective_as_the_rules_say(world):
    assert {contact.outcome: contact.is_effective for contact in ContactLog.objects.all()} == {
        contact.outcome: OUTCOMES[contact.outcome].is_effective for contact in ContactLog.objects.all()
    }


def test_nothing_lies_in_the_future(world):
    assert not WorkOrder.objects.filter(Q(arrived_on__gt=TODAY) | Q(handed_over_on__gt=TODAY)).exists()
    assert not OdometerReading.objects.filter(on__gt=TODAY).exists()
    assert not ContactLog.objects.filter(on__gte=TODAY).exists()
    assert not Vehicle.objects.filter(Q(delivery_on__gt=TODAY) | Q(registered_on__gt=TODAY)).exists()
    assert not Customer.objects.filter(entered_on__gt=TODAY).exists()


def test_care_is_promised_since_the_system_went_live(world):
    live_on = date.fromordinal(TODAY.toordinal() - LIVE_DAYS)
    assert Customer.objects.aggregate(first=Max("entered_on"))["first"] <= TODAY
    assert not Customer.objects.filter(entered_on__lt=live_on).exists()
    assert not Vehicle.objects.filter(care_from__lt=F("delivery_on")).exists()
    assert not Vehicle.objects.filter(care_from__lt=F("owner__entered_on")).exists()
    assert Vehicle.objects.filter(delivery_on__lt=live_on).exclude(care_from=live_on).count() == 0


def test_numbers_are_right(world):
    cars = list(Vehicle.objects.all())
    assert [car.vin for car in cars if not has_right_check_digit(car.vin)] == []
    plates = {car: read_plate(car.plate) for car in cars}
    assert [
        car.plate for car, plate in plates.items() if (plate.number, plate.kind) != (car.plate, car.plate_kind)
    ] == []
    customers = list(Customer.objects.all())
    assert [file.mobile for file in customers if not is_mobile(file.mobile)] == []
    assert [
        file.id_number for file in customers if file.id_number and not is_resident_id(file.id_number, on=TODAY)
    ] == []
    assert [file.credit_code for file in customers if file.credit_code and not is_credit_code(file.credit_code)] == []


def test_names_can_be_searched(world):
    customer = Customer.objects.order_by("number").first()
    terms = name_search_terms(customer.name)
    assert (customer.name_pinyin, customer.name_initials, customer.name_grams) == (
        terms.pinyin,
        terms.initials,
        terms.grams,
    )


def test_tiers_follow_from_their_criteria(world):
    rows = Customer.objects.values_list("communication", "network", "referral_willingness", "tier")
    assert [row for row in rows if relation_tier(*row[:3]) != row[3]] == []


def test_every_car_has_one_owner_unless_it_left(world):
    owned = Vehicle.objects.annotate(open=Count("ownerships", filter=Q(ownerships__ended_on=None)))
    assert set(owned.filter(status=VehicleStatus.IN_USE).values_list("open", flat=True)) == {1}
    assert set(owned.filter(status=VehicleStatus.TRANSFERRED).values_list("open", flat=True)) <= {0}


def test_each_role_can_sign_in(world):
    usernames = ["sc1", "sa1", "cr1", "sm1", "xm1", "gm1", "sc1-b", "sa1-b", "cr1-b", "sm1-b", "xm1-b", "gm1-b"]
    usernames += ["group", "admin", "auditor"]
    people = {user.username: user for user in User.objects.filter(username__in=usernames)}
    assert sorted(people) == sorted(usernames)
    assert all(user.check_password(DEMO_PASSWORD) for user in people.values())
    at_work = Membership.objects.at_work(on=TODAY).filter(user__in=people.values()).select_related("user", "store")
    expected = {(f"{name}{end}", role, store) for name, role in ROLES for end, store in (("", "BZ01"), ("-b", "BZ02"))}
    expected |= {("group", "GR", ""), ("admin", "AD", ""), ("auditor", "AU", "")}
    assert {(m.user.username, m.role, m.store.code if m.store else "") for m in at_work} == expected


ROLES = (("sc1", "SC"), ("sa1", "SA"), ("cr1", "CR"), ("sm1", "SM"), ("xm1", "XM"), ("gm1", "GM"))


def test_some_people_left_and_some_are_away(world):
    assert User.objects.filter(is_active=False).count() == 2
    away = Membership.objects.active().count() - Membership.objects.at_work(on=TODAY).count()
    assert away == 4


def test_a_larger_world_has_its_share_of_everything():
    files = list(DemoWorld(seed=3, today=TODAY, customers=1500).customers())
    share = {tier: sum(file.tier == tier for file in files) / len(files) for tier in Tier}
    assert share == pytest.approx({Tier.VIP: 0.08, Tier.QUALITY: 0.30, Tier.ORDINARY: 0.62}, abs=0.04)
    with_birthday = [file for file in files if file.birthday_month]
    assert len(with_birthday) / len(files) == pytest.approx(0.75, abs=0.05)
    lunar = [file for file in with_birthday if file.birthday_calendar == BirthdayCalendar.LUNAR]
    assert len(lunar) / len(with_birthday) == pytest.approx(0.15, abs=0.04)
    assert any(file.is_birthday_leap_month for file in lunar)
    cars = [car for file in files for car in file.cars]
    assert len({car.vin for car in cars}) == len(cars)
    assert len({car.plate for car in cars if car.plate}) == sum(bool(car.plate) for car in cars)
    assert {0, 1, 2, 3, 4} <= {(TODAY - car.delivery_on).days for car in cars}
    assert min(car.delivery_on for car in cars) < date(2019, 2, 1)
    assert any(order.handed_over_on is None for car in cars for order in car.orders)
    readings = [reading for car in cars for reading in car.readings]
    assert any(reading.is_new_odometer for reading in readings)


def test_odd_odometer_readings_are_kept_with_a_flag(db):
    load(customers=400)
    flags = set(OdometerReading.objects.values_list("flag", flat=True))
    assert flags == set(OdometerFlag)


def test_planning_the_demo_leaves_work_for_today_and_settles_the_past(db):
    report = load(customers=150, plan_days=2)
    assert report["planned"] > 0
    done = TouchPoint.objects.filter(status=TouchPointStatus.DONE)
    assert report["settled"] == done.count() > 0
    assert not done.filter(closes_on__gte=TODAY).exists()
    assert TouchPoint.objects.open().filter(opens_on__lte=TODAY, closes_on__gte=TODAY).exists()
    spoken = done.filter(handling=Handling.CONTACT).select_related("settled_by")
    assert all(point.opens_on <= point.settled_by.on <= point.closes_on for point in spoken)
    assert all(point.settled_by.customer_id == point.customer_id for point in spoken)
    assert JobRun.objects.filter(name=JOB_NAME, status="done").count() == 2
    runs = [run.counts for run in JobRun.objects.filter(name=JOB_NAME)]
    assert sum(run["missed"] for run in runs) == TouchPoint.objects.filter(status=TouchPointStatus.MISSED).count()
    for run in runs:
        assert 0 <= sum(rule["missed"] for rule in run["by_rule"].values()) <= run["missed"]


def test_planning_changes_no_history(db):
    load(customers=40)
    first = contents()
    clear()
    load(customers=40, plan_days=1)
    assert contents() == first


def test_a_negative_number_of_days_is_an_error(db):
    with pytest.raises(CommandError, match="must not be negative"):
        load(plan_days=-1)
