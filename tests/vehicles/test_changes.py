"""The history of changes on a customer's page: who changed what from what to what (screens S4)."""

from datetime import date

import pytest

from core.actions import acting
from customers.actions.files import update_customer
from customers.models import Customer
from tests.factories import CustomerFactory, OwnershipFactory, VehicleFactory
from vehicles.models import Vehicle
from vehicles.queries import changes_of_customer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]


def told(customer, limit=50):
    return [
        (edit.of, edit.by, [(change.label, change.before, change.after) for change in edit.changes])
        for edit in changes_of_customer(customer, limit=limit)
    ]


def page(customer):
    return f"/vehicles/of-customer/{customer.pk}/changes/"


@pytest.fixture
def customer(store, adviser):
    return CustomerFactory(store=store, name="王小明", service_adviser=adviser, mobile="13812345678")


def test_a_change_tells_who_made_it_and_each_field_before_and_after(customer, adviser, second_adviser):
    update_customer(
        customer=customer,
        values={"name": "王大明", "tier": "vip", "service_adviser": second_adviser},
        by=adviser,
        on=date(2026, 11, 21),
    )
    assert told(customer) == [
        (
            "王大明",
            str(adviser),
            [
                ("name", "王小明", "王大明"),
                ("service adviser", str(adviser), str(second_adviser)),
                ("customer tier", "Ordinary customer", "VIP customer"),
            ],
        )
    ]


def test_changes_follow_each_other_the_newest_first(customer, adviser):
    for name in ("王一", "王二", "王三"):
        update_customer(customer=customer, values={"name": name}, by=adviser)
    assert [changes for _of, _by, changes in told(customer)] == [
        [("name", "王二", "王三")],
        [("name", "王一", "王二")],
        [("name", "王小明", "王一")],
    ]
    assert [changes for _of, _by, changes in told(customer, limit=1)] == [[("name", "王二", "王三")]]


def test_the_cars_of_the_customer_are_among_it(customer):
    car = VehicleFactory(owner=customer, plate="鲁MB6688")
    VehicleFactory(plate="鲁M99999")
    Vehicle.objects.update(body_colour="白")
    assert told(customer) == [(car.plate, "", [("body colour", "empty", "白")])]


def test_what_was_changed_for_a_former_owner_is_not_told_on_the_page_of_the_next(customer):
    car = VehicleFactory(owner=customer)
    ownership = OwnershipFactory(vehicle=car)
    Vehicle.objects.update(body_colour="白")
    assert len(told(customer)) == 1
    type(ownership).objects.update(started_on=date(2999, 1, 1))
    assert told(customer) == []


def test_masked_values_stay_masked(as_user, adviser, customer):
    with acting(adviser):
        Customer.objects.filter(pk=customer.pk).update(mobile="13987654321")
    customer.refresh_from_db()
    update_customer(
        customer=customer, values={"id_number": "11010519491231002X", "address_detail": "渤海十八路"}, by=adviser
    )
    text = as_user(adviser).get(page(customer)).text
    assert "138 **** 5678" in text
    assert "139 **** 4321" in text
    assert text.count("changed; the values are masked") == 2
    for secret in ("13812345678", "13987654321", "11010519491231002X", "渤海十八路"):
        assert secret not in text


def test_facts_that_are_worked_out_are_no_change_of_anybody(customer, adviser):
    update_customer(customer=customer, values={"note": "爱好钓鱼"}, by=adviser)
    for day in range(1, 29):
        Customer.objects.filter(pk=customer.pk).update(last_visit_on=date(2026, 1, day))
    assert [changes for _of, _by, changes in told(customer)] == [[("note", "empty", "爱好钓鱼")]]


def test_the_panel_shows_the_latest_and_leads_to_the_rest(as_user, adviser, customer):
    for number in range(9):
        update_customer(customer=customer, values={"note": f"第{number}条"}, by=adviser)
    client = as_user(adviser)
    panel = client.get(page(customer), headers={"hx-request": "true"})
    assert (panel.text.count("<ins>"), f'href="{page(customer)}"' in panel.text) == (8, True)
    whole = client.get(page(customer))
    assert (len(whole.context["edits"]), f'href="{page(customer)}"' in whole.text) == (9, False)


@pytest.mark.parametrize("count", [1, 3])
def test_the_history_costs_the_same_for_one_change_and_for_many(
    as_user, adviser, second_adviser, manager, customer, count, django_assert_num_queries
):
    people = [adviser, second_adviser, manager]
    for number in range(count):
        update_customer(customer=customer, values={"service_adviser": people[number - 1]}, by=people[number])
        VehicleFactory(owner=customer)
        Vehicle.objects.filter(owner=customer).update(body_colour=f"色{number}")
    client = as_user(adviser)
    client.get(customer.get_absolute_url())
    with django_assert_num_queries(12):
        client.get(page(customer), headers={"hx-request": "true"})
