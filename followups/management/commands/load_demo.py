import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.parsing import iso_date
from followups.demo.ledger import plan_history
from followups.demo.load import CannotLoadDemo, load_demo
from followups.demo.workbook import write_workbook

PROGRESS_EVERY = 10_000


class Command(BaseCommand):
    help = (
        "Fill an empty database with believable stores, staff, customers, cars and histories. "
        "Until it is done, a site on the same database waits."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=2000, metavar="N")
        parser.add_argument("--seed", type=int, default=1, help="The same seed and date give the same data.")
        parser.add_argument(
            "--today",
            type=iso_date,
            metavar="DATE",
            help="The day on which the histories end; default today.",
        )
        parser.add_argument(
            "--plan-days",
            type=int,
            default=0,
            metavar="DAYS",
            help="Plan care for so many days up to that day, and settle what the histories tell of.",
        )
        parser.add_argument(
            "--workbook",
            type=Path,
            metavar="OUT.xlsx",
            help="Write the customers and cars into a file for import_customers instead of the database.",
        )

    def handle(
        self, *, customers: int, seed: int, today: date | None, plan_days: int, workbook: Path | None, **options: Any
    ) -> None:
        if customers < 1:
            raise CommandError("The number of customers must be 1 or more.")
        if plan_days < 0:
            raise CommandError("The number of days must not be negative.")
        today = today or timezone.localdate()
        report: dict[str, Any] = {"today": today.isoformat(), "seed": seed}
        try:
            if workbook:
                report |= asdict(write_workbook(workbook, customers=customers, seed=seed, today=today))
            else:
                report |= self.load(customers=customers, seed=seed, today=today, plan_days=plan_days)
        except CannotLoadDemo as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The workbook cannot be written: {error}") from error
        self.stdout.write(json.dumps(report))

    def load(self, *, customers: int, seed: int, today: date, plan_days: int) -> dict[str, Any]:
        def tell(written: int) -> None:
            if written % PROGRESS_EVERY == 0:
                self.stderr.write(f"{written} / {customers}")

        result = load_demo(customers=customers, seed=seed, today=today, on_progress=tell)
        report = {**result.counts, "was_there": result.was_there, "seconds": result.seconds}
        if plan_days and not result.was_there:
            report |= asdict(plan_history(today=today, days=plan_days))
        return report
