"""Refunds undo exactly what the purchase gave, whatever happened in between."""

import datetime as dt
from decimal import Decimal

import pytest

from loyalty.models import Partner
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity, Member
from rewards import ledger
from rewards.earning import record_and_reward
from rewards.ledger import Balance, Why
from rewards.models import EarningRule, Refund, RefundPolicy, RuleRevision, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.refund_parts import Order, RefundRefused, Returned
from rewards.refunds import RefundConflict, RefundOutcome, decide, refund
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
    return enrol(NewMember(first_name="Aino", joined_at=NOON - 800 * DAY), source="portal", at=NOON)


def buy(partner: Partner, member: Member, *lines: tuple[str, str, str], at: dt.datetime = NOON) -> Activity:
    """Buy lines of (sku, quantity, total), or one of a total without lines: ("", "", total)."""
    total = sum((Decimal(line[2]) for line in lines), Decimal(0))
    facts = tuple(LineFacts(sku, sku.upper(), "FOOD", Decimal(q), Decimal(t)) for sku, q, t in lines if sku)
    outcome = record_and_reward(
        NewActivity(
            partner.pk, member.pk, f"r-{Activity.objects.count()}", "purchase", at, "EUR", total, lines=facts
        ),
        at=at,
    )
    return Activity.objects.get(public_id=outcome.activity_id)


def give_back(
    activity: Activity, order: Order = ALL, name: str = "f-1", at: dt.datetime = NOON
) -> RefundOutcome:
    return refund(activity_id=activity.pk, external_id=name, order=order, at=at)


def redeem(member: Member, points: int) -> int:
    return ledger.spend(
        member_id=member.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=points,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOON,
    )


def rule(code: str, **terms: object) -> RuleRevision:
    made = EarningRule.objects.create(code=code, names={"en": code})
    revision = RuleRevision.objects.create(
        rule=made,
        number=1,
        wallet=Wallet.objects.get(is_default=True),
        valid_from=NOON - 2000 * DAY,
        priority=20,
        **terms,
    )
    revised()
    return revision


def test_a_full_refund_takes_back_all_points(partner: Partner, member: Member) -> None:
    outcome = give_back(buy(partner, member, ("bread", "2", "42.50")))

    assert (outcome.points, outcome.amount, outcome.balance) == (42, Decimal("42.50"), Balance())
    assert verify(at=NOON) == []


def test_part_of_a_purchase_is_judged_again_without_what_came_back(partner: Partner, member: Member) -> None:
    activity = buy(partner, member, ("bread", "2", "5.50"), ("milk", "1", "1.50"))
    outcome = give_back(activity, Order(lines=(Returned("bread", Decimal(1)),)))

    assert outcome.amount == Decimal("2.75")
    assert outcome.points == 3  # 7 full euros became 4
    assert outcome.balance.available == 4


def test_partial_refunds_add_up_to_the_purchase_and_not_beyond(partner: Partner, member: Member) -> None:
    activity = buy(partner, member, ("bread", "3", "10.00"))
    first = give_back(activity, Order(lines=(Returned("bread", Decimal(1)),)), "f-1")
    second = give_back(activity, Order(amount=Decimal("3.33")), "f-2")
    with pytest.raises(RefundRefused) as refused:
        give_back(activity, Order(amount=Decimal("3.35")), "f-3")
    third = give_back(activity, ALL, "f-4")
    with pytest.raises(RefundRefused):
        give_back(activity, ALL, "f-5")

    assert refused.value.field == "amount"
    assert [first.amount, second.amount, third.amount] == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]
    assert first.points + second.points + third.points == 10
    assert third.balance == Balance()
    assert Refund.objects.count() == 3
    assert verify(at=NOON) == []


def test_points_already_spent_become_a_debt(partner: Partner, member: Member) -> None:
    activity = buy(partner, member, ("bread", "1", "100.00"))
    redeem(member, 70)
    outcome = give_back(activity)

    assert outcome.balance == Balance(available=0, pending=0, debt=70)
    again = buy(partner, member, ("bread", "1", "100.00"), at=NOON + DAY)
    assert give_back(again, name="f-2", at=NOON + DAY).balance == Balance(available=0, pending=0, debt=70)
    assert verify(at=NOON + DAY) == []


def test_the_tier_bonus_is_undone_under_the_tier_held_then(partner: Partner, member: Member) -> None:
    first = buy(partner, member, ("bread", "1", "1000.00"))
    second = buy(partner, member, ("bread", "1", "100.00"), at=NOON + DAY)
    give_back(first, name="f-1", at=NOON + 2 * DAY)
    outcome = give_back(second, Order(amount=Decimal("50.00")), "f-2", NOON + 3 * DAY)

    assert [(each.rule, each.points) for each in outcome.taken_back] == [("base", 50), ("tier bonus", 13)]
    assert outcome.balance.available == 50 + 12


def test_a_refund_is_judged_by_the_revision_that_granted(partner: Partner, member: Member) -> None:
    activity = buy(partner, member, ("bread", "2", "20.00"))
    RuleRevision.objects.filter(rule__code="base").update(valid_to=NOON + DAY)
    revision = RuleRevision.objects.get(rule__code="base")
    revision.pk, revision.number, revision.points = None, 2, 5
    revision.valid_from, revision.valid_to = NOON + DAY, None
    revision.save(force_insert=True)
    revised()
    outcome = give_back(activity, Order(lines=(Returned("bread", Decimal(1)),)), at=NOON + 2 * DAY)

    assert outcome.points == 10


def test_a_line_that_carried_a_bonus_takes_the_bonus_with_it(partner: Partner, member: Member) -> None:
    rule(
        "double bread",
        effect="multiplier",
        factor=Decimal(2),
        lines={"field": "sku", "op": "eq", "value": "bread"},
    )
    activity = buy(partner, member, ("bread", "1", "10.00"), ("milk", "1", "5.00"))
    assert Transfer.objects.count() == 2
    outcome = give_back(activity, Order(lines=(Returned("bread"),)))

    assert [(each.rule, each.points) for each in outcome.taken_back] == [("base", 10), ("double bread", 10)]
    assert outcome.balance.available == 5


def test_expired_points_are_not_taken_twice(partner: Partner, member: Member) -> None:
    activity = buy(partner, member, ("bread", "1", "30.00"))
    later = NOON + 1000 * DAY
    ledger.expire_due(at=later)
    outcome = give_back(activity, at=later)

    assert outcome.balance == Balance()
    assert verify(at=later) == []


def test_the_same_refund_again_gives_the_first_answer(partner: Partner, member: Member) -> None:
    activity = buy(partner, member, ("bread", "1", "30.00"))
    first, again = give_back(activity), give_back(activity)

    assert (again.replayed, again.refund_id, again.taken_back) == (True, first.refund_id, first.taken_back)
    with pytest.raises(RefundConflict):
        give_back(activity, Order(amount=Decimal(1)))


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (Order(lines=(Returned("cheese", Decimal(1)),)), "lines[0].sku"),
        (Order(lines=(Returned("bread", Decimal(3)),)), "lines[0].quantity"),
        (Order(lines=(Returned("bread"), Returned("bread"))), "lines"),
        (Order(amount=Decimal("30.01")), "amount"),
        (Order(amount=Decimal(0)), "amount"),
    ],
)
def test_what_was_not_bought_cannot_come_back(
    partner: Partner, member: Member, order: Order, field: str
) -> None:
    activity = buy(partner, member, ("bread", "2", "30.00"))
    with pytest.raises(RefundRefused) as refused:
        give_back(activity, order)

    assert refused.value.field == field
    assert not Refund.objects.exists()


def test_spent_points_are_forgiven_where_the_policy_says_so(partner: Partner, member: Member) -> None:
    RefundPolicy.objects.create(valid_from=NOON - DAY, spent="forgive")
    activity = buy(partner, member, ("bread", "1", "100.00"))
    redeem(member, 70)
    outcome = give_back(activity)

    assert (outcome.points, outcome.forgiven, outcome.balance) == (30, 70, Balance())
    assert verify(at=NOON) == []


@pytest.mark.parametrize(("forgive", "debt"), [(False, 70), (True, 0)])
def test_a_refund_of_spent_points_waits_for_staff_where_the_policy_says_so(
    partner: Partner, member: Member, django_user_model: type, forgive: bool, debt: int
) -> None:
    RefundPolicy.objects.create(valid_from=NOON - DAY, spent="hold")
    activity = buy(partner, member, ("bread", "1", "100.00"))
    redeem(member, 70)
    held = give_back(activity)
    assert (held.status, held.points, held.balance.available) == ("held", 0, 30)
    staff = django_user_model.objects.create_user("staff@example.com")
    decided = decide(refund_id=Refund.objects.get().pk, forgive=forgive, staff_id=staff.pk, at=NOON)

    assert (decided.status, decided.balance) == ("posted", Balance(available=0, pending=0, debt=debt))


def test_a_refund_frees_the_members_cap_again(partner: Partner, member: Member) -> None:
    rule("extra", effect="fixed", points=10, cap_per_member=10, cap_period="month")
    first = buy(partner, member, ("bread", "1", "1.00"))
    give_back(first)
    second = buy(partner, member, ("bread", "1", "1.00"), at=NOON + DAY)

    given = Transfer.objects.filter(activity=second).values_list("rule_revision__rule__code", "points")
    assert sorted(given) == [("base", 1), ("extra", 10)]
