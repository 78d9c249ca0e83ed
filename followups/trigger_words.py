"""What the settings call each kind of trigger, and which of its conditions they let people edit.

A trigger that is not named here works all the same: it is shown under its code, with its further conditions untouched.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

FAMILIES = (
    ("delivery", _("After delivery")),
    ("touch", _("Keeping in touch")),
    ("service", _("Service due")),
    ("visit", _("After a visit")),
    ("days", _("Days that matter")),
    ("papers", _("Insurance, inspection and warranty")),
    ("other", _("Other")),
)
FESTIVALS = (
    ("new_year", _("New Year's Day")),
    ("spring", _("Spring Festival")),
    ("lantern", _("Lantern Festival")),
    ("women", _("Women's Day (women only)")),
    ("qingming", _("Qingming")),
    ("labour", _("Labour Day")),
    ("dragon_boat", _("Dragon Boat Festival")),
    ("qixi", _("Qixi Festival")),
    ("mid_autumn", _("Mid-Autumn Festival")),
    ("national", _("National Day")),
    ("double_ninth", _("Double Ninth Festival")),
)


@dataclass(frozen=True)
class TriggerWords:
    """How one kind of trigger is shown.

    ``has_offsets`` is False where the day itself is the anchor. ``is_known_beforehand`` is True where the anchor lies
    ahead, so that offsets before it make sense. ``numbers`` names the parameters that are plain numbers.
    """

    label: "StrOrPromise"
    family: str
    has_offsets: bool = True
    is_known_beforehand: bool = False
    numbers: dict[str, "StrOrPromise"] = field(default_factory=dict)


WORDS = {
    "delivery": TriggerWords(_("Delivery of the car"), "delivery"),
    "tier_contact": TriggerWords(_("Last effective contact, by tier"), "touch"),
    "regular": TriggerWords(
        _("Last effective contact"), "touch", numbers={"owner_for_months": _("Owner for at least, months")}
    ),
    "silence": TriggerWords(
        _("Last visit or delivery"),
        "touch",
        numbers={"after_first_service_days": _("Not before the first service is overdue, days")},
    ),
    "first_service": TriggerWords(_("First service due"), "service", is_known_beforehand=True),
    "service_month": TriggerWords(_("Last day of the month before the service"), "service", has_offsets=False),
    "periodic_service": TriggerWords(_("Periodic service due"), "service", is_known_beforehand=True),
    "hand_over": TriggerWords(_("Hand-over after a visit"), "visit"),
    "suggested_work": TriggerWords(
        _("Suggested work not done"),
        "visit",
        numbers={"before_service_days": _("And again before the next service, days")},
    ),
    "birthday": TriggerWords(_("Birthday"), "days", has_offsets=False),
    "festival": TriggerWords(_("Festival"), "days", has_offsets=False),
    "personal_event": TriggerWords(_("Personal event"), "days", has_offsets=False),
    "season": TriggerWords(_("Day of the year"), "days", has_offsets=False),
    "policy_end": TriggerWords(_("End of the insurance"), "papers", is_known_beforehand=True),
    "inspection_end": TriggerWords(_("End of the inspection"), "papers", is_known_beforehand=True),
    "warranty_near": TriggerWords(
        pgettext_lazy("trigger", "Warranty end in sight"), "papers", is_known_beforehand=True
    ),
    "warranty_end": TriggerWords(_("End of the warranty"), "papers", is_known_beforehand=True),
    "three_guarantees_end": TriggerWords(_("End of the three-guarantees period"), "papers", is_known_beforehand=True),
}


def words_of(trigger: str) -> TriggerWords:
    """Return how a trigger is shown; its code stands in for a name that nobody has given yet."""
    return WORDS.get(trigger) or TriggerWords(trigger, "other", is_known_beforehand=True)
