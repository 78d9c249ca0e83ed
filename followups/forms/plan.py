"""Forms of the settings: care rules, calendar days, limits of a store."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Column, Div, Field, Fieldset, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from accounts.choices import Role
from accounts.models import Store
from accounts.permissions import MANAGER_ROLES, STAFF_ROLES
from core.models import CalendarDay
from core.rules import SATURDAY
from customers.choices import Channel
from followups.actions.care_plan import STORE_LIMITS
from followups.choices import Handling, OffsetUnit
from followups.models import CareRule
from followups.talking_points import PLACEHOLDERS, unknown_placeholders
from followups.trigger_words import FESTIVALS, words_of

MOST_OFFSETS = 60
# Ten years either way; nobody plans further.
FURTHEST = {OffsetUnit.DAYS: 3660, OffsetUnit.MONTHS: 120}
MESSAGE_CHANNELS = frozenset({Channel.SMS, Channel.WECHAT, Channel.EMAIL, Channel.APP, Channel.WECOM})
_SEPARATORS = re.compile(r"[,，、;；\s]+")
# A minus sign as people type it, or as a Chinese keyboard gives it.
_MINUS = str.maketrans({"−": "-", "－": "-", "–": "-", "＋": "+"})


class NumbersField(forms.CharField):
    """Whole numbers in one line, ``3, 6, 9``: separated by commas or spaces of either language."""

    def clean(self, value: Any) -> list[int]:
        """Return the numbers, ascending and each once. Raises ``ValidationError`` naming the word that is none."""
        text = super().clean(value).translate(_MINUS).strip()
        numbers = set()
        for word in filter(None, _SEPARATORS.split(text)):
            try:
                numbers.add(int(word))
            except ValueError:
                raise ValidationError(
                    _("“%(word)s” is not a whole number. Write the numbers like this: 3, 6, 9"), params={"word": word}
                ) from None
        if len(numbers) > MOST_OFFSETS:
            raise ValidationError(_("At most %(limit)s numbers."), params={"limit": MOST_OFFSETS})
        return sorted(numbers)

    def prepare_value(self, value: Any) -> Any:
        """Show a stored list as people write it."""
        return ", ".join(map(str, value)) if isinstance(value, list) else value


class YearDaysField(forms.CharField):
    """Days of the year in one line, ``05-15, 11-01``."""

    def clean(self, value: Any) -> list[str]:
        """Return the days as ``MM-DD``, in order. Raises ``ValidationError`` naming the one that does not exist."""
        days = set()
        for word in filter(None, _SEPARATORS.split(super().clean(value).strip())):
            # A leap year, so that 29 February may be named.
            day = _parsed_day(f"2024-{word}")
            if day is None:
                raise ValidationError(
                    _("“%(word)s” is not a day of the year. Write month and day like this: 05-15, 11-01"),
                    params={"word": word},
                )
            days.add(f"{day:%m-%d}")
        return sorted(days)

    def prepare_value(self, value: Any) -> Any:
        """Show a stored list as people write it."""
        return ", ".join(value) if isinstance(value, list) else value


def _parsed_day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def _points_validator(template: str) -> None:
    if unknown := unknown_placeholders(template):
        raise ValidationError(
            _("Nothing can be filled in for %(unknown)s. Placeholders are: %(known)s"),
            params={
                "unknown": ", ".join(f"{{{name}}}" for name in unknown),
                "known": " ".join(f"{{{name}}}" for name in PLACEHOLDERS),
            },
        )
    if set("{}") & set(re.sub(r"\{[^{}]*\}", "", template)):
        raise ValidationError(_("A brace is not closed. A placeholder is written {customer}."))


class CareRuleForm(forms.ModelForm):
    """The settings of one rule. ``values`` after validation is what ``actions.care_plan.update_rule`` takes.

    The form never saves: a change is first shown as a dry run, then made by the action.
    """

    offsets = NumbersField(
        label=gettext_lazy("Offsets from the anchor date"),
        required=False,
        help_text=gettext_lazy("Like 3, 6, 9; before the anchor date with a minus: -7"),
    )
    festivals = forms.MultipleChoiceField(
        label=gettext_lazy("Festivals"), choices=FESTIVALS, widget=forms.CheckboxSelectMultiple
    )
    days = YearDaysField(label=gettext_lazy("Days of the year"), help_text=gettext_lazy("Like 05-15, 11-01"))
    seen_at = forms.DateTimeField(widget=forms.HiddenInput)

    class Meta:
        model = CareRule
        fields = (
            "name_zh",
            "name_en",
            "is_active",
            "offset_unit",
            "repeat_every",
            "early_days",
            "late_days",
            "shift",
            "owner_role",
            "handling",
            "rotates_channels",
            "priority",
            "care_class",
            "covered_days",
            "ignores_gap",
            "is_held_by_complaint",
            "points_zh",
            "points_en",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.words = words_of(self.instance.trigger)
        self.fields["repeat_every"].validators.append(MinValueValidator(1))
        self._fit_to_trigger()
        roles = [role for role in Role if role in STAFF_ROLES | MANAGER_ROLES]
        self.fields["owner_role"] = forms.ChoiceField(
            label=self.fields["owner_role"].label, choices=[(role.value, role.label) for role in roles]
        )
        self.fields["priority"] = forms.TypedChoiceField(
            label=self.fields["priority"].label,
            choices=[(1, _("1 · first")), (2, "2"), (3, "3"), (4, "4"), (5, _("5 · last"))],
            coerce=int,
        )
        self.fields["covered_days"].validators.append(MaxValueValidator(366))
        for name in ("points_zh", "points_en"):
            self.fields[name].validators.append(_points_validator)
            self.fields[name].required = True
            self.fields[name].widget.attrs |= {"rows": 6, "data-crm-points": ""}
        self._add_channels()
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True
        self.helper.include_media = False
        self.helper.layout = self._layout()

    def _fit_to_trigger(self) -> None:
        """Keep only the conditions that this kind of trigger has."""
        params = self.instance.params
        self.initial["seen_at"] = self.instance.changed_at.isoformat() if self.instance.changed_at else None
        if self.words.has_offsets:
            self.initial["offsets"] = self.instance.offsets
        else:
            for name in ("offsets", "offset_unit", "repeat_every"):
                del self.fields[name]
        for name in ("festivals", "days"):
            if name in params:
                self.initial[name] = params[name]
            else:
                del self.fields[name]
        self.numbers = {name: label for name, label in self.words.numbers.items() if name in params}
        for name, label in self.numbers.items():
            self.fields[name] = forms.IntegerField(label=label, min_value=0, max_value=3660, initial=params[name])

    def _add_channels(self) -> None:
        chosen = {channel: place for place, channel in enumerate(self.instance.channels, start=1)}
        ranks = [("", "–"), *((number, str(number)) for number in range(1, len(Channel) + 1))]
        # The present channels first, in their order.
        self.channel_fields = []
        for channel in sorted(Channel, key=lambda each: chosen.get(each, len(Channel) + 1)):
            name = f"channel_{channel.value}"
            self.fields[name] = forms.TypedChoiceField(
                label=channel.label,
                choices=ranks,
                coerce=int,
                empty_value=None,
                required=False,
                initial=chosen.get(channel, ""),
            )
            self.channel_fields.append((channel, name))

    def _layout(self) -> Layout:
        timing = [name for name in ("offsets", "offset_unit", "repeat_every") if name in self.fields]
        conditions = [name for name in ("festivals", "days", *self.numbers) if name in self.fields]
        return Layout(
            "seen_at",
            Fieldset(
                pgettext("of a rule", "Name"),
                Row(Column("name_zh", css_class="col-md-6"), Column("name_en", css_class="col-md-6")),
                "is_active",
            ),
            Fieldset(
                _("When"),
                Row(*(Column(name, css_class="col-md-4") for name in timing)) if timing else HTML(""),
                *(Field(name, wrapper_class=f"crm-{name}") for name in conditions),
                Row(*(Column(name, css_class="col-6 col-md-4") for name in ("early_days", "late_days", "shift"))),
            ),
            Fieldset(
                _("Who and how"),
                Row(
                    *(
                        Column(name, css_class="col-6 col-md-3")
                        for name in ("owner_role", "priority", "handling", "care_class")
                    )
                ),
            ),
            Fieldset(
                _("Channels in order"),
                HTML('<p class="form-text">{}</p>'.format(_("1 is the default, 2 comes next; a dash leaves it out."))),
                Div(
                    *(Field(name, wrapper_class="crm-rank") for _channel, name in self.channel_fields),
                    css_class="crm-ranks",
                ),
                Field("rotates_channels"),
            ),
            Fieldset(
                _("When it is not needed"),
                Row(Column("covered_days", css_class="col-md-4")),
                "ignores_gap",
                "is_held_by_complaint",
            ),
            Fieldset(
                _("Talking points, one a line"),
                HTML('{% include "followups/_rule_placeholders.html" %}'),
                Row(Column("points_zh", css_class="col-lg-6"), Column("points_en", css_class="col-lg-6")),
            ),
        )

    def clean(self) -> dict[str, Any]:
        """Check what concerns several fields, and put the channels in order."""
        data = super().clean() or {}
        self._clean_offsets(data)
        ranked = sorted(
            (data[name], place, channel)
            for place, (channel, name) in enumerate(self.channel_fields)
            if data.get(name) is not None
        )
        data["channels"] = [channel.value for _rank, _place, channel in ranked]
        self._clean_channels(data)
        return data

    def clean_points_zh(self) -> str:
        """Browsers send lines with CR LF; stored like that, an untouched text would count as changed."""
        return _unix_lines(self.cleaned_data["points_zh"])

    def clean_points_en(self) -> str:
        """The same for the English ones."""
        return _unix_lines(self.cleaned_data["points_en"])

    def _clean_offsets(self, data: Mapping[str, Any]) -> None:
        if "offsets" not in self.fields or "offsets" in self.errors:
            return
        offsets, unit = data["offsets"], data.get("offset_unit", OffsetUnit.DAYS)
        if not offsets:
            self.add_error(
                "offsets", _("Without an offset the rule would never come due. 0 is the anchor date itself.")
            )
            return
        furthest = FURTHEST[OffsetUnit(unit)]
        if max(map(abs, offsets)) > furthest:
            self.add_error("offsets", _("At most ten years: %(limit)s.") % {"limit": furthest})
        if offsets[0] < 0 and not self.words.is_known_beforehand:
            self.add_error(
                "offsets", _("The anchor date is only known once it has come; an offset before it cannot be kept.")
            )

    def _clean_channels(self, data: Mapping[str, Any]) -> None:
        channels, handling = data["channels"], data.get("handling")
        first = self.channel_fields[0][1]
        if not channels:
            self.add_error(first, _("Give at least one channel the number 1."))
        elif handling == Handling.FORM and channels != [Channel.FORM]:
            self.add_error(first, _("An internal form reaches nobody: leave only the channel “internal form”."))
        elif handling != Handling.FORM and Channel.FORM in channels:
            self.add_error(f"channel_{Channel.FORM}", _("An internal form is no way to contact a customer."))
        elif handling == Handling.BATCH and channels[0] not in MESSAGE_CHANNELS:
            self.add_error(first, _("A message to many needs a message channel first: SMS, WeChat, e-mail or app."))

    @property
    def values(self) -> dict[str, Any]:
        """The validated settings as the action takes them; conditions that are not edited here stay as they are."""
        data = self.cleaned_data
        values = {name: data[name] for name in self.Meta.fields if name in self.fields}
        values["channels"] = data["channels"]
        if "offsets" in self.fields:
            values["offsets"] = data["offsets"]
        edited = {name: data[name] for name in ("festivals", "days", *self.numbers) if name in self.fields}
        if edited:
            values["params"] = self.initial_params | edited
        return values

    @property
    def initial_params(self) -> dict[str, Any]:
        """The conditions as they are stored."""
        return dict(self.instance.params)


class CalendarDayForm(forms.Form):
    """A day that differs from Monday to Friday."""

    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    is_working = forms.TypedChoiceField(
        label=gettext_lazy("Kind"),
        choices=((False, gettext_lazy("Holiday")), (True, gettext_lazy("Make-up working day"))),
        coerce=lambda value: value in ("True", True),
    )
    name = forms.CharField(label=pgettext_lazy("of a day", "Name"), max_length=80, required=False)

    def __init__(self, *args: Any, row: CalendarDay | None = None, year: int | None = None, **kwargs: Any) -> None:
        if row is not None:
            kwargs["initial"] = {"day": row.day, "is_working": row.is_working, "name": row.name}
        super().__init__(*args, **kwargs)
        self.year = year
        self.row = row
        if row is not None:
            self.fields["day"].disabled = True

    def clean(self) -> dict[str, Any]:
        """Refuse a make-up day that is worked anyway, and a day that is already in the calendar."""
        data = super().clean() or {}
        day, is_working = data.get("day"), data.get("is_working")
        if day is None:
            return data
        if is_working and day.weekday() < SATURDAY and self.row is None:
            self.add_error("is_working", _("That day is worked anyway; a make-up working day is a Saturday or Sunday."))
        if self.row is None and CalendarDay.objects.filter(day=day).exists():
            self.add_error("day", _("This day is already in the calendar; change it there."))
        return data


class StoreLimitsForm(forms.ModelForm):
    """The limits of domain §3.6 that a store sets for itself."""

    class Meta:
        model = Store
        fields = STORE_LIMITS

    LIMITS = {"daily_calls": (1, 500), "gap_days": (0, 60), "max_retries": (1, 10), "lease_minutes": (1, 240)}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("prefix", f"store-{kwargs['instance'].pk}")
        super().__init__(*args, **kwargs)
        for name, (lowest, highest) in self.LIMITS.items():
            field = self.fields[name]
            field.validators += [MinValueValidator(lowest), MaxValueValidator(highest)]
            field.widget.attrs |= {"min": lowest, "max": highest, "inputmode": "numeric"}
            field.help_text = ""
