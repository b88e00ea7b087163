"""What the points floor puts on a member's page: tiles, a column, a tab, an action, and the timeline's movements."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members import admin_parts, timeline
from members.models import Member
from rewards.admin import adjust
from rewards.models import Account, Transfer
from rewards.models.ledger import AccountKind
from rewards.queries import TierProgress, balance_of, tier_progress
from rewards.transfer_reasons import REASONS, change_of, reason_text
from rewards.wording import number

Kind = Transfer.Kind
_REASON = ("from_account", "to_account", "rule_revision__rule", "staff")


def _tiles(member: Member, at: datetime) -> list[admin_parts.Tile]:
    """Points and tier, with the way to the next one."""
    balance, progress = balance_of(member, at), tier_progress(member, at)
    expiring = balance.next_expiry
    tiles = [
        admin_parts.Tile(
            label=gettext("Available points"),
            value=number(balance.available),
            hint=gettext("%(points)s of them valid until %(day)s")
            % {
                "points": number(expiring.points),
                "day": date_format(localtime(expiring.last_moment), "SHORT_DATE_FORMAT"),
            }
            if expiring
            else gettext("Nothing expires."),
        ),
    ]
    if balance.pending:
        tiles.append(admin_parts.Tile(label=gettext("Pending points"), value=number(balance.pending)))
    if balance.debt:
        hint = gettext("Taken back after they were spent; the next points repay them.")
        tiles.append(
            admin_parts.Tile(label=gettext("Owed points"), value=number(balance.debt), hint=hint, tone="warn")
        )
    tiles.append(
        admin_parts.Tile(
            label=gettext("Tier"),
            value=str(progress.current),
            hint=_tier_hint(progress),
            fraction=progress.fraction if progress.next else None,
        )
    )
    return tiles


def _tier_hint(progress: TierProgress) -> str:
    """“858 points to Silver (142 of 1 000 in 12 months). At this pace Silver in March 2027”."""
    facts = {
        "missing": progress.missing_text,
        "tier": progress.next,
        "points": number(progress.points),
        "threshold": number(progress.threshold),
        "window": progress.window_text,
    }
    way = (
        gettext("%(missing)s to %(tier)s (%(points)s of %(threshold)s %(window)s)")
        if progress.next
        else gettext("The highest tier, with %(points)s %(window)s")
    )
    return ". ".join([way % facts, *(text.rstrip(".") for text in progress.texts)])


def _with_balance(members: QuerySet[Member]) -> QuerySet[Member]:
    available = Account.objects.filter(
        member=OuterRef("pk"), wallet__is_default=True, kind=AccountKind.AVAILABLE
    )
    return members.annotate(available_points=Subquery(available.values("balance")[:1]))


def _balance(member: Any) -> SafeString:
    return format_html('<span class="k-number">{}</span>', number(member.available_points or 0))


_WITH_ACTIVITY = (Kind.EARN, Kind.REPAYMENT)


def _reasons(activity_ids: Sequence[int]) -> Mapping[int, Sequence[timeline.Reason]]:
    """What each activity brought at once: the rule, its revision, and what it gave."""
    rows = Transfer.objects.filter(activity__in=activity_ids, kind__in=_WITH_ACTIVITY).select_related(
        *_REASON
    )
    found: dict[int, list[timeline.Reason]] = {}
    for row in rows.order_by("id"):
        if row.activity_id is not None:
            found.setdefault(row.activity_id, []).append(_reason(row))
    return found


def _reason(row: Transfer) -> timeline.Reason:
    details = []
    if row.rule_revision is not None:
        details.append(
            gettext("rule “%(code)s”, revision %(number)s")
            % {"code": row.rule_revision.rule.code, "number": row.rule_revision.number}
        )
    if row.kind == Kind.REPAYMENT and row.rule_revision is not None:
        details.append(str(row.rule_revision.rule))
    if row.to_account.kind == AccountKind.PENDING:
        details.append(gettext("pending"))
    url = reverse("admin:rewards_transfer_change", args=[row.pk])
    return timeline.Reason(text=reason_text(row), points=change_of(row), detail=", ".join(details), url=url)


_ICONS = {
    Kind.EARN: "add_circle",
    Kind.REPAYMENT: "undo",
    Kind.MATURE: "schedule",
    Kind.REDEEM: "redeem",
    Kind.DONATE: "volunteer_activism",
    Kind.EXPIRE: "hourglass_bottom",
    Kind.ADJUST: "tune",
    Kind.GIFT: "card_giftcard",
    Kind.REVERSE: "undo",
}


def _movements(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    """Movements that stand for themselves: all but what an activity brought at once, and what expired."""
    brought = Q(activity__isnull=False, kind__in=_WITH_ACTIVITY)
    rows = Transfer.objects.filter(member=member).exclude(brought | Q(kind=Kind.EXPIRE))
    if before is not None:
        rows = rows.filter(occurred_at__lte=before)
    for row in rows.select_related("activity", "reverses", *_REASON).order_by("-occurred_at", "-id")[:size]:
        change = change_of(row)
        yield timeline.Entry(
            at=row.occurred_at,
            kind="transfer",
            icon=_ICONS.get(row.kind, "sync_alt"),
            title=row.get_kind_display() if row.note else reason_text(row),
            detail=_detail(row),
            by=str(row.staff) if row.staff else "",
            points=change or None,
            tone="good" if change > 0 else "warn" if change < 0 else "",
            permission="rewards.view_transfer",
            url=reverse("admin:rewards_transfer_change", args=[row.pk]),
            order=row.pk,
        )


def _expiries(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    """What expired, all lots of one moment as one entry."""
    rows = Transfer.objects.filter(member=member, kind=Kind.EXPIRE)
    if before is not None:
        rows = rows.filter(occurred_at__lte=before)
    moments = (
        rows.order_by()
        .values("occurred_at")
        .annotate(total=Sum("points"), lots=Count("pk"), latest=Max("pk"))
    )
    for moment in moments.order_by("-occurred_at")[:size]:
        alone = moment["lots"] == 1
        yield timeline.Entry(
            at=moment["occurred_at"],
            kind="transfer",
            icon=_ICONS[Kind.EXPIRE],
            title=REASONS[Kind.EXPIRE],
            detail="" if alone else gettext("%(lots)s lots at once") % {"lots": number(moment["lots"])},
            points=-moment["total"],
            tone="warn",
            permission="rewards.view_transfer",
            url=reverse("admin:rewards_transfer_change", args=[moment["latest"]])
            if alone
            else f"{_points_url(member)}&kind__exact={Kind.EXPIRE}",
            order=moment["latest"],
        )


def _detail(row: Transfer) -> str:
    parts = [row.note]
    if row.activity is not None:
        parts.append(row.activity.external_id)
    if row.kind == Kind.MATURE:
        parts.append(gettext("%(points)s points became available") % {"points": number(row.points)})
    if row.reverses_id:
        parts.append(gettext("undoes #%(number)s") % {"number": row.reverses_id})
    return " · ".join(part for part in parts if part)


def _points_url(member: Member) -> str:
    return f"{reverse('admin:rewards_transfer_changelist')}?member__id__exact={member.pk}"


def _adjust_url(member: Member) -> str:
    return reverse("admin:rewards_transfer_adjust", args=[member.pk])


admin_parts.add_tiles("rewards", permission="rewards.view_account", tiles=_tiles)
admin_parts.add_column(
    admin_parts.Column(
        key="balance", label=_("points"), annotate=_with_balance, value=_balance, order_by="available_points"
    )
)
admin_parts.add_tab(
    admin_parts.Link(key="points", label=_("Points"), url=_points_url, permission="rewards.view_transfer")
)
admin_parts.add_action(
    admin_parts.Link(
        key="adjust",
        label=_("Adjust points"),
        url=_adjust_url,
        permission=adjust.PERMISSION,
        icon="tune",
    )
)
timeline.add_source("rewards.transfers", _movements)
timeline.add_source("rewards.expiries", _expiries)
timeline.add_reasons("rewards.transfers", permission="rewards.view_transfer", reasons_of=_reasons)
