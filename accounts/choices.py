from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """Who does what (domain §10)."""

    SALES_CONSULTANT = "SC", _("Sales consultant")
    SERVICE_ADVISER = "SA", _("Service adviser")
    CARE_SPECIALIST = "CR", _("Customer-care specialist")
    SERVICE_MANAGER = "SM", _("Service manager")
    SALES_MANAGER = "XM", _("Sales manager")
    GENERAL_MANAGER = "GM", _("General manager")
    GROUP_MANAGER = "GR", _("Group manager")
    SYSTEM_ADMIN = "AD", _("System admin")
    AUDITOR = "AU", _("Auditor")


class Language(models.TextChoices):
    CHINESE = "zh-hans", "简体中文"
    ENGLISH = "en", "English"


class Theme(models.TextChoices):
    AUTO = "auto", _("As the device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")
