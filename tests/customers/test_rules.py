"""Rules about people: numbers, birthdays, tiers (domain §1.1, §2.5)."""

import csv
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.choices import BirthdayCalendar, Salutation, Tier
from customers.rules import (
    Birthday,
    birthday_of_resident_id,
    is_credit_code,
    is_email,
    is_mobile,
    is_phone,
    is_resident_id,
    is_wechat,
    mask_account,
    mask_numbers,
    mask_wechat,
    normalise_id_number,
    normalise_mobile,
    normalise_phone,
    read_birthday,
    relation_tier,
    salutation_of_resident_id,
)
from tests.shared_data import shared_data

ON = date(2026, 11, 21)
LUNAR = BirthdayCalendar.LUNAR


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13812345678", "13812345678"),
        ("+86 138-1234-5678", "13812345678"),
        ("0086 13812345678", "13812345678"),
        ("8613812345678", "13812345678"),
        ("１３８　１２３４　５６７８", "13812345678"),
        ("0543-3388888", "0543-3388888"),
        ("05433388888", "0543-3388888"),
        ("+86 010 58739999", "010-58739999"),
        ("+86 10 5873 9999", "010-58739999"),
        ("(010)5873 9999", "010-58739999"),
        ("010-58739999转12", "010-58739999-12"),
        ("010-58739999 ext. 12", "010-58739999-12"),
        ("+86 400 8123456", "4008123456"),
        ("+852 2527 4567", "+85225274567"),
        ("+1 (415) 555-2671", "+14155552671"),
    ],
)
def test_a_phone_number_has_one_spelling(text, number):
    assert (normalise_phone(text), is_phone(normalise_phone(text))) == (number, True)


@pytest.mark.parametrize("text", ["", "12345", "1381234567", "138123456789", "12812345678", "138 1234 567x", "+86 1"])
def test_what_cannot_be_dialled_is_no_phone_number(text):
    assert not is_phone(normalise_phone(text))


def test_a_foreign_number_is_not_taken_for_a_mobile_of_ours():
    assert not is_mobile(normalise_phone("+1 415 555 2671"))


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.sampled_from(["", "+86", "0086 ", "86"]), st.data())
def test_any_mobile_survives_its_decorations(number, prefix, data):
    cut = data.draw(st.integers(1, 10))
    written = f"{prefix}{number[:cut]}{data.draw(st.sampled_from(['', ' ', '-']))}{number[cut:]}"
    assert normalise_mobile(written) == number
    assert normalise_phone(written) == number


def test_the_resident_id_of_the_standard_is_valid():
    assert is_resident_id("11010519491231002X", on=ON)
    assert is_resident_id(normalise_id_number(" 110105 19491231 002x "), on=ON)


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",  # check digit
        "11010519491331002X",  # month
        "110105194902300024",  # 30 February
        "110105491231002",  # the old form of 15 digits
        "01010519491231002X",  # region
        "",
    ],
)
def test_a_wrong_resident_id_is_refused(number):
    assert not is_resident_id(number, on=ON)


def test_nobody_is_born_tomorrow():
    assert not is_resident_id("11010519491231002X", on=date(1949, 12, 30))


def test_a_resident_id_tells_birthday_and_salutation():
    assert birthday_of_resident_id("11010519491231002X") == date(1949, 12, 31)
    assert salutation_of_resident_id("11010519491231002X") == Salutation.MS


def test_the_credit_code_of_the_standard_is_valid_and_its_neighbour_is_not():
    assert is_credit_code("91350100M000100Y43")
    assert not is_credit_code("91350100M000100Y44")
    assert not is_credit_code("91350100M000100Y4")


def test_a_wechat_id_begins_with_a_letter_or_is_the_mobile():
    assert is_wechat("wang_xiaoming")
    assert is_wechat("13812345678")
    assert not is_wechat("1wang_xm")
    assert not is_wechat("wang")


def test_an_email_address_has_one_at_and_a_domain():
    assert is_email("wang.xm@example.com")
    assert not is_email("wang@example")
    assert not is_email("a@b@example.com")
    assert not is_email("wang..xm@example.com")


@pytest.mark.parametrize(
    ("text", "birthday"),
    [
        ("1985-03-04", Birthday(3, 4, 1985)),
        ("1985/3/4", Birthday(3, 4, 1985)),
        ("1985年3月4日", Birthday(3, 4, 1985)),
        ("一九八五年三月四日", Birthday(3, 4, 1985)),
        ("19850304", Birthday(3, 4, 1985)),
        ("1985-03-04 00:00:00", Birthday(3, 4, 1985)),
        ("3-4", Birthday(3, 4)),
        ("0304", Birthday(3, 4)),
        ("９月１日", Birthday(9, 1)),
        ("2-29", Birthday(2, 29)),
        ("农历八月十五", Birthday(8, 15, None, LUNAR)),
        ("八月十五", Birthday(8, 15, None, LUNAR)),
        ("正月初一", Birthday(1, 1, None, LUNAR)),
        ("冬月十一", Birthday(11, 11, None, LUNAR)),
        ("腊月廿三", Birthday(12, 23, None, LUNAR)),
        ("十二月三十", Birthday(12, 30, None, LUNAR)),
        ("农历1985年8月15日", Birthday(8, 15, 1985, LUNAR)),
        ("阴历 1985-08-15", Birthday(8, 15, 1985, LUNAR)),
        ("lunar 8-15", Birthday(8, 15, None, LUNAR)),
        ("闰四月初八", Birthday(4, 8, None, LUNAR, is_leap_month=True)),
        ("农历2020年闰四月初八", Birthday(4, 8, 2020, LUNAR, is_leap_month=True)),
        ("公历八月十五日", Birthday(8, 15)),
        ("八月十五日", Birthday(8, 15)),
    ],
)
def test_a_birthday_is_understood_as_people_write_it(text, birthday):
    assert read_birthday(text, on=ON) == birthday


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "13-01",
        "2023-02-29",
        "2-30",
        "2027-01-01",
        "1850-01-01",
        "农历八月三十一",
        "闰二十月初一",
        "3/15/1985",
    ],
)
def test_a_birthday_that_cannot_be_is_none(text):
    assert read_birthday(text, on=ON) is None


def test_the_calendar_column_decides_where_the_text_does_not_say():
    assert read_birthday("1985-08-15", on=ON, calendar=LUNAR) == Birthday(8, 15, 1985, LUNAR)
    assert read_birthday("公历1985-08-15", on=ON, calendar=LUNAR) == Birthday(8, 15, 1985)


@given(st.dates(date(1900, 1, 1), ON), st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d", "%Y.%m.%d"]))
def test_every_solar_birthday_comes_back(day, style):
    assert read_birthday(day.strftime(style), on=ON) == Birthday(day.month, day.day, day.year)


@pytest.mark.parametrize(
    ("criteria", "tier"),
    [
        ((3, 3, 3), Tier.VIP),
        ((3, 3, 2), Tier.VIP),
        ((2, 2, 2), Tier.QUALITY),
        ((3, 3, 1), Tier.QUALITY),
        ((2, 1, 1), Tier.ORDINARY),
        ((3, 3, None), Tier.ORDINARY),
    ],
)
def test_three_criteria_make_a_tier(criteria, tier):
    assert relation_tier(*criteria) == tier


def test_the_phones_of_real_dealers_can_nearly_all_be_dialled():
    with shared_data("import/dealers_cn_2018_messy_phones.csv").open(encoding="utf-8") as file:
        phones = [row["phone"] for row in csv.DictReader(file)]
    undialled = [phone for phone in phones if not is_phone(normalise_phone(phone))]
    assert len(phones) == 134
    assert undialled == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13812345678", "138 **** 5678"),
        ("0543-3388888", "054 **** 8888"),
        ("wx13812345678", "wx138 **** 5678"),
        ("wang_xm2026", "wang_xm2026"),
        ("", ""),
    ],
)
def test_a_wechat_id_that_is_a_number_is_masked_like_one(text, shown):
    assert mask_wechat(text) == shown


@pytest.mark.parametrize(("text", "shown"), [("wang@example.com", "w***@example.com"), ("wang_xm", "w***"), ("", "")])
def test_of_an_account_the_first_character_and_the_domain_are_left(text, shown):
    assert mask_account(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("换号13812345678了", "换号****了"),
        ("138 1234 5678 / 0543-3388888", "**** / ****"),
        ("身份证11010519491231002X", "身份证****X"),
        ("2026-11-21 来过，12345公里", "2026-11-21 来过，12345公里"),
        ("１３８１２３４５６７８", "****"),
    ],
)
def test_long_numbers_in_a_note_are_masked_and_days_are_not(text, shown):
    assert mask_numbers(text) == shown
