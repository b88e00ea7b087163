"""Tier terms in the admin: those in force through time, and drafts that show first who would move."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from loyalty.admin_base import KantisAdmin, badge
from loyalty.form_page import form_page
from loyalty.runs.models import Run
from loyalty.translated import in_language
from members.models import Member
from rewards import terms, tier_drafts, tier_wording
from rewards.admin.terms import TermsAdmin
from rewards.admin.tier_form import TierDraftForm, TierTermsForm
from rewards.models import TierDraft, TierLevel, TierTerms
from rewards.revisions import RevisionRefused
from rewards.tasks import move_tiers
from rewards.tier_drafts import NewTerms
from rewards.wording import levels_of


def _latest() -> NewTerms:
    """The newest terms, to begin the next ones with."""
    return NewTerms.like(terms.current().tiers[0])


@admin.register(TierTerms)
class TierTermsAdmin(TermsAdmin):
    """How tiers are reached and what they give, through time. A draft shows first who would move."""

    revise_title = _("New tier terms")
    list_display = ("begins", "policy", "levels", "state")
    fields = ("valid_from", "policy", "levels")
    readonly_fields = ("policy", "levels")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TierTerms]:
        rows: QuerySet[TierTerms] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("levels", TierLevel.objects.select_related("tier")))

    @admin.display(description=_("tiers"))
    def levels(self, row: TierTerms) -> str:
        return levels_of(row)

    @admin.display(description=_("how they are reached and kept"))
    def policy(self, row: TierTerms) -> str:
        return tier_wording.policy_text(terms.tier_rules(row))

    def new_form(self, request: HttpRequest) -> forms.Form:
        return TierTermsForm(request.POST or None, begin_with=_latest())

    def revise(self, form: TierTermsForm, at: dt.datetime) -> TierTerms:
        """Publish at once, by way of a draft: so the members are moved as by any other."""
        new, valid_from = form.new_terms(), form.cleaned_data["valid_from"]
        tier_drafts.check(new)
        with transaction.atomic():
            draft = TierDraft.objects.create(
                name=gettext("Without a look ahead"), content=new.content(), valid_from=valid_from
            )
            made = tier_drafts.publish(draft_id=draft.pk, at=at).terms
            transaction.on_commit(move_tiers.delay, robust=True)
        assert made is not None  # noqa: S101  (just published)
        return made


@admin.register(TierDraft)
class TierDraftAdmin(KantisAdmin):
    """Drafts of tier terms: changed and looked at as often as one likes, then published once."""

    list_display = ("name", "state", "valid_from", "moving")
    search_fields = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.status == TierDraft.Status.DRAFT)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("<int:draft_id>/edit/", self.edit_page, "edit"),
            self.own_page("<int:draft_id>/look/", self.look_view, "look"),
            self.own_page("<int:draft_id>/publish/", self.publish_view, "publish"),
            *super().get_urls(),
        ]

    @admin.display(description=_("state"))
    def state(self, draft: TierDraft) -> Any:
        tone = {"draft": "note", "published": "warn", "moved": "good"}[draft.status]
        return badge(draft.get_status_display(), tone)

    @admin.display(description=_("members who move"))
    def moving(self, draft: TierDraft) -> Any:
        return (draft.preview or {}).get("moving", "–")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._form(request, None)

    def edit_page(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._draft(request, draft_id)
        if draft.status != TierDraft.Status.DRAFT:
            raise PermissionDenied
        return self._form(request, draft)

    def _form(self, request: HttpRequest, draft: TierDraft | None) -> HttpResponse:
        begin_with = NewTerms.of(draft.content) if draft else _latest()
        initial = {"name": draft.name, "valid_from": draft.valid_from} if draft else {}
        form = TierDraftForm(request.POST or None, begin_with=begin_with, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                return HttpResponseRedirect(_draft_url(self._save(request, draft, form).pk))
            except RevisionRefused as refused:
                form.add_error(None, str(refused))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Draft of tier terms"),
            submit=gettext("Save and look ahead"),
            back=_draft_url(draft.pk) if draft else reverse("admin:rewards_tierdraft_changelist"),
        )

    def _save(self, request: HttpRequest, draft: TierDraft | None, form: TierDraftForm) -> TierDraft:
        new, data = form.new_terms(), form.cleaned_data
        tier_drafts.check(new)
        with transaction.atomic():
            if draft is None:
                draft = TierDraft.objects.create(
                    name=data["name"], content=new.content(), valid_from=data["valid_from"]
                )
                self.log_addition(request, draft, "Drafted")
            else:
                tier_drafts.change(
                    draft_id=draft.pk, name=data["name"], new=new, valid_from=data["valid_from"]
                )
                self.log_change(request, draft, "Changed")
            transaction.on_commit(move_tiers.delay, robust=True)
        return draft

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        draft = self.get_object(request, object_id)
        if draft is None:
            raise Http404
        if not self.has_view_permission(request, draft):
            raise PermissionDenied
        new = NewTerms.of(draft.content)
        rules = tier_drafts.rules_of(new, valid_from=draft.valid_from or clock.now())
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": draft.name,
            "opts": self.opts,
            "draft": draft,
            "policy": tier_wording.policy_text(rules),
            "levels": [
                (
                    in_language(level.names),
                    tier_wording.level_text(level, rules),
                    tier_wording.benefits(level),
                )
                for level in rules.levels
            ],
            "moves": _moves(draft, new),
            "run": Run.objects.filter(pk=draft.run_id).first() if draft.run_id else None,
            "may_change": self.has_change_permission(request, draft)
            and draft.status == TierDraft.Status.DRAFT,
            "may_publish": request.user.has_perm("rewards.add_tierterms"),
        }
        return TemplateResponse(request, "admin/rewards/tier_draft.html", context)

    def look_view(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._draft(request, draft_id)
        if request.method == "POST":
            TierDraft.objects.filter(pk=draft.pk, status=TierDraft.Status.DRAFT).update(
                preview=None, previewed_at=None
            )
            transaction.on_commit(move_tiers.delay, robust=True)
        return HttpResponseRedirect(_draft_url(draft.pk))

    def publish_view(self, request: HttpRequest, draft_id: int) -> HttpResponse:
        draft = self._draft(request, draft_id)
        if not request.user.has_perm("rewards.add_tierterms"):
            raise PermissionDenied
        if request.method == "POST":
            try:
                with transaction.atomic():
                    tier_drafts.publish(draft_id=draft.pk, at=clock.now())
                    self.log_change(request, draft, "Published")
                    transaction.on_commit(move_tiers.delay, robust=True)
            except RevisionRefused as refused:
                messages.error(request, str(refused))
            else:
                messages.success(
                    request, gettext("The new terms were made. The members are moved in the background.")
                )
        return HttpResponseRedirect(_draft_url(draft.pk))

    def _draft(self, request: HttpRequest, draft_id: int) -> TierDraft:
        draft = TierDraft.objects.filter(pk=draft_id).first()
        if draft is None:
            raise Http404
        if not self.has_change_permission(request, draft):
            raise PermissionDenied
        return draft


def _draft_url(draft_id: int) -> str:
    return reverse("admin:rewards_tierdraft_change", args=[draft_id])


def _moves(draft: TierDraft, new: NewTerms) -> list[dict[str, Any]]:
    """The moves of the preview with the tiers' names and the members named; two statements for all."""
    rows = (draft.preview or {}).get("moves", ())
    ids = [sample["member"] for row in rows for sample in row["samples"]]
    members = {member.pk: member for member in Member.objects.filter(pk__in=ids)}
    known = terms.current()
    return [
        {
            "from": in_language(tier_drafts.name_of(row["from"], new, known)),
            "to": in_language(tier_drafts.name_of(row["to"], new, known)),
            "count": row["count"],
            "samples": [
                (members[sample["member"]], tier_wording.amount_text(sample["amount"], new.policy.basis))
                for sample in row["samples"]
                if sample["member"] in members
            ],
        }
        for row in rows
    ]
