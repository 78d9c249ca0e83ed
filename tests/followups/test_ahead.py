"""What comes in the days ahead: the tile of S1 with the rows behind it, and the notice of birthdays."""

from datetime import date, timedelta

import pytest
import time_machine

from accounts.choices import Role
from customers.choices import BirthdayCalendar, DoNotContact
from followups.choices import TouchPointStatus
from followups.models import CareRule, TouchPoint
from followups.planner import plan_care
from followups.queries.ahead import ahead_of, ahead_page, birthdays_ahead
from tests.factories import (
    NOW,
    TODAY,
    CustomerFactory,
    MembershipFactory,
    TouchPointFactory,
    VehicleFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_nine_in_the_morning")]

DAY, AHEAD, BIRTHDAYS = "/", "/ahead/", "/birthdays/"
HTMX = {"hx-request": "true"}
AHEAD_QUERIES = 20


@pytest.fixture
def _nine_in_the_morning():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bought(store, consultant):
    """Make a customer of the consultant's whose car was delivered so long ago that the given care opens on a day.

    M3k, a call three months after the delivery, opens seven days before it is due.
    """

    def make(opens_on, **values):
        owner = CustomerFactory(store=store, **({"sales_consultant": consultant} | values))
        delivered = DELIVERED[opens_on]
        return VehicleFactory(owner=owner, delivery_on=delivered, care_from=delivered)

    return make


# The day on which M3k opens, and the delivery that makes it so; all due dates are working days, so nothing is shifted.
DELIVERED = {
    TODAY - timedelta(days=1): date(2026, 8, 27),
    TODAY + timedelta(days=2): date(2026, 8, 30),
    TODAY + timedelta(days=3): date(2026, 9, 1),
    TODAY + timedelta(days=6): date(2026, 9, 4),
}


def keys(user):
    return list(ahead_of(user, now=NOW, on=TODAY).keys)


def shown(response):
    return [(row.comes_on, row.customer, row.is_open) for row in response.context["page"].rows]


def test_what_the_plan_will_add_in_seven_days_is_counted_before_it_is_there(as_user, consultant, bought):
    soon, later = bought(TODAY + timedelta(days=2)), bought(TODAY + timedelta(days=6))
    bought(TODAY + timedelta(days=3), sales_consultant=None)

    response = as_user(consultant).get(AHEAD)

    assert TouchPoint.objects.count() == 0
    assert shown(response) == [
        (TODAY + timedelta(days=2), soon.owner, False),
        (TODAY + timedelta(days=6), later.owner, False),
    ]
    assert [chip.label for chip in response.context["page"].rows[0].reasons] == ["Routine care"]


def test_what_is_counted_ahead_is_what_the_nights_then_make(consultant, bought):
    for day in (-1, 2, 3, 6):
        bought(TODAY + timedelta(days=day))
    plan_care(on=TODAY)
    expected = {customer for _day, customer in keys(consultant)}
    known = set(TouchPoint.objects.values_list("pk", flat=True))

    for day in range(1, 8):
        plan_care(on=TODAY + timedelta(days=day))

    made = TouchPoint.objects.exclude(pk__in=known).filter(handling="contact", assignee=consultant)
    opened = {point.customer_id for point in made}
    due = TouchPoint.objects.filter(pk__in=known, due_on__gt=TODAY, due_on__lte=TODAY + timedelta(days=7))
    assert len(opened) == 3
    assert expected == opened | {point.customer_id for point in due}


def test_open_care_that_falls_due_or_comes_back_in_these_days_is_among_it(as_user, consultant, store):
    def point(due_in, **values):
        customer = CustomerFactory(store=store)
        due_on = TODAY + timedelta(days=due_in)
        return TouchPointFactory(
            customer=customer, assignee=consultant, due_on=due_on, opens_on=TODAY - timedelta(days=9), **values
        ).customer

    point(0)
    point(-1)
    point(8)
    point(3, status=TouchPointStatus.DONE, closed_on=TODAY)
    back = point(-1, not_before=NOW + timedelta(days=1))
    due = point(7)
    point(-1, not_before=NOW + timedelta(days=8))

    assert shown(as_user(consultant).get(AHEAD)) == [
        (TODAY + timedelta(days=1), back, True),
        (TODAY + timedelta(days=7), due, True),
    ]


def test_a_customer_with_several_reasons_is_one_row_on_the_first_day(as_user, consultant, bought):
    car = bought(TODAY + timedelta(days=3))
    later = DELIVERED[TODAY + timedelta(days=6)]
    VehicleFactory(owner=car.owner, delivery_on=later, care_from=later)
    TouchPointFactory(
        customer=car.owner, assignee=consultant, due_on=TODAY + timedelta(days=5), opens_on=TODAY - timedelta(days=1)
    )

    assert shown(as_user(consultant).get(AHEAD)) == [(TODAY + timedelta(days=3), car.owner, True)]


@pytest.mark.parametrize(
    "values",
    [
        {"do_not_contact": DoNotContact.ALL_BUT_SAFETY},
        {"last_effective_contact_on": TODAY},
        {"status": "deceased"},
    ],
    ids=["does not want it", "covered by a contact", "gone"],
)
def test_care_that_will_not_be_made_is_not_promised(consultant, bought, values):
    bought(TODAY + timedelta(days=2), **values)
    assert keys(consultant) == []


def test_care_that_is_in_the_ledger_already_is_not_planned_again(consultant, bought):
    car = bought(TODAY + timedelta(days=2))
    due_on = TODAY + timedelta(days=9)
    rule = CareRule.objects.get(code="M3k", store=None)
    TouchPointFactory(done=True, rule=rule, customer=car.owner, vehicle=car, nominal_on=due_on, step=3)
    assert keys(consultant) == []


def test_the_tile_shows_what_is_open_at_once_and_fetches_the_rest(as_user, consultant, bought):
    bought(TODAY + timedelta(days=2))
    client = as_user(consultant)

    page = client.get(DAY).content.decode()
    tile = client.get(AHEAD, headers=HTMX).content.decode()

    assert f'href="{AHEAD}"' in page
    assert f'hx-get="{AHEAD}"' in page
    assert "<b>0+</b>" in page
    assert "<b>1</b>" in tile
    assert "<html" not in tile
    assert "hx-get" not in tile


def test_pages_of_the_days_ahead_follow_the_key(as_user, consultant, bought):
    cars = [bought(TODAY + timedelta(days=day)) for day in (6, 2, 3)]
    ahead = ahead_of(consultant, now=NOW, on=TODAY)
    first = ahead_page(ahead, size=2)
    second = ahead_page(ahead, after=first.after, size=2)
    assert [row.customer for row in first.rows] == [cars[1].owner, cars[2].owner]
    assert ([row.customer for row in second.rows], second.after) == ([cars[0].owner], "")


def test_the_queries_of_the_days_ahead_do_not_grow_with_the_list(
    as_user, consultant, bought, django_assert_num_queries
):
    client = as_user(consultant)
    bought(TODAY + timedelta(days=2))
    client.get(AHEAD)
    with django_assert_num_queries(AHEAD_QUERIES):
        client.get(AHEAD)
    bought(TODAY + timedelta(days=3))
    bought(TODAY + timedelta(days=6))
    with django_assert_num_queries(AHEAD_QUERIES):
        client.get(AHEAD)


# --- Birthdays --------------------------------------------------------------------------------------------------------


@pytest.fixture
def born(store, consultant):
    """Make a customer of the consultant's with a birthday."""

    def make(name, month, day, **values):
        values = {"sales_consultant": consultant} | values
        return CustomerFactory(store=store, name=name, birthday_month=month, birthday_day=day, **values)

    return make


def celebrated(user, on=TODAY):
    return [(row.customer.name, row.on) for row in birthdays_ahead(user, on=on, limit=50)]


def test_birthdays_are_told_three_days_before_the_nearest_first(as_user, consultant, born):
    born("后天", 11, 23)
    born("今天", 11, 21)
    born("昨天", 11, 20)
    born("第三天", 11, 24)
    born("第四天", 11, 25)

    names = ["今天", "后天", "第三天"]
    client = as_user(consultant)
    assert [row.customer.name for row in client.get(DAY).context["birthdays"]] == names
    assert [row.customer.name for row in client.get(BIRTHDAYS).context["birthdays"]] == names
    assert TouchPoint.objects.count() == 0


def test_lunar_birthdays_are_told_by_the_lunar_calendar_of_the_year(consultant, born):
    # 2026-11-23 is the 15th of the 10th lunar month.
    born("农历", 10, 15, birthday_calendar=BirthdayCalendar.LUNAR)
    born("公历", 10, 15)
    assert celebrated(consultant) == [("农历", date(2026, 11, 23))]


def test_a_birthday_on_29_february_is_told_for_the_28th_in_a_common_year(consultant, born):
    born("闰日", 2, 29)
    assert celebrated(consultant, on=date(2027, 2, 25)) == [("闰日", date(2027, 2, 28))]


def test_only_those_one_looks_after_are_told_and_nobody_who_is_gone(consultant, adviser, other_store, born):
    born("同事的", 11, 22, sales_consultant=None, service_adviser=adviser)
    born("已故", 11, 22, status="deceased")
    MembershipFactory(user=adviser, store=other_store, role=Role.SERVICE_MANAGER)
    assert celebrated(consultant) == []
    assert celebrated(adviser) == [("同事的", date(2026, 11, 22))]


def test_the_day_shows_six_birthdays_and_leads_to_all_of_them(as_user, consultant, born):
    for number in range(7):
        born(f"客户{number}", 11, 22)
    client = as_user(consultant)
    page = client.get(DAY)
    assert page.content.decode().count("客户") == 6
    assert f'href="{BIRTHDAYS}"' in page.content.decode()
    assert client.get(BIRTHDAYS).content.decode().count("客户") == 7
