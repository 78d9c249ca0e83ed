"""Due lists and internal forms: what nobody is called about, but somebody deals with (domain §3.2 D0, PS0)."""

from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.http import StaffRequest
from accounts.permissions import can_export, can_work_tasks, export_store_ids
from core.exports import csv_response
from core.pages import render_page
from core.paging import keyset_page
from core.parsing import as_id
from customers.actions.access import log_data_access
from customers.choices import PersonalDataField
from followups.actions.batches import mark_handled
from followups.actions.cards import CannotRecordContact
from followups.actions.leases import local_now
from followups.models import TouchPoint
from followups.queries.desk import DeskKind, desk_kinds, shown_list
from followups.queries.exports import desk_head, desk_lines
from followups.querysets import TouchPointQuerySet

PAGE_SIZE = 50


@require_safe
def desk(request: StaffRequest) -> HttpResponse:
    """What waits at the desk of the person, one kind at a time or all, a page at a time."""
    points = _points(request)
    kinds = desk_kinds(points)
    chosen = _chosen(request, kinds)
    if chosen is not None:
        points = points.filter(rule__code=chosen.code)
    rows = points.select_related("rule", "customer", "vehicle__model", "assignee")
    context = {
        "kinds": kinds,
        "may_export": can_export(request.user),
        "chosen": chosen,
        "count": chosen.count if chosen else sum(kind.count for kind in kinds),
        "shown": shown_list(points) if chosen else None,
        "page": keyset_page(rows, by=("closes_on", "pk"), after=request.GET.get("after", ""), size=PAGE_SIZE),
    }
    return render_page(request, "followups/desk.html", context)


@require_POST
def desk_export(request: StaffRequest) -> StreamingHttpResponse:
    """The list that is shown, a kind or all, as a file: the due list of the month (PS0) above all. It is noted."""
    points = _points(request)
    if not can_export(request.user):
        raise PermissionDenied
    chosen = _chosen(request, desk_kinds(points))
    if chosen is not None:
        points = points.filter(rule__code=chosen.code)
    points = points.filter(store__in=export_store_ids(request.user))
    now = timezone.now()
    found = list(points.select_related("rule", "customer", "vehicle__model", "assignee").order_by("closes_on", "pk"))
    # What is noted is the very list that goes out.
    log_data_access(
        customers=sorted({point.customer_id for point in found}),
        field=PersonalDataField.EXPORT,
        by=request.user,
        at=now,
        reason=_("Export of a list: %(list)s") % {"list": chosen.name if chosen else _("Lists and forms")},
    )
    name = f"list-{chosen.code if chosen else 'all'}-{local_now(request.user, now).date().isoformat()}.csv"
    return csv_response(name, desk_head(), list(desk_lines(found)))


@require_POST
def desk_settle(request: StaffRequest) -> HttpResponse:
    """Close what was ticked, or everything of the kind that is shown."""
    points = _points(request)
    code = request.POST.get("rule", "")
    last = as_id(request.POST.get("last", ""))
    if request.POST.get("scope") == "all" and code and last is not None:
        # What came onto the list after the page was shown nobody has dealt with.
        chosen = points.filter(rule__code=code, pk__lte=last)
        if shown_list(chosen).digest != request.POST.get("digest", ""):
            messages.warning(request, _("The list has changed meanwhile. Look at it again, then close it."))
            return redirect(_address(code))
    else:
        ticked = [as_id(text) for text in request.POST.getlist("ticked")]
        chosen = points.filter(pk__in=[pk for pk in ticked if pk is not None])
    ids = list(chosen.order_by("pk").values_list("pk", flat=True))
    if not ids:
        messages.warning(request, _("Tick what you have dealt with first."))
        return redirect(_address(code))
    try:
        count = mark_handled(touch_points=ids, by=request.user, now=timezone.now())
    except CannotRecordContact as error:
        messages.error(request, str(error))
        return redirect(_address(code))
    words = ngettext("%(count)d entry is dealt with.", "%(count)d entries are dealt with.", count) % {"count": count}
    messages.success(request, words)
    return redirect(_address(code if points.filter(rule__code=code).exists() else ""))


def _points(request: StaffRequest) -> TouchPointQuerySet:
    if not can_work_tasks(request.user):
        raise PermissionDenied
    return TouchPoint.objects.for_desk(request.user, today=local_now(request.user, timezone.now()).date())


def _chosen(request: StaffRequest, kinds: list[DeskKind]) -> DeskKind | None:
    code = request.GET.get("rule", "")
    return next((kind for kind in kinds if kind.code == code), None)


def _address(code: str) -> str:
    address = reverse("followups:desk")
    return f"{address}?{urlencode({'rule': code})}" if code else address
