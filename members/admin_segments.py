"""Segments in the admin: built with their size in sight, looked into, cloned, archived; lists taken in from files."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty import clock, conditions
from loyalty.admin_base import KantisAdmin, badge
from loyalty.conditions.forms import ConditionField
from loyalty.exports import csv_response
from loyalty.form_page import form_page
from loyalty.partners.models import Partner
from loyalty.translated_forms import TranslatedTextFormField
from members.models import Member, Segment, SegmentChange
from members.segments import definition, lists, reach
from members.segments.definition import SUBJECT, SegmentRefused

SHOWN = 50
EVERYBODY = _("Every member.")
MODES = (
    (lists.Mode.ADD, _("add these members")),
    (lists.Mode.REPLACE, _("let the list be exactly these members")),
    (lists.Mode.REMOVE, _("take these members off")),
)


class ConditionsForm(forms.Form):
    """The conditions alone: what the size is counted of."""

    conditions = ConditionField(label=_("Who belongs in"), subject=SUBJECT, always=EVERYBODY)


class SegmentForm(ConditionsForm):
    """A new segment."""

    names = TranslatedTextFormField(label=_("Names"), max_length=100)
    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("For rules and partners; it stays as it is."),
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=Segment.Kind.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("The members of a list come from files; it has no conditions."),
    )
    field_order = ("names", "code", "kind", "conditions")


class RevisedForm(ConditionsForm):
    """What can be changed of a segment."""

    names = TranslatedTextFormField(label=_("Names"), max_length=100)
    field_order = ("names", "conditions")


class UploadForm(forms.Form):
    """A file of members for a list."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv"}),
        help_text=_(
            "The first line names a column: member (card number, e-mail address or id), card_number, email, id or "
            "external_id. At most 200 000 rows."
        ),
    )
    mode = forms.ChoiceField(label=_("What to do"), choices=MODES, widget=UnfoldAdminSelectWidget())
    partner = forms.ModelChoiceField(
        label=_("Partner"),
        queryset=Partner.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Whose external ids these are, if they are."),
    )
    leave_out = forms.BooleanField(
        label=_("Leave out rows that cannot be used"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Otherwise nothing is written until every row is right."),
    )


@admin.register(Segment)
class SegmentAdmin(KantisAdmin):
    """A segment's page shows who is in, who can be reached and what changed; building has pages of its own."""

    list_display = ("name", "code", "kind", "size", "change", "refreshed_at", "state")
    list_display_links = ("name",)
    list_filter = (("kind", ChoicesDropdownFilter), "is_active")
    search_fields = ("code",)
    ordering = ("-is_active", "code")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("members"), ordering="member_count")
    def size(self, segment: Segment) -> str:
        return number_format(segment.member_count, force_grouping=True)

    @admin.display(description=_("since the last refresh"))
    def change(self, segment: Segment) -> str:
        return f"+{segment.joined_count} −{segment.left_count}"

    @admin.display(description=_("state"))
    def state(self, segment: Segment) -> Any:
        return _state(segment)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("size/", self.size_view, "size"),
            self.own_page("<int:segment_id>/edit/", self.edit_view, "edit"),
            self.own_page("<int:segment_id>/act/", self.act_view, "act"),
            self.own_page("<int:segment_id>/upload/", self.upload_view, "upload"),
            self.own_page("<int:segment_id>/members.csv", self.download_view, "download"),
            *super().get_urls(),
        ]

    # --- Building -----------------------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        pattern = self._pattern(request)
        initial = {"conditions": pattern.conditions, "kind": pattern.kind} if pattern else {}
        form = SegmentForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid() and "preview" not in request.POST:
            data = form.cleaned_data
            try:
                made = definition.create(
                    code=data["code"],
                    names=data["names"],
                    kind=data["kind"],
                    data=data["conditions"],
                    at=clock.now(),
                )
            except SegmentRefused as refused:
                form.add_error(refused.field, str(refused))
            else:
                self.log_addition(request, made, f"Made: {made.code}")
                messages.success(request, gettext("The segment was made; its members are being looked for."))
                return HttpResponseRedirect(_url(made.pk))
        return self._form(request, form, title=gettext("New segment"), back=_list_url())

    def edit_view(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        segment = self._segment(request, segment_id, change=True)
        initial = {"names": segment.names, "conditions": segment.conditions}
        form = RevisedForm(request.POST or None, initial=initial)
        if segment.kind == Segment.Kind.LIST:
            del form.fields["conditions"]
        if request.method == "POST" and form.is_valid() and "preview" not in request.POST:
            data = form.cleaned_data
            try:
                definition.revise(
                    segment_id=segment.pk, names=data["names"], data=data.get("conditions") or {}
                )
            except SegmentRefused as refused:
                form.add_error(refused.field, str(refused))
            else:
                self.log_change(request, segment, "Revised")
                messages.success(request, gettext("The segment was saved."))
                return HttpResponseRedirect(_url(segment.pk))
        title = gettext("Change “%(segment)s”") % {"segment": segment}
        return self._form(request, form, title=title, back=_url(segment.pk))

    def _form(self, request: HttpRequest, form: forms.Form, *, title: str, back: str) -> HttpResponse:
        seen = {}
        if "preview" in request.POST and "conditions" in form.fields and "conditions" not in form.errors:
            seen = _seen(form.cleaned_data["conditions"])
        return form_page(
            self,
            request,
            form=form,
            title=title,
            submit=gettext("Save"),
            back=back,
            template="admin/members/segment/form.html",
            context={"size_url": reverse("admin:members_segment_size"), **seen},
        )

    def size_view(self, request: HttpRequest) -> HttpResponse:
        """How large the segment in the form would be, for the page that asks while it is being built."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            raise Http404
        form = ConditionsForm(request.POST)
        context = _seen(form.cleaned_data["conditions"]) if form.is_valid() else {"unfinished": True}
        return TemplateResponse(request, "admin/members/segment/size.html", context)

    def _pattern(self, request: HttpRequest) -> Segment | None:
        wanted = request.GET.get("like", "")
        return (
            Segment.objects.filter(pk=int(wanted)).first()
            if wanted.isdecimal() and len(wanted) < 19
            else None
        )

    # --- Looking into one ---------------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not object_id.isdecimal() or len(object_id) > 18:
            raise Http404
        segment = self._segment(request, int(object_id))
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            **_about(segment),
            "title": str(segment),
            "segment": segment,
            "state": _state(segment),
            "may_change": self.has_change_permission(request, segment),
            "may_add": self.has_add_permission(request),
            "may_see_members": request.user.has_perm("members.view_member"),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/members/segment/page.html", context)

    def act_view(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        segment = self._segment(request, segment_id, change=True)
        if request.method == "POST":
            done = request.POST.get("do", "")
            try:
                if done == "archive":
                    definition.archive(segment_id=segment.pk)
                    messages.success(request, gettext("The segment was archived. It keeps its members."))
                elif done == "restore":
                    definition.restore(segment_id=segment.pk)
                    messages.success(request, gettext("The segment is in use again."))
                else:
                    raise Http404
            except SegmentRefused as refused:
                messages.error(request, str(refused))
            else:
                self.log_change(request, segment, done)
        return HttpResponseRedirect(_url(segment.pk))

    def download_view(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        segment = self._segment(request, segment_id)
        if not request.user.has_perm("members.view_member"):
            raise PermissionDenied
        rows = segment.memberships.select_related("member").order_by("pk")
        return csv_response(
            filename=f"{segment.code}.csv",
            header=[_("card number"), _("first name"), _("last name"), _("e-mail address"), _("since")],
            rows=(
                [
                    row.member.card_number,
                    row.member.first_name,
                    row.member.last_name,
                    row.member.email,
                    row.joined_at,
                ]
                for row in rows.iterator(chunk_size=2000)
            ),
        )

    # --- Lists --------------------------------------------------------------------------------------------------------

    def upload_view(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        segment = self._segment(request, segment_id, change=True)
        if segment.kind != Segment.Kind.LIST:
            raise Http404
        form = UploadForm(request.POST or None, request.FILES or None)
        bad: list[lists.Row] = []
        if request.method == "POST" and form.is_valid():
            try:
                return self._take_in(request, segment, form)
            except lists.RowsRefused as refused:
                form.add_error("file", str(refused))
                bad = list(refused.rows[:SHOWN])
            except (lists.FileRefused, SegmentRefused) as refused:
                form.add_error("file", str(refused))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Members for “%(segment)s” from a file") % {"segment": segment},
            submit=gettext("Take in the file"),
            back=_url(segment.pk),
            template="admin/members/segment/upload.html",
            context={"bad": bad},
        )

    def _take_in(self, request: HttpRequest, segment: Segment, form: UploadForm) -> HttpResponse:
        data = form.cleaned_data
        rows = lists.read(data["file"].read(), partner=data["partner"])
        checked = lists.check(rows, partner=data["partner"])
        moves = lists.take_in(
            segment_id=segment.pk,
            checked=checked,
            mode=data["mode"],
            at=clock.now(),
            leave_out_bad=data["leave_out"],
        )
        self.log_change(request, segment, f"File: {moves.joined} joined, {moves.left} left")
        messages.success(
            request,
            gettext("%(joined)s members joined, %(left)s left, %(bad)s rows were left out.")
            % {"joined": moves.joined, "left": moves.left, "bad": len(checked.bad)},
        )
        return HttpResponseRedirect(_url(segment.pk))

    def _segment(self, request: HttpRequest, segment_id: int, *, change: bool = False) -> Segment:
        segment = Segment.objects.filter(pk=segment_id).first()
        if segment is None:
            raise Http404
        allowed = self.has_change_permission if change else self.has_view_permission
        if not allowed(request, segment):
            raise PermissionDenied
        return segment


def _url(segment_id: int) -> str:
    return reverse("admin:members_segment_change", args=[segment_id])


def _list_url() -> str:
    return reverse("admin:members_segment_changelist")


def _state(segment: Segment) -> Any:
    if not segment.is_active:
        return badge(gettext("archived"), "note")
    if segment.problem:
        return badge(gettext("cannot be refreshed"), "bad")
    return (
        badge(gettext("in use"), "good") if segment.refreshed_at else badge(gettext("being filled"), "warn")
    )


def _seen(data: dict[str, Any]) -> dict[str, Any]:
    """What the pages show of conditions: their sentence and their reach."""
    condition = conditions.parse(data or {}, SUBJECT, check_choices=False)
    looked = reach.look(condition, at=clock.now())
    return {"sentence": condition.sentence(always=EVERYBODY), **_reach(looked)}


def _reach(looked: reach.Reach | reach.TooLong) -> dict[str, Any]:
    return {"about": looked.about} if isinstance(looked, reach.TooLong) else {"reach": looked}


def _about(segment: Segment) -> dict[str, Any]:
    """Sentence, reach, and who came and went with and since the last refresh."""
    changes: QuerySet[SegmentChange] = SegmentChange.objects.filter(segment=segment).select_related("member")
    if segment.refreshed_at:
        changes = changes.filter(changed_at__gte=segment.refreshed_at)
    found: dict[str, Any] = {
        "joined": list(changes.filter(joined=True)[:SHOWN]),
        "left": list(changes.filter(joined=False)[:SHOWN]),
        "users": definition.users_of(segment.code),
    }
    if segment.kind == Segment.Kind.CONDITIONS:
        try:
            condition = definition.define(segment).condition
            found["sentence"] = condition.sentence(always=EVERYBODY)
        except conditions.ConditionError as error:
            found["problem"] = str(error)
    return found | _reach(reach.reach_of(Member.objects.filter(segment_memberships__segment=segment)))
