"""The embedded servers: shared by processes, stopped with the last one, and recovered after a crash."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import environ
import psycopg2
import pytest
import redis

from dealercrm import embedded
from dealercrm.embedded import EmbeddedServerError, Layout

ROOT = Path(__file__).resolve().parents[2]
# A program that becomes a user, says so, and stays one until its input ends. With "fork" a child stays behind. It takes
# Ctrl-C as a program in a terminal does, also where the tests run in the background of a shell, which ignores it.
USER = """
import os, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from dealercrm import embedded
embedded.hold(embedded.Layout(var=Path(sys.argv[1]), sockets=Path(sys.argv[2])))
if sys.argv[3:] == ["fork"] and os.fork():
    os._exit(0)
print("ready", os.getpid(), flush=True)
sys.stdin.read()
"""


class Servers:
    """The servers of one checkout, seen from outside."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.users: list[subprocess.Popen] = []

    def user(self, *words: str) -> subprocess.Popen:
        """Start a process that uses the servers and wait until it does."""
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(self.layout.var), str(self.layout.sockets), *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.users.append(process)
        word, _, pid = process.stdout.readline().partition(" ")
        assert word == "ready"
        process.real_pid = int(pid)
        return process

    def leave(self, process: subprocess.Popen) -> None:
        process.stdin.close()
        process.wait(timeout=10)

    def leave_all(self) -> None:
        for process in self.users:
            process.stdin.close()
            process.wait(timeout=10)
        assert eventually(lambda: self.pids() == {})

    def pids(self) -> dict[str, int]:
        """The process ids of what runs: ``keeper``, ``postgres``, ``valkey``."""
        found = {"postgres": embedded._postmaster(self.layout), "valkey": embedded._valkey(self.layout)}
        pids = {name: pid_and_status[0] for name, pid_and_status in found.items() if pid_and_status}
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"keep" in words and os.fsencode(self.layout.var) in words:
                pids["keeper"] = int(entry.parent.name)
        return pids

    def sql(self, statement: str) -> list[tuple]:
        connection = psycopg2.connect(
            host=str(self.layout.postgres_sockets), user=embedded.ROLE, dbname=embedded.DATABASE
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@contextmanager
def servers_below(directory: Path) -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="dealercrm-test-", dir="/tmp") as short:
        servers = Servers(Layout(var=directory / "a path 带空格" / "var", sockets=Path(short) / "sockets"))
        try:
            yield servers
        finally:
            for process in servers.users:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            eventually(lambda: servers.pids() == {})


@pytest.fixture(scope="module")
def _laid(tmp_path_factory) -> Iterator[Servers]:
    """The data directory is laid once for all tests of this file: that is the slow part."""
    with servers_below(tmp_path_factory.mktemp("checkout")) as servers:
        servers.user()
        servers.leave_all()
        yield servers


@pytest.fixture
def servers(_laid: Servers) -> Iterator[Servers]:
    _laid.users = []
    yield _laid
    for process in _laid.users:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert eventually(lambda: _laid.pids() == {}), "a test left servers behind"


def test_two_processes_share_the_servers_and_the_last_one_stops_them(servers):
    first = servers.user()
    pids = servers.pids()
    second = servers.user()

    assert set(pids) == {"keeper", "postgres", "valkey"}
    assert servers.pids() == pids
    servers.leave(first)
    assert servers.sql("SELECT 1") == [(1,)]
    servers.leave(second)
    assert eventually(lambda: servers.pids() == {})
    assert not servers.layout.sockets.exists()


def test_servers_stop_when_their_only_user_is_killed(servers):
    user = servers.user()

    user.kill()

    assert eventually(lambda: servers.pids() == {})


def test_a_forked_child_keeps_the_servers_of_its_parent(servers):
    user = servers.user("fork")
    user.wait(timeout=10)

    assert servers.sql("SELECT 1") == [(1,)]
    os.kill(user.real_pid, signal.SIGKILL)
    assert eventually(lambda: servers.pids() == {})


def test_ctrl_c_at_one_user_leaves_the_servers_to_the_others(servers):
    interrupted, other = servers.user(), servers.user()
    pids = servers.pids()

    os.killpg(interrupted.pid, signal.SIGINT)
    interrupted.wait(timeout=10)

    assert servers.sql("SELECT 1") == [(1,)]
    assert servers.pids() == pids
    servers.leave(other)


def test_a_crash_of_everything_loses_no_committed_row_and_the_next_start_recovers(servers):
    user = servers.user()
    servers.sql("CREATE TABLE kept (n int)")
    servers.sql("INSERT INTO kept VALUES (7)")
    redis.Redis(unix_socket_path=str(servers.layout.valkey_socket)).set("kept", "7")
    time.sleep(1.1)  # Valkey writes its file through once a second

    for pid in servers.pids().values():
        os.kill(pid, signal.SIGKILL)
    user.kill()
    assert eventually(lambda: servers.pids() == {})
    pid_file = servers.layout.postgres_data / "postmaster.pid"
    assert pid_file.exists()
    # The number of the dead server now belongs to another program: to this one.
    pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split("\n")[0], str(os.getpid()), 1))

    servers.user()
    assert servers.sql("SELECT n FROM kept") == [(7,)]
    assert redis.Redis(unix_socket_path=str(servers.layout.valkey_socket)).get("kept") == b"7"
    servers.sql("DROP TABLE kept")
    servers.leave_all()


def test_servers_that_lost_their_keeper_are_taken_over_and_stopped_in_the_end(servers):
    first = servers.user()
    before = servers.pids()
    os.kill(before["keeper"], signal.SIGKILL)
    assert eventually(lambda: "keeper" not in servers.pids())

    second = servers.user()

    after = servers.pids()
    assert (after["postgres"], after["valkey"]) == (before["postgres"], before["valkey"])
    servers.leave(first)
    assert servers.sql("SELECT 1") == [(1,)]
    servers.leave(second)
    assert eventually(lambda: servers.pids() == {})


def test_a_user_that_comes_while_the_servers_stop_gets_new_ones(servers):
    for _round in range(3):
        leaving = servers.user()
        leaving.kill()  # the keeper is stopping the servers while the next one arrives
        arriving = servers.user()
        assert servers.sql("SELECT 1") == [(1,)]
        servers.leave(arriving)
        servers.leave(leaving)


def test_release_waits_for_the_servers_to_stop(servers):
    servers.user()
    embedded.hold(servers.layout)
    servers.leave(servers.users[0])

    assert embedded.release(servers.layout) is True
    assert servers.pids().keys() <= {"keeper"}  # which has let go of everything and is about to end


def test_release_does_not_wait_for_other_users(servers):
    other = servers.user()
    embedded.hold(servers.layout)

    assert embedded.release(servers.layout) is False
    assert servers.sql("SELECT 1") == [(1,)]
    servers.leave(other)


def test_the_database_speaks_utc_and_knows_chinese_letters(servers):
    servers.user()

    assert servers.sql("SELECT current_setting('TimeZone'), current_setting('server_encoding')") == [("UTC", "UTF8")]
    assert servers.sql("SELECT '张' ~ '[[:alpha:]]'") == [(True,)]
    assert servers.sql("SELECT current_setting('listen_addresses')") == [("",)]
    assert servers.sql("SELECT current_setting('fsync')") == [("on",)]


def test_no_log_tells_the_row_that_a_statement_failed_for(servers):
    logs = servers.layout.logs
    (logs / "postgres.log").chmod(0o644)
    servers.user()

    with pytest.raises(psycopg2.errors.CheckViolation):
        servers.sql("CREATE TEMP TABLE t (mobile text CHECK (mobile = '')); INSERT INTO t VALUES ('13855557777')")

    text = (logs / "postgres.log").read_text()
    assert "violates check constraint" in text
    assert "13855557777" not in text
    assert {path.name: path.stat().st_mode & 0o777 for path in logs.glob("*.log")} == dict.fromkeys(
        ("keeper.log", "postgres.log", "valkey.log"), 0o600
    )


def test_a_socket_directory_that_is_a_link_is_refused(tmp_path):
    sockets = tmp_path / "sockets"
    (tmp_path / "elsewhere").mkdir()
    sockets.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EmbeddedServerError, match="remove it"):
        embedded.hold(Layout(var=tmp_path / "var", sockets=sockets))


def test_the_reason_of_a_failed_start_reaches_the_user(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "postgres").mkdir(mode=0o700)
    (tmp_path / "var" / "postgres" / "PG_VERSION").write_text("18\n")
    with tempfile.TemporaryDirectory(prefix="dealercrm-test-", dir="/tmp") as short:
        layout = Layout(var=tmp_path / "var", sockets=Path(short) / "sockets")

        # The data directory is not one: what PostgreSQL says of it is what the user reads.
        with pytest.raises(EmbeddedServerError, match=r"PostgreSQL did not start.*\n.*postgresql\.conf"):
            embedded.hold(layout)

        assert Servers(layout).pids() == {}


def test_sockets_of_a_checkout_have_a_short_path_wherever_it_lies(tmp_path):
    layout = Layout.of_project(tmp_path / ("很长的目录" * 20))

    assert len(os.fsencode(layout.postgres_sockets / ".s.PGSQL.5432")) < 100
    assert layout == Layout.of_project(tmp_path / ("很长的目录" * 20))
    assert layout.sockets != Layout.of_project(tmp_path).sockets


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_an_address_in_the_environment_starts_nothing(name, monkeypatch, tmp_path):
    monkeypatch.setenv(name, "scheme://elsewhere/1")
    ask = {"DATABASE_URL": embedded.database_url, "REDIS_URL": embedded.redis_url}[name]

    assert ask(environ.Env(), tmp_path) == "scheme://elsewhere/1"
    assert list(tmp_path.iterdir()) == []


def test_switched_off_gives_the_address_and_starts_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("EMBEDDED_SERVERS", "off")

    assert embedded.database_url(environ.Env(), tmp_path) == Layout.of_project(tmp_path).database_url
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://example.com:6379/2", "redis://example.com:6379/2"),
        ("unix:///tmp/x/valkey.sock?db=3", "redis+socket:///tmp/x/valkey.sock?virtual_host=3"),
        ("unix:///tmp/x/valkey.sock", "redis+socket:///tmp/x/valkey.sock?virtual_host=0"),
    ],
)
def test_celery_gets_the_address_in_its_own_words(url, broker):
    assert embedded.broker_url(url) == broker
