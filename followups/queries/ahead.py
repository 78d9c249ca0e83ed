"""What comes in the days ahead: the care that will open or fall due for a person, and their customers' birthdays."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db.models import Case, DateField, Q, Value, When

from accounts.choices import Role
from accounts.models import Store, User
from core.queries import work_calendar
from customers.choices import DoNotContact
from customers.models import Customer
from customers.querysets import CustomerQuerySet
from followups.choices import CareClass, Handling
from followups.models import CareRule, TouchPoint
from followups.permissions import work_store_ids
from followups.planner.rules import Horizon
from followups.planner.run import EffectiveRule, effective_rules, rule_hits
from followups.planner.sql import OWNER_COLUMNS, Sql, select_rule
from followups.queries.day import PAGE_SIZE, WEEK, DayPage, day_rows, parse_cursor
from followups.rules.hours import local_time
from followups.triggers.lunar import nominals_of_birthdays

ONE_DAY = timedelta(days=1)
# Rest days move a nominal date by less than this.
CALENDAR_MARGIN = timedelta(days=180)
# Staff hear of a birthday so many days before it (domain §3.2, BD).
BIRTHDAY_NOTICE = timedelta(days=3)

# Which wishes of a customer forbid a contact, by class; all others: those who want nothing but safety.
UNWANTED: dict[CareClass, list[DoNotContact]] = {
    CareClass.LEGAL: [],
    CareClass.MARKETING: [DoNotContact.MARKETING, DoNotContact.ALL_BUT_SAFETY],
}
OWNER_FIELDS = {
    Role.SALES_CONSULTANT: "sales_consultant",
    Role.SERVICE_ADVISER: "service_adviser",
    Role.CARE_SPECIALIST: "care_specialist",
}
COLUMNS = "c.id, d.c_vehicle, d.nominal_on, d.due_on, d.opens_on, d.closes_on"


@dataclass(frozen=True)
class Ahead:
    """The care of a person in the seven days after ``on``.

    ``keys`` are (day, customer), a customer once, by the first day on which something of theirs opens, falls due or
    comes back; ``planned`` are the touch points that the plan will add, by customer.
    """

    on: date
    keys: Sequence[tuple[date, int]]
    planned: Mapping[int, Sequence[TouchPoint]]
    open_customers: frozenset[int]


def ahead_of(user: User, *, now: datetime, on: date) -> Ahead:
    """Look at what will be a person's to do in the seven days after ``on``, the local date of ``now``; nothing is kept.

    Open touch points that fall due or come back in these days, and those that the care plan will add for the customers
    of the person. The planned ones are what the plan demands by what is known today, without those that the customer
    does not want or that a contact covers already; a night may yet hold back some of them (complaint, contact gap).
    The cost grows with the person's customers: a page fetches it apart from the rest.
    """
    last = on + WEEK
    days: dict[int, date] = {}
    open_points = (
        TouchPoint.objects.open()
        .for_contact()
        .owned_by(user)
        .filter(Q(due_on__gt=on, due_on__lte=last) | Q(not_before__gt=now, not_before__lt=now + WEEK))
        .select_related("store")
        .only("customer_id", "due_on", "not_before", "store__time_zone")
        .order_by("pk")
    )
    for point in open_points:
        day = point.due_on
        if point.not_before is not None and point.not_before > now:
            day = max(local_time(point.not_before, point.store.time_zone).date(), on)
        days[point.customer_id] = min(day, days.get(point.customer_id, day))
    open_customers = frozenset(days)
    planned: dict[int, list[TouchPoint]] = defaultdict(list)
    for point in _planned(user, first=on + ONE_DAY, last=last):
        planned[point.customer_id].append(point)
        days[point.customer_id] = min(point.opens_on, days.get(point.customer_id, point.opens_on))
    keys = sorted((day, customer) for customer, day in days.items())
    return Ahead(on=on, keys=keys, planned=planned, open_customers=open_customers)


def ahead_page(ahead: Ahead, *, after: str = "", size: int = PAGE_SIZE) -> DayPage:
    """Return one page of customers by the day on which something of theirs comes, keyset-paged by ``after``."""
    cursor = parse_cursor(after)
    keys = [key for key in ahead.keys if cursor is None or key > cursor]
    page = keys[:size]
    planned = {customer: ahead.planned[customer] for _day, customer in page if customer in ahead.planned}
    keys_of_page = [(customer, day) for day, customer in page]
    rows = day_rows(keys_of_page, on=ahead.on, until=ahead.on + WEEK, planned=planned)
    marked = [replace(row, comes_on=row.sort_key, is_open=row.customer.pk in ahead.open_customers) for row in rows]
    following = f"{page[-1][0].isoformat()}_{page[-1][1]}" if len(keys) > size else ""
    return DayPage(rows=marked, after=following)


def _planned(user: User, *, first: date, last: date) -> Iterator[TouchPoint]:
    """Yield, unsaved, the touch points that the plan will add for the customers of a person; one query.

    Rules whose role is a manager's go to the pool, which is nobody's yet, so they are not among them.
    """
    stores = list(Store.objects.active().filter(pk__in=work_store_ids(user)).order_by("pk"))
    calendar = work_calendar(first - CALENDAR_MARGIN, last + CALENDAR_MARGIN)
    horizon = Horizon(opens_from=first, opens_until=last, closes_from=first)
    parts: list[Sql] = []
    rules: dict[int, CareRule] = {}
    for each in effective_rules(stores):
        if each.rule.handling != Handling.CONTACT or each.rule.owner_role not in OWNER_COLUMNS:
            continue
        for arm, hits in rule_hits(each.rule, horizon, calendar):
            rules[each.rule.pk] = each.rule
            # Said where the rows are found too: of a million customers a person has a few thousand.
            own = Customer.objects.filter(**{OWNER_FIELDS[Role(each.rule.owner_role)]: user}).order_by().values("pk")
            demanded = select_rule(each.rule, arm, hits, each.store_ids, COLUMNS, among=own)
            parts.append(_of_person(each, demanded, user))
    if not parts:
        return
    union = Sql(" UNION ALL ".join(part.text for part in parts), [param for part in parts for param in part.params])
    for rule_id, customer_id, vehicle_id, nominal_on, due_on, opens_on, closes_on in union.run():
        yield TouchPoint(
            rule=rules[rule_id],
            customer_id=customer_id,
            vehicle_id=vehicle_id,
            nominal_on=nominal_on,
            due_on=due_on,
            opens_on=opens_on,
            closes_on=closes_on,
            priority=rules[rule_id].priority,
            handling=rules[rule_id].handling,
        )


def _of_person(each: EffectiveRule, demanded: Sql, user: User) -> Sql:
    """Narrow what a rule demands to the customers of a person, and to what will really become a new touch point."""
    rule = each.rule
    return Sql(
        f"""(SELECT %s::bigint, q.* FROM ({demanded.text}
  AND {OWNER_COLUMNS[Role(rule.owner_role)]} = %s AND d.c_avoid IS DISTINCT FROM %s
  AND c.do_not_contact <> ALL(%s::varchar[]) AND NOT %s::varchar[] <@ c.refused_channels::varchar[]
  AND (%s::int IS NULL OR c.last_effective_contact_on IS NULL OR c.last_effective_contact_on < d.nominal_on - %s::int)
  AND NOT EXISTS (
      SELECT 1 FROM followups_touchpoint t
      WHERE t.rule_id = %s AND t.customer_id = c.id AND t.vehicle_id IS NOT DISTINCT FROM d.c_vehicle
        AND (t.nominal_on = d.nominal_on OR (t.cycle_on = d.c_cycle AND t.step = d.step)))) q)""",
        [
            rule.pk,
            *demanded.params,
            user.pk,
            user.pk,
            UNWANTED.get(CareClass(rule.care_class), [DoNotContact.ALL_BUT_SAFETY]),
            list(rule.channels),
            rule.covered_days,
            rule.covered_days,
            each.identity,
        ],
    )


@dataclass(frozen=True)
class BirthdayRow:
    """A customer with the day on which the birthday is celebrated this year."""

    customer: Customer
    on: date


def birthdays_ahead(user: User, *, on: date, limit: int) -> list[BirthdayRow]:
    """Return the own customers whose birthday comes within three days, solar or lunar, the nearest first; one query.

    Own ones are those that the person looks after in any role. Of leap days, short months and leap months the care
    plan's own rule decides (``nominals_of_birthdays``).
    """
    keys: dict[date, list[int]] = defaultdict(list)
    for nominal in nominals_of_birthdays(on, on + BIRTHDAY_NOTICE):
        assert isinstance(nominal.key, int)  # noqa: S101 - told to the type checker
        keys[nominal.nominal_on].append(nominal.key)
    days = [When(birthday_key__in=found, then=Value(day)) for day, found in sorted(keys.items())]
    customers: CustomerQuerySet = Customer.objects.visible_to(user).active().without_encrypted()
    found = (
        customers.filter(
            Q(sales_consultant=user) | Q(service_adviser=user) | Q(care_specialist=user),
            birthday_key__in=[key for found in keys.values() for key in found],
        )
        .annotate(celebrated_on=Case(*days, output_field=DateField()))
        .order_by("celebrated_on", "pk")
    )
    return [BirthdayRow(customer, customer.celebrated_on) for customer in found[:limit]]
