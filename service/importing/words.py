"""The words of a file for the choices of the data: those of domain §1 in both languages, and common others."""

from collections.abc import Mapping
from typing import Any

from customers.choices import Channel, Criterion, CustomerKind, DoNotContact, Salutation, Source, Tier, TimeSlot
from service.importing.columns import plain
from vehicles.choices import Energy, PlateKind, Use, VehicleStatus


def _table(words: Mapping[Any, str]) -> dict[str, Any]:
    table = {}
    for value, spellings in words.items():
        for word in spellings.split("|"):
            table[plain(word)] = value
        if isinstance(value, str):
            table[plain(value)] = value
    return table


CHOICES: Mapping[str, Mapping[str, Any]] = {
    "kind": _table(
        {
            CustomerKind.PERSON: "个人|私人|自然人|individual|private",
            CustomerKind.ORGANISATION: "单位|公司|企业|机构|政府|法人|organization|company|corporate|business",
        }
    ),
    "salutation": _table(
        {
            Salutation.MR: "先生|男|男士|男性|male|m|mr.",
            Salutation.MS: "女士|女|小姐|女性|太太|female|f|mrs|miss|ms.",
            Salutation.UNKNOWN: "未知|不详|保密|其他|unknown",
        }
    ),
    "birthday_calendar": _table({"solar": "公历|阳历|新历|gregorian", "lunar": "农历|阴历|旧历"}),
    "preferred_channel": _table(
        {
            Channel.PHONE: "电话|手机|call|telephone",
            Channel.VISIT: "拜访|上门|上门拜访|面谈",
            Channel.EMAIL: "电子邮件|邮件|邮箱|e-mail",
            Channel.SMS: "短信|text|text message",
            Channel.WECHAT: "微信|weixin",
            Channel.WECOM: "企业微信|企微",
            Channel.APP: "app",
            Channel.LETTER: "信函|信件|post",
        }
    ),
    "preferred_slot": _table(
        {
            TimeSlot.MORNING: "上午|早上|am",
            TimeSlot.AFTERNOON: "下午|pm",
            TimeSlot.EVENING: "晚上|傍晚|晚间",
            TimeSlot.ANY: "任意|不限|随时|都可以|全天|any|any time|anytime",
        }
    ),
    "do_not_contact": _table(
        {
            DoNotContact.NONE: "否|无|不|n|no|0|false|可联系|正常",
            DoNotContact.MARKETING: "营销|免营销|仅营销|拒绝营销|不接受营销|no marketing|marketing only",
            DoNotContact.ALL_BUT_SAFETY: "是|全部|仅安全|除安全外|y|yes|1|true|all-but-safety|do not contact|拒绝联系",
        }
    ),
    "source": _table(
        {
            Source.WALK_IN: "来店|到店|自然到店|walk in",
            Source.CALL_IN: "来电|电话|call in",
            Source.EXHIBITION: "展示会|车展|展会",
            Source.CANVASSING: "特定开拓|开拓",
            Source.REPURCHASE: "保有基盘(再购)|保有基盘|再购|增换购|置换",
            Source.REFERRAL: "转介绍|介绍|老客户介绍|朋友介绍",
            Source.INSIDE: "内部情报|内部|员工介绍|inside information",
            Source.VIP: "VIP介绍|vip introduction",
            Source.ONLINE: "网络留资|网络|线上|网销|网络线索|online enquiry|internet",
            Source.COMMUNITY: "社群|社区",
            Source.ROADSHOW: "外拓巡展|外拓|巡展",
        }
    ),
    "tier": _table(
        {
            Tier.VIP: "VIP客户|贵宾|vip customer",
            Tier.QUALITY: "优质|优质客户|优良|quality customer",
            Tier.ORDINARY: "普通|普通客户|一般|ordinary customer",
        }
    ),
    "communication": _table(
        {
            Criterion.HIGH: "良好|好|高|3|good|high",
            Criterion.MEDIUM: "顺畅|一般|中|2|smooth|fair|medium",
            Criterion.LOW: "不太顺畅|不顺畅|差|低|1|not smooth|poor|low",
        }
    ),
    "network": _table(
        {
            Criterion.HIGH: "广泛|高|3|wide|broad|high",
            Criterion.MEDIUM: "一般|中|2|average|medium",
            Criterion.LOW: "有限|窄|低|1|limited|low",
        }
    ),
    "referral_willingness": _table(
        {
            Criterion.HIGH: "积极|强|高|3|active|eager|high",
            Criterion.MEDIUM: "一般|中|2|average|medium",
            Criterion.LOW: "不强|弱|低|1|weak|low",
        }
    ),
    "energy": _table(
        {
            Energy.PETROL: "汽油|汽油车|燃油|gasoline|gas",
            Energy.DIESEL: "柴油|柴油车",
            Energy.HEV: "混动HEV|混动|油电混合|油电混动|混合动力|hybrid",
            Energy.PHEV: "插混PHEV|插混|插电混动|插电式混合动力|插电混合|plug-in hybrid",
            Energy.EREV: "增程EREV|增程|增程式|增程式电动|range extender",
            Energy.BEV: "纯电BEV|纯电|纯电动|电动|电|electric|ev",
        }
    ),
    "use": _table(
        {
            Use.PRIVATE: "私家车|私家|私人|家用|家庭自用|非营运|自用|private car|household",
            Use.OFFICIAL: "公务车|公务|公车|单位用车|企业用车|商务|机关|official car|company",
            Use.COMMERCIAL: "营运车|营运|运营|网约|网约车|出租|出租车|租赁|货运|教练|教练车|taxi|rental|commercial car",
        }
    ),
    "plate_kind": _table(
        {
            PlateKind.BLUE: "普通蓝|蓝牌|蓝|小型汽车|ordinary blue",
            PlateKind.YELLOW: "黄|黄牌|大型汽车",
            PlateKind.NEV_SMALL: "新能源小|小型新能源|小型新能源汽车|绿牌|new energy small",
            PlateKind.NEV_LARGE: "新能源大|大型新能源|大型新能源汽车|黄绿牌|new energy large",
            PlateKind.TEMPORARY: "临时|临牌|临时牌照",
            PlateKind.OTHER: "其他",
        }
    ),
    "is_minivan": _table({True: "是|y|yes|1|true|面包车|√", False: "否|n|no|0|false|非面包车"}),
    "status": _table(
        {
            VehicleStatus.IN_USE: "在用|正常|使用中|in use|active",
            VehicleStatus.TRANSFERRED: "过户|已过户|已出售|sold|transferred",
            VehicleStatus.SCRAPPED: "报废|已报废|scrapped",
            VehicleStatus.MOVED_AWAY: "外迁|已外迁|moved away|moved",
            VehicleStatus.OUT_OF_TOUCH: "失联|out of touch|lost",
        }
    ),
}
