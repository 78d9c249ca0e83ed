"""Writes of the care plan: safe switch-on, two people at once, a store's own rules, limits."""

from datetime import date, timedelta

import pytest
from django.apps import apps

from accounts.models import Store
from followups.actions import care_plan
from followups.actions.care_plan import (
    NotAGroupRule,
    NotAStoreRule,
    RuleChangedMeanwhile,
    StoreHasOwnRule,
    change_store_limits,
    create_store_rule,
    remove_store_rule,
    switch_rule,
    update_rule,
)
from followups.models import CareRule
from tests.factories import TODAY, CareRuleFactory

pytestmark = pytest.mark.django_db

LONG_AGO = date(2024, 1, 1)


def saved(rule):
    """The rule as the database has it, with its own ``changed_at``."""
    return CareRule.objects.get(pk=rule.pk)


@pytest.fixture
def rule():
    return saved(CareRuleFactory(active_from=LONG_AGO))


def change(rule, by, **values):
    return update_rule(rule=rule, values=values, seen_at=rule.changed_at, by=by, on=TODAY)


def test_a_change_of_words_keeps_the_day_since_which_the_rule_counts(rule, group_manager):
    after = change(rule, group_manager, name_en="Another name", priority=1)
    assert (after.name_en, after.priority, after.active_from) == ("Another name", 1, LONG_AGO)
    assert saved(rule).name_en == "Another name"


@pytest.mark.parametrize(
    "values",
    [
        {"offsets": [3, 6]},
        {"offset_unit": "months"},
        {"repeat_every": 3},
        {"early_days": 2},
        {"late_days": 0},
        {"shift": "stay"},
        {"params": {"owner_for_months": 6}},
    ],
)
def test_a_change_of_timing_counts_from_that_day(rule, group_manager, values):
    assert change(rule, group_manager, **values).active_from == TODAY


def test_switching_on_counts_from_that_day(group_manager):
    rule = saved(CareRuleFactory(is_active=False, active_from=None))
    after = switch_rule(rule=rule, is_active=True, seen_at=rule.changed_at, by=group_manager, on=TODAY)
    assert (after.is_active, after.active_from) == (True, TODAY)


def test_switching_off_keeps_everything_else(rule, group_manager):
    after = switch_rule(rule=rule, is_active=False, seen_at=rule.changed_at, by=group_manager, on=TODAY)
    assert (after.is_active, after.active_from, after.offsets) == (False, LONG_AGO, [3])


def test_the_same_values_again_change_nothing(rule, group_manager):
    after = change(rule, group_manager, offsets=[3], is_active=True)
    assert (after.changed_at, after.active_from) == (rule.changed_at, LONG_AGO)
    assert rule.events.filter(pgh_label="update").count() == 0


def test_who_comes_second_is_told_and_changes_nothing(rule, group_manager):
    with pytest.raises(RuleChangedMeanwhile) as caught:
        update_rule(
            rule=rule,
            values={"name_en": "Mine"},
            seen_at=rule.changed_at - timedelta(seconds=1),
            by=group_manager,
            on=TODAY,
        )
    assert caught.value.rule == rule
    assert saved(rule).name_en == rule.name_en


@pytest.mark.parametrize("field", ["code", "trigger", "store", "active_from", "changed_at"])
def test_what_a_rule_is_cannot_be_edited(rule, group_manager, field):
    with pytest.raises(ValueError, match=field):
        change(rule, group_manager, **{field: "x"})


def test_a_failure_in_the_middle_leaves_the_rule_as_it_was(rule, group_manager, monkeypatch):
    def fail(self, **_options):
        super(CareRule, self).save(**_options)
        raise RuntimeError("in the middle")

    monkeypatch.setattr(CareRule, "save", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        change(rule, group_manager, priority=5)
    assert saved(rule).priority == 3


def test_the_history_names_who_changed_what(rule, group_manager):
    change(rule, group_manager, priority=2)
    event = rule.events.select_related("pgh_context").get(pgh_label="update")
    assert (event.priority, event.pgh_context.metadata["user"]) == (2, group_manager.pk)


# --- A store's own rule -------------------------------------------------------------------------------------------


def test_an_own_rule_begins_as_a_copy(store, general_manager):
    group = CareRule.objects.get(code="M3k", store=None)
    own = create_store_rule(rule=group, store=store, by=general_manager)
    same = [field.name for field in CareRule._meta.concrete_fields]
    differing = {name for name in same if getattr(own, name) != getattr(group, name)}
    assert differing <= {"id", "store", "created_at", "changed_at"}
    assert own.store == store


def test_a_store_has_one_own_rule_of_a_code(rule, store, general_manager):
    create_store_rule(rule=rule, store=store, by=general_manager)
    with pytest.raises(StoreHasOwnRule):
        create_store_rule(rule=rule, store=store, by=general_manager)


def test_only_a_rule_of_the_group_can_be_taken_over(rule, store, other_store, general_manager):
    own = create_store_rule(rule=rule, store=store, by=general_manager)
    with pytest.raises(NotAGroupRule):
        create_store_rule(rule=own, store=other_store, by=general_manager)


def test_removing_the_own_rule_returns_to_the_groups(rule, store, general_manager):
    own = create_store_rule(rule=rule, store=store, by=general_manager)
    assert remove_store_rule(rule=own, by=general_manager, on=TODAY) == rule
    assert list(CareRule.objects.filter(code=rule.code)) == [rule]


def test_a_rule_of_the_group_is_not_removed(rule, general_manager):
    with pytest.raises(NotAStoreRule):
        remove_store_rule(rule=rule, by=general_manager, on=TODAY)
    assert saved(rule) == rule


def test_a_rule_that_only_the_store_has_is_not_removed(store, general_manager):
    own = CareRuleFactory(store=store)
    with pytest.raises(NotAStoreRule):
        remove_store_rule(rule=own, by=general_manager, on=TODAY)


# --- Limits -------------------------------------------------------------------------------------------------------


def test_limits_of_a_store_are_changed(store, general_manager):
    change_store_limits(store=store, limits={"daily_calls": 25, "gap_days": 7}, by=general_manager)
    store.refresh_from_db()
    assert (store.daily_calls, store.gap_days, store.max_retries, store.lease_minutes) == (25, 7, 3, 15)
    event = apps.get_model("accounts", "StoreEvent").objects.select_related("pgh_context").get(pgh_obj=store)
    assert event.pgh_context.metadata["user"] == general_manager.pk


def test_nothing_but_limits_is_changed_that_way(store, general_manager):
    with pytest.raises(ValueError, match="code"):
        change_store_limits(store=store, limits={"code": "X"}, by=general_manager)
    assert Store.objects.get(pk=store.pk).code == "BZ01"


def test_the_fields_that_may_be_edited_exist():
    names = {field.name for field in CareRule._meta.concrete_fields}
    assert care_plan.TIMING_FIELDS <= care_plan.RULE_FIELDS <= names
