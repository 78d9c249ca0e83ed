"""The rules of the working day, without a database: outcomes, hours, retries, regrouping, targets."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules import WorkCalendar
from customers.choices import Channel, DoNotContact, TimeSlot
from followups.choices import CareClass, Handling, NextStepKind, Outcome, Reason, Severity, TouchPointStatus
from followups.rules.hours import (
    hours_for,
    is_allowed_time,
    local_time,
    message_channel,
    next_allowed_time,
    retry_at,
    slot_at,
)
from followups.rules.outcomes import CHOOSABLE_OUTCOMES, OUTCOMES, Ending, Need, needs_of
from followups.rules.settling import Happened, LivePoint, is_covered, settle
from followups.rules.workload import Activity, ActivityTarget, count_activity

SHANGHAI = ZoneInfo("Asia/Shanghai")
# Monday 23 to Friday 27 November 2026 are worked; Saturday 28 is worked instead of Friday 27.
CALENDAR = WorkCalendar({date(2026, 11, 27): False, date(2026, 11, 28): True})
TODAY = date(2026, 11, 23)


def at(text):
    """Return a local time of November 2026 from ``day hour:minute``."""
    day, clock = text.split()
    hour, minute = clock.split(":")
    return datetime(2026, 11, int(day), int(hour), int(minute), tzinfo=SHANGHAI)


def point(number=1, **values):
    usual = {
        "status": TouchPointStatus.OPEN,
        "priority": 3,
        "anchor_on": TODAY - timedelta(90),
        "nominal_on": TODAY,
        "closes_on": TODAY + timedelta(7),
        "trigger": "delivery",
    }
    return LivePoint(id=number, **(usual | values))


# --- Outcomes -----------------------------------------------------------------------------------------------------


def test_every_outcome_has_its_row_in_the_table():
    assert set(OUTCOMES) == set(Outcome.values)


def test_the_digits_one_to_nine_are_the_first_nine_outcomes_in_order():
    digits = [OUTCOMES[outcome].digit for outcome in CHOOSABLE_OUTCOMES]
    assert digits == [*range(1, 10), *[None] * (len(CHOOSABLE_OUTCOMES) - 9)]
    assert list(CHOOSABLE_OUTCOMES[:9]) == Outcome.values[:9]


def test_only_a_conversation_is_an_effective_contact():
    effective = {outcome for outcome, rule in OUTCOMES.items() if rule.is_effective}
    assert effective == {
        Outcome.SATISFIED,
        Outcome.BOOKED,
        Outcome.GRIEVANCE,
        Outcome.REFERRAL,
        Outcome.TRADE_IN,
        Outcome.SERVICED_ELSEWHERE,
        Outcome.CAR_GONE,
    }


def test_a_contact_by_us_is_a_conversation_a_refusal_or_a_message():
    proactive = {outcome for outcome, rule in OUTCOMES.items() if rule.is_proactive}
    conversations = {outcome for outcome, rule in OUTCOMES.items() if rule.is_effective}
    assert proactive == conversations | {Outcome.REFUSED, Outcome.MESSAGE_SENT}


@pytest.mark.parametrize(
    ("outcome", "needs"),
    [
        (Outcome.SATISFIED, set()),
        (Outcome.BOOKED, {Need.APPOINTMENT}),
        (Outcome.GRIEVANCE, {Need.COMPLAINT}),
        (Outcome.REFERRAL, {Need.REFERRAL}),
        (Outcome.TRADE_IN, set()),
        (Outcome.LATER, {Need.AGREED_AT}),
        (Outcome.NOT_REACHED, set()),
        (Outcome.WRONG_NUMBER, set()),
        (Outcome.REFUSED, set()),
        (Outcome.NOT_THE_OWNER, set()),
        (Outcome.SERVICED_ELSEWHERE, {Need.VEHICLE, Need.REASON}),
        (Outcome.CAR_GONE, {Need.VEHICLE, Need.CAR_STATUS}),
        (Outcome.MESSAGE_SENT, set()),
        (Outcome.SKIPPED, {Need.REASON}),
    ],
)
def test_what_an_outcome_cannot_be_saved_without(outcome, needs):
    assert needs_of(outcome, ["delivery"]) == needs


def test_a_wake_up_call_needs_its_reason_when_somebody_was_reached():
    asked = {outcome for outcome in OUTCOMES if Need.WIN_BACK_REASON in needs_of(outcome, ["delivery", "silence"])}
    assert asked == {outcome for outcome, rule in OUTCOMES.items() if rule.is_effective} - {Outcome.CAR_GONE}


def test_each_next_step_that_domain_names_is_made_by_its_outcome():
    assert {rule.makes: outcome for outcome, rule in OUTCOMES.items() if rule.makes} == {
        NextStepKind.APPOINTMENT: Outcome.BOOKED,
        NextStepKind.COMPLAINT: Outcome.GRIEVANCE,
        NextStepKind.REFERRAL: Outcome.REFERRAL,
        NextStepKind.LEAD: Outcome.TRADE_IN,
        NextStepKind.NUMBER_CORRECTION: Outcome.WRONG_NUMBER,
        NextStepKind.OWNER_CORRECTION: Outcome.NOT_THE_OWNER,
    }


# --- Hours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "call", "agreed", "message"),
    [
        ("07:59", False, False, False),
        ("08:30", False, False, False),
        ("09:00", True, True, True),
        ("12:00", True, True, True),
        ("12:01", False, False, True),
        ("13:59", False, False, True),
        ("14:00", True, True, True),
        ("18:00", True, True, True),
        ("18:01", False, True, True),
        ("20:00", False, True, True),
        ("20:01", False, False, False),
        ("21:00", False, False, False),
        ("23:59", False, False, False),
    ],
)
def test_the_hours_for_calls_agreed_calls_and_messages(clock, call, agreed, message):
    moment = at(f"23 {clock}")
    assert is_allowed_time(moment, Channel.PHONE) is call
    assert is_allowed_time(moment, Channel.PHONE, is_agreed=True) is agreed
    assert is_allowed_time(moment, Channel.SMS) is message


@pytest.mark.parametrize(
    ("moment", "channel", "expected"),
    [
        ("23 10:15", Channel.PHONE, "23 10:15"),
        ("23 08:00", Channel.PHONE, "23 09:00"),
        ("23 12:30", Channel.PHONE, "23 14:00"),
        ("23 18:30", Channel.PHONE, "24 09:00"),
        ("22 10:00", Channel.PHONE, "23 09:00"),  # Sunday
        ("26 18:30", Channel.PHONE, "28 09:00"),  # Friday is off, Saturday is worked
        ("28 15:00", Channel.PHONE, "28 15:00"),
        ("22 10:00", Channel.SMS, "22 10:00"),
        ("22 20:30", Channel.SMS, "23 09:00"),
        ("22 03:00", Channel.WECHAT, "22 09:00"),
    ],
)
def test_a_time_out_of_hours_moves_to_the_next_allowed_one(moment, channel, expected):
    assert next_allowed_time(at(moment), channel, CALENDAR) == at(expected)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=SHANGHAI))
channels = st.sampled_from(Channel.values)
calendars = st.dictionaries(st.dates(date(2026, 1, 1), date(2028, 1, 31)), st.booleans(), max_size=40).map(WorkCalendar)


@given(moments, channels, calendars)
def test_the_next_allowed_time_is_allowed_not_earlier_and_stays_when_asked_again(moment, channel, calendar):
    moved = next_allowed_time(moment, channel, calendar)
    assert moved >= moment
    assert is_allowed_time(moved, channel)
    assert next_allowed_time(moved, channel, calendar) == moved
    if hours_for(channel) != hours_for(Channel.SMS):
        assert calendar.is_working(moved.date())


@given(moments, channels, calendars)
def test_no_allowed_time_between_is_passed_over(moment, channel, calendar):
    moved = next_allowed_time(moment, channel, calendar)
    step = moment + timedelta(minutes=15)
    while step < moved:
        is_day_off = hours_for(channel) != hours_for(Channel.SMS) and not calendar.is_working(step.date())
        assert is_day_off or not is_allowed_time(step, channel)
        step += timedelta(minutes=15)


@pytest.mark.parametrize(
    ("clock", "slot"),
    [
        ("08:59", TimeSlot.ANY),
        ("09:00", TimeSlot.MORNING),
        ("12:00", TimeSlot.ANY),
        ("14:00", TimeSlot.AFTERNOON),
        ("18:00", TimeSlot.EVENING),
        ("20:00", TimeSlot.ANY),
    ],
)
def test_the_slot_that_a_time_falls_into(clock, slot):
    assert slot_at(at(f"23 {clock}")) == slot


def test_a_stores_clock_is_its_own():
    there = local_time(at("23 09:00"), "Asia/Tokyo")
    assert (there.date(), there.time()) == (TODAY, time(10))


# --- Retries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [(1, "23 14:00"), (2, "24 09:30"), (3, "25 09:30"), (4, "25 09:30")],
)
def test_the_ladder_is_four_hours_a_day_and_then_two_days(attempts, expected):
    assert retry_at(at("23 09:30"), attempts, Channel.PHONE, CALENDAR) == at(expected)


def test_the_first_message_channel_that_was_not_refused_takes_over():
    channels = [Channel.PHONE, Channel.SMS, Channel.WECHAT]
    assert message_channel(channels, []) == Channel.SMS
    assert message_channel(channels, [Channel.SMS]) == Channel.WECHAT
    assert message_channel([Channel.PHONE, Channel.VISIT], []) == ""


# --- What a contact leaves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "is_it"),
    [
        ({}, False),
        ({"covered_days": 45}, True),
        ({"covered_days": 0, "nominal_on": TODAY + timedelta(1)}, False),
        ({"covered_days": 7, "nominal_on": TODAY + timedelta(7)}, True),
        ({"covered_days": 7, "nominal_on": TODAY + timedelta(8)}, False),
        ({"trigger": "tier_contact"}, True),
        ({"trigger": "regular"}, True),
        ({"trigger": "regular", "anchor_on": TODAY}, False),
    ],
)
def test_an_effective_contact_covers_routine_care_near_it_and_what_counts_from_contacts(values, is_it):
    assert is_covered(point(**values), on=TODAY) is is_it


def test_the_longest_wait_of_children_left_alone_does_not_hide_the_shortest():
    lead = point(1)
    patient = point(2, status="merged", lead_id=1, priority=2, closes_on=TODAY + timedelta(30))
    short = point(3, status="merged", lead_id=1, closes_on=TODAY + timedelta(2))
    _lead, child, new_lead = settle([lead, patient, short], happened(Outcome.SATISFIED, ticked={1}))
    assert (new_lead.lead_id, child.lead_id) == (None, 3)
    assert (new_lead.not_before, child.not_before) == (at("25 00:00"), at("28 00:00"))


NOT_SPOKEN_TO = (Outcome.NOT_REACHED, Outcome.WRONG_NUMBER, Outcome.NOT_THE_OWNER, Outcome.SKIPPED)


@pytest.mark.parametrize("ticked", [{1}, {1, 2}])
@pytest.mark.parametrize("outcome", NOT_SPOKEN_TO)
def test_an_agreed_time_stands_whatever_becomes_of_a_call_about_something_else(outcome, ticked):
    agreed = point(2, priority=2, not_before=at("27 15:00"), closes_on=at("27 15:00").date())
    _called, after = settle([point(1, priority=1), agreed], happened(outcome, ticked=ticked))
    assert after == agreed


@pytest.mark.parametrize("values", [{"status": TouchPointStatus.OPEN}, {"status": "merged", "lead_id": 1}])
def test_an_agreed_time_stands_when_the_customer_agrees_another_one_about_something_else(values):
    agreed = point(2, not_before=at("27 15:00"), **values)
    called, after = settle([point(1), agreed], happened(Outcome.LATER, ticked={1}))
    assert (called.not_before, after.not_before) == (at("25 15:00"), at("27 15:00"))
    called, after = settle([point(1), agreed], happened(Outcome.LATER, ticked={1, 2}))
    assert (called.not_before, after.not_before) == (at("25 15:00"), at("25 15:00"))


def test_of_children_left_alone_each_keeps_the_time_it_waits_for():
    lead = point(1, priority=1)
    agreed = point(2, status="merged", lead_id=1, priority=2, not_before=at("27 15:00"), ignores_gap=True)
    ready = point(3, status="merged", lead_id=1, priority=3, not_before=at("23 08:00"), ignores_gap=True)
    _lead, child, new_lead = settle([lead, agreed, ready], happened(Outcome.SATISFIED, ticked={1}))
    assert (new_lead.status, new_lead.not_before) == (TouchPointStatus.OPEN, at("23 08:00"))
    assert (child.lead_id, child.not_before) == (3, at("27 15:00"))


AWAY = {"opens_on": TODAY + timedelta(60), "closes_on": TODAY + timedelta(70), "nominal_on": TODAY + timedelta(63)}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome.values if outcome != Outcome.CAR_GONE])
def test_what_has_not_opened_is_neither_settled_nor_tried_by_a_contact(outcome):
    away = point(2, covered_days=7, is_held_by_complaint=True, ignores_gap=True, **AWAY)
    contact = happened(outcome, ticked={1, 2}, complaint=Severity.MAJOR)
    _called, after = settle([point(1), away], contact)
    assert after == away


def test_what_has_not_opened_goes_on_alone_when_its_lead_is_done():
    away = point(2, status="merged", lead_id=1, priority=1, **AWAY)
    due = point(3, status="merged", lead_id=1, ignores_gap=True)
    _lead, after, next_lead = settle([point(1), away, due], happened(Outcome.SATISFIED, ticked={1, 2}))
    assert (after.status, after.lead_id, after.closed_on) == (TouchPointStatus.OPEN, None, None)
    assert (next_lead.status, next_lead.lead_id) == (TouchPointStatus.OPEN, None)


def happened(outcome, *, ticked, **values):
    usual = {"channel": Channel.PHONE, "now": at("23 09:30"), "calendar": CALENDAR}
    if outcome == Outcome.LATER:
        usual["agreed_at"] = at("25 15:00")
    if outcome == Outcome.REFUSED:
        usual["do_not_contact"] = DoNotContact.MARKETING
    return Happened(outcome=outcome, ticked=frozenset(ticked), **(usual | values))


@st.composite
def groups(draw):
    """A customer's live touch points as the planner leaves them: leads, children of leads, and things of their own."""
    size = draw(st.integers(1, 7))
    leads, result = [], []
    for number in range(1, size + 1):
        handling = draw(st.sampled_from([Handling.CONTACT] * 4 + [Handling.BATCH]))
        lead_id = draw(st.sampled_from([None, *leads])) if handling == Handling.CONTACT else None
        if lead_id is None and handling == Handling.CONTACT:
            leads.append(number)
        result.append(
            point(
                number,
                status=TouchPointStatus.OPEN if lead_id is None else TouchPointStatus.MERGED,
                lead_id=lead_id,
                handling=handling,
                priority=draw(st.integers(1, 5)),
                closes_on=TODAY + timedelta(draw(st.integers(-3, 20))),
                trigger=draw(st.sampled_from(["delivery", "periodic_service", "tier_contact", "regular", "silence"])),
                care_class=draw(st.sampled_from(CareClass.values)),
                channels=tuple(draw(st.lists(channels, min_size=1, max_size=3))),
                covered_days=draw(st.sampled_from([None, None, 7, 45])),
                ignores_gap=draw(st.booleans()),
                is_held_by_complaint=draw(st.booleans()),
                vehicle_id=draw(st.sampled_from([None, 1, 2])),
                opens_on=TODAY + timedelta(draw(st.sampled_from([-9, 0, 20]))),
                attempts=draw(st.integers(0, 4)),
                not_before=draw(st.sampled_from([None, at("23 08:00"), at("26 10:00")])),
            )
        )
    return result


@st.composite
def contacts(draw):
    points = draw(groups())
    contactable = [one.id for one in points if one.handling == Handling.CONTACT]
    return points, happened(
        draw(st.sampled_from(Outcome.values)),
        ticked=draw(st.sets(st.sampled_from(contactable))) if contactable else set(),
        channel=draw(channels),
        vehicle_id=draw(st.sampled_from([None, 1, 2])),
        complaint=draw(st.sampled_from(["", Severity.GENERAL, Severity.MAJOR])),
        is_number_corrected=draw(st.booleans()),
        gap_days=draw(st.integers(0, 10)),
        refused_channels=frozenset(draw(st.sets(channels, max_size=3))),
    )


@given(contacts())
def test_after_any_contact_every_touch_point_is_accounted_for(case):
    points, contact = case
    after = settle(points, contact)
    assert [one.id for one in after] == [one.id for one in points]
    by_id = {one.id: one for one in after}
    for one in after:
        # The database constraints of the ledger.
        assert (one.status == TouchPointStatus.MERGED) is (one.lead_id is not None)
        assert one.status != TouchPointStatus.OPEN or one.closed_on is None
        assert one.status in (TouchPointStatus.OPEN, TouchPointStatus.MERGED) or one.closed_on == TODAY
        assert one.status not in (TouchPointStatus.SUPPRESSED, TouchPointStatus.CANCELLED) or one.reason
        # Who speaks for a live point is open itself; who speaks for a closed one is done.
        if one.status == TouchPointStatus.MERGED:
            lead = by_id[one.lead_id]
            assert lead.status == (TouchPointStatus.OPEN if one.is_live else TouchPointStatus.DONE)


@given(contacts())
def test_a_contact_shortens_no_window_and_keeps_nothing_out_of_sight_beyond_its_window(case):
    points, contact = case
    for before, after in zip(points, settle(points, contact), strict=True):
        assert after.closes_on >= before.closes_on
        if after.is_live and after.not_before not in (None, before.not_before) and before.closes_on >= TODAY:
            assert after.not_before.date() <= after.closes_on


@given(contacts())
def test_only_what_was_ticked_is_done_unless_the_car_was_serviced_elsewhere(case):
    points, contact = case
    for before, after in zip(points, settle(points, contact), strict=True):
        ended_well = after.closed_on is not None and after.status in (TouchPointStatus.DONE, TouchPointStatus.MERGED)
        if ended_well and before.id not in contact.ticked:
            assert contact.outcome == Outcome.SERVICED_ELSEWHERE
            assert before.vehicle_id == contact.vehicle_id


@given(contacts())
def test_a_conversation_leaves_nothing_open_that_was_spoken_about(case):
    points, contact = case
    if OUTCOMES[contact.outcome].ending is Ending.DONE:
        after = settle(points, contact)
        assert all(one.closed_on == TODAY for one in after if contact.was_about(one))


@given(contacts())
def test_nothing_comes_back_before_the_time_it_waits_for_unless_another_one_is_agreed(case):
    points, contact = case
    for before, after in zip(points, settle(points, contact), strict=True):
        if before.not_before is not None and after.is_live and not contact.was_about(before):
            assert after.not_before >= before.not_before


@given(groups())
def test_a_contact_about_nothing_that_reached_nobody_settles_nothing(points):
    for outcome in (Outcome.NOT_REACHED, Outcome.WRONG_NUMBER, Outcome.NOT_THE_OWNER, Outcome.SKIPPED, Outcome.LATER):
        after = settle(points, happened(outcome, ticked=set()))
        assert all(one.is_live for one in after)
        assert [replace(one, not_before=None, closes_on=TODAY) for one in after] == [
            replace(one, not_before=None, closes_on=TODAY) for one in points
        ]


@pytest.mark.parametrize("handling", [Handling.LIST, Handling.FORM])
@pytest.mark.parametrize(
    "contact",
    [
        {"outcome": Outcome.REFUSED, "do_not_contact": DoNotContact.ALL_BUT_SAFETY},
        {"outcome": Outcome.REFUSED, "do_not_contact": DoNotContact.MARKETING},
        {"outcome": Outcome.SATISFIED, "do_not_contact": DoNotContact.ALL_BUT_SAFETY},
        {"outcome": Outcome.SATISFIED},
        {"outcome": Outcome.GRIEVANCE, "complaint": Severity.MAJOR},
    ],
)
def test_what_is_dealt_with_in_the_house_outlives_wishes_complaints_and_conversations(handling, contact):
    in_house = {"care_class": CareClass.MARKETING, "covered_days": 30, "is_held_by_complaint": True}
    desk, call = point(1, handling=handling, **in_house), point(2, **in_house)
    after = settle([desk, call], happened(**contact, ticked=set()))
    assert after[0] == desk
    assert after[1].status == TouchPointStatus.SUPPRESSED


def test_a_recall_outlives_every_refusal():
    recall = point(1, care_class=CareClass.LEGAL)
    for level in (DoNotContact.MARKETING, DoNotContact.ALL_BUT_SAFETY):
        (after,) = settle([recall], happened(Outcome.REFUSED, ticked={1}, do_not_contact=level))
        assert after.status == TouchPointStatus.OPEN


def test_a_message_that_nobody_got_after_all_calls_ends_the_attempts():
    written = point(1, attempts=4, channels=(Channel.PHONE, Channel.SMS), channel=Channel.SMS)
    (after,) = settle([written], happened(Outcome.NOT_REACHED, ticked={1}, channel=Channel.SMS))
    assert (after.status, after.reason) == (TouchPointStatus.DONE, Reason.NOT_REACHED)


# --- The daily target ---------------------------------------------------------------------------------------------


def test_a_customer_counts_once_a_day_and_as_an_owner_if_they_own_a_car():
    activity = count_activity([(1, False), (1, False), (2, True), (3, False), (2, True)])
    assert (activity.prospects, activity.existing) == (2, 1)
    assert (activity.is_reached, activity.percent) == (False, 30)


def test_too_many_of_one_kind_do_not_make_up_for_the_other():
    assert Activity(prospects=10, existing=0).percent == 70
    assert not Activity(prospects=10, existing=0).is_reached
    assert Activity(prospects=7, existing=3).is_reached
    assert Activity(prospects=7, existing=3).percent == 100
    assert Activity(0, 0, ActivityTarget(0, 0)).percent == 100
