"""The lists of the day and of the desk as lines of a file: what the page shows, all pages of it (screens, "Feel")."""

from collections.abc import Iterable, Iterator
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from customers.models import Customer
from followups.models import TouchPoint
from followups.queries.day import DayRow, day_page
from followups.querysets import TouchPointQuerySet
from vehicles.models import Vehicle

CHUNK = 500


def day_head(*, with_owner: bool) -> list[str]:
    """Return the names of the columns of ``day_lines``, in the reader's language."""
    head = [
        *_who_head(),
        _("Why contact"),
        _("Latest"),
        _("Overdue"),
        _("Channel"),
        _("Preferred time"),
        _("Last effective contact"),
    ]
    return [*head, _("Responsible")] if with_owner else head


def all_day_rows(leads: TouchPointQuerySet, *, on: date, sort: str) -> list[DayRow]:
    """Return the rows of every page of the day's list, in its order; ``leads`` as for ``day_page``."""
    rows: list[DayRow] = []
    after, is_first = "", True
    while after or is_first:
        page = day_page(leads, on=on, after=after, sort=sort, size=CHUNK)
        rows += page.rows
        after, is_first = page.after, False
    return rows


def day_lines(rows: Iterable[DayRow], *, with_owner: bool) -> Iterator[list[str]]:
    """Yield a line a customer. No phone numbers: the page does not show them."""
    return (_day_line(row, with_owner=with_owner) for row in rows)


def _day_line(row: DayRow, *, with_owner: bool) -> list[str]:
    reasons = [f"{chip.label} ×{chip.count}" if chip.count > 1 else chip.label for chip in row.reasons]
    line = [
        *_who(row.customer, row.vehicle),
        " · ".join(reasons),
        row.latest_on.isoformat(),
        _("yes") if row.is_overdue else "",
        row.channel_label,
        row.slot_label,
        row.last_contact.on.isoformat() if row.last_contact else "",
    ]
    return [*line, ", ".join(row.assignees) or _("The pool")] if with_owner else line


def desk_head() -> list[str]:
    """Return the names of the columns of ``desk_lines``, in the reader's language."""
    return [*_who_head(), "VIN", _("What"), _("Due"), _("Next service"), _("Mileage"), _("Whose")]


def desk_lines(points: Iterable[TouchPoint]) -> Iterator[list[str]]:
    """Yield a line a touch point of lists and internal forms; what the page shows of each must have been fetched."""
    for point in points:
        car = point.vehicle
        yield [
            *_who(point.customer, car),
            car.vin if car else "",
            point.rule.name,
            point.closes_on.isoformat(),
            car.next_service_on.isoformat() if car and car.next_service_on else "",
            str(car.odometer_km) if car and car.odometer_km is not None else "",
            str(point.assignee) if point.assignee else _("Nobody's"),
        ]


def _who_head() -> list[str]:
    return [_("Customer no."), _("Name"), _("Customer tier"), _("Plate no."), pgettext("car", "Model")]


def _who(customer: Customer, car: Vehicle | None) -> list[str]:
    model = str(car.model) if car and car.model else ""
    return [customer.number, customer.name, str(customer.get_tier_display()), car.plate if car else "", model]
