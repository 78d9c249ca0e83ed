"""What the night makes of facts that change, are put right, or are told late."""

from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.apps import apps
from django.core.exceptions import ValidationError

from accounts.models import Membership, Store
from customers.actions.files import update_customer
from customers.choices import Channel, CustomerStatus, Salutation, Tier
from customers.models import Customer
from followups.choices import TouchPointStatus
from followups.coverage import check_coverage
from followups.models import CareRule, TouchPoint
from followups.planner import plan_care, plan_customers
from followups.tasks import plan_customers_task, plan_due_stores_task
from followups.trigger_words import words_of
from service.actions import refresh_visit_facts
from service.importing.customers import import_customers
from tests.factories import (
    ContactLogFactory,
    CustomerFactory,
    PersonalEventFactory,
    StoreFactory,
    SuggestedWorkFactory,
    TouchPointFactory,
    WorkOrderFactory,
    vin,
)
from tests.planning import ENTERED, MONDAY, car, days, only, rows
from vehicles.actions import change_status, create_vehicle, refresh_delivery_dates, transfer_owner, update_vehicle
from vehicles.choices import ServiceKind, Use, VehicleStatus
from vehicles.models import Vehicle

pytestmark = pytest.mark.django_db
TUESDAY = MONDAY + timedelta(days=1)


# --- Put right again ------------------------------------------------------------------------------------------------


def test_a_car_sold_by_a_slip_and_taken_back_is_promised_again(admin_user):
    only("M12k")
    vehicle = car(delivery=date(2025, 11, 23))
    plan_care(on=MONDAY)
    (before,) = rows("pk", "nominal_on", "closes_on")
    change_status(vehicle=vehicle, status=VehicleStatus.TRANSFERRED, on=MONDAY, by=admin_user)
    plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    assert rows("status", "reason") == [("cancelled", "car_not_in_care")]
    change_status(vehicle=vehicle, status=VehicleStatus.IN_USE, on=MONDAY, by=admin_user)
    plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    assert rows("pk", "nominal_on", "closes_on", "status", "reason", "closed_on") == [(*before, "open", "", None)]


def test_a_delivery_day_mistyped_and_corrected_brings_its_call_back():
    only("D3")
    plan_care(on=MONDAY)
    vehicle = car(delivery=date(2026, 11, 20))
    plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    for day in (date(2025, 11, 20), date(2026, 11, 20)):
        Vehicle.objects.filter(pk=vehicle.pk).update(delivery_on=day)
        plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    assert rows("nominal_on", "status") == [(MONDAY, "open")]


def test_what_is_taken_up_again_heeds_the_wishes_of_now(admin_user):
    only("M12k")
    vehicle = car(delivery=date(2025, 11, 23))
    plan_care(on=MONDAY)
    Vehicle.objects.filter(pk=vehicle.pk).update(status=VehicleStatus.SCRAPPED)
    plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    Vehicle.objects.filter(pk=vehicle.pk).update(status=VehicleStatus.IN_USE)
    Customer.objects.update(do_not_contact="all")
    plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    assert rows("status", "reason") == [("suppressed", "do_not_contact")]


def test_what_a_rule_promised_ends_with_its_customer_also_when_the_rule_is_off():
    only("M12k")
    car(delivery=date(2025, 11, 23))
    plan_care(on=MONDAY)
    CareRule.objects.filter(code="M12k").update(is_active=False)
    Customer.objects.update(status=CustomerStatus.DECEASED)
    plan_care(on=TUESDAY)
    assert rows("status", "reason") == [("cancelled", "customer_gone")]


# --- Wishes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ([Channel.PHONE], ("open", "", "sms")),
        ([Channel.PHONE, Channel.SMS], ("suppressed", "channels_refused", "phone")),
    ],
)
def test_a_channel_refused_after_the_promise_is_heeded(refused, expected):
    only("PS2")
    car(
        delivery=date(2020, 1, 1),
        next_service_kind=ServiceKind.PERIODIC,
        next_service_from_on=date(2026, 6, 8),
        next_service_on=date(2026, 11, 30),
    )
    plan_care(on=MONDAY)
    assert rows("status", "channel") == [("open", "phone")]
    Customer.objects.update(refused_channels=refused)
    plan_care(on=TUESDAY)
    assert rows("status", "reason", "channel") == [expected]


# --- Facts that nobody tells of -------------------------------------------------------------------------------------


def test_estimated_inspections_of_cars_that_never_come_roll_on(admin_user):
    only("IS1", "IS2", "IS3")
    with time_machine.travel(datetime(2026, 9, 1, 4, tzinfo=UTC)):
        owner = CustomerFactory(entered_on=date(2026, 9, 1))
        create_vehicle(
            owner=owner,
            vin="LSJA24U62JG269225",
            care_from=date(2026, 9, 1),
            by=admin_user,
            registered_on=date(2024, 11, 10),
            delivery_on=date(2024, 11, 10),
        )
    plan_care(on=date(2026, 9, 1))
    # Also over months without a night: first what was promised for the old one, then the next.
    for day in (date(2027, 1, 31), date(2027, 2, 1), date(2028, 12, 31)):
        plan_care(on=day)
    assert [nominal.year for (nominal,) in rows("nominal_on")] == [2026, 2026, 2026, 2028, 2028, 2028]


def test_a_yearly_event_is_not_celebrated_before_it_has_happened():
    only("PE")
    customer = CustomerFactory(entered_on=ENTERED)
    PersonalEventFactory(customer=customer, on=date(2028, 12, 1), is_yearly=True)
    for year in (2026, 2027, 2028, 2029):
        plan_care(on=date(year, 12, 10))
    assert [nominal.year for (nominal,) in rows("nominal_on")] == [2028, 2029]


def test_an_effective_contact_after_the_window_covered_nothing_in_it():
    only("M3k")
    plan_care(on=date(2026, 11, 10))
    car(delivery=date(2026, 8, 10))  # nominal 10 November, window until the 17th
    Customer.objects.update(last_effective_contact_on=date(2026, 11, 19))
    plan_care(on=date(2026, 11, 20))
    assert rows("status", "reason") == [("missed", "window_passed")]


# --- People and stores ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["moves", "is deleted"])
def test_calls_of_somebody_who_is_in_the_store_no_more_go_to_the_pool(store, other_store, consultant, leave):
    only("M12k")
    owner = CustomerFactory(store=store, entered_on=ENTERED, sales_consultant=consultant)
    car(delivery=date(2025, 11, 23), customer=owner)
    plan_care(on=MONDAY)
    assert rows("assignee") == [(consultant.pk,)]
    membership = Membership.objects.filter(user=consultant)
    if leave == "moves":
        membership.update(store=other_store)
    else:
        membership.delete()
    plan_care(on=TUESDAY)
    assert rows("assignee", "status") == [(None, "open")]


def test_the_call_after_a_service_is_not_merged_into_the_work_of_the_receiving_adviser(store, adviser, care_specialist):
    only("WE1", "PV")
    owner = CustomerFactory(store=store, entered_on=ENTERED, care_specialist=care_specialist, service_adviser=adviser)
    vehicle = car(
        delivery=date(2024, 1, 1),
        customer=owner,
        warranty_from_on=date(2024, 1, 1),
        warranty_notice_on=MONDAY,
    )
    plan_care(on=date(2026, 11, 18))
    TouchPoint.objects.update(attempts=1)  # rung once, which puts it in front
    WorkOrderFactory(vehicle=vehicle, adviser=adviser, arrived_on=MONDAY, handed_over_on=MONDAY, known_since=MONDAY)
    for day in days(TUESDAY, 3):
        plan_care(on=day)
    found = set(rows("rule__code", "status", "assignee"))
    assert ("PV", "open", care_specialist.pk) in found
    assert ("WE1", "open", adviser.pk) in found


def test_a_store_that_was_out_of_business_catches_up(store, other_store):
    only("M3k")
    owner = CustomerFactory(store=other_store, entered_on=ENTERED)
    car(delivery=date(2026, 9, 5), customer=owner)  # nominal 5 December, opens 30 November
    plan_care(on=MONDAY)
    Store.objects.filter(pk=other_store.pk).update(is_active=False)
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)):  # long after any change of the customer
        plan_care(on=date(2026, 12, 1))
        Store.objects.filter(pk=other_store.pk).update(is_active=True)
        plan_care(on=date(2026, 12, 2))
    assert rows("nominal_on", "opens_on", "status") == [(date(2026, 12, 7), date(2026, 11, 30), "open")] or rows(
        "nominal_on", "status"
    ) == [(date(2026, 12, 5), "open")]


@pytest.mark.parametrize("zone", ["Asia/Beijing", "China", ""])
def test_a_store_has_a_time_zone_that_there_is(zone):
    store = StoreFactory()
    store.time_zone = zone
    with pytest.raises(ValidationError) as refused:
        store.full_clean()
    assert set(refused.value.message_dict) == {"time_zone"}


def test_a_store_whose_night_fails_does_not_keep_the_others_from_theirs(store, other_store, monkeypatch):
    planned = []

    def plan(*, on, store):
        if store.code == "BZ01":
            raise RuntimeError("disk full")
        planned.append(store.code)

    monkeypatch.setattr("followups.tasks.plan_care", plan)
    monkeypatch.setattr("followups.tasks.stores_to_plan", lambda now: [(store, MONDAY), (other_store, MONDAY)])
    with pytest.raises(ExceptionGroup):
        plan_due_stores_task()
    assert planned == [other_store.code]


def test_what_cannot_wait_is_planned_for_the_day_that_it_is_in_the_store():
    only("D0")
    berlin = StoreFactory(time_zone="Europe/Berlin")
    plan_care(on=MONDAY)
    with time_machine.travel(datetime(2026, 11, 23, 19, tzinfo=UTC), tick=False):  # Tuesday in Shanghai
        vehicle = car(delivery=MONDAY, customer=CustomerFactory(store=berlin, entered_on=ENTERED))
        plan_customers_task(customer_ids=[vehicle.owner_id])
    assert rows("nominal_on", "status") == [(MONDAY, "open")]


# --- Merging --------------------------------------------------------------------------------------------------------


def test_a_forecast_that_moved_is_merged_on_the_day_its_window_opens():
    only("PS2", "M3k")
    owner = CustomerFactory(entered_on=ENTERED)
    vehicle = car(
        delivery=date(2026, 9, 1),
        customer=owner,
        next_service_kind=ServiceKind.PERIODIC,
        next_service_from_on=date(2026, 6, 8),
        next_service_on=date(2026, 11, 30),
    )
    plan_care(on=MONDAY)
    Vehicle.objects.filter(pk=vehicle.pk).update(next_service_on=date(2026, 12, 9))  # PS2 opens on 2 December
    for day in days(TUESDAY, 9):
        plan_care(on=day)
    assert sorted(rows("rule__code", "status")) == [("M3k", "merged"), ("PS2", "open")]


@pytest.mark.parametrize(
    ("hour", "opens_on"),
    # Ten o'clock was agreed with the customer; a rest after another contact ends at midnight.
    [(10, date(2026, 11, 26)), (0, date(2026, 12, 14))],
)
def test_an_agreed_time_holds_wherever_the_forecast_moves(hour, opens_on):
    only("PS2")
    vehicle = car(
        delivery=date(2025, 9, 1),
        next_service_kind=ServiceKind.PERIODIC,
        next_service_from_on=date(2026, 6, 8),
        next_service_on=date(2026, 11, 30),
    )
    plan_care(on=MONDAY)
    until = datetime(2026, 11, 26, hour, tzinfo=ZoneInfo("Asia/Shanghai"))
    TouchPoint.objects.update(not_before=until)
    Vehicle.objects.filter(pk=vehicle.pk).update(next_service_on=date(2026, 12, 21))
    plan_customers(customer_ids=[vehicle.owner_id], on=TUESDAY)
    assert rows("status", "due_on", "opens_on", "not_before") == [("open", date(2026, 12, 14), opens_on, until)]


def test_planning_some_customers_leaves_the_others_alone(store, other_store):
    only("D3", "M12k")
    other = CustomerFactory(store=other_store, entered_on=ENTERED)
    car(delivery=date(2026, 11, 22), customer=other)
    car(delivery=date(2025, 11, 22), customer=other)
    plan_care(on=date(2026, 11, 24))
    before = rows("pk", "status", "lead")
    TouchPoint.objects.filter(status=TouchPointStatus.MERGED).update(closes_on=date(2026, 11, 25))
    mine = car(delivery=date(2026, 11, 22), customer=CustomerFactory(store=store, entered_on=ENTERED))
    plan_customers(customer_ids=[mine.owner_id], on=date(2026, 11, 25))
    assert [row for row in rows("pk", "status", "lead") if row[0] in {pk for pk, *_ in before}] == before


# --- The check --------------------------------------------------------------------------------------------------------


def test_what_counts_from_a_delivery_that_was_corrected_is_promised_from_then_on_alone():
    only("TO")
    owner = CustomerFactory(entered_on=date(2026, 10, 1), tier=Tier.ORDINARY)
    vehicle = car(delivery=date(2026, 2, 10), customer=owner)  # nominal 10 November, window until the 13th
    refresh_delivery_dates([owner.pk], on=date(2026, 10, 1))
    plan_care(on=date(2026, 10, 20))
    for day in days(date(2026, 10, 21), 14):
        plan_care(on=day)
    update_vehicle(vehicle=vehicle, values={"delivery_on": date(2026, 1, 20)}, on=date(2026, 11, 4), by=None)
    for day in days(date(2026, 11, 4), 30):  # nominal 20 October by the new day: over when it was learnt
        plan_care(on=day)
    assert rows("nominal_on") == []
    checked = check_coverage(
        first=date(2026, 10, 1), last=date(2026, 12, 3), now=datetime(2026, 12, 3, 8, tzinfo=UTC), store=None
    )
    assert (checked.expected, checked.missing, checked.duplicates) == (0, 0, 0)


# --- Facts that the store learns late (ADR 0006) ----------------------------------------------------------------------

JANUARY, AUGUST = date(2026, 1, 5), date(2026, 8, 3)
SHANGHAI = ZoneInfo("Asia/Shanghai")
_numbers = iter(range(700_000, 800_000))


def _new_car(owner, *, care_from, **values):
    return create_vehicle(owner=owner, vin=vin(next(_numbers)), care_from=care_from, by=None, **values)


def _nights(*dates):
    for night in dates:
        plan_care(on=night)


def _speak_to(customer, on):
    ContactLogFactory(customer=customer, at=datetime.combine(on, time(10), SHANGHAI), on=on, by=None)
    Customer.objects.filter(pk=customer.pk).update(last_effective_contact_on=on)


def _visit(vehicle, on, **values):
    WorkOrderFactory(vehicle=vehicle, arrived_on=on, **values)
    refresh_visit_facts([vehicle.pk], on=values.get("known_since", on))


def _counts(last, first=JANUARY):
    """What the check says long after: expected, missing, double."""
    found = check_coverage(first=first, last=last, now=datetime(2090, 1, 1, tzinfo=UTC))
    return found.expected, found.missing, found.duplicates


@pytest.mark.parametrize("told_by", ["form", "file"])
def test_womens_day_is_promised_since_it_is_known_who_is_a_woman(tmp_path, store, told_by):
    only("FE")
    CareRule.objects.filter(code="FE").update(params={"festivals": ["women"]})
    customer = CustomerFactory(store=store, entered_on=JANUARY)
    _nights(date(2026, 3, 7), date(2026, 3, 9), AUGUST)
    if told_by == "form":
        update_customer(customer=customer, values={"salutation": Salutation.MS}, on=AUGUST, by=None)
    else:
        path = tmp_path / "customers.csv"
        path.write_text(f"姓名,手机号码,称谓\n{customer.name},{customer.mobile},女士\n", encoding="utf-8")
        assert import_customers(path=path, store=store, on=AUGUST, by=None).customers_updated == 1
    _nights(date(2026, 8, 4), date(2027, 3, 7))
    assert rows("nominal_on") == [(date(2027, 3, 8),)]
    assert _counts(date(2027, 3, 8)) == (1, 0, 0)


def test_a_greeting_that_goes_to_everybody_needs_no_salutation():
    only("FE")
    CareRule.objects.filter(code="FE").update(params={"festivals": ["women", "national"]})
    customer = CustomerFactory(entered_on=JANUARY)
    _nights(date(2026, 9, 30))
    update_customer(customer=customer, values={"salutation": Salutation.MS}, on=date(2026, 11, 2), by=None)
    _nights(date(2026, 11, 3))
    assert rows("nominal_on") == [(date(2026, 10, 1),)]
    assert _counts(date(2026, 11, 3)) == (1, 0, 0)


@pytest.mark.parametrize("comes", ["new", "from another owner"])
def test_a_season_tip_is_promised_since_there_is_a_car(comes):
    only("SE")
    customer = CustomerFactory(entered_on=JANUARY)
    _nights(date(2026, 5, 15), date(2026, 5, 23))
    if comes == "new":
        _new_car(customer, care_from=AUGUST, delivery_on=AUGUST)
    else:
        transfer_owner(vehicle=car(delivery=date(2024, 1, 10)), to=customer, on=AUGUST, by=None)
    _nights(date(2026, 8, 4), date(2026, 11, 2))
    assert rows("nominal_on") == [(date(2026, 11, 1),)]  # a Sunday, due on Monday
    assert _counts(date(2026, 11, 2)) == (1, 0, 0)


@pytest.mark.parametrize("has_a_new_one", [False, True])
def test_regular_follow_up_is_promised_since_there_is_a_car_of_some_time(has_a_new_one):
    only("RQ")
    customer = CustomerFactory(entered_on=JANUARY)
    _speak_to(customer, date(2026, 1, 20))
    if has_a_new_one:
        _new_car(customer, care_from=date(2026, 2, 2), delivery_on=date(2026, 2, 2))
    used = car(delivery=date(2023, 1, 10))
    _nights(date(2026, 4, 20), date(2026, 7, 20), AUGUST)
    transfer_owner(vehicle=used, to=customer, on=AUGUST, by=None)
    _nights(date(2026, 8, 4), date(2026, 10, 20))
    assert rows("nominal_on") == [(date(2026, 10, 20),)]
    assert _counts(date(2026, 10, 20)) == (1, 0, 0)


def test_an_owner_of_some_time_stays_one_when_an_older_car_comes():
    only("RQ")
    customer = CustomerFactory(entered_on=JANUARY)
    _speak_to(customer, date(2026, 1, 20))
    _new_car(customer, care_from=JANUARY, delivery_on=date(2024, 2, 2))
    used = car(delivery=date(2020, 1, 10))
    transfer_owner(vehicle=used, to=customer, on=AUGUST, by=None)
    _nights(date(2026, 8, 4), date(2026, 10, 20))  # the planner stood still since January, and catches up
    assert rows("nominal_on") == [(date(2026, month, 20),) for month in (4, 7, 10)]
    assert _counts(date(2026, 10, 20)) == (3, 0, 0)


def test_who_had_no_car_was_not_silent():
    only("DW")
    customer = CustomerFactory(entered_on=JANUARY)
    first = _new_car(customer, care_from=JANUARY, delivery_on=date(2024, 1, 10))
    _visit(first, date(2026, 1, 10))
    change_status(vehicle=first, status=VehicleStatus.TRANSFERRED, on=date(2026, 2, 2), by=None)
    used = car(delivery=date(2022, 1, 10), next_service_kind=ServiceKind.PERIODIC)
    Customer.objects.filter(pk=used.owner_id).update(status=CustomerStatus.DECEASED)
    _nights(date(2026, 7, 10), date(2026, 7, 20), AUGUST)
    transfer_owner(vehicle=used, to=customer, on=AUGUST, by=None)
    _nights(date(2026, 8, 4), date(2026, 10, 10))
    assert rows("customer", "nominal_on") == [(customer.pk, date(2026, 10, 10))]
    assert _counts(date(2026, 10, 10)) == (1, 0, 0)


@pytest.mark.parametrize("ends_with", ["done elsewhere", "car sold"])
def test_the_patience_for_a_first_service_ends_without_looking_back(ends_with):
    only("DW")
    customer = CustomerFactory(entered_on=JANUARY)
    facts = {"delivery_on": date(2026, 1, 10), "use": Use.COMMERCIAL}  # by kilometres alone: due on 15 May
    waits = _new_car(customer, care_from=date(2026, 1, 10), **facts)
    if ends_with == "car sold":
        other = _new_car(customer, care_from=date(2026, 1, 10), **facts)
        update_vehicle(vehicle=other, values={"first_service_done_on": date(2026, 3, 2)}, on=date(2026, 3, 2), by=None)
    _nights(date(2026, 7, 10), date(2026, 7, 20), AUGUST)
    assert rows() == []
    if ends_with == "car sold":
        change_status(vehicle=waits, status=VehicleStatus.TRANSFERRED, on=AUGUST, by=None)
    else:
        update_vehicle(vehicle=waits, values={"first_service_done_on": date(2026, 7, 6)}, on=AUGUST, by=None)
    _nights(date(2026, 8, 4), date(2026, 10, 10))
    assert rows("nominal_on") == [(date(2026, 10, 10),)]
    assert _counts(date(2026, 10, 10)) == (1, 0, 0)


def test_a_visit_that_is_entered_late_wakes_nobody_for_the_time_before():
    only("DW")
    customer = CustomerFactory(entered_on=JANUARY)
    vehicle = _new_car(customer, care_from=JANUARY, delivery_on=date(2022, 1, 10))
    _nights(date(2026, 7, 10), date(2026, 7, 20), AUGUST)
    _visit(vehicle, date(2026, 1, 12), known_since=AUGUST, job_type="repair")
    _nights(date(2026, 8, 4), date(2026, 10, 12))
    assert rows("nominal_on") == [(date(2026, 10, 12),)]
    assert _counts(date(2026, 10, 12)) == (1, 0, 0)


def test_a_last_visit_that_a_file_tells_late_wakes_nobody_for_the_time_before(tmp_path, store):
    only("DW")
    customer = CustomerFactory(store=store, entered_on=JANUARY)
    vehicle = _new_car(customer, care_from=JANUARY, delivery_on=date(2022, 1, 10))
    _nights(date(2026, 7, 10), date(2026, 7, 20), AUGUST)
    path = tmp_path / "customers.csv"
    path.write_text(
        f"姓名,手机号码,车架号,最近来店日期\n{customer.name},{customer.mobile},{vehicle.vin},2026-01-12\n",
        encoding="utf-8",
    )
    assert import_customers(path=path, store=store, on=AUGUST, by=None).customers_updated == 1
    _nights(date(2026, 8, 4), date(2026, 10, 12))
    assert rows("nominal_on") == [(date(2026, 10, 12),)]
    assert _counts(date(2026, 10, 12)) == (1, 0, 0)


def test_tier_contacts_count_from_the_entry_again_since_the_only_car_has_gone():
    only("TO")
    customer = CustomerFactory(entered_on=JANUARY)
    vehicle = _new_car(customer, care_from=JANUARY, delivery_on=date(2024, 2, 12))
    _nights(date(2026, 1, 6), date(2026, 2, 12), date(2026, 5, 12), AUGUST)
    change_status(vehicle=vehicle, status=VehicleStatus.SCRAPPED, on=AUGUST, by=None)
    _nights(date(2026, 8, 4), date(2026, 10, 8))
    assert rows("nominal_on") == [(date(2026, 2, 12),), (date(2026, 5, 12),), (date(2026, 10, 5),)]
    assert _counts(date(2026, 10, 8)) == (1, 0, 0)


# --- Who is silent ----------------------------------------------------------------------------------------------------


def test_who_drives_a_new_car_home_is_not_told_that_we_have_missed_them():
    only("DW")
    customer = CustomerFactory(entered_on=JANUARY)
    _visit(_new_car(customer, care_from=JANUARY, delivery_on=date(2022, 1, 10)), date(2026, 1, 10))
    _nights(date(2026, 1, 11), date(2026, 6, 20))
    _new_car(customer, care_from=date(2026, 6, 20), delivery_on=date(2026, 6, 20))
    _nights(date(2026, 6, 21), date(2026, 7, 10), date(2026, 12, 21))
    assert rows("nominal_on", "anchor_on") == [(date(2026, 12, 20), date(2026, 6, 20))]
    assert _counts(date(2026, 12, 21)) == (1, 0, 0)


def test_a_wake_up_call_that_stands_is_taken_back_when_a_new_car_comes():
    only("DW")
    customer = CustomerFactory(entered_on=JANUARY)
    _visit(_new_car(customer, care_from=JANUARY, delivery_on=date(2022, 1, 10)), date(2026, 1, 10))
    _nights(date(2026, 1, 11), date(2026, 7, 6))
    assert rows("nominal_on", "status") == [(date(2026, 7, 10), "open")]
    _new_car(customer, care_from=date(2026, 7, 7), delivery_on=date(2026, 7, 7))
    _nights(date(2026, 7, 8))
    assert rows("nominal_on", "status", "reason") == [(date(2026, 7, 10), "cancelled", "facts_changed")]
    assert _counts(date(2026, 7, 31))[1:] == (0, 0)


def test_the_patience_for_a_first_service_is_also_for_who_came_with_another_car():
    only("DW")
    customer = CustomerFactory(entered_on=JANUARY)
    old = _new_car(customer, care_from=JANUARY, delivery_on=date(2022, 1, 10))
    # Due by kilometres alone, on 15 May; 60 days later is 14 July.
    _new_car(customer, care_from=date(2026, 1, 10), delivery_on=date(2026, 1, 10), use=Use.COMMERCIAL)
    _visit(old, date(2026, 1, 12))
    _nights(date(2026, 1, 13), date(2026, 7, 12), date(2026, 10, 12))
    assert rows("nominal_on") == [(date(2026, 10, 12),)]
    assert _counts(date(2026, 10, 12)) == (1, 0, 0)


# --- Whom a promise is made to ----------------------------------------------------------------------------------------


def test_the_next_owner_is_not_spoken_to_about_work_that_was_suggested_to_the_last_one():
    only("AJ")
    next_service = {"next_service_kind": ServiceKind.PERIODIC, "next_service_from_on": date(2026, 10, 1)}
    vehicle = car(delivery=date(2024, 1, 10), next_service_on=date(2026, 12, 10), **next_service)
    Vehicle.objects.update(care_from=JANUARY)
    SuggestedWorkFactory(work_order=WorkOrderFactory(vehicle=vehicle, arrived_on=date(2026, 10, 1)))
    _nights(date(2026, 10, 2))
    to = CustomerFactory(entered_on=JANUARY)
    transfer_owner(vehicle=vehicle, to=to, on=date(2026, 10, 12), by=None)
    _nights(date(2026, 10, 13), date(2026, 11, 2), date(2026, 12, 12))
    assert rows("customer", "nominal_on") == []
    assert _counts(date(2026, 12, 12)) == (0, 0, 0)


# --- Personal events --------------------------------------------------------------------------------------------------


def test_personal_events_are_celebrated_on_their_day_whatever_offsets_are_stored():
    only("PE")
    CareRule.objects.filter(code="PE").update(offsets=[-1])
    customer = CustomerFactory(entered_on=JANUARY)
    PersonalEventFactory(customer=customer, on=date(2026, 6, 9), is_yearly=False)
    PersonalEventFactory(customer=customer, on=date(2020, 6, 16), is_yearly=True)
    _nights(*days(date(2026, 6, 7), 12))
    assert rows("nominal_on", "opens_on") == [
        (date(2026, 6, 9), date(2026, 6, 8)),
        (date(2026, 6, 16), date(2026, 6, 15)),
    ]
    assert _counts(date(2026, 6, 18)) == (2, 0, 0)
    assert not words_of("personal_event").has_offsets


def test_what_was_promised_the_day_before_an_event_becomes_the_promise_of_its_day():
    only("PE")
    rule = CareRule.objects.get(code="PE")
    CareRule.objects.filter(pk=rule.pk).update(offsets=[-1])
    customer = CustomerFactory(entered_on=JANUARY)
    events = days(date(2026, 6, 9), 3)
    for event in events:
        PersonalEventFactory(customer=customer, on=event, is_yearly=False)
        the_day_before = {"nominal_on": event - timedelta(days=1), "anchor_on": event, "step": -1}
        TouchPointFactory(rule=rule, customer=customer, status="done", closed_on=event, **the_day_before)
    import_module("followups.migrations.0012_personal_events_have_no_offsets").celebrate_on_the_day(apps, None)
    assert rows("nominal_on", "step", "status") == [(event, 0, "done") for event in events]
    rule.refresh_from_db()
    assert rule.offsets == [0]
    _nights(*days(date(2026, 6, 7), 6))
    assert len(rows()) == 3
    assert _counts(date(2026, 6, 12)) == (3, 0, 0)


# --- What ends by months or kilometres (ADR 0014) -------------------------------------------------------------------

ENDS = {"WE2": "warranty_runs_out_on", "TG": "three_guarantees_run_out_on"}


def _ending(code, on):
    """A car whose months end long after its kilometres, which end ``on``; the rule alone is switched on."""
    only(code)
    delivery = date(2026, 1, 5)
    months = {"warranty_ends_on": date(2029, 1, 5), "three_guarantees_end_on": date(2028, 1, 5)}
    return car(delivery=delivery, warranty_from_on=delivery, forecast_since=ENTERED, **months, **{ENDS[code]: on})


def _move(vehicle, code, on):
    Vehicle.objects.filter(pk=vehicle.pk).update(forecast_since=TUESDAY, **{ENDS[code]: on})


@pytest.fixture(params=ENDS)
def ending(request):
    """The code of a rule, and a car whose end by kilometres is thirty days after Monday."""
    return request.param, _ending(request.param, MONDAY + timedelta(days=30))


def _is_covered(last):
    found = check_coverage(first=ENTERED, last=last, now=datetime(2090, 1, 1, tzinfo=UTC))
    return found.is_complete


def test_an_end_by_kilometres_is_told_thirty_days_before_the_forecast(ending):
    plan_care(on=MONDAY)
    assert rows("nominal_on", "anchor_on", "cycle_on", "status") == [
        (MONDAY, MONDAY + timedelta(days=30), date(2026, 1, 5), "open")
    ]
    assert _is_covered(MONDAY)


def test_an_end_that_moves_takes_its_open_contact_along_and_repeats_none_that_was_made(ending):
    code, vehicle = ending
    plan_care(on=MONDAY)
    later = MONDAY + timedelta(days=60)
    _move(vehicle, code, later + timedelta(days=30))
    plan_care(on=TUESDAY)
    assert rows("nominal_on", "status") == [(later, "open")]
    TouchPoint.objects.update(status=TouchPointStatus.DONE, closed_on=TUESDAY)
    _move(vehicle, code, later + timedelta(days=40))
    for day in days(later, 15):
        plan_care(on=day)
    assert rows("nominal_on", "status") == [(later, "done")]
    assert _is_covered(later + timedelta(days=15))


def test_an_end_that_the_odometer_has_passed_is_announced_no_more(ending):
    code, vehicle = ending
    plan_care(on=MONDAY)
    _move(vehicle, code, MONDAY)
    plan_care(on=TUESDAY)
    assert rows("status", "reason") == [("cancelled", "facts_changed")]
    assert _is_covered(MONDAY)


def test_an_end_that_comes_nearer_than_its_window_is_still_told(ending):
    code, vehicle = ending
    plan_care(on=MONDAY)
    _move(vehicle, code, TUESDAY)
    plan_care(on=TUESDAY)
    assert rows("nominal_on", "status") == [(MONDAY, "open")]


def test_a_car_entered_beyond_its_kilometres_is_told_of_no_end_by_months():
    for code in ENDS:
        _ending(code, date(2026, 8, 1))
    only(*ENDS)
    ends_by_months = (date(2027, 12, 6), date(2028, 12, 6))
    plan_care(on=MONDAY)
    for end in ends_by_months:
        plan_care(on=end)
    assert rows("status") == []
    assert _is_covered(ends_by_months[1])
