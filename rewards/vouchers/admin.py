"""Vouchers in the admin: kinds with a preview, batches with their progress, every code with its history."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminFileFieldWidget

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from members.admin import member_link
from rewards.models import Voucher, VoucherBatch, VoucherFamily
from rewards.vouchers import batches, codes, export, families, issuing, pool_file, queries, wording
from rewards.vouchers.admin_form import SECTIONS, FamilyForm, GenerationForm, PoolForm, ReasonForm

TONES = {
    "active": "good",
    "done": "good",
    "used": "note",
    "failed": "bad",
    "cancelled": "bad",
    "running": "warn",
}
CHANGE, CANCEL, EXPORT = "rewards.change_voucherfamily", "rewards.change_voucher", "rewards.export_codes"
PROBLEMS_SHOWN = 200


@admin.register(VoucherFamily)
class VoucherFamilyAdmin(HistoryAdmin):
    """Kinds of vouchers. What issued vouchers rest on is fixed; the preview shows one on paper and on a phone."""

    form = FamilyForm
    fieldsets = SECTIONS
    list_display = ("name", "code", "takes_off", "source", "issued", "used", "in_pool", "is_active")
    list_filter = (("kind", ChoicesDropdownFilter), ("source", ChoicesDropdownFilter), "is_active")
    search_fields = ("code", "names__fi", "names__sv", "names__en", "prefix")
    change_form_outer_before_template = "admin/rewards/voucher_family_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoucherFamily]:
        def counted(*states: str) -> Count:
            return Count("vouchers", filter=Q(vouchers__state__in=states))

        return (
            super()
            .get_queryset(request)
            .select_related("partner")
            .annotate(
                number_stored=counted("stored"),
                number_used=counted("used"),
                number_issued=Count("vouchers", filter=~Q(vouchers__state="stored")),
            )
        )

    @admin.display(description=_("takes off"))
    def takes_off(self, family: VoucherFamily) -> str:
        return wording.worth(family)

    @admin.display(description=_("issued"), ordering="number_issued")
    def issued(self, family: Any) -> int:
        return int(family.number_issued)

    @admin.display(description=_("used"), ordering="number_used")
    def used(self, family: Any) -> int:
        return int(family.number_used)

    @admin.display(description=_("in the pool"), ordering="number_stored")
    def in_pool(self, family: Any) -> int | None:
        return int(family.number_stored) if family.source == VoucherFamily.Source.POOL else None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: VoucherFamily, form: FamilyForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.source == VoucherFamily.Source.SHARED and (code := form.cleaned_data.get("shared_code")):
            families.share(family_id=obj.pk, code=code, at=clock.now(), staff_id=request.user.pk)

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_voucherfamily_{name}")

        return [
            own("<int:family_id>/preview/", self.preview_view, "preview"),
            own("<int:family_id>/make/", self.make_view, "make"),
            own("<int:family_id>/import/", self.import_view, "import"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        family = self.get_object(request, object_id)
        extra = {
            **(extra_context or {}),
            "family": family,
            "may_change": self.has_change_permission(request, family),
            "batches": VoucherBatch.objects.filter(family=family)[:5] if family else (),
        }
        return super().change_view(request, object_id, form_url, extra)

    def preview_view(self, request: HttpRequest, family_id: int) -> HttpResponse:
        """A made-up voucher of the kind, as it is printed and as a phone shows it. Nothing is issued."""
        family = self._family(request, family_id, self.has_view_or_change_permission)
        at = clock.now()
        made_up = Voucher(
            family=family, code=codes.new_code(family.prefix), **issuing.terms_of(family, at=at)
        )
        if shared := families.shared_code(family):
            made_up.code = shared
        context = {
            **self.admin_site.each_context(request),
            **queries.code_context(made_up, at=at),
            "title": gettext("Preview of “%(kind)s”") % {"kind": family},
            "family": family,
        }
        return TemplateResponse(request, "admin/rewards/voucher_preview.html", context)

    def make_view(self, request: HttpRequest, family_id: int) -> HttpResponse:
        """Have codes made by a worker."""
        family = self._family(request, family_id, self.has_change_permission)
        form = GenerationForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                batch = batches.ask_for_codes(
                    family_id=family.pk,
                    count=form.cleaned_data["count"],
                    staff_id=_staff_id(request),
                    at=clock.now(),
                )
            except (issuing.FamilyClosed, batches.NotForThis) as refused:
                form.add_error("count", str(refused) or gettext("Codes of this kind come from elsewhere."))
            else:
                self.log_change(request, family, f"Asked for {batch.total} codes")
                return HttpResponseRedirect(_batch_url(batch.pk))
        return self._form(request, family, form, gettext("Make codes for “%(kind)s”"), gettext("Make them"))

    def import_view(self, request: HttpRequest, family_id: int) -> HttpResponse:
        """Have a file of codes taken into the pool."""
        family = self._family(request, family_id, self.has_change_permission)
        form = PoolForm(request.POST or None, request.FILES or None)
        form.fields["file"].widget = UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv"})
        if request.method == "POST" and form.is_valid():
            try:
                batch = batches.ask_for_import(
                    family_id=family.pk,
                    data=form.cleaned_data["file"],
                    staff_id=_staff_id(request),
                    at=clock.now(),
                )
            except (pool_file.FileRefused, batches.NotForThis) as refused:
                form.add_error("file", str(refused) or gettext("Codes of this kind come from elsewhere."))
            else:
                self.log_change(request, family, f"Uploaded a file of {batch.total} codes")
                return HttpResponseRedirect(_batch_url(batch.pk))
        return self._form(
            request, family, form, gettext("Take codes into the pool of “%(kind)s”"), gettext("Take them in")
        )

    def _form(
        self, request: HttpRequest, family: VoucherFamily, form: forms.Form, title: str, submit: str
    ) -> HttpResponse:
        return form_page(
            self,
            request,
            form=form,
            title=title % {"kind": family},
            submit=submit,
            back=reverse("admin:rewards_voucherfamily_change", args=[family.pk]),
            template="admin/rewards/voucher_form.html",
        )

    def _family(self, request: HttpRequest, family_id: int, may: Any) -> VoucherFamily:
        family = VoucherFamily.objects.select_related("partner").filter(pk=family_id).first()
        if not may(request, family):
            raise PermissionDenied
        if family is None:
            raise Http404
        return family


@admin.register(VoucherBatch)
class VoucherBatchAdmin(ReadOnlyAdmin):
    """Codes made or taken in together: how far it is, what was refused, the download, and cancelling what is free."""

    list_display = ("number", "family", "kind", "state_badge", "progress", "requested_by", "requested_at")
    list_select_related = ("family", "requested_by")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("family", RelatedDropdownFilter),
    )

    @admin.display(description=_("number"), ordering="id")
    def number(self, batch: VoucherBatch) -> str:
        return f"#{batch.pk}"

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, batch: VoucherBatch) -> Any:
        return badge(batch.get_state_display(), TONES.get(batch.state, ""))

    @admin.display(description=_("done"))
    def progress(self, batch: VoucherBatch) -> Any:
        return format_html(
            '<progress class="k-progress-small" value="{}" max="100"></progress> {} / {}',
            batches.percent(batch),
            batch.done,
            batch.total,
        )

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_voucherbatch_{name}")

        return [
            own("<int:batch_id>/codes.<slug:file_format>", self.codes_view, "codes"),
            own("<int:batch_id>/again/", self.again_view, "again"),
            own("<int:batch_id>/cancel/", self.cancel_view, "cancel"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
        form: ReasonForm | None = None,
    ) -> HttpResponse:
        batch = self._batch(request, int(object_id) if object_id.isdecimal() else 0)
        context = {
            "batch": batch,
            "state": self.state_badge(batch),
            "percent": batches.percent(batch),
            "underway": batch.state in batches.UNDERWAY,
            "problems": [
                (row["line"], pool_file.WHY.get(row["why"], row["why"]))
                for row in batch.problems[:PROBLEMS_SHOWN]
            ],
            "free": batches.unused_codes(batch.pk),
            "may_change": request.user.has_perm(CHANGE),
            "may_cancel": request.user.has_perm(CANCEL),
            "may_export": request.user.has_perm(EXPORT),
        }
        return form_page(
            self,
            request,
            form=form or ReasonForm(),
            title=gettext("Batch #%(number)s of “%(kind)s”") % {"number": batch.pk, "kind": batch.family},
            submit=gettext("Cancel them"),
            back=reverse("admin:rewards_voucherbatch_changelist"),
            template="admin/rewards/voucher_batch.html",
            context=context,
        )

    def codes_view(self, request: HttpRequest, batch_id: int, file_format: str) -> HttpResponseBase:
        """The codes as CSV or Excel, for a printer."""
        batch = self._batch(request, batch_id)
        if not request.user.has_perm(EXPORT):
            raise PermissionDenied
        if file_format not in export.FORMATS:
            raise Http404
        self.log_change(request, batch, f"Downloaded {batch.done} codes")
        rows = Voucher.objects.filter(batch=batch)
        return export.download(rows, name=f"vouchers-{batch.pk}", file_format=file_format, at=clock.now())

    def again_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Go on with a batch that failed."""
        batch = self._batch(request, batch_id)
        if request.method != "POST" or not request.user.has_perm(CHANGE):
            raise PermissionDenied
        if batches.again(batch_id=batch.pk):
            self.log_change(request, batch, "Tried again")
        return HttpResponseRedirect(_batch_url(batch.pk))

    def cancel_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Cancel what nobody used, with the reason."""
        batch = self._batch(request, batch_id)
        if request.method != "POST" or not request.user.has_perm(CANCEL):
            raise PermissionDenied
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.change_view(request, str(batch.pk), form=form)
        reason = form.cleaned_data["reason"]
        count = batches.cancel_unused(
            batch_id=batch.pk, staff_id=_staff_id(request), note=reason, at=clock.now()
        )
        self.log_change(request, batch, f"Cancelled {count} codes: {reason}")
        messages.success(request, gettext("%(count)s codes were cancelled.") % {"count": count})
        return HttpResponseRedirect(_batch_url(batch.pk))

    def _batch(self, request: HttpRequest, batch_id: int) -> VoucherBatch:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = VoucherBatch.objects.select_related("family", "requested_by").filter(pk=batch_id).first()
        if batch is None:
            raise Http404
        return batch


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    """Every code, found by any spelling, with all that happened to it; cancelled with a reason."""

    list_display = ("shown", "family", "state_badge", "member_name", "issued_at", "expires_at")
    list_select_related = ("family", "member")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("family", RelatedDropdownFilter),
        ("batch", RelatedDropdownFilter),
    )
    search_fields = ("code",)
    search_help_text = _("A code in any spelling, a card number or an e-mail address")
    ordering = ("-id",)
    date_hierarchy: ClassVar = None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Voucher], search_term: str
    ) -> tuple[QuerySet[Voucher], bool]:
        if not search_term.strip():
            return queryset, False
        found = Q(code=codes.canonical(search_term) or None)
        text = search_term.strip()
        if "@" in text:
            found = Q(member__email__iexact=text)
        elif (digits := text.replace(" ", "")).isdecimal():
            found |= Q(member__card_number=digits)
        return queryset.filter(found), False

    @admin.display(description=_("code"))
    def shown(self, voucher: Voucher) -> str:
        return queries.shown_code(voucher)

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, voucher: Voucher) -> Any:
        state = queries.state_at(voucher, clock.now())
        return badge(state.label, TONES.get(state, ""))

    @admin.display(description=_("member"), ordering="member")
    def member_name(self, voucher: Voucher) -> Any:
        return member_link(voucher.member) if voucher.member else None

    def get_urls(self) -> list[URLPattern]:
        cancel = self.admin_site.admin_view(self.cancel_view)
        return [
            path("<int:voucher_id>/cancel/", cancel, name="rewards_voucher_cancel"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
        form: ReasonForm | None = None,
    ) -> HttpResponse:
        voucher = self._voucher(request, int(object_id) if object_id.isdecimal() else 0)
        at = clock.now()
        may_cancel = (
            request.user.has_perm(CANCEL)
            and voucher.state in (Voucher.State.STORED, Voucher.State.ACTIVE)
            and voucher.redemption_id is None
        )
        return form_page(
            self,
            request,
            form=form or ReasonForm(),
            title=queries.shown_code(voucher),
            submit=gettext("Cancel it"),
            back=reverse("admin:rewards_voucher_changelist"),
            template="admin/rewards/voucher.html",
            context={
                **queries.code_context(voucher, at=at),
                "badge": self.state_badge(voucher),
                "member_name": self.member_name(voucher),
                "steps": queries.steps_of(voucher),
                "may_cancel": may_cancel,
            },
        )

    def cancel_view(self, request: HttpRequest, voucher_id: int) -> HttpResponse:
        """Cancel with the reason. What a redemption gave is cancelled there, so that the points come back."""
        voucher = self._voucher(request, voucher_id)
        if request.method != "POST" or not request.user.has_perm(CANCEL) or voucher.redemption_id is not None:
            raise PermissionDenied
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.change_view(request, str(voucher.pk), form=form)
        reason = form.cleaned_data["reason"]
        try:
            done = issuing.withdraw(
                voucher_id=voucher.pk, at=clock.now(), note=reason, staff_id=_staff_id(request)
            )
        except issuing.VoucherUsed:
            messages.error(request, gettext("It was used, or lies in a checkout: roll that back first."))
        else:
            if done:
                self.log_change(request, voucher, f"Cancelled: {reason}")
            messages.success(request, gettext("It is cancelled."))
        return HttpResponseRedirect(reverse("admin:rewards_voucher_change", args=[voucher.pk]))

    def _voucher(self, request: HttpRequest, voucher_id: int) -> Voucher:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = Voucher.objects.select_related("family__partner", "member", "batch", "redemption")
        voucher = found.filter(pk=voucher_id).first()
        if voucher is None:
            raise Http404
        return voucher


def _staff_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise PermissionDenied
    return int(request.user.pk)


def _batch_url(batch_id: int) -> str:
    return reverse("admin:rewards_voucherbatch_change", args=[batch_id])
