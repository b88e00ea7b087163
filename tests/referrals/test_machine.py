"""Any order of purchases, refunds, news of them, settling and staff's decisions: once each side, and nothing left over.

After every step: no side has more than once, the cap holds. At the end everything is returned, what referrals gave nets
to zero, and the books are sound.
"""

import datetime as dt
import os
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from members.models import Activity, Member
from referrals import deeds, qualification, settling, states
from referrals.models import MilestoneReached, ProgrammeUse, Referral, ReferralGrant
from rewards import ledger
from rewards.ledger import InsufficientPoints, Why
from rewards.models import Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.refund_parts import Order, RefundRefused
from rewards.refunds import refund
from rewards.verification import verify
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.referrals import brought, points_for_referrals, programme
from tests.factories.rewards import purchase
from tests.factories.staff import staff

FRIENDS, CAP = 4, 2
REFERRER, FRIEND, MILESTONE = 100, 50, 300


class ReferralMachine(RuleBasedStateMachine):
    """One member with four friends; a cap of two, a milestone at two friends, a budget for three."""

    bought: Bundle[Any] = Bundle("bought")
    who = st.integers(0, FRIENDS - 1)

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = NOON
        self.counter = 0
        self.assess = qualification.assess
        self.score = 0
        qualification.assess = lambda ids, at: dict.fromkeys(ids, self.score)  # type: ignore[assignment]
        self.shop = PartnerFactory.create()
        self.staff = staff()
        self.terms = programme(
            cap=CAP,
            within_days=60,
            waiting_days=7,
            minimum_purchase=20,
            referrer_points=REFERRER,
            friend_points=FRIEND,
            milestones=[{"friends": 2, "points": MILESTONE, "voucher": None}],
            budget_points=2 * REFERRER + 3 * FRIEND + MILESTONE,
        )
        self.aino: Member = member()
        self.referrals = [brought(self.aino) for _number in range(FRIENDS)]

    def teardown(self) -> None:
        try:
            self.everything_is_returned()
        finally:
            qualification.assess = self.assess
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def everything_is_returned(self) -> None:
        for activity in Activity.objects.all():
            self.give_back(activity, Order(everything=True))
        qualification.on_refunds([each.friend_id for each in self.referrals], at=self.now)
        members = [self.aino, *(each.friend for each in self.referrals)]
        assert [points_for_referrals(each) for each in members] == [0] * (FRIENDS + 1)
        assert not ReferralGrant.objects.filter(reversed_at=None).exists()
        assert not MilestoneReached.objects.filter(reversed_at=None).exists()
        use = ProgrammeUse.objects.get(programme=self.terms.programme_id)
        assert (use.points, use.rewarded) == (0, 0)
        assert verify(at=self.now) == []

    @rule(
        target=bought,
        who=who,
        total=st.sampled_from([5, 20, 25, 60]),
        days_ago=st.integers(0, 5),
        tell=st.booleans(),
    )
    def buy(self, who: int, total: int, days_ago: int, tell: bool) -> Activity:
        at = max(self.now - dt.timedelta(days=days_ago), NOON)
        friend = self.referrals[who].friend
        outcome = purchase(friend, total=total, at=at, partner=self.shop)
        if tell:
            self.tell(who)
        return Activity.objects.get(public_id=outcome.activity_id)

    @rule(who=who)
    def tell(self, who: int) -> None:
        qualification.on_activities([(self.referrals[who].friend_id, NOON)], at=self.now)

    @rule(activity=bought, amount=st.sampled_from([None, 4, 30]), tell=st.booleans())
    def give_back_some(self, activity: Activity, amount: int | None, tell: bool) -> None:
        order = Order(everything=True) if amount is None else Order(amount=Decimal(amount))
        self.give_back(activity, order)
        if tell:
            self.tell_of_returns([each.friend_id for each in self.referrals].index(activity.member_id))

    def give_back(self, activity: Activity, order: Order) -> None:
        self.counter += 1
        try:
            refund(activity_id=activity.pk, external_id=f"back-{self.counter}", order=order, at=self.now)
        except RefundRefused:
            return

    @rule(who=who)
    def tell_of_returns(self, who: int) -> None:
        referral = self.referrals[who]
        qualification.on_refunds([referral.friend_id], at=self.now)
        referral.refresh_from_db()
        if referral.state in (*states.EARNED, "rewarded"):
            history = deeds.of([referral.pk])[referral.pk]
            assert qualification.judge(self.terms, history).qualifies

    @rule(days=st.sampled_from([1, 7, 30]))
    def wait(self, days: int) -> None:
        self.now += dt.timedelta(days=days)

    @rule(who=who)
    def settle(self, who: int) -> None:
        settling.settle_one(referral_id=self.referrals[who].pk, at=self.now)

    @rule()
    def lapse(self) -> None:
        settling.lapse_due(at=self.now)

    @rule(score=st.sampled_from([0, 0, 100]))
    def suspect(self, score: int) -> None:
        self.score = score

    @rule(who=who, state=st.sampled_from(["waiting", "rejected", "held"]))
    def decide(self, who: int, state: str) -> None:
        """Staff let it pass or reject it; a member appeals."""
        (referral,) = states.lock([self.referrals[who].pk])
        allowed = {"held": ("waiting", "rejected"), "rejected": ("held", "waiting")}
        if state in allowed.get(referral.state, ()):
            staff_id = None if state == "held" else self.staff.pk
            states.move(referral, state, at=self.now, staff_id=staff_id)

    @rule(points=st.sampled_from([40, 100]))
    def spend(self, points: int) -> None:
        try:
            ledger.spend(
                member_id=self.aino.pk,
                wallet_id=Wallet.objects.get(is_default=True).pk,
                points=points,
                kind=Transfer.Kind.REDEEM,
                to_kind=AccountKind.REDEEMED,
                why=Why(),
                at=self.now,
            )
        except InsufficientPoints:
            return

    @invariant()
    def each_side_gets_theirs_once_and_the_cap_holds(self) -> None:
        for referral in Referral.objects.all():
            given = points_for_referrals(referral.friend)
            assert given == (FRIEND if referral.state == "rewarded" else 0)
            assert (referral.state in ("joined", "purchased")) <= (referral.due_at is None)
        paid = ReferralGrant.objects.filter(side="referrer", reason="", reversed_at=None).count()
        reached = MilestoneReached.objects.filter(reversed_at=None).count()
        assert paid <= CAP
        assert points_for_referrals(self.aino) == paid * REFERRER + reached * MILESTONE
        use = ProgrammeUse.objects.get(programme=self.terms.programme_id)
        assert use.points <= (self.terms.budget_points or 0)
        rewarded = Referral.objects.filter(state="rewarded").count()
        assert (use.points, use.rewarded) == (
            paid * REFERRER + reached * MILESTONE + rewarded * FRIEND,
            rewarded,
        )


@pytest.mark.slow
@pytest.mark.django_db
def test_any_order_gives_each_side_once_and_takes_it_all_back() -> None:
    thorough = os.environ.get("KANTIS_THOROUGH") == "1"
    run_state_machine_as_test(
        ReferralMachine,
        settings=settings(
            max_examples=150 if thorough else 12,
            stateful_step_count=40 if thorough else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
