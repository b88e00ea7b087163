"""Everything that a till may get wrong: a problem that names the field, and nothing written."""

import datetime as dt
import re
from typing import Any

import pytest

from loyalty.models import Event, IdempotencyKey
from loyalty.partners import keys
from loyalty.partners.models import Scope
from members.models import Activity, ActivityLine, Category, ExternalId, Member, Product, SalesChannel, Store
from referrals.models import Referral
from rewards.models import Account, Transfer
from tests.api.test_campaign_scopes import ROUTES as OF_CAMPAIGNS
from tests.api.test_reward_scopes import ROUTES, patterns_of
from tests.api.till import Till, purchase
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db
WRITTEN = (
    Account, Activity, ActivityLine, Category, Event, ExternalId, IdempotencyKey, Member, Product, SalesChannel, Store,
    Transfer,
)  # fmt: skip


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in WRITTEN}


def line(**facts: Any) -> dict[str, Any]:
    return {"lines": [{"total": "42.50"} | facts]}


BAD_ACTIVITIES: list[tuple[dict[str, Any], str]] = [
    # missing and mistyped
    ({"external_id": ...}, "external_id"),
    ({"external_id": ""}, "external_id"),
    ({"external_id": None}, "external_id"),
    ({"external_id": ["r-1"]}, "external_id"),
    ({"external_id": True}, "external_id"),
    ({"external_id": "x" * 101}, "external_id"),
    ({"external_id": "r\n1"}, "external_id"),
    ({"kind": ...}, "kind"),
    ({"kind": "purchases"}, "kind"),
    ({"kind": {"code": "purchase"}}, "kind"),
    ({"store": "x" * 101}, "store"),
    ({"store": ["Kamppi"]}, "store"),
    ({"channel": "x" * 51}, "channel"),
    # the member
    ({"member": ...}, "member"),
    ({"member": None}, "member"),
    ({"member": "c-1"}, "member"),
    ({"member": []}, "member"),
    ({"member": {}}, "member"),
    ({"member": {"external_id": "c-1", "email": "aino@example.com"}}, "member"),
    ({"member": {"phone": "+358401234567"}}, "member"),
    ({"member": {"external_id": {"a": 1}}}, "member.external_id"),
    ({"member": {"card_number": "9000000000000000"}}, "member.card_number"),
    ({"member": {"external_id": "c-2"}}, "member.external_id"),
    ({"member": {"email": "nobody@example.com"}}, "member.email"),
    ({"member": {"card_number": "9000000000000001"}}, "member.card_number"),
    ({"member": {"id": "1"}}, "member.id"),
    ({"member": {"id": "0190f5c6-7c1e-7cc0-8000-000000000000"}}, "member.id"),
    # time
    ({"occurred_at": ...}, "occurred_at"),
    ({"occurred_at": None}, "occurred_at"),
    ({"occurred_at": 1781500000}, "occurred_at"),
    ({"occurred_at": "yesterday"}, "occurred_at"),
    ({"occurred_at": "2026-06-15"}, "occurred_at"),
    ({"occurred_at": "2026-06-15T11:58:00"}, "occurred_at"),
    ({"occurred_at": "2026-02-30T11:58:00Z"}, "occurred_at"),
    ({"occurred_at": "2026-06-15T09:05:01Z"}, "occurred_at"),
    ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
    ({"occurred_at": "1969-12-31T23:59:59Z"}, "occurred_at"),
    ({"occurred_at": "1970-01-01T00:00:00+00:01"}, "occurred_at"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
    # money
    ({"total": ..., "lines": ...}, "total"),
    ({"total": None}, "total"),
    ({"total": ""}, "total"),
    ({"total": "forty"}, "total"),
    ({"total": "NaN"}, "total"),
    ({"total": "Infinity"}, "total"),
    ({"total": "1e400"}, "total"),
    ({"total": "-0.01", "lines": []}, "total"),
    ({"total": -5, "lines": []}, "total"),
    ({"total": "42.505", "lines": []}, "total"),
    ({"total": 2**63, "lines": []}, "total"),
    ({"total": "10000000000.00", "lines": []}, "total"),
    ({"total": "9" * 2000, "lines": []}, "total"),
    ({"total": True, "lines": []}, "total"),
    ({"total": ["42.50"]}, "total"),
    ({"total": "42.48"}, "total"),
    ({"total": "42.52"}, "total"),
    ({"total": "0.00"}, "total"),
    ({"currency": ...}, "currency"),
    ({"currency": ""}, "currency"),
    ({"currency": "SEK"}, "currency"),
    ({"currency": "eur"}, "currency"),
    ({"currency": "EURO"}, "currency"),
    ({"currency": 978}, "currency"),
    # lines
    ({"lines": None}, "lines"),
    ({"lines": "coffee"}, "lines"),
    ({"lines": {"sku": "coffee"}}, "lines"),
    ({"lines": [None]}, "lines[0]"),
    ({"lines": ["coffee"]}, "lines[0]"),
    ({"lines": [{"total": "42.50"}, {"sku": "bun"}]}, "lines[1].total"),
    ({"lines": [{"total": "0"}] * 2001, "total": "0"}, "lines"),
    (line(quantity="-1"), "lines[0].quantity"),
    (line(quantity="-0.001"), "lines[0].quantity"),
    (line(quantity="1000000"), "lines[0].quantity"),
    (line(quantity="1e30"), "lines[0].quantity"),
    (line(quantity="0.0001"), "lines[0].quantity"),
    (line(quantity="NaN"), "lines[0].quantity"),
    (line(quantity=None), "lines[0].quantity"),
    (line(quantity="two"), "lines[0].quantity"),
    (line(total="-42.50"), "lines[0].total"),
    (line(total="NaN"), "lines[0].total"),
    (line(total=2**63), "lines[0].total"),
    (line(sku="x" * 101), "lines[0].sku"),
    (line(sku={"id": 1}), "lines[0].sku"),
    (line(category="x" * 101), "lines[0].category"),
    (line(department=[1]), "lines[0].department"),
    (line(category="a\x1fb"), "lines[0].category"),
    # characters that cannot be stored
    ({"external_id": "r\x00"}, "external_id"),
    ({"store": "Kam\x00ppi"}, "store"),
    (line(sku="\x00"), "lines[0].sku"),
    ({"member": {"external_id": "c\x00"}}, "member.external_id"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "field"), BAD_ACTIVITIES, ids=lambda value: str(value)[:60])
def test_a_bad_activity_names_the_field_and_writes_nothing(
    till: Till, aino: Member, facts: dict[str, Any], field: str
) -> None:
    before = counts()

    answer = till.post("activities", purchase(**facts))

    assert answer.status_code in (400, 404, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert field in [error["field"] for error in problem["errors"]]
    assert all(error["message"] for error in problem["errors"])
    assert counts() == before


@pytest.mark.parametrize(
    ("facts", "field"),
    [(facts, field) for facts, field in BAD_ACTIVITIES if "\\x00" not in str(facts)],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_item_of_a_batch_says_the_same(
    till: Till, aino: Member, facts: dict[str, Any], field: str
) -> None:
    answer = till.post("activities/batch", {"activities": [purchase(**facts), purchase()]})
    bad, good = answer.json()["results"]
    assert good["status"] == 201
    assert bad["status"] in (404, 422)
    assert field in [error["field"] for error in bad["problem"]["errors"]]
    assert Activity.objects.count() == 1


def test_a_wrong_sum_says_both(till: Till, aino: Member) -> None:
    [error] = till.post("activities", purchase(total="42.52")).json()["errors"]
    assert error == {"field": "total", "code": "sum", "message": "The lines add up to 42.50, not to 42.52."}


def test_a_wrong_currency_says_which_is_taken(till: Till, aino: Member) -> None:
    [error] = till.post("activities", purchase(currency="SEK")).json()["errors"]
    assert "EUR" in error["message"]


@pytest.mark.parametrize("path", ["activities", "activities/batch", "members"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"5", b'"x"', b"{'a': 1}", b"\xff\xfe", b'{"total": NaN}', b'{"total": Infinity}',
        b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"external_id": "\\ud800"}', b'{"external_id": "\\u0000"}',
        b'{"x": ' + b"9" * 5000 + b"}", b'{"x": "' + b"x" * (5 * 1024 * 1024) + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_a_body_that_is_no_good_json_is_refused(till: Till, path: str, body: bytes) -> None:
    before = counts()
    answer = till.post(path, body)
    assert answer.status_code in (400, 413, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert counts() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_only_json_is_taken(till: Till, aino: Member, kind: str) -> None:
    headers = {"idempotency-key": "k"}
    answer = till.client.post("/api/v1/activities", "a=b", content_type=kind, headers=headers)
    assert answer.status_code == 415
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"external_id": "", "email": None, "phone": ...}, ""),
        ({"external_id": "x" * 101}, "external_id"),
        ({"external_id": 5.5j}, "external_id"),
        ({"email": "aino"}, "email"),
        ({"email": "aino@example.com\nBcc: all@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"email": ["a@example.com"]}, "email"),
        ({"phone": "12"}, "phone"),
        ({"phone": "call me"}, "phone"),
        ({"phone": {}}, "phone"),
        ({"first_name": "Aino\r\nBcc: all@example.com"}, "first_name"),
        ({"first_name": "x" * 101}, "first_name"),
        ({"last_name": "a\x00"}, "last_name"),
        ({"birth_date": "30.2.1990"}, "birth_date"),
        ({"birth_date": "2026-06-17"}, "birth_date"),
        ({"birth_date": "1899-12-31"}, "birth_date"),
        ({"birth_date": 19900101}, "birth_date"),
        ({"language": "de"}, "language"),
        ({"language": 5}, "language"),
        ({"time_zone": "Helsinki"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"acquisition_channel": "magic"}, "acquisition_channel"),
        ({"consents": "marketing"}, "consents"),
        ({"consents": [{"channel": "email"}]}, "consents[0].purpose"),
        ({"consents": [{"purpose": "spam"}]}, "consents[0].purpose"),
        ({"consents": [{"purpose": "marketing", "granted": "perhaps"}]}, "consents[0].granted"),
        ({"consents": [{"purpose": "marketing"}] * 51}, "consents"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_enrolment_names_the_field_and_writes_nothing(
    till: Till, facts: dict[str, Any], field: str
) -> None:
    body = {"external_id": "c-9", "email": "eino@example.com", "phone": "0401234567"} | facts
    body = {
        name: value for name, value in body.items() if value is not ... and not isinstance(value, complex)
    }
    if field == "external_id" and "external_id" not in body:
        body["external_id"] = {}
    before = counts()

    answer = till.post("members", body)

    assert answer.status_code in (400, 422)
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert counts() == before


@pytest.mark.parametrize(
    "query",
    [
        {}, {"email": "a@example.com", "external_id": "1"}, {"external_id": ""}, {"external_id": "\x00"},
        {"external_id": "x" * 500}, {"card_number": "123"}, {"id": "5"}, {"language": "xx"},
    ],
)  # fmt: skip
def test_a_bad_search_is_refused(till: Till, query: dict[str, str]) -> None:
    answer = till.get("members", **query)
    assert answer.status_code in (400, 422)
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "cD1hYmM="},
        {"cursor": "cD0lMDA="},
        {"limit": "0"},
        {"limit": "x"},
        {"limit": "1000"},
    ],
)
def test_a_bad_page_is_refused(till: Till, aino: Member, query: dict[str, str]) -> None:
    assert till.get(f"members/{aino.public_id}/statement", **query).status_code in (400, 404, 422)


class TestKeys:
    def test_without_a_key(self, till: Till, aino: Member) -> None:
        till.client.credentials()
        answer = till.client.post(
            "/api/v1/activities", purchase(), format="json", headers={"authorization": ""}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    @pytest.mark.parametrize("how", ["revoked", "expired", "inactive partner"])
    def test_a_key_that_ended(self, till: Till, aino: Member, how: str) -> None:
        if how == "revoked":
            keys.revoke(till.api_key, at=NOON)
        elif how == "expired":
            type(till.api_key).objects.update(expires_at=NOON - dt.timedelta(seconds=1))
        else:
            type(till.partner).objects.update(is_active=False)
        before = counts()
        assert till.post("activities", purchase()).status_code == 401
        assert counts() == before


WRITES = {
    "members": Scope.MEMBERS_WRITE,
    "activities": Scope.ACTIVITIES_WRITE,
    "activities/batch": Scope.ACTIVITIES_WRITE,
    "activities/simulate": Scope.ACTIVITIES_WRITE,
}
ON_ONE = {
    "activities/{activity}/refunds": (Scope.ACTIVITIES_WRITE, {"external_id": "f-1", "all": True}, 201),
    "activities/{activity}/confirm": (Scope.ACTIVITIES_WRITE, {}, 409),
    "activities/{activity}/cancel": (Scope.ACTIVITIES_WRITE, {}, 409),
    "members/{member}/offers/activate": (Scope.OFFERS_WRITE, {"offer": "none"}, 404),
    "segments/none/members": (Scope.SEGMENTS_WRITE, {"members": [{"external_id": "c-1"}]}, 404),
}
"""Writes on one activity or member: the scope, a body, and the answer to it once the scope is there."""
READS = {
    "members?external_id=c-1": Scope.MEMBERS_READ,
    "members/{member}": Scope.MEMBERS_READ,
    "members/{member}/balance": Scope.POINTS_READ,
    "members/{member}/statement": Scope.POINTS_READ,
    "activities/{activity}": Scope.ACTIVITIES_READ,
    "activities/{activity}/refunds": Scope.ACTIVITIES_READ,
    "members/{member}/offers": Scope.POINTS_READ,
    "tiers": Scope.POINTS_READ,
    "members/{member}/segments": Scope.SEGMENTS_READ,
    "segments": Scope.SEGMENTS_READ,
    "members/{member}/referral-code": Scope.REFERRALS_READ,
    "referrals": Scope.REFERRALS_READ,
    "referrals/{referral}": Scope.REFERRALS_READ,
}
BODIES = {
    "members": lambda: {"external_id": "c-2"},
    "activities": purchase,
    "activities/batch": lambda: {"activities": [purchase()]},
    "activities/simulate": lambda: {key: value for key, value in purchase().items() if key != "external_id"},
}


def addresses(till: Till, aino: Member) -> dict[str, str]:
    id_ = till.post("activities", purchase()).json()["id"]
    brought = Referral.objects.create(referrer=member(), friend=aino, joined_at=NOON)
    return {
        path: path.format(member=aino.public_id, activity=id_, referral=brought.public_id) for path in READS
    }


@pytest.mark.parametrize("path", READS)
def test_every_read_needs_its_scope_and_no_other(till: Till, aino: Member, path: str) -> None:
    address = addresses(till, aino)[path]
    needed = READS[path]
    others = tuple(scope for scope in Scope.values if scope != needed)
    assert Till(till.partner, scopes=others).get(address).status_code == 403
    assert Till(till.partner, scopes=(needed,)).get(address).status_code == 200


@pytest.mark.parametrize("path", WRITES)
def test_every_write_needs_its_scope_and_no_other(till: Till, aino: Member, path: str) -> None:
    others = tuple(scope for scope in Scope.values if scope != WRITES[path])
    narrow = Till(till.partner, scopes=others)
    before = counts()
    assert narrow.post(path, BODIES[path]()).status_code == 403
    assert counts() == before
    assert Till(till.partner, scopes=(WRITES[path],)).post(path, BODIES[path]()).status_code in (200, 201)


@pytest.mark.parametrize("path", ON_ONE)
def test_every_write_on_one_needs_its_scope_and_no_other(
    till: Till, other: Till, aino: Member, path: str
) -> None:
    id_ = till.post("activities", purchase()).json()["id"]
    address = path.format(member=aino.public_id, activity=id_)
    needed, body, status = ON_ONE[path]
    before = counts()
    others = tuple(scope for scope in Scope.values if scope != needed)
    assert Till(till.partner, scopes=others).post(address, body).status_code == 403
    assert other.post(address, body).status_code == 404
    assert counts() == before
    assert Till(till.partner, scopes=(needed,)).post(address, body).status_code == status


def test_erasing_needs_its_scope_and_no_other(till: Till, other: Till, aino: Member) -> None:
    others = tuple(scope for scope in Scope.values if scope != Scope.MEMBERS_ERASE)
    address = f"members/{aino.public_id}"
    before = counts()
    assert Till(till.partner, scopes=others).delete(address).status_code == 403
    assert other.delete(address).status_code == 404
    assert counts() == before
    aino.refresh_from_db()
    assert aino.status == Member.Status.ACTIVE
    assert Till(till.partner, scopes=(Scope.MEMBERS_ERASE,)).delete(address).status_code == 204


@pytest.mark.parametrize(
    "path",
    ["members/{member}", "members/{member}/balance", "members/{member}/statement", "activities/{activity}"],
)
def test_another_partner_sees_nothing(till: Till, other: Till, aino: Member, path: str) -> None:
    answer = other.get(addresses(till, aino)[path])
    assert answer.status_code == 404
    assert "aino" not in answer.content.decode().lower()


def test_every_route_of_the_api_is_in_these_tables() -> None:
    """A new route fails here until somebody says who may call it."""
    apps = ("members", "rewards", "campaigns", "referrals")
    routes = {route for app in apps for route in patterns_of(f"{app}.api_urls")}
    named = [*READS, *WRITES, *ON_ONE, *(path for _method, path in (*ROUTES, *OF_CAMPAIGNS))]
    tabled = {re.sub(r"{\w+}|\bnone\b", "{}", path.split("?")[0]) for path in named}
    assert routes == tabled


def test_a_key_of_one_partner_cannot_write_for_another(till: Till, other: Till, aino: Member) -> None:
    answer = other.post("activities", purchase(member={"external_id": "c-1"}, partner="shop"))
    assert answer.status_code == 404
    assert Activity.objects.count() == 0
