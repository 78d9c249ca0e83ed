"""What a caller fills in after a contact (screens S2)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.choices import CONTACT_CHANNELS, DoNotContact
from customers.models import ContactPerson
from customers.rules import is_mobile, normalise_mobile
from followups.actions.cards import FURTHEST_AGREED, CannotRecordContact, NextStepDraft
from followups.choices import NextStepKind, Outcome, Severity, WinBackReason
from followups.forms.fields import (
    ClockInput,
    DayInput,
    OfCustomerField,
    car_choices,
    choice_field,
    select_field,
    words_field,
)
from followups.models import TouchPoint
from followups.rules.outcomes import CHOOSABLE_OUTCOMES, OUTCOMES, Need, needs_of
from vehicles.choices import VehicleStatus
from vehicles.models import Vehicle

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Names and numbers of other people: neither the browser nor the draft of a card keeps them.
OF_OTHERS = {"class": "form-control", "autocomplete": "off", "data-crm-no-draft": ""}
TYPED_INTO = (forms.TextInput, forms.Textarea)
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


class QueueForm(forms.Form):
    """What happened at a contact, for the touch points of one card.

    ``cars`` gives the customer's cars in use and ``persons`` the contact persons with a number of their own; both are
    asked when they are shown or chosen. ``on`` is today and ``time_zone`` the
    zone of the store: wished times are local to it. Only the panels that the outcome or ``also`` unfolds are read; the
    rest may hold anything.
    """

    submission = forms.UUIDField(widget=forms.HiddenInput)
    touch_points = forms.TypedMultipleChoiceField(
        coerce=int,
        error_messages={
            "required": _("Tick at least one reason that you spoke about."),
            "invalid_choice": _("A reason that you had ticked has been settled meanwhile. See what is left."),
        },
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
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"class": "form-control", "rows": 3}),
    )
    also = forms.MultipleChoiceField(choices=ALSO_PANELS, required=False)

    appointment_on = forms.DateField(label=_("Day"), required=False, widget=DayInput)
    appointment_time = forms.TimeField(label=pgettext_lazy("clock", "Time"), required=False, widget=ClockInput)
    appointment_job = words_field(_("What for"))
    severity = select_field(_("Severity"), Severity.choices)
    complaint_words = words_field(_("What the customer said"))
    friend_name = forms.CharField(
        label=_("Friend's name"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs=OF_OTHERS),
    )
    friend_mobile = forms.CharField(
        label=_("Friend's mobile"),
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs=OF_OTHERS | {"inputmode": "tel"}),
    )
    friend_consent = words_field(_("How the friend agreed to be called"), limit=200)
    trade_in_wish = words_field(_("What is wished for, and when"))
    later_on = forms.DateField(label=_("Day"), required=False, widget=DayInput)
    later_time = forms.TimeField(label=pgettext_lazy("clock", "Time"), required=False, widget=ClockInput)
    corrected_mobile = forms.CharField(
        label=_("Right mobile number"),
        max_length=30,
        required=False,
        help_text=_("Leave empty if nobody knows it: correcting it becomes a task."),
        widget=forms.TextInput(attrs=OF_OTHERS | {"inputmode": "tel"}),
    )
    person = OfCustomerField(
        label=_("Whose number"),
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    owner_words = words_field(_("Who answered, who owns the car now"))
    do_not_contact = select_field(
        _("No further"),
        [
            *(choice for choice in DoNotContact.choices if choice[0] != DoNotContact.NONE),
            (DoNotContact.NONE, _("Only the channels below")),
        ],
    )
    refused_channels = forms.MultipleChoiceField(label=_("No more by"), choices=CONTACT_CHANNELS, required=False)
    refusal_reason = words_field(_("Reason"), limit=200)
    elsewhere_reason = select_field(_("Why not with us"), ELSEWHERE_REASONS)
    car_status = select_field(
        _("What became of the car"), [choice for choice in VehicleStatus.choices if choice[0] != VehicleStatus.IN_USE]
    )
    vehicle = OfCustomerField(
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
    win_back_reason = select_field(_("Why the customer stayed away"), [("", "—"), *WinBackReason.choices])

    def __init__(
        self,
        *args: Any,
        points: Iterable[TouchPoint],
        cars: Callable[[], Sequence[Vehicle]],
        persons: Callable[[], Sequence[ContactPerson]] = tuple,
        on: date,
        time_zone: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.points = list(points)
        self.persons = persons
        self.on = on
        self.zone = ZoneInfo(time_zone)
        choice_field(self, "touch_points").choices = [(point.pk, point.rule.code) for point in self.points]
        choice_field(self, "vehicle").choices = partial(car_choices, cars)
        choice_field(self, "person").choices = partial(_person_choices, persons)
        for name, farthest in (("appointment_on", FARTHEST), ("later_on", FURTHEST_AGREED)):
            self.fields[name].widget.attrs |= {"min": on.isoformat(), "max": (on + farthest).isoformat()}
        self.fields["serviced_on"].widget.attrs["max"] = on.isoformat()

    @property
    def is_win_back(self) -> bool:
        """Whether a wake-up call is among the reasons: then why the customer stayed away has to be noted."""
        return any(Need.WIN_BACK_REASON in needs_of(Outcome.SATISFIED, [p.rule.trigger]) for p in self.points)

    @property
    def has_persons(self) -> bool:
        """Whether there is a number besides the customer's own."""
        return any(person.mobile for person in self.persons())

    @property
    def typed(self) -> list[tuple[str, str]]:
        """Return what was typed, each with its label: a card that cannot be saved any more gives it back."""
        bound = [self[name] for name, field in self.fields.items() if isinstance(field.widget, TYPED_INTO)]
        return [(str(field.label), str(value)) for field in bound if (value := field.value())]

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
        if "number" in panels:
            told |= {"corrected_mobile": data["corrected_mobile"], "person": data["person"]}
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
        if "number" in data["also"] and not data["corrected_mobile"]:
            drafts.append(NextStepDraft(NextStepKind.NUMBER_CORRECTION))
        if "owner" in panels:
            drafts.append(NextStepDraft(NextStepKind.OWNER_CORRECTION, detail=data["owner_words"]))
        return drafts

    def add_refusal(self, error: CannotRecordContact) -> None:
        """Put what the action refused beside the field that it is about, or above the form."""
        name = FIELD_OF_REFUSAL.get(error.field, error.field)
        if name == "reason":
            name = "refusal_reason" if "refusal" in self.open_panels() else "elsewhere_reason"
        self.add_error(name if name in self.fields else None, str(error))


def _person_choices(persons: Callable[[], Sequence[ContactPerson]]) -> list[tuple[int | str, "StrOrPromise"]]:
    found = [(person.pk, f"{person.name} {person.role}".strip()) for person in persons() if person.mobile]
    return [("", _("The customer's own")), *found]


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
