from typing import Any

from django.http import HttpRequest

from accounts import permissions


def shell(request: HttpRequest) -> dict[str, Any]:
    """What the frame around every page shows: the person's role and store, and which places they may go to."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    memberships = permissions.memberships_of(user)
    return {
        "memberships": memberships,
        "membership": memberships[0] if memberships else None,
        "may": {
            "work_tasks": permissions.can_work_tasks(user),
            "see_customers": not permissions.customer_access(user).is_empty,
            "see_jobs": permissions.can_see_jobs(user),
            "see_care_plan": permissions.can_see_care_plan(user),
        },
    }
