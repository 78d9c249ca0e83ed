"""How far away a day is, in words. Load with ``{% load care %}``."""

from datetime import date

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()


@register.filter
def ago(value: date | None, today: date) -> str:
    """Return how long ago a day was: today, yesterday, 13 days ago, 8 months ago; the empty string for None."""
    if not value:
        return ""
    days = (today - value).days
    if days <= 0:
        return _("today")
    if days == 1:
        return _("yesterday")
    if days < 14:
        return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}
    if days < 61:
        weeks = days // 7
        return ngettext("%(count)d week ago", "%(count)d weeks ago", weeks) % {"count": weeks}
    months = days // 30
    if months < 24:
        return ngettext("%(count)d month ago", "%(count)d months ago", months) % {"count": months}
    years = days // 365
    return ngettext("%(count)d year ago", "%(count)d years ago", years) % {"count": years}


@register.filter
def with_query(address: str, query: str) -> str:
    """Return an address with the parameters that are carried along."""
    return f"{address}?{query}"


@register.filter
def contains(values, item) -> bool:
    """Tell whether a list holds an item, both as text: a submitted value may be "3" where the model says 3."""
    return str(item) in {str(value) for value in values or ()}
