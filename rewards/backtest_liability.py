"""How many points a backtest's terms would have left outstanding at the period's end, with the spending as it was.

Expiry may move with activity: points of a sliding policy last as long as their member is never away for longer than it
says. ``rewards.backtest_report`` tells of each point of the period; the rest is one look at the ledger.
"""

import bisect
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from loyalty import clock
from rewards.replay_reading import Period, fetch
from rewards.terms import Policy, Terms

_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Lot:
    """Points from ``earned_at`` on, that expire at ``expires_at`` unless activity moves that.

    ``policy`` is the sliding one, if any. Of points that lie in the ledger, ``moved_to`` is how far it came there.
    """

    earned_at: dt.datetime
    expires_at: dt.datetime | None
    policy: Policy | None = None
    moved_to: dt.datetime | None = None


@dataclass(slots=True)
class Course:
    """How the expiries of one member's points go along with what the member did, in order of time."""

    active: list[dt.datetime]
    time_zone: str
    _runs: dict[Policy, list[int]] = field(default_factory=dict)

    def expiry(self, lot: Lot, at: dt.datetime) -> dt.datetime | None:
        """When a lot expires, as was known at a moment after it was earned."""
        if lot.policy is None or lot.expires_at is None:
            return lot.expires_at
        last = bisect.bisect_right(self.active, at) - 1
        if lot.moved_to is not None:
            moved = self._after(last, lot.policy) if last >= 0 else lot.expires_at
            return lot.moved_to if lot.moved_to <= at else min(max(lot.expires_at, moved), lot.moved_to)
        first = bisect.bisect_right(self.active, lot.earned_at) - 1
        if first < 0:
            return lot.expires_at
        return max(lot.expires_at, self._after(min(last, self._run(lot.policy)[first]), lot.policy))

    def is_alive(self, lot: Lot, at: dt.datetime) -> bool:
        expires_at = self.expiry(lot, at)
        return lot.earned_at <= at and (expires_at is None or expires_at > at)

    def _after(self, number: int, policy: Policy) -> dt.datetime:
        """When points kept alive by an activity expire."""
        return policy.expires_at(self.active[number], self.time_zone) or _NEVER

    def _run(self, policy: Policy) -> list[int]:
        """For each activity the last that follows without a gap in which all would have expired."""
        if policy not in self._runs:
            runs = list(range(len(self.active)))
            for number in reversed(runs[:-1]):
                if self.active[number + 1] < self._after(number, policy):
                    runs[number] = runs[number + 1]
            self._runs[policy] = runs
        return self._runs[policy]


def outstanding(
    lots: Counter[Lot], spent: Iterable[tuple[dt.datetime, int]], at: dt.datetime, course: Course
) -> int:
    """What is left of lots at a moment once the spending up to then took from the lots that expire first."""
    left = dict(lots)
    slides = any(lot.policy for lot in left)

    def order(moment: dt.datetime) -> list[Lot]:
        return sorted(left, key=lambda lot: (course.expiry(lot, moment) or _NEVER, lot.earned_at))

    ordered = order(at)
    for moment, points in sorted(spent):
        for lot in order(moment) if slides else ordered:
            if points and course.is_alive(lot, moment):
                part = min(points, left[lot])
                left[lot] -= part
                points -= part
    return sum(points for lot, points in left.items() if course.is_alive(lot, at))


class Liability:
    """Gathers the points of a period as the ledger gave them (old) and as the replay gives them (new)."""

    def __init__(self, period: Period, *, known: Terms, drafted: Terms) -> None:
        self._period, self._known, self._drafted = period, known, drafted
        self._wallet_id = known.default_wallet_id
        self._alive = 0
        self._spending = _spending(period)
        self._lots: dict[int, tuple[Counter[Lot], Counter[Lot]]] = defaultdict(lambda: (Counter(), Counter()))
        self._slides = any(
            policy.sliding for then in (known, drafted) for policy in then.policies.get(self._wallet_id, ())
        )
        self._active: dict[int, set[dt.datetime]] = defaultdict(set)

    def active(self, member_id: int, at: dt.datetime) -> None:
        """A member did something. Call for every activity of the period."""
        if self._slides:
            self._active[member_id].add(self._moment(member_id, at))

    def point(self, member_id: int, wallet_id: int, at: dt.datetime, points: int, *, new: bool) -> None:
        """A rule gave a member points at a moment, or (below zero) they were taken back."""
        if wallet_id != self._wallet_id:
            return
        then = self._drafted if new else self._known
        policy = then.policy_at(wallet_id, at)
        expires_at = policy.expires_at(at, then.time_zone) if policy else None
        slides = policy is not None and policy.sliding
        if slides or member_id in self._spending:
            lot = Lot(self._moment(member_id, at), expires_at, policy if slides else None)
            self._lots[member_id][new][lot] += points
        elif expires_at is None or expires_at > self._period.ends_at:
            self._alive += points if new else -points

    def _moment(self, member_id: int, at: dt.datetime) -> dt.datetime:
        """The moment itself where points were spent before or after it, else its day: expiry knows only days."""
        if member_id in self._spending:
            return at
        zone = self._known.time_zone
        return clock.start_of_day(clock.local_date(at, zone), zone)

    def found(self) -> tuple[int, int]:
        """Points outstanding at the period's end: as they are in the ledger, and as they would have been."""
        at_end = outstanding_points(self._period.ends_at, wallet_id=self._wallet_id)
        return at_end, at_end + self._change()

    def _change(self) -> int:
        change, end = self._alive, self._period.ends_at
        spenders = [member_id for member_id in self._lots if member_id in self._spending]
        others = _other_lots(spenders, self._period, self._known)
        for member_id, (old, new) in self._lots.items():
            course = Course(sorted(self._active[member_id]), self._known.time_zone)
            spent, rest = self._spending.get(member_id, ()), others.get(member_id, Counter())
            change += outstanding(_sum(rest, new), spent, end, course)
            change -= outstanding(_sum(rest, old), spent, end, course)
        return change


def _sum(one: Counter[Lot], other: Counter[Lot]) -> Counter[Lot]:
    """Both together, lots of nothing and below included (``+`` would drop them)."""
    found = Counter(one)
    found.update(other)
    return found


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
SELECT l.member_id, l.earned_at, l.expires_at, l.points, l.expiry_policy_id, coalesce(l.granted_expiry, l.expires_at)
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
    for member_id, at, points in fetch(_SPENT, [period.starts_at, period.ends_at, period.ends_at]):
        found[member_id].append((at, int(points)))
    return dict(found)


def _other_lots(members: Sequence[int], period: Period, known: Terms) -> dict[int, Counter[Lot]]:
    """The lots of members that do not come from the period's activities, as they came to expire."""
    sliding = {policy.policy_id: policy for policy in known.sliding_policies}
    found: dict[int, Counter[Lot]] = defaultdict(Counter)
    asked = [known.default_wallet_id, list(members), period.ends_at, period.starts_at, period.ends_at]
    for member_id, earned_at, expires_at, points, policy_id, granted in fetch(_OTHER_LOTS, asked):
        policy = sliding.get(policy_id)
        lot = Lot(earned_at, granted, policy, expires_at) if policy else Lot(earned_at, expires_at)
        found[member_id][lot] += points
    return found
