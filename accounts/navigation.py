"""The places of the product, in the order of the navigation. The template leaves out a page that is not installed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Place:
    """One entry: where it leads, which right it needs (a key of ``may``), and the key that goes there after ``g``."""

    url_name: str
    label: "StrOrPromise"
    icon: str
    key: str
    right: str
    group: int
    is_on_phone_bar: bool = False
    # Further pages that belong to it: the beginnings of their URL names.
    pages: tuple[str, ...] = ()


PLACES = (
    Place(
        "followups:day",
        _("My day"),
        "clock-history",
        "d",
        "work_tasks",
        1,
        is_on_phone_bar=True,
        pages=("followups:day", "followups:queue"),
    ),
    Place(
        "customers:customer_list",
        _("Customers"),
        "person",
        "c",
        "see_customers",
        1,
        is_on_phone_bar=True,
        pages=("customers:customer",),
    ),
    Place(
        "vehicles:vehicle_list",
        _("Vehicles"),
        "car-front",
        "v",
        "see_customers",
        1,
        is_on_phone_bar=True,
        pages=("vehicles:",),
    ),
    Place(
        "followups:batch_list",
        pgettext_lazy("to many", "Messages"),
        "envelope",
        "m",
        "work_tasks",
        1,
        is_on_phone_bar=True,
        pages=("followups:batch",),
    ),
    Place("followups:desk", _("Lists and forms"), "list-check", "l", "work_tasks", 1, pages=("followups:desk",)),
    Place("followups:team", _("Team"), "people", "t", "lead_people", 2, pages=("followups:team",)),
    Place(
        "followups:job_list",
        pgettext_lazy("nightly", "Jobs"),
        "arrow-repeat",
        "j",
        "see_jobs",
        2,
        pages=("followups:job",),
    ),
    Place("followups:rule_list", _("Care plan"), "card-checklist", "p", "see_care_plan", 3, pages=("followups:rule",)),
    Place("followups:calendar", _("Holidays"), "calendar3", "h", "see_care_plan", 3, pages=("followups:calendar",)),
    Place("customers:access_list", _("Audit log"), "shield-lock", "a", "see_audit_log", 3, pages=("customers:access",)),
)


def places_for(may: Mapping[str, bool], view_name: str) -> list[tuple[Place, bool]]:
    """Return the places that the rights ``may`` open, each with whether the page ``view_name`` lies there."""
    return [(place, view_name.startswith(place.pages)) for place in PLACES if may.get(place.right)]
