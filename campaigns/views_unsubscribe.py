"""The pages behind the link that stops messages. The signed link is the whole proof: no log-in, no cookies."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from campaigns import preferences, unsubscribing
from campaigns.models import Message
from campaigns.views_forms import MessageConsentForm, WishesForm
from loyalty import clock
from members.consents import consents_of, has_consent, set_consent
from members.models import ConsentChange, Member
from members.portal import zone_of

P = ParamSpec("P")


def by_token(
    view: Callable[Concatenate[HttpRequest, Message, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]:
    """A page for whoever has the link, in the message's language unless the browser chose one.

    404 for a link that nobody here made.
    """

    @csrf_exempt
    @never_cache
    def page(request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            message = unsubscribing.message_of(token)
        except unsubscribing.NoSuchToken as error:
            raise Http404 from error
        chosen = settings.LANGUAGE_COOKIE_NAME in request.COOKIES
        language = translation.get_language() if chosen else message.language
        with translation.override(language), timezone.override(zone_of(message.member)):
            response = view(request, message, *args, **kwargs)
        response["X-Robots-Tag"] = "noindex"
        return response

    return page  # type: ignore[return-value]


@require_http_methods(["GET", "HEAD", "POST"])
@by_token
def unsubscribe(request: HttpRequest, message: Message) -> HttpResponseBase:
    """GET asks with one button and changes nothing; POST withdraws the consent at once, and again changes nothing.

    Mail programs post ``List-Unsubscribe=One-Click`` (RFC 8058) and want a plain 200.
    """
    if request.method != "POST":
        agrees = has_consent(message.member_id, message.campaign.purpose, message.channel)
        return _page(request, message, "ask" if agrees else "stopped")
    unsubscribing.unsubscribe(unsubscribing.token_for(message), at=clock.now())
    if request.POST.get("List-Unsubscribe") == "One-Click":
        return HttpResponse("OK\n", content_type="text/plain")
    return _page(request, message, "stopped")


@require_POST
@by_token
def undo(request: HttpRequest, message: Message) -> HttpResponseBase:
    """Give the consent back that the link withdrew."""
    try:
        unsubscribing.resubscribe(unsubscribing.token_for(message), at=clock.now())
    except unsubscribing.NotAMember:
        return _page(request, message, "stopped")
    return _page(request, message, "back")


@require_http_methods(["GET", "HEAD", "POST"])
@by_token
def choices(request: HttpRequest, message: Message) -> HttpResponseBase:
    """What we may send this member, and how: consents to messages and wishes, nothing else of them."""
    member = message.member
    if member.status != Member.Status.ACTIVE:
        raise Http404
    data = request.POST if request.method == "POST" else None
    consents, wishes = _consents(message, data), _wishes(member, data)
    saved = False
    if request.method == "POST" and consents.is_valid() and wishes.is_valid():
        at = clock.now()
        for (purpose, channel), granted in consents.answers().items():
            set_consent(
                member_id=member.pk,
                purpose=purpose,
                channel=channel,
                granted=granted,
                source=ConsentChange.Source.MESSAGE,
                at=at,
            )
        preferences.set_wishes(member_id=member.pk, wishes=wishes.wishes(), at=at)
        consents, wishes, saved = _consents(message), _wishes(member), True
    context = {"consents": _rows(consents), "form": wishes, "saved": saved}
    return render(request, "campaigns/choices.html", _about(message) | context)


def _page(request: HttpRequest, message: Message, state: str) -> HttpResponse:
    return render(request, "campaigns/unsubscribe.html", _about(message) | {"state": state})


def _about(message: Message) -> dict[str, Any]:
    return {
        "token": unsubscribing.token_for(message),
        "purpose": message.campaign.get_purpose_display(),
        "channel": message.get_channel_display(),
        "is_member": message.member.status == Member.Status.ACTIVE,
    }


def _consents(message: Message, data: Any = None) -> MessageConsentForm:
    answers = {key: consent.granted for key, consent in consents_of(message.member).items()}
    return MessageConsentForm(data, answers=answers, given_by=message.channel)


def _wishes(member: Member, data: Any = None) -> WishesForm:
    today = clock.local_date(clock.now(), member.time_zone)
    return WishesForm(data, wishes=preferences.wishes_of(member.pk), today=today)


def _rows(form: MessageConsentForm) -> list[Any]:
    return [form[name] for name in form.fields]
