"""The one page that is open to everybody, as a person meets it."""

from axe_playwright_python.sync_playwright import Axe


def test_a_wrong_password_is_said_in_chinese_and_the_name_stays(page, adviser):
    page.goto("/accounts/login/")
    page.fill("input[name=login]", adviser.username)
    page.fill("input[name=password]", "not the password")
    page.press("input[name=password]", "Enter")

    page.wait_for_selector(".alert-danger")
    assert page.url.endswith("/accounts/login/")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert page.input_value("input[name=login]") == adviser.username
    assert page.locator("input[name=password]").input_value() == ""


def test_the_page_can_be_used_by_everybody(page):
    page.goto("/accounts/login/")

    assert Axe().run(page).response["violations"] == []


def test_it_fits_a_telephone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/accounts/login/")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
