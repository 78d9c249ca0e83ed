"""Writes of the car file, and the facts that care is planned from."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction

from service.actions import record_visit
from service.choices import JobType
from tests.factories import (
    TODAY,
    CarModelFactory,
    CustomerFactory,
    ServicePlanFactory,
    StoreFactory,
    VehicleFactory,
    WarrantyPolicyFactory,
    vin,
)
from tests.meanwhile import Meanwhile
from vehicles import actions
from vehicles.actions import (
    CannotChangeVehicle,
    CannotTransferOwner,
    PlateTaken,
    add_policy,
    add_reading,
    change_status,
    confirm_inspection,
    correct_owner,
    create_vehicle,
    refresh_cars,
    refresh_changed_models,
    refresh_delivery_dates,
    refresh_vehicle_facts,
    save_catalogue_entry,
    service_done_elsewhere,
    transfer_owner,
    update_vehicle,
)
from vehicles.choices import (
    InspectionSource,
    OdometerFlag,
    OdometerSource,
    PlateKind,
    PolicyKind,
    ServiceKind,
    VehicleStatus,
)
from vehicles.models import CarModel, OdometerReading, Ownership, ServicePlan, Vehicle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]


@pytest.fixture
def owner(store):
    return CustomerFactory(store=store)


@pytest.fixture
def car(owner, adviser):
    return create_vehicle(
        owner=owner, vin=vin(1), care_from=TODAY, by=adviser, delivery_on=date(2026, 1, 10), plate="鲁M·12345"
    )


def facts_of(car):
    car.refresh_from_db()
    return (car.next_service_kind, car.next_service_on, car.next_service_km, car.next_service_from_on)


def test_a_new_car_has_an_owner_a_forecast_and_its_owner_a_delivery(car, owner):
    owner.refresh_from_db()
    assert owner.last_delivery_on == date(2026, 1, 10)
    assert [(o.customer, o.started_on, o.ended_on) for o in car.ownerships.all()] == [(owner, date(2026, 1, 10), None)]
    assert (car.plate, car.plate_kind) == ("鲁M12345", PlateKind.BLUE)
    assert facts_of(car) == (ServiceKind.FIRST, date(2026, 4, 10), 5000, date(2026, 1, 10))
    assert (car.warranty_ends_on, car.three_guarantees_end_on) == (date(2029, 1, 10), date(2028, 1, 10))
    assert (car.inspection_valid_until, car.inspection_source) == (date(2028, 1, 31), InspectionSource.ESTIMATE)
    assert car.daily_km is None


def test_a_vin_of_the_wrong_shape_or_on_file_is_refused(car, owner, adviser):
    with pytest.raises(CannotChangeVehicle, match="not a VIN"):
        create_vehicle(owner=owner, vin="123", care_from=TODAY, by=adviser)
    with pytest.raises(CannotChangeVehicle, match="on file"):
        create_vehicle(owner=owner, vin=car.vin.lower(), care_from=TODAY, by=adviser)


def test_a_plate_is_on_one_car_in_use(car, owner, adviser):
    with pytest.raises(PlateTaken):
        create_vehicle(owner=owner, vin=vin(2), care_from=TODAY, by=adviser, plate="鲁M12345")
    change_status(vehicle=car, status=VehicleStatus.SCRAPPED, on=TODAY, by=adviser)
    second = create_vehicle(owner=owner, vin=vin(2), care_from=TODAY, by=adviser, plate="鲁M12345")
    with pytest.raises(PlateTaken):
        change_status(vehicle=car, status=VehicleStatus.IN_USE, on=TODAY, by=adviser)
    assert second.plate == "鲁M12345"


def test_what_is_computed_cannot_be_entered(car, adviser):
    with pytest.raises(TypeError):
        update_vehicle(vehicle=car, values={"next_service_on": TODAY}, on=TODAY, by=adviser)
    with pytest.raises(CannotChangeVehicle, match="not a plate"):
        update_vehicle(vehicle=car, values={"plate": "美A12345"}, on=TODAY, by=adviser)


def test_a_corrected_delivery_moves_everything_counted_from_it(car, owner, adviser):
    assert update_vehicle(vehicle=car, values={"delivery_on": date(2026, 2, 10)}, on=TODAY, by=adviser) == [
        "delivery_on",
        "care_from",
    ]
    owner.refresh_from_db()
    assert owner.last_delivery_on == date(2026, 2, 10)
    assert facts_of(car)[1] == date(2026, 5, 10)


def test_the_plan_of_the_model_overrides_the_default(car, adviser):
    plan = ServicePlan.objects.create(name="long", first_months=12, first_km=15000)
    model = CarModelFactory(service_plan=plan)
    update_vehicle(vehicle=car, values={"model": model}, on=TODAY, by=adviser)
    assert facts_of(car) == (ServiceKind.FIRST, date(2027, 1, 10), 15000, date(2026, 1, 10))


def test_a_reading_moves_the_forecast_and_an_odd_one_is_kept_but_left_out(car, adviser):
    reading = add_reading(vehicle=car, on=date(2026, 2, 9), km=3000, source=OdometerSource.CUSTOMER, by=adviser)
    assert (reading.flag, car.odometer_km, str(car.daily_km)) == (OdometerFlag.OK, 3000, "100.0")
    expected = (ServiceKind.FIRST, date(2026, 3, 1), 5000, date(2026, 1, 10))
    assert facts_of(car) == expected
    leap = add_reading(vehicle=car, on=date(2026, 2, 10), km=90000, source=OdometerSource.CUSTOMER, by=adviser)
    fall = add_reading(vehicle=car, on=date(2026, 2, 20), km=2000, source=OdometerSource.CUSTOMER, by=adviser)
    assert (leap.flag, fall.flag) == (OdometerFlag.LEAPING, OdometerFlag.FALLING)
    assert facts_of(car) == expected
    assert car.odometer_km == 3000


def test_a_reading_moves_the_end_of_the_warranty_which_is_known_since_then(car, adviser):
    def ends():
        return car.warranty_runs_out_on, car.three_guarantees_run_out_on

    assert ends() == (car.warranty_ends_on, car.three_guarantees_end_on) == (date(2029, 1, 10), date(2028, 1, 10))
    Vehicle.objects.filter(pk=car.pk).update(forecast_since=None)
    add_reading(vehicle=car, on=date(2026, 7, 9), km=36000, source=OdometerSource.CUSTOMER, by=adviser, known_on=TODAY)
    car.refresh_from_db()
    assert str(car.daily_km) == "200.0"
    assert ends() == (date(2026, 11, 6), date(2026, 9, 17))
    assert (car.warranty_ends_on, car.three_guarantees_end_on) == (date(2029, 1, 10), date(2028, 1, 10))
    assert car.forecast_since == TODAY


def test_a_policy_that_moves_the_end_alone_makes_the_forecast_a_new_one(owner):
    policy = WarrantyPolicyFactory(three_guarantees_months=24)
    model = CarModelFactory(warranty_policy=policy)
    car = VehicleFactory(owner=owner, model=model, delivery_on=date(2026, 9, 10))
    refresh_vehicle_facts([car.pk], on=date(2026, 9, 10))
    policy.three_guarantees_months = 36
    save_catalogue_entry(entry=policy, at=AT, by=None)
    refresh_changed_models(now=AT)
    car.refresh_from_db()
    assert (car.three_guarantees_run_out_on, car.forecast_since) == (date(2029, 9, 10), TODAY)


def test_the_same_reading_twice_is_one(car, adviser):
    for _again in range(2):
        add_reading(vehicle=car, on=date(2026, 2, 9), km=3000, source=OdometerSource.CUSTOMER, by=adviser)
    assert car.readings.count() == 1


def test_refreshing_again_changes_nothing_and_writes_no_history(car, adviser):
    add_reading(vehicle=car, on=date(2026, 2, 9), km=3000, source=OdometerSource.CUSTOMER, by=adviser)
    events = apps.get_model("vehicles", "VehicleEvent").objects
    before = events.count()
    assert refresh_vehicle_facts([car.pk], on=TODAY) == 0
    assert events.count() == before


def test_refreshing_three_cars_asks_no_more_than_refreshing_one(owner, django_assert_num_queries):
    cars = [VehicleFactory(owner=owner, store=owner.store, delivery_on=date(2025, 1, n)) for n in (1, 2, 3)]
    with django_assert_num_queries(6):  # savepoint, lock, log, cars, write, release
        assert refresh_vehicle_facts([cars[0].pk], on=TODAY) == 1
    with django_assert_num_queries(6):
        assert refresh_vehicle_facts([car.pk for car in cars], on=TODAY) == 2


def test_a_flag_that_somebody_spoilt_heals(car, adviser):
    add_reading(vehicle=car, on=date(2026, 2, 9), km=3000, source=OdometerSource.CUSTOMER, by=adviser)
    OdometerReading.objects.update(flag=OdometerFlag.FALLING)
    refresh_vehicle_facts([car.pk], on=TODAY)
    assert OdometerReading.objects.get().flag == OdometerFlag.OK


def test_a_confirmed_inspection_beats_the_estimate_until_it_has_lapsed(car, adviser):
    confirm_inspection(
        vehicle=car, valid_until=date(2027, 5, 31), source=InspectionSource.LICENCE, on=TODAY, by=adviser
    )
    refresh_vehicle_facts([car.pk], on=date(2027, 6, 30))
    car.refresh_from_db()
    assert (car.inspection_valid_until, car.inspection_source) == (date(2027, 5, 31), InspectionSource.LICENCE)
    refresh_vehicle_facts([car.pk], on=date(2027, 12, 1))
    car.refresh_from_db()
    assert (car.inspection_valid_until, car.inspection_source) == (date(2028, 1, 31), InspectionSource.ESTIMATE)


def test_an_estimate_moves_on_when_its_day_has_passed(car):
    refresh_vehicle_facts([car.pk], on=date(2028, 2, 1))
    car.refresh_from_db()
    assert car.inspection_valid_until == date(2030, 1, 31)


def test_a_sold_car_is_promised_to_its_new_owner_from_that_day(car, owner, store, adviser):
    buyer = CustomerFactory(store=store)
    car = transfer_owner(vehicle=car, to=buyer, on=TODAY, by=adviser)
    car.refresh_from_db()
    owner.refresh_from_db()
    buyer.refresh_from_db()
    assert (car.owner, car.care_from) == (buyer, TODAY)
    assert (owner.last_delivery_on, buyer.last_delivery_on) == (None, date(2026, 1, 10))
    assert list(Ownership.objects.order_by("pk").values_list("customer", "started_on", "ended_on")) == [
        (owner.pk, date(2026, 1, 10), TODAY),
        (buyer.pk, TODAY, None),
    ]


def test_a_car_is_not_transferred_to_its_owner_nor_into_the_past(car, owner, store, adviser):
    with pytest.raises(CannotTransferOwner, match="already"):
        transfer_owner(vehicle=car, to=owner, on=TODAY, by=adviser)
    with pytest.raises(CannotTransferOwner, match="only"):
        transfer_owner(vehicle=car, to=CustomerFactory(store=store), on=date(2025, 1, 1), by=adviser)


def test_a_car_whose_owner_is_asked_for_goes_to_who_has_it_or_out_of_care(car, owner, store, adviser):
    buyer = CustomerFactory(store=store)
    correct_owner(vehicle=car, was=owner.pk, to=buyer, on=TODAY, by=adviser)
    car.refresh_from_db()
    assert (car.owner, car.status, car.care_from) == (buyer, VehicleStatus.IN_USE, TODAY)
    correct_owner(vehicle=car, was=buyer.pk, to=None, on=TODAY, by=adviser)
    car.refresh_from_db()
    assert (car.owner, car.status) == (buyer, VehicleStatus.TRANSFERRED)
    assert not car.ownerships.filter(ended_on=None).exists()


def test_a_car_taken_for_sold_is_in_use_again_when_its_owner_still_has_it(car, owner, adviser):
    change_status(vehicle=car, status=VehicleStatus.TRANSFERRED, on=TODAY, by=adviser)
    correct_owner(vehicle=car, was=owner.pk, to=owner, on=TODAY + timedelta(days=1), by=adviser)
    car.refresh_from_db()
    assert (car.status, car.care_from) == (VehicleStatus.IN_USE, TODAY + timedelta(days=1))
    before = car.ownerships.count()
    correct_owner(vehicle=car, was=owner.pk, to=owner, on=TODAY + timedelta(days=2), by=adviser)
    car.refresh_from_db()
    assert (car.care_from, car.ownerships.count()) == (TODAY + timedelta(days=1), before)


def test_a_car_that_a_colleague_gave_on_meanwhile_is_not_given_on_again(car, owner, store, adviser):
    buyer, somebody = CustomerFactory(store=store), CustomerFactory(store=store)
    transfer_owner(vehicle=Vehicle.objects.get(pk=car.pk), to=buyer, on=TODAY, by=adviser)
    for to in (somebody, owner, None):
        with pytest.raises(CannotTransferOwner, match="meanwhile"):
            correct_owner(vehicle=car, was=owner.pk, to=to, on=TODAY, by=adviser)
    car.refresh_from_db()
    assert (car.owner, car.status) == (buyer, VehicleStatus.IN_USE)


def test_a_scrapped_car_leaves_care_and_its_owner_keeps_no_delivery(car, owner, adviser):
    change_status(vehicle=car, status=VehicleStatus.SCRAPPED, on=TODAY, by=adviser)
    owner.refresh_from_db()
    assert owner.last_delivery_on is None
    assert car.ownerships.get().ended_on == TODAY
    later = TODAY + timedelta(days=30)
    car = change_status(vehicle=car, status=VehicleStatus.IN_USE, on=later, by=adviser)
    owner.refresh_from_db()
    assert (car.care_from, owner.last_delivery_on) == (later, date(2026, 1, 10))
    assert car.ownerships.filter(ended_on=None).get().started_on == later


def test_a_service_elsewhere_starts_the_next_cycle(car, adviser):
    service_done_elsewhere(vehicle=car, on=date(2026, 4, 1), km=4800, by=adviser)
    assert facts_of(car) == (ServiceKind.PERIODIC, date(2026, 9, 16), 14800, date(2026, 4, 1))
    service_done_elsewhere(vehicle=car, on=date(2026, 3, 1), by=adviser)
    assert facts_of(car)[3] == date(2026, 4, 1)
    assert car.first_service_done_on == date(2026, 4, 1)


def test_a_forecast_that_moves_is_known_since_the_day_we_were_told(car, adviser):
    told = date(2026, 11, 20)
    reading = {"on": date(2026, 2, 9), "km": 3000, "source": OdometerSource.CUSTOMER, "by": adviser}
    add_reading(vehicle=car, known_on=told, **reading)
    assert Vehicle.objects.get(pk=car.pk).forecast_since == told
    service_done_elsewhere(vehicle=car, on=date(2026, 4, 1), by=adviser, known_on=TODAY)
    assert Vehicle.objects.get(pk=car.pk).forecast_since == TODAY


def test_what_moves_care_has_it_planned_at_once(car, owner, adviser, planned_at_once):
    told = {
        "a reading": lambda: add_reading(
            vehicle=car, on=date(2026, 2, 9), km=3000, source=OdometerSource.CUSTOMER, by=adviser
        ),
        "a service with mileage": lambda: service_done_elsewhere(vehicle=car, on=date(2026, 4, 1), km=4800, by=adviser),
        "a service without": lambda: service_done_elsewhere(vehicle=car, on=date(2026, 5, 1), by=adviser),
        "an inspection": lambda: confirm_inspection(
            vehicle=car, valid_until=date(2027, 5, 31), source=InspectionSource.LICENCE, on=TODAY, by=adviser
        ),
    }
    assert {what: planned_at_once(call) for what, call in told.items()} == {what: {owner.pk} for what in told}


def test_a_policy_entered_again_is_corrected(car, adviser):
    for insurer in ("人保", "平安"):
        policy = add_policy(
            vehicle=car, kind=PolicyKind.COMPULSORY, ends_on=date(2027, 1, 10), insurer=insurer, by=adviser
        )
    assert (car.policies.get().insurer, policy.insurer) == ("平安", "平安")
    with pytest.raises(CannotChangeVehicle):
        add_policy(vehicle=car, kind=PolicyKind.COMMERCIAL, starts_on=TODAY, ends_on=TODAY, by=adviser)


def test_the_history_names_who_changed_a_car(car, adviser):
    update_vehicle(vehicle=car, values={"body_colour": "白"}, on=TODAY, by=adviser)
    update_vehicle(vehicle=car, values={"body_colour": "红"}, on=TODAY, by=adviser)
    event = apps.get_model("vehicles", "VehicleEvent").objects.latest("pgh_id")
    assert (event.body_colour, event.pgh_context.metadata["user"]) == ("白", adviser.pk)


def test_a_failed_transfer_leaves_everything_as_it_was(car, owner, store, adviser, monkeypatch):
    def fail(*args, **values):
        raise RuntimeError("power cut")

    monkeypatch.setattr("vehicles.actions.refresh_delivery_dates", fail)
    with pytest.raises(RuntimeError):
        transfer_owner(vehicle=car, to=CustomerFactory(store=store), on=TODAY, by=adviser)
    car.refresh_from_db()
    assert (car.owner, car.ownerships.get().ended_on) == (owner, None)


def test_delivery_dates_heal(car, owner):
    type(owner).objects.filter(pk=owner.pk).update(last_delivery_on=date(1999, 1, 1))
    assert refresh_delivery_dates([owner.pk], on=TODAY) == 1
    assert refresh_delivery_dates([owner.pk], on=TODAY) == 0


def test_the_database_refuses_a_second_open_ownership(car, owner):
    with pytest.raises(IntegrityError, match="ownership_one_open"), transaction.atomic():
        Ownership.objects.create(vehicle=car, customer=owner, started_on=TODAY)


# --- At the same time ---------------------------------------------------------------------------------------------

REAL = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SOMETHING_HAPPENS = {
    "sold": lambda car, to: transfer_owner(vehicle=car, to=to, on=TODAY, by=None),
    "scrapped": lambda car, to: change_status(vehicle=car, status=VehicleStatus.SCRAPPED, on=TODAY, by=None),
    "delivery corrected": lambda car, to: update_vehicle(
        vehicle=car, values={"delivery_on": date(2026, 2, 10)}, on=TODAY, by=None
    ),
    "visit": lambda car, to: record_visit(
        vehicle=car, job_type=JobType.FIRST_SERVICE, arrived_on=TODAY, handed_over_on=TODAY, km=4000, by=None
    ),
}


@REAL
@pytest.mark.parametrize("what", SOMETHING_HAPPENS)
def test_who_changes_a_car_and_its_owner_waits_for_the_owner_before_taking_the_car(car, owner, store, what):
    buyer = CustomerFactory(store=store)
    with transaction.atomic():
        type(owner).objects.select_for_update().get(pk=owner.pk)  # somebody saves a card of the owner
        other = Meanwhile(SOMETHING_HAPPENS[what], car=Vehicle.objects.get(pk=car.pk), to=buyer)
        other.wait_until_it_waits()
        assert Vehicle.objects.select_for_update(nowait=True).get(pk=car.pk) == car
    other.outcome()


@REAL
def test_a_car_that_is_sold_while_we_wait_for_its_owner_is_taken_with_the_new_owner(car, owner, store):
    buyer = CustomerFactory(store=store)
    with transaction.atomic():
        type(owner).objects.select_for_update().get(pk=owner.pk)
        other = Meanwhile(change_status, vehicle=car, status=VehicleStatus.SCRAPPED, on=TODAY, by=None)
        other.wait_until_it_waits()
        transfer_owner(vehicle=Vehicle.objects.get(pk=car.pk), to=buyer, on=TODAY, by=None)
    assert other.outcome().owner_id == buyer.pk
    buyer.refresh_from_db()
    assert buyer.last_delivery_on is None


@REAL
@pytest.mark.parametrize(
    ("second", "refusal"),
    [
        ({"vin": vin(7), "plate": "鲁M77777"}, PlateTaken),
        ({"vin": vin(8), "plate": "鲁M88888"}, CannotChangeVehicle),
    ],
)
def test_of_two_who_enter_the_same_car_at_once_the_second_is_told_so(store, second, refusal):
    first_owner, second_owner = CustomerFactory.create_batch(2, store=store)
    with transaction.atomic():
        create_vehicle(owner=first_owner, vin=vin(8), care_from=TODAY, by=None, plate="鲁M77777")
        other = Meanwhile(create_vehicle, owner=second_owner, care_from=TODAY, by=None, **second)
        other.wait_until_it_waits()
    with pytest.raises(refusal):
        other.outcome()
    assert Vehicle.objects.count() == 1


def test_a_change_from_an_old_copy_leaves_what_others_changed_meanwhile(car, adviser, second_adviser):
    old_copy = Vehicle.objects.get(pk=car.pk)
    update_vehicle(vehicle=car, values={"body_colour": "红", "plate": "鲁M99999"}, on=TODAY, by=second_adviser)
    changed = update_vehicle(vehicle=old_copy, values={"plate": "鲁M12345", "is_minivan": True}, on=TODAY, by=adviser)
    assert changed == ["plate", "is_minivan"]
    stored = Vehicle.objects.get(pk=car.pk)
    assert (stored.body_colour, stored.plate, stored.is_minivan) == ("红", "鲁M12345", True)
    assert (old_copy.body_colour, old_copy.plate) == ("红", "鲁M12345")


def test_an_inspection_confirmed_again_from_an_old_copy_stays_known_since_the_first_time(car, adviser):
    old_copy = Vehicle.objects.get(pk=car.pk)
    licence = {"valid_until": date(2027, 5, 31), "source": InspectionSource.LICENCE, "by": adviser}
    confirm_inspection(vehicle=car, on=TODAY, **licence)
    confirm_inspection(vehicle=old_copy, on=TODAY + timedelta(days=5), **licence)
    assert Vehicle.objects.get(pk=car.pk).inspection_since == TODAY


# --- The catalogue ------------------------------------------------------------------------------------------------


AT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


def attach(model, **values):
    """Change the plan or policy of a model as the administration does."""
    model = CarModel.objects.get(pk=model.pk)
    for name, value in values.items():
        setattr(model, name, value)
    return save_catalogue_entry(entry=model, at=AT, by=None)


def marked():
    return set(CarModel.objects.filter(terms_changed_at__isnull=False).values_list("pk", flat=True))


def test_a_plan_attached_to_a_model_moves_the_forecast_of_its_cars_and_of_no_others(owner):
    model, other = CarModelFactory.create_batch(2)
    cars = [VehicleFactory(owner=owner, model=each, delivery_on=date(2026, 9, 10)) for each in (model, model, other)]
    refresh_vehicle_facts([car.pk for car in cars], on=TODAY)
    assert attach(model, service_plan=ServicePlanFactory(first_months=12, first_km=15000)) == 1
    assert marked() == {model.pk}
    assert refresh_changed_models(now=AT) == 2
    assert [facts_of(car)[1:3] for car in cars] == [(date(2027, 9, 10), 15000)] * 2 + [(date(2026, 12, 10), 5000)]
    assert [car.forecast_since for car in cars] == [TODAY] * 3
    assert marked() == set()
    assert refresh_changed_models(now=AT) == 0


def test_terms_of_a_plan_and_of_a_policy_reach_the_cars_of_every_model_that_has_them(owner):
    plan, policy = ServicePlanFactory(), WarrantyPolicyFactory()
    models = [CarModelFactory(service_plan=plan), CarModelFactory(warranty_policy=policy), CarModelFactory()]
    cars = [VehicleFactory(owner=owner, model=model, delivery_on=date(2026, 9, 10)) for model in models]
    refresh_vehicle_facts([car.pk for car in cars], on=TODAY)
    plan.first_months, policy.months, policy.three_guarantees_months = 2, 48, 36
    assert [save_catalogue_entry(entry=each, at=AT, by=None) for each in (plan, policy)] == [1, 1]
    assert marked() == {models[0].pk, models[1].pk}
    assert refresh_changed_models(now=AT) == 2
    assert [facts_of(car)[1] for car in cars] == [date(2026, 11, 10), date(2026, 12, 10), date(2026, 12, 10)]
    assert [(car.warranty_ends_on, car.three_guarantees_end_on) for car in cars] == [
        (date(2029, 9, 10), date(2028, 9, 10)),
        (date(2030, 9, 10), date(2029, 9, 10)),
        (date(2029, 9, 10), date(2028, 9, 10)),
    ]


def test_what_changes_no_date_marks_no_model(owner):
    plan = ServicePlanFactory()
    model = CarModelFactory(service_plan=plan)
    VehicleFactory(owner=owner, model=model)
    CarModelFactory(service_plan=plan)
    plan.name = "another name"
    assert save_catalogue_entry(entry=plan, at=AT, by=None) == 0
    assert save_catalogue_entry(entry=ServicePlanFactory.build(), at=AT, by=None) == 0
    assert attach(model, trim="豪华") == 0
    assert attach(CarModelFactory(), service_plan=plan) == 0  # it has no car
    assert (marked(), ServicePlan.objects.get(pk=plan.pk).name) == (set(), "another name")


def test_terms_that_change_while_the_cars_are_computed_are_computed_once_more(owner, monkeypatch):
    model = CarModelFactory()
    car = VehicleFactory(owner=owner, model=model, delivery_on=date(2026, 9, 10))
    attach(model, service_plan=ServicePlanFactory(first_months=12, first_km=15000))
    later = ServicePlanFactory(first_months=2, first_km=15000)
    work = actions.refresh_vehicle_facts

    def and_then_somebody_changes_it_again(ids, *, on):
        changed = work(ids, on=on)
        monkeypatch.setattr(actions, "refresh_vehicle_facts", work)
        CarModel.objects.filter(pk=model.pk).update(service_plan=later, terms_changed_at=AT + timedelta(seconds=1))
        return changed

    monkeypatch.setattr(actions, "refresh_vehicle_facts", and_then_somebody_changes_it_again)
    assert refresh_changed_models(now=AT) == 1
    assert marked() == {model.pk}
    assert refresh_changed_models(now=AT) == 1
    assert (facts_of(car)[1], marked()) == (date(2026, 11, 10), set())


def test_a_worker_killed_on_the_way_leaves_the_mark_and_what_it_did(owner, monkeypatch):
    monkeypatch.setattr(actions, "BATCH", 2)
    model = CarModelFactory()
    cars = [VehicleFactory(owner=owner, model=model, delivery_on=date(2026, 9, 10)) for _ in range(3)]
    attach(model, service_plan=ServicePlanFactory(first_months=12, first_km=15000))
    work = actions.refresh_vehicle_facts
    batches = []

    def killed_at_the_second(ids, *, on):
        batches.append(list(ids))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return work(ids, on=on)

    monkeypatch.setattr(actions, "refresh_vehicle_facts", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        refresh_changed_models(now=AT)
    assert batches == [[cars[0].pk, cars[1].pk], [cars[2].pk]]
    assert ([facts_of(car)[1] for car in cars], marked()) == ([date(2027, 9, 10)] * 2 + [None], {model.pk})
    assert refresh_changed_models(now=AT) == 1
    assert marked() == set()


def test_cars_of_a_batch_are_computed_for_the_day_that_it_is_in_their_store(owner):
    afar = StoreFactory(time_zone="Pacific/Kiritimati")
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # the 22nd there
    cars = [VehicleFactory(owner=each) for each in (owner, CustomerFactory(store=afar))]
    assert refresh_cars(Vehicle.objects.all(), now=now) == 2
    assert [Vehicle.objects.get(pk=car.pk).forecast_since for car in cars] == [TODAY, TODAY + timedelta(days=1)]
