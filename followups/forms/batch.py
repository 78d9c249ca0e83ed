"""Messages to many (screens S1)."""

from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from core.parsing import as_id
from followups.forms.fields import choice_field
from followups.querysets import TouchPointQuerySet


class ShownBatchForm(forms.Form):
    """What somebody had before them when they pressed a button under a batch.

    ``last`` is the newest touch point that the page counted. What the planner adds later has a higher id: nobody saw
    it, so it is neither sent nor taken away. ``channel`` is the one that the page was about, the plan's
    first one unless said.
    """

    last = forms.IntegerField(
        min_value=0,
        widget=forms.HiddenInput,
        error_messages={"required": _("That did not work. Reload the page and try again.")},
    )
    channel = forms.ChoiceField(label=_("Sent by"), widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, channels: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice_field(self, "channel").choices = self.channels = channels

    def clean_channel(self) -> str:
        return self.cleaned_data["channel"] or self.channels[0][0]

    def shown_of(self, points: TouchPointQuerySet) -> TouchPointQuerySet:
        """Return the touch points of a batch that the page counted."""
        return points.filter(pk__lte=self.cleaned_data["last"])


class BatchForm(ShownBatchForm):
    """How a batch of messages was sent, and to whom: the ticked ones of the page, or all but its un-ticked ones."""

    PAGE, ALL = "page", "all"
    scope = forms.ChoiceField(choices=[(PAGE, PAGE), (ALL, ALL)])
    shown = forms.TypedMultipleChoiceField(coerce=int, required=False)
    ticked = forms.TypedMultipleChoiceField(coerce=int, required=False)

    def __init__(self, *args: Any, channels: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, channels=channels, **kwargs)
        # The ids only ever narrow rows that the user may see, so any number is a valid one.
        for name in ("shown", "ticked"):
            values = cast(QueryDict, self.data).getlist(name) if self.is_bound else []
            choice_field(self, name).choices = [(pk, value) for value in values if (pk := as_id(value)) is not None]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("scope") == self.PAGE and not data.get("ticked"):
            raise forms.ValidationError(_("Tick at least one customer."))
        return data

    def chosen(self, points: TouchPointQuerySet) -> TouchPointQuerySet:
        """Return the touch points of a batch that were sent."""
        if self.cleaned_data["scope"] == self.PAGE:
            return points.filter(pk__in=self.cleaned_data["ticked"])
        unticked = set(self.cleaned_data["shown"]) - set(self.cleaned_data["ticked"])
        return self.shown_of(points).exclude(pk__in=unticked)
