"""The portal's pages about vouchers: the member's own, and one of them with its code to show at the till."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from loyalty import clock
from members.models import Member
from members.portal import member_page
from rewards.models import Voucher
from rewards.vouchers import queries, wording

PAGE = 20
MOST_ACTIVE = 500
"""Shown on one page: nobody looks for a code that counts on a second one."""


@require_safe
@member_page
def my_vouchers(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Every voucher of the member, from rewards, prizes and the shop: those that count first."""
    at = clock.now()
    found = queries.of_member(member.pk)
    active = list(queries.in_state(found, Voucher.State.ACTIVE, at=at)[:MOST_ACTIVE])
    past = found.exclude(pk__in=queries.in_state(found, Voucher.State.ACTIVE, at=at).values("pk"))
    page = Paginator(past, PAGE).get_page(request.GET.get("page"))
    context = {
        "member": member,
        "active": [
            (
                row,
                queries.shown_code(row),
                wording.worth(row.family, row.remaining),
                wording.until(row.expires_at),
            )
            for row in active
        ],
        "past": [
            (row, queries.state_at(row, at).label, wording.worth(row.family, row.value)) for row in page
        ],
        "page": page,
    }
    return render(request, "rewards/vouchers/list.html", context)


@require_safe
@member_page
def voucher(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """One voucher of the member; anybody else's is not found."""
    row = get_object_or_404(queries.of_member(member.pk), public_id=public_id)
    context = {"member": member, "steps": queries.steps_of(row), **queries.code_context(row, at=clock.now())}
    return render(request, "rewards/vouchers/voucher.html", context)
