"""What hurts users of other systems, case by case (refunds, expiry, tiers, retries), and does not happen here."""

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import connections

from loyalty.models import Partner
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity, Member, Tier, TierChange
from rewards import ledger, tier_review
from rewards.earning import Outcome, record_and_reward
from rewards.ledger import Balance, Why
from rewards.models import EarningRule, RuleRevision, TierLevel, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.queries import balance_of
from rewards.refund_parts import Order, RefundRefused, Returned
from rewards.refunds import RefundOutcome, refund
from rewards.revisions import NewLevel, RuleTerms, revise_expiry, revise_rule, revise_tiers
from rewards.terms import revised
from rewards.verification import verify

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
ALL = Order(everything=True)


@pytest.fixture
def partner() -> Partner:
    return Partner.objects.create(slug="kauppa", name="Kauppa")


@pytest.fixture
def member() -> Member:
    return enrol(NewMember(first_name="Aino", joined_at=NOON - 2000 * DAY), source="portal", at=NOON)


def new(
    partner: Partner, member: Member, name: str, total: str, at: dt.datetime, *lines: LineFacts
) -> NewActivity:
    return NewActivity(partner.pk, member.pk, name, "purchase", at, "EUR", Decimal(total), lines=tuple(lines))


def buy(
    partner: Partner, member: Member, name: str, total: str, *lines: LineFacts, at: dt.datetime = NOON
) -> Activity:
    outcome = record_and_reward(new(partner, member, name, total, at, *lines), at=at)
    return Activity.objects.get(public_id=outcome.activity_id)


def give_back(
    activity: Activity, order: Order = ALL, *, name: str = "f-1", at: dt.datetime = NOON
) -> RefundOutcome:
    return refund(activity_id=activity.pk, external_id=name, order=order, at=at)


def redeem(member: Member, points: int, at: dt.datetime = NOON) -> None:
    ledger.spend(
        member_id=member.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=points,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=at,
    )


def available(member: Member, at: dt.datetime = NOON) -> int:
    return balance_of(member, at).available


# --- Refunds ----------------------------------------------------------------------------------------------------------


def test_a_refund_does_not_keep_the_points(partner: Partner, member: Member) -> None:
    """odoo PR 257854: the returned order's points stayed with the customer."""
    activity = buy(
        partner, member, "r-1", "42.00", LineFacts("bread", "BREAD", "FOOD", Decimal(2), Decimal(42))
    )
    give_back(activity, Order(lines=(Returned("bread", Decimal(1)),)))
    assert available(member) == 21
    give_back(activity, name="f-2")
    assert available(member) == 0


def test_a_refund_does_not_take_the_points_twice(partner: Partner, member: Member) -> None:
    """odoo PR 212922: refunded at the till and again by the back office."""
    buy(partner, member, "r-0", "100.00")
    activity = buy(partner, member, "r-1", "42.00")
    first, again = give_back(activity), give_back(activity)
    assert (first.points, again.points, again.replayed) == (42, 42, True)
    with pytest.raises(RefundRefused):
        give_back(activity, name="back office")
    with pytest.raises(RefundRefused):
        give_back(activity, Order(amount=Decimal("0.01")), name="back office")
    assert available(member) == 100
    assert verify(at=NOON) == []


def test_a_refund_is_not_computed_with_todays_rule(partner: Partner, member: Member) -> None:
    """Smile.io help 4036183: after the rule was raised, a refund took more than the purchase gave."""
    activity = buy(partner, member, "r-1", "40.00")
    rule = EarningRule.objects.get(code="base")
    now_fivefold = RuleTerms.of(rule.revisions.get())
    revise_rule(
        rule_id=rule.pk,
        rule_terms=RuleTerms(
            wallet_id=now_fivefold.wallet_id,
            effect="per_amount",
            amount=Decimal(1),
            points=5,
            qualifying=True,
            conditions=now_fivefold.conditions,
        ),
        at=NOON + DAY,
    )
    half = give_back(activity, Order(amount=Decimal("20.00")), at=NOON + 2 * DAY)
    assert (half.points, half.balance.available) == (20, 20)


def test_a_rule_that_was_switched_off_is_still_undone(partner: Partner, member: Member) -> None:
    """The same the other way round: a rule that ended since must not leave its points behind."""
    rule = EarningRule.objects.create(code="extra", names={"en": "Extra"})
    wallet_id = Wallet.objects.get(is_default=True).pk
    terms = RuleTerms(wallet_id=wallet_id, effect="fixed", points=30, priority=100)
    revise_rule(rule_id=rule.pk, rule_terms=terms, at=NOON - DAY)
    activity = buy(partner, member, "r-1", "10.00")
    EarningRule.objects.filter(pk=rule.pk).update(is_active=False)
    RuleRevision.objects.filter(rule=rule).update(valid_to=NOON + DAY)
    assert give_back(activity, at=NOON + 2 * DAY).points == 40


def test_what_is_kept_is_not_lost_because_its_rule_was_switched_off(partner: Partner, member: Member) -> None:
    """The rule asks for the weekday; a refund of half still finds that the other half was bought on a Tuesday."""
    rule = EarningRule.objects.create(code="extra", names={"en": "Extra"})
    terms = RuleTerms(
        wallet_id=Wallet.objects.get(is_default=True).pk,
        effect="per_amount",
        amount=Decimal(1),
        priority=100,
        conditions={"field": "weekday", "op": "eq", "value": "2"},
    )
    revise_rule(rule_id=rule.pk, rule_terms=terms, at=NOON - DAY)
    activity = buy(partner, member, "r-1", "10.00")
    EarningRule.objects.filter(pk=rule.pk).update(is_active=False)
    revised()
    assert give_back(activity, Order(amount=Decimal(4))).points == 8
    assert available(member) == 12


def test_a_refund_after_spending_neither_fails_nor_hides_the_loss(partner: Partner, member: Member) -> None:
    """Elsewhere the balance goes below zero without a trace, or the refund is refused at the till."""
    activity = buy(partner, member, "r-1", "100.00")
    redeem(member, 100)
    assert give_back(activity).balance == Balance(available=0, pending=0, debt=100)


# --- Lots and expiry --------------------------------------------------------------------------------------------------


def shorter_expiry(months: int | None, at: dt.datetime) -> None:
    revise_expiry(wallet_id=Wallet.objects.get(is_default=True).pk, months=months, rounding="exact", at=at)


def test_the_balance_does_not_collapse_when_old_points_expire_that_were_spent(
    partner: Partner, member: Member
) -> None:
    """FloCafe 78: spending was not matched to lots, so expiry took points that were spent long ago once more."""
    shorter_expiry(1, NOON - 60 * DAY)
    buy(partner, member, "r-1", "50.00", at=NOON - 25 * DAY)
    buy(partner, member, "r-2", "50.00", at=NOON - 5 * DAY)
    redeem(member, 60, at=NOON - 4 * DAY)
    ledger.expire_due(at=NOON + 10 * DAY)
    assert available(member, NOON + 10 * DAY) == 40
    ledger.expire_due(at=NOON + 30 * DAY)
    assert available(member, NOON + 30 * DAY) == 0
    assert verify(at=NOON + 30 * DAY) == []


def test_every_coming_expiry_is_shown_and_not_only_the_earliest(partner: Partner, member: Member) -> None:
    """FloCafe 62."""
    shorter_expiry(1, NOON - 60 * DAY)
    for number, back in enumerate((20, 10, 0)):
        buy(partner, member, f"r-{number}", f"{10 * (number + 1)}.00", at=NOON - back * DAY)
    expiring = balance_of(member, NOON).expiring
    assert [each.points for each in expiring] == [10, 20, 30]
    assert [each.expires_at for each in expiring] == sorted(each.expires_at for each in expiring)


def test_a_new_expiry_policy_does_not_hit_points_already_earned(partner: Partner, member: Member) -> None:
    buy(partner, member, "r-1", "50.00")
    shorter_expiry(1, NOON + DAY)
    buy(partner, member, "r-2", "30.00", at=NOON + 2 * DAY)
    ledger.expire_due(at=NOON + 90 * DAY)
    assert available(member, NOON + 90 * DAY) == 50


def test_a_refund_of_expired_points_takes_nothing_else(partner: Partner, member: Member) -> None:
    shorter_expiry(1, NOON - DAY)
    old = buy(partner, member, "r-1", "50.00")
    buy(partner, member, "r-2", "30.00", at=NOON + 20 * DAY)
    ledger.expire_due(at=NOON + 40 * DAY)
    outcome = give_back(old, at=NOON + 40 * DAY)
    assert outcome.balance == Balance(available=30, pending=0, debt=0)


# --- Tiers ------------------------------------------------------------------------------------------------------------


def tier_of(member: Member) -> str:
    return Member.objects.select_related("tier").get(pk=member.pk).tier.code


def test_the_minimum_of_a_tier_is_not_ignored(partner: Partner, member: Member) -> None:
    """erpnext 14930: everybody got the highest tier for years."""
    for name, total, tier in (
        ("r-1", "999.00", "bronze"),
        ("r-2", "1.00", "silver"),
        ("r-3", "3999.00", "silver"),
        ("r-4", "1.00", "gold"),
    ):
        buy(partner, member, name, total)
        assert tier_of(member) == tier, name


def test_a_tier_is_inserted_between_two_others_without_cleaning_data(
    partner: Partner, member: Member
) -> None:
    buy(partner, member, "r-1", "3000.00")
    Tier.objects.filter(code="gold").update(rank=3)
    ruby = Tier.objects.create(code="ruby", names={"en": "Ruby"}, rank=2)
    rows = [
        (level.tier_id, level.threshold, level.multiplier)
        for level in TierLevel.objects.order_by("threshold")
    ]
    rows.insert(2, (ruby.pk, 2500, Decimal("1.4")))
    levels = [
        NewLevel(tier_id=tier_id, threshold=threshold, multiplier=multiplier)
        for tier_id, threshold, multiplier in rows
    ]
    revise_tiers(window_days=365, levels=levels, at=NOON + DAY)
    tier_review.review(at=NOON + 2 * DAY)

    assert tier_of(member) == "ruby"
    moves = TierChange.objects.filter(member=member).order_by("pk")
    assert [(move.from_tier and move.from_tier.code, move.to_tier.code) for move in moves][-1] == (
        "silver",
        "ruby",
    )
    assert verify(at=NOON + 2 * DAY) == []


# --- Retries ----------------------------------------------------------------------------------------------------------


def test_a_till_that_was_offline_and_sends_again_does_not_double_points(
    partner: Partner, member: Member
) -> None:
    """OCA/pos PR 185."""
    receipt = new(partner, member, "r-1", "42.00", NOON - 3 * DAY)
    answers = [record_and_reward(receipt, at=NOON + number * DAY) for number in range(3)]
    assert [answer.replayed for answer in answers] == [False, True, True]
    assert {answer.activity_id for answer in answers} == {answers[0].activity_id}
    assert available(member) == 42


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_till_that_sends_the_same_receipt_many_times_at_once_does_not_double_points() -> None:
    partner = Partner.objects.create(slug="kauppa", name="Kauppa")
    member = enrol(NewMember(first_name="Aino", joined_at=NOON - DAY), source="portal", at=NOON)
    answers: list[Outcome] = []

    def send() -> None:
        try:
            answers.append(record_and_reward(new(partner, member, "r-1", "42.00", NOON), at=NOON))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 9
    assert (Activity.objects.count(), Transfer.objects.count()) == (1, 1)
