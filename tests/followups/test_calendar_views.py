"""S10: the holidays of a year in the browser."""

from datetime import date

import pytest
import time_machine
from django.urls import reverse

from core.models import CalendarDay
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PAGE = reverse("followups:calendar")
ADD = reverse("followups:calendar_day_add")
FILL = reverse("followups:calendar_fill")
TUESDAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def _on_the_test_day():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def national_day(db):
    return CalendarDay.objects.get(day=date(2026, 10, 1))


def sent(day, *, is_working=False, name="店庆"):
    return {"day": day.isoformat(), "is_working": str(is_working), "name": name, "year": day.year}


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("group_manager", 302),
        ("admin_user", 302),
        ("general_manager", 403),
        ("manager", 403),
        ("care_specialist", 403),
        ("consultant", 403),
        ("auditor", 403),
    ],
)
def test_everybody_reads_the_holidays_and_the_group_changes_them(request, as_user, national_day, person, status):
    client = as_user(request.getfixturevalue(person))
    edit = reverse("followups:calendar_day_edit", args=[national_day.pk])
    remove = reverse("followups:calendar_day_remove", args=[national_day.pk])
    assert client.get(PAGE).status_code == 200
    assert [client.get(url).status_code for url in (edit, remove)] == [200 if status == 302 else 403] * 2
    assert client.post(ADD, sent(TUESDAY)).status_code == status
    assert client.post(FILL, {"year": 2026}).status_code == status
    assert client.post(edit, {"is_working": "False", "name": "国庆"}).status_code == status
    assert client.post(remove).status_code == status
    assert CalendarDay.objects.filter(day=TUESDAY).exists() == (status == 302)


def test_the_page_opens_on_this_year_and_turns_to_others(as_user, adviser):
    client = as_user(adviser)
    this_year = client.get(PAGE).context
    assert (this_year["year"], this_year["is_notice_known"]) == (2026, True)
    assert {row.day.year for row, _ in client.get(PAGE, {"year": 2025}).context["days"]} == {2025}
    assert client.get(PAGE, {"year": "nonsense"}).context["year"] == 2026


def test_a_year_without_its_notice_says_so(as_user, adviser):
    page = as_user(adviser).get(PAGE, {"year": 2027})
    assert page.context["is_notice_known"] is False
    assert "The State Council's notice for 2027 is not in the calendar yet" in page.content.decode()


def test_the_page_costs_the_same_for_any_number_of_days(as_user, admin_user, django_assert_num_queries):
    client = as_user(admin_user)
    for year in (2026, 2040):
        client.get(PAGE, {"year": year})
        # the session (2), memberships, days; the alarm is cached
        with django_assert_num_queries(4):
            client.get(PAGE, {"year": year})


def test_an_added_day_is_marked_as_edited(as_user, group_manager):
    response = as_user(group_manager).post(ADD, sent(TUESDAY))
    assert response.url == f"{PAGE}?year=2026"
    row = CalendarDay.objects.get(day=TUESDAY)
    assert (row.is_working, row.name, row.is_edited) == (False, "店庆", True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"day": "2026-11-24", "is_working": "True"}, "That day is worked anyway"),
        ({"day": "2026-10-01", "is_working": "False"}, "This day is already in the calendar"),
        ({"day": "2026-02-30", "is_working": "False"}, "Enter a valid date."),
    ],
)
def test_a_day_that_makes_no_sense_is_refused_in_words(as_user, group_manager, values, words):
    before = CalendarDay.objects.count()
    response = as_user(group_manager).post(ADD, values | {"name": "x", "year": "2026"})
    assert response.status_code == 422
    assert words in response.content.decode()
    assert CalendarDay.objects.count() == before


def test_a_day_is_changed(as_user, group_manager, national_day):
    url = reverse("followups:calendar_day_edit", args=[national_day.pk])
    as_user(group_manager).post(url, {"is_working": "True", "name": "加班"})
    national_day.refresh_from_db()
    assert (national_day.is_working, national_day.name, national_day.is_edited) == (True, "加班", True)


def test_removing_asks_first_and_says_what_follows(as_user, group_manager, national_day):
    client = as_user(group_manager)
    url = reverse("followups:calendar_day_remove", args=[national_day.pk])
    assert "It is an ordinary working day then" in client.get(url).content.decode()
    assert not CalendarDay.objects.get(pk=national_day.pk).is_working
    client.post(url)
    assert CalendarDay.objects.get(pk=national_day.pk).is_working


def test_filling_tells_how_many_days_changed(as_user, group_manager, national_day):
    national_day.delete()
    client = as_user(group_manager)
    response = client.post(FILL, {"year": "2026"}, follow=True)
    assert "1 day of 2026 is new or changed." in response.content.decode()
    response = client.post(FILL, {"year": "2026"}, follow=True)
    assert "2026 is already as the library knows it." in response.content.decode()


@pytest.mark.parametrize("url", [ADD, FILL])
def test_a_get_cannot_do_it(as_user, group_manager, url):
    assert as_user(group_manager).get(url).status_code == 405
