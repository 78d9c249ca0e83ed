"""What somebody else does at the same time, on a connection of their own: for tests with real transactions."""

from collections.abc import Callable
from threading import Thread
from time import monotonic, sleep
from typing import Any

from django.db import connection, connections

PATIENCE = 20  # seconds; a busy machine is slow, not wrong


class Meanwhile(Thread):
    """Runs a call in a thread with its own connection; ``outcome`` waits for it and gives or raises what came of it."""

    def __init__(self, call: Callable[..., Any], **words: Any) -> None:
        super().__init__(daemon=True)
        self._call, self._words = call, words
        self._result: Any = None
        self._failure: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._call(**self._words)
        except Exception as failure:  # noqa: BLE001 - raised again in the test's own thread
            self._failure = failure
        finally:
            connections.close_all()

    def outcome(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive(), "it still waits"
        if self._failure is not None:
            raise self._failure
        return self._result

    def wait_until_it_waits(self) -> None:
        """Return once the other connection waits for a lock; fails when it came through without."""
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            with connection.cursor() as cursor:
                cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
                if cursor.fetchone() == (True,):
                    return
            if not self.is_alive():
                self.outcome()
                break
            sleep(0.01)
        raise AssertionError("it did not wait for a lock")
