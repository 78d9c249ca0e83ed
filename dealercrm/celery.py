"""The Celery application. The schedule is code: see ``dealercrm.schedule``."""

import os
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning

from dealercrm.schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dealercrm.settings")

# A trial may run as root. What Celery warns of is pickled jobs under root; ours are JSON, and nothing else is accepted.
warnings.filterwarnings("ignore", message="You're running the worker with superuser", category=SecurityWarning)

app = Celery("dealercrm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = SCHEDULE
