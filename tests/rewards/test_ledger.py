"""The ledger's operations, worked examples and races."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import IntegrityError, connection, transaction

from members.enrolment import NewMember, enrol
from members.models import Member
from rewards import ledger
from rewards.ledger import Grant, InsufficientPoints, OverReversal, Why
from rewards.models import Account, Allocation, Lot, Transfer, Wallet
from rewards.models.ledger import PROGRAMME_ACCOUNTS, AccountKind
from rewards.verification import verify

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def member() -> Member:
    return enrol(NewMember(first_name="Aino"), source="portal", at=NOON)


def wallet() -> Wallet:
    return Wallet.objects.get(is_default=True)


def grant(who: Member, points: int, *, expires: dt.datetime | None = None, **more: object) -> list[int]:
    order = Grant(
        member_id=who.pk, wallet_id=wallet().pk, points=points, occurred_at=NOON, expires_at=expires, **more
    )  # type: ignore[arg-type]
    return ledger.post_grants([order], at=NOON)


def redeem(who: Member, points: int, at: dt.datetime = NOON) -> int:
    return ledger.spend(
        member_id=who.pk,
        wallet_id=wallet().pk,
        points=points,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=at,
    )


def undo(transfer_id: int, points: int | None = None) -> int:
    return ledger.reverse(transfer_id=transfer_id, points=points, why=Why(), at=NOON)


def books(who: Member) -> tuple[int, int, int]:
    """Available, pending and debt."""
    rows = dict(Account.objects.filter(member=who).values_list("kind", "balance"))
    return rows["available"], rows["pending"], -rows["debt"]


def remaining(who: Member) -> list[int]:
    return list(Lot.objects.filter(member=who).order_by("pk").values_list("remaining", flat=True))


@pytest.fixture
def sound() -> Iterator[None]:
    """The invariants hold when the test is over."""
    yield
    assert verify(at=NOON) == []


@pytest.mark.usefixtures("db", "sound")
def test_a_wallet_that_another_process_added_is_known_at_once() -> None:
    who = member()
    grant(who, 5)
    status = Wallet.objects.create(code="status", names={"en": "Status points"})
    with connection.cursor() as cursor:  # not by open_wallet(), which would make this process forget
        kinds = [*PROGRAMME_ACCOUNTS]
        cursor.execute(
            "INSERT INTO rewards_account (wallet_id, kind) SELECT %s, unnest(%s::text[])", [status.pk, kinds]
        )
    order = Grant(member_id=who.pk, wallet_id=status.pk, points=7, occurred_at=NOON, expires_at=None)
    ledger.post_grants([order], at=NOON)
    balances = Account.objects.filter(member=who, kind="available").values_list("wallet__code", "balance")
    assert dict(balances)["status"] == 7


@pytest.mark.usefixtures("db", "sound")
class TestWorkedExamples:
    def test_spending_takes_what_expires_first(self) -> None:
        who = member()
        grant(who, 50)
        grant(who, 30, expires=NOON + 90 * DAY)
        grant(who, 20, expires=NOON + 30 * DAY)
        redeem(who, 45)

        assert remaining(who) == [50, 5, 0]

    def test_a_cancelled_redemption_gives_back_the_very_lots_with_their_expiry(self) -> None:
        who = member()
        grant(who, 30, expires=NOON + 90 * DAY)
        grant(who, 20, expires=NOON + 30 * DAY)
        before = list(Lot.objects.order_by("pk").values("pk", "remaining", "expires_at"))
        spent = redeem(who, 45)
        undo(spent, 10)
        assert remaining(who) == [15, 0]
        undo(spent)

        assert list(Lot.objects.order_by("pk").values("pk", "remaining", "expires_at")) == before

    def test_points_past_their_expiry_cannot_be_spent_before_the_nightly_job(self) -> None:
        who = member()
        grant(who, 30, expires=NOON + DAY)
        with pytest.raises(InsufficientPoints):
            redeem(who, 1, at=NOON + DAY)
        assert redeem(who, 30, at=NOON + DAY - dt.timedelta(microseconds=1))

    def test_taking_back_spent_points_makes_a_debt_that_the_next_earning_repays(self) -> None:
        who = member()
        (earned,) = grant(who, 100)
        redeem(who, 80)
        undo(earned)
        assert books(who) == (0, 0, 80)
        grant(who, 30)
        assert books(who) == (0, 0, 50)
        grant(who, 60)

        assert books(who) == (10, 0, 0)
        assert remaining(who) == [0, 10]

    def test_what_is_owed_cannot_be_spent(self) -> None:
        who = member()
        (earned,) = grant(who, 100)
        redeem(who, 100)
        grant(who, 30)
        undo(earned)
        with pytest.raises(InsufficientPoints) as refused:
            redeem(who, 1)

        assert refused.value.spendable == 0
        assert books(who) == (30, 0, 100)

    def test_a_redemption_cancelled_after_the_refund_settles_the_debt(self) -> None:
        who = member()
        (earned,) = grant(who, 100)
        spent = redeem(who, 100)
        undo(earned)
        undo(spent)

        assert books(who) == (0, 0, 0)

    def test_points_that_expired_are_not_taken_back_again(self) -> None:
        who = member()
        (earned,) = grant(who, 100, expires=NOON - DAY)
        ledger.expire_due(at=NOON)
        undo(earned)

        assert books(who) == (0, 0, 0)

    def test_pending_points_mature_into_a_lot_of_the_same_expiry(self) -> None:
        who = member()
        grant(who, 40, pending=True, available_at=NOON + 5 * DAY, expires=NOON + 60 * DAY)
        assert ledger.mature_due(at=NOON + 4 * DAY) == 0
        assert ledger.mature_due(at=NOON + 5 * DAY) == 1
        assert ledger.mature_due(at=NOON + 5 * DAY) == 0

        assert books(who) == (40, 0, 0)
        assert Lot.objects.get(remaining=40).expires_at == NOON + 60 * DAY

    def test_a_grant_taken_back_after_maturing_empties_the_matured_lot(self) -> None:
        who = member()
        (earned,) = grant(who, 40, pending=True, available_at=NOON)
        ledger.mature_due(at=NOON)
        redeem(who, 15)
        undo(earned)

        assert books(who) == (0, 0, 15)

    def test_no_more_is_reversed_than_was_given(self) -> None:
        who = member()
        (earned,) = grant(who, 40)
        undo(earned, 30)
        with pytest.raises(OverReversal) as refused:
            undo(earned, 11)

        assert refused.value.left == 10
        assert books(who) == (10, 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Transfer, Allocation])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET points = points + 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_database_refuses_to_change_history(model: type, change: str) -> None:
    who = member()
    grant(who, 10)
    redeem(who, 5)
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(change.format(model._meta.db_table))  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_the_database_refuses_a_negative_balance() -> None:
    who = member()
    grant(who, 10)
    with pytest.raises(IntegrityError, match="account_balance_in_bounds"), transaction.atomic():
        Account.objects.filter(member=who, kind="available").update(balance=-1)


def in_parallel(count: int, work: Callable[[int], object]) -> list[object]:
    """Run ``work`` in so many threads at once; gives results, or the exceptions raised."""
    results: list[object] = [None] * count
    start = threading.Barrier(count)

    def one(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestRaces:
    def test_of_many_redemptions_at_once_the_balance_covers_one(self) -> None:
        who = member()
        grant(who, 100)
        results = in_parallel(20, lambda _number: redeem(who, 60))

        assert sum(isinstance(result, int) for result in results) == 1
        assert sum(isinstance(result, InsufficientPoints) for result in results) == 19
        assert books(who) == (40, 0, 0)

    def test_the_same_reversal_at_once_happens_once(self) -> None:
        who = member()
        (earned,) = grant(who, 100)
        results = in_parallel(10, lambda _number: undo(earned, 100))

        assert sum(result == 100 for result in results) == 1
        assert sum(isinstance(result, OverReversal) for result in results) == 9

    def test_redeeming_expiring_and_reversing_at_once_does_not_deadlock(self) -> None:
        people = [member() for _ in range(4)]
        earned = [grant(who, 100, expires=NOON - DAY) + grant(who, 100) for who in people]
        work: list[Callable[[], object]] = [lambda: ledger.expire_due(at=NOON)] * 4
        for who, (old, new) in zip(people, earned, strict=True):
            work += [
                lambda who=who: redeem(who, 30),
                lambda old=old: undo(old),
                lambda new=new: undo(new, 50),
            ]
        results = in_parallel(len(work), lambda number: work[number]())

        unexpected = [
            r for r in results if isinstance(r, Exception) and not isinstance(r, InsufficientPoints)
        ]
        assert unexpected == []


@pytest.mark.django_db
class TestVerification:
    """Each invariant, broken by somebody with power over the database, is seen and its row named."""

    @pytest.mark.parametrize(
        ("invariant", "table", "sql"),
        [
            (
                "A",
                "rewards_account",
                "UPDATE rewards_account SET balance = balance + 1 WHERE kind = 'available'",
            ),
            ("A", "rewards_account", "UPDATE rewards_transfer SET points = points + 1 WHERE kind = 'redeem'"),
            (
                "A",
                "rewards_account",
                "DELETE FROM rewards_allocation; DELETE FROM rewards_transfer WHERE kind <> 'earn'",
            ),
            ("B", "rewards_lot", "UPDATE rewards_lot SET remaining = remaining - 1"),
            ("B", "rewards_lot", "UPDATE rewards_allocation SET points = points + 1"),
            ("B", "rewards_lot", "UPDATE rewards_lot SET points = points + 7, remaining = remaining + 7"),
            ("C", "rewards_transfer", "UPDATE rewards_transfer SET points = 99 WHERE kind = 'reverse'"),
            (
                "D",
                "members_member",
                "UPDATE members_member SET tier_id = (SELECT id FROM members_tier WHERE rank = 2)",
            ),
        ],
    )
    def test_a_planted_violation_is_named(self, invariant: str, table: str, sql: str) -> None:
        who = member()
        (earned,) = grant(who, 50)
        redeem(who, 20)
        undo(earned, 10)
        assert verify(at=NOON) == []
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(sql)
            cursor.execute("SET LOCAL session_replication_role = origin")

        assert (invariant, table) in {(broken.invariant, broken.table) for broken in verify(at=NOON)}

    def test_an_effect_that_happened_twice_is_named(self) -> None:
        who = member()
        (earned,) = grant(who, 50, why=Why(occasion="birthday:2026:1"))
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX transfer_once_per_occasion")
        (again,) = grant(who, 50, why=Why(occasion="birthday:2026:1"))

        broken = verify(at=NOON)
        assert [(each.invariant, each.row) for each in broken] == [("E", min(earned, again))]
