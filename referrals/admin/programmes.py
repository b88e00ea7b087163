"""Referral programmes in the admin: drafted, started, paused and ended; their terms revised by date, never edited."""

import datetime as dt
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, badge
from loyalty.form_page import form_page
from referrals import programmes
from referrals.admin.forms import (
    MilestonesFormSet,
    ProgrammeForm,
    TermsForm,
    milestone_rows,
    stored_milestones,
)
from referrals.models import ProgrammeTerms, Referral, ReferralProgramme
from referrals.programmes import ProgrammeRefused
from referrals.terms_reading import differences, figures_of, milestone_texts, sentence

Status = ReferralProgramme.Status
_TONES = {Status.RUNNING: "good", Status.PAUSED: "warn", Status.DRAFT: "note"}
_ACTS: dict[str, tuple[Callable[..., bool], Any]] = {
    "start": (programmes.start, _("It runs: members who may take part can invite now.")),
    "pause": (
        programmes.pause,
        _("It takes no new friends for now. Those who came go on under their terms."),
    ),
    "end": (programmes.end, _("It has ended. Those who came go on under their terms.")),
    "archive": (programmes.archive, _("It was archived.")),
}


@admin.register(ReferralProgramme)
class ReferralProgrammeAdmin(HistoryAdmin):
    """A programme by its name; what both sides get is revised from a date on."""

    form = ProgrammeForm
    fieldsets = (
        (None, {"fields": ("code", "names", "descriptions", "share_texts")}),
        (_("For whom"), {"fields": ("audience", "priority")}),
        (_("When"), {"fields": ("starts_at", "ends_at", "has_leaderboard")}),
    )
    multiline_texts: ClassVar = ("descriptions", "share_texts")
    list_display = ("title", "code", "state", "gives", "joined", "rewarded", "priority")
    list_display_links = ("title",)
    list_filter = ("status",)
    search_fields = ("code", "names__fi", "names__sv", "names__en")
    change_form_outer_before_template = "admin/referrals/programme_panel.html"
    change_form_outer_after_template = "admin/referrals/terms_history.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReferralProgramme]:
        terms = (
            ProgrammeTerms.objects.select_related("referrer_voucher", "friend_voucher", "referrer_badge")
            .annotate(friends=Count("referrals"))
            .order_by("-number")
        )
        rows: QuerySet[ReferralProgramme] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("terms", terms)).annotate(
            friends=Count("terms__referrals"),
            friends_rewarded=Count(
                "terms__referrals", filter=Q(terms__referrals__state=Referral.State.REWARDED)
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or obj.archived_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def response_add(
        self, request: HttpRequest, obj: ReferralProgramme, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.info(request, gettext("Now say what both sides get. Until then it cannot start."))
        return HttpResponseRedirect(reverse("admin:referrals_referralprogramme_revise", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("<int:programme_id>/revise/", self.revise_page, "revise"),
            self.own_page("<int:programme_id>/act/", self.act_view, "act"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        programme = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if isinstance(programme, ReferralProgramme):
            at = clock.now()
            history = read_out(list(programme.terms.all()), at=at)
            extra |= {
                "programme": programme,
                "programme_state": self.state(programme),
                "figures": figures_of(programme, at=at),
                "terms_history": history,
                "in_force": next((item for item in history if item["state"] != "ended"), None),
                "may_change": self.has_change_permission(request, programme),
                "acts": possible_acts(programme),
            }
        return super().change_view(request, object_id, form_url, extra)

    def act_view(self, request: HttpRequest, programme_id: int) -> HttpResponse:
        """Start, pause, end or archive it."""
        programme = self._programme(request, programme_id)
        if request.method != "POST":
            return HttpResponseRedirect(_url(programme_id))
        do = request.POST.get("do", "")
        if do not in _ACTS:
            raise Http404
        act, said = _ACTS[do]
        try:
            if act(programme_id=programme_id, at=clock.now()):
                self.log_change(request, programme, do)
                messages.success(request, said)
        except ProgrammeRefused as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(_url(programme_id))

    def revise_page(self, request: HttpRequest, programme_id: int) -> HttpResponse:
        """New terms from a moment on, starting from the latest."""
        programme = self._programme(request, programme_id)
        latest = programme.terms.order_by("-number").first()
        form = TermsForm(request.POST or None, initial=_initial(latest))
        rows = MilestonesFormSet(request.POST or None, initial=milestone_rows(latest), prefix="milestones")
        read_back = None
        if request.method == "POST" and all([form.is_valid(), rows.is_valid()]):
            said = form.said() | {"milestones": stored_milestones(rows)}
            try:
                if "preview" not in request.POST:
                    return self._revise(request, programme, said, form.cleaned_data["valid_from"])
                made_up = ProgrammeTerms(programme=programme, number=1, valid_from=clock.now(), **said)
                programmes.check(made_up)
                read_back = {"sentence": sentence(made_up), "milestones": milestone_texts(made_up)}
            except ProgrammeRefused as refused:
                form.refuse(refused)
        return form_page(
            self,
            request,
            form=form,  # type: ignore[arg-type]
            title=gettext("Terms of “%(programme)s”") % {"programme": programme},
            submit=gettext("Make the revision"),
            back=_url(programme_id),
            template="admin/referrals/revise.html",
            context={
                "milestone_forms": rows,
                "read_back": read_back,
                "present": read_out([latest], at=clock.now())[0] if latest else None,
            },
        )

    def _revise(
        self,
        request: HttpRequest,
        programme: ReferralProgramme,
        said: dict[str, Any],
        start: dt.datetime | None,
    ) -> HttpResponse:
        made = programmes.revise(programme_id=programme.pk, at=clock.now(), valid_from=start, **said)
        self.log_change(request, programme, f"Terms {made.number}: {sentence(made)}")
        messages.success(request, gettext("Revision %(number)s was made.") % {"number": made.number})
        return HttpResponseRedirect(_url(programme.pk))

    def _programme(self, request: HttpRequest, programme_id: int) -> ReferralProgramme:
        programme = ReferralProgramme.objects.filter(pk=programme_id).first()
        if programme is None:
            raise Http404
        if not self.has_change_permission(request, programme):
            raise PermissionDenied
        return programme

    @admin.display(description=_("name"))
    def title(self, programme: ReferralProgramme) -> str:
        return str(programme)

    @admin.display(description=_("state"), ordering="status")
    def state(self, programme: ReferralProgramme) -> SafeString:
        if programme.archived_at is not None:
            return badge(gettext("archived"))
        at = clock.now()
        if programme.status == Status.RUNNING and programme.starts_at and programme.starts_at > at:
            return badge(gettext("starts later"), "note")
        if programme.status == Status.RUNNING and programme.ends_at and programme.ends_at <= at:
            return badge(gettext("over"), "warn")
        return badge(programme.get_status_display(), _TONES.get(Status(programme.status), ""))

    @admin.display(description=_("gives"))
    def gives(self, programme: ReferralProgramme) -> str:
        shown = read_out(list(programme.terms.all()), at=clock.now())
        current = next((item for item in shown if item["state"] == "in force"), shown[0] if shown else None)
        return current["sentence"] if current else gettext("nothing yet")

    @admin.display(description=_("joined"), ordering="friends")
    def joined(self, programme: Any) -> int:
        return int(programme.friends)

    @admin.display(description=_("rewarded"), ordering="friends_rewarded")
    def rewarded(self, programme: Any) -> int:
        return int(programme.friends_rewarded)


def possible_acts(programme: ReferralProgramme) -> list[str]:
    """What may be done with it as it stands."""
    if programme.archived_at is not None:
        return []
    return {
        Status.DRAFT: ["archive", "start"],
        Status.RUNNING: ["pause", "end"],
        Status.PAUSED: ["end", "start"],
        Status.ENDED: ["archive"],
    }[Status(programme.status)]


def read_out(rows: list[ProgrammeTerms], *, at: dt.datetime) -> list[dict[str, Any]]:
    """Terms, newest first, each with its sentence, where it stands at ``at`` and what it changed."""
    shown: list[dict[str, Any]] = []
    in_force = next((row.pk for row in rows if row.valid_from <= at), None)
    until: dt.datetime | None = None
    for row in rows:
        state = "waits" if row.valid_from > at else "in force" if row.pk == in_force else "ended"
        shown.append(
            {
                "terms": row,
                "sentence": sentence(row),
                "milestones": milestone_texts(row),
                "state": state,
                "since_ever": row.valid_from.year <= 1970,
                "until": until,
                "friends": getattr(row, "friends", 0),
            }
        )
        until = row.valid_from
    for (later, earlier), item in zip(pairwise(rows), shown, strict=False):
        item["changes"] = differences(earlier, later)
    return shown


def _initial(latest: ProgrammeTerms | None) -> dict[str, Any]:
    if latest is None:
        return {}
    names = [*TermsForm.Meta.fields, "activity_kind"]
    return {name: getattr(latest, f"{name}_id", getattr(latest, name)) for name in names}


def _url(programme_id: int) -> str:
    return reverse("admin:referrals_referralprogramme_change", args=[programme_id])
