"""Small worlds for the tests of the planner."""

from datetime import date, timedelta

from followups.models import CareRule, TouchPoint
from tests.factories import CustomerFactory, VehicleFactory

MONDAY = date(2026, 11, 23)
LONG_AGO = date(2020, 1, 1)
# The day on which made-up customers and cars are entered; what ended before it was never promised.
ENTERED = date(2026, 11, 16)


def only(*codes):
    """Switch on just these rules."""
    CareRule.objects.exclude(code__in=codes).update(is_active=False)
    CareRule.objects.filter(code__in=codes).update(is_active=True)


def rows(*fields):
    return list(TouchPoint.objects.order_by("nominal_on", "rule__position", "pk").values_list(*fields))


def days(first, count):
    return [first + timedelta(days=n) for n in range(count)]


def car(*, delivery, customer=None, **values):
    customer = customer or CustomerFactory(entered_on=ENTERED, last_delivery_on=delivery)
    return VehicleFactory(owner=customer, delivery_on=delivery, care_from=ENTERED, **values)
