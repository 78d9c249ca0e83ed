from typing import ClassVar

import pghistory
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import Store
from core.models import ChangeStamped
from customers.models import Customer
from vehicles.choices import (
    Energy,
    InspectionSource,
    OdometerFlag,
    OdometerSource,
    PlateKind,
    PolicyKind,
    ServiceKind,
    Use,
    VehicleStatus,
)
from vehicles.querysets import PolicyQuerySet, VehicleQuerySet


class ServicePlan(models.Model):
    """When a model must come to the workshop, by months or kilometres, whichever is first (domain §3.2 FS, §3.5)."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    first_months = models.PositiveSmallIntegerField(_("first service, months"), default=3)
    first_km = models.PositiveIntegerField(_("first service, km"), default=5000)
    interval_months = models.PositiveSmallIntegerField(_("interval, months"), default=6)
    interval_km = models.PositiveIntegerField(_("interval, km"), default=10000)

    class Meta:
        ordering = ("name",)
        verbose_name = _("service plan")
        verbose_name_plural = _("service plans")

    def __str__(self) -> str:
        return self.name


class WarrantyPolicy(models.Model):
    """How long the maker repairs for free, and the three-guarantees period inside it (domain §2.1, §11.3)."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    months = models.PositiveSmallIntegerField(_("warranty, months"), default=36, validators=[MinValueValidator(1)])
    km = models.PositiveIntegerField(_("warranty, km"), default=60000)
    three_guarantees_months = models.PositiveSmallIntegerField(_("three guarantees, months"), default=24)
    three_guarantees_km = models.PositiveIntegerField(_("three guarantees, km"), default=50000)

    class Meta:
        ordering = ("name",)
        verbose_name = _("warranty policy")
        verbose_name_plural = _("warranty policies")

    def __str__(self) -> str:
        return self.name


class CarModel(models.Model):
    """An entry of the catalogue: brand, series, model year and trim.

    ``terms_changed_at`` is set while its plan or policy changed and its cars have not all been computed anew: kept here
    and not in a message to the workers, it survives a broker that is down and a worker that is killed.
    """

    brand = models.CharField(_("brand"), max_length=40)
    series = models.CharField(_("series"), max_length=60)
    year = models.PositiveSmallIntegerField(_("model year"), null=True, blank=True)
    trim = models.CharField(_("trim"), max_length=80, blank=True)
    energy = models.CharField(_("energy"), max_length=10, choices=Energy, default=Energy.PETROL)
    service_plan = models.ForeignKey(
        ServicePlan, verbose_name=_("service plan"), null=True, blank=True, on_delete=models.PROTECT
    )
    warranty_policy = models.ForeignKey(
        WarrantyPolicy, verbose_name=_("warranty policy"), null=True, blank=True, on_delete=models.PROTECT
    )
    terms_changed_at = models.DateTimeField(
        _("terms changed, cars not computed anew yet"), null=True, blank=True, editable=False
    )

    class Meta:
        ordering = ("brand", "series", "-year", "trim", "pk")
        verbose_name = _("car model")
        verbose_name_plural = _("car models")
        constraints = (
            models.UniqueConstraint("brand", "series", "year", "trim", name="carmodel_once", nulls_distinct=False),
        )

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.brand, self.series, self.year, self.trim) if part)


@pghistory.track(pghistory.UpdateEvent(row=pghistory.Old), pghistory.DeleteEvent(), exclude=["changed_at"])
class Vehicle(ChangeStamped):
    """A car, its dates, and what is known of its next service (domain §1.2).

    ``care_from`` is the day since which care for this car is promised to its present owner: the day it was entered or
    the owner changed. The ``next_service_…`` and ``warranty_…`` columns are computed from the odometer log, the
    orders, the service plan and the warranty policy by ``vehicles.actions``; nothing else may write them. ``…ends_on``
    is the limit by months, ``…runs_out_on`` the day on which months or forecast kilometres end a warranty (ADR 0014).
    ``forecast_since`` and ``inspection_since`` say since when the dates have been what they are: a contact whose window
    ended before could not be promised.
    """

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="vehicles")
    owner = models.ForeignKey(Customer, verbose_name=_("owner"), on_delete=models.PROTECT, related_name="vehicles")
    care_from = models.DateField(_("care promised from"))
    status = models.CharField(_("status"), max_length=12, choices=VehicleStatus, default=VehicleStatus.IN_USE)

    vin = models.CharField(_("VIN"), max_length=17, unique=True)
    plate = models.CharField(_("plate no."), max_length=12, blank=True)
    plate_kind = models.CharField(_("plate type"), max_length=10, choices=PlateKind, blank=True)
    model = models.ForeignKey(
        CarModel, verbose_name=_("model"), null=True, blank=True, on_delete=models.PROTECT, related_name="vehicles"
    )
    engine_no = models.CharField(_("engine no."), max_length=20, blank=True)
    gearbox_no = models.CharField(_("gearbox no."), max_length=20, blank=True)
    battery_code = models.CharField(_("battery code"), max_length=24, blank=True)
    energy = models.CharField(_("energy"), max_length=10, choices=Energy, default=Energy.PETROL)
    use = models.CharField(_("use"), max_length=12, choices=Use, default=Use.PRIVATE)
    seats = models.PositiveSmallIntegerField(_("seats"), default=5)
    is_minivan = models.BooleanField(_("minivan"), default=False)
    body_colour = models.CharField(_("body colour"), max_length=20, blank=True)
    interior_colour = models.CharField(_("interior colour"), max_length=20, blank=True)

    purchase_on = models.DateField(_("purchase date"), null=True, blank=True)
    delivery_on = models.DateField(_("delivery date"), null=True, blank=True, db_index=True)
    registered_on = models.DateField(_("registration date"), null=True, blank=True)
    first_service_done_on = models.DateField(_("first service done on"), null=True, blank=True)
    inspection_valid_until = models.DateField(_("inspection valid until"), null=True, blank=True, db_index=True)
    inspection_source = models.CharField(_("source"), max_length=10, choices=InspectionSource, blank=True)

    odometer_km = models.PositiveIntegerField(_("mileage"), null=True, blank=True)
    odometer_on = models.DateField(_("mileage read on"), null=True, blank=True)
    daily_km = models.DecimalField(_("km per day"), max_digits=5, decimal_places=1, null=True, blank=True)
    last_visit_on = models.DateField(_("last visit"), null=True, blank=True)
    last_service_on = models.DateField(_("last service"), null=True, blank=True)
    last_service_km = models.PositiveIntegerField(_("last service, km"), null=True, blank=True)
    next_service_kind = models.CharField(_("next service"), max_length=10, choices=ServiceKind, blank=True)
    next_service_on = models.DateField(_("next service due"), null=True, blank=True, db_index=True)
    next_service_km = models.PositiveIntegerField(_("next service, km"), null=True, blank=True)
    next_service_from_on = models.DateField(_("service cycle began"), null=True, blank=True)
    warranty_from_on = models.DateField(_("warranty from"), null=True, blank=True)
    warranty_ends_on = models.DateField(_("warranty ends"), null=True, blank=True, db_index=True)
    warranty_km = models.PositiveIntegerField(_("warranty, km"), null=True, blank=True)
    warranty_notice_on = models.DateField(_("warranty end near from"), null=True, blank=True, db_index=True)
    warranty_runs_out_on = models.DateField(
        _("warranty over by months or forecast km"), null=True, blank=True, db_index=True
    )
    forecast_since = models.DateField(_("forecast since"), null=True, blank=True, editable=False)
    inspection_since = models.DateField(_("inspection date known since"), null=True, blank=True, editable=False)
    three_guarantees_end_on = models.DateField(_("three guarantees end"), null=True, blank=True)
    three_guarantees_run_out_on = models.DateField(
        _("three guarantees over by months or forecast km"), null=True, blank=True, db_index=True
    )

    objects = VehicleQuerySet.as_manager()

    class Meta(ChangeStamped.Meta):
        ordering = ("-pk",)
        verbose_name = _("vehicle")
        verbose_name_plural = _("vehicles")
        indexes: ClassVar = [
            GinIndex(OpClass("plate", name="gin_trgm_ops"), name="vehicle_plate_trgm"),
            GinIndex(OpClass("vin", name="gin_trgm_ops"), name="vehicle_vin_trgm"),
            models.Index(fields=("store", "-id"), name="vehicle_store_newest"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(name="vehicle_vin_shape", condition=models.Q(vin__regex=r"^[A-HJ-NPR-Z0-9]{17}$")),
            models.UniqueConstraint(
                fields=("plate",),
                condition=models.Q(status=VehicleStatus.IN_USE) & ~models.Q(plate=""),
                name="vehicle_plate_once_in_use",
            ),
        ]

    def __str__(self) -> str:
        return self.plate or self.vin

    def get_absolute_url(self) -> str:
        return reverse("vehicles:vehicle_detail", args=[self.pk])


class Ownership(models.Model):
    """Who owned a car from when to when; the last one is open."""

    vehicle = models.ForeignKey(Vehicle, verbose_name=_("vehicle"), on_delete=models.CASCADE, related_name="ownerships")
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="ownerships"
    )
    started_on = models.DateField(_("from"))
    ended_on = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        ordering = ("-started_on", "-pk")
        verbose_name = _("ownership")
        verbose_name_plural = _("ownerships")
        constraints = (
            models.UniqueConstraint(fields=("vehicle",), condition=models.Q(ended_on=None), name="ownership_one_open"),
            models.CheckConstraint(
                name="ownership_in_order",
                condition=models.Q(ended_on=None) | models.Q(ended_on__gte=models.F("started_on")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.vehicle} · {self.customer}"


class OdometerReading(models.Model):
    """One line of the odometer log. Odd readings are kept with a flag, never thrown away (domain §1.2)."""

    vehicle = models.ForeignKey(Vehicle, verbose_name=_("vehicle"), on_delete=models.CASCADE, related_name="readings")
    on = models.DateField(_("date"), db_column="read_on")
    km = models.PositiveIntegerField(_("km"))
    source = models.CharField(_("source"), max_length=12, choices=OdometerSource)
    flag = models.CharField(_("left out because"), max_length=10, choices=OdometerFlag, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    is_new_odometer = models.BooleanField(_("odometer replaced"), default=False)

    class Meta:
        ordering = ("on", "km", "pk")
        verbose_name = _("odometer reading")
        verbose_name_plural = _("odometer readings")
        constraints = (models.UniqueConstraint(fields=("vehicle", "on", "km"), name="reading_once"),)

    def __str__(self) -> str:
        return f"{self.on} {self.km} km"


class InsurancePolicy(ChangeStamped):
    """An insurance policy of a car; its end is when the next one must be in place (domain §1.2, §3.2 IN)."""

    vehicle = models.ForeignKey(Vehicle, verbose_name=_("vehicle"), on_delete=models.CASCADE, related_name="policies")
    kind = models.CharField(_("kind"), max_length=10, choices=PolicyKind)
    insurer = models.CharField(_("insurer"), max_length=60, blank=True)
    number = models.CharField(_("policy no."), max_length=40, blank=True)
    starts_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), db_index=True)
    premium = models.DecimalField(_("premium"), max_digits=10, decimal_places=2, null=True, blank=True)
    is_bought_here = models.BooleanField(_("bought here"), default=False)
    known_since = models.DateField(_("known since"), null=True, blank=True, editable=False)

    objects = PolicyQuerySet.as_manager()

    class Meta(ChangeStamped.Meta):
        ordering = ("-ends_on", "-pk")
        verbose_name = _("insurance policy")
        verbose_name_plural = _("insurance policies")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("vehicle", "kind", "ends_on"), name="policy_once"),
            models.CheckConstraint(
                name="policy_in_order",
                condition=models.Q(starts_on=None) | models.Q(ends_on__gt=models.F("starts_on")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.ends_on}"
