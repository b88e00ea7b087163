"""One timeline of a member, newest first: joining, consents, activities, tier changes, and what upper floors add.

A floor above registers a source of entries of its own (messages, movements of points) and, for the activities it
rewards, the reasons that stand beneath them. Read by the admin's member page.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from members.models import Activity, ConsentChange, Member, SegmentChange, TierChange
from members.tier_history import sentence

PAGE = 30


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why points were given or taken: “Base points (rule base, revision 1): +42”."""

    text: StrOrPromise
    points: int
    detail: StrOrPromise = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened. ``permission`` is what staff need to see it; ``activity_id`` marks an activity."""

    at: datetime
    kind: str
    icon: str
    title: StrOrPromise
    permission: str
    order: int = 0
    detail: StrOrPromise = ""
    by: StrOrPromise = ""
    url: str = ""
    tone: str = ""
    points: int | None = None
    activity_id: int | None = None
    reasons: Sequence[Reason] = ()

    @property
    def position(self) -> tuple[datetime, str, int]:
        return self.at, self.kind, self.order


@dataclass(frozen=True)
class Page:
    """Entries, newest first; ``before`` is where the next page begins (None: that was all)."""

    entries: list[Entry] = field(default_factory=list)
    before: datetime | None = None


Source: TypeAlias = Callable[[Member, datetime | None, int], Iterable[Entry]]
"""Gives at most that many entries at or before a moment (None: the latest), newest first."""
ReasonsOf: TypeAlias = Callable[[Sequence[int]], Mapping[int, Sequence[Reason]]]
"""Gives the reasons by activity id, in one statement for all."""

_sources: dict[str, Source] = {}
_reasons: dict[str, tuple[str, ReasonsOf]] = {}


def add_source(key: str, source: Source) -> None:
    """Let a floor tell of what it knows about a member."""
    _sources[key] = source


def add_reasons(key: str, *, permission: str, reasons_of: ReasonsOf) -> None:
    """Let a floor explain what an activity brought, to staff with ``permission``."""
    _reasons[key] = (permission, reasons_of)


def timeline(
    member: Member, *, may_see: Callable[[str], bool], before: datetime | None = None, size: int = PAGE
) -> Page:
    """A page of the member's timeline, of what ``may_see`` lets through; as many statements for one entry as for all.

    A page never ends between entries of the same moment: those few that share it with the last one come along.
    """
    found = [entry for source in _sources.values() for entry in source(member, before, size + 1)]
    found.sort(key=lambda entry: entry.position, reverse=True)
    if len(found) <= size:
        return Page(_explained([entry for entry in found if may_see(entry.permission)], may_see))
    last = found[size - 1].at
    shown = [entry for entry in found if entry.at >= last]
    following = next((entry.at for entry in found if entry.at < last), last - timedelta(microseconds=1))
    return Page(_explained([entry for entry in shown if may_see(entry.permission)], may_see), following)


def _explained(entries: list[Entry], may_see: Callable[[str], bool]) -> list[Entry]:
    """The entries with the reasons of upper floors under each activity."""
    ids = [entry.activity_id for entry in entries if entry.activity_id is not None]
    reasons: dict[int, list[Reason]] = {}
    for permission, reasons_of in _reasons.values():
        if ids and may_see(permission):
            for activity_id, found in reasons_of(ids).items():
                reasons.setdefault(activity_id, []).extend(found)
    return [
        replace(
            entry,
            reasons=reasons[entry.activity_id],
            points=sum(reason.points for reason in reasons[entry.activity_id]),
        )
        if entry.activity_id in reasons
        else entry
        for entry in entries
    ]


def _activities(member: Member, before: datetime | None, size: int) -> Iterable[Entry]:
    rows = Activity.objects.filter(member=member).select_related("kind", "store", "partner", "channel")
    if before is not None:
        rows = rows.filter(occurred_at__lte=before)
    for row in rows.order_by("-occurred_at", "-id")[:size]:
        yield Entry(
            at=row.occurred_at,
            kind="activity",
            icon="shopping_bag" if row.kind_id == "purchase" else "task_alt",
            title=row.kind.name or row.kind_id,
            detail=" · ".join(str(part) for part in (row.partner, row.store, row.channel) if part),
            permission="members.view_activity",
            url=reverse("admin:members_activity_change", args=[row.pk]),
            order=row.pk,
            activity_id=row.pk,
            by=money(row),
        )


def money(activity: Activity) -> str:
    """What the activity was worth, as people write it; "" for one without a price."""
    if not activity.total and activity.kind_id != "purchase":
        return ""
    return f"{number_format(activity.total, 2, force_grouping=True)} {activity.currency}"


def _tier_changes(member: Member, before: datetime | None, size: int) -> Iterable[Entry]:
    rows = TierChange.objects.filter(member=member).select_related("from_tier", "to_tier", "hold__staff")
    if before is not None:
        rows = rows.filter(changed_at__lte=before)
    for row in rows.order_by("-changed_at", "-id")[:size]:
        joined = row.reason == TierChange.Reason.ENROLLED
        up = row.from_tier is None or row.to_tier.rank > row.from_tier.rank
        yield Entry(
            at=row.changed_at,
            kind="tier",
            icon="celebration" if joined else "trending_up" if up else "trending_down",
            title=_("Joined the programme")
            if joined
            else _("%(from)s → %(to)s") % {"from": row.from_tier, "to": row.to_tier},
            detail=_how_joined(member) if joined else _why(row),
            by=str(row.hold.staff) if row.hold and row.reason == TierChange.Reason.BY_HAND else "",
            permission="members.view_member",
            tone="good" if up else "warn",
            order=row.pk,
        )


def _why(change: TierChange) -> str:
    """Why the tier changed, with what staff noted when they set it by hand."""
    note = change.hold.note if change.hold else ""
    return " · ".join(part for part in (sentence(change), note) if part)


def _how_joined(member: Member) -> str:
    """“by way of partner (Kauppa Oy); in store”."""
    way = str(member.get_source_display())
    if member.enrolled_by:
        way = f"{way} ({member.enrolled_by})"
    return _("%(way)s; found us: %(channel)s") % {
        "way": way,
        "channel": member.get_acquisition_channel_display(),
    }


def _consent_changes(member: Member, before: datetime | None, size: int) -> Iterable[Entry]:
    rows = ConsentChange.objects.filter(member=member).select_related("partner", "staff")
    if before is not None:
        rows = rows.filter(changed_at__lte=before)
    for row in rows.order_by("-changed_at", "-id")[:size]:
        yield Entry(
            at=row.changed_at,
            kind="consent",
            icon="check_circle" if row.granted else "block",
            title=_("Consent given") if row.granted else _("Consent withdrawn"),
            detail=f"{row.get_purpose_display()} ({row.get_channel_display()})",
            by=" · ".join(str(part) for part in (row.get_source_display(), row.partner, row.staff) if part),
            permission="members.view_consent",
            order=row.pk,
        )


def _segment_changes(member: Member, before: datetime | None, size: int) -> Iterable[Entry]:
    rows = SegmentChange.objects.filter(member=member).select_related("segment")
    if before is not None:
        rows = rows.filter(changed_at__lte=before)
    for row in rows.order_by("-changed_at", "-id")[:size]:
        yield Entry(
            at=row.changed_at,
            kind="segment",
            icon="group_add" if row.joined else "group_remove",
            title=_("Joined the segment %(segment)s") % {"segment": row.segment}
            if row.joined
            else _("Left the segment %(segment)s") % {"segment": row.segment},
            permission="members.view_segment",
            url=reverse("admin:members_segment_change", args=[row.segment_id]),
            order=row.pk,
        )


add_source("members.segment_changes", _segment_changes)
add_source("members.activities", _activities)
add_source("members.tier_changes", _tier_changes)
add_source("members.consent_changes", _consent_changes)


def reasons_of(activity_id: int) -> list[Reason]:
    """Why one activity brought what it brought, from all floors that reward activities."""
    return [
        reason for _permission, of in _reasons.values() for reason in of([activity_id]).get(activity_id, ())
    ]
