"""What happens at once when facts change."""

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from followups import receivers
from followups.models import CareRule, TouchPoint
from tests.factories import VehicleFactory
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
