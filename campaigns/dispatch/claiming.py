"""Claims: a batch of due messages of one campaign and channel that one sender has for itself."""

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection, transaction

from campaigns.models import Campaign, ChannelPolicy, Message, OpenClaim

BATCH = 100
CLAIM_FOR = dt.timedelta(minutes=3)
"""A sender gives back what it has not handed over by then; a mail server that takes its time is no dead sender."""
CLAIM_TIMEOUT = dt.timedelta(minutes=10)
"""Well over CLAIM_FOR and the longest a hand-over can take: a sender that still holds its lock is gone all the same."""

TRIES = 5
"""How often a message may be found half-way and be sent again: one that kills every sender must end."""

WAITING = "m.status = 'due' AND NOT (m.arm = 'treated' AND m.variant_id IS NULL)"
"""What may be claimed, as the index ``message_waiting`` has it. Who waits for a test's winner has no variant yet."""
GOING = "c.status IN ('sending', 'running')"

_CAMPAIGNS = f"""
SELECT c.id
  FROM {Campaign._meta.db_table} c
  JOIN {ChannelPolicy._meta.db_table} p ON p.channel = %(channel)s AND p.is_active
  CROSS JOIN LATERAL (SELECT m.due_at FROM {Message._meta.db_table} m
                       WHERE m.campaign_id = c.id AND m.channel = %(channel)s AND {WAITING} AND m.due_at <= %(at)s
                       ORDER BY m.due_at LIMIT 1) AS first
 WHERE {GOING}
 ORDER BY c.priority DESC, c.kind = 'one_off', first.due_at, c.id
"""  # noqa: S608  (names only)

_CLAIM = f"""
WITH next AS MATERIALIZED (
    SELECT m.id FROM {Message._meta.db_table} m
     WHERE m.campaign_id = %(campaign)s AND m.channel = %(channel)s AND {WAITING} AND m.due_at <= %(at)s
     ORDER BY m.due_at, m.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE {Message._meta.db_table} m
   SET status = 'sending', claim = %(claim)s, claimed_at = %(at)s, attempts = m.attempts + 1
  FROM next, {Campaign._meta.db_table} c
 WHERE m.id = next.id AND c.id = m.campaign_id AND {GOING}
RETURNING m.*
"""  # noqa: S608  (names only)

_GIVE_BACK = f"""
UPDATE {Message._meta.db_table} m
   SET status = CASE WHEN c.status = 'cancelled' THEN 'skipped' ELSE 'due' END,
       reason = CASE WHEN c.status = 'cancelled' THEN 'cancelled' ELSE m.reason END,
       attempts = m.attempts - 1, claim = NULL, claimed_at = NULL
  FROM {Campaign._meta.db_table} c
 WHERE c.id = m.campaign_id AND m.claim = %(claim)s AND m.status = 'sending' AND m.id <> ALL(%(unclear)s)
"""  # noqa: S608  (names only)

_UNCLEAR = f"""
WITH unclear AS (
    SELECT m.id, m.attempts <= %(tries)s AND p.unknown = 'retry' AS again
      FROM {Message._meta.db_table} m JOIN {ChannelPolicy._meta.db_table} p ON p.channel = m.channel
     WHERE m.id = ANY(%(unclear)s) AND m.claim = %(claim)s AND m.status = 'sending'
       FOR UPDATE OF m)
UPDATE {Message._meta.db_table} m
   SET status = CASE WHEN again THEN 'due' ELSE 'unknown' END,
       reason = CASE WHEN again THEN 'retrying' ELSE 'lost' END,
       claim = CASE WHEN again THEN NULL ELSE m.claim END
  FROM unclear
 WHERE m.id = unclear.id
RETURNING m.status
"""  # noqa: S608  (names only)


@dataclass
class Claim:
    """Messages that this sender has for itself, in the order of their ids: all of one campaign."""

    id: uuid.UUID
    at: dt.datetime
    messages: list[Message] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    """The ids of those without an outcome yet."""
    in_hand: int | None = None
    """The message that is being handed over just now: unclear, should the sender stop here."""


@contextlib.contextmanager
def taken(*, channel: str, at: dt.datetime, limit: int) -> Iterator[Claim]:
    """Hold a claim of up to ``limit`` due messages; what has no outcome when the block ends is given back.

    Without messages when none are due. When the database is gone, giving back is left to ``recovery``.
    """
    claim = Claim(uuid.uuid4(), at)
    with _held(claim.id), _written_soon():
        claim.messages = take(claim.id, channel=channel, at=at, limit=limit)
        claim.left = {message.pk for message in claim.messages}
        try:
            yield claim
        except BaseException:
            with contextlib.suppress(DatabaseError):
                give_back(claim.id, unclear=claim.in_hand)
            raise
        if claim.left:
            give_back(claim.id, unclear=claim.in_hand)
        elif claim.messages:
            OpenClaim.objects.filter(pk=claim.id).delete()


def take(claim_id: uuid.UUID, *, channel: str, at: dt.datetime, limit: int) -> list[Message]:
    """Claim due messages of one campaign in one UPDATE: the most important campaign's, those due longest first.

    Of equally important ones, what goes to a few at a time (a greeting, a welcome) comes before what goes to all.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CAMPAIGNS, {"channel": channel, "at": at})
        campaigns = [row[0] for row in cursor.fetchall()]
    facts = {"channel": channel, "at": at, "claim": claim_id, "limit": limit}
    for campaign in campaigns:
        with transaction.atomic():
            _on_disk()
            claimed = list(Message.objects.raw(_CLAIM, {**facts, "campaign": campaign}))
            if claimed:
                OpenClaim.objects.create(id=claim_id, taken_at=at)
        if claimed:
            return sorted(claimed, key=lambda message: message.pk)
    return []  # another sender has what was due


def give_back(claim_id: uuid.UUID, *, unclear: int | None) -> int:
    """End a claim: ``unclear`` may have gone out, everything else that has no mark did not and is due again.

    After a crash of the database server marks may be missing: then everything that has none may have gone out. Returns
    how many were left with their outcome unknown.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        _on_disk()
        ids = [] if unclear is None else [unclear]
        if unclear is not None and not OpenClaim.objects.filter(pk=claim_id).exists():
            left = Message.objects.filter(claim=claim_id, status=Message.Status.SENDING)
            ids = list(left.values_list("pk", flat=True))
        facts: dict[str, Any] = {"claim": claim_id, "unclear": ids, "tries": TRIES}
        cursor.execute(_GIVE_BACK, facts)
        OpenClaim.objects.filter(pk=claim_id).delete()
        if unclear is None:
            return 0
        cursor.execute(_UNCLEAR, facts)
        return [row[0] for row in cursor.fetchall()].count(Message.Status.UNKNOWN)


@contextlib.contextmanager
def _held(claim_id: uuid.UUID) -> Iterator[None]:
    """Hold the claim's lock: it goes with the database session, so with the process, however it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [_lock_of(claim_id)])
    try:
        yield
    finally:
        with contextlib.suppress(DatabaseError):
            let_go(claim_id)


@contextlib.contextmanager
def _written_soon() -> Iterator[None]:
    """Do not wait for the disk at every mark: it is kept whatever becomes of this process, and for others to see.

    Only a crash of the database server itself may lose the marks of its last moments; ``OpenClaim`` tells that it did.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    try:
        yield
    finally:
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")


def _on_disk() -> None:
    """Let the present transaction wait for the disk all the same, with every mark made before it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO on")


def try_lock(claim_id: uuid.UUID) -> bool:
    """Take a claim's lock if its sender does not hold it any more; to be let go of by ``let_go``."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [_lock_of(claim_id)])
        return bool(cursor.fetchone()[0])


def let_go(claim_id: uuid.UUID) -> None:
    """Let go of a claim's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_lock_of(claim_id)])


def _lock_of(claim_id: uuid.UUID) -> str:
    return f"kantis.claim.{claim_id}"
