"""Triggers whose anchor is a date of a car: delivery, next service, policies, inspection, warranty."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from django.db.models import F, QuerySet

from followups.models import CareRule
from followups.triggers.base import Arm, Trigger, as_candidates, nominals_from_oldest, offsets_of
from followups.triggers.rules import nominals_of_month_ends
from vehicles.choices import ServiceKind, Use, VehicleStatus
from vehicles.models import InsurancePolicy, Vehicle


def cars_in_use() -> QuerySet:
    """Cars that touch points are planned for (domain §3.6, 8); the planner looks at the owner's status itself."""
    return Vehicle.objects.filter(status=VehicleStatus.IN_USE).order_by()


def car_candidates(cars: QuerySet, key: str, *, cycle: str | None = None, known: str | None = None) -> QuerySet:
    """Return cars as candidates, keyed by one of their dates."""
    return as_candidates(
        cars.filter(**{f"{key}__isnull": False}),
        customer="owner_id",
        vehicle="id",
        key=F(key),
        cycle=cycle,
        floor="care_from",
        known=known,
    )


class CarDate(Trigger):
    """Offsets from a date of a car."""

    field: ClassVar[str]
    cycle: ClassVar[str | None] = None
    known: ClassVar[str | None] = None

    def cars(self) -> QuerySet:
        return cars_in_use()

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        candidates = car_candidates(self.cars(), self.field, cycle=self.cycle, known=self.known)
        anchors = Vehicle.objects.order_by().values(c_key=F(self.field))
        return [Arm(candidates, partial(nominals_from_oldest, anchors, offsets_of(rule)))]


class Delivery(CarDate):
    code = "delivery"
    field = "delivery_on"


class FirstService(CarDate):
    code = "first_service"
    field = "next_service_on"
    cycle = "next_service_from_on"
    known = "forecast_since"
    is_forecast = True

    def cars(self) -> QuerySet:
        return super().cars().filter(next_service_kind=ServiceKind.FIRST)


class PeriodicService(FirstService):
    code = "periodic_service"

    def cars(self) -> QuerySet:
        return cars_in_use().filter(next_service_kind=ServiceKind.PERIODIC)


class ServiceMonth(Trigger):
    """On the last day of a month, all cars that are due in the next one (PS0)."""

    code = "service_month"
    is_forecast = True

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        candidates = car_candidates(
            cars_in_use(), "next_service_on", cycle="next_service_from_on", known="forecast_since"
        )
        return [Arm(candidates, nominals_of_month_ends)]


class WarrantyNear(CarDate):
    code = "warranty_near"
    field = "warranty_notice_on"
    cycle = "warranty_from_on"
    known = "forecast_since"
    is_forecast = True


class WarrantyEnd(CarDate):
    """The day on which months or kilometres end the warranty: a forecast, as the odometer goes on (ADR 0014)."""

    code = "warranty_end"
    field = "warranty_runs_out_on"
    cycle = "warranty_from_on"
    known = "forecast_since"
    is_forecast = True
    speaks_of_end = True


class ThreeGuaranteesEnd(WarrantyEnd):
    """Household cars only: the three-guarantees rules do not cover commercial ones (domain §11.3)."""

    code = "three_guarantees_end"
    field = "three_guarantees_run_out_on"

    def cars(self) -> QuerySet:
        return super().cars().filter(use=Use.PRIVATE)


class InspectionEnd(CarDate):
    code = "inspection_end"
    field = "inspection_valid_until"
    known = "inspection_since"


class PolicyEnd(Trigger):
    """Offsets from the end of a policy that no later one replaced. Two policies that end on a day are one reason."""

    code = "policy_end"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        policies = InsurancePolicy.objects.current().filter(vehicle__status=VehicleStatus.IN_USE).order_by()
        candidates = as_candidates(
            policies,
            customer="vehicle__owner_id",
            vehicle="vehicle_id",
            key=F("ends_on"),
            floor="vehicle__care_from",
            known="known_since",
        ).distinct()
        anchors = InsurancePolicy.objects.order_by().values(c_key=F("ends_on"))
        return [Arm(candidates, partial(nominals_from_oldest, anchors, offsets_of(rule)))]
