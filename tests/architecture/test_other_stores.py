"""Ways around the walls: foreign ids in forms, fragments, search, two roles, rights that ended meanwhile."""

from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Store
from customers.actions.access import REVEALABLE
from customers.choices import PersonalDataField
from customers.models import Customer, PersonalDataAccess
from followups.choices import Handling, Outcome, TouchPointStatus
from followups.models import CareRule, ContactLog, QueueLease
from tests.architecture.test_urls import PAGES, customer, vehicle
from tests.factories import (
    TODAY,
    CareRuleFactory,
    CustomerFactory,
    MembershipFactory,
    TouchPointFactory,
    VehicleFactory,
)
from vehicles.actions import transfer_owner

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true"}
FILES = sorted(name for name, page in PAGES.items() if page.arguments in (customer, vehicle) and page.get != "405")
BATCH = {"rule": "FE", "nominal_on": TODAY.isoformat()}


@pytest.fixture
def sc1(as_user, consultant):
    return as_user(consultant)


@pytest.fixture
def cr1(as_user, care_specialist):
    return as_user(care_specialist)


@pytest.fixture
def gm1(as_user, general_manager):
    return as_user(general_manager)


@pytest.fixture
def of_two_stores(store, other_store):
    """General manager here, service adviser there."""
    user = MembershipFactory(user__username="two", role=Role.GENERAL_MANAGER, store=store).user
    MembershipFactory(user=user, role=Role.SERVICE_ADVISER, store=other_store)
    return user


def _is_open(point):
    point.refresh_from_db()
    return point.status == TouchPointStatus.OPEN and point.settled_by_id is None


def _answer(**values):
    return {"submission": uuid4(), "channel": "phone", "outcome": Outcome.SATISFIED, "note": "", **values}


# --- Fragments, lists, search -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_fragment_of_another_stores_file_is_not_there(as_user, other_store_adviser, here, name):
    path = reverse(name, kwargs=PAGES[name].arguments(here))
    response = as_user(other_store_adviser).get(path, headers=HTMX)
    assert response.status_code == 404
    assert here.customer.name not in response.content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_search_finds_nobody_of_another_store_or_of_a_colleague(
    sc1, as_user, other_store_adviser, here, there, headers
):
    colleagues = CustomerFactory(store=here.store, name="欧阳独有")
    for client, row in ((sc1, there.customer), (sc1, colleagues), (as_user(other_store_adviser), here.customer)):
        for words in (row.name, row.name_pinyin, row.name_initials, row.mobile, row.mobile[-4:], row.number):
            page = client.get(reverse("followups:search"), {"q": words}, headers=headers).content.decode()
            assert row.get_absolute_url() not in page
    for words in (there.vehicle.plate, there.vehicle.vin, there.vehicle.vin[-6:], there.order.number):
        page = sc1.get(reverse("followups:search"), {"q": words}, headers=headers).content.decode()
        assert there.vehicle.get_absolute_url() not in page
        assert there.customer.get_absolute_url() not in page


@pytest.mark.parametrize(
    "name", ["customers:customer_list", "vehicles:vehicle_list", "followups:day", "followups:desk"]
)
def test_no_filter_opens_a_list_to_another_store(cr1, other_store_adviser, here, there, name):
    for query in (
        {},
        {"owner": other_store_adviser.pk},
        {"store": there.store.code},
        {"store": there.store.pk, "owner": "pool", "pool": "1"},
        {"after": f"{there.customer.pk + 1}"},
    ):
        page = cr1.get(reverse(name), query).content.decode()
        assert there.customer.name not in page
        assert there.vehicle.plate not in page


def test_a_consultant_cannot_reach_a_colleagues_customer_by_guessing(sc1, here, second_consultant):
    colleagues = CustomerFactory(store=here.store, sales_consultant=second_consultant)
    car = VehicleFactory(owner=colleagues)
    TouchPointFactory(customer=colleagues, vehicle=car, assignee=second_consultant)
    for name in FILES:
        pk = colleagues.pk if PAGES[name].arguments is customer else car.pk
        assert sc1.get(reverse(name, args=[pk])).status_code == 404
    assert sc1.get(reverse("followups:queue_card", args=[colleagues.pk])).status_code == 404
    for name in ("queue_claim", "queue_save", "queue_skip", "queue_release", "queue_call"):
        assert sc1.post(reverse(f"followups:{name}", args=[colleagues.pk])).status_code == 404
    assert not QueueLease.objects.exists()
    assert not PersonalDataAccess.objects.exists()


# --- Foreign ids in forms -----------------------------------------------------------------------------------------


def test_a_card_settles_no_reason_of_another_customer(cr1, here, there):
    own = TouchPointFactory(customer=CustomerFactory(store=here.store))
    for foreign in (there.point, own):
        data = _answer(touch_points=[here.point.pk, foreign.pk])
        response = cr1.post(reverse("followups:queue_save", args=[here.customer.pk]), data)
        assert response.status_code == 422
        assert _is_open(foreign)
    assert _is_open(here.point)
    assert ContactLog.objects.filter(outcome=Outcome.SATISFIED, touch_points=None).count() == 0


def test_a_card_changes_no_car_of_another_customer(cr1, here, there):
    data = _answer(
        touch_points=[here.point.pk], outcome=Outcome.CAR_GONE, vehicle=there.vehicle.pk, car_status="scrapped"
    )
    assert cr1.post(reverse("followups:queue_save", args=[here.customer.pk]), data).status_code == 422
    there.vehicle.refresh_from_db()
    assert there.vehicle.status == "in_use"
    assert _is_open(here.point)


def test_a_car_goes_to_no_customer_of_another_store_or_of_a_colleague(sc1, cr1, of_two_stores, as_user, here, there):
    colleagues = CustomerFactory(store=here.store)
    path = reverse("vehicles:vehicle_owner", args=[here.vehicle.pk])
    for client, foreign in ((cr1, there.customer), (as_user(of_two_stores), there.customer), (sc1, colleagues)):
        data = {"owner": foreign.pk, "was": here.customer.pk}
        response = client.post(f"{path}?q={foreign.number}", data)
        assert (response.status_code, response.context["found"]) == (422, [])
    here.vehicle.refresh_from_db()
    assert here.vehicle.owner == here.customer
    theirs = reverse("vehicles:vehicle_owner", args=[there.vehicle.pk])
    assert cr1.post(theirs, {"owner": "unknown", "was": there.customer.pk}).status_code == 404


def test_a_used_form_key_of_another_store_tells_nothing_about_it(cr1, here, there):
    key = uuid4()
    ContactLog.objects.filter(customer=there.customer).update(submission=key)
    data = _answer(touch_points=[here.point.pk], submission=key)
    response = cr1.post(reverse("followups:queue_save", args=[here.customer.pk]), data)
    assert response.status_code == 422
    assert there.customer.name not in response.content.decode()
    assert _is_open(here.point)


def test_a_contact_person_of_another_store_is_not_dialled(cr1, here, there):
    other = there.customer.contact_persons.create(name="周敏", mobile="13799990000")
    response = cr1.post(reverse("followups:queue_call", args=[here.customer.pk]), {"person": other.pk})
    assert response.status_code == 404
    assert not PersonalDataAccess.objects.exists()


def test_a_manager_moves_no_work_of_another_store(gm1, here, there, adviser, other_store_adviser):
    path = reverse("followups:team_assign")
    gm1.post(path, {"customers": [there.customer.pk], "to": adviser.pk})
    gm1.post(path, {"customers": [here.customer.pk], "to": other_store_adviser.pk})
    assert gm1.post(path, {"store": "BZ02", "customers": [there.customer.pk], "to": "pool"}).status_code == 404
    there.point.refresh_from_db()
    here.point.refresh_from_db()
    assert (here.point.assignee, there.point.assignee) == (adviser, other_store_adviser)


@pytest.mark.parametrize("scope", ["page", "all"])
def test_a_batch_marks_no_message_of_another_store(cr1, here, there, scope):
    data = {"channel": "sms", "scope": scope, "shown": [], "ticked": [there.batch_point.pk], "last": 1_000_000}
    mine = reverse("followups:batch_send", kwargs={"store": here.store.code, **BATCH})
    theirs = reverse("followups:batch_send", kwargs={"store": there.store.code, **BATCH})
    cr1.post(mine, data)
    assert cr1.post(theirs, data).status_code == 404
    assert _is_open(there.batch_point)


def test_a_file_of_messages_holds_the_own_store_alone(cr1, here, there):
    path = reverse("followups:batch_export", kwargs={"store": here.store.code, **BATCH})
    text = b"".join(cr1.post(path, {"last": 1_000_000}).streaming_content).decode()
    assert here.customer.mobile in text
    assert there.customer.mobile not in text
    assert list(PersonalDataAccess.objects.values_list("customer", flat=True)) == [here.customer.pk]


def test_the_desk_settles_nothing_of_another_store(cr1, there):
    listed = TouchPointFactory(customer=there.customer, handling=Handling.LIST)
    for data in (
        {"ticked": [listed.pk, there.point.pk]},
        {"rule": listed.rule.code, "scope": "all"},
        {"ticked": ["9" * 30]},
    ):
        assert cr1.post(reverse("followups:desk_settle"), data).status_code == 302
    assert _is_open(listed)
    assert _is_open(there.point)


def test_a_general_manager_sets_nothing_for_another_store(gm1, here, there):
    group_rule = CareRule.objects.get(code="M3k", store=None)
    path = reverse("followups:rule_override", args=[group_rule.pk])
    assert gm1.post(path, {"store": there.store.code}).status_code == 404
    limits = reverse("followups:store_limits_edit", args=[there.store.pk])
    assert gm1.post(limits, {f"store-{there.store.pk}-daily_calls": 1}).status_code == 404
    for name in ("rule_edit", "rule_preview", "rule_switch", "rule_override_remove"):
        assert gm1.post(reverse(f"followups:{name}", args=[there.own_rule.pk])).status_code == 404
    assert CareRule.objects.filter(store=there.store).count() == 1
    assert gm1.post(reverse("followups:job_run"), {"store": there.store.code}).status_code == 404
    assert gm1.get(reverse("followups:job_detail", args=[there.run.pk])).status_code == 404


def test_a_rule_posted_with_the_store_of_another_one_stays_where_it_is(gm1, here, there):
    data = {"store": there.store.pk, "code": "XX", "trigger": "birthday"}
    gm1.post(reverse("followups:rule_edit", args=[here.own_rule.pk]), data)
    here.own_rule.refresh_from_db()
    assert (here.own_rule.store, here.own_rule.code, here.own_rule.trigger) == (here.store, "D3", "delivery")


def test_a_general_manager_changes_no_rule_of_the_group(gm1):
    rule = CareRule.objects.get(code="M3k", store=None)
    for name in ("rule_edit", "rule_preview", "rule_switch", "rule_override_remove"):
        assert gm1.post(reverse(f"followups:{name}", args=[rule.pk])).status_code == 403


# --- Masked data --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["group_manager", "auditor"])
@pytest.mark.parametrize("field", sorted(REVEALABLE))
def test_who_looks_at_masked_rows_reveals_nothing(request, as_user, here, person, field):
    client = as_user(request.getfixturevalue(person))
    path = reverse("customers:customer_reveal", args=[here.customer.pk])
    for headers in ({}, HTMX):
        response = client.post(path, {"field": field, "reason": "because"}, headers=headers)
        assert response.status_code == 403
    assert client.post(reverse("followups:queue_call", args=[here.customer.pk])).status_code == 403
    assert not PersonalDataAccess.objects.exists()


@pytest.mark.parametrize("person", ["group_manager", "auditor", "adviser", "manager"])
def test_no_page_shows_what_is_masked(request, as_user, here, holiday, person):
    client = as_user(request.getfixturevalue(person))
    here.holiday = holiday
    secrets = (here.customer.mobile, here.customer.id_number, here.customer.address_detail)
    seen = set()
    for name, page in PAGES.items():
        if page.get != "405":
            text = client.get(reverse(name, kwargs=page.arguments(here))).content.decode()
            seen |= {(name, secret) for secret in secrets if secret in text}
    assert seen == set()


# --- Rights that differ by store, or end ----------------------------------------------------------------------------


def test_a_role_in_one_store_gives_no_right_in_the_other(as_user, of_two_stores, here, there):
    client = as_user(of_two_stores)
    id_number = {"field": PersonalDataField.ID_NUMBER, "reason": "for the invoice"}
    # The rights of a general manager here, those of an adviser there: the file opens, the rest is refused.
    asked = {
        "file": client.get(reverse("customers:customer_detail", args=[there.customer.pk])),
        "id number": client.post(reverse("customers:customer_reveal", args=[there.customer.pk]), id_number),
        "edit": client.get(reverse("customers:customer_edit", args=[there.customer.pk])),
        "consent": client.post(reverse("customers:customer_consent", args=[there.customer.pk])),
        "rule": client.get(reverse("followups:rule_edit", args=[there.own_rule.pk])),
        "limits": client.post(reverse("followups:store_limits_edit", args=[there.store.pk])),
        "plan": client.post(reverse("followups:job_run"), {"store": there.store.code}),
        "run": client.get(reverse("followups:job_detail", args=[there.run.pk])),
        "team": client.get(reverse("followups:team"), {"store": there.store.code}),
        "messages": client.post(
            reverse("followups:batch_send", kwargs={"store": there.store.code, **BATCH}), {"scope": "all"}
        ),
    }
    assert {what: response.status_code for what, response in asked.items()} == {
        "file": 200,
        "id number": 403,
        "edit": 403,
        "consent": 403,
        "rule": 403,
        "limits": 403,
        "plan": 403,
        "run": 404,
        "team": 404,
        "messages": 403,
    }
    own = client.post(reverse("customers:customer_reveal", args=[here.customer.pk]), id_number)
    assert own.status_code == 200


def test_the_name_of_somebody_whose_file_is_closed_stands_on_no_page(as_user, general_manager, here, there):
    Customer.objects.filter(pk=there.customer.pk).update(name="欧阳前主")
    car = there.vehicle
    transfer_owner(vehicle=car, to=here.customer, on=TODAY, by=None)
    Customer.objects.filter(pk=here.customer.pk).update(referrer=CustomerFactory(store=there.store, name="介绍人独"))
    client = as_user(general_manager)
    changes = reverse("vehicles:customer_changes", args=[here.customer.pk])
    addresses = [car.get_absolute_url(), here.customer.get_absolute_url(), changes]
    pages = [client.get(address).content.decode() for address in addresses]
    assert [secret for secret in ("欧阳前主", "介绍人独") if secret in "".join(pages)] == []
    assert ["former owner" in pages[0], "closed to you" in pages[1], "closed to you" in pages[2]] == [True] * 3


def _rows_of(response):
    return b"".join(response.streaming_content).decode()


def test_lists_are_taken_away_from_the_store_of_the_role_alone(as_user, of_two_stores, here, there):
    listed = CareRuleFactory(handling=Handling.LIST)
    for world in (here, there):
        TouchPointFactory(customer=world.customer, vehicle=world.vehicle, assignee=of_two_stores)
        TouchPointFactory(customer=world.customer, vehicle=world.vehicle, assignee=of_two_stores, rule=listed)
    client = as_user(of_two_stores)
    for name in ("followups:day_export", "followups:desk_export", "followups:team_export"):
        text = _rows_of(client.post(reverse(name)))
        assert (name, here.customer.number in text, there.customer.number in text) == (name, True, False)
    assert set(PersonalDataAccess.objects.values_list("customer", flat=True)) == {here.customer.pk}
    assert client.post(reverse("followups:team_export"), {"store": there.store.code}).status_code == 404


def test_who_sees_the_group_takes_away_the_list_of_the_own_store_alone(as_user, group_manager, here, there):
    MembershipFactory(user=group_manager, store=here.store, role=Role.CARE_SPECIALIST)
    client = as_user(group_manager)
    assert client.post(reverse("followups:team_export"), {"store": there.store.code}).status_code == 404
    pages = [client.get(reverse("followups:team"), {"store": each.store.code}) for each in (here, there)]
    assert [bool(page.context["export_url"]) for page in pages] == [True, False]


def test_a_pool_is_taken_from_in_the_store_of_the_role_alone(as_user, of_two_stores, here, there):
    pool = TouchPointFactory(customer=CustomerFactory(store=there.store), rule=CareRuleFactory())
    response = as_user(of_two_stores).post(reverse("followups:queue_start") + "?pool=1")
    assert response.status_code == 302
    assert not QueueLease.objects.filter(customer=pool.customer).exists()


def test_a_membership_that_ends_closes_the_store_at_the_next_click(as_user, of_two_stores, here, there):
    client = as_user(of_two_stores)
    files = [reverse("customers:customer_detail", args=[world.customer.pk]) for world in (here, there)]
    assert [client.get(path).status_code for path in files] == [200, 200]
    of_two_stores.memberships.filter(store=here.store).update(is_active=False)
    assert [client.get(path).status_code for path in files] == [404, 200]
    assert client.get(reverse("followups:team")).status_code == 403
    of_two_stores.memberships.update(is_active=False)
    assert [client.get(path).status_code for path in files] == [403, 403]
    data = _answer(touch_points=[there.point.pk])
    assert client.post(reverse("followups:queue_save", args=[there.customer.pk]), data).status_code == 403
    assert _is_open(there.point)


def test_a_store_that_closes_is_shut_at_the_next_click_for_who_works_in_another_one_too(
    as_user, of_two_stores, here, there
):
    client = as_user(of_two_stores)
    files = [reverse("customers:customer_detail", args=[world.customer.pk]) for world in (here, there)]
    assert [client.get(path).status_code for path in files] == [200, 200]
    type(here.store).objects.filter(pk=here.store.pk).update(is_active=False)
    assert [client.get(path).status_code for path in files] == [404, 200]
    assert list(Store.objects.visible_to(of_two_stores)) == [there.store]
    assert not CareRule.objects.visible_to(of_two_stores).filter(store=here.store).exists()
    data = _answer(touch_points=[here.point.pk])
    assert client.post(reverse("followups:queue_save", args=[here.customer.pk]), data).status_code == 404
    assert _is_open(here.point)


def test_a_person_who_left_is_signed_out_at_the_next_click(as_user, adviser, here, is_sent_to_sign_in):
    client = as_user(adviser)
    path = reverse("customers:customer_detail", args=[here.customer.pk])
    assert client.get(path).status_code == 200
    adviser.is_active = False
    adviser.save(update_fields=["is_active"])
    assert is_sent_to_sign_in(client.get(path))


def test_who_left_the_store_keeps_no_given_customer(as_user, consultant, second_consultant, here):
    point = TouchPointFactory(customer=CustomerFactory(store=here.store), assignee=second_consultant)
    client = as_user(second_consultant)
    path = reverse("followups:queue_card", args=[point.customer_id])
    assert client.get(path).status_code == 200
    second_consultant.memberships.update(is_active=False)
    MembershipFactory(user=second_consultant, role=Role.SALES_CONSULTANT)
    assert client.get(path).status_code == 404
