"""Members give each other points: both sides or neither, within limits, with the expiry the points had."""

import datetime as dt
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from loyalty.events.models import Event
from members.models import Member
from rewards import gifts, ledger
from rewards.gifts import GiftRefused, find_receiver, give, room_of, set_preference
from rewards.ledger import Grant, InsufficientPoints, LedgerError, Why
from rewards.models import Account, Gift, GiftTerms, Lot, Transfer, Wallet
from rewards.queries import balance_of
from rewards.statement import statement_page
from rewards.verification import verify
from tests.factories.members import NOON, member


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
SPRING, AUTUMN = NOON + 300 * DAY, NOON + 100 * DAY


def wallet_id() -> int:
    return Wallet.objects.get(is_default=True).pk


def grant(who: Member, points: int, *, expires_at: dt.datetime | None = AUTUMN) -> int:
    return ledger.post_grants([Grant(who.pk, wallet_id(), points, NOON - 9 * DAY, expires_at)], at=NOON)[-1]


def hand(giver: Member, receiver: Member, points: int, *, at: dt.datetime = NOON) -> Gift | None:
    return give(from_member_id=giver.pk, to_member_id=receiver.pk, points=points, token=uuid.uuid4(), at=at)


def lots(who: Member) -> list[tuple[int, dt.datetime | None]]:
    rows = Lot.objects.filter(member=who, remaining__gt=0).order_by("expires_at")
    return list(rows.values_list("remaining", "expires_at"))


def balances(*people: Member) -> list[int]:
    return [balance_of(who, NOON).available for who in people]


@pytest.fixture
def aino() -> Member:
    return member(first_name="Aino")


@pytest.fixture
def eino() -> Member:
    return member(first_name="Eino")


def test_a_gift_moves_the_points_that_expire_first_and_they_keep_their_expiry(
    aino: Member, eino: Member
) -> None:
    grant(aino, 50, expires_at=SPRING)
    grant(aino, 30, expires_at=AUTUMN)
    gift = hand(aino, eino, 40)
    assert gift is not None
    assert balances(aino, eino) == [40, 40]
    assert lots(aino) == [(40, SPRING)]
    assert lots(eino) == [(30, AUTUMN), (10, SPRING)]
    assert verify(at=NOON) == []
    moved = Account.objects.get(kind="moved", wallet=wallet_id())
    into = Transfer.objects.filter(to_account=moved).values_list("points", flat=True)
    out = Transfer.objects.filter(from_account=moved).values_list("points", flat=True)
    assert (list(into), sorted(out)) == ([40], [10, 30])


def test_both_see_it_in_the_statement_and_both_are_told(aino: Member, eino: Member) -> None:
    grant(aino, 50, expires_at=SPRING)
    grant(aino, 30, expires_at=AUTUMN)
    hand(aino, eino, 40)
    (given, *_earned), (received,) = statement_page(aino).entries, statement_page(eino).entries
    assert (given.points, str(given.lines[0].reason)) == (-40, "Points given to another member")
    assert (received.points, str(received.lines[0].reason)) == (40, "Points from another member")
    told = Event.objects.filter(name__in=["points.given", "points.received"]).order_by("pk")
    assert [(event.name, event.member_id, event.facts["points"]) for event in told] == [
        ("points.given", aino.pk, 40),
        ("points.received", eino.pk, 40),
    ]


def test_the_same_form_gives_once(aino: Member, eino: Member) -> None:
    grant(aino, 80)
    token = uuid.uuid4()
    order = {"from_member_id": aino.pk, "to_member_id": eino.pk, "points": 30, "token": token, "at": NOON}
    assert give(**order) is not None
    assert give(**order) is None
    assert balances(aino, eino) == [50, 30]


def test_gifts_count_towards_no_tier(aino: Member, eino: Member) -> None:
    grant(aino, 80)
    hand(aino, eino, 80)
    assert not Transfer.objects.filter(kind="gift", qualifies_at__isnull=False).exists()


def test_more_than_the_balance_is_refused_and_nothing_is_written(aino: Member, eino: Member) -> None:
    grant(aino, 30)
    with pytest.raises(InsufficientPoints):
        hand(aino, eino, 31)
    assert not Gift.objects.exists()
    assert balances(aino, eino) == [30, 0]


def test_points_past_their_expiry_cannot_be_given(aino: Member, eino: Member) -> None:
    grant(aino, 30, expires_at=NOON)
    with pytest.raises(InsufficientPoints):
        hand(aino, eino, 10)


def test_a_debt_of_the_giver_is_not_given_away(aino: Member, eino: Member) -> None:
    earned = grant(aino, 50)
    hand(aino, eino, 40)
    ledger.reverse(transfer_id=earned, why=Why(), at=NOON)
    grant(aino, 60)
    assert balances(aino) == [20]
    with pytest.raises(InsufficientPoints):
        hand(aino, eino, 21)
    assert verify(at=NOON) == []


def test_a_refund_after_a_gift_leaves_the_receiver_alone_and_the_giver_owing(
    aino: Member, eino: Member
) -> None:
    earned = grant(aino, 50)
    hand(aino, eino, 40)
    ledger.reverse(transfer_id=earned, why=Why(), at=NOON)
    assert (balance_of(aino, NOON).debt, balances(eino)) == (40, [40])


def test_a_debt_of_the_receiver_is_repaid_first(aino: Member, eino: Member) -> None:
    earned = grant(eino, 20)
    grant(aino, 50)
    hand(eino, aino, 20)
    ledger.reverse(transfer_id=earned, why=Why(), at=NOON)
    assert balance_of(eino, NOON).debt == 20
    hand(aino, eino, 30)
    assert (balance_of(eino, NOON).debt, balance_of(eino, NOON).available) == (0, 10)
    assert verify(at=NOON) == []


def test_a_gift_is_not_reversed_but_given_back(aino: Member, eino: Member) -> None:
    grant(aino, 50)
    hand(aino, eino, 40)
    for transfer in Transfer.objects.filter(kind="gift"):
        with pytest.raises(LedgerError):
            ledger.reverse(transfer_id=transfer.pk, why=Why(), at=NOON)
    hand(eino, aino, 40)
    assert lots(aino) == [(10, AUTUMN), (40, AUTUMN)]


class TestLimits:
    def test_the_least_and_the_most_of_a_day_and_a_month_hold(self, aino: Member, eino: Member) -> None:
        GiftTerms.objects.update(minimum=10, per_day=50, per_month=80)
        grant(aino, 1000)
        at = dt.datetime(2026, 6, 15, 20, 30, tzinfo=dt.UTC)  # 23.30 in Helsinki

        def refusal(points: int, when: dt.datetime) -> str:
            with pytest.raises(GiftRefused) as refused:
                hand(aino, eino, points, at=when)
            return refused.value.code

        assert refusal(9, at) == "minimum"
        hand(aino, eino, 40, at=at)
        assert refusal(11, at) == "per_day"
        hand(aino, eino, 10, at=at)
        tomorrow = at + dt.timedelta(hours=1)
        assert refusal(31, tomorrow) == "per_month"
        hand(aino, eino, 30, at=tomorrow)
        assert refusal(10, tomorrow + DAY) == "per_month"
        assert room_of(aino.pk, spendable=500, at=tomorrow).most == 0
        assert room_of(aino.pk, spendable=500, at=dt.datetime(2026, 6, 30, 21, tzinfo=dt.UTC)).most == 50
        assert balances(eino) == [80]

    def test_terms_hold_from_their_date(self, aino: Member, eino: Member) -> None:
        grant(aino, 100)
        GiftTerms.objects.create(valid_from=NOON, is_open=False)
        with pytest.raises(GiftRefused):
            hand(aino, eino, 10)
        assert hand(aino, eino, 10, at=NOON - DAY) is not None

    def test_nobody_gives_to_themselves_or_to_who_left(self, aino: Member, eino: Member) -> None:
        grant(aino, 100)
        with pytest.raises(GiftRefused):
            hand(aino, aino, 10)
        Member.objects.filter(pk=eino.pk).update(status=Member.Status.CLOSED)
        with pytest.raises(GiftRefused):
            hand(aino, eino, 10)
        assert not Transfer.objects.filter(kind="gift").exists()


class TestReceivers:
    def test_a_card_number_finds_whoever_has_not_declined(self, eino: Member) -> None:
        number = eino.card_number
        assert find_receiver(number) == eino.pk
        assert find_receiver(f" {number[:4]} {number[4:8]} {number[8:12]} {number[12:]} ") == eino.pk
        set_preference(member_id=eino.pk, by_card=False, by_email=False)
        assert find_receiver(number) is None

    def test_an_address_finds_only_who_said_so(self, eino: Member) -> None:
        assert find_receiver(eino.email) is None
        set_preference(member_id=eino.pk, by_card=True, by_email=True)
        assert find_receiver(eino.email.upper()) == eino.pk

    def test_what_is_nobodys_and_who_left_look_alike(self, eino: Member) -> None:
        Member.objects.filter(pk=eino.pk).update(status=Member.Status.CLOSED)
        for reference in (eino.card_number, eino.email, "nobody@example.com", "1234", "", "\x00@"):
            assert find_receiver(reference) is None


def test_the_checker_names_a_gift_that_does_not_add_up(aino: Member, eino: Member) -> None:
    grant(aino, 100)
    gift = hand(aino, eino, 40)
    assert gift is not None
    Gift.objects.update(points=39)
    (violation,) = verify(at=NOON)
    assert (violation.invariant, violation.table, violation.row) == ("A", "rewards_gift", gift.pk)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_opposite_gifts_at_once_lose_nothing_and_do_not_deadlock() -> None:
    """FAULTS 27."""
    GiftTerms.objects.update(minimum=1, per_day=None, per_month=None)
    pair = [member(first_name="Aino"), member(first_name="Eino")]
    for who in pair:
        grant(who, 100)

    def one(number: int) -> bool:
        try:
            giver, receiver = pair if number % 2 else reversed(pair)
            return hand(giver, receiver, 7) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(40)))
    assert all(done)
    assert balances(*pair) == [100, 100]
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_parallel_gifts_keep_the_limit() -> None:
    GiftTerms.objects.update(minimum=1, per_day=30, per_month=None)
    giver, receiver = member(first_name="Aino"), member(first_name="Eino")
    grant(giver, 1000)

    def one(_number: int) -> bool:
        try:
            return hand(giver, receiver, 10) is not None
        except GiftRefused:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(12))) == 3
    assert balances(receiver) == [30]
    assert gifts.room_of(giver.pk, spendable=970, at=NOON).most == 0
