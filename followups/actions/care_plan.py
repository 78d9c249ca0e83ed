"""Writes of the care plan and of the limits beside it (screens S10)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction

from accounts.models import Store, User
from core.actions import acting, locked
from followups.models import CareRule, RuleReturn

# What the settings may change. Code, store and trigger are what a rule is; `active_from` follows from the changes.
RULE_FIELDS = frozenset(
    {
        "name_zh",
        "name_en",
        "offsets",
        "offset_unit",
        "repeat_every",
        "params",
        "early_days",
        "late_days",
        "shift",
        "owner_role",
        "handling",
        "channels",
        "rotates_channels",
        "priority",
        "care_class",
        "covered_days",
        "ignores_gap",
        "is_held_by_complaint",
        "points_zh",
        "points_en",
        "is_active",
    }
)
# A change of these promises other days than before; the past is not measured by the new promise.
TIMING_FIELDS = frozenset({"offsets", "offset_unit", "repeat_every", "params", "early_days", "late_days", "shift"})
STORE_LIMITS = ("daily_calls", "gap_days", "max_retries", "lease_minutes")


class CannotChangeCarePlan(Exception):
    """The base of everything that keeps a change of the care plan from being made."""


class RuleChangedMeanwhile(CannotChangeCarePlan):
    """Somebody else saved the rule after it was shown; ``rule`` is what they saved."""

    def __init__(self, rule: CareRule) -> None:
        super().__init__(rule.code)
        self.rule = rule


class StoreHasOwnRule(CannotChangeCarePlan):
    """The store already has a rule of its own in place of the group's."""


class NotAStoreRule(CannotChangeCarePlan):
    """The rule is the group's own: it is switched off, not removed."""


class NotAGroupRule(CannotChangeCarePlan):
    """Only a rule of the group can be taken over by a store."""


def with_values(rule: CareRule, values: Mapping[str, Any], *, on: date) -> set[str]:
    """Put ``values`` on the rule without saving it, and return which fields differ from before.

    A rule that is switched on, or whose timing changes, promises from ``on`` only: what ended before is not made up
    (safe switch-on). The dry run and the saving both go through here, so that they speak of the same rule. Raises
    ``ValueError`` for a field that the settings may not change.
    """
    if unknown := set(values) - RULE_FIELDS:
        raise ValueError(f"not a setting of a care rule: {', '.join(sorted(unknown))}")
    changed = {name for name, value in values.items() if getattr(rule, name) != value}
    is_switched_on = "is_active" in changed and values["is_active"]
    for name in changed:
        setattr(rule, name, values[name])
    if is_switched_on or changed & TIMING_FIELDS:
        rule.active_from = on
        changed.add("active_from")
    return changed


@transaction.atomic
def update_rule(*, rule: CareRule, values: Mapping[str, Any], seen_at: datetime, by: User, on: date) -> CareRule:
    """Change settings of a rule and return it as saved; ``on`` is the business date from which a new timing counts.

    ``seen_at`` is the ``changed_at`` of the rule that the person had on the screen. Raises ``RuleChangedMeanwhile``
    when it is not the present one.
    """
    present = locked(CareRule.objects.select_related("store")).get(pk=rule.pk)
    if present.changed_at != seen_at:
        raise RuleChangedMeanwhile(present)
    if changed := with_values(present, values, on=on):
        with acting(by):
            present.save(update_fields=sorted(changed))
        present.refresh_from_db(fields=["changed_at"])
    return present


def switch_rule(*, rule: CareRule, is_active: bool, seen_at: datetime, by: User, on: date) -> CareRule:
    """Switch a rule on from ``on``, or off; its touch points stay as history. Raises as ``update_rule`` does."""
    return update_rule(rule=rule, values={"is_active": is_active}, seen_at=seen_at, by=by, on=on)


@transaction.atomic
def create_store_rule(*, rule: CareRule, store: Store, by: User) -> CareRule:
    """Give a store a rule of its own in place of a rule of the group, equal to it at first, and return it.

    Touch points stay filed under the group's rule, so a promise remains the same one. Raises ``NotAGroupRule`` and
    ``StoreHasOwnRule``.
    """
    original = locked(CareRule.objects.all()).get(pk=rule.pk)
    if original.store_id is not None:
        raise NotAGroupRule(original.code)
    if CareRule.objects.filter(code=original.code, store=store).exists():
        raise StoreHasOwnRule(original.code)
    with acting(by):
        return CareRule.objects.create(
            code=original.code,
            store=store,
            position=original.position,
            trigger=original.trigger,
            active_from=max(filter(None, (original.active_from, _returned_on(original, store))), default=None),
            **{name: getattr(original, name) for name in sorted(RULE_FIELDS)},
        )


@transaction.atomic
def remove_store_rule(*, rule: CareRule, by: User, on: date) -> CareRule:
    """Take a store's own rule away, so that the group's rule counts there again; return the group's rule.

    Where the two promised other days, the group's promises there from ``on`` only (safe switch-on); else from where the
    store's own did. Its history stays in the events, where the next run sees that the open windows of this code need
    another look. Raises ``NotAStoreRule`` for a rule of the group, and for a rule that only the store has: nothing
    would take its place.
    """
    own = locked(CareRule.objects.all()).get(pk=rule.pk)
    group = CareRule.objects.filter(code=own.code, store=None).first()
    if own.store_id is None or group is None:
        raise NotAStoreRule(own.code)
    is_same = all(getattr(own, name) == getattr(group, name) for name in (*TIMING_FIELDS, "is_active"))
    since = own.active_from if is_same else on
    if since is not None:
        RuleReturn.objects.update_or_create(rule=group, store=own.store, defaults={"returned_on": since})
    with acting(by):
        own.delete()
    return group


def _returned_on(rule: CareRule, store: Store) -> date | None:
    return RuleReturn.objects.filter(rule=rule, store=store).values_list("returned_on", flat=True).first()


@transaction.atomic
def change_store_limits(*, store: Store, limits: Mapping[str, int], by: User) -> Store:
    """Change the limits of domain §3.6 for a store. Raises ``ValueError`` for anything that is not such a limit."""
    if unknown := set(limits) - set(STORE_LIMITS):
        raise ValueError(f"not a limit of a store: {', '.join(sorted(unknown))}")
    present = locked(Store.objects.all()).get(pk=store.pk)
    changed = [name for name, value in limits.items() if getattr(present, name) != value]
    for name in changed:
        setattr(present, name, limits[name])
    if changed:
        with acting(by):
            present.save(update_fields=changed)
    return present
