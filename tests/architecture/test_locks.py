"""Everybody who locks several rows does it in one order, or two people wait for each other (ADR 0011)."""

import re
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.files import update_customer
from followups.actions import assignments
from followups.actions.batches import mark_batch_sent, mark_handled
from followups.actions.contacts import record_contact, skip
from followups.actions.leases import claim_next
from followups.choices import Handling, Outcome
from followups.models import TouchPoint
from service.actions import hand_over, record_visit, refresh_visit_facts
from service.choices import JobType
from service.importing.customers import import_customers
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    CustomerFactory,
    TouchPointFactory,
    WorkOrderFactory,
    vin,
)
from vehicles.actions import (
    add_policy,
    change_status,
    confirm_inspection,
    correct_owner,
    create_vehicle,
    service_done_elsewhere,
    transfer_owner,
    update_vehicle,
)
from vehicles.choices import InspectionSource, PolicyKind, VehicleStatus

pytestmark = pytest.mark.django_db

LEVELS = [
    "customers_customer",
    "vehicles_vehicle",
    "service_workorder",
    "followups_touchpoint",
    "followups_queuelease",
]
LOCK = re.compile(
    r'FOR NO KEY UPDATE OF "(?P<locked>\w+)"|(?:UPDATE|DELETE FROM) "?(?P<written>\w+)"? (?:AS|SET|WHERE)'
)
ONE_ROW = re.compile(r"LIMIT (?:1|21) *FOR NO KEY UPDATE")
BY_ID = re.compile(r'ORDER BY (?:1|"\w+"\."id") ASC FOR NO KEY UPDATE')
STRONG_LOCK = re.compile(rf'FROM "(?:{"|".join(LEVELS)})".*FOR UPDATE')


def _contact(here, people, outcome, **details):
    words = {"customer": here.customer, "by": people["adviser"], "now": NOW, "channel": "phone", "outcome": outcome}
    return record_contact(touch_points=[here.point.pk], **(words | details))


def _a_list(here):
    return TouchPointFactory(customer=here.customer, rule=CareRuleFactory(handling=Handling.LIST))


ACTIONS = {
    "update_customer": lambda here, people: update_customer(
        customer=here.customer, values={"name": "张三"}, by=people["adviser"]
    ),
    "create_vehicle": lambda here, people: create_vehicle(
        owner=here.customer, vin=vin(99), care_from=TODAY, by=people["adviser"], delivery_on=TODAY
    ),
    "update_vehicle": lambda here, people: update_vehicle(
        vehicle=here.vehicle, values={"delivery_on": TODAY}, on=TODAY, by=people["adviser"]
    ),
    "transfer_owner": lambda here, people: transfer_owner(
        vehicle=here.vehicle, to=CustomerFactory(store=here.store), on=TODAY, by=people["adviser"]
    ),
    "correct_owner": lambda here, people: correct_owner(
        vehicle=here.vehicle,
        was=here.customer.pk,
        to=CustomerFactory(store=here.store),
        on=TODAY,
        by=people["adviser"],
    ),
    "correct_owner to nobody we know": lambda here, people: correct_owner(
        vehicle=here.vehicle, was=here.customer.pk, to=None, on=TODAY, by=people["adviser"]
    ),
    "change_status": lambda here, people: change_status(
        vehicle=here.vehicle, status=VehicleStatus.SCRAPPED, on=TODAY, by=people["adviser"]
    ),
    "service_done_elsewhere": lambda here, people: service_done_elsewhere(
        vehicle=here.vehicle, on=TODAY, km=90000, by=people["adviser"]
    ),
    "add_policy": lambda here, people: add_policy(
        vehicle=here.vehicle, kind=PolicyKind.COMMERCIAL, ends_on=TODAY, by=people["adviser"]
    ),
    "confirm_inspection": lambda here, people: confirm_inspection(
        vehicle=here.vehicle, valid_until=TODAY, source=InspectionSource.LICENCE, on=TODAY, by=people["adviser"]
    ),
    "record_visit": lambda here, people: record_visit(
        vehicle=here.vehicle,
        job_type=JobType.PERIODIC_SERVICE,
        arrived_on=TODAY,
        handed_over_on=TODAY,
        km=88000,
        by=people["adviser"],
    ),
    "hand_over": lambda here, people: hand_over(
        order=WorkOrderFactory(vehicle=here.vehicle, in_workshop=True), on=TODAY, by=people["adviser"]
    ),
    "refresh_visit_facts": lambda here, people: refresh_visit_facts([here.vehicle.pk], on=TODAY),
    "record_contact": lambda here, people: _contact(here, people, Outcome.SATISFIED),
    "record_contact about a refusal": lambda here, people: _contact(
        here, people, Outcome.REFUSED, reason="no calls", corrected_mobile="13900000000"
    ),
    "record_contact about a car that is gone": lambda here, people: _contact(
        here, people, Outcome.CAR_GONE, car_status=VehicleStatus.SCRAPPED
    ),
    "record_contact about a service elsewhere": lambda here, people: _contact(
        here, people, Outcome.SERVICED_ELSEWHERE, reason="near", serviced_km=90000
    ),
    "skip": lambda here, people: skip(customer=here.customer, by=people["adviser"], now=NOW, reason="later"),
    "mark_batch_sent": lambda here, people: mark_batch_sent(
        touch_points=TouchPoint.objects.all(), by=people["care_specialist"], now=NOW, channel="sms"
    ),
    "mark_handled": lambda here, people: mark_handled(
        touch_points=[_a_list(here).pk], by=people["care_specialist"], now=NOW
    ),
    "assign": lambda here, people: assignments.assign(
        touch_points=[here.point.pk], to=people["care_specialist"], by=people["manager"]
    ),
    "hand over all of a person": lambda here, people: assignments.hand_over(
        leaving=people["adviser"], to=people["care_specialist"], store=here.store, by=people["manager"]
    ),
    "claim_next": lambda here, people: claim_next(by=people["adviser"], now=NOW),
}


def assert_in_order(queries):
    """Look at which kinds of rows were locked first, and how."""
    first_of: dict[str, str] = {}
    for query in queries:
        for found in LOCK.finditer(query["sql"]):
            table = found["locked"] or found["written"]
            if table in LEVELS:
                first_of.setdefault(table, "locked" if found["locked"] else "written")
    assert first_of
    assert list(first_of) == sorted(first_of, key=LEVELS.index)
    # A lease is one row, and whoever ends it has locked its customer.
    assert {how for table, how in first_of.items() if table != "followups_queuelease"} == {"locked"}
    assert not [query["sql"] for query in queries if STRONG_LOCK.search(query["sql"])]
    many = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert not [sql for sql in many if not ONE_ROW.search(sql) and not BY_ID.search(sql)]
    return set(first_of)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_locks_from_the_customer_down_and_each_kind_of_row_before_it_writes_several(here, people, name):
    former = CustomerFactory(store=here.store)
    WorkOrderFactory(vehicle=here.vehicle, customer=former)
    with CaptureQueriesContext(connection) as queries:
        ACTIONS[name](here, people)
    tables = assert_in_order(queries)
    if "followups_touchpoint" in tables and name != "claim_next":
        assert "customers_customer" in tables


def test_an_import_locks_what_is_on_file_from_the_customer_down(here, people, tmp_path):
    file = tmp_path / "customers.csv"
    car = here.vehicle
    file.write_text(
        f"姓名,手机号码,VIN,车牌号,交车日期\n{here.customer.name},{here.customer.mobile},{car.vin},鲁M00X01,2025-03-01\n"
    )
    with CaptureQueriesContext(connection) as queries:
        result = import_customers(path=file, store=here.store, on=TODAY, by=people["manager"])
    car.refresh_from_db()
    assert (result.errors, car.delivery_on) == (0, date(2025, 3, 1))
    assert_in_order(queries)
