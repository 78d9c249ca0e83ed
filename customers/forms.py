"""Input of the customer file. Rules are those of ``customers.rules``; what is masked is never filled in here."""

from datetime import date, datetime, time
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Column, Div, Fieldset, Layout, Row, Submit
from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from customers.choices import CONTACT_CHANNELS, BirthdayCalendar, Channel, ConsentPurpose, DoNotContact
from customers.models import Customer
from customers.rules import (
    is_email,
    is_mobile,
    is_phone,
    is_stricter,
    is_wechat,
    normalise_mobile,
    normalise_phone,
)

OLDEST_BIRTH_YEAR = 1900
DAYS_OF_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
LUNAR_DAYS = 30


class CustomerForm(forms.ModelForm):
    """The basic data of a customer and how they want to be contacted.

    Phone numbers, and a WeChat ID that is one, are shown masked beside an empty field: a form that opens must not show
    what every look at is logged for. ``changes`` gives the values to save; an empty number field is none.

    The form carries what it showed: what somebody else changed while it was open (a customer who wants no more calls)
    is not put back by a form that did not touch it.
    """

    class Meta:
        model = Customer
        fields: ClassVar = [
            "name",
            "kind",
            "salutation",
            "mobile",
            "is_mobile_wrong",
            "other_phone",
            "wechat",
            "email",
            "address_region",
            "language",
            "birthday_calendar",
            "birthday_year",
            "birthday_month",
            "birthday_day",
            "is_birthday_leap_month",
            "preferred_channel",
            "preferred_slot",
            "do_not_contact",
            "do_not_contact_reason",
            "note",
        ]
        widgets: ClassVar = {
            "note": forms.Textarea(attrs={"rows": 3}),
            "mobile": forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
            "other_phone": forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, on: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on = on
        for name, field in self.fields.items():
            # Whether the mobile is wrong belongs to the number on file, not to the one that was shown.
            field.show_hidden_initial = name != "is_mobile_wrong"
        self.fields["do_not_contact_reason"].help_text = _("Who said so, and when; needed to lift a wish, too.")
        now = {"mobile": self.instance.masked_mobile, "other_phone": self.instance.masked_other_phone}
        if self.instance.is_wechat_a_number:
            now["wechat"] = self.instance.masked_wechat
        self.masked = frozenset(now)
        for name, shown in now.items():
            self.initial[name] = ""
            self.fields[name].required = False
            if shown:
                self.fields[name].help_text = _("Now %(number)s. Leave empty to keep it.") % {"number": shown}
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Fieldset(
                _("Person"),
                Row(Column("name"), Column("salutation"), Column("kind")),
                Row(Column("mobile"), Column("other_phone")),
                "is_mobile_wrong",
                Row(Column("wechat"), Column("email")),
                Row(Column("address_region"), Column("language")),
            ),
            Fieldset(
                _("Birthday"),
                Row(
                    Column("birthday_calendar"),
                    Column("birthday_year"),
                    Column("birthday_month"),
                    Column("birthday_day"),
                ),
                "is_birthday_leap_month",
            ),
            Fieldset(
                _("Contact"),
                Row(Column("preferred_channel"), Column("preferred_slot")),
                Row(Column("do_not_contact"), Column("do_not_contact_reason")),
                "note",
            ),
            Div(
                Submit("save", _("Save")),
                HTML('<a class="btn btn-light" href="{}">{}</a>'.format(self._file_address(), _("Cancel"))),
                css_class="crm-button-row",
            ),
        )

    def _file_address(self) -> str:
        return reverse("customers:customer_detail", args=[self.instance.pk])

    def clean_mobile(self) -> str:
        number = normalise_mobile(self.cleaned_data["mobile"])
        if number and not is_mobile(number):
            raise forms.ValidationError(_("A mobile number has 11 digits and begins with 13 to 19."))
        return number

    def clean_other_phone(self) -> str:
        number = normalise_phone(self.cleaned_data["other_phone"])
        if number and not is_phone(number):
            raise forms.ValidationError(_("Write a landline with its area code, such as 0543-3388888, or a mobile."))
        return number

    def clean_wechat(self) -> str:
        name = self.cleaned_data["wechat"].strip()
        if name and not is_wechat(name, mobile=self.instance.mobile):
            raise forms.ValidationError(_("A WeChat ID has 6 to 20 letters, digits, - or _ and begins with a letter."))
        return name

    def clean_email(self) -> str:
        address = self.cleaned_data["email"].strip()
        if address and not is_email(address):
            raise forms.ValidationError(_("This is no e-mail address."))
        return address

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        self._clean_birthday(values)
        self._clean_wish(values)
        return values

    def _clean_wish(self, values: dict[str, Any]) -> None:
        """As ``set_do_not_contact`` wants it: the reason for which a wish was set does not lift it."""
        level, reason = values.get("do_not_contact"), values.get("do_not_contact_reason", "").strip()
        is_lifted = (
            level and "do_not_contact" in self.changed_data and is_stricter(self.initial["do_not_contact"], level)
        )
        if is_lifted and not (reason and "do_not_contact_reason" in self.changed_data):
            self.add_error("do_not_contact_reason", _("Say why the customer may be contacted again."))
        elif level != DoNotContact.NONE and not reason:
            self.add_error("do_not_contact_reason", _("Say why the customer must not be contacted."))

    def _clean_birthday(self, values: dict[str, Any]) -> None:
        month, day, year = (values.get(f"birthday_{part}") for part in ("month", "day", "year"))
        is_lunar = values.get("birthday_calendar") == BirthdayCalendar.LUNAR
        if (month is None) != (day is None):
            self.add_error("birthday_day", _("A birthday needs both month and day."))
        elif month is not None and day is not None:
            longest = LUNAR_DAYS if is_lunar else DAYS_OF_MONTH.get(month, 31)
            if not 1 <= month <= 12 or not 1 <= day <= longest:
                self.add_error("birthday_day", _("There is no such day in this calendar."))
        if year is not None and not OLDEST_BIRTH_YEAR <= year <= self.on.year:
            self.add_error("birthday_year", _("The year must lie between 1900 and today."))
        if values.get("is_birthday_leap_month") and not is_lunar:
            self.add_error("is_birthday_leap_month", _("Only the lunar calendar has leap months."))

    def changes(self) -> dict[str, Any]:
        """Return the values that were changed on the form, without number fields that were left empty.

        A new mobile is right unless the very same form says that it is wrong.
        """
        values = {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}
        return {name: value for name, value in values.items() if not (name in self.masked and not value)}


class ConsentForm(forms.Form):
    """What a customer agreed to or took back: for which purposes, by which channels, when, and what shows it.

    Domain §11.1 asks for proof of a consent; to take one back, saying so is enough.
    """

    is_given = forms.TypedChoiceField(
        label=_("The customer"),
        choices=[("1", _("gives consent")), ("0", _("withdraws consent"))],
        coerce=lambda value: value == "1",
        widget=forms.RadioSelect,
    )
    purposes = forms.MultipleChoiceField(
        label=_("Purposes"), choices=ConsentPurpose.choices, widget=forms.CheckboxSelectMultiple
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"), choices=CONTACT_CHANNELS, widget=forms.CheckboxSelectMultiple
    )
    on = forms.DateField(label=_("Date"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    evidence = forms.CharField(
        label=_("Evidence"),
        max_length=200,
        required=False,
        help_text=_("Where it can be looked up: signed at delivery, text message, recorded call."),
    )
    wording = forms.CharField(
        label=_("Wording version"), max_length=40, required=False, help_text=_("Which text the customer agreed to.")
    )

    def __init__(self, *args: Any, on: date, file_address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = on
        self.fields["on"].initial = on
        self.helper = FormHelper()
        self.helper.layout = Layout(
            "is_given",
            Row(Column("purposes"), Column("channels")),
            Row(Column("on"), Column("wording")),
            "evidence",
            Div(
                Submit("save", _("Save")),
                HTML('<a class="btn btn-light" href="{}">{}</a>'.format(file_address, _("Cancel"))),
                css_class="crm-button-row",
            ),
        )

    def clean_on(self) -> date:
        day = self.cleaned_data["on"]
        if day > self.today:
            raise forms.ValidationError(_("This day is still to come."))
        return day

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("is_given") and not values.get("evidence", "").strip():
            self.add_error("evidence", _("Say what shows the consent; without proof it is none."))
        return values

    def line(self, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
        """Return the words of ``record_consents``. What was said on an earlier day counts from its noon in ``zone``."""
        values = self.cleaned_data
        day: date = values["on"]
        return {
            "purposes": [ConsentPurpose(purpose) for purpose in values["purposes"]],
            "channels": [Channel(channel) for channel in values["channels"]],
            "is_given": values["is_given"],
            "at": now if day == self.today else datetime.combine(day, time(12), zone),
            "evidence": values["evidence"].strip(),
            "wording": values["wording"].strip(),
        }
