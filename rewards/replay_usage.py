"""What rules have given already, as a replay goes along: the questions of ``usage.Usage``, answered from memory."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import connection

from members.kinds import daily_limits
from rewards.terms import Rule, Terms
from rewards.usage import Usage

if TYPE_CHECKING:
    from rewards.replay import Period


class ReplayUsage(Usage):
    """The allowances of a replayed period: first what was given outside it, then also what the replay gives."""

    def __init__(
        self, terms: Terms, known: Terms, period: "Period", *, members: Sequence[int], last_id: int
    ) -> None:
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
        if members:
            self._read_offers([rule for rule in terms.rules if rule.needs_activation], members)
            self._read_other_spending(terms, period, last_id)
            self._read_other_kinds(period, last_id)

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

    def _read_other_spending(self, terms: Terms, period: "Period", last_id: int) -> None:
        """What was taken of budgets by activities outside the period."""
        rule_of = {
            id_: rule.rule_id
            for rule in terms.rules
            if rule.budget is not None
            for id_ in self.revisions.get(rule.rule_id, ())
        }
        if not rule_of:
            return
        with connection.cursor() as cursor:
            cursor.execute(_SPENT, [list(rule_of), last_id, period.starts_at, period.ends_at])
            for revision_id, points in cursor.fetchall():
                rule_id = rule_of[revision_id]
                self._budgets[rule_id] = self._budgets.get(rule_id, 0) + points

    def _read_other_kinds(self, period: "Period", last_id: int) -> None:
        """Rewarded activities of limited kinds on the days on which the period begins and ends."""
        if not self._limits:
            return
        day = dt.timedelta(days=2)
        edges = [period.starts_at - day, period.starts_at, period.ends_at, period.ends_at + day]
        with connection.cursor() as cursor:
            cursor.execute(_REWARDED, [list(self._limits), last_id, *edges])
            for member_id, kind, occurred_at in cursor.fetchall():
                self._kinds[member_id, kind].append(occurred_at)


_SPENT = """
SELECT t.rule_revision_id, sum(CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END)::bigint
FROM rewards_transfer t JOIN members_activity a ON a.id = t.activity_id
WHERE t.rule_revision_id = ANY(%s) AND a.id < %s AND NOT (a.occurred_at >= %s AND a.occurred_at < %s)
GROUP BY t.rule_revision_id
"""

_REWARDED = """
SELECT a.member_id, a.kind_id, a.occurred_at FROM members_activity a
WHERE a.kind_id = ANY(%s) AND a.id < %s
  AND (a.occurred_at >= %s AND a.occurred_at < %s OR a.occurred_at >= %s AND a.occurred_at < %s)
  AND EXISTS (SELECT 1 FROM rewards_transfer t WHERE t.activity_id = a.id AND t.reverses_id IS NULL)
"""
