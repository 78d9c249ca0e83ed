"""What people may type into the settings of a rule, and what is said when it makes no sense."""

import pytest
from django.core.exceptions import ValidationError

from followups.forms.plan import CareRuleForm, NumbersField, YearDaysField
from followups.models import CareRule

pytestmark = pytest.mark.usefixtures("english")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3, 6, 9", [3, 6, 9]),
        ("9 6 3", [3, 6, 9]),
        ("3，6、9；6", [3, 6, 9]),
        ("−7, －1, +2", [-7, -1, 2]),
        ("0", [0]),
        ("", []),
        (" , ", []),
    ],
)
def test_offsets_are_read_as_people_type_them(text, numbers):
    assert NumbersField(required=False).clean(text) == numbers


@pytest.mark.parametrize("text", ["3.5", "3, x", "--3"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(ValidationError, match="is not a whole number"):
        NumbersField(required=False).clean(text)


def test_there_is_an_end_to_offsets():
    with pytest.raises(ValidationError, match="At most 60 numbers"):
        NumbersField().clean(", ".join(map(str, range(61))))


def test_days_of_the_year_are_put_in_order():
    assert YearDaysField().clean("11-01，5-15, 02-29") == ["02-29", "05-15", "11-01"]


@pytest.mark.parametrize("text", ["02-30", "13-01", "summer"])
def test_a_day_that_does_not_exist_is_refused(text):
    with pytest.raises(ValidationError, match="is not a day of the year"):
        YearDaysField().clean(text)


def form(code, **changes):
    """The form of a delivered rule, sent as it is shown but for ``changes``."""
    rule = CareRule.objects.get(code=code, store=None)
    fresh = CareRuleForm(instance=rule)
    values = {name: fresh[name].value() for name in fresh.fields}
    sent = {name: "" if value is None else value for name, value in values.items() if value is not False}
    return CareRuleForm(sent | changes, instance=rule)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "changes", "field", "words"),
    [
        ("M3k", {"offsets": ""}, "offsets", "would never come due"),
        ("M3k", {"offsets": "121"}, "offsets", "At most ten years: 120."),
        ("D3", {"offsets": "-1"}, "offsets", "only known once it has come"),
        ("ML", {"repeat_every": "0"}, "repeat_every", "greater than or equal to 1"),
        ("M3k", {"early_days": "61"}, "early_days", "less than or equal to 60"),
        ("M3k", {"covered_days": "367"}, "covered_days", "less than or equal to 366"),
        ("D3", {"channel_phone": "", "channel_visit": ""}, "channel_phone", "at least one channel"),
        ("D3", {"handling": "form"}, "channel_phone", "An internal form reaches nobody"),
        ("D3", {"channel_form": "3"}, "channel_form", "no way to contact a customer"),
        ("D3", {"handling": "batch"}, "channel_phone", "needs a message channel first"),
        ("D3", {"points_en": "Hello {costumer}"}, "points_en", "Nothing can be filled in for {costumer}."),
        ("D3", {"points_zh": "{客户您好"}, "points_zh", "A brace is not closed."),
        ("D3", {"points_en": ""}, "points_en", "This field is required."),
        ("FE", {"festivals": []}, "festivals", "This field is required."),
        ("FE", {"festivals": ["halloween"]}, "festivals", "not one of the available choices"),
        ("D3", {"owner_role": "AD"}, "owner_role", "not one of the available choices"),
        ("SE", {"days": "02-30"}, "days", "is not a day of the year"),
    ],
)
def test_a_mistake_is_said_at_its_field(code, changes, field, words, settings):
    settings.LANGUAGE_CODE = "en"
    checked = form(code, **changes)
    assert list(checked.errors) == [field]
    assert words in str(checked.errors[field][0])


@pytest.mark.django_db
def test_conditions_that_are_not_edited_stay():
    checked = form("AJ", before_service_days="10")
    assert checked.is_valid(), checked.errors
    assert checked.values["params"] == {"before_service_days": 10}
    assert "params" not in form_values("TV")


def form_values(code):
    checked = form(code)
    assert checked.is_valid(), checked.errors
    return checked.values


@pytest.mark.django_db
def test_channels_come_in_the_order_of_their_numbers():
    checked = form("D3", channel_phone="3", channel_visit="1", channel_wechat="2")
    assert checked.is_valid(), checked.errors
    assert checked.values["channels"] == ["visit", "wechat", "phone"]


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["IN2", "FS1", "PS4"])
def test_an_anchor_that_lies_ahead_takes_offsets_before_it(code):
    assert form(code, offsets="-9, 2").is_valid()
