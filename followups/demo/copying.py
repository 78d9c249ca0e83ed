"""Fast inserts: rows of a model as the text that COPY takes, with the defaults of the model's fields."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import GeneratedField, Model
from django.db.models.fields import NOT_PROVIDED

NULL = r"\N"


def array_literal(items: Iterable[str]) -> str:
    """Return a PostgreSQL array of texts as it is written in COPY."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


@dataclass(frozen=True, slots=True)
class CopyText:
    """Rows of one table, ready for COPY."""

    sql: str
    text: str
    count: int


class CopyTable:
    """Collects rows of one model, given as values of the named fields, and hands them over as text by ``take``.

    Columns that are not named get the field's default; what the database computes is left to it. Values must be as the
    database stores them (encrypted, keys instead of objects); lists are given by ``array_literal``. Nothing here needs
    a connection: rows can be composed where there is none.
    """

    def __init__(self, model: type[Model], fields: Sequence[str]) -> None:
        fields_by_name = {field.name: field for field in model._meta.local_concrete_fields}
        named = [fields_by_name[name] for name in fields]
        rest = [
            field
            for field in model._meta.local_concrete_fields
            if field not in named
            and not field.primary_key
            and not isinstance(field, GeneratedField)
            and field.db_default is NOT_PROVIDED
        ]
        columns = [str(field.column) for field in (*named, *rest)]
        quoted = ", ".join(connection.ops.quote_name(column) for column in columns)
        self._sql = (
            f"COPY {connection.ops.quote_name(model._meta.db_table)} ({quoted}) "
            "FROM STDIN WITH (FORMAT csv, NULL '\\N')"
        )
        self._width = len(named)
        self._defaults = [_default(field) for field in rest]
        self._start()

    def _start(self) -> None:
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer)
        self._pending = 0

    def add(self, *values: Any) -> None:
        """Add a row."""
        if len(values) != self._width:
            raise ValueError(f"Expected {self._width} values, got {len(values)}.")
        self._writer.writerow([NULL if value is None else value for value in (*values, *self._defaults)])
        self._pending += 1

    def take(self) -> CopyText:
        """Return what was added since the last time."""
        taken = CopyText(self._sql, self._buffer.getvalue(), self._pending)
        self._start()
        return taken


def copy_in(rows: CopyText) -> None:
    """Write the rows."""
    if rows.count:
        with connection.cursor() as cursor:
            cursor.copy_expert(rows.sql, io.StringIO(rows.text))


@contextmanager
def foreign_keys_checked_at_the_end(models: Iterable[type[Model]]) -> Iterator[None]:
    """Check the foreign keys of these tables all at once after the rows are in, not row by row.

    The constraints are taken away and put back as they were, as PostgreSQL's manual has it under "Populating a
    Database". To be used in a transaction: nobody else reads the tables until it ends, and a failure leaves them as
    they were. Raises ``IntegrityError`` when a row points nowhere.
    """
    with connection.cursor() as cursor:
        # The constraints of rows that were written before must not wait for the commit any more.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = ANY(%s::regclass[]) ORDER BY 1, 2",
            [[connection.ops.quote_name(model._meta.db_table) for model in models]],
        )
        constraints = cursor.fetchall()
        for table, name, _definition in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    with connection.cursor() as cursor:
        for table, name, definition in constraints:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _default(field: Any) -> Any:
    value = field.get_default()
    if isinstance(field, ArrayField) and value is not None:
        return array_literal(value)
    return value
