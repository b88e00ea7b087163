"""Cancelling, handing over, lapsing: points come back to the very lots, with grace where those have expired."""

import datetime as dt

import pytest
from django.utils import translation

from loyalty.events.models import Event
from members.models import Member
from rewards import ledger
from rewards.models import Lot, LotGrace, Redemption, RedemptionTerms, RewardStock, Transfer, Voucher
from rewards.redemption import ending, upkeep
from rewards.redemption.refusals import NotCancellable, WrongState
from rewards.revisions import RevisionRefused, revise_redemptions
from rewards.verification import verify
from tests.factories.members import NOON, UserFactory, member
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
    return member()


def lots(of: Member) -> list[tuple[int, dt.datetime | None]]:
    """What lies in the member's lots and when it expires, oldest first."""
    return [(lot.remaining, lot.expires_at) for lot in of.lots.order_by("pk")]


def cancelled(row: Redemption, *, at: dt.datetime, via: str = "staff", **facts: object) -> Redemption:
    return ending.cancel(redemption_id=row.pk, via=via, at=at, **facts)  # type: ignore[arg-type]


class TestCancelling:
    def test_the_same_lots_get_their_points_after_other_spending(self, aino: Member) -> None:
        for days in (10, 20, 30):
            points_for(aino, 100, expires_at=NOON + days * DAY)
        first = redeemed(aino, reward(points=150, stock=1)).redemption
        redeemed(aino, reward(points=50))
        assert [remaining for remaining, _expiry in lots(aino)] == [0, 0, 100]

        cancelled(first, at=NOON + DAY)

        assert lots(aino) == [
            (100, NOON + 10 * DAY),
            (50, NOON + 20 * DAY),
            (100, NOON + 30 * DAY),
        ]
        assert RewardStock.objects.get().taken == 0
        assert [step.to_state for step in first.steps.all()] == ["reserved", "cancelled"]
        assert Event.objects.filter(name="redemption.cancelled").count() == 1
        assert verify(at=NOON + DAY) == []

    def test_twice_gives_back_once(self, aino: Member) -> None:
        points_for(aino, 100)
        row = redeemed(aino, reward()).redemption
        assert cancelled(row, at=NOON).state == cancelled(row, at=NOON).state == "cancelled"
        assert lots(aino) == [(100, None)]
        assert Transfer.objects.filter(reverses=row.transfer).count() == 1
        assert verify(at=NOON) == []

    def test_a_debt_is_paid_from_what_comes_back(self, aino: Member) -> None:
        given = points_for(aino, 100)
        row = redeemed(aino, reward()).redemption
        ledger.reverse(transfer_id=given, points=40, why=ledger.Why(), at=NOON)

        cancelled(row, at=NOON)

        assert lots(aino) == [(60, None)]
        assert verify(at=NOON) == []

    def test_a_voucher_stops_working(self, aino: Member) -> None:
        points_for(aino, 100)
        row = redeemed(aino, voucher_reward()).redemption
        cancelled(row, at=NOON, note="Wrong one")
        assert Voucher.objects.get().state == "cancelled"
        assert verify(at=NOON) == []

    def test_a_used_voucher_keeps_the_points_gone(self, aino: Member) -> None:
        points_for(aino, 100)
        row = redeemed(aino, voucher_reward(stock=1)).redemption
        voucher = Voucher.objects.get()
        voucher.used.create(partner=PartnerFactory(), checkout="c-1", state="redeemed", amount=5, at=NOON)
        with pytest.raises(NotCancellable):
            cancelled(row, at=NOON)
        row.refresh_from_db()
        assert (row.state, lots(aino), RewardStock.objects.get().taken) == ("issued", [(0, None)], 1)

    def test_members_cancel_within_the_days_of_the_terms_and_nothing_handed_over(self, aino: Member) -> None:
        points_for(aino, 300)
        in_time = redeemed(aino, reward()).redemption
        assert cancelled(in_time, via="portal", at=NOON + 13 * DAY).state == "cancelled"

        late = redeemed(aino, reward(collect_days=60)).redemption
        with pytest.raises(NotCancellable):
            cancelled(late, via="portal", at=NOON + 14 * DAY)
        handed = redeemed(aino, reward()).redemption
        ending.fulfil(redemption_id=handed.pk, via="staff", at=NOON)
        with pytest.raises(NotCancellable):
            cancelled(handed, via="portal", at=NOON)
        assert cancelled(handed, via="staff", at=NOON, staff_id=UserFactory().pk).state == "cancelled"
        assert verify(at=NOON) == []


class TestGrace:
    """14 days by the terms that a programme begins with, to the end of the day in Helsinki."""

    UNTIL = dt.datetime(2026, 7, 10, 21, tzinfo=dt.UTC)  # cancelled on 26 June

    def test_points_of_an_expired_lot_live_on_and_the_expiry_stays_on_record(self, aino: Member) -> None:
        points_for(aino, 100, expires_at=NOON + 10 * DAY)
        row = redeemed(aino, reward(points=60)).redemption
        ledger.expire_due(at=NOON + 10 * DAY)

        cancelled(row, at=NOON + 11 * DAY)

        lot = aino.lots.get()
        assert (lot.remaining, lot.expires_at, lot.granted_expiry) == (60, self.UNTIL, NOON + 10 * DAY)
        grace = LotGrace.objects.get()
        assert (grace.expired_at, grace.until) == (NOON + 10 * DAY, self.UNTIL)
        assert verify(at=NOON + 11 * DAY) == []
        ledger.expire_due(at=self.UNTIL)
        assert aino.lots.get().remaining == 0
        assert verify(at=self.UNTIL) == []

    def test_what_should_have_expired_already_does_not_come_along(self, aino: Member) -> None:
        points_for(aino, 100, expires_at=NOON + 10 * DAY)
        row = redeemed(aino, reward(points=60)).redemption

        cancelled(row, at=NOON + 11 * DAY)  # the hourly task has not run: 40 points lie there still

        assert aino.lots.get().remaining == 60
        assert Transfer.objects.get(kind="expire").points == 40
        assert verify(at=NOON + 11 * DAY) == []

    def test_points_that_live_on_grace_get_no_second_one(self, aino: Member) -> None:
        points_for(aino, 100, expires_at=NOON + 10 * DAY)
        cancelled(redeemed(aino, reward()).redemption, at=NOON + 11 * DAY)
        again = redeemed(aino, reward(), at=self.UNTIL - DAY).redemption

        cancelled(again, at=self.UNTIL + DAY)

        assert lots(aino) == [(100, self.UNTIL)]
        ledger.expire_due(at=self.UNTIL + DAY)
        assert aino.lots.get().remaining == 0
        assert verify(at=self.UNTIL + DAY) == []

    def test_two_redemptions_of_one_lot_each_bring_their_grace(self, aino: Member) -> None:
        points_for(aino, 100, expires_at=NOON + 10 * DAY)
        rows = [redeemed(aino, reward(points=50)).redemption for _number in range(2)]
        cancelled(rows[0], at=NOON + 11 * DAY)
        cancelled(rows[1], at=NOON + 12 * DAY)

        assert lots(aino) == [(100, self.UNTIL + DAY)]
        assert [grace.expired_at for grace in LotGrace.objects.all()] == [NOON + 10 * DAY] * 2
        assert verify(at=NOON + 12 * DAY) == []

    def test_terms_without_grace_let_them_expire(self, aino: Member) -> None:
        RedemptionTerms.objects.create(valid_from=NOON + DAY, grace_days=0)
        points_for(aino, 100, expires_at=NOON + 10 * DAY)
        cancelled(redeemed(aino, reward()).redemption, at=NOON + 11 * DAY)
        assert lots(aino) == [(100, NOON + 10 * DAY)]
        assert not LotGrace.objects.exists()

    def test_a_lot_that_is_still_good_keeps_its_own_expiry(self, aino: Member) -> None:
        points_for(aino, 100, expires_at=NOON + 12 * DAY)
        cancelled(redeemed(aino, reward()).redemption, at=NOON + 11 * DAY)
        assert lots(aino) == [(100, NOON + 12 * DAY)]
        assert not LotGrace.objects.exists()

    def test_a_forged_expiry_is_found(self, aino: Member) -> None:
        points_for(aino, 100, expires_at=NOON + 10 * DAY)
        cancelled(redeemed(aino, reward()).redemption, at=NOON + 11 * DAY)
        Lot.objects.update(expires_at=self.UNTIL + DAY)
        assert [(each.invariant, each.table) for each in verify(at=NOON + 11 * DAY)] == [("B", "rewards_lot")]


class TestHandingOver:
    def test_it_is_fulfilled_once(self, aino: Member) -> None:
        points_for(aino, 100)
        row = redeemed(aino, reward(stock=1)).redemption
        staff = UserFactory()
        for _time in range(2):
            ending.fulfil(redemption_id=row.pk, via="staff", staff_id=staff.pk, at=NOON + DAY)
        row.refresh_from_db()
        assert (row.state, row.ended_at) == ("fulfilled", NOON + DAY)
        assert [step.staff_id for step in row.steps.all()] == [None, staff.pk]
        assert Event.objects.filter(name="redemption.fulfilled").count() == 1
        assert RewardStock.objects.get().taken == 1
        assert verify(at=NOON + DAY) == []

    def test_not_what_was_cancelled_nor_after_its_day(self, aino: Member) -> None:
        points_for(aino, 200)
        gone = redeemed(aino, reward()).redemption
        cancelled(gone, at=NOON)
        late = redeemed(aino, reward(collect_days=1)).redemption
        for row in (gone, late):
            with pytest.raises(WrongState):
                ending.fulfil(redemption_id=row.pk, via="staff", at=NOON + 2 * DAY)
        assert not Event.objects.filter(name="redemption.fulfilled").exists()


class TestLapsing:
    def test_what_nobody_collected_lapses_once_and_the_points_come_back(self, aino: Member) -> None:
        points_for(aino, 200)
        row = redeemed(aino, reward(collect_days=1, stock=1)).redemption
        kept = redeemed(aino, reward(collect_days=9)).redemption
        assert row.collect_by is not None

        assert upkeep.lapse_due(at=row.collect_by - dt.timedelta(seconds=1)) == (0, 0)
        assert upkeep.lapse_due(at=row.collect_by) == (1, 0)
        assert upkeep.lapse_due(at=row.collect_by) == (0, 0)

        states = dict(Redemption.objects.values_list("pk", "state"))
        assert states == {row.pk: "expired", kept.pk: "reserved"}
        assert (lots(aino), RewardStock.objects.get().taken) == ([(100, None)], 0)
        assert Event.objects.filter(name="redemption.lapsed").count() == 1
        with pytest.raises(WrongState):
            cancelled(row, at=row.collect_by)
        assert verify(at=row.collect_by) == []


def test_what_becomes_of_the_voucher_becomes_of_the_redemption(aino: Member) -> None:
    points_for(aino, 100)
    row = redeemed(aino, voucher_reward()).redemption
    for state, expected in (("used", "fulfilled"), ("used", "fulfilled"), ("active", "issued")):
        Voucher.objects.update(state=state)
        ending.follow_voucher(redemption_id=row.pk, at=NOON, partner_id=None)
        row.refresh_from_db()
        assert row.state == expected
    assert [step.to_state for step in row.steps.all()] == ["issued", "fulfilled", "issued"]
    assert verify(at=NOON) == []


def test_terms_are_revised_by_date_never_in_the_past() -> None:
    given = {"grace_days": 3, "cancel_days": 0, "point_value": None, "least_points": 100, "point_step": 1}
    made = revise_redemptions(at=NOON, valid_from=NOON + DAY, **given)  # type: ignore[arg-type]
    assert made.grace_days == 3
    with pytest.raises(RevisionRefused):
        revise_redemptions(at=NOON, valid_from=NOON - DAY, **given)  # type: ignore[arg-type]
    with pytest.raises(RevisionRefused):
        revise_redemptions(at=NOON, **given)  # type: ignore[arg-type]


class TestPlantedFaults:
    """What the checks are for, each planted by hand and found."""

    def broken(self) -> set[tuple[str, str]]:
        return {(each.invariant, each.table) for each in verify(at=NOON)}

    def test_a_piece_that_nobody_took(self, aino: Member) -> None:
        points_for(aino, 100)
        redeemed(aino, reward(stock=5))
        RewardStock.objects.update(taken=2)
        assert self.broken() == {("H", "rewards_rewardstock")}

    def test_a_state_that_no_step_led_to(self, aino: Member) -> None:
        points_for(aino, 100)
        redeemed(aino, reward())
        Redemption.objects.update(state="fulfilled")
        assert self.broken() == {("H", "rewards_redemption")}

    def test_points_that_came_back_although_it_holds(self, aino: Member) -> None:
        points_for(aino, 100)
        row = redeemed(aino, reward()).redemption
        ledger.reverse(transfer_id=row.transfer_id, why=ledger.Why(), at=NOON)
        assert self.broken() == {("H", "rewards_redemption")}

    def test_another_price_than_its_transfer(self, aino: Member) -> None:
        points_for(aino, 100)
        redeemed(aino, reward())
        Redemption.objects.update(points=99)
        assert ("H", "rewards_redemption") in self.broken()
