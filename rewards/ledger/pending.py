"""Points that wait: they become available in time or by confirmation, or are cancelled, exactly once."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import connection, transaction

from rewards.ledger.books import Books, lock, lots_where, write
from rewards.ledger.entries import AVAILABLE, DEBT, PENDING, Kind, LiveLot, NewTransfer, Why
from rewards.models import Transfer


def _plan_maturity(books: Books, lot: LiveLot, member_id: int, wallet_id: int, *, at: dt.datetime) -> None:
    """Plan that a pending lot becomes available: it repays a debt first, the rest opens a lot of the same expiry."""
    left = lot.remaining
    if owed := books.balance(member_id, wallet_id).debt:
        repaid = min(owed, left)
        left -= repaid
        debt = books.account(member_id, wallet_id, DEBT)
        books.plan(
            NewTransfer(
                Kind.MATURE,
                member_id,
                lot.account_id,
                debt,
                repaid,
                at,
                why=_of(lot),
                takes=((lot.id, repaid),),
            )
        )
    if left:
        books.plan(
            NewTransfer(
                Kind.MATURE,
                member_id,
                lot.account_id,
                books.account(member_id, wallet_id, AVAILABLE),
                left,
                at,
                why=_of(lot),
                opens=lot.moved_on(),
                takes=((lot.id, left),),
            )
        )


def _of(lot: LiveLot) -> Why:
    return Why(source="rewards.lot", source_id=lot.id)


_DUE_FOR_MATURITY = """
SELECT a.member_id, a.wallet_id FROM rewards_lot l JOIN rewards_account a ON a.id = l.account_id
WHERE l.remaining > 0 AND l.available_at <= %(at)s AND a.kind = 'pending'
  AND (%(members)s::bigint[] IS NULL OR a.member_id = ANY(%(members)s)) ORDER BY l.available_at LIMIT %(limit)s
"""


def mature_due(*, at: dt.datetime, limit: int = 1000, members: Sequence[int] | None = None) -> int:
    """Make pending lots available whose time has come; gives the number of lots. Run again until it gives 0.

    With ``members``, only theirs.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            asked: dict[str, Any] = {
                "at": at,
                "limit": limit,
                "members": None if members is None else list(members),
            }
            cursor.execute(_DUE_FOR_MATURITY, asked)
            owners = sorted(set(cursor.fetchall()))
        if not owners:
            return 0
        books = lock(
            {member_id for member_id, _wallet in owners}, {wallet_id for _member, wallet_id in owners}
        )
        of_account = {books.account(member, wallet, PENDING): (member, wallet) for member, wallet in owners}
        due = lots_where(
            "account_id = ANY(%s) AND remaining > 0 AND available_at <= %s ORDER BY available_at, id",
            [list(of_account), at],
        )
        for lot in due:
            _plan_maturity(books, lot, *of_account[lot.account_id], at=at)
        write(books, at=at)
        return len(due)


def _pending_lots(books: Books, member_id: int, wallet_id: int, activity_id: int) -> list[LiveLot]:
    return lots_where(
        "account_id = %s AND remaining > 0 AND transfer_id IN "
        "(SELECT id FROM rewards_transfer WHERE activity_id = %s) ORDER BY id",
        [books.account(member_id, wallet_id, PENDING), activity_id],
    )


def confirm_pending(*, member_id: int, wallet_id: int, activity_id: int, at: dt.datetime) -> int:
    """Make the activity's pending points available now; gives the points moved, 0 when none were pending any more."""
    with transaction.atomic():
        books = lock([member_id], [wallet_id])
        lots = _pending_lots(books, member_id, wallet_id, activity_id)
        for lot in lots:
            _plan_maturity(books, lot, member_id, wallet_id, at=at)
        write(books, at=at)
        return sum(lot.remaining for lot in lots)


def cancel_pending(*, member_id: int, wallet_id: int, activity_id: int, why: Why, at: dt.datetime) -> int:
    """Take the activity's pending points back for good; gives the points taken, 0 when none were pending any more."""
    with transaction.atomic():
        books = lock([member_id], [wallet_id])
        lots = _pending_lots(books, member_id, wallet_id, activity_id)
        for origin in Transfer.objects.filter(pk__in=[lot.transfer_id for lot in lots]).order_by("pk"):
            taken = next(lot for lot in lots if lot.transfer_id == origin.pk)
            books.plan(
                NewTransfer(
                    Kind.REVERSE,
                    member_id,
                    taken.account_id,
                    origin.from_account_id,
                    taken.remaining,
                    at,
                    why=replace(
                        why, activity_id=origin.activity_id, rule_revision_id=origin.rule_revision_id
                    ),
                    qualifies_at=origin.qualifies_at,
                    reverses_id=origin.pk,
                    takes=((taken.id, taken.remaining),),
                )
            )
        write(books, at=at)
        return sum(lot.remaining for lot in lots)
