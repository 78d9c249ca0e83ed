"""The frame in a real browser: keys, search while typing, menus, themes, both widths, and no barrier that axe finds."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.factories import (
    ContactLogFactory,
    CustomerFactory,
    NextStepFactory,
    OdometerReadingFactory,
    TouchPointFactory,
    VehicleFactory,
    WorkOrderFactory,
)

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def vehicle(store, adviser):
    owner = CustomerFactory(store=store, name="王小明", mobile="13812345678", service_adviser=adviser, vip=True)
    vehicle = VehicleFactory(owner=owner, plate="鲁MB6688")
    OdometerReadingFactory(vehicle=vehicle)
    OdometerReadingFactory(vehicle=vehicle, on="2025-07-10", km=12000)
    contact = ContactLogFactory(customer=owner)
    TouchPointFactory(customer=owner, vehicle=vehicle, done=True, settled_by=contact)
    NextStepFactory(customer=owner, complaint=True, contact=contact)
    WorkOrderFactory(vehicle=vehicle)
    return vehicle


def _path(page):
    return page.evaluate("location.pathname")


def test_the_search_box_finds_while_typing_and_keys_walk_through_what_it_found(page, sign_in, adviser, vehicle):
    sign_in(adviser)
    page.goto("/customers/")
    page.keyboard.press("/")
    page.keyboard.type("b6688")
    page.locator("#crm-search-results a").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{vehicle.get_absolute_url()}")


def test_escape_closes_what_the_search_found(page, sign_in, adviser, vehicle):
    sign_in(adviser)
    page.goto("/customers/")
    page.keyboard.press("/")
    page.keyboard.type("wxm")
    page.locator("#crm-search-results a").first.wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#crm-search-results a").count() == 0


def test_rows_are_walked_and_opened_by_keys(page, sign_in, adviser, store):
    older, newer = CustomerFactory.create_batch(2, store=store)
    sign_in(adviser)
    page.goto("/customers/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{older.get_absolute_url()}")
    assert newer.get_absolute_url() != _path(page)


def test_g_and_a_letter_goes_to_a_place_and_typing_letters_does_not(page, sign_in, adviser, store):
    sign_in(adviser)
    page.goto("/customers/")
    page.locator("#crm-search").fill("")
    page.locator("#crm-search").press_sequentially("gv")
    assert _path(page) == "/customers/"
    page.locator("#crm-search").fill("")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("v")
    page.wait_for_url("**/vehicles/")


def test_the_list_of_keys_opens_and_closes(page, sign_in, adviser, store):
    sign_in(adviser)
    page.goto("/customers/")
    page.keyboard.press("?")
    page.locator("#crm-keys").wait_for(state="visible")
    page.keyboard.press("Escape")
    page.locator("#crm-keys").wait_for(state="hidden")


def test_the_language_changes_and_the_page_stays(page, sign_in, adviser, store):
    sign_in(adviser)
    page.goto("/vehicles/")
    assert page.locator("h1:visible").inner_text() == "Vehicles"
    page.locator(".crm-language").click()
    page.wait_for_url("**/vehicles/")
    assert page.locator("h1:visible").inner_text() == "车辆"


def test_a_mobile_is_revealed_in_place(page, sign_in, adviser, vehicle):
    sign_in(adviser)
    page.goto(vehicle.owner.get_absolute_url())
    assert "13812345678" not in page.content()
    page.locator("[data-crm-masked] button").first.click()
    page.locator(".crm-clear").wait_for()
    assert page.locator(".crm-clear").inner_text() == "13812345678"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_scrolls_sideways_or_bars_anybody(page, context, live_server, sign_in, adviser, vehicle, theme, width):
    sign_in(adviser)
    context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size(PHONE | {"width": width})
    found = {}
    for path in (
        "/customers/",
        vehicle.owner.get_absolute_url(),
        f"{vehicle.owner.get_absolute_url()}edit/",
        f"{vehicle.owner.get_absolute_url()}consent/",
        f"/vehicles/of-customer/{vehicle.owner_id}/changes/",
        "/",
        "/ahead/",
        "/birthdays/",
        "/desk/",
        "/vehicles/",
        vehicle.get_absolute_url(),
        f"{vehicle.get_absolute_url()}owner/?q=王",
        "/search/?q=王小明",
        "/accounts/2fa/",
        "/accounts/sessions/",
        "/nothing-here/",
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found[path] = "scrolls sideways"
        violations = Axe().run(page).response["violations"]
        if violations:
            found[path] = [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations]
    assert found == {}
