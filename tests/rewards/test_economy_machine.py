"""Any sequence of purchases, redemptions, expiry, maturing, revisions and refunds can be undone to nothing."""

import datetime as dt
import os
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from loyalty.models import Partner
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity
from rewards import ledger, terms, tier_review
from rewards.earning import record_and_reward
from rewards.ledger import InsufficientPoints, Why
from rewards.models import EarningRule, RuleRevision, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.refund_parts import Order, RefundRefused, Returned
from rewards.refunds import refund
from rewards.verification import verify_points

START = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
SKUS = ("bread", "milk", "coffee")
lines = st.lists(
    st.tuples(st.sampled_from(SKUS), st.integers(0, 3), st.integers(0, 60_000)), min_size=1, max_size=4
)
rule_terms = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["per_amount", "fixed", "multiplier", "per_unit", "per_line"]),
        "points": st.integers(1, 20),
        "amount": st.sampled_from([Decimal("1.00"), Decimal("2.50")]),
        "factor": st.sampled_from([Decimal("1.50"), Decimal(3)]),
        "rounding": st.sampled_from(["down", "nearest", "up"]),
        "lines": st.sampled_from([{}, {"field": "sku", "op": "eq", "value": "bread"}]),
        "stack_group": st.sampled_from(["", "g"]),
        "stacking": st.sampled_from(["add", "best", "exclusive"]),
        "cap_per_activity": st.sampled_from([None, 15]),
        "over_cap": st.sampled_from(["trim", "reject"]),
        "cap_per_member": st.sampled_from([None, 40]),
        "cap_period": st.sampled_from(["day", "month", "ever"]),
        "budget": st.sampled_from([None, 200]),
        "cooldown_days": st.sampled_from([0, 3]),
        "pending_days": st.sampled_from([0, 0, 5]),
        "qualifying": st.booleans(),
    }
)


class EconomyMachine(RuleBasedStateMachine):
    """One member; ``purchases`` are recorded activities."""

    purchases: Bundle[Any] = Bundle("purchases")

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = START
        self.partner = Partner.objects.create(slug="kauppa", name="Kauppa")
        self.member = enrol(NewMember(first_name="Aino"), source="portal", at=START)
        self.wallet = Wallet.objects.get(is_default=True)
        self.bought: list[Activity] = []
        self.spent: list[int] = []
        self.counter = 0

    def teardown(self) -> None:
        try:
            self.everything_undone_leaves_nothing()
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)
            terms.forget()

    def name(self) -> str:
        self.counter += 1
        return f"x-{self.counter}"

    @rule(target=purchases, basket=lines, late=st.integers(0, 3))
    def buy(self, basket: list[tuple[str, int, int]], late: int) -> Activity:
        facts = tuple(
            LineFacts(sku, sku.upper(), "FOOD", Decimal(quantity), Decimal(cents) / 100)
            for sku, quantity, cents in basket
        )
        outcome = record_and_reward(
            NewActivity(
                self.partner.pk,
                self.member.pk,
                self.name(),
                "purchase",
                self.now - dt.timedelta(days=late),
                "EUR",
                sum((line.total for line in facts), Decimal(0)),
                lines=facts,
            ),
            at=self.now,
        )
        activity = Activity.objects.get(public_id=outcome.activity_id)
        self.bought.append(activity)
        return activity

    @rule(points=st.integers(1, 400))
    def redeem(self, points: int) -> None:
        try:
            self.spent.append(
                ledger.spend(
                    member_id=self.member.pk,
                    wallet_id=self.wallet.pk,
                    points=points,
                    kind=Transfer.Kind.REDEEM,
                    to_kind=AccountKind.REDEEMED,
                    why=Why(),
                    at=self.now,
                )
            )
        except InsufficientPoints:
            return

    @rule(activity=purchases, cents=st.integers(1, 20_000))
    def refund_an_amount(self, activity: Activity, cents: int) -> None:
        self._refund(activity, Order(amount=Decimal(cents) / 100))

    @rule(activity=purchases, sku=st.sampled_from(SKUS), quantity=st.one_of(st.none(), st.integers(1, 3)))
    def refund_a_line(self, activity: Activity, sku: str, quantity: int | None) -> None:
        returned = Returned(sku, None if quantity is None else Decimal(quantity))
        self._refund(activity, Order(lines=(returned,)))

    def _refund(self, activity: Activity, order: Order) -> None:
        try:
            refund(activity_id=activity.pk, external_id=self.name(), order=order, at=self.now)
        except RefundRefused:
            return

    @rule(given=rule_terms, code=st.sampled_from(["extra", "more"]))
    def revise(self, given: dict[str, Any], code: str) -> None:
        made, _new = EarningRule.objects.get_or_create(code=code, defaults={"names": {"en": code}})
        latest = made.revisions.order_by("-number").first()
        if latest is not None and latest.valid_from >= self.now:
            return
        made.revisions.filter(valid_to=None).update(valid_to=self.now)
        given = {
            key: value for key, value in given.items() if key != "factor" or given["effect"] == "multiplier"
        }
        RuleRevision.objects.create(
            rule=made,
            number=(latest.number if latest else 0) + 1,
            wallet=self.wallet,
            valid_from=self.now,
            priority=20,
            conditions={},
            **given,
        )
        terms.revised()

    @rule(days=st.integers(1, 400))
    def time_passes(self, days: int) -> None:
        self.now += dt.timedelta(days=days)

    @rule()
    def night_falls(self) -> None:
        ledger.mature_due(at=self.now)
        ledger.expire_due(at=self.now)
        tier_review.review(at=self.now)

    @invariant()
    def the_ledger_is_sound(self) -> None:
        broken = [each for each in verify_points(at=self.now) if each.invariant != "D"]
        assert broken == []

    def everything_undone_leaves_nothing(self) -> None:
        """Refund every purchase and cancel every redemption: the member has, and owes, nothing."""
        for activity in self.bought:
            self._refund(activity, Order(everything=True))
        net = sum(
            -transfer.points if transfer.reverses_id else transfer.points
            for transfer in Transfer.objects.filter(activity__isnull=False, member=self.member)
            if transfer.kind in ("earn", "repayment", "reverse")
        )
        assert net == 0
        for spent in self.spent:
            ledger.reverse(transfer_id=spent, why=Why(), at=self.now)
        ledger.expire_due(at=self.now)
        balance = ledger.lock([self.member.pk], [self.wallet.pk]).balance(self.member.pk, self.wallet.pk)
        assert (balance.pending, balance.available - balance.debt) == (0, 0)
        self.the_ledger_is_sound()


@pytest.mark.django_db
@pytest.mark.slow
def test_what_purchases_gave_is_undone_by_refunding_them() -> None:
    thorough = os.environ.get("KANTIS_THOROUGH") == "1"
    run_state_machine_as_test(
        EconomyMachine,
        settings=settings(
            max_examples=400 if thorough else 40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
