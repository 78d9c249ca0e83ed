"""Talking points: the templates of the care plan with a customer's own values filled in (domain §3.3). Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Both spellings may stand in a template of either language.
PLACEHOLDERS = {
    "customer": "customer",
    "model": "model",
    "plate": "plate",
    "date": "date",
    "store": "store",
    "adviser": "adviser",
    "wishes": "wishes",
    "客户": "customer",
    "车型": "model",
    "车牌": "plate",
    "日期": "date",
    "门店": "store",
    "顾问": "adviser",
    "祝词": "wishes",
}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class PointValues:
    """What the placeholders stand for. ``customer`` is the form of address (王先生), dates are written out, ``wishes``
    goes on where the store has been named (``greetings.wishes``)."""

    customer: str
    model: str
    plate: str
    date: str
    store: str
    adviser: str
    wishes: str


def unknown_placeholders(template: str) -> list[str]:
    """Return the placeholders of a template that nothing can be filled in for, in order."""
    return [name for name in _PLACEHOLDER.findall(template) if name.strip() not in PLACEHOLDERS]


def fill(template: str, values: PointValues) -> str:
    """Return a template with its placeholders replaced; an unknown one stays as it is, to be seen and corrected."""

    def value(match: re.Match[str]) -> str:
        field = PLACEHOLDERS.get(match[1].strip())
        return match[0] if field is None else getattr(values, field)

    return _PLACEHOLDER.sub(value, template)


def fill_lines(template: str, values: PointValues) -> list[str]:
    """Return the talking points one by one, filled in, without empty lines."""
    return [line for line in (line.strip() for line in fill(template, values).splitlines()) if line]


def message_lines(template: str, values: PointValues) -> list[str]:
    """Return what of the talking points goes to the customer in a message: the first line; the rest is for staff."""
    return fill_lines(template, values)[:1]


# As the delivered care plan and most people begin.
_GREETINGS = ("{}您好，", "Hello {}, ", "Dear {}, ")


def one_message(texts: Sequence[str], *, customer: str) -> str:
    """Return several messages to a customer, addressed like that, as one: only the first keeps its greeting."""
    return "\n".join([*texts[:1], *(_without_greeting(text, customer) for text in texts[1:])])


def _without_greeting(text: str, customer: str) -> str:
    for greeting in _GREETINGS:
        words = greeting.format(customer)
        if text.startswith(words):
            rest = text.removeprefix(words)
            return rest[:1].upper() + rest[1:]
    return text
