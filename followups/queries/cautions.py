"""What a caller has to know before dialling (screens S2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.utils.translation import gettext

from customers.choices import Channel, CustomerKind, CustomerStatus, DoNotContact, TimeSlot
from customers.models import Customer
from followups.choices import NextStepKind, Outcome
from followups.models import ContactLog, NextStep
from followups.rules.hours import is_allowed_time, local_time

# At most one marketing message in so many days (domain §3.6, 3). The planner keeps to it; whoever writes instead of
# calling has to know.
MESSAGE_REST = timedelta(days=7)


@dataclass(frozen=True)
class Caution:
    """Something to know before dialling; ``level`` is danger or warning."""

    level: Literal["danger", "warning"]
    text: str


def cautions_of(
    customer: Customer, *, contacts: Iterable[ContactLog], steps: Iterable[NextStep], now: datetime, time_zone: str
) -> list[Caution]:
    """Return the cautions in the active language; contacts come newest first, complaints as next steps."""
    found = []
    here = local_time(now, time_zone)
    on = here.date()
    if customer.status != CustomerStatus.ACTIVE:
        found.append(Caution("danger", gettext("Do not call: %s") % customer.get_status_display()))
    for step in steps:
        if step.kind != NextStepKind.COMPLAINT:
            continue
        day = local_time(step.created_at, time_zone).date()
        if step.done_at is None:
            found.append(
                Caution(
                    "danger",
                    gettext("Open complaint (%(severity)s) of %(day)s: %(words)s")
                    % {"severity": step.get_severity_display(), "day": day, "words": step.detail or "—"},
                )
            )
        else:
            found.append(Caution("warning", gettext("The complaint of %s is settled: give thanks first") % day))
    if customer.do_not_contact != DoNotContact.NONE:
        found.append(
            Caution(
                "danger",
                " · ".join(
                    part
                    for part in (
                        f"{gettext('Do not contact')}: {customer.get_do_not_contact_display()}",
                        customer.do_not_contact_reason,
                    )
                    if part
                ),
            )
        )
    if customer.is_mobile_wrong:
        found.append(Caution("danger", gettext("The number is marked as wrong: ask for the right one")))
    elif not customer.mobile and customer.kind == CustomerKind.PERSON:
        found.append(Caution("warning", gettext("No mobile number on file")))
    if customer.refused_channels:
        channels = ", ".join(str(Channel(channel).label) for channel in customer.refused_channels)
        found.append(Caution("warning", gettext("Refused channels: %s") % channels))
    if not is_allowed_time(here, Channel.PHONE, is_agreed=customer.preferred_slot == TimeSlot.EVENING):
        found.append(Caution("warning", gettext("Outside the hours for calls: 9:00–12:00 and 14:00–18:00")))
    made = (contact for contact in contacts if not contact.is_inbound and contact.outcome != Outcome.SKIPPED)
    last = next(made, None)
    if last is not None and on - last.on <= timedelta(days=1):
        words = gettext("Contacted today: %s") if last.on == on else gettext("Contacted yesterday: %s")
        found.append(Caution("warning", words % f"{last.get_outcome_display()} · {last.by or ''}"))
    sent = next((contact for contact in contacts if contact.is_marketing_message), None)
    if sent is not None and on - sent.on < MESSAGE_REST:
        words = gettext("A marketing message went out on %s: no other within a week")
        found.append(Caution("warning", words % sent.on))
    return found
