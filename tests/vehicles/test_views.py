from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from tests.factories import (
    CarModelFactory,
    CustomerFactory,
    InsurancePolicyFactory,
    OdometerReadingFactory,
    OwnershipFactory,
    VehicleFactory,
)
from vehicles.queries import odometer_chart

pytestmark = pytest.mark.django_db

LIST = "/vehicles/"


def _plates(response):
    return [vehicle.plate for vehicle in response.context["page"].rows]


def test_the_list_shows_the_cars_of_the_own_store(as_user, adviser, store, other_store):
    VehicleFactory(owner=CustomerFactory(store=store), plate="鲁MB6688")
    VehicleFactory(owner=CustomerFactory(store=other_store), plate="鲁MB6689")
    assert _plates(as_user(adviser).get(LIST)) == ["鲁MB6688"]


def test_the_list_is_narrowed_and_sorted_by_the_address(as_user, adviser, store, time_machine):
    time_machine.move_to("2026-11-21T09:00:00+08:00", tick=False)
    owner = CustomerFactory(store=store)
    model = CarModelFactory(series="博瑞")
    VehicleFactory(owner=owner, plate="鲁M00001", model=model, next_service_on=date(2026, 12, 5))
    VehicleFactory(owner=owner, plate="鲁M00002", commercial=True, next_service_on=date(2026, 11, 20))
    VehicleFactory(owner=owner, plate="鲁M00003", scrapped=True)
    client = as_user(adviser)
    assert _plates(client.get(LIST, {"series": "博瑞"})) == ["鲁M00001"]
    assert _plates(client.get(LIST, {"use": "commercial"})) == ["鲁M00002"]
    assert _plates(client.get(LIST, {"status": "scrapped"})) == ["鲁M00003"]
    assert _plates(client.get(LIST, {"service": "overdue"})) == ["鲁M00002"]
    assert _plates(client.get(LIST, {"service": "30"})) == ["鲁M00001"]
    assert _plates(client.get(LIST, {"sort": "service"})) == ["鲁M00002", "鲁M00001"]


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_queries_for_one_and_three_cars(
    as_user, adviser, store, count, django_assert_num_queries
):
    for _ in range(count):
        VehicleFactory(owner=CustomerFactory(store=store), model=CarModelFactory())
    client = as_user(adviser)
    # Session, user, memberships, series of the filter, count, cars.
    with django_assert_num_queries(6):
        client.get(LIST)


def test_a_car_of_another_store_is_not_there(as_user, other_store_adviser, store):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store))
    assert as_user(other_store_adviser).get(vehicle.get_absolute_url()).status_code == 404


@pytest.mark.parametrize("count", [1, 3])
def test_a_car_takes_the_same_queries_with_one_and_three_lines_of_everything(
    as_user, adviser, store, count, django_assert_num_queries
):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store))
    for number in range(count):
        OdometerReadingFactory(vehicle=vehicle, km=6000 + number)
        InsurancePolicyFactory(vehicle=vehicle, ends_on=date(2027, 1, 10 + number))
        ended_on = None if number == 0 else date(2024, 1, 20)
        OwnershipFactory(vehicle=vehicle, customer=CustomerFactory(store=store), ended_on=ended_on)
    client = as_user(adviser)
    # Session, user, memberships, car, readings, owners, which of them may be named, policies; the log read and written.
    with django_assert_num_queries(10):
        assert client.get(vehicle.get_absolute_url()).status_code == 200


@pytest.mark.parametrize(("runs_out_on", "is_said"), [(date(2026, 8, 1), True), (date(2027, 1, 10), False)])
def test_an_end_by_mileage_is_said_beside_the_end_by_months(as_user, adviser, store, runs_out_on, is_said):
    vehicle = VehicleFactory(
        owner=CustomerFactory(store=store), warranty_ends_on=date(2027, 1, 10), warranty_runs_out_on=runs_out_on
    )
    page = as_user(adviser).get(vehicle.get_absolute_url()).content.decode()
    assert ("by its mileage, until about 2026-08-01" in page) == is_said


# --- Who has the car ----------------------------------------------------------------------------------------------


def _owner_page(vehicle, words=""):
    return reverse("vehicles:vehicle_owner", args=[vehicle.pk]) + (f"?q={words}" if words else "")


def _offered(response):
    return [value for value, _label in response.context["form"].fields["owner"].choices]


def test_the_next_owner_is_found_by_number_mobile_or_name_among_the_customers_of_the_store(
    as_user, care_specialist, store, other_store
):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store, name="李秀英", mobile="13900001111"))
    buyer = CustomerFactory(store=store, name="欧阳明", mobile="13911112222", number="C26900001")
    CustomerFactory(store=other_store, name="欧阳明", mobile="13911112223")
    CustomerFactory(store=store, name="欧阳故", status="deceased")
    client = as_user(care_specialist)
    for words in ("欧阳", "ouyang", "1111", "c26900001"):
        assert _offered(client.get(_owner_page(vehicle, words))) == [str(buyer.pk), "unknown", "same"]
    assert _offered(client.get(_owner_page(vehicle))) == ["unknown", "same"]
    assert "13911112222" not in client.get(_owner_page(vehicle, "欧阳")).content.decode()
    assert "Nobody found" in client.get(_owner_page(vehicle, "赵扬")).content.decode()


def test_a_car_is_given_to_the_customer_who_has_it_now(as_user, care_specialist, store):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store))
    buyer = CustomerFactory(store=store, name="欧阳明")
    response = as_user(care_specialist).post(_owner_page(vehicle, "欧阳"), {"owner": buyer.pk, "was": vehicle.owner_id})
    assert (response.status_code, response.url) == (302, vehicle.get_absolute_url())
    vehicle.refresh_from_db()
    assert vehicle.owner == buyer


def test_a_car_of_somebody_unknown_leaves_care_and_comes_back(as_user, care_specialist, store):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store))
    client = as_user(care_specialist)
    statuses = []
    for answer in ("unknown", "same"):
        client.post(_owner_page(vehicle), {"owner": answer, "was": vehicle.owner_id})
        vehicle.refresh_from_db()
        statuses.append(vehicle.status)
    assert statuses == ["transferred", "in_use"]


def test_why_a_car_stays_where_it_is_is_said(as_user, care_specialist, store):
    former, owner = CustomerFactory.create_batch(2, store=store)
    vehicle = VehicleFactory(owner=owner, plate="鲁MB6688")
    client = as_user(care_specialist)
    response = client.post(_owner_page(vehicle), {"owner": "unknown", "was": former.pk})
    assert (response.status_code, "changed hands meanwhile" in response.content.decode()) == (422, True)
    assert client.post(_owner_page(vehicle), {"was": owner.pk}).status_code == 422
    vehicle.refresh_from_db()
    assert vehicle.status == "in_use"
    vehicle.status = "transferred"
    vehicle.save(update_fields=["status"])
    VehicleFactory(owner=former, plate="鲁MB6688")
    response = client.post(_owner_page(vehicle), {"owner": "same", "was": owner.pk})
    assert (response.status_code, "Another car in use has the plate" in response.content.decode()) == (422, True)


@pytest.mark.parametrize(("person", "is_offered"), [("care_specialist", True), ("adviser", False), ("auditor", False)])
def test_who_may_edit_the_owner_is_led_to_the_change_of_owner(as_user, request, store, person, is_offered):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store))
    page = as_user(request.getfixturevalue(person)).get(vehicle.get_absolute_url()).content.decode()
    assert (_owner_page(vehicle) in page) == is_offered


def test_the_cars_of_a_customer_are_a_panel_and_a_page(as_user, adviser, store):
    owner = CustomerFactory(store=store)
    VehicleFactory(owner=owner, plate="鲁MB6688")
    url = reverse("vehicles:customer_cars", args=[owner.pk])
    client = as_user(adviser)
    assert "鲁M·B6688" in client.get(url, headers={"hx-request": "true"}).content.decode()
    assert 'class="crm-nav"' in client.get(url).content.decode()


# --- The chart ----------------------------------------------------------------------------------------------------


def test_the_chart_goes_on_from_the_last_used_reading_to_the_next_service(store):
    vehicle = VehicleFactory(
        owner=CustomerFactory(store=store), daily_km=Decimal("40.0"), next_service_on=date(2026, 12, 1)
    )
    OdometerReadingFactory(vehicle=vehicle, on=date(2026, 1, 1), km=0)
    OdometerReadingFactory(vehicle=vehicle, on=date(2026, 11, 1), km=12000)
    OdometerReadingFactory(vehicle=vehicle, on=date(2026, 11, 11), km=300, flag="falling")
    chart = odometer_chart(vehicle, list(vehicle.readings.order_by("on")))
    assert (chart.service.on, chart.service.km) == (date(2026, 12, 1), 13200)
    assert [dot.is_used for dot in chart.dots] == [True, True, False]
    assert chart.line == f"{chart.dots[0].x},{chart.dots[0].y} {chart.dots[1].x},{chart.dots[1].y}"
    assert (chart.dots[0].x, chart.service.x) == (chart.left, chart.right)
    assert all(0 <= dot.y <= chart.bottom for dot in chart.dots)


def test_a_car_with_one_day_of_readings_has_no_chart(store):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store), delivery_on=None)
    reading = OdometerReadingFactory(vehicle=vehicle)
    assert odometer_chart(vehicle, [reading]) is None


@pytest.mark.parametrize(("km", "top"), [(900, "2,000"), (29_000, "30,000"), (99_999, "100,000"), (410_000, "500,000")])
def test_the_axis_ends_on_a_round_number(store, km, top):
    vehicle = VehicleFactory(owner=CustomerFactory(store=store))
    readings = [
        OdometerReadingFactory(vehicle=vehicle, on=date(2026, 1, 1), km=0),
        OdometerReadingFactory(vehicle=vehicle, on=date(2026, 6, 1), km=km),
    ]
    assert odometer_chart(vehicle, readings).y_ticks[-1].label == top
