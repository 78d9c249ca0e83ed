"""Which column means what: the names of domain §1 in Chinese and English, and what stores call the same things."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

# Field → the names it goes by. The first two are those of domain §1; capitals, spaces and punctuation do not matter.
CUSTOMER_COLUMNS: Mapping[str, str] = {
    "number": "客户编号|Customer no.|客户号|客户代码|customer number|customer id|customer code",
    "store": "归属门店|Store|门店|门店代码|所属门店|经销店|dealer",
    "kind": "客户类型|Type|客户性质|客户类别|customer type",
    "name": (
        "姓名/单位名称|Name|姓名|单位名称|客户姓名|客户名称|客户|车主|车主姓名|车主名称|公司名称|customer name"
        "|customer|full name|owner|owner name"
    ),
    "salutation": "称谓/性别|Salutation / gender|性别|称谓|称呼|gender|sex|salutation|title",
    "mobile": (
        "手机号码|Mobile (primary)|手机|手机号|移动电话|联系手机|车主手机|客户手机|mobile|mobile no.|mobile number"
        "|mobile phone|cell phone|cell"
    ),
    "other_phone": (
        "备用电话/座机|Other phone|备用电话|座机|固定电话|固话|备用手机|家庭电话|办公电话|其他电话|landline"
        "|second phone|telephone 2|phone 2"
    ),
    "wechat": "微信号/OpenID|WeChat|微信|微信号|openid|wechat id|weixin",
    "email": "电子邮箱|E-mail|邮箱|电子邮件|邮件|email address",
    "id_type": "证件类型|ID type|证件种类",
    "id_number": (
        "身份证号码|Resident ID|身份证|身份证号|证件号码|证件号|id number|id no.|identity card|identity number"
    ),
    "credit_code": "统一社会信用代码|Unified social credit code|信用代码|社会信用代码|组织机构代码|credit code|uscc",
    "contact_person": "联系人|Contact persons of an organisation|联系人姓名|contact person|contact name|contact",
    "contact_role": "联系人职务|Contact role|联系人角色|联系人职位|contact position",
    "contact_mobile": "联系人手机|Contact mobile|联系人电话|联系人手机号|contact phone|contact person mobile",
    "birthday": "出生日期/生日|Birthday|生日|出生日期|出生年月日|date of birth|birth date|dob",
    "birthday_calendar": "生日历法|Birthday calendar|历法|生日类型|公历/农历|公历农历|calendar",
    "address_province": "省|Province|省份|所在省",
    "address_city": "市|City|城市|所在市",
    "address_district": "区|District|区县|县区|县|county",
    "address_region": "省/市/区|Region|省市区|地区|所在地区|区域",
    "address_detail": "家庭住址|Home address|地址|住址|家庭地址|详细地址|联系地址|通讯地址|address|street",
    "preferred_channel": "首选联系方式|Preferred channel|联系方式偏好|偏好联系方式",
    "preferred_slot": "方便联系时段|Preferred time slots|联系时段|方便时间|preferred time|preferred time slot",
    "do_not_contact": "免打扰|Do-not-contact|请勿打扰|拒绝联系|dnc",
    "source": "来源渠道|Source|来源|客户来源|信息来源|lead source",
    "tier": "客户分级|Customer tier|客户级别|客户等级|分级|tier|level",
    "communication": "沟通顺畅度|Communication|沟通情况|沟通",
    "network": "人脉情况|Network|人脉",
    "referral_willingness": "推荐意愿|Referral willingness|转介绍意愿",
    "sales_consultant": "销售顾问|Sales consultant|销售员|销售人员|salesperson",
    "service_adviser": "服务顾问|Service adviser|service advisor|接待|接待员|接待顾问",
    "care_specialist": "客服专员|Customer-care specialist|客服|客服人员|care specialist|回访员",
    "note": "备注|Note|notes|沟通备注|说明|remark|remarks|comment",
}
CAR_COLUMNS: Mapping[str, str] = {
    "vin": (
        "底盘号/车架号/VIN|VIN|底盘号|车架号|车架号码|vin码|vin号|车辆识别代号|车辆识别代码|车辆识别码|车辆识别号"
        "|chassis no.|chassis number|vin number|vehicle identification number|frame no."
    ),
    "brand": "品牌|Brand|车辆品牌|厂牌|make",
    "series": "车系|Series|系列|model series",
    "model_name": (
        "品牌/车系/车型/款年/配置|Brand/series/model/year/trim|车型|Model|车型名称|车辆型号|车辆车型|car model"
        "|vehicle model"
    ),
    "model_year": "款年|Year|年款|款型年份|车型年份|model year",
    "trim": "配置|Trim|配置版本|版本|款式",
    "plate": (
        "车牌号|Plate|车牌|车牌号码|牌照|牌照号|牌照号码|号牌号码|plate no.|plate number|license plate|licence plate"
        "|registration number|license no."
    ),
    "plate_kind": "号牌种类|Plate type|车牌类型|牌照类型|号牌类型|plate kind",
    "engine_no": "发动机号|Engine no.|发动机号码|电机号|发动机号/电机号|engine number|motor no.",
    "gearbox_no": "变速器号|Gearbox no.|变速箱号|变速箱号码|gearbox number|transmission no.",
    "battery_code": "动力蓄电池编码|Battery code|电池编码|动力电池编码|battery no.",
    "energy": "能源类型|Energy|能源种类|燃料种类|燃料类型|动力类型|fuel|fuel type|energy type",
    "body_colour": (
        "车身颜色/内饰色|Body / interior colour|车身颜色|Body colour|颜色|车色|外观颜色|车辆颜色|body color"
        "|exterior color|exterior colour|colour|color"
    ),
    "interior_colour": "内饰色|Interior colour|内饰颜色|interior color|interior",
    "purchase_on": (
        "购车日期/开票日期|Purchase (invoice) date|购车日期|开票日期|购买日期|购车时间|发票日期|invoice date"
        "|date of purchase|purchase date|sale date|销售日期"
    ),
    "delivery_on": "交车日期|Delivery date|提车日期|交付日期|交车时间|date of delivery|delivered on",
    "registered_on": (
        "注册登记日期|Registration date|注册日期|登记日期|上牌日期|初次登记日期|初登日期|行驶证注册日期"
        "|注册登记日期(行驶证)|first registration|date of registration"
    ),
    "first_service_done_on": (
        "首次保养日期|First-service date|首保日期|首保完成日期|首次保养完成日期|首保时间|first service"
        "|first service done|first service done on"
    ),
    "use": "使用性质|Use|用途|车辆用途|usage|vehicle use",
    "seats": (
        "核定座位/面包车|Seats / minivan flag|核定座位|Seats|座位数|核定载客|核定载客人数|座位|seat count"
        "|number of seats"
    ),
    "is_minivan": "面包车|Minivan flag|是否面包车|minivan",
    "odometer_km": (
        "当前里程+里程日志|Odometer log|当前里程|Odometer|里程|行驶里程|里程数|公里数|里程(km)|最新里程|进厂里程"
        "|mileage|mileage km|current mileage|odometer km|km"
    ),
    "odometer_on": "里程日期|Mileage date|里程录入日期|里程读数日期|里程时间|odometer date|mileage read on",
    "last_visit_on": (
        "上次来店日期|Last visit|最近来店日期|最近来店|上次来店|最近进厂日期|上次进厂日期|最近进店日期|最后来店日期"
        "|last visit date|last visited on"
    ),
    "last_service_on": (
        "上次保养日期|Last service|最近保养日期|最近一次保养日期|末次保养日期|上次保养时间|last service date"
    ),
    "last_service_km": "上次保养里程|Last service km|最近保养里程|last service mileage",
    "inspection_valid_until": (
        "检验有效期止|Inspection valid until|检验有效期|检验有效期至|年检到期|年检到期日|年检到期日期|年检有效期"
        "|年检有效期至|年审到期|年审日期|年检日期|inspection due|inspection expiry"
    ),
    "compulsory_ends_on": (
        "交强险到期日|Compulsory insurance end|交强险|交强险到期|交强险到期日期|交强险止期|交强险有效期止"
        "|交强险终保日期|保险到期|保险到期日|保险到期日期|compulsory insurance|compulsory insurance until"
        "|insurance end|insurance expiry"
    ),
    "commercial_ends_on": (
        "商业险到期日|Commercial insurance end|商业险|商业险到期|商业险到期日期|商业险止期|商业险有效期止"
        "|商业险终保日期|commercial insurance|commercial insurance until"
    ),
    "insurer": "保险公司|Insurer|承保公司|投保公司|insurance company",
    "status": "车辆状态|Vehicle status|车况|状态|status",
}
# Names that say less: they take the first of their fields that no clearer name has taken.
VAGUE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "电话": ("mobile", "other_phone"),
    "联系电话": ("mobile", "other_phone"),
    "电话号码": ("mobile", "other_phone"),
    "客户电话": ("mobile", "other_phone"),
    "车主电话": ("mobile", "other_phone"),
    "phone": ("mobile", "other_phone"),
    "phone no.": ("mobile", "other_phone"),
    "phone number": ("mobile", "other_phone"),
    "tel": ("mobile", "other_phone"),
    "telephone": ("mobile", "other_phone"),
}
# What the importer itself adds to the file of rows it gave back; it comes in again with the corrected rows.
OWN_COLUMNS = ("行号", "原因", "Line", "Reason")


def plain(name: str) -> str:
    """Return a column name without capitals, spaces, punctuation, and marks such as * for required."""
    return re.sub(r"[^0-9a-z\u3400-\u9fff]", "", unicodedata.normalize("NFKC", name).casefold())


@lru_cache
def _fields_by_name() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for columns in (CUSTOMER_COLUMNS, CAR_COLUMNS):
        for field_name, spellings in columns.items():
            for spelling in spellings.split("|"):
                names.setdefault(plain(spelling), field_name)
                names.setdefault(plain(_without_brackets(spelling)), field_name)
    return names


@lru_cache
def _vague_names() -> Mapping[str, tuple[str, ...]]:
    return {plain(name): fields for name, fields in VAGUE_COLUMNS.items()}


def _without_brackets(name: str) -> str:
    return re.sub(r"[(（\[【].*?[)）\]】]", "", name)


def field_of(name: str) -> str | None:
    """Return the field that a column name means, or None when it means none or says too little."""
    known = _fields_by_name()
    for spelling in (name, _without_brackets(name), re.split(r"[:：]", name)[0]):
        if found := known.get(plain(spelling)):
            return found
    # 手机/移动电话: two words for one thing. A name for two things says too little.
    parts = {known.get(plain(part)) for part in re.split(r"[/／|、]", _without_brackets(name))}
    return parts.pop() if len(parts) == 1 else None


@dataclass
class ColumnMap:
    """Where each field stands, and the names of the columns that nothing is taken from."""

    positions: dict[str, int] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def map_columns(headers: Sequence[str]) -> ColumnMap:
    """Return where each field stands. Of two columns for one field the first counts; the other is ignored."""
    columns = ColumnMap()
    vague = []
    own = {plain(name) for name in OWN_COLUMNS}
    for position, name in enumerate(headers):
        found = field_of(name)
        if found and found not in columns.positions:
            columns.positions[found] = position
        elif not found and plain(_without_brackets(name)) in _vague_names():
            vague.append((position, name))
        elif name and plain(name) not in own:
            columns.ignored.append(name)
    for position, name in vague:
        free = [f for f in _vague_names()[plain(_without_brackets(name))] if f not in columns.positions]
        if free:
            columns.positions[free[0]] = position
        else:
            columns.ignored.append(name)
    return columns


def known_columns(headers: Sequence[str]) -> int:
    """Return how many fields a row of names would give; 0 when it is no head of a table of customers or cars.

    A head has at least two known names, among them the customer or the car.
    """
    positions = map_columns(headers).positions
    is_head = len(positions) >= 2 and not {"name", "vin", "number"}.isdisjoint(positions)
    return len(positions) if is_head else 0
