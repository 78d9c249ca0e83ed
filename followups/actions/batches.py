"""Many at once: messages sent to a batch of customers, and what is dealt with at the desk (domain §3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import acting, atomic_again
from customers.choices import CustomerStatus, DoNotContact
from followups.actions.cards import NotByMessage, NotYourContact, WrongTouchPoint
from followups.actions.locks import locked_points
from followups.choices import CareClass, Handling, Outcome, Reason, TouchPointStatus
from followups.models import TouchPoint
from followups.permissions import pool_store_ids
from followups.querysets import TouchPointQuerySet
from followups.rules.hours import MESSAGE_CHANNELS, local_time
from followups.rules.workload import URGENT


@dataclass(frozen=True)
class BatchResult:
    """Of a batch: touch points settled, customers written to, and touch points held back by the customers' wishes.

    ``without_address`` are touch points that ended because no channel of the rule reaches the customer, ``left_open``
    those that another one reaches.
    """

    sent: int
    customers: int
    held_back: int
    without_address: int = 0
    left_open: int = 0


@atomic_again
def mark_batch_sent(*, touch_points: TouchPointQuerySet, by: User, now: datetime, channel: str) -> BatchResult:
    """Record that a message was sent to the customers of open touch points handled in batches, however many.

    ``touch_points`` is any queryset of them (a rule, a day, a store, without those that were un-ticked); only those of
    stores whose pool ``by`` may work are taken. One contact a customer, however many touch points it settles. Customers
    who asked not to be contacted, or refused the channel, since the night are held back: their touch points end
    suppressed with the reason. Customers without a usable number or address for the channel are never marked as
    written to: their touch points stay open when another channel of the rule reaches them, and else end suppressed too.
    Unless it was a greeting, the calls still open for those written to rest for the contact
    gap, as after any contact (``rules.settle``). Raises ``NotByMessage`` and ``NotYourContact``.
    """
    if channel not in MESSAGE_CHANNELS:
        raise NotByMessage(_("Choose how the message was sent: SMS, WeChat, e-mail …"), "channel")
    stores = pool_store_ids(by)
    if not stores:
        raise NotYourContact(_("Messages to many are sent by customer-care specialists and managers."))
    picked = locked_points(touch_points.open().filter(handling=Handling.BATCH, store_id__in=stores)).with_reach()
    try:
        sql, params = picked.values("pk", "reach").query.sql_with_params()
    except EmptyResultSet:
        return BatchResult(sent=0, customers=0, held_back=0)
    with acting(by), connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH picked (id, reach) AS MATERIALIZED ({sql}),
            verdict AS MATERIALIZED (
                SELECT point.id, point.customer_id, point.store_id, rule.ignores_gap,
                       rule.care_class = %s AND NOT rule.ignores_gap AS is_marketing,
                       (%s AT TIME ZONE store.time_zone)::date AS today,
                       CASE WHEN customer.status <> %s THEN %s
                            WHEN customer.do_not_contact = %s AND rule.care_class <> %s THEN %s
                            WHEN customer.do_not_contact = %s AND rule.care_class = %s THEN %s
                            WHEN %s = ANY(customer.refused_channels) THEN %s
                            WHEN %s = ANY(picked.reach) THEN ''
                            -- Neither sent nor refused: NULL. Another message may still go out.
                            WHEN EXISTS (
                                SELECT FROM unnest(rule.channels) AS other
                                WHERE other = ANY(picked.reach) AND other <> ALL(customer.refused_channels)
                            ) THEN NULL
                            ELSE %s END AS refusal
                FROM picked
                JOIN followups_touchpoint AS point ON point.id = picked.id
                JOIN followups_carerule AS filed ON filed.id = point.rule_id
                JOIN LATERAL (
                    SELECT own.* FROM followups_carerule AS own
                    WHERE own.code = filed.code AND (own.store_id = point.store_id OR own.id = filed.id)
                    ORDER BY own.store_id NULLS LAST LIMIT 1
                ) AS rule ON true
                JOIN customers_customer AS customer ON customer.id = point.customer_id
                JOIN accounts_store AS store ON store.id = point.store_id
            ),
            held_back AS (
                UPDATE followups_touchpoint AS point
                SET status = %s, reason = verdict.refusal, closed_on = verdict.today, not_before = NULL
                FROM verdict WHERE point.id = verdict.id AND verdict.refusal <> ''
                RETURNING point.reason
            ),
            contact AS (
                INSERT INTO followups_contactlog
                    (store_id, customer_id, by_id, at, contact_on, channel, is_inbound, outcome, is_effective,
                     is_marketing_message, reason, win_back_reason, note)
                SELECT min(store_id), customer_id, %s, %s, min(today), %s, false, %s, false,
                       bool_or(is_marketing), '', '', ''
                FROM verdict WHERE refusal = '' GROUP BY customer_id ORDER BY customer_id
                RETURNING id, customer_id
            ),
            sent AS (
                UPDATE followups_touchpoint AS point
                SET status = %s, closed_on = verdict.today, not_before = NULL, settled_by_id = contact.id
                FROM verdict JOIN contact USING (customer_id)
                WHERE point.id = verdict.id AND verdict.refusal = ''
                RETURNING point.id
            ),
            dated AS (
                UPDATE customers_customer AS customer
                SET last_proactive_contact_on = GREATEST(customer.last_proactive_contact_on, reached.today)
                FROM (
                    SELECT customer_id, max(today) AS today FROM verdict
                    WHERE refusal = '' AND NOT ignores_gap GROUP BY customer_id
                ) AS reached
                WHERE customer.id = reached.customer_id
                RETURNING customer.id
            ),
            rested AS (
                UPDATE followups_touchpoint AS point
                SET not_before = rest.until
                FROM (
                    SELECT waiting.id, back.day::timestamp AT TIME ZONE store.time_zone AS until
                    FROM (
                        SELECT customer_id, max(today) AS today FROM verdict
                        WHERE refusal = '' AND NOT ignores_gap GROUP BY customer_id
                    ) AS reached
                    JOIN followups_touchpoint AS waiting USING (customer_id)
                    JOIN followups_carerule AS filed ON filed.id = waiting.rule_id
                    JOIN LATERAL (
                        SELECT own.ignores_gap FROM followups_carerule AS own
                        WHERE own.code = filed.code AND (own.store_id = waiting.store_id OR own.id = filed.id)
                        ORDER BY own.store_id NULLS LAST LIMIT 1
                    ) AS rule ON true
                    JOIN accounts_store AS store ON store.id = waiting.store_id
                    CROSS JOIN LATERAL (
                        SELECT LEAST(reached.today + store.gap_days::int, waiting.closes_on) AS day
                    ) AS back
                    WHERE waiting.status IN (%s, %s) AND waiting.closed_on IS NULL AND waiting.handling = %s
                      AND waiting.priority > %s AND NOT rule.ignores_gap AND back.day > reached.today
                ) AS rest
                WHERE point.id = rest.id AND (point.not_before IS NULL OR point.not_before < rest.until)
                RETURNING point.id
            )
            SELECT (SELECT count(*) FROM sent), (SELECT count(*) FROM contact),
                   (SELECT count(*) FROM held_back WHERE reason <> %s),
                   (SELECT count(*) FROM held_back WHERE reason = %s),
                   (SELECT count(*) FROM verdict WHERE refusal IS NULL)
            """,  # noqa: S608 - the inner statement is composed by Django, with parameters
            [
                *params,
                CareClass.MARKETING,
                now,
                CustomerStatus.ACTIVE,
                Reason.CUSTOMER_NOT_IN_CARE,
                *(DoNotContact.ALL_BUT_SAFETY, CareClass.LEGAL, Reason.DO_NOT_CONTACT),
                *(DoNotContact.MARKETING, CareClass.MARKETING, Reason.NO_MARKETING),
                *(channel, Reason.CHANNELS_REFUSED, channel, Reason.NO_ADDRESS),
                TouchPointStatus.SUPPRESSED,
                *(by.pk, now, channel, Outcome.MESSAGE_SENT),
                TouchPointStatus.DONE,
                *(TouchPointStatus.OPEN, TouchPointStatus.MERGED, Handling.CONTACT, URGENT),
                *(Reason.NO_ADDRESS, Reason.NO_ADDRESS),
            ],
        )
        return BatchResult(*cursor.fetchone())


@atomic_again
def mark_handled(*, touch_points: Sequence[int], by: User, now: datetime) -> int:
    """Close open lists and internal forms that were dealt with; return how many. No customer was contacted.

    Raises ``NotYourContact`` when one of them is not the work of ``by`` (``is_in_charge``), and ``WrongTouchPoint`` for
    one that needs a contact; then nothing is closed. Those closed before stay as they are. The number of statements
    depends on the time zones of the stores alone.
    """
    rows = locked_points(TouchPoint.objects.filter(pk__in=touch_points).open())
    points = list(rows.values_list("pk", "handling", "store__time_zone"))
    if not {handling for _pk, handling, _zone in points} <= {Handling.LIST, Handling.FORM}:
        raise WrongTouchPoint(_("This one is settled by a contact with the customer."))
    found = TouchPoint.objects.filter(pk__in=[pk for pk, _handling, _zone in points])
    if found.in_charge_of(by).count() != len(points):
        raise NotYourContact(_("This customer is not yours to call; ask a manager to assign them to you."))
    for zone in sorted({zone for _pk, _handling, zone in points}):
        found.filter(store__time_zone=zone).update(
            status=TouchPointStatus.DONE,
            reason=Reason.BY_HAND,
            not_before=None,
            closed_on=local_time(now, zone).date(),
        )
    return len(points)
