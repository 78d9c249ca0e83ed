"""The guided queue hands every customer to one person at a time, in the order of the day."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connections
from django.utils import timezone

from customers.choices import Tier, TimeSlot
from followups.actions import leases
from followups.actions.leases import claim, claim_next, lease_of, release, release_expired
from followups.choices import Handling, TouchPointStatus
from followups.models import QueueLease, TouchPoint
from followups.querysets import QueueFilters
from followups.tasks import release_expired_leases_task
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    CarModelFactory,
    CustomerFactory,
    QueueLeaseFactory,
    TouchPointFactory,
    VehicleFactory,
)

pytestmark = pytest.mark.django_db

POOL = QueueFilters(includes_pool=True)


@pytest.fixture
def queue_of(store):
    """Give customers with an open touch point to a person; each item is the values of one touch point."""

    def make(person, *items):
        customers = []
        for values in items or ({},):
            about = {key[10:]: values.pop(key) for key in list(values) if key.startswith("customer__")}
            customers.append(CustomerFactory(store=store, **about))
            TouchPointFactory(customer=customers[-1], assignee=person, **values)
        return customers

    return make


def taken_in_turn(person, filters=None, now=NOW):
    """Return the customers a person gets one after the other, each put off at once."""
    customers = []
    while (customer := claim_next(by=person, now=now, filters=filters)) is not None:
        customers.append(customer)
        customer.touch_points.update(not_before=now + timedelta(hours=1))
        release(customer=customer, by=person)
    return customers


# --- The order of the day -----------------------------------------------------------------------------------------


def test_the_window_that_closes_first_comes_first_then_priority_then_age(adviser, queue_of):
    tomorrow = TODAY + timedelta(1)
    third, second, fourth, first = queue_of(
        adviser,
        {"closes_on": tomorrow, "priority": 2},
        {"closes_on": tomorrow, "priority": 1},
        {"closes_on": tomorrow, "priority": 2},
        {"closes_on": TODAY, "priority": 5},
    )
    assert taken_in_turn(adviser) == [first, second, third, fourth]


def test_customers_who_prefer_this_time_of_the_day_come_before_the_others(adviser, queue_of):
    evening, any_time, morning = queue_of(
        adviser,
        {"customer__preferred_slot": TimeSlot.EVENING},
        {},
        {"customer__preferred_slot": TimeSlot.MORNING},
    )
    assert taken_in_turn(adviser) == [morning, any_time, evening]
    in_the_evening = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)  # 18:30 in Shanghai
    assert taken_in_turn(adviser, now=in_the_evening) == [evening, any_time, morning]


def test_only_what_can_be_worked_off_now_is_handed_out(adviser, second_adviser, store, queue_of):
    lead = TouchPointFactory(customer=CustomerFactory(store=store))
    queue_of(
        adviser,
        {"status": TouchPointStatus.DONE, "closed_on": TODAY},
        {"status": TouchPointStatus.MERGED, "lead": lead},
        {"handling": Handling.BATCH},
        {"opens_on": TODAY + timedelta(1), "due_on": TODAY + timedelta(1)},
        {"not_before": NOW + timedelta(minutes=1)},
    )
    queue_of(second_adviser)
    assert claim_next(by=adviser, now=NOW) is None
    (waited,) = queue_of(adviser, {"not_before": NOW})
    assert claim_next(by=adviser, now=NOW) == waited


def test_the_pool_is_for_those_who_may_take_from_it_and_comes_after_ones_own(
    adviser, care_specialist, manager, other_store, queue_of
):
    (pooled,) = queue_of(None, {"closes_on": TODAY})
    TouchPointFactory(customer=CustomerFactory(store=other_store))
    (own,) = queue_of(care_specialist, {"closes_on": TODAY + timedelta(3)})
    assert taken_in_turn(adviser, POOL) == []
    assert taken_in_turn(care_specialist) == [own]
    TouchPoint.objects.update(not_before=None)
    assert taken_in_turn(care_specialist, POOL) == [own, pooled]
    TouchPoint.objects.update(not_before=None)
    assert taken_in_turn(manager, POOL) == [pooled]


def test_what_was_given_to_somebody_who_left_the_store_is_not_theirs_any_more(adviser, queue_of):
    queue_of(adviser)
    adviser.memberships.update(is_active=False)
    assert claim_next(by=adviser, now=NOW) is None


def test_the_filters_of_the_day_narrow_the_queue(adviser, store, queue_of):
    birthday, renewal = CareRuleFactory(code="XBD"), CareRuleFactory(code="XIN")
    plain, vip, overdue, urgent = queue_of(
        adviser,
        {},
        {"customer__tier": Tier.VIP},
        {"due_on": TODAY - timedelta(1), "opens_on": TODAY - timedelta(1)},
        {"priority": 1},
    )
    (led,) = queue_of(adviser, {"rule": birthday})
    TouchPointFactory(
        customer=led, rule=renewal, status=TouchPointStatus.MERGED, lead=TouchPoint.objects.get(customer=led)
    )
    (driver,) = queue_of(adviser)
    car = VehicleFactory(owner=driver, model=CarModelFactory(series="帝豪"))
    TouchPoint.objects.filter(customer=driver).update(vehicle=car)

    def narrowed(**filters):
        return {
            point.customer
            for point in TouchPoint.objects.for_queue(adviser, now=NOW, today=TODAY, filters=QueueFilters(**filters))
        }

    assert narrowed() == {plain, vip, overdue, urgent, led, driver}
    assert narrowed(tiers=(Tier.VIP,)) == {vip}
    assert narrowed(is_overdue=True) == {overdue}
    assert narrowed(priorities=(1,)) == {urgent}
    assert narrowed(rule_codes=("XBD",)) == {led}
    assert narrowed(rule_codes=("XIN",)) == {led}
    assert narrowed(series=("帝豪",)) == {driver}
    assert claim_next(by=adviser, now=NOW, filters=QueueFilters(rule_codes=("XIN",))) == led


# --- Leases -------------------------------------------------------------------------------------------------------


def test_a_customer_on_somebodys_screen_is_passed_over_until_the_lease_ends(care_specialist, manager, queue_of):
    first, second = queue_of(None, {}, {})
    assert claim_next(by=care_specialist, now=NOW, filters=POOL) == first
    assert claim_next(by=manager, now=NOW, filters=POOL) == second
    later = NOW + timedelta(minutes=15)
    release(customer=second, by=manager)
    assert claim_next(by=manager, now=later, filters=POOL) == first
    assert lease_of(customer=first, now=later).holder == manager


def test_an_interrupted_card_comes_back_first(adviser, queue_of):
    soon, late = queue_of(adviser, {"closes_on": TODAY}, {"closes_on": TODAY + timedelta(5)})
    claim(customer=late, by=adviser, now=NOW)
    assert claim_next(by=adviser, now=NOW) == late
    release(customer=late, by=adviser)
    assert claim_next(by=adviser, now=NOW) == soon


def test_a_lease_lasts_as_long_as_the_store_says_and_is_renewed_by_its_holder(adviser, store, queue_of):
    (customer,) = queue_of(adviser)
    store.lease_minutes = 3
    store.save(update_fields=["lease_minutes"])
    customer.store.refresh_from_db()
    assert claim(customer=customer, by=adviser, now=NOW).expires_at == NOW + timedelta(minutes=3)
    again = NOW + timedelta(minutes=2)
    assert claim(customer=customer, by=adviser, now=again).expires_at == again + timedelta(minutes=3)
    assert QueueLease.objects.count() == 1
    assert lease_of(customer=customer, now=NOW + timedelta(minutes=5)) is None


def test_a_customer_whom_somebody_holds_cannot_be_taken(adviser, second_adviser, queue_of):
    (customer,) = queue_of(adviser)
    claim(customer=customer, by=adviser, now=NOW)
    with pytest.raises(leases.CustomerIsHeld, match="赵扬") as refused:
        claim(customer=customer, by=second_adviser, now=NOW)
    assert refused.value.lease.holder == adviser
    assert not release(customer=customer, by=second_adviser)
    assert lease_of(customer=customer, now=NOW).holder == adviser
    assert release(customer=customer, by=adviser)
    assert claim(customer=customer, by=second_adviser, now=NOW).holder == second_adviser


def test_only_those_who_work_for_a_customer_take_them(
    store, consultant, other_store_adviser, group_manager, admin_user, auditor, queue_of
):
    (customer,) = queue_of(None)
    for person in (consultant, other_store_adviser, group_manager, admin_user, auditor):
        with pytest.raises(leases.NotYourCustomer):
            claim(customer=customer, by=person, now=NOW)
    assert QueueLease.objects.count() == 0


def test_leases_that_have_run_out_are_cleared_and_the_others_kept(store):
    kept = QueueLeaseFactory(customer__store=store, expires_at=NOW + timedelta(seconds=1))
    QueueLeaseFactory(customer__store=store, expires_at=NOW)
    assert release_expired(now=NOW) == 1
    assert list(QueueLease.objects.all()) == [kept]


def test_the_hourly_job_clears_them_by_the_real_clock(store):
    kept = QueueLeaseFactory(customer__store=store, expires_at=timezone.now() + timedelta(minutes=5))
    QueueLeaseFactory(customer__store=store, expires_at=timezone.now() - timedelta(seconds=1))
    release_expired_leases_task.delay()
    assert list(QueueLease.objects.all()) == [kept]


def test_the_next_customer_costs_the_same_whatever_is_waiting(adviser, queue_of, django_assert_num_queries):
    def ask():
        customer = claim_next(by=adviser, now=NOW)
        assert customer.store.name  # the card needs it, and it came along
        return customer

    queue_of(adviser)
    release(customer=ask(), by=adviser)
    with django_assert_num_queries(5):  # two savepoints, the interrupted card, the next one, the lease
        release_later = ask()
    release(customer=release_later, by=adviser)
    queue_of(adviser, {}, {}, {})
    with django_assert_num_queries(5):
        ask()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_people_at_once_never_get_the_same_customer(store, care_specialist, manager, queue_of):
    expected = queue_of(None, *({} for _ in range(20)))
    together = Barrier(2)
    taken = {care_specialist.pk: [], manager.pk: []}
    failures = []

    def work(person):
        try:
            together.wait()
            while (customer := claim_next(by=person, now=NOW, filters=POOL)) is not None:
                taken[person.pk].append(customer.pk)
                # The card is done with, but kept on the screen: the lease alone must keep the other one away.
                TouchPoint.objects.filter(customer=customer).update(not_before=NOW + timedelta(days=1))
        except Exception as failure:  # noqa: BLE001 - shown by the assertion below, in the test's own thread
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [Thread(target=work, args=(person,)) for person in (care_specialist, manager)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    everything = taken[care_specialist.pk] + taken[manager.pk]
    assert sorted(everything) == sorted(customer.pk for customer in expected)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_one_customer_with_two_touch_points_goes_to_one_of_two_people(store, care_specialist, manager):
    customer = CustomerFactory(store=store)
    TouchPointFactory(customer=customer, assignee=care_specialist)
    TouchPointFactory(customer=customer, assignee=manager)
    together = Barrier(2)
    got = []

    def work(person):
        try:
            together.wait()
            got.append(claim_next(by=person, now=NOW))
        finally:
            connections.close_all()

    threads = [Thread(target=work, args=(person,)) for person in (care_specialist, manager)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=lambda one: one is None) == [customer, None]
