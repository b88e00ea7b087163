"""A member's statement: purchases and movements of points, newest first, with their reasons, by pages and filters."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import pgettext_lazy

from members.models import Activity, ActivityLine, Member
from members.queries import lines_by_activity
from rewards.models import Transfer
from rewards.models.ledger import AccountKind
from rewards.transfer_reasons import WITH_REDEMPTION, change_of, reason_text

Kind = Transfer.Kind

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


def statement_page(
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
