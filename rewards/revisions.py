"""Revising the terms: a new revision from a date on, never a change to one that points were granted under.

The admin calls these functions. Each runs under the lock of what it revises, so that two revisions at once are made one
after the other, and ends by telling every process to read the terms again.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from django.db import transaction
from django.db.models import Max, Q
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from members.models import Tier
from rewards import terms
from rewards.models import (
    EarningRule,
    ExpiryPolicy,
    GiftTerms,
    RedemptionTerms,
    RefundPolicy,
    RuleRevision,
    TierLevel,
    TierTerms,
    Transfer,
    Wallet,
)
from rewards.rule_terms import RevisionRefused, RuleTerms, check

__all__ = [
    "NewLevel",
    "RevisionRefused",
    "RuleTerms",
    "end_rule",
    "revise_expiry",
    "revise_redemptions",
    "revise_refunds",
    "revise_rule",
    "revise_tiers",
    "withdraw_rule_revision",
]


def revise_rule(
    *,
    rule_id: int,
    rule_terms: RuleTerms,
    at: dt.datetime,
    valid_from: dt.datetime | None = None,
    valid_to: dt.datetime | None = None,
) -> RuleRevision:
    """Make the rule's next revision, in force from ``valid_from`` (default: now), and end the one before it there.

    Raises RevisionRefused for terms that cannot be (see ``rewards.rule_terms.check``), a date in the past (purchases of
    that time were judged already), before the start of a revision that still waits, or an end before the start.
    """
    with transaction.atomic():
        rule = EarningRule.objects.select_for_update().get(pk=rule_id)
        latest = rule.revisions.order_by("-number").first()
        start = _start(valid_from, at=at, latest=latest.valid_from if latest else None)
        if valid_to is not None and valid_to <= start:
            raise RevisionRefused("valid_to", _("It would end before it begins."))
        check(rule_terms, rule_id=rule_id, start=start)
        if latest is not None and (latest.valid_to is None or latest.valid_to > start):
            latest.valid_to = start
            latest.save(update_fields=["valid_to"])
        revision = RuleRevision.objects.create(
            rule=rule,
            number=(latest.number if latest else 0) + 1,
            valid_from=start,
            valid_to=valid_to,
            **rule_terms.columns(),
        )
        terms.revised()
        return revision


def end_rule(*, rule_id: int, at: dt.datetime) -> bool:
    """Let the rule give nothing for what happens from ``at`` on; says whether that ended anything. The past stays."""
    with transaction.atomic():
        EarningRule.objects.select_for_update().get(pk=rule_id)
        if RuleRevision.objects.filter(rule_id=rule_id, valid_from__gt=at).exists():
            raise RevisionRefused("valid_from", _("A revision waits to begin. Withdraw it first."))
        running = RuleRevision.objects.filter(Q(valid_to=None) | Q(valid_to__gt=at), rule_id=rule_id)
        ended = running.update(valid_to=at)
        terms.revised()
        return bool(ended)


def withdraw_rule_revision(*, revision_id: int, at: dt.datetime) -> None:
    """Take back a revision that has not begun; the one before it stays in force.

    Raises RevisionRefused once it has begun or points were granted under it.
    """
    with transaction.atomic():
        revision = RuleRevision.objects.select_related("rule").get(pk=revision_id)
        EarningRule.objects.select_for_update().get(pk=revision.rule_id)
        if revision.valid_from <= at or Transfer.objects.filter(rule_revision=revision).exists():
            raise RevisionRefused("valid_from", _("This revision is in force. Make a new one instead."))
        RuleRevision.objects.filter(
            rule_id=revision.rule_id, number=revision.number - 1, valid_to=revision.valid_from
        ).update(valid_to=None)
        revision.delete()
        terms.revised()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLevel:
    """What one tier takes (points, money or purchases that count) and what it gives."""

    tier_id: int
    threshold: int
    multiplier: Decimal
    birthday_points: int | None = None
    benefits: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPolicy:
    """How tiers are reached, kept and lost; the default is what a new programme begins with."""

    basis: str = TierTerms.Basis.POINTS
    window: str = TierTerms.Window.ROLLING
    window_days: int = 365
    keep: str = TierTerms.Keep.NONE
    keep_length: int = 0
    downgrade: str = TierTerms.Downgrade.AT_ONCE
    grace_days: int = 0


def revise_tiers(
    *,
    levels: Sequence[NewLevel],
    at: dt.datetime,
    window_days: int = 365,
    valid_from: dt.datetime | None = None,
    policy: TierPolicy | None = None,
) -> TierTerms:
    """Put new tier terms in force from ``valid_from`` on (default: now). ``levels`` stand in ascending order.

    ``policy`` says how tiers are reached, kept and lost (without it: by qualifying points of ``window_days``). The
    tiers' ranks follow the order. Raises RevisionRefused unless the first level takes nothing, thresholds ascend and
    multipliers do not fall below 1, or for a date in the past or before terms that still wait.
    """
    policy = policy or TierPolicy(window_days=window_days)
    thresholds = [level.threshold for level in levels]
    if not levels or thresholds[0] != 0:
        raise RevisionRefused("threshold", _("The lowest tier has to take 0 points."))
    if any(lower >= higher for lower, higher in pairwise(thresholds)):
        raise RevisionRefused("threshold", _("Each tier has to take more points than the one below it."))
    if any(level.multiplier < 1 for level in levels):
        raise RevisionRefused("multiplier", _("A multiplier is 1 or more."))
    with transaction.atomic():
        Wallet.objects.select_for_update().get(is_default=True)  # one revision of the programme at a time
        latest = TierTerms.objects.aggregate(latest=Max("valid_from"))["latest"]
        new = TierTerms.objects.create(
            valid_from=_start(valid_from, at=at, latest=latest), **dataclasses.asdict(policy)
        )
        TierLevel.objects.bulk_create(
            TierLevel(
                terms=new,
                tier_id=level.tier_id,
                threshold=level.threshold,
                multiplier=level.multiplier,
                birthday_points=level.birthday_points,
                benefits=[dict(texts) for texts in level.benefits],
            )
            for level in levels
        )
        _rank([level.tier_id for level in levels])
        terms.revised()
        return new


def _rank(tier_ids: Sequence[int]) -> None:
    """Let the tiers' ranks follow their order under the newest terms; tiers not offered come after them, in theirs."""
    tiers = list(Tier.objects.select_for_update().order_by("rank"))
    place = {tier_id: number for number, tier_id in enumerate(tier_ids)}
    ordered = sorted(tiers, key=lambda tier: (place.get(tier.pk, len(place)), tier.rank))
    if all(tier.rank == rank for rank, tier in enumerate(ordered)):
        return
    beyond = max(tier.rank for tier in tiers) + 1
    for start in (
        beyond,
        0,
    ):  # ranks are unique at every moment: first all out of the way, then each to its place
        for rank, tier in enumerate(ordered, start=start):
            tier.rank = rank
            tier.save(update_fields=["rank"])


def revise_expiry(
    *,
    wallet_id: int,
    months: int | None,
    days: int | None = None,
    rounding: str,
    sliding: bool = False,
    at: dt.datetime,
    valid_from: dt.datetime | None = None,
) -> ExpiryPolicy:
    """Let points earned from ``valid_from`` on (default: now) expire after ``months`` or ``days`` (neither: never).

    ``sliding``: counted from the member's last activity. 0 months is the end of the month or year they were earned in.
    Points granted before keep their expiry and their policy. Raises RevisionRefused for a length that cannot be, a date
    in the past or before one that waits.
    """
    check_length(months, days, rounding, sliding=sliding)
    with transaction.atomic():
        Wallet.objects.select_for_update().get(pk=wallet_id)
        latest = ExpiryPolicy.objects.filter(wallet_id=wallet_id).aggregate(latest=Max("valid_from"))[
            "latest"
        ]
        policy = ExpiryPolicy.objects.create(
            wallet_id=wallet_id,
            valid_from=_start(valid_from, at=at, latest=latest),
            months=months,
            days=days,
            rounding=rounding,
            sliding=sliding,
        )
        terms.revised()
        return policy


def revise_refunds(*, spent: str, at: dt.datetime, valid_from: dt.datetime | None = None) -> RefundPolicy:
    """Treat points spent of purchases refunded from ``valid_from`` on (default: now) as ``spent`` says.

    Raises RevisionRefused for a date in the past or before one that waits.
    """
    with transaction.atomic():
        Wallet.objects.select_for_update().get(is_default=True)  # one revision of the programme at a time
        latest = RefundPolicy.objects.aggregate(latest=Max("valid_from"))["latest"]
        return RefundPolicy.objects.create(valid_from=_start(valid_from, at=at, latest=latest), spent=spent)


def revise_gifts(
    *,
    is_open: bool,
    minimum: int,
    per_day: int | None,
    per_month: int | None,
    at: dt.datetime,
    valid_from: dt.datetime | None = None,
) -> GiftTerms:
    """Put new terms of gifts in force from ``valid_from`` on (default: now).

    Raises RevisionRefused for a date in the past or before one that waits.
    """
    with transaction.atomic():
        Wallet.objects.select_for_update().get(is_default=True)  # one revision of the programme at a time
        latest = GiftTerms.objects.aggregate(latest=Max("valid_from"))["latest"]
        return GiftTerms.objects.create(
            valid_from=_start(valid_from, at=at, latest=latest),
            is_open=is_open,
            minimum=minimum,
            per_day=per_day,
            per_month=per_month,
        )


def revise_redemptions(
    *,
    grace_days: int,
    cancel_days: int,
    point_value: Decimal | None,
    least_points: int,
    point_step: int,
    at: dt.datetime,
    valid_from: dt.datetime | None = None,
) -> RedemptionTerms:
    """Put new terms of redemptions in force from ``valid_from`` on (default: now).

    Raises RevisionRefused for a date in the past or before one that waits.
    """
    with transaction.atomic():
        Wallet.objects.select_for_update().get(is_default=True)  # one revision of the programme at a time
        latest = RedemptionTerms.objects.aggregate(latest=Max("valid_from"))["latest"]
        return RedemptionTerms.objects.create(
            valid_from=_start(valid_from, at=at, latest=latest),
            grace_days=grace_days,
            cancel_days=cancel_days,
            point_value=point_value,
            least_points=least_points,
            point_step=point_step,
        )


def check_length(months: int | None, days: int | None, rounding: str, *, sliding: bool) -> None:
    """Raise RevisionRefused for a length of an expiry policy that cannot be."""
    if months is not None and days is not None:
        raise RevisionRefused("days", _("Give months or days, not both."))
    if days is not None and days < 1:
        raise RevisionRefused("days", _("Give 1 day or more."))
    if months == 0 and rounding == ExpiryPolicy.Rounding.EXACT:
        raise RevisionRefused("months", _("0 months go with the end of the month or of the year only."))
    if sliding and months is None and days is None:
        raise RevisionRefused("sliding", _("Points that never expire have nothing to move."))


def _start(valid_from: dt.datetime | None, *, at: dt.datetime, latest: dt.datetime | None) -> dt.datetime:
    """When the new terms begin: never before now, and never before those that came before them."""
    start = valid_from or at
    if start < at:
        raise RevisionRefused(
            "valid_from",
            _(
                "What happened before now was judged already. Choose a later time, or leave it empty for “now”."
            ),
        )
    if latest is not None and start <= latest:
        begins = date_format(localtime(latest), "SHORT_DATETIME_FORMAT")
        raise RevisionRefused(
            "valid_from",
            _("Another revision begins on %(begins)s. Choose a later time.") % {"begins": begins},
        )
    return start
