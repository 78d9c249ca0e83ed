"""The one place where a request learns what day it is."""

from datetime import date
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils import timezone

from accounts.permissions import memberships_of


def today_of(request: HttpRequest) -> date:
    """Return today's date where the reader works: in the time zone of their store, else in the project's."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        for membership in memberships_of(user):
            if membership.store is not None:
                return timezone.localdate(timezone=ZoneInfo(membership.store.time_zone))
    return timezone.localdate()
