"""The commands import_customers and import_odometer, from a file to the files of a store."""

import csv
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from accounts.choices import Role
from core.fields import keyed_digest
from customers.actions.wishes import record_consent
from customers.choices import BirthdayCalendar, Channel, ConsentPurpose, CustomerKind, DoNotContact, Tier
from customers.models import Consent, ContactPerson, Customer
from followups.choices import NextStepKind
from followups.models import CareRule, TouchPoint
from service.importing.customers import ImportIsRunning, import_customers
from tests.factories import NOW, TODAY, CustomerFactory, MembershipFactory, NextStepFactory, VehicleFactory, vin
from tests.shared_data import shared_data
from vehicles.actions import refresh_vehicle_facts
from vehicles.choices import InspectionSource, OdometerFlag, ServiceKind, VehicleStatus
from vehicles.models import CarModel, InsurancePolicy, OdometerReading, Ownership, Vehicle

pytestmark = pytest.mark.django_db

HEADERS = ["姓名", "手机号码", "VIN", "车牌号", "交车日期", "当前里程", "里程日期"]


def write_csv(path, rows, headers=HEADERS, encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([headers, *rows])
    return path


@pytest.fixture
def run(tmp_path, capsys, store):
    """Import a file or rows; answers the JSON summary and the rows that came back."""

    def import_(source, headers=HEADERS, **options):
        path = source if isinstance(source, Path) else write_csv(tmp_path / "in.csv", source, headers)
        errors = tmp_path / "out.csv"
        options = {"store": "BZ01", "on": TODAY, "errors": errors, "lang": "en"} | options
        call_command("import_customers", str(path), **options)
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        with errors.open(encoding="utf-8-sig", newline="") as file:
            return summary, list(csv.DictReader(file))

    return import_


def counts(summary):
    names = ("rows", "customers_created", "customers_updated", "vehicles_created", "vehicles_updated")
    return tuple(summary[name] for name in (*names, "unchanged", "errors"))


WANG = ["王小明", "13812345678", vin(1), "鲁M·12345", "2025-01-10", "12000", "2026-07-01"]
SECOND_CAR = ["王小明", "138 1234 5678", vin(2), "鲁M23456", "2026年8月1日", "", ""]
LI = ["李雷", "13912345678", vin(3), "", "20260901", "", ""]


def test_customers_and_their_cars_come_in_with_their_forecasts(run):
    summary, refused = run([WANG, SECOND_CAR, LI])
    assert (counts(summary), refused) == ((3, 2, 0, 3, 0, 0, 0), [])
    assert (summary["file"], summary["store"], summary["ignored_columns"]) == ("in.csv", "BZ01", [])
    wang = Customer.objects.get(mobile="13812345678")
    assert (wang.name_initials, wang.entered_on, wang.last_delivery_on) == ("wxm", TODAY, date(2026, 8, 1))
    assert wang.number.startswith("C26")
    car = wang.vehicles.get(vin=vin(1))
    assert (car.plate, car.care_from, car.odometer_km) == ("鲁M12345", TODAY, 12000)
    assert (car.next_service_kind, car.next_service_on) == (ServiceKind.FIRST, date(2025, 4, 10))
    assert car.warranty_ends_on == date(2028, 1, 10)
    assert list(Ownership.objects.order_by("pk").values_list("vehicle__vin", "started_on", "ended_on")) == [
        (vin(1), date(2025, 1, 10), None),
        (vin(2), date(2026, 8, 1), None),
        (vin(3), date(2026, 9, 1), None),
    ]


def test_the_same_file_again_changes_nothing_also_on_another_day(run):
    rows = [WANG, SECOND_CAR, [*LI[:5], "500", ""]]
    run(rows)
    before = [list(model.objects.order_by("pk").values()) for model in (Customer, Vehicle, OdometerReading, Ownership)]
    events = [apps.get_model(*name).objects for name in (("customers", "CustomerEvent"), ("vehicles", "VehicleEvent"))]
    history = [manager.count() for manager in events]
    summary, refused = run(rows, on=date(2026, 11, 25))
    after = [list(model.objects.order_by("pk").values()) for model in (Customer, Vehicle, OdometerReading, Ownership)]
    assert (counts(summary), refused) == ((3, 0, 0, 0, 0, 3, 0), [])
    assert after == before
    assert [manager.count() for manager in events] == history


def test_new_rows_leave_no_history_of_changes(run):
    run([WANG, SECOND_CAR])
    assert apps.get_model("customers", "CustomerEvent").objects.count() == 0
    assert apps.get_model("vehicles", "VehicleEvent").objects.count() == 0


def test_a_dry_run_counts_the_same_and_keeps_nothing(run):
    rows = [WANG, SECOND_CAR, ["", "1", "2", "", "", "", ""]]
    dry, refused = run(rows, dry_run=True)
    assert Customer.objects.count() + Vehicle.objects.count() + CarModel.objects.count() == 0
    real, refused_again = run(rows)
    assert counts(dry) == counts(real) == (3, 1, 0, 2, 0, 0, 1)
    assert refused == refused_again
    assert (dry["dry_run"], real["dry_run"]) == (True, False)


def test_a_wrong_row_comes_back_with_line_reason_and_its_own_columns(run):
    summary, refused = run([WANG, ["赵四", "123", vin(4), "鲁M99999", "2027-01-01", "", ""], LI])
    assert counts(summary) == (3, 2, 0, 2, 0, 0, 1)
    assert len(refused) == 1
    assert refused[0]["Line"] == "3"
    assert [refused[0][name] for name in HEADERS[:4]] == ["赵四", "123", vin(4), "鲁M99999"]
    assert refused[0]["Reason"] == ("手机号码: “123” is not a phone number; 交车日期: 2027-01-01 is in the future")


def test_the_file_that_came_back_is_taken_once_it_is_corrected(run, tmp_path):
    _summary, refused = run([["赵四", "123", vin(4), "", "", "", ""]])
    refused[0]["手机号码"] = "13712345678"
    again = write_csv(tmp_path / "again.csv", [list(refused[0].values())], list(refused[0]))
    summary, refused = run(again)
    assert (counts(summary), refused, summary["ignored_columns"]) == ((1, 1, 0, 1, 0, 0, 0), [], [])


def test_a_cell_that_a_spreadsheet_would_run_comes_back_harmless(run):
    _summary, refused = run([["=cmd()", "123", "", "", "", "", ""], ["王", "+86 123", "", "", "", "", ""]])
    assert (refused[0]["姓名"], refused[1]["手机号码"]) == ("'=cmd()", "+86 123")


def test_a_later_file_updates_what_it_says_and_leaves_the_rest(run):
    run([WANG], headers=HEADERS)
    summary, _refused = run(
        [["王小明", "13812345678", vin(1), "VIP", "wang@example.com"]],
        headers=["车主", "手机", "车架号", "客户分级", "邮箱"],
    )
    assert counts(summary) == (1, 0, 1, 0, 0, 0, 0)
    wang = Customer.objects.get()
    assert (wang.tier, wang.email, wang.vehicles.get().plate) == (Tier.VIP, "wang@example.com", "鲁M12345")


def test_what_a_later_file_adds_is_known_since_that_day(run):
    run([WANG])
    later = date(2026, 11, 25)
    headers = ["姓名", "手机", "VIN", "交车日期", "生日", "客户分级", "交强险到期日", "年检到期"]
    run(
        [["王小明", WANG[1], vin(1), "2025-01-11", "3-4", "VIP", "2026-12-01", "2027-03-31"]], headers=headers, on=later
    )
    customer, car = Customer.objects.get(), Vehicle.objects.get()
    assert (customer.entered_on, customer.birthday_since, customer.tier_since) == (TODAY, later, later)
    assert (car.care_from, car.inspection_since, car.policies.get().known_since) == (later, later, later)


def test_a_new_mobile_of_the_owner_of_the_car_is_an_update(run):
    run([WANG])
    summary, _refused = run([["王小明", "13700000000", vin(1), "", "", "", ""]])
    assert counts(summary) == (1, 0, 1, 0, 0, 0, 0)
    assert Customer.objects.get().mobile == "13700000000"


def test_customers_are_known_by_number_then_id_number_then_mobile_and_name(run):
    headers = ["客户编号", "姓名", "手机", "身份证号码", "VIN"]
    run(
        [
            ["A1", "王伟", "13800000001", "", vin(1)],
            ["A1", "王伟", "", "", vin(2)],
            ["A2", "王伟", "13800000001", "", vin(3)],
            ["", "张敏", "13800000002", "11010519491231002X", vin(4)],
            ["", "张 敏", "13800000003", "11010519491231002x", vin(5)],
            ["", "李静", "13800000004", "", vin(6)],
            ["", "李 静", "+8613800000004", "", vin(7)],
            ["", "李娟", "13800000004", "", vin(8)],
        ],
        headers=headers,
    )
    owned = [sorted(customer.vehicles.values_list("vin", flat=True)) for customer in Customer.objects.order_by("pk")]
    assert owned == [
        [vin(1), vin(2)],
        [vin(3)],
        sorted([vin(4), vin(5)]),
        sorted([vin(6), vin(7)]),
        [vin(8)],
    ]
    assert list(Customer.objects.order_by("pk").values_list("number", flat=True))[:2] == ["A1", "A2"]
    assert Customer.objects.get(name="张敏").mobile == "13800000002"


def test_rows_of_one_customer_far_apart_are_one_customer(run, monkeypatch):
    monkeypatch.setattr("service.importing.customers.BATCH", 2)
    rows = [WANG, LI, ["丙", "13500000001", vin(5), "", "", "", ""], SECOND_CAR, [*WANG[:5], "13000", "2026-09-01"]]
    summary, refused = run(rows)
    assert (counts(summary), refused) == ((5, 3, 0, 4, 0, 0, 0), [])
    assert OdometerReading.objects.filter(vehicle__vin=vin(1)).count() == 2
    assert counts(run(rows)[0]) == (5, 0, 0, 0, 0, 5, 0)


def test_rows_of_one_customer_that_contradict_each_other_keep_the_first(run):
    headers = ["姓名", "手机", "VIN", "家庭住址", "微信"]
    rows = [["王", "13812345678", vin(1), "甲路1号", ""], ["王", "13812345678", vin(2), "乙路2号", "wang_xm"]]
    summary, _refused = run(rows, headers=headers)
    customer = Customer.objects.get()
    assert (customer.address_detail, customer.wechat) == ("甲路1号", "wang_xm")
    assert summary["warnings"] >= 1
    assert counts(run(rows, headers=headers)[0]) == (2, 0, 0, 0, 0, 2, 0)


def test_a_car_of_another_customer_is_not_taken_away(run, store):
    run([WANG])
    summary, refused = run([["赵四", "13700000000", vin(1), "", "", "", ""]])
    assert (counts(summary)[:5], Customer.objects.count()) == ((1, 0, 0, 0, 0), 1)
    assert "belongs to another customer" in refused[0]["Reason"]


def test_a_car_of_another_store_is_refused_without_a_word_about_that_store(run, other_store):
    stranger = CustomerFactory(store=other_store, name="神秘人", number="X9")
    VehicleFactory(store=other_store, owner=stranger, vin=vin(1))
    summary, refused = run([["王小明", "13812345678", vin(1)], ["赵", "13700000000", ""]], headers=HEADERS[:3])
    assert counts(summary) == (2, 1, 0, 0, 0, 0, 1)
    for secret in ("神秘人", "X9", "BZ02", other_store.name):
        assert secret not in refused[0]["Reason"]
    _summary, refused = run([["X9", "王", "13600000000"]], headers=["客户编号", "姓名", "手机"])
    assert "in use elsewhere" in refused[0]["Reason"]


def test_a_plate_in_use_is_refused_and_a_freed_plate_is_taken(run):
    run([WANG])
    _summary, refused = run([["李雷", "13912345678", vin(3), "鲁M12345", "", "", ""]])
    assert "鲁M12345" in refused[0]["Reason"]
    summary, refused = run(
        [[*WANG[:3], "鲁M54321", "", "", ""], ["李雷", "13912345678", vin(3), "鲁M12345", "", "", ""]]
    )
    assert (refused, counts(summary)) == ([], (2, 1, 0, 1, 1, 0, 0))
    assert set(Vehicle.objects.values_list("plate", flat=True)) == {"鲁M54321", "鲁M12345"}


def test_two_cars_swap_their_plates(run):
    run([WANG, ["李雷", "13912345678", vin(3), "鲁M54321", "", "", ""]])
    _summary, refused = run(
        [[*WANG[:3], "鲁M77777", "", "", ""], ["李雷", "13912345678", vin(3), "鲁M12345", "", "", ""]]
    )
    assert refused == []
    assert dict(Vehicle.objects.values_list("vin", "plate")) == {vin(1): "鲁M77777", vin(3): "鲁M12345"}


def test_a_customer_who_could_not_be_known_again_is_refused(run):
    _summary, refused = run([["王小明", "", "", "", "", "", ""], ["", "13812345678", "", "", "", "", ""]])
    assert [row["Reason"] for row in refused] == [
        "A mobile, ID number, customer no. or VIN is needed to know the customer again.",
        "The name is missing.",
    ]


def test_a_file_never_lifts_do_not_contact(run):
    headers = ["姓名", "手机", "免打扰"]
    run([["王", "13812345678", "是"]], headers=headers)
    assert Customer.objects.get().do_not_contact == DoNotContact.ALL_BUT_SAFETY
    run([["王", "13812345678", "否"]], headers=headers)
    customer = Customer.objects.get()
    assert (customer.do_not_contact, customer.do_not_contact_on) == (DoNotContact.ALL_BUT_SAFETY, TODAY)


WISH_HEADERS = ["姓名", "手机", "免打扰"]


def test_a_wish_that_is_not_understood_comes_back_instead_of_a_welcome(run):
    summary, refused = run([["王", "13812345678", "看情况"], ["李", "13912345678", "-"]], headers=WISH_HEADERS)
    assert (counts(summary)[:2], summary["errors"]) == ((2, 1), 1)
    assert refused[0]["Reason"].startswith("免打扰: “看情况” does not tell whether the customer may be contacted")
    assert Customer.objects.get().name == "李"


def test_the_reason_of_a_wish_is_kept(run):
    run([["王", "13812345678", "是（投诉）"], ["李", "13912345678", "勿扰"]], headers=WISH_HEADERS)
    kept = Customer.objects.order_by("pk").values_list("do_not_contact", "do_not_contact_reason")
    assert list(kept) == [(DoNotContact.ALL_BUT_SAFETY, "Import: 投诉"), (DoNotContact.ALL_BUT_SAFETY, "Import")]


def test_a_channel_that_a_file_refuses_is_a_withdrawal_in_the_ledger(run, store):
    known = CustomerFactory(store=store, name="李", mobile="13912345678")
    rows = [["王", "13812345678", "短信"], ["李", "13912345678", "短信、微信(嫌多)"]]
    summary, _refused = run(rows, headers=WISH_HEADERS)
    known.refresh_from_db()
    new = Customer.objects.exclude(pk=known.pk).get()
    assert counts(summary) == (2, 1, 1, 0, 0, 0, 0)
    assert (new.refused_channels, known.refused_channels) == (["sms"], ["sms", "wechat"])
    lines = Consent.objects.filter(customer=known).order_by("channel", "purpose")
    assert set(lines.values_list("channel", "purpose", "is_given", "evidence")) == {
        (channel, purpose, False, "Import: 嫌多")
        for channel in ("sms", "wechat")
        for purpose in ("marketing", "service")
    }
    assert counts(run(rows, headers=WISH_HEADERS)[0]) == (2, 0, 0, 0, 0, 2, 0)
    assert Consent.objects.count() == 6


def consent_to_sms(customer, *, at):
    for purpose in (ConsentPurpose.MARKETING, ConsentPurpose.SERVICE):
        record_consent(
            customer=customer,
            purpose=purpose,
            channel=Channel.SMS,
            is_given=True,
            at=datetime.fromisoformat(f"{at}+08:00"),
            by=None,
        )


def test_a_refusal_in_a_file_beats_the_consent_of_earlier_that_day_and_the_same_file_again_adds_nothing(
    run, store, time_machine
):
    customer = CustomerFactory(store=store, name="王", mobile="13812345678")
    consent_to_sms(customer, at="2026-11-21T15:00:00")
    rows = [["王", "13812345678", "短信"]]
    time_machine.move_to("2026-11-21T16:00:00+08:00", tick=False)
    assert counts(run(rows, headers=WISH_HEADERS)[0]) == (1, 0, 1, 0, 0, 0, 0)
    customer.refresh_from_db()
    assert customer.refused_channels == ["sms"]
    time_machine.move_to("2026-11-21T17:00:00+08:00", tick=False)
    assert counts(run(rows, headers=WISH_HEADERS)[0]) == (1, 0, 0, 0, 0, 1, 0)
    assert Consent.objects.filter(is_given=False).count() == 2


def test_a_consent_given_after_the_import_of_that_morning_stands(run, store, time_machine):
    customer = CustomerFactory(store=store, name="王", mobile="13812345678")
    time_machine.move_to("2026-11-21T09:00:00+08:00", tick=False)
    run([["王", "13812345678", "短信"]], headers=WISH_HEADERS)
    customer.refresh_from_db()
    assert customer.refused_channels == ["sms"]
    consent_to_sms(customer, at="2026-11-21T11:00:00")
    assert customer.refused_channels == []


def test_a_refusal_as_of_another_day_is_of_its_noon_and_is_written_once(run, store, time_machine):
    customer = CustomerFactory(store=store, name="王", mobile="13812345678")
    consent_to_sms(customer, at="2026-11-21T15:00:00")
    # Still Saturday in UTC, Sunday in the store: the day of the store counts.
    time_machine.move_to("2026-11-22T01:00:00+08:00", tick=False)
    rows = [["王", "13812345678", "短信"]]
    expected = [(1, 0, 1, 0, 0, 0, 0), (1, 0, 0, 0, 0, 1, 0)]
    assert [counts(run(rows, headers=WISH_HEADERS)[0]) for _again in expected] == expected
    customer.refresh_from_db()
    assert customer.refused_channels == []
    noon = datetime.fromisoformat("2026-11-21T12:00:00+08:00")
    assert set(Consent.objects.filter(is_given=False).values_list("purpose", "at")) == {
        ("marketing", noon),
        ("service", noon),
    }


def test_a_mobile_that_another_customer_has_is_a_warning_once(store, tmp_path):
    wife = CustomerFactory(store=store, name="李", mobile="13812345678")
    path = write_csv(
        tmp_path / "a.csv", [WANG[:3], ["赵", "13700000000", vin(8)], ["钱", "13700000000", vin(9)]], HEADERS[:3]
    )
    for expected in (
        [(2, f"customer {wife.number} has the same mobile"), (4, "another customer of this file has the same mobile")],
        [],
    ):
        said = []
        with translation.override("en"):
            import_customers(
                path=path, store=store, on=TODAY, by=None, warn=lambda *words, said=said: said.append(words)
            )
        assert said == expected
    assert Customer.objects.count() == 4


def test_a_car_that_staff_closed_stays_closed(run):
    headers = ["姓名", "手机", "VIN", "车辆状态"]
    run([["王", "13812345678", vin(1), "在用"]], headers=headers)
    Vehicle.objects.update(status=VehicleStatus.SCRAPPED)
    summary, _refused = run([["王", "13812345678", vin(1), "在用"]], headers=headers)
    assert (Vehicle.objects.get().status, summary["warnings"]) == (VehicleStatus.SCRAPPED, 1)


def test_a_car_reported_as_sold_ends_its_ownership(run):
    headers = ["姓名", "手机", "VIN", "车辆状态"]
    run([["王", "13812345678", vin(1), ""]], headers=headers)
    run([["王", "13812345678", vin(1), "过户"]], headers=headers)
    assert (Vehicle.objects.get().status, Ownership.objects.get().ended_on) == (VehicleStatus.TRANSFERRED, TODAY)


def test_a_known_later_service_and_a_confirmed_inspection_are_not_turned_back(run):
    headers = ["姓名", "手机", "VIN", "交车日期", "上次保养日期", "上次保养里程", "检验有效期止"]
    run([["王", "13812345678", vin(1), "2024-01-10", "2026-08-01", "30000", "2028-01-31"]], headers=headers)
    run([["王", "13812345678", vin(1), "2024-01-10", "2026-02-01", "20000", "2026-01-31"]], headers=headers)
    car = Vehicle.objects.get()
    assert (car.last_service_on, car.last_service_km) == (date(2026, 8, 1), 30000)
    assert (car.inspection_valid_until, car.inspection_source) == (date(2028, 1, 31), InspectionSource.LICENCE)
    assert car.owner.last_visit_on == date(2026, 8, 1)


INSPECTION_HEADERS = ["姓名", "手机", "VIN", "交车日期", "检验有效期止"]


@pytest.mark.parametrize("delivery", ["2024-05-10", ""])
def test_an_inspection_that_lapsed_before_the_import_counts_on_to_the_next_one_once(run, delivery):
    rows = [["王", "13812345678", vin(1), delivery, "2026-05-31"]]
    run(rows, headers=INSPECTION_HEADERS)
    expected = [(date(2028, 5, 31), InspectionSource.ESTIMATE)]
    cars = Vehicle.objects.values_list("inspection_valid_until", "inspection_source")
    assert list(cars) == expected
    assert counts(run(rows, headers=INSPECTION_HEADERS)[0]) == (1, 0, 0, 0, 0, 1, 0)
    assert list(cars) == expected


@pytest.mark.parametrize("delivery", ["2025-01-10", ""])
def test_a_file_that_has_grown_old_does_not_bring_a_lapsed_inspection_back(run, delivery):
    rows = [["王", "13812345678", vin(1), delivery, "2027-01-31"]]
    run(rows, headers=INSPECTION_HEADERS)
    for later in (date(2027, 3, 3), date(2027, 3, 4)):
        refresh_vehicle_facts(Vehicle.objects.values_list("pk", flat=True), on=later)
        assert counts(run(rows, headers=INSPECTION_HEADERS, on=later)[0]) == (1, 0, 0, 0, 0, 1, 0)
        car = Vehicle.objects.get()
        assert (car.inspection_valid_until, car.inspection_source) == (date(2029, 1, 31), InspectionSource.ESTIMATE)
        assert car.inspection_since == date(2027, 3, 3)


def test_a_row_with_a_lapsed_inspection_keeps_no_later_row_from_saying_the_present_one(run):
    rows = [["王", "13812345678", vin(1), "2024-05-10", day] for day in ("2026-05-31", "2028-04-30")]
    run(rows, headers=INSPECTION_HEADERS)
    assert counts(run(rows, headers=INSPECTION_HEADERS)[0]) == (2, 0, 0, 0, 0, 2, 0)
    car = Vehicle.objects.get()
    assert (car.inspection_valid_until, car.inspection_source) == (date(2028, 4, 30), InspectionSource.LICENCE)


def test_everything_that_a_workbook_can_say_is_taken(run, tmp_path, store):
    seller = MembershipFactory(store=store, role=Role.SALES_CONSULTANT, user__name="张三").user
    MembershipFactory(store=store, role=Role.SERVICE_ADVISER, user__name="李四")
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet()
    sheet.append(["滨州渤海路店 客户资料"])
    headers = [
        "Customer no.",
        "Name",
        "Type",
        "Mobile (primary)",
        "Birthday",
        "VIN",
        "Delivery date",
        "Energy",
        "Seats",
    ]
    sheet.append(
        [*headers, "Sales consultant", "Service adviser", "联系人", "联系人手机", "交强险到期日", "商业险到期日"]
    )
    values = ["K77", "恒通运输", "organisation", 13812345678.0, "闰四月初八", vin(1).lower(), 45000, "BEV", 7]
    sheet.append([*values, "张三", "王五", "周敏", "13700000000", date(2027, 1, 1), "2027年2月1日"])
    path = tmp_path / "客户.xlsx"
    workbook.save(path)
    summary, refused = run(path)
    assert (refused, counts(summary)) == ([], (1, 1, 0, 1, 0, 0, 0))
    customer = Customer.objects.get()
    assert (customer.number, customer.kind, customer.mobile) == ("K77", CustomerKind.ORGANISATION, "13812345678")
    assert (customer.birthday_calendar, customer.birthday_month, customer.birthday_day) == (
        BirthdayCalendar.LUNAR,
        4,
        8,
    )
    assert customer.is_birthday_leap_month
    assert (customer.sales_consultant, customer.service_adviser, summary["warnings"]) == (seller, None, 1)
    assert list(ContactPerson.objects.values_list("name", "mobile", "is_main")) == [("周敏", "13700000000", True)]
    car = customer.vehicles.get()
    assert (car.vin, car.energy, car.seats, car.delivery_on) == (vin(1), "bev", 7, date(2023, 3, 15))
    assert sorted(InsurancePolicy.objects.values_list("kind", "ends_on")) == [
        ("commercial", date(2027, 2, 1)),
        ("compulsory", date(2027, 1, 1)),
    ]
    assert counts(run(path)[0]) == (1, 0, 0, 0, 0, 1, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_of_every_encoding_comes_in(run, tmp_path, encoding):
    summary, _refused = run(write_csv(tmp_path / "a.csv", [WANG], encoding=encoding))
    assert (counts(summary), Customer.objects.get().name) == ((1, 1, 0, 1, 0, 0, 0), "王小明")


def test_the_reasons_are_in_chinese_by_default(run):
    _summary, refused = run([["王", "123", "", "", "", "", ""]], lang="zh-hans")
    assert refused == [
        dict.fromkeys(HEADERS, "")
        | {"行号": "2", "姓名": "王", "手机号码": "123", "原因": "手机号码：“123”不是电话号码"}
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store": "NOWHERE"}, "NOWHERE"),
        ({"by": "nobody"}, "nobody"),
    ],
)
def test_an_unknown_store_or_person_ends_with_status_2(run, options, words):
    with pytest.raises(CommandError, match=words) as caught:
        run([WANG], **options)
    assert caught.value.returncode == 2


def test_a_file_that_is_no_table_ends_with_status_2(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("颜色,大小\n红,3\n", encoding="utf-8")
    with pytest.raises(CommandError, match="column names") as caught:
        run(path)
    assert caught.value.returncode == 2


def test_two_imports_into_one_store_do_not_run_at_once(store, tmp_path):
    path = write_csv(tmp_path / "a.csv", [WANG])
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"import of store {store.pk}"])
        with pytest.raises(ImportIsRunning):
            import_customers(path=path, store=store, on=TODAY, by=None)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
    finally:
        other.close()
    assert import_customers(path=path, store=store, on=TODAY, by=None).customers_created == 1


def test_more_rows_of_a_batch_ask_no_more_queries(store, tmp_path, django_assert_max_num_queries):
    people = [[f"客户{n}", f"1380000{n:04d}", vin(n), "", "2026-01-10", "", ""] for n in range(60)]
    with django_assert_max_num_queries(40):
        import_customers(path=write_csv(tmp_path / "a.csv", people[:2]), store=store, on=TODAY, by=None)
    with django_assert_max_num_queries(40):
        import_customers(path=write_csv(tmp_path / "b.csv", people), store=store, on=TODAY, by=None)
    assert Customer.objects.count() == 60


def test_what_a_crash_left_is_completed_by_running_again(store, tmp_path, monkeypatch):
    monkeypatch.setattr("service.importing.customers.BATCH", 1)
    path = write_csv(tmp_path / "a.csv", [WANG, LI])
    real, calls = import_customers.__globals__["look_up"], []

    def fail_on_the_second(*args, **words):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("power cut")
        return real(*args, **words)

    monkeypatch.setattr("service.importing.customers.look_up", fail_on_the_second)
    with pytest.raises(RuntimeError):
        import_customers(path=path, store=store, on=TODAY, by=None)
    assert Customer.objects.count() == 1
    result = import_customers(path=path, store=store, on=TODAY, by=None)
    assert (result.unchanged, result.customers_created, Customer.objects.count()) == (1, 1, 2)


def test_a_delivery_of_yesterday_has_its_call_today_and_an_old_one_waits_for_the_night(
    run, time_machine, django_capture_on_commit_callbacks
):
    time_machine.move_to("2026-11-21T09:00:00+08:00", tick=False)
    CareRule.objects.exclude(code__in=["D1", "D3", "M3k"]).update(is_active=False)
    rows = [[*WANG[:4], "2026-11-20", "", ""], [*LI[:4], "2026-08-21", "", ""]]
    with django_capture_on_commit_callbacks(execute=True):
        run(rows)
    planned = TouchPoint.objects.order_by("nominal_on").values_list("customer__name", "rule__code", "due_on", "status")
    assert ("王小明", "D1", date(2026, 11, 21), "open") in planned
    assert {name for name, *_rest in planned} == {"王小明"}


def test_only_customers_with_a_delivery_of_the_last_days_are_planned_at_once(run, planned_at_once):
    def day(back):
        return str(TODAY - timedelta(days=back))

    rows = [[f"客户{back}", f"1380000000{back}", vin(back), "", day(back), "", ""] for back in range(6)]
    ids = planned_at_once(lambda: run(rows))
    delivered = Customer.objects.filter(name__in=["客户0", "客户1", "客户2", "客户3"])
    assert ids == set(delivered.values_list("pk", flat=True))
    assert planned_at_once(lambda: run(rows)) == set()
    corrected = [[*rows[5][:4], day(1), "", ""]]
    assert planned_at_once(lambda: run(corrected, dry_run=True)) == set()
    assert planned_at_once(lambda: run(corrected)) == {Customer.objects.get(name="客户5").pk}


# --- Wishes of people who are on file elsewhere (ADR 0015) --------------------------------------------------------


def test_a_new_row_takes_over_what_its_person_refused_elsewhere(run, other_store, adviser):
    refuses = CustomerFactory(store=other_store, mobile="13812345678", do_not_contact="all", do_not_contact_on=TODAY)
    by_id = CustomerFactory(store=other_store, id_number_hash=keyed_digest("11010519491231002X"))
    record_consent(
        customer=by_id, purpose=ConsentPurpose.SERVICE, channel=Channel.SMS, is_given=False, at=NOW, by=adviser
    )
    headers = ["姓名", "手机", "身份证号码", "免打扰"]
    rows = [
        ["王小明", "13812345678", "", "否"],
        ["李", "13912345678", "11010519491231002X", ""],
        ["张", "13700000000", "", ""],
    ]
    summary, refused = run(rows, headers=headers)
    assert (summary["customers_created"], refused) == (3, [])
    mine = {customer.name: customer for customer in Customer.objects.exclude(pk__in=[refuses.pk, by_id.pk])}
    assert (mine["王小明"].do_not_contact, mine["王小明"].do_not_contact_on) == (DoNotContact.ALL_BUT_SAFETY, TODAY)
    for secret in (refuses.name, refuses.number, other_store.name, other_store.code):
        assert secret not in mine["王小明"].do_not_contact_reason
    assert (mine["李"].refused_channels, mine["李"].do_not_contact) == (["sms"], DoNotContact.NONE)
    assert (mine["张"].refused_channels, mine["张"].do_not_contact) == ([], DoNotContact.NONE)
    assert counts(run(rows, headers=headers)[0]) == (3, 0, 0, 0, 0, 3, 0)


def test_a_wish_that_a_file_brings_reaches_the_other_files_of_the_person_at_once(run, other_store, planned_at_once):
    elsewhere = CustomerFactory(store=other_store, mobile="13812345678")
    wrong = CustomerFactory(store=other_store, mobile="13812345678", is_mobile_wrong=True)
    ids = planned_at_once(lambda: run([["王", "13812345678", "是(投诉)"]], headers=WISH_HEADERS))
    elsewhere.refresh_from_db()
    wrong.refresh_from_db()
    assert (elsewhere.do_not_contact, wrong.do_not_contact) == (DoNotContact.ALL_BUT_SAFETY, DoNotContact.NONE)
    assert "投诉" not in elsewhere.do_not_contact_reason
    assert ids == {elsewhere.pk}


def test_what_was_asked_for_while_a_file_is_read_is_not_loosened(run, store, monkeypatch):
    known = CustomerFactory(store=store, name="王", mobile="13812345678")
    real = import_customers.__globals__["look_up"]

    def meanwhile(*args, **words):
        batch = real(*args, **words)
        Customer.objects.filter(pk=known.pk).update(do_not_contact="all")
        return batch

    monkeypatch.setattr("service.importing.customers.look_up", meanwhile)
    run([["王", "13812345678", "营销"]], headers=WISH_HEADERS)
    known.refresh_from_db()
    assert known.do_not_contact == DoNotContact.ALL_BUT_SAFETY


# --- Odometer logs ------------------------------------------------------------------------------------------------


@pytest.fixture
def car(store):
    return VehicleFactory(store=store, owner=CustomerFactory(store=store), delivery_on=None)


@pytest.fixture
def read_log(car, capsys):
    def read(path, **options):
        options = {"vin": car.vin, "on": TODAY, "lang": "en"} | options
        call_command("import_odometer", str(path), **options)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return read


def log_file(tmp_path, text):
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_log_in_miles_is_kept_in_kilometres_and_odd_readings_with_their_flag(read_log, tmp_path, car):
    path = log_file(
        tmp_path,
        "date,odometer (miles),note\n2026-01-01,100,a\n2026-02-01,1000,b\n2026-02-02,9000,typo\n"
        "2026-03-01,900,typo\n2026-04-01,2000,\n2026-04-01,2000,again\n2026-05-01,,none\n2030-01-01,1,future\n",
    )
    summary = read_log(path, errors=tmp_path / "out.csv")
    names = ("unit", "rows", "added", "repeated", "errors", "used", "falling", "leaping")
    assert [summary[name] for name in names] == ["mi", 8, 5, 1, 2, 3, 1, 1]
    assert list(car.readings.values_list("km", "flag", "note")) == [
        (161, OdometerFlag.OK, "a"),
        (1609, OdometerFlag.OK, "b"),
        (14484, OdometerFlag.LEAPING, "typo"),
        (1448, OdometerFlag.FALLING, "typo"),
        (3219, OdometerFlag.OK, ""),
    ]
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        assert [(row["Line"], row["Reason"]) for row in csv.DictReader(file)] == [
            ("8", "the mileage is missing"),
            ("9", "2030-01-01 is in the future"),
        ]
    again = read_log(path)
    assert (again["added"], again["unchanged"]) == (0, 5)


def test_the_unit_can_be_overruled(read_log, tmp_path, car):
    path = log_file(tmp_path, "日期,里程\n2026-01-01,100\n")
    assert read_log(path, unit="mi")["unit"] == "mi"
    assert car.readings.get().km == 161


@pytest.mark.parametrize(
    ("header", "cell", "km", "unit"),
    [
        ("odometer", '"31,000 mi"', 49890, "mi"),
        ("odometer", "31000 miles", 49890, "mi"),
        ("里程", "31000英里", 49890, "mi"),
        ("odometer (miles)", "50000公里", 50000, "km"),
        ("odometer (miles)", "50000 KM", 50000, "km"),
        ("odometer (miles)", "31000", 49890, "mi"),
        ("odometer", "50000", 50000, "km"),
    ],
)
def test_a_unit_behind_the_number_beats_that_of_the_column(read_log, tmp_path, car, header, cell, km, unit):
    assert read_log(log_file(tmp_path, f"date,{header}\n2026-01-01,{cell}\n"))["unit"] == unit
    assert car.readings.get().km == km


def test_each_number_of_a_mixed_log_is_in_its_own_unit_and_a_bare_one_in_that_of_the_log(read_log, tmp_path, car):
    text = "date,odometer,unit\n2026-01-01,1000 km,mi\n2026-02-01,1000 mi,km\n2026-03-01,2000,mi\n2026-04-01,2500,\n"
    assert read_log(log_file(tmp_path, text))["unit"] == "mi"
    assert list(car.readings.values_list("km", flat=True)) == [1000, 1609, 3219, 4023]


def test_a_bare_number_beside_one_in_miles_is_in_kilometres_where_the_column_says_nothing(read_log, tmp_path, car):
    assert read_log(log_file(tmp_path, "date,odometer\n2026-01-01,1000 mi\n2026-02-01,2000\n"))["unit"] == "km"
    assert list(car.readings.values_list("km", flat=True)) == [1609, 2000]


def test_the_unit_that_is_asked_for_beats_that_behind_the_number(read_log, tmp_path, car):
    read_log(log_file(tmp_path, "date,odometer\n2026-01-01,1000 mi\n"), unit="km")
    assert car.readings.get().km == 1000


@pytest.mark.parametrize("cell", ["mi", "9e999999 mi", "2000000 mi", "-1 mi"])
def test_a_unit_saves_no_number_that_is_none(read_log, tmp_path, car, cell):
    summary = read_log(log_file(tmp_path, f"date,odometer\n2026-01-01,{cell}\n"))
    assert (summary["added"], summary["errors"]) == (0, 1)


def test_the_order_of_day_and_month_is_found_or_asked_for(read_log, tmp_path, car):
    read_log(log_file(tmp_path, "date,km\n03-04-2026,100\n25-04-2026,900\n"))
    assert list(car.readings.values_list("on", flat=True)) == [date(2026, 4, 3), date(2026, 4, 25)]
    unclear = log_file(tmp_path, "date,km\n03-04-2026,100\n")
    with pytest.raises(CommandError, match="--date-order") as caught:
        read_log(unclear)
    assert caught.value.returncode == 2
    read_log(unclear, date_order="mdy")
    assert car.readings.order_by("on").first().on == date(2026, 3, 4)


def test_a_log_of_several_cars_needs_to_know_which(read_log, tmp_path, car):
    path = log_file(tmp_path, "Vehicle ID,date,odometer\n22,2026-01-01,100\n23,2026-01-01,900\n")
    with pytest.raises(CommandError, match=r"--where \"Vehicle ID=…\"") as caught:
        read_log(path)
    assert caught.value.returncode == 2
    assert read_log(path, where=[("Vehicle ID", "23")])["added"] == 1
    assert car.readings.get().km == 900
    with pytest.raises(CommandError, match="no column"):
        read_log(path, where=[("Nonsense", "23")])


def test_a_log_that_names_the_car_is_read_for_it(read_log, tmp_path, car):
    path = log_file(tmp_path, f"vin,date,odometer\n{vin(77)},2026-01-01,100\n{car.vin},2026-01-01,900\n")
    assert (read_log(path)["rows"], car.readings.get().km) == (1, 900)


def test_an_unknown_car_ends_with_status_2(read_log, tmp_path):
    with pytest.raises(CommandError, match="no car") as caught:
        read_log(log_file(tmp_path, "date,km\n2026-01-01,1\n"), vin=vin(999))
    assert caught.value.returncode == 2


@pytest.mark.parametrize(
    ("name", "options", "unit", "rows"),
    [
        ("punto_odometer_2010_2019.csv", {}, "km", 620),
        ("punto_services_2010_2019.csv", {}, "km", 23),
        ("2011quest_odometer.csv", {}, "mi", 413),
        ("wagonr_low_mileage_2021_2024.csv", {}, "km", 49),
        ("domwoe_daily_odometer.csv", {}, "km", 410),
        ("mot_histories_small.csv", {"where": [("vehicle", "Ford Fiesta 2013 (VRM removed)")]}, "mi", None),
        ("urbana_fleet_fuel_odometer_even_ids.csv", {"where": [("Vehicle ID", "92")], "unit": "mi"}, "mi", None),
    ],
)
def test_real_logs_come_in_whole_and_give_a_rate(read_log, car, name, options, unit, rows):
    path = shared_data(f"odometer/{name}")
    summary = read_log(path, **options)
    assert summary["unit"] == unit
    assert rows is None or summary["rows"] == rows
    assert summary["rows"] == summary["added"] + summary["unchanged"] + summary["repeated"] + summary["errors"]
    assert car.readings.count() == summary["added"] == summary["used"] + summary["falling"] + summary["leaping"]
    assert float(summary["daily_km"]) >= 5
    assert read_log(path, **options)["added"] == 0


def test_for_a_car_that_drives_little_the_date_wins(read_log, car):
    Vehicle.objects.update(delivery_on=date(2021, 2, 20), last_service_on=date(2024, 8, 24), last_service_km=8543)
    summary = read_log(shared_data("odometer/wagonr_low_mileage_2021_2024.csv"))
    assert summary["next_service_on"] == "2025-02-24"


def test_a_number_that_a_file_puts_right_is_asked_for_no_more(run, store):
    customer = CustomerFactory(store=store, name="王小明", mobile="13812345678", is_mobile_wrong=True)
    step = NextStepFactory(customer=customer, kind=NextStepKind.NUMBER_CORRECTION)

    run([[customer.number, "王小明", "13900001111"]], headers=["客户编号", "姓名", "手机号码"])

    customer.refresh_from_db()
    step.refresh_from_db()
    assert (customer.mobile, customer.is_mobile_wrong) == ("13900001111", False)
    assert step.done_at is not None
