"""From a verified e-mail address to a membership: what the sign-up form's choices become. Called by the portal."""

import datetime as dt
from typing import Any

from allauth.account.signals import email_confirmed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from loyalty import clock
from members.consents import set_consent
from members.enrolment import claim, follow_email
from members.models import ConsentChange, Member, User
from members.models.signup import SignUp


def complete(*, user: User, at: dt.datetime) -> Member | None:
    """Enrol the user, or give them the member that a till enrolled with their address, and apply their choices.

    Nothing happens before the address is verified, and the choices count once. What a till already wrote about the
    member (their name) stays. None when there is no verified address, or another log-in has the member.
    """
    with transaction.atomic():
        chosen = SignUp.objects.select_for_update().filter(user=user).first()
        member = claim(
            user=user,
            at=at,
            referral_code=chosen.referral_code if chosen else "",
            visitor=chosen.visitor if chosen else None,
        )
        if member is None or chosen is None:
            return member
        member.language = chosen.language
        member.first_name = member.first_name or user.first_name
        member.save(update_fields=["language", "first_name"])
        for purpose, channel in chosen.consents:
            set_consent(
                member_id=member.pk,
                purpose=purpose,
                channel=channel,
                granted=True,
                source=ConsentChange.Source.PORTAL,
                at=at,
            )
        chosen.delete()
    return member


@receiver(email_confirmed, dispatch_uid="members.signups.on_email_confirmed")
def on_email_confirmed(request: HttpRequest, email_address: Any, **_kwargs: Any) -> None:
    """A verified address makes the member, or follows a member to their new address. Staff do not become members."""
    user = email_address.user
    if user.is_staff and not SignUp.objects.filter(user=user).exists():
        return
    complete(user=user, at=clock.now())
    follow_email(user=user)
