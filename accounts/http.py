"""What a view behind the sign-in gets: the type checker cannot see the middleware that makes it so."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class StaffRequest(HttpRequest):
    """A request of somebody who is signed in: ``LoginRequiredMiddleware`` lets nobody else reach the view."""

    user: User
    htmx: HtmxDetails
