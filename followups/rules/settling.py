"""What a contact does to a customer's live touch points (domain §3.4; §3.6, 1, 2, 3 and 5).

Times are local to the store: the caller converts an aware moment first and passes the working days it knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from core.rules import WorkCalendar
from customers.choices import Channel, DoNotContact
from followups.choices import CareClass, Handling, Outcome, Reason, Severity, TouchPointStatus
from followups.rules.hours import CALL_HOURS, MESSAGE_CHANNELS, SKIP_PAUSE, message_channel, next_allowed_time, retry_at
from followups.rules.outcomes import CONTACT_ANCHORED_TRIGGERS, OUTCOMES, SERVICE_TRIGGERS, Ending


@dataclass(frozen=True)
class LivePoint:
    """A live touch point with what its rule says; ``is_settled`` once the contact ended it."""

    id: int
    status: str
    priority: int
    anchor_on: date
    nominal_on: date
    closes_on: date
    trigger: str
    opens_on: date = date.min
    care_class: str = CareClass.SERVICE
    handling: str = Handling.CONTACT
    channels: tuple[str, ...] = (Channel.PHONE,)
    channel: str = Channel.PHONE
    covered_days: int | None = None
    ignores_gap: bool = False
    is_held_by_complaint: bool = False
    vehicle_id: int | None = None
    lead_id: int | None = None
    not_before: datetime | None = None
    attempts: int = 0
    reason: str = Reason.NONE
    closed_on: date | None = None
    is_settled: bool = False

    @property
    def is_live(self) -> bool:
        return self.closed_on is None

    @property
    def reaches_customer(self) -> bool:
        """Whether somebody calls or writes: lists and internal forms are dealt with in the house."""
        return self.handling not in (Handling.LIST, Handling.FORM)

    def ended(self, on: date, status: str, reason: str = Reason.NONE) -> "LivePoint":
        """Return the point, ended by the contact."""
        return replace(self, status=status, reason=reason, closed_on=on, lead_id=None, not_before=None, is_settled=True)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it can be worked off at a moment: the window has opened, and nothing is waited for."""
        return self.opens_on <= now.date() and (self.not_before is None or self.not_before <= now)

    def coming_at(self, at: datetime) -> "LivePoint":
        """Return the point, kept out of sight until just that local time; its window is held open to that day."""
        return replace(self, not_before=at, closes_on=max(self.closes_on, at.date()))

    def waiting(self, until: datetime) -> "LivePoint":
        """Return the point, kept out of sight at least until a local time.

        A time that was agreed for later stands: it is not given up for a call about something else.
        """
        return self.coming_at(until if self.not_before is None else max(self.not_before, until))


@dataclass(frozen=True)
class Happened:
    """A contact as the rules see it; ``now`` and ``agreed_at`` are local to the store."""

    outcome: str
    channel: str
    now: datetime
    ticked: frozenset[int]
    max_retries: int = 3
    gap_days: int = 5
    agreed_at: datetime | None = None
    is_number_corrected: bool = False
    vehicle_id: int | None = None
    do_not_contact: str = DoNotContact.NONE
    complaint: str = ""
    refused_channels: frozenset[str] = frozenset()
    calendar: WorkCalendar = field(default_factory=WorkCalendar)

    @property
    def on(self) -> date:
        return self.now.date()

    def was_about(self, point: LivePoint) -> bool:
        """Tell whether a point was spoken about: ticked, and its window has opened.

        The night moves the window of a forecast that changed; a card that was opened before still shows it.
        """
        return point.id in self.ticked and point.opens_on <= self.on

    @property
    def next_morning(self) -> datetime:
        """The start of calls on the next working day."""
        morning = datetime.combine(self.on + timedelta(days=1), CALL_HOURS[0].start, tzinfo=self.now.tzinfo)
        return next_allowed_time(morning, Channel.PHONE, self.calendar)


def settle(points: Sequence[LivePoint], happened: Happened) -> list[LivePoint]:
    """Return a customer's live touch points as a contact leaves them, in the same order (domain §3.4, §3.6).

    Afterwards every merged live point has a live lead, and nothing was lost: a point is ended with a status or open.
    """
    after = [_after_outcome(point, happened) for point in points]
    after = [_after_consequences(point, happened) for point in after]
    after = [_rested(point, happened) for point in after]
    return regroup(points, after, now=happened.now)


def _after_outcome(point: LivePoint, happened: Happened) -> LivePoint:
    """Return what the outcome itself makes of a point; ticks decide, save where the person could not be spoken to."""
    ending = OUTCOMES[happened.outcome].ending
    is_ticked = happened.was_about(point)
    if ending is Ending.DONE:
        return _after_talk(point, happened, is_ticked=is_ticked)
    if ending is Ending.REFUSED:
        return _after_refusal(point, happened, is_ticked=is_ticked)
    if point.handling != Handling.CONTACT or point.opens_on > happened.on:
        return point
    if ending is Ending.SENT:
        return _after_message(point, happened) if is_ticked else point
    if ending is Ending.RETRIED:
        return _after_attempt(point, happened, is_ticked=is_ticked)
    until = _waits_until(happened)
    if until is None:
        return point
    return point.coming_at(until) if ending is Ending.POSTPONED and is_ticked else point.waiting(until)


def _waits_until(happened: Happened) -> datetime | None:
    """Return until when everything waits that the person could not be spoken to about, or None: it does not wait."""
    match OUTCOMES[happened.outcome].ending:
        case Ending.POSTPONED:
            return happened.agreed_at
        case Ending.CORRECTED:
            return None if happened.is_number_corrected else happened.next_morning
        case Ending.SKIPPED:
            return happened.now + SKIP_PAUSE
    return None


def _after_talk(point: LivePoint, happened: Happened, *, is_ticked: bool) -> LivePoint:
    is_of_car = happened.vehicle_id is not None and point.vehicle_id == happened.vehicle_id
    if happened.outcome == Outcome.CAR_GONE and is_of_car:
        return point.ended(happened.on, TouchPointStatus.CANCELLED, Reason.CAR_NOT_IN_CARE)
    is_service = point.handling == Handling.CONTACT and point.trigger in SERVICE_TRIGGERS
    if is_ticked or (happened.outcome == Outcome.SERVICED_ELSEWHERE and is_of_car and is_service):
        return point.ended(happened.on, TouchPointStatus.DONE)
    return point


def blocked_by(point: LivePoint, do_not_contact: str) -> str:
    """Return the reason for which the customer's wish forbids a point, or '' (domain §3.6, 1)."""
    if not point.reaches_customer:
        return Reason.NONE
    if do_not_contact == DoNotContact.ALL_BUT_SAFETY and point.care_class != CareClass.LEGAL:
        return Reason.DO_NOT_CONTACT
    if do_not_contact == DoNotContact.MARKETING and point.care_class == CareClass.MARKETING:
        return Reason.NO_MARKETING
    return Reason.NONE


def _after_refusal(point: LivePoint, happened: Happened, *, is_ticked: bool) -> LivePoint:
    if reason := blocked_by(point, happened.do_not_contact):
        return point.ended(happened.on, TouchPointStatus.SUPPRESSED, reason)
    # A recall is not settled by a refusal; a service matter was put to the customer and need not be put again.
    if is_ticked and point.care_class != CareClass.LEGAL:
        return point.ended(happened.on, TouchPointStatus.DONE)
    return point


def can_settle_by_message(point: LivePoint, channel: str, max_retries: int) -> bool:
    """Tell whether a message is enough: the rule names its channel, or all calls went unanswered."""
    return channel in point.channels or point.attempts > max_retries


def _after_message(point: LivePoint, happened: Happened) -> LivePoint:
    if not can_settle_by_message(point, happened.channel, happened.max_retries):
        return point
    unreached = point.attempts > happened.max_retries
    return point.ended(happened.on, TouchPointStatus.DONE, Reason.NOT_REACHED if unreached else Reason.NONE)


def _after_attempt(point: LivePoint, happened: Happened, *, is_ticked: bool) -> LivePoint:
    if not is_ticked or not point.is_due(happened.now):
        # Nobody answered: what was left out now is not tried again in the same minute either. What waits for another
        # time has not been tried for.
        return point.waiting(retry_at(happened.now, 1, happened.channel, happened.calendar))
    point = replace(point, attempts=point.attempts + 1)
    if point.attempts <= happened.max_retries:
        return point.waiting(retry_at(happened.now, point.attempts, happened.channel, happened.calendar))
    written = "" if happened.channel in MESSAGE_CHANNELS else message_channel(point.channels, happened.refused_channels)
    if not written:
        return point.ended(happened.on, TouchPointStatus.DONE, Reason.NOT_REACHED)
    until = next_allowed_time(happened.now, written, happened.calendar)
    return replace(point.waiting(until), channel=written)


def _after_consequences(point: LivePoint, happened: Happened) -> LivePoint:
    """Return a point after what the contact implies for those it was not about (domain §3.6, 1, 2 and 5).

    It ends what would reach the customer: lists and internal forms stay to be dealt with.
    """
    if not point.is_live or not point.reaches_customer:
        return point
    if reason := blocked_by(point, happened.do_not_contact):
        return point.ended(happened.on, TouchPointStatus.SUPPRESSED, reason)
    if happened.was_about(point):
        return point
    if (
        point.opens_on <= happened.on
        and happened.complaint in (Severity.ESCALATED, Severity.MAJOR)
        and (point.care_class == CareClass.MARKETING or point.is_held_by_complaint)
    ):
        return point.ended(happened.on, TouchPointStatus.SUPPRESSED, Reason.OPEN_COMPLAINT)
    if OUTCOMES[happened.outcome].is_effective and is_covered(point, on=happened.on):
        return point.ended(happened.on, TouchPointStatus.SUPPRESSED, Reason.RECENT_CONTACT)
    return point


def is_covered(point: LivePoint, *, on: date) -> bool:
    """Tell whether an effective contact on a day makes a point unnecessary (domain §3.6, 5).

    Routine care is covered within ``covered_days`` before its date and in its window; what counts from the last
    contact is counted anew.
    """
    if point.trigger in CONTACT_ANCHORED_TRIGGERS and point.anchor_on < on:
        return True
    return point.covered_days is not None and point.nominal_on - timedelta(days=point.covered_days) <= on


def _rested(point: LivePoint, happened: Happened) -> LivePoint:
    """Return a point that was left out of a conversation, put off by the contact gap as far as its window allows.

    Otherwise the customer would be called again the next minute. The gap never costs a promise here: on the last day
    of its window the point is back.
    """
    rule = OUTCOMES[happened.outcome]
    is_put_off = rule.is_proactive and point.is_live and point.handling == Handling.CONTACT
    if not is_put_off or point.priority == 1 or point.ignores_gap or happened.was_about(point):
        return point
    back_on = min(happened.on + timedelta(days=happened.gap_days), point.closes_on)
    if back_on <= happened.on:
        return point
    until = datetime.combine(back_on, time(0), tzinfo=happened.now.tzinfo)
    if point.not_before is not None and point.not_before >= until:
        return point
    return replace(point, not_before=until)


def regroup(before: Sequence[LivePoint], after: Sequence[LivePoint], *, now: datetime) -> list[LivePoint]:
    """Return the points with their grouping put right after some of them ended.

    Children that were spoken about together with their lead stay merged and end with it. Children whose lead ended
    without them go on: of those that come back first the best (priority, closing date, id) leads the others, each of
    which keeps the time it waits for. Those whose window has not opened go on alone, those whose window is over are
    missed.
    """
    on = now.date()
    was = {point.id: point for point in before}
    became = {point.id: point for point in after}
    result: dict[int, LivePoint] = {}
    orphans: list[LivePoint] = []
    for point in after:
        old_lead_id = was[point.id].lead_id
        lead = became.get(old_lead_id) if old_lead_id is not None else None
        if point.is_live and lead is not None and not lead.is_live:
            if point.closes_on < on:
                point = replace(point.ended(on, TouchPointStatus.MISSED, Reason.WINDOW_PASSED), is_settled=False)
            elif point.opens_on > on:
                point = replace(point, status=TouchPointStatus.OPEN, lead_id=None)
            else:
                orphans.append(point)
        elif point.status == TouchPointStatus.DONE and lead is not None and lead.status == TouchPointStatus.DONE:
            point = replace(point, status=TouchPointStatus.MERGED, lead_id=lead.id)
        result[point.id] = point
    if orphans:
        # A lead that waits longer than one of its children would let that child's window pass unseen.
        best = min(
            orphans, key=lambda point: (max(point.not_before or now, now), point.priority, point.closes_on, point.id)
        )
        result[best.id] = replace(best, status=TouchPointStatus.OPEN, lead_id=None)
        result |= {point.id: replace(point, lead_id=best.id) for point in orphans if point.id != best.id}
    return [result[point.id] for point in after]
