"""``make run``: the whole site in one terminal, for a trial or one small store.

Brings the database up to date, collects the static files, loads demo data into an empty trial, then runs the web
server, the worker and the beat as children, each line of theirs with its name in front. They live and die together:
Ctrl-C, ``SIGTERM`` and the end of any one of them stop all, the embedded servers included. On a real installation each
runs as a service of its own (docs/operations.md).
"""

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn, cast

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = BASE_DIR / "var" / "run"
STARTUP_SECONDS = 90
POLITE_SECONDS = 15  # for a job in hand; one that is cut off is delivered again
PR_SET_PDEATHSIG = 1
DEMO_SEED = 1
DUE_PLANNER = "followups.plan_due_stores"
DEMO_PASSWORD = "dealercrm-demo"  # noqa: S105 - of the invented people, printed for everybody to use


class CannotServeError(Exception):
    """The site cannot be started; the message says why and what to do."""


@dataclass
class Child:
    """One process of the site, in a session of its own so that Ctrl-C reaches the supervisor alone."""

    name: str
    command: list[str]
    ready_word: bytes = b""  # what its output says when it is at work; empty when that shows in another way
    process: "subprocess.Popen[bytes]" = field(init=False)
    is_ready: bool = field(init=False, default=False)
    _rest: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        self.is_ready = not self.ready_word

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - the supervisor has one thread
        )

    @property
    def output(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdout)

    def relay(self) -> bool:
        """Print what the child has written since; ``False`` at the end of its output."""
        chunk = os.read(self.output.fileno(), 65536)
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop() if chunk else b""
        for line in lines:
            self.is_ready = self.is_ready or self.ready_word in line
            if line.strip():
                _say(self.name, line.decode(errors="replace"))
        return bool(chunk)

    def signal_group(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signum)


def _end_with_parent() -> None:
    """A supervisor that is killed with SIGKILL cannot stop anybody; the kernel then does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(name: str, text: str) -> None:
    print(f"{name:<6} | {text}", flush=True)


class _StopAsked(BaseException):
    """Ctrl-C or SIGTERM, wherever the supervisor is just then."""


def _on_signal(signum: int, frame: object) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise _StopAsked


# --- Before the start ---


@contextlib.contextmanager
def _only_one(address: str) -> Iterator[None]:
    """Hold the lock of this checkout's site; the file names who holds it."""
    RUN_DIR.mkdir(parents=True, exist_ok=True)
    with (RUN_DIR / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotServeError(
                f"This checkout is being served already ({lock.read().strip() or 'just starting'}). "
                "Use that one, or stop it with Ctrl-C in its terminal first."
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {address}\n")
        lock.flush()
        yield


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            way_out = f"Choose another one: make run PORT={port + 1 if port < 65535 else 8000}"
            raise CannotServeError(f"Port {port} on {host} cannot be used ({error.strerror}). {way_out}") from error


def _prepare() -> None:
    """Database and static files as this version of the code wants them; demo data in an empty trial."""
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections
    from django.utils import timezone

    from customers.models import Customer

    _say("setup", "bringing the database up to date")
    call_command("migrate", interactive=False, verbosity=0)
    _collect_static()
    wanted = int(os.environ.get("DEMO_CUSTOMERS", "2000"))  # 0: none
    if wanted and settings.ENVIRONMENT == "trial" and not Customer.objects.exists():
        _say("setup", f"first start: inventing {wanted} customers to look at, and planning today's contacts")
        today = timezone.localdate().isoformat()
        words = ["--customers", str(wanted), "--seed", str(DEMO_SEED), "--today", today, "--plan-days", "1"]
        call_command("load_demo", *words)
    connections.close_all()


def _collect_static() -> None:
    """Collect the static files unless they are what they were the last time: hashing and packing them takes seconds."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    digest = hashlib.sha256(f"{settings.STATIC_ROOT} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    _say("setup", "collecting static files")
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(digest.hexdigest())


# --- The children ---


def _children(host: str, port: int) -> list[Child]:
    python = [sys.executable, "-m"]
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    celery = [*python, "celery", "--app", "dealercrm", "--quiet"]
    web = [*python, "gunicorn", "dealercrm.wsgi", "--bind", bind, "--workers", os.environ.get("WEB_WORKERS", "2")]
    web += ["--preload", "--graceful-timeout", "5", "--no-control-socket", "--log-level", "warning"]
    worker = [*celery, "worker", "--loglevel", "INFO", "--concurrency", os.environ.get("JOB_WORKERS", "2")]
    worker += ["--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--loglevel", "INFO", "--schedule", str(RUN_DIR / "beat-schedule"), "--pidfile", ""]
    return [Child("web", web), Child("worker", worker, b" ready."), Child("beat", beat, b"beat: Starting")]


def _answers(url: str) -> bool:
    try:
        # No proxy: the address is this machine's own.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError:
        return True  # it spoke; what it said is in its log
    except OSError:
        return False


def _serve(children: list[Child], url: str) -> str:
    """Relay what the children say until one of them ends; return the sentence that tells which."""
    from dealercrm.celery import app as celery

    greeted = False
    deadline = time.monotonic() + STARTUP_SECONDS
    with selectors.DefaultSelector() as selector:
        for child in children:
            child.start()
            selector.register(child.output, selectors.EVENT_READ, child)
        while True:
            for key, _events in selector.select(timeout=0.2):
                if not key.data.relay():
                    selector.unregister(key.fileobj)
            for child in children:
                if (code := child.process.poll()) is not None:
                    return f"{child.name} ended by itself (code {code})"
            if not greeted and all(child.is_ready for child in children) and _answers(f"{url}accounts/login/"):
                greeted = True
                # A machine that slept through the night makes up for it now, not at the next tick of the beat.
                celery.send_task(DUE_PLANNER)
                _greet(url)
            elif not greeted and time.monotonic() > deadline:
                return f"not everything was ready within {STARTUP_SECONDS} seconds"


def _greet(url: str) -> None:
    from django.db import connections

    from accounts.queries import one_login_per_role

    print(f"\n  dealercrm is ready: {url}\n", flush=True)
    logins = one_login_per_role()
    # Whoever has changed it keeps it to themselves; one look is enough, hashing is slow on purpose.
    if logins and logins[0].user.check_password(DEMO_PASSWORD):
        print(f"  Demo logins, all with the password {DEMO_PASSWORD}:")
        for login in logins:
            print(f"    {login.user.username:<20} {login.role.label} {login.store_name}".rstrip())
    print("\n  Ctrl-C stops everything.\n", flush=True)
    connections.close_all()


def _stop(children: list[Child]) -> None:
    """Ask every child to finish, then make sure that nothing of its session is left."""
    started = [child for child in children if hasattr(child, "process")]
    for child in started:
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + POLITE_SECONDS
    for child in started:
        # Its last words must be read, or it would block on a full pipe.
        while child.process.poll() is None and time.monotonic() < deadline:
            with selectors.DefaultSelector() as selector:
                selector.register(child.output, selectors.EVENT_READ)
                if selector.select(timeout=0.1) and not child.relay():
                    time.sleep(0.05)
        child.signal_group(signal.SIGKILL)
        child.process.wait()
        while child.relay():
            pass


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit code is 0 then, and 1 when the site could not start or a part of it died."""
    parser = argparse.ArgumentParser(prog="make run", description="Serve dealercrm: web, worker and beat.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    if not 0 < options.port < 65536:
        parser.error(f"{options.port} is not a port; choose one between 1024 and 65535: make run PORT=8001")
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _on_signal)
    shown = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{options.port}/"

    from django.core.management import CommandError

    from dealercrm import embedded

    children: list[Child] = []
    try:
        with _only_one(url):
            _check_port(options.host, options.port)
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dealercrm.settings")
            import django

            _say("setup", "starting the database")
            django.setup()
            _prepare()
            children = _children(options.host, options.port)
            message = _serve(children, url)
    except _StopAsked:
        _say("setup", "stopping")
        return 0
    except (CannotServeError, CommandError, embedded.EmbeddedServerError) as error:
        print(error, file=sys.stderr)
        return 1
    else:
        _say("setup", f"{message}; stopping everything")
        return 1
    finally:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        _stop(children)
        embedded.release_all()


if __name__ == "__main__":
    sys.exit(main())
