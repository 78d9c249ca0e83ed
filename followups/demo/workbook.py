"""Made-up customers as a workbook for the importer: what a store's old files look like, one row a car."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import BinaryIO

from openpyxl import Workbook

from customers.choices import (
    BirthdayCalendar,
    Channel,
    Criterion,
    CustomerKind,
    DoNotContact,
    Salutation,
    Source,
    TimeSlot,
)
from followups.demo.files import DemoCar, DemoCustomer
from followups.demo.people import DemoWorld
from service.choices import MAINTENANCE, JobType
from vehicles.choices import Energy, PlateKind, PolicyKind, Use, VehicleStatus

# The names of domain §1.
HEADERS = (
    "客户类型", "姓名/单位名称", "称谓/性别", "手机号码", "备用电话/座机", "微信号/OpenID", "电子邮箱", "身份证号码",
    "统一社会信用代码", "联系人", "联系人职务", "联系人手机", "出生日期/生日", "生日历法", "省/市/区", "家庭住址",
    "首选联系方式", "方便联系时段", "免打扰", "来源渠道", "沟通顺畅度", "人脉情况", "推荐意愿", "销售顾问", "服务顾问",
    "客服专员", "底盘号/车架号/VIN", "品牌", "车系", "款年", "配置", "车牌号", "号牌种类", "能源类型", "使用性质",
    "核定座位", "面包车", "发动机号", "变速器号", "动力蓄电池编码", "车身颜色", "内饰色", "购车日期/开票日期",
    "交车日期", "注册登记日期", "首次保养日期", "上次来店日期", "上次保养日期", "上次保养里程", "当前里程", "里程日期",
    "检验有效期止", "交强险到期日", "商业险到期日", "保险公司", "车辆状态",
)  # fmt: skip

_KINDS = {CustomerKind.PERSON: "个人", CustomerKind.ORGANISATION: "单位"}
_SALUTATIONS = {Salutation.MR: "先生", Salutation.MS: "女士", Salutation.UNKNOWN: ""}
_CHANNELS = {
    Channel.PHONE: "电话",
    Channel.WECHAT: "微信",
    Channel.SMS: "短信",
    Channel.EMAIL: "电子邮件",
    Channel.VISIT: "拜访",
}
_SLOTS = {TimeSlot.MORNING: "上午", TimeSlot.AFTERNOON: "下午", TimeSlot.EVENING: "晚上"}
_DO_NOT_CONTACT = {DoNotContact.NONE: "", DoNotContact.MARKETING: "营销", DoNotContact.ALL_BUT_SAFETY: "全部"}
_SOURCES = {
    Source.WALK_IN: "来店",
    Source.CALL_IN: "来电",
    Source.EXHIBITION: "展示会",
    Source.CANVASSING: "特定开拓",
    Source.REPURCHASE: "保有基盘",
    Source.REFERRAL: "转介绍",
    Source.INSIDE: "内部情报",
    Source.VIP: "VIP介绍",
    Source.ONLINE: "网络留资",
    Source.COMMUNITY: "社群",
    Source.ROADSHOW: "外拓巡展",
}
_COMMUNICATION = {Criterion.HIGH: "良好", Criterion.MEDIUM: "顺畅", Criterion.LOW: "不太顺畅", None: ""}
_NETWORK = {Criterion.HIGH: "广泛", Criterion.MEDIUM: "一般", Criterion.LOW: "有限", None: ""}
_WILLINGNESS = {Criterion.HIGH: "积极", Criterion.MEDIUM: "一般", Criterion.LOW: "不强", None: ""}
_ENERGIES = {
    Energy.PETROL: "汽油",
    Energy.DIESEL: "柴油",
    Energy.HEV: "混动HEV",
    Energy.PHEV: "插混PHEV",
    Energy.EREV: "增程EREV",
    Energy.BEV: "纯电BEV",
}
_USES = {Use.PRIVATE: "私家车", Use.OFFICIAL: "公务车", Use.COMMERCIAL: "营运车"}
_PLATE_KINDS = {PlateKind.BLUE: "普通蓝", PlateKind.NEV_SMALL: "新能源小", PlateKind.NONE: ""}
_STATUSES = {
    VehicleStatus.IN_USE: "在用",
    VehicleStatus.TRANSFERRED: "过户",
    VehicleStatus.SCRAPPED: "报废",
    VehicleStatus.MOVED_AWAY: "外迁",
    VehicleStatus.OUT_OF_TOUCH: "失联",
}

Cell = str | int | date | datetime | None
# Of a thousand rows so many carry a slip of the pen for which the importer has to give them back.
_SLIPS = 4


@dataclass(frozen=True)
class WorkbookReport:
    """What the workbook holds; ``slips`` are rows with a mistake that must come back from the importer."""

    customers: int
    rows: int
    slips: int


def write_workbook(path: Path, *, customers: int, seed: int, today: date) -> WorkbookReport:
    """Write the customers of a seed and a date, with memory that does not grow; spellings vary as in real files.

    Raises ``OSError`` where the file cannot be written.
    """
    # Opened first: that the file cannot be written is said before the work, not after it.
    with path.open("wb") as file:
        return _write(file, DemoWorld(seed=seed, today=today, customers=customers))


def _write(file: BinaryIO, world: DemoWorld) -> WorkbookReport:
    names = {person.username: person.name for person in world.people}
    # Spellings have numbers of their own: the customers stay those of the seed.
    rng = Random(f"{world.seed}:workbook")  # noqa: S311 - believable, not secret
    book = Workbook(write_only=True)
    sheet = book.create_sheet("客户与车辆")
    sheet.append(HEADERS)
    rows = slips = written = 0
    for customer in world.customers():
        written += 1
        for row in _rows_of(customer, names, rng):
            if rng.randrange(1000) < _SLIPS:
                row, slips = _with_slip(row, rng), slips + 1
            sheet.append(row)
            rows += 1
    book.save(file)
    return WorkbookReport(customers=written, rows=rows, slips=slips)


def _rows_of(customer: DemoCustomer, names: dict[str, str], rng: Random) -> Iterator[list[Cell]]:
    person = customer.contact_persons[0] if customer.contact_persons else ("", "", "")
    about_customer: list[Cell] = [
        _KINDS[CustomerKind(customer.kind)],
        customer.name,
        _SALUTATIONS[Salutation(customer.salutation)],
        _spelled_mobile(customer.mobile, rng),
        customer.other_phone,
        customer.wechat,
        customer.email,
        customer.id_number,
        customer.credit_code,
        *person,
        _spelled_birthday(customer, rng),
        "农历" if customer.birthday_month and customer.birthday_calendar == BirthdayCalendar.LUNAR else "",
        customer.address_region,
        customer.address_detail,
        _CHANNELS[Channel(customer.preferred_channel)] if customer.preferred_channel else "",
        _SLOTS[TimeSlot(customer.preferred_slot)] if customer.preferred_slot else "",
        _DO_NOT_CONTACT[DoNotContact(customer.do_not_contact)],
        _SOURCES[Source(customer.source)],
        _COMMUNICATION[_criterion(customer.communication)],
        _NETWORK[_criterion(customer.network)],
        _WILLINGNESS[_criterion(customer.referral_willingness)],
        names[customer.sales_consultant],
        names[customer.service_adviser],
        names[customer.care_specialist],
    ]
    for car in customer.cars:
        yield about_customer + _car_cells(car, rng)


def _criterion(score: int | None) -> Criterion | None:
    return None if score is None else Criterion(score)


def _car_cells(car: DemoCar, rng: Random) -> list[Cell]:
    visits = [order for order in car.orders if order.handed_over_on and order.job_type != JobType.INTERNAL]
    services = [order for order in visits if order.job_type in MAINTENANCE]
    last_service = services[-1] if services else None
    last_reading = max(car.readings, key=lambda reading: reading.on)
    ends = {
        kind: max((policy.ends_on for policy in car.policies if policy.kind == kind), default=None)
        for kind in (PolicyKind.COMPULSORY, PolicyKind.COMMERCIAL)
    }
    return [
        car.vin,
        car.series.brand,
        car.series.name,
        car.model_year,
        car.trim,
        f"{car.plate[:2]}·{car.plate[2:]}" if car.plate and rng.random() < 0.5 else car.plate,
        _PLATE_KINDS[PlateKind(car.plate_kind)],
        _ENERGIES[car.series.energy],
        _USES[Use(car.use)],
        car.series.seats,
        "是" if car.series.is_minivan else "否",
        car.engine_no,
        car.gearbox_no,
        car.battery_code,
        car.body_colour,
        car.interior_colour,
        *(
            _spelled_date(day, rng)
            for day in (
                car.purchase_on,
                car.delivery_on,
                car.registered_on,
                car.first_service_done_on,
                max((order.handed_over_on for order in visits if order.handed_over_on), default=None),
                last_service.handed_over_on if last_service else None,
            )
        ),
        last_service.km if last_service else None,
        last_reading.km,
        _spelled_date(last_reading.on, rng),
        _spelled_date(car.inspection_valid_until, rng),
        *(_spelled_date(end, rng) for end in ends.values()),
        car.policies[-1].insurer if car.policies else "",
        _STATUSES[VehicleStatus(car.status)],
    ]


def _spelled_date(day: date | None, rng: Random) -> Cell:
    """Return a date as people and spreadsheets write it."""
    if day is None:
        return None
    style = rng.randrange(10)
    if style < 4:
        return day
    if style < 6:
        return day.isoformat()
    if style < 8:
        return f"{day.year}/{day.month}/{day.day}"
    return f"{day.year}年{day.month}月{day.day}日" if style == 8 else f"{day:%Y%m%d}"


def _spelled_mobile(mobile: str, rng: Random) -> Cell:
    style = rng.randrange(20)
    if style < 8:
        return int(mobile)
    if style < 15:
        return mobile
    if style < 17:
        return f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}"
    if style < 19:
        return f"+86 {mobile[:3]}-{mobile[3:7]}-{mobile[7:]}"
    return mobile.translate(_FULL_WIDTH)


_FULL_WIDTH = {ord(digit): chr(ord(digit) - ord("0") + ord("\N{FULLWIDTH DIGIT ZERO}")) for digit in "0123456789"}


def _spelled_birthday(customer: DemoCustomer, rng: Random) -> Cell:
    year, month, day = customer.birthday_year, customer.birthday_month, customer.birthday_day
    if month is None or day is None:
        return None
    leap = "闰" if customer.is_birthday_leap_month else ""
    if year is None:
        return f"{month}月{day}日"
    if customer.birthday_calendar == BirthdayCalendar.LUNAR:
        return f"{year}年{leap}{month}月{day}日"
    return _spelled_date(date(year, month, day), rng)


def _with_slip(row: Sequence[Cell], rng: Random) -> list[Cell]:
    """Return the row with a mistake in it that no program can put right."""
    spoiled = list(row)
    vin = HEADERS.index("底盘号/车架号/VIN")
    match rng.randrange(4):
        case 0:
            spoiled[vin] = f"{str(row[vin])[:-2]}O1"  # the letter O, which no VIN has
        case 1:
            spoiled[vin] = str(row[vin])[:-1]
        case 2:
            spoiled[HEADERS.index("交车日期")] = "2023年13月5日"
        case _:
            spoiled[HEADERS.index("车牌号")] = "鲁M123"
    return spoiled
