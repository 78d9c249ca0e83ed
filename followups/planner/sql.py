"""The set-based statements of the planner, composed from the triggers' querysets.

Rows never travel to Python: a night over a million cars is a few dozen statements (measured in bench/RESULTS.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from accounts.choices import Role
from customers.choices import Channel
from followups.choices import CareClass, Handling
from followups.models import CareRule
from followups.planner.rules import Hit
from followups.triggers.base import Arm

OWNER_COLUMNS = {
    Role.SALES_CONSULTANT: "c.sales_consultant_id",
    Role.SERVICE_ADVISER: "c.service_adviser_id",
    Role.CARE_SPECIALIST: "c.care_specialist_id",
}
MESSAGES = [Channel.SMS, Channel.WECHAT, Channel.EMAIL, Channel.APP, Channel.WECOM]


@dataclass
class Sql:
    """SQL text with its parameters."""

    text: str
    params: list[Any] = field(default_factory=list)

    def run(self) -> list[tuple[Any, ...]]:
        """Execute, and return the rows, if any."""
        with connection.cursor() as cursor:
            cursor.execute(self.text, self.params)
            return cursor.fetchall() if cursor.description else []

    def rowcount(self) -> int:
        """Execute, and return how many rows were touched."""
        with connection.cursor() as cursor:
            cursor.execute(self.text, self.params)
            return int(cursor.rowcount)


def compiled(queryset: QuerySet) -> Sql:
    """Return the SQL of a queryset."""
    text, params = queryset.query.sql_with_params()
    return Sql(text, list(params))


def hits_sql(hits: Sequence[Hit], key_type: str) -> Sql:
    """Return the hits as rows ``key, step, anchor_on, nominal_on, due_on, opens_on, closes_on``."""
    columns: list[list[Any]] = [list(column) for column in zip(*map(_values, hits), strict=True)]
    return Sql(
        f"SELECT * FROM unnest(%s::{key_type}[], %s::smallint[], %s::date[], %s::date[], %s::date[], %s::date[],"
        " %s::date[])"
        " AS h(key, step, anchor_on, nominal_on, due_on, opens_on, closes_on)",
        columns,
    )


def _values(hit: Hit) -> tuple[Any, ...]:
    return (
        hit.key,
        hit.step,
        hit.anchor_on,
        hit.nominal_on,
        hit.due_on,
        hit.opens_on,
        hit.closes_on,
    )


@dataclass(frozen=True)
class Scope:
    """What a run covers."""

    on: date
    store_ids: Sequence[int]
    run_id: int | None = None


# The customers that a run noted as changed (``upkeep.note_changed``).
CHANGED = RawSQL("SELECT customer_id FROM care_changed", [])


def demanded_from(arm: Arm, hits: Sequence[Hit], *, among: QuerySet | RawSQL | None = None) -> Sql:
    """Return the CTEs ``hits``, ``cand`` and ``demand``: what the hits demand, of all customers or of some."""
    hit_rows = hits_sql(hits, arm.key_type)
    # Said twice, by value here and by the join: a condition on the join alone does not reach below a DISTINCT, and the
    # database knows from its statistics how many rows have these keys.
    rows = arm.candidates.filter(c_key__in=sorted({hit.key for hit in hits}))
    if among is not None:
        rows = rows.filter(c_customer__in=among)
    candidates = compiled(rows)
    return Sql(
        f"WITH hits AS ({hit_rows.text}), cand AS ({candidates.text})"
        ", demand AS (SELECT cand.*, h.* FROM hits h JOIN cand ON cand.c_key = h.key"
        " WHERE cand.c_start IS NULL OR h.nominal_on >= cand.c_start)",
        hit_rows.params + candidates.params,
    )


def _in_force(rule: CareRule, store_ids: Sequence[int]) -> Sql:
    """The condition that a promise holds: an active customer of the stores, and a window that ended after it began."""
    return Sql(
        "c.status = 'active' AND c.store_id = ANY(%s) AND d.closes_on >= GREATEST(c.entered_on, d.c_floor, %s::date)",
        [list(store_ids), rule.active_from],
    )


def _is_limited(rule: CareRule) -> bool:
    """Whether its messages count among the marketing messages of which there may be only so many (domain §3.6, 3)."""
    return rule.care_class == CareClass.MARKETING and not rule.ignores_gap


def _facts_for_channel(rule: CareRule, identity: int, on: date) -> Sql:
    """The joins that tell what the channel hangs on besides the customer's wishes.

    ``last.n`` is the place among the rule's channels by which the customer was contacted for it the last time, as it
    was done or at least planned; ``rest.until`` the day on which the next marketing message may go out.
    """
    sql = Sql("")
    if rule.rotates_channels:
        channels = list(rule.channels)
        sql.text += """
    LEFT JOIN LATERAL (
        SELECT COALESCE(array_position(%s::text[], l.channel::text), array_position(%s::text[], t.channel::text)) AS n
        FROM followups_touchpoint t LEFT JOIN followups_contactlog l ON l.id = t.settled_by_id
        WHERE t.rule_id = %s AND t.customer_id = c.id AND t.nominal_on < d.nominal_on
          AND t.status NOT IN ('suppressed', 'cancelled')
        ORDER BY t.nominal_on DESC LIMIT 1
    ) last ON true"""
        sql.params += [channels, channels, identity]
    if _is_limited(rule):
        sql.text += """
    LEFT JOIN LATERAL (
        SELECT GREATEST(max(l.contact_on) + 7, (array_agg(l.contact_on ORDER BY l.contact_on DESC))[4] + 30) AS until
        FROM followups_contactlog l
        WHERE l.customer_id = c.id AND l.is_marketing_message AND l.contact_on > %s::date - 30
    ) rest ON true"""
        sql.params.append(on)
    return sql


def _channel(rule: CareRule, on: date) -> Sql:
    """The channel: the preferred one where the rule has it, else the rule's first that is not refused.

    A rule that varies its channels takes the one after the last (domain §2.5: "each time"); where marketing messages
    have to rest, what is spoken comes first.
    """
    channels = list(rule.channels)
    order: list[str] = []
    params: list[Any] = []
    if _is_limited(rule):
        order.append("COALESCE(rest.until > %s AND u.channel = ANY(%s::text[]), false)")
        params += [on, list(MESSAGES)]
    if rule.rotates_channels:
        order.append("(u.n - 1 - COALESCE(last.n, 0) + %s) %% %s")
        params += [len(channels), len(channels)]
    else:
        order.append("u.channel = c.preferred_channel DESC, u.n")
    chosen = Sql(
        "(SELECT u.channel FROM unnest(%s::text[]) WITH ORDINALITY u(channel, n)"
        f" WHERE u.channel <> ALL(c.refused_channels) ORDER BY {', '.join(order)} LIMIT 1)",
        [channels, *params],
    )
    if rule.rotates_channels or _is_limited(rule):
        return chosen
    # Most have refused nothing: no list has to be gone through for them.
    return Sql(
        "CASE WHEN c.refused_channels = '{}' THEN CASE WHEN c.preferred_channel = ANY(%s::text[])"
        f" THEN c.preferred_channel ELSE (%s::text[])[1] END ELSE {chosen.text} END",
        [channels, channels, *chosen.params],
    )


def _not_before(rule: CareRule, on: date) -> Sql:
    """Until when a contact that may still be made in its window waits: for the gap, and for the next message."""
    if rule.handling != Handling.CONTACT:
        return Sql("NULL::timestamptz")
    today = "GREATEST(%s::date, d.opens_on)"
    waits = Sql("GREATEST(NULL::date")
    if not rule.ignores_gap and rule.priority > 1:
        waits.text += (
            f", CASE WHEN c.last_proactive_contact_on + s.gap_days > {today}"
            " THEN c.last_proactive_contact_on + s.gap_days END"
        )
        waits.params.append(on)
    if _is_limited(rule):
        waits.text += f", CASE WHEN ch.channel = ANY(%s::text[]) AND rest.until > {today} THEN rest.until END"
        waits.params += [list(MESSAGES), on]
    return Sql(f"{waits.text})::timestamp AT TIME ZONE s.time_zone", waits.params)


def _reason(rule: CareRule, on: date) -> Sql:
    """Why the contact is not made: the first of domain §3.6, 1 to 5 that applies, or the empty string."""
    if rule.handling in (Handling.FORM, Handling.LIST):
        return Sql("''")  # nobody is contacted
    marketing = rule.care_class == CareClass.MARKETING
    when: list[str] = []
    params: list[Any] = []
    if rule.care_class != CareClass.LEGAL:
        when.append("WHEN c.do_not_contact = 'all' THEN 'do_not_contact'")
    if marketing:
        when.append("WHEN c.do_not_contact = 'marketing' THEN 'no_marketing'")
    when.append("WHEN ch.channel IS NULL THEN 'channels_refused'")
    if marketing or rule.is_held_by_complaint:
        when.append(
            "WHEN EXISTS (SELECT 1 FROM followups_nextstep n WHERE n.customer_id = c.id AND n.done_at IS NULL"
            " AND n.kind = 'complaint' AND n.severity IN ('L2', 'L3')) THEN 'open_complaint'"
        )
    # A contact after the window, of which a run that catches up knows, covered nothing in it and kept nobody from it.
    if rule.covered_days:
        when.append("WHEN c.last_effective_contact_on BETWEEN d.nominal_on - %s AND d.closes_on THEN 'recent_contact'")
        params.append(rule.covered_days)
    if not rule.ignores_gap and rule.priority > 1:
        when.append(
            "WHEN c.last_proactive_contact_on BETWEEN d.closes_on - s.gap_days + 1 AND d.closes_on THEN 'contact_gap'"
        )
    if _is_limited(rule):
        # It waits where the window allows it.
        last_day = "d.closes_on" if rule.handling == Handling.CONTACT else "%s::date"
        when.append(f"WHEN ch.channel = ANY(%s::text[]) AND rest.until > {last_day} THEN 'message_limit'")
        params += [list(MESSAGES)] if rule.handling == Handling.CONTACT else [list(MESSAGES), on]
    return Sql(f"CASE {' '.join(when)} ELSE '' END", params)


def insert_rule(
    rule: CareRule, identity: int, arm: Arm, hits: Sequence[Hit], scope: Scope, *, changed_only: bool
) -> Sql:
    """Return the statement that adds a rule's touch points and yields (demanded, added, suppressed, missed).

    The work tables of ``upkeep`` must be there.

    ``identity`` is the rule that the rows are filed under: the group's, also where a store has its own version, so that
    a promise stays the same one when a store begins or ends to do it its own way.
    """
    demand = demanded_from(arm, hits, among=CHANGED if changed_only else None)
    in_force = _in_force(rule, scope.store_ids)
    facts = _facts_for_channel(rule, identity, scope.on)
    channel = _channel(rule, scope.on)
    reason = _reason(rule, scope.on)
    owner = OWNER_COLUMNS.get(Role(rule.owner_role))
    not_before = _not_before(rule, scope.on)
    affected = (
        ", affected AS (INSERT INTO care_affected (customer_id) SELECT customer_id FROM added WHERE status = 'open')"
        if rule.handling == Handling.CONTACT
        else ""
    )
    return Sql(
        f"""{demand.text}
, demanded AS (
    SELECT c.store_id, c.id AS customer_id, d.c_vehicle AS vehicle_id, d.step, d.anchor_on, d.c_cycle AS cycle_on,
           d.nominal_on, d.due_on, d.opens_on, d.closes_on, COALESCE(ch.channel, '') AS channel,
           {"CASE WHEN w.user_id IS DISTINCT FROM d.c_avoid THEN w.user_id END" if owner else "NULL::bigint"}
               AS assignee_id,
           {reason.text} AS reason, {not_before.text} AS not_before
    FROM demand d
    JOIN customers_customer c ON c.id = d.c_customer
    JOIN accounts_store s ON s.id = c.store_id{facts.text}
    CROSS JOIN LATERAL (SELECT {channel.text} AS channel) ch
    {f"LEFT JOIN care_at_work w ON w.user_id = {owner} AND w.store_id = c.store_id" if owner else ""}
    WHERE {in_force.text}
)
, added AS (
    INSERT INTO followups_touchpoint (store_id, rule_id, customer_id, vehicle_id, step, anchor_on, cycle_on, nominal_on,
        due_on, opens_on, closes_on, priority, handling, channel, assignee_id, status, reason, not_before, attempts,
        closed_on, run_id)
    SELECT store_id, %s, customer_id, vehicle_id, step, anchor_on, cycle_on, nominal_on,
        due_on, opens_on, closes_on, %s, %s, channel, assignee_id,
        CASE WHEN reason <> '' THEN 'suppressed' WHEN closes_on < %s THEN 'missed' ELSE 'open' END,
        CASE WHEN reason = '' AND closes_on < %s THEN 'window_passed' ELSE reason END,
        CASE WHEN reason = '' THEN not_before END, 0,
        CASE WHEN reason <> '' OR closes_on < %s THEN %s::date END, %s
    FROM demanded ORDER BY customer_id
    ON CONFLICT DO NOTHING
    RETURNING customer_id, status
)
{affected}
SELECT (SELECT count(*) FROM demanded), count(*), count(*) FILTER (WHERE status = 'suppressed'),
       count(*) FILTER (WHERE status = 'missed')
FROM added""",
        [
            *demand.params,
            *reason.params,
            *not_before.params,
            *facts.params,
            *channel.params,
            *in_force.params,
            identity,
            rule.priority,
            rule.handling,
            scope.on,
            scope.on,
            scope.on,
            scope.on,
            scope.run_id,
        ],
    )


def select_rule(
    rule: CareRule,
    arm: Arm,
    hits: Sequence[Hit],
    store_ids: Sequence[int],
    columns: str,
    *,
    among: QuerySet | None = None,
) -> Sql:
    """Return the statement that yields what a rule demands, without writing; ``d`` is the demand, ``c`` the person.

    ``among`` are the keys of the customers that are looked at; without it all of the stores are.
    """
    demand = demanded_from(arm, hits, among=among)
    in_force = _in_force(rule, store_ids)
    return Sql(
        f"""{demand.text}
SELECT {columns}
FROM demand d JOIN customers_customer c ON c.id = d.c_customer
WHERE {in_force.text}""",
        demand.params + in_force.params,
    )


def move_forecasts(identity: int, arm: Arm, hits: Sequence[Hit], scope: Scope) -> Sql:
    """Return the statement that moves live touch points of changed customers to where the forecast now is.

    A row stays when its new window is over (the call is the more urgent) or another one stands on the new date. A time
    that was agreed with the customer, or is one of a series of attempts, holds wherever the service now falls: the call
    comes back then. (Rests end at midnight, such times lie within the hours of domain §3.6, 6.)
    """
    demand = demanded_from(arm, hits, among=CHANGED)
    return Sql(
        f"""{demand.text}
UPDATE followups_touchpoint t
SET anchor_on = d.anchor_on, nominal_on = d.nominal_on, due_on = d.due_on,
    opens_on = LEAST(d.opens_on, CASE WHEN (t.not_before AT TIME ZONE s.time_zone)::time > '00:00'
                                      THEN (t.not_before AT TIME ZONE s.time_zone)::date END),
    closes_on = GREATEST(d.closes_on, (t.not_before AT TIME ZONE s.time_zone)::date),
    status = 'open', lead_id = NULL
FROM demand d, accounts_store s
WHERE s.id = t.store_id AND t.rule_id = %s AND t.store_id = ANY(%s)
  AND t.customer_id = d.c_customer AND t.vehicle_id = d.c_vehicle AND t.cycle_on = d.c_cycle
  AND t.step = d.step AND t.nominal_on <> d.nominal_on AND t.status IN ('open', 'merged') AND t.closed_on IS NULL
  AND d.closes_on >= %s
  AND NOT EXISTS (SELECT 1 FROM followups_touchpoint o WHERE o.rule_id = t.rule_id AND o.customer_id = t.customer_id
                  AND o.vehicle_id = t.vehicle_id AND o.nominal_on = d.nominal_on)""",
        [*demand.params, identity, list(scope.store_ids), scope.on],
    )


def reopen(each: CareRule, identity: int, arm: Arm, hits: Sequence[Hit], scope: Scope) -> Sql:
    """Return the statement that takes up again what was cancelled for facts that are put right since.

    A car sold by a slip of the pen and taken back, a delivery date mistyped and corrected: the promise is the same one,
    so it cannot be made anew. ``hits`` are windows that are open still.
    """
    demand = demanded_from(arm, hits, among=CHANGED)
    in_force = _in_force(each, scope.store_ids)
    return Sql(
        f"""{demand.text}
, reopened AS (
    UPDATE followups_touchpoint t
    SET status = 'open', reason = '', closed_on = NULL, anchor_on = d.anchor_on, nominal_on = d.nominal_on,
        due_on = d.due_on, opens_on = d.opens_on, closes_on = d.closes_on
    FROM demand d JOIN customers_customer c ON c.id = d.c_customer
    WHERE {in_force.text}
      AND t.rule_id = %s AND t.customer_id = d.c_customer AND t.vehicle_id IS NOT DISTINCT FROM d.c_vehicle
      AND t.status = 'cancelled' AND t.reason IN ('facts_changed', 'car_not_in_care', 'customer_gone')
      AND (t.nominal_on = d.nominal_on
           OR t.cycle_on = d.c_cycle AND t.step = d.step AND NOT EXISTS (
               SELECT 1 FROM followups_touchpoint o
               WHERE o.rule_id = t.rule_id AND o.customer_id = t.customer_id
                 AND o.vehicle_id IS NOT DISTINCT FROM t.vehicle_id AND o.nominal_on = d.nominal_on))
    RETURNING t.customer_id
)
INSERT INTO care_affected SELECT customer_id FROM reopened""",
        [*demand.params, *in_force.params, identity],
    )


def cancel_moot(
    identity: int, arms: Iterable[tuple[Arm, Sequence[Hit]]], scope: Scope, *, speaks_of_end: bool = False
) -> Sql:
    """Return the statement that cancels live touch points of changed customers which the facts no longer demand.

    With ``speaks_of_end`` an anchor that is over demands nothing either: nobody announces what is past. Those of
    customers and cars that are gone have been cancelled before, with their own reason (``upkeep.end_gone``).
    """
    conditions: list[str] = []
    params: list[Any] = [scope.on, identity, list(scope.store_ids)]
    for arm, hits in arms:
        if not hits:
            continue
        demand = demanded_from(arm, hits, among=CHANGED)
        still_to_come = " AND d.anchor_on >= %s" if speaks_of_end else ""
        conditions.append(
            f"AND NOT EXISTS ({demand.text} SELECT 1 FROM demand d WHERE d.c_customer = t.customer_id"
            " AND d.c_vehicle IS NOT DISTINCT FROM t.vehicle_id"
            f" AND (d.nominal_on = t.nominal_on OR (d.c_cycle = t.cycle_on AND d.step = t.step)){still_to_come})"
        )
        params += demand.params + ([scope.on] if speaks_of_end else [])
    return Sql(
        f"""UPDATE followups_touchpoint t
SET status = 'cancelled', closed_on = %s, lead_id = NULL, reason = 'facts_changed'
FROM care_changed x
WHERE t.rule_id = %s AND t.store_id = ANY(%s) AND t.customer_id = x.customer_id
  AND t.status IN ('open', 'merged') AND t.closed_on IS NULL {" ".join(conditions)}""",
        params,
    )


def live_range(rule_ids: Sequence[int]) -> dict[int, tuple[date, date]]:
    """Return the first and last nominal date of live touch points of changed customers, by rule."""
    sql = Sql(
        "SELECT t.rule_id, min(t.nominal_on), max(t.nominal_on) FROM followups_touchpoint t"
        " JOIN care_changed x ON x.customer_id = t.customer_id"
        " WHERE t.status IN ('open', 'merged') AND t.closed_on IS NULL AND t.rule_id = ANY(%s) GROUP BY t.rule_id",
        [list(rule_ids)],
    )
    return {rule: (first, last) for rule, first, last in sql.run()}
