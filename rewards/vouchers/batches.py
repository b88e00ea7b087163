"""Many codes at once, by a worker: made by the hundred thousand, or taken in from a partner's file into a pool.

Each chunk of codes, their history and the batch's count go into the database in one transaction, by COPY. So a worker
that is killed loses a chunk at most, and whoever goes on begins exactly behind the last one that is in.
"""

import datetime as dt
import gzip
import traceback
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from loyalty.ids import new_public_id
from rewards.models import Voucher, VoucherBatch, VoucherFamily
from rewards.vouchers import codes, issuing, pool_file
from rewards.vouchers.pool_file import PoolRow

Kind, State = VoucherBatch.Kind, VoucherBatch.State
CHUNK = 5000
MOST = 1_000_000
"""Codes in a batch."""

PROBLEMS_KEPT = 1000
UNDERWAY = (State.QUEUED, State.RUNNING)

_FRESH = """
CREATE TEMPORARY TABLE fresh_codes
    (public_id uuid NOT NULL, code text NOT NULL, spelling text NOT NULL, ends_at timestamptz) ON COMMIT DROP
"""
_COPY = "COPY fresh_codes (public_id, code, spelling, ends_at) FROM STDIN"
_FORGET = "DROP TABLE fresh_codes"
_COLUMNS = """public_id, family_id, code, spelling, state, batch_id, source, value, remaining, uses, uses_left,
    issued_at, valid_from, expires_at"""
_ISSUE = f"""
WITH made AS (
    INSERT INTO rewards_voucher ({_COLUMNS})
    SELECT public_id, %(family)s, code, '', %(state)s, %(batch)s, 'rewards.voucherbatch', %(value)s, %(remaining)s,
           %(uses)s, %(uses_left)s, %(issued_at)s, %(valid_from)s, %(expires_at)s
    FROM fresh_codes ON CONFLICT (code) DO NOTHING RETURNING id)
INSERT INTO rewards_voucherstep (voucher_id, kind, amount, at, staff_id, note)
SELECT id, 'issued', %(value)s, %(issued_at)s, %(staff)s, '' FROM made ORDER BY id
"""  # noqa: S608
_STORE = f"""
INSERT INTO rewards_voucher ({_COLUMNS})
SELECT public_id, %(family)s, code, spelling, 'stored', %(batch)s, '', %(value)s, %(value)s, %(uses)s, %(uses)s,
       NULL, NULL, ends_at
FROM fresh_codes ON CONFLICT (code) DO NOTHING RETURNING code
"""  # noqa: S608


class NotForThis(ValueError):
    """Codes of this kind come from elsewhere. The text may be shown."""


def ask_for_codes(*, family_id: int, count: int, staff_id: int, at: dt.datetime) -> VoucherBatch:
    """Have a worker make so many codes, valid as if issued at ``at``. Raises FamilyClosed or NotForThis."""
    family = VoucherFamily.objects.get(pk=family_id)
    issuing.refuse_closed(family, at=at)
    if family.source != VoucherFamily.Source.GENERATED or not 1 <= count <= MOST:
        raise NotForThis
    return VoucherBatch.objects.create(
        family=family, kind=Kind.GENERATION, total=count, requested_by_id=staff_id, requested_at=at
    )


def ask_for_import(*, family_id: int, data: bytes, staff_id: int, at: dt.datetime) -> VoucherBatch:
    """Have a worker take a file's codes into the family's pool. Raises FileRefused for a file that is none."""
    family = VoucherFamily.objects.get(pk=family_id)
    if family.source != VoucherFamily.Source.POOL:
        raise NotForThis
    total = pool_file.count(data)
    return VoucherBatch.objects.create(
        family=family,
        kind=Kind.POOL,
        total=total,
        file=gzip.compress(data, 6),
        requested_by_id=staff_id,
        requested_at=at,
    )


def again(*, batch_id: int) -> bool:
    """Go on with a batch that failed on its way, behind what is in already."""
    failed = VoucherBatch.objects.filter(pk=batch_id, state=State.FAILED)
    return bool(failed.update(state=State.QUEUED, error="", ended_at=None))


def next_due() -> int | None:
    """The next batch to be worked on, one whose worker died included."""
    return VoucherBatch.objects.filter(state__in=UNDERWAY).order_by("pk").values_list("pk", flat=True).first()


def work(*, batch_id: int, at: dt.datetime) -> None:
    """Do the batch to its end, chunk by chunk. Call it with the name ``rewards.make_vouchers`` held.

    An error ends in the state “failed”, with the error, and is raised; nothing of its chunk is kept.
    """
    batch = VoucherBatch.objects.get(pk=batch_id)
    try:
        rows = pool_file.read(gzip.decompress(bytes(batch.file)), at=at) if batch.file is not None else []
        while not _chunk(batch_id, rows, at=at):
            pass
    except Exception:
        VoucherBatch.objects.filter(pk=batch_id).update(
            state=State.FAILED, error=traceback.format_exc()[-2000:], ended_at=at
        )
        raise


def percent(batch: VoucherBatch) -> int:
    """How far it is, 0 to 100."""
    return min(100, (batch.done + batch.refused) * 100 // batch.total) if batch.total else 100


def cancel_unused(*, batch_id: int, staff_id: int, note: str, at: dt.datetime) -> int:
    """Cancel every code of a batch that is neither used nor in a checkout, in one statement each; how many."""
    with transaction.atomic():
        VoucherBatch.objects.select_for_update().get(pk=batch_id)
        with connection.cursor() as cursor:
            cursor.execute(_CANCEL, {"batch": batch_id, "staff": staff_id, "note": note[:300], "at": at})
            return cursor.rowcount


_CANCEL = """
WITH free AS (
    SELECT v.id FROM rewards_voucher v WHERE v.batch_id = %(batch)s AND v.state IN ('stored', 'active')
       AND v.member_id IS NULL ORDER BY v.id FOR UPDATE
), unused AS (
    UPDATE rewards_voucher v SET state = 'cancelled' FROM free
    WHERE v.id = free.id AND NOT EXISTS (
        SELECT 1 FROM rewards_voucheruse u WHERE u.voucher_id = v.id
           AND (u.state = 'redeemed' OR u.state = 'locked' AND u.locked_until > %(at)s))
    RETURNING v.id)
INSERT INTO rewards_voucherstep (voucher_id, kind, amount, at, staff_id, note)
SELECT id, 'cancelled', 0, %(at)s, %(staff)s, %(note)s FROM unused ORDER BY id
"""


def _chunk(batch_id: int, rows: Sequence[PoolRow], *, at: dt.datetime) -> bool:
    """Do the next chunk in a transaction of its own; True when nothing is left."""
    with transaction.atomic():
        batch = VoucherBatch.objects.select_for_update(of=("self",)).select_related("family").get(pk=batch_id)
        if batch.state not in UNDERWAY:
            return True
        batch.state = State.RUNNING
        if batch.kind == Kind.GENERATION:
            batch.done += _make(batch, min(CHUNK, batch.total - batch.done))
        else:
            position = batch.done + batch.refused
            _take_in(batch, rows[position : position + CHUNK])
        is_over = batch.done + batch.refused >= batch.total
        if is_over:
            batch.state, batch.ended_at, batch.file = State.DONE, at, None
        batch.save(update_fields=["state", "ended_at", "file", "done", "refused", "problems"])
    return is_over


def _make(batch: VoucherBatch, count: int) -> int:
    """So many codes, or fewer where one met another by chance; how many."""
    fresh = [(new_public_id(), codes.new_code(batch.family.prefix), "", None) for _number in range(count)]
    facts = issuing.terms_of(batch.family, at=batch.requested_at) | {"staff": batch.requested_by_id}
    with connection.cursor() as cursor:
        _copy(cursor, fresh)
        cursor.execute(_ISSUE, {**facts, "family": batch.family_id, "batch": batch.pk})
        made = int(cursor.rowcount)
        cursor.execute(_FORGET)
    return made


def _take_in(batch: VoucherBatch, rows: Sequence[PoolRow]) -> None:
    """Put the rows' good codes into the pool; those that are there already are refused like the bad ones."""
    family = batch.family
    first: dict[str, PoolRow] = {}
    for row in rows:
        if not row.why:
            first.setdefault(row.code, row)
    with connection.cursor() as cursor:
        _copy(cursor, [(new_public_id(), row.code, row.spelling, row.ends_at) for row in first.values()])
        cursor.execute(
            _STORE, {"family": family.pk, "batch": batch.pk, "value": family.value, "uses": family.uses}
        )
        stored = {code for (code,) in cursor.fetchall()}
        cursor.execute(_FORGET)
    taken = {row.line for row in first.values() if row.code in stored}
    refused = [{"line": row.line, "why": row.why or "known"} for row in rows if row.line not in taken]
    batch.done += len(taken)
    batch.refused += len(refused)
    batch.problems = [*batch.problems, *refused][:PROBLEMS_KEPT]


def _copy(cursor: Any, fresh: Sequence[tuple[object, ...]]) -> None:
    cursor.execute(_FRESH)
    with cursor.copy(_COPY) as copy:
        for row in fresh:
            copy.write_row(row)


def left_in_pool(family_ids: Sequence[int], *, at: dt.datetime) -> dict[int, int]:
    """How many codes the pools hold, by family."""
    return {family_id: issuing.pool_left(family_id, at=at) for family_id in family_ids}


def unused_codes(batch_id: int) -> int:
    """How many codes of a batch could still be cancelled as a whole."""
    states = (Voucher.State.STORED, Voucher.State.ACTIVE)
    return Voucher.objects.filter(batch=batch_id, state__in=states, member=None).count()
