"""How many text messages a text takes: networks cut it into segments, of 7-bit characters where all of them are."""

import math
from dataclasses import dataclass

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWICE = frozenset("\f^{}\\[~]|€")
_GSM_ONE, _GSM_MORE, _UCS2_ONE, _UCS2_MORE = 160, 153, 70, 67


@dataclass(frozen=True, slots=True)
class Segments:
    """``units`` is what the network counts: 7-bit characters (some take two), or 16-bit ones when ``is_unicode``."""

    count: int
    units: int
    is_unicode: bool


def segments(text: str) -> Segments:
    """What sending ``text`` takes; an empty one nothing."""
    if all(char in _GSM or char in _TWICE for char in text):
        units = sum(2 if char in _TWICE else 1 for char in text)
        return Segments(_count(units, _GSM_ONE, _GSM_MORE), units, is_unicode=False)
    units = len(text.encode("utf-16-le", errors="replace")) // 2
    return Segments(_count(units, _UCS2_ONE, _UCS2_MORE), units, is_unicode=True)


def _count(units: int, one: int, more: int) -> int:
    return math.ceil(units / one) if units <= one else math.ceil(units / more)
