"""Lists that are taken away as files: what is shown, by whom, and that it is noted (domain §10, row "Export")."""

import csv
from datetime import timedelta
from io import StringIO

import pytest

from customers.models import PersonalDataAccess
from followups.models import CareRule
from tests.factories import NOW, TODAY, CarModelFactory, CustomerFactory, TouchPointFactory, VehicleFactory

pytestmark = pytest.mark.django_db

DAY, TEAM, DESK = "/export/", "/team/export/", "/desk/export/"


@pytest.fixture(autouse=True)
def _nine_in_the_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


def table(response):
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text.removeprefix("\ufeff"))))


def due(store, name, **values):
    rule = CareRule.objects.get(code="PS2", store=None)
    customer = CustomerFactory(store=store, name=name)
    car = VehicleFactory(owner=customer, model=CarModelFactory())
    return TouchPointFactory(rule=rule, customer=customer, vehicle=car, **values)


def test_the_list_of_the_day_is_exported_as_it_is_shown(as_user, care_specialist, store):
    late = due(
        store, "=王小明", assignee=care_specialist, due_on=TODAY - timedelta(days=1), opens_on=TODAY - timedelta(days=1)
    )
    due(store, "李秀英", assignee=care_specialist)
    due(store, "同事的", assignee=None)

    response = as_user(care_specialist).post(f"{DAY}?overdue=1")

    assert response["Content-Disposition"] == 'attachment; filename="my-day-2026-11-21.csv"'
    head, *lines = table(response)
    assert head[:6] == ["Customer no.", "Name", "Customer tier", "Plate no.", "Model", "Why contact"]
    assert [line[:8] for line in lines] == [
        [
            late.customer.number,
            "'=王小明",
            "Ordinary customer",
            late.vehicle.plate,
            str(late.vehicle.model),
            "Periodic service",
            late.closes_on.isoformat(),
            "yes",
        ]
    ]
    access = PersonalDataAccess.objects.get()
    assert (access.customer, access.field, access.by) == (late.customer, "export", care_specialist)
    assert access.reason == "Export of the day's list"


def test_an_export_holds_all_pages_in_the_order_of_the_list(as_user, care_specialist, store, monkeypatch):
    monkeypatch.setattr("followups.queries.exports.CHUNK", 2)
    for day in (3, 1, 5, 2, 4):
        due(store, f"客户{day}", assignee=care_specialist, closes_on=TODAY + timedelta(days=day))
    lines = table(as_user(care_specialist).post(DAY))[1:]
    assert [line[1] for line in lines] == ["客户1", "客户2", "客户3", "客户4", "客户5"]
    assert PersonalDataAccess.objects.count() == 5


def test_a_manager_takes_the_teams_list_away_with_whose_it_is(as_user, manager, adviser, store, other_store):
    due(store, "有主", assignee=adviser)
    due(store, "无主", closes_on=TODAY + timedelta(days=9))
    due(other_store, "别店")
    head, *lines = table(as_user(manager).post(TEAM))
    assert head[-1] == "Responsible"
    assert [(line[1], line[-1]) for line in lines] == [("有主", str(adviser)), ("无主", "The pool")]
    assert as_user(manager).post(f"{TEAM}?store={other_store.code}").status_code == 404


def test_the_due_list_of_the_month_is_exported(as_user, care_specialist, store):
    rule = CareRule.objects.get(code="PS0", store=None)
    car = VehicleFactory(owner__store=store, next_service_on=TODAY + timedelta(days=20), odometer_km=18400)
    point = TouchPointFactory(rule=rule, customer=car.owner, vehicle=car)
    form = CareRule.objects.get(code="D0", store=None)
    TouchPointFactory(rule=form, customer__store=store)

    response = as_user(care_specialist).post(f"{DESK}?rule=PS0")

    assert response["Content-Disposition"] == 'attachment; filename="list-PS0-2026-11-21.csv"'
    _head, *lines = table(response)
    assert lines == [
        [
            car.owner.number,
            car.owner.name,
            "Ordinary customer",
            car.plate,
            "",
            car.vin,
            rule.name,
            point.closes_on.isoformat(),
            "2026-12-11",
            "18400",
            "Nobody's",
        ]
    ]
    access = PersonalDataAccess.objects.get()
    assert (access.customer, access.reason) == (car.owner, f"Export of a list: {rule.name}")


def test_only_those_who_may_export_are_offered_it(as_user, care_specialist, adviser, store):
    due(store, "客服的", assignee=care_specialist)
    due(store, "顾问的", assignee=adviser)
    assert f'action="{DAY}?overdue=0"' in as_user(care_specialist).get("/?overdue=0").text
    assert DAY not in as_user(adviser).get("/").text
    assert as_user(adviser).post(DAY).status_code == 403
    assert not PersonalDataAccess.objects.exists()
