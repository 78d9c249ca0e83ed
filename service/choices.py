from django.db import models
from django.utils.translation import gettext_lazy as _


class JobType(models.TextChoices):
    """What kind of visit it was (domain §2.3)."""

    FIRST_SERVICE = "first", _("First service")
    PERIODIC_SERVICE = "periodic", _("Periodic service")
    GENERAL_REPAIR = "repair", _("General repair")
    WARRANTY_CLAIM = "claim", _("Warranty claim")
    ACCIDENT_REPAIR = "accident", _("Accident repair")
    COMEBACK = "comeback", _("Comeback repair")
    ACCESSORIES = "accessories", _("Accessories and detailing")
    RECALL = "recall", _("Recall")
    INTERNAL = "internal", _("PDI and internal")


MAINTENANCE = (JobType.FIRST_SERVICE, JobType.PERIODIC_SERVICE)


class SuggestionStatus(models.TextChoices):
    OPEN = "open", _("Not done yet")
    DONE = "done", _("Done")
    DROPPED = "dropped", _("No longer needed")
