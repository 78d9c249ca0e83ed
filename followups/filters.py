"""The filters of the day and of the guided queue as they stand in the URL."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from core.parsing import as_id
from customers.choices import Tier
from followups.models import CareRule
from followups.queries.day import SORTS, escalated
from followups.querysets import QueueFilters, TouchPointQuerySet
from vehicles.models import CarModel

DUE_TODAY = "today"
POOL = "pool"
PRIORITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Chip:
    """An active filter: its words, and the parameter and value that take it away."""

    label: str
    name: str
    value: str


@dataclass(frozen=True)
class Option:
    """A filter that can be added."""

    label: str
    value: str
    is_on: bool


@dataclass(frozen=True)
class Menu:
    """A parameter with everything that it can be set to."""

    label: str
    name: str
    options: list[Option]


@dataclass(frozen=True)
class DayFilters:
    """What the list of the day is narrowed to. Values that nobody offers are dropped, so any URL is safe.

    ``queue`` is the part that the guided queue follows too; ``owner`` (a user's id or the pool) and ``is_escalated``
    belong to the team's page.
    """

    queue: QueueFilters
    owner: str = ""
    is_escalated: bool = False
    sort: str = "latest"

    @classmethod
    def from_query(cls, query: QueryDict) -> "DayFilters":
        """Read the filters of a request."""
        owner, sort = query.get("owner", ""), query.get("sort", "")
        return cls(
            queue=QueueFilters(
                rule_codes=tuple(code for code in query.getlist("reason") if 0 < len(code) <= 10),
                priorities=tuple(n for n in PRIORITIES if str(n) in query.getlist("priority")),
                tiers=tuple(tier for tier in Tier.values if tier in query.getlist("tier")),
                series=tuple(series for series in query.getlist("series") if 0 < len(series) <= 60),
                is_overdue=query.get("overdue") == "1",
                is_due_today=query.get("due") == DUE_TODAY,
                includes_pool=query.get("pool") == "1",
            ),
            owner=owner if owner == POOL or as_id(owner) is not None else "",
            is_escalated=query.get("escalated") == "1",
            sort=sort if sort in SORTS else "latest",
        )

    def narrow(self, leads: TouchPointQuerySet, *, on: date) -> TouchPointQuerySet:
        """Apply what the guided queue does not know: whose it is, whether it was escalated."""
        if self.owner == POOL:
            leads = leads.filter(assignee=None)
        elif self.owner:
            leads = leads.filter(Q(assignee=int(self.owner)))
        return leads.with_reason_where(escalated(on)) if self.is_escalated else leads

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is left out."""
        return bool(self.queue != QueueFilters() or self.owner or self.is_escalated)

    def queue_query(self) -> str:
        """Return the parameters that the guided queue carries along from card to card."""
        query = QueryDict(mutable=True)
        query.setlist("reason", list(self.queue.rule_codes))
        query.setlist("priority", [str(n) for n in self.queue.priorities])
        query.setlist("tier", list(self.queue.tiers))
        query.setlist("series", list(self.queue.series))
        if self.queue.is_overdue:
            query["overdue"] = "1"
        if self.queue.is_due_today:
            query["due"] = DUE_TODAY
        if self.queue.includes_pool:
            query["pool"] = "1"
        return query.urlencode()


def rule_names() -> dict[str, str]:
    """Return the name of each rule that is switched on, by code, in the order of the plan; one query."""
    rules = CareRule.objects.active().filter(handling="contact").order_by("position", "code", "store", "pk")
    names: dict[str, str] = {}
    for rule in rules.only("code", "name_zh", "name_en"):
        names.setdefault(rule.code, rule.name)
    return names


def menus_for(filters: DayFilters) -> list[Menu]:
    """Return what the list can be narrowed by; two queries."""
    series = list(CarModel.objects.order_by("series").values_list("series", flat=True).distinct())
    queue = filters.queue
    return [
        Menu(
            _("Reason"),
            "reason",
            [Option(name, code, code in queue.rule_codes) for code, name in rule_names().items()],
        ),
        Menu(_("Tier"), "tier", [Option(str(tier.label), tier, tier in queue.tiers) for tier in Tier]),
        Menu(
            _("Priority"), "priority", [Option(_("Priority %d") % n, str(n), n in queue.priorities) for n in PRIORITIES]
        ),
        Menu(pgettext("car", "Model"), "series", [Option(name, name, name in queue.series) for name in series]),
    ]


def chips_for(filters: DayFilters, menus: list[Menu], *, owner_name: str = "") -> list[Chip]:
    """Return the active filters, each of which can be taken away."""
    chips = []
    if filters.queue.is_overdue:
        chips.append(Chip(_("Overdue"), "overdue", "1"))
    if filters.queue.is_due_today:
        chips.append(Chip(_("Due today"), "due", DUE_TODAY))
    if filters.owner:
        chips.append(Chip(_("Nobody's: the pool") if filters.owner == POOL else owner_name, "owner", filters.owner))
    if filters.is_escalated:
        chips.append(Chip(_("Escalated"), "escalated", "1"))
    if filters.queue.includes_pool:
        chips.append(Chip(_("With the pool"), "pool", "1"))
    for menu in menus:
        chips += [Chip(option.label, menu.name, option.value) for option in menu.options if option.is_on]
    return chips
