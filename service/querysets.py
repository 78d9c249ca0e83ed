from typing import TYPE_CHECKING, Self

from django.db import models

from accounts.permissions import within_reach
from service.choices import JobType

if TYPE_CHECKING:
    from accounts.models import User


class WorkOrderQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Orders of the user's stores, and of the own customers (domain §10)."""
        return within_reach(self, user, own="customer__sales_consultant")

    def handed_over(self) -> Self:
        """Orders whose car was given back: these are visits."""
        return self.filter(handed_over_on__isnull=False)

    def with_customer_contact(self) -> Self:
        """Visits of a customer; an inspection of a new car and internal work are none (domain §2.3, 9)."""
        return self.exclude(job_type=JobType.INTERNAL)
