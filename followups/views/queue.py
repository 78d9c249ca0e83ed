"""S2: the guided queue. One customer at a time; saving answers with the next one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import StaffRequest
from accounts.models import User
from accounts.permissions import can_work_tasks
from core.parsing import as_id
from customers.actions.access import log_data_access
from customers.choices import PersonalDataField
from customers.models import ContactPerson, Customer
from customers.permissions import can_open_file
from followups.actions.cards import CannotRecordContact
from followups.actions.contacts import record_contact, skip
from followups.actions.leases import CannotClaimCustomer, claim, claim_next, local_now, release
from followups.filters import DayFilters
from followups.forms.queue import PANEL_OF_OUTCOME, QueueForm, SkipForm
from followups.models import ContactLog, TouchPoint
from followups.permissions import can_skip, can_work
from followups.queries.queue import (
    Saved,
    card_cars,
    card_choices,
    progress_of,
    proposed_times,
    queue_card,
    saved_contact,
)
from followups.rules.hours import local_time
from followups.rules.outcomes import OUTCOMES
from vehicles.models import Vehicle


@require_http_methods(["GET", "HEAD", "POST"])
def queue_start(request: StaffRequest) -> HttpResponse:
    """Take the next customer and show the card. A GET (a sign-in that came in between) leads to the day's page."""
    if request.method != "POST":
        return redirect("followups:day")
    if not can_work_tasks(request.user):
        raise PermissionDenied
    customer = claim_next(by=request.user, now=timezone.now(), filters=_filters(request).queue)
    if customer is None:
        messages.info(request, _("Nobody is left to call now. Well done."))
        return redirect("followups:day")
    return redirect(_card_address(request, customer))


@require_GET
def queue_card_show(request: StaffRequest, customer: int) -> HttpResponse:
    """The card of a customer. Looking keeps nobody: the page asks for the lease itself, or by its button."""
    found = _customer(request.user, customer)
    _note_opened(request, found)
    return _show(request, found)


@require_POST
def queue_claim(request: StaffRequest, customer: int) -> HttpResponse:
    """Keep a customer for the user, or for longer."""
    found = _customer_to_work(request.user, customer)
    try:
        claim(customer=found, by=request.user, now=timezone.now())
    except CannotClaimCustomer as error:
        if not request.htmx:
            messages.warning(request, str(error))
    if request.htmx:
        # The line says who has the customer. The rest of the card stays: somebody may be typing in it.
        return _render(request, found, part="lease")
    return redirect(_card_address(request, found))


@require_POST
def queue_save(request: StaffRequest, customer: int) -> HttpResponse:
    """Record what happened and answer with the next card; a form with mistakes comes back as it was, with 422."""
    try:
        found = _customer_to_work(request.user, customer)
    except (Http404, PermissionDenied):
        # What was recorded may have been the last that was the user's to do here.
        if (first := _saved_before(request, customer)) is not None:
            return _next(request, saved_contact(first))
        raise
    now = timezone.now()
    points = card_choices(found, on=local_time(now, found.store.time_zone).date())
    form = _form(
        found,
        points,
        cars=partial(card_cars, found),
        persons=partial(list, found.contact_persons.all()),
        now=now,
        data=request.POST,
    )
    if form.is_valid():
        try:
            log = record_contact(customer=found, by=request.user, now=now, **form.contact())
        except CannotRecordContact as error:
            form.add_refusal(error)
        else:
            return _next(request, saved_contact(log))
    if (first := _saved_before(request, customer)) is not None:
        return _next(request, saved_contact(first))
    return _show(request, found, form=form, status=422)


@require_POST
def queue_skip(request: StaffRequest, customer: int) -> HttpResponse:
    """Put a customer off for a while, with a reason, and go on to the next."""
    found = _customer_to_work(request.user, customer)
    form = SkipForm(request.POST)
    if not form.is_valid():
        return _show(request, found, skip_form=form, status=422)
    try:
        log = skip(customer=found, by=request.user, now=timezone.now(), reason=form.words)
    except CannotRecordContact as error:
        form.add_error(None, str(error))
        return _show(request, found, skip_form=form, status=422)
    return _next(request, saved_contact(log))


@require_POST
def queue_release(request: StaffRequest, customer: int) -> HttpResponse:
    """Give a customer back and return to the day's page."""
    release(customer=_customer_to_work(request.user, customer), by=request.user)
    return redirect(_day_address(request))


@require_POST
def queue_call(request: StaffRequest, customer: int) -> HttpResponse:
    """Show a number to dial: the customer's, or a contact person's. The look is logged before the number is shown."""
    found = _customer_to_work(request.user, customer)
    person_id = as_id(request.POST.get("person", ""))
    person = get_object_or_404(found.contact_persons, pk=person_id) if person_id is not None else None
    log_data_access(
        customers=[found.pk],
        field=PersonalDataField.MOBILE,
        by=request.user,
        at=timezone.now(),
        reason=_("Call in the guided queue") + (f" · {person.role}" if person and person.role else ""),
    )
    if request.htmx:
        phone = Phone.of(person or found, is_shown=True)
        return render(request, "followups/_queue_phone.html", {"customer": found, "phone": phone})
    return _show(request, found, shown_phone=person.pk if person else 0)


@dataclass(frozen=True)
class Phone:
    """A number on the card: masked until it is asked for. ``person`` is empty for the customer's own."""

    person: int | str
    name: str
    masked: str
    number: str

    @classmethod
    def of(cls, whose: Customer | ContactPerson, *, is_shown: bool) -> "Phone":
        """Return the number of a customer or contact person, in clear only if it is shown."""
        return cls(
            person=whose.pk if isinstance(whose, ContactPerson) else "",
            name=f"{whose.name} {whose.role}".strip() if isinstance(whose, ContactPerson) else "",
            masked=whose.masked_mobile,
            number=whose.mobile if is_shown else "",
        )


def _customer(user: User, pk: int) -> Customer:
    """The customer, if the user may open the file or was given one of the open touch points; else 404."""
    customers = Customer.objects.select_related("store").filter(pk=pk)
    found = customers.visible_to(user).first()
    if found is None:
        # Asked on its own: with an OR the database would first collect every file that the user may open.
        found = get_object_or_404(
            customers.filter(Exists(TouchPoint.objects.open().owned_by(user).filter(customer=OuterRef("pk"))))
        )
    return found


def _customer_to_work(user: User, pk: int) -> Customer:
    customer = _customer(user, pk)
    if not can_work(user, customer):
        raise PermissionDenied
    return customer


def _saved_before(request: StaffRequest, customer: int) -> ContactLog | None:
    """Return what this very form recorded already: its answer got lost and it came again, which is no mistake."""
    made = ContactLog.objects.saved_from(request.POST.get("submission", ""), by=request.user)
    return made.filter(customer=customer).first()


def _filters(request: StaffRequest) -> DayFilters:
    return DayFilters.from_query(request.GET)


def _with_query(request: StaffRequest, address: str) -> str:
    query = _filters(request).queue_query()
    return f"{address}?{query}" if query else address


def _card_address(request: StaffRequest, customer: Customer) -> str:
    return _with_query(request, reverse("followups:queue_card", args=[customer.pk]))


def _day_address(request: StaffRequest) -> str:
    return _with_query(request, reverse("followups:day"))


def _form(
    customer: Customer,
    points: list[TouchPoint],
    *,
    cars: Callable[[], Sequence[Vehicle]],
    persons: Callable[[], Sequence[ContactPerson]],
    now: datetime,
    tickable: Sequence[TouchPoint] = (),
    channel: str = "",
    data: Any = None,
) -> QueueForm:
    """The form of a card. Ticked beforehand is what is due; what waits for an agreed time is not."""
    due = [point for point in tickable if point.not_before is None or point.not_before <= now]
    return QueueForm(
        data,
        points=points,
        cars=cars,
        persons=persons,
        on=local_time(now, customer.store.time_zone).date(),
        time_zone=customer.store.time_zone,
        initial={
            "submission": uuid4(),
            "channel": channel,
            "touch_points": [point.pk for point in due],
            "vehicle": next((point.vehicle_id for point in due if point.vehicle_id), None),
        },
    )


def _next(request: StaffRequest, saved: Saved) -> HttpResponse:
    """Answer a saved card: the next one at once for htmx, its address for a browser without JavaScript."""
    customer = claim_next(by=request.user, now=timezone.now(), filters=_filters(request).queue)
    if not request.htmx:
        messages.success(request, saved.sentence)
        return redirect(_card_address(request, customer) if customer else _day_address(request))
    if customer is None:
        response = render(
            request, "followups/_queue_finished.html", {"saved": saved, "day_address": _day_address(request)}
        )
        response["HX-Push-Url"] = _day_address(request)
        return response
    _note_opened(request, customer)
    response = _show(request, customer, saved=saved)
    response["HX-Push-Url"] = _card_address(request, customer)
    return response


def _note_opened(request: StaffRequest, customer: Customer) -> None:
    """The card shows what the file does, so it is noted like that (domain §11.1)."""
    log_data_access(customers=[customer.pk], field=PersonalDataField.FILE, by=request.user, at=timezone.now())


@lru_cache(maxsize=16)
def _fixed_panels(language: str, on: date, times: tuple[datetime, ...]) -> SafeString:
    """The panels that are the same on every empty card of a day, in a language: most of a card's fields by far.

    Rendered anew for each card they took a tenth of the time from save to the next one (bench.screens).
    """
    form = QueueForm(points=[], cars=tuple, on=on, time_zone="UTC")
    return render_to_string("followups/_queue_panels_fixed.html", {"form": form, "proposed_times": times})


def _show(
    request: StaffRequest,
    customer: Customer,
    *,
    form: QueueForm | None = None,
    skip_form: SkipForm | None = None,
    saved: Saved | None = None,
    shown_phone: int | None = None,
    status: int = 200,
) -> HttpResponse:
    return _render(
        request,
        customer,
        part="card" if request.htmx else "",
        form=form,
        skip_form=skip_form,
        saved=saved,
        shown_phone=shown_phone,
        status=status,
    )


def _render(
    request: StaffRequest,
    customer: Customer,
    *,
    part: str,
    form: QueueForm | None = None,
    skip_form: SkipForm | None = None,
    saved: Saved | None = None,
    shown_phone: int | None = None,
    status: int = 200,
) -> HttpResponse:
    user = request.user
    now = timezone.now()
    card = queue_card(customer, user=user, now=now)
    today = local_time(now, customer.store.time_zone).date()
    may_work = can_work(user, customer)
    is_mine = card.lease is not None and card.lease.holder_id == user.pk
    times = proposed_times(on=today)
    context = {
        "card": card,
        "customer": customer,
        "form": form
        or _form(
            customer,
            card.points,
            cars=lambda: [facts.vehicle for facts in card.cars],
            persons=lambda: card.persons,
            now=now,
            tickable=card.tickable,
            channel=card.channel,
        ),
        "fixed_panels": None if form else _fixed_panels(get_language(), today, tuple(times)),
        "skip_form": skip_form or SkipForm(),
        "saved": saved,
        "may_work": may_work,
        "may_skip": can_skip(user, customer),
        "may_open_file": can_open_file(user, customer),
        "is_mine": is_mine,
        "is_held": card.lease is not None and not is_mine,
        # Whoever looks at a colleague's work does not take it away by looking.
        "claims_itself": any(p.lead_id is None and p.assignee_id in (user.pk, None) for p in card.tickable),
        "can_save": may_work and bool(card.tickable) and (card.lease is None or is_mine),
        "outcomes": [
            {"value": outcome, "rule": rule, "panel": PANEL_OF_OUTCOME.get(outcome, "")}
            for outcome, rule in OUTCOMES.items()
        ],
        "phones": [
            Phone.of(customer, is_shown=shown_phone == 0),
            *(Phone.of(person, is_shown=shown_phone == person.pk) for person in card.persons),
        ],
        "query": _filters(request).queue_query(),
        "day_address": _day_address(request),
        "proposed_times": times,
        "today": today,
        "now": now,
    }
    if may_work:
        here = local_now(user, now)
        leads = TouchPoint.objects.for_queue(user, now=now, today=here.date(), filters=_filters(request).queue)
        context["progress"] = progress_of(user, leads, on=here.date())
    template = f"followups/queue_card.html#{part}" if part else "followups/queue_card.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
