"""A draw from its opening to its prizes: what is promised, who is in, who wins, and what comes back."""

import datetime as dt
import hashlib

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import clock
from loyalty.events.models import Event
from loyalty.runs.models import Run
from members.models import Member
from rewards.draws import entries, holding, lottery, opening, prizes, sealing, tasks, upkeep
from rewards.draws.entries import DrawClosed, TooManyEntries
from rewards.draws.opening import DrawRefused
from rewards.models import Draw, DrawEntry, DrawWinner, Redemption, Transfer, Voucher
from rewards.queries import balance_of
from rewards.redemption import ending
from rewards.redemption.refusals import NotCancellable, Refused
from rewards.verification import verify
from tests.factories.draws import AFTER, DAY, draft, draw, entered, held, prize
from tests.factories.members import NOON, member
from tests.factories.redemptions import points_for, redeemed, reward
from tests.factories.staff import staff
from tests.factories.vouchers import pooled, voucher_family

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings: object) -> None:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    translation.activate("en")


def events(name: str) -> list[Event]:
    return list(Event.objects.filter(name=name).order_by("pk"))


def worker(monkeypatch: pytest.MonkeyPatch, at: dt.datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: at)
    tasks.hold_draws()


class TestThePromise:
    def test_opening_publishes_the_digest_of_a_seed_that_is_nowhere(self) -> None:
        opened = draw()
        seed = sealing.unseal(opened)
        assert len(seed) == 32
        assert opened.commitment == hashlib.sha256(seed).hexdigest()
        opened.refresh_from_db()
        assert (opened.state, opened.seed, opened.opened_at) == (Draw.State.OPEN, None, NOON)
        assert bytes(opened.sealed or b"") != seed
        for table in ("rewards_draw", "rewards_historicaldraw", "loyalty_event"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {table}::text FROM {table}")
                rows = str(cursor.fetchall())
            assert seed.hex() not in rows, table
        assert events("draw.opened")[0].facts == {"draw": opened.code, "commitment": opened.commitment}

    def test_the_history_of_staff_has_no_column_for_it(self) -> None:
        columns = {field.name for field in Draw.history.model._meta.get_fields()}
        assert "commitment" in columns
        assert not columns & {"seed", "sealed"}

    def test_another_server_key_cannot_make_the_seed(self, settings: object) -> None:
        opened = draw()
        settings.SECRET_KEY = "another-key"  # type: ignore[attr-defined]
        with pytest.raises(sealing.SeedLost):
            sealing.unseal(opened)

    def test_a_rotated_key_still_makes_it(self, settings: object) -> None:
        opened = draw()
        seed = sealing.unseal(opened)
        settings.SECRET_KEY_FALLBACKS = [django_settings.SECRET_KEY]  # type: ignore[attr-defined]
        settings.SECRET_KEY = "another-key"  # type: ignore[attr-defined]
        assert sealing.unseal(opened) == seed

    def test_a_draw_whose_seed_is_lost_is_not_drawn(self, settings: object) -> None:
        opened = draw()
        holding.close(draw_id=opened.pk, at=AFTER)
        settings.SECRET_KEY = "another-key"  # type: ignore[attr-defined]
        with pytest.raises(sealing.SeedLost):
            holding.hold(draw_id=opened.pk, at=AFTER)
        opened.refresh_from_db()
        assert (opened.state, DrawWinner.objects.count()) == ("closed", 0)

    @pytest.mark.parametrize("change", [{"commitment": "0" * 64}, {"sealed": b"x" * 32}])
    def test_the_database_lets_nobody_change_it(self, change: dict[str, object]) -> None:
        opened = draw()
        with pytest.raises(IntegrityError), transaction.atomic():
            Draw.objects.filter(pk=opened.pk).update(**change)

    def test_a_draft_without_a_prize_is_not_opened(self) -> None:
        with pytest.raises(DrawRefused, match="prize"):
            opening.open_draw(draw_id=draft(quantities=()).pk, at=NOON)
        assert Draw.objects.get().state == "draft"

    def test_it_opens_once_and_not_after_its_end(self) -> None:
        with pytest.raises(DrawRefused, match="Only a draft"):
            opening.open_draw(draw_id=draw().pk, at=NOON)
        with pytest.raises(DrawRefused, match="past"):
            opening.open_draw(draw_id=draft().pk, at=AFTER)


class TestEntries:
    def test_each_source_enters_once(self) -> None:
        opened, aino = draw(), member()
        first = entries.enter(
            draw_id=opened.pk, member_id=aino.pk, chances=3, source="s", source_id=7, at=NOON
        )
        again = entries.enter(
            draw_id=opened.pk, member_id=aino.pk, chances=3, source="s", source_id=7, at=NOON
        )
        assert (first.pk, first.number, first.weight) == (again.pk, 1, 3)
        assert len(events("draw.entered")) == 1

    def test_numbers_go_on_after_a_withdrawal(self) -> None:
        opened, aino = draw(), member()
        first = entered(opened, aino)
        assert entries.withdraw(draw_id=opened.pk, source="test", source_id=first.source_id, at=NOON)
        assert entered(opened, aino).number == 2

    def test_no_more_than_a_member_may_have(self) -> None:
        opened, aino, onni = draw(entries_per_member=2), member(), member()
        first = entered(opened, aino)
        entered(opened, aino)
        with pytest.raises(TooManyEntries):
            entered(opened, aino)
        entered(opened, onni)
        entries.withdraw(source="test", source_id=first.source_id, at=NOON)
        entered(opened, aino)
        assert DrawEntry.objects.filter(cancelled_at=None).count() == 3

    @pytest.mark.parametrize("at", [NOON - dt.timedelta(seconds=1), AFTER])
    def test_not_outside_its_time(self, at: dt.datetime) -> None:
        opened = draw()
        with pytest.raises(DrawClosed):
            entered(opened, member(), at=at)
        assert not DrawEntry.objects.exists()

    def test_not_into_a_draft(self) -> None:
        made = draft()
        with pytest.raises(DrawClosed):
            entered(made, member())
        assert not DrawEntry.objects.exists()

    def test_what_is_published_stands(self) -> None:
        opened = draw()
        entry = entered(opened, member())
        assert not entries.withdraw(source="test", source_id=entry.source_id, at=AFTER)
        held(opened)
        assert not entries.withdraw(source="test", source_id=entry.source_id, at=NOON)
        entry.refresh_from_db()
        assert entry.cancelled_at is None
        for change in ({"weight": 9}, {"cancelled_at": AFTER}):
            with pytest.raises(IntegrityError), transaction.atomic():
                DrawEntry.objects.filter(pk=entry.pk).update(**change)
        with pytest.raises(IntegrityError), transaction.atomic():
            entry.delete()

    def test_what_never_entered_is_out(self) -> None:
        assert entries.withdraw(draw_id=draw().pk, source="test", source_id=1, at=NOON)


class TestHolding:
    def test_not_before_it_closes(self) -> None:
        opened = draw()
        assert not holding.close(draw_id=opened.pk, at=AFTER - dt.timedelta(seconds=1))
        assert not holding.hold(draw_id=opened.pk, at=AFTER)
        opened.refresh_from_db()
        assert (opened.state, opened.list_digest) == ("open", "")

    def test_the_list_lies_open_until_the_day_of_the_draw(self) -> None:
        opened = draw(draws_at=AFTER + DAY)
        entered(opened, member(), chances=2)
        assert holding.close(draw_id=opened.pk, at=AFTER)
        assert not holding.hold(draw_id=opened.pk, at=AFTER)
        opened.refresh_from_db()
        expected = hashlib.sha256(b"number,holder,chances\n1,1,2\n").hexdigest()
        assert (opened.state, opened.seed, opened.list_digest) == ("closed", None, expected)
        assert holding.hold(draw_id=opened.pk, at=AFTER + DAY)

    def test_it_is_held_once_and_says_who_won(self) -> None:
        opened = draw(quantities=(1, 2))
        people = [member() for _each in range(5)]
        for person in people:
            entered(opened, person, chances=2)
        drawn = held(opened)
        assert not holding.close(draw_id=opened.pk, at=AFTER)
        assert not holding.hold(draw_id=opened.pk, at=AFTER)
        won = list(DrawWinner.objects.select_related("entry", "prize"))
        assert [(each.position, each.prize.position) for each in won] == [(1, 1), (2, 2), (3, 2)]
        assert hashlib.sha256(bytes(drawn.seed or b"")).hexdigest() == drawn.commitment
        told = events("draw.won")
        assert [event.member_id for event in told] == [each.entry.member_id for each in won]
        assert told[0].facts["number"] == won[0].entry.number
        assert verify(at=AFTER) == []

    def test_the_seed_stands_once_it_is_known(self) -> None:
        drawn = held(draw())
        with pytest.raises(IntegrityError), transaction.atomic():
            Draw.objects.filter(pk=drawn.pk).update(seed=b"y" * 32)

    def test_more_prizes_than_members_stay_with_the_house(self) -> None:
        opened, aino = draw(quantities=(3,)), member()
        entered(opened, aino)
        entered(opened, aino)
        held(opened)
        assert DrawWinner.objects.count() == 1

    def test_nobody_in_it_nobody_wins(self) -> None:
        assert held(draw()).state == "drawn"
        assert not DrawWinner.objects.exists()

    def test_who_has_left_cannot_win(self) -> None:
        opened, gone, stays = draw(), member(), member()
        entered(opened, gone, chances=10**6)
        entered(opened, stays)
        Member.objects.filter(pk=gone.pk).update(status=Member.Status.CLOSED)
        held(opened)
        assert DrawWinner.objects.get().entry.member_id == stays.pk

    def test_entries_changed_by_hand_are_noticed(self) -> None:
        opened = draw(draws_at=AFTER + DAY)
        entry = entered(opened, member())
        holding.close(draw_id=opened.pk, at=AFTER)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE rewards_drawentry SET weight = 9 WHERE id = %s", [entry.pk])
            cursor.execute("SET LOCAL session_replication_role = origin")
        with pytest.raises(holding.ListChanged):
            holding.hold(draw_id=opened.pk, at=AFTER + DAY)
        assert [found.table for found in verify(at=AFTER)] == ["rewards_draw"]
        assert not DrawWinner.objects.exists()


class TestPrizes:
    def test_points_come_once(self) -> None:
        opened, aino = draw(points=500), member()
        entered(opened, aino)
        held(opened)
        assert prizes.give_waiting(at=AFTER) == 1
        assert prizes.give_waiting(at=AFTER) == 0
        DrawWinner.objects.update(fulfilled_at=None)  # as after a broken-off transaction that was done again
        prizes.give_waiting(at=AFTER)
        assert balance_of(aino, AFTER).available == 500
        assert Transfer.objects.get(member=aino).source == prizes.SOURCE

    def test_a_voucher_is_issued_and_one_that_cannot_be_had_waits(self) -> None:
        pool = voucher_family(source="pool")
        opened = draft(quantities=())
        prize(opened, quantity=2, voucher_family=pool)
        opening.open_draw(draw_id=opened.pk, at=NOON)
        for _each in range(2):
            entered(opened, member())
        held(opened)
        pooled(pool, "AAAA1111")
        assert prizes.give_waiting(at=AFTER) == 1
        assert prizes.waiting().count() == 1
        pooled(pool, "BBBB2222")
        assert prizes.give_waiting(at=AFTER) == 1
        given_to = {row.voucher.member_id for row in DrawWinner.objects.all() if row.voucher}
        assert given_to == set(Voucher.objects.values_list("member_id", flat=True))
        assert len(given_to) == 2

    def test_staff_hand_over_the_rest_once(self) -> None:
        opened, clerk = draw(), staff()
        entered(opened, member())
        held(opened)
        won = DrawWinner.objects.get()
        assert prizes.give_waiting(at=AFTER) == 0
        assert prizes.hand_over(winner_id=won.pk, staff_id=clerk.pk, note=" fetched ", at=AFTER)
        assert not prizes.hand_over(winner_id=won.pk, staff_id=clerk.pk, note="twice", at=AFTER + DAY)
        won.refresh_from_db()
        assert (won.fulfilled_at, won.staff_id, won.note) == (AFTER, clerk.pk, "fetched")

    def test_points_are_not_handed_over(self) -> None:
        opened, clerk = draw(points=5), staff()
        entered(opened, member())
        held(opened)
        won = DrawWinner.objects.get()
        with pytest.raises(DrawRefused):
            prizes.hand_over(winner_id=won.pk, staff_id=clerk.pk, note="", at=AFTER)
        won.refresh_from_db()
        assert won.fulfilled_at is None


class TestRedemptions:
    @pytest.fixture
    def aino(self) -> Member:
        found = member()
        points_for(found, 250)
        return found

    def ticket(self, of: Draw, points: int = 100) -> object:
        return reward(points=points, kind="draw_entry", fulfilment="at_once", draw=of)

    def test_points_buy_an_entry_and_cancelling_takes_it_out(self, aino: Member) -> None:
        opened = draw()
        placed = redeemed(aino, self.ticket(opened))  # type: ignore[arg-type]
        assert DrawEntry.objects.get(draw=opened, member=aino).source_id == placed.redemption.pk
        ending.cancel(redemption_id=placed.redemption.pk, via="staff", at=NOON, staff_id=staff().pk)
        held(opened)
        assert balance_of(aino, AFTER).available == 250
        assert not DrawWinner.objects.exists()
        assert verify(at=AFTER) == []

    def test_a_reward_that_was_moved_to_another_draw_still_takes_out_its_entry(self, aino: Member) -> None:
        opened, next_one = draw(), draw()
        ticket = self.ticket(opened)
        placed = redeemed(aino, ticket)  # type: ignore[arg-type]
        type(ticket).objects.filter(pk=ticket.pk).update(draw=next_one)  # type: ignore[attr-defined]
        ending.cancel(redemption_id=placed.redemption.pk, via="staff", at=NOON, staff_id=staff().pk)
        assert not DrawEntry.objects.filter(cancelled_at=None).exists()

    def test_after_closing_it_cannot_be_cancelled(self, aino: Member) -> None:
        opened = draw()
        placed = redeemed(aino, self.ticket(opened))  # type: ignore[arg-type]
        held(opened)
        with pytest.raises(NotCancellable):
            ending.cancel(redemption_id=placed.redemption.pk, via="staff", at=AFTER, staff_id=staff().pk)
        assert balance_of(aino, AFTER).available == 150
        assert Redemption.objects.get().state == "fulfilled"

    def test_as_many_as_one_may_have(self, aino: Member) -> None:
        ticket = self.ticket(draw(entries_per_member=1), points=50)
        redeemed(aino, ticket)  # type: ignore[arg-type]
        with pytest.raises(Refused) as refused:
            redeemed(aino, ticket)  # type: ignore[arg-type]
        assert refused.value.code == "member-limit-reached"
        assert (balance_of(aino, NOON).available, DrawEntry.objects.count()) == (200, 1)

    def test_calling_a_draw_off_gives_the_points_back(
        self, aino: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened, clerk = draw(), staff()
        for _each in range(2):
            redeemed(aino, self.ticket(opened))  # type: ignore[arg-type]
        entered(opened, aino)
        opening.cancel(draw_id=opened.pk, note="The prize broke", staff_id=clerk.pk, at=NOON + DAY)
        worker(monkeypatch, NOON + DAY)
        worker(monkeypatch, NOON + DAY)
        assert balance_of(aino, NOON + DAY).available == 250
        assert set(Redemption.objects.values_list("state", flat=True)) == {"cancelled"}
        assert not DrawEntry.objects.filter(cancelled_at=None).exists()
        assert Run.objects.get(name="rewards.hold_draws").done == 3
        assert verify(at=NOON + DAY) == []

    def test_a_drawn_draw_is_not_called_off(self) -> None:
        drawn = held(draw())
        with pytest.raises(DrawRefused):
            opening.cancel(draw_id=drawn.pk, note="No", staff_id=staff().pk, at=AFTER)
        drawn.refresh_from_db()
        assert drawn.state == "drawn"


class TestTheWorker:
    def test_it_closes_holds_and_gives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened, aino = draw(points=70), member()
        entered(opened, aino)
        worker(monkeypatch, NOON)
        assert not Run.objects.filter(name="rewards.hold_draws").exists()
        worker(monkeypatch, AFTER)
        worker(monkeypatch, AFTER)
        opened.refresh_from_db()
        assert (opened.state, balance_of(aino, AFTER).available) == ("drawn", 70)
        assert Run.objects.get(name="rewards.hold_draws").done == 2

    def test_one_that_cannot_be_held_does_not_hold_up_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken, sound = draw(), draw()
        plain = sealing.unseal

        def unseal(of: Draw) -> bytes:
            if of.pk == broken.pk:
                raise sealing.SeedLost
            return plain(of)

        monkeypatch.setattr(sealing, "unseal", unseal)
        worker(monkeypatch, AFTER)
        states = dict(Draw.objects.values_list("pk", "state"))
        assert states == {broken.pk: "closed", sound.pk: "drawn"}
        assert Run.objects.get(name="rewards.hold_draws").failed == 1
        assert upkeep.has_due(at=AFTER)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.booleans()), max_size=14),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_withdrawn_entries_never_win_and_prizes_never_run_over(
    steps: list[tuple[int, int, bool]], quantities: list[int]
) -> None:
    with transaction.atomic():
        people = [member() for _each in range(6)]
        opened = draw(quantities=tuple(quantities))
        for who, chances, leaves in steps:
            entry = entered(opened, people[who], chances=chances)
            if leaves:
                entries.withdraw(source="test", source_id=entry.source_id, at=NOON)
        drawn = held(opened)
        won = list(DrawWinner.objects.filter(draw=drawn).select_related("entry", "prize"))
        inside = {people[who].pk for who, _chances, leaves in steps if not leaves}
        assert all(each.entry.cancelled_at is None for each in won)
        assert len({each.entry.member_id for each in won}) == len(won) == min(len(inside), sum(quantities))
        for place, quantity in enumerate(quantities, start=1):
            assert sum(each.prize.position == place for each in won) <= quantity
        again = lottery.winners(
            seed=bytes(drawn.seed or b""),
            list_digest=drawn.list_digest,
            tickets=holding.tickets_of(drawn.pk),
            prizes=[place for place, many in enumerate(quantities, start=1) for _piece in range(many)],
        )
        assert [(each.prize, each.number) for each in again] == [
            (each.prize.position, each.entry.number) for each in won
        ]
        assert verify(at=AFTER) == []
        transaction.set_rollback(True)
