"""Rules about people: what a valid number is, how it is masked, how a name is found (domain §1.1)."""

import re
import unicodedata
from dataclasses import dataclass

from pypinyin import Style, lazy_pinyin

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
