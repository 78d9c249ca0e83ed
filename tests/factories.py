"""Plain, valid rows, without hidden relatives: what a test is about, it says itself. Variants are traits."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import factory
from factory.django import DjangoModelFactory

from accounts.choices import Role
from accounts.models import Membership, Store, User
from core.choices import JobStatus
from core.models import JobRun
from customers.choices import Channel, ConsentPurpose, CustomerKind, DoNotContact, Tier
from customers.models import Consent, ContactPerson, Customer, PersonalEvent
from customers.rules import name_search_terms
from followups.choices import CareClass, NextStepKind, Outcome, Severity, TouchPointStatus
from followups.models import CareRule, ContactLog, NextStep, QueueLease, TouchPoint
from service.choices import JobType
from service.models import SuggestedWork, WorkOrder
from vehicles.choices import Energy, OdometerSource, PolicyKind, Use, VehicleStatus
from vehicles.models import CarModel, InsurancePolicy, OdometerReading, Ownership, ServicePlan, Vehicle, WarrantyPolicy

PASSWORD = "correct-horse-battery"
# The day on which made-up people live, unless a test says otherwise.
TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai

VIN_VALUES = {
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(number: int) -> str:
    """Return a VIN with a correct check digit (domain §1.2), another one for every number."""
    raw = f"L6T7722S0NN{number:06d}"
    total = sum(
        (VIN_VALUES[char] if char in VIN_VALUES else int(char)) * weight
        for char, weight in zip(raw, VIN_WEIGHTS, strict=True)
    )
    return raw[:8] + "0123456789X"[total % 11] + raw[9:]


class JobRunFactory(DjangoModelFactory):
    """A night of the planner for all stores, done in four seconds."""

    class Meta:
        model = JobRun

    class Params:
        running = factory.Trait(status=JobStatus.RUNNING, finished_at=None, counts={})
        failed = factory.Trait(status=JobStatus.FAILED, error="OperationalError: server closed the connection")

    name = "plan_care"
    business_date = TODAY
    status = JobStatus.DONE
    started_at = factory.LazyAttribute(
        lambda run: datetime.combine(run.business_date, time(2), tzinfo=timezone(timedelta(hours=8)))
    )
    finished_at = factory.LazyAttribute(lambda run: run.started_at + timedelta(seconds=4))
    counts = factory.LazyFunction(
        lambda: {
            "created": 12,
            "existing": 3,
            "suppressed": 2,
            "missed": 1,
            "cancelled": 0,
            "by_rule": {
                "M3k": {"created": 12, "existing": 3, "suppressed": 2, "missed": 1, "cancelled": 0, "moved": 0}
            },
        }
    )


class StoreFactory(DjangoModelFactory):
    class Meta:
        model = Store

    code = factory.Sequence(lambda n: f"ST{n:03d}")
    name = factory.Sequence(lambda n: f"测试店{n}")


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    name = factory.Sequence(lambda n: f"员工{n}")
    language = "en"
    password = factory.django.Password(PASSWORD)


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    store = factory.SubFactory(StoreFactory)
    role = Role.SERVICE_ADVISER

    class Params:
        group = factory.Trait(store=None, role=Role.GROUP_MANAGER)


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    class Params:
        vip = factory.Trait(tier=Tier.VIP)
        organisation = factory.Trait(kind=CustomerKind.ORGANISATION, name=factory.Sequence(lambda n: f"恒通运输{n}"))
        no_contact = factory.Trait(do_not_contact=DoNotContact.ALL_BUT_SAFETY, do_not_contact_on=TODAY)

    store = factory.SubFactory(StoreFactory)
    number = factory.Sequence(lambda n: f"C26{n:06d}")
    entered_on = date(2024, 1, 10)
    name = factory.Sequence(lambda n: f"王小明{n}")
    name_pinyin = factory.LazyAttribute(lambda customer: name_search_terms(customer.name).pinyin)
    name_initials = factory.LazyAttribute(lambda customer: name_search_terms(customer.name).initials)
    name_grams = factory.LazyAttribute(lambda customer: name_search_terms(customer.name).grams)
    mobile = factory.Sequence(lambda n: f"138{n:08d}")


class ContactPersonFactory(DjangoModelFactory):
    class Meta:
        model = ContactPerson

    customer = factory.SubFactory(CustomerFactory, organisation=True)
    name = "周敏"
    mobile = factory.Sequence(lambda n: f"137{n:08d}")


class ConsentFactory(DjangoModelFactory):
    class Meta:
        model = Consent

    customer = factory.SubFactory(CustomerFactory)
    purpose = ConsentPurpose.MARKETING
    channel = Channel.SMS
    is_given = True
    at = NOW


class PersonalEventFactory(DjangoModelFactory):
    class Meta:
        model = PersonalEvent

    customer = factory.SubFactory(CustomerFactory)
    name = "结婚纪念日"
    on = date(2020, 5, 20)
    is_yearly = True


class ServicePlanFactory(DjangoModelFactory):
    class Meta:
        model = ServicePlan

    name = factory.Sequence(lambda n: f"保养方案{n}")


class WarrantyPolicyFactory(DjangoModelFactory):
    class Meta:
        model = WarrantyPolicy

    name = factory.Sequence(lambda n: f"包修政策{n}")


class CarModelFactory(DjangoModelFactory):
    class Meta:
        model = CarModel

    brand = "吉利"
    series = factory.Sequence(lambda n: f"博瑞{n}")
    year = 2023


class VehicleFactory(DjangoModelFactory):
    """A car in use; its store is its owner's."""

    class Meta:
        model = Vehicle

    class Params:
        electric = factory.Trait(energy=Energy.BEV)
        commercial = factory.Trait(use=Use.COMMERCIAL)
        scrapped = factory.Trait(status=VehicleStatus.SCRAPPED)

    owner = factory.SubFactory(CustomerFactory)
    store = factory.SelfAttribute("owner.store")
    care_from = date(2024, 1, 10)
    # Far from the numbers that tests write down themselves: how many cars there were before is chance.
    vin = factory.Sequence(lambda n: vin(500_000 + n))
    plate = factory.Sequence(lambda n: f"鲁M{n:05d}")
    delivery_on = date(2024, 1, 10)


class OwnershipFactory(DjangoModelFactory):
    class Meta:
        model = Ownership

    vehicle = factory.SubFactory(VehicleFactory)
    customer = factory.SelfAttribute("vehicle.owner")
    started_on = date(2024, 1, 10)


class OdometerReadingFactory(DjangoModelFactory):
    class Meta:
        model = OdometerReading

    vehicle = factory.SubFactory(VehicleFactory)
    on = date(2024, 7, 10)
    km = 6000
    source = OdometerSource.WORK_ORDER


class InsurancePolicyFactory(DjangoModelFactory):
    class Meta:
        model = InsurancePolicy

    vehicle = factory.SubFactory(VehicleFactory)
    kind = PolicyKind.COMPULSORY
    starts_on = date(2026, 1, 11)
    ends_on = date(2027, 1, 10)


class WorkOrderFactory(DjangoModelFactory):
    """A visit that is over: arrived and handed over on the same day."""

    class Meta:
        model = WorkOrder

    class Params:
        in_workshop = factory.Trait(handed_over_on=None)

    vehicle = factory.SubFactory(VehicleFactory)
    customer = factory.SelfAttribute("vehicle.owner")
    store = factory.SelfAttribute("vehicle.store")
    number = factory.Sequence(lambda n: f"R26{n:07d}")
    job_type = JobType.PERIODIC_SERVICE
    arrived_on = date(2026, 6, 10)
    handed_over_on = factory.SelfAttribute("arrived_on")
    km = 20000


class SuggestedWorkFactory(DjangoModelFactory):
    class Meta:
        model = SuggestedWork

    work_order = factory.SubFactory(WorkOrderFactory)
    text = "更换前刹车片"
    suggested_on = factory.SelfAttribute("work_order.arrived_on")


class CareRuleFactory(DjangoModelFactory):
    """A group rule of its own. The delivered plan is there too: ``CareRule.objects.get(code="D3", store=None)``."""

    class Meta:
        model = CareRule

    code = factory.Sequence(lambda n: f"T{n}")
    position = 900
    name_zh = factory.LazyAttribute(lambda rule: f"测试规则{rule.code}")
    name_en = factory.LazyAttribute(lambda rule: f"Test rule {rule.code}")
    trigger = "delivery"
    offsets = [3]
    late_days = 7
    owner_role = Role.SERVICE_ADVISER
    channels = [Channel.PHONE]
    care_class = CareClass.SERVICE


class TouchPointFactory(DjangoModelFactory):
    """An open touch point that is due on the test day."""

    class Meta:
        model = TouchPoint

    class Params:
        done = factory.Trait(status=TouchPointStatus.DONE, closed_on=TODAY)
        suppressed = factory.Trait(
            status=TouchPointStatus.SUPPRESSED, reason="do_not_contact", closed_on=factory.SelfAttribute("opens_on")
        )

    rule = factory.SubFactory(CareRuleFactory)
    customer = factory.SubFactory(CustomerFactory)
    store = factory.SelfAttribute("customer.store")
    nominal_on = TODAY
    anchor_on = factory.LazyAttribute(lambda point: point.nominal_on - timedelta(days=3))
    due_on = factory.SelfAttribute("nominal_on")
    opens_on = factory.LazyAttribute(lambda point: point.due_on - timedelta(days=point.rule.early_days))
    closes_on = factory.LazyAttribute(lambda point: point.due_on + timedelta(days=point.rule.late_days))
    priority = factory.SelfAttribute("rule.priority")
    handling = factory.SelfAttribute("rule.handling")
    channel = factory.LazyAttribute(lambda point: point.rule.channels[0])


class ContactLogFactory(DjangoModelFactory):
    class Meta:
        model = ContactLog

    class Params:
        not_reached = factory.Trait(outcome=Outcome.NOT_REACHED, is_effective=False)

    customer = factory.SubFactory(CustomerFactory)
    store = factory.SelfAttribute("customer.store")
    by = factory.SubFactory(UserFactory)
    at = NOW
    on = factory.LazyAttribute(lambda log: log.at.date())
    channel = Channel.PHONE
    outcome = Outcome.SATISFIED
    is_effective = True


class NextStepFactory(DjangoModelFactory):
    class Meta:
        model = NextStep

    class Params:
        complaint = factory.Trait(kind=NextStepKind.COMPLAINT, severity=Severity.ESCALATED)

    customer = factory.SubFactory(CustomerFactory)
    store = factory.SelfAttribute("customer.store")
    contact = factory.SubFactory(ContactLogFactory, customer=factory.SelfAttribute("..customer"))
    kind = NextStepKind.APPOINTMENT
    created_at = NOW


class QueueLeaseFactory(DjangoModelFactory):
    class Meta:
        model = QueueLease

    customer = factory.SubFactory(CustomerFactory)
    holder = factory.SubFactory(UserFactory)
    expires_at = NOW + timedelta(minutes=15)
