"""Reads about points that serve more than one caller: balance, tier progress and the statement with its reasons."""

import datetime as dt
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Activity, ActivityLine, Member, Tier
from members.queries import lines_by_activity
from rewards import terms
from rewards.models import Account, Lot, Transfer
from rewards.models.ledger import AccountKind
from rewards.projection import project
from rewards.redemption.queries import name_of
from rewards.tier_wording import amount_text, heading_text, window_text

Kind = Transfer.Kind

# --- Balance and tier -------------------------------------------------------------------------------------------------


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


# --- Reasons ----------------------------------------------------------------------------------------------------------

# One label a kind of transfer; where points come from a rule, the rule's own name is said instead.
REASONS: dict[str, Any] = {
    Kind.EARN: _("Points earned"),
    Kind.REPAYMENT: _("Points earned, used to cover points taken back"),
    Kind.MATURE: _("Points became available"),
    Kind.REDEEM: _("Points used"),
    Kind.DONATE: _("Points donated"),
    Kind.EXPIRE: _("Points expired"),
    Kind.ADJUST: _("Correction by customer service"),
    Kind.GIFT: _("Points from another member"),
    Kind.REVERSE: _("Points taken back"),
}
GIVEN_AWAY = _("Points given to another member")
REDEMPTION = "rewards.redemption"
WITH_REDEMPTION = ("redemption__reward", "redemption__donation__cause", "reverses__redemption__reward")
"""What transfers have to be loaded with, for their reasons to name what was redeemed."""
# Sources above this floor, by the name that they write into the transfer.
SOURCES: dict[str, Any] = {
    "campaigns.birthday": _("Birthday greeting"),
    "campaigns.message": _("Campaign bonus"),
    "campaign": _("Campaign bonus"),
    "birthday": _("Birthday greeting"),
    "referral": _("Thank you for inviting a friend"),
    "referral.friend": _("Welcome gift for coming by a friend's invitation"),
    "referral.milestone": _("Thank you for inviting several friends"),
    "moving_in": _("Opening balance from an earlier system"),
    "rewards.challenge": _("Challenge"),
}


def reason_text(transfer: Transfer) -> str:
    """Why these points, in the active language: the rule's name, the source's, or what kind of movement it is."""
    if transfer.kind == Kind.REPAYMENT:
        return str(REASONS[Kind.REPAYMENT])
    if transfer.kind == Kind.GIFT and transfer.to_account.member_id is None:
        return str(GIVEN_AWAY)
    if transfer.rule_revision is not None and transfer.kind == Kind.EARN:
        return transfer.rule_revision.rule.name
    if transfer.source == REDEMPTION:
        return _redeemed(transfer)
    if transfer.source in SOURCES:
        return str(SOURCES[transfer.source])
    if transfer.note and transfer.kind in {Kind.ADJUST, Kind.EARN}:
        return transfer.note
    return str(REASONS.get(transfer.kind, transfer.get_kind_display()))


def _redeemed(transfer: Transfer) -> str:
    """What was redeemed, or what was given back."""
    if transfer.reverses is None:
        row = getattr(transfer, "redemption", None)
        return name_of(row) if row is not None else str(REASONS[transfer.kind])
    row = getattr(transfer.reverses, "redemption", None)
    if row is None:
        return str(REASONS[transfer.kind])
    return str(_("Given back: %(reward)s") % {"reward": name_of(row)})


def change_of(transfer: Transfer) -> int:
    """What a transfer changed in all that the member has (debt counts as less); 0 when points only moved about."""
    gained = transfer.to_account.member_id == transfer.member_id
    given = transfer.from_account.member_id == transfer.member_id
    return transfer.points * (int(gained) - int(given))


# --- Statement --------------------------------------------------------------------------------------------------------

EARNED, SPENT, EXPIRED, ADJUSTED = "earned", "spent", "expired", "adjusted"
FILTERS: dict[str, tuple[str, ...]] = {
    EARNED: (Kind.EARN, Kind.REPAYMENT),
    SPENT: (Kind.REDEEM, Kind.DONATE, Kind.GIFT),
    EXPIRED: (Kind.EXPIRE,),
    ADJUSTED: (Kind.ADJUST, Kind.REVERSE),
}
FILTER_NAMES: dict[str, Any] = {
    EARNED: pgettext_lazy("points", "Earned"),
    SPENT: pgettext_lazy("points", "Used"),
    EXPIRED: pgettext_lazy("points", "Expired"),
    ADJUSTED: pgettext_lazy("points", "Adjusted"),
}


@dataclass(frozen=True)
class Line:
    """One movement of points with its reason. ``points`` is signed: what it changed in all the member has."""

    transfer: Transfer
    reason: str
    points: int
    undoes: Transfer | None = None

    @property
    def is_pending(self) -> bool:
        return self.transfer.to_account.kind == AccountKind.PENDING


@dataclass(frozen=True)
class Entry:
    """One thing that happened (an activity, or a movement of points without one) with all its movements."""

    at: dt.datetime
    activity: Activity | None
    lines: list[Line]
    receipt: list[ActivityLine] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(line.points for line in self.lines)

    @property
    def kind(self) -> str:
        """The kind of its first movement, for a picture and a title ("" for an activity that gave no points)."""
        return self.lines[0].transfer.kind if self.lines else ""

    @property
    def waiting(self) -> dt.datetime | bool:
        """When its pending points turn available; True when that waits for a confirmation; False when none wait."""
        for line in self.lines:
            lot = getattr(line.transfer, "lot", None)
            if line.is_pending and lot is not None and lot.remaining:
                return lot.available_at or True
        return False

    @property
    def undone(self) -> str:
        """``partly`` or ``wholly`` when something of it was taken back or given back, else ""."""
        if not any(line.undoes for line in self.lines):
            return ""
        return "partly" if self.points else "wholly"


@dataclass(frozen=True)
class Page:
    """A page of the statement, newest first. ``cursor`` asks for the next one ("" at the end)."""

    entries: list[Entry]
    cursor: str = ""


def statement(
    member: Member,
    *,
    kind: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    cursor: str = "",
    size: int = 20,
    with_receipts: bool = False,
) -> Page:
    """A page of what happened, newest first: activities with their points and reasons, and points without an activity.

    ``kind`` is a key of FILTERS; ``since`` (inclusive) and ``until`` (exclusive) bound the time it happened. A
    reversal stands with what it undoes. Raises ValueError on a cursor that is not one of ours. Three statements, four
    with receipts.
    """
    activities, alone = _anchors(member, kind=kind)
    if since is not None:
        activities, alone = activities.filter(occurred_at__gte=since), alone.filter(occurred_at__gte=since)
    if until is not None:
        activities, alone = activities.filter(occurred_at__lt=until), alone.filter(occurred_at__lt=until)
    if cursor:
        activities, alone = _after(cursor, activities, alone)
    related = ("kind", "store", "partner", "channel")
    found: list[Activity | Transfer] = [
        *activities.select_related(*related).order_by("-occurred_at", "-id")[: size + 1],
        *alone.select_related(None).order_by("-occurred_at", "-id")[: size + 1],
    ]
    found.sort(key=_position, reverse=True)
    shown, more = found[:size], len(found) > size
    entries = _entries(shown, with_receipts=with_receipts)
    return Page(entries=entries, cursor=_cursor(shown[-1]) if more else "")


def transfers_of(
    member: Member, *, kind: str = "", since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Iterator[tuple[Transfer, str, int]]:
    """Every movement of points, oldest first, with its reason and signed change; read in chunks (for files)."""
    rows = Transfer.objects.filter(member=member)
    if kind:
        rows = rows.filter(kind__in=FILTERS[kind])
    if since is not None:
        rows = rows.filter(occurred_at__gte=since)
    if until is not None:
        rows = rows.filter(occurred_at__lt=until)
    for transfer in _with_reasons(rows).order_by("occurred_at", "id").iterator(chunk_size=1000):
        yield transfer, reason_text(transfer), change_of(transfer)


def _anchors(member: Member, *, kind: str) -> tuple[QuerySet[Activity], QuerySet[Transfer]]:
    """What the entries hang on: the member's activities, and movements that belong to none and undo nothing."""
    activities = Activity.objects.filter(member=member)
    alone = Transfer.objects.filter(member=member, activity__isnull=True, reverses__isnull=True)
    alone = alone.exclude(Exists(_earlier_of_gift()))
    if not kind:
        return activities, alone
    kinds = FILTERS[kind]
    moved = Transfer.objects.filter(kind__in=kinds)
    undone = Transfer.objects.filter(reverses=OuterRef("pk"), kind__in=kinds)
    return (
        activities.filter(Exists(moved.filter(activity=OuterRef("pk")))),
        alone.filter(Q(kind__in=kinds) | Exists(undone)),
    )


def _earlier_of_gift() -> QuerySet[Transfer]:
    """What a gift moved to the same member before: a gift is one entry, however many expiries its points had."""
    return Transfer.objects.filter(
        kind=Kind.GIFT,
        member=OuterRef("member"),
        source=OuterRef("source"),
        source_id=OuterRef("source_id"),
        pk__lt=OuterRef("pk"),
    )


def _position(row: Activity | Transfer) -> tuple[dt.datetime, int, int]:
    """Where a row stands in the statement: by time; at the same time movements alone come after activities."""
    return row.occurred_at, int(isinstance(row, Transfer)), row.pk


def _cursor(row: Activity | Transfer) -> str:
    at, rank, pk = _position(row)
    return f"{at.isoformat()}~{rank}~{pk}"


def _after(
    cursor: str, activities: QuerySet[Activity], alone: QuerySet[Transfer]
) -> tuple[QuerySet[Activity], QuerySet[Transfer]]:
    """Only what comes after the cursor's position."""
    try:
        moment, rank, pk = cursor.split("~")
        at, number = dt.datetime.fromisoformat(moment), int(pk)
        if at.tzinfo is None or rank not in {"0", "1"} or not 0 < number < 2**63:
            raise ValueError(cursor)
    except (ValueError, OverflowError) as error:
        raise ValueError("Not a cursor of the statement.") from error
    earlier, same = Q(occurred_at__lt=at), Q(occurred_at=at)
    if rank == "1":
        return activities.filter(earlier | same), alone.filter(earlier | (same & Q(pk__lt=number)))
    return activities.filter(earlier | (same & Q(pk__lt=number))), alone.filter(earlier)


def _with_reasons(rows: QuerySet[Transfer]) -> QuerySet[Transfer]:
    return rows.select_related(
        "from_account", "to_account", "rule_revision__rule", "lot", "reverses__rule_revision__rule",
        "activity__store", "activity__partner", "activity__kind", *WITH_REDEMPTION,
    )  # fmt: skip


def _entries(anchors: Iterable[Activity | Transfer], *, with_receipts: bool) -> list[Entry]:
    """Each anchor with its movements, oldest movement first, in one query (and one for receipt lines)."""
    anchors = list(anchors)
    activity_ids = [row.pk for row in anchors if isinstance(row, Activity)]
    gifts = {
        (row.member_id, row.source_id): row.pk
        for row in anchors
        if isinstance(row, Transfer) and row.kind == Kind.GIFT
    }
    alone_ids = [row.pk for row in anchors if isinstance(row, Transfer)]
    if not anchors:
        return []
    belonging = (
        Q(activity__in=activity_ids)
        | Q(pk__in=alone_ids)
        | Q(reverses__in=alone_ids)
        | Q(activity__isnull=True, reverses__activity__in=activity_ids)
    )
    if gifts:
        belonging |= Q(
            kind=Kind.GIFT,
            source="rewards.gift",
            source_id__in=[gift for _member, gift in gifts],
            member__in={member_id for member_id, _gift in gifts},
        )
    by_activity: dict[int, list[Line]] = {}
    by_transfer: dict[int, list[Line]] = {}
    for transfer in _with_reasons(Transfer.objects.filter(belonging)).order_by("id"):
        line = Line(transfer, reason_text(transfer), change_of(transfer), transfer.reverses)
        activity_id = transfer.activity_id or (transfer.reverses and transfer.reverses.activity_id)
        if activity_id:
            by_activity.setdefault(activity_id, []).append(line)
        else:
            first = gifts.get((transfer.member_id, transfer.source_id), transfer.pk)
            by_transfer.setdefault(transfer.reverses_id or first, []).append(line)
    receipts = lines_by_activity(activity_ids) if with_receipts and activity_ids else {}
    return [
        Entry(row.occurred_at, row, by_activity.get(row.pk, []), receipts.get(row.pk, []))
        if isinstance(row, Activity)
        else Entry(row.occurred_at, None, by_transfer.get(row.pk, []))
        for row in anchors
    ]
