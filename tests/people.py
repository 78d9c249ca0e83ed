"""The people of the tests: fixtures with roles, all of the store ``store`` unless their name says otherwise.

Each fixture is a ``User``; sign one in with ``client.force_login(adviser)`` or take the fixture ``as_user``.
"""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.choices import Role
from followups import receivers
from tests.factories import MembershipFactory, StoreFactory

# A query may begin with named parts of it, unless one of them writes.
READING = re.compile(r"SELECT\b|WITH\b(?!.*\b(?:INSERT|UPDATE|DELETE)\b)", re.DOTALL)


def _person(username, name, role, store, **user):
    return MembershipFactory(user__username=username, user__name=name, **_prefixed(user), role=role, store=store).user


def _prefixed(values):
    return {f"user__{key}": value for key, value in values.items()}


@pytest.fixture
def store(db):
    return StoreFactory(code="BZ01", name="滨州渤海路店")


@pytest.fixture
def other_store(db):
    return StoreFactory(code="BZ02", name="滨州黄河路店")


@pytest.fixture
def adviser(store):
    return _person("sa1", "赵扬", Role.SERVICE_ADVISER, store)


@pytest.fixture
def second_adviser(store):
    return _person("sa2", "孙倩", Role.SERVICE_ADVISER, store)


@pytest.fixture
def consultant(store):
    return _person("sc1", "杨滨杏", Role.SALES_CONSULTANT, store)


@pytest.fixture
def second_consultant(store):
    return _person("sc2", "吴斌", Role.SALES_CONSULTANT, store)


@pytest.fixture
def care_specialist(store):
    return _person("cr1", "陈静", Role.CARE_SPECIALIST, store)


@pytest.fixture
def manager(store):
    return _person("sm1", "刘强", Role.SERVICE_MANAGER, store)


@pytest.fixture
def sales_manager(store):
    return _person("xm1", "马珊", Role.SALES_MANAGER, store)


@pytest.fixture
def general_manager(store):
    return _person("gm1", "周敏", Role.GENERAL_MANAGER, store)


@pytest.fixture
def other_store_adviser(other_store):
    return _person("sa1-b", "李娜", Role.SERVICE_ADVISER, other_store)


@pytest.fixture
def group_manager(db):
    return _person("group", "高原", Role.GROUP_MANAGER, None)


@pytest.fixture
def admin_user(db):
    return _person("admin", "系统管理员", Role.SYSTEM_ADMIN, None, is_staff=True, is_superuser=True)


@pytest.fixture
def auditor(db):
    return _person("auditor", "审计员", Role.AUDITOR, None)


@pytest.fixture
def as_user():
    """Return a test client that is signed in as the given person."""

    def sign_in(user):
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def writes_of():
    """Return the statements of a call that change the database: looking at a page has none."""

    def collect(call):
        with CaptureQueriesContext(connection) as queries:
            call()
        return [each["sql"] for each in queries if not READING.match(each["sql"])]

    return collect


@pytest.fixture
def planned_at_once(monkeypatch, django_capture_on_commit_callbacks):
    """Return the ids of the customers for whom a call has care planned at once, when it is committed."""

    def collect(call):
        heard = set()
        monkeypatch.setattr(
            receivers.plan_customers_task, "apply_async", lambda kwargs, retry: heard.update(kwargs["customer_ids"])
        )
        with django_capture_on_commit_callbacks(execute=True):
            call()
        return heard

    return collect
