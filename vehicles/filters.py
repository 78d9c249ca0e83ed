"""What the list of cars can be narrowed to. The filters stand in the URL; values that nobody offers are dropped."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from vehicles.choices import Energy, Use, VehicleStatus
from vehicles.models import CarModel
from vehicles.querysets import VehicleQuerySet

# Name in the URL → columns of the key. The dates leave out cars that have none.
SORTS: dict[str, tuple[str, ...]] = {
    "": ("-pk",),
    "service": ("next_service_on", "pk"),
    "inspection": ("inspection_valid_until", "pk"),
    "warranty": ("warranty_ends_on", "pk"),
}


class VehicleFilter(forms.Form):
    """One menu a field. ``narrow`` applies what is valid; ``chips`` says what that was."""

    series = forms.ChoiceField(label=_("Model"), required=False)
    use = forms.ChoiceField(label=_("Use"), required=False)
    energy = forms.ChoiceField(label=_("Energy"), required=False)
    status = forms.ChoiceField(label=_("Status"), required=False)
    service = forms.ChoiceField(label=_("Next service"), required=False)

    SERVICE = (("overdue", _("overdue")), ("30", _("in the next 30 days")), ("60", _("in the next 60 days")))

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        series = CarModel.objects.order_by("series").values_list("series", flat=True).distinct()[:300]
        choices: dict[str, Any] = {
            "series": [(name, name) for name in series],
            "use": Use.choices,
            "energy": Energy.choices,
            "status": VehicleStatus.choices,
            "service": self.SERVICE,
        }
        for name, field in self.fields.items():
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - told to the type checker
            field.choices = [("", field.label), *choices[name]]
            field.widget.attrs |= {"class": "form-select", "aria-label": field.label}
        self.is_valid()

    def value(self, name: str) -> str:
        """Return the valid value of a filter, empty when it is not set."""
        return self.cleaned_data.get(name, "")

    def narrow(self, vehicles: VehicleQuerySet, *, on: date) -> VehicleQuerySet:
        """Return the cars that fit all filters on a day."""
        if series := self.value("series"):
            vehicles = vehicles.filter(model__in=CarModel.objects.filter(series=series))
        for name in ("use", "energy", "status"):
            if value := self.value(name):
                vehicles = vehicles.filter(**{name: value})
        if within := self.value("service"):
            vehicles = vehicles.filter(status=VehicleStatus.IN_USE)
            if within == "overdue":
                vehicles = vehicles.filter(next_service_on__lt=on)
            else:
                vehicles = vehicles.filter(next_service_on__range=(on, on + timedelta(days=int(within))))
        return vehicles

    def chips(self) -> list[tuple[str, str]]:
        """Return the filters that are set, as pairs of name in the URL and words."""
        words = []
        for name, field in self.fields.items():
            if value := self.value(name):
                assert isinstance(field, forms.ChoiceField)  # noqa: S101 - told to the type checker
                words.append((name, f"{field.label}: {dict(field.choices)[value]}"))  # type: ignore[arg-type]
        return words
