"""What is said and written to a customer about their touch points."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils import formats, translation
from django.utils.translation import gettext, pgettext

from accounts.choices import Language
from accounts.models import User
from customers.models import Customer
from customers.rules import form_of_address
from followups.greetings import wishes
from followups.models import TouchPoint
from followups.rules.hours import MESSAGE_CHANNELS
from followups.talking_points import PointValues, message_lines, one_message
from vehicles.models import Vehicle

# The end that a contact speaks of, where the anchor is another day or may have moved since the task was made.
SPOKEN_ENDS = {
    "warranty_near": "warranty_ends_on",
    "warranty_end": "warranty_runs_out_on",
    "three_guarantees_end": "three_guarantees_run_out_on",
}


@dataclass(frozen=True)
class CustomerMessage:
    """A text to copy, in the customer's language."""

    text: str
    language: str
    language_name: str


def address_of(customer: Customer, *, language: str) -> str:
    """Return how a customer is spoken to in a language: 王先生, Ms Wang."""
    return form_of_address(
        customer.name,
        salutation=customer.salutation,
        kind=customer.kind,
        in_english=language.startswith(Language.ENGLISH),
    )


def point_values(
    point: TouchPoint, *, customer: Customer, car: Vehicle | None, adviser: str, language: str
) -> PointValues:
    """Return what the placeholders of a touch point's rule stand for, in a language.

    ``{date}`` is the fact that the promise hangs on (the policy's end, the forecast service date), not the day to call.
    ``car`` is the one to speak of where the touch point is about none. A car whose model is not known is "the car".
    """
    with translation.override(language):
        car = point.vehicle or car
        model = car.model.series if car is not None and car.model else pgettext("in a sentence", "car")
        day = point.anchor_on
        if point.vehicle and (end := SPOKEN_ENDS.get(point.rule.trigger)):
            day = getattr(point.vehicle, end) or day
        return PointValues(
            customer=address_of(customer, language=language),
            model=model,
            plate=car.plate if car is not None and car.plate else gettext("no plate yet"),
            date=spoken_date(day),
            store=customer.store.name,
            adviser=adviser,
            wishes=wishes(point.rule.trigger, point.step),
        )


def spoken_date(day: date) -> str:
    """Return a date as one says it in the active language: 2026年12月3日, 3 December 2026."""
    return formats.date_format(day, pgettext("format of a spoken date", "j F Y"))


def customer_message(
    points: Sequence[TouchPoint], *, customer: Customer, car: Vehicle | None, user: User, channel: str
) -> CustomerMessage:
    """Return the texts of the reasons that the plan, or the customer by the channel to try first, wants as a message.

    Else a line that says who tried to call.
    """
    language = customer.language
    in_english = language.startswith(Language.ENGLISH)
    texts = []
    for point in points:
        if channel in MESSAGE_CHANNELS or point.channel in MESSAGE_CHANNELS:
            template = point.rule.points_en if in_english else point.rule.points_zh
            values = point_values(point, customer=customer, car=car, adviser=str(user), language=language)
            texts += message_lines(template, values)
    with translation.override(language):
        if not texts:
            texts = [
                gettext(
                    "Hello %(customer)s, this is %(adviser)s of %(store)s. I could not reach you by phone; "
                    "when may I call you?"
                )
                % {
                    "customer": address_of(customer, language=language),
                    "adviser": str(user),
                    "store": customer.store.name,
                }
            ]
    text = one_message(texts, customer=address_of(customer, language=language))
    return CustomerMessage(text=text, language=language, language_name=str(Language(language).label))
