"""The rules in force, and what one of them promises from an anchor date."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from followups.choices import OffsetUnit
from followups.coverage.dates import WorkingDays, months_after
from followups.models import CareRule, RuleReturn


class Promise(NamedTuple):
    """One nominal date of a rule with its window."""

    nominal_on: date
    step: int
    opens_on: date
    closes_on: date


@dataclass(frozen=True)
class Period:
    """The nominal dates asked for, both included."""

    first: date
    last: date


@dataclass
class RuleInForce:
    """A care rule as a store has it, able to count forward from an anchor date.

    The promises of an anchor date are the same for every car that has it, so they are remembered: the memory used grows
    with the number of different days, not with the fleet.
    """

    pk: int
    code: str
    trigger: str
    params: dict[str, Any]
    offsets: list[int]
    in_months: bool
    repeat_every: int
    early: timedelta
    late: timedelta
    shift: str
    active_from: date
    changed_at: datetime
    period: Period
    working_days: WorkingDays
    _remembered: dict[date, tuple[Promise, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, rule: CareRule, period: Period, working_days: WorkingDays, returned: RuleReturn | None = None
    ) -> "RuleInForce":
        """Return the rule of the group or of a store; ``returned`` says since when a store follows the group again."""
        active_from = rule.active_from or date.min
        changed_at = rule.changed_at
        if returned is not None:
            active_from = max(active_from, returned.returned_on)
            changed_at = max(changed_at, returned.changed_at)
        return cls(
            pk=rule.pk,
            code=rule.code,
            trigger=rule.trigger,
            params=rule.params,
            offsets=list(rule.offsets),
            in_months=rule.offset_unit == OffsetUnit.MONTHS,
            repeat_every=rule.repeat_every or 0,
            early=timedelta(days=rule.early_days),
            late=timedelta(days=rule.late_days),
            shift=rule.shift,
            active_from=active_from,
            changed_at=changed_at,
            period=period,
            working_days=working_days,
        )

    def promise(self, nominal_on: date, *, anchor: date, step: int = 0) -> Promise:
        """Return a nominal date with its window (due date by the working-day rule, then early and late days)."""
        due_on = self.working_days.shifted(nominal_on, self.shift, anchor)
        return Promise(nominal_on, step, due_on - self.early, due_on + self.late)

    def promises(self, anchor: date) -> tuple[Promise, ...]:
        """Return what the offsets promise from an anchor date inside the period."""
        known = self._remembered.get(anchor)
        if known is None:
            known = self._remembered[anchor] = tuple(self._count_forward(anchor))
        return known

    def _count_forward(self, anchor: date) -> Iterator[Promise]:
        for step in self._steps():
            nominal_on = months_after(anchor, step) if self.in_months else anchor + timedelta(days=step)
            if nominal_on > self.period.last and step >= max(self.offsets):
                return
            if self.period.first <= nominal_on <= self.period.last:
                yield self.promise(nominal_on, anchor=anchor, step=step)

    def _steps(self) -> Iterator[int]:
        yield from self.offsets
        if self.offsets and self.repeat_every:
            yield from count(self.offsets[-1] + self.repeat_every, self.repeat_every)

    def why(self, anchor: date, step: int) -> str:
        """Say in words where a nominal date comes from."""
        if not step:
            return f"{self.trigger} {anchor}"
        return f"{self.trigger} {anchor} {step:+d} {'months' if self.in_months else 'days'}"


def rules_in_force(store_ids: list[int], period: Period) -> dict[int, dict[str, list[RuleInForce]]]:
    """Return for each store its active rules by trigger; a store's own rule takes the place of the group's."""
    working_days = WorkingDays.stored()
    group: dict[str, CareRule] = {}
    own: dict[int, dict[str, CareRule]] = {store_id: {} for store_id in store_ids}
    for rule in CareRule.objects.order_by("pk"):
        if rule.store_id is None:
            group[rule.code] = rule
        elif rule.store_id in own:
            own[rule.store_id][rule.code] = rule
    returns = {(each.rule_id, each.store_id): each for each in RuleReturn.objects.order_by("pk")}
    made: dict[tuple[int, int | None], RuleInForce] = {}
    result: dict[int, dict[str, list[RuleInForce]]] = {}
    for store_id, overrides in own.items():
        by_trigger = result[store_id] = {}
        for rule in (group | overrides).values():
            if rule.is_active:
                returned = returns.get((rule.pk, store_id))
                key = (rule.pk, returned.pk if returned else None)
                if key not in made:
                    made[key] = RuleInForce.of(rule, period, working_days, returned)
                by_trigger.setdefault(rule.trigger, []).append(made[key])
    return result
