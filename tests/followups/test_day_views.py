"""S1: who sees what on the day's page and the team's, and what a manager can move."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse

from accounts.choices import Role
from customers.choices import Channel, Tier
from followups.choices import Outcome, TouchPointStatus
from followups.models import CareRule, ContactLog, TouchPoint
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    CarModelFactory,
    ContactLogFactory,
    CustomerFactory,
    MembershipFactory,
    TouchPointFactory,
    VehicleFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_nine_in_the_morning")]

DAY = "/"
TEAM = "/team/"
DAY_QUERIES = 17
TEAM_QUERIES = 16


@pytest.fixture
def _nine_in_the_morning():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def rule(db):
    return CareRule.objects.get(code="PS2", store=None)


@pytest.fixture
def due(store, care_specialist, rule):
    """Make a customer with an open touch point of the care specialist's; ``customer__…`` is the customer's."""

    def make(**values):
        customer_values = {key[10:]: values.pop(key) for key in list(values) if key.startswith("customer__")}
        customer = values.pop("customer", None) or CustomerFactory(store=store, **customer_values)
        return TouchPointFactory(**({"rule": rule, "customer": customer, "assignee": care_specialist} | values))

    return make


def rows(response):
    return response.context["page"].rows


def names(response):
    return [row.customer.name for row in rows(response)]


def test_a_customer_is_one_row_with_all_reasons(as_user, care_specialist, due):
    lead = due(customer__name="王建国")
    VehicleFactory(owner=lead.customer, plate="鲁MB6688")
    VehicleFactory(owner=lead.customer, plate="鲁MB6689")
    birthday = CareRule.objects.get(code="BD", store=None)
    due(customer=lead.customer, rule=birthday, status=TouchPointStatus.MERGED, lead=lead, closes_on=TODAY)

    response = as_user(care_specialist).get(DAY)

    [row] = rows(response)
    assert [chip.label for chip in row.reasons] == ["Periodic service", "Birthday"]
    assert (row.vehicle_count, row.latest_on) == (2, TODAY)


def test_reasons_of_one_kind_are_counted_on_one_chip(as_user, care_specialist, due, rule):
    lead = due()
    cars = [VehicleFactory(owner=lead.customer) for _ in range(3)]
    for car in cars:
        due(customer=lead.customer, vehicle=car, status=TouchPointStatus.MERGED, lead=lead)

    [row] = rows(as_user(care_specialist).get(DAY))

    assert [(chip.label, chip.count) for chip in row.reasons] == [("Periodic service", 4)]


def test_the_counts_are_customers_by_due_date(as_user, care_specialist, due):
    due(due_on=TODAY - timedelta(days=1), opens_on=TODAY - timedelta(days=9))
    due()
    lead = due()
    due(customer=lead.customer, lead=lead, status=TouchPointStatus.MERGED, rule=CareRuleFactory())
    due(due_on=TODAY + timedelta(days=2), opens_on=TODAY, closes_on=TODAY + timedelta(days=5))
    due(opens_on=TODAY + timedelta(days=1), due_on=TODAY + timedelta(days=1), closes_on=TODAY + timedelta(days=2))

    counts = as_user(care_specialist).get(DAY).context["counts"]

    assert (counts.overdue, counts.today, counts.week, counts.customers, counts.care) == (1, 2, 1, 4, 5)


def test_the_window_that_closes_first_comes_first_and_paging_follows_the_key(
    as_user, care_specialist, due, monkeypatch
):
    monkeypatch.setattr("followups.queries.day.PAGE_SIZE", 2)
    for number in range(5):
        due(customer__name=f"客户{number}", closes_on=TODAY + timedelta(days=4 - number))
    client = as_user(care_specialist)

    first = client.get(DAY)
    second = client.get(DAY, {"after": first.context["page"].after})
    third = client.get(DAY, {"after": second.context["page"].after})

    assert [names(first), names(second), names(third)] == [["客户4", "客户3"], ["客户2", "客户1"], ["客户0"]]
    assert third.context["page"].after == ""


@pytest.mark.parametrize(("sort", "order"), [("contact", ["甲", "乙", "丙"]), ("-contact", ["丙", "乙", "甲"])])
def test_the_list_sorts_by_the_last_effective_contact(as_user, care_specialist, due, sort, order):
    due(customer__name="乙", customer__last_effective_contact_on=TODAY - timedelta(days=90))
    due(customer__name="丙", customer__last_effective_contact_on=TODAY - timedelta(days=9))
    due(customer__name="甲", customer__last_effective_contact_on=None)

    assert names(as_user(care_specialist).get(DAY, {"sort": sort})) == order


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"reason": "BD"}, ["寿星"]),
        ({"reason": "PS2"}, ["寿星", "普通"]),
        ({"tier": "vip"}, ["寿星"]),
        ({"priority": "1"}, []),
        ({"overdue": "1"}, ["普通"]),
        ({"due": "today"}, ["寿星"]),
        ({"series": "星越 L"}, ["普通"]),
        ({"reason": "nonsense-that-is-long"}, ["寿星", "普通"]),
        ({"after": "nonsense"}, ["寿星", "普通"]),
    ],
)
def test_filters_in_the_address_narrow_the_list(as_user, care_specialist, due, query, shown):
    car = VehicleFactory(owner__store=care_specialist.memberships.get().store, owner__name="普通")
    car.model = CarModelFactory(series="星越 L")
    car.save()
    due(customer=car.owner, vehicle=car, due_on=TODAY - timedelta(days=1), opens_on=TODAY - timedelta(days=9))
    lead = due(customer__name="寿星", customer__tier=Tier.VIP)
    birthday = CareRule.objects.get(code="BD", store=None)
    due(customer=lead.customer, rule=birthday, status=TouchPointStatus.MERGED, lead=lead)

    assert names(as_user(care_specialist).get(DAY, query)) == shown


def test_each_filter_can_be_taken_away_and_start_follows_them(as_user, care_specialist, due):
    point = due()

    response = as_user(care_specialist).get(DAY, {"reason": ["PS2", "BD"], "due": "today"})

    assert [(chip.label, chip.remove_url) for chip in response.context["chips"]] == [
        ("Due today", "?reason=PS2&reason=BD"),
        ("Periodic service, call", "?reason=BD&due=today"),
        ("Birthday wishes", "?reason=PS2&due=today"),
    ]
    carried = "?reason=PS2&amp;reason=BD&amp;due=today"
    assert f'action="{reverse("followups:queue_start")}{carried}"' in response.text
    assert f'href="{reverse("followups:queue_card", args=[point.customer_id])}{carried}"' in response.text


def test_what_waits_for_later_is_counted_but_not_listed(as_user, care_specialist, due):
    due(not_before=NOW + timedelta(hours=3))

    response = as_user(care_specialist).get(DAY)

    assert (names(response), response.context["waiting"]) == ([], 1)
    assert "All done for now" in response.text


def test_nobody_sees_the_work_of_others_or_of_another_store(as_user, care_specialist, other_store_adviser, due):
    due()

    assert names(as_user(other_store_adviser).get(DAY)) == []


def test_the_pool_is_shown_only_when_asked_for_and_only_to_those_who_may_take_it(
    as_user, care_specialist, adviser, due
):
    due(customer__name="无主", assignee=None)

    assert names(as_user(care_specialist).get(DAY)) == []
    assert names(as_user(care_specialist).get(DAY, {"pool": "1"})) == ["无主"]
    assert names(as_user(adviser).get(DAY, {"pool": "1"})) == []


def test_the_bar_counts_people_reached_today(as_user, consultant, store):
    owner = CustomerFactory(store=store, last_delivery_on=TODAY - timedelta(days=200))
    ContactLogFactory(customer=owner, by=consultant)
    ContactLogFactory(customer=owner, by=consultant)
    ContactLogFactory(customer__store=store, by=consultant)
    ContactLogFactory(customer__store=store, by=consultant, not_reached=True)

    activity = as_user(consultant).get(DAY).context["activity"]

    assert (activity.prospects, activity.existing) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "point", "shown"),
    [
        ({}, {}, "phone"),
        ({"rotates_channels": True}, {}, "wechat"),
        # Nobody took the calls: a message is to be written now.
        ({}, {"attempts": 4}, "wechat"),
        ({}, {"attempts": 1, "channel": "visit"}, "phone"),
    ],
)
def test_the_customers_wish_is_shown_unless_the_plan_varies_or_a_message_is_due(
    as_user, care_specialist, due, rule, point, shown
):
    due(rule=CareRuleFactory(**rule), customer__preferred_channel="phone", **({"channel": "wechat"} | point))

    (row,) = as_user(care_specialist).get(DAY).context["page"].rows
    assert row.channel == shown


def test_the_number_of_queries_does_not_grow_with_the_list(as_user, care_specialist, due, django_assert_num_queries):
    client = as_user(care_specialist)

    def fill():
        point = due(customer__name="多车")
        for _ in range(2):
            car = VehicleFactory(owner=point.customer, model=CarModelFactory())
            due(customer=point.customer, vehicle=car, status=TouchPointStatus.MERGED, lead=point)
        ContactLogFactory(customer=point.customer, by=care_specialist)

    fill()
    client.get(DAY)  # what the frame keeps in the cache
    with django_assert_num_queries(DAY_QUERIES):
        client.get(DAY)
    fill()
    fill()
    with django_assert_num_queries(DAY_QUERIES):
        client.get(DAY)


# --- Those who call nobody --------------------------------------------------------------------------------------------


def test_the_group_and_the_auditor_land_on_the_team(as_user, group_manager, auditor, store):
    assert as_user(group_manager).get(DAY).url == TEAM
    assert as_user(auditor).get(DAY).url == TEAM


def test_a_manager_sees_the_load_of_the_team_on_the_own_day(as_user, manager, adviser, due, store):
    due(assignee=None)
    client = as_user(manager)

    page = client.get(DAY)
    panel = client.get(page.context["team_url"], headers={"HX-Request": "true"})

    assert f'hx-get="{TEAM}"' in page.text
    assert "<html" not in panel.text
    assert f'href="{TEAM}?owner=pool&amp;store={store.code}"' in panel.text
    assert TEAM not in as_user(adviser).get(DAY).text


# --- The team ---------------------------------------------------------------------------------------------------------


def test_the_team_is_for_managers_the_group_and_the_auditor(
    as_user, manager, group_manager, auditor, adviser, consultant, care_specialist, admin_user
):
    allowed = (manager, group_manager, auditor)
    refused = (adviser, consultant, care_specialist, admin_user)

    assert [as_user(user).get(TEAM).status_code for user in allowed] == [200] * 3
    assert [as_user(user).get(TEAM).status_code for user in refused] == [403] * 4


def test_another_store_is_not_there_for_a_manager(as_user, manager, other_store):
    assert as_user(manager).get(TEAM, {"store": other_store.code}).status_code == 404


def test_the_load_is_counted_per_person_with_the_pool_first(as_user, manager, care_specialist, due, store):
    due()
    due(due_on=TODAY - timedelta(days=5), opens_on=TODAY - timedelta(days=9))
    due(assignee=None)
    ContactLogFactory(customer__store=store, by=care_specialist)
    away = MembershipFactory(store=store, role=Role.CARE_SPECIALIST, absent_from=TODAY - timedelta(days=1)).user

    loads = [load for load, _url in as_user(manager).get(TEAM).context["loads"]]

    by_person = {load.person: load for load in loads}
    pool, specialist = by_person[None], by_person[care_specialist]
    assert loads[0].person is None
    assert (pool.customers, pool.today, pool.overdue) == (1, 1, 0)
    assert (specialist.customers, specialist.today, specialist.overdue, specialist.escalated) == (2, 1, 1, 1)
    assert specialist.contacted == 1
    assert by_person[away].is_at_work is False


def test_what_another_reason_speaks_for_counts_in_the_numbers_and_their_lists(as_user, manager, care_specialist, due):
    lead = due(due_on=TODAY)
    due(
        customer=lead.customer,
        rule=CareRule.objects.get(code="M3k", store=None),
        status="merged",
        lead=lead,
        due_on=TODAY - timedelta(days=8),
        opens_on=TODAY - timedelta(days=9),
    )
    due()

    team, day = as_user(manager), as_user(care_specialist)
    load = next(load for load, _url in team.get(TEAM).context["loads"] if load.person == care_specialist)
    counts = day.get(DAY).context["counts"]

    assert (load.customers, load.today, load.overdue, load.escalated) == (2, 2, 1, 1)
    assert (counts.customers, counts.today, counts.overdue) == (2, 2, 1)
    for page in (team.get(TEAM, {"escalated": "1"}), day.get(DAY, {"overdue": "1"})):
        assert names(page) == [lead.customer.name]
        assert page.context["shown_count"] == 1


def test_neither_a_skip_nor_a_message_to_many_counts_as_a_customer_contacted(as_user, manager, care_specialist, store):
    talk, _skipped, sent = (
        ContactLogFactory(customer__store=store, by=care_specialist, outcome=outcome)
        for outcome in (Outcome.NOT_REACHED, Outcome.SKIPPED, Outcome.MESSAGE_SENT)
    )
    TouchPointFactory(customer=sent.customer, handling="batch", status="done", closed_on=TODAY, settled_by=sent)
    written = ContactLogFactory(customer__store=store, by=care_specialist, outcome=Outcome.MESSAGE_SENT)

    load = next(load for load, _url in as_user(manager).get(TEAM).context["loads"] if load.person == care_specialist)

    assert load.contacted == 2
    assert set(ContactLog.objects.one_by_one()) == {talk, written}


def test_work_of_somebody_who_left_the_store_is_still_seen(as_user, manager, due):
    gone = MembershipFactory(is_active=False).user
    due(assignee=gone)

    loads = [load for load, _url in as_user(manager).get(TEAM).context["loads"]]

    assert [(load.customers, load.is_member) for load in loads if load.person == gone] == [(1, False)]


@pytest.mark.parametrize(
    ("query", "shown"),
    [({"owner": "pool"}, ["无主"]), ({"escalated": "1"}, ["久拖"]), ({}, ["久拖", "新到", "无主"])],
)
def test_the_list_follows_the_numbers(as_user, manager, due, query, shown):
    due(
        customer__name="久拖",
        due_on=TODAY - timedelta(days=8),
        opens_on=TODAY - timedelta(days=9),
        closes_on=TODAY,
    )
    due(customer__name="新到", closes_on=TODAY + timedelta(days=1))
    due(customer__name="无主", closes_on=TODAY + timedelta(days=2), assignee=None)

    assert names(as_user(manager).get(TEAM, query)) == shown


def test_the_team_page_asks_the_same_number_of_questions_for_more_rows(
    as_user, manager, due, django_assert_num_queries
):
    client = as_user(manager)
    due()
    client.get(TEAM)  # what the frame keeps in the cache
    with django_assert_num_queries(TEAM_QUERIES):
        client.get(TEAM)
    for _ in range(2):
        due(vehicle=None)
    with django_assert_num_queries(TEAM_QUERIES):
        client.get(TEAM)


def test_ticked_customers_go_to_a_person_with_everything_merged(as_user, manager, adviser, due, store):
    lead = due()
    child = due(customer=lead.customer, rule=CareRuleFactory(), status=TouchPointStatus.MERGED, lead=lead)
    stays = due()

    response = as_user(manager).post(
        reverse("followups:team_assign"),
        {"store": store.code, "customers": [lead.customer_id], "to": adviser.pk, "next": "/team/?owner=pool"},
        follow=True,
    )

    assert response.redirect_chain[-1][0] == "/team/?owner=pool"
    assert "1 customer now belongs to 赵扬." in response.text
    assert set(TouchPoint.objects.filter(assignee=adviser).values_list("pk", flat=True)) == {lead.pk, child.pk}
    assert TouchPoint.objects.get(pk=stays.pk).assignee_id != adviser.pk


def test_ticked_customers_go_into_the_pool(as_user, manager, due, store):
    point = due()

    as_user(manager).post(
        reverse("followups:team_assign"), {"store": store.code, "customers": [point.customer_id], "to": "pool"}
    )

    assert TouchPoint.objects.get(pk=point.pk).assignee is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"to": "pool"}, "Tick the customers to hand over first."), ({"customers": "own"}, "Choose who takes them over.")],
)
def test_a_hand_over_that_misses_something_says_what(as_user, manager, due, store, values, sentence):
    point = due()
    values = {key: point.customer_id if value == "own" else value for key, value in values.items()}

    response = as_user(manager).post(reverse("followups:team_assign"), {"store": store.code} | values, follow=True)

    assert sentence in response.text


def test_customers_of_another_store_cannot_be_moved(as_user, manager, other_store, due, store):
    elsewhere = due(customer=CustomerFactory(store=other_store), assignee=None)

    as_user(manager).post(
        reverse("followups:team_assign"),
        {"store": store.code, "customers": [elsewhere.customer_id], "to": manager.pk},
    )

    assert TouchPoint.objects.get(pk=elsewhere.pk).assignee is None


def test_only_managers_hand_over(as_user, care_specialist, group_manager, due, store):
    point = due()
    values = {"store": store.code, "customers": [point.customer_id], "to": "pool"}

    answers = [
        as_user(user).post(reverse("followups:team_assign"), values).status_code
        for user in (care_specialist, group_manager)
    ]

    assert answers == [403, 403]


def test_the_way_back_never_leaves_the_site(as_user, manager, due, store):
    point = due()

    response = as_user(manager).post(
        reverse("followups:team_assign"),
        {"store": store.code, "customers": [point.customer_id], "to": "pool", "next": "https://example.com/"},
    )

    assert response.url == f"/team/?store={store.code}"


def test_the_greeting_follows_the_clock_of_the_store(as_user, care_specialist):
    client = as_user(care_specialist)

    assert "Good morning, 陈静" in client.get(DAY).text
    with time_machine.travel(datetime(2026, 11, 21, 11, 0, tzinfo=UTC), tick=False):
        assert "Good evening, 陈静" in client.get(DAY).text


def test_a_forecast_that_moved_away_is_no_reason_of_the_day(as_user, care_specialist, due):
    point = due()
    due(customer=point.customer, rule=CareRuleFactory(), nominal_on=TODAY + timedelta(days=90))

    [row] = rows(as_user(care_specialist).get(DAY))

    assert sum(chip.count for chip in row.reasons) == 1


def test_the_channel_shown_is_wished_for_and_not_refused(as_user, care_specialist, due):
    due(customer__preferred_channel=Channel.WECHAT, customer__refused_channels=[Channel.WECHAT])

    [row] = rows(as_user(care_specialist).get(DAY))

    assert row.channel == Channel.PHONE


def test_no_channel_is_proposed_where_all_were_refused(as_user, care_specialist, due):
    due(customer__preferred_channel=Channel.PHONE, customer__refused_channels=[Channel.PHONE, Channel.SMS, Channel.APP])

    page = as_user(care_specialist).get(DAY)

    assert rows(page)[0].channel == ""
    assert "no channel: all are refused" in page.text
