"""What a contact leaves behind: every outcome of domain §3.4, once only, or not at all."""

from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import DatabaseError, connections, transaction

from customers.choices import Channel, DoNotContact
from customers.models import Consent, Customer
from followups.actions import cards, contacts
from followups.actions.cards import NextStepDraft
from followups.actions.contacts import record_contact, skip
from followups.choices import CareClass, Handling, NextStepKind, Outcome, Reason, Severity, TouchPointStatus
from followups.models import ContactLog, NextStep, QueueLease, TouchPoint
from service.models import WorkOrder
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    CustomerFactory,
    NextStepFactory,
    QueueLeaseFactory,
    TouchPointFactory,
    VehicleFactory,
    WorkOrderFactory,
)
from vehicles.choices import VehicleStatus

pytestmark = pytest.mark.django_db

# Friday 2026-11-20, 09:30 in Shanghai: a working day, so that "tomorrow" is a rest day.
FRIDAY = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
# A plain contact with everything that follows from it, savepoints included.
QUERIES = 11


@pytest.fixture
def customer(store):
    return CustomerFactory(store=store)


@pytest.fixture
def record(customer, adviser):
    """Record a contact with ``customer`` by ``adviser``, satisfied and by phone unless a test says otherwise."""

    def call(*points, **details):
        values = {
            "touch_points": [point.pk for point in points],
            "customer": customer,
            "by": adviser,
            "now": NOW,
            "channel": Channel.PHONE,
            "outcome": Outcome.SATISFIED,
        }
        return record_contact(**(values | details))

    return call


def a_point(customer, **values):
    rule_values = {key[6:]: values.pop(key) for key in list(values) if key.startswith("rule__")}
    return TouchPointFactory(customer=customer, rule=CareRuleFactory(**rule_values), **values)


def a_group(customer, *children):
    """Return a lead and its children, each given by the values of its rule."""
    lead = a_point(customer, rule__priority=1)
    merged = [
        a_point(customer, status=TouchPointStatus.MERGED, lead=lead, **values) for values in (children or ({}, {}))
    ]
    return [lead, *merged]


def state(point):
    point.refresh_from_db()
    return point.status, point.reason


# --- What was spoken about ----------------------------------------------------------------------------------------


def test_a_satisfied_customer_closes_the_lead_and_what_was_merged_into_it(record, customer, adviser):
    lead, first, second = a_group(customer)
    log = record(lead, first, second, note=" all is well ")
    assert state(lead) == (TouchPointStatus.DONE, "")
    assert state(first) == state(second) == (TouchPointStatus.MERGED, "")
    assert {point.closed_on for point in (lead, first, second)} == {TODAY}
    assert {point.settled_by for point in (lead, first, second)} == {log}
    assert {first.lead, second.lead} == {lead}
    assert (log.on, log.by, log.is_effective, log.note, log.store) == (
        TODAY,
        adviser,
        True,
        "all is well",
        customer.store,
    )


def test_what_was_not_ticked_stays_open_behind_the_best_of_the_rest(record, customer):
    lead, late, urgent = a_group(customer, {"rule__priority": 3}, {"rule__priority": 2})
    record(lead)
    assert state(lead) == (TouchPointStatus.DONE, "")
    assert state(urgent) == (TouchPointStatus.OPEN, "")
    assert state(late) == (TouchPointStatus.MERGED, "")
    assert (urgent.lead, late.lead) == (None, urgent)
    assert (urgent.closed_on, late.closed_on) == (None, None)


def test_what_was_not_ticked_and_is_past_its_window_is_missed(record, customer):
    lead, gone = a_group(customer, {})
    TouchPoint.objects.filter(pk=gone.pk).update(
        opens_on=TODAY - timedelta(9), due_on=TODAY - timedelta(9), closes_on=TODAY - timedelta(1)
    )
    record(lead)
    assert state(gone) == (TouchPointStatus.MISSED, Reason.WINDOW_PASSED)


def test_a_child_ticked_without_its_lead_is_done_by_itself(record, customer):
    lead, child = a_group(customer, {})
    record(child)
    assert state(lead) == (TouchPointStatus.OPEN, "")
    assert state(child) == (TouchPointStatus.DONE, "")


def test_what_was_left_out_rests_for_the_contact_gap_but_not_beyond_its_window(record, customer):
    spoken = a_point(customer)
    patient = a_point(customer, rule__late_days=20)
    short = a_point(customer, rule__late_days=2)
    urgent = a_point(customer, rule__priority=1)
    record(spoken)
    for point in (patient, short, urgent):
        point.refresh_from_db()
    assert patient.not_before == datetime(2026, 11, 25, 16, tzinfo=UTC)  # the 26th, five days later, at midnight
    assert short.not_before == datetime(2026, 11, 22, 16, tzinfo=UTC)  # the 23rd, its last day
    assert urgent.not_before is None


def test_an_effective_contact_is_remembered_on_the_customer(record, customer):
    record()
    customer.refresh_from_db()
    assert (customer.last_effective_contact_on, customer.last_proactive_contact_on) == (TODAY, TODAY)
    assert customer.care_anchor_on == TODAY


def test_a_call_by_the_customer_is_effective_but_no_contact_by_us(record, customer):
    record(is_inbound=True)
    customer.refresh_from_db()
    assert (customer.last_effective_contact_on, customer.last_proactive_contact_on) == (TODAY, None)


def test_a_later_date_on_file_is_not_set_back(record, customer):
    Customer.objects.filter(pk=customer.pk).update(last_effective_contact_on=TODAY + timedelta(1))
    record()
    customer.refresh_from_db()
    assert customer.last_effective_contact_on == TODAY + timedelta(1)


def test_an_effective_contact_covers_routine_care_and_what_counts_from_the_last_contact(record, customer):
    spoken = a_point(customer)
    routine = a_point(customer, rule__covered_days=45)
    tier = a_point(customer, rule__trigger="tier_contact", rule__covered_days=7)
    regular = a_point(customer, rule__trigger="regular")
    anniversary = a_point(customer)
    record(spoken)
    assert state(routine) == (TouchPointStatus.SUPPRESSED, Reason.RECENT_CONTACT)
    assert state(tier) == (TouchPointStatus.SUPPRESSED, Reason.RECENT_CONTACT)
    assert state(regular) == (TouchPointStatus.SUPPRESSED, Reason.RECENT_CONTACT)
    assert state(anniversary) == (TouchPointStatus.OPEN, "")


def test_a_covered_lead_leaves_its_children_to_go_on(record, customer):
    spoken = a_point(customer)
    lead = a_point(customer, rule__covered_days=45)
    child = a_point(customer, status=TouchPointStatus.MERGED, lead=lead)
    record(spoken)
    assert state(lead) == (TouchPointStatus.SUPPRESSED, Reason.RECENT_CONTACT)
    assert state(child) == (TouchPointStatus.OPEN, "")
    assert child.lead is None


def test_an_unanswered_call_covers_nothing(record, customer):
    tried = a_point(customer)
    routine = a_point(customer, rule__covered_days=45)
    record(tried, outcome=Outcome.NOT_REACHED)
    assert state(routine) == (TouchPointStatus.OPEN, "")
    customer.refresh_from_db()
    assert (customer.last_effective_contact_on, customer.last_proactive_contact_on) == (None, None)


# --- What the outcomes ask for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "draft", "kind"),
    [
        (
            Outcome.BOOKED,
            NextStepDraft(NextStepKind.APPOINTMENT, wanted_at=NOW + timedelta(days=2)),
            NextStepKind.APPOINTMENT,
        ),
        (Outcome.GRIEVANCE, NextStepDraft(NextStepKind.COMPLAINT, severity=Severity.GENERAL), NextStepKind.COMPLAINT),
        (
            Outcome.REFERRAL,
            NextStepDraft(
                NextStepKind.REFERRAL,
                payload={"name": " 李雷 ", "mobile": "+86 138 0000 1111", "consent_note": "asked him"},
            ),
            NextStepKind.REFERRAL,
        ),
    ],
)
def test_an_outcome_that_needs_another_desk_is_saved_with_it_and_not_without(record, customer, outcome, draft, kind):
    point = a_point(customer)
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(point, outcome=outcome)
    assert refused.value.field == kind
    assert ContactLog.objects.count() == 0

    log = record(point, outcome=outcome, next_steps=[draft], note="as agreed")
    step = NextStep.objects.get(kind=kind)
    assert (step.kind, step.contact, step.customer, step.detail, step.created_at) == (
        kind,
        log,
        customer,
        "as agreed",
        NOW,
    )
    assert state(point) == (TouchPointStatus.DONE, "")


@pytest.mark.usefixtures("english")
def test_a_referred_friend_is_noted_with_a_clean_number(record):
    friend = {"name": " 李雷 ", "mobile": "+86 138-0000-1111", "consent_note": "asked him"}
    record(outcome=Outcome.REFERRAL, next_steps=[NextStepDraft(NextStepKind.REFERRAL, payload=friend)])
    referral, lead = NextStep.objects.order_by("pk")
    assert referral.payload == {"name": "李雷", "mobile": "13800001111", "consent_note": "asked him"}
    # The friend is a lead besides (domain §3.4); the number stays in one place.
    assert (lead.kind, lead.detail, lead.payload) == ("lead", "Referred friend: 李雷", {"referral": referral.pk})
    assert (lead.contact, lead.created_at, lead.vehicle) == (referral.contact, NOW, None)


@pytest.mark.parametrize(
    "draft",
    [
        NextStepDraft("song"),
        NextStepDraft(NextStepKind.COMPLAINT, severity="L9"),
        NextStepDraft(NextStepKind.APPOINTMENT),
        NextStepDraft(NextStepKind.APPOINTMENT, wanted_at=NOW - timedelta(minutes=1)),
        NextStepDraft(NextStepKind.REFERRAL, payload={"mobile": "13800001111", "consent_note": "yes"}),
        NextStepDraft(NextStepKind.REFERRAL, payload={"name": "李雷", "mobile": "1380000", "consent_note": "yes"}),
        NextStepDraft(NextStepKind.REFERRAL, payload={"name": "李雷", "mobile": "13800001111"}),
    ],
)
def test_a_next_step_that_nobody_could_take_over_is_refused(record, draft):
    with pytest.raises(cards.IncompleteOutcome):
        record(next_steps=[draft])
    assert ContactLog.objects.count() == 0


def test_a_trade_in_wish_becomes_a_lead_for_the_sales_desk(record, customer):
    point = a_point(customer, vehicle=VehicleFactory(owner=customer))
    record(point, outcome=Outcome.TRADE_IN, note="wants an SUV")
    step = NextStep.objects.get()
    assert (step.kind, step.detail, step.vehicle) == (NextStepKind.LEAD, "wants an SUV", point.vehicle)


def test_a_serious_complaint_holds_marketing_and_routine_care_at_once(record, customer):
    spoken = a_point(customer)
    marketing = a_point(customer, rule__care_class=CareClass.MARKETING)
    routine = a_point(customer, rule__is_held_by_complaint=True)
    service = a_point(customer)
    complaint = NextStepDraft(NextStepKind.COMPLAINT, severity=Severity.ESCALATED)
    record(spoken, outcome=Outcome.GRIEVANCE, next_steps=[complaint])
    assert state(marketing) == state(routine) == (TouchPointStatus.SUPPRESSED, Reason.OPEN_COMPLAINT)
    assert state(service) == (TouchPointStatus.OPEN, "")


def test_a_wake_up_call_that_reached_the_customer_tells_why_they_stayed_away(record, customer):
    point = a_point(customer, rule__trigger="silence")
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(point)
    assert refused.value.field == "win_back_reason"
    with pytest.raises(cards.IncompleteOutcome):
        record(point, win_back_reason="because")
    assert record(point, win_back_reason="price").win_back_reason == "price"


def test_a_wake_up_call_nobody_answered_needs_no_reason(record, customer):
    record(a_point(customer, rule__trigger="silence"), outcome=Outcome.NOT_REACHED)
    assert ContactLog.objects.get().win_back_reason == ""


# --- Another time, another try ------------------------------------------------------------------------------------


def test_another_time_keeps_everything_open_until_then(record, customer):
    lead, child = a_group(customer, {"rule__late_days": 1})
    agreed_at = datetime(2026, 12, 3, 11, 0, tzinfo=UTC)  # 19:00 in Shanghai
    record(lead, child, outcome=Outcome.LATER, agreed_at=agreed_at)
    assert state(lead) == (TouchPointStatus.OPEN, "")
    assert state(child) == (TouchPointStatus.MERGED, "")
    assert (lead.not_before, lead.closes_on, child.closes_on) == (agreed_at, date(2026, 12, 3), date(2026, 12, 3))
    customer.refresh_from_db()
    assert customer.last_effective_contact_on is None


def test_a_call_about_something_else_leaves_the_agreed_time_alone(record, customer):
    anniversary = a_point(customer, rule__priority=2, rule__late_days=1)
    friday = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)  # half past midnight on Saturday in Shanghai
    TouchPoint.objects.filter(pk=anniversary.pk).update(not_before=friday, closes_on=date(2026, 11, 28))
    call = a_point(customer, rule__priority=1)
    record(call, anniversary, outcome=Outcome.NOT_REACHED)
    anniversary.refresh_from_db()
    call.refresh_from_db()
    assert (anniversary.not_before, anniversary.attempts) == (friday, 0)
    assert anniversary.closes_on == date(2026, 11, 28)
    assert call.attempts == 1


def test_skipping_leaves_the_agreed_time_alone(customer, adviser):
    Customer.objects.filter(pk=customer.pk).update(service_adviser=adviser)
    agreed_at = datetime(2026, 11, 27, 7, tzinfo=UTC)
    waiting, due = a_point(customer, not_before=agreed_at), a_point(customer)
    skip(customer=customer, by=adviser, now=NOW, reason="asks a colleague")
    waiting.refresh_from_db()
    due.refresh_from_db()
    assert (waiting.not_before, due.not_before) == (agreed_at, NOW + timedelta(hours=2))


def test_a_reason_whose_window_moved_away_is_not_settled_by_a_card_opened_before(record, customer):
    moved, due = a_point(customer), a_point(customer)
    TouchPoint.objects.filter(pk=moved.pk).update(
        opens_on=date(2027, 2, 21), due_on=date(2027, 2, 28), nominal_on=date(2027, 2, 28), closes_on=date(2027, 3, 3)
    )
    with pytest.raises(cards.SettledMeanwhile):
        record(moved)
    record(moved, due)
    assert state(due) == (TouchPointStatus.DONE, "")
    assert state(moved) == (TouchPointStatus.OPEN, "")


@pytest.mark.parametrize(
    "agreed_at",
    [
        None,
        NOW,
        NOW - timedelta(days=1),
        NOW + timedelta(days=61),
        datetime(2026, 11, 23, 0, 59, tzinfo=UTC),  # 08:59 in Shanghai
        datetime(2026, 11, 23, 5, 0, tzinfo=UTC),  # 13:00
        datetime(2026, 11, 23, 12, 1, tzinfo=UTC),  # 20:01
    ],
)
def test_a_time_that_is_missing_past_or_out_of_hours_is_refused(record, customer, agreed_at):
    point = a_point(customer)
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(point, outcome=Outcome.LATER, agreed_at=agreed_at)
    assert refused.value.field == "agreed_at"
    assert state(point) == (TouchPointStatus.OPEN, "")


def test_an_unanswered_call_is_tried_again_by_the_ladder_at_an_allowed_time(record, customer):
    point = a_point(customer, rule__late_days=0)
    TouchPoint.objects.filter(pk=point.pk).update(
        nominal_on=FRIDAY.date(), due_on=FRIDAY.date(), opens_on=FRIDAY.date(), closes_on=FRIDAY.date()
    )
    record(point, outcome=Outcome.NOT_REACHED, now=FRIDAY)
    point.refresh_from_db()
    # 13:30 lies between the hours.
    assert (point.attempts, point.not_before) == (1, datetime(2026, 11, 20, 6, 0, tzinfo=UTC))
    record(point, outcome=Outcome.NOT_REACHED, now=FRIDAY + timedelta(hours=5))
    point.refresh_from_db()
    # A day later is a Saturday.
    assert (point.attempts, point.not_before) == (2, datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
    assert (point.status, point.closes_on) == (TouchPointStatus.OPEN, date(2026, 11, 23))


def test_after_the_last_attempt_a_message_takes_over_and_settles_it_as_not_reached(record, customer):
    point = a_point(customer, attempts=3, rule__channels=[Channel.PHONE, Channel.SMS, Channel.WECHAT])
    Customer.objects.filter(pk=customer.pk).update(refused_channels=[Channel.SMS])
    record(point, outcome=Outcome.NOT_REACHED)
    assert state(point) == (TouchPointStatus.OPEN, "")
    assert (point.attempts, point.channel, point.not_before) == (4, Channel.WECHAT, NOW)
    record(point, outcome=Outcome.MESSAGE_SENT, channel=Channel.WECHAT)
    assert state(point) == (TouchPointStatus.DONE, Reason.NOT_REACHED)
    assert point.closed_on == TODAY


def test_after_the_last_attempt_without_a_way_to_write_it_ends_as_not_reached(record, customer):
    point = a_point(customer, attempts=3)
    child = a_point(customer, status=TouchPointStatus.MERGED, lead=point, rule__late_days=9)
    log = record(point, child, outcome=Outcome.NOT_REACHED)
    assert state(point) == (TouchPointStatus.DONE, Reason.NOT_REACHED)
    assert point.settled_by == log
    assert state(child) == (TouchPointStatus.OPEN, "")
    assert child.attempts == 1


def test_the_number_of_repeated_calls_is_the_stores(record, customer, store):
    store.max_retries = 1
    store.save(update_fields=["max_retries"])
    first, repeated = a_point(customer), a_point(customer, attempts=1)
    record(first, repeated, outcome=Outcome.NOT_REACHED)
    assert state(first) == (TouchPointStatus.OPEN, "")
    assert state(repeated) == (TouchPointStatus.DONE, Reason.NOT_REACHED)


# --- Numbers, owners, cars ----------------------------------------------------------------------------------------


def test_a_wrong_number_that_is_put_right_leaves_the_call_to_be_made_now(record, customer):
    point = a_point(customer)
    NextStepFactory(customer=customer, kind=NextStepKind.NUMBER_CORRECTION)
    record(point, outcome=Outcome.WRONG_NUMBER, corrected_mobile="+86 139 0000 1111")
    assert state(point) == (TouchPointStatus.OPEN, "")
    assert point.not_before is None
    customer.refresh_from_db()
    assert (customer.mobile, customer.is_mobile_wrong) == ("13900001111", False)
    assert NextStep.objects.get().done_at == NOW


def test_a_wrong_number_without_a_right_one_waits_for_the_next_working_day_and_asks_once(record, customer):
    point = a_point(customer, rule__late_days=0)
    record(point, outcome=Outcome.WRONG_NUMBER)
    assert state(point) == (TouchPointStatus.OPEN, "")
    assert (point.not_before, point.closes_on) == (datetime(2026, 11, 23, 1, 0, tzinfo=UTC), date(2026, 11, 23))
    customer.refresh_from_db()
    assert customer.is_mobile_wrong
    record(point, outcome=Outcome.WRONG_NUMBER, now=NOW + timedelta(days=2))
    assert [step.kind for step in NextStep.objects.all()] == [NextStepKind.NUMBER_CORRECTION]


@pytest.mark.parametrize("mobile", ["12345", "02088886666"])
def test_a_corrected_number_must_be_a_mobile(record, mobile):
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(outcome=Outcome.WRONG_NUMBER, corrected_mobile=mobile)
    assert refused.value.field == "mobile"


def test_the_number_on_file_is_no_correction(record, customer):
    with pytest.raises(cards.IncompleteOutcome):
        record(outcome=Outcome.WRONG_NUMBER, corrected_mobile=customer.mobile)


def test_somebody_else_on_the_line_asks_for_the_owner_to_be_corrected(record, customer):
    point = a_point(customer)
    record(point, outcome=Outcome.NOT_THE_OWNER, note="his wife, he sold it")
    assert state(point) == (TouchPointStatus.OPEN, "")
    assert point.not_before == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    assert [(step.kind, step.detail) for step in NextStep.objects.all()] == [
        (NextStepKind.OWNER_CORRECTION, "his wife, he sold it")
    ]


def test_a_service_done_elsewhere_starts_the_next_cycle_of_that_car(record, customer):
    car, other_car = VehicleFactory.create_batch(2, owner=customer)
    point = a_point(customer, vehicle=car, rule__trigger="periodic_service")
    later = a_point(customer, vehicle=car, rule__trigger="periodic_service")
    of_other_car = a_point(customer, vehicle=other_car, rule__trigger="periodic_service")
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(point, outcome=Outcome.SERVICED_ELSEWHERE)
    assert refused.value.field == "reason"
    record(
        point, outcome=Outcome.SERVICED_ELSEWHERE, reason="nearer", serviced_on=date(2026, 11, 1), serviced_km=20_000
    )
    assert state(point) == state(later) == (TouchPointStatus.DONE, "")
    assert state(of_other_car) == (TouchPointStatus.OPEN, "")
    car.refresh_from_db()
    assert (car.last_service_on, car.next_service_kind) == (date(2026, 11, 1), "periodic")
    assert ContactLog.objects.get().reason == "nearer"


@pytest.mark.parametrize("day", [TODAY + timedelta(1), date(2024, 1, 9)])
def test_a_service_elsewhere_lies_between_delivery_and_today(record, customer, day):
    point = a_point(customer, vehicle=VehicleFactory(owner=customer))
    with pytest.raises(cards.IncompleteOutcome):
        record(point, outcome=Outcome.SERVICED_ELSEWHERE, reason="nearer", serviced_on=day)
    assert state(point) == (TouchPointStatus.OPEN, "")
    assert ContactLog.objects.count() == 0


def test_a_car_that_is_gone_ends_its_touch_points_and_leaves_the_customers_own(record, customer):
    car, other_car = VehicleFactory.create_batch(2, owner=customer)
    lead = a_point(customer, vehicle=car, rule__priority=1)
    talked = a_point(customer, status=TouchPointStatus.MERGED, lead=lead)
    other = a_point(customer, vehicle=other_car, status=TouchPointStatus.MERGED, lead=lead)
    record(lead, talked, outcome=Outcome.CAR_GONE, car_status=VehicleStatus.TRANSFERRED, vehicle=car.pk)
    assert state(lead) == (TouchPointStatus.CANCELLED, Reason.CAR_NOT_IN_CARE)
    assert state(talked) == (TouchPointStatus.DONE, "")
    assert state(other) == (TouchPointStatus.OPEN, "")
    car.refresh_from_db()
    assert car.status == VehicleStatus.TRANSFERRED


def test_which_car_is_gone_must_be_said_when_there_are_several(record, customer):
    VehicleFactory.create_batch(2, owner=customer)
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(outcome=Outcome.CAR_GONE, car_status=VehicleStatus.SCRAPPED)
    assert refused.value.field == "vehicle"


def test_what_became_of_the_car_must_be_said(record, customer):
    VehicleFactory(owner=customer)
    for status in ("", VehicleStatus.IN_USE):
        with pytest.raises(cards.IncompleteOutcome) as refused:
            record(outcome=Outcome.CAR_GONE, car_status=status)
        assert refused.value.field == "car_status"


def test_somebody_elses_car_is_refused(record):
    with pytest.raises(cards.IncompleteOutcome):
        record(outcome=Outcome.CAR_GONE, car_status=VehicleStatus.SCRAPPED, vehicle=VehicleFactory().pk)


# --- Refusals -----------------------------------------------------------------------------------------------------


def test_a_refusal_stops_marketing_at_once(record, customer):
    asked = a_point(customer)
    marketing = a_point(customer, rule__care_class=CareClass.MARKETING)
    batch = a_point(customer, rule__care_class=CareClass.MARKETING, rule__handling=Handling.BATCH)
    service = a_point(customer)
    record(asked, outcome=Outcome.REFUSED, note="no more offers")
    assert state(asked) == (TouchPointStatus.DONE, "")
    assert state(marketing) == state(batch) == (TouchPointStatus.SUPPRESSED, Reason.NO_MARKETING)
    assert state(service) == (TouchPointStatus.OPEN, "")
    customer.refresh_from_db()
    assert (customer.do_not_contact, customer.do_not_contact_reason, customer.do_not_contact_on) == (
        DoNotContact.MARKETING,
        "no more offers",
        TODAY,
    )
    assert customer.last_effective_contact_on is None


def test_a_refusal_of_everything_leaves_safety_alone(record, customer):
    asked, service = a_point(customer), a_point(customer)
    recall = a_point(customer, rule__care_class=CareClass.LEGAL)
    record(asked, recall, outcome=Outcome.REFUSED, do_not_contact=DoNotContact.ALL_BUT_SAFETY)
    assert state(asked) == state(service) == (TouchPointStatus.SUPPRESSED, Reason.DO_NOT_CONTACT)
    assert state(recall) == (TouchPointStatus.OPEN, "")


def test_a_refusal_never_weakens_an_earlier_one(record, customer):
    Customer.objects.filter(pk=customer.pk).update(do_not_contact=DoNotContact.ALL_BUT_SAFETY)
    record(outcome=Outcome.REFUSED)
    customer.refresh_from_db()
    assert customer.do_not_contact == DoNotContact.ALL_BUT_SAFETY


def test_do_not_contact_may_be_asked_for_in_a_friendly_talk(record, customer):
    marketing = a_point(customer, rule__care_class=CareClass.MARKETING)
    record(a_point(customer), do_not_contact=DoNotContact.MARKETING)
    assert state(marketing) == (TouchPointStatus.SUPPRESSED, Reason.NO_MARKETING)
    customer.refresh_from_db()
    assert customer.do_not_contact == DoNotContact.MARKETING


@pytest.mark.parametrize("level", [DoNotContact.NONE, "loudly"])
def test_a_refusal_must_refuse_something(record, level):
    with pytest.raises(cards.IncompleteOutcome):
        record(outcome=Outcome.REFUSED, do_not_contact=level)


@pytest.mark.parametrize(
    ("outcome", "channel"),
    [
        (Outcome.SATISFIED, Channel.PHONE),
        (Outcome.NOT_REACHED, Channel.PHONE),
        (Outcome.MESSAGE_SENT, Channel.WECHAT),
    ],
)
def test_a_customer_is_not_contacted_by_a_channel_that_was_refused(record, customer, outcome, channel):
    point = a_point(customer, rule__channels=[Channel.SMS, Channel.WECHAT])
    Customer.objects.filter(pk=customer.pk).update(refused_channels=[Channel.PHONE, Channel.WECHAT])
    with pytest.raises(cards.RefusedChannel) as refused:
        record(point, outcome=outcome, channel=channel)
    assert refused.value.field == "channel"
    assert state(point) == (TouchPointStatus.OPEN, "")


def test_what_the_customer_began_may_be_answered_by_a_refused_channel(record, customer):
    Customer.objects.filter(pk=customer.pk).update(refused_channels=[Channel.PHONE])
    record(a_point(customer), is_inbound=True)
    complaint = NextStepFactory(customer=customer, kind=NextStepKind.COMPLAINT, severity=Severity.GENERAL)
    record(a_point(customer))
    NextStep.objects.filter(pk=complaint.pk).update(done_at=NOW)
    WorkOrderFactory(vehicle=VehicleFactory(owner=customer), in_workshop=True)
    record(a_point(customer))
    WorkOrder.objects.update(handed_over_on=TODAY)
    with pytest.raises(cards.RefusedChannel):
        record(a_point(customer))


@pytest.mark.parametrize("outcome", [Outcome.NOT_REACHED, Outcome.MESSAGE_SENT])
def test_a_customer_who_contacts_us_is_spoken_to(record, outcome):
    with pytest.raises(cards.IncompleteOutcome) as refused:
        record(outcome=outcome, channel=Channel.SMS, is_inbound=True)
    assert refused.value.field == "outcome"


def test_a_refused_channel_is_entered_into_the_ledger_and_leaves_the_others(record, customer, adviser):
    point = a_point(customer, rule__care_class=CareClass.MARKETING)
    record(outcome=Outcome.REFUSED, refused_channels=[Channel.SMS], reason="too many", now=NOW)
    customer.refresh_from_db()
    assert (customer.refused_channels, customer.do_not_contact) == ([Channel.SMS], DoNotContact.NONE)
    assert state(point) == (TouchPointStatus.OPEN, "")
    lines = {(line.purpose, line.channel, line.is_given, line.recorded_by) for line in Consent.objects.all()}
    assert lines == {(purpose, "sms", False, adviser) for purpose in ("marketing", "service")}
    assert {(line.at, line.evidence) for line in Consent.objects.all()} == {(NOW, "too many")}


def test_a_refused_channel_may_be_said_in_a_friendly_talk_together_with_more(record, customer):
    record(refused_channels=[Channel.PHONE], do_not_contact=DoNotContact.MARKETING)
    customer.refresh_from_db()
    assert (customer.refused_channels, customer.do_not_contact) == ([Channel.PHONE], DoNotContact.MARKETING)


def test_after_the_last_attempt_no_channel_takes_over_that_was_just_refused(record, customer):
    point = a_point(customer, attempts=3, rule__channels=[Channel.PHONE, Channel.SMS])
    record(point, outcome=Outcome.NOT_REACHED, refused_channels=[Channel.SMS])
    assert state(point) == (TouchPointStatus.DONE, Reason.NOT_REACHED)


def test_a_channel_that_does_not_exist_cannot_be_refused(record):
    with pytest.raises(cards.IncompleteOutcome):
        record(refused_channels=["pigeon"])


# --- Messages -----------------------------------------------------------------------------------------------------


def test_a_message_settles_what_its_rule_allows_and_leaves_the_call(record, customer):
    written = a_point(customer, rule__channels=[Channel.PHONE, Channel.SMS], rule__care_class=CareClass.MARKETING)
    call = a_point(customer)
    log = record(written, call, outcome=Outcome.MESSAGE_SENT, channel=Channel.SMS)
    assert state(written) == (TouchPointStatus.DONE, "")
    assert state(call) == (TouchPointStatus.OPEN, "")
    assert (log.is_effective, log.is_marketing_message) == (False, True)
    customer.refresh_from_db()
    assert (customer.last_effective_contact_on, customer.last_proactive_contact_on) == (None, TODAY)


def test_a_greeting_is_neither_marketing_nor_a_contact_for_the_gap(record, customer):
    point = a_point(
        customer, rule__channels=[Channel.SMS], rule__care_class=CareClass.MARKETING, rule__ignores_gap=True
    )
    assert not record(point, outcome=Outcome.MESSAGE_SENT, channel=Channel.SMS).is_marketing_message
    customer.refresh_from_db()
    assert customer.last_proactive_contact_on is None


def test_the_stores_own_version_of_a_rule_decides_what_a_message_settles(record, customer, store):
    point = a_point(customer)
    CareRuleFactory(code=point.rule.code, store=store, channels=[Channel.PHONE, Channel.SMS])
    record(point, outcome=Outcome.MESSAGE_SENT, channel=Channel.SMS)
    assert state(point) == (TouchPointStatus.DONE, "")


def test_a_message_cannot_replace_a_call_or_be_spoken(record, customer):
    call = a_point(customer)
    written = a_point(customer, rule__channels=[Channel.SMS, Channel.WECHAT])
    for point, channel in ((call, Channel.SMS), (written, Channel.PHONE)):
        with pytest.raises(cards.NotByMessage):
            record(point, outcome=Outcome.MESSAGE_SENT, channel=channel)
    assert ContactLog.objects.count() == 0


def test_the_call_after_a_service_is_not_made_by_who_received_the_car(record, customer, adviser, second_adviser):
    visit = WorkOrderFactory(vehicle=VehicleFactory(owner=customer), adviser=adviser)
    call = a_point(customer, rule__trigger="hand_over", vehicle=visit.vehicle, anchor_on=visit.handed_over_on)
    other = a_point(customer)
    with pytest.raises(cards.NotByReceiver):
        record(call, other)
    assert ContactLog.objects.count() == 0
    record(other)
    assert state(call) == (TouchPointStatus.OPEN, "")
    record(call, by=second_adviser)
    assert state(call) == (TouchPointStatus.DONE, "")


# --- Who, when, once ----------------------------------------------------------------------------------------------


def test_saving_gives_the_customer_back(record, customer, adviser):
    QueueLeaseFactory(customer=customer, holder=adviser)
    record(a_point(customer))
    assert QueueLease.objects.count() == 0


def test_nobody_saves_over_a_colleague_who_holds_the_customer(record, customer, second_adviser):
    QueueLeaseFactory(customer=customer, holder=second_adviser)
    point = a_point(customer)
    with pytest.raises(cards.CustomerHeldByOther, match="孙倩"):
        record(point)
    assert state(point) == (TouchPointStatus.OPEN, "")
    record(point, now=NOW + timedelta(minutes=16))
    assert state(point) == (TouchPointStatus.DONE, "")


def test_the_same_form_sent_twice_makes_one_contact(record, customer):
    point = a_point(customer)
    key = uuid4()
    trade_in = {"outcome": Outcome.TRADE_IN, "submission": key}
    first = record(point, **trade_in)
    assert record(point, **trade_in) == first
    assert (ContactLog.objects.count(), NextStep.objects.count()) == (1, 1)


def test_the_key_of_a_form_belongs_to_one_customer(record, customer, store):
    key = uuid4()
    record(submission=key)
    with pytest.raises(cards.SubmissionUsed):
        record(customer=CustomerFactory(store=store), submission=key)


def test_a_reason_of_another_customer_is_refused(record, store):
    stranger = a_point(CustomerFactory(store=store))
    with pytest.raises(cards.WrongTouchPoint):
        record(stranger)
    assert state(stranger) == (TouchPointStatus.OPEN, "")


def test_a_reason_that_was_settled_meanwhile_does_not_stop_the_others(record, customer):
    gone, point = TouchPointFactory(customer=customer, done=True), a_point(customer)
    with pytest.raises(cards.SettledMeanwhile):
        record(gone)
    record(gone, point)
    assert state(point) == (TouchPointStatus.DONE, "")
    assert gone.settled_by is None


def test_a_batch_is_not_settled_on_a_card(record, customer):
    with pytest.raises(cards.WrongTouchPoint):
        record(a_point(customer, rule__handling=Handling.BATCH))


def test_staff_of_another_store_and_those_who_do_not_call_record_nothing(
    record, other_store_adviser, group_manager, auditor
):
    for person in (other_store_adviser, group_manager, auditor):
        with pytest.raises(cards.NotYourContact):
            record(by=person)


def test_a_consultant_records_for_own_customers_and_for_those_given_to_them(record, customer, consultant, store):
    with pytest.raises(cards.NotYourContact):
        record(by=consultant)
    record(a_point(customer, assignee=consultant), by=consultant)
    own = CustomerFactory(store=store, sales_consultant=consultant)
    record(customer=own, by=consultant)
    assert ContactLog.objects.filter(by=consultant).count() == 2


def test_nothing_is_kept_when_the_last_step_fails(record, customer, monkeypatch):
    point = a_point(customer)

    def fail(**_):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(contacts, "set_do_not_contact", fail)
    with pytest.raises(DatabaseError), transaction.atomic():
        record(point, outcome=Outcome.REFUSED)
    assert state(point) == (TouchPointStatus.OPEN, "")
    assert ContactLog.objects.count() == 0
    customer.refresh_from_db()
    assert customer.last_proactive_contact_on is None


def test_the_day_of_a_contact_is_the_stores_day(customer, store, record):
    # 16:30 UTC is half past midnight of the next day in Shanghai.
    assert record(now=datetime(2026, 11, 21, 16, 30, tzinfo=UTC)).on == date(2026, 11, 22)


def test_a_contact_takes_no_more_queries_for_five_reasons_than_for_two(record, store, django_assert_num_queries):
    two, five = CustomerFactory.create_batch(2, store=store)
    small, large = a_group(two, {}), a_group(five, {}, {}, {}, {})
    record(customer=CustomerFactory(store=store))  # whatever is read once a process
    with django_assert_num_queries(QUERIES):
        record(*small, customer=two)
    with django_assert_num_queries(QUERIES):
        record(*large, customer=five)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_same_form_from_two_tabs_at_the_same_time_makes_one_contact(store, customer, adviser):
    point = a_point(customer)
    key = uuid4()
    together = Barrier(2)
    logs = []

    def save():
        try:
            together.wait()
            logs.append(
                record_contact(
                    touch_points=[point.pk],
                    customer=customer,
                    by=adviser,
                    now=NOW,
                    channel=Channel.PHONE,
                    outcome=Outcome.TRADE_IN,
                    submission=key,
                ).pk
            )
        finally:
            connections.close_all()

    threads = [Thread(target=save) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logs) == 2
    assert len(set(logs)) == 1
    assert (ContactLog.objects.count(), NextStep.objects.count()) == (1, 1)


# --- Skipping -----------------------------------------------------------------------------------------------------


def test_skipping_puts_the_customer_off_for_two_hours_and_says_why(customer, adviser):
    lead, child = a_group(customer, {})
    TouchPoint.objects.filter(pk=lead.pk).update(assignee=adviser)
    QueueLeaseFactory(customer=customer, holder=adviser)
    log = skip(customer=customer, by=adviser, now=NOW, reason=" driving ")
    assert (log.outcome, log.reason, log.is_effective, log.channel) == (
        Outcome.SKIPPED,
        "driving",
        False,
        Channel.PHONE,
    )
    assert state(lead) == (TouchPointStatus.OPEN, "")
    assert lead.not_before == NOW + timedelta(hours=2)
    assert state(child) == (TouchPointStatus.MERGED, "")
    assert QueueLease.objects.count() == 0
    customer.refresh_from_db()
    assert customer.last_proactive_contact_on is None


def test_skipping_needs_a_reason_something_to_skip_and_the_right(customer, adviser, auditor, second_adviser):
    Customer.objects.filter(pk=customer.pk).update(service_adviser=adviser)
    with pytest.raises(cards.SettledMeanwhile):
        skip(customer=customer, by=adviser, now=NOW, reason="later")
    point = a_point(customer)
    with pytest.raises(cards.IncompleteOutcome):
        skip(customer=customer, by=adviser, now=NOW, reason="  ")
    # A colleague of the same desk takes a call (``can_work``), but does not put the customer off.
    for person in (auditor, second_adviser):
        with pytest.raises(cards.NotYourContact):
            skip(customer=customer, by=person, now=NOW, reason="later")
    QueueLeaseFactory(customer=customer, holder=second_adviser)
    with pytest.raises(cards.CustomerHeldByOther):
        skip(customer=customer, by=adviser, now=NOW, reason="later")
    assert state(point) == (TouchPointStatus.OPEN, "")
