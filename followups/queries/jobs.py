"""Reads of the nightly runs (screens S9)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import pgettext

from accounts.choices import Role
from accounts.models import Store, User
from accounts.permissions import MANAGER_ROLES, has_role, job_store_ids, memberships_of
from core.choices import JobStatus
from core.models import JobRun
from core.rules import AlarmKind, JobAlarm, Place, RunFacts, job_alarms
from followups.models import CareRule

PLAN_JOB = "plan_care"
# Runs of older business dates say nothing about whether tonight's plan is there.
ALARM_DAYS = 3


@dataclass(frozen=True)
class RuleCounts:
    """What a run did for one rule; ``name`` is in the reader's language, empty for a rule that is gone."""

    code: str
    name: str
    created: int
    existing: int
    suppressed: int
    missed: int
    cancelled: int


@dataclass(frozen=True)
class AlarmFacts:
    """What every alarm is worked out from, the same for all users: the stores in business and their recent runs."""

    places: Sequence[Place]
    runs: Sequence[RunFacts]


@dataclass(frozen=True)
class AlarmNotice:
    """Alarms of one kind and business date, put together for one sentence on the screen."""

    kind: AlarmKind
    business_date: date
    stores: Sequence[str]
    is_everywhere: bool

    @property
    def store_names(self) -> str:
        """The stores in one line."""
        return pgettext("between the words of a list", ", ").join(self.stores)


def store_codes_of_jobs(user: User) -> frozenset[str] | None:
    """Return the codes of the stores whose runs a user sees; None means all of them (the group, admins, auditors)."""
    store_ids = job_store_ids(user)
    if store_ids is None or has_role(user, Role.AUDITOR):
        return None
    return frozenset(m.store.code for m in memberships_of(user) if m.store and m.store_id in store_ids)


def plan_runs(user: User) -> QuerySet[JobRun]:
    """Runs of the nightly plan that a user may see, newest first: those of own stores, and those for all stores."""
    runs = JobRun.objects.filter(name=PLAN_JOB).order_by("-pk")
    codes = store_codes_of_jobs(user)
    return runs if codes is None else runs.filter(Q(store_code="") | Q(store_code__in=codes))


def runnable_stores(user: User) -> QuerySet[Store]:
    """Stores whose plan a user may start by hand: managers their own ones, administrators all (domain §10)."""
    stores = Store.objects.active().order_by("code")
    if has_role(user, Role.SYSTEM_ADMIN):
        return stores
    return stores.filter(pk__in={m.store_id for m in memberships_of(user) if m.role in MANAGER_ROLES})


def rule_names() -> dict[str, str]:
    """Return the names of the plan's rules by code, in the order of the plan."""
    rules = CareRule.objects.order_by("position", "code", "store", "pk")
    names: dict[str, str] = {}
    for rule in rules.only("code", "name_zh", "name_en", "position"):
        names.setdefault(rule.code, rule.name)
    return names


def rule_counts(run: JobRun, names: Mapping[str, str]) -> list[RuleCounts]:
    """Return what a run did rule by rule, in the order of ``names``; nothing for a run that has not ended well."""
    by_rule = run.counts.get("by_rule", {})
    order = {code: place for place, code in enumerate(names)}
    return [
        RuleCounts(
            code=code,
            name=names.get(code, ""),
            **{
                kind: by_rule[code].get(kind, 0)
                for kind in ("created", "existing", "suppressed", "missed", "cancelled")
            },
        )
        for code in sorted(by_rule, key=lambda code: (order.get(code, len(order)), code))
    ]


def alarm_facts(*, now: datetime) -> AlarmFacts:
    """Read what alarms are worked out from: two small queries, whatever the number of customers."""
    stores = Store.objects.active().order_by("code").values_list("code", "name", "time_zone")
    since = now.date() - timedelta(days=ALARM_DAYS)
    runs = (
        JobRun.objects.filter(name=PLAN_JOB)
        .filter(Q(business_date__gte=since) | Q(status=JobStatus.RUNNING))
        .order_by("pk")
        .values_list("store_code", "business_date", "status", "started_at")
    )
    return AlarmFacts([Place(*store) for store in stores], [RunFacts(*run) for run in runs])


def alarm_notices(facts: AlarmFacts, user: User, *, now: datetime) -> list[AlarmNotice]:
    """Return what is wrong with the nightly plan in the stores that a user answers for, worst first."""
    codes = store_codes_of_jobs(user)
    places = [place for place in facts.places if codes is None or place.code in codes]
    return _together(job_alarms(places, facts.runs, now=now), len(places))


def _together(alarms: Iterable[JobAlarm], place_count: int) -> list[AlarmNotice]:
    groups: dict[tuple[AlarmKind, date], list[str]] = {}
    for alarm in alarms:
        groups.setdefault((alarm.kind, alarm.business_date), []).append(alarm.place.name)
    order = list(AlarmKind)
    return [
        AlarmNotice(kind, business_date, names, is_everywhere=len(names) == place_count)
        for (kind, business_date), names in sorted(
            groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
        )
    ]
