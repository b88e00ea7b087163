"""Redis says the same as PostgreSQL or is not asked: lost, behind, in doubt, away. It never names a stranger."""

import datetime as dt
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection, connections

from loyalty import clock, redis_link
from loyalty.redis_link import Breaker
from members.models import Member
from rewards.leaderboards import membership, ranks, reading, scores, tables, tasks, upkeep
from rewards.leaderboards.ranks import Place, Standing
from rewards.models import Leaderboard, LeaderboardProfile, LeaderboardScore, LeaderboardTable
from tests.factories.leaderboards import heard, leaderboard, seen, table
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.fixture
def link() -> Iterator[redis.Redis]:
    """The Redis of this test run, without leaderboards before and after."""
    server = redis_link.client(5.0)

    def clear() -> None:
        if keys := list(server.scan_iter("kantis:leaderboard:*")):
            server.delete(*keys)

    clear()
    yield server
    clear()


def read(board: Leaderboard, who: Member | None = None, *, top: int = 10, around: int = 2) -> Standing | None:
    return ranks.read(table(board), member_id=who.pk if who else None, top=top, around=around)


def in_sql(board: Leaderboard, who: Member | None = None, *, top: int = 10, around: int = 2) -> Standing:
    return reading.standing_in_sql(table(board), member_id=who.pk if who else None, top=top, around=around)


def members_in(link: redis.Redis, board: Leaderboard) -> int:
    return int(link.zcard(ranks.key_of(table(board)))) - 1


@pytest.mark.django_db
class TestOneAndTheSame:
    @pytest.fixture
    def board(self, link: redis.Redis) -> Leaderboard:
        board = leaderboard()
        tables.open_tables(at=NOON)
        return board

    def test_redis_and_sql_answer_alike_whatever_the_ties(self, board: Leaderboard) -> None:
        everybody = [seen(f"Member {number}") for number in range(14)]
        chance = random.Random(7)
        for most in (0, 1, 3, 8, 10**15):
            LeaderboardScore.objects.all().delete()
            LeaderboardScore.objects.bulk_create(
                LeaderboardScore(
                    table=table(board), profile_id=each.pk, score=chance.randint(0, most), revision=1
                )
                for each in everybody
                if chance.random() < 0.9
            )
            ranks.rebuild(table(board).pk)
            for top, around in ((10, 2), (3, 1), (100, 20), (0, 0)):
                for who in (None, *everybody):
                    assert read(board, who, top=top, around=around) == in_sql(
                        board, who, top=top, around=around
                    )

    def test_ties_share_a_rank_and_neighbours_are_around(
        self, board: Leaderboard, django_capture_on_commit_callbacks: Any
    ) -> None:
        people = {}
        with django_capture_on_commit_callbacks(execute=True):
            for name, total in (("Ada", 9), ("Bob", 9), ("Cyd", 7), ("Didi", 7), ("Edda", 1)):
                people[name] = seen(name)
                purchase(people[name], total=total)
            heard()
        assert read(board, people["Cyd"], top=2, around=1) == Standing(
            total=5,
            top=(Place(1, people["Ada"].pk, 9), Place(1, people["Bob"].pk, 9)),
            mine=Place(3, people["Cyd"].pk, 7),
            around=(
                Place(1, people["Bob"].pk, 9),
                Place(3, people["Cyd"].pk, 7),
                Place(3, people["Didi"].pk, 7),
            ),
        )

    def test_it_follows_every_commit(
        self, board: Leaderboard, link: redis.Redis, django_capture_on_commit_callbacks: Any
    ) -> None:
        anna = seen("Anna")
        for total, sum_ in ((20, 20), (5, 25)):
            with django_capture_on_commit_callbacks(execute=True):
                purchase(anna, total=total)
                heard()
            found = read(board, anna)
            assert found is not None
            assert found.mine == Place(1, anna.pk, sum_)

    def test_who_has_nothing_left_has_no_place(
        self, board: Leaderboard, link: redis.Redis, django_capture_on_commit_callbacks: Any
    ) -> None:
        anna, bror = seen("Anna"), seen("Bror")
        LeaderboardScore.objects.bulk_create(
            LeaderboardScore(table=table(board), profile_id=each.pk, score=50, revision=1)
            for each in (anna, bror)
        )
        ranks.rebuild(table(board).pk)
        purchase(bror, total=7)
        with django_capture_on_commit_callbacks(execute=True):
            scores.recompute(member_ids=[anna.pk, bror.pk], at=NOON)
        assert read(board, anna) == Standing(total=1, top=(Place(1, bror.pk, 7),))
        assert members_in(link, board) == 1


@pytest.mark.django_db
class TestLostOrInDoubt:
    @pytest.fixture
    def board(self, link: redis.Redis) -> Leaderboard:
        return leaderboard()

    @pytest.fixture
    def people(self, board: Leaderboard, django_capture_on_commit_callbacks: Any) -> list[Member]:
        with django_capture_on_commit_callbacks(execute=True):
            found = [seen(name) for name in ("Anna", "Bror", "Cilla")]
            for place, each in enumerate(found):
                purchase(each, total=30 - 10 * place)
            heard()
        return found

    def test_flushed_it_is_answered_by_sql_and_built_again(
        self, board: Leaderboard, people: list[Member], link: redis.Redis
    ) -> None:
        before = read(board, people[2])
        assert before is not None
        link.flushdb()
        assert read(board, people[2]) is None
        shown = reading.shown(table(board), member_id=people[2].pk)
        assert [(line.rank, line.nickname) for line in shown.top] == [(1, "Anna"), (2, "Bror"), (3, "Cilla")]
        tasks.keep_leaderboards()
        assert read(board, people[2]) == before

    def test_a_set_that_is_behind_is_not_read_and_catches_up(
        self, board: Leaderboard, people: list[Member], link: redis.Redis
    ) -> None:
        purchase(people[1], total=100)
        heard()  # the process dies before it has told Redis
        assert read(board) is None
        assert reading.shown(table(board)).top[0].nickname == "Bror"
        assert ranks.keep_up(table(board).pk)
        assert read(board) == in_sql(board)

    def test_who_leaves_is_taken_out_at_once(
        self,
        board: Leaderboard,
        people: list[Member],
        link: redis.Redis,
        django_capture_on_commit_callbacks: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(ranks, "_build", lambda _table: pytest.fail("one is no reason to build all"))
        with django_capture_on_commit_callbacks(execute=True):
            membership.leave(member_id=people[0].pk, at=NOON)
        assert members_in(link, board) == 2
        assert read(board, people[1]) == in_sql(board, people[1])
        assert read(board, people[0]).mine is None  # type: ignore[union-attr]

    def test_somebody_who_left_while_redis_was_not_told_is_not_counted(
        self,
        board: Leaderboard,
        people: list[Member],
        link: redis.Redis,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        membership.leave(member_id=people[0].pk, at=NOON)  # the process dies before it has told Redis
        assert members_in(link, board) == 3
        shown = reading.shown(table(board), member_id=people[1].pk)
        assert (shown.total, shown.mine.rank) == (2, 1)  # type: ignore[union-attr]
        monkeypatch.setattr(ranks, "BUILT_AT_ONCE", 0)  # as if it were long
        with django_capture_on_commit_callbacks(execute=True):
            purchase(people[1], total=1)
            heard()
        assert read(board) is None  # a later change alone does not bring it up
        tasks.keep_leaderboards()
        assert members_in(link, board) == 2
        assert read(board, people[1]) == in_sql(board, people[1])

    def test_a_stranger_in_the_set_is_neither_named_nor_counted(
        self, board: Leaderboard, people: list[Member], link: redis.Redis
    ) -> None:
        stranger = member(first_name="Salla")
        link.zadd(ranks.key_of(table(board)), {ranks._name(stranger.pk): -10_000})
        shown = reading.shown(table(board), member_id=people[0].pk)
        assert [(line.rank, line.nickname) for line in shown.top] == [(1, "Anna"), (2, "Bror"), (3, "Cilla")]
        assert shown.total == 3
        assert shown.mine is not None
        assert shown.mine.rank == 1

    def test_who_has_no_nickname_asks_in_vain(self, board: Leaderboard, people: list[Member]) -> None:
        stranger = member()
        purchase(stranger, total=1_000)
        heard()
        shown = reading.shown(table(board), member_id=stranger.pk)
        assert (shown.mine, shown.around, shown.total) == (None, (), 3)

    def test_a_set_of_another_history_is_not_read(
        self, board: Leaderboard, people: list[Member], link: redis.Redis
    ) -> None:
        """A database restored from a copy has an earlier revision than Redis."""
        LeaderboardTable.objects.update(revision=0)
        LeaderboardScore.objects.filter(profile=people[0].pk).update(score=1, revision=0)
        assert read(board) is None
        assert ranks.keep_up(table(board).pk)
        assert read(board) == in_sql(board)

    def test_a_closed_table_needs_no_redis(
        self, board: Leaderboard, people: list[Member], link: redis.Redis
    ) -> None:
        upkeep.close(table(board), at=NOON)
        assert not link.exists(ranks.key_of(table(board)))
        assert reading.shown(table(board), member_id=people[2].pk).mine.rank == 3  # type: ignore[union-attr]
        assert not ranks.keep_up(table(board).pk)

    def test_long_tables_are_built_in_pages(
        self, board: Leaderboard, people: list[Member], link: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ranks, "BATCH", 2)
        link.flushdb()
        assert ranks.rebuild(table(board).pk)
        assert read(board) == in_sql(board)
        assert not list(link.scan_iter("*:draft"))


@pytest.mark.django_db
class TestAway:
    @pytest.fixture
    def frozen(self, tmp_path: Path) -> Iterator[str]:
        """The address of a server that takes connections and never answers."""
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / "frozen.sock"))
        server.listen(50)
        yield f"unix://{tmp_path / 'frozen.sock'}"
        server.close()

    @pytest.fixture(params=["dead", "frozen"])
    def _no_redis(self, request: pytest.FixtureRequest, frozen: str, monkeypatch: pytest.MonkeyPatch) -> None:
        address = frozen if request.param == "frozen" else "unix:///nowhere/redis.sock"
        away = redis.Redis.from_url(
            address, socket_timeout=0.1, socket_connect_timeout=0.1, retry=redis_link.one_retry()
        )
        monkeypatch.setattr(ranks, "client", lambda _timeout: away)
        monkeypatch.setattr(ranks, "breaker", Breaker(shortest=60, longest=60))
        monkeypatch.setattr(ranks, "_script", None)

    @pytest.mark.usefixtures("_no_redis")
    def test_all_goes_on_without_redis(self, django_capture_on_commit_callbacks: Any) -> None:
        board = leaderboard()
        started = time.monotonic()
        with django_capture_on_commit_callbacks(execute=True):
            anna, bror = seen("Anna"), seen("Bror")
            purchase(anna, total=10)
            purchase(bror, total=20)
            heard()
        assert read(board, anna) is None
        assert [line.nickname for line in reading.shown(table(board)).top] == ["Bror", "Anna"]
        with django_capture_on_commit_callbacks(execute=True):
            membership.leave(member_id=bror.pk, at=NOON)
        assert reading.shown(table(board), member_id=anna.pk).mine.rank == 1  # type: ignore[union-attr]
        assert upkeep.keep_ranks(at=NOON) == 0
        assert time.monotonic() - started < 10


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_many_at_once_leave_redis_as_postgresql(link: redis.Redis) -> None:
    """Scores move, members come and leave from several processes; at rest both say the same."""
    board = leaderboard()
    everybody = [seen(f"Member {number}") for number in range(12)]
    for place, each in enumerate(everybody):
        purchase(each, total=place + 1)
    heard()
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _turn in range(12):
                who = chance.choice(everybody)
                match chance.randint(0, 3):
                    case 0:
                        membership.leave(member_id=who.pk, at=NOON)
                    case 1:
                        membership.take_nickname(member_id=who.pk, nickname=f"Member {who.pk}", at=NOON)
                    case _:
                        purchase(who, total=chance.randint(1, 9))
                        heard()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    heard()
    tasks.keep_leaderboards()
    for who in everybody:
        assert read(board, who) == in_sql(board, who)
    there = set(LeaderboardProfile.objects.values_list("pk", flat=True))
    truth = _earned({each.pk for each in everybody} & there)
    assert dict(LeaderboardScore.objects.filter(score__gt=0).values_list("profile_id", "score")) == truth


def _earned(members: set[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, sum(points) FROM rewards_transfer WHERE kind = 'earn' AND member_id = ANY(%s) "
            "GROUP BY member_id",
            [list(members)],
        )
        return {member_id: int(points) for member_id, points in cursor.fetchall()}
