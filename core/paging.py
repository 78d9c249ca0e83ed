"""Pages of long lists by key: every page costs the same, and nothing is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, Expression, F, Func, Model, QuerySet, Value
from django.utils.timezone import is_naive

ModelT = TypeVar("ModelT", bound=Model)

SEPARATOR = "~"


class _Row(Func):
    template = "ROW(%(expressions)s)"
    output_field = BooleanField()  # a row has no field type; nothing reads this one


class _Compared(Func):
    template = "(%(expressions)s)"
    output_field = BooleanField()


@dataclass(frozen=True)
class KeysetPage(Generic[ModelT]):
    """Some rows of a list. ``next_after`` is the key after which the next page begins, empty on the last page."""

    rows: Sequence[ModelT]
    is_first: bool
    next_after: str

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return bool(self.next_after)


def keyset_page(queryset: QuerySet[ModelT], *, by: Sequence[str], after: str, size: int) -> KeysetPage[ModelT]:
    """Return the page of ``size`` rows that begins after a key of an earlier page; the first one for an empty key.

    ``by`` are names of columns that are never NULL, the last one unique, all ascending or all with a minus. The
    comparison is one of rows, ``ROW(a, id) > ROW(x, y)``: written out with OR, the database would read everything
    before the page. A key that cannot be read (somebody edited the address) gives the first page.
    """
    is_descending = by[0].startswith("-")
    names = [name.removeprefix("-") for name in by]
    key = _read_key(queryset.model, names, after)
    rows = queryset.order_by(*by)
    if key is not None:
        columns: list[Expression | F] = [F(name) for name in names]
        compared = _Compared(_Row(*columns), _Row(*key), arg_joiner=" < " if is_descending else " > ")
        rows = rows.filter(compared)
    found = list(rows[: size + 1])
    next_after = ""
    if len(found) > size:
        last = found[size - 1]
        next_after = SEPARATOR.join(str(getattr(last, name)) for name in names)
    return KeysetPage(rows=found[:size], is_first=key is None, next_after=next_after)


def _read_key(model: type[Model], names: Sequence[str], after: str) -> list[Value] | None:
    texts = after.split(SEPARATOR)
    if not after or len(texts) != len(names):
        return None
    values: list[Value] = []
    for name, text in zip(names, texts, strict=True):
        try:
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
            field = getattr(field, "output_field", field) if getattr(field, "generated", False) else field
            value: Any = field.to_python(text)  # type: ignore[union-attr]
        except (FieldDoesNotExist, ValidationError, ValueError):
            return None
        # Keys of ours carry their time zone; a bare date would be guessed into one, which not every day survives.
        if value is None or (isinstance(value, datetime) and is_naive(value)):
            return None
        values.append(Value(value, output_field=field))  # type: ignore[arg-type]
    return values


def capped_count(queryset: QuerySet, *, cap: int = 1000) -> tuple[int, bool]:
    """Return how many rows there are, but never count further than ``cap``; and whether there are more than that."""
    count = queryset.order_by()[: cap + 1].count()
    return min(count, cap), count > cap
