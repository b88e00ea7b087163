"""What a refund gives back of a purchase, and what is left of the purchase after it. Pure: no database, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext as _

from members.activities import LineFacts, NewActivity

_CENT = Decimal("0.01")
_NOTHING = Decimal(0)


class RefundRefused(Exception):
    """The refund cannot be made; ``field`` is what to mend, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Returned:
    """So much of a SKU comes back; ``quantity`` None means all that is left of it."""

    sku: str
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be refunded: everything left, an amount of money, or lines. Exactly one of the three."""

    everything: bool = False
    amount: Decimal | None = None
    lines: tuple[Returned, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What is left, or comes back, of one line of the purchase (by its row id)."""

    line_id: int
    quantity: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Left:
    """What earlier refunds have left of a purchase: ``total`` in money, and each of its lines."""

    total: Decimal
    lines: tuple[tuple[Part, LineFacts], ...]


@dataclass(frozen=True, slots=True)
class Return:
    """What one refund gives back: money, and the lines when it names any."""

    amount: Decimal
    parts: tuple[Part, ...] = ()


def what_comes_back(left: Left, order: Order) -> Return:
    """Read an order against what is left. Raises RefundRefused naming the field when it asks for more."""
    if order.everything:
        return Return(left.total, tuple(part for part, _facts in left.lines if part.quantity or part.total))
    if order.amount is not None:
        if not _NOTHING < order.amount <= left.total:
            raise RefundRefused(
                "amount",
                _("Give an amount above 0 and up to %(left)s, which is what is left of the purchase.")
                % {"left": f"{left.total:.2f}"},
            )
        return Return(order.amount)
    parts = _merged(part for number, wanted in enumerate(order.lines) for part in _take(left, wanted, number))
    amount = sum((part.total for part in parts), _NOTHING)
    if amount > left.total:
        raise RefundRefused(
            "lines",
            _(
                "The lines come to %(lines)s, but only %(left)s is left of the purchase. Refund an amount instead."
            )
            % {"lines": f"{amount:.2f}", "left": f"{left.total:.2f}"},
        )
    return Return(amount, parts)


def _take(left: Left, wanted: Returned, number: int) -> list[Part]:
    """Take a quantity of one SKU from the purchase's lines of it, first line first."""
    lines = [part for part, facts in left.lines if facts.sku == wanted.sku]
    if not lines:
        raise RefundRefused(
            f"lines[{number}].sku", _("The purchase has no line with SKU “%(sku)s”.") % {"sku": wanted.sku}
        )
    available = sum((part.quantity for part in lines), _NOTHING)
    if wanted.quantity is None:
        return lines
    if wanted.quantity > available:
        raise RefundRefused(
            f"lines[{number}].quantity",
            _("Only %(left)s of SKU “%(sku)s” is left to return.")
            % {"left": f"{available.normalize():f}", "sku": wanted.sku},
        )
    taken, missing = [], wanted.quantity
    for part in lines:
        quantity = min(part.quantity, missing)
        if quantity:
            taken.append(Part(part.line_id, quantity, _share(part, quantity)))
            missing -= quantity
    return taken


def _share(part: Part, quantity: Decimal) -> Decimal:
    """The money of a part of a line; the whole line's when it all comes back, so that nothing is lost in rounding."""
    if quantity == part.quantity:
        return part.total
    return (part.total * quantity / part.quantity).quantize(_CENT, ROUND_HALF_UP)


def _merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Each line once; a SKU named twice in one refund must not be returned twice over."""
    found: dict[int, Part] = {}
    for part in parts:
        if part.line_id in found:
            raise RefundRefused("lines", _("Name each SKU once."))
        found[part.line_id] = part
    return tuple(found.values())


def after(left: Left, back: Return) -> Left:
    """What is left once a return is made."""
    gone: Mapping[int, Part] = {part.line_id: part for part in back.parts}
    none = Part(0, _NOTHING, _NOTHING)
    lines = tuple(
        (
            replace(
                part,
                quantity=part.quantity - gone.get(part.line_id, none).quantity,
                total=part.total - gone.get(part.line_id, none).total,
            ),
            facts,
        )
        for part, facts in left.lines
    )
    return Left(left.total - back.amount, lines)


def is_empty(left: Left) -> bool:
    """Whether nothing of the purchase is left."""
    return not left.total and not any(part.quantity or part.total for part, _facts in left.lines)


def as_purchase(original: NewActivity, left: Left) -> NewActivity:
    """The purchase as if only what is left had been bought.

    Money refunded without naming lines is taken off all lines alike, so that rules about lines see their share of it.
    """
    kept = [(part, facts) for part, facts in left.lines if part.quantity or part.total]
    of_lines = sum((part.total for part, _facts in kept), _NOTHING)
    factor = left.total / of_lines if of_lines else Decimal(1)
    lines = tuple(
        replace(facts, quantity=part.quantity, total=(part.total * factor).quantize(_CENT, ROUND_HALF_UP))
        for part, facts in kept
    )
    return replace(original, total=left.total, lines=lines)


def left_after(original: NewActivity, line_ids: Sequence[int], returns: Iterable[Return]) -> Left:
    """What a row of returns leaves of a purchase whose lines have these row ids, in order."""
    lines = tuple(
        (Part(line_id, facts.quantity, facts.total), facts)
        for line_id, facts in zip(line_ids, original.lines, strict=True)
    )
    left = Left(original.total, lines)
    for back in returns:
        left = after(left, back)
    return left
