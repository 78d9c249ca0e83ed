from typing import ClassVar

import pghistory
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Store
from core.models import ChangeStamped
from customers.models import Customer
from service.choices import JobType, SuggestionStatus
from service.querysets import WorkOrderQuerySet
from vehicles.models import Vehicle


@pghistory.track(pghistory.UpdateEvent(row=pghistory.Old), pghistory.DeleteEvent(), exclude=["changed_at"])
class WorkOrder(ChangeStamped):
    """A visit to the workshop: as much of the order as the care engine needs (domain §1.3)."""

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="work_orders")
    number = models.CharField(_("work order no."), max_length=30, unique=True)
    vehicle = models.ForeignKey(
        Vehicle, verbose_name=_("vehicle"), on_delete=models.PROTECT, related_name="work_orders"
    )
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="work_orders"
    )
    job_type = models.CharField(_("job type"), max_length=12, choices=JobType)
    summary = models.CharField(_("work done"), max_length=300, blank=True)
    arrived_on = models.DateField(_("arrived on"))
    km = models.PositiveIntegerField(_("mileage on arrival"), null=True, blank=True)
    handed_over_on = models.DateField(_("handed over on"), null=True, blank=True, db_index=True)
    known_since = models.DateField(_("hand-over known since"), null=True, blank=True, editable=False)
    adviser = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("receiving service adviser"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="work_orders",
    )
    amount = models.DecimalField(_("amount paid"), max_digits=10, decimal_places=2, default=0)

    objects = WorkOrderQuerySet.as_manager()

    class Meta(ChangeStamped.Meta):
        ordering = ("-arrived_on", "-pk")
        verbose_name = _("work order")
        verbose_name_plural = _("work orders")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="workorder_in_order",
                condition=models.Q(handed_over_on=None) | models.Q(handed_over_on__gte=models.F("arrived_on")),
            ),
            models.CheckConstraint(name="workorder_amount_not_negative", condition=models.Q(amount__gte=0)),
        ]

    def __str__(self) -> str:
        return self.number


class SuggestedWork(ChangeStamped):
    """Work that was suggested at a visit and not done: to be spoken about again (domain §3.2 AJ)."""

    work_order = models.ForeignKey(
        WorkOrder, verbose_name=_("work order"), on_delete=models.CASCADE, related_name="suggestions"
    )
    text = models.CharField(_("suggested work"), max_length=200)
    suggested_on = models.DateField(_("suggested on"), db_index=True)
    status = models.CharField(_("status"), max_length=8, choices=SuggestionStatus, default=SuggestionStatus.OPEN)

    class Meta(ChangeStamped.Meta):
        ordering = ("-suggested_on", "-pk")
        verbose_name = _("suggested work")
        verbose_name_plural = _("suggested work")

    def __str__(self) -> str:
        return self.text
