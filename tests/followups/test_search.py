import pytest

from customers.queries import find_customers
from tests.factories import CustomerFactory, VehicleFactory, WorkOrderFactory
from vehicles.queries import find_vehicles

pytestmark = pytest.mark.django_db

SEARCH = "/search/"


@pytest.fixture
def client(as_user, adviser):
    return as_user(adviser)


@pytest.fixture
def customer(store):
    return CustomerFactory(store=store, name="王小明", mobile="13812345678", number="C26000123")


@pytest.fixture
def vehicle(customer):
    return VehicleFactory(owner=customer, plate="鲁MB6688", vin="LSJA24U62JG269225")


@pytest.mark.parametrize(
    "text",
    [
        "王小明",
        "小明",
        "王",
        "明",
        "wangxiaoming",
        "wangxiao",
        "WXM",
        "wx",
        "Wang Xiao Ming",
        "678",
        "1234",
        "138 1234 5678",
        "13812345678",
        "C26000123",
        "c260001",
    ],
)
def test_a_customer_is_found_by(client, customer, text):
    assert client.get(SEARCH, {"q": text}).context["customers"] == [customer]


@pytest.mark.parametrize("text", ["王明", "小王", "xiaoming", "67", "999", "W", "李", ""])
def test_a_customer_is_not_found_by(client, customer, text):
    assert client.get(SEARCH, {"q": text}).context["customers"] == []


@pytest.mark.parametrize("who", ["auditor", "group_manager"])
def test_who_sees_numbers_masked_finds_by_the_digits_on_the_screen_alone(request, as_user, customer, who):
    client = as_user(request.getfixturevalue(who))
    shown = ["5678", "1385678"]
    hidden = ["138", "1381", "13812", "1234", "678", "345678", "12345678", "13812345678", "1381234"]
    found = {text: client.get(SEARCH, {"q": text}).context["customers"] for text in [*shown, *hidden]}
    assert [text for text, customers in found.items() if customers] == shown


def test_a_number_too_short_for_its_mask_is_not_told_by_the_search(as_user, auditor, store):
    CustomerFactory(store=store, mobile="3385678")
    assert as_user(auditor).get(SEARCH, {"q": "5678"}).context["customers"] == []


def test_characters_must_stand_in_a_row(client, store):
    CustomerFactory(store=store, name="小明小王明")
    assert client.get(SEARCH, {"q": "王明小"}).context["customers"] == []


@pytest.mark.parametrize(
    "text", ["鲁M·B6688", "鲁mb6688", "MB6688", "B6688", "688", "269225", "LSJA24U62JG269225", "lsja24u6"]
)
def test_a_car_is_found_by(client, vehicle, text):
    assert client.get(SEARCH, {"q": text}).context["vehicles"] == [vehicle]


@pytest.mark.parametrize("text", ["88", "69225", "鲁M", "王小明"])
def test_a_car_is_not_found_by(client, vehicle, text):
    assert client.get(SEARCH, {"q": text}).context["vehicles"] == []


def test_a_work_order_is_found_by_the_beginning_of_its_number(client, vehicle):
    order = WorkOrderFactory(vehicle=vehicle, number="RBZ0126111901")
    assert client.get(SEARCH, {"q": "rbz01261119"}).context["orders"] == [order]
    assert client.get(SEARCH, {"q": "26111901"}).context["orders"] == []


def test_nobody_finds_what_belongs_to_another_store(as_user, other_store_adviser, vehicle):
    WorkOrderFactory(vehicle=vehicle, number="RBZ0126111901")
    stranger = as_user(other_store_adviser)
    for text in ("王小明", "wxm", "13812345678", "C26000123", "B6688", "269225", "RBZ0126111901"):
        assert stranger.get(SEARCH, {"q": text}).context["is_empty"]


def test_a_sales_consultant_finds_own_customers_only(as_user, consultant, customer, store):
    own = CustomerFactory(store=store, name="王小明", sales_consultant=consultant)
    assert as_user(consultant).get(SEARCH, {"q": "王小明"}).context["customers"] == [own]


def test_whole_names_come_before_parts_and_people_in_care_before_others(adviser, store):
    part = CustomerFactory(store=store, name="王小明明")
    gone = CustomerFactory(store=store, name="王小明", status="deceased")
    whole = CustomerFactory(store=store, name="王小明")
    inside = CustomerFactory(store=store, name="大王小明")
    assert find_customers(adviser, "王小明", limit=9) == [whole, gone, part, inside]


def test_the_whole_plate_comes_first(adviser, customer):
    longer = VehicleFactory(owner=customer, plate="鲁MB66880")
    whole = VehicleFactory(owner=customer, plate="鲁MB6688")
    VehicleFactory(owner=customer, plate="鲁MA1234")
    assert find_vehicles(adviser, "鲁M·B6688", limit=9) == [whole, longer]


def test_mobiles_stay_masked(client, customer):
    page = client.get(SEARCH, {"q": "王小明"}).content.decode()
    assert "138 **** 5678" in page
    assert "13812345678" not in page


def test_while_typing_only_the_list_comes(client, customer):
    response = client.get(SEARCH, {"q": "wxm"}, headers={"hx-request": "true"})
    page = response.content.decode()
    assert "王小明" in page
    assert "<html" not in page
    assert "HX-Request" in response["Vary"]


def test_signs_of_the_database_mean_nothing(client, customer, vehicle):
    for text in ("%%%", "___", "138%", "'; --", "\\\\\\", "B_688"):
        assert client.get(SEARCH, {"q": text}).context["is_empty"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_search_takes_the_same_queries_for_one_and_three_hits(client, store, count, django_assert_num_queries):
    for number in range(count):
        owner = CustomerFactory(store=store, name="王小明", mobile=f"1380668866{number}")
        WorkOrderFactory(vehicle=VehicleFactory(owner=owner, plate=f"鲁MB688{number}"), number=f"6886{number}")
    # Session, user, memberships; ids, customers, cars, models; ids, cars; orders.
    with django_assert_num_queries(8):
        client.get(SEARCH, {"q": "688"})
