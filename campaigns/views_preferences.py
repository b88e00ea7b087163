"""The portal's part about wishes and devices, on the page of consents, and where its forms lead."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from campaigns import preferences
from campaigns.channels import push
from campaigns.views_forms import WishesForm
from loyalty import clock
from members.models import Member
from members.portal import member_page

_LONGEST_ENDPOINT = 1000
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def panel(request: HttpRequest, member: Member) -> Mapping[str, Any]:
    """What the page of consents shows of wishes and devices."""
    return {
        "form": _form(member),
        "devices": preferences.devices_of(member.pk),
        "push_key": push.public_key(settings.VAPID_PRIVATE_KEY) if settings.VAPID_PRIVATE_KEY else "",
    }


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def wishes(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Keep the wishes and lead back to the page; links in messages lead there by this address too."""
    if request.method != "POST":
        return redirect("consents")
    form = _form(member, request.POST)
    if not form.is_valid():
        messages.error(request, _("That could not be saved. Choose again."))
    elif preferences.set_wishes(member_id=member.pk, wishes=form.wishes(), at=clock.now()):
        messages.success(request, _("Your choices are saved."))
    else:
        messages.success(request, _("Nothing was changed."))
    return redirect("consents")


@require_POST
@member_page
def add_device(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The browser's own script brings its address for notifications, as ``PushSubscription.toJSON`` writes it."""
    try:
        said = json.loads(request.body)
        endpoint, keys = said["endpoint"], said["keys"]
        p256dh, auth = keys["p256dh"], keys["auth"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return JsonResponse({"error": "not a subscription"}, status=400)
    if not settings.VAPID_PRIVATE_KEY or not _is_address(endpoint) or not _are_keys(p256dh, auth):
        return JsonResponse({"error": "not a subscription"}, status=400)
    preferences.add_device(
        member_id=member.pk,
        endpoint=endpoint,
        p256dh=p256dh,
        auth=auth,
        device=device_name(request.headers.get("User-Agent", "")),
        at=clock.now(),
    )
    messages.success(request, _("This device takes notifications now."))
    return JsonResponse({}, status=201)


@require_POST
@member_page
def remove_device(request: HttpRequest, member: Member, device_id: int) -> HttpResponseBase:
    """Send no more notifications to one of the member's devices."""
    if not preferences.remove_device(member_id=member.pk, device_id=device_id):
        raise Http404
    messages.success(request, _("No more notifications to that device."))
    return redirect("consents")


def device_name(agent: str) -> str:
    """What a member calls their browser: “Firefox, Android”. Nothing that would tell one device from its like."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return ", ".join(filter(None, (browser, system))) or _("a browser")


def _form(member: Member, data: Any = None) -> WishesForm:
    today = clock.local_date(clock.now(), member.time_zone)
    return WishesForm(data, wishes=preferences.wishes_of(member.pk), today=today)


def _is_address(endpoint: Any) -> bool:
    """Whether it looks like a push service's address; whether it may be called is judged when it is."""
    if not isinstance(endpoint, str) or len(endpoint) > _LONGEST_ENDPOINT:
        return False
    return re.fullmatch(r"https://[!-~]+" if not settings.DEMO else r"https?://[!-~]+", endpoint) is not None


def _are_keys(p256dh: Any, auth: Any) -> bool:
    """Whether the keys are what the standard says: a point of 65 bytes, and a secret of 16."""
    return _decoded(p256dh)[:1] == b"\x04" and len(_decoded(p256dh)) == 65 and len(_decoded(auth)) == 16


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > 200:
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
