"""Messages to many: which batches there are, the text in the customers' languages, and whom it goes to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.choices import Language
from accounts.models import Store, User
from core.parsing import as_id
from customers.choices import Channel, ConsentPurpose
from customers.models import Consent, Customer
from followups.choices import Handling
from followups.greetings import wishes
from followups.models import CareRule, TouchPoint
from followups.queries.words import address_of, spoken_date
from followups.querysets import TouchPointQuerySet
from followups.rules.hours import MESSAGE_CHANNELS
from followups.talking_points import PointValues, message_lines

BATCH_PAGE_SIZE = 100
CHUNK = 2000
UNREACHED_SHOWN = 50
BY_WECHAT = (Channel.WECHAT, Channel.WECOM)


@dataclass(frozen=True)
class Batch:
    """Messages of one rule and day that go out together."""

    store: Store
    rule_code: str
    rule_name: str
    nominal_on: date
    closes_on: date
    count: int


@dataclass(frozen=True)
class BatchMessage:
    """One message of a batch; ``language`` is the customer's."""

    point_id: int
    customer: Customer
    text: str

    @property
    def number(self) -> str:
        return self.customer.number

    @property
    def name(self) -> str:
        return self.customer.name

    def address(self, channel: str) -> str:
        """Where a message by a channel goes, as the sending tool wants it; empty where no such thing is on file."""
        customer = self.customer
        mobile = "" if customer.is_mobile_wrong else customer.mobile
        if channel in BY_WECHAT:
            return customer.wechat or mobile
        return customer.email if channel == Channel.EMAIL else mobile

    @property
    def language(self) -> str:
        return str(Language(self.customer.language).label)


@dataclass(frozen=True)
class Unreached:
    """Somebody to whom a message by the channel cannot go; ``others`` are the names of those of the rule that can."""

    customer: Customer
    others: list[str]


@dataclass(frozen=True)
class BatchFigures:
    """What a batch is: how many a message reaches by each channel of the rule, how many by none.

    ``last`` is the newest touch point counted, ``closes_on`` the end of the first window.
    """

    count: int
    by_channel: dict[str, int]
    by_none: int
    last: int
    closes_on: date


@dataclass(frozen=True)
class BatchPage:
    """A page of a batch; ``after`` is the cursor of the next page, empty on the last one."""

    rows: list[BatchMessage]
    after: str


@dataclass(frozen=True)
class BatchSample:
    """How the text of a batch reads in one language, with the values of a first customer."""

    language: str
    language_name: str
    text: str


def batches_for(user: User, *, on: date) -> list[Batch]:
    """Return the messages to many that may go out now, by store, rule and day; one query."""
    groups = (
        batch_points(user, on=on)
        .order_by()
        .values("store_id", "rule__code", "rule__name_zh", "rule__name_en", "nominal_on")
        .annotate(count=Count("pk"), closes_on=Min("closes_on"))
        .order_by("closes_on", "nominal_on", "rule__code", "store_id")
    )
    found = list(groups)
    stores = Store.objects.in_bulk({group["store_id"] for group in found})
    return [
        Batch(
            store=stores[group["store_id"]],
            rule_code=group["rule__code"],
            rule_name=CareRule(name_zh=group["rule__name_zh"], name_en=group["rule__name_en"]).name,
            nominal_on=group["nominal_on"],
            closes_on=group["closes_on"],
            count=group["count"],
        )
        for group in found
    ]


def batch_points(user: User, *, on: date) -> TouchPointQuerySet:
    """Return the open touch points that are handled as messages to many and whose window has come."""
    return TouchPoint.objects.visible_to(user).open().filter(handling=Handling.BATCH, opens_on__lte=on)


def rule_of_batch(points: TouchPointQuerySet) -> CareRule | None:
    """Return what the care plan says about a batch: the store's own version of the rule before the group's."""
    first = points.select_related("rule").order_by("pk").first()
    if first is None:
        return None
    return CareRule.objects.own_of(first.store_id, codes=[first.rule.code]).first() or first.rule


def batch_channels(rule: CareRule) -> list[tuple[str, str]]:
    """Return the channels by which a batch may be sent, the plan's first one first."""
    allowed = [channel for channel in rule.channels if channel in MESSAGE_CHANNELS] or [Channel.SMS]
    return [(channel, str(Channel(channel).label)) for channel in allowed]


def address_head(channel: str) -> str:
    """Return the name of the column of a file that holds ``BatchMessage.address``."""
    if channel in BY_WECHAT:
        return _("WeChat")
    return _("E-mail") if channel == Channel.EMAIL else _("Mobile")


def batch_figures(points: TouchPointQuerySet, *, channels: Sequence[str]) -> BatchFigures:
    """Count a batch, by the channels that reach its customers; one query. There must be a touch point."""
    totals = (
        points.with_reach()
        .order_by()
        .aggregate(
            count=Count("pk"),
            by_none=Count("pk", filter=~Q(reach__overlap=list(channels))),
            last=Max("pk"),
            closes_on=Min("closes_on"),
            **{f"by_{channel}": Count("pk", filter=Q(reach__contains=[channel])) for channel in channels},
        )
    )
    return BatchFigures(
        count=totals["count"],
        by_channel={channel: totals[f"by_{channel}"] for channel in channels},
        by_none=totals["by_none"],
        last=totals["last"],
        closes_on=totals["closes_on"],
    )


def unreached(points: TouchPointQuerySet, channel: str, *, channels: Sequence[str]) -> list[Unreached]:
    """Return the first customers of a batch whom a message by the channel cannot reach, those by no channel first."""
    rows = points.unreachable_by(channel).select_related("customer").order_by("reach", "pk")
    return [
        Unreached(point.customer, [str(Channel(other).label) for other in channels if other in point.reach])
        for point in rows[:UNREACHED_SHOWN]
    ]


def count_without_consent(points: TouchPointQuerySet, channel: str) -> int:
    """Count the customers of a batch whose newest word on marketing by the channel is not a consent (domain §11.2)."""
    words = Consent.objects.filter(customer=OuterRef("customer"), purpose=ConsentPurpose.MARKETING, channel=channel)
    newest = Subquery(words.order_by("-at", "-pk").values("is_given")[:1])
    without = points.reachable_by(channel).annotate(has_consent=Coalesce(newest, False)).filter(has_consent=False)
    return without.order_by().values("customer").distinct().count()


def batch_page(
    points: TouchPointQuerySet, *, rule: CareRule, after: str = "", size: int = BATCH_PAGE_SIZE
) -> BatchPage:
    """Return one page of messages, by customer, keyset-paged by ``after`` (the last touch point of the page before)."""
    rows = _with_customers(points)
    last = as_id(after)
    if last is not None:
        rows = rows.filter(pk__gt=last)
    found = list(rows[: size + 1])
    page = found[:size]
    return BatchPage(
        rows=[message_of(point, rule=rule) for point in page], after=str(page[-1].pk) if len(found) > size else ""
    )


def batch_messages(points: Sequence[int], *, rule: CareRule) -> Iterator[BatchMessage]:
    """Yield the messages of touch points, by id, without holding them all; whatever became of them meanwhile."""
    for start in range(0, len(points), CHUNK):
        chunk = TouchPoint.objects.filter(pk__in=points[start : start + CHUNK])
        for point in _with_customers(chunk):
            yield message_of(point, rule=rule)


def batch_samples(points: TouchPointQuerySet, *, rule: CareRule) -> list[BatchSample]:
    """Return the text of a batch once in each language that its customers speak; one query a language."""
    samples = []
    for language in Language:
        point = _with_customers(points.filter(customer__language=language)).first()
        if point is not None:
            samples.append(BatchSample(language, str(language.label), message_of(point, rule=rule).text))
    return samples


def _with_customers(points: TouchPointQuerySet) -> TouchPointQuerySet:
    return points.select_related("customer__store", "vehicle__model").order_by("pk")


def message_of(point: TouchPoint, *, rule: CareRule) -> BatchMessage:
    """Return the message of a touch point, in its customer's language, with its values filled in."""
    customer, language = point.customer, point.customer.language
    with translation.override(language):
        car = point.vehicle
        values = PointValues(
            customer=address_of(customer, language=language),
            model=car.model.series if car is not None and car.model else pgettext("in a sentence", "car"),
            plate=car.plate if car is not None else "",
            date=spoken_date(point.anchor_on),
            store=customer.store.name,
            adviser=customer.store.name,
            wishes=wishes(rule.trigger, point.step),
        )
        text = "\n".join(message_lines(_template(rule, language), values))
    return BatchMessage(point_id=point.pk, customer=customer, text=text)


def _template(rule: CareRule, language: str) -> str:
    return rule.points_en if language.startswith(Language.ENGLISH) else rule.points_zh
