"""Draws, opened the way the product does, and members in them."""

import datetime as dt
import itertools
from typing import Any

from members.models import Member
from rewards.draws import entries, holding, opening
from rewards.models import Draw, DrawEntry, DrawPrize
from tests.factories.members import NOON

DAY = dt.timedelta(days=1)
WEEK = 7 * DAY
AFTER = NOON + WEEK
"""When the draw has just closed."""
_numbers = itertools.count(1)
_sources = itertools.count(1)


def draft(*, quantities: tuple[int, ...] = (1,), points: int = 0, **facts: Any) -> Draw:
    """A draft for the coming week, with a prize for each of ``quantities``, of so many points each (0: handed over)."""
    given = {
        "code": f"draw-{next(_numbers)}",
        "names": {"en": "Summer draw"},
        "opens_at": NOON,
        "closes_at": AFTER,
    }
    made = Draw.objects.create(**given | facts)
    for position, quantity in enumerate(quantities, start=1):
        prize(made, position=position, quantity=quantity, points=points)
    return made


def prize(draw: Draw, **facts: Any) -> DrawPrize:
    """A prize of the draw."""
    given = {"names": {"en": "Coffee maker"}, "position": draw.prizes.count() + 1}
    return DrawPrize.objects.create(draw=draw, **given | facts)


def draw(**facts: Any) -> Draw:
    """An open draw."""
    return opening.open_draw(draw_id=draft(**facts).pk, at=NOON)


def entered(in_: Draw, member: Member, *, chances: int = 1, at: dt.datetime = NOON) -> DrawEntry:
    """The member in the draw once more."""
    return entries.enter(
        draw_id=in_.pk,
        member_id=member.pk,
        chances=chances,
        source="test",
        source_id=next(_sources),
        at=at,
    )


def held(of: Draw, *, at: dt.datetime = AFTER) -> Draw:
    """The draw closed and held."""
    assert holding.close(draw_id=of.pk, at=at)
    assert holding.hold(draw_id=of.pk, at=at)
    of.refresh_from_db()
    return of
