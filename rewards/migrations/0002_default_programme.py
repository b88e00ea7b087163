"""The default programme's terms (one wallet, base rule, tier bonus, tier terms, expiry), and the append-only ledger."""

import datetime as dt
from decimal import Decimal

from django.db import migrations

from loyalty.append_only import protect

ALWAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
PROGRAMME_ACCOUNTS = ("issued", "redeemed", "expired", "donated", "adjusted")
LEVELS = [("bronze", 0, "1"), ("silver", 1000, "1.25"), ("gold", 5000, "1.5")]


def seed(apps, schema_editor):
    def model(name, app="rewards"):
        return apps.get_model(app, name)

    wallet, created = model("Wallet").objects.get_or_create(
        code="points",
        defaults={"names": {"fi": "Pisteet", "sv": "Poäng", "en": "Points"}, "is_default": True},
    )
    if not created:
        return
    for kind in PROGRAMME_ACCOUNTS:
        model("Account").objects.create(wallet=wallet, kind=kind, member=None, balance=None)
    model("ExpiryPolicy").objects.create(wallet=wallet, valid_from=ALWAYS, months=24, rounding="month_end")
    base = model("EarningRule").objects.create(
        code="base", names={"fi": "Peruspisteet", "sv": "Baspoäng", "en": "Base points"}
    )
    bonus = model("EarningRule").objects.create(
        code="tier bonus", names={"fi": "Tasolisä", "sv": "Nivåbonus", "en": "Tier bonus"}
    )
    purchase = {"field": "kind", "op": "eq", "value": "purchase"}
    common = {"number": 1, "wallet": wallet, "valid_from": ALWAYS, "conditions": purchase}
    model("RuleRevision").objects.create(
        rule=base,
        effect="per_amount",
        points=1,
        amount=Decimal("1.00"),
        qualifying=True,
        priority=0,
        **common,
    )
    model("RuleRevision").objects.create(rule=bonus, effect="tier_bonus", priority=10, **common)
    terms = model("TierTerms").objects.create(valid_from=ALWAYS, window_days=365)
    for code, threshold, multiplier in LEVELS:
        tier = model("Tier", "members").objects.get(code=code)
        model("TierLevel").objects.create(
            terms=terms, tier=tier, threshold=threshold, multiplier=Decimal(multiplier)
        )


class Migration(migrations.Migration):
    dependencies = [("rewards", "0001_initial"), ("members", "0002_tiers_and_kinds")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        protect("rewards_transfer"),
        protect("rewards_allocation"),
    ]
