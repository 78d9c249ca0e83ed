"""Input of the car file."""

from collections.abc import Sequence
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Layout, Submit
from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from vehicles.models import Vehicle

UNKNOWN, AS_ON_FILE = "unknown", "same"


class OwnerForm(forms.Form):
    """Who has a car now: one of the customers found, somebody unknown, or still the owner on file.

    The form carries which owner it showed: a car that a colleague transferred meanwhile is not transferred again.
    """

    owner = forms.ChoiceField(label=_("Who has the car now?"), widget=forms.RadioSelect)
    was = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, vehicle: Vehicle, found: Sequence[Customer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.vehicle = vehicle
        self.found = {str(each.pk): each for each in found}
        choices = [(pk, f"{each.name} · {each.number} · {each.masked_mobile}") for pk, each in self.found.items()]
        choices.append((UNKNOWN, gettext("Somebody whom we do not know: our care for the car ends")))
        choices.append((AS_ON_FILE, gettext("Still %(name)s, as on file") % {"name": vehicle.owner.name}))
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ChoiceField)  # noqa: S101 - told to the type checker
        owner.choices = choices
        self.fields["was"].initial = vehicle.owner_id
        self.helper = FormHelper()
        self.helper.layout = Layout(
            "owner",
            "was",
            Div(
                Submit("save", _("Save")),
                HTML('<a class="btn btn-light" href="{}">{}</a>'.format(vehicle.get_absolute_url(), _("Cancel"))),
                css_class="crm-button-row",
            ),
        )

    def decision(self) -> tuple[int, Customer | None]:
        """Return the owner who was shown, by id, and who has the car now: None for somebody unknown."""
        answer = self.cleaned_data["owner"]
        to = self.vehicle.owner if answer == AS_ON_FILE else self.found.get(answer)
        return self.cleaned_data["was"], to
