"""Choices about the look of the pages. Signing in and everything around it is django-allauth's."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.actions import choose_language
from accounts.choices import Language, Theme
from accounts.context_processors import THEME_COOKIE

A_YEAR = 365 * 24 * 3600


def _back(request: HttpRequest) -> HttpResponseRedirect:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if safe else "/")


@login_not_required
@require_POST
def language_set(request: HttpRequest) -> HttpResponse:
    """Change the reader's language: kept with the person when signed in, else in a cookie."""
    language = request.POST.get("language", "")
    if language not in Language.values:
        return HttpResponse(_("This language is not offered."), status=422, content_type="text/plain")
    response = _back(request)
    if request.user.is_authenticated:
        choose_language(user=request.user, language=language)
    # The pages after signing out stay in the language, too.
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=A_YEAR,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        secure=request.is_secure(),
        samesite="Lax",
    )
    translation.activate(language)
    return response


@login_not_required
@require_POST
def theme_set(request: HttpRequest) -> HttpResponse:
    """Change between light and dark; a cookie, since it belongs to the device and not to the person."""
    theme = request.POST.get("theme", "")
    if theme not in Theme.values:
        return HttpResponse(_("This theme is not offered."), status=422, content_type="text/plain")
    response = _back(request)
    response.set_cookie(THEME_COOKIE, theme, max_age=A_YEAR, httponly=True, secure=request.is_secure(), samesite="Lax")
    return response
