"""Members in the admin: the list with its one search box, a member's pages, activities, and the names of things."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from loyalty import clock
from loyalty.admin_base import (
    ExportMixin,
    HistoryAdmin,
    HouseList,
    KantisAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    badge,
)
from loyalty.programme import terms_revised
from members import admin_erase, admin_parts, admin_segments, admin_staff
from members import admin_member_pages as pages
from members.admin_forms import EnrolForm, MemberForm
from members.admin_scoped import MemberScopedAdmin
from members.cards import grouped
from members.consents import set_consent
from members.enrolment import DuplicateMember, enrol
from members.forms import consent_name
from members.models import (
    Activity,
    ActivityKind,
    ActivityLine,
    Category,
    ConsentChange,
    Member,
    Product,
    SalesChannel,
    Store,
    Tier,
)
from members.queries import ASKED
from members.search import search
from members.timeline import money

__all__ = ["admin_erase", "admin_segments", "admin_staff"]


class MemberList(HouseList):
    """Rows lead to the member's overview, not to the form."""

    def url_for_result(self, result: Any) -> str:
        return reverse("admin:members_member_overview", args=[result.pk])


@admin.register(Member)
class MemberAdmin(ExportMixin, KantisAdmin):
    """Support's desk: find a member by anything, see what happened and why, correct what is wrong."""

    form = MemberForm
    list_filter = (
        ("tier", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("acquisition_channel", ChoicesDropdownFilter),
        ("joined_at", RangeDateFilter),
    )
    list_select_related = ("tier",)
    search_fields = ("card_number",)  # shows the box; what it finds is members.search's
    search_help_text = _("Name, e-mail, phone, card number, or an id of ours or a partner's")
    ordering = ("-id",)
    fieldsets = (
        (_("Person"), {"fields": (("first_name", "last_name"), ("birth_date", "language"), "time_zone")}),
        (_("Contact"), {"fields": ("email", "phone")}),
        (_("Membership"), {"fields": (("status", "acquisition_channel"),)}),
    )
    add_fieldsets = (
        (_("Person"), {"fields": (("first_name", "last_name"), ("birth_date", "language"), "time_zone")}),
        (_("Contact"), {"fields": ("email", "phone")}),
        (_("Membership"), {"fields": ("acquisition_channel",)}),
        (
            _("What the member agrees to"),
            {
                "fields": tuple(consent_name(purpose, channel) for purpose, channel in ASKED),
                "description": _("Tick only what the member has said yes to. It is kept with your name."),
            },
        ),
    )
    export_columns = (
        (_("card number"), lambda member: member.card_number),
        (_("first name"), lambda member: member.first_name),
        (_("last name"), lambda member: member.last_name),
        (_("e-mail address"), lambda member: member.email),
        (_("phone"), lambda member: member.phone),
        (_("language"), lambda member: member.language),
        (_("tier"), lambda member: member.tier.name),
        (_("status"), lambda member: member.get_status_display()),
        (_("joined at"), lambda member: member.joined_at),
    )

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        extra = [_column(column) for column in admin_parts.columns().values()]
        return ["who", "card", "tier_name", *extra, "joined", "state"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        members: QuerySet[Member] = super().get_queryset(request).select_related("tier")
        for column in admin_parts.columns().values():
            members = column.annotate(members)
        return members

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Member], search_term: str
    ) -> tuple[QuerySet[Member], bool]:
        return search(queryset, search_term), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return MemberList

    @display(description=_("member"), header=True, ordering="last_name")
    def who(self, member: Member) -> list[Any]:
        contact = member.email or member.phone or ""
        return [member.full_name or _("(no name)"), contact, _initials(member)]

    @admin.display(description=_("card number"))
    def card(self, member: Member) -> SafeString:
        return format_html('<span class="k-number">{}</span>', grouped(member.card_number))

    @admin.display(description=_("tier"), ordering="tier__rank")
    def tier_name(self, member: Member) -> SafeString:
        return format_html('<span class="k-badge k-tier-{}">{}</span>', member.tier.code, member.tier)

    @admin.display(description=_("joined"), ordering="joined_at")
    def joined(self, member: Member) -> Any:
        return clock.local_date(member.joined_at, member.time_zone)

    @admin.display(description=_("status"), ordering="status")
    def state(self, member: Member) -> SafeString:
        tone = "good" if member.status == Member.Status.ACTIVE else "warn"
        return badge(member.get_status_display(), tone)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Member | None = None) -> bool:
        """Nobody writes a name into the row of a member who was erased."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.status != Member.Status.ERASED)

    def get_form(
        self, request: HttpRequest, obj: Member | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = EnrolForm
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Member, form: "ModelForm[Member]", change: bool) -> None:
        """Enrols somebody new; of a known member writes only what was changed, for points may move meanwhile."""
        if change:
            obj.save(update_fields=form.changed_data)
            return
        if not isinstance(form, EnrolForm):
            raise TypeError("Members are enrolled by the form for it.")
        at = clock.now()
        member = enrol(form.new_member(), source=Member.Source.STAFF, at=at)
        for purpose, channel in form.consents():
            set_consent(
                member_id=member.pk,
                purpose=purpose,
                channel=channel,
                granted=True,
                source=ConsentChange.Source.STAFF,
                staff_id=request.user.pk,
                at=at,
            )
        obj.__dict__.update(member.__dict__)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        if object_id and (member := self._member_or_none(object_id)):
            extra |= pages.head(request, member, tab="profile")
        try:
            return super().changeform_view(request, object_id, form_url, extra)
        except DuplicateMember as clash:
            messages.error(request, _("%(member)s is a member already.") % {"member": clash.member})
            return HttpResponseRedirect(reverse("admin:members_member_overview", args=[clash.member.pk]))

    def _member_or_none(self, object_id: str) -> Member | None:
        if not object_id.isdigit() or len(object_id) > 18:
            return None
        return Member.objects.select_related("tier", "user", "enrolled_by").filter(pk=int(object_id)).first()

    def response_add(
        self, request: HttpRequest, obj: Member, post_url_continue: str | None = None
    ) -> HttpResponse:
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        messages.success(
            request, _("Enrolled. The card number is %(number)s.") % {"number": grouped(obj.card_number)}
        )
        return HttpResponseRedirect(reverse("admin:members_member_overview", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        own = [
            self.own_page("<path:object_id>/overview/", functools.partial(pages.overview, self), "overview"),
            self.own_page("<path:object_id>/consents/", functools.partial(pages.consents, self), "consents"),
            self.own_page(
                "<path:object_id>/erase/", functools.partial(admin_erase.erase_page, self), "erase"
            ),
        ]
        return own + super().get_urls()


def _initials(member: Member) -> str:
    return (member.first_name[:1] + member.last_name[:1]).upper() or "?"


def _column(column: admin_parts.Column) -> Callable[[Any], Any]:
    @admin.display(description=column.label, ordering=column.order_by or None)
    def value(member: Any) -> Any:
        return column.value(member)

    value.__name__ = column.key
    return value


class LineInline(ReadOnlyInline):
    """The receipt."""

    model = ActivityLine
    permission = "members.view_activity"
    fields = ("position", "product", "category", "quantity", "total")
    readonly_fields = fields
    verbose_name_plural = _("receipt")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ActivityLine]:
        lines: QuerySet[ActivityLine] = super().get_queryset(request)
        return lines.select_related("product", "category").order_by("position")


@admin.register(Activity)
class ActivityAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """What members did, with the receipt. Once recorded it does not change."""

    member_tab = "activities"
    list_display = ("occurred", "member_link", "kind", "amount", "partner", "store", "channel", "external_id")
    list_display_links = ("occurred",)
    list_select_related = ("member", "kind", "partner", "store", "channel")
    list_filter = (
        ("kind", RelatedDropdownFilter),
        ("partner", RelatedDropdownFilter),
        ("channel", RelatedDropdownFilter),
        ("occurred_at", RangeDateFilter),
    )
    search_fields = ("external_id",)
    search_help_text = _("The partner's number of the activity, in full")
    ordering = ("-occurred_at", "-id")
    inlines = (LineInline,)
    change_form_outer_after_template = "admin/members/activity_panels.html"
    readonly_fields = ("member_link", "amount", "points_given")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_link", "kind"),
                    ("occurred_at", "recorded_at"),
                    ("amount", "points_given"),
                    ("partner", "external_id"),
                    ("store", "channel"),
                    "public_id",
                )
            },
        ),
    )
    export_columns = (
        (_("id"), lambda row: row.public_id),
        (_("occurred at"), lambda row: row.occurred_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("kind"), lambda row: row.kind_id),
        (_("partner"), lambda row: row.partner.slug),
        (_("external id"), lambda row: row.external_id),
        (_("store"), lambda row: row.store),
        (_("channel"), lambda row: row.channel),
        (_("total"), lambda row: row.total),
        (_("currency"), lambda row: row.currency),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Activity], search_term: str
    ) -> tuple[QuerySet[Activity], bool]:
        if wanted := search_term.strip().replace("\x00", ""):
            return queryset.filter(external_id=wanted), False
        return queryset, False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        activity = self.get_object(request, object_id)
        if activity is not None and self.has_view_permission(request, activity):
            extra["panels"] = admin_parts.activity_panels(activity, request)
        return super().change_view(request, object_id, form_url, extra)

    @admin.display(description=_("occurred at"), ordering="occurred_at")
    def occurred(self, activity: Activity) -> Any:
        return activity.occurred_at

    @admin.display(description=_("member"))
    def member_link(self, activity: Activity) -> SafeString:
        return member_link(activity.member)

    @admin.display(description=_("total"), ordering="total")
    def amount(self, activity: Activity) -> SafeString:
        return format_html('<span class="k-number">{}</span>', money(activity))

    @admin.display(description=_("points"))
    def points_given(self, activity: Activity) -> SafeString | str:
        from members.timeline import reasons_of

        reasons = reasons_of(activity.pk)
        if not reasons:
            return "–"
        rows = ((reason.text, reason.detail, signed(reason.points)) for reason in reasons)
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} ({}): {}</li>", rows))


def member_link(member: Member) -> SafeString:
    """The member's name, leading to their page."""
    url = reverse("admin:members_member_overview", args=[member.pk])
    name = member.full_name or grouped(member.card_number)
    return format_html('<a class="k-link" href="{}">{}</a>', url, name)


def signed(points: int) -> str:
    """Points with their sign (a real minus) and grouped thousands."""
    return (
        f"{'+' if points > 0 else '−' if points < 0 else ''}{number_format(abs(points), force_grouping=True)}"
    )


class NamedAdmin(HistoryAdmin):
    """A code that never changes, and names by language."""

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Tier)
class TierAdmin(NamedAdmin):
    """Tiers by name and order. What it takes to reach them stands under “Tier terms”."""

    def save_model(self, request: HttpRequest, obj: Tier, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        terms_revised()  # remembered terms hold the names

    list_display = ("name", "code", "rank")
    ordering = ("rank",)
    fields = ("code", "names", "rank")


@admin.register(ActivityKind)
class ActivityKindAdmin(NamedAdmin):
    list_display = ("name", "code", "rewarded_per_day", "is_active")
    list_filter = ("is_active",)
    fields = ("code", "names", "rewarded_per_day", "is_active")


class SeenAdmin(KantisAdmin):
    """Things that come into being when a partner first names them: staff give them a readable name."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Store)
class StoreAdmin(SeenAdmin):
    list_display = ("code", "name", "partner")
    list_filter = (("partner", RelatedDropdownFilter),)
    list_select_related = ("partner",)
    search_fields = ("code", "name")
    readonly_fields = ("partner", "code")
    fields = ("partner", "code", "name", "time_zone")


@admin.register(SalesChannel)
class SalesChannelAdmin(SeenAdmin):
    list_display = ("code", "name")
    readonly_fields = ("code",)
    fields = ("code", "name")


@admin.register(Product)
class ProductAdmin(SeenAdmin):
    list_display = ("sku", "name", "category", "partner")
    list_filter = (("partner", RelatedDropdownFilter),)
    list_select_related = ("partner", "category")
    search_fields = ("sku", "name")
    readonly_fields = ("partner", "sku", "category")
    fields = ("partner", "sku", "name", "category")


@admin.register(Category)
class CategoryAdmin(ReadOnlyAdmin):
    list_display = ("department", "name")
    list_display_links = ("department", "name")
    search_fields = ("department", "name")
