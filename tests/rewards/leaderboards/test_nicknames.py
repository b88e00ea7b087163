"""Which nicknames can be had, and which are the same."""

import pytest

from rewards.leaderboards.nicknames import NicknameRefused, Word, cleaned, key_of

WORDS = [Word("admin", True), Word("paska", False), Word("ylläpito", True), Word("fuck", True)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Kahvi-Kalle", "Kahvi-Kalle"),
        ("  Päivi  ", "Päivi"),
        ("Åsa 72", "Åsa 72"),
        ("O'Hara", "O'Hara"),
        ("Ｍａｔｔｉ", "Matti"),  # full width letters are the same letters
        ("Анна", "Анна"),
        ("Paskala", "Paskala"),  # the word is forbidden only on its own
        ("まさこ", "まさこ"),
    ],
)
def test_ordinary_names_are_kept(text: str, kept: str) -> None:
    assert cleaned(text, words=WORDS) == kept


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ab", "length"),
        ("", "length"),
        ("a" * 21, "length"),
        ("12 34", "no-letters"),
        ("...", "no-letters"),
        ("Aino\u200bV", "characters"),  # a space of no width
        ("Aino\u202eV", "characters"),  # writes the rest backwards
        ("Aino\u00adV", "characters"),  # a soft hyphen
        ("Aino\x00V", "characters"),
        ("Aino\nV", "characters"),
        ("Aino\ufe0f", "characters"),
        ("Ai  no", "characters"),
        ("-Aino", "characters"),
        ("aino@example", "characters"),
        ("<b>Aino", "characters"),
        ("Aino☕", "characters"),
        ("A\u0335ino\u0336", "characters"),  # struck through
        ("Aino٣٤", "characters"),  # figures of another alphabet
        ("Аino", "mixed-scripts"),  # the first letter is Cyrillic
        ("Aino 0401234567", "digits"),
        ("Aino 040-123-456", "digits"),
        ("Admin", "forbidden"),
        ("The Admins", "forbidden"),
        ("4dm1n", "forbidden"),
        ("A.d.m.i.n", "forbidden"),
        ("Áàdmin", "forbidden"),
        ("Yllapito", "forbidden"),
        ("paska", "forbidden"),
        ("P4ska", "forbidden"),
        ("Iso Paska", "forbidden"),
        ("IsoPaska", "forbidden"),
        ("fuuuuck you", "forbidden"),
    ],
)
def test_others_are_refused_and_say_why(text: str, code: str) -> None:
    with pytest.raises(NicknameRefused) as refused:
        cleaned(text, words=WORDS)
    assert refused.value.code == code
    assert str(refused.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Matti V.", "mattiv", True),
        ("ÄIJÄ", "äijä", True),
        ("Straße", "STRASSE", True),
        ("Kahvi-Kalle", "Kahvi Kalle", True),
        ("Paivi", "Päivi", False),
        ("Kalle1", "Kalle2", False),
    ],
)
def test_two_are_the_same_whatever_their_case_and_spaces(one: str, other: str, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same
