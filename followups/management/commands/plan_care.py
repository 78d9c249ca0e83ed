import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Store
from core.parsing import iso_date
from followups.planner import plan_care


class Command(BaseCommand):
    help = (
        "Bring the ledger of promised contacts up to a day. Safe to repeat. Ends with one line of JSON: business_date, "
        "created (new, to be worked), suppressed (new, not made for a reason), existing (already there), seconds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--on", required=True, type=iso_date, metavar="DATE", help="the business date")
        parser.add_argument("--store", metavar="CODE", help="one store only")
        parser.add_argument("--dry-run", action="store_true", help="count, and write nothing")
        parser.add_argument(
            "--since",
            type=iso_date,
            metavar="DATE",
            help="look again at every window that closed on or after this day",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        store = None
        if options["store"]:
            store = Store.objects.active().filter(code=options["store"]).first()
            if store is None:
                raise CommandError(f"There is no active store with the code {options['store']!r}.", returncode=2)
        result = plan_care(on=options["on"], store=store, dry_run=options["dry_run"], since=options["since"])
        self.stdout.write(
            json.dumps(
                {
                    "business_date": result.business_date.isoformat(),
                    "created": result.created,
                    "suppressed": result.suppressed,
                    "existing": result.existing,
                    "seconds": result.seconds,
                }
            )
        )
