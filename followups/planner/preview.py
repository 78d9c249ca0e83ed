"""What the plan will demand, without writing anything: the dry run of a rule, and the export of any period."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TextIO

from django.db import connection, transaction

from accounts.models import Store
from core.queries import work_calendar
from followups.models import CareRule
from followups.planner import sql
from followups.planner.rules import Horizon
from followups.planner.run import effective_rules, nominal_hits, rule_hits
from followups.planner.sql import Sql

EXPORT_COLUMNS = ("store", "rule", "customer_no", "vin", "nominal_on", "due_on", "status", "reason")


@dataclass(frozen=True)
class PlannedTouchPoint:
    """A touch point that a rule will demand."""

    rule_code: str
    customer_id: int
    vehicle_id: int | None
    nominal_on: date
    due_on: date
    opens_on: date
    closes_on: date


def _selections(
    rules: Sequence[CareRule], stores: Sequence[Store], first: date, last: date, columns: str
) -> Iterator[tuple[CareRule, Sql]]:
    calendar = work_calendar(first - timedelta(days=180), last + timedelta(days=180))
    horizon = Horizon(opens_from=first, opens_until=last, closes_from=first)
    store_ids = [store.pk for store in stores]
    for rule in rules:
        for arm, found in rule_hits(rule, horizon, calendar):
            yield rule, sql.select_rule(rule, arm, found, store_ids, columns)


def count_planned(*, rules: Sequence[CareRule], stores: Sequence[Store], first: date, last: date) -> int:
    """Return how many touch points the rules demand whose window opens between two days.

    The rules may be unsaved, so that the effect of a change is seen before it is made.
    """
    return sum(int(statement.run()[0][0]) for _, statement in _selections(rules, stores, first, last, "count(*)"))


def planned_touch_points(
    *, rules: Sequence[CareRule], stores: Sequence[Store], first: date, last: date, limit: int | None = None
) -> list[PlannedTouchPoint]:
    """Return the touch points that the rules demand whose window opens between two days, the earliest first."""
    columns = "c.id, d.c_vehicle, d.nominal_on, d.due_on, d.opens_on, d.closes_on"
    rows: list[PlannedTouchPoint] = []
    for rule, statement in _selections(rules, stores, first, last, columns):
        statement.text += " ORDER BY d.opens_on, d.due_on, c.id, d.c_vehicle"
        if limit is not None:
            statement.text += " LIMIT %s"
            statement.params.append(limit)
        rows += [PlannedTouchPoint(rule.code, *row) for row in statement.run()]
    rows.sort(key=lambda row: (row.opens_on, row.due_on, row.customer_id, row.vehicle_id or 0, row.rule_code))
    return rows[:limit]


def export_touch_points(out: TextIO, *, first: date, last: date, store: Store | None = None) -> None:
    """Write all touch points with a nominal date between two days as csv with the columns ``EXPORT_COLUMNS``.

    Those in the ledger come with their status and reason; those that the plan demands and that are not written down
    yet come with the status ``planned``. Ordered by nominal date, store, rule, customer and car.
    """
    stores = [store] if store else list(Store.objects.active().order_by("pk"))
    calendar = work_calendar(first - timedelta(days=60), last + timedelta(days=60))
    with transaction.atomic():
        Sql(
            "CREATE TEMPORARY TABLE care_export (identity bigint, rule varchar(10), customer_id bigint,"
            " vehicle_id bigint, step smallint, cycle_on date, nominal_on date, due_on date) ON COMMIT DROP"
        ).run()
        for each in effective_rules(stores):
            for arm, found in nominal_hits(each.rule, first, last, calendar):
                if not found:
                    continue
                demanded = sql.select_rule(
                    each.rule,
                    arm,
                    found,
                    each.store_ids,
                    "c.id, d.c_vehicle, d.step, d.c_cycle, d.nominal_on, d.due_on",
                )
                Sql(
                    f"INSERT INTO care_export SELECT %s, %s, q.* FROM ({demanded.text}) q",
                    [each.identity, each.rule.code, *demanded.params],
                ).run()
        rows = """
SELECT s.code AS store, r.code AS rule, c.number AS customer_no, v.vin, t.nominal_on, t.due_on,
       t.status, NULLIF(t.reason, '') AS reason
FROM followups_touchpoint t
JOIN followups_carerule r ON r.id = t.rule_id
JOIN customers_customer c ON c.id = t.customer_id
JOIN accounts_store s ON s.id = t.store_id
LEFT JOIN vehicles_vehicle v ON v.id = t.vehicle_id
WHERE t.nominal_on BETWEEN %s AND %s AND t.store_id = ANY(%s)
UNION ALL
SELECT DISTINCT s.code, e.rule, c.number, v.vin, e.nominal_on, e.due_on, 'planned', NULL
FROM care_export e
JOIN customers_customer c ON c.id = e.customer_id
JOIN accounts_store s ON s.id = c.store_id
LEFT JOIN vehicles_vehicle v ON v.id = e.vehicle_id
WHERE NOT EXISTS (
    SELECT 1 FROM followups_touchpoint t
    WHERE t.rule_id = e.identity AND t.customer_id = e.customer_id AND t.vehicle_id IS NOT DISTINCT FROM e.vehicle_id
      AND t.nominal_on = e.nominal_on
) AND NOT EXISTS (
    SELECT 1 FROM followups_touchpoint t
    WHERE t.rule_id = e.identity AND t.customer_id = e.customer_id AND t.vehicle_id = e.vehicle_id
      AND t.cycle_on = e.cycle_on AND t.step = e.step
)
ORDER BY nominal_on, store, rule, customer_no, vin"""
        with connection.cursor() as cursor:
            copy = cursor.mogrify(
                f"COPY ({rows}) TO STDOUT WITH (FORMAT csv, HEADER true)", [first, last, [s.pk for s in stores]]
            )
            cursor.copy_expert(copy.decode(), out)
