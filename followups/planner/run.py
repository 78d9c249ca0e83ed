"""The nightly run: brings the ledger of promised contacts up to a day (domain §3, issue of the care engine).

One transaction does all of it: a run that is killed leaves nothing half done, and the next one does the whole again.
"""

import copy
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone

from accounts.models import Store, User
from core.actions import locked
from core.choices import JobStatus
from core.models import JobRun
from core.queries import work_calendar
from core.rules import WorkCalendar
from customers.models import Customer
from followups.models import CareRule, RuleReturn
from followups.planner import sql, upkeep
from followups.planner.rules import Hit, Horizon, Window, hits
from followups.planner.runs import (
    bury_killed_runs,
    last_completed,
    latest_runs,
    recorded,
    saw_changes_until,
    unseen_changes_since,
)
from followups.planner.sql import Scope, Sql
from followups.triggers import TRIGGERS
from followups.triggers.base import Arm
from vehicles.actions import refresh_lapsed_inspections

PLAN_LOCK = (7300, 0)
# How far a forecast may have moved.
FORECAST_DAYS = 400
# How many days of openings one statement covers, when much is caught up.
SLICE_DAYS = 31


@dataclass
class RuleCounts:
    """What a run did for one rule."""

    created: int = 0
    suppressed: int = 0
    existing: int = 0
    missed: int = 0
    moved: int = 0
    cancelled: int = 0


@dataclass
class PlanResult:
    """What a run did. ``created`` are new touch points to be worked, ``suppressed`` new ones that are not made for a
    reason, ``existing`` ones that were demanded and already there; ``missed`` were not made in their window;
    ``cancelled`` were open and are not made any more; ``stores`` are the codes of those that were planned."""

    business_date: date
    created: int = 0
    suppressed: int = 0
    existing: int = 0
    seconds: float = 0.0
    missed: int = 0
    cancelled: int = 0
    merged: int = 0
    stores: list[str] = field(default_factory=list)
    by_rule: dict[str, RuleCounts] = field(default_factory=dict)
    # All changes before this moment were seen; None where the database does not tell.
    saw_changes_until: datetime | None = None

    def as_counts(self) -> dict[str, Any]:
        """Return the counts as stored in the ``JobRun``."""
        counts = asdict(self)
        counts.pop("business_date")
        if self.saw_changes_until is not None:
            counts["saw_changes_until"] = self.saw_changes_until.isoformat()
        counts["by_rule"] = {code: counted for code, counted in counts["by_rule"].items() if any(counted.values())}
        return counts


@dataclass(frozen=True)
class EffectiveRule:
    """A rule that is on, the stores it applies to, and the rule that its touch points are filed under."""

    rule: CareRule
    identity: int
    store_ids: tuple[int, ...]


def effective_rules(stores: Sequence[Store]) -> list[EffectiveRule]:
    """Return the rules that are on, each with its stores: a store's own rule replaces the group's of that code."""
    own: dict[str, dict[int, CareRule]] = defaultdict(dict)
    group: dict[str, CareRule] = {}
    for rule in CareRule.objects.order_by("position", "code", "pk"):
        if rule.store_id is None:
            group[rule.code] = rule
        else:
            own[rule.code][rule.store_id] = rule
    returns: dict[int, dict[int, date]] = defaultdict(dict)
    for returned in RuleReturn.objects.order_by("pk"):
        returns[returned.rule_id][returned.store_id] = returned.returned_on
    found: list[EffectiveRule] = []
    for code in dict.fromkeys([*group, *own]):
        replaced = own.get(code, {})
        if code in group and group[code].is_active:
            following = [store.pk for store in stores if store.pk not in replaced]
            for since, store_ids in _by_return(following, returns[group[code].pk]).items():
                rule = copy.copy(group[code])
                rule.active_from = max(filter(None, (rule.active_from, since)), default=None)
                found.append(EffectiveRule(rule, rule.pk, store_ids))
        for store in stores:
            own_rule = replaced.get(store.pk)
            if own_rule is not None and own_rule.is_active:
                found.append(EffectiveRule(own_rule, group.get(code, own_rule).pk, (store.pk,)))
    # Higher priority first, so that it is there when the less urgent ones are merged.
    return sorted(found, key=lambda each: (each.rule.priority, each.rule.position, each.rule.pk))


def _by_return(store_ids: Iterable[int], returns: Mapping[int, date]) -> dict[date | None, tuple[int, ...]]:
    """Return the stores by the day since which they follow the group again; None for those that always did."""
    found: dict[date | None, tuple[int, ...]] = {}
    for store_id in store_ids:
        since = returns.get(store_id)
        found[since] = (*found.get(since, ()), store_id)
    return found


def window_of(rule: CareRule) -> Window:
    """Return the window of a rule as its pure form."""
    return Window(
        early_days=rule.early_days,
        late_days=rule.late_days,
        shift=rule.shift,
    )


def rule_hits(rule: CareRule, horizon: Horizon, calendar: WorkCalendar) -> Iterator[tuple[Arm, list[Hit]]]:
    """Yield the arms of a rule with the windows of a horizon; arms without any are left out."""
    window = window_of(rule)
    first, last = horizon.nominal_range(window, calendar)
    for arm in TRIGGERS[rule.trigger].arms(rule):
        found = [hit for hit in hits(arm.nominals(first, last), window, calendar) if horizon.includes(hit)]
        if found:
            yield arm, found


def nominal_hits(rule: CareRule, first: date, last: date, calendar: WorkCalendar) -> Iterator[tuple[Arm, list[Hit]]]:
    """Yield all arms of a rule with every nominal date between two days."""
    window = window_of(rule)
    for arm in TRIGGERS[rule.trigger].arms(rule):
        yield arm, list(hits(arm.nominals(first, last), window, calendar))


def plan_care(
    *,
    on: date,
    store: Store | None = None,
    dry_run: bool = False,
    since: date | None = None,
    by: User | None = None,
) -> PlanResult:
    """Bring the ledger of touch points up to a day, for one store or all, and return what was done.

    Safe to repeat, to run twice at once (the second waits and then finds everything there) and to kill. It looks at
    windows that opened after the last completed run, and for customers, rules and calendars that changed since then at
    all open windows; days without a run are caught up. ``since`` looks at every window that closed on or after that
    day, to heal a ledger from which rows were lost. A dry run does the same and rolls it back.
    """
    started = time.monotonic()
    stores = [store] if store else list(Store.objects.active().order_by("pk"))
    with recorded(on=on, store=store, by=by, dry_run=dry_run) as run, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", PLAN_LOCK)
        if run is not None:
            bury_killed_runs(run)
        result = _plan(Scope(on, [s.pk for s in stores], run.pk if run else None), stores, since=since)
        result.stores = [each.code for each in stores]
        # The foreign keys of the new rows, half the work of a first run: not in the commit, which nobody would count.
        connection.check_constraints()
        result.seconds = round(time.monotonic() - started, 3)
        if run is None:
            transaction.set_rollback(True)
        else:
            JobRun.objects.filter(pk=run.pk).update(
                status=JobStatus.DONE, finished_at=timezone.now(), counts=result.as_counts()
            )
    return result


def plan_customers(*, customer_ids: Iterable[int], on: date) -> PlanResult:
    """Plan for some customers at once, after something that cannot wait for the night: a delivery, a new owner."""
    started = time.monotonic()
    stores = list(Store.objects.active().order_by("pk"))
    scope = Scope(on, [s.pk for s in stores])
    result = PlanResult(on)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", PLAN_LOCK)
        # Few enough to keep the order of locks, which the night cannot (ADR 0011).
        noted = list(locked(Customer.objects.filter(pk__in=list(customer_ids))).values_list("pk", flat=True))
        upkeep.make_work_tables(scope)
        upkeep.note_customers(scope, noted)
        calendar = _calendar(on, on)
        rules = effective_rules(stores)
        _reconcile_changed(rules, scope, calendar, result)
        Sql("INSERT INTO care_affected SELECT customer_id FROM care_changed").run()
        upkeep.release_orphans(scope)
        for rule in rules:
            _insert(rule, Horizon(opens_until=on, closes_from=on), scope, calendar, result, changed_only=True)
        result.merged = upkeep.merge(scope, next_working_day=calendar.on_or_after(on + timedelta(days=1)))
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _plan(scope: Scope, stores: Sequence[Store], *, since: date | None) -> PlanResult:
    on = scope.on
    # Asked before anything is read.
    result = PlanResult(on, saw_changes_until=saw_changes_until())
    upkeep.make_work_tables(scope)
    result.missed = upkeep.end_missed(scope)
    rules = effective_rules(stores)

    latest = latest_runs(stores)
    last = None if since else last_completed(latest)
    if last is not None:
        # No visit tells of the cars that never come. What the last run saw is promised before it moves.
        refresh_lapsed_inspections(store_ids=scope.store_ids, lapsed_by=min(last.business_date, on), on=on)
    if last is None:
        entered = Customer.objects.filter(store__in=scope.store_ids).aggregate(first=Min("entered_on"))["first"]
        closes_from = min(since or entered or on, on)
    else:
        closes_from = min(last.business_date, on)
    calendar = _calendar(closes_from, on)
    everything = Horizon(opens_until=on, closes_from=closes_from)
    looks = {each.rule.pk: [(everything, False)] for each in rules}
    changed_since = unseen_changes_since(latest)
    # Also where every window is looked at: that finds what was never promised, not what is promised no more.
    changed = upkeep.note_changed(scope, since=changed_since) if changed_since else 0
    if new := [store_id for store_id, run in latest.items() if run is None]:
        changed += upkeep.note_live(new)
    altered = _altered_codes(changed_since) if changed_since else set()
    if altered:
        # What such a rule promised before and promises no more ends for everybody, not just for those who have changed.
        changed += upkeep.note_promised(scope, [each.identity for each in rules if each.rule.code in altered])
    if changed:
        _reconcile_changed(rules, scope, calendar, result)
    if last is not None and changed_since is not None:
        # A day without a run is caught up; the same day again is looked at again.
        opened = replace(everything, opens_from=min(last.business_date + timedelta(days=1), on))
        is_calendar_changed = _is_calendar_changed(changed_since)
        for each in rules:
            if each.rule.code not in altered and not is_calendar_changed:
                looks[each.rule.pk] = [(opened, False)] + ([(everything, True)] if changed else [])

    upkeep.release_orphans(scope)
    for each in rules:
        for horizon, changed_only in looks[each.rule.pk]:
            for part in horizon.slices(days=SLICE_DAYS):
                _insert(each, part, scope, calendar, result, changed_only=changed_only)
    upkeep.refresh_statistics(result.created + result.suppressed + result.missed)
    next_working_day = calendar.on_or_after(on + timedelta(days=1))
    upkeep.note_due(scope, since=last.business_date if last else None, next_working_day=next_working_day)
    result.merged = upkeep.merge(scope, next_working_day=next_working_day)
    upkeep.release_absent(scope)
    upkeep.share_overload(scope, next_working_day=next_working_day)
    return result


def _altered_codes(since: datetime) -> set[str]:
    """Return the codes of rules that were changed, for whatever store: all their open windows are looked at again."""
    events = apps.get_model("followups", "CareRuleEvent").objects.filter(pgh_created_at__gte=since)
    return set(events.values_list("code", flat=True))


def _is_calendar_changed(since: datetime) -> bool:
    """Tell whether working days changed, and with them the windows of every rule."""
    return apps.get_model("core", "CalendarDayEvent").objects.filter(pgh_created_at__gte=since).exists()


def _calendar(first: date, last: date) -> WorkCalendar:
    """Return the working days that a run needs: as far back and ahead as forecasts reach, and a window beyond."""
    reach = timedelta(days=FORECAST_DAYS + 180)
    return work_calendar(first - reach, last + reach)


def _counts(result: PlanResult, rule: CareRule) -> RuleCounts:
    return result.by_rule.setdefault(rule.code, RuleCounts())


def _insert(
    each: EffectiveRule,
    horizon: Horizon,
    scope: Scope,
    calendar: WorkCalendar,
    result: PlanResult,
    *,
    changed_only: bool,
) -> None:
    counts = _counts(result, each.rule)
    part = Scope(scope.on, each.store_ids, scope.run_id)
    for arm, found in rule_hits(each.rule, horizon, calendar):
        statement = sql.insert_rule(each.rule, each.identity, arm, found, part, changed_only=changed_only)
        ((demanded, added, suppressed, missed),) = statement.run()
        counts.created += added - suppressed
        counts.suppressed += suppressed
        counts.missed += missed
        result.created += added - suppressed
        result.suppressed += suppressed
        result.missed += missed
        if not changed_only:  # the look at changed customers finds rows of the wider one again
            counts.existing += demanded - added
            result.existing += demanded - added


def _reconcile_changed(
    rules: Sequence[EffectiveRule], scope: Scope, calendar: WorkCalendar, result: PlanResult
) -> None:
    """Move, end or take up again what was promised to changed customers, as their facts and wishes are now."""
    result.cancelled += upkeep.end_gone(scope)
    ranges = sql.live_range([each.identity for each in rules])
    reach = timedelta(days=FORECAST_DAYS)
    open_now = Horizon(opens_until=scope.on, closes_from=scope.on)
    for each in rules:
        part = Scope(scope.on, each.store_ids, scope.run_id)
        for arm, found in rule_hits(each.rule, open_now, calendar):
            sql.reopen(each.rule, each.identity, arm, found, part).run()
        if each.identity not in ranges:
            continue
        counts = _counts(result, each.rule)
        first, last = ranges[each.identity]
        trigger = TRIGGERS[each.rule.trigger]
        if trigger.is_forecast:
            arms = list(nominal_hits(each.rule, first - reach, last + reach, calendar))
            for arm, found in arms:
                if found:
                    counts.moved += sql.move_forecasts(each.identity, arm, found, part).rowcount()
        else:
            arms = list(nominal_hits(each.rule, first, last, calendar))
        cancelled = sql.cancel_moot(each.identity, arms, part, speaks_of_end=trigger.speaks_of_end).rowcount()
        counts.cancelled += cancelled
        result.cancelled += cancelled
    result.cancelled += upkeep.withhold(scope)
