from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("followups.urls")),
    path("", include("accounts.urls")),
    path("customers/", include("customers.urls")),
    path("vehicles/", include("vehicles.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
