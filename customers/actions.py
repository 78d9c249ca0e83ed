"""Writes of the customer file."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from accounts.models import Store, User
from core.actions import acting, locked
from core.fields import keyed_digest
from customers.choices import Channel, ConsentPurpose, DoNotContact, PersonalDataField
from customers.models import Consent, Customer, PersonalDataAccess
from customers.permissions import can_reveal, needs_reason
from customers.rules import name_search_terms, normalise_id_number, normalise_mobile
from customers.signals import mobile_corrected, wishes_changed

NUMBERS_A_YEAR = 999_999


class CannotChangeCustomer(Exception):
    """The change contradicts what is known; the message says so to the person who asked for it."""


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
# Kept by other actions, or by the database.
BIRTHDAY_FIELDS = frozenset({"birthday_calendar", "birthday_month", "birthday_day", "is_birthday_leap_month"})
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

    ``values`` are further fields of the model. A mobile that somebody else has is allowed (domain §1.1).
    """
    customer = Customer(store=store, entered_on=entered_on, name=name.strip())
    _set_values(customer, _normalised(values), forbidden=_NOT_BY_UPDATE)
    (customer.number,) = allocate_customer_numbers(1, on=entered_on)
    fill_search_columns(customer)
    with acting(by):
        customer.save(force_insert=True)
    return customer


@transaction.atomic
def update_customer(
    *, customer: Customer, values: Mapping[str, Any], by: User | None, on: date | None = None
) -> list[str]:
    """Change fields of a customer and return the names of those that really changed.

    ``on`` is the day of the change; a birthday or a tier is known since then. Compared is with what is stored now, not
    with the instance: it is brought up to date, and what somebody else changed in other fields stays.
    A new mobile is taken to be right until somebody says otherwise; ``signals.mobile_corrected`` tells of it. Raises
    ``TypeError`` for a field that has an action of its own (do-not-contact, consents) or is computed.
    """
    customer.refresh_from_db(from_queryset=locked(Customer.objects.all()))
    changed = _set_values(customer, _normalised(values), forbidden=_NOT_BY_UPDATE)
    if not changed:
        return []
    if "mobile" in changed and "is_mobile_wrong" not in values:
        customer.is_mobile_wrong = False
        changed.append("is_mobile_wrong")
    if "name" in changed or "id_number" in changed:
        fill_search_columns(customer)
        changed += SEARCH_COLUMNS
    if on is not None and BIRTHDAY_FIELDS & set(changed):
        customer.birthday_since = on
        changed.append("birthday_since")
    if on is not None and "tier" in changed:
        customer.tier_since = on
        changed.append("tier_since")
    with acting(by):
        customer.save(update_fields=changed)
        if {"mobile", "is_mobile_wrong"} & set(changed) and customer.mobile and not customer.is_mobile_wrong:
            mobile_corrected.send(sender=Customer, customer_ids=[customer.pk], by=by)
    return changed


@transaction.atomic
def set_do_not_contact(*, customer: Customer, level: DoNotContact, reason: str, on: date, by: User | None) -> Customer:
    """Set or lift the customer's wish not to be contacted, at once (domain §3.4, §3.6).

    Setting it needs a reason; raises ``CannotChangeCustomer`` without. Touch points that it forbids are ended by the
    care engine, which hears ``signals.wishes_changed``.
    """
    if level != DoNotContact.NONE and not reason.strip():
        raise CannotChangeCustomer(_("Say why the customer must not be contacted."))
    customer.do_not_contact = level
    customer.do_not_contact_reason = reason.strip()[:200]
    customer.do_not_contact_on = None if level == DoNotContact.NONE else on
    with acting(by):
        customer.save(update_fields=["do_not_contact", "do_not_contact_reason", "do_not_contact_on"])
    transaction.on_commit(lambda: wishes_changed.send(sender=Customer, customer_ids=[customer.pk]))
    return customer


@transaction.atomic
def record_consent(
    *,
    customer: Customer,
    purpose: ConsentPurpose,
    channel: Channel,
    is_given: bool,
    at: datetime,
    by: User | None,
    wording: str = "",
    evidence: str = "",
) -> Consent:
    """Add a line to the consent ledger; see ``record_consents``."""
    (consent,) = record_consents(
        customer=customer,
        purposes=[purpose],
        channels=[channel],
        is_given=is_given,
        at=at,
        by=by,
        wording=wording,
        evidence=evidence,
    )
    return consent


@transaction.atomic
def record_consents(
    *,
    customer: Customer,
    purposes: Sequence[ConsentPurpose],
    channels: Sequence[Channel],
    is_given: bool,
    at: datetime,
    by: User | None,
    wording: str = "",
    evidence: str = "",
) -> list[Consent]:
    """Add a line a purpose and channel to the consent ledger and bring ``refused_channels`` in line (domain §1.1).

    A channel is refused while the newest line of marketing or of service messages for it is a withdrawal: in doubt we
    do not write. The care engine hears of a change at once by ``signals.wishes_changed``.
    """
    # Two lines at once: the second reads the ledger with the first in it.
    present = locked(Customer.objects.only("refused_channels")).get(pk=customer.pk)
    consents = Consent.objects.bulk_create(
        Consent(
            customer=customer,
            purpose=purpose,
            channel=channel,
            is_given=is_given,
            at=at,
            wording=wording,
            evidence=evidence,
            recorded_by=by,
        )
        for purpose in purposes
        for channel in channels
    )
    newest = (
        Consent.objects.filter(customer=customer, purpose__in=(ConsentPurpose.MARKETING, ConsentPurpose.SERVICE))
        .order_by("purpose", "channel", "-at", "-pk")
        .distinct("purpose", "channel")
    )
    refused = sorted({line.channel for line in newest if not line.is_given})
    customer.refused_channels = refused
    if present.refused_channels != refused:
        with acting(by):
            customer.save(update_fields=["refused_channels"])
        transaction.on_commit(lambda: wishes_changed.send(sender=Customer, customer_ids=[customer.pk]))
    return consents


def log_data_access(
    *, customers: Iterable[int], field: PersonalDataField, by: User, at: datetime, reason: str = ""
) -> int:
    """Note that somebody opened, dialled or took away data of customers; return how many lines were written.

    The log of domain §11.1; write it before the value is shown.
    """
    lines = [
        PersonalDataAccess(customer_id=customer, field=field, by=by, at=at, reason=reason[:200])
        for customer in customers
    ]
    return len(PersonalDataAccess.objects.bulk_create(lines, batch_size=2000))


SAME_LOOK = timedelta(hours=1)


def log_part_opened(*, customer: int, by: User, at: datetime) -> bool:
    """Note that somebody opened a page with a part of a customer's file; return whether a line was written.

    None is, when the same person has one about the customer from the hour before: the parts of a file that was opened
    are fetched one by one, and the alarm of domain §10 counts a customer once an hour.
    """
    lines = PersonalDataAccess.objects.filter(customer=customer, by=by, at__gt=at - SAME_LOOK, at__lte=at)
    if lines.exists():
        return False
    return bool(log_data_access(customers=[customer], field=PersonalDataField.FILE, by=by, at=at))


REVEALABLE = {
    PersonalDataField.MOBILE: "mobile",
    PersonalDataField.OTHER_PHONE: "other_phone",
    PersonalDataField.WECHAT: "wechat",
    PersonalDataField.ID_NUMBER: "id_number",
    PersonalDataField.ADDRESS: "address_detail",
}


class CannotReveal(Exception):
    """The value stays hidden; the message says why to the person who asked."""


@transaction.atomic
def reveal_personal_data(*, customer: Customer, field: PersonalDataField, reason: str, by: User, at: datetime) -> str:
    """Return a masked value of a customer in clear, after noting who saw it and why (domain §11.1).

    Raises ``PermissionDenied`` for a person who may never see it, ``CannotReveal`` without the reason that ID number
    and address need (domain §10).
    """
    if not can_reveal(by, customer, field):
        raise PermissionDenied(_("Your role does not include seeing this field."))
    if needs_reason(field) and not reason.strip():
        raise CannotReveal(_("Say why you need it; the reason is kept."))
    log_data_access(customers=[customer.pk], field=field, by=by, at=at, reason=reason.strip())
    return getattr(customer, REVEALABLE[field])


@transaction.atomic
def save_customer_form(*, customer: Customer, values: Mapping[str, Any], on: date, by: User) -> None:
    """Save what the form of a customer's basic data holds, the wish not to be contacted among it.

    Raises ``CannotChangeCustomer`` as ``set_do_not_contact`` does; then nothing is saved.
    """
    customer = locked(Customer.objects.all()).get(pk=customer.pk)
    values = dict(values)
    level = values.pop("do_not_contact", customer.do_not_contact)
    reason = values.pop("do_not_contact_reason", customer.do_not_contact_reason)
    update_customer(customer=customer, values=values, on=on, by=by)
    if (level, reason) != (customer.do_not_contact, customer.do_not_contact_reason):
        since = customer.do_not_contact_on if level == customer.do_not_contact else None
        set_do_not_contact(customer=customer, level=level, reason=reason, on=since or on, by=by)
