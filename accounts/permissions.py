"""Who may do what where: the table of domain §10 as predicates. Views, actions and templates ask these."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Q, QuerySet

from accounts.choices import Role

if TYPE_CHECKING:
    from accounts.models import Membership, User

QueryT = TypeVar("QueryT", bound=QuerySet)

STAFF_ROLES = frozenset({Role.SALES_CONSULTANT, Role.SERVICE_ADVISER, Role.CARE_SPECIALIST})
MANAGER_ROLES = frozenset({Role.SERVICE_MANAGER, Role.SALES_MANAGER, Role.GENERAL_MANAGER})
# Roles that see every customer of their store; a sales consultant sees their own ones.
STORE_WIDE_ROLES = MANAGER_ROLES | {Role.SERVICE_ADVISER, Role.CARE_SPECIALIST}


@dataclass(frozen=True)
class Access:
    """The rows that a user may see: of the whole group, of whole stores, and own ones of further stores."""

    whole_group: bool
    store_ids: frozenset[int]
    own_store_ids: frozenset[int]

    @property
    def is_empty(self) -> bool:
        return not (self.whole_group or self.store_ids or self.own_store_ids)


def memberships_of(user: "User") -> list["Membership"]:
    """Return the active memberships of a user, read once per user object (that is, once per request)."""
    cached = getattr(user, "_active_memberships", None)
    if cached is None:
        cached = list(user.memberships.active().select_related("store"))
        user._active_memberships = cached  # type: ignore[attr-defined]
    return cached


def has_role(user: "User", *roles: str, store_id: int | None = None) -> bool:
    """Tell whether a user holds one of the roles: anywhere, or in a given store (group roles hold everywhere)."""
    return any(
        m.role in roles and (store_id is None or m.store_id is None or m.store_id == store_id)
        for m in memberships_of(user)
    )


def customer_access(user: "User") -> Access:
    """Return whose customer files, cars and tasks a user may see (domain §10, row "Customer view").

    A system administrator sees none by default: the role runs the system, it does not call customers.
    """
    memberships = memberships_of(user)
    wide = frozenset(m.store_id for m in memberships if m.role in STORE_WIDE_ROLES and m.store_id)
    own = frozenset(m.store_id for m in memberships if m.role == Role.SALES_CONSULTANT and m.store_id) - wide
    return Access(
        whole_group=any(m.role in (Role.GROUP_MANAGER, Role.AUDITOR) for m in memberships),
        store_ids=wide,
        own_store_ids=own,
    )


def can_see_customers(user: "User") -> bool:
    """Tell whether any customer data may be open to a user at all: not to a system administrator (domain §10)."""
    return not customer_access(user).is_empty


def within_reach(queryset: QueryT, user: "User", *, own: str) -> QueryT:
    """Narrow rows that have a ``store`` to those a user may see; ``own`` is the path to the sales consultant.

    Every ``visible_to`` of customer data goes through here, so that there is one place to look at.
    """
    access = customer_access(user)
    if access.whole_group:
        return queryset
    if access.is_empty:
        return queryset.none()
    return queryset.filter(Q(store_id__in=access.store_ids) | Q(store_id__in=access.own_store_ids, **{own: user}))


def is_within_reach(user: "User", *, store_id: int, consultant_id: int | None) -> bool:
    """Tell of one row what ``within_reach`` says of many, without asking the database."""
    access = customer_access(user)
    if access.whole_group or store_id in access.store_ids:
        return True
    return store_id in access.own_store_ids and consultant_id == user.pk


def export_store_ids(user: "User") -> frozenset[int]:
    """Return the stores whose lists a user may take away as a file (domain §10, row "Export").

    Care specialists their own work, managers their team's; the group gets sums, which no list of customers is.
    """
    roles = MANAGER_ROLES | {Role.CARE_SPECIALIST}
    return frozenset(m.store_id for m in memberships_of(user) if m.role in roles and m.store_id)


def can_export(user: "User", store_id: int | None = None) -> bool:
    """Tell whether a user may take a list away: of a given store, or of any at all."""
    stores = export_store_ids(user)
    return bool(stores) if store_id is None else store_id in stores


def job_store_ids(user: "User") -> frozenset[int] | None:
    """Return the stores whose jobs, rules and alarms a user answers for; None means all of them."""
    memberships = memberships_of(user)
    if any(m.role in (Role.GROUP_MANAGER, Role.SYSTEM_ADMIN) for m in memberships):
        return None
    return frozenset(m.store_id for m in memberships if m.role in MANAGER_ROLES and m.store_id)


def audit_store_ids(user: "User") -> frozenset[int] | None:
    """Return the stores whose audit log a user may read (domain §10, row "Audit log"); None means all of them."""
    memberships = memberships_of(user)
    if any(m.role in (Role.GROUP_MANAGER, Role.SYSTEM_ADMIN, Role.AUDITOR) for m in memberships):
        return None
    return frozenset(m.store_id for m in memberships if m.role == Role.GENERAL_MANAGER and m.store_id)


def can_see_audit_log(user: "User") -> bool:
    """Tell whether a user may read who looked at which customer."""
    return audit_store_ids(user) != frozenset()


def is_manager(user: "User", store_id: int | None = None) -> bool:
    """Tell whether a user leads people: somewhere, or in a given store."""
    return has_role(user, *MANAGER_ROLES, store_id=store_id)


def can_work_tasks(user: "User") -> bool:
    """Tell whether a user calls customers: every role of a store does (domain §10, row "Follow-up tasks")."""
    return has_role(user, *STAFF_ROLES, *MANAGER_ROLES)


def can_see_jobs(user: "User") -> bool:
    """Tell whether a user may look at job runs: managers, the group, administrators and auditors."""
    return is_manager(user) or has_role(user, Role.GROUP_MANAGER, Role.SYSTEM_ADMIN, Role.AUDITOR)


def can_run_jobs(user: "User") -> bool:
    """Tell whether a user may start a job by hand: managers for their store, administrators for all."""
    return is_manager(user) or has_role(user, Role.SYSTEM_ADMIN)


def can_see_care_plan(user: "User") -> bool:
    """Tell whether a user may read the care plan: everybody whose work it makes, and the auditor."""
    return bool(memberships_of(user))


def can_edit_care_plan(user: "User") -> bool:
    """Tell whether a user may change the group's care plan (domain §10, row "Settings")."""
    return has_role(user, Role.GROUP_MANAGER, Role.SYSTEM_ADMIN)


def can_edit_store_care_plan(user: "User", store_id: int) -> bool:
    """Tell whether a user may override rules for one store."""
    return can_edit_care_plan(user) or has_role(user, Role.GENERAL_MANAGER, store_id=store_id)


def sees_masked_only(user: "User") -> bool:
    """Tell whether a user never sees personal data in clear: auditors and the group look at masked rows."""
    return not can_work_tasks(user)
