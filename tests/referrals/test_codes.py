"""Who brought whom: one code a member, one referrer a friend, nobody their own."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from loyalty.events.models import Event
from members.models import Member
from referrals import attribution, codes, handlers
from referrals.models import Referral, ReferralCode
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db
LATER = NOON + dt.timedelta(days=1)


def test_a_member_keeps_one_readable_code() -> None:
    aino = member()
    code = codes.code_of(aino, NOON)
    assert codes.code_of(aino, LATER) == code
    assert len(code) == codes.LENGTH
    assert set(code) <= set(codes.ALPHABET)
    assert not set("0O1IL") & set(codes.ALPHABET)
    assert ReferralCode.objects.get().created_at == NOON


def test_a_drawn_code_that_is_taken_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter("A" * 8 + "A" * 8 + "B" * 8)
    monkeypatch.setattr(codes.secrets, "choice", lambda _letters: next(drawn))
    assert codes.code_of(member(), NOON) == "AAAAAAAA"
    assert codes.code_of(member(), NOON) == "BBBBBBBB"


def test_a_friend_is_attributed_once_by_a_code_typed_in_any_way() -> None:
    aino, friend = member(), member()
    code = codes.code_of(aino, NOON)
    typed = f" {code[:4].lower()}-{code[4:]} "
    referral = attribution.attribute(friend=friend, code=typed, at=NOON)
    assert (referral.referrer, referral.friend, referral.joined_at) == (aino, friend, NOON)
    assert attribution.attribute(friend=friend, code=code, at=LATER) == referral
    assert Referral.objects.count() == 1


@pytest.mark.parametrize("code", ["", "NOSUCH22", "0" * 500, "A\x00B", "' OR 1=1"])
def test_an_unknown_code_is_refused(code: str) -> None:
    with pytest.raises(attribution.UnknownCode):
        attribution.attribute(friend=member(), code=code, at=NOON)
    assert not Referral.objects.exists()


def test_nobody_brings_themselves() -> None:
    aino = member()
    with pytest.raises(attribution.SelfReferral):
        attribution.attribute(friend=aino, code=codes.code_of(aino, NOON), at=NOON)
    assert not Referral.objects.exists()


def test_a_second_referrer_is_refused() -> None:
    first, second, friend = member(), member(), member()
    attribution.attribute(friend=friend, code=codes.code_of(first, NOON), at=NOON)
    with pytest.raises(attribution.AlreadyReferred):
        attribution.attribute(friend=friend, code=codes.code_of(second, NOON), at=NOON)
    assert Referral.objects.get().referrer == first


def test_members_who_bring_each_other_are_let_in_for_staff_to_see() -> None:
    first, second, third = member(), member(), member()
    attribution.attribute(friend=second, code=codes.code_of(first, NOON), at=NOON)
    attribution.attribute(friend=third, code=codes.code_of(second, NOON), at=NOON)
    attribution.attribute(friend=first, code=codes.code_of(third, NOON), at=NOON)
    assert Referral.objects.count() == 3


@pytest.mark.parametrize("status", ["closed", "erased"])
def test_the_code_of_somebody_who_left_is_unknown(status: str) -> None:
    aino = member()
    code = codes.code_of(aino, NOON)
    Member.objects.filter(pk=aino.pk).update(status=status)
    with pytest.raises(attribution.UnknownCode):
        attribution.attribute(friend=member(), code=code, at=NOON)


def enrolled(who: Member, **facts: str) -> Event:
    return Event(name="member.enrolled", member_id=who.pk, facts=facts, occurred_at=NOON)


def test_an_enrolment_with_a_code_is_attributed_however_often_it_is_told() -> None:
    aino, friend, other, own = member(), member(), member(), member()
    code = codes.code_of(aino, NOON)
    events = [
        enrolled(friend, referral_code=code),
        enrolled(other),
        enrolled(own, referral_code=codes.code_of(own, NOON)),
        enrolled(Member(pk=10**9), referral_code=code),
    ]
    for _ in range(2):
        handlers.attribute_new_members(events)
    assert list(Referral.objects.values_list("referrer", "friend")) == [(aino.pk, friend.pk)]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_codes_at_once_let_one_referrer_through() -> None:
    friend = member()
    texts = [codes.code_of(member(), NOON) for _ in range(4)]

    def attribute(code: str) -> bool:
        try:
            attribution.attribute(friend=friend, code=code, at=NOON)
        except attribution.AlreadyReferred:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attribute, texts)) == [False, False, False, True]
    assert Referral.objects.count() == 1
