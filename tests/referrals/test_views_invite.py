"""The member's own page about invitations: the gift, the code, milestones, friends and what they wait for."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import translation

from loyalty import clock
from members.models import Member
from referrals import codes, states
from referrals.fraud import review
from referrals.models import Referral, ReferralCode, ReferralProgramme
from tests.factories.portal import portal_client, portal_member
from tests.factories.referrals import BEFORE, brought, buys, programme, settle

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    ReferralProgramme.objects.update(status=ReferralProgramme.Status.PAUSED)
    with translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return portal_member()


@pytest.fixture
def portal(aino: Member) -> Client:
    return portal_client(aino)


def rejected(referral: Referral) -> Referral:
    staff = get_user_model().objects.create_user("staff@example.com", "kahvikuppi-2026", is_staff=True)
    settle(referral, at=BEFORE)
    held = states.lock([referral.pk])[0]
    states.move(held, states.State.HELD, at=clock.now())
    review.reject(referral_id=referral.pk, staff_id=staff.pk, at=clock.now(), note="One person twice.")
    referral.refresh_from_db()
    return referral


def test_the_gift_of_both_sides_and_what_it_takes_are_said_in_words(portal: Client) -> None:
    programme(referrer_points=500, friend_points=200, minimum_purchase=20, within_days=60, waiting_days=14)
    page = portal.get("/invite/").content.decode()
    assert "<dt>Your friend</dt><dd>200 points</dd>" in page
    assert "<dt>You</dt><dd>500 points</dd>" in page
    assert "a first purchase of at least 20.00\N{NO-BREAK SPACE}€ within 60 days of joining" in page
    assert "14 days later, when a return is no longer likely" in page


def test_without_a_programme_no_gift_is_promised(portal: Client) -> None:
    page = portal.get("/invite/").content.decode()
    assert "What you both get" not in page
    assert "we know that you sent them" in page


def test_the_ready_text_is_the_programmes_in_the_members_language(portal: Client, aino: Member) -> None:
    programme(
        friend_points=200, share_texts={"fi": "Tule mukaan: {gift}, {link}", "en": "Come: {gift}, {link}"}
    )
    Member.objects.filter(pk=aino.pk).update(language="fi")
    code = codes.code_of(aino, clock.now())
    page = portal.get("/invite/").content.decode()
    assert f'data-share="Tule mukaan: 200 pistettä, http://localhost:8000/i/{code}/"' in page


def test_a_code_of_ones_own_is_taken_and_the_page_shows_it(portal: Client, aino: Member) -> None:
    answer = portal.post("/invite/code/", {"code": "aino kahvi"}, follow=True)
    page = answer.content.decode()
    assert "Your code is now AINOKAHVI." in page
    assert "/i/AINOKAHVI/</p>" in page
    assert ReferralCode.objects.get(member=aino).is_chosen


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "This field is required."),
        ("ab", "A code has from 4 to 16 characters."),
        ("kahvi!", "Use the letters A to Z and figures only."),
    ],
)
def test_a_code_that_cannot_be_is_refused_with_how_to_mend_it(portal: Client, code: str, said: str) -> None:
    answer = portal.post("/invite/code/", {"code": code})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert f'value="{code}"' in page or not code


def test_the_first_name_is_shown_only_after_the_member_says_so(portal: Client, aino: Member) -> None:
    assert not ReferralCode.objects.filter(shows_name=True).exists()
    portal.post("/invite/name/", {"shows_name": "on"})
    assert ReferralCode.objects.get(member=aino).shows_name
    portal.post("/invite/name/", {})
    assert not ReferralCode.objects.get(member=aino).shows_name


def test_milestones_show_how_far_it_is(portal: Client, aino: Member) -> None:
    programme(milestones=[{"friends": 3, "points": 500, "voucher": None}])
    referral = brought(aino)
    buys(referral)
    settle(referral)
    page = portal.get("/invite/").content.decode()
    assert "3 friends: 500 points" in page
    assert '<progress max="3" value="1"' in page
    assert "2 friends to go" in page


def test_each_friend_says_what_is_waited_for_and_until_when(portal: Client, aino: Member) -> None:
    programme()
    referral = brought(aino)
    assert "Still to come by" in portal.get("/invite/").content.decode()
    buys(referral)
    page = portal.get("/invite/").content.decode()
    assert "Waiting until a return is no longer likely" in page
    assert "Settled after" in page
    assert referral.friend.email not in page


def test_one_that_is_checked_is_never_a_silent_loss(portal: Client, aino: Member) -> None:
    programme()
    referral = brought(aino)
    buys(referral)
    states.move(states.lock([referral.pk])[0], states.State.HELD, at=clock.now())
    page = portal.get("/invite/").content.decode()
    assert "Being checked" in page
    assert "Nothing is lost meanwhile." in page


def test_against_a_rejection_one_appeal_is_possible(portal: Client, aino: Member) -> None:
    programme()
    referral = brought(aino)
    buys(referral)
    rejected(referral)
    path = f"/invite/friends/{referral.public_id}/appeal/"
    assert f'action="{path}"' in portal.get("/invite/").content.decode()
    empty = portal.post(path, {"text": " "})
    assert empty.status_code == 422
    answer = portal.post(path, {"text": "We live together."}, follow=True).content.decode()
    assert "We are looking at it again." in answer
    assert f'action="{path}"' not in answer
    referral.refresh_from_db()
    assert (referral.state, referral.appeal) == ("held", "We live together.")
    again = portal.post(path, {"text": "And again."})
    assert again.status_code == 422


def test_a_friend_of_somebody_else_cannot_be_appealed_for(portal: Client) -> None:
    programme()
    other = portal_member("eino@example.com", first_name="Eino")
    referral = brought(other)
    buys(referral)
    rejected(referral)
    assert portal.post(f"/invite/friends/{referral.public_id}/appeal/", {"text": "Please"}).status_code == 404
    referral.refresh_from_db()
    assert referral.appealed_at is None


@pytest.mark.parametrize("path", ["/invite/code/", "/invite/name/"])
def test_nothing_changes_by_a_link(portal: Client, path: str) -> None:
    assert portal.get(path).status_code == 405
