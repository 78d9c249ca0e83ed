from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Store
from core.parsing import iso_date
from followups.planner import export_touch_points


class Command(BaseCommand):
    help = (
        "Write the touch points with a nominal date in a period to standard output, the future included "
        "(status=planned)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", required=True, type=iso_date, metavar="DATE")
        parser.add_argument("--to", dest="last", required=True, type=iso_date, metavar="DATE")
        parser.add_argument("--store", metavar="CODE", help="one store only")
        parser.add_argument("--format", choices=["csv"], default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["last"] < options["first"]:
            raise CommandError("The period ends before it begins.", returncode=2)
        store = None
        if options["store"]:
            store = Store.objects.filter(code=options["store"]).first()
            if store is None:
                raise CommandError(f"There is no store with the code {options['store']!r}.", returncode=2)
        self.stdout.ending = ""  # what is written brings its own line ends
        export_touch_points(cast("TextIO", self.stdout), first=options["first"], last=options["last"], store=store)
