"""A consent that was given or withdrawn is written down on the customer's file, and what is refused follows at once."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from customers.choices import Channel, ConsentPurpose
from customers.models import Consent, Customer
from tests.factories import CustomerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]

TODAY = date(2026, 11, 20)
CHINA = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to("2026-11-20T14:00:00+08:00", tick=False)


@pytest.fixture
def customer(store):
    return CustomerFactory(store=store)


@pytest.fixture
def send(as_user, care_specialist, customer):
    """Post the form; the rest is as it opens."""

    def post(**values):
        asked = {"is_given": "1", "purposes": ["marketing"], "channels": ["phone"], "on": str(TODAY)}
        address = reverse("customers:customer_consent", args=[customer.pk])
        return as_user(care_specialist).post(address, asked | {"evidence": "交车时书面签署"} | values)

    return post


def refused(customer):
    return Customer.objects.get(pk=customer.pk).refused_channels


def test_every_purpose_and_channel_is_a_line_of_the_ledger(send, customer, care_specialist):
    response = send(purposes=["marketing", "service"], channels=["sms", "wechat"], wording="2026-01")

    assert response.url == customer.get_absolute_url()
    lines = Consent.objects.filter(customer=customer)
    assert set(lines.values_list("purpose", "channel")) == {
        (purpose, channel)
        for purpose in (ConsentPurpose.MARKETING, ConsentPurpose.SERVICE)
        for channel in (Channel.SMS, Channel.WECHAT)
    }
    assert set(lines.values_list("is_given", "evidence", "wording", "recorded_by", "at")) == {
        (True, "交车时书面签署", "2026-01", care_specialist.pk, datetime(2026, 11, 20, 14, tzinfo=CHINA))
    }


def test_a_channel_is_refused_until_the_customer_consents_anew(send, customer):
    send(is_given="0", channels=["phone", "sms"], evidence="")
    assert refused(customer) == ["phone", "sms"]

    send(channels=["phone"], evidence="电话录音")
    assert refused(customer) == ["sms"]


def test_what_was_said_earlier_does_not_undo_what_was_said_later(send, customer):
    send(is_given="0", evidence="")
    send(on="2026-11-10")

    assert refused(customer) == ["phone"]
    assert Consent.objects.get(is_given=True).at == datetime(2026, 11, 10, 12, tzinfo=CHINA)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"evidence": "  "}, "evidence"),
        ({"on": "2026-11-21"}, "on"),
        ({"on": ""}, "on"),
        ({"purposes": []}, "purposes"),
        ({"purposes": ["selling"]}, "purposes"),
        ({"channels": ["form"]}, "channels"),
        ({"is_given": ""}, "is_given"),
    ],
)
def test_what_is_missing_or_wrong_is_said_beside_its_field(send, customer, values, field):
    response = send(**values)

    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert not Consent.objects.exists()


def test_the_file_leads_there_for_those_who_may_change_it(as_user, care_specialist, auditor, customer):
    address = reverse("customers:customer_consent", args=[customer.pk])

    assert address in as_user(care_specialist).get(customer.get_absolute_url()).text
    assert address not in as_user(auditor).get(customer.get_absolute_url()).text
