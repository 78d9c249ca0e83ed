"""What becomes of promises when the plan itself changes: a store goes its own way and comes back, offsets move."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.choices import Role
from followups.actions.care_plan import create_store_rule, remove_store_rule, update_rule
from followups.coverage import check_coverage
from followups.models import CareRule, RuleReturn
from followups.planner import plan_care
from tests.factories import MembershipFactory, StoreFactory, VehicleFactory
from tests.planning import MONDAY, car, only, rows

pytestmark = pytest.mark.django_db

SUMMER = date(2026, 7, 1)
LONG_AFTER = datetime(2090, 1, 1, tzinfo=UTC)


@pytest.fixture
def boss():
    return MembershipFactory(role=Role.GENERAL_MANAGER).user


def changed(rule, *, on, by, **values):
    rule.refresh_from_db()
    return update_rule(rule=rule, values=values, seen_at=rule.changed_at, by=by, on=on)


def missing(last, store=None):
    return check_coverage(first=SUMMER, last=last, now=LONG_AFTER, store=store).missing


@pytest.fixture
def two_stores():
    """A car in each of two stores, both with a call nominal on 10 October, missed by MONDAY, and one on 10 January."""
    only("M3k")
    bought_on = date(2026, 7, 10)
    return [
        VehicleFactory(
            delivery_on=bought_on, care_from=bought_on, owner__store=StoreFactory(), owner__entered_on=bought_on
        )
        for _ in range(2)
    ]


def test_a_store_that_follows_the_group_again_is_not_flooded_with_what_it_had_switched_off(two_stores, boss):
    apart, along = two_stores
    group = CareRule.objects.get(code="M3k", store=None)
    own = create_store_rule(rule=group, store=apart.owner.store, by=boss)
    changed(own, is_active=False, on=date(2026, 9, 1), by=boss)
    for day in (date(2026, 9, 1), date(2026, 10, 10), MONDAY):
        plan_care(on=day)
    assert rows("customer_id", "nominal_on", "status") == [(along.owner_id, date(2026, 10, 10), "missed")]

    remove_store_rule(rule=own, by=boss, on=MONDAY)
    plan_care(on=MONDAY)
    healed = plan_care(on=MONDAY, since=SUMMER)

    assert healed.missed == 0
    assert rows("customer_id") == [(along.owner_id,)]
    assert missing(MONDAY) == 0
    plan_care(on=date(2027, 1, 10))
    assert sorted(rows("customer_id", "nominal_on", "status")) == sorted(
        [
            (along.owner_id, date(2026, 10, 10), "missed"),
            *((each.owner_id, date(2027, 1, 10), "open") for each in two_stores),
        ]
    )
    assert missing(date(2027, 1, 10)) == 0


def test_a_store_whose_own_rule_said_the_same_goes_on_without_a_gap(two_stores, boss):
    apart, _along = two_stores
    group = CareRule.objects.get(code="M3k", store=None)
    own = create_store_rule(rule=group, store=apart.owner.store, by=boss)
    changed(own, points_zh="您好", on=date(2026, 9, 1), by=boss)

    remove_store_rule(rule=own, by=boss, on=MONDAY)
    plan_care(on=MONDAY)

    assert {status for (status,) in rows("status")} == {"missed"}
    assert len(rows()) == 2
    assert not RuleReturn.objects.exists()
    assert missing(MONDAY) == 0


def test_a_store_that_leaves_the_group_again_keeps_the_day_of_its_return(two_stores, boss):
    apart, _along = two_stores
    group = CareRule.objects.get(code="M3k", store=None)
    own = create_store_rule(rule=group, store=apart.owner.store, by=boss)
    changed(own, offsets=[4], on=date(2026, 9, 1), by=boss)
    remove_store_rule(rule=own, by=boss, on=MONDAY)

    again = create_store_rule(rule=group, store=apart.owner.store, by=boss)

    assert again.active_from == MONDAY
    remove_store_rule(rule=again, by=boss, on=MONDAY + timedelta(days=9))
    assert RuleReturn.objects.get().returned_on == MONDAY


def test_what_a_rule_promises_no_more_ends_for_everybody_alike(boss):
    only("M3k")
    touched, _untouched = car(delivery=date(2026, 8, 23)), car(delivery=date(2026, 8, 23))
    plan_care(on=MONDAY)
    assert rows("status") == [("open",), ("open",)]

    touched.owner.save()
    changed(CareRule.objects.get(code="M3k", store=None), offsets=[4], on=MONDAY, by=boss)
    plan_care(on=MONDAY)

    assert rows("status", "reason") == [("cancelled", "facts_changed")] * 2
    assert missing(MONDAY) == 0


def test_a_new_text_of_a_rule_ends_nothing(boss):
    only("M3k")
    car(delivery=date(2026, 8, 23))
    plan_care(on=MONDAY)

    changed(CareRule.objects.get(code="M3k", store=None), points_zh="您好", on=MONDAY, by=boss)
    plan_care(on=MONDAY)

    assert rows("status") == [("open",)]
