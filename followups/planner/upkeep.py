"""What a night does to the touch points that are already there: end, release, merge, share out (domain §3.6)."""

from datetime import date, datetime
from typing import Any

from accounts.models import Membership
from followups.planner.sql import Scope, Sql, compiled

ROWS_WORTH_COUNTING = 1000


def make_work_tables(scope: Scope) -> None:
    """Make the lists that live as long as the transaction: changed customers, ones to merge for, staff at work."""
    Sql(
        "CREATE TEMPORARY TABLE IF NOT EXISTS care_changed (customer_id bigint PRIMARY KEY) ON COMMIT DELETE ROWS;"
        "CREATE TEMPORARY TABLE IF NOT EXISTS care_affected (customer_id bigint NOT NULL) ON COMMIT DELETE ROWS;"
        "CREATE TEMPORARY TABLE IF NOT EXISTS care_at_work (user_id bigint, store_id bigint,"
        " PRIMARY KEY (user_id, store_id)) ON COMMIT DELETE ROWS;"
        "TRUNCATE care_changed, care_affected, care_at_work"
    ).run()
    of_stores = Membership.objects.at_work(on=scope.on).filter(store__isnull=False)
    staff = compiled(of_stores.order_by().values("user_id", "store_id").distinct())
    Sql(f"INSERT INTO care_at_work {staff.text}", staff.params).run()


def note_changed(scope: Scope, *, since: datetime) -> int:
    """List the customers of whom anything that a trigger looks at changed since a moment; return how many."""
    count = Sql(
        """INSERT INTO care_changed
SELECT c.id FROM customers_customer c WHERE c.store_id = ANY(%s) AND c.id IN (
    SELECT id FROM customers_customer WHERE changed_at >= %s
    UNION ALL SELECT owner_id FROM vehicles_vehicle WHERE changed_at >= %s
    UNION ALL SELECT t.customer_id FROM vehicles_vehicle v JOIN followups_touchpoint t ON t.vehicle_id = v.id
        WHERE v.changed_at >= %s AND t.customer_id <> v.owner_id
        AND t.status IN ('open', 'merged') AND t.closed_on IS NULL
    UNION ALL SELECT v.owner_id FROM vehicles_insurancepolicy p JOIN vehicles_vehicle v ON v.id = p.vehicle_id
        WHERE p.changed_at >= %s
    UNION ALL SELECT customer_id FROM service_workorder WHERE changed_at >= %s
    UNION ALL SELECT o.customer_id FROM service_suggestedwork w JOIN service_workorder o ON o.id = w.work_order_id
        WHERE w.changed_at >= %s
    UNION ALL SELECT customer_id FROM customers_personalevent WHERE changed_at >= %s
)""",
        [list(scope.store_ids), *([since] * 7)],
    ).rowcount()
    Sql("ANALYZE care_changed").run()
    return count


def note_live(store_ids: list[int]) -> int:
    """List everybody of the stores to whom something is promised now as changed; return how many were added.

    For stores in which no run was completed yet: what stands there was planned at once, and nobody has looked since.
    """
    return Sql(
        "INSERT INTO care_changed SELECT DISTINCT t.customer_id FROM followups_touchpoint t"
        " JOIN customers_customer c ON c.id = t.customer_id WHERE c.store_id = ANY(%s)"
        " AND t.status IN ('open', 'merged') AND t.closed_on IS NULL ON CONFLICT DO NOTHING",
        [store_ids],
    ).rowcount()


def note_promised(scope: Scope, rule_ids: list[int]) -> int:
    """List everybody of the stores to whom one of the rules has something promised now; return how many were added."""
    return Sql(
        "INSERT INTO care_changed SELECT DISTINCT t.customer_id FROM followups_touchpoint t"
        " WHERE t.rule_id = ANY(%s) AND t.store_id = ANY(%s) AND t.status IN ('open', 'merged') AND t.closed_on IS NULL"
        " ON CONFLICT DO NOTHING",
        [rule_ids, list(scope.store_ids)],
    ).rowcount()


def note_customers(scope: Scope, customer_ids: list[int]) -> int:
    """List given customers of the stores as changed; return how many."""
    return Sql(
        "INSERT INTO care_changed SELECT id FROM customers_customer WHERE id = ANY(%s) AND store_id = ANY(%s)",
        [customer_ids, list(scope.store_ids)],
    ).rowcount()


def withhold(scope: Scope) -> int:
    """End live touch points of changed customers that they do not wish any more; return how many (domain §3.6, 1).

    The wish may have come in by a form or a file, after the touch point was made. Lists and internal forms reach
    nobody and stay. The store's own version of a rule says of which class it is and by which channels it goes; where
    only the proposed channel is refused, the next one is proposed.
    """
    Sql(
        """UPDATE followups_touchpoint t
SET channel = (SELECT u.channel FROM unnest(COALESCE(own.channels, filed.channels)) WITH ORDINALITY u(channel, n)
               WHERE u.channel <> ALL(c.refused_channels) ORDER BY u.channel = c.preferred_channel DESC, n LIMIT 1)
FROM care_changed x
JOIN customers_customer c ON c.id = x.customer_id
CROSS JOIN followups_carerule filed
LEFT JOIN followups_carerule own ON own.code = filed.code AND own.store_id = c.store_id
WHERE t.customer_id = c.id AND t.store_id = ANY(%s) AND filed.id = t.rule_id
  AND t.status IN ('open', 'merged') AND t.closed_on IS NULL AND t.handling IN ('contact', 'batch')
  AND t.channel = ANY(c.refused_channels) AND NOT COALESCE(own.channels, filed.channels) <@ c.refused_channels""",
        [list(scope.store_ids)],
    ).run()
    return Sql(
        """WITH forbidden AS (
    SELECT t.id, CASE WHEN c.do_not_contact = 'all' AND COALESCE(own.care_class, filed.care_class) <> 'L'
                          THEN 'do_not_contact'
                      WHEN c.do_not_contact = 'marketing' AND COALESCE(own.care_class, filed.care_class) = 'M'
                          THEN 'no_marketing'
                      ELSE 'channels_refused' END AS reason
    FROM care_changed x
    JOIN customers_customer c ON c.id = x.customer_id
    JOIN followups_touchpoint t ON t.customer_id = c.id AND t.status IN ('open', 'merged') AND t.closed_on IS NULL
    JOIN followups_carerule filed ON filed.id = t.rule_id
    LEFT JOIN followups_carerule own ON own.code = filed.code AND own.store_id = t.store_id
    WHERE t.store_id = ANY(%s) AND t.handling IN ('contact', 'batch')
      AND (COALESCE(own.channels, filed.channels) <@ c.refused_channels
           OR CASE c.do_not_contact
                  WHEN 'all' THEN COALESCE(own.care_class, filed.care_class) <> 'L'
                  WHEN 'marketing' THEN COALESCE(own.care_class, filed.care_class) = 'M'
                  ELSE false END)
)
UPDATE followups_touchpoint t
SET status = 'suppressed', reason = forbidden.reason, closed_on = %s, lead_id = NULL, not_before = NULL
FROM forbidden WHERE forbidden.id = t.id AND t.status IN ('open', 'merged') AND t.closed_on IS NULL""",
        [list(scope.store_ids), scope.on],
    ).rowcount()


def end_gone(scope: Scope) -> int:
    """Cancel live touch points of changed customers who are gone or whose car is; return how many (domain §3.6, 8).

    Whatever the rule, also one that is switched off now: nobody calls about a dead customer or a scrapped car.
    """
    return Sql(
        """UPDATE followups_touchpoint t
SET status = 'cancelled', closed_on = %s, lead_id = NULL,
    reason = CASE WHEN c.status <> 'active' THEN 'customer_gone' ELSE 'car_not_in_care' END
FROM customers_customer c, care_changed x
WHERE t.customer_id = c.id AND x.customer_id = c.id AND t.store_id = ANY(%s)
  AND t.status IN ('open', 'merged') AND t.closed_on IS NULL
  AND (c.status <> 'active'
       OR t.vehicle_id IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM vehicles_vehicle v
           WHERE v.id = t.vehicle_id AND v.status = 'in_use' AND v.owner_id = t.customer_id))""",
        [scope.on, list(scope.store_ids)],
    ).rowcount()


def end_missed(scope: Scope) -> int:
    """Close what nobody did in its window as missed, merged ones too; return how many. Notes the customers."""
    return Sql(
        """WITH missed AS (
    UPDATE followups_touchpoint t
    SET status = 'missed', reason = 'window_passed', closed_on = %s, lead_id = NULL
    WHERE t.store_id = ANY(%s) AND t.closes_on < %s AND t.status IN ('open', 'merged') AND t.closed_on IS NULL
    RETURNING t.customer_id
)
INSERT INTO care_affected SELECT customer_id FROM missed""",
        [scope.on, list(scope.store_ids), scope.on],
    ).rowcount()


def release_orphans(scope: Scope) -> int:
    """Reopen merged touch points of noted customers whose lead ended or moved away without them; return how many.

    A promise must not vanish with the one that spoke for it.
    """
    return Sql(
        """WITH released AS (
    UPDATE followups_touchpoint t SET status = 'open', lead_id = NULL
    FROM followups_touchpoint lead
    WHERE t.lead_id = lead.id AND t.status = 'merged' AND t.closed_on IS NULL
      AND (lead.status <> 'open' OR lead.opens_on > %s)
      AND t.customer_id IN (SELECT customer_id FROM care_affected UNION SELECT customer_id FROM care_changed)
    RETURNING t.customer_id
)
INSERT INTO care_affected SELECT customer_id FROM released""",
        [scope.on],
    ).rowcount()


def refresh_statistics(added: int) -> None:
    """Tell the database how much it holds now, if a night brought much: ``added`` is its number of new touch points.

    It knows a table from the last time that it counted committed rows. After a first night, all of whose rows are still
    uncommitted, it takes the ledger for empty, and joins it with itself row by row: minutes instead of a second.
    """
    if added < ROWS_WORTH_COUNTING:
        return
    Sql("ANALYZE care_affected").run()
    ((known,),) = Sql("SELECT reltuples FROM pg_class WHERE oid = 'followups_touchpoint'::regclass").run()
    if added > known / 10:  # as autovacuum would, but in time
        Sql("ANALYZE followups_touchpoint").run()


def note_due(scope: Scope, *, since: date | None, next_working_day: date) -> None:
    """Note customers whose touch points have a new place without being new: to be merged for as well.

    Merged ones that end before the next working day, open ones whose window opens after it had moved, and open ones
    whose waiting is over. ``since`` is the day of the last run.
    """
    stores = list(scope.store_ids)
    Sql(
        """INSERT INTO care_affected SELECT customer_id FROM followups_touchpoint
WHERE store_id = ANY(%s) AND status = 'merged' AND closed_on IS NULL AND closes_on < %s""",
        [stores, next_working_day],
    ).run()
    if since is None:
        return
    Sql(
        """INSERT INTO care_affected
SELECT t.customer_id FROM followups_touchpoint t JOIN accounts_store s ON s.id = t.store_id
WHERE t.store_id = ANY(%s) AND t.status = 'open' AND t.handling = 'contact'
  AND ((t.opens_on > %s AND t.opens_on <= %s AND t.run_id IS DISTINCT FROM %s)
       OR (t.not_before AT TIME ZONE s.time_zone)::date BETWEEN %s + 1 AND %s)""",
        [stores, since, scope.on, scope.run_id, since, scope.on],
    ).run()


def merge(scope: Scope, *, next_working_day: date) -> int:
    """Merge what falls together for one customer into one contact; return how many touch points changed their place.

    The highest priority leads (domain §3.6, 4), but what cannot wait until the next working day comes before it: the
    queue goes by the leads, and a merged promise must not end unseen behind a leisurely one. What must wait (an agreed
    time, the contact gap) gathers everything whose window is still open then; the rest is a contact of its own before.
    Among equals the order of the care plan decides, so that the same facts always give the same ledger. A call after a
    service is never merged into the work of the person who received the car (domain §3.2, PV).
    """
    return Sql(
        """WITH live AS (
    SELECT t.id, t.customer_id, t.rule_id, t.vehicle_id, t.nominal_on, t.priority, t.closes_on, t.attempts,
           t.lead_id, t.status, t.assignee_id,
           CASE WHEN r.trigger = 'hand_over' THEN (
               SELECT o.adviser_id FROM service_workorder o
               WHERE o.vehicle_id = t.vehicle_id AND o.handed_over_on = t.anchor_on ORDER BY o.id DESC LIMIT 1
           ) END AS received_by,
           CASE WHEN (t.not_before AT TIME ZONE s.time_zone)::date > %s THEN t.not_before END AS waits_until,
           max(CASE WHEN (t.not_before AT TIME ZONE s.time_zone)::date > %s
               THEN (t.not_before AT TIME ZONE s.time_zone)::date END) OVER (PARTITION BY t.customer_id) AS waits_on
    FROM followups_touchpoint t
    JOIN accounts_store s ON s.id = t.store_id
    JOIN followups_carerule r ON r.id = t.rule_id
    WHERE t.customer_id IN (SELECT customer_id FROM care_affected)
      AND t.status IN ('open', 'merged') AND t.closed_on IS NULL AND t.handling = 'contact' AND t.opens_on <= %s
), placed AS (
    SELECT id, received_by, first_value(id) OVER place AS leader, first_value(assignee_id) OVER place AS caller
    FROM live
    WINDOW place AS (
        PARTITION BY customer_id, COALESCE(closes_on >= waits_on, false)
        ORDER BY waits_until DESC NULLS LAST, closes_on >= %s, attempts = 0, priority, closes_on,
                 rule_id, vehicle_id, nominal_on
    )
), led AS (
    SELECT id, CASE WHEN received_by = caller THEN id ELSE leader END AS leader FROM placed
)
UPDATE followups_touchpoint t
SET status = CASE WHEN led.leader = t.id THEN 'open' ELSE 'merged' END,
    lead_id = NULLIF(led.leader, t.id)
FROM led
WHERE t.id = led.id AND NULLIF(led.leader, t.id) IS DISTINCT FROM t.lead_id
  AND t.status IN ('open', 'merged') AND t.closed_on IS NULL""",
        [scope.on, scope.on, scope.on, next_working_day],
    ).rowcount()


def release_absent(scope: Scope) -> int:
    """Give open touch points of people who are not at work in their store to the supervisor's pool; return how many.

    Away, gone, or moved to another store. After merging, so that it reaches those that lead from tonight on.
    """
    return Sql(
        """UPDATE followups_touchpoint t SET assignee_id = NULL
WHERE t.store_id = ANY(%s) AND t.status = 'open' AND t.assignee_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM care_at_work w WHERE w.user_id = t.assignee_id AND w.store_id = t.store_id)""",
        [list(scope.store_ids)],
    ).rowcount()


def share_overload(scope: Scope, *, next_working_day: date) -> int:
    """Give calls beyond a person's daily number that cannot wait to the supervisor's pool; return how many.

    The most urgent stay (domain §3.6, 8). What can wait until the next working day stays with its person.
    """
    params: list[Any] = [list(scope.store_ids), scope.on, next_working_day, scope.on]
    return Sql(
        """WITH pressing AS (
    SELECT t.id, s.daily_calls,
           row_number() OVER (
               PARTITION BY t.assignee_id
               ORDER BY t.priority, t.closes_on, t.customer_id, t.rule_id, t.vehicle_id, t.nominal_on
           ) AS place
    FROM followups_touchpoint t
    JOIN accounts_store s ON s.id = t.store_id
    WHERE t.store_id = ANY(%s) AND t.status = 'open' AND t.handling = 'contact' AND t.assignee_id IS NOT NULL
      AND t.opens_on <= %s AND t.closes_on < %s
      AND (t.not_before IS NULL OR (t.not_before AT TIME ZONE s.time_zone)::date <= %s)
)
UPDATE followups_touchpoint t SET assignee_id = NULL
FROM pressing WHERE pressing.id = t.id AND pressing.place > pressing.daily_calls AND t.status = 'open'""",
        params,
    ).rowcount()
