"""What the plan demands, recomputed forward from the raw facts: one generator for each kind of anchor.

Customers, cars and their histories are streamed through server-side cursors, so the memory needed does not grow with
the fleet. Plain facts count as they are now (the car is sold: nothing is demanded for it any more). For facts that move
with each contact or visit the history says which anchor the planner saw; see ``AnchorLine``.
"""

from collections.abc import Iterator

from followups.coverage.cars import OfCars
from followups.coverage.nights import Nights
from followups.coverage.people import OfCustomers
from followups.coverage.plan import Period, RuleInForce
from followups.coverage.source import Demanded


class Demand:
    """All that the plan demands in a period from the customers of some stores."""

    def __init__(
        self, *, period: Period, rules: dict[int, dict[str, list[RuleInForce]]], nights: dict[int, Nights]
    ) -> None:
        self.rules = rules
        self.sources = [kind(period=period, rules=rules, nights=nights) for kind in (OfCars, OfCustomers)]

    def __iter__(self) -> Iterator[Demanded]:
        """Yield the demanded touch points, those of one trigger together. The same one may come twice.

        Raises ``ValueError`` for an active rule whose trigger is not known here: it must not pass unchecked.
        """
        sources = {name: source for each in self.sources for name, source in each.by_trigger().items()}
        wanted = {trigger for of_store in self.rules.values() for trigger in of_store}
        if unknown := sorted(wanted - set(sources)):
            raise ValueError(f"This check does not know the trigger {unknown[0]!r}.")
        for trigger in sorted(wanted):
            yield from sources[trigger](trigger)
