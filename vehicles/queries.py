"""Reads about cars that are more than one queryset."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from accounts.models import User
from core.history import Edit, Masks, Nameable, edits_of
from customers.choices import CustomerStatus
from customers.models import Customer
from customers.queries import find_customers
from customers.rules import mask_account, mask_mobile, mask_numbers, mask_wechat
from vehicles.choices import OdometerFlag
from vehicles.models import OdometerReading, Ownership, Vehicle

CANDIDATES = 50
SHORTEST_PLATE = 3
SHORTEST_VIN = 6


def find_vehicles(user: User, text: str, *, limit: int) -> list[Vehicle]:
    """Return the cars that a user may see and that are meant by a few characters, most likely first (screens S3).

    Plates by three or more characters, with or without the province sign; VINs by six or more of theirs, so also by the
    last six.
    """
    wanted = re.sub(r"[\s·•・.\-]", "", unicodedata.normalize("NFKC", text)).upper()
    # A plate or VIN has digits; words and names are looked for elsewhere.
    if len(wanted) < SHORTEST_PLATE or not re.search(r"\d", wanted):
        return []
    visible = Vehicle.objects.visible_to(user)
    ways = [visible.filter(plate__contains=wanted)]
    if len(wanted) >= SHORTEST_VIN and wanted.isascii():
        ways.append(visible.filter(vin__contains=wanted))
    newest = [way.order_by("-pk").values_list("pk", flat=True)[:CANDIDATES] for way in ways]
    ids = newest[0].union(*newest[1:]) if len(newest) > 1 else newest[0]
    found = Vehicle.objects.filter(pk__in=list(ids)).for_list().order_by("-pk")
    return sorted(found, key=lambda vehicle: _distance(vehicle, wanted))[:limit]


def _distance(vehicle: Vehicle, wanted: str) -> tuple[bool, bool, bool, int]:
    """Order whole matches before plates and VINs that end so before the rest, cars in use first, the newest first."""
    texts = (vehicle.plate, vehicle.plate[1:], vehicle.vin)
    return (
        wanted not in texts,
        not any(text.endswith(wanted) for text in texts),
        vehicle.status != "in_use",
        -vehicle.pk,
    )


def possible_owners(user: User, vehicle: Vehicle, text: str, *, limit: int) -> list[Customer]:
    """Return whom of the car's store a few characters may mean as its next owner, most likely first.

    Customers whom the user may see, in care, and not the present owner.
    """
    found = find_customers(user, text, limit=CANDIDATES, store_id=vehicle.store_id)
    return [each for each in found if each.status == CustomerStatus.ACTIVE and each.pk != vehicle.owner_id][:limit]


# The drawing's own units; the page scales it. Numbers beside it say the same as a table.
CHART_WIDTH, CHART_HEIGHT = 720, 220
CHART_LEFT, CHART_RIGHT, CHART_TOP, CHART_BOTTOM = 56, 16, 14, 28


@dataclass(frozen=True)
class Dot:
    """A point of the chart, in its own units, with what it stands for."""

    x: float
    y: float
    on: date
    km: int
    is_used: bool = True


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and the words beside it."""

    at: float
    label: str


@dataclass(frozen=True)
class OdometerChart:
    """The mileage of a car over time, the line it is expected to follow, and the next service on it."""

    dots: list[Dot]
    line: str
    forecast: tuple[Dot, Dot] | None
    service: Dot | None
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = CHART_WIDTH
    height: int = CHART_HEIGHT
    bottom: int = CHART_HEIGHT - CHART_BOTTOM
    left: int = CHART_LEFT
    right: int = CHART_WIDTH - CHART_RIGHT


def odometer_chart(vehicle: Vehicle, readings: Sequence[OdometerReading]) -> OdometerChart | None:
    """Return the drawing of a car's odometer log, or None when there are fewer than two days to draw.

    ``readings`` in the order of time. The forecast runs from the latest used reading with the car's kilometres a day to
    the day of its next service, as ``vehicles.rules.forecast_service`` counts it.
    """
    used = [reading for reading in readings if reading.flag == OdometerFlag.OK]
    last = used[-1] if used else None
    ahead: tuple[date, int] | None = None
    if last and vehicle.daily_km and vehicle.next_service_on and vehicle.next_service_on > last.on:
        ahead = (vehicle.next_service_on, last.km + int(vehicle.daily_km * (vehicle.next_service_on - last.on).days))
    days = [reading.on for reading in readings] + ([ahead[0]] if ahead else [])
    if not days or min(days) == max(days):
        return None
    first_on, span = min(days), (max(days) - min(days)).days
    top_km = _round_up(max([reading.km for reading in readings] + ([ahead[1]] if ahead else []) + [1000]))

    def dot(on: date, km: int, *, is_used: bool = True) -> Dot:
        x = CHART_LEFT + (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) * (on - first_on).days / span
        y = CHART_HEIGHT - CHART_BOTTOM - (CHART_HEIGHT - CHART_TOP - CHART_BOTTOM) * km / top_km
        return Dot(round(x, 1), round(y, 1), on, km, is_used)

    dots = [dot(reading.on, reading.km, is_used=reading.flag == OdometerFlag.OK) for reading in readings]
    service = dot(*ahead) if ahead else None
    return OdometerChart(
        dots=dots,
        line=" ".join(f"{each.x},{each.y}" for each in dots if each.is_used),
        forecast=(dot(last.on, last.km), service) if last and service else None,
        service=service,
        x_ticks=[
            Tick(dot(on, 0).x, f"{on:%Y-%m}")
            for on in (first_on + timedelta(days=span * step // 4) for step in range(5))
        ],
        y_ticks=[Tick(dot(first_on, km).y, f"{km:,}") for km in (0, top_km // 2, top_km)],
    )


def _round_up(km: int) -> int:
    """Return a round number of kilometres that is no less, for the top of an axis."""
    step = next(step for step in (2_000, 10_000, 20_000, 100_000, 1_000_000, 1_000_000_000) if km <= step * 10)
    return -(-km // step) * step


# What people enter. Facts that are worked out (last visit, forecast …) change by themselves and tell nothing here.
CUSTOMER_FIELDS = (
    *("store", "kind", "status", "name", "salutation", "mobile", "is_mobile_wrong", "other_phone", "wechat", "email"),
    *("id_number", "credit_code", "address_region", "address_detail", "language"),
    *("birthday_calendar", "birthday_year", "birthday_month", "birthday_day", "is_birthday_leap_month"),
    *("preferred_channel", "preferred_slot", "do_not_contact", "do_not_contact_reason", "refused_channels"),
    *("source", "referrer", "sales_consultant", "service_adviser", "care_specialist"),
    *("communication", "network", "referral_willingness", "tier", "note"),
)
VEHICLE_FIELDS = (
    *("store", "owner", "status", "vin", "plate", "plate_kind", "model", "engine_no", "gearbox_no", "battery_code"),
    *("energy", "use", "seats", "is_minivan", "body_colour", "interior_colour"),
    *("purchase_on", "delivery_on", "registered_on", "inspection_valid_until"),
)
# As on the page: masked numbers, and of what needs a reason to be seen only that it changed.
MASKS: Masks = {
    "mobile": mask_mobile,
    "other_phone": mask_mobile,
    "wechat": mask_wechat,
    "id_number": None,
    "address_detail": None,
}
# For those who never see a number in clear, none of what a person is reached or known by.
ALL_MASKED: Masks = {
    **MASKS,
    "wechat": mask_account,
    "email": mask_account,
    "note": mask_numbers,
    "do_not_contact_reason": mask_numbers,
    "birthday_year": None,
    "birthday_month": None,
    "birthday_day": None,
}


def changes_of_customer(
    customer: Customer, *, limit: int, is_masked: bool = False, reader: User | None = None
) -> list[Edit]:
    """Return the latest changes of a customer's data and of the customer's cars, the newest first.

    A car's history begins when it became this customer's: what was before is the former owner's. ``is_masked`` hides
    what auditors and the group never see in clear (domain §10); a ``reader`` is told the names of those customers alone
    whose files are open to them.
    """
    nameable: Nameable = {Customer: Customer.objects.visible_to(reader)} if reader else {}
    masks = ALL_MASKED if is_masked else MASKS
    cars = list(customer.vehicles.order_by("pk"))
    since = dict(Ownership.objects.filter(vehicle__in=cars, ended_on=None).values_list("vehicle", "started_on"))
    edits = [
        *edits_of(Customer, [customer], fields=CUSTOMER_FIELDS, masks=masks, limit=limit, nameable=nameable),
        *edits_of(Vehicle, cars, fields=VEHICLE_FIELDS, masks={}, limit=limit, nameable=nameable, since=since),
    ]
    return sorted(edits, key=lambda edit: (edit.at, edit.event_id), reverse=True)[:limit]
