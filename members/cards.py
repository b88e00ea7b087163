"""Card numbers: 16 digits that nobody can guess, the last one a check digit (Luhn). For enrolment and look-up."""

import secrets

LENGTH = 16
_FIRST = "9"  # no payment card begins with 9, so scanners for those leave ours alone, and no zero is lost in a sheet
_RANDOM_DIGITS = LENGTH - len(_FIRST) - 1


def _check_digit(body: str) -> str:
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(body)))
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def new_card_number() -> str:
    """A fresh number out of 10^14. Two may meet by chance: the unique constraint tells, and enrolment draws again."""
    body = _FIRST + f"{secrets.randbelow(10**_RANDOM_DIGITS):0{_RANDOM_DIGITS}d}"
    return body + _check_digit(body)


def is_valid_card_number(number: str) -> bool:
    """Whether these are 16 ASCII digits with the right check digit (a mistyped digit or two swapped ones are not)."""
    digits = number.isascii() and number.isdigit() and len(number) == LENGTH
    return digits and _check_digit(number[:-1]) == number[-1]


def plain(number: str) -> str:
    """The number as it is stored, without the blanks and hyphens that people type."""
    return number.replace(" ", "").replace("-", "").replace("\N{NO-BREAK SPACE}", "")


def grouped(number: str) -> str:
    """The number in groups of four, as it is printed: ``9123 4567 8901 2345``."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))
