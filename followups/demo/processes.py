"""Composing the rows of a large world in several processes, while the database takes in those that are ready.

A process that is started anew imports this module before Django is set up: nothing here may import a model at the top.
"""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from followups.demo.copying import CopyText
    from followups.demo.people import DemoWorld
    from followups.demo.rows import Keys, RowWriter

BATCH = 1000
# More only wait for the database.
MOST_PROCESSES = 4
# A world below this is ready before the processes are.
WORTH_PROCESSES = 5 * BATCH

_writer: "RowWriter"


def composed(world: "DemoWorld", keys: "Keys", *, processes: int | None = None) -> "Iterator[dict[str, CopyText]]":
    """Yield the rows of a world in batches, in the order of the customers.

    Whatever the number of processes, the batches are the same. Unless it is given, large worlds get one a processor up
    to ``MOST_PROCESSES``, small ones none.
    """
    batches = [range(start, min(start + BATCH, world.count)) for start in range(0, world.count, BATCH)]
    if processes is None:
        processes = min(os.cpu_count() or 1, MOST_PROCESSES) if world.count >= WORTH_PROCESSES else 0
    if processes:
        yield from _in_processes(world, keys, batches, processes)
    else:
        from followups.demo.rows import RowWriter

        writer = RowWriter(world, keys)
        for batch in batches:
            yield writer.compose(batch)


def _in_processes(
    world: "DemoWorld", keys: "Keys", batches: Sequence[range], processes: int
) -> "Iterator[dict[str, CopyText]]":
    with ProcessPoolExecutor(
        processes,
        # A copy of this process would share its connection to the database.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(world.seed, world.today, world.count, keys),
    ) as pool:
        coming: deque[Future[dict[str, CopyText]]] = deque()
        try:
            for batch in batches:
                coming.append(pool.submit(_compose, batch))
                # No further ahead than this: what is ready waits in memory.
                if len(coming) > 2 * processes:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start(seed: int, today: date, customers: int, keys: "Keys") -> None:
    """Make a process ready: the world is made again from what determines it."""
    import django

    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The settings are needed, the servers behind them are not.
    os.environ["EMBEDDED_SERVERS"] = "off"
    django.setup()
    from followups.demo.people import DemoWorld
    from followups.demo.rows import RowWriter

    global _writer  # noqa: PLW0603 - the one place of a worker process where its state can live
    _writer = RowWriter(DemoWorld(seed=seed, today=today, customers=customers), keys)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, killed perhaps: nobody else would."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _compose(batch: range) -> "dict[str, CopyText]":
    return _writer.compose(batch)
