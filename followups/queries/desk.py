"""What is dealt with at the desk: due lists and internal forms."""

from dataclasses import dataclass

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


def desk_kinds(points: TouchPointQuerySet) -> list[DeskKind]:
    """Return what waits among the given touch points, rule by rule, in the order of the care plan."""
    counts = points.order_by().values("rule").annotate(count=Count("pk")).values_list("rule", "count")
    of_rule = dict(counts)
    rules = CareRule.objects.filter(pk__in=of_rule).order_by("position", "code", "pk")
    return [DeskKind(rule.code, rule.name, rule.points, of_rule[rule.pk]) for rule in rules]
