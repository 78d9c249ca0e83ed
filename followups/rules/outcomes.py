"""What an outcome of a contact means, and what it needs and makes (domain §3.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from followups.choices import NextStepKind, Outcome

SERVICE_TRIGGERS = frozenset({"first_service", "periodic_service", "service_month"})
WIN_BACK_TRIGGERS = frozenset({"silence"})
# The call after a visit; the adviser who received the car never makes it (domain §3.2 PV).
AFTER_SERVICE_TRIGGER = "hand_over"
# Their dates count from the last effective contact: a new one makes those that still stand pointless (domain §3.2).
CONTACT_ANCHORED_TRIGGERS = frozenset({"tier_contact", "regular"})


class Ending(Enum):
    """What an outcome does to the touch points that were ticked."""

    DONE = "done"
    # They stay open and come back at the agreed time.
    POSTPONED = "postponed"
    # They stay open and come back by the ladder of attempts.
    RETRIED = "retried"
    # They stay open until the file was put right: a number, an owner.
    CORRECTED = "corrected"
    # The customer wants no further contact: what do-not-contact blocks is suppressed.
    REFUSED = "refused"
    # Those that may be settled by a message are done.
    SENT = "sent"
    # Nothing happened; they come back in a while.
    SKIPPED = "skipped"


class Need(Enum):
    """What an outcome cannot be saved without."""

    AGREED_AT = "agreed_at"
    APPOINTMENT = "appointment"
    COMPLAINT = "complaint"
    REFERRAL = "referral"
    REASON = "reason"
    VEHICLE = "vehicle"
    CAR_STATUS = "car_status"
    WIN_BACK_REASON = "win_back_reason"


@dataclass(frozen=True)
class OutcomeRule:
    """What an outcome means: a row of the table in domain §3.4.

    ``is_effective``: the person was reached and content was exchanged; a call that rang out or was rejected is not.
    ``is_proactive``: it counts as a contact by us for the gap between contacts (domain §3.6, 3).
    """

    ending: Ending
    is_effective: bool = False
    is_proactive: bool = False
    needs: frozenset[Need] = frozenset()
    makes: NextStepKind | None = None
    digit: int | None = None


OUTCOMES: dict[str, OutcomeRule] = {
    Outcome.SATISFIED: OutcomeRule(Ending.DONE, is_effective=True, is_proactive=True, digit=1),
    Outcome.BOOKED: OutcomeRule(
        Ending.DONE, True, True, frozenset({Need.APPOINTMENT}), NextStepKind.APPOINTMENT, digit=2
    ),
    Outcome.GRIEVANCE: OutcomeRule(
        Ending.DONE, True, True, frozenset({Need.COMPLAINT}), NextStepKind.COMPLAINT, digit=3
    ),
    Outcome.REFERRAL: OutcomeRule(Ending.DONE, True, True, frozenset({Need.REFERRAL}), NextStepKind.REFERRAL, digit=4),
    Outcome.TRADE_IN: OutcomeRule(Ending.DONE, True, True, makes=NextStepKind.LEAD, digit=5),
    Outcome.LATER: OutcomeRule(Ending.POSTPONED, needs=frozenset({Need.AGREED_AT}), digit=6),
    Outcome.NOT_REACHED: OutcomeRule(Ending.RETRIED, digit=7),
    Outcome.WRONG_NUMBER: OutcomeRule(Ending.CORRECTED, makes=NextStepKind.NUMBER_CORRECTION, digit=8),
    Outcome.REFUSED: OutcomeRule(Ending.REFUSED, is_proactive=True, digit=9),
    Outcome.NOT_THE_OWNER: OutcomeRule(Ending.CORRECTED, makes=NextStepKind.OWNER_CORRECTION),
    Outcome.SERVICED_ELSEWHERE: OutcomeRule(Ending.DONE, True, True, frozenset({Need.VEHICLE, Need.REASON})),
    Outcome.CAR_GONE: OutcomeRule(Ending.DONE, True, True, frozenset({Need.VEHICLE, Need.CAR_STATUS})),
    Outcome.MESSAGE_SENT: OutcomeRule(Ending.SENT, is_proactive=True),
    Outcome.SKIPPED: OutcomeRule(Ending.SKIPPED, needs=frozenset({Need.REASON})),
}


# The outcomes that a person may choose on a card, in the order of the buttons: the digits 1–9 first.
CHOOSABLE_OUTCOMES: tuple[str, ...] = tuple(outcome for outcome in OUTCOMES if outcome != Outcome.SKIPPED)


def needs_of(outcome: str, triggers: Iterable[str]) -> frozenset[Need]:
    """Return what an outcome cannot be saved without, for touch points of the given triggers.

    A win-back call that reached somebody needs the reason why they stayed away (domain §2.7); that a car is gone is
    a reason by itself.
    """
    rule = OUTCOMES[outcome]
    if rule.is_effective and outcome != Outcome.CAR_GONE and WIN_BACK_TRIGGERS.intersection(triggers):
        return rule.needs | {Need.WIN_BACK_REASON}
    return rule.needs
