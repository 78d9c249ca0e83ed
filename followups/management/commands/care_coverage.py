import json
import sys
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import Store
from followups.coverage import CannotCheckCoverage, Coverage, Finding, check_coverage


class Command(BaseCommand):
    """Prints one line of JSON: expected, accounted, missing, duplicates. What is wrong, and notes, go to stderr.

    Exit status: 0 nothing missing and nothing double, 1 something is, 2 wrong arguments.
    """

    help = "Recompute what the care plan demanded in a period, by a second way, and compare it with the ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", required=True, metavar="A", help="first nominal date, YYYY-MM-DD")
        parser.add_argument("--to", dest="last", required=True, metavar="B", help="last nominal date, YYYY-MM-DD")
        parser.add_argument("--store", metavar="CODE", help="one store only; else all stores in business")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = _date("--from", options["first"]), _date("--to", options["last"])
        store = None
        if options["store"]:
            store = Store.objects.filter(code=options["store"]).first()
            if store is None:
                raise CommandError(f"There is no store with the code {options['store']!r}.", returncode=2)
        try:
            coverage = check_coverage(
                first=first, last=last, store=store, now=timezone.now(), progress=self._tell_progress
            )
        except CannotCheckCoverage as error:
            raise CommandError(str(error), returncode=2) from error
        self._tell_findings(coverage, store=store)
        self.stdout.write(
            json.dumps(
                {
                    "expected": coverage.expected,
                    "accounted": coverage.accounted,
                    "missing": coverage.missing,
                    "duplicates": coverage.duplicates,
                }
            )
        )
        if not coverage.is_complete:
            sys.exit(1)

    def _tell_progress(self, rows: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{rows:,} demanded touch points", ending="")

    def _tell_findings(self, coverage: Coverage, *, store: Store | None) -> None:
        for word, findings in (("missing", coverage.missing_first), ("double", coverage.double_first)):
            for finding in findings:
                self.stderr.write(_line(word, finding))
        if coverage.missing:
            only = f" --store {store.code}" if store else ""
            self.stderr.write(
                f"{coverage.missing} missing. Bring the ledger up to date with: "
                f"manage.py plan_care --on {coverage.through} --since {coverage.heal_since}{only}"
            )
        if coverage.duplicates:
            self.stderr.write(f"{coverage.duplicates} double. Close the ones that nobody worked on by hand.")
        if coverage.waiting:
            self.stderr.write(
                f"waiting: {coverage.waiting} became due by changes since the last run and wait for the next one."
            )
        if coverage.stale_count:
            for stale in coverage.stale_first:
                self.stderr.write(
                    f"stale forecast: {stale.vin} stored {stale.stored.kind or '-'} {stale.stored.due_on or '-'}, "
                    f"from its facts {stale.computed.kind or '-'} {stale.computed.due_on or '-'}"
                )
            only = f" --store {store.code}" if store else ""
            self.stderr.write(
                f"stale_forecasts: {coverage.stale_count}. Compute them anew with: manage.py refresh_cars{only}"
            )


def _date(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{option} {text!r} is not a date like 2026-11-21.", returncode=2) from error


def _line(word: str, finding: Finding) -> str:
    parts = [finding.store, finding.rule, finding.customer_no, finding.vin, str(finding.nominal_on), finding.why]
    return f"{word}: {' '.join(part for part in parts if part)}"
