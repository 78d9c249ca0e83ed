"""What every module keeps, looked at in the code itself."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.template.utils import get_app_template_dirs

from dealercrm.celery import app as celery_app
from dealercrm.schedule import SCHEDULE
from tests.architecture.conftest import ADDRESSES

ROOT = Path(settings.BASE_DIR)
OUR_APPS = ("core", "accounts", "customers", "vehicles", "service", "followups")
TEMPLATES = ROOT / "templates"
# Django asks for these by itself.
ERROR_PAGES = {"400.html", "403.html", "403_csrf.html", "404.html", "500.html"}


def our_files(suffix):
    """Every file of ours with an ending; without tests, tools and what others made."""
    places = [ROOT / name for name in (*OUR_APPS, "dealercrm", "templates")]
    return sorted(path for place in places for path in place.rglob(f"*{suffix}"))


def our_models():
    """Every model that we wrote; the tables of the history are made from these."""
    models = [model for label in OUR_APPS for model in apps.get_app_config(label).get_models()]
    return [model for model in models if not hasattr(model, "pgh_tracked_model")]


def test_no_two_addresses_share_a_name():
    # The administration leaves its redirects without a name.
    names = Counter(address.name for address in ADDRESSES if not address.name.endswith(":"))
    assert {name for name, count in names.items() if count > 1} == set()


def test_every_address_of_ours_has_a_name():
    assert [address.route for address in ADDRESSES if address.name in ("", *(f"{label}:" for label in OUR_APPS))] == []


def test_what_is_scheduled_is_a_task():
    celery_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in SCHEDULE.values()}
    assert scheduled - set(celery_app.tasks) == set()


def test_every_task_has_a_name_of_its_own_in_its_app():
    celery_app.loader.import_default_modules()
    found = {
        name: task.__module__ for name, task in celery_app.tasks.items() if task.__module__.split(".")[0] in OUR_APPS
    }
    assert {name for name, module in found.items() if name.startswith(module)} == set()
    assert {name.split(".")[0] for name in found} == {module.split(".")[0] for module in found.values()}


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_rows_come_in_an_order_that_is_always_the_same(model):
    ordering = model._meta.ordering
    assert ordering, f"{model._meta.label} has no ordering"
    last = str(ordering[-1]).removeprefix("-")
    try:
        is_unique = last == "pk" or model._meta.get_field(last).unique
    except FieldDoesNotExist:
        is_unique = False
    assert is_unique, f"{model._meta.label} is ordered by {ordering}, which does not end in a unique key"


@pytest.mark.django_db
def test_every_migration_can_be_undone():
    migrations = MigrationLoader(connection).disk_migrations
    stuck = {
        f"{label}.{name}: {operation.describe()}"
        for (label, name), migration in migrations.items()
        if label in OUR_APPS
        for operation in migration.operations
        if not operation.reversible
    }
    assert stuck == set()


def test_every_template_is_used():
    texts = {path: path.read_text() for path in [*our_files(".py"), *our_files(".html")]}
    foreign = [Path(place) for place in get_app_template_dirs("templates")]
    unused = set()
    for path in our_files(".html"):
        name = path.relative_to(TEMPLATES).as_posix()
        is_named = any(
            re.search(rf"[\"']{re.escape(name)}[\"'#]", text) for other, text in texts.items() if other != path
        )
        # A template of the same name in a library is replaced by ours.
        if not is_named and name not in ERROR_PAGES and not any((place / name).is_file() for place in foreign):
            unused.add(name)
    assert unused == set()


def test_every_template_that_is_named_is_there():
    foreign = [Path(place) for place in get_app_template_dirs("templates")]
    named = re.compile(r"[\"']([a-z0-9_/]+\.html)(?:#\w+)?[\"']")
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*our_files(".py"), *our_files(".html")]
        for name in named.findall(path.read_text())
        if not any((place / name).is_file() for place in [TEMPLATES, *foreign])
    }
    assert missing == set()


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a script in the page", r"<script(?![^>]*\bsrc=)[^>]*>"),
        ("a style sheet in the page", r"<style\b"),
        ("a style on an element", r"<[a-z][^>]*\sstyle\s*="),
        ("a handler on an element", r"<[a-z][^>]*\son[a-z]+\s*="),
        ("htmx running code", r"\shx-on[:-]|hx-vals\s*=\s*[\"']js:"),
        ("an address that runs code", r"(?i)href\s*=\s*[\"']?javascript:"),
        ("something from another server", r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//"),
        ("text that is not escaped", r"\|\s*safe\b|\bautoescape\s+off\b|\|\s*safeseq\b"),
    ],
)
def test_no_template_has(what, pattern):
    found = {str(path.relative_to(ROOT)) for path in our_files(".html") if re.search(pattern, path.read_text())}
    assert found == set(), what


def test_no_code_calls_text_safe():
    # format_html escapes what it is given; these do not.
    pattern = re.compile(r"\bmark_safe\b|\bSafeString\(|\bhtml_safe\b|\bcsrf_exempt\b")
    assert {str(path.relative_to(ROOT)) for path in our_files(".py") if pattern.search(path.read_text())} == set()


def test_who_need_not_sign_in_is_written_down():
    found = {
        f"{path.relative_to(ROOT)}:{name}"
        for path in our_files(".py")
        for name in re.findall(r"@login_not_required\n(?:@.*\n)*def (\w+)", path.read_text())
    }
    assert found == {"accounts/views.py:language_set", "accounts/views.py:theme_set"}


def test_chinese_sentences_have_chinese_punctuation():
    catalogue = (settings.BASE_DIR / "locale/zh_Hans/LC_MESSAGES/django.po").read_text()
    plan = (settings.BASE_DIR / "followups/care_plan.toml").read_text()
    texts = [*re.findall(r'^(?:msgstr(?:\[\d\])? )?"(.*)"$', catalogue, re.MULTILINE), *plan.splitlines()]

    assert [text for text in texts if re.search(r"[\u4e00-\u9fff][,;:!?][\u4e00-\u9fff]", text)] == []
