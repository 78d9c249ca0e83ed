"""Pages that are fragments too: one address, a whole page for a person, its panel for htmx."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


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
