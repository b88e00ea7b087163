"""Points in the admin: the ledger (read only, for everybody), and what the points floor puts on a member's page."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from loyalty.admin_base import ExportMixin, KantisAdmin, ReadOnlyAdmin
from members import admin_parts, timeline
from members.admin import member_link, signed
from members.admin_scoped import MemberScopedAdmin
from members.models import Member
from members.search import search
from rewards import (
    admin_adjust,
    admin_backtest,
    admin_bulk,
    admin_gifts,
    admin_moving_in,
    admin_refunds,
    admin_requests,
    admin_rules,
    admin_terms,
    admin_tiers,
    ledger,
    terms,
)
from rewards.catalogue import admin as catalogue_admin
from rewards.challenges import admin as challenges_admin
from rewards.models import Account, Allocation, Lot, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.queries import (
    REASONS,
    WITH_REDEMPTION,
    TierProgress,
    balance_of,
    change_of,
    reason_text,
    tier_progress,
)
from rewards.redemption import admin as redemption_admin
from rewards.vouchers import admin as voucher_admin
from rewards.wording import number

__all__ = [
    "admin_backtest",
    "admin_bulk",
    "admin_gifts",
    "admin_moving_in",
    "admin_refunds",
    "admin_requests",
    "admin_rules",
    "admin_terms",
    "admin_tiers",
    "catalogue_admin",
    "challenges_admin",
    "redemption_admin",
    "voucher_admin",
]

Kind = Transfer.Kind
_REASON = ("from_account", "to_account", "rule_revision__rule", "staff", "reverses", *WITH_REDEMPTION)


class AllocationInline(TabularInline):
    """Which lots the points came from."""

    model = Allocation
    fields = ("lot", "points")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.view_transfer")


class OfMemberAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """Rows of the ledger: found by their number (“#17”) or by their member."""

    search_fields = ("id",)
    search_help_text = _("#number, or a member's name, e-mail, phone or card number")
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        wanted = search_term.strip()
        if wanted.startswith("#") and wanted[1:].isdecimal() and len(wanted) < 20:
            return queryset.filter(pk=int(wanted[1:])), False
        if wanted:
            return queryset.filter(
                member__in=search(Member.objects.all(), wanted).order_by().values("pk")
            ), False
        return queryset, False

    @admin.display(description=_("member"))
    def member_name(self, row: Any) -> SafeString | str:
        return member_link(row.member) if row.member else gettext("the programme")

    @admin.display(description=_("number"), ordering="id")
    def row_number(self, row: Any) -> str:
        return f"#{row.pk}"


@admin.register(Transfer)
class TransferAdmin(OfMemberAdmin):
    """Every movement of points with its reason. Nothing here can be changed: a correction is a movement of its own."""

    member_tab = "points"
    list_display = (
        "row_number",
        "occurred_at",
        "member_name",
        "what",
        "change",
        "reason",
        "activity_link",
    )
    list_select_related = ("member", "activity", "from_account__wallet", *_REASON)
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("from_account__wallet", RelatedDropdownFilter),
        ("rule_revision__rule", RelatedDropdownFilter),
        ("posted_at", RangeDateFilter),
        ("occurred_at", RangeDateFilter),
    )
    inlines = (AllocationInline,)
    readonly_fields = (
        "member_name",
        "change",
        "reason",
        "accounts",
        "activity_link",
        "reverses_link",
        "reversed_by",
    )
    fieldsets = (
        (None, {"fields": (("member_name", "kind"), ("change", "reason"), ("occurred_at", "posted_at"))}),
        (
            _("Why"),
            {
                "fields": (
                    ("activity_link", "rule_revision"),
                    ("staff", "note"),
                    ("reverses_link", "reversed_by"),
                    ("source", "source_id"),
                    ("occasion", "qualifies_at"),
                    "accounts",
                )
            },
        ),
    )
    export_columns = (
        (_("number"), lambda row: row.pk),
        (_("occurred at"), lambda row: row.occurred_at),
        (_("posted at"), lambda row: row.posted_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("kind"), lambda row: row.kind),
        (_("points"), lambda row: row.points),
        (_("change"), change_of),
        (_("from"), lambda row: row.from_account.kind),
        (_("to"), lambda row: row.to_account.kind),
        (_("wallet"), lambda row: row.from_account.wallet.code),
        (_("reason"), reason_text),
        (_("activity"), lambda row: row.activity.external_id if row.activity else ""),
        (_("reverses"), lambda row: row.reverses_id),
        (_("staff member"), lambda row: row.staff.email if row.staff else ""),
        (_("reason given by staff"), lambda row: row.note),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        rows: QuerySet[Transfer] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related)

    def get_urls(self) -> list[URLPattern]:
        def adjust(request: HttpRequest, member_id: int) -> HttpResponse:
            return admin_adjust.adjust_page(self, request, member_id)

        page = path(
            "adjust/<int:member_id>/", self.admin_site.admin_view(adjust), name="rewards_transfer_adjust"
        )
        return [page, *super().get_urls()]

    @admin.display(description=_("kind"), ordering="kind")
    def what(self, transfer: Transfer) -> SafeString:
        return format_html('<span class="k-badge">{}</span>', transfer.get_kind_display())

    @admin.display(description=_("points"), ordering="points")
    def change(self, transfer: Transfer) -> SafeString:
        change = change_of(transfer)
        tone = "k-up" if change > 0 else "k-down" if change < 0 else ""
        text = signed(change) if change else f"({number_format(transfer.points, force_grouping=True)})"
        return format_html('<span class="k-number {}">{}</span>', tone, text)

    @admin.display(description=_("reason"))
    def reason(self, transfer: Transfer) -> str:
        return reason_text(transfer)

    @admin.display(description=_("from → to"))
    def accounts(self, transfer: Transfer) -> str:
        return f"{transfer.from_account.get_kind_display()} → {transfer.to_account.get_kind_display()}"

    @admin.display(description=_("activity"))
    def activity_link(self, transfer: Transfer) -> SafeString | str:
        if transfer.activity is None:
            return "–"
        url = reverse("admin:members_activity_change", args=[transfer.activity_id])
        return format_html('<a class="k-link" href="{}">{}</a>', url, transfer.activity.external_id)

    @admin.display(description=_("reverses"))
    def reverses_link(self, transfer: Transfer) -> SafeString | str:
        return _link(transfer.reverses_id) if transfer.reverses_id else "–"

    @admin.display(description=_("reversed by"))
    def reversed_by(self, transfer: Transfer) -> SafeString | str:
        links = [(_link(pk),) for pk in transfer.reversals.order_by("pk").values_list("pk", flat=True)[:20]]
        return format_html_join(", ", "{}", links) or "–"


def _link(transfer_id: int) -> SafeString:
    url = reverse("admin:rewards_transfer_change", args=[transfer_id])
    return format_html('<a class="k-link" href="{}">#{}</a>', url, transfer_id)


@admin.register(Lot)
class LotAdmin(OfMemberAdmin):
    """Points that came in together and expire together."""

    list_display = (
        "row_number",
        "member_name",
        "points",
        "remaining",
        "account_kind",
        "earned_at",
        "available_at",
        "expires_at",
    )
    list_select_related = ("member", "account")
    list_filter = (
        ("account__kind", ChoicesDropdownFilter),
        ("account__wallet", RelatedDropdownFilter),
        ("earned_at", RangeDateFilter),
        ("expires_at", RangeDateFilter),
    )
    readonly_fields = ("member_name", "opened_by", "account_kind")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_name", "account_kind"),
                    ("points", "remaining"),
                    ("earned_at", "expires_at"),
                    ("available_at", "opened_by"),
                )
            },
        ),
    )
    export_columns = (
        (_("number"), lambda row: row.pk),
        (_("card number"), lambda row: row.member.card_number),
        (_("account"), lambda row: row.account.kind),
        (_("points"), lambda row: row.points),
        (_("remaining"), lambda row: row.remaining),
        (_("earned at"), lambda row: row.earned_at),
        (_("available at"), lambda row: row.available_at),
        (_("expires at"), lambda row: row.expires_at),
    )

    @admin.display(description=_("account"))
    def account_kind(self, lot: Lot) -> str:
        return str(lot.account.get_kind_display())

    @admin.display(description=_("opened by"))
    def opened_by(self, lot: Lot) -> SafeString:
        return _link(lot.transfer_id)


@admin.register(Account)
class AccountAdmin(OfMemberAdmin):
    """Balances as the ledger keeps them."""

    list_display = ("row_number", "member_name", "kind", "wallet", "points")
    list_select_related = ("member", "wallet")
    list_filter = (("kind", ChoicesDropdownFilter), ("wallet", RelatedDropdownFilter))
    fields = (("member", "kind"), ("wallet", "balance"))
    export_columns = (
        (_("number"), lambda row: row.pk),
        (_("card number"), lambda row: row.member.card_number if row.member else ""),
        (_("wallet"), lambda row: row.wallet.code),
        (_("kind"), lambda row: row.kind),
        (_("balance"), lambda row: row.balance),
    )

    @admin.display(description=_("balance"), ordering="balance")
    def points(self, account: Account) -> SafeString:
        text = "–" if account.balance is None else number_format(account.balance, force_grouping=True)
        return format_html('<span class="k-number">{}</span>', text)


@admin.register(Wallet)
class WalletAdmin(KantisAdmin):
    """Kinds of points. Staff open new ones and name them; one is the default and stays it."""

    list_display = ("name", "code", "is_default")
    fields = ("code", "names", "is_default")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "is_default") if obj else ("is_default",)

    def save_model(self, request: HttpRequest, obj: Wallet, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        ledger.open_wallet(obj.pk)
        terms.revised()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# --- On a member's page -----------------------------------------------------------------------------------------------


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
        permission=admin_adjust.PERMISSION,
        icon="tune",
    )
)
timeline.add_source("rewards.transfers", _movements)
timeline.add_source("rewards.expiries", _expiries)
timeline.add_reasons("rewards.transfers", permission="rewards.view_transfer", reasons_of=_reasons)
