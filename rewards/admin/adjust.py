"""Adjusting a member's points by hand: first what it would come to, then, confirmed, the posting. Once per form."""

import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from loyalty import clock
from loyalty.form_page import form_page
from members.admin_member_pages import head
from members.models import Member
from rewards.adjustments import adjust_or_ask
from rewards.ledger import InsufficientPoints
from rewards.models import AdjustmentRequest
from rewards.queries import Balance, balance_of
from rewards.wording import number

if TYPE_CHECKING:
    from rewards.admin.ledger import TransferAdmin

PERMISSION = "rewards.adjust_points"
MOST = 1_000_000


class AdjustForm(forms.Form):
    """How many points (signed) and why. ``token`` makes the form good for one posting."""

    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=-MOST,
        max_value=MOST,
        help_text=gettext_lazy("With a minus to take points: -50."),
        widget=UnfoldAdminIntegerFieldWidget({"autofocus": True, "inputmode": "text", "autocomplete": "off"}),
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        help_text=gettext_lazy("Why, in words that the member may read: it stands on their statement."),
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def clean_points(self) -> int:
        points: int = self.cleaned_data["points"]
        if points == 0:
            raise forms.ValidationError(_("Give a number other than 0."))
        return points


def adjust_page(model_admin: "TransferAdmin", request: HttpRequest, member_id: int) -> HttpResponse:
    """Ask for points and a reason; show what the balance will be; post when that is confirmed."""
    if not request.user.has_perm(PERMISSION) or not request.user.has_perm("members.view_member"):
        raise PermissionDenied
    member = Member.objects.select_related("tier").filter(pk=member_id).first()
    if member is None:
        raise Http404
    if member.status != Member.Status.ACTIVE:
        raise PermissionDenied
    form = AdjustForm(request.POST or None, initial={"token": uuid.uuid4()})
    balance = balance_of(member, clock.now())
    after: int | None = None
    if request.method == "POST" and form.is_valid():
        after = _after(balance, form.cleaned_data["points"])
        if after < 0 and form.cleaned_data["points"] < 0:
            form.add_error("points", _short(balance.available - balance.debt))
            after = None
        elif "confirm" in request.POST:
            try:
                return _post(model_admin, request, member, form)
            except InsufficientPoints as short:
                form.add_error("points", _short(short.spendable))
                after = None
        elif "edit" in request.POST:
            after = None
    return form_page(
        model_admin,
        request,
        form=form,
        title=_("Adjust points"),
        submit=_("Continue"),
        back=reverse("admin:members_member_overview", args=[member.pk]),
        template="admin/rewards/adjust.html",
        context=head(request, member, tab="adjust")
        | {
            "member_actions": [],
            "balance": balance,
            "before": balance.available - balance.debt,
            "after": after,
        },
    )


def _after(balance: Balance, points: int) -> int:
    return balance.available - balance.debt + points


def _short(spendable: int) -> str:
    return _("The member has only %(points)s points to take.") % {"points": number(max(spendable, 0))}


def _post(
    model_admin: "TransferAdmin", request: HttpRequest, member: Member, form: AdjustForm
) -> HttpResponse:
    """Post it and note it in the log, both or neither; the same form again changes nothing."""
    data: dict[str, Any] = form.cleaned_data
    staff_id = request.user.pk
    if staff_id is None:
        raise PermissionDenied
    with transaction.atomic():
        done = adjust_or_ask(
            member_id=member.pk,
            points=data["points"],
            staff_id=staff_id,
            note=data["note"],
            at=clock.now(),
            occasion=f"adjustment:{data['token']}",
        )
        if done:
            verb = "asked for" if isinstance(done, AdjustmentRequest) else "adjusted by"
            model_admin.log_change(request, member, f"Points {verb} {data['points']:+d}: {data['note']}")  # type: ignore[arg-type]
    if isinstance(done, AdjustmentRequest):
        messages.warning(
            request, _("This is more than one person may do alone. It waits for a second person.")
        )
    elif done:
        points = abs(data["points"])
        text = (
            ngettext("%(points)s point was given.", "%(points)s points were given.", points)
            if data["points"] > 0
            else ngettext("%(points)s point was taken.", "%(points)s points were taken.", points)
        )
        messages.success(request, text % {"points": number(points)})
    else:
        messages.info(request, _("This adjustment was posted already; nothing was done twice."))
    return HttpResponseRedirect(reverse("admin:members_member_overview", args=[member.pk]))
