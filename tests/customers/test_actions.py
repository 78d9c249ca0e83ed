"""Writes of the customer file."""

from datetime import date

import pytest
from django.apps import apps
from django.db.models import TextField
from django.db.models.functions import Cast

from core.fields import keyed_digest
from customers.actions import (
    CannotChangeCustomer,
    allocate_customer_numbers,
    create_customer,
    record_consent,
    set_do_not_contact,
    update_customer,
)
from customers.choices import Channel, ConsentPurpose, DoNotContact
from customers.models import Customer
from customers.signals import wishes_changed
from tests.factories import NOW, TODAY, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(store, adviser):
    return create_customer(
        store=store,
        name="王小明",
        entered_on=TODAY,
        by=adviser,
        mobile="+86 138-1234-5678",
        id_number="11010519491231002x",
    )


def test_a_new_customer_has_a_number_and_is_found_by_name(customer):
    customer.refresh_from_db()
    assert customer.number[:3] == "C26"
    assert customer.number[3:].isdigit()
    assert len(customer.number) == 9
    assert (customer.mobile, customer.name_initials, customer.name_pinyin) == ("13812345678", "wxm", "wangxiaoming")
    assert customer.id_number == "11010519491231002X"
    assert customer.id_number_hash == keyed_digest("11010519491231002X")


def test_an_id_number_is_not_readable_in_the_database(customer):
    stored = Customer.objects.annotate(stored=Cast("id_number", TextField()))
    raw = stored.get(pk=customer.pk).stored
    assert raw
    assert "19491231" not in raw


def test_numbers_step_over_those_that_an_import_brought(store):
    first, second = allocate_customer_numbers(2, on=TODAY)
    nexts = [f"C26{int(second[3:]) + step:06d}" for step in (1, 2, 3)]
    CustomerFactory(store=store, number=nexts[0])
    CustomerFactory(store=store, number=nexts[2])
    assert first < second
    assert allocate_customer_numbers(1, on=TODAY) == [nexts[1]]


def test_a_correction_names_what_changed_and_trusts_the_new_mobile(customer, adviser):
    Customer.objects.filter(pk=customer.pk).update(is_mobile_wrong=True)
    customer.refresh_from_db()
    changed = update_customer(customer=customer, values={"mobile": "139 0000 0000", "name": "王小明"}, by=adviser)
    customer.refresh_from_db()
    assert changed == ["mobile", "is_mobile_wrong"]
    assert (customer.mobile, customer.is_mobile_wrong) == ("13900000000", False)
    assert update_customer(customer=customer, values={"mobile": "13900000000"}, by=adviser) == []


def test_a_correction_from_an_old_copy_leaves_what_others_changed_meanwhile(customer, adviser, second_adviser):
    old_copy = Customer.objects.get(pk=customer.pk)
    update_customer(customer=customer, values={"mobile": "13900000000", "note": "calls back"}, by=second_adviser)
    changed = update_customer(customer=old_copy, values={"mobile": "13812345678", "wechat": "wxm_2026"}, by=adviser)
    assert changed == ["mobile", "wechat", "is_mobile_wrong"]
    assert (old_copy.mobile, old_copy.note) == ("13812345678", "calls back")
    assert Customer.objects.values_list("mobile", "note", "wechat").get(pk=customer.pk) == (
        "13812345678",
        "calls back",
        "wxm_2026",
    )


def test_a_new_name_is_found_at_once(customer, adviser):
    update_customer(customer=customer, values={"name": "张三"}, by=adviser)
    customer.refresh_from_db()
    assert (customer.name_initials, "张三" in customer.name_grams) == ("zs", True)


@pytest.mark.parametrize("name", ["number", "do_not_contact", "last_visit_on", "nonsense"])
def test_what_has_an_action_of_its_own_is_not_set_by_hand(customer, adviser, name):
    with pytest.raises(TypeError):
        update_customer(customer=customer, values={name: "x"}, by=adviser)


def test_do_not_contact_needs_a_reason_and_can_be_lifted(customer, adviser):
    with pytest.raises(CannotChangeCustomer):
        set_do_not_contact(customer=customer, level=DoNotContact.MARKETING, reason=" ", on=TODAY, by=adviser)
    set_do_not_contact(customer=customer, level=DoNotContact.MARKETING, reason="asked", on=TODAY, by=adviser)
    customer.refresh_from_db()
    assert (customer.do_not_contact, customer.do_not_contact_on) == (DoNotContact.MARKETING, TODAY)
    set_do_not_contact(customer=customer, level=DoNotContact.NONE, reason="", on=TODAY, by=adviser)
    customer.refresh_from_db()
    assert (customer.do_not_contact, customer.do_not_contact_on) == (DoNotContact.NONE, None)


def test_the_newest_line_of_the_ledger_decides_whether_a_channel_is_refused(customer, adviser):
    def say(purpose, channel, is_given, hour):
        record_consent(
            customer=customer,
            purpose=purpose,
            channel=channel,
            is_given=is_given,
            at=NOW.replace(hour=hour),
            by=adviser,
        )
        customer.refresh_from_db()
        return customer.refused_channels

    assert say(ConsentPurpose.MARKETING, Channel.SMS, False, 1) == ["sms"]
    assert say(ConsentPurpose.SERVICE, Channel.PHONE, False, 2) == ["phone", "sms"]
    assert say(ConsentPurpose.PROFILING, Channel.WECHAT, False, 3) == ["phone", "sms"]
    assert say(ConsentPurpose.MARKETING, Channel.SMS, True, 4) == ["phone"]
    # An older line that is entered late does not beat a newer one.
    assert say(ConsentPurpose.MARKETING, Channel.SMS, False, 0) == ["phone"]


def test_who_listens_hears_at_once_which_channels_were_refused_or_allowed(
    customer, adviser, django_capture_on_commit_callbacks
):
    heard = []

    def listen(customer_ids, **kwargs):
        heard.append(customer_ids)

    line = {"customer": customer, "purpose": ConsentPurpose.SERVICE, "channel": Channel.SMS, "by": adviser}
    wishes_changed.connect(listen)
    try:
        for hour, is_given in enumerate((False, False, True)):
            with django_capture_on_commit_callbacks(execute=True):
                record_consent(is_given=is_given, at=NOW.replace(hour=hour), **line)
    finally:
        wishes_changed.disconnect(listen)
    # The second line changes nothing.
    assert heard == [[customer.pk], [customer.pk]]


def test_the_history_names_who_changed_a_customer(customer, adviser):
    update_customer(customer=customer, values={"name": "张三"}, by=adviser)
    event = apps.get_model("customers", "CustomerEvent").objects.latest("pgh_id")
    assert event.pgh_context.metadata["user"] == adviser.pk


def test_a_customer_of_another_year_has_a_number_of_that_year(store):
    assert create_customer(store=store, name="李", entered_on=date(2027, 1, 1), by=None).number[:3] == "C27"
