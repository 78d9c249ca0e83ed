"""A small world of two equal stores, the people of every role, and every address of the project."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from core.models import CalendarDay
from followups.models import CareRule
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    ContactLogFactory,
    CustomerFactory,
    InsurancePolicyFactory,
    JobRunFactory,
    NextStepFactory,
    OdometerReadingFactory,
    OwnershipFactory,
    SuggestedWorkFactory,
    TouchPointFactory,
    UserFactory,
    VehicleFactory,
    WorkOrderFactory,
)

# In the order of domain §10, then those who meet a wall: a consultant at a colleague's customer, and another store.
ROLES = (
    "consultant",
    "adviser",
    "care_specialist",
    "manager",
    "sales_manager",
    "general_manager",
    "group_manager",
    "admin_user",
    "auditor",
    "second_consultant",
    "other_store_adviser",
)


@dataclass(frozen=True)
class Address:
    """A URL pattern of the project: its name with namespaces, and the arguments that it takes."""

    name: str
    arguments: frozenset[str]
    route: str


def _walk(patterns: Any, namespace: str = "", route: str = "", arguments: frozenset[str] = frozenset()) -> Iterator:
    for each in patterns:
        full = route + str(each.pattern)
        takes = arguments | set(each.pattern.regex.groupindex)
        if isinstance(each, URLResolver):
            inner = f"{namespace}{each.namespace}:" if each.namespace else namespace
            yield from _walk(each.url_patterns, inner, full, takes)
        elif isinstance(each, URLPattern):
            yield Address(f"{namespace}{each.name or ''}", takes, full)


ADDRESSES = tuple(_walk(get_resolver().url_patterns))


def _store_world(store: Any, consultant: User | None, adviser: User | None) -> SimpleNamespace:
    """One customer with everything that a page of theirs can show, and a second one for messages to many."""
    customer = CustomerFactory(
        store=store,
        sales_consultant=consultant,
        service_adviser=adviser,
        id_number="110105199001011232",
        address_detail=f"{store.name}路1号",
    )
    vehicle = VehicleFactory(owner=customer)
    OwnershipFactory(vehicle=vehicle)
    OdometerReadingFactory(vehicle=vehicle)
    InsurancePolicyFactory(vehicle=vehicle)
    order = WorkOrderFactory(vehicle=vehicle, number=f"R-{store.code}-2026")
    SuggestedWorkFactory(work_order=order)
    contact = ContactLogFactory(customer=customer, note=f"note of {store.code}")
    TouchPointFactory(
        customer=customer, vehicle=vehicle, done=True, settled_by=contact, nominal_on=TODAY.replace(day=1)
    )
    NextStepFactory(customer=customer, contact=contact)
    point = TouchPointFactory(customer=customer, vehicle=vehicle, assignee=adviser)
    greeting = CareRule.objects.get(code="FE", store=None)
    batch_point = TouchPointFactory(customer=customer, rule=greeting, due_on=TODAY, closes_on=TODAY, opens_on=TODAY)
    own_rule = CareRuleFactory(code="D3", store=store, name_en=f"Own rule of {store.code}")
    run = JobRunFactory(store_code=store.code)
    return SimpleNamespace(
        store=store,
        customer=customer,
        vehicle=vehicle,
        order=order,
        point=point,
        batch_point=batch_point,
        own_rule=own_rule,
        run=run,
    )


@pytest.fixture(autouse=True)
def _on_the_test_day():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def people(request):
    """The people of every role by the name of their fixture."""
    return {role: request.getfixturevalue(role) for role in ROLES}


@pytest.fixture
def here(store, people):
    """The store that most people work in."""
    return _store_world(store, people["consultant"], people["adviser"])


@pytest.fixture
def there(other_store, people):
    """The other store, with its own of everything."""
    return _store_world(other_store, None, people["other_store_adviser"])


@pytest.fixture
def holiday(db):
    return CalendarDay.objects.get(day=TODAY.replace(month=10, day=1))


@pytest.fixture
def stranger(db):
    """Somebody with an account and no membership."""
    return UserFactory(username="stranger")


@pytest.fixture
def clients(people, stranger):
    """A signed-in browser for every role, one for the stranger, and one for anonymous visitors."""
    found = {"anonymous": Client()}
    for role, user in {**people, "stranger": stranger}.items():
        found[role] = Client()
        found[role].force_login(user)
    return found


@pytest.fixture
def is_sent_to_sign_in():
    """Tell whether an answer leads to the sign-in page, with the way back."""

    def look(response):
        return response.status_code == 302 and response["Location"].startswith(f"{reverse('account_login')}?next=")

    return look
