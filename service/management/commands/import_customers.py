"""Bring a file of customers and cars into a store's files."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Store, User
from service.importing.customers import ImportIsRunning, import_customers
from service.importing.reading import UnusableFile

SHOWN_WARNINGS = 20


class Command(BaseCommand):
    help = (
        "Bring an xlsx, xls or csv file of customers and cars into a store's files. Wrong rows go to --errors; "
        "the same file again changes nothing. The last line of the output is a summary in JSON. Exit 2: nothing read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--store", required=True, metavar="CODE", help="code of the store that the customers are of"
        )
        parser.add_argument("--dry-run", action="store_true", help="do everything and take it back")
        parser.add_argument("--errors", type=Path, metavar="OUT.csv", help="where the wrong rows go, with the reason")
        parser.add_argument(
            "--on", type=date.fromisoformat, metavar="DATE", help="business date of the import; default: today"
        )
        parser.add_argument("--by", metavar="USERNAME", help="who imports; default: the system")
        parser.add_argument(
            "--lang",
            choices=[code for code, _name in settings.LANGUAGES],
            default=settings.LANGUAGE_CODE,
            help="language of the reasons",
        )

    def handle(self, *, file: Path | str, store: str, **options: Any) -> None:
        with translation.override(options["lang"]):
            place = Store.objects.filter(code=store).first()
            if place is None:
                raise CommandError(_("There is no store %(store)s.") % {"store": store}, returncode=2)
            person = User.objects.filter(username=options["by"]).first() if options["by"] else None
            if options["by"] and person is None:
                raise CommandError(_("There is no user %(user)s.") % {"user": options["by"]}, returncode=2)
            now = timezone.now()
            warned = 0

            def warn(line: int, text: str) -> None:
                nonlocal warned
                warned += 1
                if warned <= SHOWN_WARNINGS:
                    self.stderr.write(_("Line %(line)d: %(text)s") % {"line": line, "text": text})

            try:
                result = import_customers(
                    path=Path(file),
                    store=place,
                    on=options["on"] or timezone.localdate(now, timezone=ZoneInfo(place.time_zone)),
                    by=person,
                    now=now,
                    dry_run=options["dry_run"],
                    errors_path=Path(options["errors"]) if options["errors"] else None,
                    warn=warn,
                )
            except (UnusableFile, ImportIsRunning, OSError) as error:
                raise CommandError(str(error), returncode=2) from error
            if warned > SHOWN_WARNINGS:
                self.stderr.write(_("… and %(count)d more warnings.") % {"count": warned - SHOWN_WARNINGS})
            summary = {"file": Path(file).name, "store": place.code, "dry_run": options["dry_run"], **asdict(result)}
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
