"""Celery's side of the car file: adapters only, the work is in the actions."""

from celery import shared_task
from django.utils import timezone

from vehicles.actions import refresh_changed_models


@shared_task(name="vehicles.refresh_changed_models")
def refresh_changed_models_task() -> None:
    """Compute the cars of models anew whose service plan or warranty policy changed."""
    refresh_changed_models(now=timezone.now())
