"""What pages of this app need on every screen."""

import logging
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from redis.exceptions import RedisError

from accounts.models import User
from accounts.permissions import can_see_jobs
from followups.queries.jobs import AlarmFacts, AlarmNotice, alarm_facts, alarm_notices

logger = logging.getLogger(__name__)

FACTS_KEY = "followups:alarm-facts"
FACTS_SECONDS = 60


def cached_alarm_facts() -> AlarmFacts:
    """Return the facts behind the alarms, at most a minute old; straight from the database while the cache is down."""
    now = timezone.now()
    try:
        facts = cache.get(FACTS_KEY)
        if facts is None:
            facts = alarm_facts(now=now)
            cache.set(FACTS_KEY, facts, FACTS_SECONDS)
    except (RedisError, OSError):
        # The banner must not take every page down with the cache; the database has the same answer.
        logger.warning("The cache does not answer; job alarms are read from the database.")
        facts = alarm_facts(now=now)
    return facts


def forget_alarm_facts() -> None:
    """Let the next page see at once what a job has just done."""
    try:
        cache.delete(FACTS_KEY)
    except (RedisError, OSError):
        logger.warning("The cache does not answer; an alarm may stay up to %s s longer.", FACTS_SECONDS)


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
