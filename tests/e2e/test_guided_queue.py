"""A day's work in a real browser: by keyboard alone, through a reload and a lost session, and for everybody."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import timezone

from accounts.choices import Language
from followups.choices import Outcome
from followups.models import CareRule, ContactLog, QueueLease
from tests.factories import CarModelFactory, CustomerFactory, TouchPointFactory, VehicleFactory

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def customers(store, care_specialist):
    """Eleven customers of the care specialist's, the one that closes first first."""
    rule = CareRule.objects.get(code="PS2", store=None)
    today = timezone.localdate()
    found = []
    for number in range(11):
        car = VehicleFactory(owner__store=store, owner__name=f"客户{number:02d}", model=CarModelFactory())
        TouchPointFactory(
            rule=rule,
            customer=car.owner,
            vehicle=car,
            assignee=care_specialist,
            nominal_on=today,
            closes_on=today + timedelta(days=number),
        )
        found.append(car.owner)
    return found


@pytest.fixture
def at_the_first_card(page, sign_in, care_specialist, customers):
    """The care specialist, having pressed Enter on the day's page."""
    sign_in(care_specialist)
    page.goto("/")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/queue/{customers[0].pk}/")
    return page


def heading_is(page, name):
    """Wait until the card of a customer is there with the focus on its heading."""
    page.wait_for_function(
        "name => document.querySelector('h1')?.textContent === name"
        " && (document.activeElement === document.querySelector('h1') || !document.querySelector('[data-crm-saved]'))",
        arg=name,
    )


def test_ten_customers_are_worked_off_by_keyboard_alone(at_the_first_card, customers, care_specialist):
    page = at_the_first_card
    outcomes = [Outcome.SATISFIED, Outcome.NOT_REACHED, Outcome.BOOKED, Outcome.TRADE_IN, Outcome.LATER] * 2
    for number, outcome in enumerate(outcomes):
        heading_is(page, f"客户{number:02d}")
        page.keyboard.press(
            {
                Outcome.SATISFIED: "1",
                Outcome.BOOKED: "2",
                Outcome.TRADE_IN: "5",
                Outcome.LATER: "6",
                Outcome.NOT_REACHED: "7",
            }[outcome]
        )
        if outcome == Outcome.TRADE_IN:
            page.keyboard.insert_text("明年想换一辆 SUV")
        if outcome in (Outcome.BOOKED, Outcome.LATER):
            page.keyboard.press("Enter")  # the first of the proposed times has the focus
        if outcome == Outcome.SATISFIED:
            page.keyboard.press("n")
            page.keyboard.insert_text(f"记录{number}")
        page.keyboard.press("Control+Enter")
    heading_is(page, "客户10")

    logs = ContactLog.objects.order_by("pk")
    assert [log.outcome for log in logs] == outcomes
    assert [log.customer_id for log in logs] == [customer.pk for customer in customers[:10]]
    assert {log.by for log in logs} == {care_specialist}
    assert logs[0].note == "记录0"
    assert QueueLease.objects.get().customer == customers[10]


def test_a_saved_card_is_said_and_the_heading_has_the_focus(at_the_first_card):
    page = at_the_first_card
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("h1:focus")

    assert page.inner_text("h1") == "客户01"
    assert "客户00" in page.inner_text("[data-crm-live]")
    assert page.locator("#queue-form [data-crm-restored]").is_hidden()


def test_skipping_takes_two_keys(at_the_first_card, customers):
    page = at_the_first_card
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    heading_is(page, "客户01")

    assert ContactLog.objects.get().outcome == Outcome.SKIPPED


def test_a_note_outlives_a_reload_and_goes_with_the_save(at_the_first_card):
    page = at_the_first_card
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.insert_text("客户说下周有空")
    page.reload()

    assert page.input_value("#queue-form textarea") == "客户说下周有空"
    assert page.is_checked("[data-crm-digit='2']")
    assert page.is_visible("[data-crm-restored]")

    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    heading_is(page, "客户01")
    assert ContactLog.objects.get().note == "客户说下周有空"
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('crm-draft:'))") == []


def test_a_draft_brings_back_all_that_was_entered_but_no_names_of_others(at_the_first_card, customers):
    page = at_the_first_card
    day = (timezone.localdate() + timedelta(days=3)).isoformat()
    tick = f"#tick-{customers[0].touch_points.get().pk}"
    page.keyboard.press("3")
    page.select_option("[name=severity]", "L3")
    page.click(".wk-also-appointment")
    page.fill("[name=appointment_on]", day)
    page.click(".wk-also-referral")
    page.fill("[name=friend_name]", "周敏")
    page.fill("[name=friend_mobile]", "13712345678")
    page.uncheck(tick)
    page.reload()

    assert page.is_visible("[data-crm-restored]")
    assert page.is_checked("[data-crm-digit='3']")
    assert page.input_value("[name=severity]") == "L3"
    assert page.input_value("[name=appointment_on]") == day
    assert not page.is_checked(tick)
    assert page.input_value("[name=friend_name]") == page.input_value("[name=friend_mobile]") == ""
    assert "周敏" not in page.evaluate("JSON.stringify(localStorage)")

    page.click("[data-crm-forget]")
    assert page.is_checked(tick)
    page.reload()
    assert page.is_hidden("[data-crm-restored]")


def test_a_switch_of_language_stays_on_the_card_and_keeps_the_note(at_the_first_card):
    page = at_the_first_card
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    heading_is(page, "客户01")
    page.keyboard.press("n")
    page.keyboard.insert_text("还在说")
    page.locator(".crm-language:visible").first.click()
    page.wait_for_load_state()

    assert page.inner_text("h1") == "客户01"
    assert page.input_value("#queue-form textarea") == "还在说"


def test_a_card_taken_by_a_colleague_gives_the_words_back(at_the_first_card, customers, adviser):
    page = at_the_first_card
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.insert_text("客户要求月底前回电")
    QueueLease.objects.filter(customer=customers[0]).update(holder=adviser)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".wk-unsaved")

    assert "客户要求月底前回电" in page.inner_text(".wk-unsaved")
    assert page.evaluate("document.activeElement.className") == "wk-unsaved"
    QueueLease.objects.all().delete()
    page.reload()
    assert page.input_value("#queue-form textarea") == "客户要求月底前回电"


def test_a_session_that_ended_leads_to_sign_in_and_back_to_the_note(
    at_the_first_card, context, sign_in, care_specialist
):
    page = at_the_first_card
    card = page.url
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.insert_text("还没有保存的话")
    context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/accounts/login/?next=*")

    sign_in(care_specialist)
    page.goto(card)
    assert page.input_value("#queue-form textarea") == "还没有保存的话"
    assert not ContactLog.objects.exists()


def test_a_mistake_keeps_the_words_and_takes_the_focus(at_the_first_card):
    page = at_the_first_card
    page.keyboard.press("6")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.insert_text("在开会")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".wk-error")

    assert page.input_value("#queue-form textarea") == "在开会"
    assert page.evaluate("document.activeElement.name") == "later_on"


@pytest.mark.parametrize("language", Language.values)
def test_nobody_is_shut_out_of_the_pages(page, sign_in, care_specialist, manager, customers, store, language):
    rule = CareRule.objects.get(code="SE", store=None)
    today = timezone.localdate()
    for person in (care_specialist, manager):
        person.language = language
        person.save(update_fields=["language"])
    for is_wrong in (False, True):
        customer = CustomerFactory(store=store, is_mobile_wrong=is_wrong)
        TouchPointFactory(rule=rule, customer=customer, nominal_on=today)
    pages = {
        care_specialist: ["/", f"/queue/{customers[0].pk}/", "/messages/", f"/messages/{store.code}/SE/{today}/"],
        manager: ["/", "/team/", "/missed/"],
    }
    TouchPointFactory(
        customer=CustomerFactory(store=store), status="missed", reason="window_passed", closed_on=today, due_on=today
    )

    violations = {}
    for person, addresses in pages.items():
        sign_in(person)
        for address in addresses:
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.goto(address)
                found = Axe().run(page).response["violations"]
                if found:
                    violations[address, scheme] = [
                        (violation["id"], node["html"][:200]) for violation in found for node in violation["nodes"][:3]
                    ]

    assert violations == {}


@pytest.mark.parametrize("width", [390, 1920])
def test_no_page_scrolls_sideways(page, sign_in, care_specialist, manager, customers, store, width):
    page.set_viewport_size({"width": width, "height": 844})
    wide = []
    for person, addresses in {care_specialist: ["/", f"/queue/{customers[0].pk}/"], manager: ["/team/"]}.items():
        sign_in(person)
        for address in addresses:
            page.goto(address)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(address)

    assert wide == []
