"""What the care engine knows of a customer or a car: panels of their pages (screens S4, S5)."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.http import StaffRequest
from core.pages import render_page
from core.paging import keyset_page
from customers.actions.access import log_part_opened
from customers.models import Customer
from customers.permissions import can_edit_customer
from followups.models import ContactLog, NextStep, TouchPoint
from followups.permissions import can_work
from vehicles.models import Vehicle

PAGE_SIZE = 20


@require_GET
def customer_care(request: StaffRequest, pk: int) -> HttpResponse:
    """The care calendar of a customer: every touch point that was due, what became of it, what is open."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    points = TouchPoint.objects.visible_to(request.user).filter(customer=customer)
    is_due = can_work(request.user, customer) and points.open().for_contact().exists()
    return _care(
        request,
        points,
        title=customer.name,
        back=customer.get_absolute_url(),
        shows_car=True,
        contact_url=reverse("followups:queue_claim", args=[pk]) if is_due else "",
    )


@require_GET
def vehicle_care(request: StaffRequest, pk: int) -> HttpResponse:
    """The touch points of one car."""
    vehicle = get_object_or_404(Vehicle.objects.visible_to(request.user), pk=pk)
    points = TouchPoint.objects.visible_to(request.user).filter(vehicle=vehicle)
    return _care(request, points, title=str(vehicle), back=vehicle.get_absolute_url(), shows_car=False)


def _care(
    request: StaffRequest,
    points: QuerySet[TouchPoint],
    *,
    title: str,
    back: str,
    shows_car: bool,
    contact_url: str = "",
) -> HttpResponse:
    rows = points.select_related("rule", "vehicle", "assignee", "settled_by__by", "lead__rule")
    page = keyset_page(rows, by=("-nominal_on", "-pk"), after=request.GET.get("after", ""), size=PAGE_SIZE)
    context = {"page": page, "title": title, "back": back, "shows_car": shows_car, "contact_url": contact_url}
    return render_page(request, "followups/care_calendar.html", context)


@require_GET
def customer_contacts(request: StaffRequest, pk: int) -> HttpResponse:
    """The contact log of a customer, the newest first."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    logs = ContactLog.objects.filter(customer=customer).select_related("by").prefetch_related("touch_points__rule")
    page = keyset_page(logs, by=("-at", "-pk"), after=request.GET.get("after", ""), size=PAGE_SIZE)
    return render_page(request, "followups/contact_history.html", {"page": page, "customer": customer})


@require_GET
def customer_next_steps(request: StaffRequest, pk: int) -> HttpResponse:
    """What is still to be done for a customer after a contact, complaints first."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    steps = NextStep.objects.open().filter(customer=customer).select_related("vehicle", "contact__by")
    rows = sorted(steps.order_by("-created_at", "-pk")[:50], key=lambda step: step.kind != "complaint")
    context = {"steps": rows, "customer": customer, "can_edit": can_edit_customer(request.user, customer)}
    return render_page(request, "followups/next_steps.html", context)
