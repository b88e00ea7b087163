"""A member's personal code, and the friend who came by it; ``referrals.handlers`` attributes new members.

Codes are drawn from ``secrets``, short enough to be read out, without characters that look alike.
"""

import datetime as dt
import re
import secrets

from django.db import IntegrityError, transaction

from members.models import Member
from referrals.models import Referral, ReferralCode

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0 and O, no 1, I and L, and no U, which looks like V."""
LENGTH = 8
_ATTEMPTS = 10


class ReferralRefused(Exception):
    """Nobody is credited for this friend; the subclass says why."""


class UnknownCode(ReferralRefused):
    """No active member has this code."""


class SelfReferral(ReferralRefused):
    """The code is the friend's own."""


class AlreadyReferred(ReferralRefused):
    """Somebody else is known to have brought this friend."""


class Circular(ReferralRefused):
    """The friend has brought the owner of the code, straight or through others."""


def code_of(member: Member, at: dt.datetime) -> str:
    """The member's code, drawn when first asked for; two who ask at once get the same."""
    for _attempt in range(_ATTEMPTS):
        known = ReferralCode.objects.filter(member=member).first()
        if known is not None:
            return known.code
        drawn = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        ReferralCode.objects.bulk_create(
            [ReferralCode(member=member, code=drawn, created_at=at)], ignore_conflicts=True
        )
    raise RuntimeError("No free referral code found.")


def attribute(*, friend: Member, code: str, at: dt.datetime) -> Referral:
    """Remember who brought the friend; the same code again gives the same referral.

    Raises a ReferralRefused: UnknownCode, SelfReferral, AlreadyReferred or Circular. Of two codes at once the database
    lets one through.
    """
    owner = ReferralCode.objects.filter(code=normal(code), member__status=Member.Status.ACTIVE).first()
    if owner is None:
        raise UnknownCode
    if owner.member_id == friend.pk:
        raise SelfReferral
    if _was_brought_by(owner.member_id, friend.pk):
        raise Circular
    try:
        with transaction.atomic():
            referral, _created = Referral.objects.get_or_create(
                friend=friend, defaults={"referrer_id": owner.member_id, "joined_at": at}
            )
    except IntegrityError:
        referral = Referral.objects.get(friend=friend)
    if referral.referrer_id != owner.member_id:
        raise AlreadyReferred
    return referral


def normal(code: str) -> str:
    """A code as it is kept, from what somebody typed: any case, with spaces or dashes."""
    return re.sub(r"[^0-9A-Z]", "", code[:100].upper())


def _was_brought_by(member_id: int, other_id: int) -> bool:
    """Whether ``other`` brought ``member``, straight or through others."""
    seen: set[int] = set()
    present: int | None = member_id
    while present is not None and present not in seen:
        seen.add(present)
        present = Referral.objects.filter(friend=present).values_list("referrer", flat=True).first()
        if present == other_id:
            return True
    return False


def forget(member_id: int) -> None:
    """Let the code of a member who leaves bring nobody any more. Who came by it stays."""
    ReferralCode.objects.filter(member_id=member_id).delete()
