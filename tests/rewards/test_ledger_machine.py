"""Any sequence of ledger operations leaves the books as a plain-Python model says, and every invariant holding."""

import datetime as dt
import os
import uuid
from collections import defaultdict
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from members.enrolment import NewMember, enrol
from rewards import gifts, ledger, tier_review
from rewards.ledger import Grant, InsufficientPoints, OverReversal, Why
from rewards.models import Account, GiftTerms, Lot, Wallet
from rewards.models.ledger import AccountKind
from rewards.verification import verify_points
from tests.rewards.ledger_model import Entry, Model, NotEnough

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STEPS = 10_000
EXAMPLES = 100
points_ = st.integers(1, 120)
who = st.integers(0, 1)
days = st.one_of(st.none(), st.integers(1, 60))


class LedgerMachine(RuleBasedStateMachine):
    """Two members of one wallet; ``entries`` are the transfers that can be undone."""

    steps = 0
    entries: Bundle[Any] = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.today = 0
        GiftTerms.objects.update(minimum=1, per_day=None, per_month=None)
        self.wallet = Wallet.objects.get(is_default=True)
        self.members = [
            enrol(NewMember(first_name=name), source="portal", at=START) for name in ("Aino", "Eino")
        ]
        self.models = [Model(), Model()]
        self.known: list[tuple[int, int, Entry]] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @property
    def now(self) -> dt.datetime:
        return self.moment(self.today)

    @staticmethod
    def moment(day: int) -> dt.datetime:
        return START + dt.timedelta(days=day)

    def after(self, day: int | None) -> int | None:
        return None if day is None else self.today + day

    def _post(self, member: int, entries: list[Entry], **grant: Any) -> Any:
        ids = ledger.post_grants(
            [
                Grant(
                    member_id=self.members[member].pk, wallet_id=self.wallet.pk, occurred_at=self.now, **grant
                )
            ],
            at=self.now,
        )
        assert len(ids) == len(entries)
        tier_review.review_member(self.members[member].pk, at=self.now)
        found = [(member, id_, entry) for id_, entry in zip(ids, entries, strict=True)]
        self.known += found
        return multiple(*found)

    @rule(target=entries, member=who, points=points_, expires=days, qualifies=st.booleans())
    def grant(self, member: int, points: int, expires: int | None, qualifies: bool) -> Any:
        entries = self.models[member].grant(points, self.after(expires), self.today)
        expires_at = None if expires is None else self.moment(self.today + expires)
        return self._post(member, entries, points=points, expires_at=expires_at, qualifies=qualifies)

    @rule(target=entries, member=who, points=points_, expires=days, available=days)
    def grant_pending(self, member: int, points: int, expires: int | None, available: int | None) -> Any:
        entries = self.models[member].grant_pending(
            points, self.after(expires), self.after(available), self.today
        )
        return self._post(
            member,
            entries,
            points=points,
            pending=True,
            expires_at=None if expires is None else self.moment(self.today + expires),
            available_at=None if available is None else self.moment(self.today + available),
        )

    @rule(target=entries, member=who, points=points_, kind=st.sampled_from(["redeem", "donate", "adjust"]))
    def spend(self, member: int, points: int, kind: str) -> Any:
        to_kind = {"redeem": "redeemed", "donate": "donated", "adjust": "adjusted"}[kind]
        order = {
            "member_id": self.members[member].pk,
            "wallet_id": self.wallet.pk,
            "points": points,
            "kind": kind,
            "to_kind": AccountKind(to_kind),
            "why": Why(),
            "at": self.now,
        }
        try:
            entry = self.models[member].spend(points, self.today)
        except NotEnough:
            with pytest.raises(InsufficientPoints), transaction.atomic():
                ledger.spend(**order)
            return multiple()
        found = (member, ledger.spend(**order), entry)
        self.known.append(found)
        return found

    @rule(giver=who, points=points_)
    def give(self, giver: int, points: int) -> None:
        order = {
            "from_member_id": self.members[giver].pk,
            "to_member_id": self.members[1 - giver].pk,
            "points": points,
            "token": uuid.uuid4(),
            "at": self.now,
        }
        try:
            self.models[giver].give(self.models[1 - giver], points, self.today)
        except NotEnough:
            with pytest.raises(InsufficientPoints):
                gifts.give(**order)
        else:
            assert gifts.give(**order) is not None

    @rule(entry=entries, share=st.integers(1, 120))
    def undo(self, entry: tuple[int, int, Entry], share: int) -> None:
        member, transfer_id, expected = entry
        left = expected.points - expected.undone
        points = min(share, left)
        assert ledger.reverse(transfer_id=transfer_id, points=points, why=Why(), at=self.now) == points
        if points:
            self.models[member].undo(expected, points)
            tier_review.review_member(self.members[member].pk, at=self.now)

    @rule(entry=entries, excess=st.integers(1, 5))
    def undo_too_much(self, entry: tuple[int, int, Entry], excess: int) -> None:
        _member, transfer_id, expected = entry
        with pytest.raises(OverReversal), transaction.atomic():
            points = expected.points - expected.undone + excess
            ledger.reverse(transfer_id=transfer_id, points=points, why=Why(), at=self.now)

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.today += days

    @rule()
    def expire(self) -> None:
        expected = [model.expire(self.today) for model in self.models]
        expired = {each.member_id: each.points for each in ledger.expire_due(at=self.now)}
        assert [expired.get(member.pk, 0) for member in self.members] == expected
        assert ledger.expire_due(at=self.now) == []

    @rule()
    def mature(self) -> None:
        for number, model in enumerate(self.models):
            model.mature(
                model.due(self.today), [entry for member, _id, entry in self.known if member == number]
            )
        while ledger.mature_due(at=self.now, limit=3):
            pass

    @invariant()
    def books_are_as_the_model_says(self) -> None:
        type(self).steps += 1
        accounts, lots = defaultdict(dict), defaultdict(list)
        for member_id, kind, balance in Account.objects.filter(member__in=self.members).values_list(
            "member_id", "kind", "balance"
        ):
            accounts[member_id][kind] = balance
        for member_id, remaining in (
            Lot.objects.filter(member__in=self.members).order_by("pk").values_list("member_id", "remaining")
        ):
            lots[member_id].append(remaining)
        for member, model in zip(self.members, self.models, strict=True):
            rows = accounts[member.pk]
            found = (rows.get("available", 0), rows.get("pending", 0), -rows.get("debt", 0))
            assert found == (model.available, model.pending, model.debt)
            assert lots[member.pk] == [
                lot.remaining for lot in sorted(model.lots, key=lambda lot: lot.number)
            ]

    @invariant()
    def invariants_hold(self) -> None:
        assert verify_points(at=self.now) == []


@pytest.mark.django_db
@pytest.mark.slow
def test_ten_thousand_steps_agree_with_the_model() -> None:
    LedgerMachine.steps = 0
    thorough = 10 if os.environ.get("KANTIS_THOROUGH") == "1" else 1
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=EXAMPLES * thorough,
            stateful_step_count=STEPS // EXAMPLES + 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert LedgerMachine.steps >= STEPS
