"""Messages to many: the text, whom it goes to, the file, and marking as sent."""

import csv
import re
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.urls import reverse

from customers.choices import DoNotContact, Salutation
from customers.models import PersonalDataAccess
from followups.choices import Handling, TouchPointStatus
from followups.models import CareRule, TouchPoint
from tests.factories import NOW, TODAY, CareRuleFactory, ConsentFactory, CustomerFactory, TouchPointFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_nine_in_the_morning")]

LIST = "/messages/"
DETAIL_QUERIES = 10


@pytest.fixture
def _nine_in_the_morning():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def tip(store):
    """Make an open season tip of a customer; ``customer__…`` is the customer's."""
    rule = CareRule.objects.get(code="SE", store=None)

    def make(**values):
        customer_values = {key[10:]: values.pop(key) for key in list(values) if key.startswith("customer__")}
        customer = CustomerFactory(**({"store": store} | customer_values))
        return TouchPointFactory(**({"rule": rule, "customer": customer} | values))

    return make


def address(name, store):
    return reverse(f"followups:batch_{name}", args=[store.code, "SE", TODAY.isoformat()])


def states(*points):
    return [TouchPoint.objects.get(pk=point.pk).status for point in points]


def test_batches_are_grouped_by_rule_and_day(as_user, care_specialist, tip, store):
    tip()
    tip()
    tip(nominal_on=TODAY - timedelta(days=1))
    tip(opens_on=TODAY + timedelta(days=1), due_on=TODAY + timedelta(days=1), closes_on=TODAY + timedelta(days=1))

    batches = as_user(care_specialist).get(LIST).context["batches"]

    assert sorted((batch.rule_code, batch.nominal_on, batch.count) for batch in batches) == [
        ("SE", TODAY - timedelta(days=1), 1),
        ("SE", TODAY, 2),
    ]


def test_the_day_shows_the_batches(as_user, care_specialist, tip, store):
    tip()

    assert address("detail", store) in as_user(care_specialist).get("/").text


def test_each_text_is_in_its_customers_language(as_user, care_specialist, tip, store):
    tip(customer__name="王小明", customer__salutation=Salutation.MR)
    tip(customer__name="李丽", customer__salutation=Salutation.MS, customer__language="en")

    page = as_user(care_specialist).get(address("detail", store))

    texts = [row.text for row in page.context["page"].rows]
    assert texts[0].startswith("王先生您好，换季用车提示")
    assert texts[1].startswith("Hello Ms Li, a tip for the season")
    assert [sample.language for sample in page.context["samples"]] == ["zh-hans", "en"]


def test_the_stores_own_text_goes_out(as_user, care_specialist, tip, store):
    CareRuleFactory(code="SE", store=store, points_zh="{客户}好", handling=Handling.BATCH, channels=["sms"])
    tip(customer__name="王小明", customer__salutation=Salutation.MR)

    page = as_user(care_specialist).get(address("detail", store))

    assert [row.text for row in page.context["page"].rows] == ["王先生好"]


def test_only_the_ticked_ones_are_marked_as_sent(as_user, care_specialist, tip, store):
    sent, left = tip(), tip()

    response = as_user(care_specialist).post(
        address("send", store),
        {"scope": "page", "channel": "sms", "shown": [sent.pk, left.pk], "ticked": [sent.pk], "last": left.pk},
        follow=True,
    )

    assert "Marked as sent: 1 customer." in response.text
    assert states(sent, left) == [TouchPointStatus.DONE, TouchPointStatus.OPEN]


def test_all_means_all_but_what_was_unticked_on_the_page(as_user, care_specialist, tip, store):
    shown, unticked, other_page = tip(), tip(), tip()

    as_user(care_specialist).post(
        address("send", store),
        {
            "scope": "all",
            "channel": "sms",
            "shown": [shown.pk, unticked.pk],
            "ticked": [shown.pk],
            "last": other_page.pk,
        },
    )

    assert states(shown, unticked, other_page) == [
        TouchPointStatus.DONE,
        TouchPointStatus.OPEN,
        TouchPointStatus.DONE,
    ]


def hidden_last(page):
    (value,) = set(re.findall(r'name="last" value="(\d+)"', page.text))
    return value


def test_what_the_planner_adds_after_the_page_was_shown_is_neither_marked_nor_taken_away(
    as_user, care_specialist, tip, store
):
    client = as_user(care_specialist)
    seen = tip()
    last = hidden_last(client.get(address("detail", store)))
    added = tip()

    lines = client.post(address("export", store), {"last": last, "channel": "sms"}).getvalue().decode()
    client.post(address("send", store), {"scope": "all", "channel": "sms", "ticked": [seen.pk], "last": last})

    assert seen.customer.mobile in lines
    assert added.customer.mobile not in lines
    assert list(PersonalDataAccess.objects.values_list("customer", flat=True)) == [seen.customer_id]
    assert states(seen, added) == [TouchPointStatus.DONE, TouchPointStatus.OPEN]


def test_what_was_logged_is_in_the_file_whatever_happens_while_it_is_written(as_user, care_specialist, tip, store):
    point = tip()

    response = as_user(care_specialist).post(address("export", store), {"last": point.pk, "channel": "sms"})
    TouchPoint.objects.update(status=TouchPointStatus.DONE, closed_on=TODAY)
    tip()

    lines = list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == [point.customer.number]
    assert PersonalDataAccess.objects.get().customer == point.customer


@pytest.mark.parametrize("name", ["send", "export"])
def test_who_has_not_seen_the_page_is_asked_to_look_first(as_user, care_specialist, tip, store, name):
    point = tip()

    response = as_user(care_specialist).post(address(name, store), {"scope": "all", "channel": "sms"})

    assert response.status_code == 422
    assert "Reload the page" in response.text
    assert states(point) == [TouchPointStatus.OPEN]
    assert not PersonalDataAccess.objects.exists()


def test_who_does_not_want_it_is_left_out_and_said_so(as_user, care_specialist, tip, store):
    point = tip(customer__do_not_contact=DoNotContact.ALL_BUT_SAFETY, customer__do_not_contact_on=TODAY)

    data = {"scope": "all", "channel": "sms", "last": point.pk}
    response = as_user(care_specialist).post(address("send", store), data, follow=True)

    assert "1 was left out" in response.text
    assert states(point) == [TouchPointStatus.SUPPRESSED]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"scope": "page", "channel": "sms"}, "Tick at least one customer."),
        ({"scope": "all", "channel": "phone"}, "Select a valid choice. phone is not one of the available choices."),
    ],
)
def test_a_form_with_a_mistake_marks_nothing(as_user, care_specialist, tip, store, values, sentence):
    point = tip()

    response = as_user(care_specialist).post(address("send", store), values | {"last": point.pk})

    assert response.status_code == 422
    assert sentence in response.text
    assert states(point) == [TouchPointStatus.OPEN]


def test_the_file_has_numbers_and_texts_and_every_number_is_logged(as_user, care_specialist, tip, store):
    point = tip(customer__name="=王小明", customer__mobile="13812345678")
    tip(nominal_on=TODAY - timedelta(days=1))

    data = {"last": TouchPoint.objects.latest("pk").pk, "channel": "sms"}
    response = as_user(care_specialist).post(address("export", store), data)

    lines = list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))
    assert lines[0] == ["Customer no.", "Name", "Mobile", "Language", "Text"]
    assert [line[:4] for line in lines[1:]] == [[point.customer.number, "'=王小明", "13812345678", "简体中文"]]
    access = PersonalDataAccess.objects.get()
    assert (access.customer, access.by) == (point.customer, care_specialist)
    assert access.reason == "Export of messages: SE 2026-11-21"


def exported(client, store, channel):
    data = {"last": TouchPoint.objects.latest("pk").pk, "channel": channel}
    response = client.post(address("export", store), data)
    return list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))


@pytest.fixture
def some_unreachable(tip):
    """By name: whom an SMS reaches, whom WeChat alone, whom nothing."""
    return {
        "reached": tip(customer__name="甲", customer__mobile="13812345678"),
        "by WeChat": tip(customer__name="乙", customer__is_mobile_wrong=True, customer__wechat="yi_2026"),
        "wrong number": tip(customer__name="丙", customer__mobile="13900001111", customer__is_mobile_wrong=True),
    }


def test_who_cannot_be_reached_is_not_in_the_file_and_not_logged(as_user, care_specialist, some_unreachable, store):
    client = as_user(care_specialist)
    head, *lines = exported(client, store, "sms")
    assert (head[2], [line[1:3] for line in lines]) == ("Mobile", [["甲", "13812345678"]])
    head, *lines = exported(client, store, "wechat")
    assert (head[2], [line[1:3] for line in lines]) == ("WeChat", [["甲", "13812345678"], ["乙", "yi_2026"]])
    logged = PersonalDataAccess.objects.order_by("pk").values_list("customer__name", "field")
    assert list(logged) == [("甲", "mobile"), ("甲", "wechat"), ("乙", "wechat")]


def test_the_page_says_who_cannot_be_reached_and_leads_to_their_files(
    as_user, care_specialist, some_unreachable, store
):
    page = as_user(care_specialist).get(address("detail", store))

    assert [row.name for row in page.context["page"].rows] == ["甲"]
    assert [(row.customer.name, row.others) for row in page.context["unreached"]] == [("丙", []), ("乙", ["WeChat"])]
    assert "Not reachable by SMS: 2" in page.text
    assert "1 customer cannot be written to at all" in page.text
    for name in ("by WeChat", "wrong number"):
        assert some_unreachable[name].customer.get_absolute_url() in page.text
    assert "13900001111" not in page.text
    page = as_user(care_specialist).get(address("detail", store), {"channel": "wechat"})
    assert [row.name for row in page.context["page"].rows] == ["甲", "乙"]


def test_marking_ends_whom_no_channel_reaches_and_goes_on_with_the_channel_of_the_rest(
    as_user, care_specialist, some_unreachable, store
):
    reached, by_wechat, wrong = some_unreachable.values()
    data = {"scope": "page", "channel": "sms", "shown": [reached.pk], "ticked": [reached.pk], "last": wrong.pk}

    response = as_user(care_specialist).post(address("send", store), data, follow=True)

    assert states(reached, by_wechat, wrong) == [
        TouchPointStatus.DONE,
        TouchPointStatus.OPEN,
        TouchPointStatus.SUPPRESSED,
    ]
    assert response.redirect_chain[-1][0].endswith("?channel=wechat")
    assert "1 was left out: there is no usable number or address." in response.text
    assert [row.name for row in response.context["page"].rows] == ["乙"]


def test_advertising_tells_how_many_have_no_recorded_consent(as_user, care_specialist, store):
    rule = CareRuleFactory(code="AD", handling=Handling.BATCH, channels=["sms"], care_class="M")
    people = CustomerFactory.create_batch(5, store=store)
    for customer in people:
        TouchPointFactory(rule=rule, customer=customer)
    agrees, withdrew, elsewhere, service, _none = people
    ConsentFactory(customer=agrees)
    ConsentFactory(customer=withdrew)
    ConsentFactory(customer=withdrew, is_given=False, at=NOW + timedelta(hours=1))
    ConsentFactory(customer=elsewhere, channel="wechat")
    ConsentFactory(customer=service, purpose="service")
    client = as_user(care_specialist)
    where = reverse("followups:batch_detail", args=[store.code, "AD", TODAY.isoformat()])
    assert "For 4 of these customers no consent to marketing by SMS is recorded." in client.get(where).text
    CareRule.objects.filter(code="AD").update(care_class="S")
    assert "no consent to marketing" not in client.get(where).text


@pytest.mark.parametrize(("hour", "is_late"), [(8, True), (9, False), (19, False), (21, True)])
def test_a_batch_outside_the_hours_for_messages_says_so(as_user, care_specialist, tip, store, hour, is_late):
    tip()
    with time_machine.travel(f"2026-11-21T{hour:02d}:30:00+08:00", tick=False):
        page = as_user(care_specialist).get(address("detail", store))
    assert ("outside the hours for messages" in page.text) == is_late


def test_those_who_see_a_part_or_only_look_cannot_send(as_user, consultant, adviser, auditor, tip, store):
    point = tip(customer__sales_consultant=consultant)

    for user in (consultant, adviser, auditor):
        client = as_user(user)
        assert client.get(address("detail", store)).status_code == 200
        assert client.post(address("send", store), {"scope": "all", "channel": "sms"}).status_code == 403
        assert client.post(address("export", store)).status_code == 403
    assert states(point) == [TouchPointStatus.OPEN]


def test_another_stores_batch_and_nonsense_are_not_there(as_user, other_store_adviser, care_specialist, tip, store):
    tip()

    assert as_user(other_store_adviser).get(address("detail", store)).status_code == 404
    client = as_user(care_specialist)
    for odd in ("/messages/BZ01/SE/2026-13-40/", "/messages/BZ01/XX/2026-11-21/", "/messages/NO/SE/2026-11-21/"):
        assert client.get(odd).status_code == 404


def test_numbers_stay_masked_on_the_page(as_user, manager, tip, store):
    tip(customer__mobile="13812345678")

    assert "13812345678" not in as_user(manager).get(address("detail", store)).text


def test_the_number_of_queries_does_not_grow_with_the_batch(
    as_user, care_specialist, tip, store, django_assert_num_queries
):
    client = as_user(care_specialist)
    tip()
    client.get(LIST)  # what the frame keeps in the cache
    with django_assert_num_queries(DETAIL_QUERIES):
        client.get(address("detail", store))
    tip()
    tip()
    with django_assert_num_queries(DETAIL_QUERIES):
        client.get(address("detail", store))
