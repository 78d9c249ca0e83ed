"""Bringing an odometer log into the file of one car: telematics, fuel cards, inspections, in kilometres or miles."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from time import monotonic

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import acting
from core.exports import harmless_cell
from service.importing.cells import UnreadableCell, date_of, text_of
from service.importing.columns import plain
from service.importing.reading import Row, UnusableFile, read_table
from vehicles.actions import refresh_vehicle_facts
from vehicles.choices import OdometerFlag, OdometerSource
from vehicles.models import OdometerReading, Vehicle
from vehicles.rules import KM_PER_MILE, MAX_KM, normalise_vin

# The clearest names first: of two columns that could be it, the one that comes first here is.
_COLUMNS: Mapping[str, Sequence[str]] = {
    "on": (
        "date",
        "日期",
        "里程日期",
        "读数日期",
        "transaction date",
        "reading date",
        "odometer date",
        "test date",
        "posted date",
    ),
    "km": (
        "odometer",
        "里程",
        "里程数",
        "行驶里程",
        "current odometer",
        "odometer reading",
        "odometer km",
        "里程(公里)",
        "公里数",
        "mileage",
        "odometer (mi)",
        "odometer miles",
        "miles",
        "英里",
        "km",
        "totkm",
        "total km",
        "current mileage",
    ),
    "unit": ("unit", "单位", "odometer unit"),
    "vehicle": (
        "vin",
        "车架号",
        "底盘号",
        "vehicle id",
        "vehicle",
        "car",
        "车辆",
        "车牌号",
        "plate",
        "registration",
        "vehicle description",
    ),
}
_NOTES = ("event", "note", "事件", "备注", "notes", "comment")
_MILES = re.compile(r"\bmi\b|mile|英里", re.IGNORECASE)
_UNIT_OF_CELL = re.compile(r"\s*(km|公里|mi|miles|英里)$", re.IGNORECASE)


@dataclass
class OdometerResult:
    """What an import of a log did. ``rows`` = added + unchanged + repeated + errors."""

    unit: str = "km"
    rows: int = 0
    added: int = 0
    unchanged: int = 0
    repeated: int = 0
    errors: int = 0
    used: int = 0
    falling: int = 0
    leaping: int = 0
    daily_km: str | None = None
    next_service_on: str | None = None
    next_service_km: int | None = None
    seconds: float = 0


@dataclass
class _Log:
    """The rows of one car, and where their date, mileage, unit and notes stand."""

    headers: Sequence[str]
    positions: dict[str, int]
    notes: Sequence[int]
    rows: list[Row] = field(default_factory=list)

    def text(self, row: Row, name: str) -> str:
        position = self.positions.get(name)
        return "" if position is None or position >= len(row.cells) else text_of(row.cells[position])

    def note(self, row: Row) -> str:
        words = [text_of(row.cells[position]) for position in self.notes if position < len(row.cells)]
        return " · ".join(word for word in words if word)[:200]


def import_odometer(
    *,
    path: Path,
    vehicle: Vehicle,
    on: date,
    by: User | None,
    unit: str | None = None,
    date_order: str | None = None,
    where: Mapping[str, str] | None = None,
    errors_path: Path | None = None,
) -> OdometerResult:
    """Add the readings of a log to a car and recompute its forecast; the same log again changes nothing.

    Nothing is left out silently: falling and leaping readings are kept with their flag, readings that are on file or
    stand twice in the log are counted, rows that cannot be read go to ``errors_path`` with the reason. A unit behind
    the number in its cell decides, else that of the unit column, else that of the name of the mileage column; without
    any of them it is kilometres. ``unit`` "km" or "mi" overrules all of them. ``date_order`` ("dmy", "mdy") is needed
    only where the dates do not tell themselves. ``where`` picks the rows of a log of several cars: column name → value.
    Readings after ``on`` are errors. All or nothing. Raises ``UnusableFile``.
    """
    started = monotonic()
    log = _read_log(path, vehicle, where or {})
    result = OdometerResult(rows=len(log.rows), unit=unit or _unit_of(log))
    order = date_order or _date_order_of(log, path)
    readings: dict[tuple[date, int], OdometerReading] = {}
    refused: list[tuple[Row, str]] = []
    for row in log.rows:
        try:
            day, km = _reading_of(log, row, unit=unit, default_unit=result.unit, order=order, on=on)
        except UnreadableCell as error:
            refused.append((row, str(error)))
            continue
        if (day, km) in readings:
            result.repeated += 1
        else:
            readings[day, km] = OdometerReading(
                vehicle=vehicle, on=day, km=km, source=OdometerSource.IMPORT, note=log.note(row)
            )
    result.errors = len(refused)
    _write_refused(errors_path, log.headers, refused)
    with transaction.atomic(), acting(by, source="import", file=path.name):
        known = set(OdometerReading.objects.filter(vehicle=vehicle).order_by().values_list("on", "km"))
        new = [reading for key, reading in readings.items() if key not in known]
        OdometerReading.objects.bulk_create(new, batch_size=1000)
        refresh_vehicle_facts([vehicle.pk], on=on)
    result.added, result.unchanged = len(new), len(readings) - len(new)
    _describe(result, vehicle)
    result.seconds = round(monotonic() - started, 1)
    return result


def _describe(result: OdometerResult, vehicle: Vehicle) -> None:
    flags = Counter(OdometerReading.objects.filter(vehicle=vehicle).order_by().values_list("flag", flat=True))
    result.used, result.falling = flags[OdometerFlag.OK], flags[OdometerFlag.FALLING]
    result.leaping = flags[OdometerFlag.LEAPING]
    vehicle.refresh_from_db()
    result.daily_km = None if vehicle.daily_km is None else str(vehicle.daily_km)
    result.next_service_on = vehicle.next_service_on.isoformat() if vehicle.next_service_on else None
    result.next_service_km = vehicle.next_service_km


def _positions(headers: Sequence[str]) -> dict[str, int]:
    names = [plain(header) for header in headers]
    positions = {}
    for wanted, spellings in _COLUMNS.items():
        for spelling in map(plain, spellings):
            if spelling in names:
                positions[wanted] = names.index(spelling)
                break
    return positions


def _score(headers: Sequence[str]) -> int:
    positions = _positions(headers)
    return len(positions) if {"on", "km"} <= positions.keys() else 0


def _read_log(path: Path, vehicle: Vehicle, where: Mapping[str, str]) -> _Log:
    table = read_table(path, score=_score, example="date, odometer")
    names = [plain(header) for header in table.headers]
    notes = [names.index(plain(name)) for name in _NOTES if plain(name) in names]
    log = _Log(table.headers, _positions(table.headers), notes)
    conditions = []
    for column, value in where.items():
        if plain(column) not in names:
            raise UnusableFile(
                _("There is no column “%(column)s”; there are: %(columns)s.")
                % {"column": column, "columns": ", ".join(table.headers)}
            )
        conditions.append((names.index(plain(column)), text_of(value)))
    log.rows = [
        row
        for row in table.rows
        if all(position < len(row.cells) and text_of(row.cells[position]) == value for position, value in conditions)
    ]
    if not log.rows:
        raise UnusableFile(_("No row of %(path)s fits.") % {"path": path.name})
    if "vehicle" in log.positions:
        _keep_one_car(log, vehicle)
    return log


def _keep_one_car(log: _Log, vehicle: Vehicle) -> None:
    """Keep the rows of the car itself where the log names it; a log of several others is refused."""
    cars = Counter(log.text(row, "vehicle") for row in log.rows)
    own = [name for name in cars if normalise_vin(name) == vehicle.vin or (vehicle.plate and name == vehicle.plate)]
    if own:
        log.rows = [row for row in log.rows if log.text(row, "vehicle") in own]
    elif len(cars) > 1:
        column = log.headers[log.positions["vehicle"]]
        some = ", ".join(name for name, _count in cars.most_common(5))
        raise UnusableFile(
            _('The log is of %(count)d cars (%(some)s …). Say which: --where "%(column)s=…".')
            % {"count": len(cars), "some": some, "column": column}
        )


def _number_and_unit(text: str) -> tuple[str, str]:
    """Take the unit behind a mileage from its number; it is "" where the number stands alone."""
    unit = _UNIT_OF_CELL.search(text)
    number = text[: unit.start()] if unit else text
    return re.sub(r"[,\s]", "", number), unit[1] if unit else ""


def _unit_of(log: _Log) -> str:
    """Return the unit of the log: of the numbers that say none themselves, where there are such numbers."""
    units = {_number_and_unit(text)[1] for row in log.rows if (text := log.text(row, "km"))}
    if units and "" not in units:
        return "mi" if any(_MILES.search(unit) for unit in units) else "km"
    units = {log.text(row, "unit") for row in log.rows}
    header = log.headers[log.positions["km"]]
    return "mi" if _MILES.search(header) or any(_MILES.search(unit) for unit in units) else "km"


def _date_order_of(log: _Log, path: Path) -> str:
    """Find out from all dates of the log whether day or month comes first; "" when no date needs it."""
    firsts, seconds = set(), set()
    for row in log.rows:
        match = re.match(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}", log.text(row, "on"))
        if match:
            firsts.add(int(match[1]))
            seconds.add(int(match[2]))
    if not firsts:
        return ""
    if max(firsts) > 12 >= max(seconds):
        return "dmy"
    if max(seconds) > 12 >= max(firsts):
        return "mdy"
    raise UnusableFile(
        _("It cannot be told whether day or month comes first in the dates of %(path)s. Say: --date-order dmy or mdy.")
        % {"path": path.name}
    )


def _reading_of(log: _Log, row: Row, *, unit: str | None, default_unit: str, order: str, on: date) -> tuple[date, int]:
    position = log.positions["on"]
    day = date_of(row.cells[position] if position < len(row.cells) else None, order=order)
    if day is None:
        raise UnreadableCell(_("the date is missing"))
    if day > on:
        raise UnreadableCell(_("%(day)s is in the future") % {"day": day})
    text, own_unit = _number_and_unit(log.text(row, "km"))
    if not text:
        raise UnreadableCell(_("the mileage is missing"))
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise UnreadableCell(_("“%(text)s” is not a number") % {"text": text}) from None
    row_unit = unit or own_unit or log.text(row, "unit") or default_unit
    km = value
    # What is no mileage anyhow may be too large to be multiplied.
    if _MILES.search(row_unit) and value.is_finite() and 0 <= value <= MAX_KM:
        km = value * KM_PER_MILE
    if not km.is_finite() or not 0 <= km <= MAX_KM:
        raise UnreadableCell(_("“%(text)s” is not between 0 and %(largest)d") % {"text": text, "largest": MAX_KM})
    return day, int(km.to_integral_value(rounding=ROUND_HALF_UP))


def _write_refused(path: Path | None, headers: Sequence[str], refused: Sequence[tuple[Row, str]]) -> None:
    if path is None:
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([_("Line"), *headers, _("Reason")])
        for row, reason in refused:
            writer.writerow([row.line, *(harmless_cell(text_of(cell)) for cell in row.cells), reason])
