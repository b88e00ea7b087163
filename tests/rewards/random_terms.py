"""Random rules and purchases, for the tests that say “the same as the ledger, whatever the rules”."""

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from loyalty.models import Partner
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import ActivityKind, Member
from rewards import terms
from rewards.models import EarningRule, OfferActivation, RuleRevision, Wallet

START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
Effect = RuleRevision.Effect


def comparison(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


CONDITIONS: list[dict[str, Any]] = [
    {},
    comparison("total", "ge", "20.00"),
    comparison("weekday", "in", ["6", "7"]),
    comparison("purchase_number", "le", 3),
    comparison("days_since_last", "ge", 2),
    comparison("tier", "eq", "silver"),
    comparison("member.language", "eq", "fi"),
]
LINES: list[dict[str, Any]] = [{}, comparison("category", "eq", "PASTRY")]

rules = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(
            [Effect.PER_AMOUNT, Effect.FIXED, Effect.MULTIPLIER, Effect.PER_UNIT, Effect.PER_LINE]
        ),
        "points": st.integers(1, 40),
        "qualifying": st.booleans(),
        "priority": st.integers(-5, 200),
        "conditions": st.sampled_from(CONDITIONS),
        "lines": st.sampled_from(LINES),
        "rounding": st.sampled_from(RuleRevision.Rounding.values),
        "stack_group": st.sampled_from(["", "a"]),
        "stacking": st.sampled_from(RuleRevision.Stacking.values),
        "cap_per_activity": st.none() | st.integers(1, 60),
        "over_cap": st.sampled_from(RuleRevision.OverCap.values),
        "cap_per_member": st.none() | st.integers(1, 200),
        "cap_period": st.sampled_from(RuleRevision.Period.values),
        "budget": st.none() | st.integers(1, 500),
        "cooldown_days": st.sampled_from([0, 0, 2]),
        "needs_activation": st.sampled_from([False, False, True]),
        "pending_days": st.sampled_from([0, 0, 5]),
    }
)
lines = st.builds(
    lambda category, cents, quantity: LineFacts(
        "sku", category, "Food", Decimal(quantity), Decimal(cents) / 100
    ),
    st.sampled_from(["PASTRY", "COFFEE"]),
    st.integers(0, 60_000),
    st.integers(1, 4),
)
happenings = st.tuples(
    st.integers(0, 1),  # whose
    st.integers(0, 24 * 40),  # hours after START at which it happened
    st.sampled_from([0, 0, 0, 30, 800]),  # hours until it was recorded
    st.sampled_from(["purchase", "purchase", "purchase", "visit"]),
    st.lists(lines, max_size=3).map(tuple),
)


def make_rule(number: int, facts: dict[str, Any]) -> EarningRule:
    """A rule in force from the beginning of time."""
    rule = EarningRule.objects.create(code=f"r{number}", names={"en": f"Rule {number}"})
    is_money, multiplies = facts["effect"] == Effect.PER_AMOUNT, facts["effect"] == Effect.MULTIPLIER
    RuleRevision.objects.create(
        rule=rule,
        number=1,
        wallet=Wallet.objects.get(is_default=True),
        valid_from=dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        amount=Decimal(3) if is_money else None,
        factor=Decimal("2.5") if multiplies else None,
        **facts,
    )
    terms.revised()
    return rule


def people() -> tuple[Partner, list[Member]]:
    """A partner, and two members of long standing, one of whom takes up every offer made so far."""
    ActivityKind.objects.filter(code="visit").update(rewarded_per_day=1)
    partner, _created = Partner.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
    long_ago = START - dt.timedelta(days=500)
    members = [
        enrol(NewMember(first_name=name, joined_at=long_ago, language=language), source="portal", at=START)
        for name, language in (("Aino", "fi"), ("Bo", "sv"))
    ]
    OfferActivation.objects.bulk_create(
        OfferActivation(rule=rule, member=members[0], activated_at=START + 200 * HOUR)
        for rule in EarningRule.objects.all()
    )
    return partner, members


def activity(
    partner: Partner,
    member: Member,
    number: int,
    occurred_at: dt.datetime,
    kind: str,
    lines: tuple[LineFacts, ...],
) -> NewActivity:
    return NewActivity(
        partner_id=partner.pk,
        member_id=member.pk,
        external_id=f"a{number}",
        kind=kind,
        occurred_at=occurred_at,
        currency="EUR",
        total=sum((line.total for line in lines), Decimal(0)),
        lines=lines,
    )
