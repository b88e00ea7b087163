"""A code of a member's own choice: within limits, nobody else's, and once in a while."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import translation

from members.models import Member
from referrals import codes
from referrals.codes import CodeRefused, choose_own_code, look_of, owners_of
from referrals.models import FormerCode, ReferralCode
from rewards.models import ForbiddenWord
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db
LATER = NOON + codes.CHANGE_AFTER


def refusal(who: Member, code: str, at: dt.datetime = NOON) -> str:
    codes.code_of(who, NOON)
    before = list(ReferralCode.objects.order_by("pk").values()), list(FormerCode.objects.values())
    with translation.override("en"), pytest.raises(CodeRefused) as refused:
        choose_own_code(member=who, code=code, at=at)
    assert (list(ReferralCode.objects.order_by("pk").values()), list(FormerCode.objects.values())) == before
    assert str(refused.value)
    return refused.value.code


def test_a_member_chooses_their_code_and_the_old_one_stays_theirs() -> None:
    aino = member()
    drawn = codes.code_of(aino, NOON)
    assert choose_own_code(member=aino, code=" aino-2026 ", at=NOON) == "AINO2026"
    kept = ReferralCode.objects.get()
    assert (kept.code, kept.is_chosen, kept.changed_at) == ("AINO2026", True, NOON)
    assert owners_of(["AINO2026", drawn, "X"]) == {"AINO2026": aino.pk, drawn: aino.pk}
    assert choose_own_code(member=aino, code="AINO2026", at=NOON) == "AINO2026"


def test_who_never_had_a_code_can_choose_one() -> None:
    aino = member()
    assert choose_own_code(member=aino, code="AINO", at=NOON) == codes.code_of(aino, NOON) == "AINO"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AIN", "length"),
        ("A" * 17, "length"),
        ("ÄINÖ", "characters"),
        ("AINO!", "characters"),
        ("AI\x00NO", "characters"),
        ("12345", "no-letters"),
        ("A0401234567", "digits"),
        ("XDARNX1", "forbidden"),
    ],
)
def test_a_code_that_cannot_be_is_refused(code: str, why: str) -> None:
    ForbiddenWord.objects.create(word="darn", anywhere=True)
    assert refusal(member(), code) == why


@pytest.mark.parametrize("other", ["MOLLE10", "M0LLE1O", "M0IIEIO"])
def test_a_code_like_anothers_is_taken_now_and_after_they_gave_it_up(other: str) -> None:
    aino, eino = member(), member()
    choose_own_code(member=aino, code="MOLLE10", at=NOON)
    assert refusal(eino, other) == "taken"
    choose_own_code(member=aino, code="TUISKU", at=LATER)
    assert refusal(eino, other) == "taken"
    assert choose_own_code(member=aino, code="MOLLE10", at=LATER + codes.CHANGE_AFTER) == "MOLLE10"
    assert set(FormerCode.objects.values_list("member", "code")) >= {(aino.pk, "TUISKU")}
    assert not FormerCode.objects.filter(code="MOLLE10").exists()


def test_a_code_is_changed_once_in_thirty_days() -> None:
    aino = member()
    choose_own_code(member=aino, code="AINO1", at=NOON)
    assert refusal(aino, "AINO2", at=LATER - dt.timedelta(seconds=1)) == "too-soon"
    assert choose_own_code(member=aino, code="AINO2", at=LATER) == "AINO2"


def test_a_drawn_code_looks_like_itself_only() -> None:
    assert look_of(codes.ALPHABET) == codes.ALPHABET


def test_the_codes_of_who_left_bring_nobody_and_are_gone() -> None:
    aino = member()
    choose_own_code(member=aino, code="AINO1", at=NOON)
    codes.forget(aino.pk)
    assert owners_of(["AINO1"]) == {}
    assert not FormerCode.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_members_who_choose_alike_at_once_one_gets_it() -> None:
    members = [member() for _number in range(6)]

    def choose(number: int) -> str:
        try:
            return choose_own_code(
                member=members[number], code=("HELLO", "HE11O", "HEII0")[number % 3], at=NOON
            )
        except CodeRefused as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(choose, range(6)))
    assert answers.count("taken") == 5
