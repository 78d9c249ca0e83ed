"""What happens at once when facts change."""

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from customers.actions import set_do_not_contact
from customers.models import Customer
from followups import receivers
from followups.models import CareRule, TouchPoint
from followups.planner import plan_care
from tests.factories import CareRuleFactory, CustomerFactory, TouchPointFactory, VehicleFactory
from vehicles.actions import create_vehicle, update_vehicle

pytestmark = pytest.mark.django_db


def test_a_car_delivered_today_has_its_care_card_today(django_capture_on_commit_callbacks):
    CareRule.objects.exclude(code="D0").update(is_active=False)
    today = timezone.localdate()
    old_car = VehicleFactory(owner__entered_on=today)
    with django_capture_on_commit_callbacks(execute=True):
        create_vehicle(owner=old_car.owner, vin="LSJA24U62JG269225", care_from=today, by=None, delivery_on=today)
    assert list(TouchPoint.objects.values_list("rule__code", "nominal_on", "status")) == [("D0", today, "open")]


def test_a_change_is_saved_although_the_broker_is_down(django_capture_on_commit_callbacks, monkeypatch, caplog):
    def refuse(**kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(receivers.plan_customers_task, "apply_async", refuse)
    vehicle = VehicleFactory()
    with django_capture_on_commit_callbacks(execute=True):
        update_vehicle(vehicle=vehicle, values={"body_colour": "红"}, on=timezone.localdate(), by=None)
    vehicle.refresh_from_db()
    assert vehicle.body_colour == "红"
    assert "planned tonight" in caplog.text


@pytest.fixture
def open_points():
    """Live touch points of one customer, of rules that are off: the night itself has no word about them."""
    customer = CustomerFactory()

    def point(care_class, handling="contact", **values):
        rule = CareRuleFactory(care_class=care_class, handling=handling)
        return TouchPointFactory(customer=customer, rule=rule, **values)

    service = point("S")
    points = {
        "service": service,
        "greeting": point("M", "batch"),
        "form": point("S", "form"),
        # The service call speaks for what the law demands.
        "recall": point("L", status="merged", lead=service),
    }
    CareRule.objects.update(is_active=False)
    return points


def _states(points):
    rows = {row.pk: row for row in TouchPoint.objects.all()}
    return {name: (rows[point.pk].status, rows[point.pk].reason) for name, point in points.items()}


NOTHING_BUT_SAFETY = {
    "recall": ("open", ""),
    "service": ("suppressed", "do_not_contact"),
    "greeting": ("suppressed", "do_not_contact"),
    "form": ("open", ""),
}


def test_who_wants_no_more_contact_is_on_nobodys_list_at_once(open_points, django_capture_on_commit_callbacks):
    customer = open_points["recall"].customer
    with django_capture_on_commit_callbacks(execute=True):
        set_do_not_contact(customer=customer, level="all", reason="电话中要求", on=timezone.localdate(), by=None)
    states = _states(open_points)
    assert states == NOTHING_BUT_SAFETY


def test_no_marketing_leaves_service(open_points, django_capture_on_commit_callbacks):
    customer = open_points["recall"].customer
    with django_capture_on_commit_callbacks(execute=True):
        set_do_not_contact(customer=customer, level="marketing", reason="不要广告", on=timezone.localdate(), by=None)
    states = _states(open_points)
    assert states == {
        "recall": ("merged", ""),
        "service": ("open", ""),
        "greeting": ("suppressed", "no_marketing"),
        "form": ("open", ""),
    }


def test_a_wish_that_came_by_a_file_counts_from_the_next_night(open_points):
    today = timezone.localdate()
    plan_care(on=today)
    Customer.objects.update(do_not_contact="all", do_not_contact_on=today)
    assert plan_care(on=today).cancelled == 2
    states = _states(open_points)
    assert states == NOTHING_BUT_SAFETY
    assert plan_care(on=today).cancelled == 0
