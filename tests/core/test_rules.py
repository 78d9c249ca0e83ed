"""Calendar months and working days."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from core.rules import WorkCalendar, add_months, anchors_of, error_text
from customers.models import Customer
from tests.factories import CustomerFactory

DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 12, 31))


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (date(2025, 8, 31), 6, date(2026, 2, 28)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2025, 8, 31), 12, date(2026, 8, 31)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
    ],
)
def test_months_are_counted_from_the_anchor_and_clamped_to_the_month_end(anchor, months, expected):
    assert add_months(anchor, months) == expected


@given(anchor=DATES, months=st.integers(min_value=-240, max_value=240))
def test_every_anchor_is_found_again_from_its_nominal_date(anchor, months):
    assert anchor in list(anchors_of(add_months(anchor, months), months))


@given(nominal=DATES, months=st.integers(min_value=-240, max_value=240))
def test_every_anchor_found_leads_to_the_nominal_date(nominal, months):
    anchors = list(anchors_of(nominal, months))
    assert [add_months(anchor, months) for anchor in anchors] == [nominal] * len(anchors)
    assert len(set(anchors)) == len(anchors)


def test_a_holiday_and_its_make_up_day_change_the_working_week():
    national_day, make_up_saturday = date(2026, 10, 1), date(2026, 10, 10)
    calendar = WorkCalendar({national_day: False, make_up_saturday: True})
    assert calendar.on_or_after(national_day) == date(2026, 10, 2)
    assert calendar.on_or_after(make_up_saturday) == make_up_saturday
    assert calendar.on_or_before(date(2026, 10, 11), not_before=date(2026, 10, 1)) == make_up_saturday


def test_no_working_day_is_found_beyond_the_limit():
    assert WorkCalendar().on_or_before(date(2026, 11, 22), not_before=date(2026, 11, 21)) is None


@given(day=DATES)
def test_a_weekday_without_exceptions_is_a_working_day(day):
    assert WorkCalendar().is_working(day) == (day.isoweekday() <= 5)
    assert WorkCalendar().on_or_after(day) - day < timedelta(days=3)


@pytest.mark.django_db
def test_the_text_of_an_error_names_no_row_of_the_database():
    customer = CustomerFactory(mobile="13855557777")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Customer.objects.filter(pk=customer.pk).update(birthday_month=13, birthday_day=1)
    assert "13855557777" in str(caught.value)
    words = (
        'IntegrityError: new row for relation "customers_customer" violates check constraint "customer_birthday_whole"'
    )
    assert error_text(caught.value) == words


def test_the_text_of_another_error_is_what_it_says():
    assert error_text(ValueError("no such store")) == "ValueError: no such store"
