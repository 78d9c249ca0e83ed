"""The people of the demo: every role in every store, some of them away, some gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

from accounts.choices import Role
from followups.demo.catalogue import CONSULTANTS, STORES


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A person who signs in, with one role; ``store`` is empty for a role of the group."""

    username: str
    name: str
    role: Role
    store: str
    has_left: bool = False
    absent_from: date | None = None
    absent_until: date | None = None


@dataclass(frozen=True, slots=True)
class DemoTeam:
    """Who looks after the customers of a store. Customers keep the name of those who have left."""

    sales_consultants: Sequence[str]
    service_advisers: Sequence[str]
    care_specialists: Sequence[str]


GROUP_PEOPLE = (
    ("group", "李国庆", Role.GROUP_MANAGER),
    ("admin", "周明", Role.SYSTEM_ADMIN),
    ("auditor", "孙慧", Role.AUDITOR),
)
# A consultant is named for up to so many customers (domain §3.7: 主顾 300), and so on; bounded, as a store is.
CUSTOMERS_PER = {Role.SALES_CONSULTANT: 180, Role.SERVICE_ADVISER: 400, Role.CARE_SPECIALIST: 300}
FEWEST = {Role.SALES_CONSULTANT: 5, Role.SERVICE_ADVISER: 3, Role.CARE_SPECIALIST: 3}
MOST = {Role.SALES_CONSULTANT: 60, Role.SERVICE_ADVISER: 30, Role.CARE_SPECIALIST: 40}
MANAGERS = (Role.SERVICE_MANAGER, Role.SALES_MANAGER, Role.GENERAL_MANAGER)


def suffix_of(store: str) -> str:
    """Return what the user names of a store end in: nothing for the first store, ``-b`` for the second."""
    position = [code for code, _name, _phone in STORES].index(store)
    return "" if position == 0 else f"-{'abcdefgh'[position]}"


def headcount(role: Role, customers: int) -> int:
    """Return how many people of a role a store with so many customers has."""
    return min(max(-(-customers // CUSTOMERS_PER[role]), FEWEST[role]), MOST[role])


def staff_of_store(store: str, *, customers: int, today: date, names: Sequence[str]) -> list[DemoPerson]:
    """Return the people of a store, each role numbered from 1; ``names`` gives those who are not in the catalogue.

    The last consultant has left, the last but one is away this week; the last care specialist is away until further
    notice. Their customers fall to the supervisor's pool (domain §3.6, 7).
    """
    suffix = suffix_of(store)
    first_store = not suffix
    consultants = CONSULTANTS[:5] if first_store else CONSULTANTS[5:]
    people: list[DemoPerson] = []
    ordinary_names = iter(names)

    def person(role: Role, number: int, name: str, **more: object) -> DemoPerson:
        username = f"{USERNAMES[role]}{number}{suffix}"
        return DemoPerson(username=username, name=name, role=role, store=store, **more)  # type: ignore[arg-type]

    for role in (Role.SALES_CONSULTANT, Role.SERVICE_ADVISER, Role.CARE_SPECIALIST):
        count = headcount(role, customers)
        known = consultants if role == Role.SALES_CONSULTANT else ()
        for number, name in zip(range(1, count + 1), chain(known, ordinary_names), strict=False):
            more: dict[str, object] = {}
            if role == Role.SALES_CONSULTANT and number == count:
                more = {"has_left": True}
            elif role == Role.SALES_CONSULTANT and number == count - 1:
                more = {"absent_from": today - timedelta(days=2), "absent_until": today + timedelta(days=4)}
            elif role == Role.CARE_SPECIALIST and number == count:
                more = {"absent_from": today - timedelta(days=20)}
            people.append(person(role, number, name, **more))
    people += [person(role, 1, next(ordinary_names)) for role in MANAGERS]
    return people


USERNAMES = {
    Role.SALES_CONSULTANT: "sc",
    Role.SERVICE_ADVISER: "sa",
    Role.CARE_SPECIALIST: "cr",
    Role.SERVICE_MANAGER: "sm",
    Role.SALES_MANAGER: "xm",
    Role.GENERAL_MANAGER: "gm",
}


def team_of(people: Sequence[DemoPerson]) -> DemoTeam:
    """Return the staff of one store by what they do for customers."""

    def names_of(role: Role) -> list[str]:
        return [person.username for person in people if person.role == role]

    return DemoTeam(
        sales_consultants=names_of(Role.SALES_CONSULTANT),
        service_advisers=names_of(Role.SERVICE_ADVISER),
        care_specialists=names_of(Role.CARE_SPECIALIST),
    )
