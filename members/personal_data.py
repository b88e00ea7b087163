"""Personal data that upper floors keep, by registration: members know nothing of messages or referrals.

An upper floor registers itself while it starts (``AppConfig.ready``): what a member loses by leaving, what it puts into
the member's own copy of their data (``my-data.json``), and how it removes what tells who the member was.
Called by the portal, the admin and ``members.privacy``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from members.models import Member


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A kind of data about members. ``key`` names it in the member's copy.

    ``loss`` says in words what the member loses by leaving ("320 points"), or "". ``copy`` gives the data as JSON can
    hold it; dates and decimals may stay as they are. ``erase`` takes the member's primary key and runs in the
    transaction that erases the member; called again, it changes nothing.
    """

    key: str
    loss: Callable[[Member, datetime], str] | None = None
    copy: Callable[[Member], Any] | None = None
    erase: Callable[[int], None] | None = None


_holders: dict[str, Holder] = {}


def add_holder(holder: Holder) -> None:
    """Make a kind of data known; a second one of the same key takes the first one's place."""
    _holders[holder.key] = holder


def copies_of(member: Member) -> dict[str, Any]:
    """What the upper floors hold about the member, by key, for the member's own copy."""
    return {key: holder.copy(member) for key, holder in _holders.items() if holder.copy}


def losses_of(member: Member, *, at: datetime) -> list[str]:
    """What the member would lose by leaving, in words, for the page that asks whether they mean it."""
    return [text for holder in _holders.values() if holder.loss and (text := holder.loss(member, at))]


def erase_everywhere(member_id: int) -> None:
    """Remove what the upper floors hold that tells who the member was. Runs in the caller's transaction."""
    for holder in _holders.values():
        if holder.erase:
            holder.erase(member_id)
