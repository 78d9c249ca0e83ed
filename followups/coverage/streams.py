"""Long tables read side by side, a few thousand rows in memory at a time."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

ROWS_AT_A_TIME = 5000


def stream(queryset: QuerySet, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the columns of a queryset through a server-side cursor."""
    return queryset.values_list(*columns).iterator(chunk_size=ROWS_AT_A_TIME)


class History:
    """Rows of a stream sorted by their first column, handed out key by key in the same order."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of(self, key: int) -> list[tuple[Any, ...]]:
        """Return the rows of a key; keys must be asked for in rising order."""
        found = []
        while self._next is not None and self._next[0] <= key:
            if self._next[0] == key:
                found.append(self._next)
            self._next = next(self._rows, None)
        return found
