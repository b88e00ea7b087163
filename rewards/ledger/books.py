"""The books: members' accounts under lock, the transfers decided on, and the one place that writes them.

Used by the other rooms of the ledger only; the rest of the house calls those through ``rewards.ledger``.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from loyalty.prepared import array, fetch_prepared, run_prepared
from rewards.ledger.entries import (
    AVAILABLE,
    DEBT,
    PENDING,
    Balance,
    LiveLot,
    NewTransfer,
)
from rewards.ledger.opening import is_opening, write_opening
from rewards.ledger.taking import is_taking, write_taking
from rewards.models.ledger import PROGRAMME_ACCOUNTS, AccountKind


@dataclass(slots=True)
class Books:
    """The locked accounts of some members, the transfers decided on but not yet written, and those written last."""

    accounts: dict[tuple[int, int, str], int]
    balances: dict[int, int]
    programme: Mapping[tuple[int, str], int]
    planned: list[NewTransfer] = field(default_factory=list)
    written: list[NewTransfer] = field(default_factory=list)

    def covers(self, wallet_ids: Iterable[int]) -> bool:
        """Whether these wallets are among those locked."""
        return {wallet_id for _member_id, wallet_id, _kind in self.accounts} >= set(wallet_ids)

    def account(self, member_id: int, wallet_id: int, kind: AccountKind) -> int:
        return self.accounts[member_id, wallet_id, kind]

    def balance(self, member_id: int, wallet_id: int) -> Balance:
        """The balance with everything planned so far."""
        available, pending, debt = (
            self.balances[self.accounts[member_id, wallet_id, kind]] for kind in (AVAILABLE, PENDING, DEBT)
        )
        return Balance(available=available, pending=pending, debt=-debt)

    def plan(self, transfer: NewTransfer) -> None:
        """Add a transfer to what will be written; balances follow at once."""
        self.planned.append(transfer)
        if transfer.from_account in self.balances:
            self.balances[transfer.from_account] -= transfer.points
        if transfer.to_account in self.balances:
            self.balances[transfer.to_account] += transfer.points


_LOCK = """
SELECT id, member_id, wallet_id, kind, balance FROM rewards_account
WHERE member_id = ANY(%s::bigint[]) AND wallet_id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE
"""
_LOCK_ONE = """
SELECT id, member_id, wallet_id, kind, balance FROM rewards_account
WHERE member_id = %s AND wallet_id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE
"""

_CREATE_ACCOUNTS = """
INSERT INTO rewards_account (member_id, wallet_id, kind, balance)
SELECT member_id, wallet_id, kind, 0
FROM unnest(%s::bigint[]) AS m(member_id), unnest(%s::bigint[]) AS w(wallet_id), unnest(%s::text[]) AS k(kind)
ORDER BY member_id, wallet_id, kind
ON CONFLICT (member_id, wallet_id, kind) DO NOTHING
"""


def lock(member_ids: Iterable[int], wallet_ids: Iterable[int]) -> Books:
    """Lock the members' accounts in these wallets, creating those that are missing. Call inside a transaction."""
    members, wallets = sorted(set(member_ids)), sorted(set(wallet_ids))
    rows = _lock(members, wallets)
    if len(rows) < 3 * len(members) * len(wallets):
        with connection.cursor() as cursor:
            cursor.execute(_CREATE_ACCOUNTS, [members, wallets, [AVAILABLE, PENDING, DEBT]])
        rows = _lock(members, wallets)
    return Books(
        accounts={(member_id, wallet_id, kind): id_ for id_, member_id, wallet_id, kind, _balance in rows},
        balances={id_: balance for id_, _member_id, _wallet_id, _kind, balance in rows},
        programme=programme_accounts(wallets),
    )


def _lock(members: list[int], wallets: list[int]) -> list[tuple[Any, ...]]:
    """The accounts that there are, locked. One member's are asked for by ``=``: then the index is sure to be used."""
    if len(members) == 1:
        return fetch_prepared(_LOCK_ONE, [members[0], array(wallets)])
    return fetch_prepared(_LOCK, [array(members), array(wallets)])


_GLANCE = """
SELECT id, member_id, wallet_id, kind, balance FROM rewards_account WHERE member_id = ANY(%s) AND wallet_id = ANY(%s)
"""


def glance(member_ids: Iterable[int], wallet_ids: Iterable[int]) -> Books:
    """The members' accounts as they stand, without a lock: for planning what will never be written.

    Accounts that do not exist are there with a negative id and nothing on them.
    """
    members, wallets = sorted(set(member_ids)), sorted(set(wallet_ids))
    with connection.cursor() as cursor:
        cursor.execute(_GLANCE, [members, wallets])
        rows = cursor.fetchall()
    accounts = {(member_id, wallet_id, kind): id_ for id_, member_id, wallet_id, kind, _balance in rows}
    balances = {id_: balance for id_, _member_id, _wallet_id, _kind, balance in rows}
    for member_id in members:
        for wallet_id in wallets:
            for kind in (AVAILABLE, PENDING, DEBT):
                if (member_id, wallet_id, kind) not in accounts:
                    accounts[member_id, wallet_id, kind] = missing = -len(accounts) - 1
                    balances[missing] = 0
    return Books(accounts=accounts, balances=balances, programme=programme_accounts())


_programme_accounts: dict[tuple[int, str], int] = {}


def programme_accounts(wallet_ids: Iterable[int] = ()) -> Mapping[tuple[int, str], int]:
    """Account ids of the programme by (wallet id, kind); they never change, so a process reads them once.

    They are read again when one of ``wallet_ids`` is not among them: another process has added that wallet since.
    """
    known = {wallet_id for wallet_id, _kind in _programme_accounts}
    if not known or not known.issuperset(wallet_ids):
        with connection.cursor() as cursor:
            cursor.execute("SELECT wallet_id, kind, id FROM rewards_account WHERE member_id IS NULL")
            _programme_accounts.update({(wallet_id, kind): id_ for wallet_id, kind, id_ in cursor.fetchall()})
    return _programme_accounts


def forget() -> None:
    """Drop the remembered programme accounts (after adding a wallet, and between tests)."""
    _programme_accounts.clear()


def open_wallet(wallet_id: int) -> None:
    """Give a new wallet its programme accounts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_account (wallet_id, kind) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
            [wallet_id, list(PROGRAMME_ACCOUNTS)],
        )
    forget()


def live_lots(account_ids: Sequence[int]) -> list[LiveLot]:
    """The live lots of locked accounts, in the order they are consumed: earliest expiry first, then oldest."""
    return [LiveLot(*row) for row in fetch_prepared(_LIVE_LOTS, [array(account_ids)])]


_LOT = "id, transfer_id, account_id, remaining, earned_at, expires_at, expiry_policy_id, granted_expiry"
_LIVE_LOTS = f"""
SELECT {_LOT} FROM rewards_lot WHERE account_id = ANY(%s::bigint[]) AND remaining > 0
ORDER BY expires_at NULLS LAST, id
"""  # noqa: S608


def lots_where(where: str, params: list[Any]) -> list[LiveLot]:
    """Lots by a condition written in this package; values go in ``params`` only."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_LOT} FROM rewards_lot WHERE {where}", params)  # noqa: S608
        return [LiveLot(*row) for row in cursor.fetchall()]


_WRITE = """
WITH given AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, *
    FROM ROWS FROM (json_to_recordset(%s::json) AS (
        kind text, member_id bigint, from_account_id bigint, to_account_id bigint, points bigint,
        occurred_at timestamptz, qualifies_at timestamptz, activity_id bigint, rule_revision_id bigint,
        reverses_id bigint, source text, source_id bigint, occasion text, staff_id bigint, note text,
        opens boolean, earned_at timestamptz, expires_at timestamptz, available_at timestamptz,
        expiry_policy_id bigint, granted_expiry timestamptz
    )) WITH ORDINALITY AS given(kind, member_id, from_account_id, to_account_id, points, occurred_at, qualifies_at,
                                activity_id, rule_revision_id, reverses_id, source, source_id, occasion, staff_id,
                                note, opens, earned_at, expires_at, available_at, expiry_policy_id,
                                granted_expiry, position)
), transfers AS (
    INSERT INTO rewards_transfer (id, kind, member_id, from_account_id, to_account_id, points, occurred_at, posted_at,
                                  qualifies_at, activity_id, rule_revision_id, reverses_id, source, source_id,
                                  occasion, staff_id, note)
    SELECT id, kind, member_id, from_account_id, to_account_id, points, occurred_at, %s, qualifies_at, activity_id,
           rule_revision_id, reverses_id, source, source_id, occasion, staff_id, note
    FROM given ORDER BY position
), lots AS (
    INSERT INTO rewards_lot (transfer_id, member_id, account_id, points, remaining, earned_at, expires_at, available_at,
                             expiry_policy_id, granted_expiry)
    SELECT id, member_id, to_account_id, points, points, earned_at, expires_at, available_at, expiry_policy_id,
           granted_expiry
    FROM given WHERE opens ORDER BY position
), balances AS (
    UPDATE rewards_account SET balance = balance + moved.points
    FROM (SELECT account_id, sum(points) AS points
          FROM (SELECT to_account_id AS account_id, points FROM given
                UNION ALL SELECT from_account_id, -points FROM given) AS sides
          GROUP BY account_id) AS moved
    WHERE rewards_account.id = moved.account_id AND rewards_account.member_id IS NOT NULL
)
SELECT id FROM given ORDER BY position
"""

_ALLOCATE = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS given(lot_id, transfer_id, points)
), allocations AS (
    INSERT INTO rewards_allocation (lot_id, transfer_id, points) SELECT lot_id, transfer_id, points FROM given
)
UPDATE rewards_lot SET remaining = remaining - taken.points
FROM (SELECT lot_id, sum(points) AS points FROM given GROUP BY lot_id) AS taken
WHERE rewards_lot.id = taken.lot_id
"""


def write(books: Books, *, at: dt.datetime) -> list[int]:
    """Write all that is planned, in order, and give the transfers' ids. One statement, two where lots are consumed."""
    planned, books.planned = books.planned, []
    books.written = planned
    if not planned:
        return []
    if is_taking(planned):
        return [write_taking(planned[0], at=at)]
    if is_opening(planned):
        return [write_opening(planned[0], at=at)]
    ids = [row[0] for row in fetch_prepared(_WRITE, [_rows(planned), at])]
    taken = [
        (lot_id, id_, points)
        for id_, transfer in zip(ids, planned, strict=True)
        for lot_id, points in transfer.takes
    ]
    if taken:
        run_prepared(_ALLOCATE, [array(column) for column in zip(*taken, strict=True)])
    return ids


def _rows(planned: Sequence[NewTransfer]) -> str:
    """The planned transfers as one JSON text: one parameter is far cheaper to send than an array for each column."""
    return json.dumps([_row(each) for each in planned])


def _row(each: NewTransfer) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": each.kind,
        "member_id": each.member_id,
        "from_account_id": each.from_account,
        "to_account_id": each.to_account,
        "points": each.points,
        "occurred_at": each.occurred_at.isoformat(),
        "qualifies_at": each.qualifies_at and each.qualifies_at.isoformat(),
        "activity_id": each.why.activity_id,
        "rule_revision_id": each.why.rule_revision_id,
        "reverses_id": each.reverses_id,
        "source": each.why.source,
        "source_id": each.why.source_id,
        "occasion": each.why.occasion,
        "staff_id": each.why.staff_id,
        "note": each.why.note,
        "opens": each.opens is not None,
    }
    if each.opens is not None:
        row["earned_at"] = each.opens.earned_at.isoformat()
        row["expires_at"] = each.opens.expires_at and each.opens.expires_at.isoformat()
        row["available_at"] = each.opens.available_at and each.opens.available_at.isoformat()
        row["expiry_policy_id"] = each.opens.expiry_policy_id
        row["granted_expiry"] = each.opens.granted_expiry and each.opens.granted_expiry.isoformat()
    return row
