"""When the waiting is over both sides get theirs, or neither; and a refund takes it back."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from loyalty.events.models import Event
from loyalty.runs import record
from members.models import Member
from members.privacy import erase
from referrals import granting, programmes, qualification, settling, states
from referrals.models import MilestoneReached, ProgrammeUse, Referral, ReferralCode, ReferralGrant
from rewards import ledger
from rewards.ledger import Why
from rewards.models import MemberBadge, Transfer, Voucher, Wallet
from rewards.models.ledger import AccountKind
from rewards.queries import balance_of
from rewards.verification import verify
from rewards.vouchers import using
from rewards.vouchers.worth import Purchase
from tests.factories.challenges import badge
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.referrals import (
    BEFORE,
    DAY,
    brought,
    buys,
    points_for_referrals,
    programme,
    returns,
    settle,
    spendable,
)
from tests.factories.vouchers import pooled, voucher_family

pytestmark = pytest.mark.django_db
DUE = NOON + 14 * DAY


@pytest.fixture
def aino() -> Member:
    return member()


@pytest.fixture(autouse=True)
def _books_stay_sound() -> Any:
    yield
    assert verify(at=NOON + 60 * DAY) == []


def ready(aino: Member, **facts: Any) -> Referral:
    referral = brought(aino, **facts)
    buys(referral)
    return referral


def test_both_sides_get_theirs_when_the_waiting_is_over(aino: Member) -> None:
    programme()
    referral = ready(aino)
    before = spendable(aino), spendable(referral.friend)
    assert settle(referral, at=DUE - dt.timedelta(seconds=1)) == "waiting"
    assert settle(referral, at=DUE) == "rewarded"
    assert (spendable(aino), spendable(referral.friend)) == (before[0] + 100, before[1] + 50)
    assert settle(referral, at=DUE) == "rewarded"
    assert (points_for_referrals(aino), points_for_referrals(referral.friend)) == (100, 50)
    assert referral.rewarded_at == referral.qualified_at == DUE
    told = Event.objects.filter(name__startswith="referral.").order_by("pk")
    assert [each.name for each in told] == ["referral.joined", "referral.qualified", "referral.rewarded"]
    assert {each.member_id for each in told} == {aino.pk}
    assert told[0].facts["friend"] == str(referral.friend.public_id)


def test_a_refund_takes_back_what_both_have_got(aino: Member) -> None:
    programme()
    referral = brought(aino)
    activity = buys(referral)
    settle(referral)
    returns(activity, at=NOON + 30 * DAY)
    referral.refresh_from_db()
    assert (referral.state, referral.reason) == ("reversed", "refunded")
    assert (points_for_referrals(aino), points_for_referrals(referral.friend)) == (0, 0)
    assert not ReferralGrant.objects.filter(reversed_at=None).exists()
    assert ProgrammeUse.objects.get(programme=referral.terms.programme).points == 0
    assert Event.objects.filter(name="referral.reversed").count() == 1
    qualification.on_refunds([referral.friend_id], at=NOON + 31 * DAY)
    buys(referral, at=NOON + 32 * DAY)
    assert referral.state == "reversed"
    assert points_for_referrals(aino) == 0


def test_what_was_spent_meanwhile_becomes_a_debt(aino: Member) -> None:
    programme()
    referral = brought(aino)
    activity = buys(referral)
    settle(referral)
    ledger.spend(
        member_id=aino.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=80,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOON + 21 * DAY,
    )
    returns(activity, at=NOON + 30 * DAY)
    assert (balance_of(aino, NOON).available, balance_of(aino, NOON).debt) == (0, 80)


def test_a_return_of_part_counts_by_what_is_left(aino: Member) -> None:
    programme(minimum_purchase=20)
    referral = brought(aino)
    activity = buys(referral, total=30)
    settle(referral)
    returns(activity, amount=Decimal("10.00"))
    referral.refresh_from_db()
    assert referral.state == "rewarded"
    returns(activity, amount=Decimal("0.01"))
    referral.refresh_from_db()
    assert (referral.state, points_for_referrals(aino)) == ("reversed", 0)


def test_a_reward_stands_while_another_purchase_qualifies(aino: Member) -> None:
    programme()
    referral = brought(aino)
    first, second = buys(referral), buys(referral, at=NOON + DAY)
    settle(referral)
    returns(first)
    referral.refresh_from_db()
    assert referral.state == "rewarded"
    returns(second)
    referral.refresh_from_db()
    assert referral.state == "reversed"


def test_vouchers_and_a_badge_come_with_it_and_go_with_it(aino: Member) -> None:
    gift, honour = voucher_family(), badge()
    programme(referrer_voucher_id=gift.pk, friend_voucher_id=gift.pk, referrer_badge_id=honour.pk)
    first, second = brought(aino), brought(aino)
    bought = [buys(first), buys(second)]
    assert [settle(first), settle(second)] == ["rewarded", "rewarded"]
    assert Voucher.objects.filter(member=aino, state="active").count() == 2
    assert Voucher.objects.filter(member=first.friend, state="active").count() == 1
    assert MemberBadge.objects.filter(member=aino, badge=honour).count() == 1
    returns(bought[0])
    assert Voucher.objects.filter(member=aino, state="active").count() == 1
    assert Voucher.objects.filter(member=first.friend, state="cancelled").count() == 1
    assert MemberBadge.objects.filter(member=aino, badge=honour).exists()
    returns(bought[1])
    assert not MemberBadge.objects.filter(member=aino, badge=honour).exists()


def test_without_a_voucher_left_nobody_gets_anything_until_there_is_one(aino: Member) -> None:
    pool = voucher_family(source="pool")
    programme(friend_voucher_id=pool.pk)
    referral = ready(aino)
    assert settle(referral, at=DUE) == "qualified"
    assert (referral.reason, referral.due_at) == ("voucher", DUE + settling.RETRY_AFTER)
    assert points_for_referrals(aino) == points_for_referrals(referral.friend) == 0
    settle(referral, at=DUE + settling.RETRY_AFTER)
    assert referral.steps.filter(state="qualified").count() == 1
    pooled(pool, "ABC-1")
    assert settle(referral, at=DUE + 3 * settling.RETRY_AFTER) == "rewarded"
    assert (points_for_referrals(aino), Voucher.objects.get().member) == (100, referral.friend)


def test_a_failure_of_the_second_grant_takes_the_first_with_it(
    aino: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    gift = voucher_family()
    programme(referrer_voucher_id=gift.pk, friend_voucher_id=gift.pk)
    referral = ready(aino)
    issue, calls = granting.issuing.issue, []

    def fail_second(**facts: Any) -> Any:
        calls.append(facts["member_id"])
        if len(calls) == 2:
            raise RuntimeError("no")
        return issue(**facts)

    monkeypatch.setattr(granting.issuing, "issue", fail_second)
    with record.run("test", at=DUE) as run:
        settling.settle_due(at=DUE, run=run)
    referral.refresh_from_db()
    assert (run.row.failed, referral.state, len(calls)) == (1, "waiting", 2)
    assert not Voucher.objects.exists()
    assert not Transfer.objects.filter(source__startswith="referral").exists()
    assert not ReferralGrant.objects.exists()
    monkeypatch.undo()
    assert settle(referral) == "rewarded"


def test_a_full_cap_leaves_the_friend_theirs_and_says_why(aino: Member) -> None:
    programme(cap=1)
    first, second = ready(aino), ready(aino)
    settle(first)
    assert settle(second) == "rewarded"
    assert second.reason == "cap"
    grant = second.grants.get(side="referrer")
    assert (grant.points, grant.reason, points_for_referrals(aino)) == (0, "cap", 100)
    assert points_for_referrals(second.friend) == 50


def test_a_cap_of_a_period_opens_again(aino: Member) -> None:
    programme(cap_per_period=1, cap_period_days=7)
    first, second, third = ready(aino), ready(aino), ready(aino)
    settle(first, at=DUE)
    settle(second, at=DUE + 6 * DAY)
    settle(third, at=DUE + 7 * DAY)
    assert [first.reason, second.reason, third.reason] == ["", "cap", ""]
    assert points_for_referrals(aino) == 200


def test_what_a_refund_gave_back_makes_room_under_the_cap(aino: Member) -> None:
    programme(cap=1)
    first, second = brought(aino), ready(aino)
    activity = buys(first)
    settle(first)
    returns(activity)
    settle(second)
    assert (second.reason, points_for_referrals(aino)) == ("", 100)


def test_an_empty_budget_gives_neither_side_and_waits_for_a_larger_one(aino: Member) -> None:
    terms = programme(budget_points=299)
    first, second = ready(aino), ready(aino)
    settle(first)
    assert settle(second) == "qualified"
    assert (second.reason, second.due_at) == ("budget", None)
    assert not second.grants.exists()
    programmes.revise(programme_id=terms.programme_id, at=NOON + 25 * DAY, budget_points=300)
    assert settle(second, at=NOON + 26 * DAY) == "rewarded"
    assert ProgrammeUse.objects.get(programme=terms.programme).points == 300


def test_points_that_came_back_to_the_budget_reward_who_waits_for_it(aino: Member) -> None:
    programme(budget_points=150)
    first, second = brought(aino), ready(aino)
    activity = buys(first)
    settle(first)
    assert settle(second) == "qualified"
    returns(activity, at=NOON + 21 * DAY)
    assert settle(second, at=NOON + 21 * DAY) == "rewarded"


def test_milestones_come_with_the_friend_who_reaches_them_and_go_when_one_is_undone(aino: Member) -> None:
    gift = voucher_family()
    programme(milestones=[{"friends": 2, "points": 500, "voucher": gift.pk}])
    first, second, third = brought(aino), ready(aino), ready(aino)
    activity = buys(first)
    settle(first)
    assert not MilestoneReached.objects.exists()
    settle(second)
    assert points_for_referrals(aino) == 100 + 100 + 500
    assert Voucher.objects.filter(member=aino, state="active").count() == 1
    returns(activity)
    assert points_for_referrals(aino) == 100
    assert not Voucher.objects.filter(member=aino, state="active").exists()
    settle(third)
    assert points_for_referrals(aino) == 100 + 100 + 500
    assert MilestoneReached.objects.filter(reversed_at=None).count() == 1


def test_a_milestone_whose_voucher_was_used_brings_no_second_one(aino: Member) -> None:
    gift = voucher_family()
    programme(milestones=[{"friends": 1, "points": 0, "voucher": gift.pk}])
    first, second = brought(aino), ready(aino)
    activity = buys(first)
    settle(first)
    voucher = Voucher.objects.get(member=aino)
    partner = PartnerFactory.create()
    asked = using.Asked(
        code=voucher.code, partner_id=partner.pk, checkout="1", purchase=Purchase(Decimal(20))
    )
    using.redeem(asked, at=NOON + 21 * DAY)
    returns(activity)
    settle(second)
    assert list(Voucher.objects.filter(member=aino)) == [voucher]
    assert MilestoneReached.objects.get(reversed_at=None).voucher_id == voucher.pk


def test_a_member_who_left_gets_nothing_and_their_friend_still_does(aino: Member) -> None:
    programme(milestones=[{"friends": 1, "points": 500, "voucher": None}])
    referral = ready(aino)
    erase(member_id=aino.pk, source="staff", at=NOON)
    assert settle(referral) == "rewarded"
    assert (referral.reason, points_for_referrals(aino)) == ("left", 0)
    assert points_for_referrals(referral.friend) == 50
    assert not MilestoneReached.objects.exists()


def test_what_a_member_wrote_goes_with_them(aino: Member) -> None:
    programme()
    referral = brought(aino)
    Referral.objects.update(appeal="We are two people.", appealed_at=NOON)
    erase(member_id=aino.pk, source="staff", at=NOON)
    referral.refresh_from_db()
    assert (referral.appeal, referral.appealed_at) == ("", NOON)
    assert not ReferralCode.objects.filter(member=aino).exists()


def test_a_friend_who_left_brings_nothing(aino: Member) -> None:
    programme()
    told, untold = ready(aino), ready(aino)
    for each in (told, untold):
        erase(member_id=each.friend_id, source="staff", at=NOON)
    assert settling.leave(member_id=told.friend_id, at=NOON) == 1
    assert settling.leave(member_id=told.friend_id, at=NOON) == 0
    told.refresh_from_db()
    assert (told.state, told.reason, settle(told)) == ("lapsed", "left", "lapsed")
    assert (settle(untold), untold.reason) == ("lapsed", "left")
    assert points_for_referrals(aino) == 0


def scored(monkeypatch: pytest.MonkeyPatch, score: int) -> None:
    monkeypatch.setattr(qualification, "assess", lambda ids, _at: dict.fromkeys(ids, score))


def test_what_looks_like_fraud_is_held_and_let_through_by_staff(
    aino: Member, monkeypatch: pytest.MonkeyPatch, admin_user: Any
) -> None:
    programme(hold_from=80)
    scored(monkeypatch, 80)
    referral = ready(aino)
    assert (referral.state, referral.score) == ("held", 80)
    assert settle(referral) == "held"
    with_lock = states.lock([referral.pk])[0]
    states.move(with_lock, "waiting", at=NOON, staff_id=admin_user.pk, note="same household, two people")
    assert settle(referral) == "rewarded"
    step = referral.steps.get(staff=admin_user)
    assert (step.state, step.note) == ("waiting", "same household, two people")


def test_fraud_that_shows_while_waiting_holds_it_at_the_end(
    aino: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    programme(hold_from=80)
    referral = ready(aino)
    scored(monkeypatch, 79)
    other = ready(aino)
    scored(monkeypatch, 80)
    assert (settle(referral), referral.score) == ("held", 80)
    scored(monkeypatch, 79)
    assert (settle(other), other.score) == ("rewarded", 79)


def test_a_return_undoes_what_is_held_too(aino: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    programme()
    scored(monkeypatch, 100)
    referral = brought(aino)
    activity = buys(referral)
    returns(activity)
    referral.refresh_from_db()
    assert (referral.state, referral.reason) == ("joined", "refunded")


def test_a_deadlock_is_left_to_the_next_tick(aino: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    programme()
    referral = ready(aino)

    def quarrel(*_args: Any, **_facts: Any) -> None:
        raise OperationalError from DeadlockDetected()

    monkeypatch.setattr(granting, "give", quarrel)
    with record.run("test", at=DUE) as run:
        settling.settle_due(at=DUE, run=run)
    referral.refresh_from_db()
    assert (run.row.skipped, run.row.failed, referral.state) == (1, 0, "waiting")


def test_the_tick_settles_what_is_due_and_lapses_what_is_over(aino: Member) -> None:
    programme(within_days=14)
    due, late = ready(aino), brought(aino)
    early = brought(aino, at=NOON + 10 * DAY)
    buys(early, at=NOON + 10 * DAY)
    with record.run("test", at=DUE) as run:
        settling.settle_due(at=DUE, run=run)
    found = {each.pk: each.state for each in Referral.objects.all()}
    assert found == {due.pk: "rewarded", late.pk: "lapsed", early.pk: "waiting"}
    assert (run.row.done, run.row.failed) == (2, 0)
    assert not settling.has_due(at=DUE)


def test_staff_take_back_what_turns_out_to_be_fraud(aino: Member, admin_user: Any) -> None:
    programme()
    referral = ready(aino)
    settle(referral)
    facts = {"referral_id": referral.pk, "at": NOON + 30 * DAY, "reason": "fraud", "note": "one person"}
    assert settling.take_back(**facts, staff_id=admin_user.pk)
    assert not settling.take_back(**facts, staff_id=admin_user.pk)
    referral.refresh_from_db()
    assert (referral.state, referral.decided_by, points_for_referrals(aino)) == ("reversed", admin_user, 0)


def test_terms_revised_later_do_not_change_what_a_friend_joined_for(aino: Member) -> None:
    terms = programme(at=BEFORE)
    early = ready(aino)
    programmes.revise(programme_id=terms.programme_id, at=NOON + DAY, referrer_points=10)
    late = brought(aino, at=NOON + 2 * DAY)
    buys(late, at=NOON + 2 * DAY)
    settle(early)
    assert points_for_referrals(aino) == 100
    settle(late)
    assert points_for_referrals(aino) == 110


def test_a_step_that_cannot_follow_is_refused_and_writes_nothing(aino: Member) -> None:
    programme()
    referral = ready(aino)
    (locked,) = states.lock([referral.pk])
    with pytest.raises(states.StepRefused):
        states.move(locked, "rewarded", at=NOON)
    referral.refresh_from_db()
    assert (referral.state, referral.steps.count()) == ("waiting", 2)
