"""How dates, plates and icons are written on every page (screens.md, "Feel"). Load with ``{% load crm %}``."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

register = template.Library()

ICON_SPRITE = "vendor/bootstrap-icons-1.13.2/sprite.svg"
# Province sign and letter, then the number: 鲁M | B6688.
PLATE = re.compile(r"([\u4e00-\u9fff][A-Z])([A-Z0-9]{4,6}[\u4e00-\u9fff]?)")


def _as_day(value: date | datetime) -> date:
    if isinstance(value, datetime):
        return timezone.localtime(value).date() if timezone.is_aware(value) else value.date()
    return value


def _weekday(day: date) -> str:
    names = (
        pgettext("weekday", "Mon"),
        pgettext("weekday", "Tue"),
        pgettext("weekday", "Wed"),
        pgettext("weekday", "Thu"),
        pgettext("weekday", "Fri"),
        pgettext("weekday", "Sat"),
        pgettext("weekday", "Sun"),
    )
    return names[day.weekday()]


@register.filter
def day(value: date | datetime | None) -> str:
    """Return ``2026-11-21 周六``; the empty string for None."""
    if not value:
        return ""
    on = _as_day(value)
    return f"{on.isoformat()} {_weekday(on)}"


@register.filter
def day_short(value: date | datetime | None) -> str:
    """Return ``11-21`` for narrow columns where the year is clear; the empty string for None."""
    return _as_day(value).strftime("%m-%d") if value else ""


@register.filter
def moment(value: datetime | None) -> str:
    """Return ``2026-11-21 周六 14:05`` in the current time zone; the empty string for None."""
    if not value:
        return ""
    return f"{day(value)} {timezone.localtime(value):%H:%M}"


@register.simple_tag(takes_context=True)
def when(context: template.Context, value: date | datetime | None) -> str:
    """Return today, yesterday or tomorrow in words and any other day as ``day`` writes it.

    Today is the context's ``today``, which the frame's context processor gives.
    """
    if not value:
        return ""
    words = {0: _("today"), -1: _("yesterday"), 1: _("tomorrow")}
    distance = (_as_day(value) - context["today"]) // timedelta(days=1)
    return words.get(distance) or day(value)


@register.filter
def plate(value: str) -> str:
    """Return a plate with its dot, ``鲁M·B6688``; anything of another shape stays as it is."""
    match = PLATE.fullmatch(value or "")
    return "·".join(match.groups()) if match else value


@register.filter
def thousands(value: int | Decimal | None) -> str:
    """Return ``18,400`` in both languages: Django groups no digits in Chinese. The empty string for None."""
    return "" if value is None else f"{value:,}"


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the vendored sprite. Without a ``label`` it is decoration beside a word."""
    address = f"{static(ICON_SPRITE)}#{name}"
    if label:
        return format_html(
            '<svg class="crm-icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, address
        )
    return format_html('<svg class="crm-icon" aria-hidden="true"><use href="{}"></use></svg>', address)


@register.inclusion_tag("components/panel.html")
def panel(url_name: str, pk: int, title: str) -> dict[str, str]:
    """Return the part of a page that an upper app owns: the page names it by its URL and imports nothing."""
    return {"url": reverse(url_name, args=[pk]), "title": title}


@register.simple_tag(takes_context=True)
def page_address(context: template.Context, **changes: Any) -> str:
    """Return the address of this page with some parameters changed; None or the empty string takes one out.

    Lists keep their filters in the URL; paging starts again when a filter changes, so ``after`` goes unless given.
    """
    query = context["request"].GET.copy()
    query.pop("after", None)
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def page_address_without(context: template.Context, name: str) -> str:
    """Return the address of this page without one of its parameters: what the cross of a filter chip leads to."""
    return page_address(context, **{name: None})
