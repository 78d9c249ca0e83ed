"""What pages of this app need on every screen."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from accounts.permissions import can_see_jobs
from core.caching import forget, kept
from followups.queries.jobs import AlarmFacts, AlarmNotice, alarm_facts, alarm_notices

FACTS_KEY = "followups:alarm-facts"
FACTS_SECONDS = 60


def cached_alarm_facts() -> AlarmFacts:
    """Return the facts behind the alarms, at most a minute old."""
    return kept(FACTS_KEY, lambda: alarm_facts(now=timezone.now()), seconds=FACTS_SECONDS)


def forget_alarm_facts() -> None:
    """Let the next page see at once what a job has just done."""
    forget(FACTS_KEY)


def job_alarms(request: HttpRequest) -> dict[str, Any]:
    """A late, missing or failed night is an alarm on every manager's and administrator's screen (screens S9).

    ``job_alarms`` is worked out when a template shows it, so that fragments cost nothing.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not can_see_jobs(user):
        return {}

    def notices(person: User = user) -> list[AlarmNotice]:
        return alarm_notices(cached_alarm_facts(), person, now=timezone.now())

    return {"job_alarms": SimpleLazyObject(notices)}
