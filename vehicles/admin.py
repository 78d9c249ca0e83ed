"""Administration of the catalogue: models, service plans, warranty policies."""

import logging
from typing import Any, cast

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.models import User
from vehicles.actions import save_catalogue_entry
from vehicles.models import CarModel, ServicePlan, WarrantyPolicy
from vehicles.tasks import refresh_changed_models_task

logger = logging.getLogger(__name__)


class CatalogueAdmin(admin.ModelAdmin):
    """An entry that the dates of cars are computed from: who changes it has them computed anew."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        count = save_catalogue_entry(entry=obj, at=timezone.now(), by=cast(User, request.user))
        if not count:
            return
        transaction.on_commit(_refresh_soon)
        text = ngettext(
            "The cars of %(count)d model are computed anew in the background; the next night plans their care by it.",
            "The cars of %(count)d models are computed anew in the background; the next night plans their care by it.",
            count,
        )
        self.message_user(request, text % {"count": count}, messages.INFO)


def _refresh_soon() -> None:
    """Ask a worker. Without a broker nothing is lost: the models are marked, and the schedule looks for the marks."""
    try:
        refresh_changed_models_task.apply_async(retry=False)
    except (OperationalError, RedisError, ConnectionError) as error:
        logger.warning("The broker does not answer; changed models are computed when it is back. %s", error)


@admin.register(ServicePlan)
class ServicePlanAdmin(CatalogueAdmin):
    list_display = ("name", "first_months", "first_km", "interval_months", "interval_km")
    search_fields = ("name",)


@admin.register(WarrantyPolicy)
class WarrantyPolicyAdmin(CatalogueAdmin):
    list_display = ("name", "months", "km", "three_guarantees_months", "three_guarantees_km")
    search_fields = ("name",)


@admin.register(CarModel)
class CarModelAdmin(CatalogueAdmin):
    list_display = ("brand", "series", "year", "trim", "energy", "service_plan", "warranty_policy")
    list_select_related = ("service_plan", "warranty_policy")
    list_filter = ("brand", "energy")
    search_fields = ("brand", "series", "trim")
    autocomplete_fields = ("service_plan", "warranty_policy")
