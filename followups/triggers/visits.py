"""Triggers whose anchor is a visit to the workshop."""

from collections.abc import Sequence
from functools import partial

from django.db.models import F, QuerySet

from followups.models import CareRule
from followups.triggers.base import Arm, Trigger, as_candidates, nominals_from_oldest, offsets_of
from followups.triggers.rules import Offsets
from service.choices import SuggestionStatus
from service.models import SuggestedWork, WorkOrder
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle


class HandOver(Trigger):
    """After each visit, to the customer who still owns the car, never by the adviser who received it (PV)."""

    code = "hand_over"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        visits: QuerySet = (
            WorkOrder.objects.handed_over()
            .with_customer_contact()
            .filter(vehicle__status=VehicleStatus.IN_USE, vehicle__owner_id=F("customer_id"))
            .order_by()
        )
        # Two orders handed over on a day are one visit; the adviser of the later one is the one to avoid.
        latest = visits.order_by("customer_id", "vehicle_id", "handed_over_on", "-id").distinct(
            "customer_id", "vehicle_id", "handed_over_on"
        )
        candidates = as_candidates(
            latest,
            customer="customer_id",
            vehicle="vehicle_id",
            key=F("handed_over_on"),
            floor="vehicle__care_from",
            known="known_since",
            avoid="adviser_id",
        )
        anchors = WorkOrder.objects.order_by().values(c_key=F("handed_over_on"))
        return [Arm(candidates, partial(nominals_from_oldest, anchors, offsets_of(rule)))]


class SuggestedWorkOpen(Trigger):
    """Work suggested and not done: some days after, and again before the next service (AJ)."""

    code = "suggested_work"
    is_forecast = True  # the second one is: it goes before the next service

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        open_work: QuerySet = SuggestedWork.objects.filter(
            status=SuggestionStatus.OPEN,
            work_order__vehicle__status=VehicleStatus.IN_USE,
            work_order__vehicle__owner_id=F("work_order__customer_id"),
        ).order_by()
        columns = {
            "customer": "work_order__customer_id",
            "vehicle": "work_order__vehicle_id",
            "floor": "work_order__vehicle__care_from",
        }
        after = as_candidates(open_work, key=F("suggested_on"), **columns).distinct()
        anchors = SuggestedWork.objects.order_by().values(c_key=F("suggested_on"))
        arms = [Arm(after, partial(nominals_from_oldest, anchors, offsets_of(rule)))]
        if "before_service_days" in rule.params:
            next_service = "work_order__vehicle__next_service_on"
            service = open_work.filter(**{f"{next_service}__gt": F("suggested_on")})
            before = as_candidates(
                service,
                key=F(next_service),
                cycle="work_order__vehicle__next_service_from_on",
                known="work_order__vehicle__forecast_since",
                **columns,
            ).distinct()
            offsets = Offsets((-rule.params["before_service_days"],))
            due = Vehicle.objects.order_by().values(c_key=F("next_service_on"))
            arms.append(Arm(before, partial(nominals_from_oldest, due, offsets)))
        return arms
