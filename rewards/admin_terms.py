"""Rules, tier terms and expiry in the admin: read as sentences, revised by date. What was used is never edited."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, KantisAdmin, badge
from loyalty.conditions.forms import ConditionField
from loyalty.form_page import form_page
from members.models import Tier
from rewards import terms
from rewards.models import EarningRule, ExpiryPolicy, RuleRevision, TierLevel, TierTerms, Transfer, Wallet
from rewards.revisions import (
    NewLevel,
    RevisionRefused,
    RuleTerms,
    end_rule,
    revise_expiry,
    revise_rule,
    revise_tiers,
    withdraw_rule_revision,
)
from rewards.wording import expiry_of, levels_of, what_it_gives, when_it_gives


class DatedForm(forms.Form):
    """New terms and the moment they begin."""

    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “from now on”. What happened before keeps the terms of its time."),
    )


class RuleForm(DatedForm):
    """The next revision of an earning rule."""

    effect = forms.ChoiceField(
        label=_("It gives"), choices=RuleRevision.Effect.choices, widget=UnfoldAdminSelectWidget()
    )
    points = forms.IntegerField(
        label=_("Points"), min_value=1, max_value=1_000_000, initial=1, widget=UnfoldAdminIntegerFieldWidget()
    )
    amount = forms.DecimalField(
        label=_("For each full amount of"),
        min_value=Decimal("0.01"),
        max_digits=12,
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("In the base currency; for points per amount of money."),
    )
    conditions = ConditionField(
        label=_("When"), subject="activity", always=_("For every activity."), required=False
    )
    qualifying = forms.BooleanField(
        label=_("Counts towards tiers"), required=False, widget=UnfoldBooleanSwitchWidget()
    )
    pending_days = forms.IntegerField(
        label=_("Pending for days"),
        min_value=0,
        max_value=3650,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("0: available at once."),
    )
    wallet = forms.ModelChoiceField(
        label=_("Wallet"), queryset=Wallet.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    priority = forms.IntegerField(
        label=_("Priority"),
        min_value=-1000,
        max_value=1000,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Lower numbers are judged first."),
    )
    valid_to = forms.SplitDateTimeField(
        label=_("Valid to"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “until further notice”."),
    )
    field_order: ClassVar[list[str]] = [
        "effect", "points", "amount", "conditions", "qualifying", "pending_days", "wallet", "priority", "valid_from",
        "valid_to",
    ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if (
            data.get("effect") == RuleRevision.Effect.PER_AMOUNT
            and not data.get("amount")
            and "amount" not in self.errors
        ):
            self.add_error("amount", gettext("Give the amount that brings the points."))
        return data

    def rule_terms(self) -> RuleTerms:
        data = self.cleaned_data
        return RuleTerms(
            wallet_id=data["wallet"].pk,
            effect=data["effect"],
            points=data["points"],
            amount=data["amount"],
            qualifying=data["qualifying"],
            pending_days=data["pending_days"],
            priority=data["priority"],
            conditions=data["conditions"],
        )


def _initial(latest: RuleRevision | None) -> dict[str, Any]:
    if latest is None:
        return {"wallet": Wallet.objects.filter(is_default=True).first(), "amount": Decimal("1.00")}
    names = ("effect", "points", "amount", "conditions", "qualifying", "pending_days", "wallet", "priority")
    return {name: getattr(latest, name) for name in names}


@admin.register(EarningRule)
class EarningRuleAdmin(HistoryAdmin):
    """A rule by its name; what it gives is revised from a date on."""

    list_display = ("name", "code", "gives", "when", "state")
    list_display_links = ("name",)
    fields = ("code", "names", "is_active")
    change_form_outer_after_template = "admin/rewards/revisions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[EarningRule]:
        rules: QuerySet[EarningRule] = super().get_queryset(request)
        used = Transfer.objects.filter(rule_revision=OuterRef("pk"))
        revisions = (
            RuleRevision.objects.select_related("wallet").annotate(used=Exists(used)).order_by("-number")
        )
        return rules.prefetch_related(Prefetch("revisions", revisions))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("code", "names")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: EarningRule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        terms.revised()

    def response_add(
        self, request: HttpRequest, obj: EarningRule, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.info(request, gettext("Now say what the rule gives. Until then it gives nothing."))
        return HttpResponseRedirect(reverse("admin:rewards_earningrule_revise", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_earningrule_{name}")

        return [
            own("<int:rule_id>/revise/", self.revise_page, "revise"),
            own("<int:rule_id>/end/", self.end_view, "end"),
            own("withdraw/<int:revision_id>/", self.withdraw_view, "withdraw"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        rule = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if rule is not None:
            at = clock.now()
            extra |= {
                "rule": rule,
                "revisions": [_read_out(revision, at) for revision in rule.revisions.all()],
                "may_revise": self.has_change_permission(request, rule),
            }
        return super().change_view(request, object_id, form_url, extra)

    def revise_page(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        rule = self._rule(request, rule_id)
        latest = rule.revisions.order_by("-number").first()
        form = RuleForm(request.POST or None, initial=_initial(latest))
        if request.method == "POST" and form.is_valid():
            try:
                revision = revise_rule(
                    rule_id=rule.pk,
                    rule_terms=form.rule_terms(),
                    at=clock.now(),
                    valid_from=form.cleaned_data["valid_from"],
                    valid_to=form.cleaned_data["valid_to"],
                )
            except RevisionRefused as refused:
                form.add_error(refused.field, str(refused))
            else:
                self.log_change(request, rule, f"Revision {revision.number}: {what_it_gives(revision)}")
                messages.success(
                    request, gettext("Revision %(number)s was made.") % {"number": revision.number}
                )
                return HttpResponseRedirect(_rule_url(rule.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Revise “%(rule)s”") % {"rule": rule},
            submit=gettext("Make the revision"),
            back=_rule_url(rule.pk),
            template="admin/rewards/revise_rule.html",
            context={"present": _read_out(latest, clock.now()) if latest else None},
        )

    def end_view(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        rule = self._rule(request, rule_id)
        if request.method != "POST":
            return HttpResponseRedirect(_rule_url(rule.pk))
        try:
            if end_rule(rule_id=rule.pk, at=clock.now()):
                self.log_change(request, rule, "Ended")
                messages.success(request, gettext("The rule gives nothing from now on."))
        except RevisionRefused as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(_rule_url(rule.pk))

    def withdraw_view(self, request: HttpRequest, revision_id: int) -> HttpResponse:
        revision = RuleRevision.objects.filter(pk=revision_id).first()
        if revision is None:
            raise Http404
        rule = self._rule(request, revision.rule_id)
        if request.method == "POST":
            try:
                withdraw_rule_revision(revision_id=revision_id, at=clock.now())
            except RevisionRefused as refused:
                messages.error(request, str(refused))
            else:
                self.log_change(request, rule, f"Revision {revision.number} withdrawn")
                messages.success(request, gettext("The revision was withdrawn."))
        return HttpResponseRedirect(_rule_url(rule.pk))

    def _rule(self, request: HttpRequest, rule_id: int) -> EarningRule:
        rule = EarningRule.objects.filter(pk=rule_id).first()
        if rule is None:
            raise Http404
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        return rule

    @admin.display(description=_("gives"))
    def gives(self, rule: EarningRule) -> str:
        now = _in_force(rule)
        return what_it_gives(now) if now else gettext("nothing at present")

    @admin.display(description=_("when"))
    def when(self, rule: EarningRule) -> str:
        now = _in_force(rule)
        return when_it_gives(now) if now else "–"

    @admin.display(description=_("state"))
    def state(self, rule: EarningRule) -> Any:
        if not rule.is_active:
            return badge(gettext("switched off"), "warn")
        return (
            badge(gettext("in force"), "good")
            if _in_force(rule)
            else badge(gettext("waiting or ended"), "note")
        )


def _rule_url(rule_id: int) -> str:
    return reverse("admin:rewards_earningrule_change", args=[rule_id])


def _in_force(rule: EarningRule) -> RuleRevision | None:
    at = clock.now()
    return next((revision for revision in rule.revisions.all() if _state(revision, at) == "in force"), None)


def _state(revision: RuleRevision, at: datetime) -> str:
    if revision.valid_from > at:
        return "waits"
    if revision.valid_to is not None and revision.valid_to <= at:
        return "ended"
    return "in force"


def _read_out(revision: RuleRevision, at: datetime) -> dict[str, Any]:
    """A revision as the page shows it."""
    state = _state(revision, at)
    return {
        "revision": revision,
        "gives": what_it_gives(revision),
        "when": when_it_gives(revision),
        "state": state,
        "used": getattr(revision, "used", False),
        "since_ever": revision.valid_from.year <= 1970,
    }


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
