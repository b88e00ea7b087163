"""What a voucher takes off a purchase: pure arithmetic on money, exact to the cent. No database here."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from rewards.models import Voucher, VoucherFamily
from rewards.vouchers.refusals import (
    AmountTooHigh,
    NothingToTakeOff,
    NotInParts,
    PurchaseNeeded,
    PurchaseTooSmall,
    WrongProducts,
)

CENT = Decimal("0.01")
NOTHING = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the purchase; ``total`` is what it costs in the base currency, for ``quantity`` pieces or kilograms."""

    sku: str = ""
    category: str = ""
    department: str = ""
    quantity: Decimal = Decimal(1)
    total: Decimal = NOTHING

    @property
    def price(self) -> Decimal:
        """Of one piece; of what is sold by weight, below one kilogram, the line as a whole."""
        return rounded(self.total / self.quantity) if self.quantity > 1 else self.total


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is being bought; lines only where the till sends them."""

    total: Decimal
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a voucher is worth and for what. ``most``: the money that is left on it, for an amount."""

    kind: str
    most: Decimal
    percent_cap: Decimal | None = None
    minimum_purchase: Decimal = NOTHING
    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    in_parts: bool = False

    @property
    def is_for_products(self) -> bool:
        return bool(self.skus or self.categories or self.departments)

    def covers(self, line: Line) -> bool:
        return (
            not self.is_for_products
            or line.sku in self.skus
            or line.category in self.categories
            or line.department in self.departments
        )


def terms_of(voucher: Voucher) -> Terms:
    """The terms of a voucher; its family must be loaded."""
    family = voucher.family
    return Terms(
        kind=family.kind,
        most=voucher.remaining,
        percent_cap=family.at_most,
        minimum_purchase=family.minimum_purchase,
        skus=frozenset(family.skus),
        categories=frozenset(family.categories),
        departments=frozenset(family.departments),
        in_parts=family.in_parts,
    )


def taken_off(terms: Terms, purchase: Purchase | None, *, wanted: Decimal | None = None) -> Decimal:
    """The money that the voucher takes off the purchase, more than 0; ``wanted``: only so much of it.

    Raises PurchaseNeeded, PurchaseTooSmall, WrongProducts, NothingToTakeOff, NotInParts or AmountTooHigh. Without a
    purchase only a plain amount in parts can be told, and only by ``wanted``.
    """
    if wanted is not None and not terms.in_parts:
        raise NotInParts
    most = terms.most if _is_plain_part(terms, purchase, wanted) else _full(terms, purchase)
    if wanted is None:
        return most
    if wanted > most:
        raise AmountTooHigh(most)
    return wanted


def rounded(amount: Decimal) -> Decimal:
    """To the cent, half a cent up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def _is_plain_part(terms: Terms, purchase: Purchase | None, wanted: Decimal | None) -> bool:
    return (
        purchase is None and wanted is not None and not terms.is_for_products and not terms.minimum_purchase
    )


def _full(terms: Terms, purchase: Purchase | None) -> Decimal:
    if purchase is None:
        raise PurchaseNeeded
    if purchase.total < terms.minimum_purchase:
        raise PurchaseTooSmall(terms.minimum_purchase)
    is_product = terms.kind == VoucherFamily.Kind.PRODUCT
    covered = [line for line in purchase.lines if terms.covers(line) and line.quantity > 0]
    if (is_product or terms.is_for_products) and not covered:
        raise WrongProducts
    of_covered = sum((line.total for line in covered), NOTHING) if terms.is_for_products else purchase.total
    base = min(of_covered, purchase.total)
    if is_product:
        dearest = max(line.price for line in covered)
        amount = min(dearest, terms.most) if terms.most else dearest
    elif terms.kind == VoucherFamily.Kind.PERCENT:
        amount = rounded(base * terms.most / 100)
        amount = min(amount, terms.percent_cap) if terms.percent_cap is not None else amount
    else:
        amount = terms.most
    if (given := min(amount, base)) <= 0:
        raise NothingToTakeOff
    return given
