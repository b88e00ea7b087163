"""Referral programmes as staff make them, and friends on their way."""

import datetime as dt
import itertools
from typing import Any

from members.models import Activity, Member
from referrals import attribution, codes, programmes, qualification, settling
from referrals.models import ProgrammeTerms, Referral
from rewards.models import Transfer
from rewards.queries import balance_of
from rewards.refund_parts import Order
from rewards.refunds import refund
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase

_numbers = itertools.count(1)
DAY = dt.timedelta(days=1)
BEFORE = NOON - DAY


def programme(*, at: dt.datetime = BEFORE, is_running: bool = True, **said: Any) -> ProgrammeTerms:
    """The terms of a programme that runs from the day before: 100 points for each side, after 14 days."""
    number = next(_numbers)
    made = programmes.create(
        code=said.pop("code", f"friends-{number}"),
        names={"en": f"Friends {number}"},
        at=at,
        **{"referrer_points": 100, "friend_points": 50} | said,
    )
    if is_running:
        programmes.start(programme_id=made.pk, at=at)
    return made.terms.get()


def brought(referrer: Member, *, at: dt.datetime = NOON, friend: Member | None = None) -> Referral:
    """A friend who joined by the member's code."""
    friend = friend or member(at=at)
    return attribution.attribute(friend=friend, code=codes.code_of(referrer, at), at=at)


def buys(referral: Referral, *, at: dt.datetime = NOON, total: str | int = "30.00", **facts: Any) -> Activity:
    """The friend buys, and it is heard of."""
    activity = bought(referral, at=at, total=total, **facts)
    qualification.on_activities([(referral.friend_id, at)], at=at)
    referral.refresh_from_db()
    return activity


def bought(
    referral: Referral, *, at: dt.datetime = NOON, total: str | int = "30.00", **facts: Any
) -> Activity:
    """The friend buys, and nobody has heard of it yet."""
    outcome = purchase(referral.friend, at=at, total=total, **facts)
    return Activity.objects.get(public_id=outcome.activity_id)


def returns(activity: Activity, *, at: dt.datetime = NOON, amount: Any = None) -> None:
    """The purchase is refunded, in whole or by an amount, and it is heard of."""
    order = Order(everything=True) if amount is None else Order(amount=amount)
    refund(activity_id=activity.pk, external_id=f"refund-{next(_numbers)}", order=order, at=at)
    qualification.on_refunds([activity.member_id], at=at)


def settle(referral: Referral, *, at: dt.datetime = NOON + 20 * DAY) -> str | None:
    """The tick takes this one; the state that it has then."""
    settling.settle_one(referral_id=referral.pk, at=at)
    referral.refresh_from_db()
    return referral.state


def points_for_referrals(who: Member) -> int:
    """What the ledger gave the member for referrals, less what it took back."""
    given = Transfer.objects.filter(member=who, source__startswith="referral")
    return sum(row.points * (-1 if row.kind == Transfer.Kind.REVERSE else 1) for row in given)


def spendable(who: Member, *, at: dt.datetime = NOON) -> int:
    """What the member can spend."""
    return balance_of(who, at).available
