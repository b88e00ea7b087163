"""From the facts of a referral to the signals of fraud it shows. Pure: ``facts`` loads, ``assess`` weighs and writes.

What a signal tells staff are counts and days, never an address, a number or a hash.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from referrals.models import Mark, SignalKind

VELOCITY_WITHIN = dt.timedelta(days=1)
VELOCITY_FRIENDS = 5
"""So many friends who joined within a day of one another are a burst."""
CHAIN_WITHIN = dt.timedelta(days=7)
CHAIN_LINKS = 4
"""So many referrals in a row, each by the friend of the one before, their only one, brought within days."""
JUST_ENOUGH = Decimal("1.10")
"""A purchase of at most so many times the minimum is just over it."""
RETURNED_LEAST = 2
RETURNED_SHARE = 0.3
"""So many purchases of the other friends, and that share of them all, were returned."""

OF_MARK = {
    Mark.Kind.EMAIL: SignalKind.SAME_EMAIL,
    Mark.Kind.PHONE: SignalKind.SAME_PHONE,
    Mark.Kind.DEVICE: SignalKind.SAME_DEVICE,
    Mark.Kind.ADDRESS: SignalKind.SAME_ADDRESS,
    Mark.Kind.PAYMENT: SignalKind.SAME_PAYMENT,
}


@dataclass(frozen=True, slots=True)
class Shared:
    """A mark of the friend that the referrer has too, and how many other friends of theirs."""

    with_referrer: bool
    with_friends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a referral.

    ``joined_near``: friends of the referrer who joined within a day, this one among them. ``circle``: people in the
    circle it closes, 0 for none. ``chain``: referrals in the chain it is part of. ``paid`` and ``minimum``: what the
    friend qualified with and had to; in the base currency. ``others_bought`` and ``others_returned``: purchases of the
    referrer's other friends.
    """

    shared: Mapping[str, Shared] = field(default_factory=dict)
    joined_near: int = 1
    circle: int = 0
    chain: int = 1
    paid: Decimal | None = None
    minimum: Decimal | None = None
    others_bought: int = 0
    others_returned: int = 0
    is_disposable: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A signal with what it rests on, for staff."""

    kind: SignalKind
    facts: Mapping[str, Any]


def signals(facts: Facts) -> Sequence[Found]:
    """The signals that a referral shows, each kind once."""
    found = [_shared(kind, facts.shared[mark]) for mark, kind in OF_MARK.items() if mark in facts.shared]
    if facts.joined_near >= VELOCITY_FRIENDS:
        found.append(Found(SignalKind.VELOCITY, {"friends": facts.joined_near}))
    if facts.circle:
        found.append(Found(SignalKind.CIRCLE, {"people": facts.circle}))
    if facts.chain >= CHAIN_LINKS:
        found.append(Found(SignalKind.CHAIN, {"links": facts.chain}))
    if _is_just_enough(facts):
        found.append(Found(SignalKind.JUST_ENOUGH, {"paid": str(facts.paid), "minimum": str(facts.minimum)}))
    if facts.others_returned >= max(RETURNED_LEAST, RETURNED_SHARE * facts.others_bought):
        found.append(
            Found(SignalKind.RETURNED, {"returned": facts.others_returned, "purchases": facts.others_bought})
        )
    if facts.is_disposable:
        found.append(Found(SignalKind.DISPOSABLE, {}))
    return found


def _shared(kind: SignalKind, shared: Shared) -> Found:
    return Found(kind, {"referrer": shared.with_referrer, "friends": shared.with_friends})


def _is_just_enough(facts: Facts) -> bool:
    if facts.paid is None or not facts.minimum:
        return False
    return facts.minimum <= facts.paid <= facts.minimum * JUST_ENOUGH
