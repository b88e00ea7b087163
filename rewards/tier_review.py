"""The review of tiers: every member's judged afresh, up or down; nightly, by hand, or under new terms.

How a tier is judged stands in ``tier_rules``, how the amount is summed in ``tier_sums``. Called by the nightly task
and by whoever changes tiers by hand or by new terms; ``judge`` alone by previews.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from loyalty.events import bus
from members.models import Member, TierChange
from members.tiers import Stay, TierMove, mark_reviewed, move
from rewards import ledger, terms, tier_sums
from rewards.terms import Terms, TierRules
from rewards.tier_rules import (
    Amount,
    Decision,
    Downgrade,
    Held,
    Hold,
    decide,
    look,
)
from rewards.tier_sums import Ask, Known
from rewards.tiers import announcement, calendars_of, last_known

Reason = TierChange.Reason


@dataclass(frozen=True, slots=True)
class ReviewBatch:
    """One step of the review: go on after ``last_member_id`` until it is None."""

    last_member_id: int | None
    reviewed: int
    changed: int


@dataclass(frozen=True, slots=True)
class State:
    """A member's tier as a review finds it: what is held, when it was last judged, and the hold that ended since."""

    member_id: int
    held: Held
    as_of: dt.datetime
    ended_hold_id: int | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a review makes of a member: the decision, and the amount it rests on."""

    state: State
    decision: Decision
    amount: Amount


_STATES = """
SELECT m.id, m.tier_id, m.tier_as_of, hold.id, hold.tier_id, hold.kind, hold.set_at, ended.id,
       CASE WHEN last.reason = 'stepped' THEN last.changed_at END
FROM members_member m
LEFT JOIN LATERAL (
    SELECT h.id, h.tier_id, h.kind, h.set_at FROM members_tierhold h
    WHERE h.member_id = m.id AND h.ended_at IS NULL AND (h.until IS NULL OR h.until > %(at)s)
) hold ON true
LEFT JOIN LATERAL (
    SELECT h.id FROM members_tierhold h
    WHERE h.member_id = m.id AND least(h.ended_at, h.until) > m.tier_as_of AND least(h.ended_at, h.until) <= %(at)s
    ORDER BY h.id DESC LIMIT 1
) ended ON hold.id IS NULL
LEFT JOIN LATERAL (
    SELECT c.reason, c.changed_at FROM members_tierchange c WHERE c.member_id = m.id ORDER BY c.id DESC LIMIT 1
) last ON %(steps)s
WHERE m.id = ANY(%(members)s) ORDER BY m.id
"""


def review(*, at: dt.datetime, after_member_id: int = 0, limit: int = 1000) -> ReviewBatch:
    """Judge the tiers of the next ``limit`` members afresh, up or down, in one transaction."""
    with transaction.atomic():
        members = members_after(after_member_id, limit)
        if not members:
            return ReviewBatch(None, 0, 0)
        changed = review_members(members, at=at)
        return ReviewBatch(members[-1], len(members), changed)


def members_after(member_id: int, limit: int) -> list[int]:
    """The next members whose tiers are judged, in order."""
    current = Member.objects.filter(pk__gt=member_id).exclude(status=Member.Status.ERASED).order_by("pk")
    return list(current.values_list("pk", flat=True)[:limit])


def review_member(member_id: int, *, at: dt.datetime) -> bool:
    """Judge one member's tier afresh (after new terms, or when staff ask); True when it changed."""
    with transaction.atomic():
        return bool(review_members([member_id], at=at))


def review_members(members: Sequence[int], *, at: dt.datetime) -> int:
    """Lock, sum, move those whose tier is another one now, mark the others as reviewed; how many moved.

    Runs inside the caller's transaction.
    """
    known = terms.current()
    rules = known.tiers_at(at)
    ledger.lock(members, [known.default_wallet_id])
    judged = judge(members, rules, known, at=at)
    last = last_known(members, rules.basis)
    moves = [
        _move_of(each, rules, last[each.state.member_id], at=at) for each in judged if each.decision.changed
    ]
    stays = [each.state.member_id for each in judged if not each.decision.changed]
    move(moves, at=at)
    mark_reviewed([_stay_of(member_id, last[member_id]) for member_id in stays], at=at)
    bus.announce_many([announcement(each, known, at=at) for each in moves])
    return len(moves)


def judge(members: Sequence[int], rules: TierRules, known: Terms, *, at: dt.datetime) -> list[Judged]:
    """What the review would make of members under these rules; reads only. The rules may be a draft."""
    states = _read_states(members, rules, at=at)
    calendars = calendars_of(members, known, [rules])
    asks = [
        Ask(each.member_id, rules.basis, look(rules, at, calendars[each.member_id], open_end=True))
        for each in states
    ]
    counted = tier_sums.amounts(asks, currency=known.base_currency)
    return [
        Judged(each, decide(rules, each.held, amount, at=at, calendar=calendars[each.member_id]), amount)
        for each, amount in zip(states, counted, strict=True)
    ]


def _read_states(members: Sequence[int], rules: TierRules, *, at: dt.datetime) -> list[State]:
    with connection.cursor() as cursor:
        steps = rules.downgrade == Downgrade.ONE_STEP
        cursor.execute(_STATES, {"at": at, "steps": steps, "members": list(members)})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    found = []
    for member_id, tier_id, as_of, hold_id, held_tier, kind, set_at, ended_id, stepped_at in rows:
        hold = Hold(held_tier, kind, set_at, hold_id) if hold_id else None
        found.append(State(member_id, Held(tier_id, hold, stepped_at), as_of, ended_id))
    return found


def _move_of(each: Judged, rules: TierRules, last: Known, *, at: dt.datetime) -> TierMove:
    state, decision = each.state, each.decision
    reason, hold_id = decision.reason, None
    if reason == Reason.BY_HAND and state.held.hold is not None:
        hold_id = state.held.hold.hold_id
    elif state.ended_hold_id:
        reason, hold_id = Reason.HOLD_ENDED, state.ended_hold_id
    elif state.as_of < rules.valid_from <= at:
        reason = Reason.TERMS
    return TierMove(
        member_id=state.member_id,
        from_tier_id=state.held.tier_id,
        to_tier_id=decision.level.tier_id,
        reason=reason,
        qualifying_points=int(each.amount),
        transfer_id=last.transfer_id or 0,
        activity_id=last.activity_id or 0,
        refund_id=last.refund_id or 0,
        basis=rules.basis,
        hold_id=hold_id,
    )


def _stay_of(member_id: int, last: Known) -> Stay:
    return Stay(member_id, last.transfer_id or 0, last.activity_id or 0, last.refund_id or 0)
