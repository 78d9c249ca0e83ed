"""Writes of the customer file."""

from datetime import date
from itertools import count

import pytest
from django.apps import apps
from django.db.models import TextField
from django.db.models.functions import Cast

from core.fields import keyed_digest
from customers.actions.files import allocate_customer_numbers, create_customer, save_customer_form, update_customer
from customers.actions.wishes import CannotChangeCustomer, record_consent, set_do_not_contact
from customers.choices import Channel, ConsentPurpose, DoNotContact, Salutation
from customers.models import Consent, Customer
from customers.signals import wishes_changed
from tests.factories import NOW, TODAY, CustomerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]


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


def test_a_salutation_is_known_since_the_day_it_was_changed(customer, adviser):
    assert customer.salutation_since is None  # since the customer is
    told, later = date(2026, 12, 1), date(2026, 12, 2)
    update_customer(customer=customer, values={"salutation": Salutation.MS}, on=told, by=adviser)
    update_customer(customer=customer, values={"salutation": Salutation.MS, "note": "x"}, on=later, by=adviser)
    assert Customer.objects.get(pk=customer.pk).salutation_since == told
    update_customer(customer=customer, values={"salutation": Salutation.MR}, on=later, by=adviser)
    assert Customer.objects.get(pk=customer.pk).salutation_since == later


@pytest.mark.parametrize(
    ("visited_on", "delivered_on", "silent_since_on"),
    [
        (None, None, None),
        (date(2026, 1, 10), None, date(2026, 1, 10)),
        (None, date(2026, 6, 20), date(2026, 6, 20)),
        (date(2026, 1, 10), date(2026, 6, 20), date(2026, 6, 20)),
        (date(2026, 6, 20), date(2026, 1, 10), date(2026, 6, 20)),
    ],
)
def test_silence_begins_with_the_later_of_last_visit_and_last_delivery(visited_on, delivered_on, silent_since_on):
    customer = CustomerFactory(last_visit_on=visited_on, last_delivery_on=delivered_on)
    assert Customer.objects.get(pk=customer.pk).silent_since_on == silent_since_on


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
    for no_reason in ("", " ", "asked"):
        with pytest.raises(CannotChangeCustomer, match="contacted again"):
            set_do_not_contact(customer=customer, level=DoNotContact.NONE, reason=no_reason, on=TODAY, by=adviser)
    set_do_not_contact(customer=customer, level=DoNotContact.NONE, reason="wrote so", on=TODAY, by=adviser)
    customer.refresh_from_db()
    assert (customer.do_not_contact, customer.do_not_contact_on) == (DoNotContact.NONE, None)
    assert customer.do_not_contact_reason == "wrote so"


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


# --- One person, several files (ADR 0015) ---------------------------------------------------------------------------


NUMBERS = count(1)


def on_file(**values):
    """A customer whose number the action, which gives out numbers too, never meets."""
    return CustomerFactory(number=f"F{next(NUMBERS)}", **values)


@pytest.fixture
def files(customer, store, other_store):
    """Files that have the customer's mobile or ID number, and some that only seem so."""
    number = {"mobile": customer.mobile}
    return {
        "same mobile": on_file(store=other_store, **number),
        "same ID": on_file(store=other_store, id_number_hash=customer.id_number_hash),
        "household": on_file(store=store, **number),
        "wrong number": on_file(store=other_store, is_mobile_wrong=True, **number),
        "deceased": on_file(store=other_store, status="deceased", **number),
        "nobody": on_file(store=other_store, mobile=""),
    }


SAME = {"same mobile", "same ID", "household"}


def kept(files, *fields):
    rows = {row.pk: row for row in Customer.objects.all()}
    return {name: tuple(getattr(rows[file.pk], field) for field in fields) for name, file in files.items()}


def refuse(customer, by, level=DoNotContact.ALL_BUT_SAFETY, reason="told 赵扬 so"):
    set_do_not_contact(customer=customer, level=level, reason=reason, on=TODAY, by=by)


def test_who_wants_no_contact_is_left_alone_under_every_file_of_the_group(customer, files, adviser, planned_at_once):
    ids = planned_at_once(lambda: refuse(customer, adviser))
    assert {name for name, (level,) in kept(files, "do_not_contact").items() if level != "none"} == SAME
    assert ids == {customer.pk, *(files[name].pk for name in SAME)}
    words = {kept(files, "do_not_contact_reason", "do_not_contact_on")[name] for name in SAME}
    assert words == {("Asked for in the group by the person of this number or ID.", TODAY)}
    event = apps.get_model("customers", "CustomerEvent").objects.filter(pgh_obj_id=files["same ID"].pk).get()
    assert event.pgh_context.metadata["user"] == adviser.pk


def test_a_wish_is_never_loosened_by_another_file_and_lifted_in_one_alone(customer, files, adviser):
    Customer.objects.filter(pk=files["same ID"].pk).update(do_not_contact="all", do_not_contact_reason="own")
    refuse(customer, adviser, DoNotContact.MARKETING)
    assert kept(files, "do_not_contact")["same ID"] == ("all",)
    assert kept(files, "do_not_contact_reason")["same ID"] == ("own",)
    assert kept(files, "do_not_contact")["household"] == ("marketing",)
    household = files["household"]
    refuse(household, adviser, DoNotContact.NONE, reason="wants her reminders")
    customer.refresh_from_db()
    assert customer.do_not_contact == "marketing"
    # The same said again in the first file is no stricter wish.
    refuse(customer, adviser, DoNotContact.MARKETING, reason="said so again")
    assert kept(files, "do_not_contact")["household"] == ("none",)


def test_a_withdrawn_consent_is_one_in_every_file_and_a_given_one_in_its_own(customer, files, adviser):
    line = {"purpose": ConsentPurpose.MARKETING, "channel": Channel.SMS, "by": adviser}
    later = NOW.replace(hour=NOW.hour + 1)
    record_consent(customer=files["household"], is_given=True, at=later, **line)
    record_consent(customer=customer, is_given=False, at=NOW, evidence="told 赵扬 so", **line)
    expected = {name: (["sms"],) if name in {"same mobile", "same ID"} else ([],) for name in files}
    assert kept(files, "refused_channels") == expected
    copies = Consent.objects.filter(customer=files["same ID"])
    assert list(copies.values_list("is_given", "at", "evidence", "recorded_by")) == [
        (False, NOW, "Asked for in the group by the person of this number or ID.", None)
    ]
    record_consent(customer=customer, is_given=True, at=later, **line)
    assert kept(files, "refused_channels") == expected
    # Withdrawn twice, each of the other files learns it once.
    record_consent(customer=customer, is_given=False, at=later, **line)
    record_consent(customer=customer, is_given=False, at=later, **line)
    assert Consent.objects.filter(customer=files["same ID"]).count() == 2


def test_a_withdrawal_does_not_bring_back_a_wish_that_was_lifted(customer, files, adviser):
    refuse(customer, adviser)
    refuse(files["household"], adviser, DoNotContact.NONE, reason="wants her reminders")
    record_consent(
        customer=customer, purpose=ConsentPurpose.SERVICE, channel=Channel.SMS, is_given=False, at=NOW, by=adviser
    )
    assert kept(files, "do_not_contact", "refused_channels")["household"] == ("none", ["sms"])


def test_a_new_file_and_a_new_number_take_over_the_wish_of_their_person(
    customer, store, other_store, adviser, planned_at_once
):
    refuse(customer, adviser)
    fresh = create_customer(store=other_store, name="王", entered_on=TODAY, by=adviser, mobile=customer.mobile)
    assert (fresh.do_not_contact, fresh.do_not_contact_on) == (DoNotContact.ALL_BUT_SAFETY, TODAY)
    moved = on_file(store=store, is_mobile_wrong=True)
    ids = planned_at_once(lambda: update_customer(customer=moved, values={"mobile": customer.mobile}, by=adviser))
    assert (moved.do_not_contact, ids) == (DoNotContact.ALL_BUT_SAFETY, {moved.pk})
    righted = on_file(store=store, mobile=customer.mobile, is_mobile_wrong=True)
    update_customer(customer=righted, values={"note": "x"}, by=adviser)
    assert righted.do_not_contact == DoNotContact.NONE
    update_customer(customer=righted, values={"is_mobile_wrong": False}, by=adviser)
    assert righted.do_not_contact == DoNotContact.ALL_BUT_SAFETY


def test_who_refuses_and_has_a_new_number_is_left_alone_under_it_everywhere(customer, other_store, adviser):
    elsewhere = on_file(store=other_store, mobile="13900001111")
    refuse(customer, adviser)
    update_customer(customer=customer, values={"mobile": "13900001111"}, by=adviser)
    elsewhere.refresh_from_db()
    assert elsewhere.do_not_contact == DoNotContact.ALL_BUT_SAFETY


def test_a_form_with_a_new_number_keeps_the_stricter_of_two_wishes(customer, store, adviser):
    refuse(customer, adviser)
    other = on_file(store=store)
    values = {"mobile": customer.mobile, "do_not_contact": "marketing", "do_not_contact_reason": "no ads"}
    save_customer_form(customer=other, values=values, on=TODAY, by=adviser)
    other.refresh_from_db()
    assert other.do_not_contact == DoNotContact.ALL_BUT_SAFETY


def test_the_wish_of_one_person_of_many_files_asks_no_more_queries(
    store, other_store, adviser, django_assert_num_queries
):
    for several in (2, 6):
        one, *_others = (on_file(store=other_store, mobile=f"1380000000{several}") for _n in range(several))
        with django_assert_num_queries(WISH_QUERIES):
            refuse(one, adviser)


# Savepoint, own number, lock, own wish, write, own number again, its other files, write these, release.
WISH_QUERIES = 9


def test_the_history_names_who_changed_a_customer(customer, adviser):
    update_customer(customer=customer, values={"name": "张三"}, by=adviser)
    event = apps.get_model("customers", "CustomerEvent").objects.latest("pgh_id")
    assert event.pgh_context.metadata["user"] == adviser.pk


def test_a_customer_of_another_year_has_a_number_of_that_year(store):
    assert create_customer(store=store, name="李", entered_on=date(2027, 1, 1), by=None).number[:3] == "C27"
