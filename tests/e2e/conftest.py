"""A real browser for the tests of this folder: the system's Chromium, driven by Playwright.

Each of them is marked ``e2e`` by where it lies; ``make e2e`` runs them on their own.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tools import chromium

# Playwright keeps an event loop in this thread, where Django then refuses its ordinary, synchronous ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # All alike: after a flush without it Django makes rows of its own, which clash with the restored ones.
            item.add_marker(pytest.mark.django_db(transaction=True, serialized_rollback=True))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, shared by all tests; without one they are skipped with the reason."""
    path = chromium.find()
    if path is None:
        pytest.skip(chromium.reason())
    # Chromium's sandbox refuses root; the pages are our own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, live_server) -> Iterator[BrowserContext]:
    """A browser with no history, at the address of the live server, asking for Chinese."""
    context = browser.new_context(base_url=live_server.url, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """One tab. A script error or something that the content security policy blocks fails the test."""
    page = context.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The browser also reports every answer of 4xx this way; a form with a mistake answers 422 on purpose.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", note)
    yield page
    assert errors == []


@pytest.fixture
def sign_in(context: BrowserContext, live_server) -> Callable[[object], None]:
    """Give the browser the session of a user without going through the sign-in page."""

    def sign_in(user) -> None:
        client = Client()
        client.force_login(user)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])

    return sign_in
