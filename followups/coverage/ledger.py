"""The demanded touch points against the ledger, compared inside the database.

What is demanded goes by COPY into a temporary table, so a check of millions of touch points needs no memory here.
A touch point is accounted for by a ledger row of the same rule code, customer, car and nominal date, whatever became of
it; where the date is a forecast that moves, also by the row of the same service cycle and step. The code counts, not
the rule's row: a store that gives itself its own version of a rule must not make the same promise twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from io import StringIO
from itertools import islice
from typing import Any

from django.db import connection

from customers.models import Customer
from followups.coverage.demand import Demanded
from followups.coverage.plan import Period
from vehicles.models import Vehicle

ROWS_A_COPY = 20_000

_TABLES = """
    DROP TABLE IF EXISTS pg_temp.care_demanded, pg_temp.care_absent;
    CREATE TEMPORARY TABLE care_demanded (
        rule_id bigint NOT NULL,
        code text NOT NULL,
        customer_id bigint NOT NULL,
        vehicle_id bigint NOT NULL,
        nominal_on date NOT NULL,
        step int NOT NULL,
        anchor_on date NOT NULL,
        cycle_on date,
        closes_on date NOT NULL,
        is_due bool NOT NULL,
        last_chance timestamptz NOT NULL
    ) ON COMMIT DROP
"""

_ABSENT = """
    CREATE TEMPORARY TABLE care_absent ON COMMIT DROP AS
    SELECT demanded.*
    FROM care_demanded AS demanded
    WHERE NOT EXISTS (
        SELECT FROM followups_touchpoint AS point
        JOIN followups_carerule AS rule ON rule.id = point.rule_id
        WHERE point.nominal_on BETWEEN %(first)s AND %(last)s
          AND rule.code = demanded.code
          AND point.customer_id = demanded.customer_id
          AND coalesce(point.vehicle_id, 0) = demanded.vehicle_id
          AND point.nominal_on = demanded.nominal_on
    )
"""

_FOUND_BY_CYCLE = """
    DELETE FROM care_absent AS absent
    USING followups_touchpoint AS point
    JOIN followups_carerule AS rule ON rule.id = point.rule_id
    WHERE absent.cycle_on IS NOT NULL
      AND rule.code = absent.code
      AND point.customer_id = absent.customer_id
      AND point.vehicle_id = absent.vehicle_id
      AND point.cycle_on = absent.cycle_on
      AND point.step = absent.step
"""

# A change of the car since the planner last looked; the first look of the next night will see it.
_CAR_CHANGED_SINCE = """
    UPDATE care_absent AS absent SET is_due = false
    WHERE is_due AND vehicle_id <> 0 AND EXISTS (
        SELECT FROM {vehicle_event} AS event
        WHERE event.pgh_obj_id = absent.vehicle_id AND event.pgh_created_at > absent.last_chance
    )
"""

# The same for promises to people as drivers: what makes one of them is compared, of cars that they have or had.
_GARAGE_CHANGED_SINCE = """
    UPDATE care_absent AS absent SET is_due = false
    FROM followups_carerule AS rule
    WHERE absent.is_due AND absent.vehicle_id = 0 AND rule.id = absent.rule_id
      AND rule.trigger IN ('season', 'regular', 'silence')
      AND (
        EXISTS (
            SELECT FROM {vehicle_event} AS event
            JOIN {vehicle} AS car ON car.id = event.pgh_obj_id
            WHERE car.owner_id = absent.customer_id AND event.pgh_created_at > absent.last_chance
              AND ROW ({event_drivers}) IS DISTINCT FROM ROW ({car_drivers})
        )
        OR EXISTS (
            SELECT FROM {vehicle_event} AS event
            JOIN {vehicle} AS car ON car.id = event.pgh_obj_id
            WHERE event.owner_id = absent.customer_id AND car.owner_id <> event.owner_id
              AND event.pgh_created_at > absent.last_chance
        )
      )
"""

# The same for customers, whose row also changes with each contact: only what makes promises is compared. An event keeps
# the row as it was before its change, so the first one since then tells what the planner saw.
_CUSTOMER_CHANGED_SINCE = """
    UPDATE care_absent AS absent SET is_due = false
    FROM {customer} AS customer
    WHERE absent.is_due AND absent.vehicle_id = 0 AND customer.id = absent.customer_id
      AND EXISTS (
        SELECT FROM {customer_event} AS event
        WHERE event.pgh_obj_id = customer.id AND event.pgh_created_at > absent.last_chance
      )
      AND (
        SELECT ROW ({event_facts}) FROM {customer_event} AS event
        WHERE event.pgh_obj_id = customer.id AND event.pgh_created_at > absent.last_chance
        ORDER BY event.pgh_id LIMIT 1
      ) IS DISTINCT FROM ROW ({customer_facts})
"""

_PROMISING_FACTS = (
    "store_id",
    "status",
    "tier",
    "salutation",
    "birthday_calendar",
    "birthday_month",
    "birthday_day",
    "is_birthday_leap_month",
)

_DRIVER_FACTS = ("owner_id", "status", "care_from", "delivery_on", "next_service_kind", "next_service_on")

_COUNTS = """
    WITH absent AS (
        SELECT code, customer_id, vehicle_id, nominal_on, bool_or(is_due) AS is_due
        FROM care_absent GROUP BY code, customer_id, vehicle_id, nominal_on
    )
    SELECT
        (SELECT count(*) FROM (SELECT DISTINCT code, customer_id, vehicle_id, nominal_on FROM care_demanded) AS every),
        (SELECT count(*) FROM absent),
        (SELECT count(*) FROM absent WHERE is_due),
        (SELECT min(closes_on) FROM care_absent WHERE is_due)
"""

_MISSING = """
    SELECT DISTINCT ON (absent.nominal_on, absent.code, customer.number, vehicle.vin)
        store.code, absent.code, customer.number, coalesce(vehicle.vin, '-'), absent.nominal_on,
        absent.rule_id, absent.anchor_on, absent.step
    FROM care_absent AS absent
    JOIN {customer} AS customer ON customer.id = absent.customer_id
    JOIN accounts_store AS store ON store.id = customer.store_id
    LEFT JOIN {vehicle} AS vehicle ON vehicle.id = absent.vehicle_id
    WHERE absent.is_due
    ORDER BY absent.nominal_on, absent.code, customer.number, vehicle.vin
    LIMIT %(limit)s
"""

# The later one of two rows that keep the same promise: same nominal date, or same step of a service cycle.
_DUPLICATES = """
    WITH double AS (
        SELECT id FROM (
            SELECT point.id, row_number() OVER (
                PARTITION BY rule.code, point.customer_id, point.vehicle_id, point.nominal_on ORDER BY point.id
            ) AS place
            FROM followups_touchpoint AS point
            JOIN followups_carerule AS rule ON rule.id = point.rule_id
            WHERE point.nominal_on BETWEEN %(first)s AND %(last)s
        ) AS placed
        WHERE place > 1
        UNION
        SELECT point.id
        FROM followups_touchpoint AS point
        JOIN followups_carerule AS rule ON rule.id = point.rule_id
        JOIN followups_touchpoint AS other
          ON other.vehicle_id = point.vehicle_id AND other.customer_id = point.customer_id
          AND other.cycle_on = point.cycle_on AND other.step = point.step AND other.id <> point.id
        JOIN followups_carerule AS other_rule ON other_rule.id = other.rule_id AND other_rule.code = rule.code
        WHERE point.nominal_on BETWEEN %(first)s AND %(last)s AND point.cycle_on IS NOT NULL
          AND (other.id < point.id OR other.nominal_on NOT BETWEEN %(first)s AND %(last)s)
    )
    SELECT {columns}
    FROM double
    JOIN followups_touchpoint AS point ON point.id = double.id
    JOIN followups_carerule AS rule ON rule.id = point.rule_id
    JOIN {customer} AS customer ON customer.id = point.customer_id
    JOIN accounts_store AS store ON store.id = customer.store_id
    LEFT JOIN {vehicle} AS vehicle ON vehicle.id = point.vehicle_id
    WHERE customer.store_id = ANY (%(stores)s)
    {rest}
"""


@dataclass(frozen=True)
class Counts:
    """Touch points by what the comparison found. ``waiting`` ones are absent, but no night has had to plan them yet.

    ``closed_first_on`` is when the first window of a missing one ended.
    """

    expected: int
    missing: int
    waiting: int
    duplicates: int
    closed_first_on: date | None


def write_demand(demand: Iterable[Demanded]) -> Iterator[int]:
    """Fill the temporary table and yield how many rows it has so far. Needs an open transaction, which drops it.

    A second check in the same transaction (of a test) starts with a table of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
    rows, written = iter(demand), 0
    while batch := list(islice(rows, ROWS_A_COPY)):
        text = StringIO("".join(_copy_line(row) for row in batch))
        with connection.cursor() as cursor:
            cursor.copy_expert("COPY care_demanded FROM STDIN", text)
        written += len(batch)
        yield written


def _copy_line(row: Demanded) -> str:
    values = (
        row.rule.pk,
        row.rule.code,
        row.customer_id,
        row.vehicle_id,
        row.promise.nominal_on,
        row.promise.step,
        row.anchor_on,
        row.cycle_on or "\\N",
        row.promise.closes_on,
        row.is_due,
        row.last_chance,
    )
    return "\t".join(map(str, values)) + "\n"


def compare(period: Period, store_ids: list[int]) -> Counts:
    """Compare the demand written before with the ledger, in the same transaction."""
    words = {
        "customer": Customer._meta.db_table,
        "customer_event": Customer.pgh_event_model._meta.db_table,  # type: ignore[attr-defined]  # from pghistory
        "vehicle": Vehicle._meta.db_table,
        "vehicle_event": Vehicle.pgh_event_model._meta.db_table,  # type: ignore[attr-defined]
        "event_facts": ", ".join(f"event.{fact}" for fact in _PROMISING_FACTS),
        "customer_facts": ", ".join(f"customer.{fact}" for fact in _PROMISING_FACTS),
        "event_drivers": ", ".join(f"event.{fact}" for fact in _DRIVER_FACTS),
        "car_drivers": ", ".join(f"car.{fact}" for fact in _DRIVER_FACTS),
    }
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE care_demanded")
        cursor.execute(_ABSENT, _bounds(period))
        cursor.execute("ANALYZE care_absent")
        cursor.execute(_FOUND_BY_CYCLE)
        for statement in (_CAR_CHANGED_SINCE, _GARAGE_CHANGED_SINCE, _CUSTOMER_CHANGED_SINCE):
            cursor.execute(statement.format(**words))
        cursor.execute(_COUNTS)
        every, absent, missing, closed_first_on = cursor.fetchone()
        cursor.execute(_duplicates("count(*)"), _bounds(period) | {"stores": store_ids})
        (duplicates,) = cursor.fetchone()
    waiting = absent - missing
    return Counts(every - waiting, missing, waiting, duplicates, closed_first_on)


def missing_rows(limit: int) -> list[tuple[Any, ...]]:
    """Return the first missing ones: store, rule, customer no., VIN, nominal date, rule id, anchor date, step."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING.format(customer=Customer._meta.db_table, vehicle=Vehicle._meta.db_table), {"limit": limit}
        )
        return cursor.fetchall()


def duplicate_rows(period: Period, store_ids: list[int], limit: int) -> list[tuple[Any, ...]]:
    """Return the first double ones: store, rule, customer no., VIN, nominal date."""
    columns = "store.code, rule.code, customer.number, coalesce(vehicle.vin, '-'), point.nominal_on"
    statement = _duplicates(columns, "ORDER BY point.nominal_on, rule.code, point.id LIMIT %(limit)s")
    with connection.cursor() as cursor:
        cursor.execute(statement, _bounds(period) | {"stores": store_ids, "limit": limit})
        return cursor.fetchall()


def _duplicates(columns: str, rest: str = "") -> str:
    return _DUPLICATES.format(
        columns=columns, rest=rest, customer=Customer._meta.db_table, vehicle=Vehicle._meta.db_table
    )


def _bounds(period: Period) -> dict[str, date | list[int] | int]:
    return {"first": period.first, "last": period.last}
