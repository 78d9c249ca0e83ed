"""When the night's plan is overdue: around 06:00 in the time zone of each store."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.choices import JobStatus
from core.rules import AlarmKind, JobAlarm, Place, RunFacts, business_date_due, job_alarm, job_alarms

SHANGHAI = ZoneInfo("Asia/Shanghai")
BINZHOU = Place("BZ01", "滨州渤海路店", "Asia/Shanghai")
URUMQI = Place("UR01", "乌鲁木齐店", "Asia/Urumqi")
LOS_ANGELES = Place("LA01", "Los Angeles", "America/Los_Angeles")
TODAY = date(2026, 11, 21)
YESTERDAY = date(2026, 11, 20)


def at(clock: str, day: date = TODAY) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI)


def run(
    business_date: date = TODAY, status: str = JobStatus.DONE, started: datetime | None = None, store: str = ""
) -> RunFacts:
    return RunFacts(store, business_date, status, started or at("02:00", business_date))


def test_before_six_yesterdays_plan_is_enough():
    assert job_alarm(BINZHOU, [run(YESTERDAY)], now=at("05:59:59")) is None


def test_from_six_on_todays_plan_is_missing():
    assert job_alarm(BINZHOU, [run(YESTERDAY)], now=at("06:00")) == JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)


def test_with_todays_plan_there_is_no_alarm_at_six():
    assert job_alarm(BINZHOU, [run(YESTERDAY), run(TODAY)], now=at("06:00")) is None


def test_a_plan_missing_since_yesterday_stays_an_alarm_after_midnight():
    before_yesterday = YESTERDAY - timedelta(days=1)
    assert job_alarm(BINZHOU, [run(before_yesterday)], now=at("00:01")) == JobAlarm(
        AlarmKind.MISSING, BINZHOU, YESTERDAY
    )


def test_without_any_run_the_plan_is_missing():
    assert job_alarm(BINZHOU, [], now=at("09:00")) == JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)


def test_a_run_of_the_store_alone_counts_for_it():
    assert job_alarm(BINZHOU, [run(store="BZ01")], now=at("09:00")) is None


def test_a_run_made_ahead_is_no_night():
    missing = JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)
    ahead = [run(TODAY + timedelta(days=days), started=at("10:00", YESTERDAY)) for days in (0, 30)]
    assert [job_alarm(BINZHOU, [each], now=at("06:00")) for each in ahead] == [missing, missing]
    # Neither does it spoil the nights that come all the same.
    assert job_alarm(BINZHOU, [*ahead, run(TODAY)], now=at("06:00")) is None


def test_a_run_for_a_day_to_come_that_began_in_the_due_night_brought_todays_plan_as_well():
    ahead = TODAY + timedelta(days=30)
    assert job_alarm(BINZHOU, [run(ahead, started=at("00:00"))], now=at("06:00")) is None
    just_before = run(ahead, started=at("23:59:59", YESTERDAY))
    assert job_alarm(BINZHOU, [just_before], now=at("06:00")) == JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)


def test_a_run_of_another_store_does_not_count():
    assert job_alarm(BINZHOU, [run(store="UR01")], now=at("09:00")) == JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)


def test_a_run_that_is_still_going_at_six_is_late():
    running = run(status=JobStatus.RUNNING, started=at("05:50"))
    assert job_alarm(BINZHOU, [run(YESTERDAY), running], now=at("06:00")) == JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)


def test_a_failed_run_is_an_alarm_at_once():
    failed = run(status=JobStatus.FAILED, started=at("02:00"))
    assert job_alarm(BINZHOU, [run(YESTERDAY), failed], now=at("02:01")) == JobAlarm(AlarmKind.FAILED, BINZHOU, TODAY)


def test_a_good_run_after_a_failed_one_ends_the_alarm():
    failed = run(status=JobStatus.FAILED, started=at("02:00"))
    assert job_alarm(BINZHOU, [failed, run(started=at("07:30"))], now=at("08:00")) is None


@pytest.mark.parametrize(("clock", "kind"), [("04:00", None), ("04:00:01", AlarmKind.STUCK)])
def test_a_run_hangs_after_two_hours(clock: str, kind: AlarmKind | None):
    running = run(status=JobStatus.RUNNING, started=at("02:00"))
    alarm = job_alarm(BINZHOU, [run(YESTERDAY), running], now=at(clock))
    assert (alarm.kind if alarm else None) == kind


def test_six_is_six_where_the_store_is():
    runs = [run(YESTERDAY)]
    now = at("06:30")  # 04:30 in Urumqi
    assert job_alarms([BINZHOU, URUMQI], runs, now=now) == [JobAlarm(AlarmKind.MISSING, BINZHOU, TODAY)]


def test_the_business_date_is_that_of_the_stores_own_day():
    # 21 Nov 06:30 in Shanghai is still 20 Nov 14:30 in Los Angeles.
    assert business_date_due(at("06:30"), LOS_ANGELES.time_zone) == YESTERDAY
    # Its night, at 02:00 there.
    night = run(YESTERDAY, started=at("18:00", YESTERDAY))
    assert job_alarm(LOS_ANGELES, [night], now=at("06:30")) is None


def test_the_clock_may_come_in_any_time_zone():
    assert business_date_due(datetime(2026, 11, 20, 22, 0, tzinfo=UTC), "Asia/Shanghai") == TODAY


def test_without_stores_there_is_nothing_to_miss():
    assert job_alarms([], [], now=at("09:00")) == []
