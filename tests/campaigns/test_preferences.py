"""Where members choose what we send them, and how: on the page of consents, with and without scripts."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pytest_django import Settings

from campaigns import preferences
from campaigns.channels.push import new_private_key, public_key
from campaigns.models import MessagePreference, PushSubscription
from campaigns.preferences import MOST_DEVICES, NONE, Wishes
from campaigns.views_preferences import device_name
from members.models import Member
from members.personal_data import copies_of
from members.privacy import erase
from tests.factories.portal import NOW, portal_client, portal_member

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
CONSENTS = "/profile/consents/"
KEYS = {
    "p256dh": base64.urlsafe_b64encode(b"\x04" + b"k" * 64).rstrip(b"=").decode(),
    "auth": base64.urlsafe_b64encode(b"s" * 16).rstrip(b"=").decode(),
}


@pytest.fixture(autouse=True)
def _now(settings: Settings) -> object:
    settings.VAPID_PRIVATE_KEY = new_private_key()
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return portal_member()


@pytest.fixture
def portal(aino: Member) -> Client:
    return portal_client(aino)


def page_of(portal: Client) -> str:
    return portal.get(CONSENTS).content.decode()


def wish(portal: Client, **said: Any) -> Any:
    return portal.post("/messages/wishes/", said)


def chosen(page: str, name: str) -> str:
    """The text of the option that a select shows."""
    select = page.split(f'name="{name}"')[1].split("</select>")[0]
    return select.split("selected>")[1].split("<")[0]


# --- Wishes -----------------------------------------------------------------------------------------------------------


def test_one_page_has_consents_and_wishes(portal: Client) -> None:
    page = page_of(portal)
    for name in (
        "consent-marketing-push",
        "consent-surveys-sms",
        "consent-profiling-any",
        "per_week",
        "pause",
    ):
        assert f'name="{name}"' in page
    assert (chosen(page, "preferred_channel"), chosen(page, "per_week")) == (
        "No preference",
        "As many as there are",
    )


def test_wishes_are_kept(portal: Client, aino: Member) -> None:
    response = wish(portal, preferred_channel="sms", per_week="2", pause="month", no_tracking="on")
    assert response["Location"] == CONSENTS
    assert preferences.wishes_of(aino.pk) == Wishes(
        preferred_channel="sms", per_week=2, paused_until=dt.date(2026, 12, 21), no_tracking=True
    )
    assert MessagePreference.objects.get(pk=aino.pk).changed_at == NOW
    page = page_of(portal)
    assert "Your choices are saved." in page
    assert [chosen(page, name) for name in ("preferred_channel", "per_week", "pause")] == [
        "Text message",
        "2 at most",
        "Until 21.12.2026",
    ]


def test_a_pause_is_left_as_it_is_or_ended(portal: Client, aino: Member) -> None:
    wish(portal, pause="week")
    with time_machine.travel(NOW + 3 * DAY, tick=False):
        wish(portal, pause="as-it-is", per_week="1")
        assert preferences.wishes_of(aino.pk).paused_until == dt.date(2026, 11, 28)
        wish(portal, pause="")
        assert preferences.wishes_of(aino.pk) == NONE


def test_a_pause_that_is_over_is_no_pause(portal: Client) -> None:
    wish(portal, pause="week")
    with time_machine.travel(NOW + 7 * DAY, tick=False):
        assert chosen(page_of(portal), "pause") == "No pause"
        assert wish(portal, pause="as-it-is").status_code == 302
        assert "That could not be saved." in page_of(portal)


def test_a_pause_counts_from_the_members_own_day(aino: Member, portal: Client) -> None:
    Member.objects.filter(pk=aino.pk).update(time_zone="Pacific/Kiritimati")  # already Sunday there
    wish(portal, pause="week")
    assert preferences.wishes_of(aino.pk).paused_until == dt.date(2026, 11, 29)


def test_no_wishes_leave_no_row(portal: Client) -> None:
    wish(portal, per_week="3")
    wish(portal)
    assert not MessagePreference.objects.exists()
    wish(portal)
    assert "Nothing was changed." in page_of(portal)


@pytest.mark.parametrize(
    "said", [{"per_week": "0"}, {"per_week": "x"}, {"pause": "ever"}, {"preferred_channel": "fax"}]
)
def test_what_cannot_be_chosen_is_not_kept(portal: Client, said: dict[str, str]) -> None:
    wish(portal, **said)
    assert not MessagePreference.objects.exists()


def test_a_figure_set_elsewhere_stays_choosable(portal: Client, aino: Member) -> None:
    preferences.set_wishes(member_id=aino.pk, wishes=Wishes(per_week=4), at=NOW)
    assert chosen(page_of(portal), "per_week") == "4 at most"
    wish(portal, per_week="4", no_tracking="on")
    assert preferences.wishes_of(aino.pk).per_week == 4


def test_the_log_in_is_asked_for(client: Client) -> None:
    for path in ("/messages/wishes/", "/messages/devices/", "/messages/devices/1/remove/"):
        assert client.post(path)["Location"].startswith("/account/login/")
    assert client.get("/messages/devices/").status_code == 405
    assert not MessagePreference.objects.exists()


def test_a_link_in_a_message_leads_to_the_page(client: Client, portal: Client) -> None:
    assert client.get("/messages/wishes/")["Location"] == "/account/login/?next=/messages/wishes/"
    assert portal.get("/messages/wishes/")["Location"] == CONSENTS


def test_forms_are_guarded_against_other_sites(aino: Member) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(aino.user, backend="django.contrib.auth.backends.ModelBackend")  # type: ignore[arg-type]
    assert strict.post("/messages/wishes/", {"per_week": "1"}).status_code == 403
    assert add(strict).status_code == 403
    assert not MessagePreference.objects.exists()
    assert not PushSubscription.objects.exists()


# --- Devices ----------------------------------------------------------------------------------------------------------


def add(portal: Client, endpoint: Any = "https://push.example/1", keys: Any = KEYS, **headers: str) -> Any:
    body = {"endpoint": endpoint, "expirationTime": None, "keys": keys}
    return portal.post(
        "/messages/devices/", json.dumps(body), content_type="application/json", headers=headers or None
    )


FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"


def test_a_browser_is_added_and_shown(portal: Client, aino: Member, settings: Settings) -> None:
    page = page_of(portal)
    assert f'data-push-key="{public_key(settings.VAPID_PRIVATE_KEY)}"' in page
    assert settings.VAPID_PRIVATE_KEY not in page
    assert add(portal, **{"User-Agent": FIREFOX}).status_code == 201
    row = PushSubscription.objects.get()
    assert (row.member, row.endpoint, row.device) == (aino, "https://push.example/1", "Firefox, Android")
    assert (row.p256dh, row.auth, row.created_at) == (KEYS["p256dh"], KEYS["auth"], NOW)
    page = page_of(portal)
    assert "Firefox, Android" in page
    assert "push.example" not in page


def test_the_same_browser_is_added_once_and_comes_back(portal: Client) -> None:
    add(portal)
    PushSubscription.objects.update(gone_at=NOW)
    add(portal)
    assert PushSubscription.objects.get().gone_at is None


def test_a_browser_goes_with_whoever_uses_it_now(portal: Client, aino: Member) -> None:
    add(portal)
    eino = portal_member("eino@example.com")
    add(portal_client(eino))
    assert PushSubscription.objects.get().member == eino
    assert preferences.devices_of(aino.pk) == []


def test_the_oldest_of_too_many_gives_way(portal: Client, aino: Member) -> None:
    for number in range(MOST_DEVICES + 2):
        with time_machine.travel(NOW + number * DAY / 24, tick=False):
            add(portal, f"https://push.example/{number}")
    kept = {each.endpoint for each in preferences.devices_of(aino.pk)}
    assert kept == {f"https://push.example/{number}" for number in range(2, MOST_DEVICES + 2)}


def test_a_device_is_removed_by_its_member_alone(portal: Client) -> None:
    add(portal)
    row = PushSubscription.objects.get()
    other = portal_client(portal_member("eino@example.com"))
    assert other.post(f"/messages/devices/{row.pk}/remove/").status_code == 404
    assert PushSubscription.objects.exists()
    assert portal.post(f"/messages/devices/{row.pk}/remove/")["Location"] == CONSENTS
    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize(
    ("endpoint", "keys"),
    [
        ("javascript:alert(1)", KEYS),
        ("https://push example/", KEYS),
        ("https://" + "x" * 1000, KEYS),
        (None, KEYS),
        (["https://push.example"], KEYS),
        ("https://push.example", None),
        ("https://push.example", {}),
        ("https://push.example", KEYS | {"auth": "AAAA"}),
        ("https://push.example", KEYS | {"p256dh": KEYS["auth"]}),
        ("https://push.example", KEYS | {"p256dh": 7}),
        ("https://push.example", KEYS | {"p256dh": "ä" * 87}),
    ],
)
def test_what_no_browser_says_is_refused(portal: Client, endpoint: Any, keys: Any) -> None:
    assert add(portal, endpoint, keys).status_code == 400
    assert not PushSubscription.objects.exists()


def test_outside_the_demo_only_https_is_taken(portal: Client, settings: Settings) -> None:
    settings.DEMO = False
    assert add(portal, "http://push.example/1").status_code == 400
    assert add(portal).status_code == 201


def test_without_a_key_nothing_is_offered(portal: Client, settings: Settings) -> None:
    settings.VAPID_PRIVATE_KEY = ""
    assert "Notifications on your devices" not in page_of(portal)
    assert add(portal).status_code == 400


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Android"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari, iPhone",
        ),
        ("curl/8", "a browser"),
        ("", "a browser"),
    ],
)
def test_devices_are_called_by_names_that_people_know(agent: str, name: str) -> None:
    assert device_name(agent) == name


def test_the_page_costs_the_same_for_one_device_and_for_ten(portal: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(portal)
        return len(captured)

    add(portal)
    page_of(portal)
    one = cost()
    for number in range(2, 10):
        add(portal, f"https://push.example/{number}")
    page_of(portal)
    assert cost() == one


def test_the_service_worker_shows_notifications(client: Client) -> None:
    worker = client.get("/service-worker.js").content.decode()
    assert 'addEventListener("push"' in worker
    assert 'addEventListener("notificationclick"' in worker


# --- Leaving ----------------------------------------------------------------------------------------------------------


def test_wishes_and_devices_are_in_the_members_copy_without_keys(portal: Client, aino: Member) -> None:
    add(portal, **{"User-Agent": FIREFOX})
    wish(portal, per_week="1")
    copy = copies_of(aino)["message_wishes"]
    assert copy == {
        "preferred_channel": "",
        "per_week": 1,
        "paused_until": None,
        "no_tracking": False,
        "devices": [{"device": "Firefox, Android", "created_at": NOW}],
    }


def test_who_leaves_leaves_no_wishes_and_no_devices(portal: Client, aino: Member) -> None:
    add(portal)
    wish(portal, per_week="1")
    erase(member_id=aino.pk, source="portal", at=NOW)
    assert not PushSubscription.objects.exists()
    assert not MessagePreference.objects.exists()
