from django.db import models
from django.utils.translation import gettext_lazy as _


class Energy(models.TextChoices):
    PETROL = "petrol", _("Petrol")
    DIESEL = "diesel", _("Diesel")
    HEV = "hev", _("Hybrid (HEV)")
    PHEV = "phev", _("Plug-in hybrid (PHEV)")
    EREV = "erev", _("Range extender (EREV)")
    BEV = "bev", _("Battery electric (BEV)")


class Use(models.TextChoices):
    PRIVATE = "private", _("Private car")
    OFFICIAL = "official", _("Official car")
    COMMERCIAL = "commercial", _("Commercial vehicle")


class VehicleStatus(models.TextChoices):
    IN_USE = "in_use", _("In use")
    TRANSFERRED = "transferred", _("Transferred")
    SCRAPPED = "scrapped", _("Scrapped")
    MOVED_AWAY = "moved_away", _("Moved away")
    OUT_OF_TOUCH = "out_of_touch", _("Out of touch")


class PlateKind(models.TextChoices):
    BLUE = "blue", _("Ordinary blue")
    YELLOW = "yellow", _("Yellow")
    NEV_SMALL = "nev_small", _("New energy, small")
    NEV_LARGE = "nev_large", _("New energy, large")
    TEMPORARY = "temporary", _("Temporary")
    OTHER = "other", _("Other")
    NONE = "", _("No plate yet")


class OdometerSource(models.TextChoices):
    WORK_ORDER = "work_order", _("Work order")
    CUSTOMER = "customer", _("Told by the customer")
    IMPORT = "import", _("Import")
    DELIVERY = "delivery", _("Delivery")
    TELEMATICS = "telematics", _("Telematics")


class OdometerFlag(models.TextChoices):
    """Why a reading is kept but left out of the forecast (domain §1.2, odometer log)."""

    OK = "", _("Used")
    FALLING = "falling", _("Lower than an earlier reading")
    LEAPING = "leaping", _("More than 1,000 km a day")


class PolicyKind(models.TextChoices):
    COMPULSORY = "compulsory", _("Compulsory insurance")
    COMMERCIAL = "commercial", _("Commercial insurance")


class InspectionSource(models.TextChoices):
    ESTIMATE = "estimate", _("Estimated by rule")
    LICENCE = "licence", _("Vehicle licence")
    AUTHORITY = "authority", _("12123")


class ServiceKind(models.TextChoices):
    FIRST = "first", _("First service")
    PERIODIC = "periodic", _("Periodic service")


class AgeBand(models.TextChoices):
    """How far a car is from its maker's warranty (domain §2.1); it decides how its owner is spoken to."""

    IN_WARRANTY = "in_warranty", _("In warranty")
    MID_AGE = "mid_age", _("Mid-age")
    OUT = "out", _("Out of warranty")
