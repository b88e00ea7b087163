"""The portal's pages about redeeming: the look before points go, the code to show, what was redeemed, cancelling."""

import datetime as dt
import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from loyalty import clock, programme
from loyalty.translated import in_language
from members.models import Member
from members.portal import member_page
from rewards.catalogue.listing import can_be_seen, shown_to, with_related
from rewards.models import Redemption, Reward
from rewards.redemption import ending, placing, queries
from rewards.redemption.queries import STANDING_NAMES, Standing
from rewards.redemption.refusals import PriceChanged, RedemptionConflict, Refused
from rewards.redemption.terms import grace_until, terms_at
from rewards.rule_wording import number
from rewards.vouchers.drawing import barcode_svg, qr_svg

PAGE = 20


class ConfirmForm(forms.Form):
    """The member's yes. ``token`` makes the form good for one redemption, ``points`` is the price that they saw."""

    token = forms.UUIDField(widget=forms.HiddenInput)
    points = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def redeem(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """Show what goes and what is left; redeem when that is confirmed. Sent twice, it is redeemed once."""
    at = clock.now()
    reward = get_object_or_404(with_related(Reward.objects.all()), public_id=public_id)
    refused = None
    if request.method == "POST":
        form = ConfirmForm(request.POST)
        if form.is_valid():
            try:
                placed = placing.place(
                    member_id=member.pk,
                    reward_id=reward.pk,
                    via=Redemption.Via.PORTAL,
                    at=at,
                    external_id=f"portal-{form.cleaned_data['token']}",
                    expected_points=form.cleaned_data["points"],
                )
            except (Refused, RedemptionConflict) as why:
                refused = why
            else:
                if not placed.replayed:
                    messages.success(request, _done(placed.redemption))
                return redirect("redemption", placed.redemption.public_id)
    (shown,) = shown_to(member, [reward], at=at)
    if not can_be_seen(shown, at=at) and refused is None:
        raise Http404
    form = ConfirmForm(initial={"token": uuid.uuid4(), "points": reward.points})
    rules = terms_at(at)
    context = {
        "member": member,
        "shown": shown,
        "form": form,
        "refused": refused,
        "has_new_price": isinstance(refused, PriceChanged),
        "cancel_days": rules.cancel_days if reward.fulfilment != Reward.Fulfilment.AT_ONCE else 0,
    }
    return render(request, "rewards/redemption/confirm.html", context, status=409 if refused else 200)


def _done(row: Redemption) -> str:
    text = ngettext("Yours. %(points)s point was used.", "Yours. %(points)s points were used.", row.points)
    return text % {"points": number(row.points)}


@require_safe
@member_page
def redemption(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """One redemption with the code to show, until when, and how to cancel it."""
    at = clock.now()
    row = get_object_or_404(queries.of_member(member), public_id=public_id)
    (mine,) = queries.mine([row], at=at)
    context: dict[str, Any] = {"member": member, "mine": mine, "steps": row.steps.order_by("pk")}
    if row.reward is not None:
        context["instructions"] = in_language(row.reward.instructions)
    if mine.code:
        label = _("The code %(code)s, for the till's scanner") % {"code": mine.code}
        context |= {"qr": qr_svg(mine.raw_code, label=label), "barcode": barcode_svg(mine.raw_code)}
    return render(request, "rewards/redemption/redemption.html", context)


@require_safe
@member_page
def my_rewards(request: HttpRequest, member: Member) -> HttpResponseBase:
    """What the member redeemed: what can be used first, then what was, then what is over."""
    at = clock.now()
    page = Paginator(queries.of_member(member), PAGE).get_page(request.GET.get("page"))
    rows = queries.mine(page.object_list, at=at)
    groups = [
        (standing, name, found)
        for standing, name in STANDING_NAMES.items()
        if (found := [each for each in rows if each.standing == standing])
    ]
    context = {"member": member, "groups": groups, "page": page, "active": Standing.ACTIVE}
    return render(request, "rewards/redemption/mine.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def cancel_redemption(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """Say what comes back and until when it lives; cancel when that is confirmed."""
    at = clock.now()
    row = get_object_or_404(queries.of_member(member), public_id=public_id)
    if request.method == "POST":
        try:
            ending.cancel(redemption_id=row.pk, via=Redemption.Via.PORTAL, at=at)
        except Refused as refused:
            messages.error(request, str(refused))
        else:
            text = ngettext(
                "Cancelled. %(points)s point came back.",
                "Cancelled. %(points)s points came back.",
                row.points,
            )
            messages.success(request, text % {"points": number(row.points)})
        return redirect("redemption", row.public_id)
    (mine,) = queries.mine([row], at=at)
    if not mine.may_cancel:
        return redirect("redemption", row.public_id)
    past = _expired_since(row, at=at)
    until = grace_until(terms_at(at), at=at, time_zone=programme.current().time_zone) if past else None
    context = {
        "member": member,
        "mine": mine,
        "expired": past,
        "grace_until": until and until - dt.timedelta(microseconds=1),
    }
    return render(request, "rewards/redemption/cancel.html", context)


def _expired_since(row: Redemption, *, at: dt.datetime) -> int:
    """Points of the redemption whose lots have expired meanwhile."""
    taken = row.transfer.allocations.filter(lot__expires_at__lte=at).values_list("points", flat=True)
    return sum(taken)
