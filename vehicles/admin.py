"""Administration of the catalogue: models, service plans, warranty policies."""

from django.contrib import admin

from vehicles.models import CarModel, ServicePlan, WarrantyPolicy


@admin.register(ServicePlan)
class ServicePlanAdmin(admin.ModelAdmin):
    list_display = ("name", "first_months", "first_km", "interval_months", "interval_km")
    search_fields = ("name",)


@admin.register(WarrantyPolicy)
class WarrantyPolicyAdmin(admin.ModelAdmin):
    list_display = ("name", "months", "km", "three_guarantees_months", "three_guarantees_km")
    search_fields = ("name",)


@admin.register(CarModel)
class CarModelAdmin(admin.ModelAdmin):
    list_display = ("brand", "series", "year", "trim", "energy", "service_plan", "warranty_policy")
    list_select_related = ("service_plan", "warranty_policy")
    list_filter = ("brand", "energy")
    search_fields = ("brand", "series", "trim")
    autocomplete_fields = ("service_plan", "warranty_policy")
