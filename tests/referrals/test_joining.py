"""A friend joins by a member's link, as a browser does it."""

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from loyalty import clock
from loyalty.events import dispatch
from members.models import Member
from referrals import codes
from referrals.models import Referral
from tests.factories.members import member
from tests.factories.portal import PASSWORD

pytestmark = pytest.mark.django_db


def join_by(link: str) -> Member:
    """Open the link, fill in the form that it shows, and verify the address."""
    cache.clear()
    visitor = Client(headers={"accept-language": "en"})
    hidden = re.search(r'name="ref" value="([^"]*)"', visitor.get(link).content.decode())
    assert hidden
    form = {"first_name": "Eino", "email": "eino@example.com", "password1": PASSWORD, "language": "en"}
    visitor.post("/account/signup/", {**form, "ref": hidden[1]})
    confirmation = re.search(r"http://testserver(/account/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert confirmation
    visitor.post(confirmation[1])
    dispatch.drain(seconds=5)
    return Member.objects.get(email="eino@example.com")


def test_a_friend_who_came_by_a_link_is_attributed() -> None:
    aino = member()
    friend = join_by(f"/account/signup/?ref={codes.code_of(aino, clock.now())}")
    assert list(Referral.objects.values_list("referrer", "friend")) == [(aino.pk, friend.pk)]


@pytest.mark.parametrize(
    "query", ["", "?ref=NOSUCH22", "?ref=%22%3E%3Cscript%3E", "?ref=" + "A" * 500, "?ref=%00"]
)
def test_a_link_with_no_or_a_bad_code_still_lets_people_join(query: str) -> None:
    join_by(f"/account/signup/{query}")
    assert not Referral.objects.exists()
