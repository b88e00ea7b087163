"""Members in a draw: let in once for each source, and out again while it is open.

Called by redemptions, challenges and staff, inside their transactions: the draw's row is locked last, and numbers,
limits and the state are decided under it. Once the list of a closed draw is published its entries stand.
"""

import datetime as dt

from django.db import transaction
from django.db.models import Max

from loyalty.events import bus
from rewards.models import Draw, DrawEntry

State = Draw.State
STANDING = frozenset({State.CLOSED, State.DRAWN})


class DrawClosed(Exception):
    """The draw takes no entries: not open yet, closed, drawn or cancelled."""


class TooManyEntries(Exception):
    """The member has as many entries as one may have in this draw."""


def takes_entries(draw: Draw, *, at: dt.datetime) -> bool:
    return draw.state == State.OPEN and draw.opens_at <= at < draw.closes_at


def enter(
    *, draw_id: int, member_id: int, chances: int = 1, source: str, source_id: int, at: dt.datetime
) -> DrawEntry:
    """Let the member in with so many chances, once for each ``source`` and ``source_id``; announces ``draw.entered``.

    What was entered before is given back as it is. Raises DrawClosed and TooManyEntries; nothing is written then.
    """
    if chances < 1:
        raise ValueError("An entry has at least one chance.")
    with transaction.atomic():
        draw = Draw.objects.select_for_update(no_key=True).get(pk=draw_id)
        mine = DrawEntry.objects.filter(draw=draw)
        if earlier := mine.filter(source=source, source_id=source_id).first():
            return earlier
        if not takes_entries(draw, at=at):
            raise DrawClosed
        if draw.entries_per_member is not None:
            held = mine.filter(member=member_id, cancelled_at=None).count()
            if held >= draw.entries_per_member:
                raise TooManyEntries
        entry = DrawEntry.objects.create(
            draw=draw,
            member_id=member_id,
            number=(mine.aggregate(last=Max("number"))["last"] or 0) + 1,
            weight=chances,
            source=source,
            source_id=source_id,
            entered_at=at,
        )
        bus.announce(
            "draw.entered", at=at, member_id=member_id, draw=draw.code, number=entry.number, chances=chances
        )
    return entry


def withdraw(*, source: str, source_id: int, at: dt.datetime, draw_id: int | None = None) -> bool:
    """Take the source's entries out of their draws; whether they are out now (or never were in).

    False, with nothing written, when a draw has closed: what is published stands. ``draw_id`` narrows it to one draw.
    """
    with transaction.atomic():
        entries = DrawEntry.objects.filter(source=source, source_id=source_id, cancelled_at=None)
        if draw_id is not None:
            entries = entries.filter(draw=draw_id)
        of_entries = Draw.objects.filter(pk__in=entries.values("draw")).order_by("pk")
        draws = list(of_entries.select_for_update(no_key=True))
        if any(_stands(draw, at) for draw in draws):
            return False
        entries.filter(draw__in=draws).update(cancelled_at=at)
    return True


def _stands(draw: Draw, at: dt.datetime) -> bool:
    return draw.state in STANDING or (draw.state == State.OPEN and at >= draw.closes_at)
