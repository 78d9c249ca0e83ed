"""The card: what a contact works on, and whether it may be saved as it was entered (domain §3.4)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import locked
from customers.choices import Channel, DoNotContact
from customers.models import ContactPerson, Customer
from customers.rules import is_mobile, normalise_mobile
from followups.choices import Handling, NextStepKind, Outcome, Severity, WinBackReason
from followups.models import CareRule, NextStep, QueueLease, TouchPoint
from followups.rules.hours import MESSAGE_CHANNELS, is_allowed_time, local_time
from followups.rules.outcomes import AFTER_SERVICE_TRIGGER, OUTCOMES, Need
from followups.rules.settling import LivePoint, can_settle_by_message
from service.models import WorkOrder
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle

# How far ahead another time may be agreed: beyond it is a wish for the file, not a promise to call.
FURTHEST_AGREED = timedelta(days=60)


class CannotRecordContact(Exception):
    """The contact cannot be saved as it is; the message says what to do, ``field`` which entry it is about."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotYourContact(CannotRecordContact):
    """The person does not work for this customer (see ``can_work``)."""


class NotByReceiver(CannotRecordContact):
    """A call after a service is never made by the adviser who received the car (domain §3.2 PV)."""


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


class RefusedChannel(CannotRecordContact):
    """The customer withdrew the consent to be contacted in this way (domain §3.6, 1)."""


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


@dataclass
class Card:
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
    # Channels that the customer refuses at this contact.
    refused_channels: Sequence[str] = ()
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
        """What was spoken about: the ticked ones whose window has opened."""
        return [point for point in self.points if point.pk in self.ticked and point.opens_on <= self.on]

    def rule_of(self, point: TouchPoint) -> CareRule:
        """What the care plan of the store says now about a touch point."""
        return self.own_rules.get(point.rule.code, point.rule)

    def live_points(self) -> list[LivePoint]:
        """The points as the rules see them, in the same order."""
        zone = self.customer.store.time_zone
        return [_live_point(point, self.rule_of(point), time_zone=zone) for point in self.points]


def _live_point(point: TouchPoint, rule: CareRule, *, time_zone: str) -> LivePoint:
    return LivePoint(
        id=point.pk,
        status=point.status,
        priority=point.priority,
        anchor_on=point.anchor_on,
        nominal_on=point.nominal_on,
        opens_on=point.opens_on,
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
        not_before=local_time(point.not_before, time_zone) if point.not_before is not None else None,
        attempts=point.attempts,
        reason=point.reason,
        closed_on=point.closed_on,
    )


def open_card(
    customer: Customer,
    *,
    by: User,
    now: datetime,
    channel: str,
    outcome: str,
    ticked: Iterable[int] = (),
    drafts: Sequence[NextStepDraft] = (),
) -> Card:
    """Lock the customer's live touch points and return what the contact works on.

    All of them, also those whose window has not opened: they are regrouped with the others.
    """
    live = TouchPoint.objects.filter(customer=customer).live().select_related("rule")
    points = list(locked(live))
    own = CareRule.objects.own_of(customer.store_id, codes={point.rule.code for point in points})
    return Card(
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


def check_lease(card: Card) -> None:
    """Raise ``CustomerHeldByOther`` while somebody else has the customer on the screen; lock the lease."""
    lease = locked(QueueLease.objects.filter(customer=card.customer).select_related("holder")).first()
    if lease is not None and lease.holder_id != card.by.pk and lease.expires_at > card.now:
        raise CustomerHeldByOther(
            _("%(holder)s is working on this customer now. Your note is kept; save it again later.")
            % {"holder": lease.holder}
        )


def check_ticks(card: Card) -> None:
    """Raise ``WrongTouchPoint`` for a tick that does not belong here, ``SettledMeanwhile`` when none is live.

    And ``NotByReceiver`` for a call after a service that is a colleague's.
    """
    live = {point.pk for point in card.points}
    gone = card.ticked - live
    if gone and TouchPoint.objects.filter(pk__in=gone, customer=card.customer).count() != len(gone):
        raise WrongTouchPoint(_("One of the reasons belongs to another customer. Open the card again."))
    if card.ticked and not card.ticked_points:
        raise SettledMeanwhile(_("These reasons have been settled meanwhile. Go on to the next customer."))
    if any(point.handling != Handling.CONTACT for point in card.ticked_points):
        raise WrongTouchPoint(_("Lists, forms and messages to many are settled on their own pages."))
    calls = [point.pk for point in card.ticked_points if point.rule.trigger == AFTER_SERVICE_TRIGGER]
    if calls and TouchPoint.objects.filter(pk__in=calls).received_by(card.by).exists():
        raise NotByReceiver(_("You received this car: a colleague makes the call after the service. Un-tick it."))


def car_of(card: Card, vehicle: int | None, needs: Collection[Need]) -> Vehicle | None:
    """Return the car that the contact is about: the given one, the only one among the ticks, or the only one in use.

    None also where nothing that follows from the contact depends on it.
    """
    if vehicle is None and Need.VEHICLE not in needs and not card.drafts and not OUTCOMES[card.outcome].makes:
        return None
    cars = Vehicle.objects.filter(owner=card.customer).order_by("pk")
    if vehicle is not None:
        car = cars.filter(pk=vehicle, status=VehicleStatus.IN_USE).first()
        if car is None:
            raise IncompleteOutcome(_("This car is not the customer's, or is no longer in use."), Need.VEHICLE.value)
        return car
    about = {point.vehicle_id for point in card.ticked_points if point.vehicle_id is not None}
    if len(about) == 1:
        return cars.filter(pk__in=about).first()
    in_use = list(cars.filter(status=VehicleStatus.IN_USE)[:2]) if not about else []
    return in_use[0] if len(in_use) == 1 else None


def check_needs(
    card: Card,
    needs: Iterable[Need],
    agreed_at: datetime | None,
    *,
    reason: str,
    win_back_reason: str,
    car_status: str,
) -> None:
    """Raise ``IncompleteOutcome`` for the first thing that the outcome asks for and that is missing or cannot be."""
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


def _check_agreed_at(card: Card, agreed_at: datetime) -> None:
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


def check_draft(draft: NextStepDraft, *, now: datetime) -> None:
    """Raise ``IncompleteOutcome`` for a next step that its desk could not take over."""
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


def person_of(customer: Customer, person: int | None) -> ContactPerson | None:
    """Return whose number a contact is about: a contact person of the customer, or None for the customer's own."""
    if person is None:
        return None
    found = customer.contact_persons.filter(pk=person).first()
    if found is None:
        raise IncompleteOutcome(_("This contact person is no longer on the customer's file."), "person")
    return found


def checked_mobile(whose: Customer | ContactPerson, corrected_mobile: str) -> str:
    """Return the corrected number, normalised, or '' when none was entered."""
    if not corrected_mobile.strip():
        return ""
    mobile = normalise_mobile(corrected_mobile)
    if not is_mobile(mobile):
        raise IncompleteOutcome(_("This is not a mobile number: 11 digits, beginning with 13 to 19."), "mobile")
    if mobile == whose.mobile:
        raise IncompleteOutcome(_("This is the number that is on file."), "mobile")
    return mobile


def check_channel(card: Card, *, is_inbound: bool) -> None:
    """Raise ``RefusedChannel`` for a contact by us in a way that the customer refused (domain §3.6, 1).

    What the customer began may be answered: a contact of their own, an open complaint, a car in the workshop.
    """
    if is_inbound and card.outcome in (Outcome.NOT_REACHED, Outcome.MESSAGE_SENT):
        raise IncompleteOutcome(_("Who contacts us has been spoken to: choose another outcome."), "outcome")
    if is_inbound or card.channel not in card.customer.refused_channels:
        return
    complaints = NextStep.objects.filter(customer=card.customer, kind=NextStepKind.COMPLAINT).open()
    orders = WorkOrder.objects.filter(customer=card.customer, handed_over_on=None)
    if complaints.exists() or orders.exists():
        return
    raise RefusedChannel(
        _(
            "The customer has refused to be contacted by %(channel)s. Choose the way the contact was made, or say that "
            "the customer contacted you."
        )
        % {"channel": Channel(card.channel).label},
        "channel",
    )


def check_message(card: Card) -> None:
    """Raise ``NotByMessage`` unless a message by the card's channel may be sent and settles something."""
    if card.channel not in MESSAGE_CHANNELS:
        raise NotByMessage(_("Choose how the message was sent: SMS, WeChat, e-mail …"), "channel")
    maximum = card.customer.store.max_retries
    spoken_about = {point.pk for point in card.ticked_points}
    points = [point for point in card.live_points() if point.id in spoken_about]
    if points and not any(can_settle_by_message(point, card.channel, maximum) for point in points):
        raise NotByMessage(_("What is ticked needs a call; a message by this channel does not settle it."), "channel")


def level_of(card: Card, do_not_contact: str) -> str:
    """Return the do-not-contact level to set: never a weaker one than the customer has asked for before.

    Who refuses some channels alone may be contacted by the others, about everything.
    """
    is_refusal = card.outcome == Outcome.REFUSED and not card.refused_channels
    asked = do_not_contact or (DoNotContact.MARKETING if is_refusal else DoNotContact.NONE)
    if asked not in DoNotContact.values or (is_refusal and asked == DoNotContact.NONE):
        raise IncompleteOutcome(_("Say what the customer refuses: marketing, or everything."), "do_not_contact")
    if card.customer.do_not_contact == DoNotContact.ALL_BUT_SAFETY and asked != DoNotContact.NONE:
        return DoNotContact.ALL_BUT_SAFETY
    return asked
