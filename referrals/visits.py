"""Visits: by which links a browser came before its owner joined, kept under a random number in a signed cookie.

Nothing here tells who it was until they join. Called by the landing page and the sign-up form.
"""

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponseBase

from referrals.models import AcquisitionChannel, Visit

COOKIE = "kantis_visitor"
KEPT = dt.timedelta(days=90)
"""How long the cookie lasts after the last visit; what counts of it is for the programme's window to say."""
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
LONGEST_UTM, LONGEST_LANDING = 100, 200
AGAIN_AFTER = dt.timedelta(hours=1)
"""The same link opened again within this time is the same visit."""
_SALT = "referrals.visits"
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|facebookexternalhit|whatsapp|telegram|slack|discord|skype|embedly|"
    r"curl/|wget/|python-|java/|go-http|okhttp|axios|monitor",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Touches:
    """The first and the last link that a visitor followed; the same one where there was one only."""

    first: Visit
    last: Visit


def visitor_of(request: HttpRequest) -> UUID | None:
    """The number in the browser's cookie; None without one, or where it is not ours."""
    try:
        return UUID(request.get_signed_cookie(COOKIE, default="", salt=_SALT, max_age=KEPT))
    except (ValueError, BadSignature):
        return None


def is_somebody(request: HttpRequest) -> bool:
    """Whether a person looks at the page: not a robot, a preview in a chat, or a browser that loads ahead."""
    headers = request.headers
    ahead = " ".join(headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz")).lower()
    agent = headers.get("User-Agent", "")
    if request.method != "GET" or "prefetch" in ahead or "preview" in ahead:
        return False
    return bool(agent) and _ROBOT.search(agent) is None


def utm_of(query: Mapping[str, str]) -> dict[str, str]:
    """The UTM parameters of an address, cut to a sensible length, without their prefix."""
    found = {name[4:]: _plain(query.get(name, ""))[:LONGEST_UTM] for name in UTM}
    return {name: value for name, value in found.items() if value}


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isprintable()).strip()


def note_visit(
    *,
    visitor: UUID | None,
    at: dt.datetime,
    channel: str = AcquisitionChannel.REFERRAL,
    code: str = "",
    utm: Mapping[str, str] | None = None,
    landing: str = "",
) -> Visit:
    """Remember that a visitor came by a link; a new visitor (None) gets a number.

    The same link again within an hour gives the visit that there is.
    """
    utm = dict(utm or {})
    last = Visit.objects.filter(visitor=visitor).order_by("-at", "-pk").first() if visitor else None
    if (
        last is not None
        and (last.channel, last.code, last.utm) == (channel, code, utm)
        and dt.timedelta(0) <= at - last.at < AGAIN_AFTER
    ):
        return last
    return Visit.objects.create(
        visitor=visitor or uuid.uuid4(),
        channel=channel,
        code=code,
        utm=utm,
        landing=landing[:LONGEST_LANDING],
        at=at,
    )


def remember(response: HttpResponseBase, visitor: UUID) -> None:
    """Give the browser its number, so that the sign-up knows it again."""
    response.set_signed_cookie(  # type: ignore[attr-defined]
        COOKIE,
        str(visitor),
        salt=_SALT,
        max_age=KEPT,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def touches_of(visitor: UUID | None, *, at: dt.datetime) -> Touches | None:
    """The first and the last link that a visitor followed until ``at``; None where none is known."""
    if visitor is None:
        return None
    visits = Visit.objects.filter(visitor=visitor, at__lte=at)
    first = visits.order_by("at", "pk").first()
    last = visits.order_by("-at", "-pk").first()
    return Touches(first, last) if first is not None and last is not None else None


def code_of_visitor(visitor: UUID | None, *, at: dt.datetime) -> str:
    """The code of the last member's link that a visitor followed; blank where there is none."""
    if visitor is None:
        return ""
    visits = Visit.objects.filter(visitor=visitor, at__lte=at, at__gt=at - KEPT).exclude(code="")
    return visits.order_by("-at", "-pk").values_list("code", flat=True).first() or ""
