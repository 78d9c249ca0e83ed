"""Reads of the care plan as the settings show it (screens S10)."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts.models import User
from followups.models import CareRule
from followups.trigger_words import FAMILIES, words_of

# Columns of the history that say nothing to a reader.
SILENT_FIELDS = frozenset({"id", "created_at", "changed_at", "position", "code", "store"})
LONGEST_HISTORY = 50


@dataclass(frozen=True)
class RuleFamily:
    """Rules of one kind of trigger, a rule of the group followed by the stores' own versions of it."""

    label: str
    rules: Sequence[CareRule]


@dataclass(frozen=True)
class FieldChange:
    """One setting before and after a change, as stored."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class RuleChange:
    """A line of a rule's history. ``kind`` is insert, update or delete; ``by`` is None for the delivered plan."""

    at: datetime
    kind: str
    by: User | None
    changes: Sequence[FieldChange]


def rule_families(rules: Iterable[CareRule]) -> list[RuleFamily]:
    """Put rules together by what triggers them, in the order of the plan; families without rules are left out."""
    by_family: dict[str, list[CareRule]] = {}
    for rule in rules:
        by_family.setdefault(words_of(rule.trigger).family, []).append(rule)
    found = []
    for code, label in FAMILIES:
        members = by_family.get(code, [])
        members.sort(key=lambda rule: (rule.position, rule.code, rule.store_id is not None, rule.store_id or 0))
        if members:
            found.append(RuleFamily(str(label), members))
    return found


def rule_history(rule: CareRule) -> list[RuleChange]:
    """Return the latest changes of a rule, newest first, with the person behind each (three queries at most)."""
    events = list(_events(rule).select_related("pgh_context").order_by("-pgh_id")[: LONGEST_HISTORY + 1])
    people = _people(events)
    fields = [field.name for field in CareRule._meta.concrete_fields if field.name not in SILENT_FIELDS]
    history = []
    for event, before in itertools.zip_longest(events, events[1:]):
        changes = []
        if before is not None and event.pgh_label == "update":
            changes = [
                FieldChange(name, getattr(before, name), getattr(event, name))
                for name in fields
                if getattr(before, name) != getattr(event, name)
            ]
        if event.pgh_label == "update" and before is not None and not changes:
            continue
        user_id = _user_id(event)
        history.append(
            RuleChange(event.pgh_created_at, event.pgh_label, people.get(user_id) if user_id else None, changes)
        )
    return history[:LONGEST_HISTORY]


def last_changed_by(rule: CareRule) -> User | None:
    """Return who made the newest change of a rule, or None when nobody is named."""
    event = _events(rule).select_related("pgh_context").order_by("-pgh_id").first()
    user_id = _user_id(event) if event else None
    return User.objects.filter(pk=user_id).first() if user_id else None


def store_rules_of(rule: CareRule, user: User) -> QuerySet[CareRule]:
    """Return the stores' own versions of a group rule, as far as a user may see them."""
    own = CareRule.objects.visible_to(user).filter(code=rule.code, store__isnull=False)
    return own.select_related("store").order_by("store__code")


def _events(rule: CareRule) -> QuerySet[Any]:
    # The model and its reverse relation are made by pghistory.
    return rule.events.all()  # type: ignore[attr-defined]


def _user_id(event: Any) -> int | None:
    value = (event.pgh_context.metadata or {}).get("user") if event.pgh_context else None
    return int(value) if value else None


def _people(events: Sequence[Any]) -> dict[int, User]:
    return User.objects.in_bulk({user_id for event in events if (user_id := _user_id(event))})
