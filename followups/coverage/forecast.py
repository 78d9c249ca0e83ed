"""Next service and end of the warranty a second time, from log and orders, to find stored forecasts gone stale.

The planner reads the stored forecast, and so does the demand. A difference here is no missing touch point; it says that
the facts behind the forecast changed without its being computed anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from django.db.models import Exists, OuterRef

from customers.choices import CustomerStatus
from followups.coverage.dates import months_after
from followups.coverage.streams import History, stream
from service.choices import MAINTENANCE
from service.models import WorkOrder
from vehicles.choices import Energy, OdometerFlag, ServiceKind, Use, VehicleStatus
from vehicles.models import OdometerReading, Vehicle

# A day more or less from rounding is not stale.
TOLERANCE = timedelta(days=2)

DEFAULT_KM_A_DAY, LEAST_KM_A_DAY, MOST_KM_A_DAY = 40, 5, 400
PAIR_DAYS = 30
# first months, first km, then months, then km
DEFAULT_PLAN = (3, 5_000, 6, 10_000)
BATTERY_PLAN = (3, 5_000, 12, 20_000)
# months and km of the warranty, then of the three guarantees
DEFAULT_POLICY = (36, 60_000, 24, 50_000)
# So many days are for ever: "unlimited" kilometres are entered as very many.
FOR_EVER = 36_500


@dataclass(frozen=True)
class Forecast:
    """What the stored columns say, or what the facts say: of which kind, for when, counted from when."""

    kind: str
    due_on: date | None
    from_on: date | None

    def agrees_with(self, other: "Forecast") -> bool:
        if self.due_on is None or other.due_on is None:
            return self.due_on == other.due_on
        return (self.kind, self.from_on) == (other.kind, other.from_on) and abs(self.due_on - other.due_on) <= TOLERANCE


@dataclass(frozen=True)
class StaleForecast:
    """A car of which a stored forecast differs from what its facts say now."""

    vin: str
    stored: Forecast
    computed: Forecast


def stale_forecasts(store_ids: list[int], limit: int) -> tuple[int, list[StaleForecast]]:
    """Return how many cars in care have a stale forecast, and the first ``limit`` of them.

    Cars with a replaced odometer are left out: their kilometres cannot be told from one log.
    """
    in_care = {
        "status": VehicleStatus.IN_USE,
        "owner__status": CustomerStatus.ACTIVE,
        "owner__store__in": store_ids,
    }
    replaced = OdometerReading.objects.filter(vehicle=OuterRef("pk"), is_new_odometer=True)
    cars = Vehicle.objects.filter(~Exists(replaced), **in_care).order_by("pk")
    used = OdometerReading.objects.filter(flag=OdometerFlag.OK, vehicle__in=cars.order_by())
    orders = WorkOrder.objects.filter(
        handed_over_on__isnull=False, job_type__in=MAINTENANCE, vehicle__in=cars.order_by()
    )
    readings = History(stream(used.order_by("vehicle_id", "on", "km"), "vehicle_id", "on", "km"))
    services = History(
        stream(orders.order_by("vehicle_id", "handed_over_on", "pk"), "vehicle_id", "handed_over_on", "km")
    )

    count = 0
    first: list[StaleForecast] = []
    facts = ("use", "energy", "delivery_on", "first_service_done_on", "last_service_on", "last_service_km")
    plan = ("first_months", "first_km", "interval_months", "interval_km")
    policy = ("months", "km", "three_guarantees_months", "three_guarantees_km")
    stored = ("next_service_kind", "next_service_on", "next_service_from_on")
    ends = ("warranty_from_on", "warranty_runs_out_on", "three_guarantees_run_out_on")
    columns = (
        *facts,
        "purchase_on",
        *(f"model__service_plan__{column}" for column in plan),
        *(f"model__warranty_policy__{column}" for column in policy),
        *stored,
        *ends,
    )
    for car, vin, use, energy, *rest in stream(cars, "pk", "vin", *columns):
        delivery_on, first_done_on, service_on, service_km, purchase_on, *terms_and_stored = rest
        terms, warranty, said = terms_and_stored[:4], terms_and_stored[4:8], Forecast(*terms_and_stored[8:11])
        from_on, stored_warranty, stored_guarantees = terms_and_stored[11:]
        if terms[0] is None:
            terms = list(BATTERY_PLAN if energy == Energy.BEV else DEFAULT_PLAN)
        if warranty[0] is None:
            warranty = list(DEFAULT_POLICY)
        for _, on, km in services.of(car):
            if service_on is None or on >= service_on:
                service_on, service_km = on, km
        log = [(on, km) for _, on, km in readings.of(car)]
        computed = next_service(
            terms=tuple(terms),
            is_commercial=use == Use.COMMERCIAL,
            delivery_on=delivery_on,
            first_done_on=first_done_on,
            service=(service_on, service_km),
            log=log,
        )
        since, rate = delivery_on or purchase_on, km_a_day(log, delivery_on)
        warranty_on = runs_out(since, warranty[:2], log, rate)
        guarantees_on = runs_out(since, warranty[2:], log, rate) if use == Use.PRIVATE else None
        pairs = (
            (said, computed),
            (Forecast("warranty", stored_warranty, from_on), Forecast("warranty", warranty_on, since)),
            (
                Forecast("three guarantees", stored_guarantees, from_on),
                Forecast("three guarantees", guarantees_on, since),
            ),
        )
        wrong = next(((stored, now) for stored, now in pairs if not stored.agrees_with(now)), None)
        if wrong is not None:
            count += 1
            if len(first) < limit:
                first.append(StaleForecast(vin, *wrong))
    return count, first


def runs_out(since: date | None, limits: Sequence[int], log: Sequence[tuple[date, int]], rate: Fraction) -> date | None:
    """Return when a warranty of so many months and km is over by the one or the other (domain §2.1).

    It begins on ``since``; None for a car without that. The kilometres go on from the last reading at ``rate`` a day.
    """
    if since is None:
        return None
    months, km = limits
    read_on, read_km = log[-1] if log else (since, 0)
    days = (km - read_km) // rate
    by_km = read_on + timedelta(days=min(max(days, -FOR_EVER), FOR_EVER))
    return max(since, min(by_km, months_after(since, months)))


def next_service(
    *,
    terms: tuple[Any, ...],
    is_commercial: bool,
    delivery_on: date | None,
    first_done_on: date | None,
    service: tuple[date | None, int | None],
    log: list[tuple[date, int]],
) -> Forecast:
    """Return the next service by domain §3.5: by months or by the day on which the kilometres are reached.

    ``terms`` are first months, first km, interval months, interval km; ``service`` is the last one with its kilometres,
    ``log`` the readings that count, in order. Commercial cars go by kilometres only.
    """
    service_on, service_km = service
    done_on = max(filter(None, (service_on, first_done_on)), default=None)
    if done_on is not None:
        kind, start_on, months, km = ServiceKind.PERIODIC, done_on, terms[2], terms[3]
        start_km = service_km if done_on == service_on else None
    elif delivery_on is not None:
        kind, start_on, months, km, start_km = ServiceKind.FIRST, delivery_on, terms[0], terms[1], 0
    else:
        return Forecast("", None, None)
    rate = km_a_day(log, delivery_on)
    from_on, from_km = start_on, start_km or 0
    if log and start_km is not None and log[-1][0] >= start_on:
        from_on, from_km = log[-1]
    km_on = max(from_on + timedelta(days=((start_km or 0) + km - from_km) // rate), start_on)
    due_on = km_on if is_commercial else min(km_on, months_after(start_on, months))
    return Forecast(kind, due_on, start_on)


def km_a_day(log: list[tuple[date, int]], delivery_on: date | None) -> Fraction:
    """Return the daily kilometres from the nearest reading 30 days before the last one, else since delivery.

    They are kept to one decimal.
    """
    pairs: list[tuple[int, int]] = []
    if log:
        last_on, last_km = log[-1]
        pairs = [(last_km - km, (last_on - on).days) for on, km in log if (last_on - on).days >= PAIR_DAYS][-1:]
        if not pairs and delivery_on is not None and last_on > delivery_on:
            pairs = [(last_km, (last_on - delivery_on).days)]
    if not pairs:
        return Fraction(DEFAULT_KM_A_DAY)
    km, days = pairs[0]
    tenths = (Fraction(km, days) * 10 + Fraction(1, 2)) // 1
    return min(max(Fraction(tenths, 10), Fraction(LEAST_KM_A_DAY)), Fraction(MOST_KM_A_DAY))
