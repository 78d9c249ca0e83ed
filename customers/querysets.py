from typing import TYPE_CHECKING, Self

from django.db import models

from accounts.permissions import within_reach

if TYPE_CHECKING:
    from accounts.models import User


class CustomerQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="sales_consultant")

    def active(self) -> Self:
        """Customers who can be contacted at all: neither deceased nor anonymised."""
        return self.filter(status="active")
