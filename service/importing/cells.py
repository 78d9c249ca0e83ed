"""What a cell says: text, dates, whole numbers, in all the spellings that people and programs write (domain §1)."""

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from django.utils.translation import gettext as _

from service.importing.reading import Cell
from vehicles.rules import KM_PER_MILE


class UnreadableCell(ValueError):
    """The cell does not say what its column promises; the message says why."""


# Day 1 of Excel's calendar is 1900-01-01, and it believes in a 29 February 1900: from March 1900 on, this is day 0.
EXCEL_DAY_ZERO = date(1899, 12, 30)
# Excel serials between 1950 and 2100: other bare numbers in a date column are mistakes or 20100901.
_FIRST_SERIAL, _LAST_SERIAL = 18264, 73415
_DATE = re.compile(
    r"(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*[日号]?"
    r"(?:[T\s]+\d{1,2}[:时]\d{2}(?:[:分]\d{2}(?:\.\d+)?)?\s*秒?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_COMPACT_DATE = re.compile(r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})")
_DAY_FIRST_OR_MONTH_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?")
_SCIENTIFIC = re.compile(r"(\d)(?:\.(\d+))?[eE]\+?(\d{1,2})")


def text_of(cell: Cell) -> str:
    """Return the text of a cell: full-width forms made plain, spaces collapsed, 12.0 written as 12.

    The apostrophe that Excel users put in front of numbers, to keep them as text, goes.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(" ", "seconds")
    text = unicodedata.normalize("NFKC", str(cell)).replace("\u200b", "").replace("\ufeff", "")
    return re.sub(r"\s+", " ", text).strip().removeprefix("'").strip()


def number_text_of(cell: Cell, *, exact_digits: int = 15) -> str:
    """Return the text of a cell that holds a long number: a phone number, an ID number.

    Spreadsheets turn these into floating-point numbers. ``13812345678.0`` and ``1.3812345678E+10`` are whole;
    raises ``UnreadableCell`` where digits are lost (``1.38E+10``, or more than 15 digits stored as a number).
    """
    text = text_of(cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool) and len(text.lstrip("-")) > exact_digits:
        raise UnreadableCell(_("the spreadsheet kept only 15 digits of “%(text)s”; enter it as text") % {"text": text})
    scientific = _SCIENTIFIC.fullmatch(text.replace(" ", ""))
    if scientific:
        first, rest, power = scientific[1], scientific[2] or "", int(scientific[3])
        if len(rest) < power:
            raise UnreadableCell(_("the spreadsheet shortened “%(text)s”; enter it as text") % {"text": text})
        return first + rest[:power] if not rest[power:].strip("0") else text
    return re.sub(r"\.0+$", "", text) if re.fullmatch(r"\d+\.0+", text) else text


def date_of(cell: Cell, *, order: str = "") -> date | None:
    """Return the date that a cell says, or None when it is empty.

    ``2010-09-01``, ``2010/9/1``, ``2010.9.1``, ``2010年9月1日``, ``20100901``, each also with a time behind it, Excel
    serials, and date cells. With ``order`` ("dmy" or "mdy") also ``01-09-2010``, which is refused without. Raises
    ``UnreadableCell``.
    """
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = text_of(cell)
    if text in ("", "-", "/", "无", "N/A", "0000-00-00"):
        return None
    match = _DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text)
    if match:
        return _real_date(text, int(match["year"]), int(match["month"]), int(match["day"]))
    other = _DAY_FIRST_OR_MONTH_FIRST.fullmatch(text)
    if other and order:
        first, second, year = int(other[1]), int(other[2]), int(other[3])
        return _real_date(text, year, second if order == "dmy" else first, first if order == "dmy" else second)
    if other and max(int(other[1]), int(other[2])) <= 12:
        raise UnreadableCell(_("“%(text)s” may be day or month first; write year-month-day") % {"text": text})
    return _serial_date(text)


def _serial_date(text: str) -> date:
    try:
        serial = Decimal(text)
    except InvalidOperation:
        raise UnreadableCell(_("“%(text)s” is not a date") % {"text": text}) from None
    if not serial.is_finite() or not _FIRST_SERIAL <= serial < _LAST_SERIAL:
        raise UnreadableCell(_("“%(text)s” is not a date") % {"text": text})
    return EXCEL_DAY_ZERO + timedelta(days=int(serial))


def _real_date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise UnreadableCell(_("the day “%(text)s” does not exist") % {"text": text}) from None


_UNITS = re.compile(r"(?:公里|千米|km|kms|kilometers|kilometres|座|人|(?P<miles>mi|miles?|英里))$", re.IGNORECASE)


def whole_number_of(cell: Cell, *, largest: int) -> int | None:
    """Return the whole number that a cell says (``12,345``, ``1.2万公里``, ``12345.6`` cut), or None when empty.

    Miles become kilometres. Raises ``UnreadableCell`` for anything else, below 0 or above ``largest``.
    """
    whole = text_of(cell)
    unit = _UNITS.search(whole)
    text = re.sub(r"[,\s_]", "", whole[: unit.start()] if unit else whole)
    if text in ("", "-", "/", "无", "N/A"):
        return None
    factor = 1
    if text.endswith(("万", "w", "W")):
        text, factor = text[:-1], 10_000
    try:
        number = Decimal(text) * factor
    except InvalidOperation:
        raise UnreadableCell(_("“%(text)s” is not a number") % {"text": text_of(cell)}) from None
    # What is refused anyhow may be too large to be multiplied.
    if unit and unit["miles"] and number.is_finite() and 0 <= number <= largest:
        number = (number * KM_PER_MILE).to_integral_value(rounding=ROUND_HALF_UP)
    if not number.is_finite() or not 0 <= number <= largest:
        raise UnreadableCell(
            _("“%(text)s” is not between 0 and %(largest)d") % {"text": text_of(cell), "largest": largest}
        )
    return int(number)
