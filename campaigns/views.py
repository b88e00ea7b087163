"""The member's messages in the portal."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from campaigns import queries
from loyalty import clock
from members.models import Member
from members.portal import member_page

_LAST_PAGE = 10_000


@require_safe
@member_page
def inbox(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Messages whole, newest first. What is shown here counts as read from the next page on."""
    page = queries.inbox(member, number=_number(request.GET.get("page", "1")))
    if not page.messages and page.number > 1:
        raise Http404
    rows = [
        {"message": message, "shown": queries.shown(message), "is_new": queries.is_new(message)}
        for message in page.messages
    ]
    if request.method == "GET":
        queries.mark_read(page.messages, at=clock.now())
    return render(request, "campaigns/inbox.html", {"member": member, "page": page, "rows": rows})


def _number(text: str) -> int:
    """The page's number in the address; 404 for what is none."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _LAST_PAGE):
        raise Http404
    return int(text)
