"""Backup of the embedded database: what it writes can be restored."""

from datetime import UTC, datetime

import pytest

from dealercrm import embedded
from dealercrm.embedded import EmbeddedServerError
from tests.dealercrm.test_embedded import Servers
from tools import backup

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


@pytest.fixture
def servers():
    servers = Servers(embedded.throwaway())
    yield servers
    embedded.release(servers.layout)


def test_a_backup_brings_back_what_was_there(servers, tmp_path):
    servers.sql("CREATE TABLE kept (name text)")
    servers.sql("INSERT INTO kept VALUES ('王小明')")

    file = backup.backup(servers.layout, tmp_path / "备份 folder", now=NOW)
    servers.sql("UPDATE kept SET name = 'changed'")
    backup.restore(servers.layout, file)

    assert file.name == "dealercrm-20261121-083000.dump"
    assert file.stat().st_mode & 0o777 == 0o600
    assert servers.sql("SELECT name FROM kept") == [("王小明",)]
    assert servers.sql("SELECT datname FROM pg_database WHERE datname LIKE 'dealercrm%'") == [("dealercrm",)]


def test_a_file_that_is_no_backup_changes_nothing(servers, tmp_path):
    servers.sql("CREATE TABLE kept (name text)")
    (tmp_path / "text.dump").write_text("not a backup")

    with pytest.raises(EmbeddedServerError, match="pg_restore"):
        backup.restore(servers.layout, tmp_path / "text.dump")

    assert servers.sql("SELECT count(*) FROM kept") == [(0,)]
