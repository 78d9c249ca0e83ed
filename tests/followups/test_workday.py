"""Night and day together: what the planner promises is worked off, and the next night finds it so."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from customers.choices import Channel
from followups.actions.contacts import record_contact, skip
from followups.actions.leases import claim_next
from followups.choices import Outcome, Reason, TouchPointStatus
from followups.models import CareRule, ContactLog, QueueLease, TouchPoint
from followups.planner import plan_care
from followups.querysets import QueueFilters
from tests.factories import CustomerFactory, VehicleFactory

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 11, 23)
POOL = QueueFilters(includes_pool=True)


def at(day, hour):
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("Asia/Shanghai"))


def save(customer, person, now, outcome=Outcome.SATISFIED, **details):
    """Record a contact about everything that is live for a customer."""
    live = customer.touch_points.live().for_contact()
    return record_contact(
        touch_points=list(live.values_list("pk", flat=True)),
        customer=customer,
        by=person,
        now=now,
        channel=Channel.PHONE,
        outcome=outcome,
        win_back_reason="price",  # a wake-up call is among them
        **details,
    )


@pytest.fixture
def customers(store, care_specialist):
    """Five customers with a car each that was delivered a year ago, or three months ago, to the week."""
    made = []
    for months_ago in (date(2025, 11, 20), date(2026, 8, 24)) * 2 + (date(2025, 11, 24),):
        customer = CustomerFactory(
            store=store,
            care_specialist=care_specialist,
            sales_consultant=care_specialist,
            entered_on=months_ago,
            last_delivery_on=months_ago,
        )
        VehicleFactory(owner=customer, delivery_on=months_ago, care_from=months_ago)
        made.append(customer)
    return made


def test_a_days_queue_is_worked_off_to_the_last_and_stays_so_the_next_night(customers, care_specialist):
    plan_care(on=MONDAY)
    met = []
    while (customer := claim_next(by=care_specialist, now=at(MONDAY, 9), filters=POOL)) is not None:
        met.append(customer)
        save(customer, care_specialist, at(MONDAY, 9))
    assert sorted(customer.pk for customer in met) == sorted(customer.pk for customer in customers)
    assert not TouchPoint.objects.live().for_contact().exists()
    assert not QueueLease.objects.exists()
    assert ContactLog.objects.count() == len(customers)

    before = list(TouchPoint.objects.order_by("pk").values())
    again = plan_care(on=MONDAY)
    assert (again.created, again.suppressed) == (0, 0)
    assert list(TouchPoint.objects.order_by("pk").values()) == before


def test_an_agreed_time_brings_the_customer_back_then_and_not_before(customers, care_specialist):
    plan_care(on=MONDAY)
    customer = claim_next(by=care_specialist, now=at(MONDAY, 9), filters=POOL)
    agreed_at = at(MONDAY + timedelta(days=2), 19)
    save(customer, care_specialist, at(MONDAY, 9), Outcome.LATER, agreed_at=agreed_at)
    for other in customers:
        if other != customer:
            save(other, care_specialist, at(MONDAY, 9))
    for day in (MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)):
        plan_care(on=day)
        assert claim_next(by=care_specialist, now=at(day, 18), filters=POOL) is None
    assert claim_next(by=care_specialist, now=agreed_at, filters=POOL) == customer


def test_an_unanswered_customer_comes_back_until_the_last_attempt(customers, care_specialist):
    CareRule.objects.exclude(code="M12k").update(is_active=False)
    plan_care(on=MONDAY)
    customer = customers[0]
    point = TouchPoint.objects.get(customer=customer)
    assert point.status == TouchPointStatus.OPEN
    for other in customers[1:]:
        save(other, care_specialist, at(MONDAY, 9))
    tuesday, thursday = MONDAY + timedelta(days=1), MONDAY + timedelta(days=3)
    calls = [at(MONDAY, 9), at(MONDAY, 14), at(tuesday, 14), at(thursday, 14)]
    for now in calls:
        plan_care(on=now.date())
        assert claim_next(by=care_specialist, now=now, filters=POOL) == customer
        save(customer, care_specialist, now, Outcome.NOT_REACHED)
        waiting = claim_next(by=care_specialist, now=now + timedelta(minutes=1), filters=POOL)
        assert waiting == (customer if now == calls[-1] else None)  # in the end to be written to, at once
    point.refresh_from_db()
    # The anniversary may be written as a card: that is what is left to do.
    assert (point.status, point.attempts, point.channel) == (TouchPointStatus.OPEN, 4, Channel.CARD)
    record_contact(
        touch_points=[point.pk],
        customer=customer,
        by=care_specialist,
        now=calls[-1],
        channel=Channel.CARD,
        outcome=Outcome.MESSAGE_SENT,
    )
    point.refresh_from_db()
    assert (point.status, point.reason) == (TouchPointStatus.DONE, Reason.NOT_REACHED)


def test_a_skipped_customer_comes_back_after_two_hours(customers, care_specialist):
    plan_care(on=MONDAY)
    now = at(MONDAY, 9)
    first = claim_next(by=care_specialist, now=now, filters=POOL)
    skip(customer=first, by=care_specialist, now=now, reason="in a meeting")
    assert claim_next(by=care_specialist, now=now, filters=POOL) != first
    for other in customers:
        if other != first:
            save(other, care_specialist, now)
    assert claim_next(by=care_specialist, now=now + timedelta(minutes=119), filters=POOL) is None
    assert claim_next(by=care_specialist, now=now + timedelta(hours=2), filters=POOL) == first
