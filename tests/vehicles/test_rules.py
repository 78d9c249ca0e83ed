"""Rules about cars: numbers, plates, odometers, service, warranty, inspection (domain §1.2, §2.1, §3.5, §11.3)."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared_data import shared_data
from vehicles.choices import AgeBand, Energy, OdometerFlag, PlateKind, ServiceKind, Use
from vehicles.rules import (
    BATTERY_TERMS,
    DEFAULT_TERMS,
    DEFAULT_WARRANTY,
    PlateProblem,
    Reading,
    WarrantyTerms,
    age_band,
    daily_km,
    default_terms,
    energy_of_plate,
    estimate_inspection,
    flag_readings,
    forecast_service,
    has_right_check_digit,
    is_vin,
    normalise_vin,
    read_plate,
    vin_check_digit,
    warranty_dates,
)

OK, FALLING, LEAPING = OdometerFlag.OK, OdometerFlag.FALLING, OdometerFlag.LEAPING


def test_the_vin_of_the_standard_has_its_check_digit():
    assert has_right_check_digit("LSJA24U62JG269225")


def test_a_vin_is_normalised_before_it_is_judged():
    assert normalise_vin(" lsja24u6-2jg 269225 ") == "LSJA24U62JG269225"
    assert normalise_vin("ＬＳＪＡ２４Ｕ６２ＪＧ２６９２２５") == "LSJA24U62JG269225"


@pytest.mark.parametrize(
    "text", ["LSJA24U62JG26922", "LSJA24U62JG2692255", "LSJA24I62JG269225", "LSJA24O62JG269225", ""]
)
def test_a_vin_has_17_characters_and_no_i_o_q(text):
    assert not is_vin(text)


def test_the_check_digits_of_published_vins_are_computed_alike():
    with shared_data("vin/vin_cases_public.csv").open(encoding="utf-8") as file:
        cases = [row for row in csv.DictReader(file) if row["class_computed"].startswith("check_digit")]
    ours = [(row["vin"], vin_check_digit(row["vin"])) for row in cases]
    assert len(cases) > 200
    assert ours == [(row["vin"], row["computed_check_digit"]) for row in cases]


@pytest.mark.parametrize(
    ("text", "number", "kind"),
    [
        ("鲁M12345", "鲁M12345", PlateKind.BLUE),
        ("鲁m·12345", "鲁M12345", PlateKind.BLUE),
        (" 鲁M 1234A", "鲁M1234A", PlateKind.BLUE),
        ("沪ADF123", "沪ADF123", PlateKind.BLUE),
        ("京AD12345", "京AD12345", PlateKind.NEV_SMALL),
        ("粤BA03205", "粤BA03205", PlateKind.NEV_SMALL),
        ("苏CF12345", "苏CF12345", PlateKind.NEV_SMALL),
        ("粤B12345D", "粤B12345D", PlateKind.NEV_LARGE),
        ("京A1234警", "京A1234警", PlateKind.OTHER),
        ("冀A1234挂", "冀A1234挂", PlateKind.OTHER),
        ("粤Z1234港", "粤Z1234港", PlateKind.OTHER),
        ("使123456", "使123456", PlateKind.OTHER),
        ("闽20401领", "闽20401领", PlateKind.OTHER),
        ("临牌", "", PlateKind.TEMPORARY),
        ("鲁M临12345", "鲁M临12345", PlateKind.TEMPORARY),
        ("", "", PlateKind.NONE),
        ("未上牌", "", PlateKind.NONE),
    ],
)
def test_a_plate_is_read(text, number, kind):
    plate = read_plate(text)
    assert (plate.number, plate.kind) == (number, kind)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("京A1234", PlateProblem.LENGTH),
        ("粤BA123456", PlateProblem.LENGTH),
        ("京12345", PlateProblem.LENGTH),
        ("京A12I45", PlateProblem.CHARACTERS),
        ("京A12#45", PlateProblem.CHARACTERS),
        ("京A123456", PlateProblem.CHARACTERS),
        ("美A12345", PlateProblem.PROVINCE),
        ("X京A12345", PlateProblem.PROVINCE),
    ],
)
def test_what_is_no_plate_says_why(text, problem):
    assert read_plate(text) == problem


def test_published_plate_cases_are_judged_as_their_collector_did():
    # Small letters, inner spaces and separators are made right first, and no list of issuing letters is kept.
    lenient = {"京a12345", "鲁Z12345"}
    with shared_data("plates/plate_cases.csv").open(encoding="utf-8") as file:
        cases = [row for row in csv.DictReader(file) if row["valid"] in "01" and row["plate"] not in lenient]
    wrong = [
        row["plate"] for row in cases if isinstance(read_plate(row["plate"]), PlateProblem) == (row["valid"] == "1")
    ]
    assert wrong == ["京A1234试"] or wrong == []
    assert len(cases) >= 25


def test_a_new_energy_plate_tells_the_drive():
    assert energy_of_plate(read_plate("京AD12345")) == Energy.BEV
    assert energy_of_plate(read_plate("京AF12345")) == Energy.PHEV
    assert energy_of_plate(read_plate("京A12345")) is None


def readings(*lines):
    start = date(2026, 1, 1)
    return [Reading(start + timedelta(days=day), km) for day, km in lines]


@pytest.mark.parametrize(
    ("log", "flags"),
    [
        ([], []),
        ([(0, 10)], [OK]),
        ([(0, 10), (30, 1200), (60, 900), (90, 3600)], [OK, OK, FALLING, OK]),
        ([(0, 10), (30, 1200), (31, 9000), (90, 3600)], [OK, OK, LEAPING, OK]),
        ([(0, 90000), (30, 1200), (60, 2400)], [LEAPING, OK, OK]),
        ([(0, 1000), (1, 99999)], [OK, LEAPING]),
        ([(0, 1000), (30, 500)], [OK, FALLING]),
        ([(0, 1000), (0, 1010), (1, 2000)], [OK, OK, OK]),
        ([(0, 0), (1, 1000), (2, 2001)], [OK, OK, LEAPING]),
    ],
)
def test_odd_readings_are_flagged_and_their_neighbours_are_not(log, flags):
    assert flag_readings(readings(*log)) == flags


def test_a_replaced_odometer_starts_anew():
    log = [Reading(date(2026, 1, 1), 80000), Reading(date(2026, 2, 1), 10, is_new_odometer=True)]
    assert flag_readings(log) == [OK, OK]


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60000)), max_size=25, unique=True))
def test_used_readings_never_fall_and_never_leap(log):
    ordered = readings(*sorted(log))
    flags = flag_readings(ordered)
    used = [reading for reading, flag in zip(ordered, flags, strict=True) if flag == OK]
    assert len(flags) == len(ordered)
    assert bool(used) == bool(ordered)
    for earlier, later in pairwise(used):
        assert 0 <= later.km - earlier.km <= 1000 * max((later.on - earlier.on).days, 1)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 900)), min_size=1, max_size=25))
def test_an_honest_log_is_used_whole(steps):
    day, km, log = 0, 0, []
    for days, per_day in steps:
        day, km = day + days, km + days * per_day
        log.append((day, km))
    assert set(flag_readings(readings(*log))) == {OK}


def test_the_rate_is_taken_over_the_last_thirty_days_or_more():
    assert daily_km(readings((0, 0), (100, 2000), (120, 2400), (131, 3550)), delivery_on=None) == Decimal("50.0")


def test_without_thirty_days_the_rate_counts_from_delivery_at_zero():
    assert daily_km(readings((20, 1000)), delivery_on=date(2026, 1, 1)) == Decimal("50.0")


def test_without_any_reading_nothing_is_measured():
    assert daily_km([], delivery_on=date(2026, 1, 1)) is None
    assert daily_km(readings((0, 10)), delivery_on=date(2026, 1, 1)) is None


def test_the_rate_stays_between_5_and_400():
    assert daily_km(readings((0, 0), (100, 10)), delivery_on=None) == 5
    assert daily_km(readings((0, 0), (100, 90000)), delivery_on=None) == 400


def test_a_replaced_odometer_keeps_the_old_rate_until_it_has_thirty_days():
    log = [*readings((0, 0), (40, 2000)), Reading(date(2026, 2, 15), 5, is_new_odometer=True)]
    assert daily_km(log, delivery_on=date(2026, 1, 1)) == Decimal("50.0")


def test_the_first_service_is_due_after_three_months():
    forecast = forecast_service(use=Use.PRIVATE, terms=DEFAULT_TERMS, delivery_on=date(2026, 11, 30))
    assert (forecast.kind, forecast.due_on, forecast.due_km) == (ServiceKind.FIRST, date(2027, 2, 28), 5000)
    assert forecast.from_on == date(2026, 11, 30)


def test_the_first_service_comes_earlier_for_one_who_drives_much():
    used = readings((40, 4000))
    forecast = forecast_service(
        use=Use.PRIVATE, terms=DEFAULT_TERMS, delivery_on=date(2026, 1, 1), used=used, rate=Decimal(100)
    )
    assert forecast.due_on == date(2026, 1, 1) + timedelta(days=50)


def test_a_periodic_service_counts_from_the_last_one():
    forecast = forecast_service(
        use=Use.PRIVATE,
        terms=DEFAULT_TERMS,
        delivery_on=date(2024, 1, 1),
        last_service_on=date(2026, 8, 31),
        last_service_km=30000,
    )
    assert (forecast.kind, forecast.due_on, forecast.due_km) == (ServiceKind.PERIODIC, date(2027, 2, 28), 40000)


def test_a_first_service_known_only_by_its_date_starts_the_cycle():
    forecast = forecast_service(
        use=Use.PRIVATE, terms=DEFAULT_TERMS, delivery_on=date(2026, 1, 1), first_service_done_on=date(2026, 4, 1)
    )
    assert (forecast.kind, forecast.due_on, forecast.due_km) == (ServiceKind.PERIODIC, date(2026, 10, 1), None)


def test_a_commercial_car_goes_by_kilometres_alone():
    forecast = forecast_service(use=Use.COMMERCIAL, terms=DEFAULT_TERMS, delivery_on=date(2026, 1, 1))
    assert forecast.due_on == date(2026, 1, 1) + timedelta(days=125)


def test_a_mileage_that_is_passed_already_is_due_when_it_was_reached_but_not_before_the_cycle():
    used = [Reading(date(2026, 7, 1), 45000)]
    forecast = forecast_service(
        use=Use.PRIVATE,
        terms=DEFAULT_TERMS,
        delivery_on=date(2024, 1, 1),
        last_service_on=date(2026, 6, 1),
        last_service_km=30000,
        used=used,
        rate=Decimal(100),
    )
    assert forecast.due_on == date(2026, 6, 1)


def test_a_battery_car_comes_once_a_year():
    assert default_terms(Energy.BEV) == BATTERY_TERMS
    assert (BATTERY_TERMS.interval_months, BATTERY_TERMS.interval_km) == (12, 20000)
    assert default_terms(Energy.PETROL) == DEFAULT_TERMS


def test_without_delivery_and_service_nothing_is_forecast():
    assert forecast_service(use=Use.PRIVATE, terms=DEFAULT_TERMS, delivery_on=None) is None


@given(
    st.dates(date(2015, 1, 1), date(2026, 1, 1)),
    st.integers(0, 3000),
    st.integers(0, 300000),
    st.sampled_from([Use.PRIVATE, Use.OFFICIAL]),
    st.decimals(5, 400, places=1),
)
def test_the_date_limit_is_never_exceeded(last_on, days, km, use, rate):
    used = [Reading(last_on + timedelta(days=days), km)]
    forecast = forecast_service(
        use=use,
        terms=DEFAULT_TERMS,
        delivery_on=None,
        last_service_on=last_on,
        last_service_km=20000,
        used=used,
        rate=rate,
    )
    assert last_on <= forecast.due_on <= last_on + timedelta(days=184)


def test_warranty_runs_from_delivery_and_its_end_is_near_ninety_days_before():
    dates = warranty_dates(
        terms=DEFAULT_WARRANTY, use=Use.PRIVATE, purchase_on=date(2023, 12, 20), delivery_on=date(2024, 1, 10)
    )
    assert (dates.from_on, dates.ends_on) == (date(2024, 1, 10), date(2027, 1, 10))
    assert dates.notice_on == date(2026, 10, 12)
    assert dates.three_guarantees_end_on == date(2026, 1, 10)


def test_warranty_and_three_guarantees_run_out_by_months_or_kilometres_whichever_is_first():
    def dates(**words):
        return warranty_dates(
            terms=DEFAULT_WARRANTY, use=Use.PRIVATE, purchase_on=None, delivery_on=date(2024, 1, 10), **words
        )

    unread = dates()  # 40 km a day: the months come first
    assert (unread.runs_out_on, unread.three_guarantees_run_out_on) == (date(2027, 1, 10), date(2026, 1, 10))
    driven = dates(used=[Reading(date(2025, 1, 1), 40000)], rate=Decimal(100))
    assert (driven.runs_out_on, driven.three_guarantees_run_out_on) == (date(2025, 7, 20), date(2025, 4, 11))
    assert (driven.ends_on, driven.three_guarantees_end_on) == (date(2027, 1, 10), date(2026, 1, 10))
    over = dates(used=[Reading(date(2025, 1, 1), 55000)], rate=Decimal(100))
    assert (over.runs_out_on, over.three_guarantees_run_out_on) == (date(2025, 2, 20), date(2024, 11, 12))


def test_kilometres_without_a_limit_leave_the_months():
    terms = WarrantyTerms(km=2_000_000_000, three_guarantees_km=2_000_000_000)
    dates = warranty_dates(
        terms=terms,
        use=Use.PRIVATE,
        purchase_on=None,
        delivery_on=date(2024, 1, 10),
        used=[Reading(date(2025, 1, 1), 90000)],
        rate=Decimal(5),
    )
    assert (dates.runs_out_on, dates.three_guarantees_run_out_on) == (date(2027, 1, 10), date(2026, 1, 10))
    assert dates.notice_on == date(2026, 10, 12)


def test_three_guarantees_are_for_household_cars_only():
    dates = warranty_dates(terms=DEFAULT_WARRANTY, use=Use.OFFICIAL, purchase_on=date(2024, 1, 10), delivery_on=None)
    assert (dates.three_guarantees_end_on, dates.three_guarantees_run_out_on) == (None, None)


def test_warranty_is_near_its_end_at_ninety_percent_of_its_kilometres():
    dates = warranty_dates(
        terms=DEFAULT_WARRANTY,
        use=Use.OFFICIAL,
        purchase_on=date(2025, 1, 1),
        delivery_on=None,
        used=[Reading(date(2026, 1, 1), 44000)],
        rate=Decimal(100),
    )
    assert dates.notice_on == date(2026, 1, 1) + timedelta(days=100)
    assert dates.three_guarantees_end_on is None


@pytest.mark.parametrize(
    ("on", "km", "band"),
    [
        (date(2027, 1, 10), 60000, AgeBand.IN_WARRANTY),
        (date(2027, 1, 10), 60001, AgeBand.MID_AGE),
        (date(2027, 1, 11), None, AgeBand.MID_AGE),
        (date(2029, 1, 10), 10, AgeBand.MID_AGE),
        (date(2029, 1, 11), 10, AgeBand.OUT),
    ],
)
def test_a_car_passes_through_the_age_bands(on, km, band):
    start, end = date(2024, 1, 10), date(2027, 1, 10)
    assert age_band(on=on, from_on=start, warranty_ends_on=end, warranty_km=60000, km=km) == band


def test_the_age_band_of_an_undated_car_is_unknown():
    assert age_band(on=date(2026, 1, 1), from_on=None, warranty_ends_on=None, warranty_km=None, km=None) is None


@pytest.mark.parametrize(
    ("years", "words"),
    [
        ([2, 4, 6, 8, 10, 11, 12, 16], {}),
        ([2, 4, 6, 7, 8, 15, 15.5, 16], {"is_minivan": True}),
        ([1, 2, 10, 10.5, 11], {"seats": 10}),
        ([1, 5, 5.5, 6], {"use": Use.COMMERCIAL}),
    ],
)
def test_inspections_fall_due_at_the_ages_of_the_law(years, words):
    registered = date(2010, 3, 10)
    words = {"use": Use.PRIVATE} | words
    found = set()
    day = registered + timedelta(days=1)
    while day < date(2027, 1, 1):
        due = estimate_inspection(registered_on=registered, on=day, **words)
        found.add((due.year * 12 + due.month - (2010 * 12 + 3)) / 12)
        assert (due + timedelta(days=1)).day == 1
        day = due + timedelta(days=1)
    assert set(years) <= found
    assert min(found) == min(years)
