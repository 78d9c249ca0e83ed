import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.parsing import iso_date
from followups.demo.ledger import plan_history
from followups.demo.load import CannotLoadDemo, load_demo

PROGRESS_EVERY = 10_000


class Command(BaseCommand):
    help = "Fill an empty database with believable stores, staff, customers, cars and histories."

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

    def handle(self, *, customers: int, seed: int, today: date | None, plan_days: int, **options: Any) -> None:
        if customers < 1:
            raise CommandError("The number of customers must be 1 or more.")
        if plan_days < 0:
            raise CommandError("The number of days must not be negative.")
        today = today or timezone.localdate()

        def tell(written: int) -> None:
            if written % PROGRESS_EVERY == 0:
                self.stderr.write(f"{written} / {customers}")

        try:
            result = load_demo(customers=customers, seed=seed, today=today, on_progress=tell)
        except CannotLoadDemo as error:
            raise CommandError(str(error)) from error
        report = {"today": today.isoformat(), "seed": seed, **result.counts, "was_there": result.was_there}
        report["seconds"] = result.seconds
        if plan_days and not result.was_there:
            report |= asdict(plan_history(today=today, days=plan_days))
        self.stdout.write(json.dumps(report))
