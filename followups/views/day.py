"""S1: what a person has to do today, and for managers what the team has."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.choices import Role
from accounts.http import StaffRequest
from accounts.models import Store, User
from accounts.permissions import (
    MANAGER_ROLES,
    can_export,
    can_see_jobs,
    can_work_tasks,
    export_store_ids,
    has_role,
    memberships_of,
)
from core.exports import csv_response
from core.pages import render_page, wants_fragment
from core.parsing import as_id
from customers.actions.access import log_data_access
from customers.choices import PersonalDataField
from followups.actions.assignments import CannotAssign, assign
from followups.actions.leases import local_now
from followups.filters import DUE_TODAY, POOL, Chip, DayFilters, Menu, chips_for, menus_for
from followups.forms.team import AssignForm
from followups.models import TouchPoint
from followups.permissions import can_assign, can_make_up, can_take_from_pool
from followups.queries.ahead import ahead_of, ahead_page, birthdays_ahead
from followups.queries.batch import batches_for
from followups.queries.day import activity_of, customer_count, day_counts, day_page, missed_count, waiting_count
from followups.queries.exports import all_day_rows, day_head, day_lines
from followups.queries.team import team_loads, team_of
from followups.querysets import QueueFilters, TouchPointQuerySet
from followups.rules.hours import local_time

BIRTHDAYS_SHOWN, BIRTHDAYS_LISTED = 6, 300


@require_safe
def day(request: StaffRequest) -> HttpResponse:
    """The page where staff land: counts, the big button, and one row a customer."""
    user = request.user
    if not can_work_tasks(user):
        return _start_elsewhere(user)
    now = timezone.now()
    here = local_now(user, now)
    today = here.date()
    filters = DayFilters.from_query(request.GET)
    everything = TouchPoint.objects.for_queue(
        user, now=now, today=today, filters=QueueFilters(includes_pool=filters.queue.includes_pool)
    )
    leads = _own_leads(user, filters, now=now, today=today)
    menus = menus_for(filters)
    birthdays = birthdays_ahead(user, on=today, limit=BIRTHDAYS_SHOWN + 1)
    counts = day_counts(everything, on=today)
    context = {
        "greeting": _greeting(here, user),
        "counts": counts,
        "waiting": waiting_count(user, now=now, on=today),
        "missed": missed_count(user, on=today) if can_make_up(user) else 0,
        "activity": activity_of(user, on=today),
        "batches": batches_for(user, on=today),
        "birthdays": birthdays[:BIRTHDAYS_SHOWN],
        "has_more_birthdays": len(birthdays) > BIRTHDAYS_SHOWN,
        "page": day_page(leads, on=today, after=request.GET.get("after", ""), sort=filters.sort),
        "filters": filters,
        "queue_query": filters.queue_query(),
        "is_today": filters.queue.is_due_today,
        "urls": {
            "overdue": _address(request, overdue="1", due=None),
            "today": _address(request, due=DUE_TODAY, overdue=None),
            "week": reverse("followups:day_ahead"),
        },
        "own_label": _("Mine"),
        "export_url": _export_url(request, "followups:day_export") if can_export(user) else "",
        "shown_count": customer_count(leads) if filters.is_narrowed else counts.customers,
        "team_url": reverse("followups:team") if _stores_of(user) else "",
        "pool_url": _address(request, pool="1") if can_take_from_pool(user) and not filters.queue.includes_pool else "",
        "today": today,
    }
    return render(request, "followups/day.html", context | _list_context(request, filters, menus))


@require_POST
def day_export(request: StaffRequest) -> StreamingHttpResponse:
    """The list of the day, as its filters stand, as a file: of the stores that may be exported. Everybody is noted."""
    user = request.user
    if not (can_work_tasks(user) and can_export(user)):
        raise PermissionDenied
    now = timezone.now()
    today = local_now(user, now).date()
    filters = DayFilters.from_query(request.GET)
    leads = _own_leads(user, filters, now=now, today=today).filter(store__in=export_store_ids(user))
    return _export(request, leads, filters, today=today, now=now, name="my-day", with_owner=False)


@require_safe
def day_ahead(request: StaffRequest) -> HttpResponse:
    """What will open or fall due for a person in the next seven days; for htmx only how many customers that is."""
    user = request.user
    if not can_work_tasks(user):
        raise PermissionDenied
    now = timezone.now()
    ahead = ahead_of(user, now=now, on=local_now(user, now).date())
    context = {"count": len(ahead.keys), "page": ahead_page(ahead, after=request.GET.get("after", ""))}
    return render_page(request, "followups/day_ahead.html", context, fragment="count")


@require_safe
def day_birthdays(request: StaffRequest) -> HttpResponse:
    """The own customers who have a birthday in the next three days (domain §3.2, BD: notice three days before)."""
    user = request.user
    if not can_work_tasks(user):
        raise PermissionDenied
    found = birthdays_ahead(user, on=local_now(user, timezone.now()).date(), limit=BIRTHDAYS_LISTED + 1)
    context = {"birthdays": found[:BIRTHDAYS_LISTED], "is_more": len(found) > BIRTHDAYS_LISTED}
    return render(request, "followups/day_birthdays.html", context)


@require_safe
def team(request: StaffRequest) -> HttpResponse:
    """The load of every person of a store, what nobody owns, and the customers behind the numbers.

    For htmx only the loads, which a manager's own day shows too.
    """
    user = request.user
    stores = _stores_of(user)
    if not stores:
        raise PermissionDenied
    store = _chosen_store(request, stores)
    now = timezone.now()
    today = local_time(now, store.time_zone).date()
    filters = DayFilters.from_query(request.GET)
    ready = _team_leads(user, store, now=now, today=today)
    leads = filters.narrow(ready.matching(filters.queue, today=today), on=today)
    loads = team_loads(ready, store=store, on=today)
    here = reverse("followups:team")
    context: dict[str, Any] = {
        "loads": [
            (load, here + _address(request, owner=load.person.pk if load.person else POOL, store=store.code))
            for load in loads
        ]
    }
    if not wants_fragment(request):
        menus = menus_for(filters)
        owner_name = next(
            (str(load.person) for load in loads if load.person and str(load.person.pk) == filters.owner), filters.owner
        )
        context |= {
            "store": store,
            "stores": stores,
            "people": [(load.person, load.is_at_work) for load in loads if load.person and load.is_member],
            "escalated": sum(load.escalated for load in loads),
            "missed": missed_count(user, store=store, on=today) if can_make_up(user) else 0,
            "missed_url": f"{reverse('followups:missed_list')}?store={store.code}",
            "escalated_url": _address(request, escalated="1", store=store.code),
            "page": day_page(leads, on=today, after=request.GET.get("after", ""), sort=filters.sort),
            "filters": filters,
            "may_assign": can_assign(user, store.pk),
            "export_url": _export_url(request, "followups:team_export") if can_export(user, store.pk) else "",
            "shown_count": customer_count(leads),
            "today": today,
        }
        context |= _list_context(request, filters, menus, owner_name=owner_name)
    return render_page(request, "followups/team.html", context, fragment="loads")


@require_POST
def team_assign(request: StaffRequest) -> HttpResponse:
    """Give the ticked customers of a store to one person, or put them into the pool."""
    user = request.user
    stores = [store for store in _stores_of(user) if can_assign(user, store.pk)]
    if not stores:
        raise PermissionDenied
    store = _chosen_store(request, stores)
    now = timezone.now()
    ready = _team_leads(user, store, now=now, today=local_time(now, store.time_zone).date())
    ids = [pk for text in request.POST.getlist("customers") if (pk := as_id(text)) is not None]
    leads = ready.filter(customer__in=ids)
    people = {membership.user_id: membership.user for membership in team_of(store)}
    form = AssignForm(
        request.POST,
        people=[(pk, str(person)) for pk, person in people.items()],
        customers=leads.order_by().values_list("customer_id", flat=True).distinct(),
    )
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, str(errors[0]))
        return redirect(_back_to_team(request, store))
    choice = form.cleaned_data["to"]
    to = None if choice == AssignForm.POOL else User.objects.get(pk=choice)
    points = leads.order_by("pk").values_list("pk", flat=True)
    try:
        assign(touch_points=list(points), to=to, by=user)
    except CannotAssign as error:
        messages.error(request, str(error))
    else:
        count = len(form.cleaned_data["customers"])
        words = ngettext(
            "%(count)d customer now belongs to %(person)s.", "%(count)d customers now belong to %(person)s.", count
        )
        messages.success(request, words % {"count": count, "person": to or _("the pool")})
    return redirect(_back_to_team(request, store))


@require_POST
def team_export(request: StaffRequest) -> StreamingHttpResponse:
    """The list of the team, as its filters stand, as a file. Every customer in it is noted."""
    user = request.user
    stores = [store for store in _stores_of(user) if can_export(user, store.pk)]
    if not stores:
        raise PermissionDenied
    store = _chosen_store(request, stores)
    now = timezone.now()
    today = local_time(now, store.time_zone).date()
    filters = DayFilters.from_query(request.GET)
    ready = _team_leads(user, store, now=now, today=today)
    leads = filters.narrow(ready.matching(filters.queue, today=today), on=today)
    return _export(request, leads, filters, today=today, now=now, name=f"team-{store.code}", with_owner=True)


def _export(
    request: StaffRequest,
    leads: TouchPointQuerySet,
    filters: DayFilters,
    *,
    today: date,
    now: datetime,
    name: str,
    with_owner: bool,
) -> StreamingHttpResponse:
    rows = all_day_rows(leads, on=today, sort=filters.sort)
    # What is noted is the very list that goes out.
    log_data_access(
        customers=[row.customer.pk for row in rows],
        field=PersonalDataField.EXPORT,
        by=request.user,
        at=now,
        reason=_("Export of the team's list") if with_owner else _("Export of the day's list"),
    )
    lines = list(day_lines(rows, with_owner=with_owner))
    return csv_response(f"{name}-{today.isoformat()}.csv", day_head(with_owner=with_owner), lines)


def _export_url(request: StaffRequest, url_name: str) -> str:
    query = _query(request).urlencode()
    return f"{reverse(url_name)}?{query}" if query else reverse(url_name)


def _own_leads(user: User, filters: DayFilters, *, now: datetime, today: date) -> TouchPointQuerySet:
    return filters.narrow(TouchPoint.objects.for_queue(user, now=now, today=today, filters=filters.queue), on=today)


def _start_elsewhere(user: User) -> HttpResponse:
    """Who calls nobody lands where their work is."""
    if _stores_of(user):
        return redirect("followups:team")
    if can_see_jobs(user):
        return redirect("followups:job_list")
    raise PermissionDenied


def _stores_of(user: User) -> list[Store]:
    """The stores whose team a user may look at: managers theirs, the group and the auditor all."""
    if has_role(user, Role.GROUP_MANAGER, Role.AUDITOR):
        return list(Store.objects.active().order_by("code"))
    stores = {m.store_id: m.store for m in memberships_of(user) if m.role in MANAGER_ROLES and m.store is not None}
    return sorted(stores.values(), key=lambda store: store.code)


def _chosen_store(request: StaffRequest, stores: list[Store]) -> Store:
    code = request.GET.get("store") or request.POST.get("store")
    if not code:
        return stores[0]
    for store in stores:
        if store.code == code:
            return store
    raise Http404


def _team_leads(user: User, store: Store, *, now: datetime, today: date) -> TouchPointQuerySet:
    return TouchPoint.objects.visible_to(user).filter(store=store).ready(now=now, today=today)


def _back_to_team(request: StaffRequest, store: Store) -> str:
    """Where the list was: the address that the form carries, if it is one of ours."""
    address = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}):
        return address
    return f"{reverse('followups:team')}?store={store.code}"


def _greeting(here: datetime, user: User) -> str:
    if here.hour < 12:
        words = _("Good morning, %(name)s")
    elif here.hour < 18:
        words = _("Good afternoon, %(name)s")
    else:
        words = _("Good evening, %(name)s")
    return words % {"name": user}


def _query(request: StaffRequest) -> QueryDict:
    query = request.GET.copy()
    query.pop("after", None)
    return query


def _address(request: StaffRequest, **changes: Any) -> str:
    query = _query(request)
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@dataclass(frozen=True)
class ChipLink:
    """An active filter with the address that takes it away."""

    label: str
    remove_url: str


@dataclass(frozen=True)
class OptionLink:
    """A filter with the address that adds it, or takes it away when it is on."""

    label: str
    is_on: bool
    url: str


@dataclass(frozen=True)
class MenuLinks:
    """A menu of filters."""

    label: str
    options: list[OptionLink]


def _list_context(
    request: StaffRequest, filters: DayFilters, menus: list[Menu], *, owner_name: str = ""
) -> dict[str, Any]:
    """The addresses around a list: each filter on or off, each head sorted by."""
    return {
        "chips": [_chip_link(request, chip) for chip in chips_for(filters, menus, owner_name=owner_name)],
        "menus": [
            MenuLinks(
                menu.label,
                [
                    OptionLink(option.label, option.is_on, _toggled(request, menu.name, option.value, option.is_on))
                    for option in menu.options
                ],
            )
            for menu in menus
        ],
        "sort_urls": {
            "latest": _address(request, sort="-latest" if filters.sort == "latest" else None),
            "latest_state": _sort_state(filters.sort, "latest"),
            "contact": _address(request, sort="-contact" if filters.sort == "contact" else "contact"),
            "contact_state": _sort_state(filters.sort, "contact"),
        },
    }


def _sort_state(sort: str, name: str) -> str:
    return {name: "ascending", f"-{name}": "descending"}.get(sort, "none")


def _chip_link(request: StaffRequest, chip: Chip) -> ChipLink:
    return ChipLink(chip.label, _toggled(request, chip.name, chip.value, is_on=True))


def _toggled(request: StaffRequest, name: str, value: str, is_on: bool) -> str:
    query = _query(request)
    values = [other for other in query.getlist(name) if other != value]
    query.setlist(name, values if is_on else [*values, value])
    return f"?{query.urlencode()}"
