"""The page that friends see who follow a link: what it tells, what it remembers, and how it goes on to joining."""

import datetime as dt
import re
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import translation

from loyalty import clock
from loyalty.events import dispatch
from members.models import Member
from members.models.signup import SignUp
from referrals import codes, visits
from referrals.models import Referral, ReferralCode, ReferralProgramme, Visit
from tests.factories.portal import PASSWORD, portal_client, portal_member
from tests.factories.referrals import programme

pytestmark = pytest.mark.django_db

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
FORM = {"first_name": "Eino", "email": "eino@example.com", "password1": PASSWORD, "language": "en"}


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    cache.clear()
    ReferralProgramme.objects.update(status=ReferralProgramme.Status.PAUSED)
    with translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return portal_member()


@pytest.fixture
def code(aino: Member) -> str:
    return codes.code_of(aino, clock.now())


@pytest.fixture
def friend() -> Client:
    return Client(headers={"accept-language": "en", "user-agent": PHONE})


def join(browser: Client, **fields: str) -> Member:
    """Send the sign-up form and verify the address."""
    browser.post("/account/signup/", {**FORM, **fields})
    confirmation = re.search(r"http://testserver(/account/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert confirmation
    browser.post(confirmation[1])
    dispatch.drain(seconds=5)
    return Member.objects.get(email="eino@example.com")


def field(page: str) -> str:
    """What the sign-up form's field for a code holds."""
    found = re.search(r'<input[^>]*name="friend_code"[^>]*>', page)
    assert found
    value = re.search(r'value="([^"]*)"', found[0])
    return value[1] if value else ""


# --- What it tells ------------------------------------------------------------------------------------------------


def test_the_gift_is_shown_and_nothing_of_who_sent_it(friend: Client, code: str) -> None:
    programme(friend_points=200)
    page = friend.get(f"/i/{code}/").content.decode()
    assert "A friend invites you to" in page
    assert "Join, and 200 points wait for you." in page
    assert f'href="/account/signup/?ref={code}"' in page
    assert not any(each in page for each in ("Aino", "Virtanen", "aino@example.com"))


def test_the_first_name_is_told_when_the_member_allows_it(friend: Client, code: str) -> None:
    ReferralCode.objects.update(shows_name=True)
    page = friend.get(f"/i/{code}/").content.decode()
    assert "Aino invites you to" in page
    assert "Virtanen" not in page


@pytest.mark.parametrize("text", ["NOSUCH22", "%22%3E%3Cscript%3E", "%00", "A" * 400, "ä"])
def test_an_unknown_code_gets_a_friendly_page_and_no_cookie(friend: Client, text: str) -> None:
    answer = friend.get(f"/i/{text}/")
    assert answer.status_code == 404
    assert "We do not know this invitation" in answer.content.decode()
    assert 'href="/account/signup/"' in answer.content.decode()
    assert visits.COOKIE not in answer.cookies
    assert not Visit.objects.exists()


def test_a_code_is_known_in_any_writing_and_after_it_was_given_up(
    friend: Client, aino: Member, code: str
) -> None:
    codes.choose_own_code(member=aino, code="AINOKAHVI", at=clock.now())
    for text in (code.lower(), f"{code[:4]}-{code[4:]}", "ainokahvi"):
        assert friend.get(f"/i/{text}/").status_code == 200


def test_the_member_sees_their_own_page_as_friends_do_and_is_not_counted(aino: Member, code: str) -> None:
    page = portal_client(aino).get(f"/i/{code}/", headers={"user-agent": PHONE}).content.decode()
    assert "This is your own invitation" in page
    assert not Visit.objects.exists()


# --- What it remembers --------------------------------------------------------------------------------------------


def test_a_visit_keeps_the_code_and_the_utm_parameters(friend: Client, code: str) -> None:
    long = "x" * 300
    friend.get(f"/i/{code}/?utm_source=chat&utm_campaign={long}&utm_medium=%00&other=1")
    visit = Visit.objects.get()
    assert (visit.code, visit.channel, visit.landing) == (code, "referral", f"/i/{code}/")
    assert visit.utm == {"source": "chat", "campaign": "x" * visits.LONGEST_UTM}


def test_the_same_link_again_within_the_hour_is_one_visit_and_other_links_are_further_ones(
    friend: Client, code: str
) -> None:
    other = codes.code_of(portal_member("helmi@example.com"), clock.now())
    for each in (code, code, other):
        friend.get(f"/i/{each}/")
    assert list(Visit.objects.order_by("pk").values_list("code", flat=True)) == [code, other]
    visitor = Visit.objects.values_list("visitor", flat=True).distinct().get()
    touches = visits.touches_of(visitor, at=clock.now())
    assert touches is not None
    assert (touches.first.code, touches.last.code) == (code, other)


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "WhatsApp/2.23.20.0 A"},
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"user-agent": ""},
        {"user-agent": PHONE, "sec-purpose": "prefetch;prerender"},
        {"user-agent": PHONE, "purpose": "prefetch"},
        {"user-agent": PHONE, "x-moz": "prefetch"},
    ],
)
def test_robots_previews_and_loading_ahead_are_not_visits(code: str, headers: dict[str, str]) -> None:
    answer = Client().get(f"/i/{code}/", headers=headers)
    assert answer.status_code == 200
    assert visits.COOKIE not in answer.cookies
    assert not Visit.objects.exists()


def test_a_cookie_that_somebody_made_up_is_not_believed(friend: Client, code: str) -> None:
    friend.get(f"/i/{code}/")
    known = Visit.objects.get()
    forger = Client(headers={"user-agent": PHONE})
    forger.cookies[visits.COOKIE] = str(known.visitor)
    forger.get(f"/i/{code}/")
    assert Visit.objects.values("visitor").distinct().count() == 2


def test_the_cookie_is_closed_to_scripts_and_other_sites(friend: Client, code: str) -> None:
    cookie = friend.get(f"/i/{code}/").cookies[visits.COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert dt.timedelta(seconds=cookie["max-age"]) == visits.KEPT


# --- On to joining ------------------------------------------------------------------------------------------------


def test_the_cookie_keeps_the_invitation_through_to_joining(friend: Client, aino: Member, code: str) -> None:
    programme()
    friend.get(f"/i/{code}/")
    assert field(friend.get("/account/signup/").content.decode()) == code
    member = join(friend, friend_code=code)
    referral = Referral.objects.get()
    assert (referral.referrer_id, referral.friend_id) == (aino.pk, member.pk)
    assert referral.clicked_at == Visit.objects.get().at


def test_where_the_first_touch_counts_the_first_member_is_credited(
    friend: Client, aino: Member, code: str
) -> None:
    programme(touch="first")
    other = codes.code_of(portal_member("helmi@example.com"), clock.now())
    friend.get(f"/i/{code}/")
    friend.get(f"/i/{other}/")
    assert field(friend.get("/account/signup/").content.decode()) == other
    join(friend, friend_code=other)
    assert Referral.objects.get().referrer_id == aino.pk


def test_without_cookies_the_link_carries_the_code(aino: Member, code: str) -> None:
    browser = Client(headers={"accept-language": "en"})
    assert field(browser.get(f"/account/signup/?ref={code}").content.decode()) == code
    join(browser, friend_code=code)
    assert Referral.objects.get().referrer_id == aino.pk


def test_a_code_is_typed_as_one_hears_it(friend: Client, aino: Member, code: str) -> None:
    join(friend, friend_code=f" {code[:4].lower()} {code[4:].lower()} ")
    assert Referral.objects.get().referrer_id == aino.pk


def test_a_typed_code_that_nobody_has_is_said_once_and_keeps_nobody_from_joining(friend: Client) -> None:
    page = friend.post("/account/signup/", {**FORM, "friend_code": "NOSUCH22"}).content.decode()
    assert "We do not know this code." in page
    assert not SignUp.objects.exists()
    asked = re.search(r'name="code_asked" value="([^"]*)"', page)
    assert asked
    join(friend, friend_code="NOSUCH22", code_asked=asked[1])
    assert not Referral.objects.exists()


def test_another_unknown_code_after_that_is_said_too(friend: Client) -> None:
    answer = friend.post("/account/signup/", {**FORM, "friend_code": "OTHER222", "code_asked": "NOSUCH22"})
    assert "We do not know this code." in answer.content.decode()


def test_who_takes_the_code_out_is_nobodys_friend(friend: Client, code: str) -> None:
    friend.get(f"/i/{code}/")
    join(friend, friend_code="", ref=code)
    assert not Referral.objects.exists()


def test_a_bad_code_in_an_old_link_is_not_put_into_the_field(friend: Client) -> None:
    assert field(friend.get("/account/signup/?ref=NOSUCH22").content.decode()) == ""
