"""The screens that staff wait for: `make bench-screens`, or `python -m bench.screens --customers 10000`.

Requests go through the whole application in one process, as a worker of the web server would take them: middleware,
session, database, template. The guided queue is worked off for real, from save to the next card; the figure is the time
until the answer is complete, without network and browser.
"""

import argparse
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

CUSTOMERS = 1_000_000
NIGHTS = 14
CARDS = 200
LOOKS = 30


def said(name: str, seconds: Sequence[float], queries: Sequence[int]) -> None:
    """Print the median, the 95th percentile and the worst, in milliseconds, and how many queries it took."""
    ordered = sorted(1000 * each for each in seconds)
    middle, late = statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
    print(
        f"  {name:50} p50 {middle:7.1f}  p95 {late:7.1f}  max {ordered[-1]:7.1f} ms"
        f"  {statistics.median(queries):.0f} queries, {len(ordered)} times",
        flush=True,
    )


class Visitor:
    """Somebody signed in, and how long each answer took."""

    def __init__(self, username: str) -> None:
        from django.test import Client

        from accounts.models import User

        self.client = Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE="zh-hans")
        self.client.force_login(User.objects.get(username=username))
        self.seconds: list[float] = []
        self.queries: list[int] = []

    def timed(self, ask: Callable[[], Any], *, status: int) -> str:
        """Note how long a request takes, and return its page. Any other status than the expected one ends all."""
        from django.db import connection

        asked = 0

        def counted(execute: Callable[..., Any], *args: Any) -> Any:
            nonlocal asked
            asked += 1
            return execute(*args)

        with connection.execute_wrapper(counted):
            begun = time.perf_counter()
            answer = ask()
            self.seconds.append(time.perf_counter() - begun)
        self.queries.append(asked)
        if answer.status_code != status:
            raise SystemExit(f"{answer.request['PATH_INFO']} answered {answer.status_code}, not {status}.")
        return str(answer.content.decode())

    def say(self, name: str) -> None:
        """Print the figures since the last time. The first request, which warms up, is left out."""
        said(name, self.seconds[1:], self.queries[1:])
        self.seconds, self.queries = [], []


def work_off(username: str, cards: int) -> None:
    """Start the guided queue and save card after card."""
    visitor = Visitor(username)
    card = visitor.client.post("/queue/start/", follow=True).content.decode()
    for _ in range(cards):
        found = re.search(r'action="([^"]*/queue/\d+/save/[^"]*)"', card)
        if found is None:  # nobody left to call; the figures say of how many cards they are
            break
        values = {
            "submission": re.findall(r'name="submission" value="([^"]+)"', card)[0],
            "touch_points": re.findall(r'name="touch_points"[^>]*value="(\d+)"', card),
            "outcome": "satisfied",
            # As proposed: some customers refuse the phone.
            "channel": re.findall(r'<select name="channel".*?<option value="(\w+)" selected', card, re.DOTALL)[0],
            "note": "",
            # Folded away, but a browser sends it all the same.
            "vehicle": next(iter(re.findall(r'<select name="vehicle".*?<option value="(\d+)"', card, re.DOTALL)), ""),
        }
        card = visitor.timed(
            lambda found=found, values=values: visitor.client.post(
                found[1].replace("&amp;", "&"), values, HTTP_HX_REQUEST="true"
            ),
            status=200,
        )
    visitor.say("S2 save to the next card")


def look(username: str, name: str, addresses: Sequence[str], **headers: str) -> None:
    """Ask for pages, in turn."""
    visitor = Visitor(username)
    for turn in range(LOOKS + 1):
        visitor.timed(lambda turn=turn: visitor.client.get(addresses[turn % len(addresses)], **headers), status=200)
    visitor.say(name)


def measure(customers: int) -> None:
    """Build a fleet in the database of this process, plan two weeks, and print the figures."""
    from datetime import timedelta

    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from accounts.models import Membership, User
    from bench.plan_world import build, reset
    from customers.models import Customer
    from followups.models import TouchPoint
    from followups.planner import plan_care

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    begun = time.perf_counter()
    build(customers * 5 // 4)
    on = timezone.localdate()
    reset(on - timedelta(days=NIGHTS))
    for night in reversed(range(NIGHTS)):
        plan_care(on=on - timedelta(days=night))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(
        f"\n{customers:,} customers, {customers * 5 // 4:,} cars, {TouchPoint.objects.count():,} touch points of"
        f" {NIGHTS} nights up to {on} (made in {time.perf_counter() - begun:.0f} s)",
        flush=True,
    )
    store = Membership.objects.get(user__username="SC1-1").store
    manager = User.objects.create(username="GM1-1", name="GM1-1")
    Membership.objects.create(user=manager, store=store, role="GM")
    mobile = Customer.objects.filter(store=store).order_by("pk").values_list("mobile", flat=True)[0]

    work_off("SC1-1", CARDS)
    look("SC1-2", "S1 a consultant's day", ["/"])
    look("GM1-1", "S1 the store's day, for its manager", ["/"])
    look("SC1-2", "S1 the number of the next seven days, fetched apart", ["/ahead/"], HTTP_HX_REQUEST="true")
    look("GM1-1", "team and load", ["/team/"])
    look("GM1-1", "missed contacts", ["/missed/"])
    look("GM1-1", "search by mobile, 11, 6 and 4 digits", [f"/search/?q={mobile[-n:]}" for n in (11, 6, 4)])
    look("GM1-1", "customers, first page", ["/customers/"])
    look("GM1-1", "vehicles, first page", ["/vehicles/"])
    look("GM1-1", "jobs", ["/jobs/"])


def main() -> None:
    """Make a database, measure in a process of its own, and drop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dealercrm.settings")
    if options.inside:
        measure(options.customers)
        return

    import django

    django.setup()
    from bench.databases import conditions, run_in_own_database

    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(conditions())
    inside = ["--inside", "--customers", str(options.customers)]
    run_in_own_database("dealercrm_bench_screens", "-m", "bench.screens", *inside)


if __name__ == "__main__":
    main()
