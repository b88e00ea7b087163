"""The page with the member's own link."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from loyalty import clock
from members.models import Member
from referrals import attribution, codes
from referrals.models import ReferralCode
from tests.factories.members import member
from tests.factories.portal import portal_client, portal_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def aino() -> Member:
    return portal_member()


@pytest.fixture
def portal(aino: Member) -> Client:
    return portal_client(aino)


def test_the_link_the_code_and_its_picture_are_shown(portal: Client, aino: Member) -> None:
    page = portal.get("/invite/").content.decode()
    code = codes.code_of(aino, clock.now())
    assert f">http://localhost:8000/i/{code}/</p>" in page
    assert f"<strong>{code}</strong>" in page
    assert '<svg class="qr" role="img" aria-label="A picture of your link' in page
    assert "Nobody yet" in page
    portal.get("/invite/")
    assert ReferralCode.objects.count() == 1


def test_without_a_public_address_the_link_is_the_one_the_member_used(
    portal: Client, settings: object
) -> None:
    settings.PUBLIC_URL = ""  # type: ignore[attr-defined]
    assert ">http://testserver/i/" in portal.get("/invite/").content.decode()


def test_how_many_joined_is_told_and_not_who(portal: Client, aino: Member) -> None:
    for name in ("Eino", "Helmi"):
        friend = member(first_name=name)
        attribution.attribute(friend=friend, code=codes.code_of(aino, clock.now()), at=clock.now())
    page = portal.get("/invite/").content.decode()
    assert "2 friends have joined with your invitation." in page
    assert "Eino" not in page


def test_the_page_is_found_from_home_and_profile(portal: Client) -> None:
    for path in ("/", "/profile/"):
        assert '<a href="/invite/">' in portal.get(path).content.decode()


def test_the_log_in_is_asked_for(client: Client) -> None:
    assert client.get("/invite/")["Location"] == "/account/login/?next=/invite/"


def test_the_cost_is_the_same_for_one_friend_and_for_many(portal: Client, aino: Member) -> None:
    def cost() -> int:
        friend = member()
        attribution.attribute(friend=friend, code=codes.code_of(aino, clock.now()), at=clock.now())
        with CaptureQueriesContext(connection) as captured:
            portal.get("/invite/")
        return len(captured)

    assert len({cost() for _number in range(4)}) == 1
