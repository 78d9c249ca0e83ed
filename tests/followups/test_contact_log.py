"""What is counted of a person's day."""

from datetime import timedelta

import pytest

from followups.models import ContactLog
from followups.rules.workload import count_activity
from tests.factories import NOW, TODAY, ContactLogFactory, CustomerFactory

pytestmark = pytest.mark.django_db


def test_the_target_counts_a_persons_effective_contacts_of_the_day_by_prospects_and_owners(store, consultant, adviser):
    prospect, other_prospect = CustomerFactory.create_batch(2, store=store)
    owner = CustomerFactory(store=store, last_delivery_on=TODAY - timedelta(400))
    for customer in (prospect, prospect, other_prospect, owner):
        ContactLogFactory(customer=customer, by=consultant)
    ContactLogFactory(customer=owner, by=adviser)
    ContactLogFactory(customer=CustomerFactory(store=store), by=consultant, not_reached=True)
    ContactLogFactory(customer=CustomerFactory(store=store), by=consultant, at=NOW - timedelta(days=1))
    activity = count_activity(ContactLog.objects.for_activity(consultant, on=TODAY))
    assert (activity.prospects, activity.existing) == (2, 1)


def test_a_contact_is_visible_to_those_who_see_the_customer(
    store, adviser, consultant, other_store_adviser, auditor, admin_user
):
    seen = ContactLogFactory(customer=CustomerFactory(store=store))
    own = ContactLogFactory(customer=CustomerFactory(store=store, sales_consultant=consultant))
    visible = {
        person: set(ContactLog.objects.visible_to(person))
        for person in (adviser, consultant, other_store_adviser, auditor, admin_user)
    }
    assert visible == {
        adviser: {seen, own},
        consultant: {own},
        other_store_adviser: set(),
        auditor: {seen, own},
        admin_user: set(),
    }
