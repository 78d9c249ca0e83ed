"""What comes after an inspection that somebody confirmed: the next one by the cycle (domain §1.2, §11.3)."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from followups.coverage import check_coverage
from followups.planner import plan_care
from tests.factories import TODAY, CustomerFactory, VehicleFactory
from tests.planning import days, only, rows
from vehicles.actions import (
    confirm_inspection,
    create_vehicle,
    refresh_lapsed_inspections,
    refresh_vehicle_facts,
    update_vehicle,
)
from vehicles.choices import InspectionSource, Use, VehicleStatus
from vehicles.models import Vehicle
from vehicles.rules import inspection_after

pytestmark = pytest.mark.django_db

ESTIMATE, LICENCE, AUTHORITY = InspectionSource.ESTIMATE, InspectionSource.LICENCE, InspectionSource.AUTHORITY
NO_DATES = {"registered_on": None, "delivery_on": None, "purchase_on": None}


def a_car(*, valid_until=date(2026, 5, 31), source=LICENCE, registered_on=date(2024, 5, 10), **values):
    return VehicleFactory(
        **{
            "registered_on": registered_on,
            "inspection_valid_until": valid_until,
            "inspection_source": source,
            "care_from": date(2026, 1, 1),
        }
        | values
    )


def refreshed(car, on):
    refresh_vehicle_facts([car.pk], on=on)
    car.refresh_from_db()
    return car.inspection_valid_until, car.inspection_source


# --- The rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "expected"),
    [(date(2026, 6, 30), None), (date(2026, 7, 1), date(2028, 5, 31)), (date(2028, 6, 1), date(2030, 5, 31))],
)
def test_a_confirmed_date_counts_until_a_month_after_it(on, expected):
    words = {"registered_on": date(2024, 5, 10), "use": Use.PRIVATE}
    assert inspection_after(date(2026, 5, 31), on=on, **words) == expected


def test_a_confirmed_date_counts_as_long_as_the_cycle_means_the_same_inspection_by_a_later_month():
    words = {"registered_on": date(2024, 7, 10), "use": Use.PRIVATE}
    assert inspection_after(date(2026, 5, 31), on=date(2026, 7, 31), **words) is None
    assert inspection_after(date(2026, 5, 31), on=date(2026, 8, 1), **words) == date(2028, 7, 31)
    # Three months apart are two inspections.
    assert inspection_after(date(2026, 4, 30), on=date(2026, 7, 31), **words) == date(2026, 7, 31)


def test_a_half_yearly_car_misses_no_inspection_after_a_confirmed_one():
    words = {"registered_on": date(2016, 5, 10), "use": Use.COMMERCIAL}
    assert inspection_after(date(2026, 5, 31), on=date(2026, 7, 1), **words) == date(2026, 11, 30)


def test_a_car_of_unknown_age_goes_on_from_the_confirmed_date():
    words = {"registered_on": None, "use": Use.PRIVATE}
    assert inspection_after(date(2026, 2, 28), on=date(2026, 4, 1), **words) == date(2028, 2, 29)
    assert inspection_after(date(2020, 2, 29), on=date(2026, 4, 1), **words) == date(2028, 2, 29)


# --- The cars -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [LICENCE, AUTHORITY, ""])
def test_what_follows_a_lapsed_confirmed_date_is_an_estimate_known_since_then(source):
    car = a_car(source=source)
    assert refreshed(car, date(2026, 6, 30)) == (date(2026, 5, 31), source)
    assert refreshed(car, date(2026, 7, 1)) == (date(2028, 5, 31), ESTIMATE)
    assert car.inspection_since == date(2026, 7, 1)
    assert refresh_vehicle_facts([car.pk], on=date(2026, 7, 2)) == 0
    assert refreshed(car, date(2028, 6, 1)) == (date(2030, 5, 31), ESTIMATE)


def test_the_date_of_the_next_licence_beats_the_estimate_again(admin_user):
    car = a_car()
    refreshed(car, date(2026, 7, 1))
    confirm_inspection(vehicle=car, valid_until=date(2028, 6, 30), source=AUTHORITY, on=date(2026, 8, 1), by=admin_user)
    assert refreshed(car, date(2028, 6, 1)) == (date(2028, 6, 30), AUTHORITY)


def test_a_car_without_any_date_goes_on_from_estimate_to_estimate():
    car = a_car(**NO_DATES)
    assert refreshed(car, date(2026, 7, 1)) == (date(2028, 5, 31), ESTIMATE)
    assert refreshed(car, date(2028, 5, 31)) == (date(2028, 5, 31), ESTIMATE)
    assert refreshed(car, date(2028, 6, 1)) == (date(2030, 5, 31), ESTIMATE)
    Vehicle.objects.filter(pk=car.pk).update(registered_on=date(2023, 9, 1))
    assert refreshed(car, date(2028, 6, 2)) == (date(2029, 9, 30), ESTIMATE)


def test_an_estimate_from_a_date_that_is_taken_back_goes_with_it(admin_user, store):
    car = create_vehicle(
        owner=CustomerFactory(store=store),
        vin="LSJA24U62JG269225",
        care_from=TODAY,
        by=admin_user,
        registered_on=date(2025, 1, 10),
        delivery_on=date(2025, 2, 10),
    )
    update_vehicle(vehicle=car, values={"registered_on": None}, on=TODAY, by=admin_user)
    assert (car.inspection_valid_until, car.inspection_source) == (date(2027, 2, 28), ESTIMATE)
    update_vehicle(vehicle=car, values={"delivery_on": None}, on=TODAY, by=admin_user)
    car.refresh_from_db()
    assert (car.inspection_valid_until, car.inspection_source) == (None, "")


# --- The night ----------------------------------------------------------------------------------------------------


def test_the_night_moves_what_has_lapsed_whoever_said_it_and_nothing_else(store):
    elsewhere = a_car()
    mine = {"store": store}
    lapsed = [a_car(**mine), a_car(**mine, source=AUTHORITY), a_car(**mine, source=ESTIMATE), a_car(**mine, **NO_DATES)]
    kept = [
        a_car(**mine, valid_until=date(2026, 6, 1)),
        a_car(**mine, status=VehicleStatus.SCRAPPED),
        a_car(**mine, valid_until=None, source=""),
        elsewhere,
    ]
    night = {"store_ids": [store.pk], "lapsed_by": date(2026, 7, 1), "on": date(2026, 7, 1)}
    assert refresh_lapsed_inspections(**night) == 4
    assert refresh_lapsed_inspections(**night) == 0
    until = dict(Vehicle.objects.values_list("pk", "inspection_valid_until"))
    assert [until[car.pk] for car in lapsed] == [date(2028, 5, 31)] * 4
    assert [until[car.pk] for car in kept] == [date(2026, 6, 1), date(2026, 5, 31), None, date(2026, 5, 31)]


def test_three_cars_that_lapsed_ask_the_night_no_more_than_one(store, django_assert_num_queries):
    night = {"store_ids": [store.pk], "lapsed_by": date(2026, 7, 1), "on": date(2026, 7, 1)}
    for count in (1, 3):
        for _ in range(count):
            a_car(store=store)
        with django_assert_num_queries(7):  # which ones, savepoint, lock, log, cars, write, release
            assert refresh_lapsed_inspections(**night) == count


@pytest.mark.parametrize("dates", [{"registered_on": date(2024, 11, 10)}, NO_DATES])
def test_after_a_confirmed_inspection_the_next_one_is_spoken_about_as_well(time_machine, admin_user, dates):
    """Every night is checked: nothing is missing, nothing is double, and what was promised stays as it was."""
    only("IS1", "IS2", "IS3")
    shanghai = ZoneInfo("Asia/Shanghai")
    begin = date(2026, 9, 1)
    time_machine.move_to(datetime(2026, 9, 1, 1, tzinfo=shanghai), tick=False)
    owner = CustomerFactory(entered_on=begin)
    car = create_vehicle(owner=owner, vin="LSJA24U62JG269225", care_from=begin, by=admin_user, **dates)
    confirm_inspection(vehicle=car, valid_until=date(2026, 11, 30), source=LICENCE, on=begin, by=admin_user)
    seen = {}
    nights = [*days(begin, 150)[::5], *days(date(2028, 9, 20), 80)[::5]]
    for night in nights:
        time_machine.move_to(datetime.combine(night, datetime.min.time(), shanghai) + timedelta(hours=2), tick=False)
        plan_care(on=night)
        now = datetime.combine(night, datetime.min.time(), shanghai) + timedelta(hours=9)
        coverage = check_coverage(first=begin, last=date(2029, 1, 31), now=now)
        assert (night, coverage.missing, coverage.duplicates) == (night, 0, 0)
        points = {pk: line for pk, *line in rows("pk", "nominal_on", "anchor_on", "opens_on", "closes_on")}
        assert seen.items() <= points.items()
        seen = points
    assert [nominal for nominal, *_rest in seen.values()] == [
        *(date(2026, 11, 30) - timedelta(days=before) for before in (60, 30, 7)),
        *(date(2028, 11, 30) - timedelta(days=before) for before in (60, 30, 7)),
    ]
