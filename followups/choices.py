from django.db import models
from django.utils.translation import gettext_lazy as _


class CareClass(models.TextChoices):
    """What the law sees in a contact (domain §3.2): it decides what do-not-contact blocks."""

    SERVICE = "S", _("Service")
    SERVICE_AND_MARKETING = "S+M", _("Service and marketing")
    MARKETING = "M", _("Marketing")
    LEGAL = "L", _("Legal and safety")


class Shift(models.TextChoices):
    """Where a due date goes that falls on a rest day (domain §3.6, 6)."""

    LATER = "later", _("to the next working day")
    EARLIER = "earlier", _("to the working day before")
    STAY = "stay", _("stays on the day")


class Handling(models.TextChoices):
    """How staff work a touch point off."""

    CONTACT = "contact", _("Personal contact")
    BATCH = "batch", _("Message to many")
    LIST = "list", _("List")
    FORM = "form", _("Internal form")


class OffsetUnit(models.TextChoices):
    DAYS = "days", _("days")
    MONTHS = "months", _("months")


class TouchPointStatus(models.TextChoices):
    OPEN = "open", _("Open")
    DONE = "done", _("Done")
    MERGED = "merged", _("Merged")
    SUPPRESSED = "suppressed", _("Suppressed")
    MISSED = "missed", _("Missed")
    CANCELLED = "cancelled", _("Cancelled")


class Reason(models.TextChoices):
    """Why a touch point was suppressed, cancelled, missed or closed without an effective contact."""

    NONE = "", ""
    DO_NOT_CONTACT = "do_not_contact", _("Do not contact")
    NO_MARKETING = "no_marketing", _("No marketing")
    CHANNELS_REFUSED = "channels_refused", _("Consent withdrawn for every channel")
    NO_ADDRESS = "no_address", _("No usable number or address")
    OPEN_COMPLAINT = "open_complaint", _("Open complaint")
    CONTACT_GAP = "contact_gap", _("Too soon after the last contact")
    MESSAGE_LIMIT = "message_limit", _("Too many marketing messages")
    RECENT_CONTACT = "recent_contact", _("An effective contact covers it")
    FACTS_CHANGED = "facts_changed", _("The facts behind it changed")
    CAR_NOT_IN_CARE = "car_not_in_care", _("The car is no longer in use or changed hands")
    CUSTOMER_NOT_IN_CARE = "customer_gone", _("The customer can no longer be contacted")
    WINDOW_PASSED = "window_passed", _("Nobody made the contact in its window")
    NOT_REACHED = "not_reached", _("Not reached after all attempts")
    BY_HAND = "by_hand", _("Closed by hand")


class Outcome(models.TextChoices):
    """What happened at a contact (domain §3.4). The first nine are the digits of the guided queue."""

    SATISFIED = "satisfied", _("Reached · satisfied")
    BOOKED = "booked", _("Reached · visit agreed")
    GRIEVANCE = "grievance", _("Reached · grievance")
    REFERRAL = "referral", _("Reached · referral")
    TRADE_IN = "trade_in", _("Reached · trade-in wish")
    LATER = "later", _("Not convenient, another time")
    NOT_REACHED = "not_reached", _("Not reached")
    WRONG_NUMBER = "wrong_number", _("Wrong number")
    REFUSED = "refused", _("No further contact")
    NOT_THE_OWNER = "not_the_owner", _("Not the person")
    SERVICED_ELSEWHERE = "serviced_elsewhere", _("Serviced elsewhere")
    CAR_GONE = "car_gone", _("Car sold or scrapped")
    MESSAGE_SENT = "message_sent", _("Message sent")
    SKIPPED = "skipped", _("Skipped")


class NextStepKind(models.TextChoices):
    """What a contact asks of another desk (domain §3.4)."""

    APPOINTMENT = "appointment", _("Appointment")
    COMPLAINT = "complaint", _("Complaint")
    REFERRAL = "referral", _("Referral")
    LEAD = "lead", _("Lead")
    NUMBER_CORRECTION = "number_correction", _("Number to correct")
    OWNER_CORRECTION = "owner_correction", _("Owner to correct")


class Severity(models.TextChoices):
    """Level of a complaint (domain §4)."""

    GENERAL = "L1", _("General")
    ESCALATED = "L2", _("Escalated")
    MAJOR = "L3", _("Major")


class WinBackReason(models.TextChoices):
    """Why a customer stayed away: the groups of lost customers (domain §2.7), asked at a wake-up call."""

    NO_FIRST_SERVICE = "first_service", _("Never came for the first service")
    NO_SECOND_SERVICE = "second_service", _("Never came after the first service")
    OUT_OF_WARRANTY = "warranty_end", _("Left when the warranty ended")
    COMPLAINT = "complaint", _("Left after a complaint")
    PRICE = "price", _("Left because of the price")
    MOVED_OR_CHANGED_CAR = "moved", _("Moved away or changed the car")
    OUT_OF_TOUCH = "out_of_touch", _("Out of touch")
