"""Leaderboards, and members on them."""

import datetime as dt
import itertools
from typing import Any

from loyalty.events import dispatch
from members.models import Member
from rewards.leaderboards import membership
from rewards.models import Leaderboard, LeaderboardTable
from tests.factories.members import NOON, member

_numbers = itertools.count(1)


def leaderboard(**facts: Any) -> Leaderboard:
    """One by points earned in a month; ``facts`` are columns."""
    columns = {
        "code": f"board-{next(_numbers)}",
        "names": {"en": "The month"},
        "basis": "challenge" if facts.get("challenge") else "earned",
        "period": "month",
    } | facts
    return Leaderboard.objects.create(**columns)


def seen(nickname: str, *, at: dt.datetime = NOON, **facts: Any) -> Member:
    """A member who is on the leaderboards."""
    made = member(**facts)
    membership.take_nickname(member_id=made.pk, nickname=nickname, at=at)
    return made


def heard() -> None:
    """Let everything that was announced be heard."""
    while dispatch.dispatch_batch(at=NOON):
        pass


def table(board: Leaderboard) -> LeaderboardTable:
    """The latest table of a leaderboard, as it is read for showing."""
    rows = LeaderboardTable.objects.filter(leaderboard=board).select_related("leaderboard__challenge")
    return rows.latest("starts_on")
