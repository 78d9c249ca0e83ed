"""S9: the nightly runs, the alarm when one is missing, and running one again by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from core.choices import JobStatus
from core.models import JobRun
from followups import dispatch
from tests.factories import TODAY, JobRunFactory, StoreFactory

pytestmark = pytest.mark.django_db

YESTERDAY = TODAY - timedelta(days=1)
LIST = reverse("followups:job_list")
RUN = reverse("followups:job_run")
PROGRESS = reverse("followups:job_progress")
# In Shanghai it is eight hours later.
BEFORE_SIX = datetime(2026, 11, 20, 21, 59, tzinfo=UTC)
AT_SIX = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.fixture
def at_six():
    with time_machine.travel(AT_SIX, tick=False):
        yield


def alarms(response):
    return list(response.context.get("job_alarms") or [])


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("consultant", 403),
        ("adviser", 403),
        ("care_specialist", 403),
        ("manager", 200),
        ("sales_manager", 200),
        ("general_manager", 200),
        ("group_manager", 200),
        ("admin_user", 200),
        ("auditor", 200),
    ],
)
def test_managers_the_group_administrators_and_auditors_see_the_jobs(request, as_user, person, status):
    client = as_user(request.getfixturevalue(person))
    assert client.get(LIST).status_code == status
    run = JobRunFactory()
    assert client.get(reverse("followups:job_detail", args=[run.pk])).status_code == status


def test_a_manager_sees_runs_of_the_own_store_and_of_all_stores(as_user, manager, other_store):
    everywhere = JobRunFactory(business_date=YESTERDAY)
    own = JobRunFactory(store_code="BZ01")
    other = JobRunFactory(store_code=other_store.code)
    client = as_user(manager)
    assert [row.run for row in client.get(LIST).context["rows"]] == [own, everywhere]
    assert client.get(reverse("followups:job_detail", args=[other.pk])).status_code == 404


def test_an_administrator_sees_runs_of_every_store(as_user, admin_user, store, other_store):
    runs = [JobRunFactory(store_code=code) for code in ("BZ01", "BZ02")]
    assert [row.run for row in as_user(admin_user).get(LIST).context["rows"]] == runs[::-1]


def test_the_list_tells_what_a_run_did_rule_by_rule(as_user, manager):
    JobRunFactory()
    response = as_user(manager).get(LIST)
    [row] = response.context["rows"]
    [rule] = row.rules
    assert (rule.code, rule.name, rule.created, rule.existing, rule.suppressed) == ("M3k", "Routine care", 12, 3, 2)
    assert "4.0" in response.content.decode()


def test_the_list_filters_by_state(as_user, manager):
    JobRunFactory()
    failed = JobRunFactory(failed=True)
    response = as_user(manager).get(LIST, {"status": "failed"})
    assert [row.run for row in response.context["rows"]] == [failed]
    assert "OperationalError: server closed the connection" in response.content.decode()


def test_older_runs_are_on_the_next_page(as_user, manager):
    runs = [JobRunFactory(business_date=TODAY - timedelta(days=31 - n)) for n in range(32)]
    client = as_user(manager)
    first = client.get(LIST)
    assert [row.run for row in first.context["rows"]] == runs[:1:-1]
    second = client.get(LIST, {"before": first.context["older"]})
    assert [row.run for row in second.context["rows"]] == runs[1::-1]
    assert second.context["older"] is None


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_for_any_number_of_runs(as_user, manager, django_assert_num_queries, rows):
    for _ in range(rows):
        JobRunFactory(started_by=manager)
    client = as_user(manager)
    client.get(LIST)
    # the session (2), memberships, runs, store names, rule names, running ones, stores to run, two for the alarm
    with django_assert_num_queries(10):
        client.get(LIST)


def test_a_get_never_starts_a_job(as_user, manager):
    assert as_user(manager).get(RUN).status_code == 405
    assert not JobRun.objects.exists()


# --- Run again ----------------------------------------------------------------------------------------------------


@time_machine.travel(AT_SIX, tick=False)
def test_a_manager_runs_the_plan_of_the_own_store(as_user, manager):
    response = as_user(manager).post(RUN, {"store": "BZ01"})
    assert response.status_code == 302
    assert response.url == f"{LIST}?asked={int(AT_SIX.timestamp())}&store=BZ01"
    run = JobRun.objects.get()
    assert (run.store_code, run.business_date, run.status, run.started_by) == ("BZ01", TODAY, JobStatus.DONE, manager)


@time_machine.travel(AT_SIX, tick=False)
def test_an_administrator_runs_the_plan_of_all_stores(as_user, admin_user, store, other_store):
    as_user(admin_user).post(RUN, {"store": ""})
    run = JobRun.objects.get()
    assert (run.store_code, run.business_date, run.started_by) == ("", TODAY, admin_user)


@time_machine.travel(AT_SIX, tick=False)
def test_the_day_planned_is_the_stores_own_day(as_user, admin_user):
    StoreFactory(code="LA01", time_zone="America/Los_Angeles")
    as_user(admin_user).post(RUN, {"store": "LA01"})
    assert JobRun.objects.get().business_date == YESTERDAY


@pytest.mark.parametrize(
    ("person", "code", "status"),
    [
        ("manager", "BZ02", 404),
        ("manager", "", 403),
        ("general_manager", "nowhere", 404),
        ("group_manager", "BZ01", 403),
        ("auditor", "BZ01", 403),
        ("adviser", "BZ01", 403),
        ("consultant", "BZ01", 403),
    ],
)
def test_nobody_else_starts_it(request, as_user, store, other_store, person, code, status):
    assert as_user(request.getfixturevalue(person)).post(RUN, {"store": code}).status_code == status
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("error", [OperationalError("no"), RedisConnectionError("no")])
def test_with_the_broker_down_the_page_says_so_and_nothing_starts(as_user, manager, monkeypatch, error):
    def refuse(**_options):
        raise error

    monkeypatch.setattr(dispatch.plan_care_task, "apply_async", refuse)
    response = as_user(manager).post(RUN, {"store": "BZ01"}, follow=True)
    assert "Nothing was started: the job queue (Valkey) does not answer." in response.content.decode()
    assert not JobRun.objects.exists()


def test_without_a_worker_the_page_says_so_and_nothing_starts(as_user, manager, monkeypatch):
    monkeypatch.setattr(dispatch, "worker_answers", lambda: False)
    response = as_user(manager).post(RUN, {"store": "BZ01"}, follow=True)
    assert "Nothing was started: no worker is running." in response.content.decode()
    assert not JobRun.objects.exists()


# --- Progress -----------------------------------------------------------------------------------------------------


def progress(client, **query):
    return client.get(PROGRESS, query, headers={"hx-request": "true"})


def test_a_running_job_is_looked_at_again_until_it_ends(as_user, manager):
    run = JobRunFactory(running=True, started_at=timezone.now())
    client = as_user(manager)
    assert 'hx-trigger="every 2s"' in client.get(LIST).content.decode()
    response = progress(client)
    assert (response.status_code, response.headers.get("HX-Redirect")) == (200, None)
    assert 'hx-trigger="every 2s"' in response.content.decode()

    JobRun.objects.filter(pk=run.pk).update(status=JobStatus.DONE, finished_at=timezone.now())
    assert progress(client).headers["HX-Redirect"] == LIST
    assert "hx-trigger" not in client.get(LIST).content.decode().split('id="job-progress"')[1].split(">")[0]


def test_a_job_that_was_handed_over_is_waited_for(as_user, manager):
    asked = timezone.now()
    response = progress(as_user(manager), asked=f"{asked.timestamp():.0f}", store="BZ01")
    assert "A worker takes the job in a moment" in response.content.decode()
    assert "HX-Redirect" not in response.headers


def test_a_job_that_was_taken_is_no_longer_waited_for(as_user, manager):
    with time_machine.travel(AT_SIX + timedelta(milliseconds=600), tick=False):
        client = as_user(manager)
        address = client.post(RUN, {"store": "BZ01"}).url
        response = client.get(f"{PROGRESS}?{address.partition('?')[2]}", headers={"hx-request": "true"})
    assert response.headers["HX-Redirect"] == LIST


def test_a_job_that_nobody_takes_is_said_after_a_minute(as_user, manager):
    asked = timezone.now() - timedelta(seconds=61)
    response = progress(as_user(manager), asked=f"{asked.timestamp():.0f}", store="BZ01")
    assert "No worker has taken the job for a minute." in response.content.decode()
    assert "hx-trigger" not in response.content.decode()


def test_a_hanging_job_is_no_longer_polled(as_user, manager):
    JobRunFactory(running=True, started_at=timezone.now() - timedelta(hours=3))
    response = progress(as_user(manager))
    assert "its worker has probably stopped" in response.content.decode()
    assert "hx-trigger" not in response.content.decode()


def test_without_htmx_the_progress_is_the_page(as_user, manager):
    response = as_user(manager).get(PROGRESS)
    assert (response.status_code, response.url) == (302, LIST)


@pytest.mark.parametrize("asked", ["", "x", "99999999999999999999"])
def test_nonsense_in_the_address_is_ignored(as_user, manager, asked):
    assert as_user(manager).get(LIST, {"asked": asked, "before": "x", "status": "x"}).status_code == 200


# --- The alarm on every screen ------------------------------------------------------------------------------------


def test_at_six_a_missing_plan_is_an_alarm_on_every_page_of_a_manager(as_user, manager):
    JobRunFactory(business_date=YESTERDAY)
    client = as_user(manager)
    page = reverse("followups:rule_list")
    with time_machine.travel(BEFORE_SIX, tick=False):
        assert alarms(client.get(page)) == []
    with time_machine.travel(AT_SIX, tick=False):
        response = client.get(page)
    assert [(each.kind, each.business_date) for each in alarms(response)] == [("missing", date(2026, 11, 21))]
    assert "The care plan of 2026-11-21 Sat was not there by 06:00" in response.content.decode()


def test_a_plan_made_thirty_days_ahead_silences_no_alarm(as_user, manager, at_six):
    JobRunFactory(business_date=TODAY + timedelta(days=30), started_at=AT_SIX - timedelta(days=1))
    [alarm] = alarms(as_user(manager).get(LIST))
    assert (alarm.kind, alarm.business_date) == ("missing", TODAY)


@pytest.mark.parametrize("person", ["consultant", "adviser", "care_specialist"])
def test_staff_are_not_alarmed(request, as_user, at_six, person):
    response = as_user(request.getfixturevalue(person)).get(reverse("followups:rule_list"))
    assert response.status_code == 200
    assert "job_alarms" not in response.context


def test_a_manager_is_not_alarmed_about_other_stores(as_user, manager, other_store, at_six):
    JobRunFactory(store_code="BZ01")
    assert alarms(as_user(manager).get(LIST)) == []


def test_an_administrator_is_told_which_stores_are_missing(as_user, admin_user, store, other_store, at_six):
    JobRunFactory(store_code="BZ01")
    [alarm] = alarms(as_user(admin_user).get(LIST))
    assert (list(alarm.stores), alarm.is_everywhere) == ([other_store.name], False)


def test_a_failed_night_is_an_alarm_until_a_good_run(as_user, manager, at_six):
    JobRunFactory(failed=True)
    client = as_user(manager)
    assert "The nightly run of 2026-11-21 Sat failed." in client.get(LIST).content.decode()
    client.post(RUN, {"store": "BZ01"})
    assert alarms(client.get(LIST)) == []


def test_the_alarm_reads_the_database_once_a_minute_at_most(as_user, manager, at_six, django_assert_num_queries):
    client = as_user(manager)
    page = reverse("followups:rule_list")
    client.get(page)
    # the session (2), memberships, rules; nothing for the alarm
    with django_assert_num_queries(4):
        assert len(alarms(client.get(page))) == 1


def test_with_the_cache_down_the_alarm_comes_from_the_database(as_user, manager, at_six, monkeypatch):
    def refuse(*_args, **_options):
        raise RedisConnectionError("no")

    monkeypatch.setattr(cache, "get", refuse)
    assert len(alarms(as_user(manager).get(LIST))) == 1
