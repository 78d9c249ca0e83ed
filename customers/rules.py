"""Rules about people: what a valid number is, how it is masked, how a name is found (domain §1.1)."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

import phonenumbers
from pypinyin import Style, lazy_pinyin
from stdnum.cn import ric, uscc

from core.rules import add_months
from customers.choices import BirthdayCalendar, Criterion, CustomerKind, DoNotContact, Lifecycle, Salutation, Tier

MOBILE = re.compile(r"1[3-9]\d{9}")
LANDLINE = re.compile(r"0\d{2,3}-?\d{7,8}(-\d{1,6})?")


def normalise_mobile(text: str) -> str:
    """Return a mobile number without spaces, hyphens, full-width digits and +86."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[\s\-()·]", "", text)
    return re.sub(r"^(\+?86|0086)(?=1\d{10}$)", "", text)


def is_mobile(text: str) -> bool:
    """Tell whether a normalised text is a mobile number of mainland China."""
    return MOBILE.fullmatch(text) is not None


def mask_mobile(number: str) -> str:
    """Return a phone number with its middle hidden: ``138 **** 5678``; short ones keep two digits."""
    if not number:
        return ""
    if len(number) < 8:
        return "*" * max(len(number) - 2, 0) + number[-2:]
    return f"{number[:3]} **** {number[-4:]}"


def shown_digits_pattern(digits: str) -> str:
    """Return the pattern of the numbers whose mask shows just these digits, or "" when no mask shows so many.

    ``mask_mobile`` leaves the last four of a number, or the first three with them. Whoever sees numbers masked is found
    somebody by these alone: a search for any other digits would tell the hidden ones one by one.
    """
    if len(digits) == 4:
        return f"^.{{4,}}{digits}$"
    return f"^{digits[:3]}.+{digits[3:]}$" if len(digits) == 7 else ""


def mask_wechat(name: str) -> str:
    """Return a WeChat ID with the phone number hidden that it is, or that it contains.

    Many people are found by their mobile; other WeChat IDs begin with a letter.
    """
    if name and not name[0].isalpha():
        return mask_mobile(name)
    return MOBILE.sub(lambda found: mask_mobile(found[0]), name)


def mask_account(name: str) -> str:
    """Return an e-mail address or WeChat ID of which only the first character and the domain are left."""
    local, at, domain = name.partition("@")
    return f"{local[:1]}***{at}{domain}" if local else ""


# Seven digits and more, also in groups; an ISO date is none.
_NUMBER = re.compile(r"(?<!\d)(?!(?:19|20)\d\d-\d\d-\d\d(?!\d))\d(?:[ \-]?\d){6,}")


def mask_numbers(text: str) -> str:
    """Return a text in which every number long enough to be a phone, an ID or an account is ``****``."""
    return _NUMBER.sub("****", text)


@dataclass(frozen=True)
class NameSearchTerms:
    """What a name is found by: full pinyin, initials, and its one- and two-character pieces."""

    pinyin: str
    initials: str
    grams: list[str]


def name_search_terms(name: str) -> NameSearchTerms:
    """Return the search terms of a name: 王小明 is found by ``wangxiaoming``, ``wxm``, 小明, 明.

    Surnames with a reading of their own (单 shàn, 区 ōu) are read as pypinyin's dictionary has them.
    """
    compact = re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).lower()
    # What is not Chinese counts character by character; the library takes a list here, its annotation does not say so.
    syllables = lazy_pinyin(compact, style=Style.NORMAL, errors=list, v_to_u=False)  # type: ignore[arg-type]
    grams = sorted({compact[i : i + size] for size in (1, 2) for i in range(len(compact) - size + 1)})
    return NameSearchTerms(
        pinyin="".join(syllables)[:240], initials="".join(s[:1] for s in syllables)[:60], grams=grams
    )


def normalise_phone(text: str) -> str:
    """Return a phone number in one spelling: ``13812345678``, ``0543-3388888-12``, ``4008123456``, ``+85225274567``.

    Full-width digits, spaces, brackets, +86 and a dropped leading zero after it do not matter (``+86 10 5873 9999`` is
    ``010-58739999``). What is no such number comes back without its spaces, for ``is_phone`` to judge.
    """
    text = re.sub(r"[–—−]", "-", unicodedata.normalize("NFKC", text).strip())
    text = re.sub(r"\s*(?:转|分机|ext\.?|x)\s*[:：]?\s*(?=\d{1,6}$)", "-", text, flags=re.IGNORECASE)
    if text.startswith("+") and not re.match(r"\+\s*86", text):
        return re.sub(r"[\s()-]", "", text)
    had_country = re.match(r"\s*(?:\+\s*86|0086)", text) is not None
    text = re.sub(r"^\s*(?:\+\s*86|0086)[\s-]*", "", text)
    digits = re.sub(r"\D", "", text)
    if MOBILE.fullmatch(digits) or re.fullmatch(r"(?:86)?[48]00\d{7}", digits):
        return digits.removeprefix("86")
    if re.fullmatch(r"861[3-9]\d{9}", digits):
        return digits[2:]
    if had_country and digits[:1] in "123456789":
        text = f"0{text}"
    landline = re.fullmatch(r"\(?(0\d{2,3})\)?[\s-]*(\d[\d\s]{5,8}\d|\d{3,4}-\d{4})(?:-(\d{1,6}))?", text)
    if landline is None:
        return re.sub(r"\s", "", text)
    area, number, extension = landline.groups()
    # Beijing, Guangzhou and the 02x cities have area codes of three digits, all others of four.
    if len(area) == 4 and re.match(r"01|02", area):
        area, number = area[:3], area[3:] + number
    elif len(area) == 3 and not re.match(r"01|02", area):
        area, number = area + number[0], number[1:]
    number = re.sub(r"\D", "", number)
    return f"{area}-{number}" + (f"-{extension}" if extension else "")


def is_phone(text: str) -> bool:
    """Tell whether a normalised text is a number that can be dialled: mobile, landline, 400/800, or a foreign one."""
    if is_mobile(text) or LANDLINE.fullmatch(text) or re.fullmatch(r"[48]00\d{7}", text):
        return True
    if not text.startswith("+"):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return False


WECHAT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{5,19}")
# What the platform gives out instead of a WeChat ID: OpenID and UnionID, 28 characters.
WECHAT_OPEN_ID = re.compile(r"o[A-Za-z0-9_-]{27}")
EMAIL = re.compile(r"[^@\s<>,;]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}")


def is_wechat(text: str, *, mobile: str = "") -> bool:
    """Tell whether a text is a WeChat ID, an OpenID, or the mobile number that many people are found by."""
    return bool(WECHAT.fullmatch(text) or WECHAT_OPEN_ID.fullmatch(text)) or is_mobile(text) or text == mobile != ""


def is_email(text: str) -> bool:
    """Tell whether a text looks like an e-mail address."""
    return EMAIL.fullmatch(text) is not None and ".." not in text and len(text) <= 254


_RESIDENT_ID = re.compile(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")


def normalise_id_number(text: str) -> str:
    """Return an ID number or credit code in capitals without spaces, hyphens and full-width characters."""
    return re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", text)).upper()


def is_resident_id(text: str, *, on: date) -> bool:
    """Tell whether a normalised text is a resident ID of 18 characters: shape, real birth date, check digit (V2)."""
    if _RESIDENT_ID.fullmatch(text) is None or text[-1] != ric.calc_check_digit(text):
        return False
    birthday = _date_or_none(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    return birthday is not None and birthday <= on


def birthday_of_resident_id(text: str) -> date:
    """Return the birth date inside a valid resident ID."""
    return date(int(text[6:10]), int(text[10:12]), int(text[12:14]))


def salutation_of_resident_id(text: str) -> Salutation:
    """Return Mr for an odd 17th digit of a valid resident ID, else Ms."""
    return Salutation.MR if int(text[16]) % 2 else Salutation.MS


def is_credit_code(text: str) -> bool:
    """Tell whether a normalised text is a unified social credit code with its right check digit."""
    return len(text) == 18 and bool(uscc.is_valid(text))


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(frozen=True)
class Birthday:
    """A birthday as people say it: in either calendar, the year known or not (domain §1.1)."""

    month: int
    day: int
    year: int | None = None
    calendar: BirthdayCalendar = BirthdayCalendar.SOLAR
    is_leap_month: bool = False


_HAN_DIGITS = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0, "两": 2}
_LUNAR_WORDS = re.compile(r"农历|阴历|旧历|夏历|lunar", re.IGNORECASE)
_SOLAR_WORDS = re.compile(r"公历|阳历|新历|西历|国历|solar|gregorian", re.IGNORECASE)
_LEAP_WORDS = re.compile(r"闰|leap(?:\s*month)?", re.IGNORECASE)
_HAN_NUMBER = "〇零○一二三四五六七八九十廿卅"
_HAN_BIRTHDAY = re.compile(
    rf"(?:(?P<year>\d{{4}}|[{_HAN_NUMBER}]{{4}})年?)?(?P<month>正|冬|腊|[{_HAN_NUMBER}]{{1,3}}|\d{{1,2}})月"
    rf"(?P<day>初?[{_HAN_NUMBER}]{{1,3}}|\d{{1,2}})(?P<suffix>[日号]?)"
)
_DIGIT_BIRTHDAY = re.compile(
    r"(?:(?P<year>\d{4})[-/.年])?(?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})[日号]?(?:T?00:00(?::00(?:\.0+)?)?)?"
)
_COMPACT_BIRTHDAY = re.compile(r"(?P<year>\d{4})?(?P<month>\d{2})(?P<day>\d{2})")
OLDEST_BIRTH_YEAR = 1900


def read_birthday(text: str, *, on: date, calendar: BirthdayCalendar | None = None) -> Birthday | None:
    """Return the birthday that a text means, or None when it means none that can exist by ``on``.

    Understands ``1985-03-04``, ``1985年3月4日``, ``19850304``, ``3-4``, ``0304``, ``农历八月十五``, ``闰四月初八``,
    ``腊月廿三``, ``农历1985年8月15日``, ``lunar 8-15``. Words for the calendar in the text decide; without them
    ``calendar`` does, and without that a day said as in the lunar calendar (初八, 正月, 八月十五 without 日) is lunar.
    """
    text = re.sub(r"[\s()（）,，]", "", unicodedata.normalize("NFKC", text))
    if _LUNAR_WORDS.search(text):
        calendar = BirthdayCalendar.LUNAR
    elif _SOLAR_WORDS.search(text):
        calendar = BirthdayCalendar.SOLAR
    text = _SOLAR_WORDS.sub("", _LUNAR_WORDS.sub("", text))
    is_leap_month = _LEAP_WORDS.search(text) is not None
    text = _LEAP_WORDS.sub("", text).strip(":：-")
    match = _DIGIT_BIRTHDAY.fullmatch(text) or _COMPACT_BIRTHDAY.fullmatch(text) or _HAN_BIRTHDAY.fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    if calendar is None:
        sounds_lunar = re.search(r"初|廿|卅|正月|冬月|腊月", text) is not None
        is_bare_han = match.re is _HAN_BIRTHDAY and not parts["suffix"] and not parts["day"].isdigit()
        is_lunar = is_leap_month or sounds_lunar or is_bare_han
        calendar = BirthdayCalendar.LUNAR if is_lunar else BirthdayCalendar.SOLAR
    year = _year_of(parts["year"]) if parts["year"] else None
    return _possible_birthday(
        Birthday(_number_of(parts["month"]), _number_of(parts["day"]), year, calendar, is_leap_month), on=on
    )


def _possible_birthday(birthday: Birthday, *, on: date) -> Birthday | None:
    if birthday.year is not None and not OLDEST_BIRTH_YEAR <= birthday.year <= on.year:
        return None
    if birthday.calendar == BirthdayCalendar.LUNAR:
        return birthday if 1 <= birthday.month <= 12 and 1 <= birthday.day <= 30 else None
    # 2000 was a leap year: 29 Feb without a year is a birthday.
    solar = _date_or_none(birthday.year or 2000, birthday.month, birthday.day)
    is_possible = solar is not None and not birthday.is_leap_month and (birthday.year is None or solar <= on)
    return birthday if is_possible else None


def _year_of(text: str) -> int:
    return int(text) if text.isdigit() else int("".join(str(_HAN_DIGITS.get(char, 0)) for char in text))


def _number_of(text: str) -> int:
    """Return the number that digits or Chinese numerals of a month or day mean; 0 when they mean none."""
    text = text.removeprefix("初")
    if text.isdecimal():
        return int(text)
    named = {"正": 1, "冬": 11, "腊": 12}.get(text)
    if named:
        return named
    text = text.replace("廿", "二十").replace("卅", "三十").replace("十十", "十")
    tens, ten, ones = text.partition("十")
    if any(len(part) > 1 for part in (tens, ones)) or not set(tens + ones) <= set(_HAN_DIGITS):
        return 0
    if not ten:
        return _HAN_DIGITS[tens]
    return (_HAN_DIGITS[tens] if tens else 1) * 10 + (_HAN_DIGITS[ones] if ones else 0)


# What a customer wants least, last.
STRICTNESS = (DoNotContact.NONE, DoNotContact.MARKETING, DoNotContact.ALL_BUT_SAFETY)


def is_stricter(level: str, than: str) -> bool:
    """Tell whether a wish not to be contacted goes further than another one (domain §3.6, 1)."""
    return STRICTNESS.index(DoNotContact(level)) > STRICTNESS.index(DoNotContact(than))


def relation_tier(communication: int | None, network: int | None, referral_willingness: int | None) -> Tier:
    """Return the tier of the relation (domain §2.5): sum 8 or more and none of them low is VIP, 5 to 7 quality.

    Not fully rated customers are ordinary ones.
    """
    if communication is None or network is None or referral_willingness is None:
        return Tier.ORDINARY
    scores = (communication, network, referral_willingness)
    if sum(scores) >= 8 and min(scores) > Criterion.LOW:
        return Tier.VIP
    return Tier.QUALITY if sum(scores) >= 5 else Tier.ORDINARY


# Surnames of two characters that are still borne; a name of two characters in all has a surname of one.
COMPOUND_SURNAMES = frozenset(
    {
        "欧阳", "司马", "上官", "诸葛", "夏侯", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "司徒",
        "司空", "轩辕", "端木", "独孤", "南宫", "西门", "宇文", "长孙", "澹台", "公冶", "濮阳", "淳于",
        "单于", "太史", "申屠", "钟离", "闻人", "百里", "呼延", "东郭", "南门", "赫连", "拓跋", "完颜",
        "纳兰", "万俟", "鲜于", "闾丘", "亓官", "司寇", "仲孙", "第五",
    }
)  # fmt: skip
# Surnames that are read otherwise than the same character in a word.
SURNAME_READINGS = {
    "单": "Shan", "区": "Ou", "仇": "Qiu", "解": "Xie", "查": "Zha", "曾": "Zeng", "任": "Ren", "朴": "Piao",
    "盖": "Ge", "翟": "Zhai", "繁": "Po", "折": "She", "员": "Yun", "黑": "He", "重": "Chong", "乐": "Yue",
    "种": "Chong", "缪": "Miao", "尉迟": "Yuchi", "万俟": "Moqi", "单于": "Chanyu", "澹台": "Tantai",
    "长孙": "Zhangsun", "吕": "Lyu",
}  # fmt: skip
CHINESE = re.compile(r"[\u3400-\u9fff]+")
DORMANT_MONTHS = 6
LOST_MONTHS = 12
FIRST_SERVICE_GRACE = timedelta(days=60)


def family_name(name: str) -> str:
    """Return the surname: 欧阳 of 欧阳修, 王 of 王小明, Smith of John Smith; other names (古丽·买买提) stay whole."""
    name = name.strip()
    if CHINESE.fullmatch(name):
        return name[:2] if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else name[:1]
    if name.isascii() and name:
        return name.split()[-1]
    return name


def form_of_address(name: str, *, salutation: str, kind: str, in_english: bool) -> str:
    """Return how a customer is spoken to: 王先生, Ms Ouyang; the name alone where the title is not known.

    An organisation is spoken of by its name. In English a Chinese surname is written in pinyin.
    """
    if kind == CustomerKind.ORGANISATION or salutation not in (Salutation.MR, Salutation.MS):
        return name
    surname = family_name(name)
    if not in_english:
        return surname + {Salutation.MR: "先生", Salutation.MS: "女士"}[Salutation(salutation)]
    if CHINESE.fullmatch(surname):
        surname = SURNAME_READINGS.get(surname) or "".join(lazy_pinyin(surname)).capitalize()
    return {Salutation.MR: "Mr ", Salutation.MS: "Ms "}[Salutation(salutation)] + surname


def lifecycle_stage(
    *,
    on: date,
    last_delivery_on: date | None,
    last_visit_on: date | None,
    last_effective_contact_on: date | None,
    first_service_due_on: date | None,
) -> Lifecycle:
    """Return the stage of a customer on a day (domain §2.4).

    Dormant means neither a visit nor an effective contact for 6 months (at risk) or 12 (lost), and never before a first
    service that is still to come is 60 days overdue; ``first_service_due_on`` is None when no first service is open.
    """
    facts = [day for day in (last_delivery_on, last_visit_on, last_effective_contact_on) if day is not None]
    if not facts:
        return Lifecycle.PROSPECT
    waits_for_first_service = first_service_due_on is not None and on <= first_service_due_on + FIRST_SERVICE_GRACE
    if not waits_for_first_service:
        silent_since = max(facts)
        if on >= add_months(silent_since, LOST_MONTHS):
            return Lifecycle.LOST
        if on >= add_months(silent_since, DORMANT_MONTHS):
            return Lifecycle.AT_RISK
    if last_delivery_on is None:
        return Lifecycle.EXISTING if last_visit_on else Lifecycle.PROSPECT
    return Lifecycle.NEW if on <= add_months(last_delivery_on, 12) else Lifecycle.EXISTING
