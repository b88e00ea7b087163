"""Redemptions that move on: handed over, cancelled, or lapsed because nobody collected them.

Every change is decided under the lock of the member's accounts, so that of two at once one comes first and the other
sees its effect. Points come back by reversing the very transfer, into the very lots.
"""

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

from django.utils.translation import gettext as _

from loyalty import programme
from loyalty.events import bus
from rewards import ledger
from rewards.ledger import Why
from rewards.models import Redemption, RedemptionTerms, Voucher
from rewards.redemption import giving_out, rows
from rewards.redemption.placing import announcement
from rewards.redemption.refusals import NotCancellable, WrongState
from rewards.redemption.retrying import retried
from rewards.redemption.rows import Actor
from rewards.redemption.terms import grace_until, terms_at

T = TypeVar("T")
State, Via = Redemption.State, Redemption.Via
HOLDING = frozenset({State.RESERVED, State.ISSUED, State.FULFILLED})


def cancel(
    *,
    redemption_id: int,
    via: str,
    at: dt.datetime,
    staff_id: int | None = None,
    partner_id: int | None = None,
    note: str = "",
) -> Redemption:
    """Give the points back to the lots they came from, the piece to the stock, and take back what was given out.

    Members cancel what they have not used or fetched, for as long as the terms allow; partners and staff also what
    was handed over. One that is cancelled already is answered as it is. Raises WrongState for one that lapsed, and
    NotCancellable.
    """
    actor = Actor(via=via, partner_id=partner_id, staff_id=staff_id, note=note.strip())

    def work(row: Redemption) -> Redemption:
        if row.state == State.CANCELLED:
            return row
        if row.state not in HOLDING:
            raise WrongState(row.get_state_display())
        if via == Via.PORTAL and not may_cancel(row, at=at):
            raise NotCancellable(_("You can no longer cancel this yourself. Ask customer service."))
        _undo(row, State.CANCELLED, actor, at=at)
        bus.announce_many([announcement("redemption.cancelled", row, at=at)])
        return row

    return _under_lock(redemption_id, work)


def may_cancel(row: Redemption, *, at: dt.datetime, rules: RedemptionTerms | None = None) -> bool:
    """Whether the member may cancel it, by the terms of its day; a used voucher shows only when it is tried.

    ``rules`` are those terms, where the caller has them.
    """
    if row.state not in (State.RESERVED, State.ISSUED):
        return False
    rules = rules or terms_at(row.redeemed_at)
    return at < row.redeemed_at + dt.timedelta(days=rules.cancel_days)


def fulfil(
    *,
    redemption_id: int,
    via: str,
    at: dt.datetime,
    staff_id: int | None = None,
    partner_id: int | None = None,
    note: str = "",
) -> Redemption:
    """Hand over what was reserved. One that was handed over already is answered as it is.

    Raises WrongState for one that was cancelled, has lapsed, or whose day to collect it is past.
    """
    actor = Actor(via=via, partner_id=partner_id, staff_id=staff_id, note=note.strip())

    def work(row: Redemption) -> Redemption:
        if row.state == State.FULFILLED:
            return row
        if row.state != State.RESERVED:
            raise WrongState(row.get_state_display())
        if row.collect_by is not None and at >= row.collect_by:
            raise WrongState(str(State.EXPIRED.label))
        rows.move(row, State.FULFILLED, actor, at=at)
        bus.announce_many([announcement("redemption.fulfilled", row, at=at)])
        return row

    return _under_lock(redemption_id, work)


def lapse(*, redemption_id: int, at: dt.datetime) -> bool:
    """Let a reservation lapse that nobody collected in time, and give its points back; False when it is not due."""

    def work(row: Redemption) -> bool:
        if row.state != State.RESERVED or row.collect_by is None or row.collect_by > at:
            return False
        _undo(row, State.EXPIRED, Actor(), at=at)
        bus.announce_many([announcement("redemption.lapsed", row, at=at)])
        return True

    return _under_lock(redemption_id, work)


def follow_voucher(*, redemption_id: int, at: dt.datetime, partner_id: int | None) -> bool:
    """Let the redemption's state follow its voucher as it stands: used up, it is fulfilled; given back, issued again.

    False when nothing changed, so it may be called any number of times and in any order.
    """
    actor = Actor(via=Via.API, partner_id=partner_id)

    def work(row: Redemption) -> bool:
        if row.state not in (State.ISSUED, State.FULFILLED) or not hasattr(row, "voucher"):
            return False
        wanted = State.FULFILLED if row.voucher.state == Voucher.State.USED else State.ISSUED
        if wanted == row.state:
            return False
        rows.move(row, wanted, actor, at=at)
        if wanted == State.FULFILLED:
            bus.announce_many([announcement("redemption.fulfilled", row, at=at)])
        return True

    return _under_lock(redemption_id, work)


def _under_lock(redemption_id: int, work: Callable[[Redemption], T]) -> T:
    """Do the work on the row as it is once its member's accounts are locked."""
    member_id, wallet_id = Redemption.objects.values_list("member_id", "wallet_id").get(pk=redemption_id)

    def locked() -> T:
        ledger.lock([member_id], [wallet_id])
        return work(Redemption.objects.select_related("reward", "voucher", "donation").get(pk=redemption_id))

    return retried(locked)


def _undo(row: Redemption, to_state: Redemption.State, actor: Actor, *, at: dt.datetime) -> None:
    rows.move(row, to_state, actor, at=at)
    giving_out.take_back(row, actor, at=at)
    until = grace_until(terms_at(at), at=at, time_zone=programme.current().time_zone)
    why = Why(
        source=giving_out.SOURCE,
        source_id=row.pk,
        staff_id=actor.staff_id,
        note=actor.note if actor.staff_id else "",
    )
    ledger.reverse(transfer_id=row.transfer_id, why=why, at=at, grace_until=until)
