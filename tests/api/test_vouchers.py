"""Vouchers as a till meets them: one problem type for each reason, any spelling of a code, and no luck in guessing."""

import datetime as dt
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from loyalty import clock
from loyalty.api import problems
from loyalty.partners.models import Scope
from members.models import Member
from rewards.models import Voucher, VoucherStep, VoucherUse
from rewards.verification import verify
from rewards.vouchers import codes, guessing, issuing
from tests.api import test_schema
from tests.api.till import Till
from tests.factories.members import NOON
from tests.factories.members import member as enrolled
from tests.factories.vouchers import pooled, voucher, voucher_family

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
SALE = {"checkout": "r-1", "total": "20.00", "currency": "EUR"}


schema = test_schema.schema


@pytest.fixture(autouse=True)
def _nobody_guessed() -> None:
    cache._cache.get_client().flushdb()  # type: ignore[attr-defined]


def shown(given: Voucher) -> str:
    return codes.grouped(given.code).lower()


def test_validate_lock_redeem_and_roll_back(till: Till) -> None:
    code = shown(voucher())
    asked = till.client.post(f"/api/v1/vouchers/{code}/validate", {"total": "20.00"}, format="json")
    assert (asked.status_code, asked.json()["valid"], asked.json()["amount"]) == (200, True, "5.00")
    assert asked.json()["voucher"]["code"] == code.upper()
    locked = till.post(f"vouchers/{code}/lock", SALE | {"seconds": 60})
    assert (locked.status_code, locked.json()["state"]) == (200, "locked")
    redeemed = till.post(f"vouchers/{code.replace('-', '%20')}/redeem", {"checkout": "r-1"})
    assert (redeemed.status_code, redeemed.json()["amount"], redeemed.json()["state"]) == (
        200,
        "5.00",
        "redeemed",
    )
    assert redeemed.json()["voucher"]["state"] == "used"
    back = till.post(f"vouchers/{code}/rollback", {"checkout": "r-1"})
    assert (back.status_code, back.json()["state"], back.json()["voucher"]["state"]) == (
        200,
        "rolled_back",
        "active",
    )


def test_the_same_key_and_the_same_sale_use_it_once(till: Till) -> None:
    code = voucher().code
    first = till.post(f"vouchers/{code}/redeem", SALE, key="one")
    assert till.post(f"vouchers/{code}/redeem", SALE, key="one").content == first.content
    assert till.post(f"vouchers/{code}/redeem", SALE).json()["id"] == first.json()["id"]
    other = till.post(f"vouchers/{code}/redeem", SALE | {"total": "21.00"})
    assert (other.status_code, other.json()["code"]) == (409, "voucher-checkout-differs")
    assert VoucherUse.objects.count() == 1


def refused_vouchers(other: Till, aino: Member) -> dict[str, tuple[int, str, dict[str, Any]]]:
    """By problem: its status, a code, and what the till sends besides."""
    used, locked, cancelled = voucher(), voucher(), voucher()
    assert other.post(f"vouchers/{used.code}/redeem", SALE).status_code == 200
    assert other.post(f"vouchers/{locked.code}/lock", SALE).status_code == 200
    issuing.withdraw(voucher_id=cancelled.pk, at=NOON, note="lost")
    stranger = {"member": {"card_number": enrolled().card_number}}
    return {
        "voucher-unknown": (404, "2345-6789-CDFH", {}),
        "voucher-used": (409, used.code, {}),
        "voucher-locked": (409, locked.code, {}),
        "voucher-cancelled": (409, cancelled.code, {}),
        "voucher-expired": (422, voucher(voucher_family(valid_to=NOON), at=NOON - DAY).code, {}),
        "voucher-not-yet-valid": (422, voucher(voucher_family(valid_from=NOON + DAY)).code, {}),
        "voucher-foreign": (403, voucher(voucher_family(partner=other.partner)).code, {}),
        "voucher-minimum-purchase": (422, voucher(voucher_family(minimum_purchase="20.01")).code, {}),
        "voucher-wrong-products": (422, voucher(voucher_family(skus=["coffee"])).code, {}),
        "voucher-other-member": (422, voucher(member=aino).code, stranger),
        "voucher-purchase-needed": (422, voucher().code, {"total": ...}),
        "voucher-amount-too-high": (422, voucher(voucher_family(in_parts=True)).code, {"amount": "5.01"}),
        "voucher-not-in-parts": (422, voucher().code, {"amount": "1.00"}),
    }


def test_every_refusal_is_a_problem_type_of_its_own(till: Till, other: Till, aino: Member) -> None:
    cases = refused_vouchers(other, aino)
    before = VoucherStep.objects.count()
    for name, (status, code, facts) in cases.items():
        body = {key: value for key, value in (SALE | {"checkout": "r-9"} | facts).items() if value is not ...}
        for verb in ("redeem", "lock"):
            answer = till.post(f"vouchers/{code}/{verb}", body)
            assert (answer.status_code, answer.json()["code"]) == (status, name), (name, verb)
            assert answer.json()["type"] == problems.type_uri(name)
            assert till.client.get(f"/api/v1/problems/{name}").status_code == 200
        if "total" in body:
            asked = till.post(f"vouchers/{code}/validate", {k: v for k, v in body.items() if k != "seconds"})
            assert asked.status_code == 200
            assert [each["code"] for each in asked.json()["problems"]] == [name]
    assert VoucherStep.objects.count() == before


def test_what_does_not_make_sense_is_refused_by_its_field(till: Till) -> None:
    code = voucher().code
    for change, field in (
        ({"checkout": ""}, "checkout"),
        ({"total": "-1"}, "total"),
        ({"currency": "SEK"}, "currency"),
        ({"amount": "0"}, "amount"),
        ({"lines": [{"sku": "a", "total": "1.00"}]}, "total"),
    ):
        answer = till.post(f"vouchers/{code}/redeem", SALE | change)
        assert answer.status_code == 422, change
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert till.post(f"vouchers/{code}/lock", SALE | {"seconds": 86400}).status_code == 422
    assert till.post("vouchers/%00%F0%9F%98%80/redeem", SALE).status_code == 404
    assert not VoucherUse.objects.exists()


def test_keys_without_the_scope_do_nothing(till: Till) -> None:
    code = voucher().code
    reader = Till(till.partner, scopes=(Scope.VOUCHERS_READ,))
    assert reader.post(f"vouchers/{code}/validate", {}).status_code == 200
    for path in (f"{code}/lock", f"{code}/redeem", f"{code}/rollback"):
        assert reader.post(f"vouchers/{path}", SALE).status_code == 403
    assert reader.post("vouchers", {"family": "x", "external_id": "1"}).status_code == 403
    assert not VoucherUse.objects.exists()


def test_a_partner_issues_a_voucher_once(till: Till, other: Till, aino: Member) -> None:
    family = voucher_family(code="thanks")
    order = {"family": "thanks", "member": {"external_id": "c-1"}, "external_id": "complaint-7"}
    first = till.post("vouchers", order)
    assert first.status_code == 201
    again = till.post("vouchers", order)
    assert (again.status_code, again.json()) == (200, first.json())
    assert till.post("vouchers", order | {"member": {"email": "x@example.com"}}).status_code == 404
    voucher_family(code="cake")
    assert till.post("vouchers", order | {"family": "cake"}).json()["code"] == "voucher-exists"
    assert Voucher.objects.get().family == family
    voucher_family(code="theirs", partner=other.partner)
    assert till.post("vouchers", order | {"family": "theirs"}).json()["code"] == "voucher-family-unknown"
    voucher_family(code="empty", source="pool")
    empty = till.post("vouchers", order | {"family": "empty", "external_id": "8"})
    assert (empty.status_code, empty.json()["code"]) == (409, "voucher-not-issued")


def test_a_members_vouchers_are_listed_for_the_partner_that_serves_them(
    till: Till, other: Till, aino: Member, django_assert_num_queries: Any
) -> None:
    active = voucher(member=aino)
    past = voucher(voucher_family(valid_to=NOON), member=aino, at=NOON - DAY)
    voucher(voucher_family(partner=other.partner), member=aino)
    path = f"members/{aino.public_id}/vouchers"
    rows = till.get(path).json()["results"]
    assert [(row["id"], row["state"]) for row in rows] == [
        (str(past.public_id), "expired"),
        (str(active.public_id), "active"),
    ]
    assert [row["id"] for row in till.get(path, state="active").json()["results"]] == [str(active.public_id)]
    assert till.get(path, state="stored").status_code == 422
    assert other.get(path).status_code == 404
    with django_assert_num_queries(4):
        till.get(path)
    for _number in range(9):
        voucher(member=aino)
    with django_assert_num_queries(4):
        assert len(till.get(path).json()["results"]) == 11


def test_guessing_ends_in_the_same_answer_for_right_and_wrong_codes(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guessing, "LIMITS", {"key": 5, "address": 1000, "sort": 1000})
    right = voucher().code
    for _number in range(5):
        assert till.post(f"vouchers/{codes.new_code()}/redeem", SALE).status_code == 404
    answers = [
        till.post(f"vouchers/{code}/{verb}", SALE)
        for code in (right, codes.new_code())
        for verb in ("redeem", "validate", "lock", "rollback")
    ]
    assert {answer.status_code for answer in answers} == {429}
    bodies = [{**answer.json(), "instance": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert all(0 < int(answer["Retry-After"]) <= 601 for answer in answers)
    assert not VoucherUse.objects.exists()


@pytest.mark.parametrize("kind", ["address", "sort"])
def test_another_key_does_not_help_who_guesses(
    till: Till, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(guessing, "LIMITS", {"key": 1000, "address": 1000, "sort": 1000} | {kind: 3})
    right = voucher(voucher_family(prefix="KAHVI"))
    for _number in range(3):
        guess = codes.new_code("KAHVI")
        assert till.post(f"vouchers/{guess}/validate", {}).json()["problems"][0]["code"] == "voucher-unknown"
    second = Till(till.partner)
    assert second.post(f"vouchers/{right.code}/validate", {}).status_code == 429
    if kind == "sort":  # other sorts of codes go on
        assert second.post(f"vouchers/{voucher().code}/validate", {}).status_code == 200


def test_right_codes_are_not_counted(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "LIMITS", {"key": 2, "address": 2, "sort": 2})
    code = voucher(voucher_family(uses=None)).code
    for number in range(6):
        assert till.post(f"vouchers/{code}/redeem", SALE | {"checkout": f"r-{number}"}).status_code == 200


def test_without_redis_vouchers_are_used_all_the_same(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as Away

    def away(_timeout: float) -> Any:
        raise Away("gone")

    monkeypatch.setattr(guessing, "client", away)
    monkeypatch.setattr(guessing.breaker, "failed", lambda _error: None)
    assert till.post(f"vouchers/{voucher().code}/redeem", SALE).status_code == 200
    assert till.post(f"vouchers/{codes.new_code()}/redeem", SALE).status_code == 404


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("verb", ["redeem", "lock"])
def test_twenty_tills_at_once_and_one_of_them_gets_the_voucher(till: Till, verb: str) -> None:
    code = voucher().code
    gate = threading.Barrier(20)

    def sell(number: int) -> Any:
        own = Till.__new__(Till)
        own.partner, own.client = (
            till.partner,
            till.client.__class__(headers={"authorization": f"Bearer {till.text}"}),
        )
        gate.wait()
        try:
            return own.post(f"vouchers/{code}/{verb}", SALE | {"checkout": f"sale-{number}"})
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(sell, range(20)))
    refused = "voucher-used" if verb == "redeem" else "voucher-locked"
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {refused}
    assert VoucherUse.objects.count() == 1
    assert VoucherStep.objects.filter(kind__in=["redeemed", "locked"]).count() == 1
    assert verify(at=clock.now()) == []


def test_real_answers_fit_the_schema(
    schema: dict[str, Any],
    till: Till,
    other: Till,
    aino: Member,
) -> None:
    code, base, check = voucher(member=aino).code, "vouchers/{code}", test_schema.check
    voucher_family(code="thanks")
    check(schema, "vouchers", "post", till.post("vouchers", {"family": "thanks", "external_id": "1"}))
    check(schema, f"{base}/validate", "post", till.post(f"vouchers/{code}/validate", {"total": "9.00"}))
    check(schema, f"{base}/validate", "post", till.post("vouchers/NOSUCH/validate", {}))
    check(schema, f"{base}/lock", "post", till.post(f"vouchers/{code}/lock", SALE))
    check(schema, f"{base}/redeem", "post", other.post(f"vouchers/{code}/redeem", SALE))
    check(schema, f"{base}/redeem", "post", till.post(f"vouchers/{code}/redeem", SALE))
    check(schema, f"{base}/redeem", "post", till.post("vouchers/NOSUCH/redeem", SALE))
    check(schema, f"{base}/rollback", "post", till.post(f"vouchers/{code}/rollback", {"checkout": "r-1"}))
    listed = till.get(f"members/{aino.public_id}/vouchers")
    check(schema, "members/{public_id}/vouchers", "get", listed)


def test_pool_codes_are_shown_in_their_own_spelling(till: Till) -> None:
    family = voucher_family(code="cinema", source="pool")
    pooled(family, "FINNKINO12AB", spelling="finnkino/12-ab")
    issued = till.post("vouchers", {"family": "cinema", "external_id": "1"})
    assert issued.json()["code"] == "finnkino/12-ab"
    assert till.post("vouchers/FINNKINO12AB/validate", {"total": "9.00"}).json()["valid"]
