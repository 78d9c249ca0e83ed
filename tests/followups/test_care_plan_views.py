"""S10: the care plan in the browser: who may do what, the dry run before saving, and two people at once."""

import re
from datetime import date

import pytest
import time_machine
from django.urls import reverse

from followups.actions.care_plan import create_store_rule, update_rule
from followups.models import CareRule, TouchPoint
from followups.queries.dry_run import SHOWN_ROWS
from tests.factories import NOW, TODAY, CareRuleFactory, CustomerFactory, VehicleFactory

pytestmark = pytest.mark.django_db

LIST = reverse("followups:rule_list")
LIMITS = reverse("followups:store_limits")


@pytest.fixture(autouse=True)
def _on_the_test_day():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def rule(db):
    """A rule of the group: a call three days after the delivery, seven days to make it."""
    rule = CareRuleFactory(code="T3", points_zh="{客户}您好", points_en="Hello {customer}", offsets=[3], late_days=7)
    return CareRule.objects.get(pk=rule.pk)


@pytest.fixture
def own_rule(rule, store, general_manager):
    own = create_store_rule(rule=rule, store=store, by=general_manager)
    return CareRule.objects.get(pk=own.pk)


def address(name, rule):
    return reverse(f"followups:{name}", args=[rule.pk])


def typed(rule, **changes):
    """What the form of a rule sends when nothing but ``changes`` is touched."""
    values = {
        "seen_at": rule.changed_at.isoformat(),
        "name_zh": rule.name_zh,
        "name_en": rule.name_en,
        "offsets": ", ".join(map(str, rule.offsets)),
        "offset_unit": rule.offset_unit,
        "repeat_every": rule.repeat_every or "",
        "early_days": rule.early_days,
        "late_days": rule.late_days,
        "shift": rule.shift,
        "owner_role": rule.owner_role,
        "handling": rule.handling,
        "priority": rule.priority,
        "care_class": rule.care_class,
        "covered_days": rule.covered_days or "",
        "points_zh": rule.points_zh,
        "points_en": rule.points_en,
    }
    values |= {f"channel_{channel}": place for place, channel in enumerate(rule.channels, start=1)}
    if rule.is_active:
        values["is_active"] = "on"
    return values | changes


# --- Rights -------------------------------------------------------------------------------------------------------

EVERYBODY = [
    "consultant",
    "adviser",
    "care_specialist",
    "manager",
    "sales_manager",
    "general_manager",
    "group_manager",
    "admin_user",
    "auditor",
]


@pytest.mark.parametrize("person", EVERYBODY)
def test_everybody_reads_the_plan(request, as_user, rule, person):
    client = as_user(request.getfixturevalue(person))
    pages = (LIST, address("rule_detail", rule), LIMITS)
    assert [client.get(page).status_code for page in pages] == [200, 200, 200]


@pytest.mark.parametrize("person", EVERYBODY)
def test_only_the_group_and_administrators_change_the_groups_rules(request, as_user, rule, person):
    client = as_user(request.getfixturevalue(person))
    expected = 200 if person in ("group_manager", "admin_user") else 403
    assert client.get(address("rule_edit", rule)).status_code == expected
    assert client.get(address("rule_switch", rule)).status_code == expected
    assert client.post(address("rule_preview", rule), typed(rule)).status_code == expected
    if expected == 403:
        assert client.post(address("rule_edit", rule), typed(rule, priority=1)).status_code == 403
        assert client.post(address("rule_switch", rule)).status_code == 403
    assert CareRule.objects.get(pk=rule.pk).priority == 3


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("general_manager", 200),
        ("group_manager", 200),
        ("admin_user", 200),
        ("manager", 403),
        ("adviser", 403),
        ("auditor", 403),
        ("other_store_adviser", 404),
    ],
)
def test_a_stores_own_rule_is_its_general_managers(request, as_user, own_rule, person, status):
    client = as_user(request.getfixturevalue(person))
    names = ("rule_edit", "rule_switch", "rule_override_remove")
    assert [client.get(address(name, own_rule)).status_code for name in names] == [status] * 3


def test_another_stores_own_rule_does_not_exist(as_user, own_rule, other_store_adviser):
    client = as_user(other_store_adviser)
    assert client.get(address("rule_detail", own_rule)).status_code == 404
    assert "滨州渤海路店" not in client.get(LIST).content.decode()


@pytest.mark.parametrize("name", ["rule_preview", "rule_override"], ids=["the preview", "the copy for a store"])
def test_a_get_cannot_do_it(as_user, rule, admin_user, name):
    assert as_user(admin_user).get(address(name, rule)).status_code == 405


# --- The table ----------------------------------------------------------------------------------------------------


def test_rules_stand_under_what_triggers_them(as_user, general_manager, own_rule):
    families = dict(as_user(general_manager).get(LIST).context["families"])
    delivered = [(row.rule.code, row.rule.store) for row in families["After delivery"]]
    assert delivered[:2] == [("D0", None), ("D1", None)]
    assert delivered[-2:] == [("T3", None), ("T3", own_rule.store)]
    assert [row.rule.code for row in families["After a visit"]] == ["PV", "AJ"]


def test_the_table_says_when_a_rule_comes_due(as_user, general_manager):
    rows = {row.rule.code: row for _, rows in as_user(general_manager).get(LIST).context["families"] for row in rows}
    assert (rows["M3k"].when, rows["M3k"].window) == ("3, 6, 9, 15, 18, 21, 27, 30, 33 months", "−7 / +7")
    assert rows["ML"].when == "39 months, then every 3"
    assert rows["IN2"].when == "−33, −30 days"
    assert (rows["D1"].when, rows["TQ"].when) == ("1 day", "1 month, then every 1")
    assert rows["FE"].when == "11 festivals"
    assert rows["SE"].when == "05-15, 11-01"
    assert rows["BD"].when == "on the day"


def test_the_table_narrows_to_what_is_off(as_user, general_manager):
    families = as_user(general_manager).get(LIST, {"state": "off"}).context["families"]
    assert [row.rule.code for _, rows in families for row in rows] == ["D7"]


@pytest.mark.parametrize("extra", [0, 3])
def test_the_table_costs_the_same_for_any_number_of_rules(
    as_user, general_manager, store, django_assert_num_queries, extra
):
    for _ in range(extra):
        CareRuleFactory(store=store)
    client = as_user(general_manager)
    client.get(LIST)
    # the session (2), memberships, rules
    with django_assert_num_queries(4):
        client.get(LIST)


def test_a_rule_shows_both_languages_and_its_history(as_user, rule, group_manager):
    update_rule(rule=rule, values={"priority": 1}, seen_at=rule.changed_at, by=group_manager, on=TODAY)
    page = as_user(group_manager).get(address("rule_detail", rule))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.content.decode()))
    assert "{客户}您好" in text
    assert "Hello {customer}" in text
    assert "高原" in text
    assert "priority: 3 → 1" in text


# --- Editing ------------------------------------------------------------------------------------------------------


def test_the_form_shows_the_rule_as_it_is(as_user, rule, group_manager):
    form = as_user(group_manager).get(address("rule_edit", rule)).context["form"]
    assert form["offsets"].value() == "3"
    assert form["channel_phone"].value() == 1
    assert form["seen_at"].value() == rule.changed_at.isoformat()


@pytest.mark.parametrize("code", ["D0", "M3k", "TV", "FE", "SE", "AJ", "RQ", "DW", "BD", "PS0", "PE", "FS1"])
def test_every_kind_of_rule_can_be_previewed_unchanged(as_user, group_manager, code):
    delivered = CareRule.objects.get(code=code, store=None)
    client = as_user(group_manager)
    form = client.get(address("rule_edit", delivered)).context["form"]
    values = {name: form[name].value() for name in form.fields}
    sent = {name: "" if value is None else value for name, value in values.items() if value is not False}
    for name in ("points_zh", "points_en"):  # as a browser sends lines
        sent[name] = sent[name].replace("\n", "\r\n")
    response = client.post(address("rule_preview", delivered), sent)
    assert response.status_code == 200
    assert response.context["changes"] == []


def test_the_preview_counts_and_names_customers_and_saves_nothing(as_user, rule, general_manager, own_rule, store):
    customer = CustomerFactory(store=store, name="李秀英")
    VehicleFactory(owner=customer, plate="鲁MB6688", delivery_on=date(2026, 11, 19))  # 3 days later is a Sunday
    response = as_user(general_manager).post(address("rule_preview", own_rule), typed(own_rule, offsets="3, 10"))
    forecast = response.context["forecast"]
    # The call of Sunday 22 Nov moves to Monday 23; the tenth day is Sunday 29, so Monday 30.
    assert (forecast.tomorrow.present, forecast.tomorrow.planned) == (0, 0)
    assert (forecast.month.present, forecast.month.planned, forecast.month.difference) == (1, 2, 1)
    [row] = forecast.added
    assert (row.customer, row.vehicle.plate, row.point.opens_on) == (customer, "鲁MB6688", date(2026, 11, 30))
    page = response.content.decode()
    assert "李秀英" in page
    assert "鲁M·B6688" in page
    own_rule.refresh_from_db()
    assert own_rule.offsets == [3]
    assert not TouchPoint.objects.exists()


def test_the_preview_of_a_group_rule_leaves_out_stores_with_an_own_one(
    as_user, rule, own_rule, group_manager, store, other_store
):
    for where in (store, other_store):
        VehicleFactory(owner=CustomerFactory(store=where), delivery_on=date(2026, 11, 20))
    response = as_user(group_manager).post(address("rule_preview", rule), typed(rule, late_days=5, offsets="4"))
    assert response.context["forecast"].month.planned == 1


def test_the_preview_shows_the_first_fifty(as_user, rule, own_rule, general_manager, store):
    for _ in range(SHOWN_ROWS + 2):
        VehicleFactory(owner=CustomerFactory(store=store), delivery_on=date(2026, 11, 20))
    response = as_user(general_manager).post(address("rule_preview", own_rule), typed(own_rule, offsets="3, 20"))
    forecast = response.context["forecast"]
    assert (forecast.added_count, len(forecast.added)) == (SHOWN_ROWS + 2, SHOWN_ROWS)


def test_an_administrator_sees_numbers_but_no_customers(as_user, rule, admin_user, store):
    VehicleFactory(owner=CustomerFactory(store=store, name="李秀英"), delivery_on=date(2026, 11, 20))
    response = as_user(admin_user).post(address("rule_preview", rule), typed(rule, offsets="3, 10"))
    assert response.context["forecast"].added_count == 1
    page = response.content.decode()
    assert "李秀英" not in page
    assert "Your role does not see customers" in page


def test_the_group_sees_numbers_of_customers_and_no_names(as_user, rule, group_manager, store):
    customer = CustomerFactory(store=store, name="李秀英")
    VehicleFactory(owner=customer, delivery_on=date(2026, 11, 20))
    page = as_user(group_manager).post(address("rule_preview", rule), typed(rule, offsets="3, 10")).content.decode()
    assert "李秀英" not in page
    assert customer.number in page


def test_what_was_previewed_is_what_is_saved(as_user, rule, group_manager):
    client = as_user(group_manager)
    sent = typed(rule, offsets="3，6、9", priority=2, channel_phone="2", channel_wechat="1")
    preview = client.post(address("rule_preview", rule), sent)
    confirmed = [(name, value) for name, value in preview.context["typed"]]
    response = client.post(address("rule_edit", rule), dict(confirmed))
    assert (response.status_code, response.url) == (302, address("rule_detail", rule))
    rule.refresh_from_db()
    assert (rule.offsets, rule.priority, rule.channels) == ([3, 6, 9], 2, ["wechat", "phone"])
    assert rule.active_from == TODAY


def test_back_to_editing_keeps_what_was_typed(as_user, rule, group_manager):
    sent = typed(rule, name_en="Half typed") | {"back": "1"}
    response = as_user(group_manager).post(address("rule_edit", rule), sent)
    assert response.status_code == 200
    assert response.context["form"]["name_en"].value() == "Half typed"
    rule.refresh_from_db()
    assert rule.name_en == "Test rule T3"


@pytest.mark.parametrize("name", ["rule_preview", "rule_edit"])
def test_a_mistake_is_said_in_words_and_keeps_what_was_typed(as_user, rule, group_manager, name):
    sent = typed(rule, offsets="3, drei", points_en="Hello {nobody}")
    response = as_user(group_manager).post(address(name, rule), sent)
    assert response.status_code == 422
    page = response.content.decode()
    assert "“drei” is not a whole number." in page
    assert "Nothing can be filled in for {nobody}." in page
    assert response.context["form"]["offsets"].value() == "3, drei"
    rule.refresh_from_db()
    assert rule.offsets == [3]


@pytest.mark.parametrize("name", ["rule_preview", "rule_edit"])
def test_who_comes_second_is_told_who_was_first_and_keeps_what_was_typed(
    as_user, rule, group_manager, admin_user, name
):
    sent = typed(rule, name_en="Mine")
    # In a test both changes would share one moment of the database: what was seen is older.
    sent["seen_at"] = rule.created_at.replace(year=2020).isoformat()
    update_rule(rule=rule, values={"name_en": "Theirs"}, seen_at=rule.changed_at, by=admin_user, on=TODAY)
    client = as_user(group_manager)
    response = client.post(address(name, rule), sent)
    assert response.status_code == 409
    page = response.content.decode()
    assert "系统管理员 changed this rule while you were editing it." in page
    form = response.context["form"]
    assert form["name_en"].value() == "Mine"
    rule.refresh_from_db()
    assert rule.name_en == "Theirs"
    # Having looked at it, the second person can save after all.
    again = client.post(address("rule_edit", rule), typed(rule, name_en="Mine", seen_at=form["seen_at"].value()))
    assert again.status_code == 302
    rule.refresh_from_db()
    assert rule.name_en == "Mine"


def test_the_saved_name_is_the_one_of_the_form_not_of_a_get(as_user, rule, group_manager):
    as_user(group_manager).get(address("rule_edit", rule), typed(rule, name_en="Sneaked in"))
    rule.refresh_from_db()
    assert rule.name_en == "Test rule T3"


# --- Switching ----------------------------------------------------------------------------------------------------


def test_switching_off_says_what_falls_away_and_does_it(as_user, rule, group_manager, store):
    VehicleFactory(owner=CustomerFactory(store=store), delivery_on=date(2026, 11, 20))
    client = as_user(group_manager)
    page = client.get(address("rule_switch", rule))
    assert page.context["forecast"].month.difference == -1
    rule.refresh_from_db()
    assert rule.is_active
    client.post(address("rule_switch", rule), {"is_active": "0", "seen_at": rule.changed_at.isoformat()})
    rule.refresh_from_db()
    assert not rule.is_active


def test_switching_on_counts_from_today(as_user, group_manager):
    off = CareRule.objects.get(code="D7", store=None)
    as_user(group_manager).post(address("rule_switch", off), {"is_active": "1", "seen_at": off.changed_at.isoformat()})
    off.refresh_from_db()
    assert (off.is_active, off.active_from) == (True, TODAY)


@pytest.mark.parametrize("seen_at", ["", "nonsense", "2020-01-01T00:00:00+00:00"])
def test_a_switch_on_an_old_page_is_refused(as_user, rule, group_manager, seen_at):
    response = as_user(group_manager).post(
        address("rule_switch", rule), {"is_active": "0", "seen_at": seen_at}, follow=True
    )
    assert "Nothing was switched" in response.content.decode()
    rule.refresh_from_db()
    assert rule.is_active


# --- A store's own rule -------------------------------------------------------------------------------------------


def test_a_general_manager_makes_an_own_rule_and_returns_to_the_groups(as_user, rule, general_manager, store):
    client = as_user(general_manager)
    response = client.post(address("rule_override", rule), {"store": store.code})
    own = CareRule.objects.get(code="T3", store=store)
    assert (response.status_code, response.url) == (302, address("rule_edit", own))

    client.post(address("rule_edit", own), typed(own, priority=1))
    page = client.get(address("rule_override_remove", own))
    assert [(line.before, line.after) for line in page.context["changes"]] == [("1", "3")]
    response = client.post(address("rule_override_remove", own))
    assert (response.status_code, response.url) == (302, address("rule_detail", rule))
    assert list(CareRule.objects.filter(code="T3")) == [rule]


def test_making_an_own_rule_twice_opens_the_one_there_is(as_user, own_rule, rule, general_manager):
    response = as_user(general_manager).post(address("rule_override", rule), {"store": own_rule.store.code})
    assert response.url == address("rule_edit", own_rule)


def test_an_own_rule_is_made_by_the_general_manager_of_that_store_alone(
    as_user, rule, general_manager, manager, other_store
):
    assert as_user(manager).post(address("rule_override", rule), {"store": "BZ01"}).status_code == 403
    assert as_user(general_manager).post(address("rule_override", rule), {"store": "BZ02"}).status_code == 404
    assert CareRule.objects.filter(code="T3").count() == 1


def test_a_rule_of_the_group_is_never_removed(as_user, rule, admin_user):
    client = as_user(admin_user)
    assert client.get(address("rule_override_remove", rule)).status_code == 404
    assert client.post(address("rule_override_remove", rule)).status_code == 404


# --- Limits of stores ---------------------------------------------------------------------------------------------


def limits(store, **values):
    fields = {"daily_calls": 40, "gap_days": 5, "max_retries": 3, "lease_minutes": 15} | values
    return {f"store-{store.pk}-{name}": value for name, value in fields.items()}


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("general_manager", 302),
        ("group_manager", 302),
        ("admin_user", 302),
        ("manager", 403),
        ("sales_manager", 403),
        ("care_specialist", 403),
        ("auditor", 403),
        ("other_store_adviser", 404),
    ],
)
def test_limits_are_the_general_managers(request, as_user, store, person, status):
    url = reverse("followups:store_limits_edit", args=[store.pk])
    client = as_user(request.getfixturevalue(person))
    assert client.post(url, limits(store, daily_calls=25)).status_code == status
    store.refresh_from_db()
    assert store.daily_calls == (25 if status == 302 else 40)


@pytest.mark.parametrize(("field", "value"), [("daily_calls", 0), ("max_retries", 11), ("lease_minutes", 241)])
def test_a_limit_out_of_range_is_refused(as_user, general_manager, store, field, value):
    url = reverse("followups:store_limits_edit", args=[store.pk])
    response = as_user(general_manager).post(url, limits(store, **{field: value}))
    assert response.status_code == 422
    [(_, form, _)] = response.context["forms"]
    assert list(form.errors) == [field]
    store.refresh_from_db()
    assert getattr(store, field) != value


@pytest.mark.parametrize("person", ["general_manager", "admin_user"])
def test_the_limits_of_stores_in_sight_are_on_one_page(request, as_user, store, other_store, person):
    client = as_user(request.getfixturevalue(person))
    shown = [each.code for each, _, _ in client.get(LIMITS).context["forms"]]
    assert shown == (["BZ01"] if person == "general_manager" else ["BZ01", "BZ02"])
