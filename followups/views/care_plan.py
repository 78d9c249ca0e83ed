"""S10: the care plan as a table, its rules one by one, with a dry run before anything is saved."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import StaffRequest
from accounts.models import Store, User
from accounts.permissions import can_edit_care_plan, can_edit_store_care_plan, can_see_care_plan
from followups.actions.care_plan import (
    RULE_FIELDS,
    CannotChangeCarePlan,
    NotAStoreRule,
    RuleChangedMeanwhile,
    StoreHasOwnRule,
    change_store_limits,
    create_store_rule,
    remove_store_rule,
    switch_rule,
    update_rule,
    with_values,
)
from followups.forms.plan import CareRuleForm, StoreLimitsForm
from followups.models import CareRule
from followups.queries.dry_run import rule_forecast
from followups.queries.plan import RuleChange, last_changed_by, rule_families, rule_history, store_rules_of
from followups.rule_words import (
    ChangeLine,
    change_line,
    change_lines,
    listed,
    rule_channels,
    rule_facts,
    when_text,
    window_text,
)
from followups.talking_points import PLACEHOLDERS
from followups.trigger_words import words_of


@dataclass(frozen=True)
class RuleRow:
    """A rule as the table shows it."""

    rule: CareRule
    when: str
    window: str
    channels: str


@require_GET
def rule_list(request: StaffRequest) -> HttpResponse:
    """The whole plan, by what triggers the rules; ``state`` narrows it to what is on or off."""
    if not can_see_care_plan(request.user):
        raise PermissionDenied
    rules = CareRule.objects.visible_to(request.user).select_related("store").order_by("position", "code", "pk")
    state = request.GET.get("state", "")
    if state in ("on", "off"):
        rules = rules.filter(is_active=state == "on")
    else:
        state = ""
    found = list(rules)
    families = [(family.label, _rows(family.rules)) for family in rule_families(found)]
    context = {"families": families, "rule_count": len(found), "state": state}
    return render(request, "followups/rule_list.html", context)


@require_GET
def rule_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One rule in words, with its talking points, the stores that do it their own way, and its history."""
    rule = _rule(request, pk)
    own = list(store_rules_of(rule, request.user)) if rule.store_id is None else []
    context = {
        "rule": rule,
        "facts": rule_facts(rule),
        "may_edit": may_edit(request.user, rule),
        "own_rules": own,
        "stores_without_own": _stores_without_own(request.user, rule, own),
        "group_rule": CareRule.objects.filter(code=rule.code, store=None).first() if rule.store_id else None,
        "history": _history_lines(rule_history(rule)),
    }
    return render(request, "followups/rule_detail.html", context)


@require_http_methods(["GET", "POST"])
def rule_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """The form of a rule. Its button leads to the dry run; a POST here is the confirmation that comes from there.

    Two people who change the same rule: the second is told who was first, and what they typed stays.
    """
    rule = _rule(request, pk)
    _require_edit(request.user, rule)
    if request.method == "GET":
        return _edit_page(request, rule, CareRuleForm(instance=copy.copy(rule)))
    form = CareRuleForm(request.POST, instance=copy.copy(rule))
    if "back" in request.POST:
        return _edit_page(request, rule, form)
    if not form.is_valid():
        return _edit_page(request, rule, form, status=422)
    try:
        saved = update_rule(
            rule=rule,
            values=form.values,
            seen_at=form.cleaned_data["seen_at"],
            by=request.user,
            on=_business_date(rule),
        )
    except RuleChangedMeanwhile as conflict:
        return _conflict_page(request, conflict.rule)
    messages.success(request, _("Rule %(code)s is saved. The next nightly run plans by it.") % {"code": saved.code})
    return redirect("followups:rule_detail", pk=saved.pk)


@require_POST
def rule_preview(request: StaffRequest, pk: int) -> HttpResponse:
    """The dry run of unsaved values: how many touch points, for whom, and what differs from now. Writes nothing."""
    rule = _rule(request, pk)
    _require_edit(request.user, rule)
    form = CareRuleForm(request.POST, instance=copy.copy(rule))
    if not form.is_valid():
        return _edit_page(request, rule, form, status=422)
    if form.cleaned_data["seen_at"] != rule.changed_at:
        return _conflict_page(request, rule)
    on = _business_date(rule)
    planned = copy.copy(rule)
    changed = with_values(planned, form.values, on=on)
    typed = [
        (name, value) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken" for value in values
    ]
    context = {
        "rule": rule,
        "typed": typed,
        "changes": change_lines(rule, planned, changed),
        "forecast": rule_forecast(present=rule, planned=planned, on=on, user=request.user) if changed else None,
        "starts_anew": "active_from" in changed,
        "on": on,
    }
    return render(request, "followups/rule_preview.html", context)


@require_http_methods(["GET", "POST"])
def rule_switch(request: StaffRequest, pk: int) -> HttpResponse:
    """Switch a rule on or off: first what that means in numbers, then, by POST, the switch itself."""
    rule = _rule(request, pk)
    _require_edit(request.user, rule)
    on = _business_date(rule)
    if request.method == "GET":
        planned = copy.copy(rule)
        with_values(planned, {"is_active": not rule.is_active}, on=on)
        context = {
            "rule": rule,
            "forecast": rule_forecast(present=rule, planned=planned, on=on, user=request.user),
            "on": on,
        }
        return render(request, "followups/rule_switch.html", context)
    seen_at = parse_datetime(request.POST.get("seen_at", ""))
    try:
        if seen_at is None:
            raise RuleChangedMeanwhile(rule)
        saved = switch_rule(
            rule=rule, is_active=request.POST.get("is_active") == "1", seen_at=seen_at, by=request.user, on=on
        )
    except RuleChangedMeanwhile:
        messages.error(
            request,
            _("Nothing was switched: somebody changed the rule while this page was open. Look at it and decide again."),
        )
        return redirect("followups:rule_switch", pk=rule.pk)
    if saved.is_active:
        text = _("Rule %(code)s is on from %(on)s. What ended before is not made up.")
        messages.success(request, text % {"code": saved.code, "on": on.isoformat()})
    else:
        text = _("Rule %(code)s is off. Tasks that are already open stay until they are done or their window ends.")
        messages.success(request, text % {"code": saved.code})
    return redirect("followups:rule_detail", pk=saved.pk)


@require_POST
def rule_override(request: StaffRequest, pk: int) -> HttpResponse:
    """Give a store a rule of its own, equal to the group's at first, and open its form."""
    rule = _rule(request, pk)
    store = get_object_or_404(Store.objects.visible_to(request.user).active(), code=request.POST.get("store", ""))
    if not can_edit_store_care_plan(request.user, store.pk):
        raise PermissionDenied
    try:
        own = create_store_rule(rule=rule, store=store, by=request.user)
    except StoreHasOwnRule:
        own = get_object_or_404(CareRule, code=rule.code, store=store)
        messages.info(request, _("%(store)s already has its own rule; here it is.") % {"store": store.name})
    except CannotChangeCarePlan:
        raise Http404 from None
    return redirect("followups:rule_edit", pk=own.pk)


@require_http_methods(["GET", "POST"])
def rule_override_remove(request: StaffRequest, pk: int) -> HttpResponse:
    """Take a store's own rule away: first what the group's rule changes there, then, by POST, the removal."""
    rule = _rule(request, pk)
    _require_edit(request.user, rule)
    group = get_object_or_404(CareRule, code=rule.code, store=None)
    if rule.store_id is None:
        raise Http404
    if request.method == "GET":
        planned = copy.copy(group)
        planned.store_id = rule.store_id
        changed = {field.name for field in CareRule._meta.concrete_fields if _differs(rule, group, field.name)}
        context = {
            "rule": rule,
            "group_rule": group,
            "changes": change_lines(rule, group, changed),
            "forecast": rule_forecast(present=rule, planned=planned, on=_business_date(rule), user=request.user),
        }
        return render(request, "followups/rule_override_remove.html", context)
    try:
        remove_store_rule(rule=rule, by=request.user, on=_business_date(rule))
    except NotAStoreRule:
        raise Http404 from None
    text = _("%(store)s follows the group's rule %(code)s again.")
    messages.success(request, text % {"store": rule.store, "code": rule.code})
    return redirect("followups:rule_detail", pk=group.pk)


@require_GET
def store_limits(request: StaffRequest) -> HttpResponse:
    """The limits of every store in the user's sight, one form a store; those that may not be changed are text."""
    return _limits_page(request)


@require_POST
def store_limits_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Save the limits of one store."""
    store = get_object_or_404(Store.objects.visible_to(request.user).active(), pk=pk)
    if not can_edit_store_care_plan(request.user, store.pk):
        raise PermissionDenied
    form = StoreLimitsForm(request.POST, instance=copy.copy(store))
    if not form.is_valid():
        return _limits_page(request, invalid=form, status=422)
    change_store_limits(store=store, limits=form.cleaned_data, by=request.user)
    messages.success(request, _("The limits of %(store)s are saved.") % {"store": store.name})
    return redirect("followups:store_limits")


def may_edit(user: User, rule: CareRule) -> bool:
    """Tell whether a user may change a rule: the group's, or a store's own one."""
    if rule.store_id is None:
        return can_edit_care_plan(user)
    return can_edit_store_care_plan(user, rule.store_id)


def _rule(request: StaffRequest, pk: int) -> CareRule:
    if not can_see_care_plan(request.user):
        raise PermissionDenied
    return get_object_or_404(CareRule.objects.visible_to(request.user).select_related("store"), pk=pk)


def _require_edit(user: User, rule: CareRule) -> None:
    if not may_edit(user, rule):
        raise PermissionDenied


def _business_date(rule: CareRule) -> date:
    """Today where the rule counts: in the store's time zone, for the group in the project's."""
    return timezone.localdate(timezone=ZoneInfo(rule.store.time_zone) if rule.store else None)


def _rows(rules: Iterable[CareRule]) -> list[RuleRow]:
    return [RuleRow(rule, when_text(rule), window_text(rule), listed(rule_channels(rule))) for rule in rules]


def _stores_without_own(user: User, rule: CareRule, own: Sequence[CareRule]) -> list[Store]:
    """The stores for which this user may make an own version of a group rule."""
    if rule.store_id is not None:
        return []
    taken = {each.store_id for each in own}
    stores = Store.objects.visible_to(user).active().order_by("code")
    return [store for store in stores if store.pk not in taken and can_edit_store_care_plan(user, store.pk)]


def _edit_page(request: StaffRequest, rule: CareRule, form: CareRuleForm, *, status: int = 200) -> HttpResponse:
    context = {
        "rule": rule,
        "form": form,
        "trigger": words_of(rule.trigger),
        "placeholders": list(PLACEHOLDERS),
    }
    return render(request, "followups/rule_edit.html", context, status=status)


def _conflict_page(request: StaffRequest, rule: CareRule) -> HttpResponse:
    """The form with what was typed, fit to be saved over the newer version once it has been looked at."""
    data = request.POST.copy()
    data["seen_at"] = rule.changed_at.isoformat()
    form = CareRuleForm(data, instance=copy.copy(rule))
    who = last_changed_by(rule)
    if who is not None:
        text = _("%(who)s changed this rule while you were editing it.") % {"who": who}
    else:
        text = _("This rule was changed while you were editing it.")
    form.is_valid()
    form.add_error(
        None,
        text
        + " "
        + _("What you typed is still here. Compare it with the rule as it is now, then preview and save again."),
    )
    return _edit_page(request, rule, form, status=409)


@dataclass(frozen=True)
class HistoryLine:
    """A line of a rule's history in words."""

    change: RuleChange
    lines: Sequence[ChangeLine]


def _history_lines(history: Iterable[RuleChange]) -> list[HistoryLine]:
    return [
        HistoryLine(change, [change_line(each.field, each.before, each.after) for each in change.changes])
        for change in history
    ]


def _differs(one: CareRule, other: CareRule, field: str) -> bool:
    return field in RULE_FIELDS and getattr(one, field) != getattr(other, field)


def _limits_page(request: StaffRequest, *, invalid: StoreLimitsForm | None = None, status: int = 200) -> HttpResponse:
    if not can_see_care_plan(request.user):
        raise PermissionDenied
    forms = []
    for store in Store.objects.visible_to(request.user).active().order_by("code"):
        if invalid is not None and invalid.instance.pk == store.pk:
            form = invalid
        else:
            form = StoreLimitsForm(instance=store)
        forms.append((store, form, can_edit_store_care_plan(request.user, store.pk)))
    return render(request, "followups/store_limits.html", {"forms": forms}, status=status)
