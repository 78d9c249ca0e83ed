from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, OuterRef

from accounts.permissions import within_reach
from vehicles.choices import VehicleStatus

if TYPE_CHECKING:
    from accounts.models import User


class VehicleQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Cars whose file a user may open: those of the stores, and of the own customers (domain §10)."""
        return within_reach(self, user, own="owner__sales_consultant")

    def for_list(self) -> Self:
        """With what a row of a list of cars shows: the model and the owner."""
        return self.select_related("model", "owner").defer("owner__id_number", "owner__address_detail")

    def in_care(self) -> Self:
        """Cars that touch points are planned for: in use, with an owner who can be contacted (domain §3.6, 8)."""
        return self.filter(status=VehicleStatus.IN_USE, owner__status="active")


class PolicyQuerySet(models.QuerySet):
    def current(self) -> Self:
        """Policies that no later one of the same kind has replaced: only their end has to be spoken about."""
        later = self.model._default_manager.filter(
            vehicle=OuterRef("vehicle"), kind=OuterRef("kind"), ends_on__gt=OuterRef("ends_on")
        )
        return self.filter(~Exists(later))
