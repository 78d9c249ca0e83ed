"""Bring an odometer log into the file of one car."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from service.importing.odometer import import_odometer
from service.importing.reading import UnusableFile
from vehicles.models import Vehicle
from vehicles.rules import normalise_vin


def _condition(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError("expected COLUMN=VALUE")
    return column, value


class Command(BaseCommand):
    help = (
        "Bring an odometer log (csv or Excel, km or miles) into the file of one car. Odd readings are kept and "
        "flagged; the same log again changes nothing. The last line of the output is a "
        "summary in JSON. Exit 2: nothing read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--vin", required=True)
        parser.add_argument("--unit", choices=("km", "mi"), help="default: as the log says, else km")
        parser.add_argument("--date-order", choices=("dmy", "mdy"), help="where the dates do not tell themselves")
        parser.add_argument(
            "--where",
            type=_condition,
            action="append",
            default=[],
            metavar="COLUMN=VALUE",
            help="take these rows of a log of several cars",
        )
        parser.add_argument("--errors", type=Path, metavar="OUT.csv", help="where unreadable rows go, with the reason")
        parser.add_argument("--on", type=date.fromisoformat, metavar="DATE", help="business date; default: today")
        parser.add_argument(
            "--lang", choices=[code for code, _name in settings.LANGUAGES], default=settings.LANGUAGE_CODE
        )

    def handle(self, *, file: Path | str, vin: str, **options: Any) -> None:
        with translation.override(options["lang"]):
            car = Vehicle.objects.select_related("store").filter(vin=normalise_vin(vin)).first()
            if car is None:
                raise CommandError(_("There is no car with the VIN %(vin)s.") % {"vin": vin}, returncode=2)
            try:
                result = import_odometer(
                    path=Path(file),
                    vehicle=car,
                    on=options["on"] or timezone.localdate(timezone=ZoneInfo(car.store.time_zone)),
                    by=None,
                    unit=options["unit"],
                    date_order=options["date_order"],
                    where=dict(options["where"]),
                    errors_path=Path(options["errors"]) if options["errors"] else None,
                )
            except (UnusableFile, OSError) as error:
                raise CommandError(str(error), returncode=2) from error
            summary = {"file": Path(file).name, "vin": car.vin, **asdict(result)}
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
