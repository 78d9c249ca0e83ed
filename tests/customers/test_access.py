"""Who looked at whom: every file opened is noted, and very many in an hour alarm the general manager (domain §10)."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.choices import Role
from customers.choices import PersonalDataField
from customers.models import Customer, PersonalDataAccess
from customers.permissions import can_open_file
from customers.queries import access_alarms_for, busiest_readers
from tests.factories import NOW, CustomerFactory, MembershipFactory, VehicleFactory

pytestmark = pytest.mark.django_db

LOG = "/customers/access/"
GROUP_ROLES = (Role.GROUP_MANAGER, Role.AUDITOR, Role.SYSTEM_ADMIN)


@pytest.fixture(autouse=True)
def _nine_in_the_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customers(store):
    return CustomerFactory.create_batch(51, store=store)


def looked(by, customers, *, before=timedelta(), every=timedelta(), field=PersonalDataField.FILE):
    """Note looks that end ``before`` now, one customer after the other."""
    PersonalDataAccess.objects.bulk_create(
        PersonalDataAccess(customer=customer, by=by, field=field, at=NOW - before - every * number)
        for number, customer in enumerate(customers)
    )


def readers():
    return [(reader.user_id, reader.count) for reader in busiest_readers(now=NOW)]


def test_opening_a_file_is_noted(as_user, adviser, store):
    customer = CustomerFactory(store=store)
    as_user(adviser).get(customer.get_absolute_url())
    access = PersonalDataAccess.objects.get()
    assert (access.customer, access.by, access.field, access.at) == (customer, adviser, "file", NOW)


def test_a_card_of_the_queue_is_noted_like_the_file(as_user, adviser, store):
    customer = CustomerFactory(store=store)
    as_user(adviser).get(f"/queue/{customer.pk}/")
    assert PersonalDataAccess.objects.get().field == "file"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_own", [True, False])
def test_one_file_and_many_are_open_to_the_same_people(store, other_store, role, is_own):
    user = MembershipFactory(store=None if role in GROUP_ROLES else store, role=role).user
    files = [CustomerFactory(store=where, sales_consultant=user if is_own else None) for where in (store, other_store)]

    seen = set(Customer.objects.visible_to(user))

    assert {customer for customer in files if can_open_file(user, customer)} == seen


@pytest.fixture
def parts(store):
    """The addresses of a customer's file but for the file itself, as pages."""
    customer = CustomerFactory(store=store)
    names = ("vehicles:customer_cars", "vehicles:customer_changes", "service:customer_orders")
    names += ("followups:customer_care", "followups:customer_contacts", "followups:customer_next_steps")
    return customer, [
        reverse("customers:customer_edit", args=[customer.pk]),
        reverse("customers:customer_consent", args=[customer.pk]),
        VehicleFactory(owner=customer).get_absolute_url(),
        *(reverse(name, args=[customer.pk]) for name in names),
    ]


def test_a_part_of_a_file_is_noted_once_an_hour_whatever_the_browser_says(
    as_user, care_specialist, parts, time_machine
):
    customer, addresses = parts
    client = as_user(care_specialist)
    for number, address in enumerate(addresses):
        time_machine.move_to(NOW + timedelta(hours=number), tick=False)
        for headers in ({"hx-request": "true"}, {}):
            assert client.get(address, headers=headers).status_code == 200
    lines = PersonalDataAccess.objects.order_by("at").values_list("customer", "by", "field", "at")
    assert list(lines) == [
        (customer.pk, care_specialist.pk, "file", NOW + timedelta(hours=number)) for number in range(len(addresses))
    ]


def test_the_panels_of_a_file_that_was_opened_add_no_line_for_the_same_person(
    as_user, care_specialist, general_manager, parts
):
    customer, addresses = parts
    client = as_user(care_specialist)
    client.get(customer.get_absolute_url())
    for address in addresses:
        client.get(address)
    assert PersonalDataAccess.objects.count() == 1
    as_user(general_manager).get(addresses[-1])
    assert [line.by for line in PersonalDataAccess.objects.all()] == [general_manager, care_specialist]


def test_fifty_files_in_an_hour_are_no_alarm_and_fifty_one_are(adviser, customers):
    looked(adviser, customers[:50], every=timedelta(minutes=1))
    assert readers() == []
    looked(adviser, customers[50:])
    assert readers() == [(adviser.pk, 51)]


def test_the_hour_may_begin_at_any_minute_but_has_sixty_of_them(adviser, customers):
    looked(adviser, customers, before=timedelta(minutes=40), every=timedelta(seconds=71))
    assert readers() == [(adviser.pk, 51)]
    PersonalDataAccess.objects.all().delete()
    looked(adviser, customers, before=timedelta(minutes=40), every=timedelta(seconds=73))
    assert readers() == []


def test_one_customer_looked_at_again_and_again_counts_once(adviser, customers):
    looked(adviser, customers[:50], every=timedelta(minutes=1))
    looked(adviser, customers[:1] * 60, every=timedelta(seconds=50))
    assert readers() == []


def test_an_export_of_many_rows_alarms_at_once_and_for_a_day(care_specialist, customers):
    looked(care_specialist, customers, field=PersonalDataField.EXPORT, before=timedelta(hours=23))
    assert readers() == [(care_specialist.pk, 51)]
    assert busiest_readers(now=NOW + timedelta(hours=2)) == []


def test_the_general_manager_and_the_group_are_alarmed_and_nobody_else(
    as_user, adviser, general_manager, group_manager, manager, auditor, admin_user, other_store, customers
):
    other_manager = MembershipFactory(store=other_store, role=Role.GENERAL_MANAGER).user
    looked(adviser, customers)
    words = "赵扬 opened or took away the data of 51 customers in the hour before 2026-11-21 Sat 09:00."
    warned = {
        user: words in as_user(user).get("/care-plan/").text
        for user in (general_manager, group_manager, manager, auditor, admin_user, other_manager, adviser)
    }
    assert [user for user, is_warned in warned.items() if is_warned] == [general_manager, group_manager]


def test_the_alarm_leads_to_the_lines_behind_it(as_user, general_manager, adviser, second_adviser, customers):
    looked(adviser, customers, every=timedelta(seconds=1))
    looked(second_adviser, customers[:1])
    client = as_user(general_manager)
    assert f'href="{LOG}?person={adviser.pk}"' in client.get("/care-plan/").text
    page = client.get(LOG, {"person": adviser.pk}).context["page"]
    assert {line.by for line in page.rows} == {adviser}
    assert (len(page.rows), page.has_next) == (50, True)


def test_a_manager_reads_the_log_of_the_own_people_alone(as_user, general_manager, adviser, other_store_adviser):
    own, other = CustomerFactory(store=adviser.memberships.get().store), CustomerFactory()
    looked(adviser, [own])
    looked(other_store_adviser, [other])
    client = as_user(general_manager)
    assert [line.customer for line in client.get(LOG).context["page"].rows] == [own]
    assert [line.customer for line in client.get(LOG, {"person": other_store_adviser.pk}).context["page"].rows] == [own]


@pytest.fixture
def of_both(adviser, other_store):
    """The adviser, who works in the other store as well."""
    MembershipFactory(user=adviser, store=other_store, role=Role.SERVICE_ADVISER)
    return adviser


def test_what_own_people_do_in_another_store_is_for_its_manager_to_read(
    as_user, general_manager, group_manager, auditor, of_both, store, other_store
):
    other_manager = MembershipFactory(store=other_store, role=Role.GENERAL_MANAGER).user
    own, other = CustomerFactory(store=store), CustomerFactory(store=other_store)
    looked(of_both, [own, other])
    read = {
        user: {line.customer for line in as_user(user).get(LOG).context["page"].rows}
        for user in (general_manager, other_manager, group_manager, auditor)
    }
    assert read == {general_manager: {own}, other_manager: {other}, group_manager: {own, other}, auditor: {own, other}}


def test_an_alarm_counts_for_each_manager_the_customers_of_the_own_store(
    general_manager, group_manager, of_both, store, other_store
):
    other_manager = MembershipFactory(store=other_store, role=Role.GENERAL_MANAGER).user
    third_manager = MembershipFactory(role=Role.GENERAL_MANAGER).user
    MembershipFactory(user=of_both, store=third_manager.memberships.get().store, role=Role.SERVICE_ADVISER)
    looked(of_both, CustomerFactory.create_batch(41, store=store), every=timedelta(seconds=1))
    looked(of_both, CustomerFactory.create_batch(10, store=other_store), every=timedelta(seconds=1))
    found = busiest_readers(now=NOW)
    managers = (general_manager, other_manager, group_manager, third_manager)
    told = [[(alarm.person, alarm.count) for alarm in access_alarms_for(user, found)] for user in managers]
    assert told == [[(of_both, 41)], [(of_both, 10)], [(of_both, 51)], []]


def test_the_administrator_reads_the_log_without_a_way_to_the_customers(as_user, admin_user, auditor, adviser, store):
    customer = CustomerFactory(store=store)
    looked(adviser, [customer])
    pages = {user: as_user(user).get(LOG).text for user in (admin_user, auditor)}
    assert [customer.number in page for page in pages.values()] == [True, True]
    assert [customer.get_absolute_url() in page for page in pages.values()] == [False, True]
    assert [customer.name in page for page in pages.values()] == [False, False]


def test_what_somebody_wrote_as_a_reason_is_not_for_the_administrator(as_user, admin_user, auditor, adviser, store):
    PersonalDataAccess.objects.create(
        customer=CustomerFactory(store=store), by=adviser, field="address", at=NOW, reason="钱女士的贷款"
    )
    assert ["钱女士" in as_user(user).get(LOG).text for user in (admin_user, auditor)] == [False, True]


def test_a_call_to_a_contact_person_notes_the_role_and_no_name(as_user, care_specialist, store):
    customer = CustomerFactory(store=store)
    person = customer.contact_persons.create(name="周敏独", role="车队经理", mobile="13799990000")
    as_user(care_specialist).post(f"/queue/{customer.pk}/call/", {"person": person.pk})
    assert PersonalDataAccess.objects.get().reason == "Call in the guided queue · 车队经理"


@pytest.mark.parametrize("count", [1, 3])
def test_the_log_costs_the_same_for_one_line_and_for_many(
    as_user, general_manager, adviser, store, count, django_assert_num_queries
):
    looked(adviser, CustomerFactory.create_batch(count, store=store))
    client = as_user(general_manager)
    client.get(LOG)  # what the frame keeps in the cache
    with django_assert_num_queries(4):
        client.get(LOG)
