"""What the database remembers of changes, whoever made them."""

import pytest

from customers.models import Customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def test_a_bulk_update_leaves_what_was_there_before():
    customer = CustomerFactory(name="王小明")
    Customer.objects.filter(pk=customer.pk).update(name="王大明")
    assert list(customer.events.values_list("pgh_label", "name")) == [("update", "王小明")]
