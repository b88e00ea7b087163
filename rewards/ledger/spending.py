"""Points that leave: spending by the order of expiry, and expiry itself."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from rewards.ledger.books import Books, live_lots, lock, write
from rewards.ledger.entries import AVAILABLE, InsufficientPoints, Kind, LiveLot, NewTransfer, Why
from rewards.models.ledger import AccountKind


def spend(
    *,
    member_id: int,
    wallet_id: int,
    points: int,
    kind: str,
    to_kind: AccountKind,
    why: Why,
    at: dt.datetime,
    books: Books | None = None,
) -> int:
    """Move available points to a programme account, lots first to expire first; returns the transfer's id.

    Lots past their expiry are expired on the way, so they can never be spent however late the nightly job is.
    Raises InsufficientPoints; the lock makes parallel spenders wait and see each other's effect. ``books`` are the
    member's, where the caller has locked them in its transaction already.
    """
    if books is None:
        with transaction.atomic():
            books = lock([member_id], [wallet_id])
            return spend(
                member_id=member_id, wallet_id=wallet_id, points=points, kind=kind, to_kind=to_kind,
                why=why, at=at, books=books,
            )  # fmt: skip
    lots = expire(books, member_id, wallet_id, at=at)
    balance = books.balance(member_id, wallet_id)
    if points > balance.spendable:
        raise InsufficientPoints(asked=points, spendable=balance.spendable)
    account = books.account(member_id, wallet_id, AVAILABLE)
    taken, _short = take(lots, points)
    to = books.programme[wallet_id, to_kind]
    books.plan(NewTransfer(kind, member_id, account, to, points, at, why=why, takes=taken))
    return write(books, at=at)[-1]


def take(lots: Iterable[LiveLot], points: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Which lots give how many of ``points``, in the order given; and how many they fall short."""
    taken = []
    for lot in lots:
        if points <= 0:
            break
        if part := min(lot.remaining, points):
            taken.append((lot.id, part))
            points -= part
    return tuple(taken), points


def expire(books: Books, member_id: int, wallet_id: int, *, at: dt.datetime) -> list[LiveLot]:
    """Plan the expiry of the member's due available lots; gives the lots that stay live, in order of consumption."""
    lots = live_lots([books.account(member_id, wallet_id, AVAILABLE)])
    for lot in lots:
        if lot.expires_at is not None and lot.expires_at <= at:
            plan_expiry(books, lot, member_id, wallet_id, points=lot.remaining, expired_at=lot.expires_at)
    return [lot for lot in lots if lot.expires_at is None or lot.expires_at > at]


def plan_expiry(
    books: Books, lot: LiveLot, member_id: int, wallet_id: int, *, points: int, expired_at: dt.datetime
) -> None:
    """Plan that points of a lot expire, at the lot's own time."""
    expired = books.programme[wallet_id, AccountKind.EXPIRED]
    books.plan(
        NewTransfer(
            Kind.EXPIRE,
            member_id,
            lot.account_id,
            expired,
            points,
            expired_at,
            takes=((lot.id, points),),
        )
    )


@dataclass(frozen=True, slots=True)
class Expired:
    """Points of one member that expired in one step of the job."""

    member_id: int
    points: int


_DUE_FOR_EXPIRY = """
SELECT a.member_id, a.wallet_id FROM rewards_lot l JOIN rewards_account a ON a.id = l.account_id
WHERE l.remaining > 0 AND l.expires_at <= %(at)s AND a.kind = 'available'
  AND (%(members)s::bigint[] IS NULL OR a.member_id = ANY(%(members)s)) ORDER BY l.expires_at LIMIT %(limit)s
"""


def expire_due(*, at: dt.datetime, limit: int = 1000, members: Sequence[int] | None = None) -> list[Expired]:
    """Expire the lots that are due at ``at``, of the members of up to ``limit`` such lots, in one transaction.

    With ``members``, only theirs.

    Run again until it gives nothing. What is due is read again under the lock, so two runs at once expire a lot once.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            asked: dict[str, Any] = {
                "at": at,
                "limit": limit,
                "members": None if members is None else list(members),
            }
            cursor.execute(_DUE_FOR_EXPIRY, asked)
            owners = sorted(set(cursor.fetchall()))
        if not owners:
            return []
        books = lock(
            {member_id for member_id, _wallet in owners}, {wallet_id for _member, wallet_id in owners}
        )
        of_account = {books.account(member, wallet, AVAILABLE): (member, wallet) for member, wallet in owners}
        for lot in live_lots(list(of_account)):
            if lot.expires_at is not None and lot.expires_at <= at:
                owner = of_account[lot.account_id]
                plan_expiry(books, lot, *owner, points=lot.remaining, expired_at=lot.expires_at)
        totals: dict[int, int] = defaultdict(int)
        for planned in books.planned:
            totals[planned.member_id] += planned.points
        write(books, at=at)
        return [Expired(member_id, points) for member_id, points in sorted(totals.items())]
