"""Writing a file of customers and cars into a store's files, a thousand rows at a time."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from time import monotonic

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from accounts.models import Store, User
from core.actions import acting
from core.exports import harmless_cell
from customers.models import Customer
from service.importing.batch import Batch, Memory, look_up
from service.importing.cells import text_of
from service.importing.columns import known_columns, map_columns
from service.importing.reading import Row, read_table
from service.importing.rows import ParsedRow, RowParser
from service.importing.saving import save_batch
from service.importing.taking import RowRefused, RowTaker

BATCH = 1000


class ImportIsRunning(Exception):
    """Another import into the same store has not finished yet."""


@dataclass
class ImportResult:
    """What an import did. ``rows`` = created, updated, unchanged and refused rows together."""

    rows: int = 0
    unchanged: int = 0
    errors: int = 0
    warnings: int = 0
    customers_created: int = 0
    customers_updated: int = 0
    vehicles_created: int = 0
    vehicles_updated: int = 0
    seconds: float = 0
    ignored_columns: list[str] = field(default_factory=list)


def import_customers(
    *,
    path: Path,
    store: Store,
    on: date,
    by: User | None,
    now: datetime | None = None,
    dry_run: bool = False,
    errors_path: Path | None = None,
    warn: Callable[[int, str], None] = lambda line, text: None,
) -> ImportResult:
    """Bring a file of customers and cars into a store's files and return what was done.

    New customers and cars are entered as of ``on``: care is promised from then, so an old customer base makes no flood.
    Where a delivery of the last three days came in, it is planned as soon as its rows are written; the night has the
    rest. What somebody asked for in any file of the group holds in the new ones, and the other way round (ADR 0015).
    What is on file already is updated where the file says something else; empty cells change nothing, and the same
    file again changes nothing. Rows of one customer (by number, ID number, or mobile and name) become one customer with
    several cars. A wrong row changes nothing and does not stop the others: it goes to ``errors_path`` with its line
    and the reason in the active language. ``warn`` is told line and text of each oddity that does not stop a row.

    ``now`` is the moment of the import: a channel that a row refuses is withdrawn then, so that a consent counts that
    was given later, and no other. Without it, or where ``on`` is another day than its day in the store, it is noon.

    Each thousand rows are one transaction; a run that broke off is completed by running it again. ``dry_run`` does all
    of it and takes it back. Raises ``UnusableFile``, and ``ImportIsRunning`` when this store has an import at work.
    """
    started = monotonic()
    with ExitStack() as stack:
        stack.enter_context(_one_import_at_a_time(store))
        if dry_run:
            stack.enter_context(_taken_back())
        stack.enter_context(acting(by, source="import", file=path.name))
        table = read_table(path, score=known_columns, example="姓名, 手机号码, VIN")
        columns = map_columns(table.headers)
        refused = stack.enter_context(_refused_rows(errors_path, table.headers))
        parser = RowParser(headers=table.headers, columns=columns, store=store, on=on)
        run = _Run(store=store, on=on, by=by, now=now, warn=warn, refuse=refused)
        run.result.ignored_columns = columns.ignored
        while rows := list(islice(table.rows, BATCH)):
            run.bring_in([parser.parse(row) for row in rows])
    run.result.seconds = round(monotonic() - started, 1)
    return run.result


@contextmanager
def _one_import_at_a_time(store: Store) -> Iterator[None]:
    """Hold a lock of the store on this connection: two imports at once would both enter the same customer."""
    key = [f"import of store {store.pk}"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key)
        if not cursor.fetchone()[0]:
            raise ImportIsRunning(_("Another import into store %(store)s is running.") % {"store": store.code})
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def _refused_rows(path: Path | None, headers: Sequence[str]) -> Iterator[Callable[[Row, str], None]]:
    """Open the file for rows that could not be taken: line, the columns as they were, reason. Excel opens it as is."""
    if path is None:
        yield lambda row, reason: None
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([_("Line"), *headers, _("Reason")])

        def write(row: Row, reason: str) -> None:
            # The apostrophe is dropped on the way back in.
            cells = [harmless_cell(text_of(cell)) for cell in row.cells[: len(headers)]]
            cells += [""] * (len(headers) - len(cells))
            writer.writerow([row.line, *cells, reason])

        yield write


class _Run:
    """One import: batch after batch is looked up, taken row by row, and written."""

    def __init__(
        self,
        *,
        store: Store,
        on: date,
        by: User | None,
        now: datetime | None,
        warn: Callable[[int, str], None],
        refuse: Callable[[Row, str], None],
    ) -> None:
        self.store, self.on, self.by = store, on, by
        self.warn, self.refuse = warn, refuse
        self.result = ImportResult()
        self.memory = Memory()
        self.taker = RowTaker(store=store, on=on, by=by, now=now)

    def bring_in(self, rows: Sequence[ParsedRow]) -> None:
        """Write a batch of rows. When somebody entered the same thing meanwhile, look again and write once more."""
        try:
            batch = self._write(rows)
        except IntegrityError:
            batch = self._write(rows)
        for row, reason in batch.refused:
            self.refuse(row, reason)
        for line, text in batch.warnings:
            self.warn(line, text)
        self._count(rows, batch)

    def _write(self, rows: Sequence[ParsedRow]) -> Batch:
        with transaction.atomic():
            batch = look_up(rows, store=self.store, memory=self.memory)
            for row in rows:
                reason = _("; ").join(row.problems)
                if not reason:
                    try:
                        self.taker.take(row, batch)
                    except RowRefused as error:
                        reason = str(error)
                if reason:
                    batch.refused.append((row.source, reason))
                else:
                    batch.warnings += [(row.source.line, warning) for warning in row.warnings]
            save_batch(batch, on=self.on, by=self.by)
        return batch

    def _count(self, rows: Sequence[ParsedRow], batch: Batch) -> None:
        result = self.result
        result.rows += len(rows)
        result.errors += len(batch.refused)
        result.warnings += len(batch.warnings)
        result.unchanged += batch.unchanged
        result.customers_created += len(batch.new_customers)
        result.vehicles_created += len(batch.new_vehicles)
        memory = self.memory
        memory.models |= batch.models
        memory.aliases |= {number: entry.instance.pk for number, entry in batch.aliases.items()}
        for entry in batch.used.values():
            is_customer = isinstance(entry.instance, Customer)
            seen, counted = (
                (memory.seen_customers, memory.counted_customers)
                if is_customer
                else (memory.seen_vehicles, memory.counted_vehicles)
            )
            pk = entry.instance.pk
            seen.add(pk)
            if pk not in counted and (entry.is_new or entry.changed or entry.is_touched):
                counted.add(pk)
                if not entry.is_new:
                    name = "customers_updated" if is_customer else "vehicles_updated"
                    setattr(result, name, getattr(result, name) + 1)
