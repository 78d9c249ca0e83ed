"""The words of a file for the choices of the data: those of domain §1 in both languages, and common others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from customers.choices import Channel, Criterion, CustomerKind, DoNotContact, Salutation, Source, Tier, TimeSlot
from customers.rules import STRICTNESS
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


@dataclass(frozen=True)
class Wish:
    """What a customer does not want, as a cell of the column "do not contact" says it.

    ``reason`` is what the cell says beside the plain word: 投诉 of 是(投诉).
    """

    level: DoNotContact = DoNotContact.NONE
    refused: tuple[Channel, ...] = ()
    reason: str = ""


_LEVELS = _table(
    {
        DoNotContact.NONE: (
            "否|无|没有|不|不是|不拒绝|可联系|可以联系|愿意联系|正常|无要求|无限制|n|no|none|0|false|contact welcome"
        ),
        DoNotContact.MARKETING: (
            "营销|免营销|仅营销|勿营销|拒绝营销|拒营销|不接受营销|不要营销|广告|不要广告|拒收广告|推销|拒绝推销"
            "|no marketing|marketing only|no advertising|no ads|no promotions|promotions"
        ),
        # Whoever refuses calls or visits without a word about marketing refuses everything that may be refused.
        DoNotContact.ALL_BUT_SAFETY: (
            "是|有|对|全部|所有|仅安全|除安全外|y|yes|1|true|all-but-safety|do not contact|do not disturb|dnc"
            "|no contact|refused|refuses|opted out|opt out|blacklist|blocked"
            "|免打扰|勿扰|勿打扰|请勿打扰|不要打扰|别打扰|拒收|拒接|拒绝|拒绝打扰|拒绝联系|拒绝回访|拒绝跟踪|拒访|拒联|谢绝|谢绝回访"
            "|勿联系|请勿联系|不要联系|不再联系|禁止联系|不愿联系|不联系|不回访|不要回访|勿回访|黑名单"
        ),
    }
)
_CHANNELS = {
    Channel.SMS: "短信|信息|sms|text|text message",
    Channel.PHONE: "电话|来电|打电话|phone|call|calls|phone call",
    Channel.WECHAT: "微信|wechat",
    Channel.EMAIL: "邮件|电子邮件|email|mail",
    Channel.VISIT: "上门|拜访|上门拜访|visit|visits",
}
_NOT_BY = ("", "不", "勿", "勿发", "请勿", "不发", "不要", "不要发", "免", "拒", "拒收", "拒绝", "拒接", "不接", "no")
_REFUSED = _table(
    {
        channel: "|".join(f"{prefix}{word}" for prefix in _NOT_BY for word in words.split("|"))
        for channel, words in _CHANNELS.items()
    }
)
# NFKC, which ``text_of`` has applied, makes the brackets and commas of Chinese texts plain ones.
_WORD_AND_REASON = (
    re.compile(r"(?P<word>[^(\[]+)[(\[](?P<reason>.+?)[)\]]\s*"),
    re.compile(r"(?P<word>[^,;:、。\s—-]+)\s*[,;:、。\s—-]\s*(?P<reason>.+)"),
)
_SEPARATORS = re.compile(r"[/、,;+和及]|\band\b")
# plain() drops signs; alone in a cell they are words.
_SIGNS = {"√": "是", "✓": "是", "✔": "是", "×": "否", "✗": "否", "✘": "否"}


def read_wish(text: str) -> Wish | None:
    """Return what a text in the column "do not contact" means; None when that cannot be told.

    是, 勿扰, 拒访 … stand for the strict level; 短信 or 不接电话 refuse a channel; a refusal may carry its reason,
    是(投诉). What welcomes contact must say so and no more: 否(投诉中) is not understood.
    """
    text = _SIGNS.get(text, text)
    wish = _words(text)
    if wish is not None:
        return wish
    for shape in _WORD_AND_REASON:
        parts = shape.fullmatch(text)
        wish = _words(parts["word"]) if parts else None
        if parts and wish and wish != _WELCOME:
            return replace(wish, reason=parts["reason"].strip())
    return None


_WELCOME = Wish()


def _one_word(text: str) -> Wish | None:
    word = plain(text)
    if word in _LEVELS:
        return Wish(level=_LEVELS[word])
    return Wish(refused=(_REFUSED[word],)) if word in _REFUSED else None


def _words(text: str) -> Wish | None:
    """One word, or several that refuse: 营销/电话."""
    word = _one_word(text)
    if word is not None:
        return word
    several = [_one_word(part) for part in _SEPARATORS.split(text)]
    if None in several or _WELCOME in several:
        return None
    wishes = [wish for wish in several if wish is not None]
    return Wish(
        level=max((wish.level for wish in wishes), key=STRICTNESS.index),
        refused=tuple(dict.fromkeys(channel for wish in wishes for channel in wish.refused)),
    )
