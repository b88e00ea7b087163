"""The pages of one member in the admin: what happened (overview), and what they agreed to (consents)."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from loyalty import clock
from members import admin_parts
from members.admin_forms import StaffConsentForm
from members.cards import grouped
from members.consents import set_consent
from members.duplicates import possible_duplicates
from members.models import ConsentChange, Member
from members.queries import consents_of, segments_of
from members.timeline import timeline

if TYPE_CHECKING:
    from members.admin import MemberAdmin

_HISTORY_AT_MOST = 100


def get_member(model_admin: "MemberAdmin", request: HttpRequest, object_id: str) -> Member:
    """The member of the page; 404 for an unknown one, 403 for staff who may not see members."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    try:
        member = (
            Member.objects.select_related("tier", "user", "enrolled_by").filter(pk=int(object_id)).first()
        )
    except (ValueError, OverflowError):
        member = None
    if member is None:
        raise Http404
    return member


def head(request: HttpRequest, member: Member, *, tab: str) -> dict[str, Any]:
    """What the top of each of a member's pages shows: who, figures, tabs and buttons."""
    own_tabs = [
        (
            "overview",
            _("Overview"),
            reverse("admin:members_member_overview", args=[member.pk]),
            "members.view_member",
        ),
        (
            "profile",
            _("Profile"),
            reverse("admin:members_member_change", args=[member.pk]),
            "members.view_member",
        ),
        (
            "consents",
            _("Consents"),
            reverse("admin:members_member_consents", args=[member.pk]),
            "members.view_consent",
        ),
        (
            "activities",
            _("Activities"),
            f"{reverse('admin:members_activity_changelist')}?member__id__exact={member.pk}",
            "members.view_activity",
        ),
    ]
    tabs = [
        {"key": key, "label": label, "url": url, "active": key == tab}
        for key, label, url, permission in own_tabs
        if request.user.has_perm(permission) or request.user.has_perm("members.change_member")
    ]
    tabs += [
        {"key": link.key, "label": link.label, "url": link.url(member), "active": link.key == tab}
        for link in admin_parts.tabs_for(request)
    ]
    return {
        "member": member,
        "card_number": grouped(member.card_number),
        "tiles": admin_parts.tiles_of(member, request=request, at=clock.now()),
        "member_tabs": tabs,
        "member_actions": [
            {"label": link.label, "url": link.url(member), "icon": link.icon}
            for link in admin_parts.actions_for(request, member)
        ],
    }


def page_context(
    model_admin: "MemberAdmin", request: HttpRequest, member: Member, *, tab: str
) -> dict[str, Any]:
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return {
        **model_admin.admin_site.each_context(request),
        **head(request, member, tab=tab),
        "title": str(member),
        "opts": model_admin.model._meta,
        "original": member,
    }


def overview(model_admin: "MemberAdmin", request: HttpRequest, object_id: str) -> HttpResponse:
    """What happened with the member, newest first, beside who they are."""
    member = get_member(model_admin, request, object_id)
    may_see: Callable[[str], bool] = request.user.has_perm
    page = timeline(member, may_see=may_see, before=_moment(request.GET.get("before", "")))
    context = page_context(model_admin, request, member, tab="overview") | {
        "page": page,
        "is_later_page": "before" in request.GET,
        "external_ids": member.external_ids.select_related("partner").order_by("partner__name"),
        "duplicates": possible_duplicates(member),
        "segments": segments_of(member) if may_see("members.view_segment") else [],
        "consents": consents_of(member) if may_see("members.view_consent") else [],
    }
    return TemplateResponse(request, "admin/members/member/overview.html", context)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Http404 from error
    if moment.tzinfo is None:
        raise Http404
    return moment


def consents(model_admin: "MemberAdmin", request: HttpRequest, object_id: str) -> HttpResponse:
    """The member's consents with their history; staff note a change down on the member's word."""
    member = get_member(model_admin, request, object_id)
    may_change = request.user.has_perm("members.change_consent")
    if not (may_change or request.user.has_perm("members.view_consent")):
        raise PermissionDenied
    states = {(state.purpose, state.channel): state.granted for state in consents_of(member)}
    form = StaffConsentForm(request.POST or None, answers=states)
    if request.method == "POST":
        if not may_change or member.status != Member.Status.ACTIVE:
            raise PermissionDenied
        if form.is_valid():
            return _note_down(model_admin, request, member, form)
    context = page_context(model_admin, request, member, tab="consents") | {
        "form": form,
        "may_change": may_change and member.status == Member.Status.ACTIVE,
        "changes": ConsentChange.objects.filter(member=member).select_related("partner", "staff")[
            :_HISTORY_AT_MOST
        ],
    }
    return TemplateResponse(request, "admin/members/member/consents.html", context)


def _note_down(
    model_admin: "MemberAdmin", request: HttpRequest, member: Member, form: StaffConsentForm
) -> HttpResponse:
    at = clock.now()
    changed = [
        (purpose, granted)
        for (purpose, channel), granted in form.answers().items()
        if set_consent(
            member_id=member.pk,
            purpose=purpose,
            channel=channel,
            granted=granted,
            source=ConsentChange.Source.STAFF,
            staff_id=request.user.pk,
            at=at,
        )
    ]
    if changed:
        model_admin.log_change(request, member, f"Consents noted: {changed}")
        messages.success(request, _("The consents were noted."))
    else:
        messages.info(request, _("Nothing was changed."))
    return HttpResponseRedirect(reverse("admin:members_member_consents", args=[member.pk]))
