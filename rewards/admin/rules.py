"""Earning rules in the admin: written in a form, read back as one sentence, revised by date and never edited."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Sum, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, badge
from loyalty.form_page import form_page
from rewards import terms
from rewards.models import EarningRule, RuleBudget, RuleRevision, Transfer
from rewards.revisions import RevisionRefused, end_rule, revise_rule, withdraw_rule_revision
from rewards.rule_form import RuleForm, initial_of
from rewards.rule_terms import RuleTerms, check
from rewards.rule_wording import differences, sentence_of


@admin.register(EarningRule)
class EarningRuleAdmin(HistoryAdmin):
    """A rule by its name; what it gives is revised from a date on."""

    list_display = ("name", "code", "gives", "state")
    list_filter = ("is_active",)
    search_fields = ("code",)
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
        return [
            self.own_page("<int:rule_id>/revise/", self.revise_page, "revise"),
            self.own_page("<int:rule_id>/end/", self.end_view, "end"),
            self.own_page("withdraw/<int:revision_id>/", self.withdraw_view, "withdraw"),
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
            extra |= {
                "rule": rule,
                "revisions": _history(rule, clock.now()),
                "given": _given(rule) if rule.revisions.exists() else None,
                "may_revise": self.has_change_permission(request, rule),
            }
        return super().change_view(request, object_id, form_url, extra)

    def revise_page(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        rule = self._rule(request, rule_id)
        latest = rule.revisions.order_by("-number").first()
        form = RuleForm(request.POST or None, initial=initial_of(latest))
        sentence = ""
        if request.method == "POST" and form.is_valid():
            try:
                if "preview" in request.POST:
                    sentence = _read_back(form, rule)
                else:
                    return self._revise(request, rule, form)
            except RevisionRefused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Revise “%(rule)s”") % {"rule": rule},
            submit=gettext("Make the revision"),
            back=_rule_url(rule.pk),
            template="admin/rewards/revise_rule.html",
            context={"present": _read_out(latest, clock.now()) if latest else None, "sentence": sentence},
        )

    def _revise(self, request: HttpRequest, rule: EarningRule, form: RuleForm) -> HttpResponse:
        revision = revise_rule(
            rule_id=rule.pk,
            rule_terms=form.rule_terms(),
            at=clock.now(),
            valid_from=form.cleaned_data["valid_from"],
            valid_to=form.cleaned_data["valid_to"],
        )
        self.log_change(request, rule, f"Revision {revision.number}: {sentence_of(revision)}")
        messages.success(request, gettext("Revision %(number)s was made.") % {"number": revision.number})
        return HttpResponseRedirect(_rule_url(rule.pk))

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
        return sentence_of(now) if now else gettext("nothing at present")

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


def _read_back(form: RuleForm, rule: EarningRule) -> str:
    """The sentence of what stands in the form, if it could be made so; nothing is saved."""
    given: RuleTerms = form.rule_terms()
    start = form.cleaned_data["valid_from"] or clock.now()
    check(given, rule_id=rule.pk, start=start)
    return sentence_of(RuleRevision(rule=rule, **given.columns()))


def _history(rule: EarningRule, at: datetime) -> list[dict[str, Any]]:
    """The rule's revisions, newest first, each with what it changed and what it has given."""
    revisions = list(rule.revisions.all())
    given = _given_by_revision(rule)
    shown = [_read_out(revision, at) | {"given": given.get(revision.pk)} for revision in revisions]
    for (later, earlier), item in zip(pairwise(revisions), shown, strict=False):
        item["changes"] = differences(earlier, later)
    return shown


def _read_out(revision: RuleRevision, at: datetime) -> dict[str, Any]:
    """A revision as the page shows it."""
    return {
        "revision": revision,
        "sentence": sentence_of(revision),
        "state": _state(revision, at),
        "used": getattr(revision, "used", False),
        "since_ever": revision.valid_from.year <= 1970,
    }


def _given_by_revision(rule: EarningRule) -> dict[int, dict[str, int]]:
    """How often each revision of the rule gave points, and how many it gave, less those taken back."""
    net = Sum(Case(When(reverses__isnull=True, then=F("points")), default=-F("points")))
    rows = (
        Transfer.objects.filter(rule_revision__in=rule.revisions.all())
        .values("rule_revision")
        .annotate(times=Count("activity", filter=Q(reverses__isnull=True), distinct=True), net=net)
    )
    return {row["rule_revision"]: {"times": row["times"], "points": row["net"]} for row in rows}


def _given(rule: EarningRule) -> dict[str, Any]:
    """What the whole rule has given, and what is left of its budget."""
    by_revision = _given_by_revision(rule)
    now = _in_force(rule) or next(iter(rule.revisions.all()), None)
    used = RuleBudget.objects.filter(rule=rule).values_list("used", flat=True).first() or 0
    budget = now.budget if now else None
    return {
        "times": sum(each["times"] for each in by_revision.values()),
        "points": sum(each["points"] for each in by_revision.values()),
        "budget": budget,
        "used": used,
        "left": max(budget - used, 0) if budget is not None else None,
    }
