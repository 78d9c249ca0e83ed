"""``make run``: what it says when it cannot, and that its parts live and die together."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from dealercrm import embedded, serve
from dealercrm.serve import CannotServeError, Child


@pytest.fixture(autouse=True)
def _own_run_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "RUN_DIR", tmp_path / "run")
    # The supervisor lets go of every server that its process uses; here those are the servers of the tests.
    monkeypatch.setattr(embedded, "_held", {})


@pytest.fixture(autouse=True)
def _own_signals():
    """The supervisor takes over signals, and ignored ones would be inherited by every process that a test starts."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def test_a_port_in_use_is_said_with_the_way_out(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        assert serve.main(["--port", str(port)]) == 1

    message = capsys.readouterr().err
    assert f"Port {port} on 127.0.0.1 cannot be used" in message
    assert f"make run PORT={port + 1}" in message


def test_a_second_start_of_the_same_checkout_is_refused_with_the_address_of_the_first():
    message = f"process {os.getpid()}, http://127.0.0.1:8000/"
    with (
        serve._only_one("http://127.0.0.1:8000/"),
        pytest.raises(CannotServeError, match=message),
        serve._only_one("http://127.0.0.1:8001/"),
    ):
        pytest.fail("two at the same time")


def test_the_lock_is_free_again_afterwards():
    with serve._only_one("http://127.0.0.1:8000/"):
        pass
    with serve._only_one("http://127.0.0.1:8001/"):
        assert "8001" in (serve.RUN_DIR / "serve.lock").read_text()


def test_a_number_that_is_no_port_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        serve.main(["--port", "70000"])

    assert stopped.value.code == 2
    assert "make run PORT=8001" in capsys.readouterr().err


def python(code: str, name: str = "part", **more) -> Child:
    return Child(name, [sys.executable, "-u", "-c", code], **more)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_end_of_one_part_ends_the_site_and_is_said(capsys):
    lasting = python("import time; time.sleep(60)", "web", ready_word=b"never")
    ending = python("print('last words'); raise SystemExit(3)", "worker")

    message = serve._serve([lasting, ending], "http://127.0.0.1:9/")
    serve._stop([lasting, ending])

    assert message == "worker ended by itself (code 3)"
    assert "worker | last words" in capsys.readouterr().out
    assert lasting.process.returncode == -signal.SIGTERM


def test_stopping_leaves_no_grandchild_behind(capsys):
    parent = python(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)\n"
        "time.sleep(60)"
    )
    parent.start()
    while not (said := capsys.readouterr().out):
        parent.relay()
    grandchild = int(said.rpartition("|")[2])
    assert lives(grandchild)

    serve._stop([parent])

    deadline = time.monotonic() + 5
    while lives(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lives(grandchild)


def test_a_part_that_ignores_the_request_is_killed(monkeypatch, capsys):
    monkeypatch.setattr(serve, "POLITE_SECONDS", 0.3)
    stubborn = python("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\ntime.sleep(60)")
    stubborn.start()
    stubborn.relay()

    serve._stop([stubborn])

    assert stubborn.process.returncode == -signal.SIGKILL


def test_parts_end_with_a_supervisor_that_was_killed():
    program = (
        "import sys, time\n"
        "from dealercrm.serve import Child\n"
        "part = Child('web', [sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "part.start()\n"
        "print(part.process.pid, flush=True)\n"
        "time.sleep(60)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=serve.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    part = int(supervisor.stdout.readline())

    supervisor.kill()
    supervisor.wait()

    deadline = time.monotonic() + 10
    while lives(part) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lives(part)
