"""The made-up workbook for the importer."""

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from openpyxl import load_workbook

from followups.demo.people import DemoWorld
from followups.demo.workbook import HEADERS
from tests.factories import StoreFactory
from vehicles.rules import is_vin, normalise_vin

TODAY = date(2026, 11, 21)


def write(path, *, customers=300, seed=7):
    """Run the command and return its line of JSON."""
    out = StringIO()
    call_command("load_demo", customers=customers, seed=seed, today=TODAY, workbook=path, stdout=out)
    return json.loads(out.getvalue())


def rows_of(path):
    """Return the rows of the only sheet, the head first."""
    book = load_workbook(path, read_only=True)
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    book.close()
    return rows


def test_a_row_a_car_under_the_names_of_the_data_dictionary(tmp_path):
    report = write(tmp_path / "customers.xlsx")
    head, *rows = rows_of(tmp_path / "customers.xlsx")
    cars = [car for file in DemoWorld(seed=7, today=TODAY, customers=300).customers() for car in file.cars]
    assert head == HEADERS
    assert report["customers"] == 300
    assert report["rows"] == len(rows) == len(cars)


def test_the_same_seed_gives_the_same_cells(tmp_path):
    write(tmp_path / "first.xlsx")
    write(tmp_path / "second.xlsx")
    write(tmp_path / "third.xlsx", seed=8)
    assert rows_of(tmp_path / "first.xlsx") == rows_of(tmp_path / "second.xlsx")
    assert rows_of(tmp_path / "first.xlsx") != rows_of(tmp_path / "third.xlsx")


def test_dates_and_numbers_are_spelled_in_many_ways(tmp_path):
    write(tmp_path / "customers.xlsx")
    _head, *rows = rows_of(tmp_path / "customers.xlsx")
    deliveries = [row[HEADERS.index("交车日期")] for row in rows]
    assert any(not isinstance(day, str) for day in deliveries)
    assert any("年" in day for day in deliveries if isinstance(day, str))
    assert any("/" in day for day in deliveries if isinstance(day, str))
    assert any(day.isdecimal() for day in deliveries if isinstance(day, str))
    mobiles = [row[HEADERS.index("手机号码")] for row in rows]
    assert any(isinstance(mobile, int) for mobile in mobiles)
    assert any("+86" in mobile for mobile in mobiles if isinstance(mobile, str))


def test_rows_with_a_slip_are_counted(tmp_path):
    report = write(tmp_path / "customers.xlsx", customers=1500)
    _head, *rows = rows_of(tmp_path / "customers.xlsx")
    wrong = [
        row
        for row in rows
        if not is_vin(normalise_vin(row[HEADERS.index("底盘号/车架号/VIN")]))
        or row[HEADERS.index("交车日期")] == "2023年13月5日"
        or row[HEADERS.index("车牌号")] == "鲁M123"
    ]
    assert report["slips"] == len(wrong) > 0


def test_the_importer_takes_the_workbook_gives_back_the_slips_and_takes_nothing_twice(db, tmp_path):
    report = write(tmp_path / "customers.xlsx", customers=400)
    StoreFactory(code="BZ01")

    def run():
        out = StringIO()
        call_command("import_customers", str(tmp_path / "customers.xlsx"), store="BZ01", on=TODAY, stdout=out)
        return json.loads(out.getvalue().splitlines()[-1])

    first, second = run(), run()
    assert first["ignored_columns"] == []
    assert (first["rows"], first["errors"]) == (report["rows"], report["slips"])
    assert first["vehicles_created"] == report["rows"] - report["slips"]
    assert second["unchanged"] == first["vehicles_created"]
    assert [second[f"{what}_{how}"] for what in ("customers", "vehicles") for how in ("created", "updated")] == [0] * 4


def test_nothing_is_written_to_the_database(tmp_path):
    # No database fixture: a query would fail the test.
    assert write(tmp_path / "customers.xlsx")["customers"] == 300


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        write(tmp_path / "missing" / "customers.xlsx")
