"""How personal data are written for those who never see them in clear. Load with ``{% load personal %}``."""

from django import template

from customers.choices import PersonalDataField
from customers.models import Customer
from customers.permissions import can_reveal
from customers.rules import mask_account, mask_numbers

register = template.Library()


@register.simple_tag(takes_context=True)
def reads_masked(context: template.Context, customer: Customer) -> bool:
    """Tell whether the reader never sees this customer's numbers in clear: an auditor, the group (domain §10)."""
    return not can_reveal(context["request"].user, customer, PersonalDataField.MOBILE)


@register.filter
def account(text: str, is_masked: bool) -> str:
    """Return an e-mail address or WeChat ID, but for its first character where it is masked."""
    return mask_account(text) if is_masked else text


@register.filter
def free_text(text: str, is_masked: bool) -> str:
    """Return a note, without the numbers that somebody wrote into it where those are masked."""
    return mask_numbers(text) if is_masked else text
