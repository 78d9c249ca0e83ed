"""Pages that are fragments too: one address, a whole page for a person, its panel for htmx."""

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme


def wants_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a panel of a page, so that what stands around it need not be looked up."""
    return bool(getattr(request, "htmx", False)) and not request.htmx.boosted  # type: ignore[attr-defined]


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, fragment: str = "panel", status: int | None = None
) -> HttpResponse:
    """Render a template, or only its partial ``fragment`` when htmx asks. Caches are told that the two differ."""
    name = f"{template}#{fragment}" if wants_fragment(request) else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def page_address(request: HttpRequest) -> str:
    """Return the address of the page that a person has before them, for the way back to it.

    What answers a button stands at the button's address, which nobody can open; the page with the button can be.
    """
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return "/"
    address = urlsplit(page)
    return f"{address.path}?{address.query}" if address.query else address.path or "/"
