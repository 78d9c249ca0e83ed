"""Messages to many: festival greetings and season tips, sent with the store's own tool and marked here."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.http import StaffRequest, customer_data_required
from accounts.models import Store, User
from core.exports import csv_response
from customers.actions.access import log_data_access
from customers.choices import Channel, PersonalDataField
from followups.actions.batches import mark_batch_sent
from followups.actions.cards import CannotRecordContact
from followups.actions.leases import local_now
from followups.choices import CareClass
from followups.forms.batch import BatchForm, ShownBatchForm
from followups.models import CareRule
from followups.permissions import can_send_batch
from followups.queries.batch import (
    BY_WECHAT,
    UNREACHED_SHOWN,
    address_head,
    batch_channels,
    batch_figures,
    batch_messages,
    batch_page,
    batch_points,
    batch_samples,
    batches_for,
    count_without_consent,
    rule_of_batch,
    unreached,
)
from followups.querysets import TouchPointQuerySet
from followups.rules.hours import is_allowed_time, local_time


@require_safe
@customer_data_required
def batch_list(request: StaffRequest) -> HttpResponse:
    """Every batch whose day has come."""
    return render(request, "followups/batch_list.html", {"batches": batches_for(request.user, on=_today(request.user))})


@require_safe
def batch_detail(request: StaffRequest, store: str, rule: str, nominal_on: str) -> HttpResponse:
    """One batch: its text, and whom it goes to by the channel of the URL, or by the first one of the plan."""
    batch = _batch(request.user, store, rule, nominal_on)
    channel = request.GET.get("channel", "")
    channel = channel if channel in batch.channels else batch.channels[0]
    return _show(request, batch, BatchForm(channels=batch_channels(batch.rule), initial={"channel": channel}))


@require_POST
def batch_send(request: StaffRequest, store: str, rule: str, nominal_on: str) -> HttpResponse:
    """Mark the ticked customers of the page, or all but the un-ticked ones, as written to.

    With them end those whom no channel of the plan reaches: nothing else can become of their messages.
    """
    batch = _batch_to_send(request.user, store, rule, nominal_on)
    form = BatchForm(request.POST, channels=batch_channels(batch.rule))
    if not form.is_valid():
        return _show(request, batch, form, status=422)
    hopeless = form.shown_of(batch.points).unreachable_by(*batch.channels)
    chosen = Q(pk__in=form.chosen(batch.points).values("pk")) | Q(pk__in=hopeless.values("pk"))
    channel = form.cleaned_data["channel"]
    try:
        result = mark_batch_sent(
            touch_points=batch.points.filter(chosen),
            by=request.user,
            now=timezone.now(),
            channel=channel,
        )
    except CannotRecordContact as error:
        form.add_error("channel", str(error))
        return _show(request, batch, form, status=422)
    words = ngettext("Marked as sent: %(count)d customer.", "Marked as sent: %(count)d customers.", result.customers)
    messages.success(request, words % {"count": result.customers})
    if result.held_back:
        words = ngettext(
            "%(count)d was left out: the customer does not want it.",
            "%(count)d were left out: the customers do not want it.",
            result.held_back,
        )
        messages.warning(request, words % {"count": result.held_back})
    if result.without_address:
        words = ngettext(
            "%(count)d was left out: there is no usable number or address.",
            "%(count)d were left out: there is no usable number or address.",
            result.without_address,
        )
        messages.warning(request, words % {"count": result.without_address})
    if batch.points.exists():
        # On with the same channel, or with one that reaches whoever is left.
        figures = batch_figures(batch.points, channels=batch.channels)
        channel = channel if figures.by_channel[channel] else max(batch.channels, key=figures.by_channel.__getitem__)
        return redirect(f"{reverse('followups:batch_detail', args=batch.address)}?channel={channel}")
    return redirect("followups:batch_list")


@require_POST
def batch_export(request: StaffRequest, store: str, rule: str, nominal_on: str) -> HttpResponse | StreamingHttpResponse:
    """The batch as a file for the sending tool: number and text, one line a customer whom the channel reaches.

    What the page counted is in it, and every number in it is logged: both go by the same list.
    """
    batch = _batch_to_send(request.user, store, rule, nominal_on)
    form = ShownBatchForm(request.POST, channels=batch_channels(batch.rule))
    if not form.is_valid():
        return _show(request, batch, BatchForm(request.POST, channels=batch_channels(batch.rule)), status=422)
    channel = form.cleaned_data["channel"]
    rows = form.shown_of(batch.points).reachable_by(channel)
    taken = list(rows.order_by("pk").values_list("pk", "customer_id"))
    log_data_access(
        customers=dict.fromkeys(customer for _point, customer in taken),
        field=_looked_at(channel),
        by=request.user,
        at=timezone.now(),
        reason=_("Export of messages: %(rule)s %(day)s") % {"rule": rule, "day": nominal_on},
    )
    head = [_("Customer no."), _("Name"), address_head(channel), _("Language"), _("Text")]
    texts = batch_messages([point for point, _customer in taken], rule=batch.rule)
    lines = ([row.number, row.name, row.address(channel), row.language, row.text] for row in texts)
    return csv_response(f"messages-{store}-{rule}-{nominal_on}.csv", head, lines)


def _looked_at(channel: str) -> PersonalDataField:
    if channel in BY_WECHAT:
        return PersonalDataField.WECHAT
    return PersonalDataField.EXPORT if channel == Channel.EMAIL else PersonalDataField.MOBILE


@dataclass(frozen=True)
class _Batch:
    """The open touch points of one batch that a user may see, and the rule behind them."""

    store: Store
    rule: CareRule
    nominal_on: date
    points: TouchPointQuerySet
    may_send: bool

    @property
    def channels(self) -> list[str]:
        return [channel for channel, _name in batch_channels(self.rule)]

    @property
    def address(self) -> list[str]:
        return [self.store.code, self.rule.code, self.nominal_on.isoformat()]


def _today(user: User) -> date:
    return local_now(user, timezone.now()).date()


def _batch(user: User, store_code: str, rule_code: str, nominal_on: str) -> _Batch:
    try:
        day = date.fromisoformat(nominal_on)
    except ValueError as error:
        raise Http404 from error
    store = get_object_or_404(Store, code=store_code)
    points = batch_points(user, on=_today(user)).filter(store=store, rule__code=rule_code, nominal_on=day)
    rule = rule_of_batch(points)
    if rule is None:
        raise Http404
    return _Batch(store, rule, day, points, may_send=can_send_batch(user, [store.pk]))


def _batch_to_send(user: User, store_code: str, rule_code: str, nominal_on: str) -> _Batch:
    batch = _batch(user, store_code, rule_code, nominal_on)
    if not batch.may_send:
        raise PermissionDenied
    return batch


def _show(request: StaffRequest, batch: _Batch, form: BatchForm, *, status: int = 200) -> HttpResponse:
    channel = form["channel"].value()
    channel = channel if channel in batch.channels else batch.channels[0]
    figures = batch_figures(batch.points, channels=batch.channels)
    here = local_time(timezone.now(), batch.store.time_zone)
    count = figures.by_channel[channel]
    reached = batch.points.reachable_by(channel)
    is_advertising = batch.rule.care_class == CareClass.MARKETING
    context: dict[str, Any] = {
        "store": batch.store,
        "rule": batch.rule,
        "nominal_on": batch.nominal_on,
        "closes_on": figures.closes_on,
        "channel": channel,
        "channel_name": Channel(channel).label,
        "channels": [(code, name, figures.by_channel[code]) for code, name in batch_channels(batch.rule)],
        "count": count,
        "last": figures.last,
        "unreached_count": figures.count - count,
        "hopeless_count": figures.by_none,
        "unreached": unreached(batch.points, channel, channels=batch.channels) if count < figures.count else [],
        "unreached_shown": UNREACHED_SHOWN,
        "without_consent": count_without_consent(batch.points, channel) if is_advertising else 0,
        "is_out_of_hours": not is_allowed_time(here, channel),
        "samples": batch_samples(reached, rule=batch.rule),
        "page": batch_page(reached, rule=batch.rule, after=request.GET.get("after", "")),
        "form": form,
        "may_send": batch.may_send,
        "send_url": reverse("followups:batch_send", args=batch.address),
        "export_url": reverse("followups:batch_export", args=batch.address),
    }
    return render(request, "followups/batch_detail.html", context, status=status)
