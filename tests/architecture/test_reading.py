"""A GET writes nothing, breaks at nothing, and gives a page that works under a strict policy and without scripts."""

from html.parser import HTMLParser

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.urls import reverse

from tests.architecture.conftest import ADDRESSES
from tests.architecture.test_urls import OPEN, PAGES, PERSONAL, path_of

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true"}
# Opening a file or a part of it is noted in the access log (ADR 0013), and that is all that these write.
NOTED = {
    *("customers:customer_detail", "customers:customer_edit", "followups:queue_card", "vehicles:vehicle_detail"),
    *("vehicles:customer_cars", "vehicles:customer_changes", "service:customer_orders", "customers:customer_consent"),
    *("followups:customer_care", "followups:customer_contacts", "followups:customer_next_steps"),
    "vehicles:vehicle_owner",
}
READABLE = sorted(name for name, page in PAGES.items() if page.get != "405")
HTMX_VERBS = {"hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def read(client, path, **words):
    """Answer of a GET that has no right to write: PostgreSQL refuses every row, sequence and lock."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        response = client.get(path, **words)
        transaction.set_rollback(True)
    return response


@pytest.fixture
def our_world(here, holiday):
    here.holiday = holiday
    return here


@pytest.fixture
def _sessions_outside_the_database():
    # Whose session it is and when it ends is the framework's to write; what the pages write is looked at here.
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
        yield


@pytest.fixture
def readers(_sessions_outside_the_database, clients):
    return clients


@pytest.mark.parametrize("role", ["consultant", "general_manager", "admin_user"])
def test_no_page_writes_when_it_is_read(readers, our_world, role):
    found = {}
    for name in set(READABLE) - NOTED:
        path = reverse(name, kwargs=PAGES[name].arguments(our_world))
        found[name] = [read(readers[role], path).status_code, read(readers[role], path, headers=HTMX).status_code]
    assert {name for name, statuses in found.items() if max(statuses) >= 500} == set()
    assert found["followups:rule_list"] == [200, 200]


@pytest.mark.parametrize("name", sorted(NOTED))
def test_opening_a_file_writes_one_line_of_the_access_log_and_nothing_else(readers, our_world, writes_of, name):
    path = reverse(name, kwargs=PAGES[name].arguments(our_world))
    written = writes_of(lambda: readers["general_manager"].get(path))
    assert [statement.split('"')[:2] for statement in written] == [["INSERT INTO ", "customers_personaldataaccess"]]
    assert writes_of(lambda: readers["other_store_adviser"].get(path)) == []


@pytest.mark.parametrize("who", ["anonymous", "adviser"])
def test_no_page_around_signing_in_writes_when_it_is_read(readers, who):
    names = sorted((OPEN | PERSONAL) - set(PAGES))
    found = {
        address.name: read(readers[who], path_of(address)).status_code for address in ADDRESSES if address.name in names
    }
    assert sorted(found) == names
    assert max(found.values()) < 500


# What people and scanners put into an address: nothing of it may break a page.
NONSENSE = [
    "\x00",
    "9" * 30,
    "9" * 5000,
    "-1",
    "٣",
    "~",
    "99999999999999999999~99999999999999999999",
    "0001-01-01~1",
    "%",
    "'\"",
]
PARAMETERS = sorted(
    {"q", "after", "before", "sort", "page", "store", "owner", "tier", "status", "state", "year", "asked", "rule"}
    | {"due", "overdue", "priority", "pool", "escalated", "series", "person", "entered", "silent", "contact", "kind"}
    | {"use", "energy", "model", "service", "inspection", "warranty"}
)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=ascii)
def test_nonsense_in_the_address_breaks_no_page(clients, our_world, nonsense):
    client = clients["general_manager"]
    client.raise_request_exception = False
    broken = set()
    for name in READABLE:
        path = reverse(name, kwargs=PAGES[name].arguments(our_world))
        with transaction.atomic():
            status = client.get(path, dict.fromkeys(PARAMETERS, nonsense)).status_code
            if status >= 500:
                broken.add(name)
            transaction.set_rollback(True)
    assert broken == set()


class _Page(HTMLParser):
    """Collects what a strict policy forbids, and htmx that would leave a reader without scripts with nothing."""

    def __init__(self, text):
        super().__init__()
        self.path = []
        self.faults = set()
        self.lazy = []
        self.links = set()
        self.feed(text)
        self.faults |= {f"nothing to click instead of {address}" for address in self.lazy if address not in self.links}

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in VOID:
            self.path.append(tag)
        for name in values:
            if name == "style" or name.startswith(("on", "hx-on")):
                self.faults.add(f"<{tag} {name}>")
        if tag == "style" or (tag == "script" and "src" not in values and values.get("type") != "application/json"):
            self.faults.add(f"<{tag}>")
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if HTMX_VERBS & set(values):
            is_real = (tag == "a" and values.get("href")) or "form" in self.path
            if not is_real and "hx-get" in values:
                # A panel that fills itself is right when a link beside it leads to the same.
                self.lazy.append(values["hx-get"])
            elif not is_real:
                self.faults.add(f"<{tag} {sorted(HTMX_VERBS & set(values))}> is neither a link nor in a form")

    def handle_endtag(self, tag):
        if tag in self.path:
            while self.path.pop() != tag:
                pass


@pytest.mark.parametrize("name", READABLE)
def test_a_page_keeps_to_the_policy_and_works_without_scripts(as_user, general_manager, our_world, name):
    response = as_user(general_manager).get(reverse(name, kwargs=PAGES[name].arguments(our_world)))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert _Page(response.content.decode()).faults == set()


@pytest.mark.parametrize("name", ["customers:customer_edit", "customers:customer_reveal", "followups:queue_skip"])
def test_a_character_that_the_database_cannot_hold_is_refused(as_user, general_manager, our_world, name):
    path = reverse(name, kwargs=PAGES[name].arguments(our_world))
    response = as_user(general_manager).post(path, {"reason": "a\x00b", "field": "address", "name": "王\x00"})
    assert response.status_code == 400
    batch = reverse("followups:batch_detail", kwargs={"store": "a\x00", "rule": "FE", "nominal_on": "2026-11-21"})
    assert as_user(general_manager).get(batch).status_code == 400


def test_a_number_that_python_refuses_to_read_breaks_no_form(clients, our_world):
    sent = {"person": "9" * 5000, "ticked": "9" * 5000, "last": "9" * 5000, "customers": "9" * 5000, "scope": "all"}
    client = clients["general_manager"]
    client.raise_request_exception = False
    found = {}
    for name in ("queue_call", "desk_settle", "team_assign", "batch_send", "queue_save", "queue_skip"):
        path = reverse(f"followups:{name}", kwargs=PAGES[f"followups:{name}"].arguments(our_world))
        found[name] = client.post(path, sent | {"rule": "PS0", "touch_points": "9" * 5000}).status_code
    assert {name for name, status in found.items() if status >= 500} == set()
    assert found["queue_call"] == 200
