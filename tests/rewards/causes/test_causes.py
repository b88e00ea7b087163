"""Points given to causes: the money they become, once, and what was paid on."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.events.models import Event
from members.models import Member
from rewards.causes import giving, payouts, totals
from rewards.causes.giving import CauseClosed, TooFewPoints, give
from rewards.causes.payouts import PayoutRefused
from rewards.causes.totals import Totals
from rewards.models import Cause, Donation, Payout, Redemption
from rewards.queries import balance_of
from rewards.redemption import ending
from rewards.redemption.refusals import RedemptionConflict, Refused, Unavailable
from rewards.verification import verify
from tests.factories.causes import cause
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.redemptions import points_for, redeemed, reward
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _english(settings: object) -> None:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    translation.activate("en")


@pytest.fixture
def aino() -> Member:
    found = member()
    points_for(found, 1000)
    return found


def given_by(giver: Member, to: Cause, points: int, **facts: object) -> giving.Given:
    return give(
        **{"member_id": giver.pk, "cause_id": to.pk, "points": points, "via": "portal", "at": NOON} | facts
    )  # type: ignore[arg-type]


def of(one: Cause) -> Totals:
    return totals.totals_of([one])[one.pk]


class TestGiving:
    def test_points_become_money_at_the_value_of_the_day(self, aino: Member) -> None:
        sea = cause()
        first = given_by(aino, sea, 200)
        Cause.objects.update(point_value=Decimal("0.01"))
        second = given_by(aino, sea, 200)
        assert (first.donation.amount, second.donation.amount) == (Decimal("1.00"), Decimal("2.00"))
        assert (first.balance.available, second.balance.available) == (800, 600)
        assert first.donation.redemption.transfer.kind == "donate"
        assert of(sea) == Totals(points=400, given=Decimal("3.00"), gifts=2, givers=1)
        told = Event.objects.filter(name="points.donated").values_list("facts", flat=True)
        assert next(iter(told)) == {"cause": sea.code, "points": 200, "amount": "1.00"}
        assert verify(at=NOON) == []

    def test_the_full_cent_below(self, aino: Member) -> None:
        assert given_by(aino, cause(), 15).donation.amount == Decimal("0.07")

    @pytest.mark.parametrize(
        ("value", "least", "expected"),
        [("0.0050", 1, 2), ("0.0030", 1, 4), ("0.0100", 1, 1), ("0.0050", 50, 50)],
    )
    def test_never_so_few_that_they_become_nothing(self, value: str, least: int, expected: int) -> None:
        made = cause(point_value=Decimal(value), least_points=least)
        assert giving.least_of(made) == expected
        assert giving.money_of(made, expected) >= Decimal("0.01")

    def test_too_few_points(self, aino: Member) -> None:
        with pytest.raises(TooFewPoints, match="10"):
            given_by(aino, cause(), 9)
        assert (balance_of(aino, NOON).available, Donation.objects.count()) == (1000, 0)

    def test_not_more_than_there_are(self, aino: Member) -> None:
        with pytest.raises(Unavailable) as refused:
            given_by(aino, cause(), 1001)
        assert refused.value.code == "insufficient-points"
        assert not Redemption.objects.exists()

    @pytest.mark.parametrize(
        "facts",
        [{"is_active": False}, {"opens_at": NOON + DAY}, {"opens_at": NOON - 2 * DAY, "closes_at": NOON}],
    )
    def test_a_closed_cause_takes_nothing(self, aino: Member, facts: dict[str, object]) -> None:
        with pytest.raises(CauseClosed):
            given_by(aino, cause(**facts), 100)
        assert (balance_of(aino, NOON).available, Redemption.objects.count()) == (1000, 0)


class TestOnce:
    def test_the_same_form_gives_once(self, aino: Member) -> None:
        sea = cause()
        first = given_by(aino, sea, 100, external_id="form-1")
        again = given_by(aino, sea, 100, external_id="form-1")
        assert (again.donation.pk, again.replayed, again.balance.available) == (first.donation.pk, True, 900)

    def test_also_when_the_cause_has_closed_meanwhile(self, aino: Member) -> None:
        sea, partner = cause(), PartnerFactory()
        given_by(aino, sea, 100, external_id="x", partner_id=partner.pk, via="api")
        Cause.objects.update(is_active=False)
        assert given_by(aino, sea, 100, external_id="x", partner_id=partner.pk, via="api").replayed
        assert Donation.objects.count() == 1

    def test_other_content_under_the_same_key_is_a_conflict(self, aino: Member) -> None:
        sea, forest = cause(), cause()
        given_by(aino, sea, 100, external_id="form-1")
        for other, points in ((forest, 100), (sea, 200)):
            with pytest.raises(RedemptionConflict):
                given_by(aino, other, points, external_id="form-1")
        assert (Donation.objects.count(), balance_of(aino, NOON).available) == (1, 900)


class TestRewards:
    def test_a_reward_can_be_a_gift(self, aino: Member) -> None:
        sea = cause()
        redeemed(aino, reward(points=300, kind="donation", fulfilment="at_once", cause=sea))
        assert of(sea) == Totals(points=300, given=Decimal("1.50"), gifts=1, givers=1)
        assert verify(at=NOON) == []

    def test_not_to_a_cause_that_has_not_begun(self, aino: Member) -> None:
        later = cause(opens_at=NOON + DAY)
        with pytest.raises(Refused) as refused:
            redeemed(aino, reward(points=300, kind="donation", fulfilment="at_once", cause=later))
        assert refused.value.code == "reward-ended"
        assert (balance_of(aino, NOON).available, Redemption.objects.count()) == (1000, 0)


class TestTakingBack:
    def test_staff_cancel_and_the_points_come_back(self, aino: Member) -> None:
        sea = cause()
        gift = given_by(aino, sea, 200).donation
        for _twice in range(2):
            ending.cancel(redemption_id=gift.redemption_id, via="staff", at=NOON + DAY, staff_id=staff().pk)
        gift.refresh_from_db()
        assert (gift.cancelled_at, of(sea), balance_of(aino, NOON).available) == (NOON + DAY, Totals(), 1000)
        assert Event.objects.filter(name="donation.cancelled").count() == 1
        assert verify(at=NOON + DAY) == []

    def test_a_gift_marked_by_hand_is_noticed(self, aino: Member) -> None:
        gift = given_by(aino, cause(), 200).donation
        Donation.objects.filter(pk=gift.pk).update(cancelled_at=NOON)
        assert {found.table for found in verify(at=NOON)} == {"rewards_account", "rewards_donation"}

    def test_a_gift_that_vanished_is_noticed(self, aino: Member) -> None:
        given_by(aino, cause(), 200)
        Donation.objects.all().delete()
        assert {found.table for found in verify(at=NOON)} == {"rewards_account", "rewards_redemption"}


class TestPayouts:
    def pay(self, to: Cause, amount: str, **facts: object) -> tuple[Payout, bool]:
        given = {
            "cause_id": to.pk,
            "amount": Decimal(amount),
            "paid_on": NOON.date(),
            "reference": "RF18",
            "staff_id": staff().pk,
            "token": uuid.uuid4(),
            "at": NOON,
            "today": NOON.date(),
        }
        return payouts.record(**given | facts)  # type: ignore[arg-type]

    def test_what_is_paid_on_is_no_longer_due(self, aino: Member) -> None:
        sea = cause()
        given_by(aino, sea, 1000)
        self.pay(sea, "3.00")
        assert (of(sea).paid, of(sea).due, of(sea).ahead) == (Decimal("3.00"), Decimal("2.00"), Decimal(0))

    def test_a_form_sent_twice_is_written_down_once(self, aino: Member) -> None:
        sea, token = cause(), uuid.uuid4()
        given_by(aino, sea, 1000)
        assert [self.pay(sea, "3.00", token=token)[1] for _twice in range(2)] == [True, False]
        assert Payout.objects.count() == 1

    def test_more_than_is_due_only_on_purpose(self, aino: Member) -> None:
        sea = cause()
        given_by(aino, sea, 1000)
        with pytest.raises(PayoutRefused) as refused:
            self.pay(sea, "50.00")
        assert (refused.value.field, Payout.objects.count()) == ("amount", 0)
        self.pay(sea, "50.00", beyond=True)
        assert (of(sea).due, of(sea).ahead) == (Decimal(0), Decimal("45.00"))

    def test_not_in_the_future(self) -> None:
        with pytest.raises(PayoutRefused):
            self.pay(cause(), "1.00", paid_on=NOON.date() + DAY, beyond=True)
        assert not Payout.objects.exists()

    def test_one_written_down_wrongly_is_taken_back_with_a_reason(self, aino: Member) -> None:
        sea, clerk = cause(), staff()
        given_by(aino, sea, 1000)
        wrong, _new = self.pay(sea, "3.00")
        with pytest.raises(PayoutRefused):
            payouts.withdraw(payout_id=wrong.pk, staff_id=clerk.pk, note=" ", at=NOON)
        assert payouts.withdraw(payout_id=wrong.pk, staff_id=clerk.pk, note="Another cause", at=NOON)
        assert not payouts.withdraw(payout_id=wrong.pk, staff_id=clerk.pk, note="again", at=NOON)
        assert (of(sea).paid, of(sea).due) == (Decimal(0), Decimal("5.00"))


class TestTheYear:
    def test_it_is_the_programmes_calendar_year(self, aino: Member) -> None:
        sea, forest = cause(), cause()
        late = dt.datetime(2025, 12, 31, 22, 30, tzinfo=dt.UTC)  # half past midnight of 2026 in Helsinki
        points_for(aino, 1000, at=late - 10 * DAY)
        given_by(aino, sea, 100, at=late - DAY)
        given_by(aino, forest, 400, at=late)
        given_by(aino, sea, 200, at=NOON)
        year = totals.year_of(aino.pk, 2026, at=NOON)
        assert (year.points, year.amount, year.years) == (600, Decimal("3.00"), (2026, 2025))
        assert year.by_cause == [(forest, 400, Decimal("2.00")), (sea, 200, Decimal("1.00"))]
        assert [gift.points for gift in totals.year_of(aino.pk, 2025, at=NOON).gifts] == [100]

    @pytest.mark.parametrize("asked", [None, 2099, -5, 10**9])
    def test_a_year_that_is_none_is_the_present_one(self, aino: Member, asked: int | None) -> None:
        assert totals.year_of(aino.pk, asked, at=NOON).year == NOON.year

    def test_what_was_taken_back_is_out(self, aino: Member) -> None:
        gift = given_by(aino, cause(), 200).donation
        ending.cancel(redemption_id=gift.redemption_id, via="staff", at=NOON, staff_id=staff().pk)
        assert totals.year_of(aino.pk, None, at=NOON).gifts == ()


def test_totals_cost_the_same_for_one_cause_and_for_many(
    aino: Member, django_assert_num_queries: object
) -> None:
    causes = [cause() for _each in range(12)]
    for each in causes:
        given_by(aino, each, 20)
    for some in (causes[:1], causes):
        with django_assert_num_queries(2):  # type: ignore[operator]
            assert len(totals.totals_of(some)) == len(some)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 400), st.booleans()), max_size=10))
def test_gifts_always_agree_with_the_ledger(steps: list[tuple[int, int, bool]]) -> None:
    with transaction.atomic():
        giver, causes = (
            member(),
            [cause(least_points=1), cause(least_points=1, point_value=Decimal("0.0133"))],
        )
        points_for(giver, 1000)
        for which, points, is_taken_back in steps:
            try:
                gift = given_by(giver, causes[which], points).donation
            except Refused:
                continue
            if is_taken_back:
                ending.cancel(redemption_id=gift.redemption_id, via="staff", at=NOON)
        sums = totals.totals_of(causes)
        assert sum(each.points for each in sums.values()) + balance_of(giver, NOON).available == 1000
        assert verify(at=NOON) == []
        connection.needs_rollback = True
