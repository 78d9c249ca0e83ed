"""What was changed in a row, by whom: the history that triggers write, as lines to read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext


@dataclass(frozen=True)
class FieldChange:
    """A field with what it was and what it became, in words; both are empty where nobody may read the value."""

    label: str
    before: str
    after: str
    is_hidden: bool


@dataclass(frozen=True)
class Edit:
    """A change of one row; ``by`` is empty when nobody is named (an import, the nightly run)."""

    at: datetime
    by: str
    of: str
    event_id: int
    changes: Sequence[FieldChange]


# How a value is shown: a function of the value, or None where only the fact of a change is told.
Masks = Mapping[str, Callable[[str], str] | None]


# The rows of a model that the reader may be told the name of; a model that is not here has no secrets.
Nameable = Mapping[type[Model], QuerySet]


def edits_of(
    model: type[Model],
    rows: Sequence[Model],
    *,
    fields: Sequence[str],
    masks: Masks,
    limit: int,
    nameable: Nameable = MappingProxyType({}),
    since: Mapping[int, date] = MappingProxyType({}),
) -> list[Edit]:
    """Return the latest ``limit`` changes of some rows of a tracked model in the given fields, the newest first.

    The triggers keep what a row was before each change, so what it became is the next newer event, or the row itself.
    Changes of other fields are left out; so many events are read that these seldom hide what is asked for. The number
    of queries depends on the model's relations, not on the number of changes. ``since`` has, by id, the day from which
    on a row's changes are told.
    """
    events_of = model._meta.get_field("events").related_model
    found = list(
        events_of._base_manager.filter(pgh_obj_id__in=[row.pk for row in rows], pgh_label="update")  # type: ignore[union-attr]
        .select_related("pgh_context")
        .order_by("-pgh_id")[: limit * 10]
    )
    newer: dict[int, Any] = {row.pk: row for row in rows}
    names: dict[int, str] = {row.pk: str(row) for row in rows}
    differing: list[tuple[Any, Any, list[Field]]] = []
    columns = [field for field in model._meta.concrete_fields if field.name in fields]
    for event in found:
        after = newer[event.pgh_obj_id]
        newer[event.pgh_obj_id] = event
        changed = [field for field in columns if getattr(event, field.attname) != getattr(after, field.attname)]
        first_on = since.get(event.pgh_obj_id)
        if changed and (first_on is None or timezone.localtime(event.pgh_created_at).date() >= first_on):
            differing.append((event, after, changed))
    differing = differing[:limit]
    people = get_user_model()._default_manager.in_bulk({pk for event, _, _ in differing if (pk := _user_id(event))})
    words = _Words(differing, masks, nameable)
    return [
        Edit(
            at=event.pgh_created_at,
            by=str(people.get(_user_id(event), "")),
            of=names[event.pgh_obj_id],
            event_id=event.pgh_id,
            changes=[words.change(event, after, field) for field in changed],
        )
        for event, after, changed in differing
    ]


class _Words:
    """Values in words; rows that foreign keys point at are fetched once, a query a table."""

    def __init__(self, differing: Iterable[tuple[Any, Any, list[Field]]], masks: Masks, nameable: Nameable) -> None:
        self.masks = masks
        self.nameable = nameable
        wanted: dict[type[Model], set[int]] = defaultdict(set)
        for event, after, changed in differing:
            for field in changed:
                if isinstance(field, ForeignKey):
                    wanted[field.related_model] |= {getattr(event, field.attname), getattr(after, field.attname)}
        self.related = {
            model: nameable.get(model, model._default_manager.all()).in_bulk(keys - {None})
            for model, keys in wanted.items()
        }

    def change(self, event: Any, after: Any, field: Field) -> FieldChange:
        label = str(field.verbose_name)
        if field.name in self.masks and self.masks[field.name] is None:
            return FieldChange(label, "", "", is_hidden=True)
        return FieldChange(label, self._word(event, field), self._word(after, field), is_hidden=False)

    def _word(self, row: Any, field: Field) -> str:
        value = getattr(row, field.attname)
        if value in (None, "", []):
            return pgettext("value", "empty")
        if isinstance(field, ForeignKey):
            known = self.related[field.related_model]
            if value not in known and field.related_model in self.nameable:
                return pgettext("value", "closed to you")
            return str(known.get(value, value))
        if mask := self.masks.get(field.name):
            return mask(value)
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, list):
            labels = dict(getattr(getattr(field, "base_field", None), "choices", None) or ())
            return ", ".join(str(labels.get(each, each)) for each in value)
        if isinstance(value, date):
            return value.isoformat()
        return str(dict(field.flatchoices or ()).get(value, value))


def _user_id(event: Any) -> int | None:
    value = (event.pgh_context.metadata or {}).get("user") if event.pgh_context else None
    return int(value) if value else None
