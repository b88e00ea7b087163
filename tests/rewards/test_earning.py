"""The main way: what a purchase gives, under the default programme."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from loyalty.models import Partner
from members.activities import ActivityConflict, LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity, ActivityLine, Member, Product, TierChange
from rewards import tier_review
from rewards.earning import Outcome, Reason, record_and_reward, record_and_reward_many
from rewards.grants import adjust, grant_once
from rewards.ledger import Balance, InsufficientPoints
from rewards.models import Lot, RuleRevision, Transfer
from rewards.terms import revised
from rewards.verification import verify

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def partner() -> Partner:
    return Partner.objects.create(slug="kauppa", name="Kauppa")


@pytest.fixture
def member() -> Member:
    return enrol(NewMember(first_name="Aino", joined_at=NOON - 800 * DAY), source="portal", at=NOON)


def purchase(
    partner: Partner, member: Member, external_id: str, total: str, at: dt.datetime = NOON, **facts: object
) -> NewActivity:
    return NewActivity(
        partner_id=partner.pk,
        member_id=member.pk,
        external_id=external_id,
        kind=str(facts.pop("kind", "purchase")),
        occurred_at=at,
        currency="EUR",
        total=Decimal(total),
        **facts,  # type: ignore[arg-type]
    )


def lines(*totals: str) -> tuple[LineFacts, ...]:
    return tuple(
        LineFacts(f"sku-{number}", "ROLLS", "PASTRY", Decimal(1), Decimal(total))
        for number, total in enumerate(totals)
    )


def given(outcome: Outcome) -> list[tuple[str, int]]:
    return [(reason.rule, reason.points) for reason in outcome.reasons]


def test_a_purchase_gives_a_point_for_each_full_euro(partner: Partner, member: Member) -> None:
    outcome = record_and_reward(purchase(partner, member, "r-1", "42.99"), at=NOON)

    names = {"fi": "Peruspisteet", "sv": "Baspoäng", "en": "Base points"}
    assert outcome.reasons == (Reason("base", 42, pending=False, names=names),)
    assert outcome.balance == Balance(available=42, pending=0, debt=0)
    assert outcome.tier_code == "bronze"
    lot = Lot.objects.get()
    assert (lot.points, lot.remaining) == (42, 42)
    assert lot.expires_at == dt.datetime(2028, 3, 31, 21, tzinfo=dt.UTC)  # 1 April 2028, 00.00 in Helsinki
    assert list(
        Event.objects.filter(name__in=["activity.recorded", "points.earned"]).values_list("name", flat=True)
    ) == [
        "activity.recorded",
        "points.earned",
    ]


@pytest.mark.parametrize("total", ["0.00", "0.99"])
def test_less_than_a_euro_gives_nothing_but_is_recorded(partner: Partner, member: Member, total: str) -> None:
    outcome = record_and_reward(purchase(partner, member, "r-1", total), at=NOON)

    assert outcome.reasons == ()
    assert Activity.objects.count() == 1
    assert not Transfer.objects.exists()


def test_other_kinds_give_nothing_by_default(partner: Partner, member: Member) -> None:
    outcome = record_and_reward(purchase(partner, member, "r-1", "50.00", kind="visit"), at=NOON)

    assert outcome.reasons == ()


def test_crossing_1000_points_gives_silver_at_once_and_its_bonus_from_the_next_purchase(
    partner: Partner, member: Member
) -> None:
    first = record_and_reward(purchase(partner, member, "r-1", "1000.00"), at=NOON)
    second = record_and_reward(purchase(partner, member, "r-2", "10.00", NOON + DAY), at=NOON + DAY)

    assert (given(first), first.tier_code) == ([("base", 1000)], "silver")
    assert (given(second), second.tier_code) == ([("base", 10), ("tier bonus", 2)], "silver")
    move = TierChange.objects.get(reason="promoted")
    assert (move.from_tier.code, move.to_tier.code, move.qualifying_points) == ("bronze", "silver", 1000)
    assert Event.objects.filter(name="tier.changed").count() == 1
    assert verify(at=NOON + DAY) == []


def test_the_bonus_does_not_qualify(partner: Partner, member: Member) -> None:
    record_and_reward(purchase(partner, member, "r-1", "1000.00"), at=NOON)
    outcome = record_and_reward(purchase(partner, member, "r-2", "3999.00"), at=NOON)

    assert given(outcome) == [("base", 3999), ("tier bonus", 999)]
    assert outcome.tier_code == "silver"


def test_points_older_than_365_days_no_longer_qualify(partner: Partner, member: Member) -> None:
    items = [
        purchase(partner, member, "r-1", "1000.00", NOON - 366 * DAY),
        purchase(partner, member, "r-2", "10.00", NOON - 300 * DAY),
        purchase(partner, member, "r-3", "10.00", NOON),
    ]
    outcomes = record_and_reward_many(items, at=NOON)

    assert [given(outcome) for outcome in outcomes if isinstance(outcome, Outcome)] == [
        [("base", 1000)],
        [("base", 10), ("tier bonus", 2)],
        [("base", 10)],
    ]
    member.refresh_from_db()
    assert member.tier.code == "bronze"


def test_a_late_purchase_gets_what_it_would_have_got_then(partner: Partner, member: Member) -> None:
    record_and_reward(purchase(partner, member, "r-1", "1000.00", NOON - 100 * DAY), at=NOON - 100 * DAY)
    before = record_and_reward(purchase(partner, member, "r-2", "100.00", NOON - 101 * DAY), at=NOON)
    after = record_and_reward(purchase(partner, member, "r-3", "100.00", NOON - 99 * DAY), at=NOON)

    assert given(before) == [("base", 100)]
    assert given(after) == [("base", 100), ("tier bonus", 25)]


def test_a_tier_is_kept_until_the_review_takes_it(partner: Partner, member: Member) -> None:
    record_and_reward(purchase(partner, member, "r-1", "1000.00"), at=NOON)
    later = NOON + 366 * DAY
    kept = record_and_reward(purchase(partner, member, "r-2", "100.00", later), at=later)
    tier_review.review(at=later)
    lost = record_and_reward(purchase(partner, member, "r-3", "100.00", later + DAY), at=later + DAY)

    assert (given(kept), kept.tier_code) == ([("base", 100), ("tier bonus", 25)], "silver")
    assert (given(lost), lost.tier_code) == ([("base", 100)], "bronze")
    assert list(TierChange.objects.values_list("reason", flat=True)) == ["enrolled", "promoted", "reviewed"]
    assert verify(at=later + DAY) == []


def test_a_batch_gives_what_the_same_purchases_give_one_by_one(partner: Partner, member: Member) -> None:
    other = enrol(NewMember(first_name="Eino", joined_at=NOON - 800 * DAY), source="portal", at=NOON)
    moments = [NOON - (400 - 40 * step) * DAY for step in range(10)]
    one_by_one = [
        record_and_reward(purchase(partner, member, f"a-{step}", "333.40", at), at=NOON)
        for step, at in enumerate(moments)
    ]
    batch = record_and_reward_many(
        [purchase(partner, other, f"b-{step}", "333.40", at) for step, at in enumerate(moments)], at=NOON
    )

    assert [given(each) for each in batch if isinstance(each, Outcome)] == [
        given(each) for each in one_by_one
    ]
    member.refresh_from_db()
    other.refresh_from_db()
    assert member.tier == other.tier
    assert verify(at=NOON) == []


def test_the_same_again_gives_the_first_answer(partner: Partner, member: Member) -> None:
    first = record_and_reward(
        purchase(partner, member, "r-1", "42.00", lines=lines("40.00", "2.00")), at=NOON
    )
    again = record_and_reward(
        purchase(partner, member, "r-1", "42.00", lines=lines("40.00", "2.00")), at=NOON + DAY
    )

    assert (first.replayed, again.replayed) == (False, True)
    assert (again.activity_id, again.reasons, again.balance) == (
        first.activity_id,
        first.reasons,
        first.balance,
    )
    assert (Activity.objects.count(), ActivityLine.objects.count(), Transfer.objects.count()) == (1, 2, 1)


@pytest.mark.parametrize(
    "change", [{"total": "43.00"}, {"at": NOON + DAY}, {"store": "s-2"}, {"lines": lines("41.00", "1.00")}]
)
def test_other_content_under_the_same_external_id_is_refused(
    partner: Partner, member: Member, change: dict[str, object]
) -> None:
    record_and_reward(purchase(partner, member, "r-1", "42.00", lines=lines("40.00", "2.00")), at=NOON)
    other = {"total": "42.00", "lines": lines("40.00", "2.00")} | change
    with pytest.raises(ActivityConflict, match="r-1"):
        record_and_reward(purchase(partner, member, "r-1", **other), at=NOON)  # type: ignore[arg-type]

    assert (Activity.objects.count(), Transfer.objects.count()) == (1, 1)


def test_a_batch_answers_replays_and_conflicts_within_itself(partner: Partner, member: Member) -> None:
    first, again, other, last = record_and_reward_many(
        [
            purchase(partner, member, "r-1", "10.00"),
            purchase(partner, member, "r-1", "10.00"),
            purchase(partner, member, "r-1", "11.00"),
            purchase(partner, member, "r-2", "5.00"),
        ],
        at=NOON,
    )

    assert isinstance(first, Outcome)
    assert isinstance(again, Outcome)
    assert isinstance(last, Outcome)
    assert (first.replayed, again.replayed, again.reasons) == (False, True, first.reasons)
    assert isinstance(other, ActivityConflict)
    assert last.balance.available == 15


def test_stores_channels_and_products_come_into_being_as_they_are_seen(
    partner: Partner, member: Member
) -> None:
    facts = {"store": "Kamppi", "channel": "web", "lines": lines("3.00", "4.00")}
    record_and_reward(purchase(partner, member, "r-1", "7.00", **facts), at=NOON)
    record_and_reward(purchase(partner, member, "r-2", "7.00", **facts), at=NOON)

    assert list(Product.objects.values_list("sku", "category__name", "category__department")) == [
        ("sku-0", "ROLLS", "PASTRY"),
        ("sku-1", "ROLLS", "PASTRY"),
    ]
    assert set(Activity.objects.values_list("store__code", "channel__code")) == {("Kamppi", "web")}


def test_many_lines_cost_no_more_statements_than_one(partner: Partner, member: Member) -> None:
    def statements(name: str, count: int) -> int:
        total = f"{count}.00"
        with CaptureQueriesContext(
            connection,
        ) as queries:
            record_and_reward(purchase(partner, member, name, total, lines=lines(*["1.00"] * count)), at=NOON)
        return len(queries)

    statements("warm-up", 30)
    assert statements("one", 1) == statements("thirty", 30)


def test_a_revised_rule_counts_from_its_date(partner: Partner, member: Member) -> None:
    record_and_reward(purchase(partner, member, "r-1", "10.00"), at=NOON)
    old = RuleRevision.objects.get(rule__code="base")
    RuleRevision.objects.filter(pk=old.pk).update(valid_to=NOON + DAY)
    new = RuleRevision.objects.get(pk=old.pk)
    new.pk, new.number, new.points, new.valid_from, new.valid_to = None, 2, 3, NOON + DAY, None
    new.save(force_insert=True)
    revised()

    before = record_and_reward(purchase(partner, member, "r-2", "10.00"), at=NOON + 2 * DAY)
    after = record_and_reward(purchase(partner, member, "r-3", "10.00", NOON + DAY), at=NOON + 2 * DAY)

    assert (given(before), given(after)) == ([("base", 10)], [("base", 30)])


def test_pending_points_wait_and_a_debt_is_repaid_by_the_next_earning(
    partner: Partner, member: Member
) -> None:
    RuleRevision.objects.filter(rule__code="base").update(pending_days=14)
    revised()
    outcome = record_and_reward(purchase(partner, member, "r-1", "10.00"), at=NOON)

    assert (outcome.available, outcome.pending) == (0, 10)
    assert outcome.balance == Balance(available=0, pending=10, debt=0)


def test_an_occasion_gives_its_points_once(member: Member) -> None:
    order = {
        "member_id": member.pk,
        "points": 100,
        "occasion": f"birthday:2026:{member.pk}",
        "source": "test",
    }

    assert [grant_once(**order, at=NOON), grant_once(**order, at=NOON)] == [100, 0]
    assert Transfer.objects.count() == 1


def test_staff_adjust_with_a_reason_but_never_below_zero(member: Member, django_user_model: type) -> None:
    staff = django_user_model.objects.create_user("staff@example.com", is_staff=True)
    adjust(member_id=member.pk, points=50, staff_id=staff.pk, note="Goodwill", at=NOON)
    adjust(member_id=member.pk, points=-20, staff_id=staff.pk, note="Mistake", at=NOON)
    with pytest.raises(InsufficientPoints) as refused:
        adjust(member_id=member.pk, points=-31, staff_id=staff.pk, note="Too much", at=NOON)

    assert (refused.value.asked, refused.value.spendable) == (31, 30)
    assert list(Transfer.objects.order_by("pk").values_list("points", "note")) == [
        (50, "Goodwill"),
        (20, "Mistake"),
    ]
    assert verify(at=NOON) == []


def test_a_revision_that_was_undone_is_never_taken_for_the_next(partner: Partner, member: Member) -> None:
    """Both are the next version after the present one; a process that saw the first must not judge by it."""
    for points, undone in ((7, True), (3, False)):
        with transaction.atomic():
            RuleRevision.objects.filter(rule__code="base").update(points=points)
            revised()
            preview = record_and_reward(purchase(partner, member, f"r-{points}", "10.00"), at=NOON)
            transaction.set_rollback(undone)
        assert given(preview) == [("base", points * 10)]
