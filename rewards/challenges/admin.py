"""Challenges and badges in the admin: made without code, read back as a sentence, opened, ended, copied, followed."""

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import RelatedDropdownFilter

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, ReadOnlyAdmin, badge
from loyalty.translated import LANGUAGES, TranslatedTextField
from loyalty.translated_forms import TranslatedTextFormField
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from rewards.catalogue import pictures
from rewards.challenges import opening, terms, wording
from rewards.challenges.forms import SECTIONS, BadgeForm, ChallengeForm, PictureForm, StepForm, StepsFormSet
from rewards.challenges.funnel import funnel
from rewards.challenges.opening import ChallengeRefused
from rewards.challenges.queries import Place, Shown, ShownStep
from rewards.challenges.taking_part import has_begun
from rewards.challenges.terms import Terms
from rewards.models import Badge, Challenge, ChallengeCount, ChallengeRound, ChallengeStep, StepAward


class StepInline(StackedInline):
    """The steps, edited with their challenge until somebody takes part."""

    model = ChallengeStep
    form = StepForm
    formset = StepsFormSet

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 0 if obj else 1

    fields = (
        ("target", "points"),
        "names",
        ("badge", "badge_level"),
        "voucher_family",
        ("draw", "draw_chances"),
    )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, TranslatedTextField):
            return TranslatedTextFormField(label=capfirst(db_field.verbose_name), required=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def _may(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None or not has_begun(obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_add_permission(request, obj)) and self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and self._may(request, obj)


def take_picture(row: Any, form: PictureForm) -> None:
    """Give the row the picture that came with the valid form, or take its picture away."""
    if form.drawn is not None:
        row.picture = pictures.keep(form.drawn, at=clock.now())
    elif form.cleaned_data.get("no_picture"):
        row.picture = None


@admin.register(Challenge)
class ChallengeAdmin(HistoryAdmin):
    """Challenges. Their terms stand still once somebody takes part: a copy can be changed."""

    form = ChallengeForm
    fieldsets = SECTIONS
    inlines = (StepInline,)
    multiline_texts: ClassVar = ("descriptions",)
    list_display = ("name", "code", "state", "takes", "taking_part", "starts_at", "ends_at")
    list_display_links = ("name",)
    list_filter = ("is_active", "measure", "recurs")
    search_fields = ("code", "names__fi", "names__sv", "names__en")
    ordering = ("-starts_at", "code")
    change_form_outer_before_template = "admin/rewards/challenge_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Challenge]:
        challenges = terms.loaded(super().get_queryset(request))
        return challenges.annotate(parts=Count("participations"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("code", *opening.TERMS) if has_begun(obj) else ("code",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What stands still is read out in the panel above, and left out of the form."""
        if obj is not None and has_begun(obj):
            return SECTIONS[:1]
        return super().get_fieldsets(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is not None and has_begun(obj) else self.inlines

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if change and formset.has_changed():
            opening.refuse_frozen(form.instance)
        super().save_formset(request, form, formset, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or not has_begun(obj))

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Challenge, form: ChallengeForm, change: bool) -> None:
        """Save; an open challenge whose terms were changed is counted afresh. Refuses what has begun meanwhile."""
        take_picture(obj, form)
        if change and any(name in opening.TERMS for name in form.changed_data):
            opening.refuse_frozen(obj)
        super().save_model(request, obj, form, change)
        if obj.is_active:
            opening.ask_to_count(obj, at=clock.now())

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ChallengeRefused as refused:  # somebody came in while the form was open
            messages.error(request, str(refused))
            return HttpResponseRedirect(request.path)

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_challenge_{name}")

        return [
            own("<int:challenge_id>/preview/", self.preview_view, "preview"),
            own("<int:challenge_id>/open/", self.open_view, "open"),
            own("<int:challenge_id>/end/", self.end_view, "end"),
            own("<int:challenge_id>/clone/", self.clone_view, "clone"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        challenge = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if isinstance(challenge, Challenge):
            known = terms.of(challenge)
            extra |= {
                "challenge": challenge,
                "challenge_state": self.state(challenge),
                "sentence": wording.sentence(known),
                "funnel": funnel(known),
                "count": ChallengeCount.objects.filter(challenge=challenge).first(),
                "begun": has_begun(challenge),
                "is_running": _is_running(challenge, clock.now()),
                "may_change": self.has_change_permission(request, challenge),
                "may_add": self.has_add_permission(request),
                "languages": LANGUAGES,
            }
        return super().change_view(request, object_id, form_url, extra)

    def preview_view(self, request: HttpRequest, challenge_id: int) -> HttpResponse:
        """The challenge's card as a member half way through sees it, and its sentence.

        Posted with the form: as it stands there. It is saved for the look and undone again.
        """
        challenge = self._challenge(request, challenge_id, self.has_view_or_change_permission)
        if request.method != "POST":
            return self._preview(request, challenge)
        with transaction.atomic():
            form = self.get_form(request, challenge, change=True)(
                request.POST, request.FILES, instance=challenge
            )
            formsets, _inlines = self._create_formsets(request, challenge, change=True)
            if not all([form.is_valid(), *(formset.is_valid() for formset in formsets)]):
                context = {"form": form, "formsets": formsets}
                return render(request, "admin/rewards/challenge_errors.html", context, status=422)
            form.save()
            for formset in formsets:
                formset.save()
            shown = self._preview(request, terms.loaded().get(pk=challenge_id))
            transaction.set_rollback(True)
        return shown

    def _preview(self, request: HttpRequest, challenge: Challenge) -> HttpResponse:
        language = request.POST.get("language") or request.GET.get("language", "")
        known = terms.of(challenge)
        sentence = wording.sentence(known)
        with translation.override(language if language in LANGUAGES else translation.get_language()):
            context = {
                "member": None,
                "shown": made_up(known, at=clock.now()),
                "challenge": challenge,
                "sentence": sentence,
            }
            return render(request, "rewards/challenges/preview.html", context)

    def open_view(self, request: HttpRequest, challenge_id: int) -> HttpResponse:
        challenge = self._challenge(request, challenge_id, self.has_change_permission)
        if request.method == "POST":
            try:
                if opening.open_challenge(challenge_id=challenge_id, at=clock.now()):
                    self.log_change(request, challenge, "Opened")
                    messages.success(
                        request, gettext("It is open. What members do counts from its beginning.")
                    )
            except ChallengeRefused as refused:
                messages.error(request, str(refused))
        return HttpResponseRedirect(_url(challenge_id))

    def end_view(self, request: HttpRequest, challenge_id: int) -> HttpResponse:
        challenge = self._challenge(request, challenge_id, self.has_change_permission)
        if request.method == "POST":
            try:
                if opening.end(challenge_id=challenge_id, at=clock.now()):
                    self.log_change(request, challenge, "Ended")
                    messages.success(request, gettext("It is over. What was won stays won."))
            except ChallengeRefused as refused:
                messages.error(request, str(refused))
        return HttpResponseRedirect(_url(challenge_id))

    def clone_view(self, request: HttpRequest, challenge_id: int) -> HttpResponse:
        challenge = self._challenge(request, challenge_id, lambda asked, _row: self.has_add_permission(asked))
        if request.method != "POST":
            return HttpResponseRedirect(_url(challenge_id))
        copy = opening.clone(challenge_id=challenge_id, code=opening.free_code(challenge.code))
        self.log_addition(request, copy, f"Copied from {challenge.code}")
        messages.success(
            request, gettext("This is a copy, not open yet. Change what is different, then open it.")
        )
        return HttpResponseRedirect(_url(copy.pk))

    def _challenge(self, request: HttpRequest, challenge_id: int, may: Any) -> Challenge:
        challenge = terms.loaded().filter(pk=challenge_id).first()
        if challenge is None:
            raise Http404
        if not may(request, challenge):
            raise PermissionDenied
        return challenge

    @admin.display(description=_("name"))
    def name(self, challenge: Challenge) -> str:
        return challenge.name or challenge.code

    @admin.display(description=_("state"))
    def state(self, challenge: Challenge) -> SafeString:
        at = clock.now()
        if not challenge.is_active:
            return badge(gettext("draft"), "note")
        if challenge.ends_at is not None and challenge.ends_at <= at:
            return badge(gettext("over"), "warn")
        if challenge.starts_at > at:
            return badge(gettext("opens later"), "note")
        return badge(gettext("open"), "good")

    @admin.display(description=_("takes"))
    def takes(self, challenge: Challenge) -> str:
        targets = terms.of(challenge).goal.targets
        return wording.amount_text(challenge.measure, targets[-1].amount) if targets else "–"

    @admin.display(description=_("taking part"), ordering="parts")
    def taking_part(self, challenge: Any) -> int:
        return int(challenge.parts)


def _url(challenge_id: int) -> str:
    return reverse("admin:rewards_challenge_change", args=[challenge_id])


def _is_running(challenge: Challenge, at: dt.datetime) -> bool:
    ended = challenge.ends_at is not None and challenge.ends_at <= at
    return challenge.is_active and challenge.starts_at <= at and not ended


def made_up(known: Terms, *, at: dt.datetime) -> Shown:
    """The challenge as a member half way through would see it."""
    targets = known.goal.targets
    progress = (targets[-1].amount / 2).to_integral_value() if targets else Decimal(0)
    return Shown(
        terms=known,
        place=Place.ACTIVE,
        progress=progress,
        steps=tuple(
            ShownStep(
                step=known.steps[target.step_id],
                text=wording.amount_text(known.goal.measure, target.amount),
                prizes=tuple(wording.prizes(known.steps[target.step_id])),
                reached_at=at if target.amount <= progress else None,
            )
            for target in targets
        ),
        starts_at=known.goal.starts_at,
        ends_at=known.goal.ends_at,
        joined_at=None,
        completed_at=None,
        completed=0,
        round_number=1,
        time_left=wording.time_left(known.goal.ends_at, at=at),
    )


@admin.register(Badge)
class BadgeAdmin(HistoryAdmin):
    """Badges. They are given by the steps of challenges."""

    form = BadgeForm
    fields = ("code", "names", "descriptions", "levels", "picture_file", "no_picture")
    multiline_texts: ClassVar = ("descriptions",)
    list_display = ("thumbnail", "name", "code", "levels")
    list_display_links = ("name",)
    search_fields = ("code", "names__fi", "names__sv", "names__en")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Badge, form: BadgeForm, change: bool) -> None:
        take_picture(obj, form)
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Badge]:
        badges: QuerySet[Badge] = super().get_queryset(request)
        return badges.select_related("picture")

    @admin.display(description="")
    def thumbnail(self, row: Badge) -> SafeString | str:
        if row.picture is None:
            return ""
        address = reverse("picture-small", args=[row.picture.digest])
        return format_html('<img class="k-thumbnail" src="{}" alt="" width="48" height="48">', address)

    @admin.display(description=_("name"))
    def name(self, row: Badge) -> str:
        return row.name or row.code


@admin.register(ChallengeRound)
class ChallengeRoundAdmin(MemberScopedAdmin, ReadOnlyAdmin):
    """Who is where: each member's rounds."""

    list_display = ("challenge", "member_shown", "number", "progress", "completed_at", "starts_at", "ends_at")
    list_filter = (("challenge", RelatedDropdownFilter),)
    list_select_related = ("challenge", "member")
    search_fields = ("member__card_number", "member__email")
    search_help_text = _("Card number or e-mail address")

    @admin.display(description=_("member"))
    def member_shown(self, row: ChallengeRound) -> Any:
        return member_link(row.member)


@admin.register(StepAward)
class StepAwardAdmin(ReadOnlyAdmin):
    """Steps reached and what they brought, and those that refunds undid."""

    list_display = (
        *("round_shown", "member_shown", "step", "points", "voucher_state", "entry_state"),
        *("reached_at", "withdrawn_at"),
    )
    list_filter = ("voucher_state", "entry_state", ("round__challenge", RelatedDropdownFilter))
    list_select_related = ("round__challenge", "round__member", "step")
    search_fields = ("round__member__card_number", "round__member__email")

    @admin.display(description=_("challenge"))
    def round_shown(self, award: StepAward) -> str:
        return str(award.round.challenge)

    @admin.display(description=_("member"))
    def member_shown(self, award: StepAward) -> Any:
        return member_link(award.round.member)
