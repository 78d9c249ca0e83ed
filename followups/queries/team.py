"""What S1 shows of a team: its people and their load."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, QuerySet

from accounts.models import Membership, Store, User
from accounts.permissions import MANAGER_ROLES, STAFF_ROLES
from followups.models import ContactLog
from followups.queries.day import any_reason, escalated_reason
from followups.querysets import TouchPointQuerySet


@dataclass(frozen=True)
class PersonLoad:
    """The open work of one person; ``person`` is None for the pool that nobody owns."""

    person: User | None
    roles: list[str]
    is_member: bool
    is_at_work: bool
    customers: int
    today: int
    overdue: int
    escalated: int
    contacted: int


def team_of(store: Store) -> QuerySet[Membership]:
    """Return the people of a store who can be given work, with their roles."""
    return (
        Membership.objects.active()
        .filter(store=store, role__in=STAFF_ROLES | MANAGER_ROLES)
        .select_related("user")
        .order_by("role", "user__name", "pk")
    )


def team_loads(leads: TouchPointQuerySet, *, store: Store, on: date) -> list[PersonLoad]:
    """Return the load of every person of a store, the pool first; ``leads`` are the open touch points to count."""
    counts = {
        row["assignee"]: row
        for row in leads.order_by()
        .values("assignee")
        .annotate(
            customers=Count("customer", distinct=True),
            today=Count("customer", distinct=True, filter=any_reason(due_on=on)),
            overdue=Count("customer", distinct=True, filter=any_reason(due_on__lt=on)),
            escalated=Count("customer", distinct=True, filter=escalated_reason(on)),
        )
    }
    memberships = list(team_of(store))
    roles: dict[int, list[str]] = defaultdict(list)
    people: dict[int, User] = {}
    at_work: dict[int, bool] = defaultdict(bool)
    for membership in memberships:
        people[membership.user_id] = membership.user
        roles[membership.user_id].append(membership.get_role_display())
        at_work[membership.user_id] |= not is_away(membership, on=on)
    strangers = {pk for pk in counts if pk is not None} - people.keys()
    for user in User.objects.filter(pk__in=strangers).order_by("name", "pk"):
        people[user.pk] = user
    contacted = Counter(
        dict(
            ContactLog.objects.filter(by__in=people, on=on)
            .one_by_one()
            .order_by()
            .values_list("by")
            .annotate(count=Count("customer", distinct=True))
        )
    )
    nothing = {"customers": 0, "today": 0, "overdue": 0, "escalated": 0}

    def load(person: User | None) -> PersonLoad:
        row = counts.get(person.pk if person else None, nothing)
        return PersonLoad(
            person=person,
            roles=roles[person.pk] if person else [],
            is_member=person is not None and person.pk in at_work,
            is_at_work=person is None or at_work.get(person.pk, False),
            contacted=contacted[person.pk] if person else 0,
            **{key: row[key] for key in nothing},
        )

    return [load(None), *(load(person) for person in people.values())]


def is_away(membership: Membership, *, on: date) -> bool:
    """Tell whether a person is absent on a day; an open end means until further notice."""
    return (
        membership.absent_from is not None
        and membership.absent_from <= on
        and (membership.absent_until is None or membership.absent_until >= on)
    )
