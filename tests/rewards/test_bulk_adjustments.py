"""Corrections from a file: checked, started, posted once a row, undone as a whole."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from members.models import Member
from rewards import bulk_adjustments, ledger, tasks
from rewards.adjustments import DecisionRefused
from rewards.adjustments_file import FileRefused, read
from rewards.bulk_adjustments import WrongState, decide, start, transfers_of, undo, upload, work
from rewards.ledger import Why
from rewards.models import BulkAdjustment, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.queries import balance_of
from rewards.verification import verify
from tests.factories.campaigns import recorder
from tests.factories.members import NOON, UserFactory, member


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


pytestmark = pytest.mark.django_db


def file(*rows: tuple[object, ...], header: str = "member,points,note") -> bytes:
    return "\n".join([header, *(",".join(str(cell) for cell in row) for row in rows)]).encode()


def uploaded(data: bytes, *, by: Any = None) -> BulkAdjustment:
    return upload(name="points.csv", data=data, staff_id=(by or UserFactory()).pk, at=NOON)


def run(batch: BulkAdjustment) -> BulkAdjustment:
    work(batch_id=batch.pk, at=NOON, run=recorder())
    batch.refresh_from_db()
    return batch


def started(data: bytes) -> BulkAdjustment:
    clerk = UserFactory()
    batch = uploaded(data, by=clerk)
    start(batch_id=batch.pk, staff_id=clerk.pk, at=NOON)
    return batch


def points_of(*people: Member) -> list[int]:
    return [balance_of(who, NOON).available for who in people]


def spend(who: Member, points: int) -> None:
    ledger.spend(
        member_id=who.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=points,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOON,
    )


class TestReading:
    def test_separators_marks_and_languages_are_understood(self) -> None:
        data = "\ufeffPisteet;Jäsen;Syy\n1 200;a@example.com;Hyvitys\n\n−5;b@example.com;Korjaus\n".encode()
        assert [(row.line, row.reference, row.points, row.note, row.problem) for row in read(data)] == [
            (2, "a@example.com", 1200, "Hyvitys", ""),
            (4, "b@example.com", -5, "Korjaus", ""),
        ]

    @pytest.mark.parametrize(
        "points", ["", "0", "1.5", "NaN", "9223372036854775808", "=1+1", "--5", "1000001"]
    )
    def test_points_that_are_none_are_named_with_their_line(self, points: str) -> None:
        (row,) = read(file(("a@example.com", points, "x")))
        assert row.points is None
        assert row.problem

    @pytest.mark.parametrize(
        "data", [b"", b"member,points,note\n", b"a,b\n1,2\n", b"member,points,note\n\0,1,x"]
    )
    def test_files_that_are_none_are_refused(self, data: bytes) -> None:
        with pytest.raises(FileRefused):
            read(data)

    def test_too_many_rows_are_refused(self) -> None:
        with pytest.raises(FileRefused):
            read(file(*[("a@example.com", 1, "x")] * 20_001))


def test_the_preview_counts_sums_and_names_the_lines_with_errors() -> None:
    aino, eino = member(), member()
    batch = uploaded(
        file(
            (aino.card_number, 50, "a"),
            (eino.email.upper(), -20, "b"),
            (eino.public_id, 5, "c"),
            ("nobody@example.com", 5, "d"),
            (aino.email, "many", "e"),
            (aino.email, 3, ""),
        )
    )
    assert (batch.status, batch.good, batch.bad, batch.given, batch.taken) == ("draft", 3, 3, 55, 20)
    problems = bulk_adjustments.problems_of(batch, limit=10)
    assert [(row.line, row.problem) for row in problems] == [
        (5, "No active member is known by this."),
        (6, "The points are not a whole number."),
        (7, "There is no reason."),
    ]
    assert not Transfer.objects.exists()


def test_a_small_file_runs_and_what_cannot_be_posted_is_said() -> None:
    aino, eino = member(), member()
    batch = run(started(file((aino.email, 50, "a"), (eino.email, -20, "b"), (aino.email, -10, "c"))))
    assert batch.status == "done"
    assert points_of(aino, eino) == [40, 0]
    rows = list(batch.rows.order_by("line").values_list("status", "problem"))
    assert [status for status, _problem in rows] == ["posted", "skipped", "posted"]
    assert "20" in rows[1][1]
    assert {transfer.note for transfer in transfers_of(batch)} == {"a", "c"}
    assert verify(at=NOON) == []


def test_a_large_file_waits_for_a_second_person() -> None:
    aino = member()
    clerk, boss = UserFactory(), UserFactory()
    batch = uploaded(file((aino.email, 600, "a"), (aino.email, 600, "b")), by=clerk)
    with pytest.raises(DecisionRefused):
        start(batch_id=batch.pk, staff_id=boss.pk, at=NOON)
    assert start(batch_id=batch.pk, staff_id=clerk.pk, at=NOON) == "waiting"
    assert bulk_adjustments.next_due() is None
    with pytest.raises(DecisionRefused):
        decide(batch_id=batch.pk, approve=True, staff_id=clerk.pk, at=NOON)
    run(batch)
    assert points_of(aino) == [0]
    decide(batch_id=batch.pk, approve=True, staff_id=boss.pk, at=NOON)
    run(batch)
    assert points_of(aino) == [1200]


def test_running_twice_posts_once() -> None:
    aino = member()
    batch = run(started(file((aino.email, 50, "a"))))
    BulkAdjustment.objects.update(status="running")
    batch.rows.update(status="ready")
    run(batch)
    assert points_of(aino) == [50]
    assert list(batch.rows.values_list("status", flat=True)) == ["posted"]
    with pytest.raises(WrongState):
        start(batch_id=batch.pk, staff_id=batch.uploaded_by_id, at=NOON)


def test_a_worker_that_died_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [member() for _ in range(5)]
    batch = started(file(*((who.email, 10, "a") for who in people)))
    monkeypatch.setattr(bulk_adjustments, "CHUNK", 2)
    plain, calls = bulk_adjustments.ledger.lock, []

    def lock(*args: Any) -> Any:
        if len(args[0]) > 1 or calls:
            calls.append(args)
        if len(calls) > 6:
            raise KeyboardInterrupt
        return plain(*args)

    monkeypatch.setattr(bulk_adjustments.ledger, "lock", lock)
    with pytest.raises(KeyboardInterrupt):
        run(batch)
    monkeypatch.setattr(bulk_adjustments.ledger, "lock", plain)
    assert bulk_adjustments.next_due() == batch.pk
    assert run(batch).status == "done"
    assert points_of(*people) == [10] * 5
    assert Transfer.objects.count() == 5


def test_the_task_works_off_every_file_and_leaves_a_row_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    aino = member()
    for number in range(2):
        started(file((aino.email, 10, str(number))))
    monkeypatch.setattr("loyalty.clock.now", lambda: NOON)
    tasks.run_bulk_adjustment()
    tasks.run_bulk_adjustment()
    assert points_of(aino) == [20]
    assert set(BulkAdjustment.objects.values_list("status", flat=True)) == {"done"}


@pytest.mark.parametrize(("into_debt", "left"), [(True, (0, 30)), (False, (0, 0))])
def test_undoing_posts_compensating_transfers_under_the_same_file(
    into_debt: bool, left: tuple[int, int]
) -> None:
    aino, eino = member(), member()
    run(started(file((eino.email, 100, "before"))))
    batch = run(started(file((aino.email, 50, "a"), (eino.email, -20, "b"))))
    spend(aino, 30)
    boss = UserFactory()
    undo(batch_id=batch.pk, into_debt=into_debt, staff_id=boss.pk)
    run(batch)
    assert batch.status == "undone"
    balance = balance_of(aino, NOON)
    assert (balance.available, balance.debt) == left
    assert points_of(eino) == [100]
    assert set(transfers_of(batch).filter(kind="reverse").values_list("staff_id", flat=True)) == {boss.pk}
    first, second = batch.rows.order_by("line")
    assert (first.undone, bool(first.problem)) == ((50, False) if into_debt else (20, True))
    assert second.undone == 20
    assert verify(at=NOON) == []
    with pytest.raises(WrongState):
        undo(batch_id=batch.pk, into_debt=True, staff_id=boss.pk)
