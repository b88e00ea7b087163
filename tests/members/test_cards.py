import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.cards import grouped, is_valid_card_number, new_card_number, plain


def test_new_numbers_are_sixteen_digits_that_pass_the_check() -> None:
    numbers = [new_card_number() for _ in range(1000)]
    assert all(len(number) == 16 and number.isdigit() and is_valid_card_number(number) for number in numbers)
    assert len(set(numbers)) == 1000


@pytest.mark.parametrize("number", ["4111111111111111", "9000000000000000"[:-1] + "1", "5500005555555559"])
def test_known_luhn_numbers(number: str) -> None:
    assert is_valid_card_number(number)


@given(st.integers(0, 15), st.integers(1, 9))
def test_one_mistyped_digit_is_noticed(place: int, shift: int) -> None:
    number = new_card_number()
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not is_valid_card_number(wrong)


@pytest.mark.parametrize(
    "number", ["", "1", "411111111111111", "41111111111111111", "4111 1111 1111 1111", "٤١١١" * 4]
)
def test_anything_else_is_no_card_number(number: str) -> None:
    assert not is_valid_card_number(number)


def test_grouped_and_plain_are_inverse() -> None:
    assert grouped("4111111111111111") == "4111 1111 1111 1111"
    assert plain("4111 1111-1111\xa01111") == "4111111111111111"
