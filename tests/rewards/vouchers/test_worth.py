"""What a voucher takes off: an amount, a share with a cap, a product for nothing; and why it takes off nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.vouchers import refusals
from rewards.vouchers.worth import Line, Purchase, Terms, taken_off

COFFEE = Line("coffee", "Hot drinks", "Café", Decimal(2), Decimal("7.00"))
BUN = Line("bun", "Bakery", "Café", Decimal(1), Decimal("2.50"))
HAM = Line("ham", "Meat", "Food", Decimal("0.355"), Decimal("6.75"))
BASKET = Purchase(Decimal("16.25"), (COFFEE, BUN, HAM))


def amount(value: str, **facts: object) -> Terms:
    return Terms("amount", Decimal(value), **facts)  # type: ignore[arg-type]


def percent(value: str, **facts: object) -> Terms:
    return Terms("percent", Decimal(value), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "takes_off"),
    [
        (amount("5.00"), "5.00"),
        (amount("20.00"), "16.25"),
        (amount("20.00", categories=frozenset({"Bakery"})), "2.50"),
        (amount("5.00", minimum_purchase=Decimal("16.25")), "5.00"),
        (percent("10"), "1.63"),  # 1.625, half a cent up
        (percent("10", percent_cap=Decimal("1.00")), "1.00"),
        (percent("50", departments=frozenset({"Café"})), "4.75"),
        (percent("100"), "16.25"),
        (Terms("product", Decimal(0), skus=frozenset({"coffee"})), "3.50"),
        (Terms("product", Decimal("3.00"), skus=frozenset({"coffee"})), "3.00"),
        (Terms("product", Decimal(0), skus=frozenset({"bun", "coffee"})), "3.50"),  # the dearest piece
        (Terms("product", Decimal(0), skus=frozenset({"ham"})), "6.75"),  # sold by weight
    ],
)
def test_a_voucher_takes_off(terms: Terms, takes_off: str) -> None:
    assert taken_off(terms, BASKET) == Decimal(takes_off)


@pytest.mark.parametrize(
    ("terms", "purchase", "why"),
    [
        (amount("5.00"), None, refusals.PurchaseNeeded),
        (amount("5.00", minimum_purchase=Decimal("16.26")), BASKET, refusals.PurchaseTooSmall),
        (amount("5.00", skus=frozenset({"tea"})), BASKET, refusals.WrongProducts),
        (amount("5.00", skus=frozenset({"coffee"})), Purchase(Decimal(16)), refusals.WrongProducts),
        (Terms("product", Decimal(0), skus=frozenset({"tea"})), BASKET, refusals.WrongProducts),
        (percent("10"), Purchase(Decimal(0)), refusals.NothingToTakeOff),
        (percent("1"), Purchase(Decimal("0.01")), refusals.NothingToTakeOff),
    ],
)
def test_a_voucher_says_why_not(terms: Terms, purchase: Purchase | None, why: type[refusals.Refusal]) -> None:
    with pytest.raises(why):
        taken_off(terms, purchase)


def test_a_part_is_as_much_as_was_asked_for() -> None:
    card = amount("50.00", in_parts=True)
    assert taken_off(card, BASKET, wanted=Decimal("3.20")) == Decimal("3.20")
    assert taken_off(card, None, wanted=Decimal("50.00")) == Decimal("50.00")
    with pytest.raises(refusals.AmountTooHigh) as refused:
        taken_off(card, BASKET, wanted=Decimal("16.26"))
    assert refused.value.extra == {"at_most": "16.25"}
    with pytest.raises(refusals.NotInParts):
        taken_off(amount("5.00"), BASKET, wanted=Decimal("1.00"))


money = st.decimals("0.01", "9999.99", places=2)


@given(money, money, st.sampled_from(["amount", "percent"]))
def test_never_more_than_the_purchase_nor_finer_than_a_cent(
    total: Decimal, value: Decimal, kind: str
) -> None:
    terms = Terms(kind, min(value, Decimal(100)) if kind == "percent" else value)
    try:
        off = taken_off(terms, Purchase(total))
    except refusals.NothingToTakeOff:
        assert kind == "percent"
        return
    assert Decimal(0) < off <= total
    assert off == off.quantize(Decimal("0.01"))
