"""How a customer is spoken to, and where they stand (domain §2.4)."""

from datetime import date

import pytest

from customers.choices import CustomerKind, Lifecycle, Salutation
from customers.rules import family_name, form_of_address, lifecycle_stage

PERSON, ORGANISATION = CustomerKind.PERSON, CustomerKind.ORGANISATION


@pytest.mark.parametrize(
    ("name", "surname"),
    [
        ("王小明", "王"),
        ("李丽", "李"),
        ("欧阳娜娜", "欧阳"),
        ("欧阳", "欧"),  # two characters in all: Ou Yang, not a surname alone
        ("司马光", "司马"),
        ("John Smith", "Smith"),
        ("古丽·买买提", "古丽·买买提"),
        ("", ""),
    ],
)
def test_the_surname_is_found_in_a_name(name, surname):
    assert family_name(name) == surname


@pytest.mark.parametrize(
    ("name", "salutation", "kind", "in_english", "address"),
    [
        ("王小明", Salutation.MR, PERSON, False, "王先生"),
        ("欧阳娜娜", Salutation.MS, PERSON, False, "欧阳女士"),
        ("王小明", Salutation.MR, PERSON, True, "Mr Wang"),
        ("单芳", Salutation.MS, PERSON, True, "Ms Shan"),
        ("吕布", Salutation.MR, PERSON, True, "Mr Lyu"),
        ("王小明", Salutation.UNKNOWN, PERSON, False, "王小明"),
        ("滨州恒通运输有限公司", Salutation.MR, ORGANISATION, True, "滨州恒通运输有限公司"),
    ],
)
def test_a_customer_is_addressed_by_surname_and_title_where_both_are_known(name, salutation, kind, in_english, address):
    assert form_of_address(name, salutation=salutation, kind=kind, in_english=in_english) == address


TODAY = date(2026, 11, 21)


def stage(**facts):
    nothing = {
        "last_delivery_on": None,
        "last_visit_on": None,
        "last_effective_contact_on": None,
        "first_service_due_on": None,
    }
    return lifecycle_stage(on=TODAY, **(nothing | facts))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Lifecycle.PROSPECT),
        ({"last_effective_contact_on": date(2026, 11, 1)}, Lifecycle.PROSPECT),
        ({"last_delivery_on": date(2026, 9, 1)}, Lifecycle.NEW),
        ({"last_delivery_on": date(2025, 11, 20), "last_visit_on": date(2026, 10, 1)}, Lifecycle.EXISTING),
        ({"last_delivery_on": date(2025, 11, 21), "last_visit_on": date(2026, 10, 1)}, Lifecycle.NEW),
        ({"last_visit_on": date(2026, 10, 1)}, Lifecycle.EXISTING),
        ({"last_delivery_on": date(2020, 1, 1), "last_visit_on": date(2026, 5, 21)}, Lifecycle.AT_RISK),
        ({"last_delivery_on": date(2020, 1, 1), "last_visit_on": date(2026, 5, 22)}, Lifecycle.EXISTING),
        ({"last_delivery_on": date(2020, 1, 1), "last_visit_on": date(2025, 11, 21)}, Lifecycle.LOST),
    ],
)
def test_the_stage_follows_from_purchase_visit_and_contact(facts, expected):
    assert stage(**facts) == expected


def test_nobody_is_dormant_before_the_first_service_is_sixty_days_overdue():
    bought = date(2026, 5, 1)

    assert stage(last_delivery_on=bought, first_service_due_on=date(2026, 9, 22)) == Lifecycle.NEW
    assert stage(last_delivery_on=bought, first_service_due_on=date(2026, 9, 21)) == Lifecycle.AT_RISK
