"""What happens at once when facts change."""

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from customers.actions.files import save_customer_form, update_customer
from customers.actions.wishes import set_do_not_contact
from customers.models import Customer
from followups import receivers
from followups.choices import NextStepKind
from followups.models import CareRule, NextStep, TouchPoint
from followups.planner import plan_care
from tests.factories import (
    TODAY,
    CareRuleFactory,
    CustomerFactory,
    NextStepFactory,
    TouchPointFactory,
    UserFactory,
    VehicleFactory,
)
from vehicles.actions import change_status, correct_owner, create_vehicle, transfer_owner, update_vehicle
from vehicles.choices import VehicleStatus

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


# --- Files put right ----------------------------------------------------------------------------------------------


def _open_steps():
    return set(NextStep.objects.open().values_list("pk", flat=True))


@pytest.mark.parametrize("values", [{"mobile": "13900001111"}, {"is_mobile_wrong": False}])
def test_a_number_put_right_on_the_form_is_asked_for_no_longer(values):
    customer = CustomerFactory(is_mobile_wrong=True)
    by = UserFactory()
    wanted = NextStepFactory(customer=customer, kind=NextStepKind.NUMBER_CORRECTION)
    others = {
        NextStepFactory(customer=customer).pk,
        NextStepFactory(customer=customer, kind=NextStepKind.OWNER_CORRECTION).pk,
        NextStepFactory(kind=NextStepKind.NUMBER_CORRECTION).pk,
    }
    save_customer_form(customer=customer, values=values, on=TODAY, by=by)
    assert _open_steps() == others
    wanted.refresh_from_db()
    assert (wanted.done_at is not None, wanted.done_by) == (True, by)


@pytest.mark.parametrize("values", [{"name": "李秀英"}, {"is_mobile_wrong": True}, {"mobile": ""}])
def test_a_number_that_is_still_wanted_is_asked_for(values):
    customer = CustomerFactory(is_mobile_wrong="name" in values)
    step = NextStepFactory(customer=customer, kind=NextStepKind.NUMBER_CORRECTION)
    update_customer(customer=customer, values=values, on=TODAY, by=None)
    assert _open_steps() == {step.pk}


def test_what_asks_for_a_number_is_closed_with_the_correction_or_not_at_all(monkeypatch):
    customer = CustomerFactory()
    step = NextStepFactory(customer=customer, kind=NextStepKind.NUMBER_CORRECTION)

    def fail(**_words):
        raise RuntimeError

    monkeypatch.setattr(receivers, "close_number_corrections", fail)
    with pytest.raises(RuntimeError):
        update_customer(customer=customer, values={"mobile": "13900001111"}, on=TODAY, by=None)
    assert Customer.objects.get(pk=customer.pk).mobile != "13900001111"
    assert _open_steps() == {step.pk}


SETTLEMENTS = {
    "transferred": lambda car, by: transfer_owner(vehicle=car, to=CustomerFactory(store=car.store), on=TODAY, by=by),
    "sold to somebody": lambda car, by: change_status(vehicle=car, status=VehicleStatus.TRANSFERRED, on=TODAY, by=by),
    "unknown": lambda car, by: correct_owner(vehicle=car, was=car.owner_id, to=None, on=TODAY, by=by),
    "right as it is": lambda car, by: correct_owner(vehicle=car, was=car.owner_id, to=car.owner, on=TODAY, by=by),
}


@pytest.mark.parametrize("how", SETTLEMENTS)
def test_an_owner_who_is_known_again_is_asked_for_no_longer(how):
    car = VehicleFactory()
    by = UserFactory()
    steps = [
        NextStepFactory(customer=car.owner, vehicle=about, kind=NextStepKind.OWNER_CORRECTION) for about in (car, None)
    ]
    others = {
        NextStepFactory(
            customer=car.owner, vehicle=VehicleFactory(owner=car.owner), kind=NextStepKind.OWNER_CORRECTION
        ).pk,
        NextStepFactory(customer=car.owner, kind=NextStepKind.NUMBER_CORRECTION).pk,
    }
    SETTLEMENTS[how](car, by)
    assert _open_steps() == others
    assert set(NextStep.objects.filter(pk__in=[step.pk for step in steps]).values_list("done_by", flat=True)) == {by.pk}


def test_a_car_that_moved_away_still_has_an_owner_to_be_asked_for():
    car = VehicleFactory()
    step = NextStepFactory(customer=car.owner, vehicle=car, kind=NextStepKind.OWNER_CORRECTION)
    change_status(vehicle=car, status=VehicleStatus.MOVED_AWAY, on=TODAY, by=None)
    assert _open_steps() == {step.pk}
