import pytest

from members.contacts import InvalidPhone, normal_email, normal_phone


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("040 123 4567", "+358401234567"),
        ("+358 40 1234567", "+358401234567"),
        ("00358401234567", "+358401234567"),
        ("+46 70-174 06 05", "+46701740605"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_phones_are_kept_in_one_spelling(typed: str, kept: str) -> None:
    assert normal_phone(typed) == kept


@pytest.mark.parametrize("typed", ["12", "phone", "+999123", "040 123 4567 8901 2345 6789"])
def test_impossible_phones_are_refused(typed: str) -> None:
    with pytest.raises(InvalidPhone):
        normal_phone(typed)


def test_addresses_are_kept_in_lower_case() -> None:
    assert normal_email(" Aino@Example.COM ") == "aino@example.com"
