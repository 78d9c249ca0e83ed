from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

# The administration has no sign-in of its own: rate limits and the second step hold there too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", include("followups.urls")),
    path("", include("accounts.urls")),
    path("customers/", include("customers.urls")),
    path("vehicles/", include("vehicles.urls")),
    path("service/", include("service.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
