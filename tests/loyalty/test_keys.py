"""API keys: shown once, kept as a digest, refused when wrong, old or revoked."""

import datetime as dt

import pytest
from django.db import connection

from loyalty.partners import keys
from loyalty.partners.models import ApiKey, Scope
from tests.factories.loyalty import partner_client
from tests.factories.partners import PartnerFactory, key_for

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_a_key_is_found_by_its_text_with_its_partner_in_one_query(django_assert_num_queries) -> None:
    partner = PartnerFactory.create()
    key, text = key_for(partner)
    with django_assert_num_queries(1):
        found = keys.find_key(text, at=AT)
        assert found.partner == partner
    assert found == key


def test_the_secret_is_nowhere_in_the_database() -> None:
    key, text = key_for(PartnerFactory.create())
    secret = text.rpartition("_")[2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT k::text FROM loyalty_apikey k")
        assert secret not in str(cursor.fetchall())
    assert text.startswith(f"kantis_{key.prefix}_")


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + ("a" if t[-1] != "a" else "b"), lambda t: t[:-1], str.upper]
)
def test_another_text_is_refused(spoil) -> None:
    _key, text = key_for(PartnerFactory.create())
    with pytest.raises(keys.KeyRefused):
        keys.find_key(spoil(text), at=AT)


@pytest.mark.parametrize("text", ["", "kantis_", "kantis_" + "a" * 10 + "_" + "b" * 43, "\0", "é" * 60])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(keys.KeyRefused):
        keys.find_key(text, at=AT)


def test_an_expired_key_is_refused_from_its_very_moment() -> None:
    _key, text = key_for(PartnerFactory.create(), expires_at=AT)
    assert keys.find_key(text, at=AT - dt.timedelta(microseconds=1))
    with pytest.raises(keys.KeyRefused):
        keys.find_key(text, at=AT)


def test_a_revoked_key_is_refused_and_revoked_once() -> None:
    key, text = key_for(PartnerFactory.create())
    assert keys.revoke(key, at=AT)
    assert not keys.revoke(key, at=AT + HOUR)
    assert key.revoked_at == AT
    with pytest.raises(keys.KeyRefused):
        keys.find_key(text, at=AT + HOUR)


def test_the_keys_of_an_inactive_partner_are_refused() -> None:
    _key, text = key_for(PartnerFactory.create(is_active=False))
    with pytest.raises(keys.KeyRefused):
        keys.find_key(text, at=AT)


def test_use_is_noted_hourly(django_assert_num_queries) -> None:
    key, _text = key_for(PartnerFactory.create())
    keys.note_use(key, at=AT)
    key.refresh_from_db()
    with django_assert_num_queries(0):
        keys.note_use(key, at=AT + HOUR / 2)
    keys.note_use(key, at=AT + HOUR)
    key.refresh_from_db()
    assert key.last_used_at == AT + HOUR


@pytest.mark.urls("tests.loyalty.api_views")
class TestOverHttp:
    def test_without_a_key(self) -> None:
        client = partner_client()
        client.credentials()
        answer = client.get("/api/v1/baskets")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Bearer realm="Kantis API"'
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthenticated"

    @pytest.mark.parametrize(
        "header", ["Bearer", "Bearer x", "Bearer \xff\xfe", "Basic abc", "Token kantis_x"]
    )
    def test_with_a_bad_key(self, header: str) -> None:
        client = partner_client()
        client.credentials(HTTP_AUTHORIZATION=header)
        assert client.get("/api/v1/baskets").status_code == 401

    def test_a_key_revoked_between_two_requests_is_refused_at_once(self) -> None:
        client = partner_client()
        assert client.get("/api/v1/baskets").status_code == 200
        keys.revoke(client.key, at=AT)
        assert client.get("/api/v1/baskets").status_code == 401

    def test_a_missing_scope_writes_nothing(self) -> None:
        client = partner_client(scopes=(Scope.MEMBERS_READ,))
        before = ApiKey.objects.count()
        answer = client.write("/api/v1/baskets", {"name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert ApiKey.objects.count() == before

    def test_a_view_that_declares_no_scope_is_closed(self) -> None:
        client = partner_client()
        assert client.get("/api/v1/undeclared").status_code == 403
        assert client.post("/api/v1/undeclared", {}).status_code == 403

    def test_a_method_that_the_view_does_not_have(self) -> None:
        answer = partner_client().delete("/api/v1/baskets")
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert "POST" in answer["Allow"]
        assert partner_client().options("/api/v1/baskets").status_code == 405

    def test_a_head_needs_what_the_get_needs(self) -> None:
        assert partner_client(scopes=(Scope.MEMBERS_READ,)).head("/api/v1/baskets").status_code == 200
        assert partner_client(scopes=(Scope.POINTS_READ,)).head("/api/v1/baskets").status_code == 403
