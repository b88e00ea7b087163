"""Placing a redemption: what it writes, what is in the way, and that the same request happens once."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import translation

from loyalty.events.models import Event
from members.models import Member, Tier
from rewards.causes.giving import give
from rewards.ledger import lock
from rewards.models import Redemption, RedemptionTerms, Reward, RewardStock, Transfer, Voucher, Wallet
from rewards.redemption.placing import pay_with_points, place
from rewards.redemption.refusals import NotMoney, PriceChanged, RedemptionConflict, Refused, Unavailable
from rewards.verification import verify
from tests.factories.causes import cause
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.redemptions import points_for, redeemed, reward, voucher_reward

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _english(settings: object) -> None:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    translation.activate("en")


@pytest.fixture
def aino() -> Member:
    found = member()
    points_for(found, 250)
    return found


def available(of: Member) -> int:
    return lock([of.pk], [Wallet.objects.get(is_default=True).pk]).balance(of.pk, 1).available


def nothing_happened(of: Member) -> bool:
    told = Event.objects.filter(name__in=["reward.redeemed", "points.redeemed"]).exists()
    spent = Transfer.objects.filter(member=of, kind__in=["redeem", "donate"]).exists()
    return not (Redemption.objects.exists() or told or spent)


class TestPlacing:
    def test_points_go_a_piece_is_taken_and_a_code_is_shown(self, aino: Member) -> None:
        mug = reward(points=100, stock=3, money=Decimal("2.50"), collect_days=7)

        placed = redeemed(aino, mug)

        row = Redemption.objects.get()
        assert placed.redemption.pk == row.pk
        assert placed.balance.available == available(aino) == 150
        assert (row.state, row.points, row.money, row.via) == ("reserved", 100, Decimal("2.50"), "portal")
        assert row.code is not None
        assert len(row.code) == 13
        assert row.collect_by == dt.datetime(2026, 6, 22, 21, tzinfo=dt.UTC)  # the end of 22 June in Helsinki
        assert RewardStock.objects.get().taken == 1
        assert row.transfer.kind == "redeem"
        assert (row.transfer.source, row.transfer.source_id) == ("rewards.redemption", row.pk)
        assert [(step.from_state, step.to_state) for step in row.steps.all()] == [("", "reserved")]
        event = Event.objects.get(name="reward.redeemed")
        assert event.facts == {
            "redemption": str(row.public_id),
            "reward": mug.code,
            "points": 100,
            "money": "2.50",
            "state": "reserved",
        }
        assert verify(at=NOON) == []

    def test_a_voucher_is_issued_at_once(self, aino: Member) -> None:
        placed = redeemed(aino, voucher_reward())

        voucher = Voucher.objects.get()
        assert (placed.redemption.state, placed.redemption.code) == ("issued", None)
        assert (voucher.member_id, voucher.redemption_id) == (aino.pk, placed.redemption.pk)
        assert verify(at=NOON) == []

    def test_an_empty_pool_leaves_everything_as_it_was(self, aino: Member) -> None:
        pool = voucher_reward(stock=5)
        pool.voucher_family.source = "pool"  # type: ignore[union-attr]
        pool.voucher_family.save()  # type: ignore[union-attr]

        with pytest.raises(Refused) as refused:
            redeemed(aino, pool)

        assert refused.value.code == "out-of-stock"
        assert nothing_happened(aino)
        assert (available(aino), RewardStock.objects.get().taken) == (250, 0)

    def test_lots_that_expire_first_go_first(self, aino: Member) -> None:
        points_for(aino, 60, expires_at=NOON + DAY)
        redeemed(aino, reward(points=100))

        left = {lot.expires_at: lot.remaining for lot in aino.lots.all()}
        assert left == {None: 210, NOON + DAY: 0}


class TestWhatIsInTheWay:
    @pytest.mark.parametrize(
        ("facts", "code"),
        [
            ({"points": 251}, "insufficient-points"),
            ({"stock": 0}, "out-of-stock"),
            ({"is_active": False}, "not-in-catalogue"),
            ({"opens_at": NOON + DAY}, "not-open"),
            ({"closes_at": NOON}, "reward-ended"),
            ({"conditions": {"field": "language", "op": "eq", "value": "sv"}}, "not-in-audience"),
        ],
    )
    def test_each_has_its_code_and_nothing_is_written(
        self, aino: Member, facts: dict[str, object], code: str
    ) -> None:
        with pytest.raises(Unavailable) as refused:
            redeemed(aino, reward(**facts))  # type: ignore[arg-type]

        assert refused.value.code == code
        assert nothing_happened(aino)

    def test_a_tier_too_low(self, aino: Member) -> None:
        gold = Tier.objects.order_by("-rank").first()
        with pytest.raises(Unavailable) as refused:
            redeemed(aino, reward(minimum_tier=gold))
        assert refused.value.code == "tier-too-low"

    def test_all_obstacles_are_told_not_only_the_first(self, aino: Member) -> None:
        with pytest.raises(Unavailable) as refused:
            redeemed(aino, reward(points=300, stock=0))
        assert [each.kind for each in refused.value.obstacles] == ["sold_out", "points"]
        assert refused.value.obstacles[1].points_missing == 50

    def test_points_past_their_expiry_do_not_count(self) -> None:
        late = member()
        points_for(late, 500, at=NOON - DAY, expires_at=NOON)
        with pytest.raises(Unavailable) as refused:
            redeemed(late, reward(points=100))
        assert refused.value.code == "insufficient-points"
        assert refused.value.obstacles[0].points_missing == 100

    def test_a_member_who_is_not_active_gets_nothing(self, aino: Member) -> None:
        Member.objects.filter(pk=aino.pk).update(status="blocked")
        with pytest.raises(Refused) as refused:
            redeemed(aino, reward())
        assert refused.value.code == "unknown-member"
        assert nothing_happened(aino)

    def test_another_price_than_the_member_saw(self, aino: Member) -> None:
        with pytest.raises(PriceChanged):
            redeemed(aino, reward(points=100), expected_points=90)
        assert nothing_happened(aino)


class TestLimits:
    def test_of_one_member_in_a_day_of_the_programmes_calendar(self, aino: Member) -> None:
        daily = reward(points=10, limit_per_member=1, limit_per_member_period="day")
        redeemed(aino, daily)
        late_evening = dt.datetime(2026, 6, 15, 20, 59, tzinfo=dt.UTC)  # 23.59 in Helsinki
        with pytest.raises(Unavailable) as refused:
            redeemed(aino, daily, at=late_evening)
        assert refused.value.code == "member-limit-reached"

        redeemed(aino, daily, at=late_evening + dt.timedelta(minutes=1))
        assert Redemption.objects.count() == 2

    def test_of_all_members_together(self, aino: Member) -> None:
        weekly = reward(points=10, limit_in_all=2, limit_in_all_period="week")
        others = [member(), member()]
        for each in others:
            points_for(each, 10)
            redeemed(each, weekly)
        with pytest.raises(Unavailable) as refused:
            redeemed(aino, weekly)
        assert refused.value.code == "limit-reached"

        assert redeemed(aino, weekly, at=NOON + 7 * DAY).redemption.state == "reserved"


class TestOnce:
    def test_the_same_key_gives_the_first_answer(self, aino: Member) -> None:
        mug, shop = reward(stock=5), PartnerFactory()
        first = place(
            member_id=aino.pk, reward_id=mug.pk, via="api", at=NOON, partner_id=shop.pk, external_id="s-1"
        )
        again = place(
            member_id=aino.pk, reward_id=mug.pk, via="api", at=NOON, partner_id=shop.pk, external_id="s-1"
        )

        assert (first.replayed, again.replayed) == (False, True)
        assert first.redemption.pk == again.redemption.pk
        assert (available(aino), RewardStock.objects.get().taken) == (150, 1)

    def test_another_content_under_the_same_key_is_refused(self, aino: Member) -> None:
        shop, other = PartnerFactory(), member()
        points_for(other, 500)
        facts = {"via": "api", "at": NOON, "partner_id": shop.pk, "external_id": "s-1"}
        place(member_id=aino.pk, reward_id=reward().pk, **facts)  # type: ignore[arg-type]
        with pytest.raises(RedemptionConflict):
            place(member_id=aino.pk, reward_id=reward().pk, **facts)  # type: ignore[arg-type]
        with pytest.raises(RedemptionConflict):
            place(member_id=other.pk, reward_id=reward().pk, **facts)  # type: ignore[arg-type]
        assert Redemption.objects.count() == 1

    def test_keys_of_two_partners_are_their_own(self, aino: Member) -> None:
        mug = reward(points=50)
        for shop in (PartnerFactory(), PartnerFactory()):
            place(
                member_id=aino.pk, reward_id=mug.pk, via="api", at=NOON, partner_id=shop.pk, external_id="1"
            )
        assert Redemption.objects.count() == 2

    def test_a_form_sent_twice_redeems_once(self, aino: Member) -> None:
        mug = reward()
        assert not redeemed(aino, mug, external_id="portal-1").replayed
        assert redeemed(aino, mug, external_id="portal-1").replayed
        assert Redemption.objects.count() == 1


class TestPointsAsMoney:
    @pytest.fixture(autouse=True)
    def _worth(self) -> None:
        RedemptionTerms.objects.create(
            valid_from=NOON - DAY, point_value=Decimal("0.0150"), least_points=100, point_step=50
        )

    def test_they_are_worth_what_the_terms_say_to_the_cent_below(self, aino: Member) -> None:
        shop = PartnerFactory()
        placed = pay_with_points(
            member_id=aino.pk, points=150, via="api", at=NOON, partner_id=shop.pk, external_id="s-1"
        )
        assert (placed.redemption.state, placed.redemption.money) == ("fulfilled", Decimal("2.25"))
        assert placed.redemption.reward is None
        assert placed.balance.available == 100
        assert Event.objects.get(name="points.redeemed").facts["money"] == "2.25"
        assert verify(at=NOON) == []

    @pytest.mark.parametrize(("points", "code"), [(50, "too-few-points"), (120, "not-in-steps")])
    def test_not_so_few_and_not_in_other_steps(self, aino: Member, points: int, code: str) -> None:
        with pytest.raises(NotMoney) as refused:
            pay_with_points(member_id=aino.pk, points=points, via="api", at=NOON)
        assert refused.value.code == code
        assert nothing_happened(aino)

    def test_not_at_all_where_the_terms_give_them_no_value(self, aino: Member) -> None:
        with pytest.raises(NotMoney) as refused:
            pay_with_points(member_id=aino.pk, points=100, via="api", at=NOON - 2 * DAY)
        assert refused.value.code == "points-are-not-money"

    def test_not_more_than_there_are(self, aino: Member) -> None:
        with pytest.raises(Unavailable) as refused:
            pay_with_points(member_id=aino.pk, points=300, via="api", at=NOON)
        assert refused.value.obstacles[0].points_missing == 50
        assert nothing_happened(aino)


def test_points_given_to_a_cause_go_to_the_donated(aino: Member) -> None:
    donation = give(member_id=aino.pk, cause_id=cause().pk, points=40, via="portal", at=NOON).donation
    assert donation.redemption.state == "fulfilled"
    assert donation.redemption.transfer.to_account.kind == "donated"
    assert verify(at=NOON) == []


def test_placing_takes_as_many_statements_for_many_lots_as_for_one(
    aino: Member, django_assert_max_num_queries: object
) -> None:
    for _number in range(30):
        points_for(aino, 1)
    mug = Reward.objects.get(pk=reward(points=270, stock=3).pk)
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        redeemed(aino, mug)
