"""Undoing: a correction is a new transfer that names the one it reverses, never an edit.

Taking back points given empties their very lots; what was spent of them becomes debt, what had expired is taken from
the expired. Giving back points spent fills the very lots they came from, with their expiry as it was (or with a grace
where that is past and the caller gives one).
"""

import datetime as dt
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Sum

from rewards import terms
from rewards.ledger.books import Books, lock, lots_where, write
from rewards.ledger.entries import AVAILABLE, DEBT, Kind, LedgerError, LiveLot, NewTransfer, OverReversal, Why
from rewards.ledger.grace import give_grace
from rewards.ledger.sliding import catch_up
from rewards.ledger.spending import take
from rewards.models import Transfer
from rewards.models.ledger import AccountKind


def reverse(
    *,
    transfer_id: int,
    points: int | None = None,
    why: Why,
    at: dt.datetime,
    into_debt: bool = True,
    grace_until: dt.datetime | None = None,
) -> int:
    """Undo a transfer, wholly or by ``points``; gives the points reversed (0 when nothing was left of it).

    With ``into_debt`` off, points given that were spent already are left to the member. Points that come back to lots
    expired meanwhile live until ``grace_until``, if that is given (``rewards.ledger.grace``). Raises OverReversal when
    ``points`` exceed what is left. The member's account lock makes two reversals of one transfer wait for each other,
    so together they never exceed it.
    """
    with transaction.atomic():
        origin = Transfer.objects.select_related("from_account", "to_account").get(pk=transfer_id)
        wallet_id = origin.from_account.wallet_id
        books = lock([origin.member_id], [wallet_id])
        left = origin.points - _reversed(origin)
        points = left if points is None else points
        if not 0 <= points <= left:
            raise OverReversal(transfer_id=transfer_id, asked=points, left=left)
        if not into_debt:
            points = min(points, _takeable(origin))
        if points:
            _plan_reversal(books, origin, points, why=why, at=at)
            ids = write(books, at=at)
            returned = _returned(books)
            catch_up(list(returned), member_id=origin.member_id, known=terms.kept(), at=at)
            if returned and grace_until is not None:
                give_grace(books, origin, returned, reversal_id=ids[0], until=grace_until, at=at)
        return points


def _returned(books: Books) -> dict[int, int]:
    """By lot, the points that the last writing has brought back to it, less what of them repaid a debt at once."""
    filled = {lot_id for each in books.written for lot_id, part in each.takes if part < 0}
    found = dict.fromkeys(filled, 0)
    for each in books.written:
        for lot_id, part in each.takes:
            if lot_id in found:
                found[lot_id] -= part
    return found


def takeable(transfer_id: int) -> int:
    """Of the points a transfer gave, those that can be taken back without a debt. Call under the account's lock."""
    return _takeable(Transfer.objects.select_related("from_account", "to_account").get(pk=transfer_id))


def _takeable(origin: Transfer) -> int:
    lots = _lots_of(origin)
    return sum(lot.remaining for lot in lots) + _expired_of(origin, lots)


def _reversed(origin: Transfer) -> int:
    return Transfer.objects.filter(reverses=origin).aggregate(points=Sum("points"))["points"] or 0


def _plan_reversal(books: Books, origin: Transfer, points: int, *, why: Why, at: dt.datetime) -> None:
    if origin.kind in (Kind.REVERSE, Kind.MATURE, Kind.EXPIRE, Kind.GIFT):
        raise LedgerError(f"A transfer of kind “{origin.kind}” cannot be reversed.")
    if origin.to_account.kind in (AccountKind.AVAILABLE, AccountKind.PENDING, AccountKind.DEBT):
        _plan_take_back(books, origin, points, why=why, at=at)
    else:
        _plan_give_back(books, origin, points, why=why, at=at)


# --- Points that were given ---------------------------------------------------------------------------------------


def _plan_take_back(books: Books, origin: Transfer, points: int, *, why: Why, at: dt.datetime) -> None:
    """Plan to take points given by ``origin``: its lots (pending first), then the expired, then as debt."""
    wallet_id = origin.from_account.wallet_id
    lots = _lots_of(origin)
    for lot in lots:
        if taken := min(lot.remaining, points):
            _plan_one(books, origin, lot.account_id, taken, why=why, at=at, takes=((lot.id, taken),))
            points -= taken
    if points and (expired := min(points, _expired_of(origin, lots))):
        _plan_one(books, origin, books.programme[wallet_id, AccountKind.EXPIRED], expired, why=why, at=at)
        points -= expired
    if points:
        debt = books.account(origin.member_id, wallet_id, DEBT)
        _plan_one(books, origin, debt, points, why=why, at=at)


def _plan_one(
    books: Books,
    origin: Transfer,
    from_account: int,
    points: int,
    *,
    why: Why,
    at: dt.datetime,
    takes: tuple[tuple[int, int], ...] = (),
) -> None:
    """Plan one reversing transfer from where the points are now to where ``origin`` took them."""
    books.plan(
        NewTransfer(
            Kind.REVERSE,
            origin.member_id,
            from_account,
            origin.from_account_id,
            points,
            at,
            why=why,
            qualifies_at=origin.qualifies_at,
            reverses_id=origin.pk,
            takes=takes,
        )
    )


def _lots_of(origin: Transfer) -> list[LiveLot]:
    """The lot that ``origin`` opened, and those opened when it matured."""
    return lots_where(
        "transfer_id = %s OR transfer_id IN (SELECT a.transfer_id FROM rewards_allocation a "
        "JOIN rewards_lot l ON l.id = a.lot_id JOIN rewards_transfer t ON t.id = a.transfer_id "
        "WHERE l.transfer_id = %s AND t.kind = 'mature') ORDER BY id",
        [origin.pk, origin.pk],
    )


def _expired_of(origin: Transfer, lots: Sequence[LiveLot]) -> int:
    """Points of the lots that expired and that no earlier reversal of ``origin`` has taken from the expired."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT sum(a.points) FROM rewards_allocation a JOIN rewards_transfer t "
            "ON t.id = a.transfer_id WHERE a.lot_id = ANY(%s) AND t.kind = 'expire'), 0) "
            "- coalesce((SELECT sum(t.points) FROM rewards_transfer t JOIN rewards_account f "
            "ON f.id = t.from_account_id WHERE t.reverses_id = %s AND f.kind = 'expired'), 0)",
            [[lot.id for lot in lots], origin.pk],
        )
        return int(cursor.fetchone()[0])


# --- Points that were spent ---------------------------------------------------------------------------------------


def _plan_give_back(books: Books, origin: Transfer, points: int, *, why: Why, at: dt.datetime) -> None:
    """Plan to give spent points back to the very lots they came from, last taken first; a debt is settled from them."""
    available = books.account(origin.member_id, origin.from_account.wallet_id, AVAILABLE)
    returned, _short = take(_taken_from(origin), points)
    books.plan(
        NewTransfer(
            Kind.REVERSE,
            origin.member_id,
            origin.to_account_id,
            available,
            points,
            at,
            why=why,
            reverses_id=origin.pk,
            takes=tuple((lot_id, -part) for lot_id, part in returned),
        )
    )
    owed = books.balance(origin.member_id, origin.from_account.wallet_id).debt
    if repaid := min(owed, points):
        _plan_settlement(books, origin, returned, repaid, why=why, at=at)


def _taken_from(origin: Transfer) -> list[LiveLot]:
    """The lots that ``origin`` consumed, last to expire first, ``remaining`` being what was not yet given back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.transfer_id, l.account_id, sum(a.points)::bigint, l.earned_at, l.expires_at, "
            "l.expiry_policy_id, l.granted_expiry "
            "FROM rewards_allocation a JOIN rewards_lot l ON l.id = a.lot_id "
            "JOIN rewards_transfer t ON t.id = a.transfer_id WHERE t.id = %s OR t.reverses_id = %s "
            "GROUP BY l.id HAVING sum(a.points) > 0 ORDER BY l.expires_at DESC NULLS FIRST, l.id DESC",
            [origin.pk, origin.pk],
        )
        return [LiveLot(*row) for row in cursor.fetchall()]


def _plan_settlement(
    books: Books,
    origin: Transfer,
    returned: Sequence[tuple[int, int]],
    points: int,
    *,
    why: Why,
    at: dt.datetime,
) -> None:
    """Plan to repay a debt from points just given back, those that would expire first being used first."""
    takes: list[tuple[int, int]] = []
    left = points
    for lot_id, part in reversed(returned):
        if used := min(part, left):
            takes.append((lot_id, used))
            left -= used
    wallet_id = origin.from_account.wallet_id
    books.plan(
        NewTransfer(
            Kind.REPAYMENT,
            origin.member_id,
            books.account(origin.member_id, wallet_id, AVAILABLE),
            books.account(origin.member_id, wallet_id, DEBT),
            points,
            at,
            why=why,
            takes=tuple(takes),
        )
    )
