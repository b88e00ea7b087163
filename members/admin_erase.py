"""Erasing a member who leaves, by staff: what goes and what stays, then, confirmed by a typed number, the end of it."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from loyalty import clock
from loyalty.form_page import form_page
from members import admin_parts
from members.admin_member_pages import get_member, head
from members.models import ConsentChange, Member
from members.personal_data import losses_of
from members.privacy import erase

if TYPE_CHECKING:
    from members.admin import MemberAdmin

PERMISSION = "members.erase_member"


class EraseForm(forms.Form):
    """The last digits of the member's card, so that nobody is erased by a slip."""

    digits = forms.CharField(
        label=_("The last four digits of the member's card"),
        max_length=4,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "inputmode": "numeric"}),
    )

    def __init__(self, data: Any, *, member: Member) -> None:
        super().__init__(data)
        self.wanted = member.card_number[-4:]

    def clean_digits(self) -> str:
        digits: str = self.cleaned_data["digits"]
        if digits != self.wanted:
            raise forms.ValidationError(gettext("These are not the last four digits of this member's card."))
        return digits


def erase_page(model_admin: "MemberAdmin", request: HttpRequest, object_id: str) -> HttpResponse:
    """Say what goes and what stays; erase the member when the card's last digits are typed."""
    if not request.user.has_perm(PERMISSION) or request.user.pk is None:
        raise PermissionDenied
    member = get_member(model_admin, request, object_id)
    if member.status == Member.Status.ERASED:
        raise PermissionDenied
    form = EraseForm(request.POST or None, member=member)
    overview = reverse("admin:members_member_overview", args=[member.pk])
    if request.method == "POST" and form.is_valid():
        source = ConsentChange.Source.STAFF
        if erase(member_id=member.pk, source=source, staff_id=request.user.pk, at=clock.now()):
            member.refresh_from_db()
            model_admin.log_change(request, member, "Erased")
            messages.success(request, gettext("The member is erased."))
        return HttpResponseRedirect(overview)
    return form_page(
        model_admin,
        request,
        form=form,
        title=gettext("Erase the member"),
        submit=gettext("Erase for good"),
        back=overview,
        template="admin/members/erase.html",
        context=head(request, member, tab="")
        | {"member_actions": [], "losses": losses_of(member, at=clock.now())},
    )


admin_parts.add_action(
    admin_parts.Link(
        key="erase",
        label=_("Erase"),
        url=lambda member: reverse("admin:members_member_erase", args=[member.pk]),
        permission=PERMISSION,
        icon="person_remove",
        statuses=(Member.Status.ACTIVE, Member.Status.CLOSED),
    )
)
