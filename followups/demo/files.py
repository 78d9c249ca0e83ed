"""The shapes of made-up data, before they become rows or lines of a workbook. Staff are named by user name."""

from dataclasses import dataclass, field
from datetime import date, datetime

from followups.demo.catalogue import DemoSeries
from service.choices import JobType


@dataclass(slots=True)
class DemoSuggestion:
    """Work that was suggested at a visit."""

    text: str
    on: date
    status: str


@dataclass(slots=True)
class DemoOrder:
    """A visit to the workshop; ``handed_over_on`` is None while the car is there."""

    job_type: JobType
    summary: str
    arrived_on: date
    handed_over_on: date | None
    km: int
    amount: int
    adviser: str = ""
    suggestion: DemoSuggestion | None = None


@dataclass(slots=True)
class DemoReading:
    """A line of the odometer log."""

    on: date
    km: int
    source: str
    note: str = ""
    is_new_odometer: bool = False


@dataclass(slots=True)
class DemoPolicy:
    """An insurance policy."""

    kind: str
    insurer: str
    number: str
    starts_on: date
    ends_on: date
    premium: int
    is_bought_here: bool


@dataclass(slots=True)
class DemoCar:
    """A car with its history, oldest first."""

    series: DemoSeries
    trim: str
    model_year: int
    vin: str
    plate: str
    plate_kind: str
    engine_no: str
    gearbox_no: str
    battery_code: str
    use: str
    status: str
    body_colour: str
    interior_colour: str
    purchase_on: date
    delivery_on: date
    registered_on: date | None
    inspection_valid_until: date | None
    inspection_source: str
    first_service_done_on: date | None = None
    left_on: date | None = None
    orders: list[DemoOrder] = field(default_factory=list)
    readings: list[DemoReading] = field(default_factory=list)
    policies: list[DemoPolicy] = field(default_factory=list)


@dataclass(slots=True)
class DemoConsent:
    """A line of the consent ledger."""

    purpose: str
    channel: str
    is_given: bool
    at: datetime
    evidence: str
    by: str


@dataclass(slots=True)
class DemoContact:
    """A contact of the past, and what it asked of another desk."""

    at: datetime
    by: str
    channel: str
    outcome: str
    is_effective: bool
    is_proactive: bool
    is_inbound: bool
    is_marketing_message: bool
    note: str
    reason: str = ""
    next_step: str = ""
    severity: str = ""
    is_step_done: bool = True
    car: int | None = None


@dataclass(slots=True)
class DemoCustomer:
    """A customer file with everything that hangs on it. ``index`` counts from 0; a referrer has a lower one."""

    index: int
    store: str
    kind: str
    status: str
    entered_on: date
    name: str
    salutation: str
    mobile: str
    is_mobile_wrong: bool = False
    other_phone: str = ""
    wechat: str = ""
    email: str = ""
    id_number: str = ""
    credit_code: str = ""
    address_region: str = ""
    address_detail: str = ""
    language: str = "zh-hans"
    birthday_calendar: str = "solar"
    birthday_year: int | None = None
    birthday_month: int | None = None
    birthday_day: int | None = None
    is_birthday_leap_month: bool = False
    preferred_channel: str = ""
    preferred_slot: str = ""
    do_not_contact: str = "none"
    do_not_contact_reason: str = ""
    do_not_contact_on: date | None = None
    refused_channels: list[str] = field(default_factory=list)
    source: str = ""
    referrer: int | None = None
    sales_consultant: str = ""
    service_adviser: str = ""
    care_specialist: str = ""
    communication: int | None = None
    network: int | None = None
    referral_willingness: int | None = None
    tier: str = "ordinary"
    note: str = ""
    contact_persons: list[tuple[str, str, str]] = field(default_factory=list)
    events: list[tuple[str, date, bool]] = field(default_factory=list)
    consents: list[DemoConsent] = field(default_factory=list)
    contacts: list[DemoContact] = field(default_factory=list)
    cars: list[DemoCar] = field(default_factory=list)
