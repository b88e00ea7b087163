"""Leaving the programme: what tells who somebody was is removed, and the books stay as they are.

The one way out for the portal, staff and partners' API; told on as ``member.erased``. What is removed, what stays and
why stands in ``docs/decisions/0025-erasing-a-member.md``.
"""

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.db import models, transaction
from django.db.models import ProtectedError, Q

from loyalty import programme
from loyalty.api.models import IdempotencyKey
from loyalty.events.bus import announce
from members import personal_data
from members.cards import new_card_number
from members.consents import set_consent
from members.models import Consent, Member, User
from members.models.signup import SignUp
from members.segments import membership


def erase(
    *, member_id: int, source: str, at: datetime, partner_id: int | None = None, staff_id: int | None = None
) -> bool:
    """Remove the member's personal data and log-in for good; False when that was done before.

    One transaction under the member's row, so that of two at once the second finds nothing left to do. ``source`` is
    one of ``ConsentChange.Source``: the consents are withdrawn first, which the history keeps. Purchases, points and
    tiers stay, with nobody's name on them.
    """
    with transaction.atomic():
        member = Member.objects.select_for_update(of=("self",)).get(pk=member_id)
        if member.status == Member.Status.ERASED:
            return False
        user = member.user
        for given in Consent.objects.filter(member_id=member_id, granted=True).order_by("pk"):
            set_consent(
                member_id=member_id,
                purpose=given.purpose,
                channel=given.channel,
                granted=False,
                source=source,
                at=at,
                partner_id=partner_id,
                staff_id=staff_id,
            )
        personal_data.erase_everywhere(member_id)
        membership.forget(member_id, at=at)
        _forget_answers(member)
        _forget_names(member)
        _forget_log(member, user)
        _clear(member)
        if user is not None and not user.is_staff:
            _remove_login(user)
        announce("member.erased", member_id=member_id, partner_id=partner_id, at=at, source=str(source))
    return True


def _clear(member: Member) -> None:
    """Nothing in the row says any more who it was; a new card number lets the old card find nobody."""
    house = programme.current()
    member.user = None
    member.status = Member.Status.ERASED
    member.card_number = new_card_number()
    member.first_name = member.last_name = member.email = member.phone = ""
    member.birth_date = None
    member.language, member.time_zone = house.default_language, house.time_zone
    member.save(
        update_fields=[
            "user",
            "status",
            "card_number",
            "first_name",
            "last_name",
            "email",
            "phone",
            "birth_date",
            "language",
            "time_zone",
        ]
    )


def _forget_answers(member: Member) -> None:
    """Answers kept for partners' idempotency keys may show the profile. Before the partners' ids are forgotten."""
    partners = set(member.external_ids.values_list("partner_id", flat=True))
    if member.enrolled_by_id is not None:
        partners.add(member.enrolled_by_id)
    kept = IdempotencyKey.objects.filter(partner_id__in=partners)
    kept.filter(body__contains=str(member.public_id)).delete()


def _forget_names(member: Member) -> None:
    """Names that others know the member by, and what staff wrote about them."""
    member.external_ids.all().delete()
    member.former_cards.all().delete()
    member.tier_holds.update(note="")


def _forget_log(member: Member, user: User | None) -> None:
    """The admin's own log names what was changed; failed log-ins of the admin keep the address that was tried."""
    named = _entries(member)
    addresses = {member.email} - {""}
    if user is not None and not user.is_staff:
        named |= _entries(user)
        addresses.add(user.email)
        for address in EmailAddress.objects.filter(user=user):
            named |= _entries(address)
            addresses.add(address.email)
    LogEntry.objects.filter(named).update(object_repr="–")
    for tried in (AccessAttempt, AccessFailureLog, AccessLog):
        tried.objects.filter(username__in=addresses).delete()


def _entries(row: models.Model) -> Q:
    return Q(content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk))


def _remove_login(user: User) -> None:
    """End every session and delete the user with addresses, passkeys and all.

    What somebody who once worked here decided then still names them: such a row stays, closed and without a name.
    """
    for session in UserSession.objects.filter(user=user):
        SessionStore(session.session_key).delete()
    try:
        with transaction.atomic():
            if LogEntry.objects.filter(user=user).exists():
                raise ProtectedError("The admin's log would go with them.", set())
            user.delete()
    except ProtectedError:
        _close_login(user)


def _close_login(user: User) -> None:
    for of_user in (EmailAddress, Authenticator, UserSession, SignUp):
        of_user.objects.filter(user=user).delete()
    user.email, user.first_name, user.last_name = f"erased-{user.pk}@invalid", "", ""
    user.is_active = False
    user.set_unusable_password()
    user.save()
