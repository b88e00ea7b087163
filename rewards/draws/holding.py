"""Closing a draw, which publishes its list of entries, and holding it, which reveals the seed and names the winners.

Called by the worker when the time has come, and by staff who do not want to wait for it. Each step is decided under the
draw's row lock and happens once; the winners get their prizes afterwards (``rewards.draws.prizes``).
"""

import datetime as dt

from django.db import connection, transaction

from loyalty.events import bus
from members.models import Member
from rewards.draws import lottery, sealing
from rewards.draws.lottery import Ticket, Won
from rewards.draws.opening import locked
from rewards.models import Draw, DrawEntry, DrawPrize, DrawWinner

State = Draw.State


class ListChanged(RuntimeError):
    """The entries are not those whose digest was published. Nothing is drawn; somebody changed the database by hand."""


_TICKETS = """
SELECT number, min(number) OVER (PARTITION BY member_id), weight FROM rewards_drawentry
WHERE draw_id = %s AND cancelled_at IS NULL ORDER BY number
"""


def tickets_of(draw_id: int) -> list[Ticket]:
    """The entries that are in, by number; pseudonymous."""
    with connection.cursor() as cursor:
        cursor.execute(_TICKETS, [draw_id])
        return [Ticket(*row) for row in cursor.fetchall()]


def close(*, draw_id: int, at: dt.datetime) -> bool:
    """Let nobody in any more and publish the digest of the list; False when it is not due. Announces ``draw.closed``.

    Entries of members who have left the programme go out first: they could not be given a prize.
    """
    with transaction.atomic():
        draw = locked(draw_id)
        if draw.state != State.OPEN or at < draw.closes_at:
            return False
        gone = DrawEntry.objects.filter(draw=draw, cancelled_at=None)
        gone.exclude(member__status=Member.Status.ACTIVE).update(cancelled_at=at)
        tickets = tickets_of(draw.pk)
        draw.list_digest = lottery.digest_of(lottery.list_text(tickets))
        draw.state, draw.closed_at = State.CLOSED, at
        draw.save(update_fields=["list_digest", "state", "closed_at"])
        bus.announce("draw.closed", at=at, draw=draw.code, entries=len(tickets), list_digest=draw.list_digest)
    return True


def hold(*, draw_id: int, at: dt.datetime) -> bool:
    """Reveal the seed and write the winners; False when it is not due. Announces ``draw.held``, ``draw.won`` for each.

    Raises sealing.SeedLost or ListChanged, and draws nothing then: staff have to call the draw off.
    """
    with transaction.atomic():
        draw = locked(draw_id)
        if draw.state != State.CLOSED or (draw.draws_at is not None and at < draw.draws_at):
            return False
        tickets = tickets_of(draw.pk)
        if lottery.digest_of(lottery.list_text(tickets)) != draw.list_digest:
            raise ListChanged(f"The entries of draw {draw.code} are not those of its published list.")
        seed = sealing.unseal(draw)
        prizes = {prize.position: prize for prize in draw.prizes.all()}
        each = [place for place in sorted(prizes) for _piece in range(prizes[place].quantity)]
        won = lottery.winners(seed=seed, list_digest=draw.list_digest, tickets=tickets, prizes=each)
        draw.seed, draw.state, draw.drawn_at = seed, State.DRAWN, at
        draw.save(update_fields=["seed", "state", "drawn_at"])
        _write(draw, won, prizes, at=at)
    return True


def _write(draw: Draw, won: list[Won], prizes: dict[int, DrawPrize], *, at: dt.datetime) -> None:
    numbers = {each.number for each in won}
    entries = {each.number: each for each in DrawEntry.objects.filter(draw=draw, number__in=numbers)}
    DrawWinner.objects.bulk_create(
        DrawWinner(draw=draw, prize=prizes[each.prize], entry=entries[each.number], position=position)
        for position, each in enumerate(won, start=1)
    )
    bus.announce("draw.held", at=at, draw=draw.code, winners=len(won))
    bus.announce_many(
        bus.Announcement(
            name="draw.won",
            at=at,
            member_id=entries[each.number].member_id,
            facts={
                "draw": draw.code,
                "number": each.number,
                "prize": each.prize,
                "prize_names": prizes[each.prize].names,
                "points": prizes[each.prize].points,
            },
        )
        for each in won
    )
