"""Deciding about a campaign's candidates: policy, hold-outs and variants, one row of the send ledger for each.

Every occasion ends here: rounds of an audience, birthdays, events, the API. The rows are inserted on condition that
there is none yet for the occasion: whoever inserts one does what goes with it, however often it is asked for.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from campaigns.models import Campaign


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member whose occasion it is. ``settled`` is a Message.Reason when the occasion itself knows why not;
    ``points`` are what this member gets (None: the campaign's bonus points)."""

    member_id: int
    occasion: str
    due_at: dt.datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    settled: str = ""
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """How many were newly decided about; ``failed`` ones have no row and may be tried again."""

    to_send: int = 0
    held_out: int = 0
    not_sent: int = 0
    failed: int = 0

    def __add__(self, other: "Decided") -> "Decided":
        return Decided(
            self.to_send + other.to_send,
            self.held_out + other.held_out,
            self.not_sent + other.not_sent,
            self.failed + other.failed,
        )


def decide(
    campaign: Campaign, candidates: Sequence[Candidate], *, at: dt.datetime, round_id: int | None = None
) -> Decided:
    """Decide about up to some thousand candidates in one transaction; those with a row for the occasion are left out.

    What one candidate breaks is undone, logged and counted as failed; the others are decided about.
    """
    raise NotImplementedError
