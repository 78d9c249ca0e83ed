"""Who may work, assign and send what: the rows of domain §10 about follow-up tasks."""

import pytest

from followups.models import TouchPoint
from followups.permissions import (
    can_assign,
    can_be_assigned,
    can_hand_over,
    can_send_batch,
    can_skip,
    can_take_from_pool,
    can_work,
    is_in_charge,
)
from tests.factories import CustomerFactory, TouchPointFactory

pytestmark = pytest.mark.django_db

EVERYBODY = (
    "adviser",
    "consultant",
    "care_specialist",
    "manager",
    "sales_manager",
    "general_manager",
    "other_store_adviser",
    "group_manager",
    "admin_user",
    "auditor",
)
MANAGERS = {"manager", "sales_manager", "general_manager"}


@pytest.fixture
def people(request):
    return {name: request.getfixturevalue(name) for name in EVERYBODY}


def allowed(people, may):
    return {name for name, person in people.items() if may(person)}


def test_a_customer_is_worked_by_the_people_of_the_store_a_consultants_by_the_consultant(people, store):
    customer = CustomerFactory(store=store)
    own = CustomerFactory(store=store, sales_consultant=people["consultant"])
    given = CustomerFactory(store=store)
    TouchPointFactory(customer=given, assignee=people["consultant"])
    done = CustomerFactory(store=store)
    TouchPointFactory(customer=done, assignee=people["consultant"], done=True)
    everybody = {"adviser", "care_specialist"} | MANAGERS
    assert allowed(people, lambda person: can_work(person, customer)) == everybody
    assert allowed(people, lambda person: can_work(person, done)) == everybody
    assert allowed(people, lambda person: can_work(person, own)) == everybody | {"consultant"}
    assert allowed(people, lambda person: can_work(person, given)) == everybody | {"consultant"}


@pytest.mark.parametrize(("name", "role"), [("adviser", "service_adviser"), ("consultant", "sales_consultant")])
def test_it_is_the_work_of_those_who_look_after_a_customer_or_were_given_the_call_and_of_the_supervisors(
    people, store, other_store, name, role
):
    person = people[name]
    everybody = {"care_specialist"} | MANAGERS
    points = {
        "nobody's": TouchPointFactory(customer=CustomerFactory(store=store)),
        "own": TouchPointFactory(customer=CustomerFactory(store=store, **{role: person})),
        "given": TouchPointFactory(customer=CustomerFactory(store=store), assignee=person),
        "elsewhere": TouchPointFactory(customer=CustomerFactory(store=other_store, **{role: person}), assignee=person),
    }
    expected = {
        "nobody's": everybody,
        "own": everybody | {name},
        "given": everybody | {name},
        "elsewhere": set(),
    }
    for may in (is_in_charge, can_skip):
        found = {
            what: allowed(people, lambda one, point=point, may=may: may(one, point.customer)) - {"other_store_adviser"}
            for what, point in points.items()
        }
        assert found == expected
    for what, point in points.items():
        in_charge = allowed(
            people, lambda one, point=point: TouchPoint.objects.in_charge_of(one).filter(pk=point.pk).exists()
        )
        assert (what, in_charge - {"other_store_adviser"}) == (what, expected[what])


def test_managers_give_work_of_their_store_to_people_and_hand_it_over(people, store):
    assert allowed(people, lambda person: can_assign(person, store.pk)) == MANAGERS
    assert allowed(people, lambda person: can_hand_over(person, store.pk)) == MANAGERS


def test_work_is_given_to_whoever_calls_customers_of_the_store(people, store):
    callers = {"adviser", "consultant", "care_specialist"} | MANAGERS
    assert allowed(people, lambda person: can_be_assigned(person, store.pk)) == callers
    people["adviser"].is_active = False
    assert allowed(people, lambda person: can_be_assigned(person, store.pk)) == callers - {"adviser"}


def test_the_pool_and_messages_to_many_are_for_care_specialists_and_managers(people, store, other_store):
    assert allowed(people, can_take_from_pool) == {"care_specialist"} | MANAGERS
    assert allowed(people, lambda person: can_send_batch(person, [store.pk])) == {"care_specialist"} | MANAGERS
    assert allowed(people, lambda person: can_send_batch(person, [store.pk, other_store.pk])) == set()
