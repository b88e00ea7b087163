"""Moving in by way of the admin: upload, read what it would come to, then have it taken in by a button."""

import gzip
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from loyalty import clock
from loyalty.admin_base import ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from loyalty.models import Partner
from rewards.models import MovingIn, MovingInFile
from rewards.moving_in import parity, requests
from rewards.moving_in.importing import COMPARING, READING, TAKING

PERMISSION = "rewards.move_in"
LARGEST = 64 * 1024 * 1024
STEPS = {READING: _("Reading the files"), TAKING: _("Members"), COMPARING: _("Comparing with the ledger")}
Status = MovingIn.Status
_TONES = {Status.DONE: "good", Status.FAILED: "bad", Status.CHECKED: "note"}


class UploadForm(forms.Form):
    """The three files, and whose customer numbers they speak of."""

    partner = forms.ModelChoiceField(
        label=_("Partner"),
        queryset=Partner.objects.all(),
        widget=UnfoldAdminSelectWidget(),
        help_text=_(
            "Whose customer numbers stand in the files: tills and web shop will name the members by them."
        ),
    )
    members = forms.FileField(
        label=_("Members"),
        widget=UnfoldAdminFileFieldWidget(),
        help_text=_("members.csv: one row for each member. Plain or packed with gzip."),
    )
    lots = forms.FileField(
        label=_("Points"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(),
        help_text=_("lots.csv: points with the day they were earned and the last day they are good."),
    )
    tiers = forms.FileField(
        label=_("Tiers"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(),
        help_text=_("tiers.csv: each member's tier, since when and until when."),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("members", "lots", "tiers"):
            file = data.get(name)
            if file and file.size > LARGEST:
                self.add_error(
                    name, gettext("More than 64 MB: pack it with gzip, or use manage.py import_members.")
                )
        return data

    def uploads(self) -> dict[str, tuple[str, bytes]]:
        given = {name: self.cleaned_data.get(name) for name in ("members", "lots", "tiers")}
        return {name: (file.name, file.read()) for name, file in given.items() if file}


class ConfirmForm(forms.Form):
    """The number of members, typed, so that nobody takes a whole chain in by a slip."""

    count = forms.IntegerField()

    def __init__(self, *args: Any, expected: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_count(self) -> int:
        if self.cleaned_data["count"] != self.expected:
            raise forms.ValidationError(gettext("That is not the number of members."))
        return self.expected


@admin.register(MovingIn)
class MovingInAdmin(ReadOnlyAdmin):
    """Moves with their state and outcome. “Add” uploads files; nothing is taken in before it is confirmed."""

    list_display = ("row_number", "partner", "state", "outcome", "requested_at", "requested_by")
    list_select_related = ("partner", "requested_by")
    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION) or super().has_view_permission(request, obj)

    @admin.display(description=_("number"), ordering="id")
    def row_number(self, row: MovingIn) -> str:
        return f"#{row.pk}"

    @admin.display(description=_("state"), ordering="status")
    def state(self, row: MovingIn) -> Any:
        return badge(row.get_status_display(), _TONES.get(Status(row.status), ""))

    @admin.display(description=_("parity"))
    def outcome(self, row: MovingIn) -> str:
        return parity.headline(row.report) if row.report else row.error

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("<int:moving_in_id>/confirm/", self.confirm_view, "confirm"),
            self.own_page("<int:moving_in_id>/discard/", self.discard_view, "discard"),
            self.own_page("<int:moving_in_id>/again/", self.again_view, "again"),
            self.own_page("<int:moving_in_id>/file/<slug:kind>/", self.file_view, "file"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            made = requests.ask(
                partner_id=form.cleaned_data["partner"].pk,
                uploads=form.uploads(),
                staff_id=_staff_id(request),
                at=clock.now(),
            )
            self.log_addition(request, made, "Uploaded")
            return HttpResponseRedirect(_url(made.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Move in from another system"),
            submit=gettext("Upload and check"),
            back=reverse("admin:rewards_movingin_changelist"),
            template="admin/rewards/moving_in_upload.html",
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        moving = _found(object_id)
        return self._page(request, moving, ConfirmForm(expected=_expected(moving)))

    def _page(self, request: HttpRequest, moving: MovingIn, form: ConfirmForm) -> TemplateResponse:
        may = request.user.has_perm(PERMISSION)
        report = moving.report
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            "admin/rewards/moving_in.html",
            {
                **self.admin_site.each_context(request),
                "title": gettext("Move from another system, for %(partner)s") % {"partner": moving.partner},
                "opts": self.opts,
                "moving": moving,
                "step": STEPS.get(moving.phase, ""),
                "underway": moving.status in requests.UNDERWAY,
                "report": report,
                "headline": parity.headline(report) if report else "",
                "files": moving.files.values_list("kind", flat=True) if may else (),
                "form": form,
                "expected": _expected(moving),
                "may_confirm": may and moving.status == Status.CHECKED and _expected(moving) > 0,
                "may_discard": may
                and moving.status in (Status.QUEUED, Status.CHECKED, Status.FAILED)
                and moving.confirmed_at is None,
                "may_try_again": may and moving.status == Status.FAILED,
            },
        )

    def confirm_view(self, request: HttpRequest, moving_in_id: int) -> HttpResponse:
        moving = self._mine(request, moving_in_id)
        form = ConfirmForm(request.POST, expected=_expected(moving))
        if not form.is_valid():
            return self._page(request, moving, form)
        if requests.confirm(moving_in_id=moving.pk, staff_id=_staff_id(request), at=clock.now()):
            self.log_change(request, moving, "Confirmed")
        else:
            messages.info(request, gettext("It was confirmed already; nothing is done twice."))
        return HttpResponseRedirect(_url(moving.pk))

    def discard_view(self, request: HttpRequest, moving_in_id: int) -> HttpResponse:
        moving = self._mine(request, moving_in_id)
        if requests.discard(moving_in_id=moving_in_id):
            self.log_deletions(request, [moving])  # type: ignore[arg-type]
            messages.success(request, gettext("The files were deleted; nothing had been taken in."))
            return HttpResponseRedirect(reverse("admin:rewards_movingin_changelist"))
        return HttpResponseRedirect(_url(moving_in_id))

    def again_view(self, request: HttpRequest, moving_in_id: int) -> HttpResponse:
        moving = self._mine(request, moving_in_id)
        if requests.again(moving_in_id=moving_in_id):
            self.log_change(request, moving, "Tried again")
        return HttpResponseRedirect(_url(moving_in_id))

    def file_view(self, request: HttpRequest, moving_in_id: int, kind: str) -> HttpResponse:
        """What was refused, or the parity of each member, as CSV."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        file = MovingInFile.objects.filter(moving_in=moving_in_id, kind=kind).exclude(
            kind__in=requests.UPLOADED
        )
        content = file.values_list("content", flat=True).first()
        if content is None:
            raise Http404
        return HttpResponse(
            gzip.decompress(bytes(content)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="moving-in-{moving_in_id}-{kind}.csv"',
                "Cache-Control": "no-store",
            },
        )

    def _mine(self, request: HttpRequest, moving_in_id: int) -> MovingIn:
        """The move, for somebody who may decide on it, by POST only."""
        if request.method != "POST" or not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return _found(moving_in_id)


def _found(pk: object) -> MovingIn:
    text = str(pk)
    found = MovingIn.objects.select_related("partner", "requested_by", "confirmed_by")
    moving = found.filter(pk=int(text)).first() if text.isdecimal() and len(text) < 18 else None
    if moving is None:
        raise Http404
    return moving


def _expected(moving: MovingIn) -> int:
    """How many members would be taken in."""
    return int(moving.report["members"]["in"]) if moving.report else 0


def _staff_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise PermissionDenied
    return int(request.user.pk)


def _url(pk: int) -> str:
    return reverse("admin:rewards_movingin_change", args=[pk])
