"""Drawing one of several things that are not equally likely."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Odds(Generic[T]):
    """Things with their weights, prepared once: a world draws from the same few lists a million times."""

    def __init__(self, weights: Sequence[tuple[T, float]]) -> None:
        self._things = [thing for thing, _weight in weights]
        self._bounds = list(accumulate(weight for _thing, weight in weights))

    def draw(self, rng: Random) -> T:
        """Return one of the things."""
        return self._things[bisect_right(self._bounds, rng.random() * self._bounds[-1])]
