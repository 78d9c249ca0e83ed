"""The catalogue in the administration: whose terms change has the cars computed anew."""

from datetime import date

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError

from dealercrm.schedule import SCHEDULE
from followups.models import TouchPoint
from followups.planner import plan_care
from tests.factories import CarModelFactory, CustomerFactory, ServicePlanFactory, VehicleFactory
from tests.planning import MONDAY, only
from vehicles import admin
from vehicles.actions import refresh_vehicle_facts
from vehicles.models import CarModel
from vehicles.tasks import refresh_changed_models_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def model():
    return CarModelFactory()


@pytest.fixture
def car(model):
    """A car whose first service is near by the default plan."""
    customer = CustomerFactory(entered_on=date(2026, 1, 1))
    car = VehicleFactory(owner=customer, model=model, delivery_on=date(2026, 8, 28), care_from=date(2026, 8, 28))
    refresh_vehicle_facts([car.pk], on=date(2026, 8, 28))
    return car


def form_of(model, **values):
    data = {"brand": model.brand, "series": model.series, "year": model.year, "trim": "", "energy": model.energy}
    return data | {"service_plan": "", "warranty_policy": ""} | values


@pytest.fixture
def save(as_user, admin_user, django_capture_on_commit_callbacks):
    """Save a form of the administration and return the page after it."""

    def post(entry, data):
        path = reverse(f"admin:vehicles_{entry._meta.model_name}_change", args=[entry.pk])
        with django_capture_on_commit_callbacks(execute=True):
            return as_user(admin_user).post(path, data, follow=True)

    return post


def next_service(car):
    car.refresh_from_db()
    return car.next_service_on


def test_a_plan_attached_to_a_model_has_its_cars_computed_anew_and_says_so(save, model, car):
    plan = ServicePlanFactory(first_months=12, first_km=20000)
    assert next_service(car) == date(2026, 11, 28)
    page = save(model, form_of(model, service_plan=plan.pk)).content.decode()
    assert "The cars of 1 model are computed anew in the background" in page
    assert next_service(car) == date(2027, 8, 28)
    page = save(model, form_of(model, service_plan=plan.pk)).content.decode()
    assert "computed anew" not in page


def test_a_plan_that_is_changed_reaches_the_cars_and_the_night_moves_what_was_promised_by_it(save, model, car):
    plan = ServicePlanFactory()
    CarModel.objects.filter(pk=model.pk).update(service_plan=plan)
    only("FS2")
    plan_care(on=MONDAY)
    (before,) = TouchPoint.objects.filter(status="open").values_list("anchor_on", flat=True)
    terms = {"name": plan.name, "first_months": 4, "first_km": 5000, "interval_months": 6, "interval_km": 10000}
    assert "computed anew" in save(plan, terms).content.decode()
    assert (before, next_service(car)) == (date(2026, 11, 28), date(2026, 12, 28))
    plan_care(on=MONDAY)
    assert list(TouchPoint.objects.values_list("anchor_on", "status")) == [(date(2026, 12, 28), "open")]


def test_a_broker_that_is_down_loses_no_change_of_a_plan(save, model, car, monkeypatch, caplog):
    def refuse(**kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(admin.refresh_changed_models_task, "apply_async", refuse)
    plan = ServicePlanFactory(first_months=12, first_km=20000)
    assert save(model, form_of(model, service_plan=plan.pk)).status_code == 200
    assert "computed when it is back" in caplog.text
    assert next_service(car) == date(2026, 11, 28)
    assert refresh_changed_models_task.name in {entry["task"] for entry in SCHEDULE.values()}
    refresh_changed_models_task()
    assert next_service(car) == date(2027, 8, 28)
