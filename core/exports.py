"""Files that people take away: lists as csv for spreadsheet programs."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

UTF8_MARK = "\ufeff"  # spreadsheet programs read a file as UTF-8 with this mark only
# What a spreadsheet program takes for a formula, full-width signs too; a number with its sign is none.
FORMULA = re.compile(r"[=＝@＠\t\r\n]|[+＋\-－](?![\d\s()\-]+\Z)")


class _Echo:
    """Gives each written line back instead of keeping it: the file is never in memory as a whole."""

    def write(self, line: str) -> str:
        return line


def csv_response(filename: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> StreamingHttpResponse:
    """Return a csv file in UTF-8 with its mark. ``filename`` is plain ASCII; cells cannot become formulas."""
    response = StreamingHttpResponse(_lines(head, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield UTF8_MARK
    yield writer.writerow(head)
    for row in rows:
        yield writer.writerow([harmless_cell(cell) for cell in row])


def harmless_cell(text: str) -> str:
    """Return a cell that a spreadsheet program shows as text and never runs: with an apostrophe before a formula.

    A phone number such as ``+86 138 1234 5678`` stays as it is.
    """
    return f"'{text}" if FORMULA.match(text) else text
