"""The portal's page for giving points."""

import re
import uuid

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils import translation

from members.models import Member
from rewards.gifts import set_preference
from rewards.models import Gift
from rewards.queries import balance_of
from tests.factories.portal import NOW, portal_client, portal_member, purchases

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> object:
    cache.clear()
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    who = portal_member()
    purchases(who, "100")
    return who


@pytest.fixture
def eino() -> Member:
    return portal_member("eino@example.com", first_name="Eino", last_name="Virtanen")


@pytest.fixture
def portal(aino: Member) -> Client:
    return portal_client(aino)


def send(portal: Client, receiver: str, points: object, **more: str) -> str:
    data = {"receiver": receiver, "points": points, "token": str(uuid.uuid4())} | more
    response = portal.post("/points/give/", data, follow=True)
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_first_a_look_then_the_gift(portal: Client, aino: Member, eino: Member) -> None:
    looked = send(portal, eino.card_number, 40)
    assert "40 points to E. V." in looked
    assert not Gift.objects.exists()
    given = send(portal, eino.card_number, 40, confirm="1")
    assert "You gave 40 points." in given
    assert [balance_of(who, NOW).available for who in (aino, eino)] == [60, 40]


def test_the_same_form_sent_twice_gives_once(portal: Client, aino: Member, eino: Member) -> None:
    token = str(uuid.uuid4())
    for _ in range(2):
        send(portal, eino.card_number, 40, confirm="1", token=token)
    assert balance_of(eino, NOW).available == 40


def test_an_unknown_address_and_one_that_declines_get_the_same_answer(portal: Client, eino: Member) -> None:
    def answer(receiver: str) -> str:
        cache.clear()
        text = send(portal, receiver, 40, token="019c0000-0000-7000-8000-000000000000")
        return re.sub(re.escape(receiver), "", text)

    unknown = answer("nobody@example.com")
    assert "Nobody can be given points by this." in unknown
    assert answer("eino@example.com") == unknown
    set_preference(member_id=eino.pk, by_card=False, by_email=True)
    assert "Nobody can be given points by this." in answer(eino.card_number)
    assert "E. V." in answer("eino@example.com")


def test_tries_are_limited(portal: Client, eino: Member) -> None:
    for number in range(20):
        send(portal, f"nobody{number}@example.com", 40)
    assert "You have tried many times." in send(portal, eino.card_number, 40)


@pytest.mark.parametrize("points", ["0", "-5", "1.5", "NaN", "9223372036854775808", "", "5", "101"])
def test_what_cannot_be_given_is_refused_and_nothing_is_written(
    portal: Client, eino: Member, points: str
) -> None:
    send(portal, eino.card_number, points, confirm="1")
    assert not Gift.objects.exists()
    assert balance_of(eino, NOW).available == 0


def test_who_may_give_is_saved(portal: Client, aino: Member) -> None:
    portal.post("/points/give/preference/", {"by_email": "on"})
    aino.gift_preference.refresh_from_db()
    assert (aino.gift_preference.by_card, aino.gift_preference.by_email) == (False, True)
