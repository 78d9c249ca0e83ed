from typing import ClassVar

import pghistory
from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.choices import Language, Role
from accounts.querysets import MembershipQuerySet, StoreQuerySet, UserManager
from accounts.validators import validate_time_zone


@pghistory.track(
    pghistory.UpdateEvent(),
    fields=["code", "name", "daily_calls", "gap_days", "max_retries", "lease_minutes"],
    model_name="StoreEvent",
)
class Store(models.Model):
    """A dealership. It bounds what its staff see, and carries the limits of domain §3.6 that differ between stores."""

    code = models.CharField(
        _("code"), max_length=20, unique=True, validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    )
    name = models.CharField(_("name"), max_length=80)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=40, default="Asia/Shanghai", validators=[validate_time_zone]
    )
    is_active = models.BooleanField(_("active"), default=True)

    daily_calls = models.PositiveSmallIntegerField(
        _("calls per person and day"), default=40, help_text=_("Further calls move to the next working day.")
    )
    gap_days = models.PositiveSmallIntegerField(_("days between proactive contacts"), default=5)
    max_retries = models.PositiveSmallIntegerField(
        _("repeated calls when nobody answers"), default=3, validators=[MinValueValidator(1), MaxValueValidator(10)]
    )
    lease_minutes = models.PositiveSmallIntegerField(
        _("minutes a customer is kept for one person"), default=15, validators=[MinValueValidator(1)]
    )

    objects = StoreQuerySet.as_manager()

    class Meta:
        ordering = ("code",)
        verbose_name = _("store")
        verbose_name_plural = _("stores")

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who signs in. What they may do hangs on their memberships, never on the user alone."""

    first_name = None  # type: ignore[assignment]  # a Chinese name is one word, family name first
    last_name = None  # type: ignore[assignment]
    name = models.CharField(_("name"), max_length=60, blank=True)
    language = models.CharField(
        _("language"), max_length=10, choices=Language, blank=True, help_text=_("Empty: as the browser asks.")
    )

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        ordering = ("name", "pk")
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


class Membership(models.Model):
    """A role in a store, or in the group when the store is empty."""

    GROUP_ROLES = (Role.GROUP_MANAGER, Role.SYSTEM_ADMIN, Role.AUDITOR)

    user = models.ForeignKey(User, verbose_name=_("user"), on_delete=models.CASCADE, related_name="memberships")
    store = models.ForeignKey(
        Store, verbose_name=_("store"), null=True, blank=True, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(_("role"), max_length=2, choices=Role)
    is_active = models.BooleanField(_("active"), default=True)
    absent_from = models.DateField(_("absent from"), null=True, blank=True)
    absent_until = models.DateField(_("absent until"), null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ("store", "role", "pk")
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (
            models.UniqueConstraint("user", "store", "role", name="membership_once", nulls_distinct=False),
            models.CheckConstraint(
                name="membership_group_roles_have_no_store",
                condition=models.Q(role__in=("GR", "AD", "AU"), store=None)
                | (~models.Q(role__in=("GR", "AD", "AU")) & models.Q(store__isnull=False)),
            ),
            models.CheckConstraint(
                name="membership_absence_in_order",
                condition=models.Q(absent_from=None)
                | models.Q(absent_until=None)
                | models.Q(absent_until__gte=models.F("absent_from")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"
