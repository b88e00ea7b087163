"""Whatever tills, clocks and staff do in whatever order: money and uses add up, and nothing is used twice.

A model of one voucher in parts and one of two uses, kept beside the real ones. Every refusal has to be one that the
model expects, and after each step the checker finds nothing.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rewards.models import Voucher, VoucherStep, VoucherUse
from rewards.verification import verify
from rewards.vouchers import issuing, refusals, upkeep, using
from rewards.vouchers.using import Asked
from rewards.vouchers.worth import Purchase
from tests.factories.members import NOON
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import voucher, voucher_family

LIFE, LOCK = dt.timedelta(minutes=30), 120
checkouts = st.sampled_from(["a", "b", "c", "d"])
kinds = st.sampled_from(["parts", "twice"])
totals = st.integers(1, 3000).map(lambda cents: Decimal(cents) / 100)


class Model:
    """What has to be true of one voucher: uses by checkout, and until when each lock holds."""

    def __init__(self, value: Decimal, uses: int, in_parts: bool) -> None:
        self.value, self.uses, self.in_parts = value, uses, in_parts
        self.redeemed: dict[str, tuple[Decimal, Decimal]] = {}  # checkout: amount, total
        self.locks: dict[str, tuple[dt.datetime, Decimal, Decimal]] = {}  # until, amount, total
        self.closed: set[str] = set()
        self.cancelled = False

    @property
    def left(self) -> Decimal:
        return self.value - sum((amount for amount, _total in self.redeemed.values()), Decimal(0))

    @property
    def is_used(self) -> bool:
        return self.left == 0 if self.in_parts else len(self.redeemed) >= self.uses

    def held(self, checkout: str, now: dt.datetime) -> bool:
        return checkout in self.locks and self.locks[checkout][0] > now

    def why_not(self, checkout: str, now: dt.datetime, ends: dt.datetime) -> type[refusals.Refusal] | None:
        others = sum(1 for name, lock in self.locks.items() if name != checkout and lock[0] > now)
        left = 1 if self.in_parts else self.uses - len(self.redeemed)
        if checkout in self.closed:
            return refusals.CheckoutClosed
        if self.cancelled:
            return refusals.CancelledVoucher
        if self.is_used:
            return refusals.UsedVoucher
        if ends <= now and not self.held(checkout, now):
            return refusals.ExpiredVoucher
        return refusals.LockedVoucher if others >= left else None

    def worth(self, total: Decimal) -> Decimal:
        return min(self.left if self.in_parts else self.value, total)


class Tills(RuleBasedStateMachine):
    """Four checkouts, two vouchers, one clock."""

    @initialize()
    def begin(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now, self.ends = NOON, NOON + LIFE
        self.shop = PartnerFactory()
        self.models = {
            "parts": Model(Decimal("50.00"), 1, in_parts=True),
            "twice": Model(Decimal("5.00"), 2, in_parts=False),
        }
        families = {
            "parts": voucher_family(value="50.00", in_parts=True, valid_to=self.ends),
            "twice": voucher_family(uses=2, valid_to=self.ends),
        }
        self.vouchers = {name: voucher(family) for name, family in families.items()}

    def teardown(self) -> None:
        if hasattr(self, "atomic"):
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def asked(self, kind: str, checkout: str, total: Decimal | None = None) -> Asked:
        purchase = None if total is None else Purchase(total)
        return Asked(
            code=self.vouchers[kind].code, partner_id=self.shop.pk, checkout=checkout, purchase=purchase
        )

    def outcome(self, work: Any, asked: Asked) -> Any:
        steps = VoucherStep.objects.count()
        try:
            return work(asked, at=self.now)
        except refusals.Refusal as refusal:
            assert VoucherStep.objects.count() == steps
            return type(refusal)

    @rule(kind=kinds, checkout=checkouts, total=totals)
    def lock(self, kind: str, checkout: str, total: Decimal) -> None:
        model = self.models[kind]
        answer = self.outcome(
            lambda asked, at: using.lock(asked, at=at, seconds=LOCK), self.asked(kind, checkout, total)
        )
        if checkout in model.redeemed:
            assert answer is refusals.UsedVoucher
        elif why := model.why_not(checkout, self.now, self.ends):
            assert answer is why
        else:
            assert answer.amount == model.worth(total)
            model.locks[checkout] = (self.now + dt.timedelta(seconds=LOCK), answer.amount, total)

    @rule(kind=kinds, checkout=checkouts, total=st.none() | totals)
    def redeem(self, kind: str, checkout: str, total: Decimal | None) -> None:
        model = self.models[kind]
        answer = self.outcome(using.redeem, self.asked(kind, checkout, total))
        if checkout in model.redeemed:
            amount, before = model.redeemed[checkout]
            if total in (None, before):
                assert answer.replayed
                assert answer.amount == amount
            else:
                assert answer is refusals.OtherContent
            return
        held = model.held(checkout, self.now)
        if why := model.why_not(checkout, self.now, self.ends):
            assert answer is why
        elif total is None and not held:
            assert answer is refusals.PurchaseNeeded
        else:
            _until, locked, before = model.locks.get(checkout, (None, Decimal(0), Decimal(0)))
            amount = locked if total is None else model.worth(total)
            assert (answer.amount, answer.replayed) == (amount, False)
            model.redeemed[checkout] = (amount, before if total is None else total)
            model.locks.pop(checkout, None)

    @rule(kind=kinds, checkout=checkouts)
    def roll_back(self, kind: str, checkout: str) -> None:
        model = self.models[kind]
        known = self.vouchers[kind].used.filter(checkout=checkout).exists()
        answer = self.outcome(using.roll_back, self.asked(kind, checkout))
        if not known:
            assert answer is refusals.NotUsedHere
        elif checkout in model.redeemed:
            assert not answer.replayed
            del model.redeemed[checkout]
            model.closed.add(checkout)
        else:
            model.locks.pop(checkout, None)

    @rule(minutes=st.integers(1, 12))
    def wait(self, minutes: int) -> None:
        self.now += dt.timedelta(minutes=minutes)

    @rule()
    def keep(self) -> None:
        upkeep.release_locks(at=self.now)
        upkeep.expire_due(at=self.now)
        assert not VoucherUse.objects.filter(state="locked", locked_until__lte=self.now).exists()

    @rule(kind=kinds, sure=st.integers(0, 9))
    def withdraw(self, kind: str, sure: int) -> None:
        if sure:
            return
        model = self.models[kind]
        touched = bool(model.redeemed) or any(lock[0] > self.now for lock in model.locks.values())
        try:
            done = issuing.withdraw(voucher_id=self.vouchers[kind].pk, at=self.now, note="lost")
        except issuing.VoucherUsed:
            assert touched
            assert not model.cancelled
        else:
            assert done is not model.cancelled
            model.cancelled = True

    @invariant()
    def it_adds_up(self) -> None:
        if not hasattr(self, "vouchers"):
            return
        for kind, model in self.models.items():
            row = Voucher.objects.get(pk=self.vouchers[kind].pk)
            assert row.remaining == (model.left if model.in_parts else model.value)
            assert (row.state == "used") == (model.is_used and not model.cancelled)
            redeemed = row.used.filter(state="redeemed").values_list("checkout", "amount")
            assert dict(redeemed) == {name: amount for name, (amount, _total) in model.redeemed.items()}
        assert verify(at=self.now) == []


@pytest.mark.django_db
def test_whatever_the_order_vouchers_add_up() -> None:
    run_state_machine_as_test(Tills, settings=settings())  # type: ignore[no-untyped-call]
