"""What a trigger is: the candidates of a rule, and the inverse from a nominal date to their keys."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Literal

from django.db.models import DateField, F, IntegerField, Min, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Greatest

from followups.models import CareRule
from followups.triggers.rules import Nominal, Offsets, nominals_of_offsets

NO_DATE = Cast(Value(None), DateField())
NO_ROW = Cast(Value(None), IntegerField())


@dataclass(frozen=True)
class Arm:
    """One way in which a rule finds its candidates.

    ``candidates`` comes from ``as_candidates``. It says nothing about the customer's status and wishes: the planner
    asks for those, for all triggers alike. ``nominals`` is the inverse mapping: all keys that lead to a nominal date
    between two days.
    """

    candidates: QuerySet
    nominals: Callable[[date, date], Iterable[Nominal]]
    key_type: Literal["date", "integer"] = "date"


class Trigger(ABC):
    """A kind of anchor. A new one is a subclass in a module, listed in ``followups.triggers``; nothing else changes."""

    code: ClassVar[str]
    # Whether its nominal dates are forecasts that may still move (see ``TouchPoint.cycle_on``).
    is_forecast: ClassVar[bool] = False
    # Whether its contacts speak of an end that is still to come: over by what is known now, they are not made any more.
    speaks_of_end: ClassVar[bool] = False

    @abstractmethod
    def arms(self, rule: CareRule) -> Sequence[Arm]:
        """Return how the candidates of a rule are found."""


def offsets_of(rule: CareRule) -> Offsets:
    """Return the offsets of a rule as its pure form."""
    return Offsets(tuple(rule.offsets), rule.offset_unit == "months", rule.repeat_every)


def as_candidates(
    rows: QuerySet,
    *,
    customer: str,
    key: Any,
    floor: str,
    known: str | Combinable | None = None,
    vehicle: str | None = None,
    cycle: str | None = None,
    start: Any = None,
    avoid: str | None = None,
) -> QuerySet:
    """Return rows in the columns that the planner joins.

    ``key`` is compared with ``Nominal.key``; ``floor`` is the day since which the promise holds, and ``known``
    the day since which the store has known the date, where it may be empty; ``cycle`` is the start of the service
    cycle where the date is a forecast; nominal dates before ``start`` are not demanded; ``avoid`` is a
    person who must not make the contact.
    """
    return rows.values(
        c_customer=F(customer),
        c_vehicle=F(vehicle) if vehicle else NO_ROW,
        c_key=key,
        c_cycle=F(cycle) if cycle else NO_DATE,
        c_floor=Greatest(F(floor), F(known) if isinstance(known, str) else known) if known else F(floor),
        c_start=NO_DATE if start is None else start,
        c_avoid=F(avoid) if avoid else NO_ROW,
    )


def nominals_from_oldest(anchors: QuerySet, offsets: Offsets, first: date, last: date) -> Iterator[Nominal]:
    """Yield the nominals of a rule; one that repeats is bounded by the oldest anchor in the database.

    ``anchors`` are rows with the anchor date as ``c_key``, an indexed column without further conditions: an earlier
    date than that of any candidate costs a few hits that nobody has, a condition would cost a scan.
    """
    oldest = date.min
    if offsets.repeat_every:
        oldest = anchors.order_by().aggregate(oldest=Min("c_key"))["oldest"]
    if oldest is not None:
        yield from nominals_of_offsets(offsets, first, last, oldest=oldest)
