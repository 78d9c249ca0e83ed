"""Reads about people that are more than one queryset."""

from dataclasses import dataclass

from accounts.choices import Role
from accounts.models import Membership, User


@dataclass(frozen=True)
class RoleLogin:
    """Somebody who holds a role, to try the site as."""

    role: Role
    store_name: str  # empty for roles of the group
    user: User


def one_login_per_role() -> list[RoleLogin]:
    """One person at work for each role that anybody holds, in the order of domain §10; the oldest account of each."""
    found = {
        membership.role: membership
        for membership in Membership.objects.active()
        .select_related("user", "store")
        .order_by("role", "pk")
        .distinct("role")
    }
    in_order = [found[role] for role in Role if role in found]
    return [
        RoleLogin(
            role=Role(membership.role),
            store_name=membership.store.name if membership.store else "",
            user=membership.user,
        )
        for membership in in_order
    ]
