"""Members as a replay has them: what they had before, and what comes in besides the activities of the period."""

import bisect
import datetime as dt
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from loyalty.runs.models import Run
from members.models import Member, TierChange, TierHold
from rewards.replay_reading import Place, Recorded, fetch
from rewards.rules import Verdict
from rewards.terms import Rule, Terms
from rewards.tier_rules import EVER, Amount, Basis, Calendar, Downgrade, Entry, Hold, Keep, Look, Window
from rewards.tiers import Counted, Standing

REVIEWS = "rewards.review_tiers"
_JUDGED_THEN = (TierChange.Reason.ENROLLED, TierChange.Reason.PROMOTED)


@dataclass(slots=True)
class Entries:
    """What counts towards tiers, in the order of time."""

    times: list[dt.datetime] = field(default_factory=list)
    values: list[Amount] = field(default_factory=list)

    def add(self, at: dt.datetime, value: Amount) -> None:
        place = bisect.bisect_right(self.times, at)
        self.times.insert(place, at)
        self.values.insert(place, value)

    def counted(self, looked: Look) -> Counted:
        """What counts, in the form in which ``tiers`` reads it from the database."""
        if looked.slide is not None:
            return Counted(looked, [], [Entry(*pair) for pair in zip(self.times, self.values, strict=True)])
        return Counted(looked, [self._total(span.since, span.until) for span in looked.spans])

    def _total(self, since: dt.datetime, until: dt.datetime | None) -> Amount:
        first = bisect.bisect_right(self.times, since)
        end = len(self.times) if until is None else bisect.bisect_right(self.times, until)
        return sum(self.values[first:end])


@dataclass(frozen=True, slots=True)
class Arrival:
    """A transfer of a member that the replay does not make itself: older or other points, or points taken back."""

    id: int
    posted_at: dt.datetime
    qualifies_at: dt.datetime | None
    points: int
    revision_id: int | None
    activity_id: int | None
    occurred_at: dt.datetime | None
    of_period: bool

    def is_before(self, place: Place) -> bool:
        granted = self.points > 0
        return place.is_after(self.id, self.posted_at, self.activity_id if granted else None)


@dataclass(frozen=True, slots=True)
class Trade:
    """A purchase outside the period, or (below zero) what a refund took off any purchase: money, and purchases."""

    posted_at: dt.datetime
    occurred_at: dt.datetime
    total: Decimal
    currency: str
    purchases: int
    activity_id: int | None = None
    """The purchase; None for a refund, which has a moment of its own."""

    def is_before(self, place: Place) -> bool:
        return place.is_after(None, self.posted_at, self.activity_id)


@dataclass(slots=True)
class TakenSoFar:
    """An activity of which points were taken back: what the ledger gave, what the replay gave, what went of either."""

    given: Mapping[int, int] = field(default_factory=dict)
    granted: Mapping[Rule, int] = field(default_factory=dict)
    taken: dict[Rule, int] = field(default_factory=dict)
    points: int = 0

    def judged(self, given: Mapping[int, int], verdicts: Sequence[Verdict]) -> None:
        """The replay has come to it."""
        self.given = given
        self.granted = {verdict.rule: verdict.granted for verdict in verdicts if verdict.granted}

    def take(self, revision_id: int | None, points: int) -> dict[Rule, int]:
        """Take back points of a revision: the same where the replay gave the same, else in proportion; by rule."""
        same = {rule.revision_id: value for rule, value in self.granted.items()} == dict(self.given)
        total = sum(self.given.values())
        self.points += points
        back: dict[Rule, int] = {}
        for rule, value in self.granted.items():
            if same:
                due = points if rule.revision_id == revision_id else 0
            else:
                due = value * min(self.points, total) // total - self.taken.get(rule, 0) if total else 0
            if due:
                back[rule] = due
                self.taken[rule] = self.taken.get(rule, 0) + due
        return back


@dataclass(slots=True)
class MemberState:
    """A member as the replay has them."""

    member_id: int
    standing: Standing
    calendar: Calendar
    began_at: dt.datetime
    """When the first of their activities was recorded: what came before shows in their tier already."""
    arrivals: deque[Arrival]
    trades: deque[Trade]
    judged_at: deque[dt.datetime]
    reviewed: int
    amounts: Mapping[str, Entries] = field(
        default_factory=lambda: {basis: Entries() for basis in Basis.values}
    )
    holds: Sequence[tuple[dt.datetime, dt.datetime | None, Hold]] = ()
    stepped_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    """When activities were last recorded whose promotion is still to come, at the end of their batch."""

    @property
    def points(self) -> Entries:
        """The qualifying points."""
        return self.amounts[Basis.POINTS]

    def hold_at(self, at: dt.datetime) -> Hold | None:
        return next(
            (hold for since, until, hold in self.holds if since <= at and (until is None or at < until)), None
        )

    def move(self, tier_id: int, at: dt.datetime) -> None:
        self.standing.tier_id, self.standing.since = tier_id, at
        self.standing.history = (*self.standing.history, (at, tier_id))

    def note_trade(self, at: dt.datetime, total: Decimal, purchases: int) -> None:
        """Count money (in the base currency) and purchases at the time of the purchase."""
        self.amounts[Basis.SPEND].add(at, total)
        self.amounts[Basis.PURCHASES].add(at, purchases)

    def next_before(self, place: Place | None) -> Arrival | Trade | None:
        """Take what came in next before an activity (None: at all), in the order in which it was posted."""
        arrival = self.arrivals[0] if self.arrivals else None
        trade = self.trades[0] if self.trades else None
        if place is not None:
            arrival = arrival if arrival and arrival.is_before(place) else None
            trade = trade if trade and trade.is_before(place) else None
        if trade and (arrival is None or trade.posted_at <= arrival.posted_at):
            return self.trades.popleft()
        return self.arrivals.popleft() if arrival else None


class Background:
    """What the members of a period had besides its activities, read once for all of them in a few statements."""

    def __init__(
        self, recorded: Recorded, *, terms: Terms, known: Terms, revision_ids: Sequence[int], trades: bool
    ) -> None:
        """``revision_ids`` are those whose points caps ask for; ``trades``: whether tiers count money or purchases."""
        self._terms, self._known = terms, known
        self._period = [recorded.period.starts_at, recorded.period.ends_at]
        self.nights = list(
            Run.objects.filter(name=REVIEWS, status=Run.Status.SUCCEEDED)
            .order_by("at")
            .values_list("at", flat=True)
        )
        self.reversals: list[tuple[int, Arrival]] = []
        """Points of the period's activities that were taken back, with whose they were, in the ledger's order."""
        self._arrivals = self._read_arrivals(revision_ids)
        self._changes: dict[int, list[tuple[dt.datetime, int, str]]] = defaultdict(list)
        for member_id, at, tier_id, reason in fetch(_CHANGES, self._period):
            self._changes[member_id].append((at, tier_id, reason))
        self._holds = _read_holds(recorded.members)
        self._joined: dict[int, dt.datetime] = {}
        if any(each.asks_for_joining for each in terms.tiers):
            self._joined = dict(Member.objects.filter(pk__in=recorded.members).values_list("pk", "joined_at"))
        self._trades = self._read_trades(recorded) if trades else {}

    def state(self, member_id: int, recorded_at: dt.datetime) -> MemberState:
        """The member as they were before the first activity of theirs, recorded at ``recorded_at``."""
        changes = self._changes.get(member_id, [])
        before = [each for each in changes if each[0] < recorded_at or each[2] == TierChange.Reason.ENROLLED]
        history = tuple((at, tier_id) for at, tier_id, _reason in before)
        lowest = self._known.tiers_at(recorded_at).levels[0].tier_id
        since, tier_id = history[-1] if history else (EVER, lowest)
        return MemberState(
            member_id=member_id,
            standing=Standing(tier_id, since, history=history),
            calendar=Calendar(self._terms.time_zone, self._joined.get(member_id)),
            began_at=recorded_at,
            arrivals=self._arrivals.get(member_id, deque()),
            trades=self._trades.get(member_id, deque()),
            judged_at=deque(
                at for at, _tier, reason in changes if at >= recorded_at and reason not in _JUDGED_THEN
            ),
            reviewed=bisect.bisect_left(self.nights, recorded_at),
            holds=self._holds.get(member_id, ()),
            stepped_at=before[-1][0] if before and before[-1][2] == TierChange.Reason.STEPPED else None,
        )

    def _read_arrivals(self, revision_ids: Sequence[int]) -> dict[int, deque[Arrival]]:
        since = _since(self._terms, self._period[0])
        found: dict[int, deque[Arrival]] = defaultdict(deque)
        for member_id, *facts in fetch(_ARRIVALS, [since, *self._period, *self._period, since, revision_ids]):
            arrival = Arrival(*facts)
            found[member_id].append(arrival)
            if arrival.of_period:
                self.reversals.append((member_id, arrival))
        return found

    def _read_trades(self, recorded: Recorded) -> dict[int, deque[Trade]]:
        """Purchases outside the period, and all refunds, in the order in which they were recorded."""
        found: dict[int, list[Trade]] = defaultdict(list)
        for member_id, *facts in fetch(
            _BOUGHT, [*self._period, *self._period, recorded.until, recorded.period.ends_at]
        ):
            found[member_id].append(Trade(*facts))
        refunded: dict[int, Decimal] = {}
        for member_id, activity_id, total, posted_at, at, amount, currency in fetch(_REFUNDED, self._period):
            before = refunded.get(activity_id)
            now = refunded[activity_id] = (before or Decimal(0)) + amount
            whole = now >= total and (before is None or before < total)
            found[member_id].append(Trade(posted_at, at, -amount, currency, -int(whole)))
        return {
            member_id: deque(sorted(trades, key=lambda trade: trade.posted_at))
            for member_id, trades in found.items()
        }


def _read_holds(members: Sequence[int]) -> dict[int, list[tuple[dt.datetime, dt.datetime | None, Hold]]]:
    """Tiers set by hand, with the moments between which they held."""
    found: dict[int, list[tuple[dt.datetime, dt.datetime | None, Hold]]] = defaultdict(list)
    for hold in TierHold.objects.filter(member_id__in=members).order_by("pk"):
        ends = [moment for moment in (hold.until, hold.ended_at) if moment]
        found[hold.member_id].append(
            (hold.set_at, min(ends, default=None), Hold(hold.tier_id, hold.kind, hold.set_at, hold.pk))
        )
    return found


def _since(terms: Terms, starts_at: dt.datetime) -> dt.datetime:
    """From when on qualifying points may matter."""
    plain = all(
        each.window_kind == Window.ROLLING
        and each.keep == Keep.NONE
        and each.downgrade != Downgrade.PERIOD_END
        for each in terms.tiers
    )
    return starts_at - max(each.window for each in terms.tiers) if plain else EVER


_OF_PERIOD = "SELECT member_id FROM members_activity WHERE occurred_at >= %s AND occurred_at < %s"
_ARRIVALS = f"""
SELECT member_id, id, posted_at, CASE WHEN qualifies_at > %s THEN qualifies_at END, points,
       revision_id, activity_id, occurred_at, of_period
FROM (
    SELECT t.member_id, t.id, t.posted_at, t.qualifies_at,
           CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END AS points,
           coalesce(t.rule_revision_id, o.rule_revision_id) AS revision_id, a.id AS activity_id, a.occurred_at,
           t.reverses_id IS NOT NULL AND o.rule_revision_id IS NOT NULL AND within AS of_period,
           t.reverses_id IS NULL AND within AS replayed
    FROM rewards_transfer t
    LEFT JOIN rewards_transfer o ON o.id = t.reverses_id
    LEFT JOIN members_activity a ON a.id = coalesce(o.activity_id, t.activity_id)
    CROSS JOIN LATERAL (SELECT coalesce(a.occurred_at >= %s AND a.occurred_at < %s, false) AS within) w
    WHERE t.member_id IN ({_OF_PERIOD}) AND (t.qualifies_at IS NOT NULL OR t.rule_revision_id IS NOT NULL)
) found
WHERE NOT replayed AND (of_period OR qualifies_at > %s OR revision_id = ANY(%s)) ORDER BY id
"""  # noqa: S608

_CHANGES = f"""
SELECT member_id, changed_at, to_tier_id, reason FROM members_tierchange WHERE member_id IN ({_OF_PERIOD}) ORDER BY id
"""  # noqa: S608

_BOUGHT = f"""
SELECT member_id, recorded_at, occurred_at, total, currency, 1, id FROM members_activity
WHERE member_id IN ({_OF_PERIOD}) AND kind_id = 'purchase' AND NOT (occurred_at >= %s AND occurred_at < %s)
  AND (recorded_at <= %s OR occurred_at < %s) ORDER BY id
"""  # noqa: S608

_REFUNDED = f"""
SELECT r.member_id, a.id, a.total, r.recorded_at, a.occurred_at, r.amount, a.currency
FROM rewards_refund r JOIN members_activity a ON a.id = r.activity_id
WHERE r.member_id IN ({_OF_PERIOD}) AND a.kind_id = 'purchase' ORDER BY r.id
"""  # noqa: S608
