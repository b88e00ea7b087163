"""Referrals in the admin: members' codes, who brought whom step by step, and what is held for a decision."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from loyalty import clock
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin, badge
from members.admin import member_link
from members.models import Member
from members.search import search
from referrals import wording
from referrals.admin.forms import DecisionForm
from referrals.fraud import picture, review
from referrals.fraud.review import ReviewRefused
from referrals.models import Mark, Referral, ReferralCode, ReferralGrant
from referrals.queries import steps_of
from referrals.states import State

MAY_DECIDE = "referrals.change_referral"
PAGE = 20
_TONES = {State.REWARDED: "good", State.HELD: "warn", State.REJECTED: "bad", State.REVERSED: "bad"}
_DONE = {
    "approve": _("Approved: it is settled when its waiting is over."),
    "reject": _("Rejected. Either side can appeal once."),
    "hold": _("Held: nothing is given until somebody decides."),
}


def _members(text: str) -> Any:
    return search(Member.objects.all(), text).order_by().values("pk")


def state_badge(referral: Referral) -> SafeString:
    """Where it stands, coloured."""
    return badge(referral.get_state_display(), _TONES.get(State(referral.state), ""))


@admin.register(ReferralCode)
class ReferralCodeAdmin(ReadOnlyAdmin):
    list_display = ("code", "member_name", "is_chosen", "created_at")
    list_select_related = ("member",)
    list_filter = ("is_chosen",)
    search_fields = ("code",)
    search_help_text = _("The code, or a member by anything")
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ReferralCode], search_term: str
    ) -> tuple[QuerySet[ReferralCode], bool]:
        if wanted := search_term.strip():
            return queryset.filter(Q(code__iexact=wanted) | Q(member__in=_members(wanted))), False
        return queryset, False

    @admin.display(description=_("member"))
    def member_name(self, code: ReferralCode) -> SafeString:
        return member_link(code.member)


@admin.register(Referral)
class ReferralAdmin(ExportMixin, ReadOnlyAdmin):  # type: ignore[misc]
    """Who brought whom. What is held waits here for a decision."""

    list_display = ("joined_at", "referrer_name", "friend_name", "state_shown", "reason", "score", "due_at")
    list_select_related = ("referrer", "friend")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("terms__programme", RelatedDropdownFilter),
        ("joined_at", RangeDateFilter),
    )
    search_fields = ("id",)
    search_help_text = _("Either member, by anything")
    ordering = ("-id",)
    list_before_template = "admin/referrals/list_head.html"
    change_form_outer_before_template = "admin/referrals/referral_panel.html"
    readonly_fields = ("referrer_name", "friend_name", "state_shown", "programme_name")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("referrer_name", "friend_name"),
                    ("state_shown", "reason"),
                    ("programme_name", "score"),
                    ("clicked_at", "joined_at"),
                    ("purchased_at", "lapses_at"),
                    ("due_at", "qualified_at"),
                    ("rewarded_at", "ended_at"),
                    ("decided_by", "decided_at"),
                    "public_id",
                )
            },
        ),
    )
    export_columns = (
        (_("id"), lambda row: row.public_id),
        (_("referrer"), lambda row: row.referrer.card_number),
        (_("friend"), lambda row: row.friend.card_number),
        (_("state"), lambda row: row.state),
        (_("reason"), lambda row: row.reason),
        (_("fraud score"), lambda row: row.score),
        (_("joined at"), lambda row: row.joined_at),
        (_("qualified at"), lambda row: row.qualified_at),
        (_("rewarded at"), lambda row: row.rewarded_at),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Referral], search_term: str
    ) -> tuple[QuerySet[Referral], bool]:
        if wanted := search_term.strip():
            found = _members(wanted)
            return queryset.filter(Q(referrer__in=found) | Q(friend__in=found)), False
        return queryset, False

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("review/", self.review_page, "review"),
            self.own_page("<int:referral_id>/decide/", self.decide_view, "decide"),
            self.own_page("around/<int:member_id>/", self.around_page, "around"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "held_count": review.how_many()})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        referral = self.get_object(request, object_id)
        if isinstance(referral, Referral):
            extra |= {
                "referral": referral,
                "referral_state": state_badge(referral),
                "why": wording.why(referral),
                "reasons": review.reasons_of(referral),
                "steps": steps_of(referral),
                "grants": _grants(referral),
                "may_decide": request.user.has_perm(MAY_DECIDE),
            }
        return super().change_view(request, object_id, form_url, extra)

    # --- Review -------------------------------------------------------------------------------------------------------

    def review_page(self, request: HttpRequest) -> HttpResponse:
        """What waits for a decision: appeals first, then the oldest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        total = review.how_many()
        text = request.GET.get("from", "")
        first = min(int(text), max(total - 1, 0)) // PAGE * PAGE if text.isdecimal() and len(text) < 10 else 0
        context = {
            "waiting": review.queue(first=first, most=PAGE),
            "total": total,
            "earlier": first - PAGE if first else None,
            "later": first + PAGE if first + PAGE < total else None,
            "may_decide": request.user.has_perm(MAY_DECIDE),
            "title": gettext("Referrals that wait for a decision"),
        }
        return self._page(request, "admin/referrals/review.html", context)

    def decide_view(self, request: HttpRequest, referral_id: int) -> HttpResponse:
        """Post a decision; of two staff members at once the first decides."""
        if not request.user.has_perm(MAY_DECIDE) or request.user.pk is None:
            raise PermissionDenied
        referral = Referral.objects.filter(pk=referral_id).first()
        if referral is None:
            raise Http404
        if request.method == "POST":
            form = DecisionForm(request.POST)
            if form.is_valid():
                self._decide(request, referral, form.cleaned_data["decision"], form.cleaned_data["note"])
            else:
                messages.error(request, gettext("Nothing was decided: the note is 500 characters at most."))
        if "queue" in request.POST:
            return HttpResponseRedirect(reverse("admin:referrals_referral_review"))
        return HttpResponseRedirect(reverse("admin:referrals_referral_change", args=[referral_id]))

    def _decide(self, request: HttpRequest, referral: Referral, decision: str, note: str) -> None:
        act = {"approve": review.approve, "reject": review.reject, "hold": review.hold}[decision]
        try:
            act(referral_id=referral.pk, staff_id=request.user.pk or 0, at=clock.now(), note=note)
        except ReviewRefused as refused:
            messages.error(request, str(refused))
        else:
            self.log_change(request, referral, f"{decision}: {note}" if note else decision)
            messages.success(request, _DONE[decision])

    # --- The graph ----------------------------------------------------------------------------------------------------

    def around_page(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Who brought whom around a member, and who has marks in common."""
        if not (self.has_view_permission(request) and request.user.has_perm("members.view_member")):
            raise PermissionDenied
        member = Member.objects.filter(pk=member_id).first()
        if member is None:
            raise Http404
        drawn = picture.around(member)
        context = {
            "member": member,
            "people": _people(drawn),
            "is_cut": drawn.is_cut,
            "title": gettext("Referrals around %(member)s") % {"member": member},
        }
        return self._page(request, "admin/referrals/around.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        shared = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return TemplateResponse(request, template, shared | context)

    # --- Columns ------------------------------------------------------------------------------------------------------

    @admin.display(description=_("referrer"))
    def referrer_name(self, referral: Referral) -> SafeString:
        return member_link(referral.referrer)

    @admin.display(description=_("friend"))
    def friend_name(self, referral: Referral) -> SafeString:
        return member_link(referral.friend)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, referral: Referral) -> SafeString:
        return state_badge(referral)

    @admin.display(description=_("programme"))
    def programme_name(self, referral: Referral) -> str:
        return str(referral.terms.programme) if referral.terms else "–"


def _grants(referral: Referral) -> list[ReferralGrant]:
    """What both sides got, the referrer first."""
    return sorted(referral.grants.all(), key=lambda grant: grant.side != ReferralGrant.Side.REFERRER)


def _people(drawn: picture.Picture) -> list[dict[str, Any]]:
    """The members of a picture, the nearest first, each with who brought them and whom they are like."""
    members = {node.member.pk: node.member for node in drawn.nodes}
    by_friend = {edge.friend_id: edge for edge in drawn.brought}
    alike: dict[int, list[dict[str, Any]]] = {pk: [] for pk in members}
    for pair in drawn.alike:
        kinds = ", ".join(str(Mark.Kind(kind).label) for kind in pair.kinds)
        for one, other in ((pair.one_id, pair.other_id), (pair.other_id, pair.one_id)):
            alike[one].append({"member": member_link(members[other]), "kinds": kinds})
    people = []
    for node in drawn.nodes:
        edge = by_friend.get(node.member.pk)
        people.append(
            {
                "node": node,
                "member": member_link(node.member),
                "referral": edge.referral if edge else None,
                "state": state_badge(edge.referral) if edge else "",
                "brought_by": member_link(members[edge.referrer_id]) if edge else "",
                "alike": alike[node.member.pk],
            }
        )
    return people
