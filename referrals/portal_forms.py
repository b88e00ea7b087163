"""What members write about invitations: the code they came with, one of their own choice, and an appeal."""

from typing import Any
from uuid import UUID

from allauth.core import context
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from members.forms import SignupForm as MembersSignupForm
from referrals import codes, visits
from referrals.fraud.review import LONGEST_APPEAL

LONGEST_TYPED = 40


def _code_input() -> forms.TextInput:
    return forms.TextInput(
        attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
    )


class SignupForm(MembersSignupForm):
    """Joining, with a friend's code. A code that nobody has is said once; sent again, it keeps nobody from joining."""

    data: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        consents = {name: self.fields.pop(name) for name in self.consent_names}
        self.fields["friend_code"] = forms.CharField(
            label=_("Code of a friend"),
            required=False,
            max_length=LONGEST_TYPED,
            initial=_code_that_came(context.request),
            help_text=_("If a member sent you. Capitals, spaces and dashes do not matter."),
            widget=_code_input(),
        )
        self.fields["code_asked"] = forms.CharField(
            required=False, max_length=LONGEST_TYPED, widget=forms.HiddenInput
        )
        self.fields.update(consents)

    def clean_friend_code(self) -> str:
        """The code as it is kept; blank where nobody has it and the new member was told so."""
        typed: str = self.cleaned_data["friend_code"]
        code = codes.normal(typed)
        if not typed or code in codes.owners_of([code]):
            return code
        if self.data.get(self.add_prefix("code_asked"), "") == typed:
            return ""
        self.data = self.data.copy()
        self.data[self.add_prefix("code_asked")] = typed
        raise forms.ValidationError(
            _("We do not know this code. Correct it, or choose “Join” again to join without it.")
        )

    def came_by_code(self, request: HttpRequest) -> str:
        """The code in the field; of forms without it, the one of the link."""
        if "friend_code" in request.POST:
            return str(self.cleaned_data["friend_code"])[:20]
        return super().came_by_code(request)

    def came_as_visitor(self, request: HttpRequest) -> UUID | None:
        """The browser's number, unless they took a code out that their link had put in."""
        taken_out = "friend_code" in request.POST and not request.POST["friend_code"].strip()
        visitor = visits.visitor_of(request)
        return None if taken_out and visits.code_of_visitor(visitor, at=clock.now()) else visitor


def _code_that_came(request: HttpRequest) -> str:
    """The code of the link to this form, else of the last invitation that was followed; blank for one of nobody."""
    given = codes.normal(request.GET.get("ref", "") or request.POST.get("ref", ""))
    if not given:
        given = visits.code_of_visitor(visits.visitor_of(request), at=clock.now())
    return given if given in codes.owners_of([given]) else ""


class CodeForm(forms.Form):
    """The code that a member wants; what it may be is ``codes``' to say."""

    code = forms.CharField(
        label=_("Your own code"),
        max_length=LONGEST_TYPED,
        help_text=_(
            "4 to 16 letters A to Z and figures. You can change it once in 30 days; old links go on working."
        ),
        widget=_code_input(),
    )


class NameForm(forms.Form):
    """Whether friends see the member's first name."""

    shows_name = forms.BooleanField(
        label=_("Show my first name to whoever opens my link"),
        required=False,
        help_text=_("Without it the page says “a friend”. Nothing else of you is ever shown."),
    )


class AppealForm(forms.Form):
    """Why staff should look at a friend's case again."""

    text = forms.CharField(
        label=_("Why should we look again?"),
        max_length=LONGEST_APPEAL,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
