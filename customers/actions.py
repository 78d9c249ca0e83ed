"""Writes of the customer file."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Exists, Model, OuterRef, Q
from django.utils.translation import gettext as _

from accounts.models import Store, User
from core.actions import acting, locked
from core.fields import keyed_digest
from customers.choices import Channel, ConsentPurpose, DoNotContact, PersonalDataField
from customers.models import Consent, Customer, PersonalDataAccess
from customers.permissions import can_reveal, needs_reason
from customers.rules import STRICTNESS, is_stricter, name_search_terms, normalise_id_number, normalise_mobile
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


# What tells that two files are of one person, and what one of them asked for.
IDENTITY = frozenset({"mobile", "is_mobile_wrong", "id_number"})
WISHES = ("do_not_contact", "do_not_contact_reason", "do_not_contact_on", "refused_channels")
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

    ``on`` is the day of the change; a birthday or a tier is known since then. Compared is with what is stored now, not
    with the instance: it is brought up to date, and what somebody else changed in other fields stays.
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
    if may_be_somebody and IDENTITY & set(changed):
        pass_on_wishes([customer.pk], by=by)
        if taken_over := take_over_wishes([customer.pk], by=by):
            customer.refresh_from_db(fields=WISHES)
            announce_wishes(taken_over)
    return changed


@transaction.atomic
def set_do_not_contact(*, customer: Customer, level: DoNotContact, reason: str, on: date, by: User | None) -> Customer:
    """Set or lift the customer's wish not to be contacted, at once (domain §3.4, §3.6).

    A stricter wish holds in every file of the person in the group; a lifted one in this file alone (ADR 0015). Both
    need a reason, to lift one not that for which it was set; it is kept. Raises ``CannotChangeCustomer`` without.
    Touch points that it forbids are ended by the care engine, which hears ``signals.wishes_changed``.
    """
    lock_people([customer.pk])
    wish = Customer.objects.values_list("do_not_contact", "do_not_contact_reason")
    before, old_reason = wish.get(pk=customer.pk)
    reason = reason.strip()[:200]
    if is_stricter(before, level) and reason in ("", old_reason):
        raise CannotChangeCustomer(_("Say why the customer may be contacted again."))
    if level != DoNotContact.NONE and not reason:
        raise CannotChangeCustomer(_("Say why the customer must not be contacted."))
    customer.do_not_contact = level
    customer.do_not_contact_reason = reason
    customer.do_not_contact_on = None if level == DoNotContact.NONE else on
    with acting(by):
        customer.save(update_fields=["do_not_contact", "do_not_contact_reason", "do_not_contact_on"])
    others = _bring_together([customer.pk], given="source", by=by, levels=True) if is_stricter(level, before) else []
    announce_wishes([customer.pk, *others])
    return customer


def announce_wishes(customer_ids: Collection[int]) -> None:
    """Tell the rest of the house, once the transaction is committed, that these customers' wishes changed."""
    ids = sorted(customer_ids)
    if ids:
        transaction.on_commit(lambda: wishes_changed.send(sender=Customer, customer_ids=ids))


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

    See ``refresh_refused_channels``. A withdrawal is one in every file of the person in the group, a consent in this
    one alone (ADR 0015). The care engine hears of a change at once by ``signals.wishes_changed``.
    """
    # Two lines at once: the second reads the ledger with the first in it.
    lock_people([customer.pk])
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
    with acting(by):
        changed = refresh_refused_channels([customer.pk])
    customer.refresh_from_db(fields=["refused_channels"])
    if not is_given:
        changed += _bring_together([customer.pk], given="source", by=by, channels=True)
    announce_wishes(changed)
    return consents


# --- One person, several files (ADR 0015) ---------------------------------------------------------------------------


def lock_people(
    customer_ids: Collection[int] = (), *, mobiles: Iterable[str] = (), id_number_hashes: Iterable[str] = ()
) -> None:
    """Lock customers and every file of the group with their mobile or ID number, or with one of those given, by id.

    Before anything else is locked (ADR 0011): what one of them asks for is written into all of these.
    """
    numbers, digests = set(mobiles), set(id_number_hashes)
    known = Customer.objects.filter(pk__in=customer_ids).order_by()
    for mobile, digest in known.values_list("mobile", "id_number_hash"):
        numbers.add(mobile)
        digests.add(digest)
    of_these = Q(pk__in=customer_ids) | Q(mobile__in=numbers - {""}) | Q(id_number_hash__in=digests - {""})
    list(locked(Customer.objects.filter(of_these)).values_list("pk"))


def pass_on_wishes(customer_ids: Collection[int], *, by: User | None) -> list[int]:
    """Bring what customers refuse into the other files of the same people; return the ids of those that changed.

    The same person is who has the same mobile, unless it is known to be wrong, or the same ID number, in any store of
    the group (domain §11.2: an opt-out holds across the group and is not dodged under another name). Only active
    customers count. The stricter wish stays, a consent given later than a withdrawal stands, and the reason written
    there names no other file. The care engine hears of it. Set-based; who calls has locked them by ``lock_people``.
    """
    changed = _bring_together(customer_ids, given="source", by=by, levels=True, channels=True)
    announce_wishes(changed)
    return changed


def take_over_wishes(customer_ids: Collection[int], *, by: User | None) -> list[int]:
    """Bring into the files of customers what the same people refuse in other ones: see ``pass_on_wishes``.

    Who calls tells the care engine (``announce_wishes``), unless nothing can be planned for these files yet.
    """
    return _bring_together(customer_ids, given="target", by=by, levels=True, channels=True)


def _same_people(customer_ids: Collection[int], *, given: str) -> list[tuple[int, int]]:
    """Return pairs (source, target) of active files of one person of which the first refuses something.

    ``given`` tells whether the customers in question are the sources or the targets. Read by lists of numbers, not by
    a join of the table with itself: an import fills the table faster than the database counts it, and plans by a count
    that is out of date made each thousand rows slower than the last.
    """
    withdrawn = Exists(Consent.objects.filter(customer=OuterRef("pk"), is_given=False))
    refuses = ~Q(do_not_contact=DoNotContact.NONE) | withdrawn
    here = Customer.objects.active().filter(pk__in=customer_ids).order_by("pk")
    if given == "source":
        here = here.filter(refuses)
    keys = ("pk", "mobile", "is_mobile_wrong", "id_number_hash")
    by_mobile: dict[str, list[int]] = defaultdict(list)
    by_digest: dict[str, list[int]] = defaultdict(list)
    for pk, mobile, is_wrong, digest in here.values_list(*keys):
        if mobile and not is_wrong:
            by_mobile[mobile].append(pk)
        if digest:
            by_digest[digest].append(pk)
    if not by_mobile and not by_digest:
        return []
    of_these = Q(mobile__in=by_mobile, is_mobile_wrong=False) | Q(id_number_hash__in=by_digest)
    there = Customer.objects.active().filter(of_these).order_by("pk")
    if given == "target":
        there = there.filter(refuses)
    pairs: dict[tuple[int, int], None] = {}
    for pk, mobile, is_wrong, digest in there.values_list(*keys):
        for mine in (*([] if is_wrong else by_mobile.get(mobile, [])), *by_digest.get(digest, [])):
            if mine != pk:
                pairs[(mine, pk) if given == "source" else (pk, mine)] = None
    return list(pairs)


_STRICTEST_LEVEL = """
    WITH pair AS MATERIALIZED (
        SELECT * FROM unnest(%(sources)s::bigint[], %(targets)s::bigint[]) AS given(source_id, target_id)
    ),
    wish AS (
        SELECT DISTINCT ON (pair.target_id) pair.target_id, source.do_not_contact AS level,
               array_position(%(levels)s::text[], source.do_not_contact::text) AS rank,
               source.do_not_contact_on AS since
        FROM pair JOIN customers_customer AS source ON source.id = pair.source_id
        WHERE source.do_not_contact <> %(none)s
        ORDER BY pair.target_id, rank DESC, since NULLS LAST, source.id
    )
    UPDATE customers_customer AS target
    SET do_not_contact = wish.level, do_not_contact_reason = %(reason)s, do_not_contact_on = wish.since
    FROM wish
    WHERE target.id = wish.target_id
      AND array_position(%(levels)s::text[], target.do_not_contact::text) < wish.rank
    RETURNING target.id
"""
_WITHDRAWALS = """
    WITH pair AS MATERIALIZED (
        SELECT * FROM unnest(%(sources)s::bigint[], %(targets)s::bigint[]) AS given(source_id, target_id)
    )
    INSERT INTO customers_consent (customer_id, purpose, channel, is_given, at, wording, evidence)
    SELECT DISTINCT ON (pair.target_id, line.purpose, line.channel)
           pair.target_id, line.purpose, line.channel, false, line.at, '', %(reason)s
    FROM pair
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (every.purpose, every.channel) every.purpose, every.channel, every.is_given, every.at
        FROM customers_consent AS every
        WHERE every.customer_id = pair.source_id
        ORDER BY every.purpose, every.channel, every.at DESC, every.id DESC
    ) AS line
    WHERE NOT line.is_given AND NOT EXISTS (
        SELECT FROM customers_consent AS own
        WHERE own.customer_id = pair.target_id AND own.purpose = line.purpose AND own.channel = line.channel
          AND own.at >= line.at
    )
    ORDER BY pair.target_id, line.purpose, line.channel, line.at DESC
    RETURNING customer_id
"""


def _bring_together(
    customer_ids: Collection[int], *, given: str, by: User | None, levels: bool = False, channels: bool = False
) -> list[int]:
    pairs = _same_people(customer_ids, given=given) if customer_ids else []
    if not pairs:
        return []
    values: dict[str, Any] = {
        "sources": [source for source, _target in pairs],
        "targets": [target for _source, target in pairs],
        "levels": [str(level) for level in STRICTNESS],
        "none": DoNotContact.NONE,
        "reason": _("Asked for in the group by the person of this number or ID."),
    }
    changed: set[int] = set()
    with acting(by), connection.cursor() as cursor:
        if levels:
            cursor.execute(_STRICTEST_LEVEL, values)
            changed |= {pk for (pk,) in cursor.fetchall()}
        if channels:
            cursor.execute(_WITHDRAWALS, values)
            changed |= set(refresh_refused_channels({pk for (pk,) in cursor.fetchall()}))
    return sorted(changed)


def refresh_refused_channels(customer_ids: Collection[int]) -> list[int]:
    """Bring ``refused_channels`` of customers in line with the consent ledger; return the ids of those that changed.

    A channel is refused while the newest line of marketing or of service messages for it is a withdrawal: in doubt we
    do not write.
    """
    if not customer_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE customers_customer AS customer SET refused_channels = kept.refused
            FROM (
                SELECT file.id,
                       COALESCE(array_agg(DISTINCT line.channel ORDER BY line.channel)
                                FILTER (WHERE NOT line.is_given), '{}') AS refused
                FROM unnest(%s::bigint[]) AS file(id)
                LEFT JOIN LATERAL (
                    SELECT DISTINCT ON (every.purpose, every.channel) every.channel, every.is_given
                    FROM customers_consent AS every
                    WHERE every.customer_id = file.id AND every.purpose = ANY(%s)
                    ORDER BY every.purpose, every.channel, every.at DESC, every.id DESC
                ) AS line ON true
                GROUP BY file.id
            ) AS kept
            WHERE customer.id = kept.id AND customer.refused_channels IS DISTINCT FROM kept.refused
            RETURNING customer.id
            """,
            [sorted(customer_ids), [ConsentPurpose.MARKETING, ConsentPurpose.SERVICE]],
        )
        return sorted(pk for (pk,) in cursor.fetchall())


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
