"""Touch points are written under the lock of their customer (ADR 0011)."""

from core.actions import locked
from customers.models import Customer
from followups.querysets import TouchPointQuerySet


def locked_points(points: TouchPointQuerySet) -> TouchPointQuerySet:
    """Lock the customers of touch points, and return the points so that reading them locks them too.

    Left out are points of customers who came in between: nothing is written without its customer's lock.
    """
    customers = locked(Customer.objects.filter(pk__in=points.order_by().values("customer")))
    return locked(points.filter(customer__in=list(customers.values_list("pk", flat=True))))
