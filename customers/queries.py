"""Reads of the customer file that are more than one queryset."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from django.db import connection
from django.db.models import Max, QuerySet

from accounts.models import Membership, User
from accounts.permissions import audit_store_ids, sees_masked_only
from customers.choices import Lifecycle
from customers.models import Customer, PersonalDataAccess
from customers.querysets import CustomerQuerySet
from customers.rules import lifecycle_stage, shown_digits_pattern

HAN = re.compile(r"[\u3400-\u9fff]")
# So many candidates are ranked; the best of them are shown.
CANDIDATES = 50
SHORTEST_NUMBER = 3


def find_customers(user: User, text: str, *, limit: int, store_id: int | None = None) -> list[Customer]:
    """Return the customers whom a user may see and who are meant by a few characters, most likely first (screens S3).

    Of all the user's stores, or of one of them.

    Names by characters, full pinyin or initials (王小明, wangxiaoming, wxm); mobiles by three or more of their digits
    anywhere, but by what the mask shows for somebody who never sees a number in clear; customer numbers by their
    beginning. Each way is a query of its own over its own index, joined by their ids: one filter with OR would read the
    whole table (limits §2).
    """
    wanted = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()
    visible = Customer.objects.visible_to(user)
    if store_id is not None:
        visible = visible.filter(store=store_id)
    ways = list(_ways(visible, wanted, is_masked=sees_masked_only(user)))
    if not ways:
        return []
    newest = [way.order_by("-pk").values_list("pk", flat=True)[:CANDIDATES] for way in ways]
    ids = newest[0].union(*newest[1:]) if len(newest) > 1 else newest[0]
    found = Customer.objects.filter(pk__in=list(ids)).without_encrypted().order_by("-pk")
    found = found.prefetch_related("vehicles__model")
    return sorted(found, key=lambda customer: _distance(customer, wanted))[:limit]


def _ways(visible: CustomerQuerySet, wanted: str, *, is_masked: bool) -> Sequence[QuerySet[Customer]]:
    ways: list[QuerySet[Customer]] = []
    if HAN.search(wanted):
        grams = [wanted] if len(wanted) == 1 else ["".join(pair) for pair in pairwise(wanted)]
        by_name = visible.filter(name_grams__contains=grams)
        # Three characters and more can have all their pairs without standing in a row.
        ways.append(by_name.filter(name__icontains=wanted) if len(wanted) > 2 else by_name)
        return ways
    if wanted.isdecimal():
        if is_masked:
            shown = shown_digits_pattern(wanted)
            return [visible.filter(mobile__regex=shown)] if shown else []
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


# --- Who looks at whom (domain §10, §11.1) ----------------------------------------------------------------------------

MOST_FILES_AN_HOUR = 50
ALARM_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Reader:
    """Somebody who opened or took away very many files in the hour that ended ``at``: how many of each store."""

    user_id: int
    at: datetime
    by_store: Mapping[int, int]

    @property
    def count(self) -> int:
        return sum(self.by_store.values())


@dataclass(frozen=True)
class AccessAlarm:
    """An alarm with the person's name, for the screen."""

    person: User
    at: datetime
    count: int


def busiest_readers(*, now: datetime) -> list[Reader]:
    """Return who opened or took away more than 50 customers' files within an hour of the last 24, the latest first.

    Every line of the access log counts: opened, dialled, shown in clear, exported. A customer counts once an hour: a
    line within an hour of one about the same customer does not count again. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH look AS (
                SELECT by_id, at, customer_id, count(*) OVER (
                    PARTITION BY by_id ORDER BY at RANGE BETWEEN interval '1 hour' PRECEDING AND CURRENT ROW
                ) AS files
                FROM (
                    SELECT by_id, at, customer_id,
                        lag(at) OVER (PARTITION BY by_id, customer_id ORDER BY at, id) AS before
                    FROM customers_personaldataaccess
                    WHERE at > %s AND at <= %s
                ) AS line
                WHERE before IS NULL OR before <= at - interval '1 hour'
            ), worst AS (
                SELECT DISTINCT ON (by_id) by_id, at FROM look WHERE files > %s ORDER BY by_id, files DESC, at
            )
            SELECT worst.by_id, worst.at, customer.store_id, count(*)
            FROM worst
            JOIN look ON look.by_id = worst.by_id AND look.at BETWEEN worst.at - interval '1 hour' AND worst.at
            JOIN customers_customer AS customer ON customer.id = look.customer_id
            GROUP BY worst.by_id, worst.at, customer.store_id""",
            [now - ALARM_FOR, now, MOST_FILES_AN_HOUR],
        )
        files: dict[tuple[int, datetime], dict[int, int]] = defaultdict(dict)
        for user_id, at, store_id, count in cursor.fetchall():
            files[user_id, at][store_id] = count
    found = [Reader(user_id, at, by_store) for (user_id, at), by_store in files.items()]
    return sorted(found, key=lambda reader: (reader.at, reader.user_id), reverse=True)


def access_alarms_for(user: User, readers: Sequence[Reader]) -> list[AccessAlarm]:
    """Return the alarms that concern a user: a general manager for the people of the store, the group for everybody.

    A general manager is told of the customers of the own store, not how many of another one there were.
    """
    if not readers:
        return []
    stores = audit_store_ids(user)
    people = people_watched_by(user).in_bulk([reader.user_id for reader in readers])
    counts = [
        (reader, sum(count for store, count in reader.by_store.items() if stores is None or store in stores))
        for reader in readers
        if reader.user_id in people
    ]
    return [AccessAlarm(people[reader.user_id], reader.at, count) for reader, count in counts if count]


def people_watched_by(user: User) -> QuerySet[User]:
    """Return the people whose looks at customers a user may check (domain §10, row "Audit log")."""
    stores = audit_store_ids(user)
    if stores is None:
        return User.objects.order_by("name", "pk")
    working = Membership.objects.filter(store_id__in=stores).values("user")
    return User.objects.filter(pk__in=working).order_by("name", "pk")


def access_log(user: User) -> QuerySet[PersonalDataAccess]:
    """Return the lines of the access log that a user may read: what the people did whom they answer for.

    Of somebody who works, or worked, in another store too, a general manager reads what concerns the own customers.
    """
    lines = PersonalDataAccess.objects.select_related("by", "customer").defer(
        "customer__id_number", "customer__address_detail"
    )
    stores = audit_store_ids(user)
    if stores is None:
        return lines
    return lines.filter(customer__store__in=stores, by__in=people_watched_by(user).order_by().values("pk"))
