"""Who brought a friend: by a code that came along, or by the links that the friend's browser followed before.

Called by ``handlers`` for new members and for first purchases at a till. Members who bring each other are let in here:
that is one of the signals of fraud, and staff shall see it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from members.models import Activity, Member
from referrals import codes, programmes, states
from referrals.codes import normal
from referrals.models import ProgrammeTerms, Referral, Visit

PURCHASE = "purchase"
USUAL_WINDOW = dt.timedelta(days=30)
"""From following an invitation to joining, where the referrer's programme says nothing, for none runs."""
_LONGEST_WINDOW = dt.timedelta(days=365)


class ReferralRefused(Exception):
    """Nobody is credited for this friend; the subclass says why."""


class UnknownCode(ReferralRefused):
    """No active member has, or had, this code."""


class SelfReferral(ReferralRefused):
    """The code is the friend's own."""


class AlreadyReferred(ReferralRefused):
    """Somebody else is known to have brought this friend."""


class WindowOver(ReferralRefused):
    """The friend followed the invitation too long before joining."""


class NotFirstPurchase(ReferralRefused):
    """The friend has bought before: a code at the till is for the first purchase."""


@dataclass(frozen=True, slots=True)
class Touch:
    """An invitation that was followed: whose, when (None: the code was given by hand), under which terms."""

    referrer_id: int
    clicked_at: dt.datetime | None
    terms: ProgrammeTerms | None


def attribute(
    *, friend: Member, at: dt.datetime, code: str = "", visitor: UUID | str | None = None
) -> Referral:
    """Remember who brought the friend, who joined at ``at``; the same again gives the same referral.

    The terms are those of the referrer's programme then, and stay so. A code that is not among the links the visitor
    followed was given by hand, and counts; among several links the first or the last counts, as the terms of the last
    one's referrer say. Raises a ReferralRefused. Of two referrers at once the database lets one through.
    """
    touch = _touch(friend, normal(code), _visits(visitor, at), at=at)
    referral = Referral(
        referrer_id=touch.referrer_id,
        friend=friend,
        terms=touch.terms,
        joined_at=at,
        clicked_at=touch.clicked_at,
        reason="" if touch.terms else Referral.Reason.NO_PROGRAMME,
        lapses_at=at + dt.timedelta(days=touch.terms.within_days) if touch.terms else None,
    )
    try:
        with transaction.atomic():
            earlier = Referral.objects.filter(friend=friend).first()
            if earlier is None:
                referral.save(force_insert=True)
                states.begin(referral)
                return referral
    except IntegrityError:
        earlier = Referral.objects.get(friend=friend)
    if earlier.referrer_id != touch.referrer_id:
        raise AlreadyReferred
    return earlier


def attribute_at_till(*, friend: Member, activity: UUID | str, code: str) -> Referral:
    """Remember who brought a member whose first purchase came with a code; they count as joined with it.

    Raises a ReferralRefused, NotFirstPurchase among them.
    """
    bought = Activity.objects.filter(member=friend, kind=PURCHASE).order_by("occurred_at", "pk")[:1]
    first = bought.first()
    if first is None or str(first.public_id) != str(activity):
        raise NotFirstPurchase
    return attribute(friend=friend, at=first.occurred_at, code=code)


def _visits(visitor: UUID | str | None, at: dt.datetime) -> Sequence[Visit]:
    """The links of members that the visitor followed, the oldest first."""
    if visitor is None:
        return ()
    window = Visit.objects.filter(visitor=visitor, at__lte=at, at__gt=at - _LONGEST_WINDOW)
    return list(window.exclude(code="").order_by("at", "pk"))


def _touch(friend: Member, code: str, visits: Sequence[Visit], *, at: dt.datetime) -> Touch:
    owners = codes.owners_of({code, *(normal(visit.code) for visit in visits)})
    if code and code not in {normal(visit.code) for visit in visits}:
        if code not in owners:
            raise UnknownCode
        return _of_another(Touch(owners[code], None, _terms(owners[code], at)), friend)
    known = [(visit, owners[normal(visit.code)]) for visit in visits if normal(visit.code) in owners]
    if not known:
        raise UnknownCode
    terms = {owner: _terms(owner, at) for _visit, owner in known if owner != friend.pk}
    if not terms:
        raise SelfReferral
    followed = [
        Touch(owner, visit.at, terms[owner])
        for visit, owner in known
        if owner in terms and at - visit.at <= _window(terms[owner])
    ]
    return _counting(followed)


def _counting(followed: Sequence[Touch]) -> Touch:
    """Of the invitations followed in time, the oldest first, the one that counts."""
    if not followed:
        raise WindowOver
    last = followed[-1]
    is_first = last.terms is not None and last.terms.touch == ProgrammeTerms.Touch.FIRST
    return followed[0] if is_first else last


def _of_another(touch: Touch, friend: Member) -> Touch:
    if touch.referrer_id == friend.pk:
        raise SelfReferral
    return touch


def _terms(member_id: int, at: dt.datetime) -> ProgrammeTerms | None:
    return programmes.programme_of(Member.objects.select_related("tier").get(pk=member_id), at)


def _window(terms: ProgrammeTerms | None) -> dt.timedelta:
    return dt.timedelta(days=terms.attribution_days) if terms else USUAL_WINDOW
