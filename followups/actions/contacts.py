"""Contacts: what happened on a card, and everything that follows from it (domain §3.4, §3.6)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import acting, atomic_again, locked
from core.queries import work_calendar
from customers.actions.files import update_customer
from customers.actions.persons import correct_person_number
from customers.actions.wishes import lock_people, record_consents, set_do_not_contact
from customers.choices import Channel, ConsentPurpose, DoNotContact
from customers.models import ContactPerson, Customer
from customers.rules import normalise_mobile
from followups.actions.cards import (
    Card,
    IncompleteOutcome,
    NextStepDraft,
    NotYourContact,
    SettledMeanwhile,
    SubmissionUsed,
    car_of,
    check_channel,
    check_draft,
    check_lease,
    check_message,
    check_needs,
    check_ticks,
    checked_mobile,
    level_of,
    open_card,
    person_of,
)
from followups.actions.next_steps import close_number_corrections
from followups.choices import CareClass, Handling, NextStepKind, Outcome, TouchPointStatus
from followups.models import ContactLog, NextStep, QueueLease, TouchPoint
from followups.permissions import can_skip, can_work
from followups.rules.hours import local_time
from followups.rules.outcomes import OUTCOMES, Need, needs_of
from followups.rules.settling import Happened, LivePoint, settle
from vehicles.actions import change_status, service_done_elsewhere
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle

# Outcomes that change a car.
TELLS_OF_CAR = (Outcome.CAR_GONE, Outcome.SERVICED_ELSEWHERE)
# Working days are looked up this far ahead; the longest holidays of a year are eight days.
CALENDAR_AHEAD = timedelta(days=30)


@atomic_again
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
    person: int | None = None,
    car_status: str = "",
    vehicle: int | None = None,
    reason: str = "",
    win_back_reason: str = "",
    do_not_contact: str = "",
    refused_channels: Sequence[str] = (),
    serviced_on: date | None = None,
    serviced_km: int | None = None,
    is_inbound: bool = False,
) -> ContactLog:
    """Save what happened at a contact with a customer and carry out what follows from it (domain §3.4, §3.6).

    ``touch_points`` are the reasons that were ticked, by id; none is a contact without an occasion. What the outcome
    asks for must be there (``rules.needs_of``): ``agreed_at`` for another time, a draft in ``next_steps`` for an
    appointment, complaint or referral, ``reason``, ``vehicle`` and ``car_status``, ``win_back_reason`` after a wake-up
    call. ``do_not_contact`` may be set with any outcome; a refusal means "no marketing" unless it says more, or names
    ``refused_channels``: for these consent is withdrawn (domain §3.4), with any outcome.
    ``corrected_mobile`` likewise replaces the number with any outcome; the wrong or corrected number is the contact
    person's that ``person`` says, else the customer's own. ``serviced_on`` and ``serviced_km`` tell of a service done
    elsewhere (today, unknown mileage, unless said).

    The customer's lease ends. The same ``submission`` again returns the first contact and changes nothing, also when
    both arrive at the same time. Raises subclasses of ``CannotRecordContact``; then nothing is changed.
    """
    if do_not_contact or refused_channels or corrected_mobile or outcome == Outcome.REFUSED:
        # A wish holds in all files of the person.
        lock_people([customer.pk], mobiles=[normalise_mobile(corrected_mobile)] if person is None else [])
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
    card = open_card(customer, by=by, now=now, channel=channel, outcome=outcome, ticked=touch_points, drafts=next_steps)
    card.refused_channels = _checked_channels(refused_channels)
    check_lease(card)
    check_ticks(card)
    check_channel(card, is_inbound=is_inbound)
    needs = needs_of(outcome, (card.rule_of(point).trigger for point in card.ticked_points))
    card.vehicle = car_of(card, vehicle, needs)
    check_needs(card, needs, agreed_at, reason=reason, win_back_reason=win_back_reason, car_status=car_status)
    for draft in next_steps:
        check_draft(draft, now=now)
    whose = person_of(customer, person)
    mobile = checked_mobile(whose or customer, corrected_mobile)
    if outcome == Outcome.MESSAGE_SENT:
        check_message(card)
    level = level_of(card, do_not_contact)

    happened = _happened(card, agreed_at=agreed_at, is_number_corrected=bool(mobile), level=level)
    before = card.live_points()
    after = settle(before, happened)
    settled = [point for point in after if point.is_settled and happened.was_about(point)]
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
        if mobile or outcome == Outcome.WRONG_NUMBER:
            _tell_of_number(card, mobile, whose)
        words = reason.strip() or note.strip() or _("Said so at a contact on %(day)s.") % {"day": card.on}
        if level != DoNotContact.NONE:
            set_do_not_contact(customer=customer, level=DoNotContact(level), reason=words, on=card.on, by=by)
        if card.refused_channels:
            # Nothing more by these channels, whatever it is about.
            record_consents(
                customer=customer,
                purposes=(ConsentPurpose.MARKETING, ConsentPurpose.SERVICE),
                channels=[Channel(refused) for refused in card.refused_channels],
                is_given=False,
                at=now,
                by=by,
                evidence=words[:200],
            )
        _tell_of_car(card, car_status=car_status, serviced_on=serviced_on, serviced_km=serviced_km)
        _add_next_steps(card, log, is_number_corrected=bool(mobile), whose=whose)
    QueueLease.objects.filter(customer=customer).delete()
    return log


@atomic_again
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
    card = open_card(customer, by=by, now=now, channel="", outcome=Outcome.SKIPPED)
    check_lease(card)
    open_points = [p for p in card.points if p.handling == Handling.CONTACT and p.status == TouchPointStatus.OPEN]
    leads = [point for point in open_points if point.opens_on <= card.on]
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


# --- Carrying it out ----------------------------------------------------------------------------------------------


def _happened(card: Card, *, agreed_at: datetime | None, is_number_corrected: bool, level: str) -> Happened:
    store = card.customer.store
    severities = [draft.severity for draft in card.drafts if draft.kind == NextStepKind.COMPLAINT]
    return Happened(
        outcome=card.outcome,
        channel=card.channel,
        now=card.here,
        ticked=card.ticked,
        max_retries=store.max_retries,
        gap_days=store.gap_days,
        agreed_at=local_time(agreed_at, store.time_zone) if agreed_at is not None else None,
        is_number_corrected=is_number_corrected,
        vehicle_id=card.vehicle.pk if card.vehicle is not None else None,
        do_not_contact=level,
        complaint=max(severities, default=""),
        refused_channels=frozenset((*card.customer.refused_channels, *card.refused_channels)),
        calendar=work_calendar(card.on, card.on + CALENDAR_AHEAD),
    )


_WRITTEN = ("status", "reason", "lead", "not_before", "attempts", "channel", "closes_on", "closed_on", "settled_by")


def _write(
    points: Sequence[TouchPoint], before: Sequence[LivePoint], after: Sequence[LivePoint], log: ContactLog
) -> None:
    """Write the points that the contact changed, in one statement; for one alone a plain one is composed sooner."""
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
    if len(changed) == 1:
        changed[0].save(update_fields=_WRITTEN)
    elif changed:
        TouchPoint.objects.bulk_update(changed, _WRITTEN)


def _is_marketing(point: LivePoint) -> bool:
    # A greeting sells nothing and is exempt from the limits (domain §3.6, 3).
    return point.care_class == CareClass.MARKETING and not point.ignores_gap


def _keep_contact_dates(card: Card, settled: Sequence[LivePoint], *, is_inbound: bool) -> None:
    rule = OUTCOMES[card.outcome]
    dates = {}
    if rule.is_effective:
        dates["last_effective_contact_on"] = Greatest("last_effective_contact_on", Value(card.on))
    is_greeting = card.outcome == Outcome.MESSAGE_SENT and bool(settled) and all(p.ignores_gap for p in settled)
    if rule.is_proactive and not is_inbound and not is_greeting:
        dates["last_proactive_contact_on"] = Greatest("last_proactive_contact_on", Value(card.on))
    if dates:
        Customer.objects.filter(pk=card.customer.pk).update(**dates)


def _tell_of_number(card: Card, mobile: str, whose: ContactPerson | None) -> None:
    """Correct a number, or note that it is wrong where nobody knows the right one."""
    if whose is not None:
        # A wrong number of theirs says nothing of the organisation's own; who corrects it reads so in the task.
        if mobile:
            close_number_corrections(customer_ids=[card.customer.pk], person=whose.pk, now=card.now, by=card.by)
            correct_person_number(person=whose, mobile=mobile, by=card.by)
    elif mobile:
        close_number_corrections(customer_ids=[card.customer.pk], now=card.now, by=card.by)
        update_customer(customer=card.customer, values={"mobile": mobile}, by=card.by)
    else:
        update_customer(customer=card.customer, values={"is_mobile_wrong": True}, by=card.by)


def _checked_channels(channels: Sequence[str]) -> Sequence[str]:
    if not set(channels) <= set(Channel.values):
        raise IncompleteOutcome(_("There is no such channel."), "refused_channels")
    return channels


def _tell_of_car(card: Card, *, car_status: str, serviced_on: date | None, serviced_km: int | None) -> None:
    if card.vehicle is None:
        return
    if card.outcome == Outcome.CAR_GONE:
        change_status(vehicle=card.vehicle, status=VehicleStatus(car_status), on=card.on, by=card.by)
    elif card.outcome == Outcome.SERVICED_ELSEWHERE:
        day = serviced_on or card.on
        if day > card.on or (card.vehicle.delivery_on is not None and day < card.vehicle.delivery_on):
            raise IncompleteOutcome(_("The service lies between the delivery of the car and today."), "serviced_on")
        service_done_elsewhere(vehicle=card.vehicle, on=day, km=serviced_km, by=card.by, known_on=card.on)


CORRECTIONS = frozenset({NextStepKind.NUMBER_CORRECTION, NextStepKind.OWNER_CORRECTION})


def _add_next_steps(card: Card, log: ContactLog, *, is_number_corrected: bool, whose: ContactPerson | None) -> None:
    drafts = list(card.drafts)
    made = OUTCOMES[card.outcome].makes
    if made is not None and not is_number_corrected and made not in {draft.kind for draft in drafts}:
        drafts.append(NextStepDraft(made, detail=log.note))
    if whose is not None:
        drafts = [_about_person(draft, whose) for draft in drafts]
    if CORRECTIONS.intersection(draft.kind for draft in drafts):
        drafts = _not_asked_for_yet(card, drafts, note=log.note)
    cars = {draft.vehicle for draft in drafts if draft.vehicle is not None}
    if cars and Vehicle.objects.filter(pk__in=cars, owner=card.customer).count() != len(cars):
        raise IncompleteOutcome(_("This car does not belong to the customer."), Need.VEHICLE.value)
    about = card.vehicle.pk if card.vehicle is not None else None
    steps = NextStep.objects.bulk_create(
        NextStep(
            store_id=card.customer.store_id,
            customer=card.customer,
            vehicle_id=draft.vehicle if draft.vehicle is not None else about,
            contact=log,
            kind=draft.kind,
            severity=draft.severity if draft.kind == NextStepKind.COMPLAINT else "",
            wanted_at=draft.wanted_at,
            detail=_detail_of(draft, note=log.note),
            payload=_payload_of(draft),
            created_at=card.now,
        )
        for draft in drafts
    )
    # A referral is two things: the friend is a lead for the sales desk, and who referred them hears what became of it.
    NextStep.objects.bulk_create(
        NextStep(
            store_id=step.store_id,
            customer=card.customer,
            contact=log,
            kind=NextStepKind.LEAD,
            detail=_("Referred friend: %(name)s") % {"name": step.payload["name"]},
            payload={"referral": step.pk},
            created_at=card.now,
        )
        for step in steps
        if step.kind == NextStepKind.REFERRAL
    )


def _about_person(draft: NextStepDraft, person: ContactPerson) -> NextStepDraft:
    """Say in the correction of a number that it is a contact person's."""
    if draft.kind != NextStepKind.NUMBER_CORRECTION:
        return draft
    return replace(draft, payload={**draft.payload, "person": person.pk, "name": person.name})


def _not_asked_for_yet(card: Card, drafts: Sequence[NextStepDraft], *, note: str) -> list[NextStepDraft]:
    """Leave out corrections that are asked for already and that nothing new is said about."""
    asked = NextStep.objects.filter(customer=card.customer, kind__in=CORRECTIONS).open()
    known = {(kind, payload.get("person")) for kind, payload in asked.values_list("kind", "payload")}
    return [
        draft
        for draft in drafts
        if (draft.kind, draft.payload.get("person")) not in known or draft.detail.strip() not in ("", note)
    ]


def _detail_of(draft: NextStepDraft, *, note: str) -> str:
    """Return the words of a next step: its own, else the note; a contact person's number is theirs by name."""
    words = draft.detail.strip() or note
    if draft.kind == NextStepKind.NUMBER_CORRECTION and "person" in draft.payload:
        words = f"{draft.payload['name']}: {words}" if words else str(draft.payload["name"])
    return words[:500]


def _payload_of(draft: NextStepDraft) -> dict[str, Any]:
    payload = dict(draft.payload)
    if draft.kind == NextStepKind.REFERRAL:
        payload["name"] = str(payload["name"]).strip()
        payload["mobile"] = normalise_mobile(str(payload["mobile"]))
    return payload
