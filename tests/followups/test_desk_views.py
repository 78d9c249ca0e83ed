"""Due lists and internal forms are seen by those who deal with them, and closed by hand."""

from datetime import timedelta

import pytest

from followups.choices import Handling, Reason, TouchPointStatus
from followups.models import CareRule, TouchPoint
from tests.factories import TODAY, CustomerFactory, TouchPointFactory, VehicleFactory

pytestmark = pytest.mark.django_db

DESK, SETTLE = "/desk/", "/desk/settle/"


@pytest.fixture(autouse=True)
def _saturday_morning(time_machine):
    time_machine.move_to("2026-11-21T09:00:00+08:00", tick=False)


def card(store, assignee=None, code="D0", **values):
    """A care card to fill in (D0), or an entry of the list of services due (PS0)."""
    owner = CustomerFactory(store=store)
    rule = CareRule.objects.get(code=code, store=None)
    return TouchPointFactory(
        customer=owner, vehicle=VehicleFactory(owner=owner), rule=rule, assignee=assignee, **values
    )


def shown(response):
    return [point.pk for point in response.context["page"].rows]


def statuses(*points):
    return [TouchPoint.objects.get(pk=point.pk).status for point in points]


def test_the_desk_shows_what_is_ones_own_and_the_pool_to_those_who_take_from_it(
    as_user, adviser, care_specialist, store, other_store
):
    own, pooled = card(store, adviser), card(store)
    card(other_store)
    card(store, adviser, opens_on=TODAY + timedelta(1), due_on=TODAY + timedelta(1), closes_on=TODAY + timedelta(1))
    card(store, adviser, done=True)
    TouchPointFactory(customer=CustomerFactory(store=store), assignee=adviser)
    assert shown(as_user(adviser).get(DESK)) == [own.pk]
    assert shown(as_user(care_specialist).get(DESK)) == [pooled.pk]


def test_one_kind_is_shown_at_a_time_when_asked_for(as_user, adviser, store):
    form, entry = card(store, adviser), card(store, adviser, code="PS0")
    client = as_user(adviser)
    response = client.get(DESK)
    assert shown(response) == [form.pk, entry.pk]
    assert [(kind.code, kind.count) for kind in response.context["kinds"]] == [("D0", 1), ("PS0", 1)]
    assert shown(client.get(DESK, {"rule": "PS0"})) == [entry.pk]
    assert shown(client.get(DESK, {"rule": "nonsense"})) == [form.pk, entry.pk]


def test_what_was_ticked_is_closed_and_the_rest_stays(as_user, adviser, store):
    ticked, left = card(store, adviser), card(store, adviser)
    response = as_user(adviser).post(SETTLE, {"ticked": [ticked.pk], "rule": "", "scope": "ticked"}, follow=True)
    assert shown(response) == [left.pk]
    ticked.refresh_from_db()
    assert (ticked.status, ticked.reason, ticked.closed_on) == (TouchPointStatus.DONE, Reason.BY_HAND, TODAY)


def test_a_whole_list_is_closed_at_once_and_other_kinds_stay(as_user, adviser, store):
    form, first, second = card(store, adviser), card(store, adviser, code="PS0"), card(store, adviser, code="PS0")
    client = as_user(adviser)
    page = client.get(DESK, {"rule": "PS0"})
    shown = page.context["shown"]
    assert f'name="last" value="{shown.last}"' in page.text
    assert f'name="digest" value="{shown.digest}"' in page.text
    added = card(store, adviser, code="PS0")  # the planner's, after the page was shown
    client.post(SETTLE, {"rule": "PS0", "scope": "all", "last": shown.last, "digest": shown.digest})
    done = TouchPointStatus.DONE
    assert statuses(form, first, second, added) == [TouchPointStatus.OPEN, done, done, TouchPointStatus.OPEN]


def test_a_whole_list_that_a_moved_forecast_has_joined_meanwhile_is_looked_at_again(as_user, adviser, store):
    moved, listed = card(store, adviser, code="PS0"), card(store, adviser, code="PS0")
    away = {"opens_on": TODAY + timedelta(30), "due_on": TODAY + timedelta(30), "closes_on": TODAY + timedelta(30)}
    TouchPoint.objects.filter(pk=moved.pk).update(**away)
    client = as_user(adviser)
    shown = client.get(DESK, {"rule": "PS0"}).context["shown"]
    TouchPoint.objects.filter(pk=moved.pk).update(opens_on=TODAY, due_on=TODAY, closes_on=TODAY)
    form = {"rule": "PS0", "scope": "all", "last": shown.last, "digest": shown.digest}
    response = client.post(SETTLE, form, follow=True)
    assert statuses(moved, listed) == [TouchPointStatus.OPEN] * 2
    assert "The list has changed meanwhile" in response.text


def test_nothing_ticked_closes_nothing_and_says_so(as_user, adviser, store):
    point = card(store, adviser)
    response = as_user(adviser).post(SETTLE, {"rule": "", "scope": "all"}, follow=True)
    assert statuses(point) == [TouchPointStatus.OPEN]
    assert [str(message) for message in response.context["messages"]] == ["Tick what you have dealt with first."]


def test_what_is_another_persons_or_another_stores_is_not_closed(as_user, adviser, care_specialist, store, other_store):
    foreign, colleagues = card(other_store), card(store, care_specialist)
    call = TouchPointFactory(customer=CustomerFactory(store=store), assignee=adviser)
    assert call.handling == Handling.CONTACT
    as_user(adviser).post(SETTLE, {"ticked": [foreign.pk, colleagues.pk, call.pk, "x"], "rule": ""})
    assert statuses(foreign, colleagues, call) == [TouchPointStatus.OPEN] * 3


def test_people_who_do_not_work_tasks_have_no_desk(as_user, group_manager, admin_user, auditor):
    for person in (group_manager, admin_user, auditor):
        assert as_user(person).get(DESK).status_code == 403
        assert as_user(person).post(SETTLE, {"ticked": ["1"]}).status_code == 403


def test_closing_needs_a_post(as_user, adviser):
    assert as_user(adviser).get(SETTLE).status_code == 405


@pytest.mark.parametrize("count", [1, 3])
def test_the_desk_takes_the_same_queries_for_one_and_three_entries(
    as_user, adviser, store, count, django_assert_num_queries
):
    for _ in range(count):
        card(store, adviser)
    client = as_user(adviser)
    # Session, user, memberships, counts, rules, entries.
    with django_assert_num_queries(6):
        client.get(DESK)
