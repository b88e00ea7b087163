"""The way into the admin: the portal's log-in with its limits, staff only."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.factories.staff import staff

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def log_in(email: str, password: str, **headers: str) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": email, "password": password}, headers=headers)
    return client


def is_inside(client: Client) -> bool:
    return client.get(reverse("admin:index")).status_code == 200


@pytest.fixture
def boss_email() -> str:
    from allauth.account.models import EmailAddress

    boss = staff(superuser=True)
    EmailAddress.objects.create(user=boss, email=boss.email, primary=True, verified=True)
    return boss.email


def test_the_admins_log_in_is_the_portals(boss_email: str) -> None:
    answer = Client().get(reverse("admin:login"), {"next": "/admin/"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))
    assert is_inside(log_in(boss_email, PASSWORD))


def test_guessing_is_blocked_even_for_the_right_password_and_forged_addresses(boss_email: str) -> None:
    for attempt in range(10):
        assert not is_inside(log_in(boss_email, f"wrong-{attempt}", x_forwarded_for=f"10.0.0.{attempt}"))
    assert not is_inside(log_in(boss_email, PASSWORD, x_forwarded_for="10.9.9.9"))
