"""Tier terms and expiry in the admin: read as sentences, revised by date. What was used is never edited."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from loyalty import clock
from loyalty.admin_base import KantisAdmin, badge
from loyalty.form_page import form_page
from members.models import Tier
from rewards.models import ExpiryPolicy, TierLevel, TierTerms, Wallet
from rewards.revisions import NewLevel, RevisionRefused, revise_expiry, revise_tiers
from rewards.rule_form import DatedForm
from rewards.wording import expiry_of, levels_of


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


class TierTermsForm(DatedForm):
    """A threshold and a multiplier for each tier, lowest first."""

    window_days = forms.IntegerField(
        label=_("Window in days"),
        min_value=1,
        max_value=3660,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Qualifying points earned in so many days up to a purchase count."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tiers = list(Tier.objects.order_by("rank"))
        latest = TierTerms.objects.prefetch_related("levels").order_by("-valid_from").first()
        levels = {level.tier_id: level for level in latest.levels.all()} if latest else {}
        self.fields["window_days"].initial = latest.window_days if latest else 365
        for tier in self.tiers:
            level = levels.get(tier.pk)
            self.fields[f"threshold_{tier.pk}"] = forms.IntegerField(
                label=gettext("%(tier)s: points it takes") % {"tier": tier},
                min_value=0,
                max_value=10**12,
                initial=level.threshold if level else None,
                widget=UnfoldAdminIntegerFieldWidget(),
                required=tier.rank == self.tiers[0].rank,
                help_text="" if tier == self.tiers[0] else gettext("Empty: this tier is not offered."),
            )
            self.fields[f"multiplier_{tier.pk}"] = forms.DecimalField(
                label=gettext("%(tier)s: multiplier") % {"tier": tier},
                min_value=Decimal(1),
                max_digits=5,
                decimal_places=2,
                initial=level.multiplier if level else Decimal(1),
                widget=UnfoldAdminDecimalFieldWidget(),
            )
        self.order_fields([*(name for name in self.fields if name != "valid_from"), "valid_from"])

    def levels(self) -> list[NewLevel]:
        data = self.cleaned_data
        return [
            NewLevel(
                tier_id=tier.pk,
                threshold=data[f"threshold_{tier.pk}"],
                multiplier=data[f"multiplier_{tier.pk}"],
            )
            for tier in self.tiers
            if data[f"threshold_{tier.pk}"] is not None
        ]


@admin.register(TierTerms)
class TierTermsAdmin(TermsAdmin):
    """How tiers are reached and what they give, through time."""

    revise_title = _("New tier terms")
    list_display = ("begins", "window_days", "levels", "state")
    fields = ("valid_from", "window_days", "levels")
    readonly_fields = ("levels",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TierTerms]:
        rows: QuerySet[TierTerms] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("levels", TierLevel.objects.select_related("tier")))

    @admin.display(description=_("tiers"))
    def levels(self, row: TierTerms) -> str:
        return levels_of(row)

    def new_form(self, request: HttpRequest) -> forms.Form:
        return TierTermsForm(request.POST or None)

    def revise(self, form: TierTermsForm, at: datetime) -> TierTerms:
        data = form.cleaned_data
        return revise_tiers(
            window_days=data["window_days"], levels=form.levels(), at=at, valid_from=data["valid_from"]
        )


class ExpiryForm(DatedForm):
    wallet = forms.ModelChoiceField(
        label=_("Wallet"), queryset=Wallet.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    months = forms.IntegerField(
        label=_("Months"),
        required=False,
        min_value=1,
        max_value=600,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Empty: points never expire."),
    )
    rounding = forms.ChoiceField(
        label=_("Rounding"), choices=ExpiryPolicy.Rounding.choices, widget=UnfoldAdminSelectWidget()
    )
    field_order: ClassVar[list[str]] = ["wallet", "months", "rounding", "valid_from"]


@admin.register(ExpiryPolicy)
class ExpiryPolicyAdmin(TermsAdmin):
    """When points expire, through time. Points keep the expiry they were granted with."""

    revise_title = _("New expiry policy")
    succeeded_within = ("wallet",)
    list_display = ("begins", "wallet", "after", "state")
    list_select_related = ("wallet",)
    fields = ("wallet", "valid_from", "months", "rounding")

    @admin.display(description=_("points expire after"))
    def after(self, row: ExpiryPolicy) -> str:
        return expiry_of(row)

    def new_form(self, request: HttpRequest) -> forms.Form:
        latest = ExpiryPolicy.objects.filter(wallet__is_default=True).order_by("-valid_from").first()
        initial = (
            {"wallet": latest.wallet_id, "months": latest.months, "rounding": latest.rounding}
            if latest
            else {}
        )
        return ExpiryForm(request.POST or None, initial=initial)

    def revise(self, form: ExpiryForm, at: datetime) -> ExpiryPolicy:
        data = form.cleaned_data
        return revise_expiry(
            wallet_id=data["wallet"].pk,
            months=data["months"],
            rounding=data["rounding"],
            at=at,
            valid_from=data["valid_from"],
        )
