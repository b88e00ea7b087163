"""Misconfiguration is told by id before anybody meets it."""

import pytest

from loyalty import checks, embedded
from loyalty.models import Programme

GOOD = {
    "EMAIL_URL": "smtp://localhost",
    "PUBLIC_URL": "https://loyalty.example.com",
    "ALLOWED_HOSTS": ["loyalty.example.com"],
    "DEMO": False,
    "METRICS_TOKEN": "a-token-of-twenty-characters",
}


def ids(check, **kwargs) -> list[str]:
    return [message.id for message in check(**kwargs)]


@pytest.fixture(autouse=True)
def _good_settings(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        setattr(settings, name, value)
    monkeypatch.setattr(embedded, "in_use", lambda: False)


def test_a_good_configuration_passes() -> None:
    assert ids(checks.settings_are_complete) == []
    assert ids(checks.production_is_safe) == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EMAIL_URL", "", ["kantis.E001"]),
        ("PUBLIC_URL", "", ["kantis.E002"]),
        ("PUBLIC_URL", "loyalty.example.com", ["kantis.E002"]),
        ("PUBLIC_URL", "https://loyalty.example.com/", ["kantis.E003"]),
        ("ALLOWED_HOSTS", [], ["kantis.E004"]),
        ("DEMO", True, ["kantis.E005"]),
        ("METRICS_TOKEN", "", ["kantis.W001"]),
        ("METRICS_TOKEN", "short", ["kantis.W002"]),
        ("PUBLIC_URL", "http://loyalty.example.com", ["kantis.W003"]),
    ],
)
def test_what_is_wrong_is_named(settings, name: str, value: object, expected: list[str]) -> None:
    setattr(settings, name, value)
    assert ids(checks.settings_are_complete) + ids(checks.production_is_safe) == expected


def test_embedded_servers_are_not_for_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "in_use", lambda: True)
    assert ids(checks.production_is_safe) == ["kantis.E006"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("time_zone", "Europe/Helsinki", []),
        ("time_zone", "Europe/Atlantis", ["kantis.E007"]),
        ("base_currency", "eur", ["kantis.E008"]),
        ("default_language", "tlh"[:2], ["kantis.E009"]),
    ],
)
def test_the_programmes_row(field: str, value: str, expected: list[str]) -> None:
    Programme.objects.update_or_create(pk=1, defaults={field: value})
    assert ids(checks.programme_is_sound, databases=["default"]) == expected
    assert ids(checks.programme_is_sound, databases=None) == []
