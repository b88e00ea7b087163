"""Deciding about a campaign's candidates: policy, hold-outs and variants, one row of the send ledger for each.

Every occasion ends here: rounds of an audience, birthdays, events, the API. The rows are inserted on condition that
there is none yet for the occasion: whoever inserts one does what goes with it, however often it is asked for.
"""

import contextlib
import datetime as dt
import gc
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, connection, transaction

from campaigns import awards
from campaigns.models import Campaign, Message
from campaigns.policy import caps
from campaigns.policy.facts import Candidate, Facts, array_of, load
from campaigns.policy.rules import Rules, rules_of
from campaigns.policy.verdicts import Verdict, verdict
from loyalty.ids import new_public_id

__all__ = ["Candidate", "Decided", "decide", "serialise"]

logger = structlog.get_logger("kantis.campaigns")

Status = Message.Status

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('kantis.campaigns.deciding', 0))"

_OUTRANK = f"""
UPDATE {Message._meta.db_table} SET status = 'skipped', reason = 'outranked', detail = %(detail)s
 WHERE id IN (SELECT id FROM {Message._meta.db_table} WHERE id = ANY(%(ids)s) AND status = 'due'
               ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING id
"""  # noqa: S608  (table names only)

_SAME = ("campaign_id", "round_id", "created_at")
_OWN = ("public_id", "member_id")
_KIND = {
    "occasion": "text",
    "variant_id": "bigint",
    "arm": "text",
    "channel": "text",
    "language": "text",
    "facts": "jsonb",
    "points": "integer",
    "status": "text",
    "reason": "text",
    "detail": "text",
    "due_at": "timestamptz",
}
_UNTOUCHED = tuple(
    field
    for field in Message._meta.concrete_fields
    if not (field.primary_key or field.null or field.attname in {*_SAME, *_OWN, *_KIND})
)
_INSERT = f"""
INSERT INTO {Message._meta.db_table}
       ({", ".join((*_SAME, *(each.attname for each in _UNTOUCHED), *_OWN, *_KIND))})
SELECT %s, %s::bigint, %s, {"%s, " * len(_UNTOUCHED)} own.public_id, own.member_id,
       {", ".join(f"kind.{column}" for column in _KIND)}
  FROM unnest(%s::uuid[], %s::bigint[], %s::integer[]) AS own (public_id, member_id, kind)
  JOIN unnest({", ".join(f"%s::{type_}[]" for type_ in _KIND.values())})
       WITH ORDINALITY AS kind ({", ".join(_KIND)}, number) ON kind.number = own.kind
    ON CONFLICT (member_id, campaign_id, step, occasion) DO NOTHING
RETURNING public_id, id
"""  # noqa: S608  (names only)


@dataclass(frozen=True, slots=True)
class Decided:
    """How many were newly decided about; ``failed`` ones have no row and may be tried again."""

    to_send: int = 0
    held_out: int = 0
    not_sent: int = 0
    failed: int = 0

    def __add__(self, other: "Decided") -> "Decided":
        return Decided(
            self.to_send + other.to_send,
            self.held_out + other.held_out,
            self.not_sent + other.not_sent,
            self.failed + other.failed,
        )


def decide(
    campaign: Campaign, candidates: Sequence[Candidate], *, at: dt.datetime, round_id: int | None = None
) -> Decided:
    """Decide about up to some thousand candidates in one transaction; those with a row for the occasion are left out.

    One page at a time is decided about, of all campaigns: what parallel ones write counts towards the same caps. A
    candidate that breaks something is undone, logged and counted as failed; the others are decided about.
    """
    if not candidates:
        return Decided()
    with _without_looking_for_cycles(), transaction.atomic():
        serialise()
        page = _Page(campaign, rules_of(campaign, at=at), at=at, round_id=round_id)
        return page.decided(candidates)


def serialise() -> None:
    """Wait for whoever else counts messages towards caps, and keep others waiting until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)


@contextlib.contextmanager
def _without_looking_for_cycles() -> Iterator[None]:
    """A page's many small objects make Python look through all that it has for cycles, again and again: two fifths of
    the time. They have none, and are gone when the page is done."""
    was_looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_looking:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Page:
    """What is the same for all candidates of a page."""

    campaign: Campaign
    rules: Rules
    at: dt.datetime
    round_id: int | None

    def decided(self, candidates: Sequence[Candidate]) -> Decided:
        """Decide about them together; where that fails by halves, so that one bad candidate is soon alone."""
        try:
            with transaction.atomic():
                return self._write(candidates)
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # one member's bad data must not cost the others their message
            if len(candidates) == 1:
                logger.exception(
                    "deciding_failed", member_id=candidates[0].member_id, campaign=self.campaign.code
                )
                return Decided(failed=1)
        middle = len(candidates) // 2
        return self.decided(candidates[:middle]) + self.decided(candidates[middle:])

    def _write(self, candidates: Sequence[Candidate]) -> Decided:
        found = load(self.rules, candidates, at=self.at)
        if not found:
            return Decided()
        new = self._inserted([_Row(*each) for each in zip(found, self._with_room(found), strict=True)])
        self._give([row for row in new if row.verdict.status == Status.DUE])
        counts = Counter(row.verdict.status for row in new)
        return Decided(counts[Status.DUE], counts[Status.HELD_OUT], counts[Status.SKIPPED])

    def _with_room(self, found: Sequence[Facts]) -> list[Verdict]:
        """The verdicts, once every message that has to give way to one has done so.

        One that a sender has taken hold of meanwhile goes out after all: then everything is judged again, with it.
        """
        on_their_way: set[int] = set()
        while True:
            verdicts = self._judge(found, on_their_way)
            giving_way = {each.message_id for result in verdicts for each in result.displaces}
            if not giving_way:
                return verdicts
            before = transaction.savepoint()
            missed = giving_way - self._outrank(giving_way)
            if not missed:
                transaction.savepoint_commit(before)
                return verdicts
            transaction.savepoint_rollback(before)
            on_their_way |= missed

    def _judge(self, found: Sequence[Facts], on_their_way: Collection[int]) -> list[Verdict]:
        """The verdicts, one after the other: a member who comes twice has the first counted the second time."""
        counted_by_now: dict[int, list[caps.Counted]] = {}
        verdicts = []
        for facts in found:
            member_id = facts.candidate.member_id
            counted: Sequence[caps.Counted] = counted_by_now.get(member_id, facts.counted)
            if on_their_way:
                counted = [
                    replace(each, is_due=False) if each.message_id in on_their_way else each
                    for each in counted
                ]
            result = verdict(facts, self.rules, at=self.at, counted=counted)
            verdicts.append(result)
            if result.day is not None:
                kept = [each for each in counted if each not in result.displaces]
                new = caps.Counted(result.day, result.channel, self.rules.priority)
                counted_by_now[member_id] = [*kept, new]
        return verdicts

    def _outrank(self, message_ids: Collection[int]) -> set[int]:
        """Take back those of the messages that are still due; says which."""
        with connection.cursor() as cursor:
            cursor.execute(_OUTRANK, {"ids": sorted(message_ids), "detail": self.campaign.code})
            return {message_id for (message_id,) in cursor.fetchall()}

    def _inserted(self, rows: Sequence["_Row"]) -> Sequence["_Row"]:
        """Write the rows by one statement; those that are new, with their ids.

        Most rows of a page are alike but for the member, so what they share is sent once.
        """
        same = [self.campaign.pk, self.round_id, self.at]
        untouched = [each.get_db_prep_save(each.get_default(), connection) for each in _UNTOUCHED]
        kinds: dict[tuple[Any, ...], int] = {}
        kind_of = [kinds.setdefault(row.kind(), len(kinds) + 1) for row in rows]
        own = [
            array_of(row.public_id for row in rows),
            array_of(row.facts.candidate.member_id for row in rows),
            array_of(kind_of),
        ]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [*same, *untouched, *own, *map(list, zip(*kinds, strict=True))])
            ids = dict(cursor.fetchall())
        for row in rows:
            row.message_id = ids.get(row.public_id)
        return rows if len(ids) == len(rows) else [row for row in rows if row.message_id is not None]

    def _give(self, rows: Sequence["_Row"]) -> None:
        """What the campaign gives, in the order of members: their accounts are locked on the way."""
        gives = self.campaign.voucher_family_id or self.campaign.add_to_list_id
        if not gives and not any(row.verdict.points for row in rows):
            return
        rows = sorted(rows, key=lambda row: (row.facts.candidate.member_id, row.message_id))
        awards.give(self.campaign, [self._message(row) for row in rows], at=self.at)

    def _message(self, row: "_Row") -> Message:
        """The message as it stands in the database, without asking for it."""
        values = dict(zip(_KIND, row.kind(), strict=True))
        values["facts"] = dict(row.facts.candidate.facts)
        message = Message(
            pk=row.message_id,
            public_id=row.public_id,
            member_id=row.facts.candidate.member_id,
            campaign=self.campaign,
            round_id=self.round_id,
            created_at=self.at,
            **values,
        )
        message._state.adding, message._state.db = False, connection.alias
        return message


@dataclass(slots=True)
class _Row:
    """One row of the ledger to be."""

    facts: Facts
    verdict: Verdict
    public_id: uuid.UUID = field(default_factory=new_public_id)
    message_id: int | None = None

    def kind(self) -> tuple[Any, ...]:
        """What it may have in common with others, in the order of ``_KIND``."""
        candidate, verdict = self.facts.candidate, self.verdict
        return (
            candidate.occasion,
            verdict.variant_id,
            verdict.arm,
            verdict.channel,
            verdict.language,
            _json(candidate.facts) if candidate.facts else "{}",
            verdict.points,
            verdict.status,
            verdict.reason,
            verdict.detail[:300],
            verdict.due_at,
        )


_json = DjangoJSONEncoder().encode
