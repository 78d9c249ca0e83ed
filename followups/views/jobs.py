"""S9: the nightly runs, what they did, and running one again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.choices import Role
from accounts.http import StaffRequest
from accounts.models import Store
from accounts.permissions import can_run_jobs, can_see_jobs, has_role
from core.choices import JobStatus
from core.models import JobRun
from core.parsing import as_id
from core.rules import STUCK_AFTER
from followups.context_processors import forget_alarm_facts
from followups.dispatch import BrokerDown, NoWorker, start_plan
from followups.queries.jobs import RuleCounts, plan_runs, rule_counts, rule_names, runnable_stores

PAGE_SIZE = 30
# How long a job may wait for a free worker before the page says that nobody took it.
PICK_UP_SECONDS = 60


@dataclass(frozen=True)
class RunRow:
    """A run as the list shows it."""

    run: JobRun
    store_name: str
    rules: Sequence[RuleCounts]
    is_stuck: bool


@dataclass(frozen=True)
class Progress:
    """What is going on now: runs that have begun, and one that was asked for and has not."""

    running: Sequence[RunRow]
    is_waiting: bool
    is_abandoned: bool
    asked: str

    @property
    def is_live(self) -> bool:
        """Whether looking again makes sense."""
        return self.is_waiting or any(not row.is_stuck for row in self.running)


@require_GET
def job_list(request: StaffRequest) -> HttpResponse:
    """The newest runs of the nightly plan in the user's stores; ``before`` turns the page, ``status`` filters."""
    if not can_see_jobs(request.user):
        raise PermissionDenied
    now = timezone.now()
    # The page that tells of the runs must not contradict itself with an alarm of a minute ago.
    forget_alarm_facts()
    runs = plan_runs(request.user)
    status = request.GET.get("status", "")
    if status in JobStatus.values:
        runs = runs.filter(status=status)
    before = as_id(request.GET.get("before", ""))
    if before is not None:
        runs = runs.filter(pk__lt=before)
    page = list(runs.select_related("started_by")[: PAGE_SIZE + 1])
    names, rules = _store_names(), rule_names()
    context: dict[str, Any] = {
        "rows": [_row(run, names, now, rules) for run in page[:PAGE_SIZE]],
        "older": page[PAGE_SIZE - 1].pk if len(page) > PAGE_SIZE else None,
        "is_first_page": before is None,
        "status": status if status in JobStatus.values else "",
        "statuses": JobStatus.choices,
        "progress": _progress(request, names, now),
        "stores": runnable_stores(request.user) if can_run_jobs(request.user) else [],
        "may_run_all": has_role(request.user, Role.SYSTEM_ADMIN),
    }
    return render(request, "followups/job_list.html", context)


@require_GET
def job_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One run in full: counts rule by rule, and the error if there was one."""
    if not can_see_jobs(request.user):
        raise PermissionDenied
    run = get_object_or_404(plan_runs(request.user).select_related("started_by"), pk=pk)
    row = _row(run, _store_names(), timezone.now(), rule_names())
    return render(request, "followups/job_detail.html", {"row": row})


@require_GET
def job_progress(request: StaffRequest) -> HttpResponse:
    """The runs that are going on, for the list to look again every two seconds; when the last one ends it reloads."""
    if not can_see_jobs(request.user):
        raise PermissionDenied
    if not request.htmx:
        return redirect("followups:job_list")
    progress = _progress(request, _store_names(), timezone.now())
    response = render(request, "followups/job_list.html#progress", {"progress": progress})
    if not progress.running and not progress.is_waiting and not progress.is_abandoned:
        forget_alarm_facts()
        response["HX-Redirect"] = reverse("followups:job_list")
    return response


@require_POST
def job_run(request: StaffRequest) -> HttpResponse:
    """Start the nightly plan for today: for one store, or for all of them where the user may."""
    if not can_run_jobs(request.user):
        raise PermissionDenied
    code = request.POST.get("store", "")
    store = None
    if code:
        # Another group's store does not exist for this user; one of theirs that they do not lead is refused.
        store = get_object_or_404(Store.objects.visible_to(request.user).active(), code=code)
        if not runnable_stores(request.user).filter(pk=store.pk).exists():
            raise PermissionDenied
    elif not has_role(request.user, Role.SYSTEM_ADMIN):
        raise PermissionDenied
    asked = timezone.now()
    try:
        start_plan(now=asked, store=store, by=request.user)
    except BrokerDown:
        messages.error(
            request,
            _(
                "Nothing was started: the job queue (Valkey) does not answer. Start it, then press the button again; "
                "or run “manage.py plan_care” on the server."
            ),
        )
        return redirect("followups:job_list")
    except NoWorker:
        messages.error(
            request,
            _(
                "Nothing was started: no worker is running. Start one (“make run” starts all), then press the button "
                "again; or run “manage.py plan_care” on the server."
            ),
        )
        return redirect("followups:job_list")
    forget_alarm_facts()
    return redirect(f"{reverse('followups:job_list')}?asked={int(asked.timestamp())}&store={code}")


def _store_names() -> dict[str, str]:
    return dict(Store.objects.order_by("code").values_list("code", "name"))


def _row(run: JobRun, names: Mapping[str, str], now: datetime, rules: Mapping[str, str] | None = None) -> RunRow:
    return RunRow(
        run=run,
        store_name=names.get(run.store_code, run.store_code),
        rules=rule_counts(run, rules) if rules is not None else (),
        is_stuck=run.status == JobStatus.RUNNING and now - run.started_at > STUCK_AFTER,
    )


def _progress(request: StaffRequest, names: Mapping[str, str], now: datetime) -> Progress:
    runs = plan_runs(request.user)
    running = [_row(run, names, now) for run in runs.filter(status=JobStatus.RUNNING)[:PAGE_SIZE]]
    asked = request.GET.get("asked", "")
    waits_since = datetime.fromtimestamp(int(asked), UTC) if asked.isdecimal() and len(asked) <= 10 else None
    taken = runs.filter(started_at__gte=waits_since) if waits_since else runs
    if code := request.GET.get("store", ""):  # all stores may be one run or one each
        taken = taken.filter(store_code=code)
    is_taken = waits_since is None or taken.exists()
    is_late = waits_since is not None and now - waits_since > timedelta(seconds=PICK_UP_SECONDS)
    return Progress(
        running=running,
        is_waiting=not is_taken and not is_late,
        is_abandoned=not is_taken and is_late,
        asked=request.GET.urlencode(),
    )
