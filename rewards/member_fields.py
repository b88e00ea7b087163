"""What conditions may ask of a member's points and returns: balances, points about to expire, refunds.

Registered by ``RewardsConfig.ready``; balances are those of the default wallet.
"""

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from loyalty.conditions import Field, FieldType, How, Measure, Relation, Rows, subject
from members.segments import value
from rewards.models import Account, Lot, Refund
from rewards.models.ledger import AccountKind

EVENTS = (
    "points.earned",
    "points.expired",
    "points.confirmed",
    "points.cancelled",
    "points.given",
    "points.received",
    "points.redeemed",
    "reward.redeemed",
    "redemption.cancelled",
    "redemption.lapsed",
)
"""What is announced when points move."""

_RETURNED = """
SELECT member_id, -amount AS amount FROM rewards_refund WHERE occurred_at >= %s AND occurred_at < %s
"""


class _Balance:
    """The expression for a balance of one kind; 0 where the member has no such account yet."""

    def __init__(self, kind: AccountKind) -> None:
        self.kind = kind

    def __call__(self, prefix: str, at: datetime) -> Any:
        own = Account.objects.filter(
            member=OuterRef(f"{prefix}pk"), wallet__is_default=True, kind=self.kind
        ).values("balance")
        return Coalesce(Subquery(own), Value(0), output_field=BigIntegerField())


def _live_lots() -> QuerySet[Any]:
    return Lot.objects.filter(
        remaining__gt=0, account__kind=AccountKind.AVAILABLE, account__wallet__is_default=True
    )


BALANCES = (
    Field("points_available", FieldType.INTEGER, _("points available"), orm=_Balance(AccountKind.AVAILABLE)),
    Field("points_pending", FieldType.INTEGER, _("points pending"), orm=_Balance(AccountKind.PENDING)),
)


def register() -> None:
    """Declare them, and take what was brought back off the value of a member's purchases."""
    member = subject("member")
    member.register(*BALANCES)
    member.relate(_lots())
    member.relate(_refunds())
    value.less("rewards.refunds", _RETURNED)


def _lots() -> Relation:
    lot = subject("points_lot")
    lot.register(
        Field("points", FieldType.INTEGER, _("points left"), orm="remaining"),
        Field("expires_at", FieldType.DATETIME, _("time of expiry"), orm="expires_at"),
        Field("earned_at", FieldType.DATETIME, _("time of earning"), orm="earned_at"),
    )
    return Relation(
        "points",
        lot,
        label=_("points by their expiry"),
        some=_("there are points"),
        none=_("there are no points"),
        measures=(
            Measure("sum", _("sum of points"), of="points"),
            Measure("next_expiry", _("next expiry of points"), of="expires_at", how=How.LEAST),
        ),
        rows=Rows(_live_lots, "member"),
    )


def _refunds() -> Relation:
    refund = subject("refund")
    refund.register(
        Field("occurred_at", FieldType.DATETIME, _("time of the refund"), orm="occurred_at"),
        Field("day", FieldType.DATE, _("day of the refund"), orm="occurred_at", of_moment=True),
        Field("amount", FieldType.DECIMAL, _("money given back"), orm="amount"),
    )
    return Relation(
        "refunds",
        refund,
        label=_("refunds"),
        some=_("there is at least one refund"),
        none=_("there is no refund"),
        measures=(
            Measure("count", _("number of refunds")),
            Measure("amount", _("money given back in refunds"), of="amount"),
            Measure("last", _("time of the last refund"), of="occurred_at", how=How.GREATEST),
        ),
        rows=Rows(Refund.objects.all, "member"),
    )
