"""When a customer may be contacted, and when to try again (domain §3.4; §3.6, 6).

Times are local to the store: the caller converts an aware moment first and passes the working days it knows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.rules import WorkCalendar
from customers.choices import Channel, TimeSlot

# Channels by which something is sent, in contrast to being spoken.
MESSAGE_CHANNELS = frozenset(
    {Channel.SMS, Channel.WECHAT, Channel.WECOM, Channel.APP, Channel.EMAIL, Channel.LETTER, Channel.CARD}
)


@dataclass(frozen=True)
class Span:
    """A part of the day, both ends included."""

    start: time
    end: time

    def __contains__(self, moment: time) -> bool:
        return self.start <= moment <= self.end


CALL_HOURS = (Span(time(9), time(12)), Span(time(14), time(18)))
AGREED_HOURS = (Span(time(9), time(12)), Span(time(14), time(20)))
MESSAGE_HOURS = (Span(time(9), time(20)),)
SLOT_HOURS: dict[str, tuple[time, time]] = {
    TimeSlot.MORNING: (time(9), time(12)),
    TimeSlot.AFTERNOON: (time(14), time(18)),
    TimeSlot.EVENING: (time(18), time(20)),
}


def local_time(now: datetime, time_zone: str) -> datetime:
    """Return an aware moment as the clock of a store shows it."""
    return now.astimezone(ZoneInfo(time_zone))


def hours_for(channel: str, *, is_agreed: bool = False) -> tuple[Span, ...]:
    """Return the hours in which a customer may be contacted by a channel, later ones where the customer agreed."""
    if channel in MESSAGE_CHANNELS:
        return MESSAGE_HOURS
    return AGREED_HOURS if is_agreed else CALL_HOURS


def is_allowed_time(at: datetime, channel: str, *, is_agreed: bool = False) -> bool:
    """Tell whether a local time lies within the hours for a channel."""
    # To the minute: 18:00:20 is still six o'clock.
    clock = at.time().replace(second=0, microsecond=0)
    return any(clock in span for span in hours_for(channel, is_agreed=is_agreed))


def next_allowed_time(at: datetime, channel: str, calendar: WorkCalendar) -> datetime:
    """Return ``at``, moved to the next moment that lies within the hours for a channel.

    What is spoken also waits for a working day; messages do not (domain §3.6, 6). ``at`` is local and keeps its zone.
    """
    if is_allowed_time(at, channel) and (channel in MESSAGE_CHANNELS or calendar.is_working(at.date())):
        return at
    day = at.date()
    starts = [span.start for span in hours_for(channel)]
    later_today = [start for start in starts if start > at.time()]
    if not later_today or (channel not in MESSAGE_CHANNELS and not calendar.is_working(day)):
        day += timedelta(days=1)
        later_today = starts
    if channel not in MESSAGE_CHANNELS:
        moved = calendar.on_or_after(day)
        if moved != day:
            later_today = starts
        day = moved
    return datetime.combine(day, min(later_today), tzinfo=at.tzinfo)


def slot_at(at: datetime) -> str:
    """Return the customer's time slot that a local time falls into; the empty one outside of all."""
    for slot, (start, end) in SLOT_HOURS.items():
        if start <= at.time() < end:
            return slot
    return TimeSlot.ANY


RETRY_LADDER = (timedelta(hours=4), timedelta(days=1), timedelta(days=2))
SKIP_PAUSE = timedelta(hours=2)


def retry_at(now: datetime, attempts: int, channel: str, calendar: WorkCalendar) -> datetime:
    """Return when to try again after so many attempts without an answer: +4 h, +1 d, then +2 d each time."""
    step = RETRY_LADDER[min(attempts, len(RETRY_LADDER)) - 1]
    return next_allowed_time(now + step, channel, calendar)


def message_channel(channels: Sequence[str], refused: Collection[str]) -> str:
    """Return the first channel of a rule by which something can be sent and that was not refused, or ''."""
    return next((channel for channel in channels if channel in MESSAGE_CHANNELS and channel not in refused), "")
