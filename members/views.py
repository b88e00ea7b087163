"""The portal's pages about the member: card, profile, consents, log-in and security; and what the browser asks for."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views import i18n
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from loyalty import clock, programme
from loyalty.templatetags.portal import THEME_COOKIE, THEMES
from members.adapter import remember_language
from members.consents import set_consent
from members.forms import (
    QUESTIONS,
    TOPICS,
    ConsentForm,
    LeaveForm,
    PlacesForm,
    ProfileForm,
    consent_name,
)
from members.models import ConsentChange, Member
from members.personal_data import losses_of
from members.portal import member_page
from members.portal_parts import panels_for
from members.privacy import erase
from members.queries import ConsentState, consent_history, consents_of
from members.signups import complete

YEAR = 365 * 24 * 3600


@require_safe
@member_page
def card(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The card: code, number and when it was fetched. The service worker keeps a copy for use without a network."""
    return render(request, "members/card.html", {"member": member, "refreshed_at": clock.now()})


@require_safe
@member_page
def profile(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The way to everything about the member."""
    return render(request, "members/profile.html", {"member": member, "section": "profile"})


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def details(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Names, birthday and phone."""
    form = ProfileForm(request.POST or None, instance=member)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your details are saved."))
        return redirect("profile-details")
    member.refresh_from_db(fields=["first_name", "last_name"])
    return render(request, "members/details.html", {"member": member, "section": "profile", "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def places(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Language, time zone and appearance."""
    form = PlacesForm(request.POST or None, instance=member)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        with override(saved.language):
            messages.success(request, _("Your choices are saved."))
        response = redirect("places")
        remember_language(response, saved.language)
        return response
    return render(request, "members/places.html", {"member": member, "section": "profile", "form": form})


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's language switch, for visitors, staff and members; a member's choice is kept for messages too."""
    chosen = request.POST.get("language")
    if request.user.is_authenticated and chosen in dict(settings.LANGUAGES):
        Member.objects.filter(user=request.user).update(language=chosen)
    return i18n.set_language(request)


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Light, dark or as the device says; kept in this browser."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        target = "/"
    response = HttpResponse(status=302, headers={"Location": target})
    chosen = request.POST.get("theme")
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE, chosen, max_age=YEAR, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def consents(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Every consent with a switch, and when each was given or withdrawn."""
    states = consents_of(member)
    form = ConsentForm(
        request.POST if request.method == "POST" else None,
        answers={(state.purpose, state.channel): state.granted for state in states},
    )
    if request.method == "POST" and form.is_valid():
        at = clock.now()
        changed = [
            set_consent(
                member_id=member.pk,
                purpose=purpose,
                channel=channel,
                granted=granted,
                source=ConsentChange.Source.PORTAL,
                at=at,
            )
            for (purpose, channel), granted in form.answers().items()
        ]
        messages.success(request, _("Your choices are saved.") if any(changed) else _("Nothing was changed."))
        return redirect("consents")
    return render(
        request,
        "members/consents.html",
        {
            "member": member,
            "section": "profile",
            "topics": _by_topic(form, states),
            "panels": panels_for("consents", request, member),
            "history": _named(consent_history(member)),
        },
    )


def _by_topic(form: ConsentForm, states: list[ConsentState]) -> list[dict[str, Any]]:
    """The questions with their answers, under what they are about."""
    return [
        {
            "name": name,
            "rows": [
                {"state": state, "field": form[consent_name(state.purpose, state.channel)]}
                for state in states
                if state.purpose in purposes
            ],
        }
        for name, purposes in TOPICS
    ]


def _named(changes: list[ConsentChange]) -> list[dict[str, Any]]:
    """Changes of consent with the question as the member was asked it."""
    named = []
    for change in changes:
        asked = QUESTIONS.get((change.purpose, change.channel))
        name = asked[0] if asked else f"{change.get_purpose_display()} ({change.get_channel_display()})"
        named.append({"change": change, "name": name})
    return named


@require_safe
@member_page
def security(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The way to everything about the log-in."""
    return render(request, "members/security.html", {"member": member, "section": "profile"})


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
@reauthentication_required
def leave(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Leave the programme: what is lost, and, once the member says so, the end of it. Asks for the log-in afresh."""
    form = LeaveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        erase(member_id=member.pk, source=ConsentChange.Source.PORTAL, at=clock.now())
        if not request.user.is_staff:
            logout(request)
        messages.success(request, _("You have left the programme. What we knew about you is erased."))
        return redirect("home")
    context = {
        "member": member,
        "section": "profile",
        "form": form,
        "losses": losses_of(member, at=clock.now()),
    }
    return render(request, "members/leave.html", context)


@require_POST
def join(request: HttpRequest) -> HttpResponse:
    """Finish joining for a user whose address is verified but who has no membership yet."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    if complete(user=request.user, at=clock.now()) is None:
        messages.error(
            request,
            _("We could not finish it: confirm your e-mail address first, or contact customer service."),
        )
    return redirect("home")


# --- What the browser asks for ----------------------------------------------------------------------------------------


@require_safe
@cache_control(public=True, max_age=24 * 3600)
def favicon(request: HttpRequest) -> HttpResponse:
    """The icon for those who ask without reading the page first."""
    return redirect(static("portal/icon-192.png"))


@require_safe
def manifest(request: HttpRequest) -> JsonResponse:
    """The web app manifest, so that the card can sit on a phone's home screen."""
    icons = [
        {"src": static("portal/icon.svg"), "type": "image/svg+xml", "sizes": "any", "purpose": "any"},
        {
            "src": static("portal/icon-192.png"),
            "type": "image/png",
            "sizes": "192x192",
            "purpose": "any maskable",
        },
        {
            "src": static("portal/icon-512.png"),
            "type": "image/png",
            "sizes": "512x512",
            "purpose": "any maskable",
        },
    ]
    name = programme.current().name
    return JsonResponse(
        {
            "name": name,
            "short_name": name[:12],
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#f4f6f3",
            "theme_color": "#0b5d4b",
            "icons": icons,
        },
        content_type="application/manifest+json",
    )


@require_safe
@never_cache
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script that keeps the card usable without a network; served at the root because that is its scope."""
    return render(request, "portal/service-worker.js", content_type="text/javascript; charset=utf-8")


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """What the service worker shows in place of a page it could not fetch. Nobody's data."""
    return render(request, "portal/offline.html", {"member": None})


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """The terms of the programme."""
    return render(request, "portal/terms.html")


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """The privacy notice."""
    return render(request, "portal/privacy.html")
