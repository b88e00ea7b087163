"""Dated terms in the admin, expiry among them: read as sentences, revised by date. What was used is never edited."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty import clock
from loyalty.admin_base import KantisAdmin, badge
from loyalty.form_page import form_page
from rewards.models import ExpiryPolicy, Wallet
from rewards.revisions import RevisionRefused, revise_expiry
from rewards.rule_form import DatedForm
from rewards.wording import expiry_of


class TermsAdmin(KantisAdmin):
    """Terms that are read and succeeded, not edited. “Add” makes the next ones, filled in with those in force."""

    revise_title: Any = ""
    succeeded_within: ClassVar[tuple[str, ...]] = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.new_form(request)
        if request.method == "POST" and form.is_valid():
            try:
                made = self.revise(form, clock.now())
            except RevisionRefused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
            else:
                self.log_addition(request, made, "Revised")
                messages.success(request, gettext("The new terms were made."))
                return HttpResponseRedirect(reverse(f"admin:rewards_{self.opts.model_name}_changelist"))
        return form_page(
            self,
            request,
            form=form,
            title=self.revise_title,
            submit=gettext("Make the new terms"),
            back=reverse(f"admin:rewards_{self.opts.model_name}_changelist"),
        )

    def new_form(self, request: HttpRequest) -> forms.Form:
        raise NotImplementedError

    def revise(self, form: Any, at: datetime) -> Any:
        raise NotImplementedError

    @admin.display(description=_("valid from"), ordering="valid_from")
    def begins(self, row: Any) -> Any:
        return gettext("from the beginning") if row.valid_from.year <= 1970 else row.valid_from

    @admin.display(description=_("state"))
    def state(self, row: Any) -> Any:
        if row.valid_from > clock.now():
            return badge(gettext("waits"), "note")
        return badge(gettext("succeeded")) if row.was_succeeded else badge(gettext("in force"), "good")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        same = {name: OuterRef(name) for name in self.succeeded_within}
        later = self.model._default_manager.filter(
            valid_from__gt=OuterRef("valid_from"), valid_from__lte=clock.now(), **same
        )
        return rows.annotate(was_succeeded=Exists(later))


class ExpiryForm(DatedForm):
    wallet = forms.ModelChoiceField(
        label=_("Wallet"), queryset=Wallet.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    months = forms.IntegerField(
        label=_("Months"),
        required=False,
        min_value=0,
        max_value=600,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("0: the month or year they were earned in. Without months or days points never expire."),
    )
    days = forms.IntegerField(
        label=_("or days"),
        required=False,
        min_value=1,
        max_value=3660,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    rounding = forms.ChoiceField(
        label=_("Rounding"), choices=ExpiryPolicy.Rounding.choices, widget=UnfoldAdminSelectWidget()
    )
    sliding = forms.BooleanField(
        label=_("Moved by activity"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_(
            "Counted from the member's last activity: each one moves the expiry of all points granted so."
        ),
    )
    field_order: ClassVar[list[str]] = ["wallet", "months", "days", "rounding", "sliding", "valid_from"]


@admin.register(ExpiryPolicy)
class ExpiryPolicyAdmin(TermsAdmin):
    """When points expire, through time. Points keep the expiry they were granted with."""

    revise_title = _("New expiry policy")
    succeeded_within = ("wallet",)
    list_display = ("begins", "wallet", "after", "state")
    list_select_related = ("wallet",)
    fields = ("wallet", "valid_from", "months", "days", "rounding", "sliding")

    @admin.display(description=_("points expire after"))
    def after(self, row: ExpiryPolicy) -> str:
        return expiry_of(row)

    def new_form(self, request: HttpRequest) -> forms.Form:
        latest = ExpiryPolicy.objects.filter(wallet__is_default=True).order_by("-valid_from").first()
        names = ("wallet", "months", "days", "rounding", "sliding")
        initial = {name: getattr(latest, name) for name in names} if latest else {}
        return ExpiryForm(request.POST or None, initial=initial)

    def revise(self, form: ExpiryForm, at: datetime) -> ExpiryPolicy:
        data = form.cleaned_data
        return revise_expiry(
            wallet_id=data["wallet"].pk,
            months=data["months"],
            days=data["days"],
            rounding=data["rounding"],
            sliding=data["sliding"],
            at=at,
            valid_from=data["valid_from"],
        )
