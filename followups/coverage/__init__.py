"""The honest second opinion on the ledger of touch points.

It recomputes from customers, cars, orders, policies and contacts what the care plan demanded, and compares. It shares
no date code with the planner (an import contract says so): months, lunar days, working days, windows and the demand
itself are written here a second time, forward from each anchor in Python, where the planner asks for one day in SQL.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from accounts.models import Store
from followups.coverage.dates import FIRST_YEAR, LAST_YEAR
from followups.coverage.demand import Demand
from followups.coverage.forecast import StaleForecast, stale_forecasts
from followups.coverage.ledger import compare, duplicate_rows, missing_rows, write_demand
from followups.coverage.nights import nights_of
from followups.coverage.plan import Period, rules_in_force

ROWS_SHOWN = 20


class CannotCheckCoverage(ValueError):
    """The period cannot be checked; the message says why in one sentence."""


@dataclass(frozen=True)
class Finding:
    """A touch point that is missing or double, in words."""

    store: str
    rule: str
    customer_no: str
    vin: str
    nominal_on: date
    why: str = ""


@dataclass(frozen=True)
class Coverage:
    """What the plan demanded with a nominal date in the period, and what the ledger has of it.

    ``waiting`` counts what is demanded since a change after the last night: no fault yet, and not in ``expected``.
    ``through`` is the last night that has come for one of the stores, ``heal_since`` the day on which the first window
    of a missing one ended.
    ``missing_first``, ``double_first`` and ``stale_first`` hold the first rows only.
    """

    expected: int
    missing: int
    duplicates: int
    waiting: int
    through: date
    heal_since: date | None
    missing_first: list[Finding]
    double_first: list[Finding]
    stale_count: int
    stale_first: list[StaleForecast]

    @property
    def accounted(self) -> int:
        return self.expected - self.missing

    @property
    def is_complete(self) -> bool:
        """Nothing missing and nothing double."""
        return not self.missing and not self.duplicates


def check_coverage(
    *,
    first: date,
    last: date,
    now: datetime,
    store: Store | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Coverage:
    """Compare what is demanded with nominal dates from ``first`` to ``last`` with the ledger.

    ``store`` limits it to the customers of one store; else all stores in business are checked. A promise is expected
    once its window has opened on a night that has come: see ``nights``. ``progress`` is told the number of demanded
    touch points found so far. Raises ``CannotCheckCoverage`` for a period that is the wrong way round or outside the
    lunar tables. Reads only; it needs one transaction for its temporary tables.
    """
    if last < first:
        raise CannotCheckCoverage(f"The period ends ({last}) before it begins ({first}).")
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise CannotCheckCoverage(f"The period must lie between {FIRST_YEAR} and {LAST_YEAR}.")
    stores = [store] if store else list(Store.objects.active().order_by("pk"))
    store_ids = [one.pk for one in stores]
    period = Period(first, last)
    with transaction.atomic():
        nights = nights_of(stores, now)
        rules = rules_in_force(store_ids, period)
        for rows in write_demand(Demand(period=period, rules=rules, nights=nights)):
            progress(rows)
        counts = compare(period, store_ids)
        by_pk = {rule.pk: rule for of_store in rules.values() for found in of_store.values() for rule in found}
        missing = [
            Finding(store_code, code, number, vin, nominal_on, by_pk[rule_id].why(anchor_on, step))
            for store_code, code, number, vin, nominal_on, rule_id, anchor_on, step in missing_rows(ROWS_SHOWN)
        ]
        double = [Finding(*row) for row in duplicate_rows(period, store_ids, ROWS_SHOWN)]
        stale_count, stale = stale_forecasts(store_ids, ROWS_SHOWN)
    return Coverage(
        expected=counts.expected,
        missing=counts.missing,
        duplicates=counts.duplicates,
        waiting=counts.waiting,
        through=max((one.through for one in nights.values()), default=last),
        heal_since=counts.closed_first_on,
        missing_first=missing,
        double_first=double,
        stale_count=stale_count,
        stale_first=stale,
    )
