"""The request as every view here gets it: signed in (the middleware sees to that), with what htmx said."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class StaffRequest(HttpRequest):
    """A request of a signed-in person; only a name for types, requests are never made of it."""

    user: User
    htmx: HtmxDetails
