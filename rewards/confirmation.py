"""Points that wait for a partner's word: confirmed or cancelled, all those of one activity, in every wallet at once.

Called by the API. Told on as ``points.confirmed`` and ``points.cancelled``.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from loyalty.events import bus
from members.models import Activity
from rewards import ledger, terms
from rewards.ledger import Balance, Why
from rewards.models import RuleBudget, Transfer

CANCELLED = "rewards.cancellation"


class NothingPending(Exception):
    """No points of the activity wait: they were confirmed, cancelled or taken back already, or never had to wait."""

    def __str__(self) -> str:
        return _("No points of this activity are pending.")


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of pending points: how many, of all wallets, and the member's balance in the default one."""

    points: int
    balance: Balance


def confirm(*, activity: Activity, at: dt.datetime) -> Settled:
    """Make all pending points of the activity available now. Raises NothingPending.

    The member's accounts are locked first, so of a confirmation and a cancellation at once one finds nothing left.
    """
    with transaction.atomic():
        known = terms.current()
        ledger.lock([activity.member_id], known.wallet_ids)
        points = sum(
            ledger.confirm_pending(
                member_id=activity.member_id, wallet_id=wallet_id, activity_id=activity.pk, at=at
            )
            for wallet_id in known.wallet_ids
        )
        return _settled("points.confirmed", activity, points, at=at)


def cancel(*, activity: Activity, at: dt.datetime) -> Settled:
    """Take all pending points of the activity back for good; caps and budgets are free again. Raises NothingPending."""
    with transaction.atomic():
        known = terms.current()
        ledger.lock([activity.member_id], known.wallet_ids)
        why = Why(source=CANCELLED, source_id=activity.pk)
        points = sum(
            ledger.cancel_pending(
                member_id=activity.member_id, wallet_id=wallet_id, activity_id=activity.pk, why=why, at=at
            )
            for wallet_id in known.wallet_ids
        )
        answer = _settled("points.cancelled", activity, points, at=at)
        _free_budgets(activity)
        return answer


def _free_budgets(activity: Activity) -> None:
    """Give what was cancelled back to the budgets of its rules, in the order in which budgets are locked."""
    cancelled = (
        Transfer.objects.filter(
            activity=activity, source=CANCELLED, rule_revision__budget__isnull=False, reverses__isnull=False
        )
        .values_list("rule_revision__rule_id")
        .annotate(points=Sum("points"))
        .order_by("rule_revision__rule_id")
    )
    for rule_id, points in cancelled:
        RuleBudget.objects.filter(rule_id=rule_id).update(used=F("used") - points)


def _settled(name: str, activity: Activity, points: int, *, at: dt.datetime) -> Settled:
    if not points:
        raise NothingPending
    bus.announce(
        name,
        member_id=activity.member_id,
        partner_id=activity.partner_id,
        at=at,
        activity=str(activity.public_id),
        points=points,
    )
    known = terms.current()
    books = ledger.lock([activity.member_id], [known.default_wallet_id])
    return Settled(points, books.balance(activity.member_id, known.default_wallet_id))
