"""The dry run of the settings: what a changed rule would promise, beside what it promises now (screens S10)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from accounts.models import Store, User
from accounts.permissions import sees_masked_only
from customers.models import Customer
from followups.models import CareRule
from followups.planner import PlannedTouchPoint, count_planned, planned_touch_points
from vehicles.models import Vehicle

FORECAST_DAYS = 30
SHOWN_ROWS = 50
# Differences are looked for among so many touch points of each version; more would not be read by anybody.
COMPARED_ROWS = 20_000

Key = tuple[int, int | None, date, date]


@dataclass(frozen=True)
class ForecastRow:
    """A touch point that one version of the rule promises and the other does not. Without a name it is masked."""

    point: PlannedTouchPoint
    customer: Customer
    vehicle: Vehicle | None


@dataclass(frozen=True)
class Tally:
    """How many touch points open in a period by the present rule and by the planned one."""

    present: int
    planned: int

    @property
    def difference(self) -> int:
        """How many more there are by the planned rule."""
        return self.planned - self.present


@dataclass(frozen=True)
class RuleForecast:
    """What a change of a rule does in the days after ``on``.

    ``added`` and ``removed`` are the first rows of the difference whose customers the reader may see; the counts are
    of the whole difference, unless ``is_partial`` says that only the first ``COMPARED_ROWS`` were compared.
    """

    on: date
    tomorrow: Tally
    month: Tally
    added: Sequence[ForecastRow]
    removed: Sequence[ForecastRow]
    added_count: int
    removed_count: int
    is_partial: bool
    is_masked: bool
    may_see_customers: bool


def stores_of_rule(rule: CareRule) -> list[Store]:
    """Return the stores in which a rule counts: its own one, or for a rule of the group all without a version of it."""
    if rule.store_id is not None:
        return list(Store.objects.filter(pk=rule.store_id))
    own = CareRule.objects.filter(code=rule.code, store__isnull=False)
    return list(Store.objects.active().exclude(pk__in=own.values("store")).order_by("code"))


def rule_forecast(*, present: CareRule, planned: CareRule, on: date, user: User) -> RuleForecast:
    """Compare what two versions of a rule promise after ``on``; neither needs to be saved, and nothing is written.

    A touch point is counted on the day its window opens, which is when staff first see it.
    """
    stores = stores_of_rule(planned)
    tomorrow, last = on + timedelta(days=1), on + timedelta(days=FORECAST_DAYS)
    before = _points(present, stores, tomorrow, last)
    after = _points(planned, stores, tomorrow, last)
    known, wanted = {_key(point) for point in before}, {_key(point) for point in after}
    added = [point for point in after if _key(point) not in known]
    removed = [point for point in before if _key(point) not in wanted]
    shown = [*added[:SHOWN_ROWS], *removed[:SHOWN_ROWS]]
    customers = Customer.objects.visible_to(user).in_bulk({point.customer_id for point in shown})
    vehicles = Vehicle.objects.select_related("model").in_bulk(
        {point.vehicle_id for point in shown if point.vehicle_id is not None}
    )

    def rows(points: Iterable[PlannedTouchPoint]) -> list[ForecastRow]:
        return [
            ForecastRow(point, customers[point.customer_id], vehicles.get(point.vehicle_id or 0))
            for point in points
            if point.customer_id in customers
        ]

    return RuleForecast(
        on=on,
        tomorrow=Tally(_count(present, stores, tomorrow, tomorrow), _count(planned, stores, tomorrow, tomorrow)),
        month=Tally(_count(present, stores, tomorrow, last), _count(planned, stores, tomorrow, last)),
        added=rows(added[:SHOWN_ROWS]),
        removed=rows(removed[:SHOWN_ROWS]),
        added_count=len(added),
        removed_count=len(removed),
        is_partial=max(len(before), len(after)) == COMPARED_ROWS,
        is_masked=sees_masked_only(user),
        may_see_customers=bool(customers) or not shown,
    )


def _key(point: PlannedTouchPoint) -> Key:
    return point.customer_id, point.vehicle_id, point.nominal_on, point.opens_on


def _count(rule: CareRule, stores: Sequence[Store], first: date, last: date) -> int:
    return count_planned(rules=[rule], stores=stores, first=first, last=last) if rule.is_active else 0


def _points(rule: CareRule, stores: Sequence[Store], first: date, last: date) -> list[PlannedTouchPoint]:
    if not rule.is_active:
        return []
    return planned_touch_points(rules=[rule], stores=stores, first=first, last=last, limit=COMPARED_ROWS)
