"""Points given or taken outside activities: for an occasion (a birthday), and corrections by staff with a reason."""

import datetime as dt

from django.db import transaction

from loyalty.events import bus
from rewards import ledger, terms
from rewards.ledger import Grant, Why
from rewards.models import Transfer
from rewards.models.ledger import AccountKind


class NoteMissing(ValueError):
    """Staff gave no reason for an adjustment."""


def grant_once(
    *, member_id: int, points: int, occasion: str, source: str, source_id: int | None = None, at: dt.datetime
) -> int:
    """Give points of the default wallet for an occasion, at most once; the points given now, 0 if it was done before.

    ``source`` and ``source_id`` name what they are for ("campaigns.message", its id). Announces ``points.earned``.
    """
    known = terms.current()
    grant = Grant(
        member_id=member_id,
        wallet_id=known.default_wallet_id,
        points=points,
        occurred_at=at,
        expires_at=known.expires_at(known.default_wallet_id, at),
        sliding_policy_id=known.sliding_policy(known.default_wallet_id, at),
        why=Why(source=source, source_id=source_id, occasion=occasion),
    )
    with transaction.atomic():
        given = ledger.grant_occasion(grant, at=at)
        if given:
            bus.announce(
                "points.earned", member_id=member_id, at=at, points=given, source=source, occasion=occasion
            )
    return given


def adjust(
    *,
    member_id: int,
    points: int,
    staff_id: int,
    note: str,
    at: dt.datetime,
    occasion: str | None = None,
    source: str = "staff",
    source_id: int | None = None,
) -> int:
    """Correct a balance of the default wallet by signed ``points``, with staff's reason; gives the last transfer's id.

    Taking more than the member can spend raises InsufficientPoints. With an ``occasion`` (a form's token) the same
    adjustment sent twice is made once; the second time gives 0.
    """
    if not note.strip():
        raise NoteMissing("An adjustment needs a reason.")
    if not points:
        raise ValueError("An adjustment of 0 points changes nothing.")
    known = terms.current()
    why = Why(staff_id=staff_id, note=note.strip(), source=source, source_id=source_id, occasion=occasion)
    wallet_id = known.default_wallet_id
    with transaction.atomic():
        ledger.lock([member_id], [wallet_id])
        if occasion and Transfer.objects.filter(occasion=occasion).exists():
            return 0
        if points < 0:
            return ledger.spend(
                member_id=member_id,
                wallet_id=wallet_id,
                points=-points,
                kind=Transfer.Kind.ADJUST,
                to_kind=AccountKind.ADJUSTED,
                why=why,
                at=at,
            )
        grant = Grant(
            member_id=member_id,
            wallet_id=wallet_id,
            points=points,
            occurred_at=at,
            expires_at=known.expires_at(wallet_id, at),
            sliding_policy_id=known.sliding_policy(wallet_id, at),
            why=why,
            from_kind=AccountKind.ADJUSTED,
        )
        return ledger.post_grants([grant], at=at)[-1]
