from typing import TYPE_CHECKING, ClassVar

import pghistory
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Coalesce, Greatest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.choices import Language
from accounts.models import Store
from core.fields import EncryptedTextField
from core.models import ChangeStamped
from customers.choices import (
    BirthdayCalendar,
    Channel,
    ConsentPurpose,
    Criterion,
    CustomerKind,
    CustomerStatus,
    DoNotContact,
    PersonalDataField,
    Salutation,
    Source,
    Tier,
    TimeSlot,
)
from customers.querysets import CustomerQuerySet
from customers.rules import mask_mobile, mask_wechat

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def _staff_key(label: "StrOrPromise", related_name: str) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=label,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name=related_name,
    )


@pghistory.track(
    pghistory.UpdateEvent(row=pghistory.Old), pghistory.DeleteEvent(), exclude=["name_grams", "changed_at"]
)
class Customer(ChangeStamped):
    """A person or organisation that the store looks after (domain §1.1).

    ``salutation_since``, ``birthday_since``, ``tier_since``, ``last_visit_since`` and ``last_delivery_since`` say since
    when the store has known: a contact whose window ended before could not be promised. The dates ``last_…_on`` are
    facts kept by actions; the planner reads them because a night over a million customers cannot read their histories.
    ``silent_since_on`` is the later of last visit and last delivery: who drives a new car home has not been silent.
    """

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="customers")
    number = models.CharField(_("customer no."), max_length=20, unique=True)
    kind = models.CharField(_("type"), max_length=12, choices=CustomerKind, default=CustomerKind.PERSON)
    status = models.CharField(_("status"), max_length=10, choices=CustomerStatus, default=CustomerStatus.ACTIVE)
    entered_on = models.DateField(
        _("entered on"),
        help_text=_("Care is promised from this day; touch points that ended before it are not made up."),
    )

    name = models.CharField(_("name"), max_length=60)
    name_pinyin = models.CharField(max_length=240, blank=True, editable=False)
    name_initials = models.CharField(max_length=60, blank=True, editable=False)
    name_grams = ArrayField(models.CharField(max_length=2), default=list, blank=True, editable=False)
    salutation = models.CharField(_("salutation"), max_length=2, choices=Salutation, blank=True)
    salutation_since = models.DateField(
        _("salutation known since"), null=True, blank=True, editable=False, help_text=_("Empty: since the customer is.")
    )
    mobile = models.CharField(_("mobile"), max_length=30, blank=True)
    is_mobile_wrong = models.BooleanField(_("mobile is wrong"), default=False)
    other_phone = models.CharField(_("other phone"), max_length=30, blank=True)
    wechat = models.CharField(_("WeChat"), max_length=40, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    id_number = EncryptedTextField(_("ID number"), blank=True, default="")
    id_number_hash = models.CharField(max_length=64, blank=True, editable=False, db_index=True)
    credit_code = models.CharField(_("unified social credit code"), max_length=18, blank=True)
    address_region = models.CharField(_("region"), max_length=80, blank=True)
    address_detail = EncryptedTextField(_("home address"), blank=True, default="")
    language = models.CharField(_("language"), max_length=10, choices=Language, default=Language.CHINESE)

    birthday_calendar = models.CharField(
        _("birthday calendar"), max_length=5, choices=BirthdayCalendar, default=BirthdayCalendar.SOLAR
    )
    birthday_year = models.PositiveSmallIntegerField(_("birth year"), null=True, blank=True)
    birthday_month = models.PositiveSmallIntegerField(_("birthday month"), null=True, blank=True)
    birthday_day = models.PositiveSmallIntegerField(_("birthday day"), null=True, blank=True)
    is_birthday_leap_month = models.BooleanField(_("leap month"), default=False)

    birthday_since = models.DateField(
        _("birthday known since"), null=True, blank=True, editable=False, help_text=_("Empty: since the customer is.")
    )
    birthday_key = models.GeneratedField(
        # The number by which the planner finds a birthday: see followups.triggers.rules.birthday_key.
        expression=models.Case(
            models.When(birthday_calendar=BirthdayCalendar.SOLAR, then=models.Value(0)),
            models.When(is_birthday_leap_month=True, then=models.Value(20_000)),
            default=models.Value(10_000),
        )
        + models.F("birthday_month") * 100
        + models.F("birthday_day"),
        output_field=models.IntegerField(null=True),
        db_persist=True,
    )

    preferred_channel = models.CharField(_("preferred channel"), max_length=10, choices=Channel, blank=True)
    preferred_slot = models.CharField(_("preferred time"), max_length=10, choices=TimeSlot, blank=True)
    do_not_contact = models.CharField(
        _("do not contact"), max_length=10, choices=DoNotContact, default=DoNotContact.NONE
    )
    do_not_contact_reason = models.CharField(_("reason"), max_length=200, blank=True)
    do_not_contact_on = models.DateField(_("since"), null=True, blank=True)
    refused_channels = ArrayField(
        models.CharField(max_length=10, choices=Channel),
        verbose_name=_("refused channels"),
        default=list,
        blank=True,
        help_text=_("Channels whose consent was withdrawn; kept by the consent ledger."),
    )

    source = models.CharField(_("source"), max_length=12, choices=Source, blank=True)
    referrer = models.ForeignKey(
        "self", verbose_name=_("referrer"), null=True, blank=True, on_delete=models.SET_NULL, related_name="referred"
    )
    sales_consultant = _staff_key(_("sales consultant"), "customers_as_sales_consultant")
    service_adviser = _staff_key(_("service adviser"), "customers_as_service_adviser")
    care_specialist = _staff_key(_("customer-care specialist"), "customers_as_care_specialist")

    communication = models.PositiveSmallIntegerField(_("communication"), choices=Criterion, null=True, blank=True)
    network = models.PositiveSmallIntegerField(_("network"), choices=Criterion, null=True, blank=True)
    referral_willingness = models.PositiveSmallIntegerField(
        _("referral willingness"), choices=Criterion, null=True, blank=True
    )
    tier = models.CharField(_("customer tier"), max_length=10, choices=Tier, default=Tier.ORDINARY)
    tier_since = models.DateField(
        _("tier since"), null=True, blank=True, editable=False, help_text=_("Empty: since the customer is.")
    )
    note = models.TextField(_("note"), blank=True)

    last_effective_contact_on = models.DateField(_("last effective contact"), null=True, blank=True)
    last_proactive_contact_on = models.DateField(_("last contact by us"), null=True, blank=True)
    last_visit_on = models.DateField(_("last visit"), null=True, blank=True)
    last_visit_since = models.DateField(
        _("last visit known since"), null=True, blank=True, editable=False, help_text=_("Empty: since the customer is.")
    )
    last_delivery_on = models.DateField(_("last delivery"), null=True, blank=True)
    last_delivery_since = models.DateField(
        _("last delivery known since"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Empty: since the customer is."),
    )
    care_anchor_on = models.GeneratedField(
        verbose_name=_("tier contact counts from"),
        expression=Coalesce("last_effective_contact_on", "last_delivery_on", "entered_on"),
        output_field=models.DateField(),
        db_persist=True,
    )
    silent_since_on = models.GeneratedField(
        verbose_name=_("silent since"),
        expression=Greatest("last_visit_on", "last_delivery_on"),
        output_field=models.DateField(null=True),
        db_persist=True,
    )

    objects = CustomerQuerySet.as_manager()

    class Meta(ChangeStamped.Meta):
        ordering = ("-pk",)
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes: ClassVar = [
            models.Index("birthday_key", name="customer_birthday"),
            models.Index("tier", "care_anchor_on", name="customer_care_anchor"),
            models.Index("last_effective_contact_on", name="customer_last_contact"),
            models.Index("silent_since_on", name="customer_silent_since"),
            models.Index(fields=("store", "-id"), name="customer_store_newest"),
            # One person's files in the group, and within a store.
            models.Index("mobile", "store", name="customer_mobile"),
            GinIndex("store", "name_grams", name="customer_name_grams"),
            GinIndex(OpClass("mobile", name="gin_trgm_ops"), name="customer_mobile_trgm"),
            models.Index(OpClass("name_pinyin", name="text_pattern_ops"), name="customer_pinyin"),
            models.Index(OpClass("name_initials", name="text_pattern_ops"), name="customer_initials"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="customer_birthday_whole",
                condition=models.Q(birthday_month=None, birthday_day=None)
                | models.Q(birthday_month__range=(1, 12), birthday_day__range=(1, 31)),
            ),
            models.CheckConstraint(
                name="customer_leap_month_is_lunar",
                condition=models.Q(is_birthday_leap_month=False)
                | models.Q(birthday_calendar=BirthdayCalendar.LUNAR, birthday_day__lte=30),
            ),
            models.CheckConstraint(
                name="customer_not_own_referrer",
                condition=models.Q(referrer=None) | ~models.Q(referrer=models.F("id")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("customers:customer_detail", args=[self.pk])

    @property
    def masked_mobile(self) -> str:
        """The mobile as shown by default: 138 **** 5678."""
        return mask_mobile(self.mobile)

    @property
    def masked_other_phone(self) -> str:
        """The other phone as shown by default."""
        return mask_mobile(self.other_phone)

    @property
    def masked_wechat(self) -> str:
        """The WeChat ID as shown by default: masked when it is a phone number."""
        return mask_wechat(self.wechat)

    @property
    def is_wechat_a_number(self) -> bool:
        """Whether the WeChat ID tells a phone number, so that every look at it is noted."""
        return self.masked_wechat != self.wechat

    @property
    def is_rated(self) -> bool:
        """Whether all three criteria of the relation tier were judged (domain §2.5)."""
        return None not in (self.communication, self.network, self.referral_willingness)


class ContactPerson(models.Model):
    """Somebody to speak to at an organisation."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="contact_persons"
    )
    name = models.CharField(_("name"), max_length=60)
    role = models.CharField(_("role"), max_length=60, blank=True)
    mobile = models.CharField(_("mobile"), max_length=30, blank=True)
    is_main = models.BooleanField(_("main contact"), default=False)

    class Meta:
        ordering = ("-is_main", "pk")
        verbose_name = _("contact person")
        verbose_name_plural = _("contact persons")
        constraints = (
            models.UniqueConstraint(
                fields=("customer",), condition=models.Q(is_main=True), name="contactperson_one_main"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def masked_mobile(self) -> str:
        return mask_mobile(self.mobile)


class Consent(models.Model):
    """One line of the consent ledger: given or withdrawn, for a purpose, by a channel (domain §1.1, §11.1)."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="consents"
    )
    purpose = models.CharField(_("purpose"), max_length=12, choices=ConsentPurpose)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    is_given = models.BooleanField(_("given"))
    at = models.DateTimeField(_("time"))
    wording = models.CharField(_("wording version"), max_length=40, blank=True)
    evidence = models.CharField(_("evidence"), max_length=200, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("recorded by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name = _("consent")
        verbose_name_plural = _("consents")

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} · {self.get_channel_display()}"


class PersonalEvent(ChangeStamped):
    """A day that matters to the customer: a child's new school, a promotion, a wedding (domain §1.1)."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="personal_events"
    )
    name = models.CharField(_("event"), max_length=60)
    on = models.DateField(_("date"), db_column="event_on")
    is_yearly = models.BooleanField(_("every year"), default=False)
    known_since = models.DateField(_("known since"), null=True, blank=True, editable=False)

    class Meta(ChangeStamped.Meta):
        ordering = ("on", "pk")
        verbose_name = _("personal event")
        verbose_name_plural = _("personal events")
        indexes: ClassVar = [models.Index("on", name="personalevent_on")]

    def __str__(self) -> str:
        return f"{self.name} {self.on}"


class PersonalDataAccess(models.Model):
    """Somebody opened a customer's file, looked at or dialled what is masked, or took data away (domain §11.1)."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="data_accesses"
    )
    field = models.CharField(_("field"), max_length=20, choices=PersonalDataField)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(_("time"))

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name = _("access to personal data")
        verbose_name_plural = _("accesses to personal data")
        indexes: ClassVar = [models.Index(fields=("-at", "-id"), name="dataaccess_newest")]

    def __str__(self) -> str:
        return f"{self.get_field_display()} · {self.by}"
