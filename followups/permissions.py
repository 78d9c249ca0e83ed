"""Who may work which touch points: the button and the action ask the same predicate (domain §10)."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from accounts.choices import Role
from accounts.permissions import MANAGER_ROLES, STAFF_ROLES, STORE_WIDE_ROLES, has_role, is_manager, memberships_of
from followups.choices import TouchPointStatus

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import Customer

# Roles that take customers from the pool of the store: the others work what is theirs.
POOL_ROLES = MANAGER_ROLES | {Role.CARE_SPECIALIST}


def work_store_ids(user: "User") -> frozenset[int]:
    """Return the stores in which a user calls customers (domain §10, row "Follow-up tasks")."""
    roles = STAFF_ROLES | MANAGER_ROLES
    return frozenset(m.store_id for m in memberships_of(user) if m.role in roles and m.store_id)


def pool_store_ids(user: "User") -> frozenset[int]:
    """Return the stores whose pool of unassigned touch points a user may take from."""
    return frozenset(m.store_id for m in memberships_of(user) if m.role in POOL_ROLES and m.store_id)


def can_take_from_pool(user: "User") -> bool:
    """Tell whether a user may work touch points that nobody owns."""
    return bool(pool_store_ids(user))


def can_make_up(user: "User") -> bool:
    """Tell whether a user may make up for contacts that a colleague of the store missed: who works the pool may."""
    return bool(pool_store_ids(user))


def can_work(user: "User", customer: "Customer") -> bool:
    """Tell whether a user may hold a customer's card and record what happened.

    In a store that they work in: everybody but a sales consultant for every customer, because whoever takes the call or
    stands at the desk writes it down (ADR 0012); a sales consultant as ``is_in_charge`` says. Asks the database only
    where a customer must have been given to them.
    """
    store_id = customer.store_id
    if store_id not in work_store_ids(user):
        return False
    if any(m.role in STORE_WIDE_ROLES and m.store_id == store_id for m in memberships_of(user)):
        return True
    return is_in_charge(user, customer)


def is_in_charge(user: "User", customer: "Customer") -> bool:
    """Tell whether it is a user's own work to call a customer (domain §10, row "Follow-up tasks").

    Of care specialists and managers it is for every customer of their store; of advisers and consultants for those they
    look after and those whose open touch point was given to them. Asks the database only in that last case.
    """
    store_id = customer.store_id
    if store_id not in work_store_ids(user):
        return False
    people = (customer.sales_consultant_id, customer.service_adviser_id, customer.care_specialist_id)
    if store_id in pool_store_ids(user) or user.pk in people:
        return True
    return customer.touch_points.filter(assignee=user, status=TouchPointStatus.OPEN).exists()


def can_assign(user: "User", store_id: int) -> bool:
    """Tell whether a user may give touch points of a store to its people: its managers may."""
    return store_id in work_store_ids(user) and is_manager(user, store_id)


def can_be_assigned(user: "User", store_id: int) -> bool:
    """Tell whether touch points of a store may be given to a user: whoever calls customers there."""
    return user.is_active and store_id in work_store_ids(user)


def can_send_batch(user: "User", store_ids: Collection[int]) -> bool:
    """Tell whether a user may mark messages to many customers of the given stores as sent.

    Care specialists and managers do; the others see only a part of the customers.
    """
    return set(store_ids) <= pool_store_ids(user)


def can_skip(user: "User", customer: "Customer") -> bool:
    """Tell whether a user may put a customer off for later: nobody does that with a colleague's work."""
    return is_in_charge(user, customer)


def can_hand_over(user: "User", store_id: int) -> bool:
    """Tell whether a user may pass on everything that belongs to a person of a store."""
    return has_role(user, *MANAGER_ROLES, store_id=store_id) and store_id in work_store_ids(user)
