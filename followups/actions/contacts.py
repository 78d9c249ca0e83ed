"""Contacts: what happened on a card, and everything that follows from it (domain §3.4, §3.6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import acting, locked
from core.queries import work_calendar
from customers.actions import set_do_not_contact, update_customer
from customers.choices import CustomerStatus, DoNotContact
from customers.models import Customer
from customers.rules import is_mobile, normalise_mobile
from followups.choices import (
    CareClass,
    Handling,
    NextStepKind,
    Outcome,
    Reason,
    Severity,
    TouchPointStatus,
    WinBackReason,
)
from followups.models import CareRule, ContactLog, NextStep, QueueLease, TouchPoint
from followups.permissions import can_skip, can_work, pool_store_ids
from followups.querysets import TouchPointQuerySet
from followups.rules import (
    MESSAGE_CHANNELS,
    OUTCOMES,
    Happened,
    LivePoint,
    Need,
    can_settle_by_message,
    is_allowed_time,
    local_time,
    needs_of,
    settle,
)
from vehicles.actions import change_status, service_done_elsewhere
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle

# Outcomes that change a car.
TELLS_OF_CAR = (Outcome.CAR_GONE, Outcome.SERVICED_ELSEWHERE)
# How far ahead another time may be agreed: beyond it is a wish for the file, not a promise to call.
FURTHEST_AGREED = timedelta(days=60)
# Working days are looked up this far ahead; the longest holidays of a year are eight days.
CALENDAR_AHEAD = timedelta(days=30)


class CannotRecordContact(Exception):
    """The contact cannot be saved as it is; the message says what to do, ``field`` which entry it is about."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotYourContact(CannotRecordContact):
    """The person does not work for this customer (see ``can_work``)."""


class CustomerHeldByOther(CannotRecordContact):
    """The customer is on somebody else's screen."""


class WrongTouchPoint(CannotRecordContact):
    """A ticked reason belongs to another customer, or to another kind of work."""


class SettledMeanwhile(CannotRecordContact):
    """Everything that was ticked has been settled by somebody else or by the night."""


class SubmissionUsed(CannotRecordContact):
    """The key of the form was used for another contact."""


class IncompleteOutcome(CannotRecordContact):
    """The outcome asks for something that is missing or cannot be right."""


class NotByMessage(CannotRecordContact):
    """A message cannot settle what was ticked, or may not be sent."""


@dataclass(frozen=True)
class NextStepDraft:
    """What a contact asks of another desk, as it was entered on the card.

    An appointment has ``wanted_at``, a complaint ``severity``; a referral names the friend in ``payload``: ``name``,
    ``mobile`` and ``consent_note``, how the friend agreed to be contacted (domain §11.1). ``vehicle`` is a car of the
    customer, by id; without one it is the car that the contact was about, if that is one.
    """

    kind: str
    severity: str = ""
    wanted_at: datetime | None = None
    detail: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    vehicle: int | None = None


@dataclass(frozen=True)
class BatchResult:
    """Of a batch: touch points settled, customers written to, and touch points held back by the customers' wishes."""

    sent: int
    customers: int
    held_back: int


@dataclass
class _Card:
    """What one call of ``record_contact`` works on."""

    customer: Customer
    by: User
    now: datetime
    channel: str
    outcome: str
    points: list[TouchPoint]
    ticked: frozenset[int]
    drafts: Sequence[NextStepDraft]
    vehicle: Vehicle | None = None
    # The store's own versions of rules, by code.
    own_rules: Mapping[str, CareRule] = field(default_factory=dict)

    @property
    def here(self) -> datetime:
        """Now, by the store's clock."""
        return local_time(self.now, self.customer.store.time_zone)

    @property
    def on(self) -> date:
        return self.here.date()

    @property
    def ticked_points(self) -> list[TouchPoint]:
        return [point for point in self.points if point.pk in self.ticked]

    def rule_of(self, point: TouchPoint) -> CareRule:
        """What the care plan of the store says now about a touch point."""
        return self.own_rules.get(point.rule.code, point.rule)

    def live_points(self) -> list[LivePoint]:
        """The points as the rules see them, in the same order."""
        return [_live_point(point, self.rule_of(point)) for point in self.points]


# --- One contact --------------------------------------------------------------------------------------------------


@transaction.atomic
def record_contact(
    *,
    touch_points: Sequence[int],
    customer: Customer,
    by: User,
    now: datetime,
    channel: str,
    outcome: str,
    note: str = "",
    submission: UUID | None = None,
    agreed_at: datetime | None = None,
    next_steps: Sequence[NextStepDraft] = (),
    corrected_mobile: str = "",
    car_status: str = "",
    vehicle: int | None = None,
    reason: str = "",
    win_back_reason: str = "",
    do_not_contact: str = "",
    serviced_on: date | None = None,
    serviced_km: int | None = None,
    is_inbound: bool = False,
) -> ContactLog:
    """Save what happened at a contact with a customer and carry out what follows from it (domain §3.4, §3.6).

    ``touch_points`` are the reasons that were ticked, by id; none is a contact without an occasion. What the outcome
    asks for must be there (``rules.needs_of``): ``agreed_at`` for another time, a draft in ``next_steps`` for an
    appointment, complaint or referral, ``reason``, ``vehicle`` and ``car_status``, ``win_back_reason`` after a wake-up
    call. ``do_not_contact`` may be set with any outcome; a refusal means "no marketing" unless it says more.
    ``corrected_mobile`` likewise replaces the number with any outcome. ``serviced_on`` and ``serviced_km`` tell of a
    service done elsewhere (today, unknown mileage, unless said).

    The customer's lease ends. The same ``submission`` again returns the first contact and changes nothing, also when
    both arrive at the same time. Raises subclasses of ``CannotRecordContact``; then nothing is changed.
    """
    customer = locked(Customer.objects.select_related("store")).get(pk=customer.pk)
    if submission is not None and (first := ContactLog.objects.filter(submission=submission).first()) is not None:
        if first.customer_id != customer.pk:
            raise SubmissionUsed(_("This form was used for another customer. Open the card again."))
        return first
    if not can_work(by, customer):
        raise NotYourContact(_("This customer is not yours to call; ask a manager to assign them to you."))
    if outcome in TELLS_OF_CAR:
        # Cars before touch points (ADR 0011); which of them it is, the touch points tell.
        list(locked(Vehicle.objects.filter(owner=customer)).values_list("pk"))
    card = _card(customer, by=by, now=now, channel=channel, outcome=outcome, ticked=touch_points, drafts=next_steps)
    _check_lease(card)
    _check_ticks(card)
    card.vehicle = _car_of(card, vehicle)
    needs = needs_of(outcome, (card.rule_of(point).trigger for point in card.ticked_points))
    _check_needs(card, needs, agreed_at, reason=reason, win_back_reason=win_back_reason, car_status=car_status)
    for draft in next_steps:
        _check_draft(draft, now=now)
    mobile = _checked_mobile(customer, corrected_mobile)
    if outcome == Outcome.MESSAGE_SENT:
        _check_message(card)
    level = _level_of(card, do_not_contact)

    happened = _happened(card, agreed_at=agreed_at, is_number_corrected=bool(mobile), level=level)
    before = card.live_points()
    after = settle(before, happened)
    settled = [point for point in after if point.is_settled and point.id in card.ticked]
    log = ContactLog.objects.create(
        store=customer.store,
        customer=customer,
        by=by,
        at=now,
        on=card.on,
        channel=channel,
        is_inbound=is_inbound,
        outcome=outcome,
        is_effective=OUTCOMES[outcome].is_effective,
        is_marketing_message=outcome == Outcome.MESSAGE_SENT and any(_is_marketing(point) for point in settled),
        reason=reason.strip()[:200],
        win_back_reason=win_back_reason,
        note=note.strip(),
        submission=submission,
    )
    _write(card.points, before, after, log)
    with acting(by):
        _keep_contact_dates(card, settled, is_inbound=is_inbound)
        if mobile:
            _correct_number(card, mobile)
        elif outcome == Outcome.WRONG_NUMBER:
            update_customer(customer=customer, values={"is_mobile_wrong": True}, by=by)
        if level != DoNotContact.NONE:
            words = reason.strip() or note.strip() or _("Said so at a contact on %(day)s.") % {"day": card.on}
            set_do_not_contact(customer=customer, level=DoNotContact(level), reason=words, on=card.on, by=by)
        _tell_of_car(card, car_status=car_status, serviced_on=serviced_on, serviced_km=serviced_km)
        _add_next_steps(card, log, is_number_corrected=bool(mobile))
    QueueLease.objects.filter(customer=customer).delete()
    return log


@transaction.atomic
def skip(*, customer: Customer, by: User, now: datetime, reason: str) -> ContactLog:
    """Put a customer off for two hours and remember why; the lease ends (screens S2).

    It is no contact: nothing else changes. Raises ``NotYourContact``, ``CustomerHeldByOther``, ``IncompleteOutcome``
    without a reason, and ``SettledMeanwhile`` when nothing is left to put off.
    """
    customer = locked(Customer.objects.select_related("store")).get(pk=customer.pk)
    if not can_skip(by, customer):
        raise NotYourContact(_("This customer is not yours to call; ask a manager to assign them to you."))
    if not reason.strip():
        raise IncompleteOutcome(_("Say why you skip this customer."), Need.REASON.value)
    card = _card(customer, by=by, now=now, channel="", outcome=Outcome.SKIPPED)
    _check_lease(card)
    leads = [p for p in card.points if p.handling == Handling.CONTACT and p.status == TouchPointStatus.OPEN]
    if not leads:
        raise SettledMeanwhile(_("Nothing is open for this customer any more."))
    card.channel = leads[0].channel or card.rule_of(leads[0]).channels[0]
    before = card.live_points()
    after = settle(before, _happened(card, agreed_at=None, is_number_corrected=False, level=DoNotContact.NONE))
    log = ContactLog.objects.create(
        store=customer.store,
        customer=customer,
        by=by,
        at=now,
        on=card.on,
        channel=card.channel,
        outcome=Outcome.SKIPPED,
        is_effective=False,
        reason=reason.strip()[:200],
    )
    _write(card.points, before, after, log)
    QueueLease.objects.filter(customer=customer).delete()
    return log


# --- What is there, and whether it may be saved -------------------------------------------------------------------


def _card(
    customer: Customer,
    *,
    by: User,
    now: datetime,
    channel: str,
    outcome: str,
    ticked: Iterable[int] = (),
    drafts: Sequence[NextStepDraft] = (),
) -> _Card:
    """Lock the customer's live touch points and return what the contact works on."""
    live = TouchPoint.objects.filter(customer=customer).live().select_related("rule")
    points = list(locked(live))
    own = CareRule.objects.own_of(customer.store_id, codes={point.rule.code for point in points})
    return _Card(
        customer=customer,
        by=by,
        now=now,
        channel=channel,
        outcome=outcome,
        points=points,
        ticked=frozenset(ticked),
        drafts=drafts,
        own_rules={rule.code: rule for rule in own},
    )


def _check_lease(card: _Card) -> None:
    lease = locked(QueueLease.objects.filter(customer=card.customer).select_related("holder")).first()
    if lease is not None and lease.holder_id != card.by.pk and lease.expires_at > card.now:
        raise CustomerHeldByOther(
            _("%(holder)s is working on this customer now. Your note is kept; save it again later.")
            % {"holder": lease.holder}
        )


def _check_ticks(card: _Card) -> None:
    live = {point.pk for point in card.points}
    gone = card.ticked - live
    if gone and TouchPoint.objects.filter(pk__in=gone, customer=card.customer).count() != len(gone):
        raise WrongTouchPoint(_("One of the reasons belongs to another customer. Open the card again."))
    if card.ticked and not card.ticked & live:
        raise SettledMeanwhile(_("These reasons have been settled meanwhile. Go on to the next customer."))
    if any(point.handling != Handling.CONTACT for point in card.ticked_points):
        raise WrongTouchPoint(_("Lists, forms and messages to many are settled on their own pages."))


def _car_of(card: _Card, vehicle: int | None) -> Vehicle | None:
    """Return the car that the contact is about: the given one, the only one among the ticks, or the only one in use."""
    cars = Vehicle.objects.filter(owner=card.customer).order_by("pk")
    if vehicle is not None:
        car = cars.filter(pk=vehicle).first()
        if car is None:
            raise IncompleteOutcome(_("This car does not belong to the customer."), Need.VEHICLE.value)
        return car
    about = {point.vehicle_id for point in card.ticked_points if point.vehicle_id is not None}
    if len(about) == 1:
        return cars.filter(pk__in=about).first()
    in_use = list(cars.filter(status=VehicleStatus.IN_USE)[:2]) if not about else []
    return in_use[0] if len(in_use) == 1 else None


def _check_needs(
    card: _Card,
    needs: Iterable[Need],
    agreed_at: datetime | None,
    *,
    reason: str,
    win_back_reason: str,
    car_status: str,
) -> None:
    kinds = {draft.kind for draft in card.drafts}
    is_there = {
        Need.AGREED_AT: agreed_at is not None,
        Need.APPOINTMENT: NextStepKind.APPOINTMENT in kinds,
        Need.COMPLAINT: NextStepKind.COMPLAINT in kinds,
        Need.REFERRAL: NextStepKind.REFERRAL in kinds,
        Need.REASON: bool(reason.strip()),
        Need.VEHICLE: card.vehicle is not None,
        Need.CAR_STATUS: car_status in set(VehicleStatus.values) - {VehicleStatus.IN_USE},
        Need.WIN_BACK_REASON: win_back_reason in WinBackReason.values,
    }
    for need in sorted(needs, key=list(Need).index):
        if not is_there[need]:
            raise IncompleteOutcome(_sentence(need), need.value)
    if win_back_reason and win_back_reason not in WinBackReason.values:
        raise IncompleteOutcome(_sentence(Need.WIN_BACK_REASON), Need.WIN_BACK_REASON.value)
    if card.outcome == Outcome.LATER and agreed_at is not None:
        _check_agreed_at(card, agreed_at)


def _sentence(need: Need) -> str:
    return {
        Need.AGREED_AT: _("Enter the day and time that you agreed on."),
        Need.APPOINTMENT: _("Enter the day and time of the visit."),
        Need.COMPLAINT: _("A grievance is saved together with its complaint: enter how severe it is."),
        Need.REFERRAL: _("Enter the friend's name and mobile."),
        Need.REASON: _("Enter the reason."),
        Need.VEHICLE: _("The customer has several cars: say which one."),
        Need.CAR_STATUS: _("Say what became of the car."),
        Need.WIN_BACK_REASON: _("After a wake-up call, choose why the customer stayed away."),
    }[need]


def _check_agreed_at(card: _Card, agreed_at: datetime) -> None:
    here = local_time(agreed_at, card.customer.store.time_zone)
    if agreed_at <= card.now:
        raise IncompleteOutcome(_("The agreed time is past. Enter one that is still to come."), Need.AGREED_AT.value)
    if agreed_at - card.now > FURTHEST_AGREED:
        raise IncompleteOutcome(_("Agree a time within the next 60 days."), Need.AGREED_AT.value)
    if not is_allowed_time(here, card.channel, is_agreed=True):
        if card.channel in MESSAGE_CHANNELS:
            message = _("Messages are sent between 9:00 and 20:00. Agree another time.")
        else:
            message = _("Customers are called from 9:00 to 12:00 and from 14:00 to 20:00. Agree another time.")
        raise IncompleteOutcome(message, Need.AGREED_AT.value)


def _check_draft(draft: NextStepDraft, *, now: datetime) -> None:
    if draft.kind not in NextStepKind.values:
        raise IncompleteOutcome(_("There is no such next step."), "next_steps")
    if draft.kind == NextStepKind.COMPLAINT and draft.severity not in Severity.values:
        raise IncompleteOutcome(_sentence(Need.COMPLAINT), Need.COMPLAINT.value)
    if draft.kind == NextStepKind.APPOINTMENT:
        if draft.wanted_at is None:
            raise IncompleteOutcome(_sentence(Need.APPOINTMENT), Need.APPOINTMENT.value)
        if draft.wanted_at <= now:
            raise IncompleteOutcome(_("The visit must be still to come."), Need.APPOINTMENT.value)
    if draft.kind == NextStepKind.REFERRAL:
        if not str(draft.payload.get("name", "")).strip():
            raise IncompleteOutcome(_sentence(Need.REFERRAL), Need.REFERRAL.value)
        if not is_mobile(normalise_mobile(str(draft.payload.get("mobile", "")))):
            raise IncompleteOutcome(_("The friend's mobile is not a mobile number."), Need.REFERRAL.value)
        if not str(draft.payload.get("consent_note", "")).strip():
            raise IncompleteOutcome(_("Note how the friend agreed to be contacted."), Need.REFERRAL.value)


def _checked_mobile(customer: Customer, corrected_mobile: str) -> str:
    """Return the corrected number, normalised, or '' when none was entered."""
    if not corrected_mobile.strip():
        return ""
    mobile = normalise_mobile(corrected_mobile)
    if not is_mobile(mobile):
        raise IncompleteOutcome(_("This is not a mobile number: 11 digits, beginning with 13 to 19."), "mobile")
    if mobile == customer.mobile:
        raise IncompleteOutcome(_("This is the number that is on file."), "mobile")
    return mobile


def _check_message(card: _Card) -> None:
    if card.channel not in MESSAGE_CHANNELS:
        raise NotByMessage(_("Choose how the message was sent: SMS, WeChat, e-mail …"), "channel")
    if card.channel in card.customer.refused_channels:
        raise NotByMessage(_("The customer has withdrawn consent for this channel."), "channel")
    maximum = card.customer.store.max_attempts
    points = [point for point in card.live_points() if point.id in card.ticked]
    if points and not any(can_settle_by_message(point, card.channel, maximum) for point in points):
        raise NotByMessage(_("What is ticked needs a call; a message by this channel does not settle it."), "channel")


def _level_of(card: _Card, do_not_contact: str) -> str:
    """Return the do-not-contact level to set: never a weaker one than the customer has asked for before."""
    asked = do_not_contact or (DoNotContact.MARKETING if card.outcome == Outcome.REFUSED else DoNotContact.NONE)
    if asked not in DoNotContact.values or (card.outcome == Outcome.REFUSED and asked == DoNotContact.NONE):
        raise IncompleteOutcome(_("Say what the customer refuses: marketing, or everything."), "do_not_contact")
    if card.customer.do_not_contact == DoNotContact.ALL_BUT_SAFETY and asked != DoNotContact.NONE:
        return DoNotContact.ALL_BUT_SAFETY
    return asked


# --- Carrying it out ----------------------------------------------------------------------------------------------


def _happened(card: _Card, *, agreed_at: datetime | None, is_number_corrected: bool, level: str) -> Happened:
    store = card.customer.store
    severities = [draft.severity for draft in card.drafts if draft.kind == NextStepKind.COMPLAINT]
    return Happened(
        outcome=card.outcome,
        channel=card.channel,
        now=card.here,
        ticked=card.ticked,
        max_attempts=store.max_attempts,
        gap_days=store.gap_days,
        agreed_at=local_time(agreed_at, store.time_zone) if agreed_at is not None else None,
        is_number_corrected=is_number_corrected,
        vehicle_id=card.vehicle.pk if card.vehicle is not None else None,
        do_not_contact=level,
        complaint=max(severities, default=""),
        refused_channels=frozenset(card.customer.refused_channels),
        calendar=work_calendar(card.on, card.on + CALENDAR_AHEAD),
    )


def _live_point(point: TouchPoint, rule: CareRule) -> LivePoint:
    return LivePoint(
        id=point.pk,
        status=point.status,
        priority=point.priority,
        anchor_on=point.anchor_on,
        nominal_on=point.nominal_on,
        closes_on=point.closes_on,
        trigger=rule.trigger,
        care_class=rule.care_class,
        handling=point.handling,
        channels=tuple(rule.channels),
        channel=point.channel,
        covered_days=rule.covered_days,
        ignores_gap=rule.ignores_gap,
        is_held_by_complaint=rule.is_held_by_complaint,
        vehicle_id=point.vehicle_id,
        lead_id=point.lead_id,
        not_before=point.not_before,
        attempts=point.attempts,
        reason=point.reason,
        closed_on=point.closed_on,
    )


_WRITTEN = ("status", "reason", "lead", "not_before", "attempts", "channel", "closes_on", "closed_on", "settled_by")


def _write(
    points: Sequence[TouchPoint], before: Sequence[LivePoint], after: Sequence[LivePoint], log: ContactLog
) -> None:
    """Write the points that the contact changed, in one statement."""
    changed = []
    for row, old, new in zip(points, before, after, strict=True):
        if old == new:
            continue
        row.status, row.reason, row.lead_id = new.status, new.reason, new.lead_id
        row.not_before, row.attempts, row.channel = new.not_before, new.attempts, new.channel
        row.closes_on, row.closed_on = new.closes_on, new.closed_on
        if new.is_settled:
            row.settled_by = log
        changed.append(row)
    if changed:
        TouchPoint.objects.bulk_update(changed, _WRITTEN)


def _is_marketing(point: LivePoint) -> bool:
    # A greeting sells nothing and is exempt from the limits (domain §3.6, 3).
    return point.care_class == CareClass.MARKETING and not point.ignores_gap


def _keep_contact_dates(card: _Card, settled: Sequence[LivePoint], *, is_inbound: bool) -> None:
    rule = OUTCOMES[card.outcome]
    dates = {}
    if rule.is_effective:
        dates["last_effective_contact_on"] = Greatest("last_effective_contact_on", Value(card.on))
    is_greeting = card.outcome == Outcome.MESSAGE_SENT and bool(settled) and all(p.ignores_gap for p in settled)
    if rule.is_proactive and not is_inbound and not is_greeting:
        dates["last_proactive_contact_on"] = Greatest("last_proactive_contact_on", Value(card.on))
    if dates:
        Customer.objects.filter(pk=card.customer.pk).update(**dates)


def _correct_number(card: _Card, mobile: str) -> None:
    update_customer(customer=card.customer, values={"mobile": mobile}, by=card.by)
    waiting = NextStep.objects.filter(customer=card.customer, kind=NextStepKind.NUMBER_CORRECTION).open()
    waiting.update(done_at=card.now, done_by=card.by)


def _tell_of_car(card: _Card, *, car_status: str, serviced_on: date | None, serviced_km: int | None) -> None:
    if card.vehicle is None:
        return
    if card.outcome == Outcome.CAR_GONE:
        change_status(vehicle=card.vehicle, status=VehicleStatus(car_status), on=card.on, by=card.by)
    elif card.outcome == Outcome.SERVICED_ELSEWHERE:
        day = serviced_on or card.on
        if day > card.on or (card.vehicle.delivery_on is not None and day < card.vehicle.delivery_on):
            raise IncompleteOutcome(_("The service lies between the delivery of the car and today."), "serviced_on")
        service_done_elsewhere(vehicle=card.vehicle, on=day, km=serviced_km, by=card.by, known_on=card.on)


def _add_next_steps(card: _Card, log: ContactLog, *, is_number_corrected: bool) -> None:
    drafts = list(card.drafts)
    made = OUTCOMES[card.outcome].makes
    if made is not None and not is_number_corrected and made not in {draft.kind for draft in drafts}:
        # A correction that is already asked for is not asked for twice.
        is_correction = made in (NextStepKind.NUMBER_CORRECTION, NextStepKind.OWNER_CORRECTION)
        if not (is_correction and NextStep.objects.filter(customer=card.customer, kind=made).open().exists()):
            drafts.append(NextStepDraft(made, detail=log.note))
    cars = {draft.vehicle for draft in drafts if draft.vehicle is not None}
    if cars and Vehicle.objects.filter(pk__in=cars, owner=card.customer).count() != len(cars):
        raise IncompleteOutcome(_("This car does not belong to the customer."), Need.VEHICLE.value)
    about = card.vehicle.pk if card.vehicle is not None else None
    NextStep.objects.bulk_create(
        NextStep(
            store_id=card.customer.store_id,
            customer=card.customer,
            vehicle_id=draft.vehicle if draft.vehicle is not None else about,
            contact=log,
            kind=draft.kind,
            severity=draft.severity if draft.kind == NextStepKind.COMPLAINT else "",
            wanted_at=draft.wanted_at,
            detail=(draft.detail.strip() or log.note)[:500],
            payload=_payload_of(draft),
            created_at=card.now,
        )
        for draft in drafts
    )


def _payload_of(draft: NextStepDraft) -> dict[str, Any]:
    payload = dict(draft.payload)
    if draft.kind == NextStepKind.REFERRAL:
        payload["name"] = str(payload["name"]).strip()
        payload["mobile"] = normalise_mobile(str(payload["mobile"]))
    return payload


# --- Many at once -------------------------------------------------------------------------------------------------


@transaction.atomic
def mark_batch_sent(*, touch_points: TouchPointQuerySet, by: User, now: datetime, channel: str) -> BatchResult:
    """Record that a message was sent to the customers of open touch points handled in batches, however many.

    ``touch_points`` is any queryset of them (a rule, a day, a store, without those that were un-ticked); only those of
    stores whose pool ``by`` may work are taken. One contact a customer, however many touch points it settles. Customers
    who asked not to be contacted, or refused the channel, since the night are held back: their touch points end
    suppressed with the reason. Raises ``NotByMessage`` and ``NotYourContact``.
    """
    if channel not in MESSAGE_CHANNELS:
        raise NotByMessage(_("Choose how the message was sent: SMS, WeChat, e-mail …"), "channel")
    stores = pool_store_ids(by)
    if not stores:
        raise NotYourContact(_("Messages to many are sent by customer-care specialists and managers."))
    picked = touch_points.open().filter(handling=Handling.BATCH, store_id__in=stores).order_by("pk")
    # Customers before touch points, as for a single contact (ADR 0011): who saves a card meanwhile waits.
    whom = locked(Customer.objects.filter(pk__in=picked.order_by().values("customer")))
    customer_ids = list(whom.values_list("pk", flat=True))
    if not customer_ids:
        return BatchResult(sent=0, customers=0, held_back=0)
    sql, params = locked(picked.filter(customer__in=customer_ids)).values("pk").query.sql_with_params()
    with acting(by), connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH picked (id) AS MATERIALIZED ({sql}),
            verdict AS MATERIALIZED (
                SELECT point.id, point.customer_id, point.store_id, rule.ignores_gap,
                       rule.care_class = %s AND NOT rule.ignores_gap AS is_marketing,
                       (%s AT TIME ZONE store.time_zone)::date AS today,
                       CASE WHEN customer.status <> %s THEN %s
                            WHEN customer.do_not_contact = %s AND rule.care_class <> %s THEN %s
                            WHEN customer.do_not_contact = %s AND rule.care_class = %s THEN %s
                            WHEN %s = ANY(customer.refused_channels) THEN %s
                            ELSE '' END AS refusal
                FROM followups_touchpoint AS point
                JOIN followups_carerule AS filed ON filed.id = point.rule_id
                JOIN LATERAL (
                    SELECT own.* FROM followups_carerule AS own
                    WHERE own.code = filed.code AND (own.store_id = point.store_id OR own.id = filed.id)
                    ORDER BY own.store_id NULLS LAST LIMIT 1
                ) AS rule ON true
                JOIN customers_customer AS customer ON customer.id = point.customer_id
                JOIN accounts_store AS store ON store.id = point.store_id
                WHERE point.id IN (SELECT picked.id FROM picked)
            ),
            held_back AS (
                UPDATE followups_touchpoint AS point
                SET status = %s, reason = verdict.refusal, closed_on = verdict.today, not_before = NULL
                FROM verdict WHERE point.id = verdict.id AND verdict.refusal <> ''
                RETURNING point.id
            ),
            contact AS (
                INSERT INTO followups_contactlog
                    (store_id, customer_id, by_id, at, contact_on, channel, is_inbound, outcome, is_effective,
                     is_marketing_message, reason, win_back_reason, note)
                SELECT min(store_id), customer_id, %s, %s, min(today), %s, false, %s, false,
                       bool_or(is_marketing), '', '', ''
                FROM verdict WHERE refusal = '' GROUP BY customer_id ORDER BY customer_id
                RETURNING id, customer_id
            ),
            sent AS (
                UPDATE followups_touchpoint AS point
                SET status = %s, closed_on = verdict.today, not_before = NULL, settled_by_id = contact.id
                FROM verdict JOIN contact USING (customer_id)
                WHERE point.id = verdict.id AND verdict.refusal = ''
                RETURNING point.id
            ),
            dated AS (
                UPDATE customers_customer AS customer
                SET last_proactive_contact_on = GREATEST(customer.last_proactive_contact_on, reached.today)
                FROM (
                    SELECT customer_id, max(today) AS today FROM verdict
                    WHERE refusal = '' AND NOT ignores_gap GROUP BY customer_id
                ) AS reached
                WHERE customer.id = reached.customer_id
                RETURNING customer.id
            )
            SELECT (SELECT count(*) FROM sent), (SELECT count(*) FROM contact), (SELECT count(*) FROM held_back)
            """,  # noqa: S608 - the inner statement is composed by Django, with parameters
            [
                *params,
                CareClass.MARKETING,
                now,
                CustomerStatus.ACTIVE,
                Reason.CUSTOMER_NOT_IN_CARE,
                *(DoNotContact.ALL_BUT_SAFETY, CareClass.LEGAL, Reason.DO_NOT_CONTACT),
                *(DoNotContact.MARKETING, CareClass.MARKETING, Reason.NO_MARKETING),
                *(channel, Reason.CHANNELS_REFUSED),
                TouchPointStatus.SUPPRESSED,
                *(by.pk, now, channel, Outcome.MESSAGE_SENT),
                TouchPointStatus.DONE,
            ],
        )
        sent, customers, held_back = cursor.fetchone()
    return BatchResult(sent=sent, customers=customers, held_back=held_back)


@transaction.atomic
def mark_handled(*, touch_points: Sequence[int], by: User, now: datetime) -> int:
    """Close open lists and internal forms that were dealt with; return how many. No customer was contacted.

    Raises ``NotYourContact`` when one of them is not the work of ``by`` (``is_in_charge``), and ``WrongTouchPoint`` for
    one that needs a contact; then nothing is closed. Those closed before stay as they are. The number of statements
    depends on the time zones of the stores alone.
    """
    rows = locked(TouchPoint.objects.filter(pk__in=touch_points).open())
    points = list(rows.values_list("pk", "handling", "store__time_zone"))
    if not {handling for _pk, handling, _zone in points} <= {Handling.LIST, Handling.FORM}:
        raise WrongTouchPoint(_("This one is settled by a contact with the customer."))
    found = TouchPoint.objects.filter(pk__in=[pk for pk, _handling, _zone in points])
    if found.in_charge_of(by).count() != len(points):
        raise NotYourContact(_("This customer is not yours to call; ask a manager to assign them to you."))
    for zone in sorted({zone for _pk, _handling, zone in points}):
        found.filter(store__time_zone=zone).update(
            status=TouchPointStatus.DONE,
            reason=Reason.BY_HAND,
            not_before=None,
            closed_on=local_time(now, zone).date(),
        )
    return len(points)
