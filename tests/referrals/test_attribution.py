"""Who brought a friend: by codes, former codes, links followed before, and codes given at a till."""

import datetime as dt
import uuid
from typing import Any

import pytest
import time_machine

from loyalty.events import dispatch
from loyalty.events.models import Event, EventFailure
from members.models import Activity, Member
from referrals import attribution, codes, handlers
from referrals.models import Referral, ReferralStep, Visit
from tests.factories.loyalty import partner_client
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY, programme
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db


def visited(who: Member, visitor: uuid.UUID, *, days_ago: int) -> None:
    Visit.objects.create(
        visitor=visitor, channel="referral", code=codes.code_of(who, NOON), at=NOON - days_ago * DAY
    )


def by_visitor(visitor: uuid.UUID, **facts: Any) -> Referral:
    return attribution.attribute(friend=member(), visitor=visitor, at=NOON, **facts)


def test_a_friend_keeps_the_terms_of_the_day_they_joined() -> None:
    terms = programme(within_days=30)
    aino, friend = member(), member()
    referral = attribution.attribute(friend=friend, code=codes.code_of(aino, NOON), at=NOON)
    assert (referral.referrer, referral.terms, referral.state) == (aino, terms, "joined")
    assert referral.lapses_at == NOON + 30 * DAY
    step = ReferralStep.objects.get()
    assert (step.state, step.at) == ("joined", NOON)
    told = Event.objects.get(name="referral.joined")
    assert (told.member_id, told.facts["friend"]) == (aino.pk, str(friend.public_id))


def test_a_code_that_was_given_up_goes_on_counting() -> None:
    aino = member()
    former = codes.code_of(aino, NOON)
    codes.choose_own_code(member=aino, code="aino-v", at=NOON)
    for code in (former, "AINOV", "aino-v"):
        assert attribution.attribute(friend=member(), code=code, at=NOON).referrer == aino


@pytest.mark.parametrize(("touch", "expected"), [("first", 0), ("last", 1)])
def test_of_several_links_the_first_or_the_last_counts_as_the_terms_say(touch: str, expected: int) -> None:
    programme(touch=touch, attribution_days=30, at=NOON - 60 * DAY)
    visitor, owners = uuid.uuid4(), [member(), member()]
    visited(member(), visitor, days_ago=31)
    visited(owners[0], visitor, days_ago=30)
    visited(owners[1], visitor, days_ago=1)
    referral = by_visitor(visitor, code=codes.code_of(owners[1], NOON))
    assert referral.referrer == owners[expected]
    assert referral.clicked_at == NOON - (30, 1)[expected] * DAY


def test_a_code_given_by_hand_counts_before_links() -> None:
    programme()
    visitor, owner, other = uuid.uuid4(), member(), member()
    visited(owner, visitor, days_ago=1)
    assert by_visitor(visitor, code=codes.code_of(other, NOON)).referrer == other


def test_links_followed_too_long_ago_or_of_their_own_count_for_nobody() -> None:
    programme(attribution_days=7)
    visitor, friend = uuid.uuid4(), member()
    visited(member(), visitor, days_ago=8)
    with pytest.raises(attribution.WindowOver):
        by_visitor(visitor)
    own = uuid.uuid4()
    visited(friend, own, days_ago=1)
    with pytest.raises(attribution.SelfReferral):
        attribution.attribute(friend=friend, visitor=own, at=NOON)
    with pytest.raises(attribution.UnknownCode):
        by_visitor(uuid.uuid4())
    assert not Referral.objects.exists()


def test_a_visit_after_joining_is_not_what_brought_them() -> None:
    visitor = uuid.uuid4()
    visited(member(), visitor, days_ago=-1)
    with pytest.raises(attribution.UnknownCode):
        by_visitor(visitor)


def test_a_new_member_is_attributed_by_the_browser_they_came_with() -> None:
    programme()
    visitor, aino, friend = uuid.uuid4(), member(), member()
    visited(aino, visitor, days_ago=2)
    told = [
        Event(name="member.enrolled", member_id=friend.pk, facts={"visitor": text}, occurred_at=NOON)
        for text in ("no number", str(visitor))
    ]
    for _again in range(2):
        handlers.attribute_new_members(told)
    assert Referral.objects.get().referrer == aino


# --- At the till --------------------------------------------------------------------------------------------------


def at_till(friend: Member, code: str, **facts: Any) -> Activity:
    outcome = purchase(friend, total=30, referral_code=code, **facts)
    with time_machine.travel(NOON + DAY, tick=False):
        dispatch.drain(seconds=5)
    assert not EventFailure.objects.exists()
    return Activity.objects.get(public_id=outcome.activity_id)


def test_a_code_with_the_first_purchase_attributes_and_qualifies_at_once() -> None:
    programme()
    aino, friend = member(), member(at=NOON - 50 * DAY)
    activity = at_till(friend, codes.code_of(aino, NOON).lower())
    referral = Referral.objects.get()
    assert (referral.referrer, referral.friend, referral.joined_at) == (aino, friend, NOON)
    assert (referral.state, referral.activity) == ("waiting", activity)


@pytest.mark.parametrize("earlier", [NOON - DAY, NOON])
def test_a_code_with_a_later_purchase_counts_for_nobody(earlier: dt.datetime) -> None:
    programme()
    aino, friend = member(), member()
    purchase(friend, at=earlier)
    at_till(friend, codes.code_of(aino, NOON))
    assert not Referral.objects.exists()


def test_a_code_at_the_till_that_is_unknown_their_own_or_second_changes_nothing() -> None:
    programme()
    aino, other, friend = member(), member(), member()
    at_till(friend, "NOSUCH22")
    own = member()
    at_till(own, codes.code_of(own, NOON))
    brought = member()
    attribution.attribute(friend=brought, code=codes.code_of(aino, NOON), at=NOON)
    at_till(brought, codes.code_of(other, NOON))
    assert Referral.objects.get().referrer == aino


def test_partners_pass_a_code_with_a_purchase_once() -> None:
    programme(at=NOON - 3000 * DAY)
    till, aino = partner_client(), member()
    friend = member(partner=till.partner, external_id="c-1")
    sent = {
        "external_id": "r-1",
        "member": {"external_id": "c-1"},
        "kind": "purchase",
        "occurred_at": "2026-06-15T12:00:00+03:00",
        "total": "30.00",
        "currency": "EUR",
        "referral_code": codes.code_of(aino, NOON),
    }
    assert [till.write("/api/v1/activities", sent).status_code for _again in range(2)] == [201, 200]
    other = sent | {"referral_code": codes.code_of(member(), NOON)}
    assert till.write("/api/v1/activities", other).status_code == 409
    told = Event.objects.get(name="activity.recorded")
    assert told.facts["referral_code"] == sent["referral_code"]
    dispatch.drain(seconds=5)
    assert list(Referral.objects.values_list("referrer", "friend")) == [(aino.pk, friend.pk)]
    plain = {name: value for name, value in sent.items() if name != "referral_code"} | {"external_id": "r-2"}
    assert till.write("/api/v1/activities", plain).status_code == 201
    assert "referral_code" not in Event.objects.filter(name="activity.recorded").latest("pk").facts


def test_a_friend_who_leaves_is_heard_of() -> None:
    from members.privacy import erase

    programme()
    friend = member()
    referral = attribution.attribute(friend=friend, code=codes.code_of(member(), NOON), at=NOON)
    erase(member_id=friend.pk, source="staff", at=NOON)
    dispatch.drain(seconds=5)
    referral.refresh_from_db()
    assert (referral.state, referral.reason) == ("lapsed", "left")
