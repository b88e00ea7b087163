"""Tiers in the admin: terms through time, drafts with who would move, and a member's tier set by hand."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from loyalty import clock, programme
from loyalty.admin_base import KantisAdmin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from loyalty.runs.models import Run
from loyalty.translated import in_language
from loyalty.translated_forms import TranslatedTextFormField
from members import admin_parts
from members.admin import member_link
from members.admin_member_pages import head
from members.admin_scoped import MemberScopedAdmin
from members.models import Member, Tier, TierHold
from rewards import terms, tier_drafts, tier_holds, tier_wording
from rewards.admin.terms import TermsAdmin
from rewards.models import TierDraft, TierLevel, TierTerms
from rewards.revisions import RevisionRefused, TierPolicy
from rewards.rule_form import DatedForm
from rewards.tasks import move_tiers
from rewards.tier_drafts import DraftLevel, NewTerms
from rewards.tier_holds import HoldRefused
from rewards.wording import levels_of

SET_TIER = "members.set_tier"
_POLICY = ("basis", "window", "window_days", "keep", "keep_length", "downgrade", "grace_days")


def _choice(field: str, label: Any) -> forms.ChoiceField:
    column: Any = TierTerms._meta.get_field(field)
    choices = column.choices
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget())


def _number(
    label: Any, help_text: Any = "", *, least: int = 0, most: int = 3660, required: bool = True
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, min_value=least, max_value=most, required=required,
        widget=UnfoldAdminIntegerFieldWidget(),
    )  # fmt: skip


class TierTermsForm(DatedForm):
    """How tiers are reached, kept and lost; what each takes and gives; and room for one new tier."""

    basis = _choice("basis", _("Tiers are reached by"))
    window = _choice("window", _("Counted over"))
    window_days = _number(_("Window in days"), _("For a window of the last so many days."), least=1)
    keep = _choice("keep", _("A tier reached is kept"))
    keep_length = _number(
        _("Kept for"), _("Days; or years beyond the one it was reached in: 1 is the end of the next year.")
    )
    downgrade = _choice("downgrade", _("A tier is lost"))
    grace_days = _number(_("Days of grace after the end of the year"), most=366)

    def __init__(self, *args: Any, begin_with: NewTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _POLICY:
            self.fields[name].initial = getattr(begin_with.policy, name)
        self.known = {tier.code: tier for tier in Tier.objects.order_by("rank")}
        self.levels = {level.code: level for level in begin_with.levels}
        lowest = begin_with.levels[0].code if begin_with.levels else ""
        for code, names in self._offered().items():
            self._add_level(code, in_language(names), self.levels.get(code), required=code == lowest)
        self.fields["new_names"] = TranslatedTextFormField(
            label=gettext("A new tier"), required=False,
            help_text=gettext("Its name, when you add one. It takes its place by the points it takes."),
        )  # fmt: skip
        self._add_level("new", gettext("The new tier"), None, required=False)
        last = [name for name in ("valid_from",) if name in self.fields]
        self.order_fields([*(name for name in self.fields if name not in last), *last])

    def _offered(self) -> dict[str, Mapping[str, str]]:
        """The tiers there are and those that the draft brings, by code."""
        found: dict[str, Mapping[str, str]] = {code: tier.names for code, tier in self.known.items()}
        return found | {code: level.names for code, level in self.levels.items() if code not in found}

    def _add_level(self, code: str, name: str, level: DraftLevel | None, *, required: bool) -> None:
        fields: dict[str, forms.Field] = {
            "threshold": _number(
                gettext("%(tier)s: what it takes") % {"tier": name},
                "" if required else gettext("Empty: this tier is not offered."),
                most=10**12,
                required=required,
            ),
            "multiplier": forms.DecimalField(
                label=gettext("%(tier)s: multiplier") % {"tier": name}, min_value=Decimal(1), max_digits=5,
                decimal_places=2, required=False, widget=UnfoldAdminDecimalFieldWidget(),
            ),
            "birthday": _number(
                gettext("%(tier)s: birthday points") % {"tier": name}, gettext("Empty: as many as the campaign gives."),
                most=10**6, required=False,
            ),
            "benefits": TranslatedTextFormField(
                label=gettext("%(tier)s: further benefits") % {"tier": name}, multiline=True, required=False,
                help_text=gettext("One a line, in the same order in each language."),
            ),
        }  # fmt: skip
        initial: dict[str, Any] = {
            "threshold": level.threshold if level else None,
            "multiplier": level.multiplier if level else Decimal(1),
            "birthday": level.birthday_points if level else None,
            "benefits": _as_lines(level.benefits) if level else None,
        }
        for part, field in fields.items():
            field.initial = initial[part]
            self.fields[f"{part}_{code}"] = field

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("new_names") and data.get("threshold_new") is None:
            self.add_error("threshold_new", gettext("Say what the new tier takes."))
        if data.get("threshold_new") is not None and not data.get("new_names"):
            self.add_error("new_names", gettext("Give the new tier a name."))
        return data

    def new_terms(self) -> NewTerms:
        """What was filled in, the levels in the order of what they take."""
        data = self.cleaned_data
        names = dict(self._offered())
        codes = list(names)
        if data.get("new_names"):
            names["new"] = data["new_names"]
            codes.append("new")
        levels = [
            DraftLevel(
                code=self._new_code(names["new"]) if code == "new" else code,
                names=dict(names[code]),
                threshold=data[f"threshold_{code}"],
                multiplier=data[f"multiplier_{code}"] or Decimal(1),
                birthday_points=data[f"birthday_{code}"],
                benefits=_as_benefits(data[f"benefits_{code}"]),
            )
            for code in codes
            if data[f"threshold_{code}"] is not None
        ]
        policy = TierPolicy(**{name: data[name] for name in _POLICY})
        return NewTerms(policy=policy, levels=tuple(sorted(levels, key=lambda level: level.threshold)))

    def _new_code(self, names: Mapping[str, str]) -> str:
        """A code out of the new tier's name that no tier has."""
        base = slugify(names.get("en") or in_language(names))[:24] or "tier"
        taken = {*self.known, *self.levels}
        return next(
            code for code in (base, *(f"{base}-{n}" for n in range(2, 1000))) if code not in taken | {"new"}
        )


def _as_lines(benefits: Sequence[Mapping[str, str]]) -> dict[str, str]:
    languages = dict.fromkeys(code for texts in benefits for code in texts)
    return {code: "\n".join(texts.get(code, "") for texts in benefits) for code in languages}


def _as_benefits(lines: Mapping[str, str] | None) -> tuple[dict[str, str], ...]:
    by_language = {code: text.splitlines() for code, text in (lines or {}).items()}
    count = max((len(texts) for texts in by_language.values()), default=0)
    rows = (
        {code: texts[n].strip() for code, texts in by_language.items() if n < len(texts) and texts[n].strip()}
        for n in range(count)
    )
    return tuple(row for row in rows if row)


class TierDraftForm(TierTermsForm):
    name = forms.CharField(label=_("Name"), max_length=100, widget=UnfoldAdminTextInputWidget())
    field_order = ("name",)


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
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_tierdraft_{name}")

        return [
            own("<int:draft_id>/edit/", self.edit_page, "edit"),
            own("<int:draft_id>/look/", self.look_view, "look"),
            own("<int:draft_id>/publish/", self.publish_view, "publish"),
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
                (in_language(level.names), tier_wording.level_text(level, rules), level.multiplier)
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


# --- A member's tier set by hand --------------------------------------------------------------------------------------


class SetTierForm(forms.Form):
    """Which tier, as a floor or a lock, until when, and why."""

    tier = forms.ModelChoiceField(
        label=_("Tier"), queryset=Tier.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    kind = forms.ChoiceField(
        label=_("It holds"),
        choices=TierHold.Kind.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("At least: the member may rise, not fall. Exactly: the tier stays."),
    )
    last_day = forms.DateField(
        label=_("Up to and including"),
        required=False,
        widget=UnfoldAdminDateWidget(),
        help_text=_("Empty: until staff lift it."),
    )
    note = forms.CharField(
        label=_("Reason"), max_length=300, widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("Staff read it in the member's history."),
    )  # fmt: skip

    def until(self) -> dt.datetime | None:
        """The midnight after the last day, in the programme's time zone."""
        day = self.cleaned_data["last_day"]
        return clock.start_of_day(day + dt.timedelta(days=1), programme.current().time_zone) if day else None


@admin.register(TierHold)
class TierHoldAdmin(MemberScopedAdmin, ReadOnlyAdmin):  # type: ignore[misc]
    """Tiers set by hand, with who set them and why; set and lifted on the member's page."""

    list_display = ("member_name", "tier", "kind", "set_at", "until", "ended_at", "staff", "note")
    list_select_related = ("member", "tier", "staff")
    list_filter = ("kind", "tier")

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"members_tierhold_{name}")

        return [
            own("set/<int:member_id>/", self.set_page, "set"),
            own("lift/<int:member_id>/", self.lift_view, "lift"),
            *super().get_urls(),
        ]

    @admin.display(description=_("member"))
    def member_name(self, row: TierHold) -> Any:
        return member_link(row.member)

    def set_page(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Set the tier, or lift what was set."""
        member = self._member(request, member_id)
        at = clock.now()
        form = SetTierForm(request.POST or None, initial={"tier": member.tier_id})
        offered = [level.tier_id for level in terms.current().tiers_at(at).levels]
        form.fields["tier"].queryset = Tier.objects.filter(pk__in=offered)  # type: ignore[attr-defined]
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                with transaction.atomic():
                    tier_holds.set_tier(
                        member_id=member.pk, tier_id=data["tier"].pk, kind=data["kind"], note=data["note"],
                        staff_id=_staff_id(request), at=at, until=form.until(),
                    )  # fmt: skip
                    self.log_change(request, member, f"Tier set by hand: {data['tier'].code}, {data['kind']}")  # type: ignore[arg-type]
            except HoldRefused as refused:
                form.add_error({"until": "last_day"}.get(refused.field, refused.field), str(refused))
            else:
                messages.success(request, gettext("The tier was set."))
                return HttpResponseRedirect(_overview(member.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Set the tier by hand"),
            submit=gettext("Set the tier"),
            back=_overview(member.pk),
            template="admin/rewards/set_tier.html",
            context=head(request, member, tab="tier")
            | {"member_actions": [], "hold": tier_holds.hold_of(member.pk, at=at)},
        )

    def lift_view(self, request: HttpRequest, member_id: int) -> HttpResponse:
        member = self._member(request, member_id)
        if request.method == "POST":
            with transaction.atomic():
                if tier_holds.lift(member_id=member.pk, staff_id=_staff_id(request), at=clock.now()):
                    self.log_change(request, member, "Tier set by hand lifted")  # type: ignore[arg-type]
                    messages.success(request, gettext("The tier is no longer set by hand."))
        return HttpResponseRedirect(_overview(member.pk))

    def _member(self, request: HttpRequest, member_id: int) -> Member:
        if not request.user.has_perm(SET_TIER) or not request.user.has_perm("members.view_member"):
            raise PermissionDenied
        member = Member.objects.select_related("tier").filter(pk=member_id).first()
        if member is None:
            raise Http404
        if member.status != Member.Status.ACTIVE:
            raise PermissionDenied
        return member


def _staff_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise PermissionDenied
    return request.user.pk


def _overview(member_id: int) -> str:
    return reverse("admin:members_member_overview", args=[member_id])


admin_parts.add_action(
    admin_parts.Link(
        key="tier",
        label=_("Set the tier"),
        url=lambda member: reverse("admin:members_tierhold_set", args=[member.pk]),
        permission=SET_TIER,
        icon="front_hand",
    )
)
