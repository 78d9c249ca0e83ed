from unittest import mock

import pytest
from django.urls import reverse

from customers.forms import CustomerForm
from customers.models import Customer, PersonalDataAccess
from tests.factories import ContactLogFactory, CustomerFactory, NextStepFactory, VehicleFactory

pytestmark = pytest.mark.django_db

LIST = "/customers/"


def _names(response):
    return [customer.name for customer in response.context["page"].rows]


def _file(customer):
    return reverse("customers:customer_detail", args=[customer.pk])


def _reveal(customer):
    return reverse("customers:customer_reveal", args=[customer.pk])


# --- Who sees whom ------------------------------------------------------------------------------------------------


def test_an_adviser_sees_the_customers_of_the_own_store_only(as_user, adviser, store, other_store):
    CustomerFactory(store=store, name="王小明")
    CustomerFactory(store=other_store, name="李秀英")
    assert _names(as_user(adviser).get(LIST)) == ["王小明"]


def test_a_sales_consultant_sees_own_customers_only(as_user, consultant, store):
    CustomerFactory(store=store, name="王小明", sales_consultant=consultant)
    CustomerFactory(store=store, name="李秀英")
    assert _names(as_user(consultant).get(LIST)) == ["王小明"]


@pytest.mark.parametrize("person", ["group_manager", "auditor"])
def test_the_group_sees_all_stores(as_user, request, person, store, other_store):
    CustomerFactory(store=store, name="王小明")
    CustomerFactory(store=other_store, name="李秀英")
    assert _names(as_user(request.getfixturevalue(person)).get(LIST)) == ["李秀英", "王小明"]


def test_a_system_administrator_is_told_that_customers_are_not_part_of_the_role(as_user, admin_user, store):
    customer = CustomerFactory(store=store)
    response = as_user(admin_user).get(LIST)
    assert response.status_code == 403
    assert "Your role does not include customer data. It runs the system." in response.content.decode()
    assert customer.name not in response.content.decode()


@pytest.mark.parametrize("name", ["customer_detail", "customer_edit"])
def test_a_file_of_another_store_is_not_there(as_user, other_store_adviser, store, name):
    customer = CustomerFactory(store=store)
    url = reverse(f"customers:{name}", args=[customer.pk])
    assert as_user(other_store_adviser).get(url).status_code == 404


def test_strangers_are_sent_to_sign_in(client, store):
    customer = CustomerFactory(store=store)
    response = client.get(_file(customer))
    assert (response.status_code, response.url) == (302, f"/accounts/login/?next={_file(customer)}")


# --- The list -----------------------------------------------------------------------------------------------------


def test_the_list_is_narrowed_by_the_address(as_user, adviser, store):
    CustomerFactory(store=store, name="王小明", vip=True, service_adviser=adviser)
    CustomerFactory(store=store, name="李秀英", vip=True)
    CustomerFactory(store=store, name="赵扬", service_adviser=adviser, no_contact=True)
    client = as_user(adviser)
    assert _names(client.get(LIST, {"tier": "vip"})) == ["李秀英", "王小明"]
    assert _names(client.get(LIST, {"owner": "me"})) == ["赵扬", "王小明"]
    assert _names(client.get(LIST, {"owner": adviser.pk, "tier": "vip"})) == ["王小明"]
    assert _names(client.get(LIST, {"contact": "all"})) == ["赵扬"]


def test_a_filter_that_nobody_offers_is_dropped(as_user, adviser, store):
    CustomerFactory(store=store, name="王小明")
    assert _names(as_user(adviser).get(LIST, {"tier": "gold", "sort": "colour", "after": "x~y"})) == ["王小明"]


def test_pages_are_turned_by_key_and_miss_nobody(as_user, adviser, store, monkeypatch):
    monkeypatch.setattr("customers.views.PAGE_SIZE", 2)
    for name, contact in (("甲", "2026-01-02"), ("乙", "2026-01-01"), ("丙", "2026-01-02")):
        CustomerFactory(store=store, name=name, last_effective_contact_on=contact)
    client = as_user(adviser)
    for sort, expected in (("", ["丙", "乙", "甲"]), ("contact", ["乙", "甲", "丙"])):
        first = client.get(LIST, {"sort": sort})
        second = client.get(LIST, {"sort": sort, "after": first.context["page"].next_after})
        assert _names(first) + _names(second) == expected
        assert not second.context["page"].has_next


def test_htmx_gets_the_list_alone(as_user, adviser, store):
    CustomerFactory(store=store)
    client = as_user(adviser)
    fragment = client.get(LIST, headers={"hx-request": "true"})
    assert fragment.content.decode().strip().startswith("<section")
    assert "HX-Request" in fragment["Vary"]


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_queries_for_one_and_three_customers(
    as_user, adviser, store, count, django_assert_num_queries
):
    for _ in range(count):
        VehicleFactory(owner=CustomerFactory(store=store, service_adviser=adviser, care_specialist=adviser))
    client = as_user(adviser)
    # Session, user, memberships, colleagues, count, customers, their cars.
    with django_assert_num_queries(7):
        client.get(LIST)


# --- The file -----------------------------------------------------------------------------------------------------


def test_the_file_masks_what_is_personal(as_user, adviser, store):
    customer = CustomerFactory(
        store=store, mobile="13812345678", id_number="11010519491231002X", address_detail="渤海十八路 600 号"
    )
    page = as_user(adviser).get(_file(customer)).content.decode()
    assert "138 **** 5678" in page
    assert "13812345678" not in page
    assert "11010519491231002X" not in page
    assert "渤海十八路" not in page


def test_a_wechat_id_that_is_the_mobile_is_masked_on_every_page_and_a_look_is_logged(as_user, care_specialist, store):
    customer = CustomerFactory(store=store, mobile="13812345678", wechat="13812345678")
    client = as_user(care_specialist)
    pages = [_file(customer), _edit(customer), reverse("vehicles:customer_changes", args=[customer.pk])]
    Customer.objects.filter(pk=customer.pk).update(wechat="13812345679")
    assert [page for page in pages if "1381234567" in client.get(page).text] == []
    PersonalDataAccess.objects.all().delete()
    assert "13812345679" in client.post(_reveal(customer), {"field": "wechat"}).text
    assert PersonalDataAccess.objects.get().field == "wechat"


def test_the_form_keeps_a_masked_wechat_id_and_empties_another(as_user, care_specialist, store):
    for wechat, kept in (("13812345678", "13812345678"), ("wang_xm", "")):
        customer = CustomerFactory(store=store, mobile="13812345678", wechat=wechat)
        shown = {"initial-wechat": "" if kept else wechat}
        assert as_user(care_specialist).post(_edit(customer), _input(wechat="", **shown)).status_code == 302
        customer.refresh_from_db()
        assert customer.wechat == kept


@pytest.mark.parametrize(
    ("person", "is_masked"), [("auditor", True), ("group_manager", True), ("care_specialist", False)]
)
def test_who_never_sees_clear_reads_no_address_number_or_birthday(as_user, request, store, person, is_masked):
    customer = CustomerFactory(store=store, mobile="13812345678", note="旧", do_not_contact="marketing")
    words = {"email": "wang@example.com", "wechat": "wang_xm", "note": "家里电话13987654321"}
    secrets = [*words.values(), "08-17", "13700001111"]
    Customer.objects.filter(pk=customer.pk).update(
        **words, birthday_month=8, birthday_day=17, do_not_contact_reason="别打13700001111"
    )
    ContactLogFactory(customer=customer, note="改打13987654322")
    NextStepFactory(customer=customer, detail="朋友 13987654323")
    client = as_user(request.getfixturevalue(person))
    names = ["vehicles:customer_changes", "followups:customer_contacts", "followups:customer_next_steps"]
    pages = [client.get(_file(customer)).text, client.get(f"/queue/{customer.pk}/").text]
    pages += [client.get(reverse(name, args=[customer.pk])).text for name in names]
    text = "".join(pages)
    secrets += ["13987654322", "13987654323"]
    assert [secret for secret in secrets if secret in text] == ([] if is_masked else secrets)


def test_a_mobile_is_shown_on_asking_and_the_look_is_logged(as_user, adviser, store):
    customer = CustomerFactory(store=store, mobile="13812345678")
    response = as_user(adviser).post(_reveal(customer), {"field": "mobile"}, headers={"hx-request": "true"})
    assert "13812345678" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    access = PersonalDataAccess.objects.get()
    assert (access.customer, access.field, access.by, access.reason) == (customer, "mobile", adviser, "")


def test_an_id_number_needs_a_reason(as_user, general_manager, store):
    customer = CustomerFactory(store=store, id_number="11010519491231002X")
    client = as_user(general_manager)
    refused = client.post(_reveal(customer), {"field": "id_number", "reason": " "})
    assert refused.status_code == 422
    assert "11010519491231002X" not in refused.content.decode()
    assert not PersonalDataAccess.objects.exists()
    shown = client.post(_reveal(customer), {"field": "id_number", "reason": "保险理赔"})
    assert "11010519491231002X" in shown.content.decode()
    assert PersonalDataAccess.objects.get().reason == "保险理赔"


@pytest.mark.parametrize(
    ("person", "field", "status"),
    [
        ("adviser", "mobile", 200),
        ("adviser", "id_number", 403),
        ("care_specialist", "address", 403),
        ("manager", "id_number", 403),
        ("sales_manager", "id_number", 200),
        ("consultant", "address", 200),
        ("group_manager", "mobile", 403),
        ("auditor", "mobile", 403),
        ("auditor", "id_number", 403),
        ("other_store_adviser", "mobile", 404),
    ],
)
def test_who_may_see_what(as_user, request, store, consultant, person, field, status):
    customer = CustomerFactory(
        store=store, sales_consultant=consultant, id_number="11010519491231002X", address_detail="渤海十八路 600 号"
    )
    client = as_user(request.getfixturevalue(person))
    response = client.post(_reveal(customer), {"field": field, "reason": "核对"})
    assert response.status_code == status
    assert PersonalDataAccess.objects.count() == (1 if status == 200 else 0)


def test_a_get_reveals_nothing(as_user, adviser, store):
    customer = CustomerFactory(store=store)
    assert as_user(adviser).get(_reveal(customer)).status_code == 405


def test_a_field_that_does_not_exist_is_refused(as_user, adviser, store):
    customer = CustomerFactory(store=store)
    assert as_user(adviser).post(_reveal(customer), {"field": "note"}).status_code == 422


# --- Changing -----------------------------------------------------------------------------------------------------


def _input(**values):
    return {
        "name": "王小明",
        "kind": "person",
        "language": "zh-hans",
        "birthday_calendar": "solar",
        "do_not_contact": "none",
    } | values


def _edit(customer):
    return reverse("customers:customer_edit", args=[customer.pk])


def test_the_form_changes_what_was_written_and_keeps_masked_numbers(as_user, care_specialist, store):
    customer = CustomerFactory(store=store, name="王小明", mobile="13812345678", is_mobile_wrong=True)
    response = as_user(care_specialist).post(
        _edit(customer), _input(name="王晓明", preferred_channel="wechat", is_mobile_wrong="on")
    )
    assert (response.status_code, response.url) == (302, _file(customer))
    customer = Customer.objects.get()
    assert (customer.name, customer.name_initials, customer.preferred_channel) == ("王晓明", "wxm", "wechat")
    assert (customer.mobile, customer.is_mobile_wrong) == ("13812345678", True)


def test_a_new_mobile_is_right(as_user, care_specialist, store):
    customer = CustomerFactory(store=store, mobile="13812345678", is_mobile_wrong=True)
    as_user(care_specialist).post(_edit(customer), _input(mobile="+86 139 0000 1111", is_mobile_wrong="on"))
    customer.refresh_from_db()
    assert (customer.mobile, customer.is_mobile_wrong) == ("13900001111", False)


@pytest.mark.usefixtures("english")
def test_a_mobile_that_another_file_of_the_store_has_is_saved_and_said(as_user, care_specialist, store, other_store):
    wife = CustomerFactory(store=store, mobile="13900001111")
    CustomerFactory(store=store, mobile="13900001111", status="deceased")
    CustomerFactory(store=other_store, mobile="13900001111")
    customer, client = CustomerFactory(store=store), as_user(care_specialist)
    saved = client.post(_edit(customer), _input(mobile="139 0000 1111"), follow=True)
    customer.refresh_from_db()
    assert customer.mobile == "13900001111"
    assert f"Another customer of this store has the same mobile: {wife.number}." in saved.text
    assert "has the same mobile" not in client.post(_edit(customer), _input(note="x"), follow=True).text


def test_the_form_never_shows_a_number_in_clear(as_user, care_specialist, store):
    customer = CustomerFactory(store=store, mobile="13812345678")
    page = as_user(care_specialist).get(_edit(customer)).content.decode()
    assert "13812345678" not in page
    assert "138 **** 5678" in page


def test_do_not_contact_needs_a_reason_and_remembers_since_when(as_user, care_specialist, store, time_machine):
    time_machine.move_to("2026-11-21T09:00:00+08:00", tick=False)
    customer = CustomerFactory(store=store)
    client = as_user(care_specialist)
    refused = client.post(_edit(customer), _input(do_not_contact="all"))
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["do_not_contact_reason"])
    client.post(_edit(customer), _input(do_not_contact="all", do_not_contact_reason="电话中要求"))
    customer.refresh_from_db()
    assert (customer.do_not_contact, str(customer.do_not_contact_on)) == ("all", "2026-11-21")


def test_lifting_a_wish_needs_a_reason_of_its_own(as_user, care_specialist, store):
    wish = {"do_not_contact": "all", "do_not_contact_reason": "电话中要求"}
    customer = CustomerFactory(store=store, do_not_contact_on="2026-01-01", **wish)
    client = as_user(care_specialist)
    shown = {"initial-do_not_contact": "all", "initial-do_not_contact_reason": "电话中要求"}
    for reason in ("", "电话中要求"):
        refused = client.post(_edit(customer), _input(do_not_contact_reason=reason, **shown))
        assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["do_not_contact_reason"])
    client.post(_edit(customer), _input(do_not_contact_reason="本人到店要求恢复", **shown))
    customer.refresh_from_db()
    assert (customer.do_not_contact, customer.do_not_contact_reason) == ("none", "本人到店要求恢复")


def test_a_reason_that_somebody_else_gave_meanwhile_does_not_lift_the_wish(as_user, care_specialist, store):
    customer = CustomerFactory(store=store, do_not_contact="all", do_not_contact_reason="本人要求")
    shown = {"initial-do_not_contact": "all", "initial-do_not_contact_reason": "旧"}
    Customer.objects.update(do_not_contact_reason="新")
    with mock.patch.object(CustomerForm, "_clean_wish"):
        refused = as_user(care_specialist).post(_edit(customer), _input(do_not_contact_reason="新", **shown))
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["do_not_contact_reason"])
    customer.refresh_from_db()
    assert customer.do_not_contact == "all"


def _as_shown(page):
    """What a browser sends for a form that nobody touched."""
    form = page.context["form"]
    data = {}
    for bound in form:
        value = form.initial.get(bound.name)
        if value not in (None, "", False):
            data[bound.html_name] = data[bound.html_initial_name] = value
        if bound.field.show_hidden_initial:
            data.setdefault(bound.html_initial_name, "")
            assert f'name="{bound.html_initial_name}"' in page.content.decode()
    return data


def test_a_form_puts_back_nothing_that_somebody_else_changed_meanwhile(as_user, care_specialist, manager, store):
    customer = CustomerFactory(store=store, name="王小明", email="old@example.com")
    client = as_user(care_specialist)
    shown = _as_shown(client.get(_edit(customer)))
    as_user(manager).post(
        _edit(customer), _input(email="new@example.com", do_not_contact="all", do_not_contact_reason="电话中要求")
    )
    assert client.post(_edit(customer), shown | {"note": "爱喝茶"}).status_code == 302
    customer.refresh_from_db()
    assert (customer.do_not_contact, customer.email, customer.note) == ("all", "new@example.com", "爱喝茶")


def test_a_birthday_is_known_since_the_day_it_was_written_down(as_user, care_specialist, store, time_machine):
    time_machine.move_to("2026-11-21T09:00:00+08:00", tick=False)
    customer = CustomerFactory(store=store)
    as_user(care_specialist).post(_edit(customer), _input(birthday_month=5, birthday_day=2))
    customer.refresh_from_db()
    assert str(customer.birthday_since) == "2026-11-21"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"mobile": "12345"}, "mobile"),
        ({"other_phone": "33888"}, "other_phone"),
        ({"wechat": "1x"}, "wechat"),
        ({"email": "a@b"}, "email"),
        ({"birthday_month": 2, "birthday_day": 30}, "birthday_day"),
        ({"birthday_month": 2}, "birthday_day"),
        ({"birthday_month": 8, "birthday_day": 31, "birthday_calendar": "lunar"}, "birthday_day"),
        ({"birthday_year": 1850}, "birthday_year"),
        ({"is_birthday_leap_month": "on"}, "is_birthday_leap_month"),
        ({"name": ""}, "name"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_saved(as_user, care_specialist, store, values, field):
    customer = CustomerFactory(store=store, name="李秀英")
    response = as_user(care_specialist).post(_edit(customer), _input(**values))
    assert (response.status_code, list(response.context["form"].errors)) == (422, [field])
    customer.refresh_from_db()
    assert customer.name == "李秀英"


def test_a_lunar_birthday_on_the_thirtieth_is_kept(as_user, care_specialist, store):
    customer = CustomerFactory(store=store)
    values = _input(
        birthday_calendar="lunar", birthday_month=2, birthday_day=30, is_birthday_leap_month="on", birthday_year=1985
    )
    as_user(care_specialist).post(_edit(customer), values)
    customer.refresh_from_db()
    assert (customer.birthday_month, customer.birthday_day, customer.is_birthday_leap_month) == (2, 30, True)


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("care_specialist", 200),
        ("manager", 200),
        ("adviser", 403),
        ("group_manager", 403),
        ("auditor", 403),
        ("consultant", 404),
    ],
)
def test_who_may_change_a_customer_of_somebody_else(as_user, request, store, person, status):
    customer = CustomerFactory(store=store)
    assert as_user(request.getfixturevalue(person)).get(_edit(customer)).status_code == status


def test_an_adviser_changes_own_customers(as_user, adviser, store):
    customer = CustomerFactory(store=store, service_adviser=adviser)
    assert as_user(adviser).get(_edit(customer)).status_code == 200


def test_looking_around_writes_nothing(as_user, care_specialist, store, writes_of):
    customer = CustomerFactory(store=store)
    client = as_user(care_specialist)
    client.get(_file(customer))  # noted, and that is enough for the form
    for url in (LIST, _edit(customer), "/search/?q=王"):
        assert writes_of(lambda url=url: client.get(url)) == []
