"""What every request needs to know about the person behind it."""

from collections.abc import Callable
from typing import Any

import pghistory
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils import translation

from accounts.permissions import memberships_of
from core.pages import page_address

GetResponse = Callable[[HttpRequest], HttpResponse]
# Pages that a signed-in person reaches even without a membership: they can always sign out.
OPEN_PREFIXES = ("/accounts/", "/static/", "/language/", "/theme/")


class NulCharacterMiddleware:
    """Answers 400 to a request that carries a NUL character: PostgreSQL stores no such text, and no page sends one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        texts = [request.path, *_texts(request.GET)]
        if request.method == "POST":
            texts += _texts(request.POST)
        if any("\x00" in text for text in texts):
            return HttpResponseBadRequest(content_type="text/plain")
        return self.get_response(request)


def _texts(data: QueryDict) -> list[str]:
    return [text for name, values in data.lists() for text in (name, *values)]


class PrivatePagesMiddleware:
    """Pages and files of a signed-in person are kept by no cache and no browser: the next one at the desk goes back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class LanguageMiddleware:
    """The reader's language: from the own setting, else from the browser, else Chinese (screens.md)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = getattr(request.user, "language", "") if request.user.is_authenticated else ""
        language = chosen or translation.get_language_from_request(request)
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language() or settings.LANGUAGE_CODE
        response = self.get_response(request)
        response.headers.setdefault("Content-Language", request.LANGUAGE_CODE)
        return response


class SignInMiddleware(LoginRequiredMiddleware):
    """Nothing is open to the world; whoever pressed a button after the session had ended comes back to its page."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., Any]) -> HttpResponseRedirect:
        return redirect_to_login(
            page_address(request), self.get_login_url(view_func), self.get_redirect_field_name(view_func)
        )


class WrongMethodMiddleware:
    """The address of a button, opened as a page, says so instead of staying blank."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or response.content:
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page


class MembershipMiddleware:
    """A signed-in user belongs to a store or to the group; anybody else is told so and sees nothing."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            request.user.is_authenticated
            and not request.path.startswith(OPEN_PREFIXES)
            and not memberships_of(request.user)
        ):
            return render(request, "accounts/no_membership.html", status=403)
        return self.get_response(request)


class HistoryMiddleware:
    """Writes the acting user beside every change that the database triggers record."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD", "OPTIONS") or not request.user.is_authenticated:
            return self.get_response(request)
        with pghistory.context(user=request.user.pk, url=request.path):
            return self.get_response(request)
