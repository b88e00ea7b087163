"""What a backtest found, gathered activity by activity, and told as plain JSON. Pure but for looks at the ledger."""

import datetime as dt
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from members.models import Member
from rewards import tiers
from rewards.backtest_liability import Liability
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
        self.liability = Liability(self.period, known=known, drafted=self.drafted)
        self._heaps: dict[tuple[tuple[str, bool], ...], list[tuple[int, int, Judged]]] = {}

    # --- Counting -----------------------------------------------------------------------------------------------------

    def add(self, judged: Iterable[Judged]) -> None:
        for each in judged:
            self._add(each)

    def _add(self, each: Judged) -> None:
        self.activities += 1
        self.liability.active(each.activity.member_id, each.activity.occurred_at)
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
        self.liability.point(member_id, rule.wallet_id, at, points, new=new)

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
        liability = Pair(*self.liability.found())
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
