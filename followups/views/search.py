"""One box that finds customers, cars and work orders (screens S3): here, since this layer may look into all of them."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from accounts.http import StaffRequest, customer_data_required
from core.pages import render_page
from customers.queries import find_customers
from service.queries import find_work_orders
from vehicles.queries import find_vehicles

SHOWN_WHILE_TYPING = 6
SHOWN_ON_PAGE = 30


@require_GET
@customer_data_required
def search(request: StaffRequest) -> HttpResponse:
    """Search while typing (htmx: the list below the box) or as a page of its own."""
    text = request.GET.get("q", "").strip()[:60]
    limit = SHOWN_WHILE_TYPING if request.htmx else SHOWN_ON_PAGE
    context: dict[str, Any] = {
        "search_text": text,
        "customers": find_customers(request.user, text, limit=limit),
        "vehicles": find_vehicles(request.user, text, limit=limit),
        "orders": find_work_orders(request.user, text, limit=limit),
    }
    context["is_empty"] = not (context["customers"] or context["vehicles"] or context["orders"])
    return render_page(request, "followups/search.html", context, fragment="results")
