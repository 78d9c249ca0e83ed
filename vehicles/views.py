"""The list of cars, a car's page, and the cars of a customer as a panel of the customer's file (screens S4, S5)."""

from datetime import date

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.clock import today_of
from accounts.http import StaffRequest, customer_data_required
from core.pages import render_page
from core.paging import capped_count, keyset_page
from customers.actions.access import log_part_opened
from customers.choices import PersonalDataField
from customers.models import Customer
from customers.permissions import can_edit_customer, can_reveal
from vehicles.actions import CannotChangeVehicle, correct_owner
from vehicles.filters import SORTS, VehicleFilter
from vehicles.forms import OwnerForm
from vehicles.models import Vehicle
from vehicles.queries import changes_of_customer, odometer_chart, possible_owners
from vehicles.rules import age_band, has_right_check_digit

PAGE_SIZE = 50
# A taxi's log has thousands of lines; the page shows the latest.
READINGS_SHOWN = 60
OWNERS_OFFERED = 10
CHANGES_IN_PANEL, CHANGES_ON_PAGE = 8, 200


@require_GET
@customer_data_required
def vehicle_list(request: StaffRequest) -> HttpResponse:
    """The cars of one's reach, narrowed and sorted by the URL, a page at a time."""
    on = today_of(request)
    filters = VehicleFilter(request.GET)
    vehicles = filters.narrow(Vehicle.objects.visible_to(request.user), on=on)
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else ""
    if sort:
        vehicles = vehicles.filter(**{f"{SORTS[sort][0]}__isnull": False})
    count, is_more = capped_count(vehicles)
    page = keyset_page(vehicles.for_list(), by=SORTS[sort], after=request.GET.get("after", ""), size=PAGE_SIZE)
    context = {"filters": filters, "page": page, "sort": sort, "count": count, "is_more": is_more}
    return render_page(request, "vehicles/vehicle_list.html", context)


@require_GET
def vehicle_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """A car: identity, owners, mileage with the forecast, warranty, policies, inspection."""
    vehicle = get_object_or_404(
        Vehicle.objects.visible_to(request.user).select_related(
            "store", "owner", "model__service_plan", "model__warranty_policy"
        ),
        pk=pk,
    )
    readings = list(vehicle.readings.order_by("-on", "-km", "-pk")[:READINGS_SHOWN])
    ownerships = list(vehicle.ownerships.select_related("customer").order_by("-started_on", "-pk"))
    owners = {vehicle.owner_id, *(ownership.customer_id for ownership in ownerships)}
    # Of somebody whose file is closed to the reader, the page does not tell the name either.
    named = set(Customer.objects.visible_to(request.user).filter(pk__in=owners).values_list("pk", flat=True))
    if vehicle.owner_id in named:
        log_part_opened(customer=vehicle.owner_id, by=request.user, at=timezone.now())
    context = {
        "vehicle": vehicle,
        "band": _age_band(vehicle, on=today_of(request)),
        "is_vin_checked": has_right_check_digit(vehicle.vin),
        "readings": readings,
        "chart": odometer_chart(vehicle, readings[::-1]),
        "ownerships": ownerships,
        "named": named,
        "policies": vehicle.policies.order_by("-ends_on", "kind", "-pk")[:20],
        "may_open_owner": vehicle.owner_id in named,
        "may_correct_owner": can_edit_customer(request.user, vehicle.owner),
    }
    return render(request, "vehicles/vehicle_detail.html", context)


@require_http_methods(["GET", "POST"])
def vehicle_owner(request: StaffRequest, pk: int) -> HttpResponse:
    """Write down who has a car now. Customers of the store are found by the words in the address, ``q``."""
    vehicle = get_object_or_404(Vehicle.objects.visible_to(request.user).select_related("owner", "model"), pk=pk)
    if not can_edit_customer(request.user, vehicle.owner):
        raise PermissionDenied(_("Only the person who looks after this customer, or a manager, may change the data."))
    log_part_opened(customer=vehicle.owner_id, by=request.user, at=timezone.now())
    text = request.GET.get("q", "").strip()[:60]
    found = possible_owners(request.user, vehicle, text, limit=OWNERS_OFFERED)
    form = OwnerForm(request.POST if request.method == "POST" else None, vehicle=vehicle, found=found)
    # The owner who was shown: the action brings the car up to date before it may refuse.
    context = {"form": form, "vehicle": vehicle, "owner": vehicle.owner, "wanted": text, "found": found}
    if form.is_bound and form.is_valid():
        was, to = form.decision()
        try:
            correct_owner(vehicle=vehicle, was=was, to=to, on=today_of(request), by=request.user)
        except CannotChangeVehicle as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("vehicles:vehicle_detail", pk=pk)
    return render(request, "vehicles/vehicle_owner.html", context, status=422 if form.is_bound else 200)


def _age_band(vehicle: Vehicle, *, on: date) -> str:
    band = age_band(
        on=on,
        from_on=vehicle.warranty_from_on,
        warranty_ends_on=vehicle.warranty_ends_on,
        warranty_km=vehicle.warranty_km,
        km=vehicle.odometer_km,
    )
    return str(band.label) if band else ""


@require_GET
def customer_cars(request: StaffRequest, pk: int) -> HttpResponse:
    """The cars of a customer: those in use first."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    vehicles = customer.vehicles.select_related("model").order_by("status", "-delivery_on", "-pk")
    on = today_of(request)
    cars = sorted(vehicles, key=lambda vehicle: vehicle.status != "in_use")
    context = {"customer": customer, "cars": [(vehicle, _age_band(vehicle, on=on)) for vehicle in cars]}
    return render_page(request, "vehicles/customer_cars.html", context)


@require_GET
def customer_changes(request: StaffRequest, pk: int) -> HttpResponse:
    """Who changed what in the data of a customer and the customer's cars: the latest, and on the page more of them."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    shown = CHANGES_IN_PANEL if request.htmx else CHANGES_ON_PAGE
    is_masked = not can_reveal(request.user, customer, PersonalDataField.MOBILE)
    edits = changes_of_customer(customer, limit=shown + 1, is_masked=is_masked, reader=request.user)
    context = {"customer": customer, "edits": edits[:shown], "is_more": len(edits) > shown and bool(request.htmx)}
    return render_page(request, "vehicles/customer_changes.html", context)
