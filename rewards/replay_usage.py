"""What rules have given already, as a replay goes along: the questions of ``usage.Usage``, answered from memory."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from members.kinds import daily_limits
from rewards.replay_reading import Place, Recorded, fetch
from rewards.terms import Rule, Terms
from rewards.usage import Usage

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something in the ledger, beside the activities of the period, that changes what others may still be given."""

    transfer_id: int
    posted_at: dt.datetime
    happen: Callable[[], None]
    activity_id: int | None = None
    """The activity that was being recorded, if any."""

    def is_before(self, place: Place) -> bool:
        return place.is_after(self.transfer_id, self.posted_at, self.activity_id)


class ReplayUsage(Usage):
    """The allowances of a replayed period: what was given outside it, as it was given, and what the replay gives.

    The caller lets the ``happenings`` happen when it comes to them.
    """

    def __init__(self, terms: Terms, known: Terms, recorded: Recorded) -> None:
        self.zone = terms.time_zone
        self.revisions = known.revision_ids
        self._given: dict[tuple[int, int], list[tuple[dt.datetime, int]]] = defaultdict(list)
        self._budgets: dict[int, int] = {}
        self._activated: dict[tuple[int, int], dt.datetime] = {}
        self._kinds: dict[tuple[int, str], list[dt.datetime]] = defaultdict(list)
        self.spent: dict[int, int] = defaultdict(int)
        self._limits = daily_limits()
        self.limited = terms.limited_rule_ids
        self.revision_ids = [id_ for rule_id in self.limited for id_ in known.revision_ids.get(rule_id, ())]
        self.happenings: list[Happening] = []
        if recorded.members:
            self._read_offers([rule for rule in terms.rules if rule.needs_activation], recorded.members)
            self._read_other_spending(terms, known, recorded)
            self._read_other_kinds(recorded)
        self.happenings.sort(key=lambda each: each.transfer_id)

    def given(self, member_id: int, rule_id: int, at: dt.datetime, points: int) -> None:
        """Note points that an activity outside the period got from a rule, or gave back."""
        entries = self._given[member_id, rule_id]
        if points > 0:
            entries.append((at, points))
            return
        self._take(entries, at, -points)

    def taken_back(self, member_id: int, rule: Rule, at: dt.datetime, points: int) -> None:
        """Points that the replay gave come back: caps and budget are free again by so much."""
        if rule.rule_id in self.limited:
            self._take(self._given[member_id, rule.rule_id], at, points)
        if rule.budget is not None:
            self.spent[rule.rule_id] -= points

    @staticmethod
    def _take(entries: list[tuple[dt.datetime, int]], at: dt.datetime, points: int) -> None:
        for place, (moment, left) in enumerate(entries):
            if moment == at and left > 0 and points:
                part = min(left, points)
                entries[place] = (moment, left - part)
                points -= part

    # --- What happened outside the period -----------------------------------------------------------------------------

    def _read_other_spending(self, terms: Terms, known: Terms, recorded: Recorded) -> None:
        """What other activities took of budgets: at once what they took before the period was recorded, else in turn.

        A revision without a budget took nothing of it, as at the till.
        """
        limited = {rule.rule_id for rule in terms.rules if rule.budget is not None}
        rule_of = {
            rule.revision_id: rule.rule_id
            for rule in known.rules
            if rule.rule_id in limited and rule.budget is not None
        }
        if not rule_of or recorded.since is None or recorded.until is None:
            return
        period = [recorded.period.starts_at, recorded.period.ends_at]
        early, late = recorded.since - _DAY, recorded.until + _DAY  # clocks of two servers differ by less
        for revision_id, points in fetch(_SPENT_BEFORE, [list(rule_of), early, *period]):
            rule_id = rule_of[revision_id]
            self._budgets[rule_id] = self._budgets.get(rule_id, 0) + points
        for id_, posted_at, revision_id, points, activity_id in fetch(
            _SPENT_MEANWHILE, [list(rule_of), early, late, *period]
        ):
            happen = partial(self._spend, rule_of[revision_id], points)
            self.happenings.append(Happening(id_, posted_at, happen, activity_id))

    def _spend(self, rule_id: int, points: int) -> None:
        self._budgets[rule_id] = self._budgets.get(rule_id, 0) + points

    def _read_other_kinds(self, recorded: Recorded) -> None:
        """Rewarded activities of limited kinds on the days on which the period begins and ends."""
        if not self._limits:
            return
        starts_at, ends_at = recorded.period.starts_at, recorded.period.ends_at
        edges = [starts_at - 2 * _DAY, starts_at, ends_at, ends_at + 2 * _DAY]
        for id_, posted_at, activity_id, member_id, kind, at in fetch(
            _REWARDED, [list(self._limits), *edges]
        ):
            happen = partial(self._kinds[member_id, kind].append, at)
            self.happenings.append(Happening(id_, posted_at, happen, activity_id))


_OUTSIDE = "NOT (a.occurred_at >= %s AND a.occurred_at < %s)"
_SPENT_BEFORE = f"""
SELECT t.rule_revision_id, sum(CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END)::bigint
FROM rewards_transfer t JOIN members_activity a ON a.id = t.activity_id
WHERE t.rule_revision_id = ANY(%s) AND t.posted_at < %s AND {_OUTSIDE}
GROUP BY t.rule_revision_id
"""  # noqa: S608

_SPENT_MEANWHILE = f"""
SELECT t.id, t.posted_at, t.rule_revision_id, CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END,
       CASE WHEN t.reverses_id IS NULL THEN t.activity_id END
FROM rewards_transfer t JOIN members_activity a ON a.id = t.activity_id
WHERE t.rule_revision_id = ANY(%s) AND t.posted_at >= %s AND t.posted_at <= %s AND {_OUTSIDE}
"""  # noqa: S608

_REWARDED = """
SELECT min(t.id), min(t.posted_at), a.id, a.member_id, a.kind_id, a.occurred_at
FROM members_activity a JOIN rewards_transfer t ON t.activity_id = a.id AND t.reverses_id IS NULL
WHERE a.kind_id = ANY(%s)
  AND (a.occurred_at >= %s AND a.occurred_at < %s OR a.occurred_at >= %s AND a.occurred_at < %s)
GROUP BY a.id
"""
