from datetime import date
from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from accounts.models import User


class StoreQuerySet(models.QuerySet):
    def active(self) -> Self:
        """Stores that are in business."""
        return self.filter(is_active=True)

    def visible_to(self, user: "User") -> Self:
        """Stores in business that a user works in; all, closed ones too, for a member of the group (domain §10)."""
        mine = user.memberships.active()
        return self.filter(Q(pk__in=mine.values("store")) | Q(models.Exists(mine.filter(store=None))))


class MembershipQuerySet(models.QuerySet):
    def active(self) -> Self:
        """Memberships that give rights: of people who are still with us, in the group or in a store in business.

        A store that closed is closed to its people; the group reads on.
        """
        return self.filter(Q(store=None) | Q(store__is_active=True), is_active=True, user__is_active=True)

    def at_work(self, *, on: date) -> Self:
        """Active memberships of people who are not absent on a day. An open end means: until further notice."""
        away = Q(absent_from__lte=on) & (Q(absent_until=None) | Q(absent_until__gte=on))
        return self.active().exclude(away)


class UserManager(DjangoUserManager):
    pass
