"""The customer list and the customer's file (screens S3, S4).

What upper apps know of a customer (cars, orders, care, contacts) comes in panels that the templates name by URL.
"""

from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.clock import today_of
from accounts.http import StaffRequest, customer_data_required
from accounts.permissions import can_see_audit_log, can_see_customers
from core.pages import render_page
from core.paging import capped_count, keyset_page
from core.parsing import as_id
from customers.actions.access import REVEALABLE, CannotReveal, log_data_access, log_part_opened, reveal_personal_data
from customers.actions.files import save_customer_form
from customers.actions.wishes import CannotChangeCustomer, record_consents
from customers.choices import PersonalDataField
from customers.filters import SORTS, CustomerFilter
from customers.forms import ConsentForm, CustomerForm
from customers.models import Customer
from customers.permissions import can_edit_customer, can_reveal, needs_reason
from customers.queries import access_log, lifecycle_of, people_watched_by

PAGE_SIZE = 50
SAME_MOBILE_SHOWN = 3


@require_GET
@customer_data_required
def customer_list(request: StaffRequest) -> HttpResponse:
    """The customers of one's reach, narrowed and sorted by the URL, a page at a time."""
    filters = CustomerFilter(request.GET, user=request.user)
    customers = filters.narrow(Customer.objects.visible_to(request.user), on=today_of(request))
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else ""
    if sort == "visit":
        customers = customers.filter(silent_since_on__isnull=False)
    count, is_more = capped_count(customers)
    page = keyset_page(customers.for_list(), by=SORTS[sort], after=request.GET.get("after", ""), size=PAGE_SIZE)
    context = {"filters": filters, "page": page, "sort": sort, "count": count, "is_more": is_more}
    return render_page(request, "customers/customer_list.html", context)


@require_GET
def customer_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Everything about one customer on one page. That it was opened is noted (domain §11.1, ADR 0013)."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user).for_file(), pk=pk)
    log_data_access(customers=[pk], field=PersonalDataField.FILE, by=request.user, at=timezone.now())
    return render(request, "customers/customer_detail.html", _file_context(request, customer))


def _file_context(request: StaffRequest, customer: Customer) -> dict[str, object]:
    referrers = Customer.objects.visible_to(request.user).filter(referred=customer)
    return {
        "customer": customer,
        "may_name_referrer": customer.referrer is not None and referrers.exists(),
        "lifecycle": lifecycle_of(customer, on=today_of(request)),
        "can_edit": can_edit_customer(request.user, customer),
        "can_reveal": {field: can_reveal(request.user, customer, field) for field in REVEALABLE},
        "consents": customer.consents.select_related("recorded_by").order_by("-at", "-pk")[:20],
        "events": customer.personal_events.order_by("on", "pk")[:20],
        "contact_persons": customer.contact_persons.order_by("-is_main", "pk")[:20],
    }


@require_http_methods(["GET", "POST"])
def customer_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change the basic data of a customer."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    if not can_edit_customer(request.user, customer):
        raise PermissionDenied(_("Only the person who looks after this customer, or a manager, may change the data."))
    log_part_opened(customer=pk, by=request.user, at=timezone.now())
    on = today_of(request)
    form = CustomerForm(request.POST if request.method == "POST" else None, instance=customer, on=on)
    if request.method == "POST" and form.is_valid():
        # The form has put the input into its instance; the action compares with what is stored.
        try:
            save_customer_form(customer=customer, values=form.changes(), on=on, by=request.user)
        except CannotChangeCustomer as refusal:
            form.add_error("do_not_contact_reason", str(refusal))
        else:
            messages.success(request, _("Saved."))
            if "mobile" in form.changed_data:
                _warn_of_same_mobile(request, pk)
            return redirect("customers:customer_detail", pk=pk)
    status = 422 if form.is_bound else 200
    name = Customer.objects.values_list("name", flat=True).get(pk=pk) if form.is_bound else customer.name
    context = {"form": form, "customer": customer, "name": name}
    return render(request, "customers/customer_edit.html", context, status=status)


def _warn_of_same_mobile(request: StaffRequest, pk: int) -> None:
    """Name the other files of the store with the number just entered: a household, or one person entered twice."""
    others = Customer.objects.with_mobile_of(Customer.objects.get(pk=pk))
    if numbers := list(others.values_list("number", flat=True)[:SAME_MOBILE_SHOWN]):
        words = _("Another customer of this store has the same mobile: %(numbers)s.")
        messages.warning(request, words % {"numbers": ", ".join(numbers)})


@require_http_methods(["GET", "POST"])
def customer_consent(request: StaffRequest, pk: int) -> HttpResponse:
    """Note a consent that a customer gave or withdrew; the ledger keeps every line."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    if not can_edit_customer(request.user, customer):
        raise PermissionDenied(_("Only the person who looks after this customer, or a manager, may change the data."))
    now = timezone.now()
    log_part_opened(customer=pk, by=request.user, at=now)
    address = reverse("customers:customer_detail", args=[pk])
    asked = request.POST if request.method == "POST" else None
    form = ConsentForm(asked, on=today_of(request), file_address=address)
    if form.is_bound and form.is_valid():
        line = form.line(now=now, zone=ZoneInfo(customer.store.time_zone))
        record_consents(customer=customer, by=request.user, **line)
        messages.success(request, _("Saved."))
        return redirect(address)
    context = {"form": form, "customer": customer}
    return render(request, "customers/customer_consent.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_POST
def customer_reveal(request: StaffRequest, pk: int) -> HttpResponse:
    """Show one masked value in clear, after noting who looked at it and why (domain §11.1)."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    field = request.POST.get("field", "")
    if field not in REVEALABLE:
        return HttpResponse(_("There is no such field."), status=422, content_type="text/plain")
    context = {"customer": customer, "field": field, "label": PersonalDataField(field).label}
    context |= {"is_allowed": True, "is_reason_needed": needs_reason(field)}
    try:
        context["clear"] = reveal_personal_data(
            customer=customer,
            field=PersonalDataField(field),
            reason=request.POST.get("reason", ""),
            by=request.user,
            at=timezone.now(),
        )
    except CannotReveal as refusal:
        context["refusal"] = str(refusal)
        return render_page(request, "customers/customer_reveal.html", context, status=422)
    return render_page(request, "customers/customer_reveal.html", context)


@require_GET
def access_list(request: StaffRequest) -> HttpResponse:
    """Who opened, dialled or took away which customer's data, the newest first, of one person or of all."""
    user = request.user
    if not can_see_audit_log(user):
        raise PermissionDenied
    lines = access_log(user)
    asked = as_id(request.GET.get("person", ""))
    person = people_watched_by(user).filter(pk=asked).first() if asked is not None else None
    if person is not None:
        lines = lines.filter(by=person)
    page = keyset_page(lines, by=("-at", "-pk"), after=request.GET.get("after", ""), size=PAGE_SIZE)
    context = {"page": page, "person": person, "sees_customers": can_see_customers(user)}
    return render_page(request, "customers/access_list.html", context)
