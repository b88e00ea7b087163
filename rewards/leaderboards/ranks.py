"""Ranks from Redis: a sorted set for each open table, beside the truth in PostgreSQL and never instead of it.

A set holds, for every ranked member, the score turned negative (so that the best come first and those of one score in
the order of their ids, as in SQL), and one entry more: up to which revision of the table it goes. Data and mark are one
key, lost together. Who reads compares the mark with the table's row: a set that is gone or behind is not read, and SQL
answers until it has caught up. Everything here is soft: while Redis is away it answers None, or does nothing.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from django.db import OperationalError, connection, transaction

from loyalty.redis_link import REDIS_ERRORS, breaker, client
from rewards.models import LeaderboardScore, LeaderboardTable

logger = structlog.get_logger("kantis.leaderboards")

READ_SECONDS, WRITE_SECONDS = 0.2, 5.0
BATCH = 10_000
BUILT_AT_ONCE = 5_000
"""A set of no more entries is built where it is missed; larger ones wait for the tick."""
REMEMBERED_SECONDS = 14 * 86_400
"""A set that nobody writes to any more goes by itself."""

_MARK = "revision"
_WIDTH = 19

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Place:
    """A member's place: those of one score share a rank (1, 1, 3)."""

    rank: int
    member_id: int
    score: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The first places of a table, one member's own, that with its neighbours (``around``), and how many."""

    total: int
    top: tuple[Place, ...]
    mine: Place | None = None
    around: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """A member who was taken out of a table by its revision ``revision``."""

    table_id: int
    member_id: int
    revision: int


# --- Reading ------------------------------------------------------------------------------------------------------

_READ = """
local key, top, around, me = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local mark = redis.call('ZSCORE', key, 'revision')
if not mark then return false end
local answer = {mark, redis.call('ZCARD', key) - 1, {}, -1, 0, {}}
if top > 0 then answer[3] = redis.call('ZRANGE', key, 0, top - 1, 'WITHSCORES') end
local index = me ~= '' and redis.call('ZRANK', key, me)
if index then
  local first = math.max(0, index - around)
  local window = redis.call('ZRANGE', key, first, index + around, 'WITHSCORES')
  answer[4], answer[5], answer[6] = first, redis.call('ZCOUNT', key, '-inf', '(' .. window[2]) + 1, window
end
return answer
"""
_script: Any = None


def read(table: LeaderboardTable, *, member_id: int | None, top: int, around: int) -> Standing | None:
    """What the table's set says, in one round trip; None where there is none that can be relied on."""
    own = "" if member_id is None else _name(member_id)
    answer = _softly(lambda: _reader()(keys=[key_of(table)], args=[top, around, own]))
    if not answer:
        return None
    mark, total, first_places, first, first_rank, window = answer
    if not _is_reliable(int(float(mark)), table):
        return None
    nearby = _places(window, first, first_rank)
    mine = next((place for place in nearby if place.member_id == member_id), None)
    return Standing(int(total), _places(first_places, 0, 1), mine, nearby)


def _is_reliable(mark: int, table: LeaderboardTable) -> bool:
    """Whether a set of that revision has all that the table's row, as it was read before, knew of.

    One that is further than the row read again now is of another history (the database was restored).
    """
    if mark > table.revision:
        table.refresh_from_db(fields=["revision"])
        return mark <= table.revision
    return mark == table.revision


def _places(flat: Sequence[bytes], first: int, first_rank: int) -> tuple[Place, ...]:
    """Places from a flat list of names and scores that begins at an index, whose rank is known."""
    found: list[Place] = []
    for offset in range(0, len(flat), 2):
        if flat[offset] == _MARK.encode():
            break  # it is the last one: scores are below zero, the mark is not
        score = -int(float(flat[offset + 1]))
        if not found:
            rank = first_rank
        elif score == found[-1].score:
            rank = found[-1].rank
        else:
            rank = first + offset // 2 + 1
        found.append(Place(rank, int(flat[offset]), score))
    return tuple(found)


# --- Keeping up ---------------------------------------------------------------------------------------------------


def keep_up(table_id: int, *, removal: Removal | None = None, may_build: bool = False) -> bool:
    """Bring a table's set up to its row; whether it is there now. Call after the commit, never raises for Redis.

    What changed since the set's revision is written over. A set that is gone, or that may hold a member who has left
    (but for the one ``removal`` tells of), is built anew: at once when it is small or ``may_build``, else by the tick.
    Under a lock, so that two never write old over new; who does not get it soon leaves it to the next.
    """
    try:
        with transaction.atomic(), _held(table_id):
            table = LeaderboardTable.objects.filter(pk=table_id, closed_at=None).first()
            if table is None:
                return False
            return bool(_softly(lambda: _catch_up(table, removal, may_build)))
    except OperationalError as error:
        logger.info("ranks_left_for_later", table=table_id, error=str(error))
        return False


def rebuild(table_id: int) -> bool:
    """Build a table's set from PostgreSQL, whatever it says of itself; whether it is there now."""
    with transaction.atomic(), _held(table_id, patient=True):
        table = LeaderboardTable.objects.filter(pk=table_id, closed_at=None).first()
        return table is not None and bool(_softly(lambda: _build(table)))


def drop(tables: Iterable[LeaderboardTable]) -> None:
    """Forget the sets of these tables."""
    if keys := [key_of(table) for table in tables]:
        _softly(lambda: client(WRITE_SECONDS).unlink(*keys))


def key_of(table: LeaderboardTable) -> str:
    """The key of a table's set; its token tells it from a table of the same number in another database."""
    return f"kantis:leaderboard:{table.pk}:{table.token}"


def _catch_up(table: LeaderboardTable, removal: Removal | None, may_build: bool) -> bool:
    link, key = client(WRITE_SECONDS), key_of(table)
    stored = link.zscore(key, _MARK)
    mark = None if stored is None else int(stored)
    if mark == table.revision:
        return True
    if mark is None or mark > table.revision or mark < table.removed_revision:
        is_told = removal is not None and (mark, table.removed_revision) == (
            removal.revision - 1,
            removal.revision,
        )
        if not is_told:
            return _build(table) if may_build or _is_small(table) else False
        link.zrem(key, _name(removal.member_id if removal else 0))
    changed = LeaderboardScore.objects.filter(table=table, revision__gt=mark)
    _write(key, changed.values_list("profile_id", "score"))
    link.zadd(key, {_MARK: table.revision})
    link.expire(key, REMEMBERED_SECONDS)
    return True


def _is_small(table: LeaderboardTable) -> bool:
    return LeaderboardScore.objects.filter(table=table)[: BUILT_AT_ONCE + 1].count() <= BUILT_AT_ONCE


def _build(table: LeaderboardTable) -> bool:
    """Build the set beside the present one, page by page, and put it in its place."""
    link, key = client(WRITE_SECONDS), key_of(table)
    draft, last = f"{key}:draft", 0
    link.unlink(draft)
    rows = LeaderboardScore.objects.filter(table=table).order_by("profile_id")
    while page := list(rows.filter(profile_id__gt=last).values_list("profile_id", "score")[:BATCH]):
        _write(draft, page)
        last = page[-1][0]
    link.zadd(draft, {_MARK: table.revision})
    link.rename(draft, key)
    link.expire(key, REMEMBERED_SECONDS)
    logger.info("ranks_built", table=table.pk, revision=table.revision)
    return True


def _write(key: str, scores: Iterable[tuple[int, int]]) -> None:
    """Put these scores of members into a set; who has none is in no rank."""
    pairs = list(scores)
    for start in range(0, len(pairs), BATCH):
        page = pairs[start : start + BATCH]
        ranked = {_name(member_id): -score for member_id, score in page if score > 0}
        gone = [_name(member_id) for member_id, score in page if score <= 0]
        with client(WRITE_SECONDS).pipeline(transaction=False) as pipe:
            if ranked:
                pipe.zadd(key, ranked)  # type: ignore[arg-type]
            if gone:
                pipe.zrem(key, *gone)
            pipe.execute()


def _name(member_id: int) -> str:
    """A member in a set: of one width, so that Redis' order of texts is that of the ids."""
    return f"{member_id:0{_WIDTH}}"


@contextlib.contextmanager
def _held(table_id: int, *, patient: bool = False) -> Any:
    """Hold the writing of a table's set until the transaction ends. Raises OperationalError when that takes long."""
    with connection.cursor() as cursor:
        if not patient:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"kantis.leaderboards.ranks.{table_id}"]
        )
    yield


def _softly(operation: Callable[[], Answer]) -> Answer | None:
    """The operation's answer; None while Redis is away."""
    if not breaker.allows():
        return None
    try:
        answer = operation()
    except REDIS_ERRORS as error:
        breaker.failed(error)
        return None
    breaker.succeeded()
    return answer


def _reader() -> Any:
    global _script
    if _script is None:
        _script = client(READ_SECONDS).register_script(_READ)
    return _script
