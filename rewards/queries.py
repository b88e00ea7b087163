"""Reads about points that serve more than one caller: balance, what waits, and tier progress."""

import datetime as dt
import math
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Sum

from members.models import Member, Tier
from rewards import terms
from rewards.models import Account, Lot
from rewards.models.ledger import AccountKind
from rewards.projection import project
from rewards.tier_wording import amount_text, heading_text, window_text


@dataclass(frozen=True)
class Expiring:
    """Points that expire at one moment."""

    points: int
    expires_at: dt.datetime

    @property
    def last_moment(self) -> dt.datetime:
        """The last moment they are good for: points that expire at midnight are valid until the day before."""
        return last_moment(self.expires_at)


@dataclass(frozen=True)
class Balance:
    """A member's points. ``debt`` is a positive number of points still to be earned back."""

    available: int
    pending: int
    debt: int
    tier: Tier
    expiring: list[Expiring] = field(default_factory=list)

    @property
    def next_expiry(self) -> Expiring | None:
        return self.expiring[0] if self.expiring else None


@dataclass(frozen=True)
class TierProgress:
    """How far the next tier is, and where the tier is heading. ``points`` is the amount in the window, in ``basis``.

    ``next`` is None at the top. ``next_on`` is the day of the next tier at the pace of the last 90 days,
    ``lasts_until`` the last day on which this tier is safe if nothing more happens, ``falls_to`` what follows it then,
    and ``after_review`` what tonight's review makes of the member.
    """

    current: Tier
    next: Tier | None
    points: int
    threshold: int
    missing: int
    window_days: int
    multiplier: Decimal = Decimal(1)
    next_multiplier: Decimal = Decimal(1)
    basis: str = "points"
    next_on: dt.date | None = None
    lasts_until: dt.date | None = None
    falls_to: Tier | None = None
    after_review: Tier | None = None
    texts: tuple[str, ...] = ()
    missing_text: str = ""
    window_text: str = ""

    @property
    def fraction(self) -> float:
        """The part of the way done, 0 to 1."""
        return 1.0 if not self.threshold else min(1.0, max(0.0, self.points / self.threshold))


def last_moment(expires_at: dt.datetime) -> dt.datetime:
    """The moment before an expiry; its date is the "valid until" that people read."""
    return expires_at - dt.timedelta(microseconds=1)


def balance_of(member: Member, at: dt.datetime) -> Balance:
    """The member's points in the default wallet, with what expires when (soonest first), as of ``at``."""
    rows = Account.objects.filter(member=member, wallet__is_default=True).values_list("kind", "balance")
    balances = {kind: balance or 0 for kind, balance in rows}
    lots = (
        Lot.objects.filter(
            account__member=member,
            account__wallet__is_default=True,
            account__kind=AccountKind.AVAILABLE,
            remaining__gt=0,
            expires_at__gt=at,
        )
        .values("expires_at")
        .annotate(points=Sum("remaining"))
        .order_by("expires_at")
    )
    return Balance(
        available=balances.get(AccountKind.AVAILABLE, 0),
        pending=balances.get(AccountKind.PENDING, 0),
        debt=-balances.get(AccountKind.DEBT, 0),
        tier=member.tier,
        expiring=[
            Expiring(points=row["points"], expires_at=row["expires_at"]) for row in lots if row["expires_at"]
        ],
    )


def pending_of(member: Member) -> list[tuple[dt.datetime | None, int]]:
    """Points that wait, by the moment they turn available (None: on the partner's confirmation), soonest first."""
    rows = (
        Lot.objects.filter(
            account__member=member,
            account__wallet__is_default=True,
            account__kind=AccountKind.PENDING,
            remaining__gt=0,
        )
        .values("available_at")
        .annotate(points=Sum("remaining"))
        .order_by("available_at")
    )
    return [(row["available_at"], row["points"]) for row in rows]


def tier_progress(member: Member, at: dt.datetime) -> TierProgress:
    """What the member has towards the next tier under the terms in force at ``at``, and where the tier is heading."""
    rules = terms.current().tiers_at(at)
    mine = rules.level_of(member.tier_id)
    higher = rules.after(mine)
    found = project(member, at=at)
    missing = max(0, math.ceil(higher.threshold - found.amount)) if higher else 0
    names = (member.tier.name, _tier(higher).name if higher else "")
    return TierProgress(
        current=member.tier,
        next=_tier(higher) if higher else None,
        points=int(found.amount),
        threshold=higher.threshold if higher else 0,
        missing=missing,
        window_days=rules.window.days,
        multiplier=mine.multiplier.normalize(),
        next_multiplier=higher.multiplier.normalize() if higher else Decimal(1),
        basis=rules.basis,
        next_on=found.next_on,
        lasts_until=found.lasts_until,
        falls_to=_tier(found.falls_to) if found.falls_to else None,
        after_review=_tier(found.after_review),
        texts=tuple(heading_text(found, higher, *names)),
        missing_text=amount_text(missing, rules.basis),
        window_text=window_text(rules),
    )


def _tier(level: terms.Level) -> Tier:
    """The level's tier without asking the database."""
    return Tier(pk=level.tier_id, code=level.code, names=level.names, rank=level.rank)
