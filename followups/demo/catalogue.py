"""The words that made-up data are made of: stores, people, car models, jobs, places."""

from dataclasses import dataclass

from customers.choices import Source
from service.choices import JobType
from vehicles.choices import Energy, Use

STORES = (
    ("BZ01", "滨州渤海路店", "0543-3260001"),
    ("BZ02", "滨州黄河路店", "0543-3260002"),
)
# Of a hundred customers, so many belong to the first store.
FIRST_STORE_SHARE = 55

# Sales consultants of the referral table of domain §7; nothing but their names is taken from it.
CONSULTANTS = ("杨滨杏", "王国龙", "王美玲", "赵扬", "马珊", "郭有涛", "张文", "高倩", "郑静", "张学立")

DEMO_PASSWORD = "dealercrm-demo"  # noqa: S105 - printed in the README; production refuses the demo data


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """A service plan: months and km to the first service, then between services."""

    name: str
    first_months: int
    first_km: int
    interval_months: int
    interval_km: int


@dataclass(frozen=True, slots=True)
class DemoWarranty:
    """A warranty policy: months and km of the warranty, then of the three guarantees."""

    name: str
    months: int
    km: int
    three_guarantees_months: int
    three_guarantees_km: int


STANDARD_PLAN = DemoPlan("常规保养", 3, 5_000, 6, 10_000)
LONG_PLAN = DemoPlan("长效机油保养", 6, 7_500, 12, 12_000)
ELECTRIC_PLAN = DemoPlan("纯电保养", 6, 10_000, 12, 20_000)
DIESEL_PLAN = DemoPlan("柴油商用车保养", 3, 5_000, 6, 15_000)
PLANS = (STANDARD_PLAN, LONG_PLAN, ELECTRIC_PLAN, DIESEL_PLAN)

STANDARD_WARRANTY = DemoWarranty("三年6万公里", 36, 60_000, 24, 50_000)
LONG_WARRANTY = DemoWarranty("五年15万公里", 60, 150_000, 24, 50_000)
ELECTRIC_WARRANTY = DemoWarranty("六年15万公里", 72, 150_000, 24, 50_000)
WARRANTIES = (STANDARD_WARRANTY, LONG_WARRANTY, ELECTRIC_WARRANTY)


@dataclass(frozen=True, slots=True)
class DemoSeries:
    """A series of the catalogue. ``wmi`` and ``vds`` begin its VINs; it is sold from ``since`` to ``until``."""

    brand: str
    name: str
    trims: tuple[str, ...]
    energy: Energy
    plan: DemoPlan
    warranty: DemoWarranty
    wmi: str
    vds: str
    engine: str
    weight: int
    since: int = 2018
    until: int = 2100
    seats: int = 5
    is_minivan: bool = False
    uses: tuple[Use, ...] = (Use.PRIVATE, Use.OFFICIAL)
    price: int = 100_000


_WORK = (Use.COMMERCIAL, Use.OFFICIAL)
_ANY = (Use.PRIVATE, Use.OFFICIAL, Use.COMMERCIAL)

SERIES = (
    DemoSeries(
        "吉利", "帝豪", ("1.5L 手动向上版", "1.5L CVT 豪华型"), Energy.PETROL, STANDARD_PLAN, STANDARD_WARRANTY,
        "LB3", "7724S", "JLC-4G15", 22, uses=_ANY, price=79_800,
    ),
    DemoSeries(
        "吉利", "博越", ("1.8TD 智联型", "1.5TD 尊贵型"), Energy.PETROL, STANDARD_PLAN, LONG_WARRANTY,
        "LB3", "8732S", "JLE-4G18TD", 20, price=119_800,
    ),
    DemoSeries(
        "吉利", "星越", ("1.5TD 驰星者", "2.0TD 星耀者"), Energy.PETROL, LONG_PLAN, LONG_WARRANTY,
        "LB3", "7842L", "JLH-3G15TD", 12, since=2019, price=149_800,
    ),
    DemoSeries(
        "吉利", "博瑞", ("1.8TD 精英型", "1.8TD 旗舰型"), Energy.PETROL, STANDARD_PLAN, STANDARD_WARRANTY,
        "LB3", "7852S", "JLE-4G18TD", 7, until=2022, price=139_800,
    ),
    DemoSeries(
        "吉利", "远景", ("1.5L 幸福版",), Energy.PETROL, STANDARD_PLAN, STANDARD_WARRANTY,
        "LB3", "7712S", "JLC-4G15", 8, until=2022, uses=_ANY, price=59_900,
    ),
    DemoSeries(
        "吉利", "星瑞", ("1.5T 雷神混动",), Energy.HEV, LONG_PLAN, LONG_WARRANTY,
        "LB3", "7862H", "BHE15-EFZ", 6, since=2021, price=129_700,
    ),
    DemoSeries(
        "吉利", "银河L7", ("115km PRO", "115km MAX"), Energy.PHEV, LONG_PLAN, ELECTRIC_WARRANTY,
        "LB3", "7872P", "BHE15-BFZ", 12, since=2023, price=138_700,
    ),
    DemoSeries(
        "吉利", "熊猫mini", ("200km 耐力熊",), Energy.BEV, ELECTRIC_PLAN, ELECTRIC_WARRANTY,
        "LB3", "3822E", "TZ160XS", 6, since=2022, seats=4, price=43_900,
    ),
    DemoSeries(
        "吉利", "几何A", ("标准续航", "长续航"), Energy.BEV, ELECTRIC_PLAN, ELECTRIC_WARRANTY,
        "LB3", "7832E", "TZ220XS", 8, since=2019, uses=_ANY, price=136_800,
    ),
    DemoSeries(
        "荣威", "RX5", ("20T 旗舰版", "30T 豪华版"), Energy.PETROL, STANDARD_PLAN, STANDARD_WARRANTY,
        "LSJ", "W26N9", "15E4E", 8, price=109_800,
    ),
    DemoSeries(
        "荣威", "Ei5", ("豪华版",), Energy.BEV, ELECTRIC_PLAN, ELECTRIC_WARRANTY,
        "LSJ", "E34V1", "TZ204XS", 4, uses=_ANY, price=112_800,
    ),
    DemoSeries(
        "江淮", "瑞风M3", ("1.6L 商务型",), Energy.PETROL, STANDARD_PLAN, STANDARD_WARRANTY,
        "LJ1", "6B3D2", "HFC4GA3", 5, seats=8, is_minivan=True, uses=_WORK, price=79_800,
    ),
    DemoSeries(
        "江淮", "骏铃V6", ("4.2米仓栅", "4.2米厢式"), Energy.DIESEL, DIESEL_PLAN, STANDARD_WARRANTY,
        "LJ1", "2EKAA", "D25TCIF1", 6, seats=3, uses=(Use.COMMERCIAL,), price=129_000,
    ),
    DemoSeries(
        "远程", "星享V", ("增程物流版",), Energy.EREV, DIESEL_PLAN, ELECTRIC_WARRANTY,
        "LJ1", "5XRDV", "DHE12-RE", 3, since=2023, seats=2, uses=(Use.COMMERCIAL,), price=139_800,
    ),
)  # fmt: skip

BODY_COLOURS = ("极地白", "珠光白", "曜石黑", "流光银", "钛金灰", "火山红", "天青蓝", "香槟金")
INTERIOR_COLOURS = ("黑色", "米色", "棕色", "黑红")
INSURERS = ("人保财险", "平安产险", "太平洋产险", "国寿财险", "大地保险", "阳光产险", "中华联合")

# Region, code of the region in a resident ID, telephone area, share of customers.
REGIONS = (
    ("山东省滨州市滨城区", "371602", "0543", 46),
    ("山东省滨州市邹平市", "371681", "0543", 12),
    ("山东省滨州市博兴县", "371625", "0543", 10),
    ("山东省滨州市惠民县", "371621", "0543", 9),
    ("山东省滨州市沾化区", "371603", "0543", 7),
    ("山东省滨州市阳信县", "371622", "0543", 6),
    ("山东省滨州市无棣县", "371623", "0543", 5),
    ("山东省东营市东营区", "370502", "0546", 3),
    ("山东省淄博市张店区", "370303", "0533", 2),
)
ESTATES = ("锦绣花园", "中海豪庭", "秦台新苑", "蓝色经典", "唐人街小区", "御景东城", "阳光家园", "黄河小区", "凤凰城")

MOBILE_PREFIXES = (
    "130", "131", "132", "133", "135", "136", "137", "138", "139", "150", "151", "152", "155", "156", "157", "158",
    "159", "166", "173", "175", "176", "177", "178", "180", "181", "182", "183", "185", "186", "187", "188", "189",
    "191", "195", "198", "199",
)  # fmt: skip

SOURCES = (
    (Source.WALK_IN, 34),
    (Source.CALL_IN, 10),
    (Source.EXHIBITION, 8),
    (Source.CANVASSING, 3),
    (Source.REPURCHASE, 8),
    (Source.REFERRAL, 16),
    (Source.INSIDE, 2),
    (Source.VIP, 3),
    (Source.ONLINE, 12),
    (Source.COMMUNITY, 2),
    (Source.ROADSHOW, 2),
)

TRADES = ("建材", "物流", "纺织", "化工", "食品", "机械", "商贸", "厨具", "农业", "建筑工程", "家居", "电力设备")
OFFICES = ("行政主管", "车队队长", "总经理", "办公室主任", "采购经理", "财务主管")

DO_NOT_CONTACT_REASONS = ("客户明确表示不要打扰", "客户在外地工作，不方便接听", "已另有专人负责车辆")
PERSONAL_EVENTS = (
    ("孩子升学", False),
    ("结婚纪念日", True),
    ("晋升", False),
    ("乔迁", False),
    ("孩子生日", True),
    ("公司周年庆", True),
)

JOB_SUMMARIES: dict[JobType, tuple[str, ...]] = {
    JobType.FIRST_SERVICE: ("首次保养：更换机油机滤，全车检查", "首保，检查底盘紧固件与轮胎"),
    JobType.PERIODIC_SERVICE: (
        "更换机油机滤，检查制动与轮胎",
        "小保养，更换空调滤芯",
        "大保养：三滤、机油、节气门清洗",
        "常规保养，轮胎换位",
    ),
    JobType.GENERAL_REPAIR: (
        "更换前制动片",
        "更换蓄电池",
        "空调不制冷，补充冷媒",
        "更换雨刮片与大灯灯泡",
        "四轮定位，更换前轮轮胎",
    ),
    JobType.WARRANTY_CLAIM: ("车机黑屏，索赔更换主机", "天窗异响，索赔润滑调整", "变速器油封渗油，索赔更换"),
    JobType.ACCIDENT_REPAIR: ("前保险杠与右前大灯更换，喷漆", "左后门钣金喷漆", "追尾事故，后围校正"),
    JobType.COMEBACK: ("上次维修后仍有异响，返修",),
    JobType.ACCESSORIES: ("贴膜", "加装行车记录仪", "内饰清洗，漆面镀晶"),
    JobType.RECALL: ("召回：升级安全气囊控制程序", "服务活动：免费更换燃油泵继电器"),
    JobType.INTERNAL: ("交付前检查 PDI",),
}
SUGGESTIONS = (
    "前制动片余量3毫米，建议更换",
    "轮胎花纹接近极限，建议更换两条前轮",
    "蓄电池启动性能下降，建议更换",
    "变速器油已到更换周期",
    "冷却液冰点偏高，入冬前建议更换",
    "底盘胶套老化，建议下次更换",
    "空调滤芯较脏，建议更换",
    "正时附件皮带有裂纹，建议更换",
)

CONTACT_NOTES: dict[str, tuple[str, ...]] = {
    "satisfied": (
        "用车正常，对服务满意。",
        "车况良好，提醒了下次保养时间。",
        "客户表示近期较忙，车子没有问题。",
        "介绍了车主讲堂，客户有兴趣。",
        "对交车过程满意，功能已会使用。",
    ),
    "booked": ("已约好到店时间。", "约周末上午来做保养。"),
    "grievance": ("抱怨上次等待时间过长。", "反映空调异响一直没有解决。", "觉得保养费用解释不清楚。"),
    "referral": ("同事想看车，已留下联系方式。",),
    "trade_in": ("考虑换一台更大的车，想先估旧车价格。",),
    "later": ("正在开会，请改天再打。",),
    "not_reached": ("",),
    "message_sent": ("已发送微信问候。", "已发送保养提醒短信。"),
    "serviced_elsewhere": ("已在住处附近的维修店做过保养，嫌路远。",),
}
