"""A way of sending that is set up half is told before a message fails by it."""

from typing import Any

import pytest
from pytest_django import Settings

from campaigns.channels.push import new_private_key
from campaigns.channels.setup import usable
from campaigns.checks import channels_are_whole, channels_in_use_are_set_up
from campaigns.models import ChannelPolicy


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("VAPID_PRIVATE_KEY", "AAAA", "kantis.E020"),
        ("VAPID_PRIVATE_KEY", "ä", "kantis.E020"),
        ("SMS_GATEWAY", {"url": "", "format": "xml"}, "kantis.E021"),
        ("MESSAGE_WEBHOOK_URL", "https://a.example", "kantis.E022"),
        ("MESSAGE_WEBHOOK_SECRET", "whsec_", "kantis.E022"),
        ("MESSAGE_HOOK_SECRETS", {"gateway": "short", "long": "x" * 20}, "kantis.E024"),
    ],
)
def test_what_does_not_fit_is_an_error(settings: Settings, name: str, value: Any, found: str) -> None:
    assert channels_are_whole() == []
    setattr(settings, name, value)
    assert [each.id for each in channels_are_whole()] == [found]


def test_a_webhook_without_tls_is_an_error_outside_the_demo(settings: Settings) -> None:
    settings.MESSAGE_WEBHOOK_URL, settings.MESSAGE_WEBHOOK_SECRET = "http://a.example", "whsec_"
    assert channels_are_whole() == []
    settings.DEMO = False
    assert [each.id for each in channels_are_whole()] == ["kantis.E023"]


@pytest.mark.django_db
def test_a_channel_in_use_that_is_not_set_up_is_named(settings: Settings) -> None:
    assert channels_in_use_are_set_up(databases=["default"]) == []
    ChannelPolicy.objects.update_or_create(pk="push", defaults={"is_active": True})
    assert channels_in_use_are_set_up() == []
    (found,) = channels_in_use_are_set_up(databases=["default"])
    assert (found.id, "push" in found.msg) == ("kantis.W020", True)
    settings.VAPID_PRIVATE_KEY = new_private_key()
    assert channels_in_use_are_set_up(databases=["default"]) == []


def test_a_channel_can_be_used_once_its_settings_are_there(settings: Settings) -> None:
    settings.EMAIL_URL, settings.SMS_GATEWAY = "", settings.SMS_GATEWAY | {"url": ""}
    assert usable() == {"inbox"}
    settings.KANTIS_ANYMAIL = "mailgun"
    settings.SMS_GATEWAY |= {"url": "https://gateway.example"}
    settings.VAPID_PRIVATE_KEY = new_private_key()
    settings.MESSAGE_WEBHOOK_URL, settings.MESSAGE_WEBHOOK_SECRET = "https://a.example", "whsec_"
    assert usable() == {"inbox", "email", "sms", "push", "webhook"}
