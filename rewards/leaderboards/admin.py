"""Leaderboards in the admin: which there are, the nicknames members took (renamed or removed), and forbidden words."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import action

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, KantisAdmin, badge
from loyalty.form_page import form_page
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from members.models import Member
from members.search import search
from rewards.leaderboards import membership
from rewards.leaderboards.forms import LeaderboardForm, RenameForm
from rewards.leaderboards.nicknames import NicknameRefused
from rewards.leaderboards.reading import shown
from rewards.leaderboards.tables import table_of
from rewards.leaderboards.views import period_name
from rewards.models import ForbiddenWord, Leaderboard, LeaderboardProfile, LeaderboardTable


@admin.register(Leaderboard)
class LeaderboardAdmin(HistoryAdmin):
    """Leaderboards. What one compares stands still once it has a table: another is made instead."""

    form = LeaderboardForm
    fields = (
        ("code", "position"),
        "names",
        ("basis", "challenge"),
        ("period", "settling_days"),
        "is_active",
    )
    list_display = ("name", "code", "basis", "challenge", "period", "state")
    list_display_links = ("name",)
    list_select_related = ("challenge",)
    list_filter = ("is_active", "basis", "period")
    search_fields = ("code", "names__fi", "names__sv", "names__en")
    change_form_outer_before_template = "admin/rewards/leaderboard_panel.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("code", "basis", "challenge", "period") if obj.tables.exists() else ("code",)

    def save_model(self, request: HttpRequest, obj: Leaderboard, form: Any, change: bool) -> None:
        """One that is shown again has missed what happened meanwhile: the tick counts its tables anew."""
        super().save_model(request, obj, form, change)
        if "is_active" in form.changed_data and obj.is_active:
            obj.tables.filter(closed_at=None).update(counted_at=None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only before it has a table; afterwards it is hidden instead."""
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed and (obj is None or not obj.tables.exists())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Leaderboard]) -> None:
        super().delete_queryset(request, queryset.filter(tables=None))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        board = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if board is not None and self.has_view_permission(request, board):
            table = table_of(board, starts_on=None)
            extra["panel"] = {
                "shown": shown(table) if table else None,
                "period": period_name(table) if table else "",
                "tables": _tables(board),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return response

    @admin.display(description=_("name"))
    def name(self, board: Leaderboard) -> str:
        return board.name or board.code

    @admin.display(description=_("state"), ordering="is_active")
    def state(self, board: Leaderboard) -> SafeString:
        return badge(gettext("shown"), "good") if board.is_active else badge(gettext("hidden"))


def _tables(board: Leaderboard) -> list[tuple[str, LeaderboardTable, int]]:
    """The latest periods: name, table, and how many are in it."""
    rows = list(board.tables.annotate(members=Count("scores")).order_by("-starts_on")[:12])
    for row in rows:
        row.leaderboard = board
    return [(period_name(row), row, row.members) for row in rows]


@admin.register(LeaderboardProfile)
class LeaderboardProfileAdmin(MemberScopedAdmin, KantisAdmin):
    """The nicknames. Members take them; staff give another one or take them away, and never put anybody on."""

    list_display = ("nickname", "member_shown", "joined_at", "renamed_by_staff_at")
    list_select_related = ("member",)
    list_filter = (("joined_at", RangeDateFilter),)
    search_fields = ("nickname",)
    search_help_text = _("The nickname, or a member's name, e-mail, phone or card number")
    fields = (("nickname", "member_shown"), ("joined_at", "renamed_by_staff_at"))
    readonly_fields = ("nickname", "member_shown", "joined_at", "renamed_by_staff_at")
    actions_detail = ("rename",)
    warn_unsaved_form = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LeaderboardProfile], search_term: str
    ) -> tuple[QuerySet[LeaderboardProfile], bool]:
        wanted = search_term.strip()
        if not wanted:
            return queryset, False
        found = queryset.filter(nickname__icontains=wanted)
        if request.user.has_perm("members.view_member"):  # type: ignore[union-attr]
            members = search(Member.objects.all(), wanted).order_by().values("pk")
            found = found | queryset.filter(member__in=members)
        return found, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Nothing is edited in place, so there is nothing to save."""
        extra = {**(extra_context or {}), "show_save": False, "show_save_and_continue": False}
        response: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return response

    @action(description=_("Give another nickname"), url_path="rename", permissions=["change"], icon="edit")
    def rename(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A page that asks for the other nickname, and says why one cannot be had; who did it stands in the log."""
        profile = self.get_object(request, str(object_id))
        if profile is None:
            raise Http404
        if not self.has_change_permission(request, profile):
            raise PermissionDenied
        back = reverse("admin:rewards_leaderboardprofile_change", args=[object_id])
        form = RenameForm(request.POST or None, initial={"nickname": profile.nickname})
        if request.method == "POST" and form.is_valid():
            try:
                renamed = membership.rename(
                    member_id=profile.pk, nickname=form.cleaned_data["nickname"], at=clock.now()
                )
            except NicknameRefused as refused:
                form.add_error("nickname", str(refused))
            else:
                self.log_change(request, renamed, "Renamed")
                messages.success(request, gettext("The member is called %(name)s now.") % {"name": renamed})
                return HttpResponseRedirect(back)
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Another nickname for “%(name)s”") % {"name": profile},
            submit=gettext("Rename"),
            back=back,
        )

    def delete_model(self, request: HttpRequest, obj: LeaderboardProfile) -> None:
        membership.leave(member_id=obj.pk, at=clock.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LeaderboardProfile]) -> None:
        for member_id in list(queryset.values_list("pk", flat=True)):
            membership.leave(member_id=member_id, at=clock.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """The scores go along; nobody needs a right of their own for these."""
        named = [format_html("{}", obj) for obj in objs]
        return named, {str(self.opts.verbose_name_plural): len(named)}, set(), []

    @admin.display(description=_("member"))
    def member_shown(self, profile: LeaderboardProfile) -> Any:
        return member_link(profile.member)


@admin.register(ForbiddenWord)
class ForbiddenWordAdmin(HistoryAdmin):
    """Words that no nickname has. Nicknames taken before a word was forbidden stay until staff rename them."""

    list_display = ("word", "anywhere")
    list_editable = ("anywhere",)
    list_filter = ("anywhere",)
    search_fields = ("word",)
    fields = ("word", "anywhere")
