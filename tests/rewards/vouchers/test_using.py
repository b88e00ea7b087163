"""At the till: a voucher is locked, used and given back once for each sale, and every refusal has its own reason."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from loyalty.events.models import Event
from loyalty.partners.models import Partner
from rewards.models import Voucher, VoucherStep, VoucherUse
from rewards.verification import verify
from rewards.vouchers import issuing, refusals, upkeep, using
from rewards.vouchers.using import Asked
from rewards.vouchers.worth import Purchase
from tests.factories.members import NOON
from tests.factories.members import member as enrolled
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import pooled, voucher, voucher_family

pytestmark = pytest.mark.django_db
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


@pytest.fixture
def shop() -> Partner:
    return PartnerFactory()


def at_till(
    code: str, shop: Partner, checkout: str = "r-1", total: str | None = "20.00", **facts: Any
) -> Asked:
    purchase = Purchase(Decimal(total)) if total else None
    return Asked(code=code, partner_id=shop.pk, checkout=checkout, purchase=purchase, **facts)


def kinds(given: Voucher) -> list[str]:
    return list(given.steps.order_by("pk").values_list("kind", flat=True))


def sound() -> bool:
    return verify(at=NOON + 400 * DAY) == []


def test_a_voucher_is_used_once(shop: Partner) -> None:
    given = voucher()
    answer = using.redeem(at_till(given.code, shop), at=NOON)
    assert (answer.amount, answer.replayed) == (Decimal("5.00"), False)
    given.refresh_from_db()
    assert (given.state, given.uses_left) == ("used", 0)
    with pytest.raises(refusals.UsedVoucher):
        using.redeem(at_till(given.code, shop, "r-2"), at=NOON)
    assert kinds(given) == ["issued", "redeemed"]
    assert VoucherUse.objects.count() == 1
    assert sound()


def test_the_same_sale_sent_again_gets_the_first_answer(shop: Partner) -> None:
    given = voucher()
    first = using.redeem(at_till(given.code, shop), at=NOON)
    again = using.redeem(at_till(given.code.lower(), shop), at=NOON + DAY)
    assert again.replayed
    assert (again.use, again.amount) == (first.use, first.amount)
    with pytest.raises(refusals.OtherContent):
        using.redeem(at_till(given.code, shop, total="21.00"), at=NOON)
    assert Event.objects.filter(name="voucher.redeemed").count() == 1
    assert kinds(given) == ["issued", "redeemed"]


def test_two_partners_may_name_their_sales_alike(shop: Partner) -> None:
    given = voucher(voucher_family(uses=2))
    using.redeem(at_till(given.code, shop), at=NOON)
    assert not using.redeem(at_till(given.code, PartnerFactory()), at=NOON).replayed
    assert sound()


def test_a_locked_voucher_is_the_checkouts_own_until_the_time_is_over(shop: Partner) -> None:
    given = voucher()
    using.lock(at_till(given.code, shop), at=NOON, seconds=60)
    with pytest.raises(refusals.LockedVoucher) as refused:
        using.redeem(at_till(given.code, shop, "r-2"), at=NOON)
    assert refused.value.extra == {"locked_until": (NOON + MINUTE).isoformat()}
    taken = using.redeem(at_till(given.code, shop, "r-2"), at=NOON + MINUTE)
    assert taken.amount == Decimal("5.00")
    assert kinds(given) == ["issued", "locked", "released", "redeemed"]
    with pytest.raises(refusals.UsedVoucher):
        using.redeem(at_till(given.code, shop, total=None), at=NOON + MINUTE)
    assert sound()


def test_a_lock_is_redeemed_with_what_it_knew_even_after_the_expiry(shop: Partner) -> None:
    given = voucher(voucher_family(valid_to=NOON + MINUTE, kind="percent", value="10"))
    assert using.lock(at_till(given.code, shop), at=NOON).amount == Decimal("2.00")
    late = NOON + 2 * MINUTE
    assert upkeep.expire_due(at=late) == 0
    assert using.redeem(at_till(given.code, shop, total=None), at=late).amount == Decimal("2.00")
    assert sound()


def test_locking_again_keeps_it_longer(shop: Partner) -> None:
    given = voucher()
    using.lock(at_till(given.code, shop), at=NOON, seconds=60)
    using.lock(at_till(given.code, shop), at=NOON + MINUTE / 2, seconds=60)
    with pytest.raises(refusals.LockedVoucher):
        using.lock(at_till(given.code, shop, "r-2"), at=NOON + MINUTE)
    assert upkeep.release_locks(at=NOON + 2 * MINUTE) == 1
    assert upkeep.release_locks(at=NOON + 2 * MINUTE) == 0
    assert kinds(given) == ["issued", "locked", "locked", "released"]


def test_an_amount_is_used_in_parts_and_given_back(shop: Partner) -> None:
    given = voucher(voucher_family(value="50.00", in_parts=True))
    using.redeem(at_till(given.code, shop, "r-1"), at=NOON)
    using.redeem(at_till(given.code, shop, "r-2", amount=Decimal("12.50")), at=NOON)
    given.refresh_from_db()
    assert (given.state, given.remaining, given.uses_left) == ("active", Decimal("17.50"), 1)
    using.redeem(at_till(given.code, shop, "r-3"), at=NOON)
    given.refresh_from_db()
    assert (given.state, given.remaining, given.uses_left) == ("used", Decimal("0.00"), 0)
    assert sound()
    using.roll_back(at_till(given.code, shop, "r-2"), at=NOON)
    given.refresh_from_db()
    assert (given.state, given.remaining, given.uses_left) == ("active", Decimal("12.50"), 1)
    assert sound()


def test_rolling_back_is_done_once_and_closes_the_sale(shop: Partner) -> None:
    given = voucher()
    using.redeem(at_till(given.code, shop), at=NOON)
    assert not using.roll_back(at_till(given.code, shop), at=NOON).replayed
    assert using.roll_back(at_till(given.code, shop), at=NOON).replayed
    with pytest.raises(refusals.CheckoutClosed):
        using.redeem(at_till(given.code, shop), at=NOON)
    using.redeem(at_till(given.code, shop, "r-2"), at=NOON)
    assert kinds(given) == ["issued", "redeemed", "rolled_back", "redeemed"]
    assert Event.objects.filter(name="voucher.rolled_back").count() == 1
    with pytest.raises(refusals.NotUsedHere):
        using.roll_back(at_till(given.code, shop, "r-9"), at=NOON)
    with pytest.raises(refusals.NotUsedHere):
        using.roll_back(at_till(given.code, PartnerFactory(), "r-2"), at=NOON)


def test_rolling_back_a_lock_lets_go_of_it_and_the_sale_may_go_on(shop: Partner) -> None:
    given = voucher()
    using.lock(at_till(given.code, shop), at=NOON)
    using.roll_back(at_till(given.code, shop), at=NOON)
    using.redeem(at_till(given.code, shop), at=NOON)
    assert kinds(given) == ["issued", "locked", "released", "redeemed"]
    assert sound()


def test_a_voucher_rolled_back_after_its_end_is_expired(shop: Partner) -> None:
    given = voucher(voucher_family(valid_to=NOON + DAY))
    using.redeem(at_till(given.code, shop), at=NOON)
    using.roll_back(at_till(given.code, shop), at=NOON + 2 * DAY)
    with pytest.raises(refusals.ExpiredVoucher):
        using.redeem(at_till(given.code, shop, "r-2"), at=NOON + 2 * DAY)
    assert upkeep.expire_due(at=NOON + 2 * DAY) == 1
    assert kinds(given)[-1] == "expired"


def test_each_reason_not_to_count_is_its_own(shop: Partner) -> None:
    aino, other = enrolled(), enrolled()
    cancelled = voucher()
    issuing.withdraw(voucher_id=cancelled.pk, at=NOON, note="lost")
    pooled(voucher_family(source="pool"), "STILLINPOOL")
    cases: list[tuple[str, type[refusals.Refusal], dict[str, Any]]] = [
        ("NOSUCHCODE", refusals.UnknownVoucher, {}),
        ("STILLINPOOL", refusals.UnknownVoucher, {}),
        (voucher(voucher_family(partner=PartnerFactory())).code, refusals.ForeignVoucher, {}),
        (cancelled.code, refusals.CancelledVoucher, {}),
        (voucher(voucher_family(valid_from=NOON + DAY)).code, refusals.NotYetValid, {}),
        (voucher(voucher_family(valid_to=NOON), at=NOON - DAY).code, refusals.ExpiredVoucher, {}),
        (voucher(member=aino).code, refusals.OtherMembers, {"member_id": other.pk}),
        (voucher(voucher_family(minimum_purchase="30.00")).code, refusals.PurchaseTooSmall, {}),
        (voucher(voucher_family(skus=["coffee"])).code, refusals.WrongProducts, {}),
        (voucher().code, refusals.PurchaseNeeded, {"total": None}),
    ]
    before = VoucherStep.objects.count()
    for code, why, facts in cases:
        for work in (using.redeem, using.lock):
            with pytest.raises(why):
                work(at_till(code, shop, **facts), at=NOON)
    assert VoucherStep.objects.count() == before
    assert not VoucherUse.objects.exists()
    assert len({why.code for _code, why, _facts in cases}) == len(cases) - 1


def test_asking_says_everything_that_is_in_the_way(shop: Partner) -> None:
    given = voucher(voucher_family(valid_from=NOON + DAY), member=enrolled())
    answer = using.validate(at_till(given.code, shop, member_id=enrolled().pk), at=NOON)
    assert [each.code for each in answer.obstacles] == ["voucher-not-yet-valid", "voucher-other-member"]
    good = using.validate(at_till(voucher().code, shop), at=NOON)
    assert (good.amount, good.obstacles) == (Decimal("5.00"), ())
    assert using.validate(at_till(voucher().code, shop, total=None), at=NOON).amount is None


def test_a_foreign_voucher_is_not_described(shop: Partner) -> None:
    given = voucher(voucher_family(partner=PartnerFactory(), valid_from=NOON + DAY))
    answer = using.validate(at_till(given.code, shop), at=NOON)
    assert answer.voucher is None
    assert [each.code for each in answer.obstacles] == ["voucher-foreign"]


def test_an_unknown_code_takes_the_same_statements_as_a_known_one(
    shop: Partner, django_assert_num_queries: Any
) -> None:
    for code in (voucher().code, "23456789CDFH", "not a code!"):
        with django_assert_num_queries(2):
            using.validate(at_till(code, shop), at=NOON)


def test_a_shared_code_is_used_so_often_in_all_and_by_each_member(shop: Partner) -> None:
    family = voucher_family(source="shared", uses=3, uses_per_member=1)
    Voucher.objects.create(family=family, code="KESA2026", **issuing.terms_of(family, at=NOON))
    assert voucher(family).code == "KESA2026"
    members = [enrolled() for _number in range(4)]
    with pytest.raises(refusals.MemberNeeded):
        using.redeem(at_till("kesa-2026", shop), at=NOON)
    for number, member in enumerate(members[:2]):
        using.redeem(at_till("kesa-2026", shop, f"r-{number}", member_id=member.pk), at=NOON)
        with pytest.raises(refusals.UsedByMember):
            using.redeem(at_till("KESA 2026", shop, f"again-{number}", member_id=member.pk), at=NOON)
    using.lock(at_till("KESA2026", shop, "l-2", member_id=members[2].pk), at=NOON)
    with pytest.raises(refusals.LockedVoucher):  # the last use lies in a checkout
        using.redeem(at_till("KESA2026", shop, "r-3", member_id=members[3].pk), at=NOON)
    using.redeem(at_till("KESA2026", shop, "l-2"), at=NOON)
    with pytest.raises(refusals.UsedVoucher):
        using.redeem(at_till("KESA2026", shop, "r-3", member_id=members[3].pk), at=NOON)
    using.roll_back(at_till("KESA2026", shop, "r-0"), at=NOON)
    using.redeem(at_till("KESA2026", shop, "r-3", member_id=members[3].pk), at=NOON)
    assert sound()


def test_a_voucher_that_a_till_touched_is_not_taken_back(shop: Partner) -> None:
    used, locked = voucher(), voucher()
    using.redeem(at_till(used.code, shop), at=NOON)
    using.lock(at_till(locked.code, shop), at=NOON, seconds=60)
    for given in (used, locked):
        with pytest.raises(issuing.VoucherUsed):
            issuing.withdraw(voucher_id=given.pk, at=NOON, note="cancelled")
    assert not VoucherStep.objects.filter(kind="cancelled").exists()
    assert issuing.withdraw(voucher_id=locked.pk, at=NOON + MINUTE, note="cancelled")
    using.roll_back(at_till(used.code, shop), at=NOON)
    assert issuing.withdraw(voucher_id=used.pk, at=NOON, note="cancelled")
    assert sound()


def test_the_upkeep_expires_what_is_due_and_tells_of_it_once() -> None:
    aino = enrolled()
    due = voucher(voucher_family(valid_to=NOON + DAY), member=aino)
    voucher(voucher_family(valid_to=NOON + 2 * DAY))
    assert not upkeep.has_work(at=NOON)
    assert upkeep.has_work(at=NOON + DAY)
    assert [upkeep.expire_due(at=NOON + DAY) for _time in range(2)] == [1, 0]
    due.refresh_from_db()
    assert due.state == "expired"
    event = Event.objects.get(name="voucher.expired")
    assert (event.member_id, event.facts["voucher"]) == (aino.pk, str(due.public_id))


@pytest.mark.parametrize(
    "damage",
    ["remaining = remaining - 1", "uses_left = 0", "state = 'used'", "issued_at = NULL"],
)
def test_the_checker_finds_a_voucher_that_was_tampered_with(shop: Partner, damage: str) -> None:
    from django.db import connection

    given = voucher(voucher_family(value="50.00", in_parts=True))
    using.redeem(at_till(given.code, shop), at=NOON)
    assert sound()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE rewards_voucher SET {damage} WHERE id = %s", [given.pk])
    assert [(each.invariant, each.table, each.row) for each in verify(at=NOON)][:1] == [
        ("H", "rewards_voucher", given.pk)
    ]


def test_the_checker_finds_a_use_that_was_tampered_with(shop: Partner) -> None:
    given = voucher()
    answer = using.redeem(at_till(given.code, shop), at=NOON)
    VoucherUse.objects.filter(pk=answer.use.pk).update(amount="4.00")  # type: ignore[union-attr]
    assert [each.table for each in verify(at=NOON)] == ["rewards_voucheruse"]
