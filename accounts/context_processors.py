from typing import Any

from django.http import HttpRequest

from accounts import permissions
from accounts.choices import Language, Theme
from accounts.clock import today_of
from accounts.navigation import places_for
from core.pages import page_address

THEME_COOKIE = "theme"


def shell(request: HttpRequest) -> dict[str, Any]:
    """What the frame around every page shows: the person's role and store, and which places they may go to."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    frame: dict[str, Any] = {
        "theme": theme if theme in Theme.values else Theme.AUTO,
        "themes": Theme,
        "languages": Language,
        "today": today_of(request),
        "page_address": page_address(request),
    }
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return frame
    memberships = permissions.memberships_of(user)
    may = {
        "work_tasks": permissions.can_work_tasks(user),
        "see_customers": permissions.can_see_customers(user),
        "lead_people": permissions.is_manager(user),
        "see_jobs": permissions.can_see_jobs(user),
        "see_audit_log": permissions.can_see_audit_log(user),
        "see_care_plan": permissions.can_see_care_plan(user),
    }
    match = request.resolver_match
    return frame | {
        "memberships": memberships,
        "membership": memberships[0] if memberships else None,
        "may": may,
        "places": places_for(may, match.view_name if match else ""),
    }
