"""Drafts of new terms in the admin, their backtests and their publishing: look before the leap."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from loyalty.admin_base import KantisAdmin, badge
from loyalty.form_page import form_page
from rewards import backtest, drafts, terms
from rewards.admin.backtest_figures import backtest_url, draft_url
from rewards.admin.draft_changes import read_out, revision_of
from rewards.admin.draft_forms import (
    BacktestForm,
    DraftExpiryForm,
    DraftRuleForm,
    DraftTiersForm,
    NewDraftRuleForm,
    PublishForm,
)
from rewards.models import Draft, EarningRule, ExpiryPolicy
from rewards.rule_form import initial_of
from rewards.rule_terms import RevisionRefused, check
from rewards.rule_wording import sentence_of
from rewards.tasks import run_backtest
from rewards.tier_drafts import NewTerms
from rewards.tier_drafts import check as check_tiers

PUBLISH = "rewards.publish_draft"


@admin.register(Draft)
class DraftAdmin(KantisAdmin):
    """A draft with its changes, what it would have done, and the button that makes it real."""

    list_display = ("name", "summary", "state", "created_at")
    list_display_links = ("name",)
    fields = ("name", "note")
    change_form_outer_after_template = "admin/rewards/draft.html"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        open_ = obj is None or obj.published_at is None
        return open_ and bool(super().has_change_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Draft, form: Any, change: bool) -> None:
        if not change:
            obj.created_at, obj.created_by_id = clock.now(), request.user.pk
            super().save_model(request, obj, form, change)
        else:
            obj.save(update_fields=["name", "note"])

    def response_add(
        self, request: HttpRequest, obj: Draft, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.info(request, gettext("Now say what is to change."))
        return HttpResponseRedirect(draft_url(obj.pk))

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(
                f"<int:draft_id>/{route}/", self.admin_site.admin_view(view), name=f"rewards_draft_{name}"
            )

        return [
            own("rule", self.rule_page, "rule"),
            own("end-rule", self.end_rule_view, "end_rule"),
            own("remove", self.remove_view, "remove"),
            own("tiers", self.tiers_page, "tiers"),
            own("expiry", self.expiry_page, "expiry"),
            own("backtest", self.backtest_page, "backtest"),
            own("publish", self.publish_page, "publish"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        draft = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if draft is not None:
            extra |= {
                "draft": draft,
                "changes": read_out(draft.changes),
                "rules": EarningRule.objects.filter(is_active=True),
                "backtests": draft.backtests.select_related("requested_by")[:20],
                "may_change": self.has_change_permission(request, draft),
                "may_test": request.user.has_perm("rewards.add_backtest"),
                "may_publish": draft.published_at is None
                and not drafts.is_empty(draft.changes)
                and request.user.has_perm(PUBLISH),
            }
        return super().change_view(request, object_id, form_url, extra)

    # --- Its changes --------------------------------------------------------------------------------------------------

    def rule_page(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        """Write a rule of the draft: one that exists (``?code=``), or a new one."""
        draft = self._open(request, draft_id)
        code = request.GET.get("code", "")
        rule = EarningRule.objects.filter(code=code).first()
        entry = next((each for each in drafts.rules_of(draft.changes) if each["code"] == code), None)
        if code and rule is None and entry is None:
            raise Http404
        form = self._rule_form(request, rule, entry)
        sentence = ""
        if request.method == "POST" and form.is_valid():
            given = form.rule_terms()
            try:
                check(given, rule_id=rule.pk if rule else None, start=clock.now())
            except RevisionRefused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
            else:
                names = form.cleaned_data.get("names") or (entry or {}).get("names")
                written = drafts.rule_entry(code or form.cleaned_data["code"], given, names=names)
                if "preview" not in request.POST:
                    return self._keep(request, draft, lambda changes: drafts.with_rule(changes, written))
                sentence = sentence_of(revision_of(written))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Draft: change “%(rule)s”") % {"rule": rule or code}
            if code
            else gettext("Draft: a new rule"),
            submit=gettext("Keep in the draft"),
            back=draft_url(draft.pk),
            template="admin/rewards/draft_rule.html",
            context={"sentence": sentence},
        )

    def _rule_form(
        self, request: HttpRequest, rule: EarningRule | None, entry: Mapping[str, Any] | None
    ) -> Any:
        if entry and entry["terms"]:
            initial = initial_of(revision_of(entry))
        else:
            initial = initial_of(rule.revisions.order_by("-number").first() if rule else None)
        kind = DraftRuleForm if rule or entry else NewDraftRuleForm
        return kind(request.POST or None, initial=initial)

    def end_rule_view(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._open(request, draft_id)
        rule = EarningRule.objects.filter(code=request.POST.get("code", "")).first()
        if request.method != "POST" or rule is None:
            return HttpResponseRedirect(draft_url(draft_id))
        ended = drafts.rule_entry(rule.code, None)
        return self._keep(request, draft, lambda changes: drafts.with_rule(changes, ended))

    def remove_view(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        """Take one change out of the draft: ``rule:CODE``, ``tiers`` or ``expiry``."""
        draft = self._open(request, draft_id)
        what, _colon, code = request.POST.get("what", "").partition(":")
        if request.method != "POST" or what not in ("rule", "tiers", "expiry"):
            return HttpResponseRedirect(draft_url(draft_id))
        if what == "rule":
            return self._keep(request, draft, lambda changes: drafts.without_rule(changes, code))
        return self._keep(request, draft, lambda changes: {**changes, what: None})

    def tiers_page(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._open(request, draft_id)
        present = (
            NewTerms.of(draft.changes["tiers"])
            if draft.changes.get("tiers")
            else NewTerms.like(terms.current().tiers_at(clock.now()))
        )
        form = DraftTiersForm(request.POST or None, present=present)
        if request.method == "POST" and form.is_valid():
            new = form.terms()
            try:
                check_tiers(new)
            except RevisionRefused as refused:
                form.add_error(None, str(refused))
            else:
                return self._keep(request, draft, lambda changes: {**changes, "tiers": new.content()})
        return self._page(request, draft, form, gettext("Draft: tiers"), gettext("Keep in the draft"))

    def expiry_page(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._open(request, draft_id)
        latest = ExpiryPolicy.objects.filter(wallet__is_default=True).order_by("-valid_from").first()
        names = ("wallet", "months", "days", "rounding", "sliding")
        initial = {name: getattr(latest, name) for name in names} if latest else {}
        form = DraftExpiryForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                entry = drafts.expiry_entry(
                    wallet_id=data["wallet"].pk,
                    months=data["months"],
                    days=data["days"],
                    rounding=data["rounding"],
                    sliding=data["sliding"],
                )
            except RevisionRefused as refused:
                form.add_error(refused.field, str(refused))
            else:
                return self._keep(request, draft, lambda changes: drafts.with_expiry(changes, entry))
        return self._page(request, draft, form, gettext("Draft: expiry"), gettext("Keep in the draft"))

    def _keep(self, request: HttpRequest, draft: Draft, change: Any) -> HttpResponse:
        """Write the changed draft, under its lock: two people's changes both count."""
        with transaction.atomic():
            locked = Draft.objects.select_for_update().get(pk=draft.pk)
            if locked.published_at is not None:
                raise PermissionDenied
            locked.changes = change(locked.changes)
            locked.save(update_fields=["changes"])
            self.log_change(request, locked, "Draft changed")
        messages.success(request, gettext("The draft was changed. Nothing is in force yet."))
        return HttpResponseRedirect(draft_url(draft.pk))

    # --- Trying and publishing it -------------------------------------------------------------------------------------

    def backtest_page(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._draft(draft_id)
        if not request.user.has_perm("rewards.add_backtest"):
            raise PermissionDenied
        form = BacktestForm(request.POST or None, initial=_last_period(draft))
        if request.method == "POST" and form.is_valid():
            made = backtest.request(
                draft_id=draft.pk, staff_id=request.user.pk, at=clock.now(), **form.cleaned_data
            )
            transaction.on_commit(lambda: run_backtest.delay(made.pk), robust=True)
            return HttpResponseRedirect(backtest_url(made.pk))
        return self._page(
            request,
            draft,
            form,
            gettext("Backtest “%(draft)s”") % {"draft": draft},
            gettext("Start the backtest"),
        )

    def publish_page(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._draft(draft_id)
        if not request.user.has_perm(PUBLISH) or draft.published_at is not None:
            raise PermissionDenied
        form = PublishForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                drafts.publish(
                    draft_id=draft.pk,
                    at=clock.now(),
                    staff_id=request.user.pk,
                    valid_from=form.cleaned_data["valid_from"],
                )
            except RevisionRefused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
            except drafts.NotPublishable:
                form.add_error(None, gettext("There is nothing to publish here."))
            else:
                self.log_change(request, draft, "Published")
                messages.success(
                    request, gettext("The new terms were made. They are in force from their date on.")
                )
                return HttpResponseRedirect(draft_url(draft.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Publish “%(draft)s”") % {"draft": draft},
            submit=gettext("Publish"),
            back=draft_url(draft.pk),
            template="admin/rewards/draft_publish.html",
            context={"changes": read_out(draft.changes)},
        )

    def _page(self, request: HttpRequest, draft: Draft, form: Any, title: str, submit: str) -> HttpResponse:
        return form_page(self, request, form=form, title=title, submit=submit, back=draft_url(draft.pk))

    def _draft(self, draft_id: int) -> Draft:
        draft = Draft.objects.filter(pk=draft_id).first()
        if draft is None:
            raise Http404
        return draft

    def _open(self, request: HttpRequest, draft_id: int) -> Draft:
        """A draft that this person may still change."""
        draft = self._draft(draft_id)
        if not self.has_change_permission(request, draft):
            raise PermissionDenied
        return draft

    @admin.display(description=_("changes"))
    def summary(self, draft: Draft) -> str:
        return ", ".join(str(change["title"]) for change in read_out(draft.changes)) or "–"

    @admin.display(description=_("state"))
    def state(self, draft: Draft) -> Any:
        return badge(gettext("published"), "good") if draft.published_at else badge(gettext("draft"), "note")


def _last_period(draft: Draft) -> dict[str, Any]:
    """The period tried last, or the last 90 days."""
    last = draft.backtests.first()
    if last is not None:
        return {"starts_at": last.starts_at, "ends_at": last.ends_at, "point_value": last.point_value}
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return {"starts_at": today - timedelta(days=90), "ends_at": today, "point_value": Decimal("0.01")}
