"""Jobs and settings in a real browser: the dry run before saving, progress that ends by itself, and for everybody."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from accounts.choices import Language
from core.choices import JobStatus
from core.models import JobRun
from followups.actions.care_plan import create_store_rule
from followups.models import CareRule
from tests.factories import CustomerFactory, JobRunFactory, VehicleFactory

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def rule(store, general_manager):
    """The store's own version of the 3-day call."""
    return create_store_rule(rule=CareRule.objects.get(code="D3", store=None), store=store, by=general_manager)


@pytest.fixture
def addresses(rule):
    run = JobRunFactory(failed=True)
    JobRunFactory(running=True, started_at=timezone.now())
    group_rule = CareRule.objects.get(code="FE", store=None)
    return [
        "/jobs/",
        f"/jobs/{run.pk}/",
        "/care-plan/",
        f"/care-plan/{rule.pk}/",
        f"/care-plan/{rule.pk}/edit/",
        f"/care-plan/{group_rule.pk}/edit/",
        f"/care-plan/{rule.pk}/switch/",
        f"/care-plan/{rule.pk}/own/remove/",
        "/care-plan/calendar/?year=2026",
        "/care-plan/calendar/?year=2027",
        "/care-plan/stores/",
    ]


def test_a_change_is_seen_in_numbers_before_it_is_saved(page, sign_in, general_manager, rule, store):
    delivered = timezone.localdate()
    VehicleFactory(owner=CustomerFactory(store=store, name="李秀英"), delivery_on=delivered)
    sign_in(general_manager)
    page.goto(f"/care-plan/{rule.pk}/")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Offsets from the anchor date").fill("3，10")
    page.get_by_role("button", name="Preview the effect").click()
    expect(page.get_by_role("row", name="Next 30 days")).to_contain_text("+1")
    expect(page.get_by_role("row", name="李秀英")).to_be_visible()
    assert CareRule.objects.get(pk=rule.pk).offsets == [3]

    page.get_by_role("button", name="Back to editing").click()
    expect(page.get_by_label("Offsets from the anchor date")).to_have_value("3，10")
    page.get_by_role("button", name="Preview the effect").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Rule D3 is saved.")).to_be_visible()
    assert CareRule.objects.get(pk=rule.pk).offsets == [3, 10]


def test_a_placeholder_goes_where_the_cursor_is(page, sign_in, general_manager, rule):
    sign_in(general_manager)
    page.goto(f"/care-plan/{rule.pk}/edit/")
    points = page.get_by_label("Talking points (English)")
    points.fill("Hello , welcome")
    points.evaluate("field => field.setSelectionRange(6, 6)")
    chip = page.get_by_role("button", name="{plate}")
    expect(chip).to_have_attribute("aria-pressed", "false")
    chip.click()
    expect(points).to_have_value("Hello {plate}, welcome")
    expect(chip).to_have_attribute("aria-pressed", "true")


def test_the_page_sees_by_itself_that_a_job_has_ended(page, sign_in, manager):
    run = JobRunFactory(running=True, started_at=timezone.now())
    sign_in(manager)
    page.goto("/jobs/")
    expect(page.locator("#job-progress")).to_contain_text("You can leave this page and come back.")
    JobRun.objects.filter(pk=run.pk).update(status=JobStatus.DONE, finished_at=timezone.now(), counts={"created": 4711})
    expect(page.get_by_role("cell", name="4,711")).to_be_visible()
    expect(page.locator("#job-progress")).to_be_empty()


@pytest.mark.parametrize("language", Language.values)
def test_nobody_is_shut_out_of_the_settings(page, sign_in, admin_user, addresses, language):
    admin_user.language = language
    admin_user.save(update_fields=["language"])
    sign_in(admin_user)
    violations = {}
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
def test_no_page_of_the_settings_scrolls_sideways(page, sign_in, admin_user, addresses, width):
    page.set_viewport_size({"width": width, "height": 844})
    sign_in(admin_user)
    wide = []
    for address in addresses:
        page.goto(address)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(address)
    assert wide == []
