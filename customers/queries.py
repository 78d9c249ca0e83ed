"""Reads of the customer file that are more than one queryset."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from django.db.models import Max, QuerySet

from accounts.models import User
from customers.choices import Lifecycle
from customers.models import Customer
from customers.querysets import CustomerQuerySet
from customers.rules import lifecycle_stage

HAN = re.compile(r"[\u3400-\u9fff]")
# So many candidates are ranked; the best of them are shown.
CANDIDATES = 50
SHORTEST_NUMBER = 3


def find_customers(user: User, text: str, *, limit: int) -> list[Customer]:
    """Return the customers whom a user may see and who are meant by a few characters, most likely first (screens S3).

    Names by characters, full pinyin or initials (王小明, wangxiaoming, wxm); mobiles by three or more of their digits
    anywhere; customer numbers by their beginning. Each way is a query of its own over its own index, joined by their
    ids: one filter with OR would read the whole table (limits §2).
    """
    wanted = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()
    ways = list(_ways(Customer.objects.visible_to(user), wanted))
    if not ways:
        return []
    newest = [way.order_by("-pk").values_list("pk", flat=True)[:CANDIDATES] for way in ways]
    ids = newest[0].union(*newest[1:]) if len(newest) > 1 else newest[0]
    found = Customer.objects.filter(pk__in=list(ids)).without_encrypted().order_by("-pk")
    found = found.prefetch_related("vehicles__model")
    return sorted(found, key=lambda customer: _distance(customer, wanted))[:limit]


def _ways(visible: CustomerQuerySet, wanted: str) -> Sequence[QuerySet[Customer]]:
    ways: list[QuerySet[Customer]] = []
    if HAN.search(wanted):
        grams = [wanted] if len(wanted) == 1 else ["".join(pair) for pair in pairwise(wanted)]
        by_name = visible.filter(name_grams__contains=grams)
        # Three characters and more can have all their pairs without standing in a row.
        ways.append(by_name.filter(name__icontains=wanted) if len(wanted) > 2 else by_name)
        return ways
    if wanted.isdecimal():
        if len(wanted) >= SHORTEST_NUMBER:
            ways.append(visible.filter(mobile__contains=wanted))
        return ways
    if re.fullmatch(r"c\d{2,}", wanted):
        ways.append(visible.filter(number__startswith=wanted.upper()))
    if len(wanted) > 1 and re.search(r"[a-z]", wanted):
        letters = re.sub(r"['’]", "", wanted)
        ways += [visible.filter(name_pinyin__startswith=letters), visible.filter(name_initials__startswith=letters)]
    return ways


def _distance(customer: Customer, wanted: str) -> tuple[bool, bool, bool, int]:
    """Order whole matches before beginnings before the rest, customers in care before others, the newest first."""
    names = (customer.name.lower(), customer.name_pinyin, customer.name_initials)
    texts = (*names, customer.mobile, customer.number.lower())
    return (
        wanted not in texts,
        not any(text.startswith(wanted) for text in texts) and not customer.mobile.endswith(wanted),
        customer.status != "active",
        -customer.pk,
    )


def lifecycle_of(customer: Customer, *, on: date) -> Lifecycle:
    """Return the stage of a customer on a day (domain §2.4); it reads whether a first service is still to come."""
    # The layer above knows what the words mean; here they are plain columns of the customer's cars.
    waiting = customer.vehicles.filter(status="in_use", next_service_kind="first")
    return lifecycle_stage(
        on=on,
        last_delivery_on=customer.last_delivery_on,
        last_visit_on=customer.last_visit_on,
        last_effective_contact_on=customer.last_effective_contact_on,
        first_service_due_on=waiting.aggregate(last=Max("next_service_on"))["last"],
    )
