"""What every test has: see ``tests/settings.py`` for the servers and ``tests/factories.py`` for the people."""

import pytest
from django.core.cache import cache
from django.utils import translation
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.people"]

# A busy machine is slow, not wrong: examples are judged by what they show, never by how long they took.
settings.register_profile("dealercrm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dealercrm")


@pytest.fixture(autouse=True)
def _empty_cache():
    """Rate limits and locks of one test are not those of the next."""
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _language_of_the_project():
    """A request leaves its language behind in the thread; the next test begins with the project's."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture
def english():
    """For tests that read texts of the project without a request."""
    with translation.override("en"):
        yield
