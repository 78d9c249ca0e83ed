"""Files that people take away: lists as csv for spreadsheet programs."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

UTF8_MARK = "\ufeff"  # spreadsheet programs read a file as UTF-8 with this mark only
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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
        yield writer.writerow([_plain(cell) for cell in row])


def _plain(cell: str) -> str:
    """A cell that begins like a formula is shown as text, never run."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
