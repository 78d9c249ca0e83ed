from datetime import date
from typing import TYPE_CHECKING, Self

from django.db import models

from accounts.permissions import within_reach
from followups.choices import Handling, NextStepKind, Severity, TouchPointStatus

if TYPE_CHECKING:
    from accounts.models import User


class CareRuleQuerySet(models.QuerySet):
    def active(self) -> Self:
        """Rules that are switched on."""
        return self.filter(is_active=True)


class TouchPointQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Touch points of customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="customer__sales_consultant")

    def open(self) -> Self:
        """Touch points that still have to be worked off, without those that another one speaks for."""
        return self.filter(status=TouchPointStatus.OPEN)

    def live(self) -> Self:
        """Open touch points and the ones merged into them."""
        return self.filter(status__in=(TouchPointStatus.OPEN, TouchPointStatus.MERGED), closed_on=None)

    def for_contact(self) -> Self:
        """Touch points that a person works off one customer at a time."""
        return self.filter(handling=Handling.CONTACT)

    def overdue(self, *, on: date) -> Self:
        """Open ones whose due date is past while the window is not."""
        return self.open().filter(due_on__lt=on)


class NextStepQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Next steps of customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="customer__sales_consultant")

    def open(self) -> Self:
        """Next steps that nobody has taken over yet."""
        return self.filter(done_at=None)

    def holding_complaints(self) -> Self:
        """Open escalated and major complaints: they hold marketing and routine care (domain §3.6, 2)."""
        return self.open().filter(kind=NextStepKind.COMPLAINT, severity__in=(Severity.ESCALATED, Severity.MAJOR))
