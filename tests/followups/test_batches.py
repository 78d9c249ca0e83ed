"""Many at once: messages to a batch of customers, and what is dealt with at the desk."""

from datetime import UTC, date, datetime

import pytest

from customers.choices import Channel, DoNotContact
from followups.actions import cards
from followups.actions.batches import BatchResult, mark_batch_sent, mark_handled
from followups.choices import CareClass, Handling, Outcome, Reason, TouchPointStatus
from followups.models import ContactLog, TouchPoint
from followups.permissions import work_store_ids
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    CustomerFactory,
    TouchPointFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(store):
    return CustomerFactory(store=store)


def a_point(customer, **values):
    rule_values = {key[6:]: values.pop(key) for key in list(values) if key.startswith("rule__")}
    return TouchPointFactory(customer=customer, rule=CareRuleFactory(**rule_values), **values)


def state(point):
    point.refresh_from_db()
    return point.status, point.reason


@pytest.fixture
def festival():
    return CareRuleFactory(
        handling=Handling.BATCH,
        channels=[Channel.SMS, Channel.WECHAT],
        care_class=CareClass.MARKETING,
        ignores_gap=True,
    )


def test_a_batch_is_recorded_customer_by_customer(store, festival, care_specialist):
    offer = CareRuleFactory(handling=Handling.BATCH, channels=[Channel.SMS], care_class=CareClass.MARKETING)
    both, one = CustomerFactory.create_batch(2, store=store)
    points = [TouchPointFactory(customer=both, rule=festival), TouchPointFactory(customer=both, rule=offer)]
    points.append(TouchPointFactory(customer=one, rule=festival))
    result = mark_batch_sent(touch_points=TouchPoint.objects.all(), by=care_specialist, now=NOW, channel=Channel.SMS)
    assert result == BatchResult(sent=3, customers=2, held_back=0)
    assert {state(point) for point in points} == {(TouchPointStatus.DONE, "")}
    logs = {log.customer_id: log for log in ContactLog.objects.all()}
    assert {point.settled_by_id for point in points[:2]} == {logs[both.pk].pk}
    assert points[2].settled_by_id == logs[one.pk].pk
    assert (logs[both.pk].is_marketing_message, logs[one.pk].is_marketing_message) == (True, False)
    assert (logs[one.pk].by, logs[one.pk].on, logs[one.pk].outcome) == (care_specialist, TODAY, Outcome.MESSAGE_SENT)
    both.refresh_from_db()
    one.refresh_from_db()
    assert (both.last_proactive_contact_on, one.last_proactive_contact_on) == (TODAY, None)


def test_calls_rest_for_the_contact_gap_after_a_message_as_after_a_call(store, festival, care_specialist):
    """The store's gap is five days; midnight in Shanghai is 16:00 the day before."""
    offer = CareRuleFactory(handling=Handling.BATCH, channels=[Channel.SMS], care_class=CareClass.MARKETING)
    written, greeted = CustomerFactory.create_batch(2, store=store)
    TouchPointFactory(customer=written, rule=offer)
    TouchPointFactory(customer=greeted, rule=festival)
    later = datetime(2026, 12, 1, 7, tzinfo=UTC)
    merged = {"status": TouchPointStatus.MERGED, "lead": TouchPointFactory(customer=written)}
    own_way = CareRuleFactory(late_days=20)
    CareRuleFactory(code=own_way.code, store=store, ignores_gap=True)
    rested = datetime(2026, 11, 25, 16, tzinfo=UTC)
    expected = {
        a_point(written, rule__late_days=20): rested,
        a_point(written, rule__late_days=20, **merged): rested,
        a_point(written, rule__late_days=20, not_before=NOW): rested,
        a_point(written, rule__late_days=20, not_before=later): later,
        a_point(written, rule__late_days=2): datetime(2026, 11, 22, 16, tzinfo=UTC),
        a_point(written, rule__late_days=0): None,
        a_point(written, rule__late_days=20, rule__priority=1): None,
        a_point(written, rule__late_days=20, rule__ignores_gap=True): None,
        TouchPointFactory(customer=written, rule=own_way): None,
        a_point(written, rule__late_days=20, rule__handling=Handling.LIST): None,
        a_point(written, rule__late_days=20, done=True): None,
        a_point(greeted, rule__late_days=20): None,
    }
    batches = TouchPoint.objects.filter(handling=Handling.BATCH)
    mark_batch_sent(touch_points=batches, by=care_specialist, now=NOW, channel=Channel.SMS)
    found = dict(TouchPoint.objects.filter(pk__in=[point.pk for point in expected]).values_list("pk", "not_before"))
    assert found == {point.pk: until for point, until in expected.items()}


def test_a_batch_holds_back_whoever_refused_since_the_night(store, festival, care_specialist):
    wishes = {
        Reason.DO_NOT_CONTACT: {"do_not_contact": DoNotContact.ALL_BUT_SAFETY},
        Reason.NO_MARKETING: {"do_not_contact": DoNotContact.MARKETING},
        Reason.CHANNELS_REFUSED: {"refused_channels": [Channel.SMS]},
        Reason.CUSTOMER_NOT_IN_CARE: {"status": "deceased"},
    }
    points = {
        reason: TouchPointFactory(customer=CustomerFactory(store=store, **values), rule=festival)
        for reason, values in wishes.items()
    }
    result = mark_batch_sent(touch_points=TouchPoint.objects.all(), by=care_specialist, now=NOW, channel=Channel.SMS)
    assert result == BatchResult(sent=0, customers=0, held_back=4)
    for reason, point in points.items():
        assert state(point) == (TouchPointStatus.SUPPRESSED, reason)
    assert ContactLog.objects.count() == 0


UNREACHABLE = {
    Channel.SMS: [{"mobile": ""}, {"is_mobile_wrong": True}],
    Channel.WECHAT: [{"mobile": ""}, {"is_mobile_wrong": True}, {"is_mobile_wrong": True, "wechat": "13812345678"}],
    Channel.EMAIL: [{}, {"wechat": "wang_xm"}],
    Channel.LETTER: [{"email": "wang@example.com"}],
}
REACHABLE = {
    Channel.SMS: [{}],
    Channel.WECHAT: [{}, {"mobile": "", "wechat": "wang_xm"}, {"is_mobile_wrong": True, "wechat": "wang_xm"}],
    Channel.EMAIL: [{"email": "wang@example.com", "mobile": ""}],
    Channel.LETTER: [{"address_detail": "渤海路1号", "mobile": ""}],
    Channel.APP: [{"mobile": ""}],
}


@pytest.mark.parametrize("channel", REACHABLE)
def test_nobody_is_marked_as_written_to_whom_the_channel_cannot_reach(store, care_specialist, channel):
    rule = CareRuleFactory(handling=Handling.BATCH, channels=[channel], care_class=CareClass.SERVICE)

    def points(files):
        return [
            TouchPointFactory(customer=CustomerFactory(**{"store": store, "mobile": "13812345678"} | file), rule=rule)
            for file in files
        ]

    reached, unreached = points(REACHABLE[channel]), points(UNREACHABLE.get(channel, []))
    result = mark_batch_sent(touch_points=TouchPoint.objects.all(), by=care_specialist, now=NOW, channel=channel)
    assert result == BatchResult(len(reached), len(reached), held_back=0, without_address=len(unreached))
    assert {state(point) for point in reached} == {(TouchPointStatus.DONE, "")}
    assert [state(point) for point in unreached] == [(TouchPointStatus.SUPPRESSED, Reason.NO_ADDRESS)] * len(unreached)
    assert {log.customer for log in ContactLog.objects.all()} == {point.customer for point in reached}
    for point in unreached:
        point.customer.refresh_from_db()
        assert point.customer.last_proactive_contact_on is None


def test_whom_another_channel_of_the_rule_reaches_waits_for_it(store, festival, care_specialist):
    files = {"wechat": "wang_xm"}, {"wechat": "wang_xm", "refused_channels": [Channel.WECHAT]}
    waits, refuses = (
        TouchPointFactory(customer=CustomerFactory(store=store, mobile="", **file), rule=festival) for file in files
    )
    batch = {"touch_points": TouchPoint.objects.all(), "by": care_specialist, "now": NOW}
    assert mark_batch_sent(channel=Channel.SMS, **batch) == BatchResult(0, 0, 0, without_address=1, left_open=1)
    assert state(waits) == (TouchPointStatus.OPEN, "")
    assert state(refuses) == (TouchPointStatus.SUPPRESSED, Reason.NO_ADDRESS)
    assert mark_batch_sent(channel=Channel.WECHAT, **batch) == BatchResult(sent=1, customers=1, held_back=0)


def test_a_batch_follows_the_stores_own_version_of_a_rule(store, festival, care_specialist):
    CareRuleFactory(code=festival.code, store=store, handling=Handling.BATCH, care_class=CareClass.SERVICE)
    point = TouchPointFactory(
        customer=CustomerFactory(store=store, do_not_contact=DoNotContact.MARKETING), rule=festival
    )
    mark_batch_sent(touch_points=TouchPoint.objects.all(), by=care_specialist, now=NOW, channel=Channel.SMS)
    assert state(point) == (TouchPointStatus.DONE, "")


def test_a_batch_leaves_out_what_was_unticked_what_needs_a_person_and_other_stores(
    store, festival, care_specialist, other_store
):
    sent, unticked = (TouchPointFactory(customer=CustomerFactory(store=store), rule=festival) for _ in range(2))
    personal = a_point(CustomerFactory(store=store))
    elsewhere = TouchPointFactory(customer=CustomerFactory(store=other_store), rule=festival)
    mark_batch_sent(
        touch_points=TouchPoint.objects.exclude(pk=unticked.pk), by=care_specialist, now=NOW, channel=Channel.SMS
    )
    assert state(sent) == (TouchPointStatus.DONE, "")
    assert {state(point) for point in (unticked, personal, elsewhere)} == {(TouchPointStatus.OPEN, "")}


def test_a_batch_marked_twice_is_recorded_once(store, festival, care_specialist):
    TouchPointFactory(customer=CustomerFactory(store=store), rule=festival)
    batch = {"touch_points": TouchPoint.objects.all(), "by": care_specialist, "now": NOW, "channel": Channel.SMS}
    mark_batch_sent(**batch)
    assert mark_batch_sent(**batch) == BatchResult(0, 0, 0)
    assert ContactLog.objects.count() == 1


def test_a_batch_is_sent_by_those_who_see_the_whole_store_and_in_writing(store, consultant, care_specialist):
    with pytest.raises(cards.NotYourContact):
        mark_batch_sent(touch_points=TouchPoint.objects.all(), by=consultant, now=NOW, channel=Channel.SMS)
    with pytest.raises(cards.NotByMessage):
        mark_batch_sent(touch_points=TouchPoint.objects.all(), by=care_specialist, now=NOW, channel=Channel.PHONE)


def test_a_list_and_a_form_are_closed_by_hand_and_a_call_is_not(
    store, customer, adviser, second_adviser, other_store_adviser
):
    due_list = a_point(customer, rule__handling=Handling.LIST, assignee=adviser)
    for person in (second_adviser, other_store_adviser):
        with pytest.raises(cards.NotYourContact):
            mark_handled(touch_points=[due_list.pk], by=person, now=NOW)
    assert mark_handled(touch_points=[due_list.pk], by=adviser, now=NOW) == 1
    assert state(due_list) == (TouchPointStatus.DONE, Reason.BY_HAND)
    assert due_list.closed_on == TODAY
    assert mark_handled(touch_points=[due_list.pk], by=adviser, now=NOW) == 0
    form, call = a_point(customer, rule__handling=Handling.FORM, assignee=adviser), a_point(customer, assignee=adviser)
    with pytest.raises(cards.WrongTouchPoint):
        mark_handled(touch_points=[form.pk, call.pk], by=adviser, now=NOW)
    assert {state(form), state(call)} == {(TouchPointStatus.OPEN, "")}


def test_closing_three_lists_asks_no_more_than_closing_one(store, consultant, django_assert_num_queries):
    one, *three = [
        a_point(CustomerFactory(store=store), rule__handling=Handling.LIST, assignee=consultant) for _n in range(4)
    ]
    work_store_ids(consultant)  # read once a request
    for points in ([one], three):
        with django_assert_num_queries(6):  # savepoint, customers, rows, whose work it is, write, release
            assert mark_handled(touch_points=[p.pk for p in points], by=consultant, now=NOW) == len(points)


@pytest.mark.parametrize(("zone", "day"), [("Asia/Shanghai", date(2026, 11, 22)), ("Asia/Urumqi", TODAY)])
def test_what_is_closed_by_hand_ends_on_the_stores_own_day(store, care_specialist, zone, day):
    type(store).objects.filter(pk=store.pk).update(time_zone=zone)
    due_list = a_point(CustomerFactory(store=store), rule__handling=Handling.LIST)
    mark_handled(touch_points=[due_list.pk], by=care_specialist, now=datetime(2026, 11, 21, 16, 30, tzinfo=UTC))
    due_list.refresh_from_db()
    assert due_list.closed_on == day
