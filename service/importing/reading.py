"""From a file to rows of cells: xlsx, xls, and csv in the encodings and with the separators that occur."""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
import python_calamine
from django.utils.translation import gettext as _
from openpyxl.utils.exceptions import InvalidFileException

Cell = str | int | float | bool | date | datetime | time | timedelta | None
# The head of a table is looked for among its first rows: above it stand titles and remarks.
HEAD_ROWS = 20
SEPARATORS = ",;\t|"
_CHUNK = 1 << 20


class UnusableFile(Exception):
    """The file as a whole cannot be read as a table; the message says why, in one sentence."""


@dataclass(frozen=True)
class Row:
    """A row and the number of its (first) line in the file, counted from 1."""

    line: int
    cells: Sequence[Cell]


@dataclass
class Table:
    """A table in a file: the names of its columns, and its rows, which are read while they are asked for."""

    headers: list[str]
    rows: Iterator[Row]


def read_table(path: Path, *, score: Callable[[Sequence[str]], int], example: str) -> Table:
    """Open a file and find its table. ``score`` says how many of the cells of a row are known column names.

    The head is the row among the first twenty with the highest score; in a workbook, of the first sheet that has one.
    Memory does not grow with the number of rows. Raises ``UnusableFile``.
    """
    if not path.is_file():
        raise UnusableFile(_("There is no file %(path)s.") % {"path": path})
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise UnusableFile(_("The file %(path)s is empty.") % {"path": path.name})
    if start.startswith(b"PK"):
        sheets = _xlsx_sheets(path)
    elif start.startswith(b"\xd0\xcf\x11\xe0"):
        sheets = _xls_sheets(path)
    else:
        sheets = iter([_csv_rows(path, score)])
    for rows in sheets:
        table = _table_of(rows, score)
        if table is not None:
            return table
    raise UnusableFile(
        _("No row of %(path)s has column names that are known here, such as: %(example)s.")
        % {"path": path.name, "example": example}
    )


def _table_of(rows: Iterator[Row], score: Callable[[Sequence[str]], int]) -> Table | None:
    head = list(islice(rows, HEAD_ROWS))
    scores = [score([header_text(cell) for cell in row.cells]) for row in head]
    best = max(scores, default=0)
    if best == 0:
        return None
    index = scores.index(best)
    headers = [header_text(cell) for cell in head[index].cells]
    while headers and not headers[-1]:
        headers.pop()
    body = (row for row in chain(head[index + 1 :], rows) if any(cell not in (None, "") for cell in row.cells))
    return Table(headers=headers, rows=body)


def header_text(cell: Cell) -> str:
    """Return a column name as it is shown: one line, without surrounding spaces."""
    return "" if cell is None else re.sub(r"\s+", " ", str(cell)).strip().lstrip("\ufeff")


# --- Workbooks --------------------------------------------------------------------------------------------------


def _xlsx_sheets(path: Path) -> Iterator[Iterator[Row]]:
    # openpyxl's read-only mode reads row by row; python-calamine is faster but holds the whole sheet in memory.
    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, ParseError) as error:
        raise UnusableFile(_("%(path)s is not a readable Excel workbook.") % {"path": path.name}) from error
    try:
        for sheet in workbook.worksheets:
            if sheet.sheet_state != "visible":
                continue
            # Some programs write a wrong size of the sheet, and rows beyond it would be lost.
            sheet.reset_dimensions()
            yield _xlsx_rows(sheet)
    finally:
        workbook.close()


def _xlsx_rows(sheet: Any) -> Iterator[Row]:
    for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        yield Row(line, cells)


def _xls_sheets(path: Path) -> Iterator[Iterator[Row]]:
    # The old format ends at 65,536 rows, so holding a sheet in memory is bounded.
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(path)
    except python_calamine.PasswordError as error:
        raise UnusableFile(_("%(path)s is protected with a password.") % {"path": path.name}) from error
    except python_calamine.CalamineError as error:
        raise UnusableFile(_("%(path)s is not a readable Excel workbook.") % {"path": path.name}) from error
    for index, sheet in enumerate(workbook.sheets_metadata):
        if sheet.visible == python_calamine.SheetVisibleEnum.Visible:
            rows = workbook.get_sheet_by_index(index).to_python(skip_empty_area=False)
            yield (Row(line, cells) for line, cells in enumerate(rows, start=1))


# --- Text -------------------------------------------------------------------------------------------------------


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: by its byte order mark, else UTF-8 if all of it is, else GB18030.

    Raises ``UnusableFile`` when it is neither. GB18030 includes GBK and GB2312, which Chinese Excel writes.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates: tuple[str, ...] = ("utf-16",)
    else:
        candidates = ("utf-8", "gb18030")
    for encoding in candidates:
        if _is_encoded(path, encoding):
            return encoding
    raise UnusableFile(
        _("%(path)s is a text in neither UTF-8 nor GB18030. Save it from Excel as “CSV UTF-8”.") % {"path": path.name}
    )


def _is_encoded(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                # A zero is in no text, though all of these encodings allow it.
                if "\x00" in decoder.decode(chunk):
                    return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _csv_rows(path: Path, score: Callable[[Sequence[str]], int]) -> Iterator[Row]:
    encoding = encoding_of(path)
    separator = _separator_of(path, encoding, score)
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        line = 1
        try:
            for cells in reader:
                yield Row(line, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise UnusableFile(
                _("%(path)s cannot be read from line %(line)d on: %(error)s.")
                % {"path": path.name, "line": line, "error": error}
            ) from error


def _separator_of(path: Path, encoding: str, score: Callable[[Sequence[str]], int]) -> str:
    """Return the separator with which the head of the table is best understood."""

    def best(separator: str) -> int:
        with path.open(encoding=encoding, newline="") as file:
            rows = csv.reader(file, delimiter=separator)
            try:
                return max((score([header_text(c) for c in cells]) for cells in islice(rows, HEAD_ROWS)), default=0)
            except csv.Error:
                return 0

    return max(SEPARATORS, key=best)
