"""Codes: what people mistype is found, however they spell it they are read, and nobody guesses them."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rewards.vouchers import codes

ALL = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
prefixes = st.text(ALL, max_size=6)
made = prefixes.map(codes.new_code)


@given(made)
def test_a_new_code_is_well_formed_and_readable(code: str) -> None:
    assert codes.is_well_formed(code)
    assert set(code[-codes.RANDOM :]) <= set(codes.ALPHABET)
    assert codes.canonical(code) == code


@given(made, st.data())
def test_every_wrong_character_is_found(code: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(code) - 1))
    for letter in set(ALL) - {code[place]}:
        assert not codes.is_well_formed(code[:place] + letter + code[place + 1 :])


@given(made)
def test_every_swap_of_neighbours_is_found(code: str) -> None:
    for place in range(len(code) - 1):
        first, second = code[place : place + 2]
        if first != second:
            assert not codes.is_well_formed(code[:place] + second + first + code[place + 2 :])


@given(made, st.data())
def test_swaps_further_apart_are_found_too(code: str, data: st.DataObject) -> None:
    one, other = sorted(
        data.draw(st.lists(st.integers(0, len(code) - 1), min_size=2, max_size=2, unique=True))
    )
    assume(code[one] != code[other])
    swapped = code[:one] + code[other] + code[one + 1 : other] + code[one] + code[other + 1 :]
    assert not codes.is_well_formed(swapped)


@given(made, st.data())
def test_any_spelling_of_a_code_is_the_same_code(code: str, data: st.DataObject) -> None:
    between = st.sampled_from(["", " ", "-", "  ", "\u00a0", "\u2013", ".", "_", "\t", "\u00ad"])
    spelt = "".join(
        data.draw(between) + (letter.lower() if data.draw(st.booleans()) else letter) for letter in code
    )
    assert codes.canonical(spelt) == code
    assert codes.canonical(codes.grouped(code).lower()) == code


def test_full_width_letters_are_read_as_plain_ones() -> None:
    assert codes.canonical("\uff2b\uff21\uff28\uff36\uff29-\uff12\uff13") == "KAHVI23"


@pytest.mark.parametrize(
    "text", ["", " - ", "KAHVI!", "ÄÄNI", "A" * 41, "A" + " " * 200, "1\x00", "\ud800", "ª" * 3 + "+"]
)
def test_what_cannot_be_a_code_is_none(text: str) -> None:
    assert codes.canonical(text) == ""


def test_the_known_example_of_the_norm_is_well_formed() -> None:
    # ISBT 128 donation numbers use ISO/IEC 7064 MOD 37-2; its technical note gives G123498654321 with check H.
    assert codes.is_well_formed("G123498654321H")
    assert not codes.is_well_formed("G123498654321G")


def test_codes_are_grouped_for_the_eye() -> None:
    assert codes.grouped("KAHVI7K3D9XMP4RWC") == "KAHVI-7K3D-9XMP-4RWC"
    assert codes.grouped("7K3D9XMP4RWC") == "7K3D-9XMP-4RWC"
    assert codes.grouped("KESA2026") == "KESA-2026"
    assert codes.grouped("ABCDEFGHJKLMNPQRSTUV") == "ABCD-EFGH-JKLM-NPQR-STUV"


def test_a_thousand_codes_are_a_thousand_different_ones_in_every_character() -> None:
    drawn = [codes.new_code() for _number in range(1000)]
    assert len(set(drawn)) == 1000
    for place in range(codes.RANDOM):
        assert len({code[place] for code in drawn}) > 15


def test_the_alphabet_has_one_of_each_set_of_look_alikes_at_most() -> None:
    for alike in ("0OQD", "1IL", "A4", "B8", "E3", "G6", "S5", "UV", "Z2"):
        assert len(set(alike) & set(codes.ALPHABET)) <= 1, alike
    assert not set("AEIOU") & set(codes.ALPHABET)


def test_a_prefix_of_other_signs_is_refused() -> None:
    for prefix in ("TOOLONGX", "ÄÖ", "A-B"):
        with pytest.raises(ValueError, match="six letters"):
            codes.new_code(prefix)
