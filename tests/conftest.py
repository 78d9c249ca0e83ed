"""What every test has: see ``tests/settings.py`` for the servers and ``tests/factories.py`` for the people."""

import pytest
from django.core.cache import cache

pytest_plugins = ["tests.people"]


@pytest.fixture(autouse=True)
def _empty_cache():
    """Rate limits and locks of one test are not those of the next."""
    yield
    cache.clear()
