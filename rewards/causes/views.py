"""The portal's pages of causes: what was given and paid on, for everybody; giving, and one's year of giving."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from loyalty import clock, programme
from loyalty.exports import csv_response
from loyalty.translated import in_language
from members.models import Member
from members.portal import member_page, open_page
from rewards.causes import giving
from rewards.causes.totals import Totals, gifts_of, shown, totals_of, year_of
from rewards.models import Cause, Donation, Redemption
from rewards.queries import balance_of
from rewards.redemption.refusals import RedemptionConflict, Refused

MOST = 10**9


class GiveForm(forms.Form):
    """How many points. ``token`` makes the form good for one gift."""

    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=1,
        max_value=MOST,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class ShownCause:
    """A cause as its pages show it."""

    cause: Cause
    totals: Totals
    is_open: bool
    least: int

    @property
    def name(self) -> str:
        return self.cause.name or self.cause.code

    @property
    def description(self) -> str:
        return in_language(self.cause.descriptions)

    @property
    def example(self) -> tuple[int, Decimal]:
        """A round number of points, and what it becomes."""
        points = max(100, self.least)
        return points, giving.money_of(self.cause, points)

    @property
    def reached(self) -> Decimal:
        """What of the goal is reached, for a bar that never runs over."""
        return min(self.totals.given, self.cause.goal or Decimal(0))


def _shown(causes: list[Cause]) -> list[ShownCause]:
    at, sums = clock.now(), totals_of(causes)
    return [
        ShownCause(cause, sums[cause.pk], giving.is_open(cause, at=at), giving.least_of(cause))
        for cause in causes
    ]


@require_safe
@open_page
def causes(request: HttpRequest, member: Member | None) -> HttpResponseBase:
    """Every cause with what it was given, what was paid on and what is still to be paid."""
    found = _shown(list(shown(at=clock.now())))
    context = {
        "member": member,
        "open": [each for each in found if each.is_open],
        "closed": [each for each in found if not each.is_open],
        "has_given": member is not None and gifts_of(member.pk).exists(),
    }
    return render(request, "rewards/causes/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@open_page
def cause(request: HttpRequest, member: Member | None, code: str) -> HttpResponseBase:
    """One cause. Members give here: they say how many points, see what these become, and confirm."""
    found = shown(at=clock.now()).filter(code=code).first()
    if found is None:
        raise Http404
    (each,) = _shown([found])
    context: dict[str, Any] = {
        "member": member,
        "shown": each,
        "payouts": found.payouts.filter(withdrawn_at=None),
        "status": 200,
    }
    if member is None:
        return render(request, "rewards/causes/cause.html", context)
    form = GiveForm(request.POST or None, initial={"token": uuid.uuid4()})
    is_sure = False
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            if "confirm" in request.POST:
                return _given(member, found, form.cleaned_data)
            is_sure = _may_give(member, each, form)
        except (Refused, RedemptionConflict) as refused:
            form.add_error("points", str(refused))
    balance = balance_of(member, clock.now())
    context |= {
        "form": form,
        "asks": is_sure,
        "becomes": giving.money_of(found, form.cleaned_data["points"]) if is_sure else None,
        "spendable": max(balance.available - balance.debt, 0),
    }
    return render(request, "rewards/causes/cause.html", context)


def _may_give(member: Member, each: ShownCause, form: GiveForm) -> bool:
    """Whether the points can be given as it looks now, with the reason on the form if not; giving decides for good."""
    points, balance = form.cleaned_data["points"], balance_of(member, clock.now())
    if not each.is_open:
        raise giving.CauseClosed
    if points < each.least:
        raise giving.TooFewPoints(each.least)
    if points > balance.available - balance.debt:
        form.add_error("points", _("You do not have so many points."))
        return False
    return True


def _given(member: Member, to: Cause, data: dict[str, Any]) -> HttpResponseBase:
    given = giving.give(
        member_id=member.pk,
        cause_id=to.pk,
        points=data["points"],
        via=Redemption.Via.PORTAL,
        at=clock.now(),
        external_id=f"portal-{data['token']}",
    )
    return redirect("donation-thanks", given.donation.redemption.public_id)


@require_safe
@member_page
def thanks(request: HttpRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """The cause's words after a gift, and what the gift became."""
    rows = Donation.objects.select_related("cause", "redemption")
    gift = get_object_or_404(rows, member=member, redemption__public_id=public_id)
    (each,) = _shown([gift.cause])
    context = {"member": member, "gift": gift, "shown": each, "words": in_language(gift.cause.thanks)}
    return render(request, "rewards/causes/thanks.html", context)


@require_safe
@member_page
def donations(request: HttpRequest, member: Member) -> HttpResponseBase:
    """What the member gave in a year, to read, to print and to download."""
    year = year_of(member.pk, _year(request), at=clock.now())
    if not year.gifts and not gifts_of(member.pk).exists():
        messages.info(request, _("You have not given points yet."))
        return redirect("causes")
    return render(request, "rewards/causes/year.html", {"member": member, "year": year, "at": clock.now()})


@require_safe
@member_page
def donations_csv(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The year of giving as a file for a spreadsheet."""
    year, currency = year_of(member.pk, _year(request), at=clock.now()), programme.current().base_currency
    return csv_response(
        filename=f"donations-{year.year}.csv",
        header=[_("Date"), _("Cause"), _("Recipient"), _("Points"), _("Amount"), _("Currency")],
        rows=[
            [gift.given_at, gift.cause.name, gift.cause.recipient, gift.points, gift.amount, currency]
            for gift in year.gifts
        ],
    )


def _year(request: HttpRequest) -> int | None:
    text = request.GET.get("year", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) == 4 else None
