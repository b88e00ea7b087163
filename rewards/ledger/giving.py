"""Points that go from one member to another: out of the giver's lots through ``moved`` into lots of the same expiry."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from rewards.ledger.books import Books, lock, write
from rewards.ledger.entries import (
    AVAILABLE,
    DEBT,
    InsufficientPoints,
    Kind,
    LiveLot,
    NewLot,
    NewTransfer,
    Why,
)
from rewards.ledger.spending import expire, take
from rewards.models.ledger import AccountKind


@dataclass(frozen=True, slots=True)
class Movement:
    """Points to go from one member's available points to another's, in one wallet."""

    from_member_id: int
    to_member_id: int
    wallet_id: int
    points: int
    why: Why


def move(order: Movement, *, at: dt.datetime) -> list[int]:
    """Move the giver's points that expire first; the receiver's lots keep their expiry, earning day and policy.

    The giver's side is one transfer, the receiver's one for each expiry; a receiver's debt is repaid first. Raises
    InsufficientPoints. Both members' accounts are locked in primary-key order, so opposite gifts wait for each other.
    """
    with transaction.atomic():
        books = lock([order.from_member_id, order.to_member_id], [order.wallet_id])
        lots = expire(books, order.from_member_id, order.wallet_id, at=at)
        balance = books.balance(order.from_member_id, order.wallet_id)
        if order.points > balance.spendable:
            raise InsufficientPoints(asked=order.points, spendable=balance.spendable)
        taken, _short = take(lots, order.points)
        giver = books.account(order.from_member_id, order.wallet_id, AVAILABLE)
        passage = books.programme[order.wallet_id, AccountKind.MOVED]
        books.plan(
            NewTransfer(
                Kind.GIFT, order.from_member_id, giver, passage, order.points, at, why=order.why, takes=taken
            )
        )
        _plan_receipt(books, order, taken, {lot.id: lot for lot in lots}, at=at)
        return write(books, at=at)


def _plan_receipt(
    books: Books,
    order: Movement,
    taken: Sequence[tuple[int, int]],
    lots: Mapping[int, LiveLot],
    *,
    at: dt.datetime,
) -> None:
    """Plan what the receiver gets: a debt repaid with what expires first, then a lot for each kind of lot taken."""
    passage = books.programme[order.wallet_id, AccountKind.MOVED]
    owed = books.balance(order.to_member_id, order.wallet_id).debt
    groups: dict[NewLot, int] = defaultdict(int)
    repaid = 0
    for lot_id, part in taken:
        used = min(part, owed - repaid)
        repaid += used
        if part - used:
            groups[_like(lots[lot_id])] += part - used
    parts: list[tuple[AccountKind, int, NewLot | None]] = [(DEBT, repaid, None)] if repaid else []
    parts += [(AVAILABLE, points, lot) for lot, points in groups.items()]
    for kind, points, opens in parts:
        account = books.account(order.to_member_id, order.wallet_id, kind)
        books.plan(
            NewTransfer(
                Kind.GIFT, order.to_member_id, passage, account, points, at, why=order.why, opens=opens
            )
        )


def _like(lot: LiveLot) -> NewLot:
    """A lot with the terms of another; for its new owner, its present expiry is the one it was granted with."""
    return NewLot(lot.earned_at, lot.expires_at, expiry_policy_id=lot.expiry_policy_id)
