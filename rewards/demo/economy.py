"""What makes the demo's points economy look lived in: offers to activate and goods brought back."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from members.models import ActivityLine
from rewards.models import EarningRule, RuleRevision, Wallet
from rewards.refund_parts import Returned
from rewards.refunds import Order, RefundRefused, refund
from rewards.revisions import revise_rule
from rewards.rule_terms import RuleTerms

OFFER_DAYS = 45
PRIORITY = 100


def make_offers(*, at: dt.datetime) -> None:
    """Two personal offers for some weeks: a doubled aisle, and points for the next large basket. Once."""
    wallet_id = Wallet.objects.get(is_default=True).pk
    coffee = RuleTerms(
        wallet_id=wallet_id,
        effect=RuleRevision.Effect.MULTIPLIER,
        factor=Decimal(2),
        lines={"field": "category", "op": "in", "value": ["Kahvi ja tee", "Kuumat juomat"]},
        cap_per_member=200,
        needs_activation=True,
        priority=PRIORITY,
    )
    basket = RuleTerms(
        wallet_id=wallet_id,
        effect=RuleRevision.Effect.FIXED,
        points=50,
        conditions={"field": "total", "op": "ge", "value": "60.00"},
        cooldown_days=7,
        needs_activation=True,
        priority=PRIORITY,
    )
    names = {
        "coffee-month": {"fi": "Kahvikuukausi", "sv": "Kaffemånad", "en": "Coffee month"},
        "big-basket": {"fi": "Iso kori", "sv": "Stor korg", "en": "Big basket"},
    }
    for (code, called), rule_terms in zip(names.items(), (coffee, basket), strict=True):
        rule, is_new = EarningRule.objects.get_or_create(code=code, defaults={"names": called})
        if is_new:
            until = at + dt.timedelta(days=OFFER_DAYS)
            revise_rule(rule_id=rule.pk, rule_terms=rule_terms, at=at, valid_to=until)


def bring_goods_back(member_ids: Iterable[int], *, at: dt.datetime) -> None:
    """Each of these members brings back the first goods of their last purchase, once."""
    for member_id in member_ids:
        line = (
            ActivityLine.objects.filter(member_id=member_id, product__isnull=False)
            .select_related("activity", "product")
            .order_by("-activity__occurred_at", "position")
            .first()
        )
        if line is None or line.product is None:
            continue
        bought, order = line.activity, Order(lines=(Returned(line.product.sku),))
        try:
            refund(activity_id=bought.pk, external_id=f"demo return {bought.external_id}", order=order, at=at)
        except RefundRefused:
            continue
