"""Writes of the workshop, as much as the care engine needs: visits and hand-overs."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import acting, locked
from customers.models import Customer
from service.choices import MAINTENANCE, JobType
from service.models import SuggestedWork, WorkOrder
from vehicles.actions import announce, lock_car, refresh_vehicle_facts
from vehicles.choices import OdometerSource
from vehicles.models import OdometerReading, Vehicle


class CannotRecordVisit(Exception):
    """The visit contradicts what is known; the message says so to the person who enters it."""


def _visitors(vehicle_ids: Collection[int]) -> QuerySet:
    """Return the ids of everybody who brought the cars: their last visit is written when a visit of the cars is."""
    return WorkOrder.objects.filter(vehicle__in=vehicle_ids).order_by().values_list("customer_id", flat=True).distinct()


def _next_number(vehicle: Vehicle, on: date) -> str:
    """Return the next work-order number of the car's store and day: R, store, yymmdd, sequence (domain §1.3).

    The store's day is locked until the transaction ends, so that two orders never get one number: the last lock of a
    visit (ADR 0011).
    """
    prefix = f"R{vehicle.store.code}{on:%y%m%d}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [prefix])
    taken = WorkOrder.objects.filter(number__startswith=prefix).values_list("number", flat=True)
    sequences = [int(tail) for number in taken if (tail := number.removeprefix(prefix)).isdecimal()]
    return f"{prefix}{max(sequences, default=0) + 1:03d}"


@transaction.atomic
def record_visit(
    *,
    vehicle: Vehicle,
    job_type: JobType,
    arrived_on: date,
    by: User | None,
    km: int | None = None,
    adviser: User | None = None,
    summary: str = "",
    amount: Decimal = Decimal(0),
    handed_over_on: date | None = None,
    known_on: date | None = None,
) -> WorkOrder:
    """Enter a visit of a car to the workshop; with ``handed_over_on`` it is over and ``hand_over`` follows at once.

    ``known_on`` is the day on which it is entered, that of the visit unless told (ADR 0006). The mileage goes into the
    odometer log. Raises ``CannotRecordVisit`` when the hand-over lies before the arrival.
    """
    lock_car(vehicle, *_visitors([vehicle.pk]))
    with acting(by):
        order = WorkOrder.objects.create(
            store_id=vehicle.store_id,
            number=_next_number(vehicle, arrived_on),
            vehicle=vehicle,
            customer_id=vehicle.owner_id,
            job_type=job_type,
            summary=summary[:300],
            arrived_on=arrived_on,
            km=km,
            adviser=adviser,
            amount=amount,
        )
        if km is not None:
            OdometerReading.objects.get_or_create(
                vehicle=vehicle, on=arrived_on, km=km, defaults={"source": OdometerSource.WORK_ORDER}
            )
            refresh_vehicle_facts([vehicle.pk], on=known_on or arrived_on)
        if handed_over_on is not None:
            return hand_over(order=order, on=handed_over_on, by=by, known_on=known_on)
    announce(vehicle.owner_id)
    return order


@transaction.atomic
def hand_over(*, order: WorkOrder, on: date, by: User | None, known_on: date | None = None) -> WorkOrder:
    """Give the car back to the customer: from now on the order is a visit, and service is counted from it.

    ``known_on`` is the day on which the hand-over is entered, ``on`` unless told: what would have been due before it is
    known was never promised (ADR 0006). Raises ``CannotRecordVisit`` when the order was handed over before, or ``on``
    is before its arrival.
    """
    lock_car(order.vehicle, *_visitors([order.vehicle_id]))
    owner_id = order.vehicle.owner_id
    order = locked(WorkOrder.objects.all()).get(pk=order.pk)
    if order.handed_over_on is not None:
        raise CannotRecordVisit(_("The car was handed over on %(day)s already.") % {"day": order.handed_over_on})
    if on < order.arrived_on:
        raise CannotRecordVisit(_("The car cannot be handed over before it arrived."))
    order.handed_over_on, order.known_since = on, known_on or on
    with acting(by):
        order.save(update_fields=["handed_over_on", "known_since"])
        refresh_visit_facts([order.vehicle_id], on=order.known_since)
    announce(*{order.customer_id, owner_id})
    return order


@transaction.atomic
def suggest_work(*, order: WorkOrder, text: str, on: date, by: User | None) -> SuggestedWork:
    """Remember work that was suggested at a visit and not done: it will be spoken about again (domain §3.2 AJ)."""
    with acting(by):
        suggestion = SuggestedWork.objects.create(work_order=order, text=text[:200], suggested_on=on)
    announce(order.customer_id)
    return suggestion


@transaction.atomic
def refresh_visit_facts(vehicle_ids: Iterable[int], *, on: date) -> int:
    """Bring cars and their customers in line with the orders handed over, then the forecasts; return changed cars.

    A visit is an order handed over that is not internal; the last maintenance among them is the last service. A
    service known from elsewhere stays when it is later. Set-based: fit for thousands of cars at once; run again, it
    changes nothing.
    """
    ids = sorted(set(vehicle_ids))
    concerned = Q(pk__in=_visitors(ids)) | Q(vehicles__in=ids)
    list(locked(Customer.objects.filter(pk__in=Customer.objects.filter(concerned).values("pk"))).values_list("pk"))
    list(locked(Vehicle.objects.filter(pk__in=ids)).values_list("pk"))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE vehicles_vehicle AS car SET
                last_visit_on = GREATEST(car.last_visit_on, visit.last_visit_on),
                last_service_km = CASE WHEN visit.last_service_on >= COALESCE(car.last_service_on, '-infinity')
                                       THEN visit.last_service_km ELSE car.last_service_km END,
                last_service_on = GREATEST(car.last_service_on, visit.last_service_on),
                first_service_done_on = COALESCE(car.first_service_done_on, visit.first_service_on)
            FROM (
                SELECT work.vehicle_id,
                       max(work.handed_over_on) AS last_visit_on,
                       max(work.handed_over_on) FILTER (WHERE work.job_type = ANY(%(maintenance)s)) AS last_service_on,
                       (array_agg(work.km ORDER BY work.handed_over_on DESC, work.id DESC)
                            FILTER (WHERE work.job_type = ANY(%(maintenance)s)))[1] AS last_service_km,
                       min(work.handed_over_on) FILTER (WHERE work.job_type = %(first)s) AS first_service_on
                FROM service_workorder AS work
                WHERE work.vehicle_id = ANY(%(ids)s)
                  AND work.handed_over_on IS NOT NULL AND work.job_type <> %(internal)s
                GROUP BY work.vehicle_id
            ) AS visit
            WHERE car.id = visit.vehicle_id
              AND (GREATEST(car.last_visit_on, visit.last_visit_on),
                   CASE WHEN visit.last_service_on >= COALESCE(car.last_service_on, '-infinity')
                        THEN visit.last_service_km ELSE car.last_service_km END,
                   GREATEST(car.last_service_on, visit.last_service_on),
                   COALESCE(car.first_service_done_on, visit.first_service_on))
                  IS DISTINCT FROM
                  (car.last_visit_on, car.last_service_km, car.last_service_on, car.first_service_done_on)
            """,
            {
                "ids": ids,
                "maintenance": [str(kind) for kind in MAINTENANCE],
                "first": str(JobType.FIRST_SERVICE),
                "internal": str(JobType.INTERNAL),
            },
        )
        cursor.execute(
            """
            UPDATE customers_customer AS customer
            SET last_visit_on = visit.last_visit_on, last_visit_since = visit.known_since
            FROM (
                SELECT work.customer_id, max(work.handed_over_on) AS last_visit_on,
                       (array_agg(work.known_since ORDER BY work.handed_over_on DESC, work.id DESC))[1] AS known_since
                FROM service_workorder AS work
                WHERE work.customer_id IN (SELECT customer_id FROM service_workorder WHERE vehicle_id = ANY(%s))
                  AND work.handed_over_on IS NOT NULL AND work.job_type <> %s
                GROUP BY work.customer_id
            ) AS visit
            WHERE customer.id = visit.customer_id
              AND visit.last_visit_on > COALESCE(customer.last_visit_on, '-infinity')
            """,
            [ids, str(JobType.INTERNAL)],
        )
    return refresh_vehicle_facts(ids, on=on)
