"""What production refuses, each time in a process of its own: settings are read once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "DJANGO_ENV": "production",
    "SECRET_KEY": "k9" * 40 + "abcdefghij",
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "crm.example.com",
    "DATABASE_URL": "postgresql://nobody@localhost/none",
    "REDIS_URL": "redis://localhost/0",
    "EMAIL_URL": "smtp+tls://crm:secret@mail.example.com:587",
}


def manage(*words: str, **changes: str | None) -> subprocess.CompletedProcess:
    """Run ``manage.py`` as production has it, with some variables changed or (``None``) missing."""
    inherited = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    environment = {key: value for key, value in (inherited | GOOD | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_deployment_check_is_clean():
    result = manage("check", "--deploy", "--fail-level", "WARNING")

    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "trial-only-" + "not-a-secret-" * 4}, "SECRET_KEY"),
        ({"FIELD_ENCRYPTION_KEYS": None}, "FIELD_ENCRYPTION_KEYS"),
        ({"EMAIL_URL": None}, "EMAIL_URL"),
        ({"EMAIL_URL": "consolemail://"}, "EMAIL_URL"),
        ({"DEBUG": "1"}, "DEBUG"),
        ({"DJANGO_ENV": "prod"}, "DJANGO_ENV"),
        ({"DATABASE_URL": "sqlite:///db.sqlite3"}, "DATABASE_URL"),
    ],
)
def test_production_refuses_to_start_with(changes, word):
    result = manage("check", **changes)

    assert result.returncode != 0
    assert f"ImproperlyConfigured: {word}" in result.stderr


@pytest.mark.parametrize(("changes", "count"), [({}, "1"), ({"BEHIND_PROXY": "false"}, "0")])
def test_the_address_of_a_client_is_read_behind_a_proxy_alone(changes, count):
    words = "from django.conf import settings; print(settings.ALLAUTH_TRUSTED_PROXY_COUNT)"

    assert manage("shell", "--no-imports", "-c", words, **changes).stdout.strip() == count
