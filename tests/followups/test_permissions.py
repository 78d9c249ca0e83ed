"""Who may work, assign and send what: the rows of domain §10 about follow-up tasks."""

import pytest

from followups.permissions import (
    can_assign,
    can_be_assigned,
    can_hand_over,
    can_send_batch,
    can_skip,
    can_take_from_pool,
    can_work,
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
    for may in (can_work, can_skip):
        assert allowed(people, lambda person, may=may: may(person, customer)) == everybody
        assert allowed(people, lambda person, may=may: may(person, done)) == everybody
        assert allowed(people, lambda person, may=may: may(person, own)) == everybody | {"consultant"}
        assert allowed(people, lambda person, may=may: may(person, given)) == everybody | {"consultant"}


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
