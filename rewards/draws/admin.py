"""Draws in the admin: made without code, opened, held, called off; the entries, and the winners' queue."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from loyalty import clock
from loyalty.admin_base import ExportMixin, HistoryAdmin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from loyalty.translated import TranslatedTextField
from loyalty.translated_forms import TranslatedTextFormField
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from rewards.draws import holding, opening, prizes, queries, sealing, upkeep
from rewards.draws.forms import SECTIONS, STANDING, CancelForm, DrawForm, HandOverForm, PrizeForm
from rewards.draws.opening import DrawRefused
from rewards.models import Draw, DrawEntry, DrawPrize, DrawWinner

MAY_HOLD, MAY_HAND_OVER = "rewards.hold_draw", "rewards.hand_over_prize"
State = Draw.State
_TONES = {State.DRAFT: "note", State.OPEN: "good", State.CLOSED: "warn", State.CANCELLED: "bad"}


class PrizeInline(StackedInline):
    """The prizes, which stand from the opening on."""

    model = DrawPrize
    form = PrizeForm
    extra = 0
    fields = (("position", "quantity"), "names", ("points", "voucher_family"))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, TranslatedTextField):
            return TranslatedTextFormField(label=capfirst(db_field.verbose_name))
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def _may(self, obj: Any) -> bool:
        return obj is None or obj.state == State.DRAFT

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.change_draw") and self._may(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.change_draw") and self._may(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.change_draw") and self._may(obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.view_draw")


@admin.register(Draw)
class DrawAdmin(HistoryAdmin):
    """Draws. What members were promised stands from the opening on; the seed is not shown before it is published."""

    form = DrawForm
    fieldsets = SECTIONS
    inlines = (PrizeInline,)
    multiline_texts: ClassVar = ("descriptions", "rules")
    list_display = ("name", "code", "shown_state", "opens_at", "closes_at", "draws_at")
    list_display_links = ("name",)
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("code", "names__fi", "names__sv", "names__en")
    ordering = ("-closes_at",)
    change_form_outer_before_template = "admin/rewards/draw_panel.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("code",) if obj.state == State.DRAFT else STANDING

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (
            bool(super().has_delete_permission(request, obj)) and obj is not None and obj.state == State.DRAFT
        )

    def save_model(self, request: HttpRequest, obj: Draw, form: DrawForm, change: bool) -> None:
        """Only what was in the form: a draw that moved on meanwhile keeps its state and its promise."""
        if change:
            obj.save(update_fields=form.changed_data)
        else:
            super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_draw_{name}")

        return [
            own("<int:draw_id>/open/", self.open_view, "open"),
            own("<int:draw_id>/hold/", self.hold_view, "hold"),
            own("<int:draw_id>/cancel/", self.cancel_view, "cancel"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        draw, extra = self.get_object(request, object_id), dict(extra_context or {})
        if isinstance(draw, Draw):
            at, odds = clock.now(), queries.odds_of([draw])[draw.pk]
            may = request.user.has_perm(MAY_HOLD)
            extra |= {
                "draw": draw,
                "draw_state": self.shown_state(draw),
                "sums": [
                    (_("entries"), number_format(odds.entries, force_grouping=True)),
                    (_("chances"), number_format(odds.chances, force_grouping=True)),
                    (_("winners"), draw.winners.count()),
                    (_("prizes to hand over"), draw.winners.filter(fulfilled_at=None).count()),
                ],
                "may_open": may and draw.state == State.DRAFT,
                "may_hold": may and _is_due(draw, at),
                "may_cancel": may and draw.state in (State.OPEN, State.CLOSED),
            }
        return super().change_view(request, object_id, form_url, extra)

    def open_view(self, request: HttpRequest, draw_id: int) -> HttpResponse:
        draw = self._draw(request, draw_id)
        if request.method == "POST":
            try:
                opening.open_draw(draw_id=draw_id, at=clock.now())
            except DrawRefused as refused:
                messages.error(request, str(refused))
            else:
                self.log_change(request, draw, "Opened")
                messages.success(request, gettext("It is open. The fingerprint of its seed is published."))
        return HttpResponseRedirect(_url(draw_id))

    def hold_view(self, request: HttpRequest, draw_id: int) -> HttpResponse:
        """Close and hold it now, when its time has come, without waiting for the worker."""
        draw = self._draw(request, draw_id)
        if request.method == "POST":
            try:
                done = upkeep.bring_on(draw_id=draw_id, at=clock.now())
            except (sealing.SeedLost, holding.ListChanged) as broken:
                messages.error(request, f"{gettext('It cannot be held; call it off.')} {broken}")
            else:
                if done:
                    prizes.give_waiting(at=clock.now())
                    self.log_change(request, draw, "Closed and held as far as it was due")
                    messages.success(request, gettext("Done. Everybody sees it now."))
                else:
                    messages.info(request, gettext("It is not time for it yet."))
        return HttpResponseRedirect(_url(draw_id))

    def cancel_view(self, request: HttpRequest, draw_id: int) -> HttpResponse:
        """Ask why, and call it off; a worker gives the points back."""
        draw = self._draw(request, draw_id)
        form = CancelForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                opening.cancel(
                    draw_id=draw_id, note=form.cleaned_data["note"], staff_id=request.user.pk, at=clock.now()
                )
            except DrawRefused as refused:
                messages.error(request, str(refused))
            else:
                self.log_change(request, draw, "Called off")
                messages.success(request, gettext("Called off. The points are on their way back."))
            return HttpResponseRedirect(_url(draw_id))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Call %(draw)s off") % {"draw": draw},
            submit=gettext("Call it off and give the points back"),
            back=_url(draw_id),
        )

    def _draw(self, request: HttpRequest, draw_id: int) -> Draw:
        draw = Draw.objects.filter(pk=draw_id).first()
        if draw is None:
            raise Http404
        if not request.user.has_perm(MAY_HOLD):
            raise PermissionDenied
        return draw

    @admin.display(description=_("name"))
    def name(self, draw: Draw) -> str:
        return draw.name or draw.code

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, draw: Draw) -> SafeString:
        return badge(draw.get_state_display(), _TONES.get(State(draw.state), ""))


def _is_due(draw: Draw, at: Any) -> bool:
    if draw.state == State.OPEN:
        return bool(draw.closes_at <= at)
    return draw.state == State.CLOSED and (draw.draws_at is None or draw.draws_at <= at)


def _url(draw_id: int) -> str:
    return reverse("admin:rewards_draw_change", args=[draw_id])


@admin.register(DrawEntry)
class DrawEntryAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """Who is in which draw, for staff; the published list has numbers only."""

    list_display = ("number", "draw", "member_name", "weight", "entered_at", "cancelled_at")
    list_select_related = ("draw", "member")
    list_filter = (("draw", RelatedDropdownFilter),)
    search_fields = ("=number", "member__card_number")
    search_help_text = _("An entry's number, or the member's card number")
    ordering = ("-id",)
    fields = ("draw", "number", "member_name", "weight", "source", "source_id", "entered_at", "cancelled_at")
    readonly_fields = ("member_name",)
    export_columns = (
        (_("draw"), lambda row: row.draw.code),
        (_("number"), lambda row: row.number),
        (_("card number"), lambda row: row.member.card_number),
        (_("chances"), lambda row: row.weight),
        (_("entered at"), lambda row: row.entered_at),
        (_("cancelled at"), lambda row: row.cancelled_at),
    )

    @admin.display(description=_("member"))
    def member_name(self, row: DrawEntry) -> SafeString:
        return member_link(row.member)


class WaitingFilter(admin.SimpleListFilter):
    """Prizes to hand over, or those that were."""

    title = _("prize")
    parameter_name = "given"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("to hand over")), ("yes", _("handed over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DrawWinner]) -> QuerySet[DrawWinner]:
        if self.value() in ("no", "yes"):
            return queryset.filter(fulfilled_at__isnull=self.value() == "no")
        return queryset


@admin.register(DrawWinner)
class DrawWinnerAdmin(ExportMixin, ReadOnlyAdmin):
    """The winners' queue: whose prize is to be handed over."""

    list_display = ("draw", "position", "prize", "member_name", "entry", "state", "fulfilled_at", "note")
    list_display_links = ("position",)
    list_select_related = ("draw", "prize", "entry__member", "staff", "voucher")
    list_filter = (WaitingFilter, ("draw", RelatedDropdownFilter))
    search_fields = ("entry__member__card_number", "=entry__number")
    ordering = ("-draw__drawn_at", "position")
    fields = (
        *("draw", "position", "prize", "member_name", "entry", "voucher"),
        *("state", "fulfilled_at", "staff", "note"),
    )
    readonly_fields = ("member_name", "state")
    change_form_outer_after_template = "admin/rewards/winner_panel.html"
    export_columns = (
        (_("draw"), lambda row: row.draw.code),
        (_("position"), lambda row: row.position),
        (_("prize"), lambda row: str(row.prize)),
        (_("entry"), lambda row: row.entry.number),
        (_("card number"), lambda row: row.entry.member.card_number),
        (_("first name"), lambda row: row.entry.member.first_name),
        (_("last name"), lambda row: row.entry.member.last_name),
        (_("e-mail"), lambda row: row.entry.member.email),
        (_("handed over at"), lambda row: row.fulfilled_at),
        (_("note"), lambda row: row.note),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.hand_over_view)
        return [
            path("<int:winner_id>/hand-over/", view, name="rewards_drawwinner_hand_over"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row, extra = self.get_object(request, object_id), dict(extra_context or {})
        if row is not None and _may_hand_over(request, row):
            extra["winner"] = row
        return super().change_view(request, object_id, form_url, extra)

    def hand_over_view(self, request: HttpRequest, winner_id: int) -> HttpResponse:
        """Note that the prize was handed over; of two staff members at once the first did."""
        row = DrawWinner.objects.select_related("prize", "draw").filter(pk=winner_id).first()
        if row is None:
            raise Http404
        if not request.user.has_perm(MAY_HAND_OVER) or request.user.pk is None:
            raise PermissionDenied
        back, form = (
            reverse("admin:rewards_drawwinner_change", args=[winner_id]),
            HandOverForm(request.POST or None),
        )
        if request.method == "POST" and form.is_valid():
            note, staff_id = form.cleaned_data["note"], request.user.pk
            try:
                done = prizes.hand_over(winner_id=winner_id, staff_id=staff_id, note=note, at=clock.now())
            except DrawRefused as refused:
                messages.error(request, str(refused))
            else:
                text = gettext("Handed over.") if done else gettext("It was handed over before.")
                messages.success(request, text)
            return HttpResponseRedirect(back)
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Hand over: %(prize)s") % {"prize": row.prize},
            submit=gettext("It is handed over"),
            back=back,
        )

    @admin.display(description=_("member"))
    def member_name(self, row: DrawWinner) -> SafeString:
        return member_link(row.entry.member)

    @admin.display(description=_("state"))
    def state(self, row: DrawWinner) -> SafeString:
        return badge(gettext("given"), "good") if row.fulfilled_at else badge(gettext("to hand over"), "warn")


def _may_hand_over(request: HttpRequest, row: DrawWinner) -> bool:
    return row.fulfilled_at is None and not row.prize.points and request.user.has_perm(MAY_HAND_OVER)
