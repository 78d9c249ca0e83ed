"""Triggers whose anchor is the customer: birthdays, events, festivals, seasons, and silence."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

from django.db.models import (
    Case,
    DateField,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, ExtractDay, ExtractMonth, Greatest

from core.rules import days_between
from customers.choices import Salutation
from customers.models import Customer, PersonalEvent
from followups.models import CareRule
from followups.triggers.base import NO_DATE, Arm, Trigger, as_candidates, nominals_from_oldest, offsets_of
from followups.triggers.cars import cars_in_use
from followups.triggers.lunar import FESTIVAL_STEPS, festival_on, nominals_of_birthdays
from followups.triggers.rules import Nominal, birthday_key, solar_days_celebrated
from vehicles.choices import ServiceKind
from vehicles.models import Ownership


class Interval(DurationField):
    """A calendar interval such as "12 months", which ``DurationField`` alone would turn into days."""

    def get_prep_value(self, value: object) -> object:
        return value


def customer_candidates(
    customers: QuerySet, key: object, *, start: object = None, known: str | Combinable | None = None
) -> QuerySet:
    """Return customers as candidates without a car."""
    return as_candidates(customers.order_by(), customer="id", key=key, floor="entered_on", known=known, start=start)


def delivery_known(counted_from: str) -> Case:
    """Since when the last delivery is known, for customers without the newer date that their anchor counts from."""
    return Case(When(**{counted_from: None}, then=F("last_delivery_since")), default=NO_DATE)


def drivers_known_since() -> QuerySet:
    """Owners of cars in use, one row each, with the day since which care for the first of these is promised to them.

    What speaks to somebody as a driver counts from that day: the car may have come to them years after it was made.
    """
    return cars_in_use().values("owner_id").annotate(driver_since=Min("care_from"))


class Birthday(Trigger):
    code = "birthday"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        born = Customer.objects.filter(birthday_key__isnull=False)
        return [
            Arm(customer_candidates(born, F("birthday_key"), known="birthday_since"), nominals_of_birthdays, "integer")
        ]


class PersonalEventDay(Trigger):
    """A personal event, once or every year, on its day: the rule's offsets say nothing here."""

    code = "personal_event"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        once = PersonalEvent.objects.filter(is_yearly=False)
        yearly = PersonalEvent.objects.filter(is_yearly=True)
        day = ExpressionWrapper(ExtractMonth("on") * 100 + ExtractDay("on"), output_field=IntegerField())
        return [
            Arm(self.candidates(once, F("on")), self.nominals),
            Arm(self.candidates(yearly, day, start=F("on")), self.yearly_nominals, "integer"),
        ]

    @staticmethod
    def candidates(events: QuerySet, key: object, *, start: object = None) -> QuerySet:
        return as_candidates(
            events.order_by(),
            customer="customer_id",
            key=key,
            floor="customer__entered_on",
            known="known_since",
            start=start,
        ).distinct()

    @staticmethod
    def nominals(first: date, last: date) -> Iterator[Nominal]:
        for nominal in days_between(first, last):
            yield Nominal(nominal, 0, nominal, nominal)

    @staticmethod
    def yearly_nominals(first: date, last: date) -> Iterator[Nominal]:
        for nominal in days_between(first, last):
            for month, day in solar_days_celebrated(nominal):
                yield Nominal(birthday_key(month, day), 0, nominal, nominal)


class Festival(Trigger):
    """Every customer, on the festivals that the rule names; Women's Day for women."""

    code = "festival"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        festivals = rule.params["festivals"]
        everybody = Customer.objects.all()
        arms = [
            Arm(
                customer_candidates(everybody, Value(0)),
                partial(self.nominals, [name for name in festivals if name != "women"]),
                "integer",
            )
        ]
        if "women" in festivals:
            women = customer_candidates(everybody.filter(salutation=Salutation.MS), Value(0), known="salutation_since")
            arms.append(Arm(women, partial(self.nominals, ["women"]), "integer"))
        return arms

    @staticmethod
    def nominals(festivals: Sequence[str], first: date, last: date) -> Iterator[Nominal]:
        for nominal in days_between(first, last):
            for festival in festivals:
                if festival_on(nominal, festival):
                    yield Nominal(0, FESTIVAL_STEPS[festival], nominal, nominal)


class Season(Trigger):
    """Everybody who has a car in use, on fixed days of the year."""

    code = "season"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        drivers = as_candidates(drivers_known_since(), customer="owner_id", key=Value(0), floor="driver_since")
        return [Arm(drivers, partial(self.nominals, rule.params["days"]), "integer")]

    @staticmethod
    def nominals(days: Sequence[str], first: date, last: date) -> Iterator[Nominal]:
        for nominal in days_between(first, last):
            if nominal.strftime("%m-%d") in days:
                yield Nominal(0, nominal.month, nominal, nominal)


class TierContact(Trigger):
    """The cadence of a tier, counted from the last effective contact (TV, TQ, TO)."""

    code = "tier_contact"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        customers = Customer.objects.filter(tier=rule.params["tier"])
        anchors = customers.order_by().values(c_key=F("care_anchor_on"))
        return [
            Arm(
                customer_candidates(
                    customers,
                    F("care_anchor_on"),
                    known=Greatest(F("tier_since"), delivery_known("last_effective_contact_on")),
                ),
                partial(nominals_from_oldest, anchors, offsets_of(rule)),
            )
        ]


class RegularFollowUp(Trigger):
    """Customers who have owned a car for some time, counted from the last effective contact (RQ).

    Of several cars, the one counts by which they came to be such an owner first, as far as the store has known: its
    time must be full, and care for it have been promised.
    """

    code = "regular"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        months = Value(f"{int(rule.params['owner_for_months'])} months")
        cars = (
            cars_in_use()
            .filter(delivery_on__isnull=False, owner__last_effective_contact_on__isnull=False)
            .annotate(owner_from=Cast(F("delivery_on") + Cast(months, Interval()), DateField()))
            .order_by("owner_id", Greatest("owner_from", "care_from"), "care_from", "owner_from")
            .distinct("owner_id")
        )
        candidates = as_candidates(
            cars,
            customer="owner_id",
            key=F("owner__last_effective_contact_on"),
            floor="care_from",
            start=F("owner_from"),
        )
        anchors = Customer.objects.order_by().values(c_key=F("last_effective_contact_on"))
        return [Arm(candidates, partial(nominals_from_oldest, anchors, offsets_of(rule)))]


class Silence(Trigger):
    """Neither a visit nor a new car for months (DW), and not before a first service that is open is long overdue.

    Whatever else keeps or kept somebody from being called silent is known since a day as well: the last visit and
    delivery, the forecast of a service, a car that went.
    """

    code = "silence"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        patience = Value(f"{int(rule.params['after_first_service_days'])} days")
        is_first = Q(next_service_kind=ServiceKind.FIRST)
        gone = Ownership.objects.filter(customer=OuterRef("owner_id")).order_by().values("customer")
        drivers = (
            drivers_known_since()
            .filter(owner__silent_since_on__isnull=False)
            .annotate(
                forecasts_since=Max("forecast_since"),
                silent_from=Cast(Max("next_service_on", filter=is_first) + Cast(patience, Interval()), DateField()),
                garage_since=Subquery(gone.annotate(last=Max("ended_on")).values("last")),
            )
        )
        candidates = as_candidates(
            drivers,
            customer="owner_id",
            key=F("owner__silent_since_on"),
            floor="driver_since",
            known=Greatest("owner__last_visit_since", "owner__last_delivery_since", "forecasts_since", "garage_since"),
            start=F("silent_from"),
        )
        anchors = Customer.objects.order_by().values(c_key=F("silent_since_on"))
        return [Arm(candidates, partial(nominals_from_oldest, anchors, offsets_of(rule)))]
