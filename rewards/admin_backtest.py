"""Drafts of new terms in the admin, their backtests and their publishing: look before the leap."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from loyalty import clock
from loyalty.admin_base import KantisAdmin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from loyalty.translated import in_language
from loyalty.translated_forms import TranslatedTextFormField
from members.templatetags.member_admin import signed
from rewards import backtest, drafts, terms
from rewards.models import Backtest, Draft, EarningRule, ExpiryPolicy, RuleRevision, TierDraft, Wallet
from rewards.rule_form import RuleForm, initial_of
from rewards.rule_terms import RevisionRefused, check
from rewards.rule_wording import number, sentence_of
from rewards.rules import Limit
from rewards.tasks import run_backtest
from rewards.tier_drafts import DraftLevel, NewTerms
from rewards.tier_drafts import check as check_tiers
from rewards.wording import expiry_of

PUBLISH = "rewards.publish_draft"
Status = Backtest.Status
_TONES = {Status.DONE: "good", Status.FAILED: "bad", Status.CANCELLED: "warn", Status.RUNNING: "note"}

LIMITS: Mapping[str, Any] = {
    Limit.ACTIVITY_CAP: _("at most so many per activity"),
    Limit.MEMBER_CAP: _("at most so many per member"),
    Limit.BUDGET: _("the budget is used up"),
    Limit.COOLDOWN: _("not again so soon"),
    Limit.STACK: _("another rule of the group gives"),
    Limit.NOT_ACTIVATED: _("the offer was not activated"),
    Limit.KIND_LIMIT: _("enough of this kind on one day"),
}
"""What kept a rule from giving all its points, in a few words."""


# --- Forms ------------------------------------------------------------------------------------------------------------


class DraftRuleForm(RuleForm):
    """What a rule is to give; from when on is said at publishing."""

    valid_from = None
    valid_to = None
    grouped = RuleForm.grouped[:-1]


class NewDraftRuleForm(DraftRuleForm):
    """A rule that is still to be made."""

    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("A lasting name for machines, such as “double-pastry”."),
    )
    names = TranslatedTextFormField(label=_("Names"), required=True)
    grouped = ((_("The new rule"), "", ("code", "names")), *DraftRuleForm.grouped)

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if EarningRule.objects.filter(code=code).exists():
            raise forms.ValidationError(gettext("There is a rule with this code already. Change that one."))
        return code


class DraftTiersForm(forms.Form):
    """Tier terms for the draft: those of a tier draft, or those in force with other numbers."""

    taken = forms.ModelChoiceField(
        label=_("Take them from a draft of tier terms"),
        queryset=TierDraft.objects.filter(status=TierDraft.Status.DRAFT),
        required=False,
        empty_label=_("No, these numbers:"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("New tiers, other ways of counting and of keeping a tier are written there."),
    )

    def __init__(self, *args: Any, present: NewTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.present = present
        for place, level in enumerate(present.levels):
            name = in_language(level.names) or level.code
            self.fields[f"threshold_{place}"] = forms.IntegerField(
                label=gettext("%(tier)s: takes") % {"tier": name},
                min_value=0,
                max_value=10**12,
                initial=level.threshold,
                widget=UnfoldAdminIntegerFieldWidget(),
            )
            self.fields[f"multiplier_{place}"] = forms.DecimalField(
                label=gettext("%(tier)s: multiplier") % {"tier": name},
                min_value=Decimal(1),
                max_digits=5,
                decimal_places=2,
                initial=level.multiplier,
                widget=UnfoldAdminDecimalFieldWidget(),
            )

    def terms(self) -> NewTerms:
        data = self.cleaned_data
        if data["taken"]:
            return NewTerms.of(data["taken"].content)
        levels = tuple(
            DraftLevel(
                code=level.code,
                names=level.names,
                threshold=data[f"threshold_{place}"],
                multiplier=data[f"multiplier_{place}"],
                birthday_points=level.birthday_points,
                benefits=level.benefits,
            )
            for place, level in enumerate(self.present.levels)
        )
        return NewTerms(policy=self.present.policy, levels=levels)


class DraftExpiryForm(forms.Form):
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


class BacktestForm(forms.Form):
    starts_at = forms.SplitDateTimeField(label=_("From"), widget=UnfoldAdminSplitDateTimeWidget())
    ends_at = forms.SplitDateTimeField(label=_("Until"), widget=UnfoldAdminSplitDateTimeWidget())
    point_value = forms.DecimalField(
        label=_("Cost of a point"),
        min_value=Decimal(0),
        max_digits=8,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("In the base currency: what a point costs you when it is redeemed."),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("starts_at") and data.get("ends_at") and data["ends_at"] <= data["starts_at"]:
            self.add_error("ends_at", gettext("The period has to end after it begins."))
        return data


class PublishForm(forms.Form):
    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “from now on”. What happened before keeps the terms of its time."),
    )


# --- Drafts -----------------------------------------------------------------------------------------------------------


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
        return HttpResponseRedirect(_draft_url(obj.pk))

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
                sentence = sentence_of(_revision(written))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Draft: change “%(rule)s”") % {"rule": rule or code}
            if code
            else gettext("Draft: a new rule"),
            submit=gettext("Keep in the draft"),
            back=_draft_url(draft.pk),
            template="admin/rewards/draft_rule.html",
            context={"sentence": sentence},
        )

    def _rule_form(
        self, request: HttpRequest, rule: EarningRule | None, entry: Mapping[str, Any] | None
    ) -> Any:
        if entry and entry["terms"]:
            initial = initial_of(_revision(entry))
        else:
            initial = initial_of(rule.revisions.order_by("-number").first() if rule else None)
        kind = DraftRuleForm if rule or entry else NewDraftRuleForm
        return kind(request.POST or None, initial=initial)

    def end_rule_view(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._open(request, draft_id)
        rule = EarningRule.objects.filter(code=request.POST.get("code", "")).first()
        if request.method != "POST" or rule is None:
            return HttpResponseRedirect(_draft_url(draft_id))
        ended = drafts.rule_entry(rule.code, None)
        return self._keep(request, draft, lambda changes: drafts.with_rule(changes, ended))

    def remove_view(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        """Take one change out of the draft: ``rule:CODE``, ``tiers`` or ``expiry``."""
        draft = self._open(request, draft_id)
        what, _colon, code = request.POST.get("what", "").partition(":")
        if request.method != "POST" or what not in ("rule", "tiers", "expiry"):
            return HttpResponseRedirect(_draft_url(draft_id))
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
        initial = (
            {"wallet": latest.wallet_id, "months": latest.months, "rounding": latest.rounding}
            if latest
            else {}
        )
        form = DraftExpiryForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            entry = drafts.expiry_entry(
                wallet_id=data["wallet"].pk, months=data["months"], rounding=data["rounding"]
            )
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
        return HttpResponseRedirect(_draft_url(draft.pk))

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
            return HttpResponseRedirect(_backtest_url(made.pk))
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
                return HttpResponseRedirect(_draft_url(draft.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Publish “%(draft)s”") % {"draft": draft},
            submit=gettext("Publish"),
            back=_draft_url(draft.pk),
            template="admin/rewards/draft_publish.html",
            context={"changes": read_out(draft.changes)},
        )

    def _page(self, request: HttpRequest, draft: Draft, form: Any, title: str, submit: str) -> HttpResponse:
        return form_page(self, request, form=form, title=title, submit=submit, back=_draft_url(draft.pk))

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


def _draft_url(draft_id: int) -> str:
    return reverse("admin:rewards_draft_change", args=[draft_id])


def _backtest_url(backtest_id: int) -> str:
    return reverse("admin:rewards_backtest_change", args=[backtest_id])


def _revision(entry: Mapping[str, Any]) -> RuleRevision:
    rule = EarningRule(code=entry["code"], names=entry["names"] or {})
    return drafts.revision_of(entry, rule=rule)


def _last_period(draft: Draft) -> dict[str, Any]:
    """The period tried last, or the last 90 days."""
    last = draft.backtests.first()
    if last is not None:
        return {"starts_at": last.starts_at, "ends_at": last.ends_at, "point_value": last.point_value}
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return {"starts_at": today - timedelta(days=90), "ends_at": today, "point_value": Decimal("0.01")}


def read_out(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes of a draft as the page shows them: what it is, its sentence, and where to change it."""
    known = {rule.code: rule for rule in EarningRule.objects.all()}
    found: list[dict[str, Any]] = []
    for entry in drafts.rules_of(changes):
        name = str(known.get(entry["code"]) or in_language(entry["names"] or {}) or entry["code"])
        sentence = sentence_of(_revision(entry)) if entry["terms"] else gettext("The rule ends.")
        kind = gettext("new rule") if entry["code"] not in known else gettext("rule")
        found.append(
            {
                "title": name,
                "kind": kind,
                "sentence": sentence,
                "what": f"rule:{entry['code']}",
                "code": entry["code"],
            }
        )
    if tiers := changes.get("tiers"):
        levels = NewTerms.of(tiers).levels
        sentence = ", ".join(
            f"{in_language(level.names) or level.code} {number(level.threshold)} (×{number(level.multiplier)})"
            for level in levels
        )
        found.append(
            {"title": gettext("Tiers"), "kind": gettext("tiers"), "sentence": sentence, "what": "tiers"}
        )
    for entry in changes.get("expiry") or ():
        policy = ExpiryPolicy(months=entry["months"], rounding=entry["rounding"])
        found.append(
            {
                "title": gettext("Expiry"),
                "kind": gettext("expiry"),
                "sentence": expiry_of(policy),
                "what": "expiry",
            }
        )
    return found


# --- Backtests --------------------------------------------------------------------------------------------------------


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin):
    """Backtests: those that run, with their progress, and those that are done, with what they found."""

    list_display = ("draft", "period", "state", "outcome", "requested_at", "requested_by")
    list_display_links = ("draft",)
    list_select_related = ("draft", "requested_by")
    list_filter = ("status",)

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_backtest_{name}")

        return [
            own("<int:backtest_id>/cancel/", self.cancel_view, "cancel"),
            own("compare/", self.compare_page, "compare"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        backtest.mark_dead(at=clock.now())
        rows: QuerySet[Backtest] = super().get_queryset(request)
        return rows

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The progress while it runs, then the result."""
        made = self.get_object(request, object_id)
        if made is None:
            raise Http404
        if not self.has_view_permission(request, made):
            raise PermissionDenied
        others = Backtest.objects.filter(status=Status.DONE).exclude(pk=made.pk).select_related("draft")[:50]
        return self._answer(
            request,
            "admin/rewards/backtest.html",
            {
                "title": gettext("Backtest of “%(draft)s”") % {"draft": made.draft},
                "backtest": made,
                "changes": read_out(made.changes),
                "result": shown(made.result) if made.result else None,
                "underway": made.status in (Status.QUEUED, Status.RUNNING),
                "others": others if made.status == Status.DONE else (),
                "may_cancel": request.user.has_perm("rewards.add_backtest"),
                "draft_url": _draft_url(made.draft_id),
            },
        )

    def cancel_view(self, request: HttpRequest, backtest_id: int) -> HttpResponse:
        if not request.user.has_perm("rewards.add_backtest"):
            raise PermissionDenied
        if request.method == "POST":
            if backtest.cancel(backtest_id=backtest_id, at=clock.now()):
                messages.success(request, gettext("The backtest will stop."))
            else:
                messages.info(request, gettext("The backtest has ended already."))
        return HttpResponseRedirect(_backtest_url(backtest_id))

    def compare_page(self, request: HttpRequest) -> HttpResponse:
        """Two backtests side by side."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pair = [self.get_object(request, request.GET.get(name, "0")) for name in ("one", "other")]
        if any(each is None or each.result is None for each in pair):
            raise Http404
        columns = [
            {"backtest": each, "result": shown(each.result), "url": _backtest_url(each.pk)} for each in pair
        ]
        return self._answer(
            request,
            "admin/rewards/backtest_compare.html",
            {
                "title": gettext("Two backtests"),
                "columns": columns,
                "rows": compared(*(each.result for each in pair)),
            },
        )

    def _answer(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}
        )

    @admin.display(description=_("period"))
    def period(self, made: Backtest) -> str:
        return " – ".join(
            date_format(localtime(at), "SHORT_DATE_FORMAT") for at in (made.starts_at, made.ends_at)
        )

    @admin.display(description=_("state"))
    def state(self, made: Backtest) -> Any:
        return badge(made.get_status_display(), _TONES.get(Status(made.status), ""))

    @admin.display(description=_("change of points"))
    def outcome(self, made: Backtest) -> str:
        return signed(made.result["points"]["new"] - made.result["points"]["old"]) if made.result else "–"


def shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what its page needs beside it: names in the active language, and the longest bar of each list."""
    rules = [{**row, "name": in_language(row["names"]) or row["rule"]} for row in result["rules"]]
    tiers = [{**row, "name": in_language(row["names"]) or row["tier"]} for row in result["tiers"]]
    names = {row["tier"]: row["name"] for row in tiers}
    moves = [
        {**row, "from": names.get(row["from"], row["from"]), "to": names.get(row["to"], row["to"])}
        for row in result["moves"]
        if row["from"] != row["to"]
    ]
    members = {**result["members"], "histogram": [_labelled(each) for each in result["members"]["histogram"]]}
    return {
        **result,
        "rules": rules,
        "tiers": tiers,
        "moves": moves,
        "members": members,
        "stay": sum(row["members"] for row in result["moves"] if row["from"] == row["to"]),
        "examples": [_example(each) for each in result["examples"]],
        "most": {
            "rules": max((max(row["old"], row["new"]) for row in rules), default=0),
            "tiers": max((max(row["old"], row["new"]) for row in tiers), default=0),
            "members": max((each["members"] for each in members["histogram"]), default=0),
        },
    }


def _labelled(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row["from"], row["to"]
    if low == high == 0:
        return {**row, "label": gettext("no change"), "tone": ""}
    tone = "up" if (low or 0) > 0 else "down"
    sign = "+" if tone == "up" else "−"
    ends = sorted(abs(each) for each in (low, high) if each is not None)
    label = f"{sign}{number(ends[0])} …" + (f" {sign}{number(ends[1])}" if len(ends) > 1 else "")
    return {**row, "label": label, "tone": tone}


def _example(each: Mapping[str, Any]) -> dict[str, Any]:
    def told(rows: Any) -> list[dict[str, Any]]:
        return [
            {
                **row,
                "name": in_language(row["names"]) or row["rule"],
                "why": LIMITS.get(row.get("limit") or "", ""),
            }
            for row in rows
        ]

    old, new = told(each["old"]), told(each["new"])
    return {
        **each,
        "occurred_at": datetime.fromisoformat(each["occurred_at"]),
        "old": old,
        "new": new,
        "change": sum(row["points"] for row in new) - sum(row["points"] for row in old),
    }


def compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of two results in rows."""

    def change(pair: Mapping[str, Any]) -> int:
        return int(pair["new"]) - int(pair["old"])

    rows = [
        (gettext("Activities judged"), "activities", False),
        (gettext("Activities that would change"), "changed", False),
    ]
    found = [{"label": label, "figures": [one[key], other[key]], "signed": mark} for label, key, mark in rows]
    found += [
        {
            "label": gettext("Change of points"),
            "figures": [change(one["points"]), change(other["points"])],
            "signed": True,
        },
        {
            "label": gettext("Change of outstanding points"),
            "figures": [change(one["liability"]), change(other["liability"])],
            "signed": True,
        },
        {
            "label": gettext("Members who would have more"),
            "figures": [each["members"]["winners"]["count"] for each in (one, other)],
            "signed": False,
        },
        {
            "label": gettext("Members who would have less"),
            "figures": [each["members"]["losers"]["count"] for each in (one, other)],
            "signed": False,
        },
        {
            "label": gettext("Members in another tier"),
            "figures": [
                sum(row["members"] for row in each["moves"] if row["from"] != row["to"])
                for each in (one, other)
            ],
            "signed": False,
        },
    ]
    by_rule = [{row["rule"]: row for row in each["rules"]} for each in (one, other)]
    for code in sorted(by_rule[0].keys() | by_rule[1].keys()):
        values = [change(each[code]) if code in each else 0 for each in by_rule]
        name = next(in_language(each[code]["names"]) or code for each in by_rule if code in each)
        found.append(
            {"label": gettext("Points of “%(rule)s”") % {"rule": name}, "figures": values, "signed": True}
        )
    return found
