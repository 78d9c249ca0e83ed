"""What nobody did in its window is seen by the supervisor and by customer care, who may make up for it."""

from datetime import date, timedelta

import pytest

from accounts.choices import Role
from customers.choices import CustomerStatus, DoNotContact
from followups.actions.assignments import NoSuchColleague, NotYoursToAssign, ReceivingAdviser
from followups.actions.missed import take_up_again
from followups.choices import CareClass, Handling, Reason, TouchPointStatus
from followups.models import TouchPoint
from followups.planner import plan_care
from tests.factories import (
    CareRuleFactory,
    CustomerFactory,
    MembershipFactory,
    TouchPointFactory,
    VehicleFactory,
    WorkOrderFactory,
)
from tests.planning import only
from vehicles.choices import VehicleStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]

FRIDAY = date(2026, 11, 20)
LIST = "/missed/"
TAKE_UP = "/missed/take-up/"
QUERIES = 7


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to("2026-11-20T09:00:00+08:00", tick=False)


@pytest.fixture
def missed(store, consultant):
    """Make a touch point that a consultant let pass, closed by last night."""

    def make(**values):
        customer = values.pop("customer", None) or CustomerFactory(store=store)
        closed_on = values.pop("closed_on", FRIDAY)
        is_closed_late = values.pop("closed_late", False)  # by a night that caught up
        due_on = closed_on - timedelta(days=1)
        days = {"nominal_on": due_on, "due_on": due_on, "opens_on": due_on, "closes_on": due_on}
        days["closed_on"] = FRIDAY if is_closed_late else closed_on
        usual = {"vehicle": VehicleFactory(owner=customer), "assignee": consultant, "handling": Handling.CONTACT}
        return TouchPointFactory(
            store=customer.store,
            customer=customer,
            status=TouchPointStatus.MISSED,
            reason=Reason.WINDOW_PASSED,
            **(days | usual | values),
        )

    return make


def shown(response):
    return [point.pk for point in response.context["page"].rows]


def test_the_list_has_what_was_missed_in_seven_days_the_newest_first(as_user, manager, missed, other_store):
    older, newer = missed(closed_on=FRIDAY - timedelta(days=6)), missed()
    missed(closed_on=FRIDAY - timedelta(days=7))
    missed(closed_on=FRIDAY - timedelta(days=30), closed_late=True)
    missed(handling=Handling.BATCH)
    missed(customer=CustomerFactory(store=other_store))

    assert shown(as_user(manager).get(LIST)) == [newer.pk, older.pk]


def test_customer_care_makes_up_for_what_sales_missed(as_user, care_specialist, missed):
    point = missed()
    client = as_user(care_specialist)

    assert "1 contact missed lately" in client.get("/").text
    client.post(TAKE_UP, {"points": [point.pk], "to": care_specialist.pk})

    point.refresh_from_db()
    assert (point.status, point.reason, point.closed_on, point.assignee) == ("open", "", None, care_specialist)
    # Today is Friday: the next working day is Monday.
    assert point.closes_on == FRIDAY + timedelta(days=3)
    assert [row.customer for row in client.get("/").context["page"].rows] == [point.customer]


def test_what_is_not_made_the_second_time_is_missed_again(missed, manager):
    only()
    point = missed(rule=CareRuleFactory(is_active=False))
    take_up_again(touch_points=[point.pk], to=manager, on=FRIDAY, by=manager)

    plan_care(on=FRIDAY + timedelta(days=3))
    assert TouchPoint.objects.get().status == TouchPointStatus.OPEN
    plan_care(on=FRIDAY + timedelta(days=4))
    assert TouchPoint.objects.get().status == TouchPointStatus.MISSED


def test_what_a_colleague_has_taken_up_meanwhile_stays_theirs(missed, manager, care_specialist):
    point = missed()
    take_up_again(touch_points=[point.pk], to=care_specialist, on=FRIDAY, by=care_specialist)

    result = take_up_again(touch_points=[point.pk], to=manager, on=FRIDAY, by=manager)

    point.refresh_from_db()
    assert (result.taken, result.left, point.assignee) == (0, 1, care_specialist)


def test_a_manager_gives_it_to_whom_they_like_and_others_to_nobody_but_themselves(
    as_user, manager, care_specialist, adviser, missed
):
    first, second = missed(), missed()

    as_user(manager).post(TAKE_UP, {"points": [first.pk], "to": adviser.pk})
    as_user(care_specialist).post(TAKE_UP, {"points": [second.pk], "to": adviser.pk})

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.assignee) == ("open", adviser)
    assert second.status == "missed"


def test_giving_it_to_others_is_for_managers(missed, adviser, care_specialist):
    second = missed()
    with pytest.raises(NotYoursToAssign):
        take_up_again(touch_points=[second.pk], to=adviser, on=FRIDAY, by=care_specialist)


def test_nobody_who_does_not_call_in_the_store_gets_it(missed, manager, other_store_adviser):
    with pytest.raises(NoSuchColleague):
        take_up_again(touch_points=[missed().pk], to=other_store_adviser, on=FRIDAY, by=manager)


def test_the_call_after_a_service_is_not_given_to_who_received_the_car(missed, manager, adviser):
    point = missed(rule=CareRuleFactory(trigger="hand_over"), anchor_on=FRIDAY - timedelta(days=4))
    WorkOrderFactory(
        vehicle=point.vehicle, customer=point.customer, adviser=adviser, handed_over_on=FRIDAY - timedelta(days=4)
    )
    with pytest.raises(ReceivingAdviser):
        take_up_again(touch_points=[point.pk], to=adviser, on=FRIDAY, by=manager)


@pytest.mark.parametrize(
    "customer",
    [
        {"status": CustomerStatus.DECEASED},
        {"do_not_contact": DoNotContact.ALL_BUT_SAFETY},
        {"do_not_contact": DoNotContact.MARKETING},
        {"refused_channels": ["phone", "wechat"]},
    ],
)
def test_what_nobody_wishes_any_more_is_left_and_said(as_user, manager, missed, store, customer):
    rule = CareRuleFactory(care_class=CareClass.MARKETING, channels=["phone"])
    point = missed(customer=CustomerFactory(store=store, **customer), rule=rule)

    response = as_user(manager).post(TAKE_UP, {"points": [point.pk], "to": manager.pk}, follow=True)

    assert "1 was left" in response.text
    assert TouchPoint.objects.get().status == TouchPointStatus.MISSED


def test_a_car_that_is_gone_is_left_too(missed, manager):
    point = missed()
    point.vehicle.status = VehicleStatus.TRANSFERRED
    point.vehicle.save()

    result = take_up_again(touch_points=[point.pk], to=manager, on=FRIDAY, by=manager)

    assert (result.taken, result.left) == (0, 1)


def test_nothing_ticked_is_said(as_user, manager, missed):
    missed()
    assert "Tick the contacts" in as_user(manager).post(TAKE_UP, {"to": manager.pk}, follow=True).text


def test_another_store_is_not_there(as_user, manager, other_store, missed):
    point = missed(customer=CustomerFactory(store=other_store))

    assert as_user(manager).get(LIST, {"store": other_store.code}).status_code == 404
    as_user(manager).post(TAKE_UP, {"points": [point.pk], "to": manager.pk})
    point.refresh_from_db()
    assert point.status == "missed"


def test_somebody_of_two_stores_chooses_one(as_user, manager, other_store, missed):
    MembershipFactory(user=manager, store=other_store, role=Role.CARE_SPECIALIST)
    there = missed(customer=CustomerFactory(store=other_store))

    assert shown(as_user(manager).get(LIST, {"store": other_store.code})) == [there.pk]


def test_the_number_of_queries_does_not_grow_with_the_list(as_user, manager, missed, django_assert_num_queries):
    client = as_user(manager)
    missed()
    client.get(LIST)
    with django_assert_num_queries(QUERIES):
        client.get(LIST)
    missed(), missed()
    with django_assert_num_queries(QUERIES):
        client.get(LIST)
