"""What customers do not want: do-not-contact and consent, in every file of one person (domain §11, ADR 0015)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import acting, locked
from customers.choices import Channel, ConsentPurpose, DoNotContact
from customers.models import Consent, Customer
from customers.rules import STRICTNESS, is_stricter
from customers.signals import wishes_changed


class CannotChangeCustomer(Exception):
    """The change contradicts what is known; the message says so to the person who asked for it."""


# What tells that two files are of one person, and what one of them asked for.
IDENTITY = frozenset({"mobile", "is_mobile_wrong", "id_number"})
WISHES = ("do_not_contact", "do_not_contact_reason", "do_not_contact_on", "refused_channels")


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
