"""What the plan demands of customers: on days of the calendar, and so long after what happened last."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from customers.choices import BirthdayCalendar, CustomerStatus, Salutation
from customers.models import PersonalEvent
from followups.coverage.anchors import Anchor, AnchorLine, Standing
from followups.coverage.dates import festival_days, lunar_yearly, months_after, yearly
from followups.coverage.nights import Nights
from followups.coverage.plan import Promise, RuleInForce
from followups.coverage.source import Demanded, Source
from followups.coverage.streams import History, stream
from followups.models import ContactLog
from service.choices import JobType
from service.models import WorkOrder
from vehicles.choices import ServiceKind
from vehicles.models import Ownership

LONG_AGO = datetime.min.replace(tzinfo=UTC)


class OfCustomers(Source):
    """Promises that are about a person, whatever the car."""

    PERSON = ("pk", "store", "entered_on", "created_at")

    def by_trigger(self) -> dict[str, Callable[[str], Iterator[Demanded]]]:
        """Return what yields the demand of each trigger that is about a customer."""
        return {
            "birthday": self._from_birthdays,
            "festival": self._from_festivals,
            "personal_event": self._from_personal_events,
            "season": self._from_seasons,
            "tier_contact": self._from_tiers,
            "regular": self._from_contacts,
            "silence": self._from_silence,
        }

    def _on_days(self, rule: RuleInForce, row: Sequence[Any], days: Iterable[date]) -> Iterator[Demanded]:
        """Promises to a customer (``row`` as in ``PERSON``) on days that the calendar gives."""
        customer, store, entered_on, made_at = row
        for day in days:
            yield from self._demand(
                rule,
                store,
                customer,
                0,
                day,
                rule.promise(day, anchor=day),
                care_from=entered_on,
                known_at=made_at,
            )

    def _from_birthdays(self, trigger: str) -> Iterator[Demanded]:
        remembered: dict[tuple[Any, ...], list[date]] = {}
        columns = ("birthday_calendar", "birthday_month", "birthday_day", "is_birthday_leap_month")
        customers = self._customers(birthday_month__isnull=False, birthday_day__isnull=False)
        for customer, store, entered_on, made_at, known_since, *key in stream(
            customers, *self.PERSON, "birthday_since", *columns
        ):
            person, birthday = (customer, store, max(entered_on, known_since or date.min), made_at), tuple(key)
            if birthday not in remembered:
                remembered[birthday] = self._birthdays(*birthday)
            for rule in self._rules(store, trigger):
                yield from self._on_days(rule, person, remembered[birthday])

    def _birthdays(self, kind: str, month: int, day: int, in_leap_month: bool) -> list[date]:
        first, last = self.period.first, self.period.last
        if kind != BirthdayCalendar.LUNAR:
            return list(yearly(month, day, first, last))
        if day > 30:
            return []
        return list(lunar_yearly(month, day, first, last, in_leap_month=in_leap_month))

    def _from_festivals(self, trigger: str) -> Iterator[Demanded]:
        """Everybody, on the festivals of the rule; women's day for those who are known to be women, since then."""
        remembered: dict[int, tuple[list[date], list[date]]] = {}
        for *person, salutation, known_since in stream(
            self._customers(), *self.PERSON, "salutation", "salutation_since"
        ):
            customer, store, entered_on, made_at = person
            for rule in self._rules(store, trigger):
                if rule.pk not in remembered:
                    codes = rule.params.get("festivals", [])
                    remembered[rule.pk] = (
                        self._on_festivals([code for code in codes if code != "women"]),
                        self._on_festivals([code for code in codes if code == "women"]),
                    )
                for_all, for_women = remembered[rule.pk]
                yield from self._on_days(rule, person, for_all)
                if salutation == Salutation.MS:
                    woman = (customer, store, max(entered_on, known_since or date.min), made_at)
                    yield from self._on_days(rule, woman, for_women)

    def _on_festivals(self, codes: list[str]) -> list[date]:
        return sorted({day for code in codes for day in festival_days(code, self.period.first, self.period.last)})

    def _from_seasons(self, trigger: str) -> Iterator[Demanded]:
        """Customers with a car in care, since they have had one, on fixed days of the year."""
        remembered: dict[int, list[date]] = {}
        garage = self._garage()
        for customer, store, entered_on, made_at in stream(self._customers(), *self.PERSON):
            cars = garage.of(customer)
            if not cars:
                continue
            driver = self._driver(cars, entered_on, made_at)
            for rule in self._rules(store, trigger):
                if rule.pk not in remembered:
                    remembered[rule.pk] = self._on_season_days(rule.params.get("days", []))
                yield from self._on_days(rule, (customer, store, *driver), remembered[rule.pk])

    def _on_season_days(self, texts: list[str]) -> list[date]:
        days: set[date] = set()
        for text in texts:
            month, _, day = text.partition("-")
            days.update(yearly(int(month), int(day), self.period.first, self.period.last))
        return sorted(days)

    def _from_personal_events(self, trigger: str) -> Iterator[Demanded]:
        events = PersonalEvent.objects.filter(
            customer__status=CustomerStatus.ACTIVE, customer__store__in=self.stores
        ).order_by("pk")
        columns = ("customer", "customer__store", "customer__entered_on", "customer__created_at")
        for customer, store, entered_on, made_at, on, is_yearly, changed_at, known_since in stream(
            events, *columns, "on", "is_yearly", "changed_at", "known_since"
        ):
            days = [on]
            if is_yearly:
                days = list(yearly(on.month, on.day, max(self.period.first, on), self.period.last))
            days = [day for day in days if self.period.first <= day <= self.period.last]
            person = (customer, store, max(entered_on, known_since or date.min), max(made_at, changed_at))
            for rule in self._rules(store, trigger):
                yield from self._on_days(rule, person, days)

    def _along(
        self,
        trigger: str,
        customer: int,
        store: int,
        line: AnchorLine,
        standing: Callable[[RuleInForce, Promise], Standing | None],
    ) -> Iterator[Demanded]:
        """Promises that count from the anchor which ruled when they were planned.

        ``standing`` says since when one of them holds, and None for one that does not.
        """
        nights = self.nights[store]
        for anchor, successor in line:
            for rule in self._rules(store, trigger):
                for promise in rule.promises(anchor.on):
                    holds = standing(rule, promise)
                    if holds is None:
                        continue
                    care_from = max(holds.care_from, anchor.floor)
                    known_at = max(holds.known_at, anchor.latest)
                    if AnchorLine.rules(anchor, successor, promise, nights, holds_from=care_from, known_at=known_at):
                        yield from self._demand(
                            rule, store, customer, 0, anchor.on, promise, care_from=care_from, known_at=known_at
                        )

    def _contacts(self) -> History:
        """Effective contacts: customer, day, moment."""
        contacts = ContactLog.objects.filter(
            is_effective=True, customer__status=CustomerStatus.ACTIVE, customer__store__in=self.stores
        )
        return History(stream(contacts.order_by("customer_id", "at", "pk"), "customer_id", "on", "at"))

    def _visits(self) -> History:
        """Orders handed over: customer, day, last change, day of arrival, when made, hand-over known since."""
        orders = WorkOrder.objects.filter(
            handed_over_on__isnull=False, customer__status=CustomerStatus.ACTIVE, customer__store__in=self.stores
        ).exclude(job_type=JobType.INTERNAL)
        ordered = orders.order_by("customer_id", "handed_over_on", "pk")
        facts = ("handed_over_on", "changed_at", "arrived_on", "created_at", "known_since")
        return History(stream(ordered, "customer_id", *facts))

    @staticmethod
    def _visit_anchor(
        nights: Nights, on: date, changed_at: datetime, arrived_on: date, made_at: datetime, known_since: date | None
    ) -> Anchor:
        # An order entered before the car arrived is one of a simulated time: it was known from the beginning.
        known_from = made_at if made_at < nights.midnight(arrived_on) else nights.midnight(on)
        return Anchor(on, on, known_from, changed_at, floor=known_since or date.min)

    def _ended_ownerships(self) -> History:
        """Cars that customers no longer have: customer, day."""
        ended = Ownership.objects.filter(
            ended_on__isnull=False, customer__status=CustomerStatus.ACTIVE, customer__store__in=self.stores
        )
        return History(stream(ended.order_by("customer_id", "pk"), "customer_id", "ended_on"))

    def _garage(self) -> History:
        """Cars in care: owner, delivery, care promised from, made at, next service, its kind, and known since when."""
        return History(
            stream(
                self._cars().order_by("owner_id", "pk"),
                "owner_id",
                "delivery_on",
                "care_from",
                "created_at",
                "next_service_on",
                "next_service_kind",
                "forecast_since",
            )
        )

    @staticmethod
    def _driver(cars: list[tuple[Any, ...]], entered_on: date, made_at: datetime) -> Standing:
        """Since when somebody with these cars has had one, as far as the store has known."""
        care_from, car_made_at = min((car[2], car[3]) for car in cars)
        return Standing(max(entered_on, care_from), max(made_at, car_made_at))

    def _contact_anchors(
        self, nights: Nights, rows: list[tuple[Any, ...]], column: date | None, made_at: datetime
    ) -> list[Anchor]:
        # A contact of a time to come is one of a simulated time: it was known from the beginning.
        moments = [(on, at if at <= nights.now else LONG_AGO) for _, on, at in rows]
        anchors = [Anchor(on, on, at, at) for on, at in moments]
        if column is not None and (not rows or column > max(row[1] for row in rows)):
            # Told at the import, without a row in the contact log.
            anchors.append(Anchor(column, column, nights.midnight(column), made_at))
        return anchors

    @staticmethod
    def _delivery_anchors(
        cars: list[tuple[Any, ...]], column: date | None, since: date | None, made_at: datetime, changed_at: datetime
    ) -> list[Anchor]:
        floor = since or date.min
        # A last delivery that was another one before is known since a change of the customer, the last at the latest.
        learnt_at = changed_at if since else made_at
        anchors: list[Anchor] = []
        known = sorted((max(on, care_from), on, at) for _, on, care_from, at, *_ in cars if on is not None)
        for day, on, at in known:
            if not anchors or on > anchors[-1].on:
                anchors.append(Anchor(on, day, at, max(at, learnt_at), floor=floor))
        if not anchors and column is not None:
            anchors.append(Anchor(column, column, made_at, learnt_at, floor=floor))
        return anchors

    @staticmethod
    def _latest(anchors: list[Anchor]) -> AnchorLine:
        """A line in which the latest date rules: one that is told after a later one has nothing to say."""
        line: list[Anchor] = []
        for anchor in sorted(anchors, key=lambda anchor: (anchor.day, anchor.on, anchor.earliest)):
            if not line or anchor.on > line[-1].on:
                line.append(anchor)
        return AnchorLine(line)

    @staticmethod
    def _taking_over(before: list[Anchor], after: list[Anchor]) -> AnchorLine:
        """A line in which anchors of the second kind, once there is one, leave no room for the first kind."""
        if after:
            start = min(anchor.day for anchor in after)
            before = [anchor for anchor in before if anchor.day < start]
        return AnchorLine(before + after)

    def _from_tiers(self, trigger: str) -> Iterator[Demanded]:
        """Customers of a tier, so long after the last effective contact, else the last delivery, else the entry."""
        tiers = {rule.params.get("tier") for of_store in self.rules.values() for rule in of_store.get(trigger, [])}
        contacts, garage = self._contacts(), self._garage()
        columns = ("pk", "store", "entered_on", "created_at")
        facts = (
            "tier",
            "tier_since",
            "last_effective_contact_on",
            "last_delivery_on",
            "last_delivery_since",
            "changed_at",
        )
        for *row, tier, tier_since, contacted_on, delivered_on, delivery_since, changed_at in stream(
            self._customers(tier__in=tiers), *columns, *facts
        ):
            customer, store, entered_on, made_at = row
            before = [
                # Also the last resort of somebody whose cars have gone, and who was counted from their delivery before.
                Anchor(entered_on, date.min, LONG_AGO, made_at, floor=delivery_since or date.min),
                *self._delivery_anchors(garage.of(customer), delivered_on, delivery_since, made_at, changed_at),
            ]
            after = self._contact_anchors(self.nights[store], contacts.of(customer), contacted_on, made_at)
            of_tier = Standing(max(entered_on, tier_since or date.min), made_at)

            def standing(rule: RuleInForce, _: Promise, tier: str = tier, since: Standing = of_tier) -> Standing | None:
                return since if rule.params.get("tier") == tier else None

            yield from self._along(trigger, customer, store, self._taking_over(before, after), standing)

    def _from_contacts(self, trigger: str) -> Iterator[Demanded]:
        """Owners of some time, so long after the last effective contact."""
        contacts, garage = self._contacts(), self._garage()
        columns = ("pk", "store", "entered_on", "created_at", "last_effective_contact_on")
        for customer, store, entered_on, made_at, contacted_on in stream(self._customers(), *columns):
            delivered = [car for car in garage.of(customer) if car[1] is not None]
            anchors = self._contact_anchors(self.nights[store], contacts.of(customer), contacted_on, made_at)
            if not delivered:
                continue
            owner = Standing(entered_on, made_at)

            def standing(
                rule: RuleInForce,
                promise: Promise,
                cars: list[tuple[Any, ...]] = delivered,
                owner: Standing = owner,
            ) -> Standing | None:
                owner_from, car = self._owner_by(cars, rule.params.get("owner_for_months", 0))
                return self._driver([car], *owner) if owner_from <= promise.nominal_on else None

            yield from self._along(trigger, customer, store, AnchorLine(anchors), standing)

    @staticmethod
    def _owner_by(cars: list[tuple[Any, ...]], months: int) -> tuple[date, tuple[Any, ...]]:
        """Since when somebody has owned a car for so long, and by which: the one that came to this first, as known."""
        full = [(months_after(car[1], months), car) for car in cars]
        return min(full, key=lambda each: (max(each[0], each[1][2]), each[1][2], each[0]))

    def _from_silence(self, trigger: str) -> Iterator[Demanded]:
        """Owners, so long after the last visit or the last delivery; not before a first service is long overdue."""
        visits, garage, gone = self._visits(), self._garage(), self._ended_ownerships()
        columns = ("pk", "store", "entered_on", "created_at")
        told = ("last_visit_on", "last_visit_since", "last_delivery_on", "last_delivery_since", "changed_at")
        for *row, visited_on, visit_since, delivered_on, delivery_since, changed_at in stream(
            self._customers(), *columns, *told
        ):
            customer, store, entered_on, made_at = row
            cars, orders, ends = garage.of(customer), visits.of(customer), gone.of(customer)
            if not cars:
                continue
            nights = self.nights[store]
            anchors = [self._visit_anchor(nights, *order[1:]) for order in orders]
            if visited_on is not None and (not orders or visited_on > max(order[1] for order in orders)):
                # Told by a file, without an order; the last of them at the last change of the customer at the latest.
                learnt_at = changed_at if visit_since else made_at
                day = max(visited_on, visit_since or visited_on)
                anchors.append(
                    Anchor(visited_on, day, nights.midnight(visited_on), learnt_at, floor=visit_since or date.min)
                )
            anchors += self._delivery_anchors(cars, delivered_on, delivery_since, made_at, changed_at)
            first_due = [car[4] for car in cars if car[5] == ServiceKind.FIRST and car[4] is not None]
            # A car or a forecast that is no more may have kept the planner from calling them silent before.
            since = max(
                delivery_since or date.min,
                *(car[6] or date.min for car in cars),
                *(ended_on for _, ended_on in ends),
            )
            driver = self._driver(cars, max(entered_on, since), made_at)

            def standing(
                rule: RuleInForce, promise: Promise, due: list[date] = first_due, driver: Standing = driver
            ) -> Standing | None:
                grace = timedelta(days=rule.params.get("after_first_service_days", 0))
                return driver if all(promise.nominal_on >= on + grace for on in due) else None

            yield from self._along(trigger, customer, store, self._latest(anchors), standing)
