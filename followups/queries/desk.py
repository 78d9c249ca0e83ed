"""What is dealt with at the desk: due lists and internal forms."""

from dataclasses import dataclass
from hashlib import sha256

from django.db.models import Count

from followups.models import CareRule
from followups.querysets import TouchPointQuerySet


@dataclass(frozen=True)
class DeskKind:
    """A rule whose touch points wait at the desk, and how many of them."""

    code: str
    name: str
    hint: str
    count: int


@dataclass(frozen=True)
class ShownList:
    """What a page showed of a list: its newest touch point, and a digest of which ones were on it."""

    last: int
    digest: str


def shown_list(points: TouchPointQuerySet) -> ShownList:
    """Return what is on a list now; one query.

    The planner adds new ones, which have higher ids. But a forecast that moves brings old ones onto the list, too, and
    nobody has dealt with those: then the digest is another.
    """
    ids = list(points.order_by("pk").values_list("pk", flat=True))
    return ShownList(last=max(ids, default=0), digest=sha256(repr(ids).encode()).hexdigest())


def desk_kinds(points: TouchPointQuerySet) -> list[DeskKind]:
    """Return what waits among the given touch points, rule by rule, in the order of the care plan."""
    counts = points.order_by().values("rule").annotate(count=Count("pk")).values_list("rule", "count")
    of_rule = dict(counts)
    rules = CareRule.objects.filter(pk__in=of_rule).order_by("position", "code", "pk")
    return [DeskKind(rule.code, rule.name, rule.points, of_rule[rule.pk]) for rule in rules]
