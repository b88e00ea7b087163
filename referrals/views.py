"""The member's invitation in the portal: the link, the code and its picture, and how many came by it."""

from urllib.parse import urljoin

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from loyalty import clock
from members.models import Member
from members.portal import member_page
from referrals.codes import code_of
from referrals.queries import joined_by


@require_safe
@member_page
def invite(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The code is drawn when the page is first opened. Of the friends only their number is told."""
    code = code_of(member, clock.now())
    path = f"{reverse('account_signup')}?ref={code}"
    context = {
        "member": member,
        "section": "profile",
        "code": code,
        "link": urljoin(settings.PUBLIC_URL, path)
        if settings.PUBLIC_URL
        else request.build_absolute_uri(path),
        "joined": joined_by(member),
    }
    return render(request, "referrals/invite.html", context)
