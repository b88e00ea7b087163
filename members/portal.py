"""The door of the portal: who may see a member's pages, in which time zone and uncached."""

import functools
import zoneinfo
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from loyalty import programme
from members.models import Member
from members.queries import member_of

P = ParamSpec("P")


def zone_of(member: Member) -> zoneinfo.ZoneInfo:
    """The member's time zone; the programme's when the member's is not known here."""
    try:
        return zoneinfo.ZoneInfo(member.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo(programme.current().time_zone)


def member_page(
    view: Callable[Concatenate[HttpRequest, Member, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """A page of the logged-in member, who is handed to the view; times are shown in their time zone.

    Others are sent to the log-in; a user who is no member (staff, or an account that was closed) gets a friendly page.
    """

    @never_cache
    @login_required
    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        member = member_of(request.user)  # type: ignore[arg-type]
        if member is None or member.status != Member.Status.ACTIVE:
            return render(request, "portal/no_member.html", {"member": None, "closed": member is not None})
        with timezone.override(zone_of(member)):
            return view(request, member, *args, **kwargs)

    return page  # type: ignore[return-value]


def open_page(
    view: Callable[Concatenate[HttpRequest, Member | None, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """A page for everybody. The view is handed the member who is logged in, or None; their time zone is used."""

    @never_cache
    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        member = member_of(request.user) if request.user.is_authenticated else None
        if member is None or member.status != Member.Status.ACTIVE:
            return view(request, None, *args, **kwargs)
        with timezone.override(zone_of(member)):
            return view(request, member, *args, **kwargs)

    return page  # type: ignore[return-value]
