"""Facts that many pages ask for and that may be a minute old."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

FactT = TypeVar("FactT")


def kept(key: str, work_out: Callable[[], FactT], *, seconds: int) -> FactT:
    """Return what ``work_out`` returned at most ``seconds`` ago; None is never kept.

    While the cache does not answer it is worked out each time: a page must not fall with the cache.
    """
    try:
        found: FactT | None = cache.get(key)
        if found is None:
            found = work_out()
            cache.set(key, found, seconds)
    except (RedisError, OSError):
        logger.warning("The cache does not answer; %s is read from the database.", key)
        found = work_out()
    return found


def forget(key: str) -> None:
    """Let the next page see at once what has just changed."""
    try:
        cache.delete(key)
    except (RedisError, OSError):
        logger.warning("The cache does not answer; %s may stay old for a while.", key)
