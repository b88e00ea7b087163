"""Where mail and message services tell what became of messages. Nobody is believed without a secret or a signature."""

import base64
import binascii
import datetime as dt
import hashlib
import json
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.crypto import constant_time_compare
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.channels.mail_service import MESSAGE
from campaigns.feedback import Notice, take
from campaigns.models import ChannelCode, Feedback
from loyalty import clock

MOST_NOTICES = 1000
_LONGEST = 200
_FROM_ANYMAIL = {
    "delivered": Feedback.Kind.DELIVERED,
    "deferred": Feedback.Kind.PASSING,
    "complained": Feedback.Kind.COMPLAINT,
    "unsubscribed": Feedback.Kind.UNSUBSCRIBE,
    "opened": Feedback.Kind.OPEN,
    "clicked": Feedback.Kind.CLICK,
}

_BY_REASON = {
    "invalid": Feedback.Kind.BOUNCE,
    "bounced": Feedback.Kind.BOUNCE,
    "timed_out": Feedback.Kind.PASSING,
    "blocked": Feedback.Kind.PASSING,
    "spam": Feedback.Kind.COMPLAINT,
    "unsubscribed": Feedback.Kind.UNSUBSCRIBE,
}


class NotNotices(ValueError):
    """The body is not what docs/messages.md describes; the words say where."""


@csrf_exempt
@require_POST
def generic(request: HttpRequest, source: str) -> HttpResponseBase:
    """Notices in our own JSON, for SMS gateways and mail servers' scripts: all are taken, or none with a 400."""
    if not _knows_the_secret(request, source):
        raise PermissionDenied
    at = clock.now()
    try:
        notices = notices_in(json.loads(request.body), at=at)
    except (ValueError, RecursionError) as error:
        return JsonResponse({"error": str(error)[:300]}, status=400)
    taken = take(source=source, notices=notices, at=at)
    return JsonResponse({"taken": taken.new, "repeated": taken.repeated})


def notices_in(body: Any, *, at: dt.datetime) -> list[Notice]:
    """The notices of a body; raises NotNotices that says which one is wrong."""
    listed = body.get("notices") if isinstance(body, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_NOTICES:
        raise NotNotices(f'expected {{"notices": [...]}} with {MOST_NOTICES} at most')
    return [_notice(each, place, at=at) for place, each in enumerate(listed)]


def _notice(given: Any, place: int, *, at: dt.datetime) -> Notice:
    if not isinstance(given, dict):
        raise NotNotices(f"notices[{place}] is not an object")

    def text(name: str, *, longest: int = _LONGEST, default: str | None = "") -> str:
        value = given.get(name, default)
        if not isinstance(value, str) or len(value) > longest or "\x00" in value:
            raise NotNotices(f"notices[{place}].{name} is not a text of {longest} characters at most")
        return value

    kind, channel = text("kind", default=None), text("channel", default=None)
    if kind not in Feedback.Kind.values:
        raise NotNotices(f"notices[{place}].kind is none of {', '.join(Feedback.Kind.values)}")
    if channel not in ChannelCode.values:
        raise NotNotices(f"notices[{place}].channel is none of {', '.join(ChannelCode.values)}")
    key, message, address = text("id", default=None), text("message"), text("address", longest=320)
    if not key or not (message or address):
        raise NotNotices(f"notices[{place}] lacks its id, or both message and address")
    moment = parse_datetime(text("at")) if given.get("at") else at
    if moment is None or moment.tzinfo is None:
        raise NotNotices(f"notices[{place}].at is not a time with its zone")
    return Notice(
        key=key,
        kind=kind,
        channel=channel,
        at=moment,
        provider_id=message,
        message_id=message,
        address=address,
        detail=text("detail", longest=2000),
    )


def _knows_the_secret(request: HttpRequest, source: str) -> bool:
    """``Authorization: Bearer <secret>``, or Basic with the secret as the password; in constant time."""
    expected = settings.MESSAGE_HOOK_SECRETS.get(source, "")
    scheme, _blank, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            given = ""
    return constant_time_compare(given, expected) and bool(expected)


# --- Mail services ----------------------------------------------------------------------------------------------------


@csrf_exempt
@require_http_methods(["HEAD", "POST"])
def mail_service(request: HttpRequest) -> HttpResponseBase:
    """The tracking hook of the mail service in use, checked as django-anymail checks that service's signature."""
    service = settings.KANTIS_ANYMAIL
    if not service:
        raise PermissionDenied
    from anymail.signals import tracking

    view = _tracking_view(service)
    if view.warn_if_no_basic_auth and not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        raise PermissionDenied  # this service signs nothing: without a password anybody could tell us anything
    tracking.connect(_tell, dispatch_uid="kantis.campaigns.feedback")
    try:
        answer: HttpResponse = view.as_view()(request)
    except SuspiciousOperation as error:
        raise PermissionDenied from error
    return answer


def _kind_of(event: Any) -> str | None:
    """What an event says of a message's fate, or None. Not every bounce is for good: the reason tells."""
    if event.event_type not in {"bounced", "rejected"}:
        return _FROM_ANYMAIL.get(event.event_type)
    if event.reject_reason in _BY_REASON:
        return _BY_REASON[event.reject_reason]
    return Feedback.Kind.BOUNCE if event.event_type == "bounced" else Feedback.Kind.PASSING


def _tracking_view(service: str) -> Any:
    from anymail import urls

    names = {f"{service}_tracking_webhook", f"{service}_webhook"}
    for pattern in urls.urlpatterns:
        if pattern.name in names:
            return pattern.callback.view_class
    raise PermissionDenied


def _tell(sender: Any, event: Any, esp_name: str, **_facts: Any) -> None:
    """One event of django-anymail as a notice; what says nothing of a message's fate is let go."""
    kind = _kind_of(event)
    if kind is None:
        return
    at = clock.now()
    moment = event.timestamp or at
    told = (event.message_id, event.event_type, moment.isoformat(), event.recipient)
    key = event.event_id or hashlib.sha256(repr(told).encode()).hexdigest()
    notice = Notice(
        key=f"{kind}:{key}",
        kind=kind,
        channel=ChannelCode.EMAIL,
        at=moment,
        provider_id=event.message_id or "",
        message_id=str((event.metadata or {}).get(MESSAGE, "")),
        address=event.recipient or "",
        detail=event.description or event.mta_response or event.reject_reason or "",
    )
    take(source=f"anymail-{esp_name}", notices=[notice], at=at)
