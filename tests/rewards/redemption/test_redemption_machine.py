"""Any order of reserving, issuing, fulfilling, cancelling, expiring and refunding keeps ledger, stock and limits."""

import datetime as dt
import os
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from loyalty.models import Partner
from members.enrolment import NewMember, enrol
from members.models import Activity, Member
from rewards import ledger, terms
from rewards.ledger import Grant, Why
from rewards.models import (
    LotGrace,
    Redemption,
    RedemptionTerms,
    Reward,
    RewardStock,
    Transfer,
    Voucher,
    VoucherFamily,
)
from rewards.redemption import ending, upkeep
from rewards.redemption.placing import pay_with_points, place
from rewards.redemption.refusals import Refused
from rewards.refund_parts import Order, RefundRefused
from rewards.refunds import refund
from rewards.verification import verify
from rewards.vouchers import using
from rewards.vouchers.refusals import Refusal
from rewards.vouchers.worth import Purchase
from tests.factories.rewards import purchase

START = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
PIECES, EACH, IN_ALL = 3, 2, 4
State = Redemption.State


class RedemptionMachine(RuleBasedStateMachine):
    """Two members; a scarce mug that is collected, a voucher that is limited, and points as money."""

    made: Bundle[Any] = Bundle("made")
    bought: Bundle[Any] = Bundle("bought")
    who = st.integers(0, 1)
    what = st.sampled_from(["mug", "voucher", "money"])

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = START
        self.counter = 0
        self.checkouts: dict[int, str] = {}
        self.partner = Partner.objects.create(slug="kauppa", name="Kauppa")
        self.members: list[Member] = [
            enrol(NewMember(first_name=name), source="portal", at=START) for name in ("Aino", "Eero")
        ]
        self.wallet_id = terms.current().default_wallet_id
        RedemptionTerms.objects.create(valid_from=START, point_value="0.01", least_points=1, grace_days=5)
        mug = Reward.objects.create(
            code="mug",
            kind="product",
            names={"en": "Mug"},
            fulfilment="collect",
            points=60,
            is_active=True,
            collect_days=3,
        )
        RewardStock.objects.create(reward=mug, total=PIECES)
        family = VoucherFamily.objects.create(code="five", names={"en": "Five"}, kind="amount", value=5)
        voucher = Reward.objects.create(
            code="voucher",
            kind="discount",
            names={"en": "Five euros"},
            fulfilment="voucher",
            voucher_family=family,
            points=40,
            is_active=True,
            limit_per_member=EACH,
            limit_per_member_period="ever",
            limit_in_all=IN_ALL - 1,
            limit_in_all_period="ever",
        )
        self.rewards = {"mug": mug.pk, "voucher": voucher.pk}

    def teardown(self) -> None:
        try:
            self.everything_cancelled_brings_every_point_back()
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)
            terms.forget()

    def name(self) -> str:
        self.counter += 1
        return f"x-{self.counter}"

    @rule(who=who, points=st.integers(1, 200), days=st.one_of(st.none(), st.integers(1, 20)))
    def grant(self, who: int, points: int, days: int | None) -> None:
        expires_at = None if days is None else self.now + dt.timedelta(days=days)
        member_id = self.members[who].pk
        grant = Grant(member_id, self.wallet_id, points, self.now, expires_at, why=Why(source="test"))
        ledger.post_grants([grant], at=self.now)

    @rule(target=bought, who=who, euros=st.integers(1, 150))
    def buy(self, who: int, euros: int) -> Activity:
        done = purchase(
            self.members[who], total=euros, at=self.now, partner=self.partner, external_id=self.name()
        )
        return Activity.objects.get(public_id=done.activity_id)

    @rule(activity=bought)
    def refund(self, activity: Activity) -> None:
        try:
            refund(
                activity_id=activity.pk, external_id=self.name(), order=Order(everything=True), at=self.now
            )
        except RefundRefused:
            return

    @rule(target=made, who=who, what=what, points=st.integers(1, 100))
    def redeem(self, who: int, what: str, points: int) -> int:
        common: dict[str, Any] = {
            "member_id": self.members[who].pk,
            "via": "api",
            "at": self.now,
            "partner_id": self.partner.pk,
            "external_id": self.name(),
        }
        before = self.counted()
        try:
            if what == "money":
                return pay_with_points(points=points, **common).redemption.pk
            return place(reward_id=self.rewards[what], **common).redemption.pk
        except Refused:
            assert self.counted() == before
            return 0

    def counted(self) -> tuple[int, int]:
        spent = Transfer.objects.filter(kind=Transfer.Kind.REDEEM)
        return Redemption.objects.count(), spent.count()

    @rule(id_=made, via=st.sampled_from(["portal", "api", "staff"]))
    def cancel(self, id_: int, via: str) -> None:
        self.attempt(ending.cancel, id_, via=via)

    @rule(id_=made)
    def fulfil(self, id_: int) -> None:
        self.attempt(ending.fulfil, id_, via="staff")

    @rule(id_=made, used=st.booleans())
    def use_the_voucher(self, id_: int, used: bool) -> None:
        """A till uses the voucher up, or rolls that back; the redemption hears of it."""
        voucher = Voucher.objects.filter(redemption=id_).first()
        if voucher is None:
            return
        asked = using.Asked(
            code=voucher.code,
            partner_id=self.partner.pk,
            checkout=self.name() if used else self.checkouts.get(id_, ""),
        )
        try:
            if used:
                using.redeem(replace(asked, purchase=Purchase(total=Decimal(20))), at=self.now)
                self.checkouts[id_] = asked.checkout
            else:
                using.roll_back(asked, at=self.now)
        except Refusal:
            return
        ending.follow_voucher(redemption_id=id_, at=self.now, partner_id=self.partner.pk)

    def attempt(self, work: Any, id_: int, **facts: Any) -> None:
        if not id_:
            return
        before = Redemption.objects.get(pk=id_).state
        try:
            work(redemption_id=id_, at=self.now, **facts)
        except Refused:
            assert Redemption.objects.get(pk=id_).state == before

    @rule(days=st.integers(1, 8))
    def time_passes(self, days: int) -> None:
        self.now += dt.timedelta(days=days)

    @rule()
    def the_upkeep_comes(self) -> None:
        ledger.expire_due(at=self.now)
        upkeep.lapse_due(at=self.now)

    @invariant()
    def the_books_are_sound(self) -> None:
        broken = [f"{each.invariant} {each.table}: {each.problem}" for each in verify(at=self.now)]
        assert broken == []

    @invariant()
    def stock_and_limits_hold(self) -> None:
        holding = Redemption.objects.filter(state__in=ending.HOLDING)
        assert holding.filter(reward=self.rewards["mug"]).count() <= PIECES
        vouchers = holding.filter(reward=self.rewards["voucher"])
        assert vouchers.count() <= IN_ALL - 1
        for each in self.members:
            assert vouchers.filter(member=each).count() <= EACH

    def everything_cancelled_brings_every_point_back(self) -> None:
        """What ended has all its points back in lots of its own member; none live past the last grace."""
        for row in Redemption.objects.filter(state__in=ending.HOLDING):
            self.attempt(ending.cancel, row.pk, via="staff")
        self.the_books_are_sound()
        held = sum(row.points for row in Redemption.objects.filter(state__in=ending.HOLDING))
        spent = ledger_sum("redeemed")
        assert spent == held
        for grace in LotGrace.objects.select_related("lot"):
            assert grace.until > grace.expired_at


def ledger_sum(kind: str) -> int:
    """What stands on the programme's account of that kind."""
    came = Transfer.objects.filter(to_account__kind=kind).values_list("points", flat=True)
    went = Transfer.objects.filter(from_account__kind=kind).values_list("points", flat=True)
    return sum(came) - sum(went)


@pytest.mark.django_db
@pytest.mark.slow
def test_any_interleaving_keeps_ledger_stock_and_limits() -> None:
    thorough = os.environ.get("KANTIS_THOROUGH") == "1"
    run_state_machine_as_test(
        RedemptionMachine,
        settings=settings(
            max_examples=300 if thorough else 20,
            stateful_step_count=60 if thorough else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
