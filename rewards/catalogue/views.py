"""The portal's pages of the catalogue: the list, a reward, marking it, and what the member never wants."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from loyalty import clock
from members.models import Member
from members.portal import member_page
from rewards.catalogue import favourites, preferences
from rewards.catalogue.favourites import TooManyFavourites
from rewards.catalogue.forms import Chosen
from rewards.catalogue.listing import (
    SORT_NAMES,
    Shown,
    can_be_seen,
    listing,
    shown_to,
    with_related,
)
from rewards.catalogue.suggestions import suggest
from rewards.models import Aversion, Reward, RewardCategory

PAGE = 24
SUGGESTED = 3
_LONGEST_ID = 18


@require_safe
@member_page
def rewards(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The catalogue, what the member can get first. htmx asks for the list alone."""
    at = clock.now()
    chosen = Chosen.of(request.GET.dict())
    found = listing(
        member,
        at=at,
        category=chosen.category,
        tag=chosen.tag,
        only_favourites=chosen.favourites,
        only_available=chosen.available,
        sort=chosen.sort,
    )
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    is_first_look = not chosen.is_on and page.number == 1
    context = {
        "member": member,
        "page": page,
        "total": len(found),
        "chosen": chosen,
        "address": _address(chosen),
        "points": found[0].points if found else None,
        "categories": _categories(),
        "sorts": SORT_NAMES.items(),
        "suggested": suggest(member, found, at=at, limit=SUGGESTED) if is_first_look else [],
    }
    part = _part(request)
    response = render(request, f"rewards/catalogue/{part}.html", {**context, "swapped": part != "list"})
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_safe
@member_page
def reward(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """One reward: what it is, what it costs, what is missing, and the way to redeem it."""
    at = clock.now()
    shown = _shown(member, public_id)
    near = [each for each in listing(member, at=at) if each.reward.pk != shown.reward.pk]
    context = {
        "member": member,
        "shown": shown,
        "suggested": suggest(member, near, at=at, limit=SUGGESTED) if shown.obstacles else [],
    }
    return render(request, "rewards/catalogue/reward.html", context)


@require_POST
@member_page
def favourite(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """Mark a reward, or take the mark away (``on`` is 1 or 0). htmx gets the button back, others their page."""
    shown = _shown(member, public_id)
    wanted = request.POST.get("on") == "1"
    try:
        if wanted:
            favourites.mark(member_id=member.pk, reward=shown.reward, at=clock.now())
        else:
            favourites.unmark(member_id=member.pk, reward_id=shown.reward.pk)
    except TooManyFavourites:
        messages.error(request, _("You have marked as many rewards as can be. Take some marks away first."))
        wanted = False
    if request.headers.get("HX-Request"):
        shown = _shown(member, public_id)
        context = {"member": member, "shown": shown, "swapped": True}
        return render(request, "rewards/catalogue/_favourite.html", context)
    return redirect(_back(request, public_id))


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def reward_preferences(request: HttpRequest, member: Member) -> HttpResponseBase:
    """What the member never wants to be offered."""
    if request.method == "POST":
        said = request.POST.getlist("never")
        ids = {int(text) for text in said if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID}
        try:
            preferences.say(member_id=member.pk, kind_ids=ids, at=clock.now())
        except preferences.UnknownKind:
            messages.error(request, _("That choice is no longer there. Look at the list again."))
        else:
            messages.success(request, _("Saved. We leave it out of what we suggest."))
        return redirect("reward-preferences")
    context = {
        "member": member,
        "either_ors": Aversion.objects.prefetch_related("kinds"),
        "said": preferences.said_by(member.pk),
        "by_purchases": preferences.may_choose_by_purchases(member.pk),
    }
    return render(request, "rewards/catalogue/preferences.html", context)


def _shown(member: Member, public_id: uuid.UUID) -> Shown:
    """The reward as the member sees it; 404 for what they may not see: drafts, rewards for others, far futures."""
    at = clock.now()
    found = list(with_related(Reward.objects.filter(public_id=public_id)))
    for shown in shown_to(member, found, at=at):
        if can_be_seen(shown, at=at):
            return shown
    raise Http404


def _categories() -> list[tuple[str, str]]:
    """Shelves with anything on them: code and name."""
    used = RewardCategory.objects.filter(rewards__is_active=True).distinct()
    return [(each.code, each.name) for each in used]


def _address(chosen: Chosen, **changes: Any) -> str:
    """The list's query for other pages of the same choice."""
    values = {
        "category": chosen.category,
        "tag": chosen.tag,
        "sort": str(chosen.sort),
        "favourites": "1" if chosen.favourites else "",
        "available": "1" if chosen.available else "",
    } | changes
    return urlencode({name: value for name, value in values.items() if value})


def _part(request: HttpRequest) -> str:
    """Which template answers: the whole page, or the list alone after a filter."""
    wants_part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    return "_list" if wants_part else "list"


def _back(request: HttpRequest, public_id: uuid.UUID) -> str:
    """Where the form came from, if that is a page of ours; else the reward's own page."""
    asked = request.POST.get("next", "")
    if asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    return reverse("reward", args=[public_id])
