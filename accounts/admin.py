"""Administration of stores and staff; for the system administrator alone (is_staff)."""

from typing import ClassVar

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, Store, User

# What people may do hangs on their memberships; Django's groups would be a second, unused way.
admin.site.unregister(Group)
# The library's own page shows the secret of a second step and gives a passkey to somebody else.
admin.site.unregister(Authenticator)
admin.site.site_header = _("Customer care · administration")
admin.site.site_title = _("Customer care")


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    fields = ("store", "role", "is_active", "absent_from", "absent_until")


@admin.register(Store)
class StoreAdmin(admin.ModelAdmin):
    list_display = ("code", "name", "phone", "is_active", "daily_calls", "gap_days", "max_retries", "lease_minutes")
    list_filter = ("is_active",)
    search_fields = ("code", "name")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ("username", "name", "email", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "memberships__role", "memberships__store")
    search_fields = ("username", "name", "email")
    ordering = ("name", "pk")
    filter_horizontal: ClassVar = ()
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("name", "email", "language")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "name", "usable_password", "password1", "password2")}),
    )


@admin.register(Authenticator)
class AuthenticatorAdmin(admin.ModelAdmin):
    """Who has a second step: it can be taken away from somebody who lost it, not looked into, given or added."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type", "created_at", "last_used_at")
    fields = readonly_fields = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
