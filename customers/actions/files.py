"""Customers entered, changed, found by their names and numbers."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from accounts.models import Store, User
from core.actions import acting, locked
from core.fields import keyed_digest
from customers.actions.wishes import (
    IDENTITY,
    WISHES,
    announce_wishes,
    lock_people,
    pass_on_wishes,
    set_do_not_contact,
    take_over_wishes,
)
from customers.models import Customer
from customers.rules import name_search_terms, normalise_id_number, normalise_mobile
from customers.signals import mobile_corrected


def allocate_customer_numbers(count: int, *, on: date) -> list[str]:
    """Return unused customer numbers: C, two digits of the year, six digits (domain §1.1).

    They come from a sequence, so two people never get the same one and nobody waits; gaps are normal. Numbers that an
    import brought along are stepped over.
    """
    numbers: list[str] = []
    while len(numbers) < count:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT candidate.number
                FROM (
                    SELECT position, %s || lpad(nextval('customers_customer_number')::text, 6, '0') AS number
                    FROM generate_series(1, %s) AS position
                ) AS candidate
                WHERE NOT EXISTS (SELECT FROM customers_customer AS taken WHERE taken.number = candidate.number)
                ORDER BY candidate.position
                """,
                [f"C{on:%y}", count - len(numbers)],
            )
            numbers += [number for (number,) in cursor.fetchall()]
    return numbers


def fill_search_columns(customer: Customer) -> None:
    """Compute what a customer is found by from name and ID number. Nothing is saved."""
    terms = name_search_terms(customer.name)
    customer.name_pinyin, customer.name_initials, customer.name_grams = terms.pinyin, terms.initials, terms.grams
    customer.id_number_hash = keyed_digest(customer.id_number)


SEARCH_COLUMNS = ("name_pinyin", "name_initials", "name_grams", "id_number_hash")
BIRTHDAY_FIELDS = frozenset({"birthday_calendar", "birthday_month", "birthday_day", "is_birthday_leap_month"})
# Which day is noted when which of the facts changes that contacts are planned from (ADR 0006).
_KNOWN_SINCE = {
    "salutation_since": frozenset({"salutation"}),
    "birthday_since": BIRTHDAY_FIELDS,
    "tier_since": frozenset({"tier"}),
}
# Kept by other actions, or by the database.
_NOT_BY_UPDATE = frozenset(
    {"id", "number", "store", "created_at", "changed_at", "do_not_contact", "do_not_contact_on", "refused_channels"}
    | {"last_effective_contact_on", "last_proactive_contact_on", "last_visit_on", "last_delivery_on"}
    | {"care_anchor_on", "silent_since_on", *SEARCH_COLUMNS}
)


def _set_values(instance: Model, values: Mapping[str, Any], *, forbidden: frozenset[str]) -> list[str]:
    """Set the values that differ and return the names of these fields; unknown and forbidden names are errors."""
    changed = []
    known = {field.name for field in instance._meta.concrete_fields}
    for name, value in values.items():
        if name not in known or name in forbidden:
            raise TypeError(f"{type(instance).__name__}.{name} is not set by this action.")
        if getattr(instance, name) != value:
            setattr(instance, name, value)
            changed.append(name)
    return changed


def _normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(values)
    if "mobile" in values:
        values["mobile"] = normalise_mobile(values["mobile"])
    if "id_number" in values:
        values["id_number"] = normalise_id_number(values["id_number"])
    return values


@transaction.atomic
def create_customer(*, store: Store, name: str, entered_on: date, by: User | None, **values: Any) -> Customer:
    """Enter a customer into the file of a store, with a new number; care is promised from ``entered_on``.

    ``values`` are further fields of the model. A mobile that somebody else has is allowed (domain §1.1); what the
    person of that number asked for anywhere in the group holds here too (``take_over_wishes``).
    """
    customer = Customer(store=store, entered_on=entered_on, name=name.strip())
    _set_values(customer, _normalised(values), forbidden=_NOT_BY_UPDATE)
    (customer.number,) = allocate_customer_numbers(1, on=entered_on)
    fill_search_columns(customer)
    lock_people(mobiles=[customer.mobile], id_number_hashes=[customer.id_number_hash])
    with acting(by):
        customer.save(force_insert=True)
    if take_over_wishes([customer.pk], by=by):
        customer.refresh_from_db(fields=WISHES)
    return customer


@transaction.atomic
def update_customer(
    *, customer: Customer, values: Mapping[str, Any], by: User | None, on: date | None = None
) -> list[str]:
    """Change fields of a customer and return the names of those that really changed.

    ``on`` is the day of the change; a salutation, a birthday or a tier is known since then. Compared is with what is
    stored now, not with the instance: it is brought up to date, and what somebody else changed in other fields stays.
    A new mobile is taken to be right until somebody says otherwise; ``signals.mobile_corrected`` tells of it. What its
    person asked for in another file holds here too, and the other way round (ADR 0015). Raises ``TypeError`` for a
    field that has an action of its own (do-not-contact, consents) or is computed.
    """
    values = _normalised(values)
    mobile, id_number = values.get("mobile", ""), values.get("id_number", "")
    may_be_somebody = bool(mobile or id_number or values.get("is_mobile_wrong") is False)
    if may_be_somebody:
        lock_people([customer.pk], mobiles=[mobile], id_number_hashes=[keyed_digest(id_number)])
    customer.refresh_from_db(from_queryset=locked(Customer.objects.all()))
    changed = _set_values(customer, values, forbidden=_NOT_BY_UPDATE)
    if not changed:
        return []
    if "mobile" in changed and "is_mobile_wrong" not in values:
        customer.is_mobile_wrong = False
        changed.append("is_mobile_wrong")
    if "name" in changed or "id_number" in changed:
        fill_search_columns(customer)
        changed += SEARCH_COLUMNS
    if on is not None:
        told = [since for since, facts in _KNOWN_SINCE.items() if facts & set(changed)]
        for since in told:
            setattr(customer, since, on)
        changed += told
    with acting(by):
        customer.save(update_fields=changed)
        if {"mobile", "is_mobile_wrong"} & set(changed) and customer.mobile and not customer.is_mobile_wrong:
            mobile_corrected.send(sender=Customer, customer_ids=[customer.pk], by=by)
    if may_be_somebody and IDENTITY & set(changed):
        pass_on_wishes([customer.pk], by=by)
        if taken_over := take_over_wishes([customer.pk], by=by):
            customer.refresh_from_db(fields=WISHES)
            announce_wishes(taken_over)
    return changed


@transaction.atomic
def save_customer_form(*, customer: Customer, values: Mapping[str, Any], on: date, by: User) -> None:
    """Save what the form of a customer's basic data holds, the wish not to be contacted among it.

    Raises ``CannotChangeCustomer`` as ``set_do_not_contact`` does; then nothing is saved.
    """
    values = _normalised(values)
    mobiles, hashes = [values.get("mobile", "")], [keyed_digest(values.get("id_number", ""))]
    lock_people([customer.pk], mobiles=mobiles, id_number_hashes=hashes)
    customer = Customer.objects.get(pk=customer.pk)
    level = values.pop("do_not_contact", customer.do_not_contact)
    reason = values.pop("do_not_contact_reason", customer.do_not_contact_reason)
    # The wish first: what a new number brings along may be stricter.
    if (level, reason) != (customer.do_not_contact, customer.do_not_contact_reason):
        since = customer.do_not_contact_on if level == customer.do_not_contact else None
        set_do_not_contact(customer=customer, level=level, reason=reason, on=since or on, by=by)
    update_customer(customer=customer, values=values, on=on, by=by)
