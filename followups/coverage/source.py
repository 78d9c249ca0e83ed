"""What every source of demand has in common: the rules of a store, its nights, and how a promise becomes demand."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from customers.choices import CustomerStatus
from customers.models import Customer
from followups.coverage.nights import Nights
from followups.coverage.plan import Period, Promise, RuleInForce
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle


class Demanded(NamedTuple):
    """One touch point that the ledger must hold. ``vehicle_id`` is 0 for a touch point without a car."""

    rule: RuleInForce
    customer_id: int
    vehicle_id: int
    promise: Promise
    anchor_on: date
    cycle_on: date | None
    is_due: bool
    last_chance: datetime


class Source(ABC):
    """What a part of the plan demands in a period from the customers of some stores."""

    def __init__(
        self, *, period: Period, rules: dict[int, dict[str, list[RuleInForce]]], nights: dict[int, Nights]
    ) -> None:
        self.period = period
        self.rules = rules
        self.nights = nights
        self.stores = list(rules)

    def _rules(self, store_id: int, trigger: str) -> list[RuleInForce]:
        return self.rules[store_id].get(trigger, [])

    def _demand(
        self,
        rule: RuleInForce,
        store_id: int,
        customer_id: int,
        vehicle_id: int,
        anchor_on: date,
        promise: Promise,
        *,
        care_from: date,
        known_at: datetime,
        cycle_on: date | None = None,
    ) -> Iterator[Demanded]:
        """Yield the touch point if its window opened in time and did not close before care was promised."""
        nights = self.nights[store_id]
        if promise.opens_on > nights.through:
            return
        known_on = max(care_from, rule.active_from)
        if promise.closes_on < known_on:
            return
        is_due = nights.is_due(promise.opens_on, known_at=max(known_at, rule.changed_at), known_on=known_on)
        last_chance = nights.last_chance(promise.opens_on)
        yield Demanded(rule, customer_id, vehicle_id, promise, anchor_on, cycle_on, is_due, last_chance)

    def _cars(self, **filters: Any) -> QuerySet:
        return Vehicle.objects.filter(
            status=VehicleStatus.IN_USE, owner__status=CustomerStatus.ACTIVE, owner__store__in=self.stores, **filters
        ).order_by("pk")

    def _customers(self, **filters: Any) -> QuerySet:
        return Customer.objects.filter(status=CustomerStatus.ACTIVE, store__in=self.stores, **filters).order_by("pk")

    @abstractmethod
    def by_trigger(self) -> dict[str, Callable[[str], Iterator[Demanded]]]:
        """Return what yields the demand of a trigger, for each that this source knows."""
