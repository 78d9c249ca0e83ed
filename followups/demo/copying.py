"""Fast inserts: rows of a model go to the database by COPY, in batches, with the defaults of the model's fields."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import GeneratedField, Model
from django.db.models.fields import NOT_PROVIDED

NULL = r"\N"


def array_literal(items: Iterable[str]) -> str:
    """Return a PostgreSQL array of texts as it is written in COPY."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


def reserve_ids(model: type[Model], count: int) -> list[int]:
    """Return primary keys that nobody else will get, in ascending order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH keys AS MATERIALIZED (SELECT pg_get_serial_sequence(%s, 'id') AS sequence)"
            " SELECT nextval(keys.sequence) FROM keys, generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [pk for (pk,) in cursor.fetchall()]


class CopyTable:
    """Collects rows of one model, given as values of the named fields, and copies them on ``flush``.

    Columns that are not named get the field's default; what the database computes is left to it. Values must be as the
    database stores them (encrypted, keys instead of objects); lists are given by ``array_literal``.
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
        self.count = 0
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

    def flush(self) -> None:
        """Copy what was added since the last time."""
        if not self._pending:
            return
        self._buffer.seek(0)
        with connection.cursor() as cursor:
            cursor.copy_expert(self._sql, self._buffer)
        self.count += self._pending
        self._start()


def _default(field: Any) -> Any:
    value = field.get_default()
    if isinstance(field, ArrayField) and value is not None:
        return array_literal(value)
    return value
