"""What a nickname may be, and when two are the same. Pure, but for the list of words that staff keep.

Called by ``membership`` for members and staff alike.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from rewards.models import ForbiddenWord

SHORTEST, LONGEST = 3, 20
MOST_DIGITS = 5
"""More in a row could be a telephone or a card number."""

_BETWEEN = " -_.'’"
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lo"})
_MARKS = frozenset({"Mn", "Mc"})
_WITHOUT_MARKS = frozenset({"LATIN", "GREEK", "CYRILLIC"})
"""Scripts whose letters with marks are letters of their own: a mark that is left over only piles up."""
_TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "HANGUL": "CJK", "BOPOMOFO": "CJK"}
_LEET = str.maketrans("013457@$", "oieastas")


class NicknameRefused(ValueError):
    """The nickname cannot be had; ``code`` is stable, the text says why and may be shown."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Word:
    """A forbidden word. Only ``anywhere`` is it found inside other words as well."""

    text: str
    anywhere: bool


def cleaned(text: str, *, words: Iterable[Word]) -> str:
    """The nickname as it is kept and shown. Raises NicknameRefused."""
    nickname = " ".join(unicodedata.normalize("NFKC", text).split(" ")).strip()
    _refuse_by_letters(nickname)
    if _is_forbidden(nickname, words):
        raise NicknameRefused("forbidden", _("This nickname is not allowed. Choose another one."))
    return nickname


def key_of(nickname: str) -> str:
    """By what two nicknames are the same: “Matti V.” and “mattiv” are."""
    return "".join(letter for letter in nickname.casefold() if letter not in _BETWEEN)


def known_words() -> list[Word]:
    """The words that staff forbid."""
    return [Word(text, anywhere) for text, anywhere in ForbiddenWord.objects.values_list("word", "anywhere")]


def _refuse_by_letters(nickname: str) -> None:
    if not SHORTEST <= len(nickname) <= LONGEST:
        text = _("A nickname has from %(least)s to %(most)s characters.")
        raise NicknameRefused("length", text % {"least": SHORTEST, "most": LONGEST})
    scripts = {_script(letter) for letter in nickname if unicodedata.category(letter) in _LETTERS}
    if not scripts:
        raise NicknameRefused("no-letters", _("A nickname has at least one letter."))
    if not all(_is_allowed(letter, scripts) for letter in nickname) or re.search(
        r"[ \-_.'’]{2}|^[\-_.'’]|[\-_'’]$", nickname
    ):
        text = _(
            "Letters, figures and, between them, a single space, hyphen, full stop or apostrophe are allowed."
        )
        raise NicknameRefused("characters", text)
    if len(scripts) > 1:
        raise NicknameRefused("mixed-scripts", _("All letters have to be of one alphabet."))
    if re.search(rf"[0-9]{{{MOST_DIGITS + 1}}}", key_of(nickname)):
        raise NicknameRefused("digits", _("So many figures could be a telephone or card number. Use fewer."))


def _is_allowed(letter: str, scripts: set[str]) -> bool:
    category = unicodedata.category(letter)
    if category in _MARKS:
        return not scripts & _WITHOUT_MARKS
    return category in _LETTERS or letter in "0123456789" or letter in _BETWEEN


def _script(letter: str) -> str:
    first = unicodedata.name(letter, "UNKNOWN").split()[0]
    return _TOGETHER.get(first, first)


def _is_forbidden(nickname: str, words: Iterable[Word]) -> bool:
    parts = re.split(r"[ \-_.'’]+", re.sub(r"(?<=[a-zåäö])(?=[A-ZÅÄÖ])", " ", nickname))
    whole = {_folded(part) for part in parts} | {_folded(nickname)}
    joined = _folded(nickname)
    for word in words:
        folded = _folded(word.text)
        if folded and (folded in joined if word.anywhere else folded in whole):
            return True
    return False


def _folded(text: str) -> str:
    """Letters as they are read: without case, accents, what stands between, repetitions, and figures for letters."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    ).translate(_LEET)
    return re.sub(r"(.)\1+", r"\1", "".join(letter for letter in plain if letter.isalnum()))
