"""The settings of the tests: the project's own, on throw-away servers unless the environment names real ones.

The first process that loads them (the controller under xdist) starts the servers and puts their addresses into the
environment, where its workers find them. The servers vanish with that process.
"""

import os

from dealercrm import embedded

if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
    _servers = embedded.throwaway()
    os.environ.setdefault("DATABASE_URL", _servers.database_url)
    os.environ.setdefault("REDIS_URL", _servers.redis_url)

from dealercrm.settings import *  # noqa: F403 - the servers come first
from dealercrm.settings import CACHES, INSTALLED_APPS, MIDDLEWARE, REDIS_URL, STORAGES

# Workers of xdist share one Valkey: each takes a database of its own (there are 16).
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
if REDIS_URL.startswith("unix://"):
    REDIS_URL = f"{REDIS_URL.partition('?')[0]}?db={_worker}"
CACHES = CACHES | {"default": CACHES["default"] | {"LOCATION": REDIS_URL}}

# A task asked for in a test runs at once, and its failure is the test's failure.
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed; nothing to protect here
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

# Every request of a test fails on an N+1 query.
INSTALLED_APPS = [*INSTALLED_APPS, "zeal"]
MIDDLEWARE = ["zeal.middleware.zeal_middleware", *MIDDLEWARE]
