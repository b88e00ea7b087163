"""Refunding by staff: what comes back, then what becomes of the points, then, confirmed, the refund. Once per form."""

import functools
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminRadioSelectWidget,
)

from loyalty import clock
from loyalty.form_page import form_page
from loyalty.translated import in_language
from members.models import Activity
from rewards.models import Refund, RefundPolicy
from rewards.refund_parts import Left, Order, Returned, is_empty
from rewards.refunds import (
    RefundConflict,
    RefundOutcome,
    RefundRefused,
    foreseen,
    left_of,
    policy_at,
    refund,
)
from rewards.wording import number

if TYPE_CHECKING:
    from rewards.admin.refunds import RefundAdmin

MAY_REFUND = "rewards.add_refund"
MOST_SKUS = 60


def money(amount: Decimal, currency: str) -> str:
    """“1 234,50 EUR”."""
    return f"{number_format(amount, 2, force_grouping=True)} {currency}"


class RefundForm(forms.Form):
    """What comes back of an activity. ``token`` makes the form good for one refund."""

    ALL, AMOUNT, LINES = "all", "amount", "lines"

    way = forms.ChoiceField(label=_("What is refunded"), widget=UnfoldAdminRadioSelectWidget())
    amount = forms.DecimalField(
        label=_("Amount"),
        required=False,
        max_digits=12,
        decimal_places=2,
        min_value=Decimal("0.01"),
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any, *, left: Left, currency: str) -> None:
        super().__init__(data, initial={"token": uuid.uuid4(), "way": self.ALL})
        self.skus = _skus_left(left)
        ways = [
            (self.ALL, gettext("All that is left: %(left)s") % {"left": money(left.total, currency)}),
            (self.AMOUNT, gettext("An amount of money")),
        ]
        if self.skus:
            ways.append((self.LINES, gettext("Some of the goods")))
        self.fields["way"].choices = ways  # type: ignore[attr-defined]
        for place, (sku, (label, quantity)) in enumerate(self.skus.items()):
            self.fields[f"quantity_{place}"] = forms.DecimalField(
                label=gettext("%(product)s: how many come back") % {"product": label},
                required=False,
                min_value=Decimal(0),
                max_value=quantity,
                decimal_places=3,
                help_text=gettext("%(sku)s, %(left)s left")
                % {"sku": sku, "left": f"{quantity.normalize():f}"},
                widget=UnfoldAdminDecimalFieldWidget(),
            )

    def order(self) -> Order:
        data = self.cleaned_data
        if data["way"] == self.AMOUNT:
            return Order(amount=data["amount"])
        if data["way"] == self.LINES:
            return Order(lines=tuple(self._returned()))
        return Order(everything=True)

    def _returned(self) -> list[Returned]:
        given = ((sku, self.cleaned_data[f"quantity_{place}"]) for place, sku in enumerate(self.skus))
        return [Returned(sku, quantity) for sku, quantity in given if quantity]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("way") == self.AMOUNT and not data.get("amount") and "amount" not in self.errors:
            self.add_error("amount", gettext("Give the amount that is refunded."))
        if data.get("way") == self.LINES and not self.errors and not self._returned():
            self.add_error("way", gettext("Say how many of which product come back."))
        return data


def _skus_left(left: Left) -> dict[str, tuple[str, Decimal]]:
    """By SKU, what it is and how much of it is left; none for receipts longer than a page can ask about."""
    found: dict[str, tuple[str, Decimal]] = {}
    for part, facts in left.lines:
        if facts.sku and part.quantity:
            label, quantity = found.get(facts.sku, (facts.category or facts.sku, Decimal(0)))
            found[facts.sku] = (label, quantity + part.quantity)
    return found if len(found) <= MOST_SKUS else {}


def refund_page(model_admin: "RefundAdmin", request: HttpRequest, activity_id: int) -> HttpResponse:
    """Ask what comes back; show what becomes of the points; refund when that is confirmed."""
    if not request.user.has_perm(MAY_REFUND) or not request.user.has_perm("members.view_activity"):
        raise PermissionDenied
    activity = (
        Activity.objects.select_related("store", "channel", "member__tier").filter(pk=activity_id).first()
    )
    if activity is None:
        raise Http404
    left = left_of(activity)
    form = RefundForm(request.POST or None, left=left, currency=activity.currency)
    preview: RefundOutcome | None = None
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        work = functools.partial(
            refund,
            activity_id=activity.pk,
            external_id=f"staff-{form.cleaned_data['token']}",
            order=form.order(),
            at=clock.now(),
            staff_id=request.user.pk,
        )
        try:
            if "confirm" in request.POST:
                return _made(model_admin, request, activity, work())
            preview = foreseen(work)
            for field in form.fields.values():  # what is confirmed is what was seen
                field.widget = forms.HiddenInput()
        except (RefundRefused, RefundConflict) as refused:
            _blame(form, refused)
    return form_page(
        model_admin,
        request,
        form=form,
        title=gettext("Refund"),
        submit=gettext("Continue"),
        back=reverse("admin:members_activity_change", args=[activity.pk]),
        template="admin/rewards/refund.html",
        context={
            "activity": activity,
            "preview": preview,
            "reasons": _reasons(preview) if preview else [],
            "amount": money(preview.amount, activity.currency) if preview else "",
            "policy": RefundPolicy.Spent(policy_at(clock.now())).label,
            "nothing_left": is_empty(left) and activity.refunds.exists(),
        },
    )


def _blame(form: RefundForm, refused: RefundRefused | RefundConflict) -> None:
    field = getattr(refused, "field", "")
    form.add_error("amount" if field == "amount" else "way", str(refused))


def _reasons(outcome: RefundOutcome) -> list[tuple[str, int]]:
    return [(in_language(each.names) or each.rule, each.points) for each in outcome.taken_back]


def _made(
    model_admin: "RefundAdmin", request: HttpRequest, activity: Activity, outcome: RefundOutcome
) -> HttpResponse:
    """Note it in the log and go back to the activity."""
    if outcome.replayed:
        messages.info(request, gettext("This refund was made already; nothing was done twice."))
    else:
        row = Refund.objects.get(public_id=outcome.refund_id)
        model_admin.log_addition(
            request, row, f"Refunded {outcome.amount} {activity.currency}: {outcome.points} points taken back"
        )
        messages.success(request, done_text(outcome))
    return HttpResponseRedirect(reverse("admin:members_activity_change", args=[activity.pk]))


def done_text(outcome: RefundOutcome) -> str:
    """What staff are told once a refund was made or decided."""
    if outcome.status == Refund.Status.HELD:
        return gettext(
            "Refunded. Points of the purchase were spent already, so the refund waits for a decision."
        )
    text = ngettext(
        "Refunded; %(points)s point was taken back.",
        "Refunded; %(points)s points were taken back.",
        outcome.points,
    )
    return text % {"points": number(outcome.points)}
