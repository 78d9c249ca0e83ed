"""S2: one customer at a time. Saving answers with the next card, with and without htmx."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from accounts.choices import Role
from customers.choices import DoNotContact, PersonalDataField, Salutation
from customers.models import PersonalDataAccess
from followups.choices import NextStepKind, Outcome, Severity, TouchPointStatus
from followups.models import CareRule, ContactLog, NextStep, QueueLease, TouchPoint
from tests.factories import (
    NOW,
    TODAY,
    CareRuleFactory,
    CarModelFactory,
    ContactLogFactory,
    ContactPersonFactory,
    CustomerFactory,
    MembershipFactory,
    NextStepFactory,
    QueueLeaseFactory,
    StoreFactory,
    TouchPointFactory,
    VehicleFactory,
    WorkOrderFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_nine_in_the_morning")]

CARD_QUERIES = 16
HTMX = {"HX-Request": "true"}


@pytest.fixture
def _nine_in_the_morning():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def rule(db):
    return CareRule.objects.get(code="PS2", store=None)


@pytest.fixture
def due(store, care_specialist, rule):
    """Make a customer with an open touch point of the care specialist's; ``customer__…`` is the customer's."""

    def make(**values):
        customer_values = {key[10:]: values.pop(key) for key in list(values) if key.startswith("customer__")}
        customer = values.pop("customer", None) or CustomerFactory(store=store, **customer_values)
        return TouchPointFactory(**({"rule": rule, "customer": customer, "assignee": care_specialist} | values))

    return make


@pytest.fixture
def caller(as_user, care_specialist):
    return as_user(care_specialist)


def address(name, customer):
    return reverse(f"followups:queue_{name}", args=[customer.pk])


def form_of(page):
    """The form of a card. The first card of a process also renders the panels that are the same on every card."""
    return next(context["form"] for context in page.context if "card" in context)


def filled(*points, **values):
    return {
        "submission": str(uuid4()),
        "touch_points": [point.pk for point in points],
        "outcome": "satisfied",
        "channel": "phone",
        "note": "",
    } | values


# --- Getting a card -------------------------------------------------------------------------------------------------


def test_start_takes_the_most_urgent_customer(caller, care_specialist, due):
    due(closes_on=TODAY + timedelta(days=3))
    urgent = due(closes_on=TODAY)

    response = caller.post(reverse("followups:queue_start"))

    assert response.url == address("card", urgent.customer)
    assert QueueLease.objects.get().holder == care_specialist


def test_start_follows_the_filters_and_carries_them_along(caller, due):
    due(closes_on=TODAY)
    vip = due(customer__tier="vip", closes_on=TODAY + timedelta(days=3))

    response = caller.post(reverse("followups:queue_start") + "?tier=vip")

    assert response.url == f"{address('card', vip.customer)}?tier=vip"
    assert f"{address('save', vip.customer)}?tier=vip" in caller.get(response.url).text


def test_start_says_when_nobody_is_left(caller):
    response = caller.post(reverse("followups:queue_start"), follow=True)

    assert response.redirect_chain[-1][0] == "/"
    assert "Nobody is left to call now" in response.text


def test_a_sign_in_that_came_in_between_leads_to_the_day(caller):
    assert caller.get(reverse("followups:queue_start")).url == "/"


def test_looking_at_a_card_keeps_nobody(caller, due):
    caller.get(address("card", due().customer))

    assert not QueueLease.objects.exists()


def test_the_page_asks_for_the_lease_by_itself(caller, care_specialist, due):
    customer = due().customer

    response = caller.post(address("claim", customer), headers=HTMX)

    assert QueueLease.objects.get(customer=customer).holder == care_specialist
    assert 'id="queue-lease"' in response.text
    assert 'id="queue"' not in response.text


def test_a_customer_on_another_screen_is_said_to_be_and_cannot_be_saved(caller, due, adviser):
    point = due()
    QueueLeaseFactory(customer=point.customer, holder=adviser)

    page = caller.get(address("card", point.customer))
    claim = caller.post(address("claim", point.customer), headers=HTMX)
    save = caller.post(address("save", point.customer), filled(point))

    assert "赵扬 is on this customer until 09:15" in page.text
    assert 'id="queue-form"' not in page.text
    assert "赵扬 is on this customer until 09:15" in claim.text
    assert save.status_code == 422
    assert not ContactLog.objects.exists()


def test_the_card_says_who_and_why_in_the_customers_own_values(caller, due):
    policy = CareRule.objects.get(code="IN1", store=None)
    point = due(
        customer__name="欧阳娜",
        customer__salutation=Salutation.MS,
        rule=CareRule.objects.get(code="FS1", store=None),
        anchor_on=TODAY + timedelta(days=14),
    )
    car = VehicleFactory(
        owner=point.customer,
        model=CarModelFactory(series="星越"),
        odometer_km=10_000,
        odometer_on=TODAY - timedelta(days=10),
        daily_km=40,
        warranty_ends_on=TODAY + timedelta(days=300),
        warranty_km=60_000,
    )
    due(customer=point.customer, vehicle=car, rule=policy, lead=point, status=TouchPointStatus.MERGED)

    response = caller.get(address("card", point.customer))
    card = response.context["card"]

    assert card.address == "Ms Ouyang"
    assert [reason.point.rule.code for reason in card.reasons] == ["FS1", "IN1"]
    [words] = card.reasons[0].points
    assert words.startswith("Hello Ms Ouyang, the first service of your 星越 is due on 5 December 2026 ")
    assert words.endswith("滨州渤海路店 is glad to book you in")
    assert card.cars[0].km_today == 10_400
    assert [str(text) for text in card.strategies] == [
        "Personal and respectful: explain work and price clearly, show understanding.",
        "Guide and fix the habit of returning; build trust.",
    ]


@pytest.mark.parametrize(("code", "fact"), [("WE2", "warranty_runs_out_on"), ("TG", "three_guarantees_run_out_on")])
def test_an_end_by_kilometres_is_told_as_it_is_known_now(caller, due, code, fact):
    rule = CareRule.objects.get(code=code, store=None)
    point = due(rule=rule, anchor_on=TODAY + timedelta(days=30))
    car = VehicleFactory(owner=point.customer, **{fact: TODAY + timedelta(days=14)})
    type(point).objects.filter(pk=point.pk).update(vehicle=car)

    card = caller.get(address("card", point.customer)).context["card"]

    words = card.reasons[0].points[0]
    assert "5 December 2026" in words
    assert "by months or mileage, whichever is first" in words.lower()


def test_the_message_is_in_the_customers_language_not_the_callers(caller, due):
    point = due(
        customer__name="王小明",
        customer__salutation=Salutation.MR,
        rule=CareRule.objects.get(code="FS1", store=None),
        anchor_on=TODAY,
        channel="wechat",
    )

    message = caller.get(address("card", point.customer)).context["card"].message

    assert message.language == "zh-hans"
    assert message.text.startswith("王先生您好")
    assert "2026年11月21日" in message.text


def test_who_likes_to_be_written_to_is_not_told_of_a_call(caller, due, rule):
    writes = due(customer__preferred_channel="wechat", customer__language="en", customer__name="王小明")
    calls = due(customer__language="en")

    message = caller.get(address("card", writes.customer)).context["card"].message
    after_a_call = caller.get(address("card", calls.customer)).context["card"].message

    assert "by mileage or date your car is due for service" in message.text
    assert "could not reach you by phone" in after_a_call.text


def test_a_message_leaves_out_what_a_colleague_asks_and_what_was_put_off(caller, due, rule, care_specialist):
    point = due(customer__preferred_channel="wechat", customer__language="en")
    visit = WorkOrderFactory(vehicle=VehicleFactory(owner=point.customer), adviser=care_specialist)
    after_service = CareRule.objects.get(code="PV", store=None)
    due(customer=point.customer, rule=after_service, vehicle=visit.vehicle, anchor_on=visit.handed_over_on)
    renewal = CareRule.objects.get(code="IN1", store=None)
    due(customer=point.customer, rule=renewal, not_before=NOW + timedelta(hours=3), vehicle=visit.vehicle)

    text = caller.get(address("card", point.customer)).context["card"].message.text

    assert "due for service" in text
    assert "solved" not in text
    assert "insurance" not in text


def test_the_stores_own_version_of_a_rule_says_what_is_said(caller, due, rule, store):
    CareRuleFactory(code=rule.code, store=store, points_en="Ask for {customer}")
    point = due(customer__name="王小明", customer__salutation=Salutation.MR)

    assert caller.get(address("card", point.customer)).context["card"].reasons[0].points == ["Ask for Mr Wang"]


def test_what_to_know_before_dialling_comes_first(caller, due, adviser):
    point = due(
        customer__do_not_contact=DoNotContact.MARKETING,
        customer__do_not_contact_reason="推销太多",
        customer__do_not_contact_on=TODAY,
        customer__is_mobile_wrong=True,
    )
    yesterday = NOW - timedelta(days=1)
    talk = ContactLogFactory(customer=point.customer, by=adviser, at=yesterday, not_reached=True)
    NextStepFactory(customer=point.customer, contact=talk, complaint=True, detail="空调异响", created_at=yesterday)
    NextStepFactory(
        customer=point.customer, contact=talk, complaint=True, created_at=yesterday, done_at=NOW, done_by=adviser
    )

    cautions = [caution.text for caution in caller.get(address("card", point.customer)).context["card"].cautions]

    assert sorted(cautions) == sorted(
        [
            "Open complaint (Escalated) of 2026-11-20: 空调异响",
            "The complaint of 2026-11-20 is settled: give thanks first",
            "Do not contact: No marketing · 推销太多",
            "The number is marked as wrong: ask for the right one",
            "Contacted yesterday: Not reached · 赵扬",
        ]
    )


@pytest.mark.parametrize(("days", "is_said"), [(6, True), (7, False)])
def test_a_card_tells_of_a_marketing_message_of_this_week(caller, due, adviser, days, is_said):
    point = due()
    sent_at = NOW - timedelta(days=days)
    ContactLogFactory(customer=point.customer, by=adviser, at=sent_at, is_marketing_message=True)

    assert ("A marketing message went out on" in caller.get(address("card", point.customer)).text) is is_said


@pytest.mark.parametrize(
    ("clock", "slot", "is_said"),
    [("11:59", "", False), ("13:00", "", True), ("19:00", "", True), ("19:00", "evening", False), ("20:30", "", True)],
)
def test_a_card_outside_the_hours_for_calls_says_so(caller, due, time_machine, clock, slot, is_said):
    point = due(customer__preferred_slot=slot)
    time_machine.move_to(f"{TODAY}T{clock}:00+08:00", tick=False)

    page = caller.get(address("card", point.customer)).text

    assert ("Outside the hours for calls" in page) is is_said


def test_the_card_asks_the_same_number_of_questions_however_much_there_is_to_say(
    caller, due, adviser, django_assert_num_queries
):
    small = due()
    large = due()
    for _ in range(4):
        car = VehicleFactory(owner=large.customer, model=CarModelFactory())
        due(customer=large.customer, vehicle=car, lead=large, status=TouchPointStatus.MERGED, rule=CareRuleFactory())
        talk = ContactLogFactory(customer=large.customer, by=adviser)
        NextStepFactory(customer=large.customer, contact=talk)
    ContactLogFactory(customer=small.customer, by=adviser)
    for point in (small, large):
        caller.get(address("card", point.customer))
        with django_assert_num_queries(CARD_QUERIES):
            caller.get(address("card", point.customer))


def test_what_waits_for_an_agreed_time_is_shown_and_not_ticked(caller, due):
    lead = due()
    waiting = due(customer=lead.customer, rule=CareRuleFactory(), not_before=NOW + timedelta(days=2, hours=6))
    page = caller.get(address("card", lead.customer))
    assert form_of(page)["touch_points"].value() == [lead.pk]
    assert f'id="tick-{waiting.pk}"' in page.text
    assert "not before" in page.text


def test_a_forecast_that_moved_away_is_no_reason_on_the_card(caller, due):
    lead = due()
    moved = due(customer=lead.customer, rule=CareRuleFactory(), nominal_on=TODAY + timedelta(days=90))
    page = caller.get(address("card", lead.customer))
    assert [point.pk for point in page.context["card"].points] == [lead.pk]
    refused = caller.post(address("save", lead.customer), filled(lead, moved))
    assert refused.status_code == 422
    assert caller.post(address("save", lead.customer), filled(lead)).status_code == 302
    moved.refresh_from_db()
    assert moved.status == TouchPointStatus.OPEN


def test_who_received_the_car_leaves_the_call_after_the_service_to_a_colleague(as_user, due, adviser, care_specialist):
    visit = WorkOrderFactory(vehicle=VehicleFactory(owner=due().customer), adviser=adviser)
    rule = CareRule.objects.get(code="PV", store=None)
    call = due(customer=visit.customer, rule=rule, vehicle=visit.vehicle, anchor_on=visit.handed_over_on)
    lead = TouchPoint.objects.exclude(pk=call.pk).get()

    page = as_user(adviser).get(address("card", visit.customer))
    assert form_of(page)["touch_points"].value() == [lead.pk]
    assert "You received this car" in page.text
    refused = as_user(adviser).post(address("save", visit.customer), filled(lead, call))
    assert refused.status_code == 422
    assert "a colleague makes the call" in refused.text

    page = as_user(care_specialist).get(address("card", visit.customer))
    assert set(form_of(page)["touch_points"].value()) == {lead.pk, call.pk}
    assert "You received this car" not in page.text


def test_the_day_on_the_card_is_the_stores(as_user, due):
    store = StoreFactory(time_zone="America/Los_Angeles")
    there = MembershipFactory(store=store, role=Role.CARE_SPECIALIST).user
    customer = CustomerFactory(store=store)
    NextStepFactory(customer=customer, severity=Severity.GENERAL, kind=NextStepKind.COMPLAINT, created_at=NOW)
    # It is still the day before in California.
    today = due(customer=customer, assignee=there, nominal_on=TODAY - timedelta(days=1))
    due(customer=customer, assignee=there, rule=CareRuleFactory(early_days=0))
    card = as_user(there).get(address("card", customer)).context["card"]
    assert [(reason.point, reason.state) for reason in card.reasons] == [(today, "today")]
    assert str(TODAY - timedelta(days=1)) in card.cautions[0].text


def test_a_card_that_cannot_be_saved_any_more_gives_back_what_was_typed(caller, due, adviser):
    held, settled = due(), due()
    QueueLeaseFactory(customer=held.customer, holder=adviser)
    TouchPoint.objects.filter(pk=settled.pk).update(status="done", closed_on=TODAY)

    refused = caller.post(
        address("save", held.customer),
        filled(held, outcome="grievance", severity=Severity.MAJOR, complaint_words="漆面有划痕", note="客户很生气"),
        headers=HTMX,
    )
    late = caller.post(address("save", settled.customer), filled(settled, note="下月再约"), headers=HTMX)

    for response, reason, words in (
        (refused, "赵扬 is working on this customer", "漆面有划痕"),
        (refused, "Your note is kept", "客户很生气"),
        (late, "A reason that you had ticked has been settled meanwhile.", "下月再约"),
    ):
        assert response.status_code == 422
        assert "Not saved." in response.text
        assert reason in response.text
        assert words in response.text
    assert not ContactLog.objects.exists()


def test_a_skip_that_comes_too_late_says_so(caller, due):
    point = due()
    TouchPoint.objects.filter(pk=point.pk).update(status="done", closed_on=TODAY)

    response = caller.post(address("skip", point.customer), {"reason": "not_now"})

    assert response.status_code == 422
    assert "Nothing is open for this customer any more." in response.text


def test_a_colleagues_card_is_not_taken_away_by_looking(as_user, manager, caller, due):
    customer, pool = due().customer, due(assignee=None).customer
    by_itself = 'hx-trigger="load, submit"'

    assert by_itself in caller.get(address("card", customer)).text
    looked_at = as_user(manager).get(address("card", customer)).text
    assert by_itself not in looked_at
    assert "Keep this customer for me" in looked_at
    assert by_itself in as_user(manager).get(address("card", pool)).text


def test_the_way_out_changes_with_the_lease(caller, due):
    customer = due().customer

    page = caller.get(address("card", customer))
    lease = caller.post(address("claim", customer), headers=HTMX)

    assert "Stop here" not in page.text
    assert "Stop here" in lease.text
    assert "Back to my day" not in lease.text


def test_a_new_number_that_nobody_knows_becomes_a_task_once(caller, due):
    customer = due().customer
    for days in (1, 2):
        point = due(customer=customer, nominal_on=TODAY - timedelta(days=days))
        response = caller.post(address("save", customer), filled(point, also=["number"]))
        assert response.status_code == 302

    assert [step.kind for step in NextStep.objects.all()] == [NextStepKind.NUMBER_CORRECTION]


def test_a_contact_persons_number_is_corrected_without_touching_the_organisations(caller, due, care_specialist):
    customer = due(customer__organisation=True, customer__mobile="13800000001").customer
    person = ContactPersonFactory(customer=customer, name="周敏", mobile="13712345678")
    number = {"outcome": "wrong_number", "person": person.pk}

    shown = caller.get(address("card", customer))
    wrong = caller.post(address("save", customer), filled(*customer.touch_points.all(), **number, note="空号"))
    point = due(customer=customer, nominal_on=TODAY - timedelta(days=1))
    right = caller.post(address("save", customer), filled(point, **number, corrected_mobile="13987654321"), follow=True)

    assert "Whose number" in shown.text
    assert (wrong.status_code, right.status_code) == (302, 200)
    customer.refresh_from_db()
    person.refresh_from_db()
    assert (customer.mobile, customer.is_mobile_wrong, person.mobile) == ("13800000001", False, "13987654321")
    step = NextStep.objects.get()
    assert (step.detail, step.done_by) == ("周敏: 空号", care_specialist)


def test_each_wrong_number_is_asked_for_once_and_closed_by_its_own(caller, due):
    customer = due(customer__organisation=True, customer__mobile="13800000001").customer
    people = [ContactPersonFactory(customer=customer, mobile=f"1371234567{n}") for n in (1, 2)]
    for days, person in enumerate([people[0].pk, people[0].pk, people[1].pk, ""], start=1):
        point = due(customer=customer, nominal_on=TODAY - timedelta(days=days))
        caller.post(address("save", customer), filled(point, also=["number"], person=person))

    point = due(customer=customer, nominal_on=TODAY - timedelta(days=9))
    caller.post(address("save", customer), filled(point, also=["number"], corrected_mobile="13987654321"))

    steps = NextStep.objects.order_by("pk")
    assert [step.payload.get("person") for step in steps] == [people[0].pk, people[1].pk, None]
    assert [step.done_at is not None for step in steps] == [False, False, True]


def test_a_person_of_another_customer_is_not_corrected(caller, due):
    point, stranger = due(), ContactPersonFactory(mobile="13712345678")

    response = caller.post(
        address("save", point.customer),
        filled(point, also=["number"], person=stranger.pk, corrected_mobile="13987654321"),
    )

    stranger.refresh_from_db()
    assert (response.status_code, stranger.mobile) == (422, "13712345678")


def test_a_skip_is_not_said_to_be_a_contact(caller, due, care_specialist):
    point = due()
    ContactLogFactory(customer=point.customer, by=care_specialist, outcome=Outcome.SKIPPED, is_effective=False)

    assert "Contacted today" not in caller.get(address("card", point.customer)).text


# --- Saving ---------------------------------------------------------------------------------------------------------


def test_a_car_that_left_meanwhile_blocks_only_a_panel_that_asks_for_it(caller, care_specialist, due):
    # The folded panels are sent along by the browser, the car that was chosen there too.
    sold = VehicleFactory()
    point, other, third = due(), due(), due()
    scrapped = VehicleFactory(owner=third.customer, status="scrapped")

    plain = caller.post(address("save", point.customer), filled(point, vehicle=sold.pk), headers=HTMX)
    gone = caller.post(
        address("save", other.customer),
        filled(other, vehicle=sold.pk, outcome="car_gone", car_status="transferred"),
        headers=HTMX,
    )

    ended = caller.post(
        address("save", third.customer),
        filled(third, vehicle=scrapped.pk, outcome="car_gone", car_status="transferred"),
        headers=HTMX,
    )

    assert plain.status_code == 200
    assert ContactLog.objects.get().customer == point.customer
    for answer in (gone, ended):
        assert answer.status_code == 422
        assert form_of(answer).errors["vehicle"] == ["This car is not the customer's, or is no longer in use."]


def test_saving_with_htmx_answers_with_the_next_card(caller, care_specialist, due):
    first, second = due(closes_on=TODAY), due()

    response = caller.post(address("save", first.customer), filled(first, note="都好"), headers=HTMX)

    assert response.status_code == 200
    assert response["HX-Push-Url"] == address("card", second.customer)
    assert response.context["customer"] == second.customer
    assert f'data-crm-saved="{care_specialist.pk}:{first.customer_id}"' in response.text
    assert "<html" not in response.text
    log = ContactLog.objects.get()
    assert (log.outcome, log.note, log.by) == (Outcome.SATISFIED, "都好", care_specialist)
    assert QueueLease.objects.get().customer == second.customer


def test_saving_without_javascript_goes_to_the_next_card(caller, due):
    first, second = due(closes_on=TODAY), due()

    response = caller.post(address("save", first.customer), filled(first), follow=True)

    assert response.redirect_chain == [(address("card", second.customer), 302)]
    assert f"Saved: {first.customer.name} · Reached · satisfied" in response.text


def test_the_last_card_ends_with_a_word_and_a_way_back(caller, due):
    point = due()

    response = caller.post(address("save", point.customer), filled(point), headers=HTMX)

    assert "All done for now" in response.text
    assert response["HX-Push-Url"] == "/"


def test_the_fragment_is_the_page_that_a_reload_would_show(caller, due):
    """The swapped card and the card of a fresh page differ only in what was just said and in the form's keys."""
    first, second = due(closes_on=TODAY), due()

    fragment = caller.post(address("save", first.customer), filled(first), headers=HTMX).text
    page = caller.get(address("card", second.customer)).text

    for part in (f"save-{second.pk}", 'id="queue-form"', 'id="queue-lease"', second.customer.name):
        assert (part in fragment) is (part in page)
    assert page.count("wk-reason-head") == fragment.count("wk-reason-head") == 1


def test_the_same_form_sent_twice_makes_one_contact(caller, due):
    point = due()
    form = filled(point)

    first = caller.post(address("save", point.customer), form)
    again = caller.post(address("save", point.customer), form)

    assert ContactLog.objects.count() == 1
    assert (again.status_code, again.headers["Location"]) == (first.status_code, first.headers["Location"])


def test_an_invalid_form_keeps_what_was_typed(caller, due):
    point = due()

    response = caller.post(
        address("save", point.customer), filled(point, outcome="later", note="客户在开会"), headers=HTMX
    )

    assert response.status_code == 422
    assert "客户在开会" in response.text
    assert form_of(response).errors == {
        "later_on": ["Please fill this in."],
        "later_time": ["Please fill this in."],
    }
    assert not ContactLog.objects.exists()


REFUSED_FORMS = [
    ({"outcome": ""}, "outcome"),
    ({"touch_points": []}, "touch_points"),
    ({"outcome": "booked", "appointment_on": "2026-11-20", "appointment_time": "10:00"}, "appointment_on"),
    ({"outcome": "booked"}, "appointment_on"),
    ({"outcome": "grievance", "severity": "L1"}, "complaint_words"),
    ({"outcome": "referral", "friend_name": "赵", "friend_mobile": "123", "friend_consent": "x"}, "friend_mobile"),
    ({"outcome": "trade_in"}, "trade_in_wish"),
    ({"outcome": "later", "later_on": "2026-11-23", "later_time": "22:00"}, "later_on"),
    ({"outcome": "wrong_number", "corrected_mobile": "12"}, "corrected_mobile"),
    ({"outcome": "refused", "do_not_contact": "marketing"}, "refusal_reason"),
    ({"outcome": "serviced_elsewhere"}, "elsewhere_reason"),
    ({"outcome": "car_gone"}, "car_status"),
    ({"outcome": "message_sent"}, "channel"),
    ({"also": ["complaint"]}, "complaint_words"),
]


@pytest.mark.parametrize(("values", "field"), REFUSED_FORMS)
def test_a_form_that_misses_something_says_so_at_the_field(caller, due, values, field):
    point = due()
    VehicleFactory(owner=point.customer)

    response = caller.post(address("save", point.customer), filled(point, **values))

    assert response.status_code == 422
    assert field in form_of(response).errors
    assert TouchPoint.objects.get().status == TouchPointStatus.OPEN


def test_a_wake_up_call_asks_why_the_customer_stayed_away(caller, due):
    point = due(rule=CareRule.objects.get(code="DW", store=None))

    without = caller.post(address("save", point.customer), filled(point))
    with_reason = caller.post(address("save", point.customer), filled(point, win_back_reason="price"))

    assert form_of(without).errors == {"win_back_reason": ["Please fill this in."]}
    assert with_reason.status_code == 302
    assert ContactLog.objects.get().win_back_reason == "price"


NEXT_STEPS = [
    (
        {"outcome": "booked", "appointment_on": "2026-11-24", "appointment_time": "10:00", "appointment_job": "保养"},
        (NextStepKind.APPOINTMENT, "", "保养"),
        "The wished visit is noted; the service desk confirms it.",
    ),
    (
        {"outcome": "grievance", "severity": "L2", "complaint_words": "异响"},
        (NextStepKind.COMPLAINT, Severity.ESCALATED, "异响"),
        "The complaint is noted; the complaint desk picks it up.",
    ),
    (
        {"outcome": "referral", "friend_name": "赵六", "friend_mobile": "139 0000 1111", "friend_consent": "当面同意"},
        (NextStepKind.REFERRAL, "", "赵六"),
        "The referral is noted, the friend as a lead; the sales desk calls the friend.",
    ),
    (
        {"outcome": "trade_in", "trade_in_wish": "明年换SUV"},
        (NextStepKind.LEAD, "", "明年换SUV"),
        "The trade-in wish is noted; the sales desk picks it up.",
    ),
    (
        {"also": ["appointment"], "appointment_on": "2026-11-24", "appointment_time": "10:00"},
        (NextStepKind.APPOINTMENT, "", ""),
        "The wished visit is noted; the service desk confirms it.",
    ),
]


@pytest.mark.parametrize(("values", "step", "sentence"), NEXT_STEPS)
def test_what_another_desk_takes_over_is_written_down_and_said(caller, due, values, step, sentence):
    point = due()
    due(closes_on=TODAY + timedelta(days=9))

    response = caller.post(address("save", point.customer), filled(point, **values), headers=HTMX)

    found = NextStep.objects.order_by("pk").first()
    assert (found.kind, found.severity, found.detail) == step
    assert response.context["saved"].steps == [sentence]
    assert sentence in response.text


def test_fields_of_folded_panels_are_not_read(caller, due):
    point = due()

    caller.post(address("save", point.customer), filled(point, complaint_words="typed, then folded", friend_mobile="1"))

    assert not NextStep.objects.exists()
    assert ContactLog.objects.get().outcome == Outcome.SATISFIED


def test_a_corrected_number_and_a_refusal_take_effect_at_once(caller, due):
    number, refusal = due(), due()

    caller.post(
        address("save", number.customer),
        filled(number, outcome="wrong_number", corrected_mobile="13911112222"),
    )
    caller.post(
        address("save", refusal.customer),
        filled(refusal, outcome="refused", do_not_contact="all", refusal_reason="不再需要"),
    )

    number.customer.refresh_from_db()
    refusal.customer.refresh_from_db()
    assert number.customer.mobile == "13911112222"
    assert (refusal.customer.do_not_contact, refusal.customer.do_not_contact_reason) == ("all", "不再需要")


# --- Skipping, stopping, dialling -----------------------------------------------------------------------------------


def test_an_opt_out_of_a_channel_is_entered_on_the_card(caller, due):
    point = due()
    refusal = {"outcome": "refused", "do_not_contact": "none", "refusal_reason": "不要打电话"}

    without = caller.post(address("save", point.customer), filled(point, **refusal))
    saved = caller.post(address("save", point.customer), filled(point, refused_channels=["phone", "sms"], **refusal))

    assert form_of(without).errors == {"refused_channels": ["Please fill this in."]}
    assert saved.status_code == 302
    point.customer.refresh_from_db()
    assert point.customer.refused_channels == ["phone", "sms"]
    assert point.customer.do_not_contact == DoNotContact.NONE


def test_a_refused_channel_is_not_proposed_and_refused_unless_the_customer_called(caller, due):
    point = due(customer__refused_channels=["phone", "sms", "app"])

    page = caller.get(address("card", point.customer))
    refused = caller.post(address("save", point.customer), filled(point))
    nothing = caller.post(address("save", point.customer), filled(point, channel=""))
    saved = caller.post(address("save", point.customer), filled(point, is_inbound="on"))

    assert "no channel: all are refused" in page.text
    assert list(form_of(refused).errors) == ["channel"]
    assert "has refused to be contacted by Phone" in refused.text
    assert form_of(nothing).errors == {"channel": ["Choose how the contact was made."]}
    assert saved.status_code == 302
    assert ContactLog.objects.get().is_inbound


def test_skipping_puts_the_customer_off_with_the_reason_and_goes_on(caller, due):
    first, second = due(closes_on=TODAY), due()

    response = caller.post(address("skip", first.customer), {"reason": "not_now"}, headers=HTMX)

    assert response.context["customer"] == second.customer
    log = ContactLog.objects.get()
    assert (log.outcome, log.reason) == (Outcome.SKIPPED, "Not the customer's time")
    assert TouchPoint.objects.get(pk=first.pk).not_before == NOW + timedelta(hours=2)


def test_skipping_without_a_reason_is_refused(caller, due):
    point = due()

    assert caller.post(address("skip", point.customer), {}).status_code == 422
    assert not ContactLog.objects.exists()


def test_stopping_gives_the_customer_back(caller, care_specialist, due):
    point = due()
    QueueLeaseFactory(customer=point.customer, holder=care_specialist)

    assert caller.post(address("release", point.customer)).url == "/"
    assert not QueueLease.objects.exists()


def test_the_number_is_masked_until_it_is_asked_for_and_the_look_is_logged(caller, care_specialist, due):
    customer = due(customer__mobile="13812345678").customer

    page = caller.get(address("card", customer))
    shown = caller.post(address("call", customer), headers=HTMX)
    without_javascript = caller.post(address("call", customer))

    assert "138 **** 5678" in page.text
    assert "13812345678" not in page.text
    assert 'href="tel:13812345678"' in shown.text
    assert 'href="tel:13812345678"' in without_javascript.text
    calls = PersonalDataAccess.objects.filter(field=PersonalDataField.MOBILE).order_by("pk")
    access = calls.first()
    assert (access.customer, access.field, access.by) == (customer, PersonalDataField.MOBILE, care_specialist)
    assert calls.count() == 2


def test_an_organisation_is_called_through_its_people(caller, due):
    customer = due(customer__organisation=True, customer__mobile="").customer
    person = ContactPersonFactory(customer=customer, name="周敏", role="车队经理", mobile="13712345678")
    stranger = ContactPersonFactory()

    shown = caller.post(address("call", customer), {"person": person.pk}, headers=HTMX)

    assert "周敏 车队经理" in shown.text
    assert 'href="tel:13712345678"' in shown.text
    assert caller.post(address("call", customer), {"person": stranger.pk}, headers=HTMX).status_code == 404


# --- Who may --------------------------------------------------------------------------------------------------------

WRITES = ("claim", "save", "skip", "release", "call")


def test_another_stores_customer_is_not_there(as_user, other_store_adviser, due):
    client, customer = as_user(other_store_adviser), due().customer

    assert client.get(address("card", customer)).status_code == 404
    assert [client.post(address(name, customer)).status_code for name in WRITES] == [404] * 5


def test_the_auditor_and_the_group_look_and_cannot_work(as_user, auditor, group_manager, due):
    customer = due(customer__mobile="13812345678").customer
    for user in (auditor, group_manager):
        client = as_user(user)
        page = client.get(address("card", customer))
        assert page.status_code == 200
        assert "13812345678" not in page.text
        assert 'id="queue-form"' not in page.text
        assert [client.post(address(name, customer)).status_code for name in WRITES] == [403] * 5
        assert client.post(reverse("followups:queue_start")).status_code == 403


def test_a_consultant_works_own_customers_and_those_that_were_given(as_user, consultant, due):
    client = as_user(consultant)
    own = due(customer__sales_consultant=consultant).customer
    given = due(assignee=consultant).customer
    others = due().customer

    answers = [client.get(address("card", customer)).status_code for customer in (own, given, others)]

    assert answers == [200, 200, 404]


def test_what_was_given_is_worked_without_the_file_and_answered_again_when_it_was_the_last(as_user, consultant, due):
    client = as_user(consultant)
    point = due(assignee=consultant)
    file = reverse("customers:customer_detail", args=[point.customer_id])

    card = client.get(address("card", point.customer))
    form = filled(point)
    answers = [client.post(address("save", point.customer), form).status_code for _ in range(2)]

    assert file not in card.text
    assert client.get(file).status_code == 404
    assert answers == [302, 302]
    assert ContactLog.objects.count() == 1


def test_a_get_cannot_write(caller, due):
    customer = due().customer

    assert [caller.get(address(name, customer)).status_code for name in WRITES] == [405] * 5
