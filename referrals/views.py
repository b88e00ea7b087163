"""The portal's pages about invitations: the member's own, with the friends they brought, and the one friends see."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from loyalty import clock
from loyalty.translated import in_language
from members.models import Member
from members.portal import member_page, open_page
from referrals import codes, visits, wording
from referrals import landing as landings
from referrals.fraud import review
from referrals.fraud.review import ReviewRefused
from referrals.models import Referral, ReferralCode
from referrals.portal_forms import AppealForm, CodeForm, NameForm
from referrals.queries import Brought, MilestoneState, Progress, brought_by, progress_of
from referrals.states import EARNED, OPEN, State
from rewards.models import VoucherFamily

MOST_FRIENDS = 50
TONES = {State.REWARDED: "good", State.HELD: "warn", State.REJECTED: "bad"}


@dataclass(frozen=True, slots=True)
class Friend:
    """A friend's line on the page; ``form`` where the member may ask staff to look again."""

    brought: Brought
    tone: str
    form: AppealForm | None


@dataclass(frozen=True, slots=True)
class Step:
    """A milestone's line on the page: how far, of how many, and what it brings."""

    state: MilestoneState
    gift: str

    @property
    def brought(self) -> int:
        """Friends that count so far, no more than it takes."""
        return self.state.milestone.friends - self.state.missing


# --- The member's own page ----------------------------------------------------------------------------------------


@require_safe
@member_page
def invite(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The gift, the link and the code (drawn when the page is first opened), and the friends without their names."""
    return _page(request, member)


@require_POST
@member_page
def choose_code(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Take a code of one's own choice."""
    form = CodeForm(request.POST)
    if form.is_valid():
        try:
            code = codes.choose_own_code(member=member, code=form.cleaned_data["code"], at=clock.now())
        except codes.CodeRefused as refusal:
            form.add_error("code", str(refusal))
        else:
            messages.success(request, _("Your code is now %(code)s.") % {"code": code})
            return redirect("invite")
    return _page(request, member, code_form=form)


@require_POST
@member_page
def choose_name(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Allow the first name on the page that friends see, or not any more."""
    form = NameForm(request.POST)
    shows = form.is_valid() and form.cleaned_data["shows_name"]
    codes.code_of(member, clock.now())
    ReferralCode.objects.filter(member=member).update(shows_name=shows)
    text = _("Friends see your first name.") if shows else _("Friends do not see your name.")
    messages.success(request, text)
    return redirect("invite")


@require_POST
@member_page
def appeal(request: HttpRequest, member: Member, public_id: UUID) -> HttpResponseBase:
    """Ask staff to look at a friend's case again, once. 404 for a friend of somebody else."""
    referral = Referral.objects.filter(public_id=public_id, referrer=member).first()
    if referral is None:
        raise Http404
    form = AppealForm(request.POST, auto_id=f"id_{public_id}_%s")
    if form.is_valid():
        try:
            review.appeal(
                referral_id=referral.pk, member=member, text=form.cleaned_data["text"], at=clock.now()
            )
        except ReviewRefused as refusal:
            form.add_error("text", str(refusal))
        else:
            messages.success(request, _("Thank you. We are looking at it again."))
            return redirect("invite")
    return _page(request, member, appeal_form=(public_id, form))


def _page(
    request: HttpRequest,
    member: Member,
    *,
    code_form: CodeForm | None = None,
    appeal_form: tuple[UUID, AppealForm] | None = None,
) -> HttpResponseBase:
    at = clock.now()
    code = codes.code_of(member, at)
    own = ReferralCode.objects.get(member=member)
    progress = progress_of(member, at)
    link = landings.link_of(code, request)
    refused = bool((code_form and code_form.errors) or (appeal_form and appeal_form[1].errors))
    context = {
        "member": member,
        "section": "profile",
        "code": code,
        "link": link,
        "share_text": landings.share_text(member=member, terms=progress.terms, link=link),
        "progress": progress,
        "steps": _steps(progress),
        "friends": [_friend(each, appeal_form) for each in brought_by(member, most=MOST_FRIENDS)],
        "code_form": code_form or CodeForm(),
        "name_form": NameForm(initial={"shows_name": own.shows_name}),
        **_gifts(progress),
    }
    return render(request, "referrals/invite.html", context, status=422 if refused else 200)


def _gifts(progress: Progress) -> dict[str, Any]:
    terms = progress.terms
    if terms is None:
        return {}
    return {
        "friends_gift": wording.friends_gift(terms),
        "own_gift": wording.referrers_gift(terms),
        "takes": wording.what_it_takes(terms),
        "description": in_language(terms.programme.descriptions),
    }


def _steps(progress: Progress) -> list[Step]:
    wanted = {each.milestone.voucher_family_id for each in progress.milestones}
    families = VoucherFamily.objects.in_bulk([each for each in wanted if each is not None])
    return [
        Step(
            each,
            wording.what_it_gives(each.milestone.points, families.get(each.milestone.voucher_family_id or 0)),
        )
        for each in progress.milestones
    ]


def _friend(brought: Brought, sent: tuple[UUID, AppealForm] | None) -> Friend:
    form = None
    if brought.may_appeal:
        is_sent = sent is not None and sent[0] == brought.public_id
        form = sent[1] if sent and is_sent else AppealForm(auto_id=f"id_{brought.public_id}_%s")
    tone = TONES.get(State(brought.state), "brand" if brought.state in OPEN | EARNED else "")
    return Friend(brought, tone, form)


# --- The page that friends see ------------------------------------------------------------------------------------


@require_safe
@open_page
def landing(request: HttpRequest, member: Member | None, code: str) -> HttpResponseBase:
    """An invitation: what it gives, and the way to join. Remembers that the browser came, unless it is a member's.

    A code that nobody has gets a friendly page, with the same way to join.
    """
    at = clock.now()
    invited = landings.invitation(code, at=at)
    context = {
        "member": member,
        "invited": invited,
        "is_own": invited and member and member.pk == invited.referrer_id,
    }
    if invited is None:
        return render(request, "referrals/unknown.html", context, status=404)
    response = render(request, "referrals/landing.html", context)
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex"
    if member is None and visits.is_somebody(request):
        visit = visits.note_visit(
            visitor=visits.visitor_of(request),
            at=at,
            code=invited.code,
            utm=visits.utm_of(request.GET),
            landing=request.path,
        )
        visits.remember(response, visit.visitor)
    return response
