"""Visits to the workshop and what they tell the care engine."""

from datetime import date

import pytest

from service.actions import CannotRecordVisit, hand_over, record_visit, refresh_visit_facts, suggest_work
from service.choices import JobType
from tests.factories import TODAY, CustomerFactory, VehicleFactory
from vehicles.actions import service_done_elsewhere
from vehicles.choices import ServiceKind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]


@pytest.fixture
def car(store):
    owner = CustomerFactory(store=store)
    return VehicleFactory(store=store, owner=owner, delivery_on=date(2026, 1, 10))


def visit(car, adviser, **words):
    words = {"job_type": JobType.FIRST_SERVICE, "arrived_on": date(2026, 4, 1), "km": 4800} | words
    return record_visit(vehicle=car, by=adviser, adviser=adviser, **words)


def test_an_order_counts_as_a_visit_only_when_the_car_was_handed_over(car, adviser):
    order = visit(car, adviser)
    car.refresh_from_db()
    assert (car.last_visit_on, car.odometer_km, car.next_service_kind) == (None, 4800, ServiceKind.FIRST)
    hand_over(order=order, on=date(2026, 4, 2), by=adviser)
    car.refresh_from_db()
    car.owner.refresh_from_db()
    assert (car.last_visit_on, car.owner.last_visit_on) == (date(2026, 4, 2), date(2026, 4, 2))
    assert (car.last_service_on, car.last_service_km, car.first_service_done_on) == (
        date(2026, 4, 2),
        4800,
        date(2026, 4, 2),
    )
    assert (car.next_service_kind, car.next_service_from_on) == (ServiceKind.PERIODIC, date(2026, 4, 2))


def test_a_repair_is_a_visit_but_no_service_and_internal_work_is_neither(car, adviser):
    visit(car, adviser, job_type=JobType.INTERNAL, handed_over_on=date(2026, 4, 1))
    car.refresh_from_db()
    assert car.last_visit_on is None
    visit(car, adviser, job_type=JobType.GENERAL_REPAIR, km=None, handed_over_on=date(2026, 5, 1))
    car.refresh_from_db()
    assert (car.last_visit_on, car.last_service_on, car.next_service_kind) == (
        date(2026, 5, 1),
        None,
        ServiceKind.FIRST,
    )


def test_orders_of_a_day_are_numbered_in_sequence(car, adviser):
    numbers = [visit(car, adviser, km=None).number for _n in range(2)]
    assert numbers == ["RBZ01260401001", "RBZ01260401002"]


def test_a_car_is_handed_over_once_and_not_before_it_came(car, adviser):
    order = visit(car, adviser)
    with pytest.raises(CannotRecordVisit, match="before"):
        hand_over(order=order, on=date(2026, 3, 31), by=adviser)
    hand_over(order=order, on=date(2026, 4, 1), by=adviser)
    with pytest.raises(CannotRecordVisit, match="already"):
        hand_over(order=order, on=date(2026, 4, 1), by=adviser)


def test_a_later_service_elsewhere_is_not_undone_by_the_own_orders(car, adviser):
    visit(car, adviser, handed_over_on=date(2026, 4, 1))
    service_done_elsewhere(vehicle=car, on=date(2026, 9, 1), km=12000, by=adviser)
    assert refresh_visit_facts([car.pk], on=TODAY) == 0
    car.refresh_from_db()
    assert (car.last_service_on, car.last_service_km) == (date(2026, 9, 1), 12000)


def test_facts_of_visits_heal_and_healing_twice_changes_nothing(car, adviser):
    visit(car, adviser, handed_over_on=date(2026, 4, 1))
    type(car).objects.update(last_visit_on=None, last_service_on=None, last_service_km=None)
    refresh_visit_facts([car.pk], on=TODAY)
    car.refresh_from_db()
    assert (car.last_visit_on, car.last_service_on, car.last_service_km) == (date(2026, 4, 1), date(2026, 4, 1), 4800)
    assert refresh_visit_facts([car.pk], on=TODAY) == 0


def test_a_visit_of_the_former_owner_is_not_one_of_the_new_owner(car, adviser, store):
    visit(car, adviser, handed_over_on=date(2026, 4, 1))
    buyer = CustomerFactory(store=store)
    type(car).objects.update(owner=buyer)
    refresh_visit_facts([car.pk], on=TODAY)
    buyer.refresh_from_db()
    assert buyer.last_visit_on is None


def test_suggested_work_is_remembered(car, adviser):
    suggestion = suggest_work(order=visit(car, adviser), text="更换刹车片", on=date(2026, 4, 1), by=adviser)
    assert (suggestion.text, suggestion.suggested_on) == ("更换刹车片", date(2026, 4, 1))


def test_a_hand_over_is_known_since_it_was_entered(car, adviser):
    order = visit(car, adviser)
    hand_over(order=order, on=date(2026, 4, 2), by=adviser, known_on=TODAY)
    order.refresh_from_db()
    car.refresh_from_db()
    # Entered months later: what would have been due before is nobody's fault (ADR 0006).
    assert (order.known_since, car.forecast_since) == (TODAY, TODAY)
    at_once = visit(car, adviser, arrived_on=date(2026, 5, 2), handed_over_on=date(2026, 5, 2))
    assert (at_once.handed_over_on, at_once.known_since) == (date(2026, 5, 2), date(2026, 5, 2))
    later = visit(car, adviser, arrived_on=date(2026, 6, 2), handed_over_on=date(2026, 6, 2), known_on=TODAY)
    assert later.known_since == TODAY


def test_a_visit_has_care_planned_at_once(car, adviser, planned_at_once):
    orders = []
    assert planned_at_once(lambda: orders.append(visit(car, adviser))) == {car.owner_id}
    told = {
        "suggested": lambda: suggest_work(order=orders[0], text="更换刹车片", on=date(2026, 4, 1), by=adviser),
        "handed over": lambda: hand_over(order=orders[0], on=date(2026, 4, 2), by=adviser),
        "all at once": lambda: visit(car, adviser, arrived_on=TODAY, handed_over_on=TODAY),
    }
    assert {what: planned_at_once(call) for what, call in told.items()} == {what: {car.owner_id} for what in told}
