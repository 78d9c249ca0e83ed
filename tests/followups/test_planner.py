"""The nightly run, on small worlds."""

import itertools
import threading
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction

from accounts.models import Store
from core.choices import JobStatus
from core.models import CalendarDay, JobRun
from customers.choices import BirthdayCalendar, Channel, DoNotContact, Tier
from customers.models import Customer
from followups.choices import NextStepKind, Reason, Severity, TouchPointStatus
from followups.models import CareRule, TouchPoint
from followups.planner import plan_care, plan_customers, run, runs, upkeep
from followups.planner.due import stores_to_plan
from followups.planner.sql import Scope
from service.choices import JobType
from tests.factories import (
    ContactLogFactory,
    CustomerFactory,
    InsurancePolicyFactory,
    NextStepFactory,
    PersonalEventFactory,
    StoreFactory,
    SuggestedWorkFactory,
    VehicleFactory,
    WorkOrderFactory,
)
from tests.planning import ENTERED, LONG_AGO, MONDAY, car, days, only, rows
from vehicles.choices import ServiceKind, VehicleStatus
from vehicles.models import InsurancePolicy, Vehicle

pytestmark = pytest.mark.django_db


def test_a_three_day_call_opens_the_day_before_and_is_missed_after_its_day():
    only("D3")
    plan_care(on=MONDAY)
    car(delivery=MONDAY)
    plan_care(on=MONDAY + timedelta(days=1))
    assert rows() == []
    plan_care(on=MONDAY + timedelta(days=2))
    assert rows("rule__code", "nominal_on", "due_on", "opens_on", "closes_on", "status") == [
        ("D3", date(2026, 11, 26), date(2026, 11, 26), date(2026, 11, 25), date(2026, 11, 26), "open")
    ]
    plan_care(on=MONDAY + timedelta(days=3))
    assert rows("status") == [("open",)]
    plan_care(on=MONDAY + timedelta(days=4))
    assert rows("status", "reason", "closed_on") == [("missed", "window_passed", MONDAY + timedelta(days=4))]


def test_months_count_from_the_delivery_and_never_chain():
    only("M3k", "M12k")
    car(delivery=date(2025, 8, 31))
    Customer.objects.update(entered_on=date(2025, 8, 31))
    Vehicle.objects.update(care_from=date(2025, 8, 31))
    plan_care(on=date(2027, 9, 30))
    assert [nominal for (nominal,) in rows("nominal_on")] == [
        date(2025, 11, 30),
        date(2026, 2, 28),
        date(2026, 5, 31),
        date(2026, 8, 31),
        date(2026, 11, 30),
        date(2027, 2, 28),
        date(2027, 5, 31),
        date(2027, 8, 31),
    ]


def test_importing_an_old_customer_makes_no_flood():
    only("D0", "D1", "D3", "M3k", "M12k", "ML")
    owner = CustomerFactory(entered_on=MONDAY)
    VehicleFactory(owner=owner, delivery_on=date(2016, 5, 23), care_from=MONDAY)
    plan_care(on=MONDAY)
    assert rows("rule__code", "nominal_on", "status") == [("ML", date(2026, 11, 23), "open")]


def test_switching_a_rule_on_makes_nothing_up_that_had_passed():
    only("M3k")
    CareRule.objects.filter(code="M3k").update(active_from=MONDAY)
    car(delivery=date(2026, 8, 10))  # nominal 10 November, window until the 17th
    car(delivery=date(2026, 8, 17))  # nominal 17 November, window until the 24th
    plan_care(on=MONDAY)
    assert rows("nominal_on") == [(date(2026, 11, 17),)]


def test_days_without_a_run_are_caught_up_and_say_missed():
    only("D1")
    plan_care(on=MONDAY)
    car(delivery=MONDAY)
    plan_care(on=MONDAY + timedelta(days=4))
    assert rows("nominal_on", "status") == [(MONDAY + timedelta(days=1), "missed")]


def test_planning_twice_changes_nothing():
    only("M3k", "BD", "TO")
    for n in range(20):
        car(delivery=date(2026, 8, 16) + timedelta(days=n))
    Customer.objects.update(birthday_month=11, birthday_day=23)
    first = plan_care(on=MONDAY)
    before = rows("pk", "status", "lead", "assignee", "due_on")
    second = plan_care(on=MONDAY)
    assert first.created == len(before) > 20
    assert (second.created, second.suppressed, second.missed) == (0, 0, 0)
    assert second.existing > 0
    assert rows("pk", "status", "lead", "assignee", "due_on") == before


def test_a_dry_run_counts_the_same_and_writes_nothing():
    only("M3k")
    car(delivery=date(2026, 8, 23))
    dry = plan_care(on=MONDAY, dry_run=True)
    assert (TouchPoint.objects.count(), JobRun.objects.count()) == (0, 0)
    real = plan_care(on=MONDAY)
    assert (dry.created, dry.suppressed, dry.existing) == (real.created, real.suppressed, real.existing) == (1, 0, 0)


def test_one_store_is_planned_without_the_other(store, other_store):
    only("M3k")
    for each in (store, other_store):
        car(delivery=date(2026, 8, 23), customer=CustomerFactory(store=each, entered_on=ENTERED))
    plan_care(on=MONDAY, store=other_store)
    assert rows("store__code") == [("BZ02",)]
    assert runs.last_completed(runs.latest_runs([store, other_store])) is None
    plan_care(on=MONDAY)
    assert sorted(rows("store__code")) == [("BZ01",), ("BZ02",)]


def test_a_car_out_of_use_and_a_customer_who_died_are_left_alone():
    only("M3k")
    car(delivery=date(2026, 8, 23), status=VehicleStatus.SCRAPPED)
    car(delivery=date(2026, 8, 23))
    Customer.objects.filter(vehicles__status=VehicleStatus.IN_USE).update(status="deceased")
    plan_care(on=MONDAY)
    assert rows() == []


@pytest.mark.parametrize(
    ("values", "code", "reason"),
    [
        ({"do_not_contact": DoNotContact.ALL_BUT_SAFETY}, "M3k", Reason.DO_NOT_CONTACT),
        ({"do_not_contact": DoNotContact.MARKETING}, "ML", Reason.NO_MARKETING),
        ({"refused_channels": [Channel.PHONE, Channel.CARD]}, "M12k", Reason.CHANNELS_REFUSED),
        ({"last_effective_contact_on": date(2026, 10, 20)}, "M3k", Reason.RECENT_CONTACT),
        ({"last_proactive_contact_on": date(2026, 11, 22)}, "IS3", Reason.CONTACT_GAP),
    ],
)
def test_a_suppressed_promise_is_a_row_with_its_reason(values, code, reason):
    only(code)
    anchors = {"M3k": date(2026, 8, 23), "M12k": date(2025, 11, 23), "ML": date(2023, 8, 23), "IS3": LONG_AGO}
    vehicle = car(delivery=anchors[code], inspection_valid_until=date(2026, 11, 30))
    Customer.objects.filter(pk=vehicle.owner_id).update(**values)
    result = plan_care(on=MONDAY)
    assert rows("rule__code", "status", "reason", "closed_on") == [(code, "suppressed", reason, MONDAY)]
    assert (result.created, result.suppressed) == (0, 1)


def test_no_marketing_lets_service_contacts_pass():
    only("M3k", "M12k", "FS2")
    vehicle = car(delivery=date(2025, 11, 23))
    Customer.objects.filter(pk=vehicle.owner_id).update(do_not_contact=DoNotContact.MARKETING)
    plan_care(on=MONDAY)
    assert rows("rule__code", "status") == [("M12k", "open")]


def test_an_escalated_complaint_holds_marketing_and_routine_care_but_not_the_anniversary():
    only("M3k", "M12k", "BD")
    routine, anniversary = car(delivery=date(2026, 8, 23)), car(delivery=date(2025, 11, 23))
    for vehicle in (routine, anniversary):
        NextStepFactory(customer=vehicle.owner, kind=NextStepKind.COMPLAINT, severity=Severity.ESCALATED, done_at=None)
    Customer.objects.filter(pk=routine.owner_id).update(birthday_month=11, birthday_day=23)
    plan_care(on=MONDAY)
    assert sorted(rows("rule__code", "status", "reason")) == [
        ("BD", "suppressed", "open_complaint"),
        ("M12k", "open", ""),
        ("M3k", "suppressed", "open_complaint"),
    ]


def test_a_contact_that_comes_too_soon_waits_inside_its_window():
    only("M12k")
    vehicle = car(delivery=date(2025, 11, 23))
    Customer.objects.filter(pk=vehicle.owner_id).update(last_proactive_contact_on=date(2026, 11, 20))
    plan_care(on=MONDAY)
    shanghai = ZoneInfo("Asia/Shanghai")
    assert rows("status", "not_before") == [("open", datetime(2026, 11, 25, tzinfo=shanghai))]


def test_a_contact_after_the_window_is_no_reason_why_it_was_missed():
    only("M3k")
    plan_care(on=date(2026, 11, 10))
    vehicle = car(delivery=date(2026, 8, 10))  # nominal 10 November, window until the 17th
    Customer.objects.filter(pk=vehicle.owner_id).update(last_proactive_contact_on=date(2026, 11, 19))
    plan_care(on=date(2026, 11, 20))
    assert rows("status", "reason") == [("missed", "window_passed")]


def test_a_refused_channel_is_passed_over_and_the_preferred_one_comes_first():
    only("M3k")
    refuses, prefers = car(delivery=date(2026, 8, 23)), car(delivery=date(2026, 8, 23))
    Customer.objects.filter(pk=refuses.owner_id).update(refused_channels=[Channel.PHONE])
    Customer.objects.filter(pk=prefers.owner_id).update(preferred_channel=Channel.WECHAT)
    plan_care(on=MONDAY)
    channels = dict(rows("customer_id", "channel"))
    assert channels == {refuses.owner_id: Channel.SMS, prefers.owner_id: Channel.WECHAT}


def test_vip_contacts_vary_the_channel_each_time():
    only("TV")
    CustomerFactory(entered_on=date(2026, 9, 1), tier=Tier.VIP)
    for on in days(date(2026, 9, 1), 80):
        plan_care(on=on)
    channels = [channel for (channel,) in rows("channel")]
    assert len(channels) == 5
    assert all(one != other for one, other in itertools.pairwise(channels))


def test_a_vip_reached_early_is_contacted_in_another_way_the_next_time():
    only("TV")
    vip = CustomerFactory(entered_on=date(2026, 9, 1), tier=Tier.VIP)
    used = [Channel.WECHAT, Channel.PHONE, Channel.PHONE]
    for channel in used:
        point = None
        on = date(2026, 9, 1)
        while point is None:
            plan_care(on=on)
            point = TouchPoint.objects.filter(status="open").first()
            on += timedelta(days=1)
        log = ContactLogFactory(customer=vip, on=on, channel=channel)
        TouchPoint.objects.filter(pk=point.pk).update(status="done", closed_on=on, settled_by=log)
        Customer.objects.filter(pk=vip.pk).update(last_effective_contact_on=on)

    # Proposed: the first of the plan, then each time the one after the channel that was really used.
    assert rows("channel") == [(Channel.PHONE,), (Channel.VISIT,), (Channel.WECHAT,)]


def written_to(customer, *days_ago):
    for ago in days_ago:
        ContactLogFactory(
            customer=customer, on=MONDAY - timedelta(days=ago), channel=Channel.SMS, is_marketing_message=True
        )


def test_who_had_a_marketing_message_this_week_is_called_instead():
    only("M3k")
    CareRule.objects.filter(code="M3k").update(care_class="M", channels=["sms", "phone"])
    vehicle, other = car(delivery=date(2026, 8, 23)), car(delivery=date(2026, 8, 23))
    written_to(vehicle.owner, 6)
    written_to(other.owner, 7)
    plan_care(on=MONDAY)
    assert rows("customer_id", "channel", "status", "not_before") == [
        (vehicle.owner_id, Channel.PHONE, "open", None),
        (other.owner_id, Channel.SMS, "open", None),
    ]


@pytest.mark.parametrize(
    ("late_days", "days_ago", "expected"),
    [
        (7, (6,), ("open", "", date(2026, 11, 24))),
        (7, (29, 20, 14, 8), ("open", "", date(2026, 11, 24))),
        (7, (25, 20, 14, 8), ("open", "", date(2026, 11, 28))),
        (4, (25, 20, 14, 8), ("suppressed", "message_limit", None)),
        (0, (6,), ("suppressed", "message_limit", None)),
    ],
)
def test_a_message_waits_for_its_turn_where_the_window_allows_it(late_days, days_ago, expected):
    only("M3k")
    CareRule.objects.filter(code="M3k").update(
        care_class="M", channels=["sms", "wechat"], early_days=0, late_days=late_days
    )
    vehicle = car(delivery=date(2026, 8, 23))
    written_to(vehicle.owner, *days_ago)
    plan_care(on=MONDAY)
    ((status, reason, until),) = rows("status", "reason", "not_before")
    here = until and until.astimezone(ZoneInfo("Asia/Shanghai"))
    assert (status, reason, here and here.date()) == expected


def test_what_falls_together_becomes_one_contact_led_by_the_most_urgent():
    only("M12k", "IS3", "PE")
    vehicle = car(delivery=date(2025, 11, 26), inspection_valid_until=date(2026, 11, 30))
    PersonalEventFactory(customer=vehicle.owner, on=date(2026, 11, 24), is_yearly=False)
    plan_care(on=MONDAY)
    lead = TouchPoint.objects.get(status=TouchPointStatus.OPEN)
    assert lead.rule.code == "M12k"
    assert sorted(rows("rule__code", "status", "lead")) == [
        ("IS3", "merged", lead.pk),
        ("M12k", "open", None),
        ("PE", "merged", lead.pk),
    ]


def test_a_merged_promise_takes_the_lead_on_the_last_day_of_its_window():
    only("M12k", "IS3")
    car(delivery=date(2025, 11, 26), inspection_valid_until=date(2026, 11, 30))
    plan_care(on=MONDAY)
    assert sorted(rows("rule__code", "status", "closes_on")) == [
        ("IS3", "merged", date(2026, 11, 26)),
        ("M12k", "open", date(2026, 12, 3)),
    ]
    plan_care(on=date(2026, 11, 26))
    assert sorted(rows("rule__code", "status")) == [("IS3", "open"), ("M12k", "merged")]


def test_a_merged_promise_outlives_a_lead_that_is_missed():
    only("D3", "M12k")
    owner = CustomerFactory(entered_on=ENTERED)
    car(delivery=date(2025, 11, 27), customer=owner)
    car(delivery=MONDAY, customer=owner)
    plan_care(on=date(2026, 11, 26))
    assert sorted(rows("rule__code", "status")) == [("D3", "open"), ("M12k", "merged")]
    plan_care(on=date(2026, 11, 27))
    assert sorted(rows("rule__code", "status", "lead")) == [("D3", "missed", None), ("M12k", "open", None)]


def test_several_cars_of_one_owner_make_one_contact():
    only("M3k")
    owner = CustomerFactory(entered_on=ENTERED)
    for _ in range(3):
        car(delivery=date(2026, 8, 23), customer=owner)
    plan_care(on=MONDAY)
    assert sorted(status for (status,) in rows("status")) == ["merged", "merged", "open"]


def test_among_equals_the_same_one_leads_whichever_was_written_first():
    only("M3k")
    owner = CustomerFactory(entered_on=ENTERED)
    first, second = (car(delivery=date(2026, 8, 23), customer=owner) for _ in range(2))
    plan_care(on=MONDAY)
    TouchPoint.objects.filter(vehicle=second).update(status="open", lead=None)
    TouchPoint.objects.filter(vehicle=first).delete()
    plan_care(on=MONDAY, since=MONDAY)
    assert rows("vehicle", "status") == [(second.pk, "merged"), (first.pk, "open")]


def test_a_big_night_counts_the_ledger_before_it_joins_it_with_itself():
    only("M3k")
    car(delivery=date(2026, 8, 23))
    plan_care(on=MONDAY)
    upkeep.make_work_tables(Scope(MONDAY, []))
    before = known_rows()
    upkeep.refresh_statistics(upkeep.ROWS_WORTH_COUNTING - 1)
    assert known_rows() == before
    upkeep.refresh_statistics(1_000_000)
    assert known_rows() == 1


def known_rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'followups_touchpoint'::regclass")
        return cursor.fetchone()[0]


def test_a_list_and_a_form_are_never_merged_nor_suppressed():
    only("D0", "M12k")
    owner = CustomerFactory(entered_on=ENTERED, do_not_contact=DoNotContact.ALL_BUT_SAFETY)
    car(delivery=MONDAY, customer=owner)
    plan_care(on=MONDAY)
    assert rows("rule__code", "status", "handling") == [("D0", "open", "form")]


def test_the_owner_gets_the_task_and_the_pool_when_the_owner_is_away(store, consultant):
    only("M3k")
    owner = CustomerFactory(store=store, entered_on=ENTERED, sales_consultant=consultant)
    car(delivery=date(2026, 8, 23), customer=owner)
    plan_care(on=date(2026, 11, 16))
    assert rows("assignee") == [(consultant.pk,)]
    consultant.memberships.update(absent_from=date(2026, 11, 17), absent_until=None)
    plan_care(on=date(2026, 11, 17))
    assert rows("assignee", "status") == [(None, "open")]


def test_people_of_the_group_who_have_no_store_do_not_stand_in_the_way(group_manager):
    only("M3k")
    car(delivery=date(2026, 8, 23))
    plan_care(on=MONDAY)
    assert rows("assignee", "status") == [(None, "open")]


def test_the_post_service_call_is_never_made_by_the_receiving_adviser(store, care_specialist):
    only("PV")
    owner = CustomerFactory(store=store, entered_on=ENTERED, care_specialist=care_specialist)
    vehicle = car(delivery=LONG_AGO, customer=owner)
    for adviser in (care_specialist, None):
        handed_over = MONDAY if adviser else MONDAY + timedelta(days=1)
        WorkOrderFactory(
            vehicle=vehicle, customer=owner, adviser=adviser, arrived_on=handed_over, handed_over_on=handed_over
        )
    plan_care(on=MONDAY + timedelta(days=3))
    assert rows("nominal_on", "assignee") == [
        (MONDAY + timedelta(days=3), None),
        (MONDAY + timedelta(days=4), care_specialist.pk),
    ]


def test_internal_work_is_no_visit():
    only("PV")
    vehicle = car(delivery=LONG_AGO)
    WorkOrderFactory(
        vehicle=vehicle, customer=vehicle.owner, job_type=JobType.INTERNAL, arrived_on=MONDAY, handed_over_on=MONDAY
    )
    plan_care(on=MONDAY + timedelta(days=3))
    assert rows() == []


def test_calls_beyond_the_daily_number_that_cannot_wait_go_to_the_pool(store, consultant):
    only("D1")
    store.daily_calls = 2
    store.save(update_fields=["daily_calls"])
    for _ in range(3):
        owner = CustomerFactory(store=store, entered_on=ENTERED, sales_consultant=consultant)
        car(delivery=MONDAY, customer=owner)
    plan_care(on=MONDAY + timedelta(days=1))
    assert rows("assignee") == [(consultant.pk,), (consultant.pk,), (None,)]


def test_a_sold_car_cancels_what_was_promised_for_it():
    only("M12k", "BD")
    vehicle = car(delivery=date(2025, 11, 23))
    Customer.objects.filter(pk=vehicle.owner_id).update(birthday_month=11, birthday_day=24)
    plan_care(on=MONDAY)
    Vehicle.objects.update(status=VehicleStatus.TRANSFERRED)
    plan_care(on=MONDAY + timedelta(days=1))
    assert rows("rule__code", "status", "reason") == [
        ("M12k", "cancelled", "car_not_in_care"),
        ("BD", "open", ""),
    ]


def test_a_renewed_policy_cancels_the_talk_about_the_old_one():
    only("IN1")
    vehicle = car(delivery=LONG_AGO)
    InsurancePolicyFactory(vehicle=vehicle, starts_on=date(2026, 1, 8), ends_on=date(2027, 1, 7))
    plan_care(on=MONDAY)
    assert rows("rule__code", "status") == [("IN1", "open")]
    InsurancePolicyFactory(vehicle=vehicle, starts_on=date(2027, 1, 7), ends_on=date(2028, 1, 7))
    plan_care(on=MONDAY + timedelta(days=1))
    assert rows("status", "reason") == [("cancelled", "facts_changed")]


def test_two_policies_that_end_on_a_day_are_one_reason():
    only("IN1")
    vehicle = car(delivery=LONG_AGO)
    for kind in ("compulsory", "commercial"):
        InsurancePolicyFactory(vehicle=vehicle, kind=kind, starts_on=date(2026, 1, 8), ends_on=date(2027, 1, 7))
    plan_care(on=MONDAY)
    assert InsurancePolicy.objects.count() == 2
    assert rows("rule__code", "status") == [("IN1", "open")]


def test_a_forecast_that_moves_takes_its_open_touch_point_along():
    only("PS1")
    service = {"next_service_kind": ServiceKind.PERIODIC, "next_service_from_on": date(2026, 6, 8)}
    vehicle = car(delivery=LONG_AGO, next_service_on=date(2026, 12, 8), **service)
    plan_care(on=MONDAY)
    assert rows("nominal_on", "status") == [(MONDAY, "open")]
    Vehicle.objects.filter(pk=vehicle.pk).update(next_service_on=date(2026, 12, 20))
    plan_care(on=MONDAY + timedelta(days=1))
    assert rows("nominal_on", "opens_on", "status") == [(date(2026, 12, 5), date(2026, 12, 7), "open")]


def test_a_forecast_that_comes_nearer_leaves_an_open_call_open():
    only("PS2")
    service = {"next_service_kind": ServiceKind.PERIODIC, "next_service_from_on": date(2026, 6, 8)}
    vehicle = car(delivery=LONG_AGO, next_service_on=date(2026, 11, 30), **service)
    plan_care(on=MONDAY)
    Vehicle.objects.filter(pk=vehicle.pk).update(next_service_on=date(2026, 11, 25), forecast_since=MONDAY)
    plan_care(on=MONDAY + timedelta(days=1))
    assert rows("nominal_on", "status") == [(MONDAY, "open")]


def test_what_is_learnt_late_was_not_promised_before():
    only("IN1", "BD", "IS3", "TQ")
    vehicle = car(delivery=LONG_AGO)
    plan_care(on=MONDAY)
    InsurancePolicyFactory(vehicle=vehicle, starts_on=date(2026, 1, 3), ends_on=date(2027, 1, 2), known_since=MONDAY)
    Vehicle.objects.update(inspection_valid_until=date(2026, 11, 25), inspection_since=MONDAY)
    Customer.objects.update(
        birthday_month=11,
        birthday_day=20,
        birthday_since=MONDAY,
        tier=Tier.QUALITY,
        tier_since=MONDAY,
        last_effective_contact_on=date(2026, 10, 18),
    )
    plan_care(on=MONDAY + timedelta(days=1), since=ENTERED)
    assert rows() == []


def test_suggested_work_is_spoken_about_again_and_before_the_next_service():
    only("AJ")
    vehicle = car(
        delivery=LONG_AGO,
        next_service_on=date(2027, 1, 4),
        next_service_from_on=date(2026, 7, 4),
        next_service_kind=ServiceKind.PERIODIC,
    )
    order = WorkOrderFactory(vehicle=vehicle, customer=vehicle.owner, arrived_on=MONDAY, handed_over_on=MONDAY)
    SuggestedWorkFactory(work_order=order, suggested_on=MONDAY)
    for on in days(MONDAY, 45):
        plan_care(on=on)
    assert rows("nominal_on", "step") == [(date(2026, 12, 23), 30), (date(2026, 12, 28), -7)]


def test_a_forecast_that_moves_never_repeats_a_contact_that_was_made():
    only("PS1")
    service = {"next_service_kind": ServiceKind.PERIODIC, "next_service_from_on": date(2026, 6, 8)}
    vehicle = car(delivery=LONG_AGO, next_service_on=date(2026, 12, 8), **service)
    plan_care(on=MONDAY)
    TouchPoint.objects.update(status=TouchPointStatus.DONE, closed_on=MONDAY)
    Vehicle.objects.filter(pk=vehicle.pk).update(next_service_on=date(2026, 12, 20))
    for on in days(MONDAY, 40):
        plan_care(on=on)
    assert rows("nominal_on", "status") == [(MONDAY, "done")]


def test_a_correction_of_the_calendar_reaches_windows_that_would_have_opened():
    only("D3")
    car(delivery=date(2026, 11, 25))  # nominal Saturday the 28th, due Friday, opens Thursday
    plan_care(on=date(2026, 11, 27))
    assert rows("due_on") == [(date(2026, 11, 27),)]
    car(delivery=date(2026, 12, 2))  # nominal Saturday 5 December
    CalendarDay.objects.create(day=date(2026, 12, 5), is_working=True, is_edited=True)
    plan_care(on=date(2026, 12, 4))
    assert rows("due_on")[-1] == (date(2026, 12, 5),)


def test_a_store_that_goes_its_own_way_does_not_repeat_a_promise(store):
    only("M3k")
    car(delivery=date(2026, 8, 23), customer=CustomerFactory(store=store, entered_on=ENTERED))
    plan_care(on=date(2026, 11, 20))
    group = CareRule.objects.get(code="M3k")
    own = CareRule.objects.get(code="M3k")
    own.pk, own._state.adding, own.store, own.late_days = None, True, store, 9
    own.save()
    plan_care(on=MONDAY)
    assert rows("rule", "nominal_on") == [(group.pk, MONDAY)]


def test_a_store_that_switches_a_rule_off_plans_it_no_more(store, other_store):
    only("M3k")
    for each in (store, other_store):
        car(delivery=date(2026, 8, 23), customer=CustomerFactory(store=each, entered_on=ENTERED))
    own = CareRule.objects.get(code="M3k")
    own.pk, own._state.adding, own.store, own.is_active = None, True, store, False
    own.save()
    plan_care(on=MONDAY)
    assert rows("store__code") == [("BZ02",)]


def test_rows_that_were_lost_are_healed_by_looking_back():
    only("M3k", "D3")
    for n in range(10):
        car(delivery=date(2026, 8, 23) + timedelta(days=n))
    for on in days(MONDAY, 25):
        plan_care(on=on)
    before = set(rows("rule", "customer", "vehicle", "nominal_on"))
    TouchPoint.objects.filter(pk__in=list(TouchPoint.objects.values_list("pk", flat=True)[:4])).delete()
    plan_care(on=MONDAY + timedelta(days=24), since=MONDAY)
    assert set(rows("rule", "customer", "vehicle", "nominal_on")) >= before


def test_a_customer_can_be_planned_at_once():
    only("D0", "D3")
    plan_care(on=MONDAY)
    vehicle = car(delivery=MONDAY)
    plan_customers(customer_ids=[vehicle.owner_id], on=MONDAY)
    assert rows("rule__code", "status") == [("D0", "open")]
    assert plan_care(on=MONDAY).created == 0


def test_lunar_birthdays_are_planned_by_the_lunar_calendar_of_the_year():
    only("BD")
    values = {"birthday_calendar": BirthdayCalendar.LUNAR, "birthday_month": 8, "birthday_day": 15}
    CustomerFactory(entered_on=date(2026, 9, 1), **values)
    plan_care(on=date(2026, 9, 24))
    assert rows() == []
    plan_care(on=date(2026, 9, 25))
    assert rows("nominal_on", "due_on") == [(date(2026, 9, 25), date(2026, 9, 25))]


def test_too_many_marketing_messages_are_not_sent():
    only("TO")
    CareRule.objects.filter(code="TO").update(channels=["sms"], covered_days=None, rotates_channels=False)
    customer = CustomerFactory(entered_on=date(2026, 8, 23), tier=Tier.ORDINARY)
    CareRule.objects.filter(code="TO").update(early_days=0, late_days=2)
    ContactLogFactory(customer=customer, on=date(2026, 11, 19), is_marketing_message=True, channel=Channel.SMS)
    plan_care(on=MONDAY)
    assert rows("status", "reason") == [("suppressed", "message_limit")]


def test_a_failed_run_leaves_nothing_and_says_so(monkeypatch):
    only("M3k", "M12k")
    car(delivery=date(2026, 8, 23))

    def fail(scope, *, next_working_day):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(run.upkeep, "merge", fail)
    with pytest.raises(RuntimeError):
        plan_care(on=MONDAY)
    assert rows() == []
    assert list(JobRun.objects.values_list("status", "error")) == [("failed", "RuntimeError: the disk is full")]
    monkeypatch.undo()
    assert plan_care(on=MONDAY).created == 1


def test_what_one_store_alone_did_not_see_is_looked_at_again(store):
    other = StoreFactory()
    for each, on, seen in (
        (store, MONDAY, "2026-11-23T02:00"),
        (other, MONDAY - timedelta(days=1), "2026-11-23T12:00"),
    ):
        JobRun.objects.create(
            name=runs.JOB_NAME,
            store_code=each.code,
            business_date=on,
            status=JobStatus.DONE,
            started_at=datetime.fromisoformat(f"{seen}+08:00"),
            finished_at=datetime.fromisoformat(f"{seen}+08:00"),
            counts={"saw_changes_until": f"{seen}+08:00"},
        )

    # Yesterday was made up for at noon in the other store; this one has not been looked at since two in the morning.
    assert runs.unseen_changes_since(runs.latest_runs([store, other])) == datetime.fromisoformat(
        "2026-11-23T02:00+08:00"
    )


def test_each_store_is_planned_once_its_own_clock_has_passed_two(store, time_machine):
    kashgar = StoreFactory(code="KS01", time_zone="Asia/Urumqi")  # two hours behind
    at = datetime(2026, 11, 23, 2, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    time_machine.move_to(at - timedelta(hours=10))
    plan_care(on=MONDAY, store=store)  # made ahead: it does not know what changes until then
    time_machine.move_to(at, tick=False)
    assert stores_to_plan(now=at) == [(store, MONDAY)]
    plan_care(on=MONDAY, store=store)
    assert stores_to_plan(now=at) == []
    assert stores_to_plan(now=at + timedelta(hours=2)) == [(kashgar, MONDAY)]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestTwoAtOnce:
    def world(self):
        only("M3k", "M12k", "TO", "BD")
        for n in range(30):
            car(delivery=date(2026, 8, 10) + timedelta(days=n))
        Customer.objects.update(birthday_month=11, birthday_day=23)

    def test_two_planners_at_once_make_each_promise_once(self):
        self.world()
        results, barrier = [], threading.Barrier(2)

        def plan():
            try:
                barrier.wait(timeout=10)
                results.append(plan_care(on=MONDAY))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=plan) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len(results) == 2
        created = sorted(result.created for result in results)
        assert created[0] == 0
        assert created[1] == TouchPoint.objects.count() > 0
        assert set(JobRun.objects.values_list("status", flat=True)) == {JobStatus.DONE}

    def test_a_run_looks_again_at_nobody_whom_the_last_one_saw(self, monkeypatch):
        monkeypatch.setattr(runs, "UNANNOUNCED", timedelta(0))
        self.world()
        plan_care(on=MONDAY)
        seen = []
        look = upkeep.note_changed
        monkeypatch.setattr(
            upkeep, "note_changed", lambda *args, **kwargs: seen.append(look(*args, **kwargs)) or seen[-1]
        )
        plan_care(on=MONDAY)
        assert seen == [0]

    def test_a_change_that_was_being_made_during_a_run_is_seen_by_the_next(self, monkeypatch):
        monkeypatch.setattr(runs, "UNANNOUNCED", timedelta(0))
        self.world()
        customer = Customer.objects.order_by("pk")[0]
        other = connections["default"].copy()
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE customers_customer SET do_not_contact = 'all' WHERE id = %s", [customer.pk])
        plan_care(on=MONDAY)
        assert customer.touch_points.open().exists()
        other.commit()
        other.close()
        plan_care(on=MONDAY)
        assert not customer.touch_points.open().exists()

    def test_transactions_of_other_roles_that_are_hidden_are_not_taken_for_none(self):
        other = connections["default"].copy()
        other.ensure_connection()
        with transaction.atomic(), connection.cursor() as cursor:
            assert runs.saw_changes_until() is not None
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute("CREATE ROLE somebody_without_rights")
            cursor.execute("SET LOCAL ROLE somebody_without_rights")
            assert runs.saw_changes_until() is None
            transaction.set_rollback(True)
        other.close()

    def test_a_run_that_looks_at_everything_also_ends_what_is_promised_no_more(self):
        self.world()
        plan_care(on=MONDAY)
        customer = Customer.objects.filter(touch_points__status="open").order_by("pk")[0]
        Customer.objects.filter(pk=customer.pk).update(do_not_contact=DoNotContact.ALL_BUT_SAFETY)
        plan_care(on=MONDAY, since=MONDAY)
        assert not customer.touch_points.open().exists()

    def test_a_first_run_looks_at_what_was_planned_at_once_before_it(self):
        self.world()
        customer = Customer.objects.order_by("pk")[0]
        plan_customers(customer_ids=[customer.pk], on=MONDAY)
        assert customer.touch_points.open().exists()
        Customer.objects.filter(pk=customer.pk).update(do_not_contact=DoNotContact.ALL_BUT_SAFETY)
        plan_care(on=MONDAY)
        assert not customer.touch_points.open().exists()

    def test_where_the_database_does_not_tell_it_looks_six_hours_back(self):
        self.world()
        with connection.cursor() as cursor:
            cursor.execute("SET track_activities = off")
            try:
                plan_care(on=MONDAY)
            finally:
                cursor.execute("SET track_activities = on")
        done = JobRun.objects.get()
        assert done.counts["saw_changes_until"] is None
        assert runs.unseen_changes_since(runs.latest_runs(Store.objects.all())) == done.started_at - runs.CHANGE_MARGIN

    def test_a_run_that_is_killed_in_the_middle_is_completed_by_the_next(self):
        self.world()
        victim = JobRun.objects.create(
            name=runs.JOB_NAME, business_date=MONDAY, started_at=datetime(2026, 11, 22, 18, tzinfo=ZoneInfo("UTC"))
        )
        killed = threading.Event()

        def half_a_run():
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", run.PLAN_LOCK)
                    rule = CareRule.objects.get(code="M3k")
                    vehicle = Vehicle.objects.order_by("pk")[0]
                    TouchPoint.objects.create(
                        store=vehicle.owner.store,
                        rule=rule,
                        customer=vehicle.owner,
                        vehicle=vehicle,
                        priority=3,
                        anchor_on=MONDAY,
                        nominal_on=MONDAY,
                        due_on=MONDAY,
                        opens_on=MONDAY,
                        closes_on=MONDAY,
                        handling="contact",
                    )
                    cursor.execute("SELECT pg_backend_pid()")
                    (pid,) = cursor.fetchone()
                    with connections["default"].copy().cursor() as other:
                        other.execute("SELECT pg_terminate_backend(%s)", [pid])
                    cursor.execute("SELECT 1")
            except Exception:  # noqa: BLE001  the server ended the connection, which is what this test wants
                killed.set()
            finally:
                connections.close_all()

        thread = threading.Thread(target=half_a_run)
        thread.start()
        thread.join(timeout=30)
        assert killed.is_set()
        assert TouchPoint.objects.count() == 0
        result = plan_care(on=MONDAY)
        assert result.created == TouchPoint.objects.count() > 0
        victim.refresh_from_db()
        assert (victim.status, victim.error) == (JobStatus.FAILED, "Interrupted before it ended.")
