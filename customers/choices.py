from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class CustomerKind(models.TextChoices):
    PERSON = "person", _("Person")
    ORGANISATION = "organisation", _("Organisation")


class Salutation(models.TextChoices):
    MR = "mr", _("Mr")
    MS = "ms", _("Ms")
    UNKNOWN = "", pgettext_lazy("salutation", "Unknown")


class CustomerStatus(models.TextChoices):
    ACTIVE = "active", _("Active")
    DECEASED = "deceased", _("Deceased")
    ERASED = "erased", _("Anonymised")


class BirthdayCalendar(models.TextChoices):
    SOLAR = "solar", _("Gregorian calendar")
    LUNAR = "lunar", _("Lunar calendar")


class Channel(models.TextChoices):
    """How a customer is contacted (domain §1.1, §3.2)."""

    PHONE = "phone", _("Phone")
    WECHAT = "wechat", _("WeChat")
    SMS = "sms", _("SMS")
    VISIT = "visit", _("Visit")
    EMAIL = "email", _("E-mail")
    LETTER = "letter", _("Letter")
    CARD = "card", _("Card")
    GIFT = "gift", _("Gift")
    APP = "app", _("App")
    WECOM = "wecom", _("WeCom")
    FORM = "form", _("Internal form")


# Those that reach a customer, for forms.
CONTACT_CHANNELS = [choice for choice in Channel.choices if choice[0] != Channel.FORM]


class TimeSlot(models.TextChoices):
    ANY = "", _("Any time")
    MORNING = "morning", _("Morning 9–12")
    AFTERNOON = "afternoon", _("Afternoon 14–18")
    EVENING = "evening", _("Evening 18–20")


class DoNotContact(models.TextChoices):
    NONE = "none", pgettext_lazy("do not contact", "Contact welcome")
    MARKETING = "marketing", _("No marketing")
    ALL_BUT_SAFETY = "all", _("Nothing but safety")


class Tier(models.TextChoices):
    VIP = "vip", _("VIP customer")
    QUALITY = "quality", _("Quality customer")
    ORDINARY = "ordinary", _("Ordinary customer")


class Lifecycle(models.TextChoices):
    """Where a customer stands between the first visit and the last (domain §2.4)."""

    PROSPECT = "prospect", _("Prospect")
    NEW = "new", _("New owner")
    EXISTING = "existing", _("Existing customer")
    AT_RISK = "at_risk", _("At risk")
    LOST = "lost", _("Lost customer")


class Criterion(models.IntegerChoices):
    """Score of one of the three things that make the relation tier (domain §2.5)."""

    HIGH = 3, _("High")
    MEDIUM = 2, _("Medium")
    LOW = 1, _("Low")


class Source(models.TextChoices):
    WALK_IN = "walk_in", _("Walk-in")
    CALL_IN = "call_in", _("Call-in")
    EXHIBITION = "exhibition", _("Exhibition")
    CANVASSING = "canvassing", _("Canvassing")
    REPURCHASE = "repurchase", _("Repurchase")
    REFERRAL = "referral", _("Referral")
    INSIDE = "inside", _("Inside information")
    VIP = "vip", _("VIP introduction")
    ONLINE = "online", _("Online enquiry")
    COMMUNITY = "community", _("Community")
    ROADSHOW = "roadshow", _("Roadshow")


class ConsentPurpose(models.TextChoices):
    MARKETING = "marketing", _("Marketing")
    SERVICE = "service", _("Service messages")
    REFERRAL = "referral", _("Referral")
    PROFILING = "profiling", _("Profiling")


class PersonalDataField(models.TextChoices):
    """What was looked at or used, in the log of domain §11.1."""

    MOBILE = "mobile", _("Mobile")
    OTHER_PHONE = "other_phone", _("Other phone")
    WECHAT = "wechat", _("WeChat")
    ID_NUMBER = "id_number", _("ID number")
    ADDRESS = "address", _("Home address")
    FILE = "file", _("Customer file")
    EXPORT = "export", _("Export")
