"""Entering thousands of new rows at once by PostgreSQL's COPY.

``bulk_create`` prepares every value of every row through several layers, which is most of the time of an import; COPY
takes a text.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

from django.db import connection, models

# Fields whose Python values are what the database takes; others are prepared by the field.
_PLAIN = (
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.EmailField,
    models.ForeignKey,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.TextField,
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def copy_in(instances: Sequence[models.Model]) -> None:
    """Enter new rows of one model and give the instances their ids. Columns with a database default take it.

    As with ``bulk_create`` no signals are sent and ``save`` is not called. Raises ``IntegrityError`` as usual.
    """
    if not instances:
        return
    meta = instances[0]._meta
    fields = [field for field in meta.concrete_fields if not field.generated and not field.has_db_default()]
    readers = [_reader_of(field) for field in fields]
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [meta.db_table, meta.pk.column, len(instances)],
        )
        for instance, (pk,) in zip(instances, cursor.fetchall(), strict=True):
            instance.pk = pk
        lines = StringIO()
        for instance in instances:
            lines.write("\t".join([reader(instance) for reader in readers]))
            lines.write("\n")
        lines.seek(0)
        columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
        cursor.copy_expert(f"COPY {connection.ops.quote_name(meta.db_table)} ({columns}) FROM STDIN", lines)
    for instance in instances:
        instance._state.adding = False
        instance._state.db = connection.alias


def _reader_of(field: models.Field) -> Callable[[models.Model], str]:
    name = field.attname
    if type(field) in _PLAIN or field.primary_key:
        return lambda instance: _copy_text(getattr(instance, name))
    return lambda instance: _copy_text(field.get_db_prep_save(getattr(instance, name), connection))


def _copy_text(value: Any) -> str:
    """Return a value as COPY's text format has it."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, str):
        return str(value).translate(_ESCAPES)
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        quoted = ('"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"' for item in value)
        return ("{" + ",".join(quoted) + "}").translate(_ESCAPES)
    raise TypeError(f"COPY of {type(value).__name__} is not provided for.")
