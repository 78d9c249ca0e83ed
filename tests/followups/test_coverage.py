"""The second opinion on cases made by hand: dates, demand, nights, and what the ledger must hold. No planner here."""

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.choices import JobStatus
from core.models import CalendarDay, JobRun
from customers.choices import BirthdayCalendar, CustomerStatus, DoNotContact, Salutation, Tier
from followups.choices import OffsetUnit, Shift, TouchPointStatus
from followups.coverage import CannotCheckCoverage, check_coverage
from followups.coverage.dates import WorkingDays
from followups.coverage.forecast import km_a_day, next_service, runs_out
from followups.coverage.nights import Nights
from followups.models import CareRule, TouchPoint
from tests.factories import (
    CareRuleFactory,
    CarModelFactory,
    ContactLogFactory,
    CustomerFactory,
    InsurancePolicyFactory,
    OdometerReadingFactory,
    PersonalEventFactory,
    StoreFactory,
    SuggestedWorkFactory,
    TouchPointFactory,
    VehicleFactory,
    WarrantyPolicyFactory,
    WorkOrderFactory,
)
from vehicles.actions import refresh_vehicle_facts
from vehicles.choices import ServiceKind, Use, VehicleStatus

pytestmark = pytest.mark.django_db

SHANGHAI = ZoneInfo("Asia/Shanghai")
# Every night of the periods below is long past, and every made-up row was made before the last of them.
LONG_AFTER = datetime(2090, 6, 1, 12, tzinfo=SHANGHAI)
LONG_BEFORE = date(2010, 1, 1)


@pytest.fixture(autouse=True)
def _nothing_promised():
    """No rule of the delivered plan, and no day but weekends, unless a test says so."""
    CareRule.objects.update(is_active=False)
    CalendarDay.objects.all().delete()


@pytest.fixture
def customer():
    return CustomerFactory(store__code="BZ01", entered_on=LONG_BEFORE)


def a_rule(**values) -> CareRule:
    return CareRuleFactory(**{"offsets": [0], "late_days": 0, "shift": Shift.STAY} | values)


def a_car(customer, **values):
    return VehicleFactory(owner=customer, **{"care_from": LONG_BEFORE, "delivery_on": None} | values)


def check(first: date, last: date, *, now: datetime = LONG_AFTER, store=None):
    return check_coverage(first=first, last=last, now=now, store=store)


def demanded_days(first: date = date(2020, 1, 1), last: date = date(2040, 12, 31)) -> list[date]:
    """The nominal dates demanded: with an empty ledger they are what is missing (the first twenty are told)."""
    coverage = check(first, last)
    assert coverage.missing == coverage.expected == len(coverage.missing_first)
    return [finding.nominal_on for finding in coverage.missing_first]


def a_run(business_date: date, started_at: datetime, *, store_code: str = "", status: str = JobStatus.DONE) -> JobRun:
    return JobRun.objects.create(
        name="plan_care",
        store_code=store_code,
        business_date=business_date,
        status=status,
        started_at=started_at,
        finished_at=None if status == JobStatus.RUNNING else started_at,
    )


# --- nominal dates ----------------------------------------------------------------------------------------------


def test_months_count_from_the_anchor_and_end_with_a_short_month(customer):
    a_car(customer, delivery_on=date(2025, 8, 31))
    a_rule(offset_unit=OffsetUnit.MONTHS, offsets=[1, 6, 12, 18])
    assert demanded_days() == [date(2025, 9, 30), date(2026, 2, 28), date(2026, 8, 31), date(2027, 2, 28)]


def test_a_delivery_on_29_february_has_its_anniversary_on_the_last_of_february(customer):
    a_car(customer, delivery_on=date(2024, 2, 29))
    a_rule(offset_unit=OffsetUnit.MONTHS, offsets=[12, 24, 48])
    assert demanded_days() == [date(2025, 2, 28), date(2026, 2, 28), date(2028, 2, 29)]


def test_the_last_offset_goes_on_for_ever_without_drifting(customer):
    a_car(customer, delivery_on=date(2023, 11, 30))
    a_rule(offset_unit=OffsetUnit.MONTHS, offsets=[39], repeat_every=3)
    assert demanded_days(last=date(2028, 3, 1)) == [
        date(2027, 2, 28),
        date(2027, 5, 30),
        date(2027, 8, 30),
        date(2027, 11, 30),
        date(2028, 2, 29),
    ]


def test_days_before_and_after_an_end_are_counted_in_days(customer):
    InsurancePolicyFactory(vehicle=a_car(customer), starts_on=None, ends_on=date(2027, 3, 1))
    a_rule(trigger="policy_end", offsets=[-33, -30, 1])
    assert demanded_days() == [date(2027, 1, 27), date(2027, 1, 30), date(2027, 3, 2)]


def test_a_renewed_policy_promises_nothing_any_more(customer):
    car = a_car(customer)
    InsurancePolicyFactory(vehicle=car, starts_on=None, ends_on=date(2026, 3, 1))
    InsurancePolicyFactory(vehicle=car, starts_on=None, ends_on=date(2027, 3, 1))
    a_rule(trigger="policy_end")
    assert demanded_days() == [date(2027, 3, 1)]


@pytest.mark.parametrize(
    ("birthday", "days"),
    [
        ((2, 29), [date(2027, 2, 28), date(2028, 2, 29), date(2029, 2, 28)]),
        ((12, 31), [date(2027, 12, 31), date(2028, 12, 31), date(2029, 12, 31)]),
        ((4, 31), []),
    ],
)
def test_a_solar_birthday_falls_on_its_day_or_on_28_february(birthday, days):
    CustomerFactory(entered_on=LONG_BEFORE, birthday_month=birthday[0], birthday_day=birthday[1])
    a_rule(trigger="birthday")
    assert demanded_days(date(2027, 1, 1), date(2029, 12, 31)) == days


@pytest.mark.parametrize(
    ("month", "day", "in_leap_month", "days"),
    [
        # 2023 has a leap second month, 2025 a leap sixth; new year's eve is the 29th in 2025 and 2026.
        (6, 1, False, [date(2023, 7, 18), date(2024, 7, 6), date(2025, 6, 25)]),
        (6, 1, True, [date(2023, 7, 18), date(2024, 7, 6), date(2025, 7, 25)]),
        (2, 1, True, [date(2023, 3, 22), date(2024, 3, 10), date(2025, 2, 28)]),
        (12, 30, False, [date(2023, 1, 21), date(2024, 2, 9), date(2025, 1, 28)]),
        (6, 30, True, [date(2023, 8, 15), date(2024, 8, 3), date(2025, 8, 22)]),
    ],
)
def test_a_lunar_birthday_follows_the_lunar_calendar_of_the_year(month, day, in_leap_month, days):
    CustomerFactory(
        entered_on=LONG_BEFORE,
        birthday_calendar=BirthdayCalendar.LUNAR,
        birthday_month=month,
        birthday_day=day,
        is_birthday_leap_month=in_leap_month,
    )
    a_rule(trigger="birthday")
    assert demanded_days(date(2023, 1, 1), date(2025, 12, 31)) == days


def test_festivals_of_2026_fall_on_the_days_of_the_printed_calendar():
    CustomerFactory(entered_on=LONG_BEFORE, salutation=Salutation.MR)
    rule = CareRule.objects.get(code="FE", store=None)
    a_rule(trigger="festival", params=rule.params, offsets=[])
    assert demanded_days(date(2026, 1, 1), date(2026, 12, 31)) == [
        date(2026, 1, 1),
        date(2026, 2, 17),
        date(2026, 3, 3),
        date(2026, 4, 5),
        date(2026, 5, 1),
        date(2026, 6, 19),
        date(2026, 8, 19),
        date(2026, 9, 25),
        date(2026, 10, 1),
        date(2026, 10, 18),
    ]


def test_womens_day_is_for_women_only():
    CustomerFactory(entered_on=LONG_BEFORE, salutation=Salutation.MS, number="C1")
    CustomerFactory(entered_on=LONG_BEFORE, salutation=Salutation.UNKNOWN, number="C2")
    a_rule(trigger="festival", params={"festivals": ["women"]}, offsets=[])
    (finding,) = check(date(2026, 1, 1), date(2026, 12, 31)).missing_first
    assert (finding.customer_no, finding.nominal_on) == ("C1", date(2026, 3, 8))


def test_personal_events_come_once_or_every_year_from_their_own_on(customer):
    PersonalEventFactory(customer=customer, on=date(2027, 6, 7), is_yearly=False)
    PersonalEventFactory(customer=customer, on=date(2028, 2, 29), is_yearly=True)
    a_rule(trigger="personal_event")
    assert demanded_days(date(2026, 1, 1), date(2029, 12, 31)) == [
        date(2027, 6, 7),
        date(2028, 2, 29),
        date(2029, 2, 28),
    ]


def test_a_season_tip_goes_once_to_an_owner_of_two_cars(customer):
    a_car(customer)
    a_car(customer)
    CustomerFactory(store=customer.store, entered_on=LONG_BEFORE)  # has none
    a_rule(trigger="season", params={"days": ["05-15", "11-01"]})
    assert demanded_days(date(2026, 1, 1), date(2026, 12, 31)) == [date(2026, 5, 15), date(2026, 11, 1)]


def test_the_due_list_is_of_the_month_before_whichever_day_the_service_is_due(customer):
    car = a_car(customer)
    type(car).objects.filter(pk=car.pk).update(
        next_service_on=date(2027, 1, 9), next_service_kind=ServiceKind.PERIODIC, next_service_from_on=date(2026, 7, 9)
    )
    a_rule(trigger="service_month")
    assert demanded_days() == [date(2026, 12, 31)]


def test_three_guarantees_end_for_private_cars_only(customer):
    a_car(customer, three_guarantees_run_out_on=date(2027, 5, 1))
    a_car(customer, three_guarantees_run_out_on=date(2027, 6, 1), use=Use.COMMERCIAL)
    a_rule(trigger="three_guarantees_end", offsets=[-30])
    assert demanded_days() == [date(2027, 4, 1)]


def test_a_visit_promises_a_call_unless_it_was_internal_or_the_car_has_another_owner(customer):
    car = a_car(customer)
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 6, 1), handed_over_on=date(2026, 6, 3))
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 7, 1), job_type="internal")
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 8, 1), in_workshop=True)
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 9, 1), customer=CustomerFactory(store=customer.store))
    a_rule(trigger="hand_over", offsets=[3])
    assert demanded_days() == [date(2026, 6, 6)]


def test_suggested_work_is_spoken_about_later_and_before_the_next_service(customer):
    car = a_car(
        customer,
        next_service_on=date(2026, 12, 10),
        next_service_kind=ServiceKind.PERIODIC,
        next_service_from_on=date(2026, 6, 10),
    )
    order = WorkOrderFactory(vehicle=car, arrived_on=date(2026, 6, 10))
    SuggestedWorkFactory(work_order=order)
    SuggestedWorkFactory(work_order=order, status="done", suggested_on=date(2026, 6, 11))
    a_rule(trigger="suggested_work", offsets=[30], params={"before_service_days": 7})
    assert demanded_days() == [date(2026, 7, 10), date(2026, 12, 3)]


# --- windows ----------------------------------------------------------------------------------------------------


def test_a_rest_day_moves_the_due_date_as_the_rule_says():
    # Thursday 1 October to Wednesday 7 are holidays, Sunday 27 September and Saturday 10 October are worked.
    days = {date(2026, 10, day): False for day in range(1, 8)} | {date(2026, 9, 27): True, date(2026, 10, 10): True}
    working = WorkingDays(days)
    long_before = date(2026, 9, 1)
    assert working.shifted(date(2026, 10, 3), "later", long_before) == date(2026, 10, 8)
    assert working.shifted(date(2026, 10, 3), "earlier", long_before) == date(2026, 9, 30)
    assert working.shifted(date(2026, 10, 3), "stay", long_before) == date(2026, 10, 3)
    assert working.shifted(date(2026, 9, 27), "later", long_before) == date(2026, 9, 27)
    assert working.shifted(date(2026, 9, 26), "later", long_before) == date(2026, 9, 27)
    # Never back to the anchor: delivered on 30 September, the 3-day call stays inside the holidays.
    assert working.shifted(date(2026, 10, 3), "earlier", date(2026, 9, 30)) == date(2026, 10, 3)


def test_what_closed_before_the_customer_was_entered_is_not_demanded():
    # Saturday 5 September, due on Monday 7, open until Wednesday 9.
    rule = a_rule(shift=Shift.LATER, early_days=1, late_days=2)
    for entered_on, is_demanded in ((date(2026, 9, 9), True), (date(2026, 9, 10), False)):
        customer = CustomerFactory(entered_on=entered_on)
        car = a_car(customer, care_from=date(2026, 1, 1), delivery_on=date(2026, 9, 5))
        assert (demanded_days() == [date(2026, 9, 5)]) is is_demanded, rule
        car.delete()


def test_what_closed_before_the_car_came_to_its_owner_is_not_demanded(customer):
    a_car(customer, care_from=date(2026, 9, 6), delivery_on=date(2025, 9, 5))
    a_rule(offset_unit=OffsetUnit.MONTHS, offsets=[9, 12, 15])
    assert demanded_days() == [date(2026, 12, 5)]


def test_what_closed_before_the_rule_was_switched_on_is_not_demanded(customer):
    a_car(customer, delivery_on=date(2026, 1, 1))
    a_rule(offsets=[10, 20, 30], late_days=2, active_from=date(2026, 1, 23))
    assert demanded_days() == [date(2026, 1, 21), date(2026, 1, 31)]


def test_what_closed_before_the_fact_behind_it_was_known_is_not_demanded(customer):
    """ADR 0006: a fact that was noted late makes no promise for the time before."""
    known = date(2026, 6, 15)
    owner = CustomerFactory(
        store=customer.store, entered_on=LONG_BEFORE, birthday_month=6, birthday_day=14, birthday_since=known
    )
    car = a_car(
        customer,
        inspection_valid_until=date(2026, 6, 14),
        inspection_since=known,
        warranty_notice_on=date(2026, 6, 14),
        warranty_from_on=date(2023, 1, 1),
        next_service_on=date(2026, 6, 14),
        next_service_kind=ServiceKind.PERIODIC,
        next_service_from_on=date(2025, 12, 14),
        forecast_since=known,
    )
    InsurancePolicyFactory(vehicle=car, starts_on=None, ends_on=date(2026, 6, 14), known_since=known)
    PersonalEventFactory(customer=owner, on=date(2026, 6, 14), is_yearly=False, known_since=known)
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 6, 14), known_since=known, job_type="repair")
    type(customer).objects.filter(pk=customer.pk).update(
        tier=Tier.VIP, tier_since=known, last_effective_contact_on=date(2026, 6, 10)
    )
    triggers = ("birthday", "inspection_end", "warranty_near", "periodic_service", "policy_end", "personal_event")
    for trigger in (*triggers, "hand_over"):
        a_rule(trigger=trigger)
    a_rule(trigger="tier_contact", params={"tier": Tier.VIP}, offsets=[4])
    assert demanded_days(last=date(2026, 12, 31)) == []
    CareRule.objects.update(late_days=1)
    assert demanded_days(last=date(2026, 12, 31)) == [date(2026, 6, 14)] * 8


# --- who --------------------------------------------------------------------------------------------------------


def test_a_refusal_of_contact_is_no_reason_to_forget_the_promise():
    customer = CustomerFactory(entered_on=LONG_BEFORE, do_not_contact=DoNotContact.ALL_BUT_SAFETY)
    a_car(customer, delivery_on=date(2026, 1, 1))
    a_rule()
    assert demanded_days() == [date(2026, 1, 1)]


def test_nothing_is_demanded_for_a_car_out_of_use_or_a_customer_who_is_gone(customer):
    a_car(customer, delivery_on=date(2026, 1, 1), status=VehicleStatus.TRANSFERRED)
    gone = CustomerFactory(
        store=customer.store, entered_on=LONG_BEFORE, status=CustomerStatus.DECEASED, birthday_month=1, birthday_day=1
    )
    a_car(gone, delivery_on=date(2026, 1, 1))
    a_rule()
    a_rule(trigger="birthday")
    assert demanded_days() == []


def test_a_rule_of_the_store_takes_the_place_of_the_groups(customer):
    other = CustomerFactory(entered_on=LONG_BEFORE, store__code="BZ02")
    for owner in (customer, other):
        a_car(owner, delivery_on=date(2026, 1, 1))
    a_rule(code="X", offsets=[10])
    a_rule(code="X", offsets=[20], store=other.store)
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    assert [finding.nominal_on for finding in check(first, last).missing_first] == [
        date(2026, 1, 11),
        date(2026, 1, 21),
    ]
    assert [finding.nominal_on for finding in check(first, last, store=other.store).missing_first] == [
        date(2026, 1, 21)
    ]


def test_a_store_can_switch_a_rule_of_the_group_off(customer):
    a_car(customer, delivery_on=date(2026, 1, 1))
    a_rule(code="X")
    a_rule(code="X", store=customer.store, is_active=False)
    assert demanded_days() == []


def test_an_unknown_trigger_is_told_and_not_passed_over(customer):
    a_rule(trigger="full_moon")
    with pytest.raises(ValueError, match="full_moon"):
        check(date(2026, 1, 1), date(2026, 1, 31))


# --- anchors that move ------------------------------------------------------------------------------------------


def a_contact(customer, at: datetime, **values) -> None:
    ContactLogFactory(customer=customer, at=at, on=at.astimezone(SHANGHAI).date(), by=None, **values)
    customer.last_effective_contact_on = at.astimezone(SHANGHAI).date()
    customer.save(update_fields=["last_effective_contact_on"])


def test_tier_contacts_count_from_the_contact_that_the_planner_knew_of_each_night(customer):
    a_rule(trigger="tier_contact", params={"tier": Tier.ORDINARY}, offsets=[14], repeat_every=14, early_days=3)
    a_contact(customer, datetime(2026, 3, 1, 10, tzinfo=SHANGHAI))
    # The window of 15 March opened on the 12th; this contact came on that very day, so the night had not known it.
    a_contact(customer, datetime(2026, 3, 12, 15, tzinfo=SHANGHAI))
    a_run(date(2026, 3, 11), datetime(2026, 3, 11, 2, tzinfo=SHANGHAI))
    a_run(date(2026, 3, 12), datetime(2026, 3, 12, 2, tzinfo=SHANGHAI))
    type(customer).objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert demanded_days(date(2026, 3, 1), date(2026, 4, 15)) == [
        date(2026, 3, 15),
        date(2026, 3, 26),
        date(2026, 4, 9),
    ]


def test_a_night_that_ran_late_counts_from_what_was_known_by_then(customer):
    a_rule(trigger="tier_contact", params={"tier": Tier.ORDINARY}, offsets=[14], repeat_every=14, early_days=3)
    a_contact(customer, datetime(2026, 3, 1, 10, tzinfo=SHANGHAI))
    a_contact(customer, datetime(2026, 3, 13, 15, tzinfo=SHANGHAI))
    # The planner stood still from the 11th to the 16th and then brought the ledger up to date.
    a_run(date(2026, 3, 16), datetime(2026, 3, 16, 2, tzinfo=SHANGHAI))
    type(customer).objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert demanded_days(date(2026, 3, 1), date(2026, 4, 1)) == [date(2026, 3, 27)]


def test_without_any_run_only_the_newest_contact_counts(customer):
    a_rule(trigger="tier_contact", params={"tier": Tier.ORDINARY}, offsets=[30])
    a_contact(customer, datetime(2026, 3, 1, 10, tzinfo=SHANGHAI))
    a_contact(customer, datetime(2026, 5, 1, 10, tzinfo=SHANGHAI))
    assert demanded_days() == [date(2026, 5, 31)]


def test_only_effective_contacts_move_the_anchor_and_an_imported_one_counts_without_its_row(customer):
    a_rule(trigger="tier_contact", params={"tier": Tier.ORDINARY}, offsets=[30])
    a_rule(trigger="tier_contact", params={"tier": Tier.VIP}, offsets=[7])
    type(customer).objects.update(last_effective_contact_on=date(2026, 4, 1))
    ContactLogFactory(customer=customer, at=datetime(2026, 4, 10, 10, tzinfo=SHANGHAI), not_reached=True)
    assert demanded_days() == [date(2026, 5, 1)]


def test_a_customer_without_a_contact_is_counted_from_the_newest_delivery(customer):
    a_rule(trigger="tier_contact", params={"tier": Tier.ORDINARY}, offsets=[30])
    a_car(customer, delivery_on=date(2024, 3, 1))
    a_car(customer, delivery_on=date(2026, 3, 1))
    assert demanded_days() == [date(2026, 3, 31)]


def test_regular_follow_up_is_for_owners_of_a_year_who_were_spoken_to(customer):
    a_rule(
        trigger="regular", params={"owner_for_months": 12}, offset_unit=OffsetUnit.MONTHS, offsets=[3], repeat_every=3
    )
    a_car(customer, delivery_on=date(2025, 9, 1))
    never_spoken_to = CustomerFactory(store=customer.store, entered_on=LONG_BEFORE)
    a_car(never_spoken_to, delivery_on=date(2020, 1, 1))
    a_contact(customer, datetime(2026, 3, 1, 10, tzinfo=SHANGHAI))
    assert demanded_days(last=date(2027, 1, 1)) == [date(2026, 9, 1), date(2026, 12, 1)]


def test_silence_is_counted_from_the_last_visit_of_the_orders_not_from_the_column(customer):
    a_rule(trigger="silence", offset_unit=OffsetUnit.MONTHS, offsets=[6, 9])
    car = a_car(customer, delivery_on=date(2025, 1, 31))
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 8, 31))
    assert customer.last_visit_on is None
    assert demanded_days(date(2026, 1, 1), date(2028, 1, 1)) == [date(2027, 2, 28), date(2027, 5, 31)]


def test_an_imported_last_visit_counts_without_its_order(customer):
    a_rule(trigger="silence", offset_unit=OffsetUnit.MONTHS, offsets=[6])
    car = a_car(customer, delivery_on=date(2025, 1, 31))
    WorkOrderFactory(vehicle=car, arrived_on=date(2026, 3, 31))
    type(customer).objects.update(last_visit_on=date(2026, 5, 20))
    assert demanded_days(date(2026, 9, 1), date(2028, 1, 1)) == [date(2026, 11, 20)]


def test_who_never_came_is_woken_only_when_the_first_service_is_long_overdue(customer):
    a_rule(trigger="silence", offset_unit=OffsetUnit.MONTHS, offsets=[3, 6], params={"after_first_service_days": 60})
    a_car(customer, delivery_on=date(2026, 1, 10), next_service_on=date(2026, 4, 10), next_service_kind="first")
    assert demanded_days() == [date(2026, 7, 10)]


# --- forecasts that move ----------------------------------------------------------------------------------------


@pytest.fixture
def car_due_in_december(customer):
    return a_car(
        customer,
        delivery_on=date(2025, 1, 10),
        next_service_on=date(2026, 12, 10),
        next_service_kind=ServiceKind.PERIODIC,
        next_service_from_on=date(2026, 6, 10),
    )


def test_a_row_of_the_same_cycle_and_step_accounts_for_a_forecast_that_moved(car_due_in_december):
    rule = a_rule(trigger="periodic_service", offsets=[-15, 7])
    for step, nominal_on in ((-15, date(2026, 10, 1)), (7, date(2026, 12, 17))):
        TouchPointFactory(
            rule=rule,
            customer=car_due_in_december.owner,
            vehicle=car_due_in_december,
            cycle_on=date(2026, 6, 10),
            step=step,
            nominal_on=nominal_on,
        )
    coverage = check(date(2026, 11, 1), date(2026, 12, 31))
    assert (coverage.expected, coverage.accounted, coverage.missing) == (2, 2, 0)


def test_a_row_of_the_cycle_before_does_not_account_for_this_one(car_due_in_december):
    rule = a_rule(trigger="periodic_service", offsets=[-15])
    TouchPointFactory(
        rule=rule,
        customer=car_due_in_december.owner,
        vehicle=car_due_in_december,
        cycle_on=date(2025, 12, 10),
        step=-15,
        nominal_on=date(2026, 5, 26),
    )
    assert [finding.nominal_on for finding in check(date(2026, 11, 1), date(2026, 12, 31)).missing_first] == [
        date(2026, 11, 25)
    ]


def test_first_service_rules_leave_periodic_services_alone(car_due_in_december):
    a_rule(trigger="first_service", offsets=[-14])
    assert demanded_days() == []


def test_a_stored_forecast_that_its_facts_contradict_is_a_note(car_due_in_december, capsys):
    OdometerReadingFactory(vehicle=car_due_in_december, on=date(2025, 7, 9), km=9000)
    call_command("care_coverage", "--from", "2026-01-01", "--to", "2026-01-31")
    said = capsys.readouterr().err
    # 9,000 km in 180 days, 50 a day: 5,000 km for the first service were reached long ago, on the day of delivery + 90.
    assert said == (
        f"stale forecast: {car_due_in_december.vin} stored periodic 2026-12-10, from its facts first 2025-04-10\n"
        "stale_forecasts: 1. Compute them anew with: manage.py refresh_cars\n"
    )


def test_a_stored_end_of_the_warranty_that_its_facts_contradict_is_a_note(customer, capsys):
    car = a_car(customer, delivery_on=date(2025, 1, 10))
    refresh_vehicle_facts([car.pk], on=date(2025, 1, 10))
    says = ["care_coverage", "--from", "2026-01-01", "--to", "2026-01-31"]
    call_command(*says)
    assert capsys.readouterr().err == ""
    type(car).objects.filter(pk=car.pk).update(three_guarantees_run_out_on=date(2027, 3, 1))
    call_command(*says)
    assert capsys.readouterr().err.startswith(
        f"stale forecast: {car.vin} stored three guarantees 2027-03-01, from its facts three guarantees 2027-01-10\n"
    )
    type(car).objects.filter(pk=car.pk).update(warranty_runs_out_on=None)
    call_command(*says)
    assert "stored warranty -, from its facts warranty 2028-01-10\n" in capsys.readouterr().err
    refresh_vehicle_facts([car.pk], on=date(2025, 1, 10))
    call_command(*says)
    assert capsys.readouterr().err == ""


def test_a_warranty_is_over_by_months_or_kilometres_whichever_is_first():
    since, log = date(2024, 1, 10), [(date(2025, 1, 1), 40_000)]
    assert runs_out(None, (24, 50_000), log, Fraction(100)) is None
    assert runs_out(since, (24, 50_000), [], Fraction(40)) == date(2026, 1, 10)
    assert runs_out(since, (24, 50_000), log, Fraction(100)) == date(2025, 4, 11)
    assert runs_out(since, (24, 2_000_000_000), log, Fraction(5)) == date(2026, 1, 10)
    assert runs_out(since, (24, 50), [(date(2024, 1, 20), 2_000_000)], Fraction(5)) == since


@pytest.mark.parametrize("use", [Use.PRIVATE, Use.COMMERCIAL])
def test_both_ways_to_the_end_of_the_warranty_agree(customer, use):
    model = CarModelFactory(warranty_policy=WarrantyPolicyFactory(km=70_000, three_guarantees_km=45_000))
    for number, km in enumerate((0, 9_000, 30_000, 44_000, 69_999, 120_000)):
        car = a_car(customer, use=use, delivery_on=date(2025, 1, 10), model=model if number % 2 else None)
        OdometerReadingFactory(vehicle=car, on=date(2025, 3, 1), km=km // 3)
        OdometerReadingFactory(vehicle=car, on=date(2025, 7, 1), km=km)
        refresh_vehicle_facts([car.pk], on=date(2025, 7, 1))
    assert check(date(2025, 1, 1), date(2025, 1, 2)).stale_count == 0


def test_the_next_service_is_by_months_or_kilometres_whichever_is_first():
    terms = (3, 5_000, 6, 10_000)
    log = [(date(2026, 1, 31), 2_000), (date(2026, 4, 1), 8_000), (date(2026, 4, 11), 9_000)]
    assert km_a_day(log, None) == 100  # the reading ten days before is too near: 7,000 km in 70 days
    facts = {"terms": terms, "delivery_on": date(2025, 10, 1), "first_done_on": None, "log": log}
    by_km = next_service(is_commercial=False, service=(date(2026, 1, 31), 2_000), **facts)
    assert (by_km.kind, by_km.due_on, by_km.from_on) == ("periodic", date(2026, 5, 11), date(2026, 1, 31))
    by_months = next_service(is_commercial=False, service=(date(2025, 8, 31), 1_990), **facts | {"log": []})
    assert by_months.due_on == date(2026, 2, 28)
    commercial = next_service(is_commercial=True, service=(date(2025, 8, 31), 1_990), **facts | {"log": []})
    assert commercial.due_on == date(2025, 8, 31) + timedelta(days=250)


# --- the ledger -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", TouchPointStatus.values)
def test_whatever_became_of_a_promise_it_is_accounted_for(customer, status):
    car = a_car(customer, delivery_on=date(2026, 1, 1))
    rule = a_rule()
    lead = TouchPointFactory(rule=a_rule(), customer=customer) if status == TouchPointStatus.MERGED else None
    CareRule.objects.exclude(pk=rule.pk).update(is_active=False)
    TouchPointFactory(
        rule=rule,
        customer=customer,
        vehicle=car,
        nominal_on=date(2026, 1, 1),
        status=status,
        lead=lead,
        reason="" if status in (TouchPointStatus.OPEN, TouchPointStatus.MERGED) else "by_hand",
        closed_on=None if status in (TouchPointStatus.OPEN, TouchPointStatus.MERGED) else date(2026, 1, 1),
    )
    coverage = check(date(2026, 1, 1), date(2026, 12, 31))
    assert (coverage.expected, coverage.accounted, coverage.is_complete) == (1, 1, True)


@pytest.mark.parametrize("difference", ["customer", "vehicle", "rule", "nominal_on"])
def test_a_row_of_another_promise_accounts_for_nothing(customer, difference):
    car = a_car(customer, delivery_on=date(2026, 1, 1))
    row = {"rule": a_rule(), "customer": customer, "vehicle": car, "nominal_on": date(2026, 1, 1)}
    other = {
        "customer": CustomerFactory(store=customer.store),
        "vehicle": None,
        "rule": a_rule(is_active=False),
        "nominal_on": date(2026, 1, 2),
    }
    TouchPointFactory(**row | {difference: other[difference]})
    coverage = check(date(2026, 1, 1), date(2026, 12, 31))
    assert (coverage.expected, coverage.accounted, coverage.missing) == (1, 0, 1)


def test_two_policies_that_end_on_one_day_are_one_promise(customer):
    car = a_car(customer)
    for kind in ("compulsory", "commercial"):
        InsurancePolicyFactory(vehicle=car, kind=kind, starts_on=None, ends_on=date(2027, 3, 1))
    a_rule(trigger="policy_end")
    assert demanded_days() == [date(2027, 3, 1)]


def test_a_promise_made_by_the_groups_rule_and_again_by_the_stores_is_double(customer, capsys):
    car = a_car(customer, delivery_on=date(2026, 1, 1))
    for rule in (a_rule(code="X"), a_rule(code="X", store=customer.store)):
        TouchPointFactory(rule=rule, customer=customer, vehicle=car, nominal_on=date(2026, 1, 1))
    with pytest.raises(SystemExit) as stopped:
        call_command("care_coverage", "--from", "2026-01-01", "--to", "2026-01-31", "--store", "BZ01")
    said = capsys.readouterr()
    assert stopped.value.code == 1
    assert json.loads(said.out) == {"expected": 1, "accounted": 1, "missing": 0, "duplicates": 1}
    assert f"double: BZ01 X {customer.number} {car.vin} 2026-01-01\n" in said.err


def test_the_same_step_of_a_service_cycle_twice_is_double_once(car_due_in_december):
    for rule, nominal_on in (
        (a_rule(code="X", trigger="periodic_service"), date(2026, 12, 1)),
        (a_rule(code="X", trigger="periodic_service", store=car_due_in_december.owner.store), date(2026, 12, 5)),
    ):
        TouchPointFactory(
            rule=rule,
            customer=car_due_in_december.owner,
            vehicle=car_due_in_december,
            nominal_on=nominal_on,
            cycle_on=date(2026, 6, 10),
            step=0,
        )
    assert check(date(2026, 12, 1), date(2026, 12, 31)).duplicates == 1
    assert check(date(2026, 12, 1), date(2026, 12, 3)).duplicates == 1


# --- nights -----------------------------------------------------------------------------------------------------


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026 in Shanghai."""
    return datetime(2026, 3, day, hour, minute, tzinfo=SHANGHAI)


def on(day: int) -> date:
    return date(2026, 3, day)


@pytest.fixture
def the_store():
    return StoreFactory.build(time_zone="Asia/Shanghai")


def test_a_night_that_never_ran_is_expected_from_six_in_the_morning(the_store):
    facts = {"known_at": at(1, 9), "known_on": on(1)}
    assert not Nights(the_store, [], at(10, 5, 59)).is_due(on(10), **facts)
    assert Nights(the_store, [], at(10, 6)).is_due(on(10), **facts)
    assert Nights(the_store, [], at(10, 5, 59)).is_due(on(9), **facts)


def test_who_was_entered_in_the_afternoon_waits_for_the_next_night(the_store):
    facts = {"known_at": at(10, 15), "known_on": on(10)}
    assert not Nights(the_store, [], at(10, 16)).is_due(on(10), **facts)
    assert not Nights(the_store, [], at(11, 5)).is_due(on(10), **facts)
    assert Nights(the_store, [], at(11, 7)).is_due(on(10), **facts)


def test_a_run_by_hand_is_a_night_for_what_was_there_when_it_started(the_store):
    runs = [(at(10, 15, 30), on(10))]
    assert Nights(the_store, runs, at(10, 16)).is_due(on(10), known_at=at(10, 15), known_on=on(10))
    assert not Nights(the_store, runs, at(10, 16)).is_due(on(10), known_at=at(10, 15, 45), known_on=on(10))


def test_a_run_for_a_day_to_come_makes_its_points_expected_and_no_later_ones(the_store):
    nights = Nights(the_store, [(at(10, 9), on(31)), (at(10, 10), on(12))], at(10, 11))
    facts = {"known_at": at(1, 9), "known_on": on(1)}
    assert nights.through == on(31)
    assert nights.is_due(on(31), **facts)
    assert not nights.is_due(date(2026, 4, 1), **facts)
    # What came between the two runs was seen by the second only.
    assert nights.is_due(on(12), known_at=at(10, 9, 30), known_on=on(1))
    assert not nights.is_due(on(13), known_at=at(10, 9, 30), known_on=on(1))


def test_only_completed_runs_for_the_store_count(customer):
    car = a_car(customer, delivery_on=date(2090, 7, 1))
    a_rule()
    period = (date(2090, 7, 1), date(2090, 7, 1))
    moment = LONG_AFTER - timedelta(hours=1)
    a_run(date(2090, 7, 2), moment, status=JobStatus.FAILED)
    a_run(date(2090, 7, 2), moment, status=JobStatus.RUNNING)
    a_run(date(2090, 7, 2), moment, store_code="BZ02")
    a_run(date(2090, 6, 30), moment, store_code="BZ01")
    assert check(*period).expected == 0
    a_run(date(2090, 7, 1), moment, store_code="BZ01")
    assert [finding.vin for finding in check(*period).missing_first] == [car.vin]


def test_a_period_beyond_what_can_be_planned_yet_raises_no_alarm(customer):
    a_car(customer, delivery_on=date(2090, 5, 30))
    a_rule(offsets=[1, 3], early_days=1)
    # On 1 June, after the night: 31 May is past, the window of 2 June opened today.
    assert [finding.nominal_on for finding in check(date(2090, 5, 1), date(2091, 5, 1)).missing_first] == [
        date(2090, 5, 31),
        date(2090, 6, 2),
    ]
    yesterday = check(date(2090, 5, 1), date(2091, 5, 1), now=LONG_AFTER - timedelta(days=1))
    assert [finding.nominal_on for finding in yesterday.missing_first] == [date(2090, 5, 31)]


def test_a_car_changed_since_the_last_night_waits_for_the_next(customer):
    car = a_car(customer, delivery_on=date(2020, 1, 1))
    a_rule(offsets=[30])
    today = timezone.localdate(timezone=SHANGHAI)
    run = a_run(today, timezone.now())
    car.delivery_on = today - timedelta(days=30)
    car.save(update_fields=["delivery_on"])
    type(car).pgh_event_model.objects.update(pgh_created_at=run.started_at + timedelta(seconds=1))
    coverage = check(today, today, now=timezone.now())
    assert (coverage.expected, coverage.missing, coverage.waiting) == (0, 0, 1)
    # The next night has had to see it.
    later = check(today, today, now=timezone.now() + timedelta(days=2))
    assert (later.expected, later.missing, later.waiting) == (1, 1, 0)


@pytest.mark.parametrize("comes", ["new", "from another owner", "from elsewhere"])
def test_who_has_become_a_driver_since_the_last_night_waits_for_the_next(customer, comes):
    type(customer).objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    today = timezone.localdate(timezone=SHANGHAI)
    a_rule(trigger="season", params={"days": [f"{today:%m-%d}"]}, offsets=[])
    other = CustomerFactory(store=customer.store, entered_on=LONG_BEFORE, status=CustomerStatus.DECEASED)
    car = a_car(other if comes == "from another owner" else customer)
    if comes == "from elsewhere":
        type(car).objects.update(status=VehicleStatus.MOVED_AWAY)
    run = a_run(today, timezone.now())
    afternoon = run.started_at + timedelta(seconds=1)
    if comes == "new":
        type(car).objects.update(created_at=afternoon)
    else:
        type(car).objects.update(owner=customer, status=VehicleStatus.IN_USE)
        latest = type(car).pgh_event_model.objects.latest("pgh_id")
        type(latest).objects.filter(pk=latest.pk).update(pgh_created_at=afternoon)
    coverage = check(today, today, now=timezone.now())
    assert (coverage.expected, coverage.missing, coverage.waiting) == (0, 0, 1)
    later = check(today, today, now=timezone.now() + timedelta(days=2))
    assert (later.expected, later.missing, later.waiting) == (1, 1, 0)


def test_a_reading_since_the_last_night_hides_no_missing_season_tip(customer):
    type(customer).objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    today = timezone.localdate(timezone=SHANGHAI)
    a_rule(trigger="season", params={"days": [f"{today:%m-%d}"]}, offsets=[])
    car = a_car(customer)
    run = a_run(today, timezone.now())
    type(car).objects.update(odometer_km=20_000)
    type(car).pgh_event_model.objects.update(pgh_created_at=run.started_at + timedelta(seconds=1))
    assert check(today, today, now=timezone.now()).missing == 1


def test_a_contact_since_the_last_night_hides_no_missing_birthday(customer):
    type(customer).objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC), birthday_month=1, birthday_day=1)
    birthday = timezone.localdate(timezone=SHANGHAI)
    type(customer).objects.update(birthday_month=birthday.month, birthday_day=birthday.day)
    events = type(customer).pgh_event_model.objects
    events.update(pgh_created_at=datetime(2020, 1, 1, tzinfo=UTC))
    a_rule(trigger="birthday")
    run = a_run(birthday, timezone.now())
    type(customer).objects.update(note="spoken to")
    events.filter(pk=events.latest("pgh_id").pk).update(pgh_created_at=run.started_at + timedelta(seconds=1))
    assert check(birthday, birthday, now=timezone.now()).missing == 1
    type(customer).objects.update(birthday_year=1980, tier=Tier.VIP)
    events.filter(pk=events.latest("pgh_id").pk).update(pgh_created_at=run.started_at + timedelta(seconds=2))
    assert check(birthday, birthday, now=timezone.now()).waiting == 1


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command_prints_its_line_last_and_ends_with_one_when_something_is_missing(customer, capsys):
    car = a_car(customer, delivery_on=date(2026, 1, 31))
    a_rule(code="X", offset_unit=OffsetUnit.MONTHS, offsets=[1])
    a_run(date(2026, 3, 1), timezone.now())
    local = timezone.localtime(timezone=SHANGHAI)
    through = local.date() - timedelta(days=0 if local.hour >= 6 else 1)
    way_out = f"manage.py plan_care --on {through} --since 2026-02-28 --store BZ01"
    with pytest.raises(SystemExit) as stopped:
        call_command("care_coverage", "--from", "2026-02-01", "--to", "2026-02-28", "--store", "BZ01")
    said = capsys.readouterr()
    assert stopped.value.code == 1
    assert said.out == '{"expected": 1, "accounted": 0, "missing": 1, "duplicates": 0}\n'
    assert said.err.splitlines()[:2] == [
        f"missing: BZ01 X {customer.number} {car.vin} 2026-02-28 delivery 2026-01-31 +1 months",
        f"1 missing. Bring the ledger up to date with: {way_out}",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "yesterday", "--to", "2026-01-31"], "--from 'yesterday' is not a date like 2026-11-21."),
        (["--from", "2026-01-31", "--to", "2026-01-01"], "The period ends (2026-01-01) before it begins (2026-01-31)."),
        (["--from", "1850-01-31", "--to", "2026-01-01"], "The period must lie between 1902 and 2099."),
        (
            ["--from", "2026-01-01", "--to", "2026-01-31", "--store", "NOPE"],
            "There is no store with the code 'NOPE'.",
        ),
    ],
)
def test_wrong_arguments_are_said_in_one_sentence_with_status_two(arguments, sentence):
    with pytest.raises(CommandError) as refused:
        call_command("care_coverage", *arguments)
    assert (str(refused.value), refused.value.returncode) == (sentence, 2)


def test_a_period_the_wrong_way_round_is_refused():
    with pytest.raises(CannotCheckCoverage):
        check(date(2026, 2, 1), date(2026, 1, 1))


def test_the_check_leaves_nothing_behind(customer):
    a_car(customer, delivery_on=date(2026, 1, 1))
    a_rule()
    check(date(2026, 1, 1), date(2026, 1, 31))
    assert TouchPoint.objects.count() == 0
