"""The main way through the house: an activity is recorded, judged by the rules, and its points posted, in one go.

Called by the API (one activity), the batch endpoint, the import and the demo's seed data (many). One transaction and
a handful of statements, however many activities; no query per rule or per line.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import models, transaction

from loyalty.events import bus
from members import activities
from members import tiers as member_tiers
from members.activities import ActivityConflict, NewActivity, Recorded
from rewards import facts, judgements, ledger, rules, terms, tiers
from rewards.case import Case
from rewards.facts import Asked
from rewards.ledger import Active, Balance, Grant, Why
from rewards.models import Transfer
from rewards.models.ledger import AccountKind
from rewards.rules import Verdict
from rewards.terms import Terms
from rewards.tiers import Moment
from rewards.usage import Usage

__all__ = [
    "ActivityConflict",
    "Outcome",
    "Reason",
    "reasons_of",
    "record_and_reward",
    "record_and_reward_many",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """Points that one rule gave for an activity. ``names`` are the rule's, by language."""

    rule: str
    points: int
    pending: bool
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an activity: the points it gave and why, and the member's balance and tier afterwards."""

    activity_id: UUID
    external_id: str
    member_id: int
    replayed: bool
    reasons: tuple[Reason, ...]
    balance: Balance
    tier_code: str
    tier_names: Mapping[str, str]

    @property
    def available(self) -> int:
        return sum(reason.points for reason in self.reasons if not reason.pending)

    @property
    def pending(self) -> int:
        return sum(reason.points for reason in self.reasons if reason.pending)


def record_and_reward(new: NewActivity, *, at: dt.datetime) -> Outcome:
    """Record an activity and give its points; a replay gives the first answer's reasons with today's balance.

    Raises ActivityConflict when the partner's external id stands for another activity; nothing is written then.
    """
    (answer,) = record_and_reward_many([new], at=at)
    if isinstance(answer, ActivityConflict):
        raise answer
    return answer


def record_and_reward_many(
    items: Sequence[NewActivity], *, at: dt.datetime
) -> list[Outcome | ActivityConflict]:
    """Record activities and give their points, in the order given, all or none; one answer for each.

    Each is judged at its own ``occurred_at``, by what was recorded before it. Conflicts are answers, not errors: the
    other activities stand. Parallel callers with the same member wait for each other at the member's accounts.
    """
    if not items:
        return []
    with transaction.atomic(savepoint=False):
        recorded = activities.record_many(items, at=at)
        batch = _Batch(items, recorded, at=at)
        if batch.members:
            batch.judge()
            batch.post()
        return batch.answers()


class _Batch:
    """Activities on their way: what was recorded, the locked books, the standings, and the reasons found."""

    def __init__(
        self,
        items: Sequence[NewActivity],
        recorded: Sequence[Recorded | ActivityConflict],
        *,
        at: dt.datetime,
    ) -> None:
        self.items, self.recorded, self.at = items, recorded, at
        pairs = list(zip(items, recorded, strict=True))
        self.members = {item.member_id for item, answer in pairs if isinstance(answer, Recorded)}
        self.fresh = [
            (item, answer) for item, answer in pairs if isinstance(answer, Recorded) and not answer.replayed
        ]
        self.reasons: dict[int, tuple[Reason, ...]] = {}
        self.balances: dict[int, Balance] = {}
        self.tier_ids: dict[int, int] = {}
        self.judgements: list[tuple[int, int, Sequence[Verdict]]] = []

    def judge(self) -> None:
        """Lock the members' accounts, then plan what each activity gives, in order."""
        self.books = ledger.lock(self.members, terms.kept().wallet_ids)
        moments = [Moment(item.member_id, item.occurred_at) for item, _answer in self.fresh]
        recording = [answer.id for _item, answer in self.fresh]
        self.standings, self.terms = tiers.standings(self.members, moments, at=self.at, recording=recording)
        if not self.books.covers(self.terms.wallet_ids):
            self.books = ledger.lock(self.members, self.terms.wallet_ids)
        more = facts.gather([Asked(answer.id, item) for item, answer in self.fresh], terms=self.terms)
        items = [item for item, _answer in self.fresh]
        cases = [Case.before_tiers(item, facts_) for item, facts_ in zip(items, more, strict=True)]
        self.usage = Usage(self.terms, items, cases=cases)
        for (_item, answer), case in zip(self.fresh, cases, strict=True):
            self._judge_one(case, answer)

    def _judge_one(self, case: Case, answer: Recorded) -> None:
        item = case.activity
        standing = self.standings[item.member_id]
        level = tiers.held(standing, self.terms.tiers_at(item.occurred_at), item.occurred_at)
        verdicts = rules.evaluate(
            case.under(level), rules=self.terms.rules_at(item.occurred_at), allowances=self.usage
        )
        granted = [verdict for verdict in verdicts if verdict.granted]
        for verdict in granted:
            ledger.plan_grant(self.books, grant_of(verdict, item, self.terms, activity_id=answer.id))
            if verdict.rule.qualifying:
                standing.fresh.append((item.occurred_at, verdict.granted))
        standing.note_purchase(item, self.terms.base_currency)
        if granted:
            self.usage.rewarded(item)
        self.judgements.append((answer.id, level.tier_id, verdicts))
        self.reasons[answer.id] = tuple(reason_of(verdict, item) for verdict in granted)
        self.balances[answer.id] = self.books.balance(item.member_id, self.terms.default_wallet_id)

    def post(self) -> None:
        """Write what was planned, promote who is due, and announce it all."""
        self.usage.save()
        judgements.save(self.judgements)
        last_transfer = self._last_transfers(ledger.write(self.books, at=self.at))
        active = [Active(item.occurred_at, answer.id, item.member_id) for item, answer in self.fresh]
        ledger.keep_alive(active, books=self.books, known=self.terms, at=self.at)
        moves = tiers.promotions(self.standings, last_transfer, self.terms, at=self.at)
        member_tiers.move(moves, at=self.at)
        self.tier_ids = {member_id: standing.tier_id for member_id, standing in self.standings.items()}
        self.tier_ids |= {move.member_id: move.to_tier_id for move in moves}
        told = [told for item, answer in self.fresh for told in self._announcements(item, answer)]
        bus.announce_many([*told, *(tiers.announcement(move, self.terms, at=self.at) for move in moves)])

    def _last_transfers(self, ids: Sequence[int]) -> dict[int, int]:
        """The last transfer written for each member."""
        planned = self.books.written
        return {transfer.member_id: id_ for id_, transfer in zip(ids, planned, strict=True)}

    def _announcements(self, item: NewActivity, answer: Recorded) -> Iterator[bus.Announcement]:
        points = sum(reason.points for reason in self.reasons[answer.id])
        facts = {
            "activity": str(answer.public_id),
            "kind": item.kind,
            "total": str(item.total),
            "points": points,
        }
        if item.referral_code:
            facts["referral_code"] = item.referral_code
        told_once = {"fingerprints": dict(item.fingerprints)} if item.fingerprints else {}
        for name, more in (("activity.recorded", told_once), ("points.earned", {}))[: 2 if points else 1]:
            yield bus.Announcement(
                name=name,
                member_id=item.member_id,
                partner_id=item.partner_id,
                at=item.occurred_at,
                facts=facts | more,
            )

    def answers(self) -> list[Outcome | ActivityConflict]:
        """The answer for each item, in order; replays are given the reasons of the first time."""
        replayed = [a.id for a in self.recorded if isinstance(a, Recorded) and a.id not in self.reasons]
        self.reasons |= reasons_of(replayed) if replayed else {}
        return [
            self._outcome(item, answer) if isinstance(answer, Recorded) else answer
            for item, answer in zip(self.items, self.recorded, strict=True)
        ]

    def _outcome(self, item: NewActivity, answer: Recorded) -> Outcome:
        code, names = self.terms.tier_names[self.tier_ids[item.member_id]]
        now = self.books.balance(item.member_id, self.terms.default_wallet_id)
        return Outcome(
            activity_id=answer.public_id,
            external_id=item.external_id,
            member_id=item.member_id,
            replayed=answer.replayed,
            reasons=self.reasons.get(answer.id, ()),
            balance=now if answer.replayed else self.balances[answer.id],
            tier_code=code,
            tier_names=names,
        )


def grant_of(verdict: Verdict, item: NewActivity, known: Terms, *, activity_id: int | None) -> Grant:
    """The grant that a verdict on an activity comes to, under the terms of the activity's time."""
    rule = verdict.rule
    return Grant(
        member_id=item.member_id,
        wallet_id=rule.wallet_id,
        points=verdict.granted,
        occurred_at=item.occurred_at,
        expires_at=known.expires_at(rule.wallet_id, item.occurred_at),
        sliding_policy_id=known.sliding_policy(rule.wallet_id, item.occurred_at),
        why=Why(activity_id=activity_id, rule_revision_id=rule.revision_id),
        qualifies=rule.qualifying,
        pending=rules.is_pending(rule, item.occurred_at),
        available_at=rules.waits_until(rule, item.occurred_at),
    )


def reason_of(verdict: Verdict, item: NewActivity) -> Reason:
    """What a verdict says to the member and the partner."""
    rule = verdict.rule
    return Reason(rule.code, verdict.granted, rules.is_pending(rule, item.occurred_at), rule.names)


def reasons_of(activity_ids: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
    """What rules once gave for activities, by activity id, from the ledger; one statement."""
    given = (
        Transfer.objects.filter(activity_id__in=activity_ids, reverses__isnull=True)
        .values("activity_id", "rule_revision__rule__code", "rule_revision__rule__names")
        .annotate(
            given=models.Sum("points"),
            first=models.Min("pk"),
            waits=models.Max(
                models.Case(models.When(to_account__kind=AccountKind.PENDING, then=1), default=0)
            ),
        )
        .order_by("first")
    )
    found: dict[int, list[Reason]] = defaultdict(list)
    for row in given:
        found[row["activity_id"]].append(
            Reason(
                row["rule_revision__rule__code"],
                row["given"],
                bool(row["waits"]),
                row["rule_revision__rule__names"],
            )
        )
    return {activity_id: tuple(reasons) for activity_id, reasons in found.items()}
