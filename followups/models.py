from typing import ClassVar

import pghistory
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.choices import Role
from accounts.models import Store
from core.models import ChangeStamped, JobRun
from customers.choices import Channel
from customers.models import Customer
from followups.choices import (
    CareClass,
    Handling,
    NextStepKind,
    OffsetUnit,
    Outcome,
    Reason,
    Severity,
    Shift,
    TouchPointStatus,
    WinBackReason,
)
from followups.querysets import (
    CareRuleQuerySet,
    ContactLogQuerySet,
    NextStepQuerySet,
    QueueLeaseQuerySet,
    TouchPointQuerySet,
)
from vehicles.models import Vehicle


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), exclude=["changed_at"])
class CareRule(ChangeStamped):
    """A row of the care plan: what is promised to whom, when, and why (domain §3.2).

    A rule of a store replaces the group's rule of the same code there. ``offsets`` count from the trigger's anchor date
    in ``offset_unit``; with ``repeat_every`` the last offset goes on for ever in steps of that size. The window is
    ``early_days`` before to ``late_days`` after the due date.
    """

    code = models.CharField(_("code"), max_length=10)
    store = models.ForeignKey(
        Store,
        verbose_name=_("store"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="care_rules",
        help_text=_("Empty: the whole group."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    name_zh = models.CharField(_("name (Chinese)"), max_length=40)
    name_en = models.CharField(_("name (English)"), max_length=60)

    trigger = models.CharField(_("trigger"), max_length=30)
    offsets = ArrayField(models.SmallIntegerField(), verbose_name=_("offsets"), default=list)
    offset_unit = models.CharField(_("unit"), max_length=6, choices=OffsetUnit, default=OffsetUnit.DAYS)
    repeat_every = models.PositiveSmallIntegerField(_("then every"), null=True, blank=True)
    params = models.JSONField(_("further conditions"), default=dict, blank=True)

    early_days = models.PositiveSmallIntegerField(_("days early"), default=0, validators=[MaxValueValidator(60)])
    late_days = models.PositiveSmallIntegerField(_("days late"), default=0, validators=[MaxValueValidator(60)])
    shift = models.CharField(_("on a rest day"), max_length=8, choices=Shift, default=Shift.LATER)

    owner_role = models.CharField(_("responsible role"), max_length=2, choices=Role)
    handling = models.CharField(_("handling"), max_length=8, choices=Handling, default=Handling.CONTACT)
    channels = ArrayField(models.CharField(max_length=10, choices=Channel), verbose_name=_("channels"))
    rotates_channels = models.BooleanField(_("another channel each time"), default=False)
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=3, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    care_class = models.CharField(_("class"), max_length=3, choices=CareClass)
    covered_days = models.PositiveSmallIntegerField(
        _("covered by a contact within, days"),
        null=True,
        blank=True,
        help_text=_("An effective contact this many days before makes it unnecessary; empty: never."),
    )
    ignores_gap = models.BooleanField(_("exempt from the contact gap"), default=False)
    is_held_by_complaint = models.BooleanField(_("waits while a complaint is open"), default=False)

    points_zh = models.TextField(_("talking points (Chinese)"), blank=True)
    points_en = models.TextField(_("talking points (English)"), blank=True)

    is_active = models.BooleanField(_("on"), default=True)
    active_from = models.DateField(
        _("on since"),
        null=True,
        blank=True,
        help_text=_("Touch points whose window ended before this day are not made up. Empty: since ever."),
    )

    objects = CareRuleQuerySet.as_manager()

    class Meta(ChangeStamped.Meta):
        ordering = ("position", "code", "store", "pk")
        verbose_name = _("care rule")
        verbose_name_plural = _("care rules")
        constraints: ClassVar = [
            models.UniqueConstraint("code", "store", name="carerule_once", nulls_distinct=False),
            models.CheckConstraint(name="carerule_priority", condition=Q(priority__range=(1, 5))),
            models.CheckConstraint(name="carerule_channels", condition=Q(channels__len__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return self.name_en if (get_language() or "").startswith("en") else self.name_zh

    @property
    def points(self) -> str:
        """The talking points in the reader's language, one a line."""
        return self.points_en if (get_language() or "").startswith("en") else self.points_zh


class RuleReturn(ChangeStamped):
    """Since when a store that had a rule of its own follows the group's again: like a switch-on, for that store alone.

    What the group's rule would have promised there meanwhile is not made up.
    """

    rule = models.ForeignKey(CareRule, verbose_name=_("rule"), on_delete=models.CASCADE, related_name="returns")
    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.CASCADE, related_name="+")
    returned_on = models.DateField(_("follows the group since"))

    class Meta(ChangeStamped.Meta):
        ordering = ("rule", "store", "pk")
        verbose_name = _("return to the group's rule")
        verbose_name_plural = _("returns to the group's rules")
        constraints = (models.UniqueConstraint("rule", "store", name="rulereturn_once"),)

    def __str__(self) -> str:
        return f"{self.rule.code} {self.store_id} {self.returned_on}"


class TouchPoint(models.Model):
    """A promised contact: (rule, customer, car or none, nominal date), and what became of it.

    The row is made by the planner when its window opens and is never deleted: a suppressed, missed or cancelled promise
    is a row too. ``merged`` points have a ``lead``, the touch point that speaks for them; they end with it.
    ``cycle_on`` is set where the nominal date is a forecast that may still move: one row a service cycle and step.
    """

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="+")
    rule = models.ForeignKey(CareRule, verbose_name=_("rule"), on_delete=models.PROTECT, related_name="touch_points")
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="touch_points"
    )
    vehicle = models.ForeignKey(
        Vehicle,
        verbose_name=_("vehicle"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="touch_points",
    )
    step = models.SmallIntegerField(_("offset"), default=0)
    anchor_on = models.DateField(_("anchor date"))
    cycle_on = models.DateField(_("service cycle"), null=True, blank=True)
    nominal_on = models.DateField(_("nominal date"))
    due_on = models.DateField(_("due on"))
    opens_on = models.DateField(_("opens on"))
    closes_on = models.DateField(_("closes on"))

    priority = models.PositiveSmallIntegerField(_("priority"))
    handling = models.CharField(_("handling"), max_length=8, choices=Handling)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assignee"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="touch_points",
        help_text=_("Empty: the supervisor's pool."),
    )

    status = models.CharField(_("status"), max_length=10, choices=TouchPointStatus, default=TouchPointStatus.OPEN)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    lead = models.ForeignKey(
        "self", verbose_name=_("merged into"), null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    settled_by = models.ForeignKey(
        "ContactLog",
        verbose_name=_("settled by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="touch_points",
    )
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    run = models.ForeignKey(JobRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TouchPointQuerySet.as_manager()

    class Meta:
        ordering = ("due_on", "pk")
        verbose_name = _("touch point")
        verbose_name_plural = _("touch points")
        constraints = (
            models.UniqueConstraint(
                "rule", "customer", "vehicle", "nominal_on", name="touchpoint_once", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=("vehicle", "rule", "customer", "cycle_on", "step"),
                condition=Q(cycle_on__isnull=False),
                name="touchpoint_once_a_cycle",
            ),
            models.CheckConstraint(
                name="touchpoint_window_in_order",
                condition=Q(opens_on__lte=models.F("due_on"), due_on__lte=models.F("closes_on")),
            ),
            models.CheckConstraint(
                name="touchpoint_merged_has_lead",
                condition=Q(status=TouchPointStatus.MERGED, lead__isnull=False)
                | (~Q(status=TouchPointStatus.MERGED) & Q(lead=None)),
            ),
            models.CheckConstraint(
                name="touchpoint_suppressed_has_reason",
                condition=~Q(status__in=("suppressed", "cancelled")) | ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="touchpoint_open_is_not_closed",
                condition=Q(status=TouchPointStatus.OPEN, closed_on=None)
                | Q(status=TouchPointStatus.MERGED)
                | (~Q(status=TouchPointStatus.OPEN) & Q(closed_on__isnull=False)),
            ),
        )
        indexes = (
            # Greetings of a festival are a row a customer: the queue must not wade through them.
            models.Index(
                "assignee",
                "closes_on",
                "id",
                name="touchpoint_queue",
                condition=Q(status=TouchPointStatus.OPEN, handling=Handling.CONTACT),
            ),
            models.Index(
                "store",
                "rule",
                "nominal_on",
                name="touchpoint_batch",
                condition=Q(status=TouchPointStatus.OPEN, handling=Handling.BATCH),
            ),
            models.Index(
                "store", "closes_on", "id", name="touchpoint_store_queue", condition=Q(status=TouchPointStatus.OPEN)
            ),
            models.Index(
                "store",
                "closes_on",
                "id",
                name="touchpoint_pool",
                condition=Q(status=TouchPointStatus.OPEN, handling=Handling.CONTACT, assignee=None),
            ),
            models.Index(
                "customer",
                name="touchpoint_live",
                condition=Q(status__in=("open", "merged"), closed_on=None),
            ),
            models.Index(fields=("customer", "-nominal_on"), name="touchpoint_of_customer"),
            models.Index("store", "closes_on", name="touchpoint_merged", condition=Q(status="merged", closed_on=None)),
            models.Index(
                "store",
                "closes_on",
                "id",
                name="touchpoint_missed",
                condition=Q(status=TouchPointStatus.MISSED, handling=Handling.CONTACT),
            ),
            models.Index("lead", name="touchpoint_lead", condition=Q(lead__isnull=False)),
            BrinIndex("nominal_on", name="touchpoint_nominal", autosummarize=True),
        )

    def __str__(self) -> str:
        return f"{self.rule.code} {self.nominal_on}"


class ContactLog(models.Model):
    """A contact with a customer, as it happened (domain §1.5, §3.4)."""

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="contact_logs"
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.PROTECT, related_name="contact_logs"
    )
    at = models.DateTimeField(_("time"))
    on = models.DateField(_("date"), db_column="contact_on")
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    is_inbound = models.BooleanField(_("inbound"), default=False)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    is_effective = models.BooleanField(
        _("effective contact"), help_text=_("The person was reached and content was exchanged.")
    )
    is_marketing_message = models.BooleanField(_("marketing message"), default=False)
    reason = models.CharField(
        _("reason"), max_length=200, blank=True, help_text=_("Why it was skipped, refused or done elsewhere.")
    )
    win_back_reason = models.CharField(_("why they stayed away"), max_length=20, choices=WinBackReason, blank=True)
    note = models.TextField(_("note"), blank=True)
    # One key a card shown: the same form sent twice makes one contact.
    submission = models.UUIDField(null=True, blank=True, unique=True, editable=False)

    objects = ContactLogQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name = _("contact")
        verbose_name_plural = _("contact log")
        indexes = (
            models.Index(fields=("customer", "-at", "-id"), name="contactlog_of_customer"),
            models.Index("by", "on", name="contactlog_of_day"),
        )

    def __str__(self) -> str:
        return f"{self.on} {self.get_outcome_display()}"


class NextStep(models.Model):
    """What a contact asks of another desk: an appointment, a complaint, a referral … (domain §3.4).

    The desk that takes it over marks it done; until then it is shown on the customer's file.
    """

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="next_steps"
    )
    vehicle = models.ForeignKey(
        Vehicle, verbose_name=_("vehicle"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    contact = models.ForeignKey(
        ContactLog, verbose_name=_("contact"), on_delete=models.PROTECT, related_name="next_steps"
    )
    kind = models.CharField(_("kind"), max_length=20, choices=NextStepKind)
    severity = models.CharField(_("severity"), max_length=2, choices=Severity, blank=True)
    wanted_at = models.DateTimeField(_("wanted at"), null=True, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    payload = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"))
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("done by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = NextStepQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        verbose_name = _("next step")
        verbose_name_plural = _("next steps")
        indexes = (
            models.Index("customer", "kind", name="nextstep_open", condition=Q(done_at=None)),
            models.Index(fields=("store", "-id"), name="nextstep_store_open", condition=Q(done_at=None)),
        )

    def __str__(self) -> str:
        return self.get_kind_display()


class QueueLease(models.Model):
    """A customer who is on somebody's screen: nobody else gets the same one meanwhile (screens S2)."""

    customer = models.OneToOneField(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="queue_lease"
    )
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("holder"), on_delete=models.CASCADE, related_name="queue_leases"
    )
    expires_at = models.DateTimeField(_("expires at"))

    objects = QueueLeaseQuerySet.as_manager()

    class Meta:
        ordering = ("expires_at", "pk")
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return f"{self.holder} {self.expires_at}"
