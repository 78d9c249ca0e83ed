"""Templates of the care plan with a customer's values filled in (domain §3.3)."""

from followups.care_plan import read_care_plan
from followups.talking_points import PointValues, fill, fill_lines, message_lines, one_message, unknown_placeholders

VALUES = PointValues(
    customer="王先生",
    model="博瑞",
    plate="鲁MB6688",
    date="12月3日",
    store="渤海路店",
    adviser="陈静",
    wishes="祝您节日快乐",
)


def test_placeholders_of_both_languages_are_filled_in():
    assert (
        fill("{客户}的{车型}({车牌}),{日期}到期,{门店}{顾问}", VALUES)
        == "王先生的博瑞(鲁MB6688),12月3日到期,渤海路店陈静"
    )
    assert fill("{customer} {model} {plate} {date} {store} {adviser} {wishes}", VALUES) == (
        "王先生 博瑞 鲁MB6688 12月3日 渤海路店 陈静 祝您节日快乐"
    )


def test_a_value_that_looks_like_a_placeholder_is_left_alone():
    odd = PointValues(customer="{store}", model="", plate="", date="", store="S", adviser="", wishes="")

    assert fill("{customer}", odd) == "{store}"


def test_an_unknown_placeholder_stays_to_be_seen():
    assert fill("{colour} {customer}", VALUES) == "{colour} 王先生"
    assert unknown_placeholders("{colour} {customer} {}") == ["colour", ""]


def test_lines_come_one_by_one_without_empty_ones():
    assert fill_lines("  {customer}\n\n {model} ", VALUES) == ["王先生", "博瑞"]


def test_the_delivered_care_plan_uses_known_placeholders_only():
    unknown = {
        rule["code"]: found
        for rule in read_care_plan()
        if (found := unknown_placeholders(rule["points_zh"]) + unknown_placeholders(rule["points_en"]))
    }

    assert unknown == {}


def test_a_message_is_the_first_line_and_leaves_out_what_is_for_staff():
    template = "{customer}您好，祝您生日快乐！\n只祝福，不推销；可附礼券"
    assert message_lines(template, VALUES) == [f"{VALUES.customer}您好，祝您生日快乐！"]


def test_what_the_delivered_plan_says_first_can_be_sent_as_it_is():
    not_addressed = [
        rule["code"]
        for rule in read_care_plan()
        if rule.get("handling") not in ("form", "list")
        and not (
            rule["points_zh"].strip().startswith("{客户}您好，")
            and rule["points_en"].strip().startswith(("Hello {customer}, ", "Dear {customer}, "))
        )
    ]

    assert not_addressed == []


def test_several_reasons_make_one_message_with_one_greeting():
    chinese = one_message(["王先生您好，该保养了", "王先生您好，保险明天到期", "店里有活动"], customer="王先生")
    english = one_message(["Hello Mr Wang, a service is due", "Dear Mr Wang, your insurance ends"], customer="Mr Wang")

    assert chinese == "王先生您好，该保养了\n保险明天到期\n店里有活动"
    assert english == "Hello Mr Wang, a service is due\nYour insurance ends"
