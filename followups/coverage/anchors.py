"""Dates that promises count from and that later ones replace: a contact, a visit, a delivery."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import NamedTuple

from followups.coverage.nights import Nights
from followups.coverage.plan import Promise


@dataclass(frozen=True, slots=True)
class Anchor:
    """A date that promises count from, in a series where a later one takes its place.

    ``day`` is when it happened in the store's calendar: the planner of the next night counts from it. ``earliest`` and
    ``latest`` bound the moment at which the database knew of it; before the day ``floor`` it was not known, or
    something else counted, so windows that ended by then do not count from it.
    """

    on: date
    day: date
    earliest: datetime
    latest: datetime
    floor: date = date.min


class Standing(NamedTuple):
    """Since which day a promise holds to somebody, and since which moment the database has known what it needs."""

    care_from: date
    known_at: datetime


class AnchorLine:
    """The anchors of one customer in the order in which they came.

    Anchor number i rules the nights after its day, up to and including the night of the next one's day: a contact at
    noon is known from the following night on. A night that came late (the planner stood still, then caught up) saw what
    was known when it really ran; and a promise that no run has planned yet counts from the newest anchor only, since a
    run now could not know better.
    """

    def __init__(self, anchors: list[Anchor]) -> None:
        self._anchors = sorted(anchors, key=lambda anchor: (anchor.day, anchor.on))

    def __iter__(self) -> Iterator[tuple[Anchor, Anchor | None]]:
        """Yield each anchor with the one that takes its place."""
        if self._anchors:
            yield from pairwise([*self._anchors, None])

    @staticmethod
    def rules(
        anchor: Anchor,
        successor: Anchor | None,
        promise: Promise,
        nights: Nights,
        *,
        holds_from: date,
        known_at: datetime,
    ) -> bool:
        """Tell whether the planner counted from this anchor when it planned a promise that holds from a day on.

        What was over by then, because another anchor had come, was not promised: nobody knew of it, or something else
        counted that is not on file any more (a car that has been sold since).
        """
        if successor is None:
            return True
        if successor.day < promise.opens_on or successor.day <= max(holds_from, anchor.day):
            return False
        run = nights.first_run(promise.opens_on, known_at=known_at)
        return run is not None and successor.earliest >= run
