"""The portal's pages of challenges and badges."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from loyalty import clock
from members.models import Member
from members.portal import member_page
from rewards.challenges.queries import Place, badges_of, challenges_for
from rewards.challenges.taking_part import JoiningRefused, join, leave


@require_safe
@member_page
def challenges(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The member's challenges with how far they are, those to join, and those that are over."""
    found = challenges_for(member, at=clock.now())
    context = {
        "member": member,
        "active": [shown for shown in found if shown.place is Place.ACTIVE],
        "open": [shown for shown in found if shown.place is Place.OPEN],
        "over": [shown for shown in found if shown.place is Place.OVER],
        "badges": badges_of(member),
    }
    return render(request, "rewards/challenges/list.html", context)


@require_POST
@member_page
def join_challenge(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    try:
        part = join(member=member, public_id=public_id, at=clock.now())
    except JoiningRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("You are in: %(challenge)s.") % {"challenge": part.challenge})
    return redirect("challenges")


@require_POST
@member_page
def leave_challenge(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    try:
        part = leave(member=member, public_id=public_id, at=clock.now())
    except JoiningRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(
            request,
            _("You have left: %(challenge)s. What you have won stays yours.") % {"challenge": part.challenge},
        )
    return redirect("challenges")


@require_safe
@member_page
def badges(request: HttpRequest, member: Member) -> HttpResponseBase:
    """What the member has earned."""
    return render(request, "rewards/challenges/badges.html", {"member": member, "badges": badges_of(member)})
