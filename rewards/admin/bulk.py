"""Files of adjustments in the admin: upload, look, start (typed above a size), follow, undo, download the outcome."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget

from loyalty import clock
from loyalty.admin_base import ReadOnlyAdmin, badge
from loyalty.exports import csv_response
from loyalty.form_page import form_page
from loyalty.runs.models import Run
from rewards import bulk_adjustments
from rewards.adjustments import DecisionRefused, settings
from rewards.adjustments_file import MOST_BYTES, FileRefused
from rewards.bulk_adjustments import Status, WrongState
from rewards.models import BulkAdjustment

ADJUST = "rewards.adjust_points"
DECIDE = "rewards.decide_adjustments"
TONES = {"done": "good", "waiting": "warn", "rejected": "bad", "undone": "note"}
PROBLEMS_SHOWN = 50


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("CSV file"),
        widget=UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv"}),
        help_text=_(
            "First line: member,points,note. A member is a card number, an e-mail address or an id; points with a "
            "minus are taken. At most 20 000 rows. You see what it comes to before anything is posted."
        ),
    )

    def clean_file(self) -> Any:
        given = self.cleaned_data["file"]
        if given.size > MOST_BYTES:
            raise forms.ValidationError(gettext("The file is larger than 4 MB. Split it."))
        return given


class ConfirmForm(forms.Form):
    """The number of adjustments typed again, where there are many."""

    typed = forms.CharField(
        label=_("Type the number of adjustments to confirm"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric", "autocomplete": "off"}),
    )


@admin.register(BulkAdjustment)
class BulkAdjustmentAdmin(ReadOnlyAdmin):
    """Many corrections at once. What is posted can be undone as a whole, by transfers under the same file."""

    list_display = ("uploaded_at", "name", "good", "bad", "given", "taken", "state", "uploaded_by")
    list_display_links = ("name",)
    list_select_related = ("uploaded_by",)
    list_filter = (("status", ChoicesDropdownFilter),)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return request.user.has_perm(ADJUST)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADJUST) or request.user.has_perm(DECIDE)

    @admin.display(description=_("status"), ordering="status")
    def state(self, batch: BulkAdjustment) -> Any:
        return badge(batch.get_status_display(), TONES.get(batch.status, ""))

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("<int:batch_id>/act/", self.act_view, "act"),
            self.own_page("<int:batch_id>/outcome.csv", self.outcome_view, "outcome"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                batch = bulk_adjustments.upload(
                    name=given.name, data=given.read(), staff_id=request.user.pk, at=clock.now()
                )
            except FileRefused as refused:
                form.add_error("file", str(refused))
            else:
                self.log_addition(request, batch, f"Uploaded: {batch.good} adjustments")
                return HttpResponseRedirect(_url(batch.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Adjust points from a file"),
            submit=gettext("Check the file"),
            back=reverse("admin:rewards_bulkadjustment_changelist"),
            template="admin/rewards/bulk_upload.html",
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
        form: ConfirmForm | None = None,
    ) -> HttpResponse:
        batch = self._batch(request, object_id)
        run = Run.objects.filter(pk=batch.run_id).first() if batch.run_id else None
        mine = batch.uploaded_by_id == request.user.pk
        return form_page(
            self,
            request,
            form=form or ConfirmForm(),
            title=gettext("Adjustments from “%(file)s”") % {"file": batch.name},
            submit="",
            back=reverse("admin:rewards_bulkadjustment_changelist"),
            template="admin/rewards/bulk.html",
            context={
                "batch": batch,
                "state": self.state(batch),
                "problems": bulk_adjustments.problems_of(batch, limit=PROBLEMS_SHOWN),
                "problem_count": batch.rows.exclude(problem="").count(),
                "run": run,
                "moves": batch.status in (Status.QUEUED, Status.RUNNING, Status.UNDO_QUEUED, Status.UNDOING),
                "typed_needed": batch.good > settings().typed_above,
                "waits_for_second": batch.status == Status.DRAFT and bulk_adjustments.needs_a_second(batch),
                "may_start": batch.status == Status.DRAFT
                and mine
                and bool(batch.good)
                and self._adjusts(request),
                "may_decide": batch.status == Status.WAITING and not mine and request.user.has_perm(DECIDE),
                "may_undo": batch.status == Status.DONE and self._adjusts(request),
            },
        )

    def act_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Start, decide or undo, by the name of the button."""
        batch = self._batch(request, str(batch_id))
        if request.method != "POST":
            return HttpResponseRedirect(_url(batch.pk))
        act = request.POST.get("act", "")
        if act not in ("start", "approve", "reject", "undo"):
            raise Http404
        if not request.user.has_perm(DECIDE if act in ("approve", "reject") else ADJUST):
            raise PermissionDenied
        form = ConfirmForm(request.POST)
        if act in ("start", "undo") and batch.good > settings().typed_above and not _typed(form, batch):
            return self.change_view(request, str(batch.pk), form=form)
        try:
            self._act(request, batch, act)
        except DecisionRefused as refused:
            messages.error(request, str(refused))
        except WrongState:
            messages.error(request, gettext("The file is in another state by now; nothing was done."))
        else:
            self.log_change(request, batch, act)
        return HttpResponseRedirect(_url(batch.pk))

    def _act(self, request: HttpRequest, batch: BulkAdjustment, act: str) -> None:
        staff_id = request.user.pk
        if act == "start":
            status = bulk_adjustments.start(batch_id=batch.pk, staff_id=staff_id, at=clock.now())
            text = (
                gettext("It waits for a second person.")
                if status == Status.WAITING
                else gettext("It is on its way.")
            )
        elif act == "undo":
            into_debt = request.POST.get("spent") != "leave"
            bulk_adjustments.undo(batch_id=batch.pk, into_debt=into_debt, staff_id=staff_id)
            text = gettext("It is being undone.")
        else:
            bulk_adjustments.decide(
                batch_id=batch.pk, approve=act == "approve", staff_id=staff_id, at=clock.now()
            )
            text = (
                gettext("It is on its way.")
                if act == "approve"
                else gettext("It was rejected; nothing was posted.")
            )
        messages.success(request, text)

    def outcome_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """What became of every row, as a file for a spreadsheet."""
        batch = self._batch(request, str(batch_id))
        rows = batch.rows.order_by("line").iterator(chunk_size=2000)
        return csv_response(  # type: ignore[return-value]
            filename=f"adjustments-{batch.pk}.csv",
            header=[
                gettext("line"),
                "member",
                "points",
                "note",
                gettext("status"),
                gettext("problem"),
                gettext("points undone"),
            ],
            rows=(
                [row.line, row.reference, row.points, row.note, row.status, row.problem, row.undone]
                for row in rows
            ),
        )

    def _adjusts(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADJUST)

    def _batch(self, request: HttpRequest, object_id: str) -> BulkAdjustment:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = BulkAdjustment.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if batch is None:
            raise Http404
        return batch


def _typed(form: ConfirmForm, batch: BulkAdjustment) -> bool:
    if form.is_valid() and form.cleaned_data["typed"].replace(" ", "") == str(batch.good):
        return True
    form.add_error("typed", gettext("Type %(number)s to confirm.") % {"number": batch.good})
    return False


def _url(batch_id: int) -> str:
    return reverse("admin:rewards_bulkadjustment_change", args=[batch_id])
