"""The portal's pages of draws: what is open, one's chances, past winners, and the files to recompute them with."""

import uuid
from pathlib import Path

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from loyalty import clock
from members.models import Member
from members.portal import open_page
from rewards.draws import queries
from rewards.draws.api import entries_csv
from rewards.draws.entries import takes_entries
from rewards.draws.serializers import draw_answer

PAGE = 20
SCRIPT = Path(__file__).with_name("recompute.py")


@require_safe
@open_page
def draws(request: HttpRequest, member: Member | None) -> HttpResponseBase:
    """Draws that are open or to be held, and those that were."""
    at = clock.now()
    page = Paginator(queries.past(), PAGE).get_page(request.GET.get("page"))
    earlier = queries.past().filter(pk__in=[each.pk for each in page.object_list])
    context = {
        "member": member,
        "open": queries.shown(queries.open_now(at=at), member=member, at=at) if page.number == 1 else [],
        "past": queries.shown(earlier, member=member, at=at),
        "page": page,
    }
    return render(request, "rewards/draws/list.html", context)


@require_safe
@open_page
def draw(request: HttpRequest, member: Member | None, public_id: uuid.UUID) -> HttpResponseBase:
    """One draw: prizes, one's chances and entries, the winners, and what was promised and published."""
    at = clock.now()
    found = queries.shown(queries.public().filter(public_id=public_id), member=member, at=at)
    if not found:
        raise Http404
    shown = found[0]
    context = {"member": member, "shown": shown, "takes_entries": takes_entries(shown.draw, at=at)}
    return render(request, "rewards/draws/draw.html", context)


@require_safe
def draw_json(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The draw as the API tells of it, for everybody."""
    found = queries.shown(queries.public().filter(public_id=public_id), at=clock.now())
    if not found:
        raise Http404
    answer = JsonResponse(draw_answer(found[0]), json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer["Cache-Control"] = "no-store"
    return answer


@require_safe
def draw_script(request: HttpRequest) -> HttpResponseBase:
    """The script that recomputes the winners of any draw from its two files; docs/draws.md explains it."""
    return HttpResponse(
        SCRIPT.read_bytes(),
        content_type="text/x-python; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="recompute.py"'},
    )


@require_safe
def draw_entries(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The list of entries, for everybody, once the draw has closed."""
    found = get_object_or_404(queries.public().filter(state__in=queries.PUBLISHED), public_id=public_id)
    return entries_csv(found)
