"""What the planner has had the chance to know, store by store.

A promise can only be missing if a night that should have planned it has come. Two things say so:

* the clock: the job runs each night at 02:00 and must be through by 06:00, whether it ran or not. A planner that did
  not run shows as missing;
* the completed runs: ``plan_care --on`` may bring the ledger up to any day, also one to come.

What was entered after the last of these (a customer of this afternoon, a rule switched on just now) waits for the next
night and is no fault yet.
"""

from bisect import bisect_right
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.models import Store
from core.choices import JobStatus
from core.models import JobRun

NIGHT_BEGINS = time(2)
NIGHT_IS_OVER = time(6)
JOB = "plan_care"


class Nights:
    """The nights of one store up to a moment."""

    def __init__(self, store: Store, runs: list[tuple[datetime, date]], now: datetime) -> None:
        """``runs`` are the completed runs for the store: when each started, and for which business date."""
        self.zone = ZoneInfo(store.time_zone)
        self.now = now
        self._runs = sorted(runs)
        self._starts = [started_at for started_at, _ in self._runs]
        # The furthest business date of this run and the ones after it.
        self._furthest: list[date] = []
        for _, business_date in reversed(self._runs):
            self._furthest.append(max([business_date, *self._furthest[-1:]]))
        self._furthest.reverse()

        local = now.astimezone(self.zone)
        self.last_by_clock = local.date() if local.time() >= NIGHT_IS_OVER else local.date() - timedelta(days=1)
        self._last_night = self.night(self.last_by_clock)
        self.through = max([self.last_by_clock, *self._furthest[:1]])
        self._covering: dict[date, list[datetime]] = {}

    def night(self, business_date: date) -> datetime:
        """When the nightly run of a business date begins."""
        return datetime.combine(business_date, NIGHT_BEGINS, self.zone)

    def midnight(self, day: date) -> datetime:
        """When a day begins in the store."""
        return datetime.combine(day, time.min, self.zone)

    def is_due(self, opens_on: date, *, known_at: datetime, known_on: date) -> bool:
        """Tell whether a point should be in the ledger by now.

        ``known_at`` is when its facts came into the database, ``known_on`` the day from which it counts (entered,
        switched on): the planner of the night after it is the first one that must see it, unless a run for that day or
        a later one was started by hand.
        """
        later = bisect_right(self._starts, known_at)
        if later < len(self._runs) and self._furthest[later] >= max(opens_on, known_on):
            return True
        return opens_on <= self.last_by_clock and known_on < self.last_by_clock and known_at < self._last_night

    def first_run(self, opens_on: date, *, known_at: datetime) -> datetime | None:
        """When the first run that could plan a point was started, or None if there was none yet."""
        starts = self._starts_covering(opens_on)
        later = bisect_right(starts, known_at)
        return starts[later] if later < len(starts) else None

    def last_chance(self, opens_on: date) -> datetime:
        """When the planner had its last chance to plan a point that opened on a day."""
        return max(
            [*self._starts_covering(opens_on)[-1:], *([self._last_night] if opens_on <= self.last_by_clock else [])]
        )

    def _starts_covering(self, opens_on: date) -> list[datetime]:
        """When the completed runs for a business date not before ``opens_on`` were started, in order."""
        if opens_on not in self._covering:
            self._covering[opens_on] = [at for at, business_date in self._runs if business_date >= opens_on]
        return self._covering[opens_on]


def nights_of(stores: list[Store], now: datetime) -> dict[int, Nights]:
    """Return the nights of each store. The runs are read first, so that a row made meanwhile is never held against."""
    runs = list(
        JobRun.objects.filter(name=JOB, status=JobStatus.DONE)
        .order_by("started_at", "pk")
        .values_list("store_code", "started_at", "business_date")
    )
    return {
        store.pk: Nights(store, [(at, on) for code, at, on in runs if code in ("", store.code)], now)
        for store in stores
    }
