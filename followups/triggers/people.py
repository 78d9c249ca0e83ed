"""Triggers whose anchor is the customer: birthdays, events, festivals, seasons, and silence."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

from django.db.models import (
    Case,
    DateField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    Min,
    OuterRef,
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


def cars_of_customer() -> QuerySet:
    """Cars in use of the customer of an outer query."""
    return cars_in_use().filter(owner=OuterRef("pk"))


class Birthday(Trigger):
    code = "birthday"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        born = Customer.objects.filter(birthday_key__isnull=False)
        return [
            Arm(customer_candidates(born, F("birthday_key"), known="birthday_since"), nominals_of_birthdays, "integer")
        ]


class PersonalEventDay(Trigger):
    """A personal event, once or every year."""

    code = "personal_event"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        once = PersonalEvent.objects.filter(is_yearly=False)
        yearly = PersonalEvent.objects.filter(is_yearly=True)
        day = ExpressionWrapper(ExtractMonth("on") * 100 + ExtractDay("on"), output_field=IntegerField())
        offsets = offsets_of(rule)
        return [
            Arm(
                self.candidates(once, F("on")),
                partial(nominals_from_oldest, once.order_by().values(c_key=F("on")), offsets),
            ),
            Arm(
                self.candidates(yearly, day, start=F("on")),
                self.yearly_nominals,
                "integer",
            ),
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
            women = everybody.filter(salutation=Salutation.MS)
            arms.append(Arm(customer_candidates(women, Value(0)), partial(self.nominals, ["women"]), "integer"))
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
        drivers = Customer.objects.filter(Exists(cars_of_customer()))
        return [Arm(customer_candidates(drivers, Value(0)), partial(self.nominals, rule.params["days"]), "integer")]

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
    """Customers who have owned a car for some time, counted from the last effective contact (RQ)."""

    code = "regular"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        first_delivery = cars_of_customer().values("owner").annotate(first=Min("delivery_on")).values("first")
        months = f"{int(rule.params['owner_for_months'])} months"
        customers = (
            Customer.objects.filter(last_effective_contact_on__isnull=False)
            .annotate(owner_from=Cast(Subquery(first_delivery) + Cast(Value(months), Interval()), DateField()))
            .filter(owner_from__isnull=False)
        )
        anchors = Customer.objects.order_by().values(c_key=F("last_effective_contact_on"))
        return [
            Arm(
                customer_candidates(customers, F("last_effective_contact_on"), start=F("owner_from")),
                partial(nominals_from_oldest, anchors, offsets_of(rule)),
            )
        ]


class Silence(Trigger):
    """No visit for months (DW); who never came is not called silent before the first service is long overdue."""

    code = "silence"

    def arms(self, rule: CareRule) -> Sequence[Arm]:
        overdue = (
            cars_of_customer()
            .filter(next_service_kind=ServiceKind.FIRST)
            .values("owner")
            .annotate(due=Max("next_service_on"))
            .values("due")
        )
        patience = Value(f"{int(rule.params['after_first_service_days'])} days")
        drivers = Customer.objects.filter(Exists(cars_of_customer()), silent_since_on__isnull=False).annotate(
            silent_from=Case(
                When(
                    last_visit_on=None,
                    then=Cast(Subquery(overdue) + Cast(patience, Interval()), DateField()),
                ),
                default=NO_DATE,
            )
        )
        anchors = Customer.objects.order_by().values(c_key=F("silent_since_on"))
        return [
            Arm(
                customer_candidates(
                    drivers, F("silent_since_on"), start=F("silent_from"), known=delivery_known("last_visit_on")
                ),
                partial(nominals_from_oldest, anchors, offsets_of(rule)),
            )
        ]
