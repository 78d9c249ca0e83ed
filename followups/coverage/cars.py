"""What the plan demands by the facts of a car: its dates, forecasts, policies and visits."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet

from followups.coverage.source import Demanded, Source
from followups.coverage.streams import stream
from service.choices import JobType, SuggestionStatus
from service.models import SuggestedWork, WorkOrder
from vehicles.choices import ServiceKind, Use
from vehicles.models import InsurancePolicy


class OfCars(Source):
    """Promises that are about a car."""

    CAR = ("pk", "owner", "owner__store", "care_from", "owner__entered_on", "created_at", "owner__created_at")

    def by_trigger(self) -> dict[str, Callable[[str], Iterator[Demanded]]]:
        """Return what yields the demand of each trigger that is about a car."""
        return {
            "delivery": lambda trigger: self._from_cars(trigger, "delivery_on"),
            "first_service": lambda trigger: self._from_forecasts(trigger, next_service_kind=ServiceKind.FIRST),
            "periodic_service": lambda trigger: self._from_forecasts(trigger, next_service_kind=ServiceKind.PERIODIC),
            "service_month": self._from_service_months,
            "hand_over": self._from_orders,
            "suggested_work": self._from_suggestions,
            "policy_end": self._from_policies,
            "inspection_end": lambda trigger: self._from_cars(
                trigger, "inspection_valid_until", since="inspection_since"
            ),
            "warranty_near": lambda trigger: self._from_warranty(trigger, "warranty_notice_on"),
            "warranty_end": lambda trigger: self._from_warranty(trigger, "warranty_runs_out_on"),
            "three_guarantees_end": lambda trigger: self._from_warranty(
                trigger, "three_guarantees_run_out_on", use=Use.PRIVATE
            ),
        }

    def _from_cars(
        self, trigger: str, fact: str, *, cycle: str | None = None, since: str | None = None, **filters: Any
    ) -> Iterator[Demanded]:
        """Promises that count from a date of the car, known since the day in the column ``since``."""
        filters[f"{fact}__isnull"] = False
        for row in stream(self._cars(**filters), *self.CAR, fact, cycle or "pk", since or "care_from"):
            car, owner, store, care_from, entered_on, made_at, owner_made_at, anchor, cycle_on, known_since = row
            for rule in self._rules(store, trigger):
                for promise in rule.promises(anchor):
                    yield from self._demand(
                        rule,
                        store,
                        owner,
                        car,
                        anchor,
                        promise,
                        care_from=max(care_from, entered_on, known_since or date.min),
                        known_at=max(made_at, owner_made_at),
                        cycle_on=cycle_on if cycle else None,
                    )

    def _from_forecasts(self, trigger: str, **filters: Any) -> Iterator[Demanded]:
        yield from self._from_cars(
            trigger, "next_service_on", cycle="next_service_from_on", since="forecast_since", **filters
        )

    def _from_warranty(self, trigger: str, fact: str, **filters: Any) -> Iterator[Demanded]:
        yield from self._from_cars(trigger, fact, cycle="warranty_from_on", since="forecast_since", **filters)

    def _from_service_months(self, trigger: str) -> Iterator[Demanded]:
        """The last day of the month before the month in which the service is due."""
        cars = self._cars(next_service_on__isnull=False)
        for row in stream(cars, *self.CAR, "next_service_on", "next_service_from_on", "forecast_since"):
            car, owner, store, care_from, entered_on, made_at, owner_made_at, due_on, cycle_on, known_since = row
            nominal_on = due_on.replace(day=1) - timedelta(days=1)
            if not self.period.first <= nominal_on <= self.period.last:
                continue
            for rule in self._rules(store, trigger):
                yield from self._demand(
                    rule,
                    store,
                    owner,
                    car,
                    due_on,
                    rule.promise(nominal_on, anchor=due_on),
                    care_from=max(care_from, entered_on, known_since or date.min),
                    known_at=max(made_at, owner_made_at),
                    cycle_on=cycle_on,
                )

    def _from_policies(self, trigger: str) -> Iterator[Demanded]:
        """The end of a policy that no later one of its kind has taken over."""
        later = InsurancePolicy.objects.filter(
            vehicle=OuterRef("vehicle"), kind=OuterRef("kind"), ends_on__gt=OuterRef("ends_on")
        )
        policies = InsurancePolicy.objects.filter(~Exists(later), vehicle__in=self._cars().order_by())
        yield from self._from_facts_of_cars(trigger, policies, "ends_on", since="known_since")

    def _from_orders(self, trigger: str) -> Iterator[Demanded]:
        """Visits whose customer still owns the car."""
        orders = WorkOrder.objects.filter(
            handed_over_on__isnull=False, customer=F("vehicle__owner"), vehicle__in=self._cars().order_by()
        ).exclude(job_type=JobType.INTERNAL)
        yield from self._from_facts_of_cars(trigger, orders, "handed_over_on", since="known_since")

    def _from_facts_of_cars(
        self, trigger: str, facts: QuerySet, fact: str, *, since: str | None = None, to_car: str = ""
    ) -> Iterator[Demanded]:
        """Promises that count from a date of a row that belongs to a car."""
        columns = [f"{to_car}vehicle__{column}" for column in self.CAR]
        for row in stream(facts.order_by("pk"), *columns, fact, "changed_at", since or "pk"):
            car, owner, store, care_from, entered_on, made_at, owner_made_at, anchor, changed_at, known_since = row
            promised_from = max(care_from, entered_on, (since and known_since) or date.min)
            for rule in self._rules(store, trigger):
                for promise in rule.promises(anchor):
                    yield from self._demand(
                        rule,
                        store,
                        owner,
                        car,
                        anchor,
                        promise,
                        care_from=promised_from,
                        known_at=max(made_at, owner_made_at, changed_at),
                    )

    def _from_suggestions(self, trigger: str) -> Iterator[Demanded]:
        """Work that was suggested and not done: so long after the suggestion, and before the next service.

        To whom it was suggested, while they still own the car: the next owner has not heard of it.
        """
        open_ones = SuggestedWork.objects.filter(
            status=SuggestionStatus.OPEN,
            work_order__customer=F("work_order__vehicle__owner"),
            work_order__vehicle__in=self._cars().order_by(),
        )
        yield from self._from_facts_of_cars(trigger, open_ones, "suggested_on", to_car="work_order__")
        facts = (*self.CAR, "next_service_on", "next_service_from_on", "forecast_since")
        columns = [f"work_order__vehicle__{column}" for column in facts]
        before_service = open_ones.filter(work_order__vehicle__next_service_on__gt=F("suggested_on")).order_by("pk")
        for *row, changed_at in stream(before_service, *columns, "changed_at"):
            car, owner, store, care_from, entered_on, made_at, owner_made_at, due_on, cycle_on, known_since = row
            for rule in self._rules(store, trigger):
                before = rule.params.get("before_service_days")
                nominal_on = due_on - timedelta(days=before or 0)
                if before is None or not self.period.first <= nominal_on <= self.period.last:
                    continue
                yield from self._demand(
                    rule,
                    store,
                    owner,
                    car,
                    due_on,
                    rule.promise(nominal_on, anchor=due_on, step=-before),
                    care_from=max(care_from, entered_on, known_since or date.min),
                    known_at=max(made_at, owner_made_at, changed_at),
                    cycle_on=cycle_on,
                )
