"""What the customer list can be narrowed to. The filters stand in the URL; values that nobody offers are dropped."""

from datetime import date
from typing import Any

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Membership, User
from accounts.permissions import customer_access
from core.rules import add_months
from customers.choices import CustomerKind, DoNotContact, Tier
from customers.querysets import CustomerQuerySet

# Name in the URL → columns of the key. "visit" leaves out those who never came.
SORTS: dict[str, tuple[str, ...]] = {
    "": ("-pk",),
    "contact": ("care_anchor_on", "pk"),
    "visit": ("silent_since_on", "pk"),
}


class CustomerFilter(forms.Form):
    """One menu a field. ``narrow`` applies what is valid; ``chips`` says what that was."""

    tier = forms.ChoiceField(label=_("Customer tier"), required=False)
    owner = forms.ChoiceField(label=pgettext_lazy("of a customer", "Looked after by"), required=False)
    contact = forms.ChoiceField(label=_("Do not contact"), required=False)
    kind = forms.ChoiceField(label=_("Type"), required=False)
    entered = forms.ChoiceField(label=_("Entered"), required=False)
    silent = forms.ChoiceField(label=_("No visit"), required=False)

    ENTERED = (("7", _("in the last 7 days")), ("30", _("in the last 30 days")), ("365", _("in the last year")))
    SILENT = (("6", _("for 6 months")), ("12", _("for 12 months")), ("24", _("for 2 years")))

    def __init__(self, data: QueryDict, *, user: User) -> None:
        super().__init__(data)
        choices: dict[str, Any] = {
            "tier": Tier.choices,
            "owner": [("me", _("Me")), *_colleagues(user)],
            "contact": [choice for choice in DoNotContact.choices if choice[0] != DoNotContact.NONE],
            "kind": CustomerKind.choices,
            "entered": self.ENTERED,
            "silent": self.SILENT,
        }
        self.user = user
        for name, field in self.fields.items():
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - told to the type checker
            field.choices = [("", field.label), *choices[name]]
            field.widget.attrs |= {"class": "form-select", "aria-label": field.label}
        self.is_valid()

    def value(self, name: str) -> str:
        """Return the valid value of a filter, empty when it is not set."""
        return self.cleaned_data.get(name, "")

    def narrow(self, customers: CustomerQuerySet, *, on: date) -> CustomerQuerySet:
        """Return the customers that fit all filters on a day."""
        if tier := self.value("tier"):
            customers = customers.filter(tier=tier)
        if owner := self.value("owner"):
            pk = self.user.pk if owner == "me" else int(owner)
            customers = customers.filter(
                Q(sales_consultant_id=pk) | Q(service_adviser_id=pk) | Q(care_specialist_id=pk)
            )
        if contact := self.value("contact"):
            customers = customers.filter(do_not_contact=contact)
        if kind := self.value("kind"):
            customers = customers.filter(kind=kind)
        if days := self.value("entered"):
            customers = customers.filter(entered_on__gt=date.fromordinal(on.toordinal() - int(days)))
        if months := self.value("silent"):
            customers = customers.filter(silent_since_on__lte=add_months(on, -int(months)))
        return customers

    def chips(self) -> list[tuple[str, str]]:
        """Return the filters that are set, as pairs of name in the URL and words."""
        words = []
        for name, field in self.fields.items():
            if value := self.value(name):
                assert isinstance(field, forms.ChoiceField)  # noqa: S101 - told to the type checker
                label = dict(field.choices)[value]  # type: ignore[arg-type]
                words.append((name, f"{field.label}: {label}"))
        return words


def _colleagues(user: User) -> list[tuple[str, str]]:
    access = customer_access(user)
    memberships = Membership.objects.active().filter(store__isnull=False)
    if not access.whole_group:
        memberships = memberships.filter(store__in=access.store_ids | access.own_store_ids)
    people = User.objects.filter(pk__in=memberships.values("user")).order_by("name", "pk")
    return [(str(person.pk), str(person)) for person in people[:200]]
