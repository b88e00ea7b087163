"""Giving points: a grant repays what the member owes, and opens a lot with the rest."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from rewards.ledger.books import Books, lock, write
from rewards.ledger.entries import AVAILABLE, DEBT, PENDING, Grant, Kind, NewLot, NewTransfer
from rewards.models import Transfer
from rewards.models.ledger import AccountKind


def plan_grant(books: Books, grant: Grant) -> None:
    """Plan a grant: what the member owes in the wallet is repaid first, the rest opens a lot."""
    payer = books.programme[grant.wallet_id, grant.from_kind]
    earned_at = grant.earned_at or grant.occurred_at
    qualifies_at = earned_at if grant.qualifies else None
    points = grant.points
    if not grant.pending and (owed := books.balance(grant.member_id, grant.wallet_id).debt):
        repaid = min(owed, points)
        points -= repaid
        books.plan(
            NewTransfer(
                Kind.REPAYMENT,
                grant.member_id,
                payer,
                books.account(grant.member_id, grant.wallet_id, DEBT),
                repaid,
                grant.occurred_at,
                why=grant.why,
                qualifies_at=qualifies_at,
            )
        )
    if points:
        kind = Kind.ADJUST if grant.from_kind == AccountKind.ADJUSTED else Kind.EARN
        books.plan(
            NewTransfer(
                kind,
                grant.member_id,
                payer,
                books.account(grant.member_id, grant.wallet_id, PENDING if grant.pending else AVAILABLE),
                points,
                grant.occurred_at,
                why=grant.why,
                qualifies_at=qualifies_at,
                opens=NewLot(earned_at, grant.expires_at, grant.available_at, grant.sliding_policy_id),
            )
        )


def post_grants(grants: Sequence[Grant], *, at: dt.datetime) -> list[int]:
    """Give points, in order; returns the transfers' ids (a grant that repays a debt makes up to two)."""
    with transaction.atomic():
        books = lock({grant.member_id for grant in grants}, {grant.wallet_id for grant in grants})
        for grant in grants:
            plan_grant(books, grant)
        return write(books, at=at)


def grant_occasion(grant: Grant, *, at: dt.datetime) -> int:
    """Give points for an occasion (``grant.why.occasion``) at most once; the points given now, 0 if done before.

    The member's account lock lets one caller through; the unique constraint on the occasion stands behind it.
    """
    with transaction.atomic():
        books = lock([grant.member_id], [grant.wallet_id])
        if Transfer.objects.filter(occasion=grant.why.occasion).exists():
            return 0
        plan_grant(books, grant)
        write(books, at=at)
        return grant.points
