"""Handing open work to somebody (screens S1)."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from followups.forms.fields import choice_field


class AssignForm(forms.Form):
    """Whom to give the ticked customers; an empty choice puts them into the pool."""

    POOL = "pool"
    customers = forms.TypedMultipleChoiceField(
        coerce=int, error_messages={"required": _("Tick the customers to hand over first.")}
    )
    to = forms.ChoiceField(error_messages={"required": _("Choose who takes them over.")})

    def __init__(self, *args: Any, people: Iterable[tuple[int, str]], customers: Iterable[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice_field(self, "to").choices = [
            (self.POOL, _("Nobody: the pool")),
            *((str(pk), name) for pk, name in people),
        ]
        choice_field(self, "customers").choices = [(pk, pk) for pk in customers]


class TakeUpForm(forms.Form):
    """Who makes the ticked contacts that were missed."""

    points = forms.TypedMultipleChoiceField(
        coerce=int, error_messages={"required": _("Tick the contacts to take up again first.")}
    )
    to = forms.ChoiceField(error_messages={"required": _("Choose who takes them over.")})

    def __init__(self, *args: Any, people: Iterable[tuple[int, str]], points: Iterable[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice_field(self, "to").choices = [(str(pk), name) for pk, name in people]
        choice_field(self, "points").choices = [(pk, pk) for pk in points]
