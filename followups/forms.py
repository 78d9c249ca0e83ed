"""What a caller fills in after a contact (screens S2)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.parsing import as_id
from customers.choices import CONTACT_CHANNELS, DoNotContact
from customers.rules import is_mobile, normalise_mobile
from followups.actions.cards import FURTHEST_AGREED, CannotRecordContact, NextStepDraft
from followups.choices import NextStepKind, Outcome, Severity, WinBackReason
from followups.models import TouchPoint
from followups.querysets import TouchPointQuerySet
from followups.rules import CHOOSABLE_OUTCOMES, OUTCOMES, Need, needs_of
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# A wished date farther away than this is a slip of the keyboard.
FARTHEST = timedelta(days=366)


ELSEWHERE_REASONS: list[tuple[str, "StrOrPromise"]] = [
    ("", "—"),
    ("near", _("Nearer")),
    ("price", pgettext_lazy("reason", "Price")),
    ("quality", _("Not content with our work")),
    ("time", _("No free time with us")),
    ("friend", _("Knows somebody there")),
    ("other", pgettext_lazy("reason", "Something else")),
]

# What an outcome unfolds; the same panels may be added to any conversation (``also``).
PANEL_OF_OUTCOME: dict[str, str] = {
    Outcome.BOOKED: "appointment",
    Outcome.GRIEVANCE: "complaint",
    Outcome.REFERRAL: "referral",
    Outcome.TRADE_IN: "trade_in",
    Outcome.LATER: "later",
    Outcome.WRONG_NUMBER: "number",
    Outcome.REFUSED: "refusal",
    Outcome.NOT_THE_OWNER: "owner",
    Outcome.SERVICED_ELSEWHERE: "elsewhere",
    Outcome.CAR_GONE: "car",
}
ALSO_PANELS: list[tuple[str, "StrOrPromise"]] = [
    ("appointment", _("Appointment")),
    ("complaint", _("Complaint")),
    ("referral", _("Referral")),
    ("trade_in", _("Trade-in wish")),
    ("number", _("New number")),
]
# Without these a panel says nothing.
REQUIRED_IN_PANEL: dict[str, tuple[str, ...]] = {
    "appointment": ("appointment_on", "appointment_time"),
    "complaint": ("severity", "complaint_words"),
    "referral": ("friend_name", "friend_mobile", "friend_consent"),
    "trade_in": ("trade_in_wish",),
    "later": ("later_on", "later_time"),
    "refusal": ("do_not_contact", "refusal_reason"),
    "elsewhere": ("vehicle", "elsewhere_reason"),
    "car": ("vehicle", "car_status"),
}
NEEDED = _("Please fill this in.")
# What an action calls an entry, where the form calls it otherwise.
FIELD_OF_REFUSAL = {
    "agreed_at": "later_on",
    "appointment": "appointment_on",
    "complaint": "complaint_words",
    "referral": "friend_name",
    "mobile": "corrected_mobile",
    "lead": "trade_in_wish",
}


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


class _CarField(forms.TypedChoiceField):
    """A car of the customer. Whether it is one is for the action to say: only some panels read this field at all."""

    def valid_value(self, value: Any) -> bool:
        return True


def _car_choices(cars: Callable[[], Sequence[Vehicle]]) -> list[tuple[int | str, str]]:
    found = cars()
    return [*([] if len(found) == 1 else [("", "—")]), *((car.pk, str(car)) for car in found)]


def _choices(form: forms.Form, name: str) -> forms.ChoiceField:
    return cast(forms.ChoiceField, form.fields[name])


def _words(label: "StrOrPromise", *, limit: int = 400, placeholder: "StrOrPromise" = "") -> forms.CharField:
    attrs = {"class": "form-control", "data-crm-draft-field": ""}
    if placeholder:
        attrs["placeholder"] = str(placeholder)
    return forms.CharField(label=label, max_length=limit, required=False, widget=forms.TextInput(attrs=attrs))


def _select(label: "StrOrPromise", choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, required=False, widget=forms.Select(attrs={"class": "form-select"})
    )


class QueueForm(forms.Form):
    """What happened at a contact, for the touch points of one card.

    ``cars`` gives the customer's cars in use and is asked when they are shown; ``on`` is today and ``time_zone`` the
    zone of the store: wished times are local to it. Only the panels that the outcome or ``also`` unfolds are read; the
    rest may hold anything.
    """

    submission = forms.UUIDField(widget=forms.HiddenInput)
    touch_points = forms.TypedMultipleChoiceField(
        coerce=int, error_messages={"required": _("Tick at least one reason that you spoke about.")}
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        choices=[(value, Outcome(value).label) for value in CHOOSABLE_OUTCOMES],
        error_messages={"required": _("Choose what happened.")},
    )
    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=[("", "—"), *CONTACT_CHANNELS],
        error_messages={"required": _("Choose how the contact was made.")},
        widget=forms.Select(attrs={"class": "form-select form-select-sm"}),
    )
    is_inbound = forms.BooleanField(
        label=_("The customer contacted us"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input", "data-crm-draft-field": ""}),
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"class": "form-control", "rows": 3, "data-crm-draft-field": ""}),
    )
    also = forms.MultipleChoiceField(choices=ALSO_PANELS, required=False)

    appointment_on = forms.DateField(label=_("Day"), required=False, widget=DayInput)
    appointment_time = forms.TimeField(label=pgettext_lazy("clock", "Time"), required=False, widget=ClockInput)
    appointment_job = _words(_("What for"))
    severity = _select(_("Severity"), Severity.choices)
    complaint_words = _words(_("What the customer said"))
    friend_name = forms.CharField(
        label=_("Friend's name"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    friend_mobile = forms.CharField(
        label=_("Friend's mobile"),
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off", "inputmode": "tel"}),
    )
    friend_consent = _words(_("How the friend agreed to be called"), limit=200)
    trade_in_wish = _words(_("What is wished for, and when"))
    later_on = forms.DateField(label=_("Day"), required=False, widget=DayInput)
    later_time = forms.TimeField(label=pgettext_lazy("clock", "Time"), required=False, widget=ClockInput)
    corrected_mobile = forms.CharField(
        label=_("Right mobile number"),
        max_length=30,
        required=False,
        help_text=_("Leave empty if nobody knows it: correcting it becomes a task."),
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off", "inputmode": "tel"}),
    )
    owner_words = _words(_("Who answered, who owns the car now"))
    do_not_contact = _select(
        _("No further"),
        [
            *(choice for choice in DoNotContact.choices if choice[0] != DoNotContact.NONE),
            (DoNotContact.NONE, _("Only the channels below")),
        ],
    )
    refused_channels = forms.MultipleChoiceField(label=_("No more by"), choices=CONTACT_CHANNELS, required=False)
    refusal_reason = _words(_("Reason"), limit=200)
    elsewhere_reason = _select(_("Why not with us"), ELSEWHERE_REASONS)
    car_status = _select(
        _("What became of the car"), [choice for choice in VehicleStatus.choices if choice[0] != VehicleStatus.IN_USE]
    )
    vehicle = _CarField(
        label=_("Which car"),
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    serviced_on = forms.DateField(label=_("When"), required=False, widget=DayInput)
    serviced_km = forms.IntegerField(
        label=_("At how many km"),
        required=False,
        min_value=0,
        max_value=2_000_000,
        widget=forms.NumberInput(attrs={"class": "form-control"}),
    )
    win_back_reason = _select(_("Why the customer stayed away"), [("", "—"), *WinBackReason.choices])

    def __init__(
        self,
        *args: Any,
        points: Iterable[TouchPoint],
        cars: Callable[[], Sequence[Vehicle]],
        on: date,
        time_zone: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.points = list(points)
        self.on = on
        self.zone = ZoneInfo(time_zone)
        _choices(self, "touch_points").choices = [(point.pk, point.rule.code) for point in self.points]
        _choices(self, "vehicle").choices = partial(_car_choices, cars)
        for name, farthest in (("appointment_on", FARTHEST), ("later_on", FURTHEST_AGREED)):
            self.fields[name].widget.attrs |= {"min": on.isoformat(), "max": (on + farthest).isoformat()}
        self.fields["serviced_on"].widget.attrs["max"] = on.isoformat()

    @property
    def is_win_back(self) -> bool:
        """Whether a wake-up call is among the reasons: then why the customer stayed away has to be noted."""
        return any(Need.WIN_BACK_REASON in needs_of(Outcome.SATISFIED, [p.rule.trigger]) for p in self.points)

    def open_panels(self) -> set[str]:
        """Return the panels whose fields count, from the submitted outcome and additions."""
        panels = set(self.cleaned_data.get("also", ()))
        if panel := PANEL_OF_OUTCOME.get(self.cleaned_data.get("outcome", "")):
            panels.add(panel)
        return panels

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        panels = self.open_panels()
        for panel in panels:
            for name in REQUIRED_IN_PANEL.get(panel, ()):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, NEEDED)
        if "refusal" in panels and data.get("do_not_contact") == DoNotContact.NONE and not data.get("refused_channels"):
            self.add_error("refused_channels", NEEDED)
        self._clean_numbers(panels)
        self._clean_times(panels)
        ticked = set(data.get("touch_points", ()))
        triggers = [point.rule.trigger for point in self.points if point.pk in ticked]
        outcome = data.get("outcome")
        if outcome and Need.WIN_BACK_REASON in needs_of(outcome, triggers) and not data.get("win_back_reason"):
            self.add_error("win_back_reason", NEEDED)
        return data

    def _clean_numbers(self, panels: set[str]) -> None:
        for panel, name in (("referral", "friend_mobile"), ("number", "corrected_mobile")):
            text = normalise_mobile(self.cleaned_data.get(name, ""))
            self.cleaned_data[name] = text
            if panel in panels and text and not is_mobile(text):
                self.add_error(name, _("This is not a mobile number: 11 digits, beginning with 13 to 19."))

    def _clean_times(self, panels: set[str]) -> None:
        now = timezone.localtime(timezone=self.zone)
        for panel, prefix in (("appointment", "appointment"), ("later", "later")):
            day, clock = self.cleaned_data.get(f"{prefix}_on"), self.cleaned_data.get(f"{prefix}_time")
            if panel not in panels or day is None or clock is None:
                continue
            at = datetime.combine(day, clock, tzinfo=self.zone)
            if at <= now:
                self.add_error(f"{prefix}_on", _("This time is past."))
            elif day > self.on + FARTHEST:
                self.add_error(f"{prefix}_on", _("This is more than a year ahead."))
            else:
                self.cleaned_data[f"{prefix}_at"] = at

    def contact(self) -> dict[str, Any]:
        """Return what ``record_contact`` is to be told, from the panels that were unfolded; call it on a valid form."""
        data, panels = self.cleaned_data, self.open_panels()
        told: dict[str, Any] = {
            "touch_points": data["touch_points"],
            "channel": data["channel"],
            "outcome": data["outcome"],
            "note": data["note"],
            "submission": data["submission"],
            "next_steps": self._drafts(panels),
            "is_inbound": data["is_inbound"],
        }
        if OUTCOMES[data["outcome"]].is_effective and self.is_win_back:
            told["win_back_reason"] = data["win_back_reason"]
        if "later" in panels:
            told["agreed_at"] = data["later_at"]
        if {"number", "owner"} & panels:
            told["corrected_mobile"] = data["corrected_mobile"]
        if "refusal" in panels:
            told |= {
                "do_not_contact": data["do_not_contact"],
                "refused_channels": data["refused_channels"],
                "reason": data["refusal_reason"],
            }
        if "elsewhere" in panels:
            told |= {
                "vehicle": data["vehicle"],
                "reason": str(dict(ELSEWHERE_REASONS)[data["elsewhere_reason"]]),
                "serviced_on": data["serviced_on"],
                "serviced_km": data["serviced_km"],
            }
        if "car" in panels:
            told |= {"vehicle": data["vehicle"], "car_status": data["car_status"]}
        return told

    def _drafts(self, panels: set[str]) -> list[NextStepDraft]:
        data = self.cleaned_data
        drafts = []
        if "appointment" in panels:
            wanted_at, job = data["appointment_at"], data["appointment_job"]
            drafts.append(NextStepDraft(NextStepKind.APPOINTMENT, wanted_at=wanted_at, detail=job))
        if "complaint" in panels:
            drafts.append(
                NextStepDraft(NextStepKind.COMPLAINT, severity=data["severity"], detail=data["complaint_words"])
            )
        if "referral" in panels:
            friend = {
                "name": data["friend_name"],
                "mobile": data["friend_mobile"],
                "consent_note": data["friend_consent"],
            }
            drafts.append(NextStepDraft(NextStepKind.REFERRAL, detail=data["friend_name"], payload=friend))
        if "trade_in" in panels:
            drafts.append(NextStepDraft(NextStepKind.LEAD, detail=data["trade_in_wish"]))
        if "owner" in panels:
            drafts.append(NextStepDraft(NextStepKind.OWNER_CORRECTION, detail=data["owner_words"]))
        return drafts

    def add_refusal(self, error: CannotRecordContact) -> None:
        """Put what the action refused beside the field that it is about, or above the form."""
        name = FIELD_OF_REFUSAL.get(error.field, error.field)
        if name == "reason":
            name = "refusal_reason" if "refusal" in self.open_panels() else "elsewhere_reason"
        self.add_error(name if name in self.fields else None, str(error))


class SkipForm(forms.Form):
    """Why a customer is passed over for now."""

    REASONS = [
        ("not_now", _("Not the customer's time")),
        ("ask_first", _("I have to ask a colleague first")),
        ("known", _("Somebody has just spoken with the customer")),
        ("other", pgettext_lazy("reason", "Something else")),
    ]
    reason = forms.ChoiceField(choices=REASONS)

    @property
    def words(self) -> str:
        """The reason in the caller's language, as it goes into the contact log."""
        return str(dict(self.REASONS)[self.cleaned_data["reason"]])


class AssignForm(forms.Form):
    """Whom to give the ticked customers; an empty choice puts them into the pool."""

    POOL = "pool"
    customers = forms.TypedMultipleChoiceField(
        coerce=int, error_messages={"required": _("Tick the customers to hand over first.")}
    )
    to = forms.ChoiceField(error_messages={"required": _("Choose who takes them over.")})

    def __init__(self, *args: Any, people: Iterable[tuple[int, str]], customers: Iterable[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "to").choices = [(self.POOL, _("Nobody: the pool")), *((str(pk), name) for pk, name in people)]
        _choices(self, "customers").choices = [(pk, pk) for pk in customers]


class TakeUpForm(forms.Form):
    """Who makes the ticked contacts that were missed."""

    points = forms.TypedMultipleChoiceField(
        coerce=int, error_messages={"required": _("Tick the contacts to take up again first.")}
    )
    to = forms.ChoiceField(error_messages={"required": _("Choose who takes them over.")})

    def __init__(self, *args: Any, people: Iterable[tuple[int, str]], points: Iterable[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "to").choices = [(str(pk), name) for pk, name in people]
        _choices(self, "points").choices = [(pk, pk) for pk in points]


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
        _choices(self, "channel").choices = self.channels = channels

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
            _choices(self, name).choices = [(pk, value) for value in values if (pk := as_id(value)) is not None]

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
