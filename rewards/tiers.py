"""Tiers: which one a member held at a purchase, promotion at once, and the nightly review of the rest.

The tier held at a moment is the higher of what the history says (a tier is kept until the nightly review takes it)
and what the qualifying points of the window up to that moment give; so a late or imported purchase is judged as it
would have been then. Called by ``earning`` (under the members' account locks) and by the nightly task.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from loyalty.events import bus
from loyalty.prepared import fetch_prepared
from members.models import TierChange
from members.tiers import TierMove, mark_reviewed, move
from rewards import ledger, terms
from rewards.terms import Level, Terms, TierRules


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment at which a member's tier is asked for."""

    member_id: int
    at: dt.datetime


@dataclass(slots=True)
class Standing:
    """What is known of a member's tier under lock, kept up to date while a batch is judged.

    ``now`` is the sum of qualifying points in the window that ends now; ``then`` the sums at past moments asked for.
    ``fresh`` are the qualifying points granted in this batch, not yet in the sums read from the ledger.
    """

    tier_id: int
    since: dt.datetime
    now: int = 0
    then: dict[dt.datetime, int] = field(default_factory=dict)
    history: tuple[tuple[dt.datetime, int], ...] = ()
    fresh: list[tuple[dt.datetime, int]] = field(default_factory=list)


_SUMS = """
SELECT m.id, m.tier_id, m.tier_since, asked.at, asked.until, (
    SELECT coalesce(sum(CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END), 0)
    FROM rewards_transfer t
    WHERE t.member_id = m.id AND t.qualifies_at > asked.since
      AND (asked.until IS NULL OR t.qualifies_at <= asked.until)
)::bigint, (SELECT terms_version FROM loyalty_programme WHERE id = 1)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[]) AS asked(member_id, at, since, until)
JOIN members_member m ON m.id = asked.member_id
"""


def standings(
    members: Iterable[int], moments: Iterable[Moment], *, at: dt.datetime
) -> tuple[dict[int, Standing], Terms]:
    """The standing of each member now and at the moments asked for, and the terms in force; usually one statement.

    Call under the members' account locks: then no other transaction changes what is read here.
    """
    asked = list(dict.fromkeys(moments))
    known = terms.kept()
    rows = _read_sums(members, asked, known, at=at)
    if rows[0][-1] != known.version:
        known = terms.current(rows[0][-1])
        rows = _read_sums(members, asked, known, at=at)
    found: dict[int, Standing] = {}
    for member_id, tier_id, since, moment, until, points, _version in rows:
        standing = found.setdefault(member_id, Standing(tier_id, since))
        if until is None:
            standing.now = points
        else:
            standing.then[moment] = points
    _read_history(found, asked)
    return found, known


def _read_sums(
    members: Iterable[int], asked: Sequence[Moment], known: Terms, *, at: dt.datetime
) -> list[tuple[Any, ...]]:
    """Sums up to each moment asked for, and (``until`` empty) for each member of the window that ends now."""
    present = at - known.tiers_at(at).window
    rows: list[tuple[Any, ...]] = [(member_id, at, present, None) for member_id in members]
    rows += [(each.member_id, each.at, each.at - known.tiers_at(each.at).window, each.at) for each in asked]
    return fetch_prepared(_SUMS, [list(column) for column in zip(*rows, strict=True)])


def _read_history(found: Mapping[int, Standing], asked: Iterable[Moment]) -> None:
    """Past tiers, only of members asked about at a moment before they got the tier they hold."""
    early = {each.member_id for each in asked if each.at < found[each.member_id].since}
    if not early:
        return
    changes: dict[int, list[tuple[dt.datetime, int]]] = defaultdict(list)
    rows = TierChange.objects.filter(member_id__in=early).order_by("member_id", "id")
    for member_id, changed_at, tier_id in rows.values_list("member_id", "changed_at", "to_tier_id"):
        changes[member_id].append((changed_at, tier_id))
    for member_id, history in changes.items():
        found[member_id].history = tuple(history)


def held(standing: Standing, rules: TierRules, at: dt.datetime) -> Level:
    """The tier held at a moment that was asked for: by history or by points, whichever is higher."""
    earlier = sum(points for moment, points in standing.fresh if at - rules.window < moment <= at)
    by_points = rules.due(standing.then[at] + earlier)
    by_history = _level_in_history(standing, rules, at)
    return max(by_points, by_history, key=lambda level: level.threshold)


def _level_in_history(standing: Standing, rules: TierRules, at: dt.datetime) -> Level:
    if standing.since <= at:
        return rules.level_of(standing.tier_id)
    before = [tier_id for changed_at, tier_id in standing.history if changed_at <= at]
    return rules.level_of(before[-1]) if before else rules.levels[0]


def promotions(
    found: Mapping[int, Standing], transfer_ids: Mapping[int, int], known: Terms, *, at: dt.datetime
) -> list[TierMove]:
    """Which members have reached a higher tier, of those just granted points; ``transfer_ids``: the last of each."""
    rules = known.tiers_at(at)
    moves = []
    for member_id, transfer_id in transfer_ids.items():
        standing = found[member_id]
        qualifying = standing.now + sum(
            points for moment, points in standing.fresh if moment > at - rules.window
        )
        due = rules.due(qualifying)
        if due.threshold > rules.level_of(standing.tier_id).threshold:
            moves.append(
                TierMove(
                    member_id=member_id,
                    from_tier_id=standing.tier_id,
                    to_tier_id=due.tier_id,
                    reason=TierChange.Reason.PROMOTED,
                    qualifying_points=qualifying,
                    transfer_id=transfer_id,
                )
            )
    return moves


def announcement(each: TierMove, known: Terms, *, at: dt.datetime) -> bus.Announcement:
    """The announcement of a move."""
    return bus.Announcement(
        name="tier.changed",
        member_id=each.member_id,
        at=at,
        facts={
            "from": known.tier_names[each.from_tier_id][0],
            "to": known.tier_names[each.to_tier_id][0],
            "reason": each.reason,
        },
    )


# --- The nightly review -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReviewBatch:
    """One step of the review: go on after ``last_member_id`` until it is None."""

    last_member_id: int | None
    reviewed: int
    changed: int


_REVIEW = """
SELECT m.id, m.tier_id, (
    SELECT coalesce(sum(CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END), 0)
    FROM rewards_transfer t WHERE t.member_id = m.id AND t.qualifies_at > %s
)::bigint, (SELECT coalesce(max(t.id), 0) FROM rewards_transfer t WHERE t.member_id = m.id)
FROM members_member m WHERE m.id = ANY(%s) ORDER BY m.id
"""


def review(*, at: dt.datetime, after_member_id: int = 0, limit: int = 1000) -> ReviewBatch:
    """Judge the tiers of the next ``limit`` members afresh, up or down, in one transaction."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM members_member WHERE id > %s AND status <> 'erased' ORDER BY id LIMIT %s",
                [after_member_id, limit],
            )
            members = [row[0] for row in cursor.fetchall()]
        if not members:
            return ReviewBatch(None, 0, 0)
        moves, judged = _judge(members, at=at)
        return ReviewBatch(members[-1], len(judged) + len(moves), len(moves))


def review_member(member_id: int, *, at: dt.datetime) -> bool:
    """Judge one member's tier afresh (after new terms, or when staff ask); True when it changed."""
    with transaction.atomic():
        moves, _judged = _judge([member_id], at=at)
        return bool(moves)


def _judge(members: list[int], *, at: dt.datetime) -> tuple[list[TierMove], list[tuple[int, int]]]:
    """Lock, sum, move those whose tier is another one now, and mark the others as reviewed."""
    known = terms.current()
    rules = known.tiers_at(at)
    ledger.lock(members, [known.default_wallet_id])
    with connection.cursor() as cursor:
        cursor.execute(_REVIEW, [at - rules.window, members])
        rows = cursor.fetchall()
    moves, judged = [], []
    for member_id, tier_id, qualifying, transfer_id in rows:
        due = rules.due(qualifying)
        if due.tier_id == tier_id:
            judged.append((member_id, transfer_id))
        else:
            reason = TierChange.Reason.REVIEWED
            moves.append(TierMove(member_id, tier_id, due.tier_id, reason, qualifying, transfer_id))
    move(moves, at=at)
    mark_reviewed(judged, at=at)
    bus.announce_many([announcement(each, known, at=at) for each in moves])
    return moves, judged
