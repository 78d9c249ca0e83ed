"""The service history of a customer or a car: panels of their pages (screens S4, S5)."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.http import StaffRequest
from core.pages import render_page
from customers.actions.access import log_part_opened
from customers.models import Customer
from service.models import WorkOrder
from service.querysets import WorkOrderQuerySet
from vehicles.models import Vehicle

SHOWN = 50


@require_GET
def customer_orders(request: StaffRequest, pk: int) -> HttpResponse:
    """The visits of a customer, the newest first, with suggested work that is still open."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    orders = WorkOrder.objects.visible_to(request.user).filter(customer=customer)
    return _orders(request, orders, title=str(customer), back=customer.get_absolute_url(), shows_car=True)


@require_GET
def vehicle_orders(request: StaffRequest, pk: int) -> HttpResponse:
    """The visits of a car, the newest first, with suggested work that is still open."""
    vehicle = get_object_or_404(Vehicle.objects.visible_to(request.user), pk=pk)
    orders = WorkOrder.objects.visible_to(request.user).filter(vehicle=vehicle)
    return _orders(request, orders, title=str(vehicle), back=vehicle.get_absolute_url(), shows_car=False)


def _orders(
    request: StaffRequest, orders: WorkOrderQuerySet, *, title: str, back: str, shows_car: bool
) -> HttpResponse:
    rows = orders.select_related("vehicle", "adviser").prefetch_related("suggestions").order_by("-arrived_on", "-pk")
    context = {"orders": rows[:SHOWN], "title": title, "back": back, "shows_car": shows_car}
    return render_page(request, "service/workorder_history.html", context)
