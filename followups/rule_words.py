"""A care rule in the reader's words: when it comes due, its window, and what a change altered."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from customers.choices import Channel, Tier
from followups.choices import OffsetUnit
from followups.models import CareRule
from followups.trigger_words import FESTIVALS, words_of

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MINUS = "−"


@dataclass(frozen=True)
class Fact:
    """One setting in words."""

    label: "StrOrPromise"
    value: str


@dataclass(frozen=True)
class ChangeLine:
    """One setting before and after, in words."""

    label: "StrOrPromise"
    before: str
    after: str


def signed(number: int) -> str:
    """Return a number with its sign as people read it: ``−7``, ``0``, ``+3``."""
    if number == 0:
        return "0"
    return f"+{number}" if number > 0 else f"{MINUS}{-number}"


def offsets_text(offsets: Iterable[int]) -> str:
    """Return offsets in one line."""
    return ", ".join(f"{MINUS}{-offset}" if offset < 0 else str(offset) for offset in offsets)


def when_text(rule: CareRule) -> str:
    """Say when a rule comes due, without its trigger: ``3, 6, 9 months, then every 3``."""
    words = words_of(rule.trigger)
    if "festivals" in rule.params:
        return ngettext("%(count)s festival", "%(count)s festivals", len(rule.params["festivals"])) % {
            "count": len(rule.params["festivals"])
        }
    if "days" in rule.params:
        return ", ".join(rule.params["days"])
    if not words.has_offsets:
        return _("on the day")
    # "1 day", but "-1 days" and "1, 2 days".
    amount = rule.offsets[0] if len(rule.offsets) == 1 else 2
    if rule.offsets == [0]:
        text = _("on the day")
    elif rule.offset_unit == OffsetUnit.MONTHS:
        text = ngettext("%(numbers)s month", "%(numbers)s months", amount) % {"numbers": offsets_text(rule.offsets)}
    else:
        text = ngettext("%(numbers)s day", "%(numbers)s days", amount) % {"numbers": offsets_text(rule.offsets)}
    if rule.repeat_every:
        text = _("%(text)s, then every %(step)s") % {"text": text, "step": rule.repeat_every}
    return text


def window_text(rule: CareRule) -> str:
    """Return the window around the due date in days: ``−7 / +7``."""
    return f"{signed(-rule.early_days)} / {signed(rule.late_days)}"


def listed(words: Iterable[str]) -> str:
    """Return words in one line, separated as the reader's language does it."""
    return pgettext("between the words of a list", ", ").join(words)


def rule_channels(rule: CareRule) -> list[str]:
    """Return the names of a rule's channels in order."""
    labels = dict(Channel.choices)
    return [str(labels.get(channel, channel)) for channel in rule.channels]


def rule_facts(rule: CareRule) -> list[Fact]:
    """Return everything about a rule but its talking points, in the order in which one asks."""
    words = words_of(rule.trigger)
    facts = [
        Fact(_("Counts from"), str(words.label)),
        Fact(_("When"), when_text(rule)),
        *_param_facts(rule),
        Fact(_("Window, days"), window_text(rule)),
        Fact(_("On a rest day"), rule.get_shift_display()),
        Fact(_("Responsible"), rule.get_owner_role_display()),
        Fact(_("Priority"), str(rule.priority)),
        Fact(_("Class"), rule.get_care_class_display()),
        Fact(_("Handling"), rule.get_handling_display()),
        Fact(_("Channels"), listed(rule_channels(rule))),
    ]
    if rule.rotates_channels:
        facts.append(Fact(_("Another channel each time"), _("Yes")))
    if rule.covered_days:
        facts.append(
            Fact(_("Not needed after an effective contact within"), _("%(days)s days") % {"days": rule.covered_days})
        )
    if rule.ignores_gap:
        facts.append(Fact(_("Exempt from the contact gap"), _("Yes")))
    if rule.is_held_by_complaint:
        facts.append(Fact(_("Waits while a complaint is open"), _("Yes")))
    if rule.active_from:
        facts.append(Fact(_("Counts since"), rule.active_from.isoformat()))
    return facts


def change_lines(before: Any, after: Any, fields: Iterable[str]) -> list[ChangeLine]:
    """Return the given settings of two versions of a rule in words, in the order of the model."""
    wanted = set(fields)
    return [
        change_line(field.name, getattr(before, field.name), getattr(after, field.name))
        for field in CareRule._meta.concrete_fields
        if field.name in wanted
    ]


def change_line(field: str, before: Any, after: Any) -> ChangeLine:
    """Return one setting before and after in words."""
    return ChangeLine(_field(field).verbose_name, _value_text(field, before), _value_text(field, after))


def _param_facts(rule: CareRule) -> list[Fact]:
    words = words_of(rule.trigger)
    facts = []
    if "festivals" in rule.params:
        facts.append(Fact(_("Festivals"), _festival_names(rule.params["festivals"])))
    if "tier" in rule.params:
        facts.append(Fact(_("Customer tier"), str(dict(Tier.choices).get(rule.params["tier"], rule.params["tier"]))))
    facts += [Fact(label, str(rule.params[name])) for name, label in words.numbers.items() if name in rule.params]
    return facts


def _festival_names(codes: Iterable[str]) -> str:
    names = dict(FESTIVALS)
    return listed(str(names.get(code, code)) for code in codes)


def _value_text(field: str, value: Any) -> str:
    """Return one stored value as a reader knows it."""
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if field == "offsets":
        return offsets_text(value)
    if field == "channels":
        labels = dict(Channel.choices)
        return listed(str(labels.get(channel, channel)) for channel in value)
    if field == "params":
        return _params_text(value)
    choices = dict(_field(field).flatchoices)
    return str(choices.get(value, value))


def _field(name: str) -> Any:
    return CareRule._meta.get_field(name)


def _params_text(params: dict[str, Any]) -> str:
    parts = []
    for name, value in params.items():
        if name == "festivals":
            parts.append(_festival_names(value))
        elif isinstance(value, list):
            parts.append(", ".join(map(str, value)))
        else:
            parts.append(str(value))
    return "; ".join(parts)
