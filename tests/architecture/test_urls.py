"""Every address of the project for every role: the table of domain §10 as the pages keep it (house principles 2, 3).

An address that is not in the tables below fails the tests: whoever adds one says here who may use it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from accounts.models import Store
from followups.models import CareRule
from tests.architecture.conftest import ADDRESSES, ROLES
from tests.factories import TODAY

pytestmark = pytest.mark.django_db

ByRole = dict[str, int]
Arguments = Callable[[SimpleNamespace], Mapping[str, Any]]


def by_role(row: str) -> ByRole:
    """Read a row of the table: one status for everybody, or one for each of ``ROLES``."""
    statuses = [int(word) for word in row.split()]
    if len(statuses) == 1:
        statuses *= len(ROLES)
    return dict(zip(ROLES, statuses, strict=True))


def nothing(_here: SimpleNamespace) -> Mapping[str, Any]:
    return {}


def customer(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": here.customer.pk}


def vehicle(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": here.vehicle.pk}


def own_rule(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": here.own_rule.pk}


def group_rule(_here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": CareRule.objects.get(code="M3k", store=None).pk}


def run(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": here.run.pk}


def store(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": here.store.pk}


def holiday(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"pk": here.holiday.pk}


def card(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"customer": here.customer.pk}


def batch(here: SimpleNamespace) -> Mapping[str, Any]:
    return {"store": here.store.code, "rule": "FE", "nominal_on": TODAY.isoformat()}


@dataclass(frozen=True)
class Page:
    """What an address answers to each of ``ROLES``; the objects in it are those of the store ``here``.

    ``data`` is what is posted. 422 is an input that was looked at and refused, so the right was there.
    """

    arguments: Arguments
    get: str
    post: str
    data: dict[str, Any] = field(default_factory=dict)


#         SC  SA  CR  SM  XM  GM  GR  AD  AU  SC'  SA of the other store
FILE = "200 200 200 200 200 200 200 404 200 404 404"
LISTS = "200 200 200 200 200 200 200 403 200 200 200"
DESK = "200 200 200 200 200 200 403 403 403 200 200"
GROUP_SETTINGS = "403 403 403 403 403 403 200 200 403 403 403"

PAGES: dict[str, Page] = {
    # The look of the pages is everybody's own.
    "accounts:language_set": Page(nothing, "405", "302", {"language": "en"}),
    "accounts:theme_set": Page(nothing, "405", "302", {"theme": "dark"}),
    # Customers and cars
    "customers:customer_list": Page(nothing, LISTS, "405"),
    "customers:customer_detail": Page(customer, FILE, "405"),
    "customers:customer_edit": Page(
        customer, "200 200 200 200 200 200 403 404 403 404 404", "422 422 422 422 422 422 403 404 403 404 404"
    ),
    "customers:customer_consent": Page(
        customer, "200 200 200 200 200 200 403 404 403 404 404", "422 422 422 422 422 422 403 404 403 404 404"
    ),
    "customers:customer_reveal": Page(
        customer, "405", "200 200 200 200 200 200 403 404 403 404 404", {"field": "mobile"}
    ),
    "customers:access_list": Page(nothing, "403 403 403 403 403 200 200 200 200 403 403", "405"),
    "vehicles:vehicle_list": Page(nothing, LISTS, "405"),
    "vehicles:vehicle_detail": Page(vehicle, FILE, "405"),
    "vehicles:vehicle_owner": Page(
        vehicle, "200 200 200 200 200 200 403 404 403 404 404", "422 422 422 422 422 422 403 404 403 404 404"
    ),
    "vehicles:customer_cars": Page(customer, FILE, "405"),
    "vehicles:customer_changes": Page(customer, FILE, "405"),
    "service:customer_orders": Page(customer, FILE, "405"),
    "service:vehicle_orders": Page(vehicle, FILE, "405"),
    "followups:search": Page(nothing, LISTS, "405"),
    "followups:customer_care": Page(customer, FILE, "405"),
    "followups:vehicle_care": Page(vehicle, FILE, "405"),
    "followups:customer_contacts": Page(customer, FILE, "405"),
    "followups:customer_next_steps": Page(customer, FILE, "405"),
    # The day and the team: who calls nobody is led to where their work is.
    "followups:day": Page(nothing, "200 200 200 200 200 200 302 302 302 200 200", "405"),
    "followups:day_ahead": Page(nothing, DESK, "405"),
    "followups:day_export": Page(nothing, "405", "403 403 200 200 200 200 403 403 403 403 403"),
    "followups:team_export": Page(nothing, "405", "403 403 403 200 200 200 403 403 403 403 403"),
    "followups:day_birthdays": Page(nothing, DESK, "405"),
    "followups:team": Page(nothing, "403 403 403 200 200 200 200 403 200 403 403", "405"),
    "followups:team_assign": Page(nothing, "405", "403 403 403 302 302 302 403 403 403 403 403"),
    "followups:missed_list": Page(nothing, "403 403 200 200 200 200 403 403 403 403 403", "405"),
    "followups:missed_take_up": Page(nothing, "405", "403 403 302 302 302 302 403 403 403 403 403"),
    # The guided queue
    "followups:queue_start": Page(nothing, "302", "302 302 302 302 302 302 403 403 403 302 302"),
    "followups:queue_card": Page(card, FILE, "405"),
    "followups:queue_claim": Page(card, "405", "302 302 302 302 302 302 403 404 403 404 404"),
    "followups:queue_save": Page(card, "405", "422 422 422 422 422 422 403 404 403 404 404"),
    "followups:queue_skip": Page(card, "405", "422 422 422 422 422 422 403 404 403 404 404"),
    "followups:queue_release": Page(card, "405", "302 302 302 302 302 302 403 404 403 404 404"),
    "followups:queue_call": Page(card, "405", "200 200 200 200 200 200 403 404 403 404 404"),
    # Messages to many: staff see what goes to their customers; care specialists and managers send.
    "followups:batch_list": Page(nothing, LISTS, "405"),
    "followups:batch_detail": Page(batch, FILE, "405"),
    "followups:batch_send": Page(batch, "405", "403 403 422 422 422 422 403 404 403 404 404"),
    "followups:batch_export": Page(batch, "405", "403 403 200 200 200 200 403 404 403 404 404", {"last": 1_000_000}),
    # Lists and internal forms
    "followups:desk": Page(nothing, DESK, "405"),
    "followups:desk_export": Page(nothing, "405", "403 403 200 200 200 200 403 403 403 403 403"),
    "followups:desk_settle": Page(nothing, "405", DESK.replace("200", "302")),
    # Jobs
    "followups:job_list": Page(nothing, "403 403 403 200 200 200 200 200 200 403 403", "405"),
    "followups:job_run": Page(nothing, "405", "403 403 403 403 403 403 403 302 403 403 403"),
    "followups:job_progress": Page(nothing, "403 403 403 302 302 302 302 302 302 403 403", "405"),
    "followups:job_detail": Page(run, "403 403 403 200 200 200 200 200 200 403 403", "405"),
    # Settings: the group's are the group's and the administrator's, a store's also its general manager's.
    "followups:rule_list": Page(nothing, "200", "405"),
    "followups:rule_detail": Page(own_rule, "200 200 200 200 200 200 200 200 200 200 404", "405"),
    "followups:rule_edit": Page(
        own_rule, "403 403 403 403 403 200 200 200 403 403 404", "403 403 403 403 403 422 422 422 403 403 404"
    ),
    "followups:rule_preview": Page(own_rule, "405", "403 403 403 403 403 422 422 422 403 403 404"),
    "followups:rule_switch": Page(
        own_rule, "403 403 403 403 403 200 200 200 403 403 404", "403 403 403 403 403 302 302 302 403 403 404"
    ),
    "followups:rule_override": Page(
        group_rule, "405", "403 403 403 403 403 302 302 302 403 403 404", {"store": "BZ01"}
    ),
    "followups:rule_override_remove": Page(
        own_rule, "403 403 403 403 403 200 200 200 403 403 404", "403 403 403 403 403 302 302 302 403 403 404"
    ),
    "followups:store_limits": Page(nothing, "200", "405"),
    "followups:store_limits_edit": Page(store, "405", "403 403 403 403 403 422 422 422 403 403 404"),
    "followups:calendar": Page(nothing, "200", "405"),
    "followups:calendar_day_add": Page(nothing, "405", "403 403 403 403 403 403 422 422 403 403 403"),
    "followups:calendar_fill": Page(nothing, "405", "403 403 403 403 403 403 302 302 403 403 403", {"year": "2026"}),
    "followups:calendar_day_edit": Page(holiday, GROUP_SETTINGS, "403 403 403 403 403 403 422 422 403 403 403"),
    "followups:calendar_day_remove": Page(holiday, GROUP_SETTINGS, "403 403 403 403 403 403 302 302 403 403 403"),
}

# Everything around signing in is django-allauth's. These pages are open to the world: one has to get in somehow.
OPEN = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_confirm_login_code",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_authenticate",
    "mfa_login_webauthn",
    "accounts:language_set",
    "accounts:theme_set",
}
# One's own password, second step and sessions: for everybody who is signed in, about themselves.
PERSONAL = {
    "account_change_password",
    "account_email",
    "account_reauthenticate",
    "account_set_password",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_index",
    "mfa_list_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
    "usersessions_list",
}
ADMINISTRATION = {address.name for address in ADDRESSES if address.name.startswith("admin:")}
SAMPLE_ARGUMENTS = {"uidb36": "1", "key": "a-b", "app_label": "accounts", "object_id": "1", "content_type_id": "1"}


def path_of(address):
    """Return some address of a pattern, with arguments that need not exist."""
    if address.name == "admin:":
        return "/admin/no-such-page/"
    arguments = {name: SAMPLE_ARGUMENTS.get(name, "1") for name in address.arguments}
    if address.name == "admin:auth_user_password_change":
        return reverse(address.name, args=["1"])
    return reverse(address.name, kwargs=arguments)


def answers(clients, method, path, data):
    """Return the status of an address by role; what one of them changes is undone before the next comes."""
    found = {}
    for role in ROLES:
        with transaction.atomic():
            found[role] = getattr(clients[role], method)(path, data).status_code
            transaction.set_rollback(True)
    return found


@pytest.fixture
def our_world(here, holiday):
    here.holiday = holiday
    return here


def test_every_address_is_in_a_table():
    names = {address.name for address in ADDRESSES}
    assert names == set(PAGES) | OPEN | PERSONAL | ADMINISTRATION


@pytest.fixture(autouse=True)
def _no_job_is_really_started(monkeypatch):
    monkeypatch.setattr("followups.views.jobs.start_plan", lambda **_words: None)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_an_address_answers_each_role_as_the_table_says(clients, our_world, is_sent_to_sign_in, name):
    page = PAGES[name]
    path = reverse(name, kwargs=page.arguments(our_world))
    assert answers(clients, "get", path, {}) == by_role(page.get)
    assert answers(clients, "post", path, page.data) == by_role(page.post)
    if name in OPEN:
        return
    for method in ("get", "post"):
        # Who is not signed in is sent to sign in; an account without a membership opens nothing.
        assert is_sent_to_sign_in(getattr(clients["anonymous"], method)(path, page.data))
        assert getattr(clients["stranger"], method)(path, page.data).status_code == 403


def test_a_closed_store_is_closed_to_its_people_and_the_group_reads_on(clients, our_world):
    Store.objects.filter(pk=our_world.store.pk).update(is_active=False)
    outside = {"group_manager", "admin_user", "auditor", "other_store_adviser"}
    found, expected = {}, {}
    for name in sorted(set(PAGES) - OPEN):
        page = PAGES[name]
        path = reverse(name, kwargs=page.arguments(our_world))
        for role in ROLES:
            found[name, role] = clients[role].get(path).status_code
            expected[name, role] = by_role(page.get)[role] if role in outside else 403
            if role not in outside:
                found[name, role, "post"] = clients[role].post(path, page.data).status_code
                expected[name, role, "post"] = 403
    assert found == expected
    refusal = clients["adviser"].get(reverse("followups:day"))
    assert refusal.templates[0].name == "accounts/no_membership.html"


def test_only_the_pages_of_signing_in_are_open_to_the_world(clients, is_sent_to_sign_in):
    others = [address for address in ADDRESSES if address.name not in set(PAGES) | ADMINISTRATION]
    is_open = {address.name for address in others if not is_sent_to_sign_in(clients["anonymous"].get(path_of(address)))}
    assert is_open == OPEN - set(PAGES)


def test_the_administration_sends_visitors_to_the_only_sign_in_page(clients):
    is_open = set()
    for address in ADDRESSES:
        # Signing out leads to the first page, and that to the sign-in page.
        if address.name in ADMINISTRATION:
            last = clients["anonymous"].get(path_of(address), follow=True)
            if last.status_code == 200 and last.request["PATH_INFO"] != reverse("account_login"):
                is_open.add(address.name)
    assert is_open == set()


def test_no_personal_page_breaks_for_anybody(clients):
    broken = {
        (address.name, role)
        for address in ADDRESSES
        if address.name in PERSONAL
        for role in ("adviser", "admin_user")
        if clients[role].get(path_of(address)).status_code >= 500
    }
    assert broken == set()


def test_the_administration_is_for_the_system_administrator_alone(clients):
    paths = {address.name: path_of(address) for address in ADDRESSES if address.name in ADMINISTRATION}
    outside = {"admin:login", "admin:logout", "admin:jsi18n"}
    seen = {name for name in set(paths) - outside if clients["general_manager"].get(paths[name]).status_code == 200}
    assert seen == set()
    at_the_door = {role: clients[role].get(reverse("admin:index"), follow=True).status_code for role in ROLES}
    assert at_the_door == {role: 200 if role == "admin_user" else 403 for role in ROLES}


def test_no_page_of_the_administration_breaks(clients):
    found = {
        address.name: clients["admin_user"].get(path_of(address)).status_code
        for address in ADDRESSES
        if address.name in ADMINISTRATION - {"admin:logout"}
    }
    assert {name for name, status in found.items() if status >= 500} == set()
    assert found["admin:accounts_user_changelist"] == 200


def test_the_administration_holds_no_customer(clients):
    models = {address.name.split("_changelist")[0] for address in ADDRESSES if address.name.endswith("_changelist")}
    assert not {name for name in models if name.startswith(("admin:customers_", "admin:service_", "admin:followups_"))}
