"""Expiry by days, months, ends of periods, and expiry that moves with activity."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from loyalty.partners.models import Partner
from members.activities import NewActivity
from members.models import Member
from rewards import ledger, terms
from rewards.earning import record_and_reward, record_and_reward_many
from rewards.expiry import expires_at
from rewards.grants import grant_once
from rewards.ledger import Why
from rewards.ledger.sliding import Active, carried
from rewards.models import ExpiryPolicy, ExpirySlide, Lot, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.revisions import RevisionRefused, revise_expiry
from rewards.verification import verify
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
EARLIER = NOON - 200 * DAY


@pytest.mark.parametrize(
    ("length", "rounding", "last_day"),
    [
        ({"days": 30}, "exact", "2026-12-21"),
        ({"days": 30}, "month_end", "2026-12-31"),
        ({"months": 3}, "exact", "2027-02-21"),
        ({"months": 0}, "month_end", "2026-11-30"),
        ({"months": 0}, "year_end", "2026-12-31"),
        ({"months": 12}, "year_end", "2027-12-31"),
    ],
)
def test_points_are_good_through_their_last_day(length: dict[str, int], rounding: str, last_day: str) -> None:
    facts = {"months": None} | length
    found = expires_at(
        earned_at=dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC),
        rounding=rounding,
        time_zone="Europe/Helsinki",
        **facts,  # type: ignore[arg-type]
    )
    assert found is not None
    local = (found - dt.timedelta(seconds=1)).astimezone(dt.timezone(dt.timedelta(hours=2)))
    assert local.date().isoformat() == last_day


def test_a_policy_without_a_length_never_expires() -> None:
    assert expires_at(earned_at=NOON, months=None, rounding="exact", time_zone="UTC") is None


def slide_by(days: int, *, at: dt.datetime = EARLIER) -> ExpiryPolicy:
    wallet = Wallet.objects.get(is_default=True)
    return revise_expiry(wallet_id=wallet.pk, months=None, days=days, rounding="exact", sliding=True, at=at)


def buy(
    who: Member, number: int, on: dt.datetime, *, at: dt.datetime | None = None, total: str = "10"
) -> None:
    record_and_reward(_purchase(who, number, on, total=total), at=at or on)


def _purchase(who: Member, number: int, on: dt.datetime, *, total: str = "10") -> NewActivity:
    partner, _created = Partner.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
    return NewActivity(
        partner_id=partner.pk,
        member_id=who.pk,
        external_id=f"s-{who.pk}-{number}",
        kind="purchase",
        occurred_at=on,
        currency="EUR",
        total=Decimal(total),
    )


def days_left(who: Member, *, at: dt.datetime) -> list[int]:
    lots = Lot.objects.filter(member=who).order_by("pk")
    return [(lot.expires_at - at).days for lot in lots if lot.expires_at]


def test_each_activity_moves_what_was_granted_under_a_sliding_policy() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    start = EARLIER + DAY
    buy(who, 1, start)
    buy(who, 2, start + 20 * DAY)
    buy(who, 3, start + 45 * DAY)
    at = start + 45 * DAY
    assert days_left(who, at=at) == [30, 30, 30]
    assert ledger.expire_due(at=start + 75 * DAY) == []
    assert [each.points for each in ledger.expire_due(at=start + 77 * DAY)] == [30]
    assert verify(at=at) == []
    assert list(ExpirySlide.objects.order_by("pk").values_list("activity__external_id", flat=True)) == [
        f"s-{who.pk}-2",
        f"s-{who.pk}-3",
    ]


def test_an_import_of_the_same_purchases_in_one_go_moves_them_alike() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    start = EARLIER + DAY
    record_and_reward_many(
        [_purchase(who, number, start + days * DAY) for number, days in enumerate((0, 20, 45, 200))], at=NOON
    )
    at = start + 45 * DAY
    assert days_left(who, at=at) == [30, 30, 30, 185]
    assert verify(at=NOON) == []


def test_an_activity_after_the_expiry_brings_nothing_back() -> None:
    who = member(at=EARLIER)
    slide_by(10)
    buy(who, 1, EARLIER + DAY)
    buy(who, 2, EARLIER + 40 * DAY)
    assert days_left(who, at=EARLIER + DAY) == [10, 49]
    assert not ExpirySlide.objects.exists()


def test_an_activity_that_came_in_late_joins_hands_with_later_ones() -> None:
    who = member(at=EARLIER)
    slide_by(10)
    buy(who, 1, EARLIER + 1 * DAY)
    buy(who, 2, EARLIER + 18 * DAY)
    buy(who, 3, EARLIER + 9 * DAY, at=EARLIER + 19 * DAY)
    assert days_left(who, at=EARLIER + 18 * DAY)[0] == 10
    assert verify(at=NOON) == []


def test_points_granted_under_a_fixed_policy_stay_where_they_were() -> None:
    who = member(at=EARLIER - 10 * DAY)
    buy(who, 1, EARLIER - 5 * DAY)
    before = Lot.objects.get().expires_at
    slide_by(30)
    buy(who, 2, EARLIER + DAY)
    buy(who, 3, EARLIER + 9 * DAY)
    first, second, third = Lot.objects.order_by("pk")
    assert (first.expires_at, first.expiry_policy_id, first.granted_expiry) == (before, None, None)
    assert second.expires_at == third.expires_at
    assert second.granted_expiry == second.expires_at - 8 * DAY


def test_points_under_a_sliding_policy_keep_sliding_when_the_policy_is_succeeded() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    buy(who, 1, EARLIER + DAY)
    wallet = Wallet.objects.get(is_default=True)
    revise_expiry(wallet_id=wallet.pk, months=12, rounding="exact", at=EARLIER + 2 * DAY)
    buy(who, 2, EARLIER + 20 * DAY)
    assert days_left(who, at=EARLIER + 20 * DAY)[0] == 30


def test_gifts_for_an_occasion_slide_too() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    at = EARLIER + DAY
    grant_once(member_id=who.pk, points=5, occasion="birthday:1", source="birthday", at=at)
    buy(who, 1, at + 10 * DAY)
    assert days_left(who, at=at + 10 * DAY) == [30, 30]


def test_points_given_back_get_the_expiry_that_activity_gave_meanwhile() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    buy(who, 1, EARLIER + DAY)
    known = terms.current()
    spent = ledger.spend(
        member_id=who.pk,
        wallet_id=known.default_wallet_id,
        points=10,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=EARLIER + 2 * DAY,
    )
    buy(who, 2, EARLIER + 20 * DAY)
    at = EARLIER + 40 * DAY
    ledger.reverse(transfer_id=spent, why=Why(), at=at)
    assert days_left(who, at=EARLIER + 20 * DAY) == [30, 30]
    assert verify(at=at) == []


def test_without_a_sliding_policy_a_purchase_costs_no_statement_more() -> None:
    who = member(at=EARLIER)
    buy(who, 1, EARLIER + DAY)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        buy(who, 2, EARLIER + 2 * DAY)
    assert not [query for query in queries if "expiry_policy_id IS NOT NULL" in (query["sql"] or "")]


def test_moves_cost_the_same_for_one_lot_and_for_thirty() -> None:
    slide_by(30)
    counts = []
    for lots in (1, 30):
        who = member(at=EARLIER)
        record_and_reward_many([_purchase(who, number, EARLIER + DAY) for number in range(lots)], at=NOON)
        with CaptureQueriesContext(connection) as queries:
            buy(who, 99, EARLIER + 9 * DAY)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_checker_names_a_move_without_proof() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    buy(who, 1, EARLIER + DAY)
    lot = Lot.objects.get()
    assert lot.expires_at is not None
    Lot.objects.update(granted_expiry=lot.expires_at, expires_at=lot.expires_at + 99 * DAY)
    (violation,) = verify(at=NOON)
    assert (violation.table, violation.row) == ("rewards_lot", lot.pk)


def test_moves_are_kept_for_good() -> None:
    who = member(at=EARLIER)
    slide_by(30)
    buy(who, 1, EARLIER + DAY)
    buy(who, 2, EARLIER + 9 * DAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExpirySlide.objects.update(expires_at=NOON)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"months": 3, "days": 3}, "days"),
        ({"months": None, "days": None, "sliding": True}, "sliding"),
        ({"months": 0, "days": None, "rounding": "exact"}, "months"),
        ({"months": None, "days": 0}, "days"),
    ],
)
def test_policies_that_cannot_be_are_refused(facts: dict[str, object], field: str) -> None:
    wallet = Wallet.objects.get(is_default=True)
    with pytest.raises(RevisionRefused) as refused:
        revise_expiry(wallet_id=wallet.pk, at=NOON, **({"rounding": "exact"} | facts))  # type: ignore[arg-type]
    assert refused.value.field == field
    assert ExpiryPolicy.objects.count() == 1


@given(st.lists(st.integers(0, 100), max_size=12), st.integers(1, 30))
def test_what_is_kept_alive_is_the_chain_without_a_gap(days: list[int], length: int) -> None:
    def on(day: int) -> dt.datetime:
        return NOON + day * DAY

    steps = carried(
        on(length),
        [Active(on(day), number, 1) for number, day in enumerate(days)],
        lambda at: at + length * DAY,
    )
    expected = length
    for day in sorted(days):
        if day < expected:
            expected = max(expected, day + length)
    assert (steps[-1].expires_at if steps else on(length)) == on(expected)
