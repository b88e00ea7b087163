"""The terms in force at any time (rules, tiers, expiry), read from their tables and remembered by each process.

Terms are revised by date, never edited in place, so a snapshot answers for every moment. ``Programme.terms_version``
counts the revisions: whoever revises calls :func:`revised`, and every process reads the new terms before its next use.
"""

import bisect
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby

from loyalty import clock, conditions
from loyalty.models import Programme
from loyalty.programme import terms_revised
from loyalty.translated import in_language
from members.models import Tier
from members.segments.definition import codes_in
from rewards import expiry
from rewards.models import ExpiryPolicy, RuleRevision, TierTerms, Wallet
from rewards.rule_set import Rule, RuleSet
from rewards.tier_rules import Level, TierRules

__all__ = [
    "Level",
    "Policy",
    "Rule",
    "RuleSet",
    "Terms",
    "TierRules",
    "current",
    "forget",
    "kept",
    "revised",
    "rule_of",
    "tier_rules",
]


@dataclass(frozen=True)
class Policy:
    """An expiry policy from ``valid_from`` on; neither ``months`` nor ``days`` means never.

    Under a ``sliding`` one each activity of the member moves the expiry of what they hold of it.
    """

    valid_from: dt.datetime
    months: int | None
    rounding: str
    days: int | None = None
    sliding: bool = False
    policy_id: int = 0

    def expires_at(self, earned_at: dt.datetime, time_zone: str) -> dt.datetime | None:
        """When points earned (or, sliding, kept alive) at a moment expire."""
        day = clock.local_date(earned_at, time_zone)
        return _of_day(day, self.months, self.days, self.rounding, time_zone)


@dataclass(frozen=True)
class Terms:
    """All terms of all times, as of ``version``."""

    version: int
    time_zone: str
    base_currency: str
    default_wallet_id: int
    all_rules: tuple[Rule, ...]
    tiers: tuple[TierRules, ...]
    policies: dict[int, tuple[Policy, ...]]
    tier_names: dict[int, tuple[str, dict[str, str]]]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The revisions of rules in use, in the order they are judged."""
        return tuple(rule for rule in self.all_rules if rule.is_active)

    @cached_property
    def _by_revision(self) -> dict[int, Rule]:
        return {rule.revision_id: rule for rule in self.all_rules}

    def revision(self, revision_id: int) -> Rule:
        """The rule as of one of its revisions, in use or not."""
        return self._by_revision[revision_id]

    @cached_property
    def wallet_ids(self) -> tuple[int, ...]:
        """The wallets that rules can grant into, and the default one."""
        return tuple(sorted({rule.wallet_id for rule in self.all_rules} | {self.default_wallet_id}))

    def rules_at(self, at: dt.datetime) -> RuleSet:
        """The rules in force at a moment, in the order they are judged."""
        turn = bisect.bisect_right(self._turns, at)
        found = self._between_turns.get(turn)
        if found is None:
            found = self._between_turns[turn] = RuleSet(rule for rule in self.rules if rule.in_force(at))
        return found

    @cached_property
    def _turns(self) -> list[dt.datetime]:
        """The moments at which a rule begins or ends; between two of them the same rules are in force."""
        ends = {rule.valid_to for rule in self.rules if rule.valid_to is not None}
        return sorted({rule.valid_from for rule in self.rules} | ends)

    @cached_property
    def _between_turns(self) -> dict[int, RuleSet]:
        return {}

    @cached_property
    def revision_ids(self) -> dict[int, list[int]]:
        """The revisions of each rule in use, by the rule's id."""
        found: dict[int, list[int]] = {}
        for rule in self.rules:
            found.setdefault(rule.rule_id, []).append(rule.revision_id)
        return found

    @cached_property
    def limited_rule_ids(self) -> frozenset[int]:
        """The rules any of whose revisions asks what it gave the member before."""
        return frozenset(rule.rule_id for rule in self.rules if rule.asks_for_usage)

    @cached_property
    def retired_fact_names(self) -> frozenset[str]:
        """What rules no longer in use look at: a refund judges by them still."""
        return frozenset().union(*(rule.fact_names for rule in self.all_rules if not rule.is_active))

    def fact_names(self, moments: Iterable[dt.datetime]) -> frozenset[str]:
        """What the rules of these moments look at."""
        rules = {id(found): found for found in map(self.rules_at, moments)}
        return self.retired_fact_names.union(*(found.fact_names for found in rules.values()))

    def tiers_at(self, at: dt.datetime) -> TierRules:
        """The tier terms in force at a moment; the earliest for moments before them all."""
        return next((tiers for tiers in self.tiers if tiers.valid_from <= at), self.tiers[-1])

    def expires_at(self, wallet_id: int, earned_at: dt.datetime) -> dt.datetime | None:
        """When points of a wallet earned at a moment expire, under the policy then in force."""
        policy = self.policy_at(wallet_id, earned_at)
        return policy.expires_at(earned_at, self.time_zone) if policy else None

    def policy_at(self, wallet_id: int, at: dt.datetime) -> Policy | None:
        """The expiry policy of a wallet in force at a moment."""
        policies = self.policies.get(wallet_id, ())
        return next((policy for policy in policies if policy.valid_from <= at), None)

    def sliding_policy(self, wallet_id: int, earned_at: dt.datetime) -> int | None:
        """The id of the policy then in force, if activity moves what is granted under it."""
        policy = self.policy_at(wallet_id, earned_at)
        return policy.policy_id if policy and policy.sliding else None

    @cached_property
    def sliding_policies(self) -> tuple[Policy, ...]:
        """The policies of all times and wallets under which activity moves expiries."""
        return tuple(each for policies in self.policies.values() for each in policies if each.sliding)


@lru_cache(maxsize=4096)
def _of_day(
    day: dt.date, months: int | None, days: int | None, rounding: str, time_zone: str
) -> dt.datetime | None:
    """Expiry depends on the local day alone; an import asks for the same days over and over."""
    return expiry.expires_at(
        earned_at=clock.start_of_day(day, time_zone),
        months=months,
        days=days,
        rounding=rounding,
        time_zone=time_zone,
    )


_kept: Terms | None = None


def current(version: int | None = None) -> Terms:
    """The terms as they stand. ``version`` is the programme's, when the caller has just read it anyway."""
    global _kept
    if version is None:
        version = Programme.objects.values_list("terms_version", flat=True).get(pk=1)
    if _kept is None or _kept.version != version:
        _kept = _load()
    return _kept


def kept() -> Terms:
    """The terms this process knows, perhaps a revision behind; the caller compares ``version`` before relying on it."""
    return _kept or current()


def revised() -> None:
    """Tell every process that terms were revised. Call in the transaction of the revision."""
    terms_revised()


def rules_for_segment(code: str) -> list[str]:
    """The names of rules in use whose latest conditions ask for members of a segment."""
    latest: dict[int, Rule] = {}
    for rule in current().rules:
        if rule.rule_id not in latest or latest[rule.rule_id].number < rule.number:
            latest[rule.rule_id] = rule
    return [
        in_language(rule.names) or rule.code
        for rule in latest.values()
        if rule.condition and code in codes_in(rule.condition.node)
    ]


def forget() -> None:
    """Drop the remembered terms (between tests)."""
    global _kept
    _kept = None


def _load() -> Terms:
    programme = Programme.objects.get(pk=1)
    revisions = RuleRevision.objects.select_related("rule").order_by("priority", "pk")
    policies = ExpiryPolicy.objects.order_by("wallet", "-valid_from")
    return Terms(
        version=programme.terms_version,
        time_zone=programme.time_zone,
        base_currency=programme.base_currency,
        default_wallet_id=Wallet.objects.values_list("pk", flat=True).get(is_default=True),
        all_rules=tuple(rule_of(revision) for revision in revisions),
        tiers=tuple(tier_rules(terms) for terms in TierTerms.objects.prefetch_related("levels__tier")),
        policies={
            wallet_id: tuple(
                Policy(each.valid_from, each.months, each.rounding, each.days, each.sliding, each.pk)
                for each in group
            )
            for wallet_id, group in groupby(policies, key=lambda policy: policy.wallet_id)
        },
        tier_names={tier.pk: (tier.code, tier.names) for tier in Tier.objects.all()},
    )


def rule_of(revision: RuleRevision) -> Rule:
    """A revision, saved or not, ready to be judged by."""

    def parsed(data: object, subject: str) -> conditions.Condition | None:
        return conditions.parse(data, subject, check_choices=False) if data else None

    return Rule(
        rule_id=revision.rule_id,
        revision_id=revision.pk,
        number=revision.number,
        code=revision.rule.code,
        names=revision.rule.names,
        wallet_id=revision.wallet_id,
        valid_from=revision.valid_from,
        valid_to=revision.valid_to,
        condition=parsed(revision.conditions, "activity"),
        lines=parsed(revision.lines, "line"),
        effect=revision.effect,
        points=revision.points,
        amount=revision.amount,
        qualifying=revision.qualifying,
        is_active=revision.rule.is_active,
        pending_days=revision.pending_days,
        pending_until=revision.pending_until,
        pending_confirmation=revision.pending_confirmation,
        factor=revision.factor,
        rounding=revision.rounding,
        stack_group=revision.stack_group,
        stacking=revision.stacking,
        cap_per_activity=revision.cap_per_activity,
        over_cap=revision.over_cap,
        cap_per_member=revision.cap_per_member,
        cap_period=revision.cap_period,
        budget=revision.budget,
        cooldown_days=revision.cooldown_days,
        needs_activation=revision.needs_activation,
    )


def tier_rules(terms: TierTerms) -> TierRules:
    """Tier terms, with their levels and tiers loaded, ready to be judged by."""
    levels = sorted(terms.levels.all(), key=lambda level: level.threshold)
    return TierRules(
        valid_from=terms.valid_from,
        window=dt.timedelta(days=terms.window_days),
        basis=terms.basis,
        window_kind=terms.window,
        keep=terms.keep,
        keep_length=terms.keep_length,
        downgrade=terms.downgrade,
        grace_days=terms.grace_days,
        levels=tuple(
            Level(
                tier_id=level.tier_id,
                code=level.tier.code,
                names=level.tier.names,
                rank=level.tier.rank,
                threshold=level.threshold,
                multiplier=level.multiplier,
                birthday_points=level.birthday_points,
                benefits=tuple(level.benefits),
            )
            for level in levels
        ),
    )
