"""What a backtest found, gathered activity by activity, and told as plain JSON. Pure but for one look at the ledger."""

import datetime as dt
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db import connection

from members.models import Member
from rewards import tiers
from rewards.replay import Judged, Period, Replay, TakenBack
from rewards.rules import Verdict
from rewards.terms import Rule, Terms
from rewards.tiers import Moment

STEPS = (1, 10, 100, 1_000, 10_000)
"""The histogram's bounds: members who would have 1 to 9 points more, 10 to 99 …, and the same of points less."""
EXAMPLES = 10
SHOWN_MEMBERS = 10


@dataclass(slots=True)
class Pair:
    """Points as they were, and as they would have been."""

    old: int = 0
    new: int = 0

    def told(self, **more: Any) -> dict[str, Any]:
        return {**more, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class Lot:
    """Points that lie there from ``earned_at`` until they expire."""

    earned_at: dt.datetime
    expires_at: dt.datetime | None
    points: int

    def alive(self, at: dt.datetime) -> bool:
        return self.earned_at <= at and (self.expires_at is None or self.expires_at > at)


def outstanding(lots: Iterable[Lot], spent: Iterable[tuple[dt.datetime, int]], at: dt.datetime) -> int:
    """What is left of lots at a moment once the spending up to then took from the lots that expire first."""
    merged: dict[tuple[dt.datetime, dt.datetime | None], int] = defaultdict(int)
    for lot in lots:
        merged[lot.earned_at, lot.expires_at] += lot.points
    never = dt.datetime.max.replace(tzinfo=dt.UTC)
    order = sorted(merged, key=lambda key: (key[1] or never, key[0]))
    for moment, points in sorted(spent):
        for key in order:
            if points and key[0] <= moment and (key[1] is None or key[1] > moment):
                part = min(points, merged[key])
                merged[key] -= part
                points -= part
    return sum(points for key, points in merged.items() if Lot(*key, points).alive(at))


class Tally:
    """Counts a replay against the ledger. ``known`` are the live terms, ``drafted`` those replayed."""

    def __init__(self, replay: Replay, *, known: Terms) -> None:
        self.period: Period = replay.period
        self.known, self.drafted = known, replay.terms
        self.activities = self.changed = 0
        self.rules: dict[str, Pair] = defaultdict(Pair)
        self.tiers: dict[int, Pair] = defaultdict(Pair)
        self.members: dict[int, Pair] = defaultdict(Pair)
        self.back = Pair()
        self._names: dict[str, Mapping[str, str]] = {}
        self._alive = 0
        self._spending = _spending(self.period)
        self._lots: dict[int, tuple[list[Lot], list[Lot]]] = defaultdict(lambda: ([], []))
        self._heaps: dict[tuple[tuple[str, bool], ...], list[tuple[int, int, Judged]]] = {}

    # --- Counting -----------------------------------------------------------------------------------------------------

    def add(self, judged: Iterable[Judged]) -> None:
        for each in judged:
            self._add(each)

    def _add(self, each: Judged) -> None:
        self.activities += 1
        old: dict[str, int] = {}
        for revision_id, points in each.given.items():
            rule = self.known.revision(revision_id)
            old[rule.code] = old.get(rule.code, 0) + points
            self._point(each.activity.member_id, rule, each.activity.occurred_at, points, new=False)
        new: dict[str, int] = {}
        for verdict in each.verdicts:
            if verdict.granted:
                rule = verdict.rule
                new[rule.code] = new.get(rule.code, 0) + verdict.granted
                self._point(
                    each.activity.member_id, rule, each.activity.occurred_at, verdict.granted, new=True
                )
        self.tiers[each.old_tier_id or each.level.tier_id].old += sum(old.values())
        self.tiers[each.level.tier_id].new += sum(new.values())
        self.members.setdefault(each.activity.member_id, Pair())
        if old != new:
            self.changed += 1
            self._consider(each, old, new)

    def take_back(self, taken: Iterable[TakenBack]) -> None:
        """Refunds: points of the period that came back later."""
        for each in taken:
            rule = self.known.revision(each.revision_id)
            self.back.old += each.points
            self._point(each.member_id, rule, each.occurred_at, -each.points, new=False, of_rule=False)
            for drafted, points in each.replayed.items():
                self.back.new += points
                self._point(each.member_id, drafted, each.occurred_at, -points, new=True, of_rule=False)

    def _point(
        self, member_id: int, rule: Rule, at: dt.datetime, points: int, *, new: bool, of_rule: bool = True
    ) -> None:
        self._names.setdefault(rule.code, rule.names)
        for pair in (
            (self.rules[rule.code], self.members[member_id]) if of_rule else (self.members[member_id],)
        ):
            if new:
                pair.new += points
            else:
                pair.old += points
        if rule.wallet_id != self.known.default_wallet_id:
            return
        then = self.drafted if new else self.known
        lot = Lot(at, then.expires_at(rule.wallet_id, at), points)
        if member_id in self._spending:
            self._lots[member_id][new].append(lot)
        elif lot.alive(self.period.ends_at):
            self._alive += points if new else -points

    def _consider(self, each: Judged, old: Mapping[str, int], new: Mapping[str, int]) -> None:
        """Keep the activities with the greatest change, a few for each way of changing."""
        change = sum(new.values()) - sum(old.values())
        codes = sorted(code for code in old.keys() | new.keys() if old.get(code, 0) != new.get(code, 0))
        heap = self._heaps.setdefault(
            tuple((code, new.get(code, 0) > old.get(code, 0)) for code in codes), []
        )
        heapq.heappush(heap, (abs(change), -each.id, each))
        if len(heap) > EXAMPLES:
            heapq.heappop(heap)

    # --- Telling ------------------------------------------------------------------------------------------------------

    def result(self, replay: Replay, *, at: dt.datetime, point_value: Decimal) -> dict[str, Any]:
        """Everything found, as JSON. ``at``: now."""
        old = sum(pair.old for pair in self.rules.values()) - self.back.old
        new = sum(pair.new for pair in self.rules.values()) - self.back.new
        standing = outstanding_points(self.period.ends_at, wallet_id=self.known.default_wallet_id)
        liability = Pair(standing, standing + self._change_of_liability())
        return {
            "activities": self.activities,
            "changed": self.changed,
            "points": Pair(old, new).told(),
            "taken_back": self.back.told(),
            "cost": _money(Pair(old, new), point_value),
            "rules": [
                pair.told(rule=code, names=dict(self._names[code]))
                for code, pair in sorted(self.rules.items())
            ],
            "tiers": self._by_tier(),
            "members": self._by_member(),
            "moves": self._moves(replay, at=at),
            "liability": {**liability.told(), "cost": _money(liability, point_value)},
            "examples": [_example(each, self.known) for each in self._examples()],
        }

    def _by_tier(self) -> list[dict[str, Any]]:
        names = self.drafted.tier_names
        ranks = {
            level.tier_id: level.rank
            for rules in (*self.known.tiers, *self.drafted.tiers)
            for level in rules.levels
        }
        return [
            self.tiers[tier_id].told(tier=names[tier_id][0], names=names[tier_id][1])
            for tier_id in sorted(self.tiers, key=lambda tier_id: ranks.get(tier_id, 0))
        ]

    def _by_member(self) -> dict[str, Any]:
        changes = {member_id: pair.new - pair.old for member_id, pair in self.members.items()}
        winners = {member_id: change for member_id, change in changes.items() if change > 0}
        losers = {member_id: change for member_id, change in changes.items() if change < 0}
        return {
            "winners": {"count": len(winners), "points": sum(winners.values())},
            "losers": {"count": len(losers), "points": sum(losers.values())},
            "unchanged": len(changes) - len(winners) - len(losers),
            "histogram": histogram(changes.values()),
            "most": self._extreme(winners, best=True),
            "least": self._extreme(losers, best=False),
        }

    def _extreme(self, changes: Mapping[int, int], *, best: bool) -> list[dict[str, Any]]:
        chosen = sorted(changes.items(), key=lambda pair: (-pair[1] if best else pair[1], pair[0]))[
            :SHOWN_MEMBERS
        ]
        ids = dict(
            Member.objects.filter(pk__in=[id_ for id_, _change in chosen]).values_list("pk", "public_id")
        )
        return [self.members[id_].told(member=id_, id=str(ids[id_])) for id_, _change in chosen]

    def _moves(self, replay: Replay, *, at: dt.datetime) -> list[dict[str, Any]]:
        """Members by the tier they had at the period's end, and the one they would have had."""
        moved: Counter[tuple[int, int]] = Counter()
        members, end = list(self.members), self.period.ends_at
        then = self.known.tiers_at(end)
        for start in range(0, len(members), 1_000):
            part = members[start : start + 1_000]
            found, _terms = tiers.standings(part, [Moment(each, end) for each in part], at=at)
            for member_id in part:
                old = tiers.held(found[member_id], then, end).tier_id
                moved[old, replay.tier_at_end(member_id)] += 1
        code = {tier_id: name[0] for tier_id, name in self.drafted.tier_names.items()}
        return [
            {"from": code[old], "to": code[new], "members": count}
            for (old, new), count in sorted(moved.items())
        ]

    def _change_of_liability(self) -> int:
        """How many more points would have been outstanding at the period's end, with the spending as it was."""
        change, end = self._alive, self.period.ends_at
        others = _other_lots([*self._lots], self.period, wallet_id=self.known.default_wallet_id)
        for member_id, (old, new) in self._lots.items():
            spent, rest = self._spending[member_id], others.get(member_id, [])
            change += outstanding([*rest, *new], spent, end) - outstanding([*rest, *old], spent, end)
        return change

    def _examples(self) -> list[Judged]:
        """Of each way of changing the greatest, then the second greatest …"""
        ranked = [
            [each for _change, _id, each in sorted(heap, key=lambda entry: entry[:2], reverse=True)]
            for heap in sorted(self._heaps.values(), key=lambda heap: -max(entry[0] for entry in heap))
        ]
        found = [ways[place] for place in range(EXAMPLES) for ways in ranked if place < len(ways)]
        return found[:EXAMPLES]


def histogram(changes: Iterable[int]) -> list[dict[str, Any]]:
    """How many members would have how many points more or less: ``from`` and ``to`` inclusive, None beyond the last."""
    bounds = [(low, high - 1) for low, high in pairwise(STEPS)] + [(STEPS[-1], None)]
    bars: list[tuple[int | None, int | None]] = [
        *((None if high is None else -high, -low) for low, high in reversed(bounds)), (0, 0), *bounds
    ]  # fmt: skip
    counts = Counter(
        next(
            bar
            for bar in bars
            if (bar[0] is None or bar[0] <= change) and (bar[1] is None or change <= bar[1])
        )
        for change in changes
    )
    return [{"from": low, "to": high, "members": counts[low, high]} for low, high in bars]


def _money(points: Pair, value: Decimal) -> dict[str, str]:
    return {"old": str(points.old * value), "new": str(points.new * value)}


def _example(each: Judged, known: Terms) -> dict[str, Any]:
    """An activity with what was given, and what would have been, rule by rule."""
    return {
        "activity": each.id,
        "id": str(each.public_id),
        "member": each.activity.member_id,
        "occurred_at": each.activity.occurred_at.isoformat(),
        "total": str(each.activity.total),
        "tier": each.level.code,
        "old_tier": known.tier_names[each.old_tier_id][0] if each.old_tier_id else None,
        "old": [
            {"rule": rule.code, "names": rule.names, "points": points}
            for rule, points in ((known.revision(id_), points) for id_, points in each.given.items())
        ],
        "new": [_told(verdict) for verdict in each.verdicts],
    }


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule.code,
        "names": verdict.rule.names,
        "points": verdict.granted,
        "wanted": verdict.wanted,
        "limit": verdict.limit,
    }


# --- A look at the ledger ---------------------------------------------------------------------------------------------

_OUTSTANDING = """
SELECT coalesce(sum(l.points - coalesce(taken.points, 0)), 0)::bigint
FROM rewards_lot l
JOIN rewards_account a ON a.id = l.account_id AND a.wallet_id = %(wallet)s
JOIN rewards_transfer t ON t.id = l.transfer_id AND t.occurred_at < %(at)s
LEFT JOIN LATERAL (
    SELECT sum(x.points) AS points FROM rewards_allocation x JOIN rewards_transfer by ON by.id = x.transfer_id
    WHERE x.lot_id = l.id AND by.occurred_at < %(at)s
) taken ON true
WHERE l.expires_at IS NULL OR l.expires_at > %(at)s
"""

_SPENT = """
SELECT t.member_id, t.occurred_at, t.points - coalesce(
    (SELECT sum(r.points) FROM rewards_transfer r WHERE r.reverses_id = t.id), 0)
FROM rewards_transfer t JOIN rewards_account f ON f.id = t.from_account_id
WHERE t.member_id IN (SELECT member_id FROM members_activity WHERE occurred_at >= %s AND occurred_at < %s)
  AND t.kind IN ('redeem', 'donate', 'gift', 'adjust') AND f.member_id = t.member_id AND t.occurred_at < %s
"""

_OTHER_LOTS = """
SELECT l.member_id, l.earned_at, l.expires_at, l.points
FROM rewards_lot l JOIN rewards_transfer t ON t.id = l.transfer_id
JOIN rewards_account a ON a.id = l.account_id AND a.wallet_id = %s
LEFT JOIN members_activity x ON x.id = t.activity_id
WHERE l.member_id = ANY(%s) AND t.kind <> 'mature' AND t.occurred_at < %s
  AND NOT coalesce(x.occurred_at >= %s AND x.occurred_at < %s AND t.rule_revision_id IS NOT NULL, false)
"""


def outstanding_points(at: dt.datetime, *, wallet_id: int) -> int:
    """All points, pending ones too, that lay on members' accounts at a moment, by the time at which things happened."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTSTANDING, {"at": at, "wallet": wallet_id})
        return int(cursor.fetchone()[0])


def _spending(period: Period) -> dict[int, list[tuple[dt.datetime, int]]]:
    """What members of the period spent up to its end."""
    found: dict[int, list[tuple[dt.datetime, int]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_SPENT, [period.starts_at, period.ends_at, period.ends_at])
        for member_id, at, points in cursor.fetchall():
            found[member_id].append((at, int(points)))
    return dict(found)


def _other_lots(members: Sequence[int], period: Period, *, wallet_id: int) -> dict[int, list[Lot]]:
    """The lots of members that do not come from the period's activities."""
    found: dict[int, list[Lot]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            _OTHER_LOTS, [wallet_id, list(members), period.ends_at, period.starts_at, period.ends_at]
        )
        for member_id, earned_at, expires_at, points in cursor.fetchall():
            found[member_id].append(Lot(earned_at, expires_at, points))
    return found
