"""What is wished on which festival (domain §3.2, FE)."""

import pytest
from django.utils import translation

from followups.greetings import wishes
from followups.triggers.lunar import FESTIVAL_STEPS


@pytest.mark.parametrize(
    ("festival", "language", "words"),
    [
        ("mid_autumn", "en", "wish you a happy Mid-Autumn Festival and safe journeys"),
        ("mid_autumn", "zh-hans", "祝您中秋节快乐，出行平安"),
        ("women", "zh-hans", "祝您妇女节快乐，出行平安"),
    ],
)
def test_a_festival_is_wished_by_its_name(festival, language, words):
    with translation.override(language):
        assert wishes("festival", FESTIVAL_STEPS[festival]) == words


@pytest.mark.parametrize(("language", "happy"), [("en", "happy"), ("zh-hans", "快乐")])
def test_nobody_is_wished_a_happy_day_of_mourning(language, happy):
    with translation.override(language):
        assert happy not in wishes("festival", FESTIVAL_STEPS["qingming"])


def test_any_other_contact_sends_best_wishes():
    with translation.override("en"):
        assert wishes("birthday", 5) == "send you our best wishes"
