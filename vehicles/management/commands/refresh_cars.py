"""Recompute the forecasts of all cars."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Store
from vehicles.actions import refresh_cars
from vehicles.models import Vehicle


class Command(BaseCommand):
    help = (
        "Recompute what the care engine reads about cars (mileage, next service, warranty, inspection) from their "
        "logs, plans and policies, as every reading and visit does for one car. Run again, it changes nothing. "
        "Prints one line of JSON: changed, seconds. Exit 2: there is no such store."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="CODE", help="one store only; else all")

    def handle(self, *, store: str | None, **_options: Any) -> None:
        cars = Vehicle.objects.all()
        if store is not None:
            found = Store.objects.filter(code=store).first()
            if found is None:
                raise CommandError(f"There is no store with the code {store!r}.", returncode=2)
            cars = cars.filter(store=found)
        started = time.monotonic()
        changed = refresh_cars(cars, now=timezone.now())
        self.stdout.write(json.dumps({"changed": changed, "seconds": round(time.monotonic() - started, 3)}))
