"""The ledger in the admin: movements, lots, balances and wallets; read only, for everybody."""

import functools
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from loyalty.admin_base import ExportMixin, KantisAdmin, ReadOnlyAdmin, ReadOnlyInline
from members.admin import member_link, signed
from members.admin_scoped import MemberScopedAdmin
from members.models import Member
from members.search import search
from rewards import ledger, terms
from rewards.admin.adjust import adjust_page
from rewards.models import Account, Allocation, Lot, Transfer, Wallet
from rewards.transfer_reasons import WITH_REDEMPTION, change_of, reason_text

Kind = Transfer.Kind
_REASON = ("from_account", "to_account", "rule_revision__rule", "staff", "reverses", *WITH_REDEMPTION)


class AllocationInline(ReadOnlyInline):
    """Which lots the points came from."""

    model = Allocation
    permission = "rewards.view_transfer"
    fields = ("lot", "points")
    readonly_fields = fields


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
        page = self.own_page("adjust/<int:member_id>/", functools.partial(adjust_page, self), "adjust")
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
