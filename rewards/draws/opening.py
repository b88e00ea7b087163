"""What staff decide about a draw: opening it, which promises the seed, and calling it off, which gives the points back.

Each is decided under the draw's row lock, so that of two at once one comes first.
"""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.events import bus
from rewards.draws import sealing
from rewards.models import Draw

State = Draw.State


class DrawRefused(Exception):
    """It cannot be done with this draw now; the text, in the active language, says why."""

    def __str__(self) -> str:
        return str(self.args[0])


def locked(draw_id: int) -> Draw:
    """The draw as it is, under its lock. Call inside a transaction."""
    return Draw.objects.select_for_update(no_key=True).get(pk=draw_id)


def open_draw(*, draw_id: int, at: dt.datetime) -> Draw:
    """Make the seed, publish its SHA-256 and let entries in from ``opens_at`` on; announces ``draw.opened``.

    From here on dates, limits and prizes stand. Raises DrawRefused for a draw that is no draft, has no prizes or would
    end before it began.
    """
    with transaction.atomic():
        draw = locked(draw_id)
        if draw.state != State.DRAFT:
            raise DrawRefused(_("Only a draft can be opened."))
        if not draw.prizes.exists():
            raise DrawRefused(_("Give it a prize first."))
        if draw.closes_at <= at:
            raise DrawRefused(_("Its end is past. Give it a later one."))
        draw.sealed, draw.commitment = sealing.seal()
        draw.state, draw.opened_at = State.OPEN, at
        draw.save(update_fields=["sealed", "commitment", "state", "opened_at"])
        bus.announce("draw.opened", at=at, draw=draw.code, commitment=draw.commitment)
    return draw


def cancel(*, draw_id: int, note: str, at: dt.datetime, staff_id: int | None) -> Draw:
    """Call a draw off; announces ``draw.cancelled``. Points given for entries come back by the worker, one by one.

    One that is called off already is given back as it is. Raises DrawRefused for one that is drawn, or no reason.
    """
    if not note.strip():
        raise DrawRefused(_("Say why: members read it."))
    with transaction.atomic():
        draw = locked(draw_id)
        if draw.state == State.CANCELLED:
            return draw
        if draw.state == State.DRAWN:
            raise DrawRefused(_("It is drawn already; its winners have won."))
        draw.state, draw.cancelled_at = State.CANCELLED, at
        draw.cancelled_by_id, draw.cancel_note = staff_id, note.strip()[:300]
        draw.save(update_fields=["state", "cancelled_at", "cancelled_by", "cancel_note"])
        bus.announce("draw.cancelled", at=at, draw=draw.code)
    return draw
