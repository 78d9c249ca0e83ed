"""S10: the public holidays and make-up days of a year."""

from datetime import date

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.context_processors import today_of
from accounts.http import StaffRequest
from accounts.permissions import can_edit_care_plan, can_see_care_plan
from core.actions import DayNotInCalendar, fill_calendar, remove_calendar_day, set_calendar_day
from core.models import CalendarDay
from core.parsing import as_id
from core.rules import SATURDAY
from followups.forms.plan import CalendarDayForm

FIRST_YEAR, LAST_YEAR = 2000, 2099


@require_GET
def calendar(request: StaffRequest) -> HttpResponse:
    """The days of a year that differ from Monday to Friday; the calendar is one for the whole group."""
    if not can_see_care_plan(request.user):
        raise PermissionDenied
    year = _year(request.GET.get("year", ""), today_of(request))
    return _page(request, year, CalendarDayForm(year=year))


@require_POST
def calendar_day_add(request: StaffRequest) -> HttpResponse:
    """Add a day to the calendar."""
    _require_edit(request)
    form = CalendarDayForm(request.POST)
    if not form.is_valid():
        return _page(request, _year(request.POST.get("year", ""), today_of(request)), form, status=422)
    row = set_calendar_day(by=request.user, **form.cleaned_data)
    messages.success(request, _("%(day)s is in the calendar.") % {"day": row.day.isoformat()})
    return _to_year(row.day.year)


@require_http_methods(["GET", "POST"])
def calendar_day_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change what a day of the calendar is, or its name."""
    _require_edit(request)
    row = get_object_or_404(CalendarDay, pk=pk)
    form = CalendarDayForm(request.POST or None, row=row)
    if request.method == "POST" and form.is_valid():
        set_calendar_day(by=request.user, **form.cleaned_data)
        messages.success(request, _("%(day)s is changed.") % {"day": row.day.isoformat()})
        return _to_year(row.day.year)
    status = 422 if request.method == "POST" else 200
    return render(request, "followups/calendar_day_edit.html", {"row": row, "form": form}, status=status)


@require_http_methods(["GET", "POST"])
def calendar_day_remove(request: StaffRequest, pk: int) -> HttpResponse:
    """Make a day an ordinary one again; a GET asks first and says what follows."""
    _require_edit(request)
    row = get_object_or_404(CalendarDay, pk=pk)
    if request.method == "GET":
        return render(
            request, "followups/calendar_day_remove.html", {"row": row, "is_weekend": row.day.weekday() >= SATURDAY}
        )
    try:
        remove_calendar_day(day=row.day, by=request.user)
    except DayNotInCalendar:
        raise Http404 from None
    messages.success(request, _("%(day)s is an ordinary day again.") % {"day": row.day.isoformat()})
    return _to_year(row.day.year)


@require_POST
def calendar_fill(request: StaffRequest) -> HttpResponse:
    """Bring a year up to the library of public holidays; days edited by hand stay."""
    _require_edit(request)
    year = _year(request.POST.get("year", ""), today_of(request))
    changed = fill_calendar([year], by=request.user)
    if changed:
        text = ngettext(
            "%(count)s day of %(year)s is new or changed.", "%(count)s days of %(year)s are new or changed.", changed
        )
        messages.success(request, text % {"count": changed, "year": year})
    else:
        messages.info(request, _("%(year)s is already as the library knows it.") % {"year": year})
    return _to_year(year)


def _require_edit(request: StaffRequest) -> None:
    if not can_edit_care_plan(request.user):
        raise PermissionDenied


def _year(text: str, today: date) -> int:
    year = as_id(text)
    return year if year is not None and FIRST_YEAR <= year <= LAST_YEAR else today.year


def _to_year(year: int) -> HttpResponse:
    return redirect(f"{reverse('followups:calendar')}?year={year}")


def _page(request: StaffRequest, year: int, form: CalendarDayForm, *, status: int = 200) -> HttpResponse:
    days = list(CalendarDay.objects.filter(day__year=year).order_by("day"))
    context = {
        "year": year,
        "days": [(row, row.day.weekday() >= SATURDAY) for row in days],
        "holiday_count": sum(not row.is_working for row in days),
        "make_up_count": sum(row.is_working and row.day.weekday() >= SATURDAY for row in days),
        "is_notice_known": any(row.is_working and row.day.weekday() >= SATURDAY for row in days),
        "may_edit": can_edit_care_plan(request.user),
        "form": form,
        "previous": year - 1 if year > FIRST_YEAR else None,
        "next": year + 1 if year < LAST_YEAR else None,
    }
    return render(request, "followups/calendar.html", context, status=status)
