"""Managers give work to people, and hand over everything of somebody who leaves."""

import pytest
from django.db import DatabaseError, transaction

from followups.actions import assignments
from followups.actions.assignments import HandOver, assign, hand_over
from followups.choices import TouchPointStatus
from followups.models import QueueLease, TouchPoint
from tests.factories import (
    CareRuleFactory,
    CustomerFactory,
    QueueLeaseFactory,
    TouchPointFactory,
    VehicleFactory,
    WorkOrderFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def point(store):
    return TouchPointFactory(customer=CustomerFactory(store=store))


@pytest.fixture
def post_service_point(store, adviser):
    """A post-service call about a car that ``adviser`` received."""
    order = WorkOrderFactory(vehicle=VehicleFactory(owner=CustomerFactory(store=store)), adviser=adviser)
    return TouchPointFactory(
        customer=order.customer,
        vehicle=order.vehicle,
        anchor_on=order.handed_over_on,
        rule=CareRuleFactory(trigger="hand_over"),
    )


def owners(*points):
    return [TouchPoint.objects.get(pk=point.pk).assignee for point in points]


def test_a_touch_point_moves_with_what_is_merged_into_it(point, manager, adviser):
    child = TouchPointFactory(customer=point.customer, status=TouchPointStatus.MERGED, lead=point)
    assert assign(touch_points=[point.pk], to=adviser, by=manager) == 2
    assert owners(point, child) == [adviser, adviser]


def test_a_touch_point_goes_back_to_the_pool(point, manager, adviser):
    assign(touch_points=[point.pk], to=adviser, by=manager)
    assign(touch_points=[point.pk], to=None, by=manager)
    assert owners(point) == [None]


def test_what_is_closed_stays_with_whom_it_was(store, manager, adviser):
    done = TouchPointFactory(customer=CustomerFactory(store=store), done=True)
    assert assign(touch_points=[done.pk], to=adviser, by=manager) == 0
    assert owners(done) == [None]


def test_only_managers_of_the_store_assign(point, adviser, other_store, group_manager, auditor):
    for person in (adviser, group_manager, auditor):
        with pytest.raises(assignments.NotYoursToAssign):
            assign(touch_points=[point.pk], to=adviser, by=person)
    assert owners(point) == [None]


def test_a_selection_across_stores_moves_as_a_whole_or_not_at_all(point, manager, adviser, other_store):
    elsewhere = TouchPointFactory(customer=CustomerFactory(store=other_store))
    with pytest.raises(assignments.NotYoursToAssign):
        assign(touch_points=[point.pk, elsewhere.pk], to=adviser, by=manager)
    assert owners(point, elsewhere) == [None, None]


def test_work_goes_to_people_of_the_store_who_call_customers(point, manager, other_store_adviser, auditor):
    for person in (other_store_adviser, auditor):
        with pytest.raises(assignments.NoSuchColleague):
            assign(touch_points=[point.pk], to=person, by=manager)
    assert owners(point) == [None]


def test_the_receiving_adviser_never_gets_the_post_service_call(post_service_point, manager, adviser, second_adviser):
    with pytest.raises(assignments.ReceivingAdviser, match="赵扬"):
        assign(touch_points=[post_service_point.pk], to=adviser, by=manager)
    assign(touch_points=[post_service_point.pk], to=second_adviser, by=manager)
    assert owners(post_service_point) == [second_adviser]


def test_everything_of_somebody_who_leaves_goes_to_another_in_one_action(
    store, other_store, manager, adviser, second_adviser, consultant
):
    customer = CustomerFactory(store=store, service_adviser=adviser, sales_consultant=consultant)
    both = CustomerFactory(store=store, service_adviser=adviser, care_specialist=adviser)
    elsewhere = CustomerFactory(store=other_store, service_adviser=adviser)
    mine = TouchPointFactory(customer=customer, assignee=adviser)
    done = TouchPointFactory(customer=customer, assignee=adviser, done=True)
    QueueLeaseFactory(customer=customer, holder=adviser)
    result = hand_over(leaving=adviser, to=second_adviser, store=store, by=manager)
    assert result == HandOver(customers=2, touch_points=1, to_pool=0)
    for row in (customer, both, elsewhere):
        row.refresh_from_db()
    assert (customer.service_adviser, customer.sales_consultant) == (second_adviser, consultant)
    assert (both.service_adviser, both.care_specialist, both.sales_consultant) == (second_adviser, second_adviser, None)
    assert elsewhere.service_adviser == adviser
    assert owners(mine, done) == [second_adviser, adviser]
    assert QueueLease.objects.count() == 0


def test_a_hand_over_sends_calls_that_the_new_person_may_not_make_to_the_pool(
    post_service_point, store, manager, adviser, second_adviser
):
    TouchPoint.objects.update(assignee=second_adviser)
    result = hand_over(leaving=second_adviser, to=adviser, store=store, by=manager)
    assert result == HandOver(customers=0, touch_points=0, to_pool=1)
    assert owners(post_service_point) == [None]


def test_a_hand_over_sets_a_call_that_the_new_person_may_not_make_apart_from_its_lead(
    post_service_point, store, manager, adviser, second_adviser
):
    customer = post_service_point.customer
    lead = TouchPointFactory(customer=customer, assignee=second_adviser)
    for assignee in (second_adviser, None):
        TouchPoint.objects.filter(pk=post_service_point.pk).update(
            status=TouchPointStatus.MERGED, lead=lead, assignee=assignee
        )
        TouchPoint.objects.filter(pk=lead.pk).update(assignee=second_adviser)
        hand_over(leaving=second_adviser, to=adviser, store=store, by=manager)
        post_service_point.refresh_from_db()
        assert (post_service_point.status, post_service_point.lead) == (TouchPointStatus.OPEN, None)
        assert owners(lead, post_service_point) == [adviser, None]


def test_what_a_call_set_apart_spoke_for_goes_on_behind_the_best_of_the_rest(
    post_service_point, store, manager, adviser, second_adviser
):
    merged = {
        "customer": post_service_point.customer,
        "status": TouchPointStatus.MERGED,
        "lead": post_service_point,
        "assignee": second_adviser,
    }
    TouchPoint.objects.update(assignee=second_adviser)
    late, best = TouchPointFactory(priority=4, **merged), TouchPointFactory(priority=2, **merged)
    result = hand_over(leaving=second_adviser, to=adviser, store=store, by=manager)
    assert result == HandOver(customers=0, touch_points=2, to_pool=1)
    late.refresh_from_db()
    best.refresh_from_db()
    assert (best.status, best.lead) == (TouchPointStatus.OPEN, None)
    assert (late.status, late.lead) == (TouchPointStatus.MERGED, best)
    assert owners(post_service_point, best, late) == [None, adviser, adviser]


def test_a_hand_over_is_for_managers_and_to_another_person_of_the_store(
    store, manager, adviser, second_adviser, other_store_adviser
):
    with pytest.raises(assignments.NotYoursToAssign):
        hand_over(leaving=adviser, to=second_adviser, store=store, by=second_adviser)
    for person in (adviser, other_store_adviser):
        with pytest.raises(assignments.NoSuchColleague):
            hand_over(leaving=adviser, to=person, store=store, by=manager)


def test_a_hand_over_that_fails_half_way_moves_nothing(store, manager, adviser, second_adviser, monkeypatch):
    customer = CustomerFactory(store=store, service_adviser=adviser)

    def fail(queryset, **people):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(assignments, "_set_apart_for_pool", fail)
    with pytest.raises(DatabaseError), transaction.atomic():
        hand_over(leaving=adviser, to=second_adviser, store=store, by=manager)
    customer.refresh_from_db()
    assert customer.service_adviser == adviser
