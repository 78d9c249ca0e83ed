"""What is escalated to whom, and the daily target (domain §3.6, 7; §3.7)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

URGENT = 1
# A day is over at midnight: overdue for 24 hours means that a whole day has passed since the day it was due.
ESCALATES_AFTER_URGENT = timedelta(days=1)
ESCALATES_AFTER = timedelta(days=3)
ESCALATES_TO_MANAGER_AFTER = timedelta(days=7)


def escalation_level(priority: int, due_on: date, *, on: date) -> int:
    """Return 0 for what is in time, 1 for what its supervisor has to look at, 2 for what the manager has to.

    Overdue for a day with priority 1, for three days otherwise; the manager after seven.
    """
    overdue = on - due_on
    if overdue > ESCALATES_TO_MANAGER_AFTER:
        return 2
    return int(overdue > (ESCALATES_AFTER_URGENT if priority == URGENT else ESCALATES_AFTER))


@dataclass(frozen=True)
class ActivityTarget:
    """How many prospects and existing customers a consultant reaches on a working day."""

    prospects: int = 7
    existing: int = 3


@dataclass(frozen=True)
class Activity:
    """What was reached of the daily target; a customer counts once a day."""

    prospects: int
    existing: int
    target: ActivityTarget = field(default_factory=ActivityTarget)

    @property
    def is_reached(self) -> bool:
        return self.prospects >= self.target.prospects and self.existing >= self.target.existing

    @property
    def percent(self) -> int:
        """Progress in whole percent; too many of one kind do not make up for the other."""
        reached = min(self.prospects, self.target.prospects) + min(self.existing, self.target.existing)
        wanted = self.target.prospects + self.target.existing
        return 100 if wanted == 0 else 100 * reached // wanted


def count_activity(reached: Iterable[tuple[int, bool]], target: ActivityTarget | None = None) -> Activity:
    """Count the day of one consultant from (customer id, whether they own a car from us) of each effective contact."""
    owns: dict[int, bool] = {}
    for customer_id, is_existing in reached:
        owns[customer_id] = owns.get(customer_id, False) or is_existing
    existing = sum(owns.values())
    return Activity(prospects=len(owns) - existing, existing=existing, target=target or ActivityTarget())
