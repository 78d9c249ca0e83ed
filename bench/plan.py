"""The nightly planner against the same night by hand: `make bench-plan`, or `python -m bench.plan --cars 10000`.

For each size a database of its own is made on the configured server and dropped at the end. Both ways run interleaved
on the same rows, from an empty ledger, and must leave the same rows. Figures are medians; RESULTS.md keeps them.
"""

import argparse
import gc
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from django.db.backends.utils import CursorWrapper

SIZES = (10_000, 100_000, 1_000_000)
RUNS = 5
NIGHTS = 30

LEDGER = """
SELECT count(*), md5(string_agg(line, '|' ORDER BY line)) FROM (
    SELECT concat_ws(',', rule_id, customer_id, vehicle_id, nominal_on, due_on, opens_on, closes_on, status, reason,
                     channel, assignee_id, not_before, (lead_id IS NULL)) AS line
    FROM followups_touchpoint
) lines"""


def megabytes() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def server_memory(cursor: CursorWrapper) -> float:
    """Anonymous memory of this connection's server process, in MB; 0 where it cannot be read."""
    cursor.execute("SELECT pg_backend_pid()")
    try:
        with Path(f"/proc/{cursor.fetchone()[0]}/status").open() as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))
    except OSError:
        return 0.0


def ledger() -> tuple[int, str]:
    """Return how many rows the ledger has, and a digest of what they say."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(LEDGER)
        return cursor.fetchone()


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes, its commit included."""
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def by_planner(on: date) -> None:
    """One night by the planner."""
    from followups.planner import plan_care

    plan_care(on=on)


def by_hand(on: date) -> None:
    """One night by hand."""
    from django.db import transaction

    from bench.plan_by_hand import Night

    with transaction.atomic():
        Night(on).run()


WAYS = {"hand": by_hand, "planner": by_planner}


def one_night(today: date) -> None:
    """Print the figures of one night: both ways in turn, each time from an empty ledger and then once again."""
    from bench.plan_world import reset

    figures: dict[str, list[float]] = {name: [] for way in WAYS for name in (way, f"{way} again")}
    seen = set()
    for turn in range(RUNS):
        for way in sorted(WAYS, reverse=bool(turn % 2)):
            reset(today - timedelta(days=1))
            for name in (way, f"{way} again"):
                figures[name].append(timed(lambda way=way: WAYS[way](today)))
                seen.add(ledger())
    median = {name: statistics.median(values) for name, values in figures.items()}
    rows = ledger()[0]
    print(f"  one night, {rows:,} rows, median of {RUNS} (least, most):")
    for name, values in figures.items():
        print(f"    {name:14} {median[name]:8.3f} s  ({min(values):.3f}, {max(values):.3f})")
    print(f"    planner / hand {median['planner'] / median['hand']:.2f}")
    print(f"    planner again / first {median['planner again'] / median['planner']:.2f}")
    print(f"    {rows / median['planner']:,.0f} rows a second; the same rows each time: {len(seen) == 1}")


def many_nights(today: date, nights: int, turns: int) -> None:
    """Print the figures of many nights in a row, and the memory at the first and the last of them."""
    from django.db import connection

    from bench.plan_world import reset

    totals: dict[str, list[float]] = {way: [] for way in WAYS}
    memory: list[tuple[float, float]] = []
    for turn in range(turns):
        for way in sorted(WAYS, reverse=bool(turn % 2)):
            reset(today - timedelta(days=1))
            seconds = 0.0
            for night in range(nights):
                seconds += timed(lambda way=way, night=night: WAYS[way](today + timedelta(days=night)))
                with connection.cursor() as cursor:
                    memory.append((megabytes(), server_memory(cursor)))
            totals[way].append(seconds)
    hand, planner = (statistics.median(totals[way]) for way in ("hand", "planner"))
    print(f"  {nights} nights in a row, {ledger()[0]:,} rows, median of {turns}:")
    print(f"    hand {hand:.2f} s, planner {planner:.2f} s, planner / hand {planner / hand:.2f}")
    (client, server), (last_client, last_server) = memory[0], memory[-1]
    print(f"    client {client:.0f} MB at first, {last_client:.0f} MB at last (peak)")
    print(f"    server process {server:.0f} MB at first, {last_server:.0f} MB at last")


def measure(cars: int, nights: int) -> None:
    """Build a fleet in the database of this process and print the figures."""
    import django

    django.setup()
    from django.core.management import call_command

    from bench.plan_world import TODAY, build

    call_command("migrate", verbosity=0)
    print(f"\n{cars:,} cars (built in {timed(lambda: build(cars)):.0f} s)", flush=True)
    one_night(TODAY)
    many_nights(TODAY, nights, turns=3 if cars < 1_000_000 else 1)


def main() -> None:
    """Make a database for each size, measure in a process of its own, and drop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cars", type=int, action="append", help="a size; may be given several times")
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dealercrm.settings")
    if options.inside:
        measure(options.cars[0], options.nights)
        return

    import django

    django.setup()
    from bench.databases import conditions, run_in_own_database

    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(conditions())
    for cars in options.cars or SIZES:
        inside = ["--inside", "--cars", str(cars), "--nights", str(options.nights)]
        run_in_own_database(f"dealercrm_bench_{cars}", "-m", "bench.plan", *inside)


if __name__ == "__main__":
    main()
