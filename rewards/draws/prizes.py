"""What winners get: points and vouchers at once, anything else handed over by staff, who note it. Each once.

The winner's row is locked first, then what the prize needs; nobody locks the other way round.
"""

import datetime as dt

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from rewards import grants
from rewards.draws.opening import DrawRefused
from rewards.models import DrawWinner, VoucherFamily
from rewards.vouchers import issuing

logger = structlog.get_logger("kantis.rewards")

SOURCE = "rewards.draw"
_BY_ITSELF = Q(prize__points__gt=0) | Q(prize__voucher_family__isnull=False)


def waiting() -> QuerySet[DrawWinner]:
    """Prizes that the programme gives by itself and has not given yet."""
    return DrawWinner.objects.filter(_BY_ITSELF, fulfilled_at=None)


def give_waiting(*, at: dt.datetime) -> int:
    """Give them, each in a transaction of its own; how many were given. One that cannot be had now goes on waiting."""
    given = 0
    for winner_id in list(waiting().order_by("pk").values_list("pk", flat=True)):
        try:
            given += give(winner_id=winner_id, at=at)
        except (InterfaceError, OperationalError):
            raise
        except Exception:
            logger.exception("prize_not_given", winner_id=winner_id)
    return given


def give(*, winner_id: int, at: dt.datetime) -> bool:
    """Give a winner the points or the voucher; False when it was given before, or no voucher can be had now."""
    with transaction.atomic():
        winner = _waiting(winner_id)
        if winner is None:
            return False
        member_id, occasion = winner.entry.member_id, f"draw:{winner.draw_id}:{winner.position}"
        if winner.prize.points:
            grants.grant_once(
                member_id=member_id,
                points=winner.prize.points,
                occasion=occasion,
                source=SOURCE,
                source_id=winner.pk,
                at=at,
            )
        elif winner.prize.voucher_family_id is None:
            return False
        else:
            try:
                voucher = issuing.issue(
                    family_id=winner.prize.voucher_family_id,
                    member_id=member_id,
                    occasion=occasion,
                    source=SOURCE,
                    source_id=winner.pk,
                    at=at,
                )
            except issuing.FamilyClosed:
                return False
            if voucher.family.source != VoucherFamily.Source.SHARED:
                winner.voucher = voucher
        winner.fulfilled_at = at
        winner.save(update_fields=["voucher", "fulfilled_at"])
    return True


def hand_over(*, winner_id: int, staff_id: int, note: str, at: dt.datetime) -> bool:
    """Note that staff handed a prize over; False when that was done before."""
    with transaction.atomic():
        winner = _waiting(winner_id)
        if winner is None:
            return False
        if winner.prize.points:
            raise DrawRefused(_("The programme gives these points by itself."))
        winner.fulfilled_at, winner.staff_id, winner.note = at, staff_id, note.strip()[:300]
        winner.save(update_fields=["fulfilled_at", "staff", "note"])
    return True


def _waiting(winner_id: int) -> DrawWinner | None:
    rows = DrawWinner.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("prize", "entry").filter(pk=winner_id, fulfilled_at=None).first()
