"""Held for review, decided with a note, appealed once: each step kept, nothing lost silently."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.models import Member, User
from referrals.fraud import assess as assessing
from referrals.fraud import review
from referrals.fraud.marks import note_marks
from referrals.fraud.review import ReviewRefused
from referrals.models import Referral, ReferralStep, Signal, SignalWeight
from tests.factories.members import NOON, UserFactory, member
from tests.factories.referrals import (
    DAY,
    brought,
    buys,
    points_for_referrals,
    programme,
    returns,
    settle,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return UserFactory()


@pytest.fixture
def suspicious() -> Referral:
    """Held: the friend has the referrer's mailbox."""
    programme(minimum_purchase=20)
    referral = brought(member(email="aino@gmail.com"), friend=member(email="a.ino+2@gmail.com"))
    buys(referral, total="21.00")
    assert referral.state == "held"
    return referral


def refused(code: str, call: Any, **said: Any) -> None:
    """The call is refused for that reason, and no step was written."""
    steps = ReferralStep.objects.count()
    with pytest.raises(ReviewRefused) as refusal:
        call(**said)
    assert (refusal.value.code, ReferralStep.objects.count()) == (code, steps)


def last_step(referral: Referral) -> tuple[Any, ...]:
    step = referral.steps.last()
    assert step is not None
    return step.state, step.reason, step.note, step.staff_id


def test_staff_see_what_is_held_with_the_weightiest_reason_first(suspicious: Referral) -> None:
    with translation.override("en"):
        (waiting,) = review.queue()
    assert (waiting.referral, waiting.since, waiting.is_appeal) == (suspicious, NOON, False)
    assert waiting.reasons == [
        "The same e-mail address, written otherwise: the referrer.",
        "A purchase just over the minimum: 21.00\xa0€, where 20.00\xa0€ is enough.",
    ]
    assert review.how_many() == 1
    assert (suspicious.score, settle(suspicious)) == (115, "held")


def test_every_signal_has_words_without_anything_that_tells_who_it_is(suspicious: Referral) -> None:
    facts = {
        "velocity": {"friends": 7},
        "circle": {"people": 3},
        "chain": {"links": 5},
        "just_enough": {"paid": "20.50", "minimum": "20.00"},
        "returned": {"returned": 2, "purchases": 3},
    }
    with translation.override("en"):
        words = [
            review.wording.reason(Signal(referral=suspicious, kind=kind, weight=1, facts=facts.get(kind, {})))
            for kind in SignalWeight.objects.values_list("kind", flat=True)
        ]
    assert len(set(words)) == 11
    assert "Many friends in a short time: 7 friends within a day." in words
    assert "Earlier friends' purchases were returned: 2 of 3." in words
    assert not any("@" in text for text in words)


def test_approved_it_is_settled_and_not_held_again(suspicious: Referral, staff: User) -> None:
    review.approve(referral_id=suspicious.pk, staff_id=staff.pk, at=NOON + DAY, note="Mother and son")
    assert last_step(suspicious) == ("waiting", "", "Mother and son", staff.pk)
    assert settle(suspicious) == "rewarded"
    assert points_for_referrals(suspicious.referrer) == 100
    refused("not-held", review.approve, referral_id=suspicious.pk, staff_id=staff.pk, at=NOON)


def test_rejected_it_brings_nothing_and_needs_a_note(suspicious: Referral, staff: User) -> None:
    said = {"referral_id": suspicious.pk, "staff_id": staff.pk, "at": NOON + DAY}
    refused("note", review.reject, note="  ", **said)
    review.reject(note="One mailbox", **said)
    assert last_step(suspicious) == ("rejected", "fraud", "One mailbox", staff.pk)
    refused("not-held", review.reject, note="Again", **said)
    assert settle(suspicious) == "rejected"
    assert points_for_referrals(suspicious.referrer) == points_for_referrals(suspicious.friend) == 0


@pytest.mark.parametrize("side", ["referrer", "friend"])
def test_an_appeal_is_heard_once(suspicious: Referral, staff: User, side: str) -> None:
    who = getattr(suspicious, side)
    asked = {"referral_id": suspicious.pk, "member": who, "text": "We are two.", "at": NOON + 2 * DAY}
    refused("not-rejected", review.appeal, **asked)
    review.reject(referral_id=suspicious.pk, staff_id=staff.pk, at=NOON + DAY, note="One mailbox")
    refused("unknown", review.appeal, **asked | {"member": member()})
    refused("text", review.appeal, **asked | {"text": " "})
    refused("text", review.appeal, **asked | {"text": "x" * 1001})
    review.appeal(**asked)
    (waiting,) = review.queue()
    assert (waiting.is_appeal, waiting.since, waiting.referral.appeal) == (
        True,
        NOON + 2 * DAY,
        "We are two.",
    )
    assert last_step(suspicious) == ("held", "appeal", "", None)
    review.reject(referral_id=suspicious.pk, staff_id=staff.pk, at=NOON + 3 * DAY, note="Still one")
    refused("again", review.appeal, **asked)


def test_an_appeal_can_be_granted(suspicious: Referral, staff: User) -> None:
    review.reject(referral_id=suspicious.pk, staff_id=staff.pk, at=NOON + DAY, note="One mailbox")
    review.appeal(
        referral_id=suspicious.pk, member=suspicious.referrer, text="We are two.", at=NOON + 2 * DAY
    )
    review.approve(referral_id=suspicious.pk, staff_id=staff.pk, at=NOON + 3 * DAY)
    assert last_step(suspicious) == ("waiting", "appeal", "", staff.pk)
    assert settle(suspicious) == "rewarded"


def test_a_return_while_an_appeal_is_heard_leaves_nothing_to_reward(staff: User) -> None:
    programme()
    referral = brought(member(email="aino@gmail.com"), friend=member(email="aino+2@gmail.com"))
    bought = buys(referral)
    returns(bought, at=NOON + DAY)
    refused("not-held", review.approve, referral_id=referral.pk, staff_id=staff.pk, at=NOON + DAY)


def test_nobody_decides_about_their_own(suspicious: Referral, staff: User) -> None:
    Member.objects.filter(pk=suspicious.friend_id).update(user=staff)
    said = {"referral_id": suspicious.pk, "staff_id": staff.pk, "at": NOON}
    refused("own", review.approve, **said)
    refused("own", review.reject, note="Mine", **said)
    refused("own", review.hold, note="Mine", **said)
    refused("unknown", review.approve, **said | {"referral_id": 0})


def test_staff_may_hold_what_waits_on_a_suspicion_of_their_own(staff: User) -> None:
    programme()
    referral = brought(member())
    said = {"referral_id": referral.pk, "staff_id": staff.pk, "at": NOON, "note": "I know them"}
    refused("not-waiting", review.hold, **said)
    buys(referral)
    review.hold(**said)
    assert last_step(referral) == ("held", "staff", "I know them", staff.pk)
    assert settle(referral) == "held"
    review.approve(referral_id=referral.pk, staff_id=staff.pk, at=NOON + DAY)
    assert settle(referral) == "rewarded"


def test_appeals_come_first_and_a_long_queue_costs_as_much_as_a_short_one(staff: User) -> None:
    programme()
    referrer = member(email="aino@gmail.com")

    def held(count: int) -> list[Referral]:
        made = [
            brought(referrer, friend=member(email=f"aino+{number}@gmail.com"))
            for number in range(Referral.objects.count(), Referral.objects.count() + count)
        ]
        for each in made:
            buys(each)
        return made

    def asked() -> int:
        with CaptureQueriesContext(connection) as statements:
            review.queue()
        return len(statements)

    first, second = held(2)
    few = asked()
    held(5)
    assert asked() == few
    review.reject(referral_id=second.pk, staff_id=staff.pk, at=NOON + DAY, note="No")
    review.appeal(referral_id=second.pk, member=referrer, text="Please", at=NOON + DAY)
    assert [waiting.referral for waiting in review.queue(most=2)] == [second, first]


# --- Assessing ----------------------------------------------------------------------------------------------------


def test_signals_found_again_stay_as_they_were_and_others_go(suspicious: Referral) -> None:
    SignalWeight.objects.filter(kind="same_email").update(weight=7)
    Member.objects.filter(pk=suspicious.friend_id).update(email="once@x.mailinator.com")
    SignalWeight.objects.filter(kind="just_enough").update(weight=0)
    assert assessing.assess([suspicious.pk], NOON + DAY) == {suspicious.pk: 160}
    kept = Signal.objects.values_list("kind", "weight", "found_at")
    assert set(kept) == {("same_email", 100, NOON), ("disposable", 60, NOON + DAY)}
    suspicious.refresh_from_db()
    assert suspicious.score == 160
    assert assessing.assess([], NOON) == {}


def test_assessing_many_costs_as_many_statements_as_one() -> None:
    programme(minimum_purchase=10)
    aino = member()
    referrals = [brought(aino, friend=member(phone="+358401234567")) for _ in range(12)]

    def asked(some: list[Referral]) -> int:
        Signal.objects.all().delete()
        with CaptureQueriesContext(connection) as statements:
            assessing.assess([each.pk for each in some], NOON)
        return len(statements)

    assert asked(referrals[:1]) == asked(referrals)


def test_a_mark_of_a_crowd_is_no_sign_and_a_phone_always_is() -> None:
    programme()
    aino = member(phone="+358401234567")
    referral = brought(aino, friend=member(phone="+358401234567"))
    for who in (aino, referral.friend):
        note_marks(who.pk, NOON, address="campus", device="tablet")
    assessing.assess([referral.pk], NOON)
    kinds = Signal.objects.values_list("kind", flat=True)
    assert set(kinds) == {"same_phone", "same_address", "same_device"}
    for other in (member() for _ in range(19)):
        note_marks(other.pk, NOON, address="campus")
    assessing.assess([referral.pk], NOON)
    assert set(kinds.all()) == {"same_phone", "same_device"}
