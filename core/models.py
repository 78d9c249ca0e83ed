"""The bottom layer: what every app stands on. It imports no app."""

from typing import ClassVar

import pghistory
import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.choices import JobStatus


class ChangeStamped(models.Model):
    """A row that knows when it was made and last changed, also by bulk updates and plain SQL (a trigger says so).

    The nightly planner re-examines only what changed since its last run; a forgotten ``save()`` must not hide a change
    from it.
    """

    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    changed_at = models.DateTimeField(_("changed at"), db_default=Now(), editable=False, db_index=True)

    class Meta:
        abstract = True
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="stamp_change",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func="NEW.changed_at = now(); RETURN NEW;",
            )
        ]


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class CalendarDay(models.Model):
    """A day that differs from Monday-to-Friday: a public holiday, or a weekend day worked instead of one (调休).

    The rows come from the `holidays` library and are edited by an administrator when the State Council's yearly notice
    differs (domain §3.6, 6 and 9). An edited row is never overwritten by the library.
    """

    day = models.DateField(_("day"), unique=True)
    is_working = models.BooleanField(_("working day"))
    name = models.CharField(_("name"), max_length=80, blank=True)
    is_edited = models.BooleanField(_("edited by hand"), default=False)

    class Meta:
        ordering = ("day",)
        verbose_name = _("calendar day")
        verbose_name_plural = _("calendar days")

    def __str__(self) -> str:
        return f"{self.day} {self.name}"


class JobRun(models.Model):
    """One run of a job, so that nobody has to believe that it ran."""

    name = models.CharField(_("job"), max_length=60)
    # Plain store code, not a foreign key: this layer knows no stores. Empty means all stores.
    store_code = models.CharField(_("store"), max_length=20, blank=True)
    business_date = models.DateField(_("business date"))
    status = models.CharField(_("status"), max_length=10, choices=JobStatus, default=JobStatus.RUNNING)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("started by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        ordering = ("-started_at", "-pk")
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        indexes = (models.Index(fields=("name", "-business_date"), name="jobrun_by_date"),)
        constraints = (
            models.CheckConstraint(
                name="jobrun_finished_unless_running",
                condition=models.Q(status=JobStatus.RUNNING, finished_at=None)
                | (~models.Q(status=JobStatus.RUNNING) & models.Q(finished_at__isnull=False)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.business_date}"

    @property
    def seconds(self) -> float | None:
        """How long the run took, or None while it runs."""
        if self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
