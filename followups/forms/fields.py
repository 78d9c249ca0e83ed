"""Fields and pickers that the forms share."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms

from vehicles.models import Vehicle

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class DayInput(forms.DateInput):
    """A date picker of the browser; the value travels as 2026-11-21 in every language."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"class": "form-control"})


class ClockInput(forms.TimeInput):
    """A time picker of the browser; the value travels as 14:30 in every language."""

    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M", attrs={"class": "form-control", "step": "900"})


class OfCustomerField(forms.TypedChoiceField):
    """A car or contact person of the customer, by id.

    Whether it is one is for the action to say: only some panels read this field at all.
    """

    def valid_value(self, value: Any) -> bool:
        return True


def car_choices(cars: Callable[[], Sequence[Vehicle]]) -> list[tuple[int | str, str]]:
    """Return what a select of a customer's cars offers; a single car is chosen already."""
    found = cars()
    return [*([] if len(found) == 1 else [("", "—")]), *((car.pk, str(car)) for car in found)]


def choice_field(form: forms.Form, name: str) -> forms.ChoiceField:
    """Return a field of a form that has choices, so that they can be set."""
    return cast(forms.ChoiceField, form.fields[name])


def words_field(label: "StrOrPromise", *, limit: int = 400, placeholder: "StrOrPromise" = "") -> forms.CharField:
    """Return an optional line of text."""
    attrs = {"class": "form-control"}
    if placeholder:
        attrs["placeholder"] = str(placeholder)
    return forms.CharField(label=label, max_length=limit, required=False, widget=forms.TextInput(attrs=attrs))


def select_field(label: "StrOrPromise", choices: Any) -> forms.ChoiceField:
    """Return an optional select."""
    return forms.ChoiceField(
        label=label, choices=choices, required=False, widget=forms.Select(attrs={"class": "form-select"})
    )
