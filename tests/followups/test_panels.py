import pytest
from django.urls import reverse

from tests.factories import (
    ContactLogFactory,
    CustomerFactory,
    NextStepFactory,
    SuggestedWorkFactory,
    TouchPointFactory,
    VehicleFactory,
    WorkOrderFactory,
)

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true"}
OF_CUSTOMER = [
    "followups:customer_care",
    "followups:customer_contacts",
    "followups:customer_next_steps",
    "service:customer_orders",
    "vehicles:customer_cars",
]
OF_VEHICLE = ["followups:vehicle_care", "service:vehicle_orders"]


@pytest.fixture
def vehicle(store, adviser):
    return VehicleFactory(owner=CustomerFactory(store=store))


def _url(name, vehicle):
    return reverse(name, args=[vehicle.owner_id if "customer" in name else vehicle.pk])


def _fill(vehicle, times):
    for _ in range(times):
        customer = vehicle.owner
        contact = ContactLogFactory(customer=customer)
        TouchPointFactory(customer=customer, vehicle=vehicle, done=True, settled_by=contact)
        NextStepFactory(customer=customer, vehicle=vehicle, contact=contact)
        SuggestedWorkFactory(work_order=WorkOrderFactory(vehicle=vehicle))


@pytest.mark.parametrize("name", OF_CUSTOMER + OF_VEHICLE)
def test_a_panel_of_another_store_is_not_there(as_user, other_store_adviser, vehicle, name):
    assert as_user(other_store_adviser).get(_url(name, vehicle)).status_code == 404


@pytest.mark.parametrize("name", OF_CUSTOMER + OF_VEHICLE)
def test_a_panel_is_a_page_without_javascript(as_user, adviser, vehicle, name):
    _fill(vehicle, 1)
    client = as_user(adviser)
    panel = client.get(_url(name, vehicle), headers=HTMX).content.decode()
    page = client.get(_url(name, vehicle)).content.decode()
    assert "<html" not in panel
    assert panel.strip() in page


@pytest.mark.parametrize("name", OF_CUSTOMER + OF_VEHICLE)
def test_a_panel_without_rows_says_so(as_user, auditor, vehicle, name):
    vehicle.owner.vehicles.filter(pk=vehicle.pk).update(status="scrapped")
    assert as_user(auditor).get(_url(name, vehicle)).status_code == 200


@pytest.mark.parametrize("name", OF_CUSTOMER + OF_VEHICLE)
def test_a_panel_takes_the_same_queries_for_one_and_three_rows(
    as_user, adviser, vehicle, name, django_assert_num_queries
):
    client = as_user(adviser)
    _fill(vehicle, 1)
    client.get(vehicle.owner.get_absolute_url())  # the panel of a file that was opened adds no line to the log
    # Session, user, memberships; the customer or car; who opened a customer's file; the rows; what hangs on them.
    expected = {
        "followups:customer_care": 7,
        "followups:customer_contacts": 8,
        "service:customer_orders": 7,
        "service:vehicle_orders": 6,
        "followups:vehicle_care": 5,
    }.get(name, 6)
    with django_assert_num_queries(expected):
        client.get(_url(name, vehicle), headers=HTMX)
    _fill(vehicle, 2)
    with django_assert_num_queries(expected):
        client.get(_url(name, vehicle), headers=HTMX)


def test_the_care_calendar_says_what_became_of_each_promise(as_user, adviser, vehicle):
    TouchPointFactory(customer=vehicle.owner, vehicle=vehicle, suppressed=True)
    page = as_user(adviser).get(_url("followups:customer_care", vehicle), headers=HTMX).content.decode()
    assert "Suppressed" in page
    assert "Do not contact" in page


def test_open_complaints_stand_first(as_user, adviser, vehicle):
    NextStepFactory(customer=vehicle.owner, complaint=True)
    NextStepFactory(customer=vehicle.owner)
    response = as_user(adviser).get(_url("followups:customer_next_steps", vehicle))
    assert [step.kind for step in response.context["steps"]] == ["complaint", "appointment"]


@pytest.mark.parametrize(("person", "is_offered"), [("care_specialist", True), ("adviser", False), ("auditor", False)])
def test_who_may_edit_the_customer_is_led_to_where_the_file_is_put_right(as_user, request, vehicle, person, is_offered):
    NextStepFactory(customer=vehicle.owner, kind="number_correction")
    NextStepFactory(customer=vehicle.owner, vehicle=vehicle, kind="owner_correction")
    client = as_user(request.getfixturevalue(person))
    page = client.get(_url("followups:customer_next_steps", vehicle)).content.decode()
    addresses = [
        reverse("customers:customer_edit", args=[vehicle.owner_id]),
        reverse("vehicles:vehicle_owner", args=[vehicle.pk]),
    ]
    assert [address in page for address in addresses] == [is_offered] * 2


@pytest.mark.parametrize(("person", "is_offered"), [("adviser", True), ("auditor", False)])
def test_who_calls_customers_goes_from_the_file_into_the_card(as_user, request, vehicle, person, is_offered):
    url = _url("followups:customer_care", vehicle)
    client = as_user(request.getfixturevalue(person))
    assert client.get(url).context["contact_url"] == ""
    TouchPointFactory(customer=vehicle.owner, vehicle=vehicle)
    card = reverse("followups:queue_claim", args=[vehicle.owner_id])
    assert client.get(url).context["contact_url"] == (card if is_offered else "")


@pytest.mark.parametrize("name", [*OF_CUSTOMER, *OF_VEHICLE])
def test_looking_writes_nothing(as_user, adviser, vehicle, name, writes_of):
    _fill(vehicle, 1)
    client = as_user(adviser)
    client.get(vehicle.owner.get_absolute_url())
    assert writes_of(lambda: client.get(_url(name, vehicle))) == []
