"""What a view behind the sign-in gets: the type checker cannot see the middleware that makes it so."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from accounts.permissions import can_see_customers

ViewT = TypeVar("ViewT", bound=Callable[..., HttpResponse])


class StaffRequest(HttpRequest):
    """A request of somebody who is signed in: ``LoginRequiredMiddleware`` lets nobody else reach the view."""

    user: User
    htmx: HtmxDetails


def customer_data_required(view: ViewT) -> ViewT:
    """Refuse a list of customer data to a role that has none (403), instead of showing it empty (domain §10)."""

    @wraps(view)
    def guarded(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not can_see_customers(request.user):
            raise PermissionDenied(_("Your role does not include customer data. It runs the system."))
        return view(request, *args, **kwargs)

    return cast(ViewT, guarded)
