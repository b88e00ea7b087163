"""The portal's page for giving points to another member: whom, how many, a look at it, and then it is done."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from loyalty import clock
from members.models import Member
from members.portal import member_page
from rewards import gifts
from rewards.gifts import GiftRefused
from rewards.ledger import InsufficientPoints
from rewards.models import Gift, GiftPreference
from rewards.queries import balance_of
from rewards.rule_wording import number

LOOKUPS_AN_HOUR = 20
SHOWN = 10


class GiftForm(forms.Form):
    """Whom to give to and how many. ``token`` makes the form good for one gift."""

    receiver = forms.CharField(
        label=gettext_lazy("Their card number or e-mail address"),
        max_length=254,
        help_text=gettext_lazy("An e-mail address works for those who have allowed it."),
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=1,
        max_value=10**9,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)


class PreferenceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = GiftPreference
        fields = ("by_card", "by_email")
        labels = {
            "by_card": gettext_lazy("Those who know my card number may give me points"),
            "by_email": gettext_lazy("Those who know my e-mail address may give me points"),
        }


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def give_points(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Ask, show what it will be, and give when that is confirmed. One answer for everybody who cannot be given to."""
    form = GiftForm(request.POST or None, initial={"token": uuid.uuid4()})
    receiver = None
    if request.method == "POST" and form.is_valid():
        receiver = _receiver(form, member)
        if receiver is not None and "confirm" in request.POST:
            try:
                return _given(request, member, receiver, form.cleaned_data)
            except (GiftRefused, InsufficientPoints) as refused:
                form.add_error(getattr(refused, "field", "points"), str(refused))
                receiver = None
        elif "edit" in request.POST:
            receiver = None
    at = clock.now()
    balance = balance_of(member, at)
    room = gifts.room_of(member.pk, spendable=max(balance.available - balance.debt, 0), at=at)
    context = {
        "member": member,
        "form": form,
        "room": room,
        "receiver": _initials(receiver) if receiver else "",
        "balance": balance,
        "preference": PreferenceForm(instance=gifts.preference_of(member.pk)),
        "gifts": _latest(member),
    }
    return render(request, "rewards/give.html", context)


@require_POST
@member_page
def gift_preference(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Say by what others may give the member points."""
    form = PreferenceForm(request.POST, instance=gifts.preference_of(member.pk))
    if form.is_valid():
        gifts.set_preference(member_id=member.pk, **form.cleaned_data)
        messages.success(request, _("Saved."))
    return redirect("give-points")


def _receiver(form: GiftForm, member: Member) -> Member | None:
    """The member meant, or None with the error on the form. Look-ups are limited: addresses cannot be tried out."""
    key = f"gift-lookups:{member.pk}"
    tries = cache.get(key, 0)
    if tries >= LOOKUPS_AN_HOUR:
        form.add_error("receiver", _("You have tried many times. Wait an hour and try again."))
        return None
    found = gifts.find_receiver(form.cleaned_data["receiver"])
    if found is None:
        cache.set(key, tries + 1, 3600)
        form.add_error("receiver", str(gifts.nobody()))
        return None
    if found == member.pk:
        form.add_error("receiver", _("These are your own points already."))
        return None
    return Member.objects.get(pk=found)


def _given(request: HttpRequest, member: Member, receiver: Member, data: dict[str, Any]) -> HttpResponseBase:
    points = data["points"]
    done = gifts.give(
        from_member_id=member.pk,
        to_member_id=receiver.pk,
        points=points,
        token=data["token"],
        at=clock.now(),
    )
    if done:
        text = ngettext("You gave %(points)s point.", "You gave %(points)s points.", points)
        messages.success(request, text % {"points": number(points)})
    else:
        messages.info(request, _("These points were given already; nothing was done twice."))
    return redirect("give-points")


def _initials(person: Member) -> str:
    """“A. V.”: enough to notice a wrong number, no more than that."""
    names = [name.strip() for name in (person.first_name, person.last_name)]
    return " ".join(f"{name[0].upper()}." for name in names if name) or "…"


def _latest(member: Member) -> list[dict[str, Any]]:
    """The member's latest gifts both ways, newest first."""
    rows: list[Gift] = []
    for side in ("giver", "receiver"):
        mine = Gift.objects.filter(**{side: member}).select_related("giver", "receiver")
        rows += mine.order_by("-pk")[:SHOWN]
    rows.sort(key=lambda gift: gift.pk, reverse=True)
    return [
        {
            "at": gift.given_at,
            "given": gift.giver_id == member.pk,
            "other": _initials(gift.receiver if gift.giver_id == member.pk else gift.giver),
            "points": gift.points if gift.receiver_id == member.pk else -gift.points,
        }
        for gift in rows[:SHOWN]
    ]
