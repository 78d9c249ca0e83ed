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

    def for_list(self) -> Self:
        """With what a row of the customer list shows: the people who look after them, and their cars."""
        people = self.select_related("sales_consultant", "service_adviser", "care_specialist")
        return people.without_encrypted().prefetch_related("vehicles__model")

    def without_encrypted(self) -> Self:
        """Without the fields that cost a decryption a row and are on no list."""
        return self.defer("id_number", "address_detail")

    def for_file(self) -> Self:
        """With what the head of a customer's file shows."""
        return self.select_related("store", "sales_consultant", "service_adviser", "care_specialist", "referrer")
