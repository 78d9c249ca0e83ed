"""What pages of this app need on every screen."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from core.caching import kept
from customers.permissions import can_be_alarmed
from customers.queries import AccessAlarm, access_alarms_for, busiest_readers

READERS_KEY = "customers:busiest-readers"
READERS_SECONDS = 60


def access_alarms(request: HttpRequest) -> dict[str, Any]:
    """Somebody who opens or takes away very many files in an hour is an alarm on the general manager's screens.

    ``access_alarms`` is worked out when a template shows it; the log behind it is read at most once a minute.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not can_be_alarmed(user):
        return {}

    def alarms(person: User = user) -> list[AccessAlarm]:
        readers = kept(READERS_KEY, lambda: busiest_readers(now=timezone.now()), seconds=READERS_SECONDS)
        return access_alarms_for(person, readers)

    return {"access_alarms": SimpleLazyObject(alarms)}
