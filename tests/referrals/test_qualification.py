"""What friends have to do, judged from all they did: pure, and as events come in."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from members.models import ActivityKind
from referrals import attribution, codes, qualification, settling
from referrals.deeds import Deed
from referrals.models import ProgrammeTerms, Referral, ReferralStep
from referrals.qualification import judge
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY, bought, brought, buys, programme, returns, settle

LAPSE = NOON + 90 * DAY


def deed(number: int, total: str = "30", *, kind: str = "purchase", **facts: Any) -> Deed:
    return Deed(number, kind, NOON + number * DAY, Decimal(total), **facts)


def returned(number: int, total: str = "30", back: str = "30") -> Deed:
    return deed(number, total, returned=Decimal(back), was_refunded=True)


def terms(**said: Any) -> ProgrammeTerms:
    return ProgrammeTerms(**{"waiting_days": 14, "minimum_purchase": Decimal(20)} | said)


@pytest.mark.parametrize(
    ("said", "history", "state", "by"),
    [
        ({}, [], "joined", None),
        ({}, [deed(1)], "waiting", 1),
        ({}, [deed(1, "19.99")], "purchased", None),
        ({}, [deed(1, "19.99"), deed(2, "20")], "waiting", 2),
        ({}, [returned(1)], "joined", None),
        ({}, [returned(1, "30", "10.01")], "purchased", None),
        ({}, [returned(1, "30", "10")], "waiting", 1),
        ({}, [returned(1), deed(2)], "waiting", 2),
        ({}, [deed(1, kind="survey")], "joined", None),
        ({"trigger": "nth_purchase", "purchases": 3}, [deed(1), deed(2), deed(3, "5")], "purchased", None),
        ({"trigger": "nth_purchase", "purchases": 2}, [deed(1), deed(2, "5"), deed(3)], "waiting", 3),
        ({"trigger": "nth_purchase", "purchases": 2}, [deed(1), returned(2), deed(3)], "waiting", 3),
        ({"trigger": "spend", "spend": Decimal(60)}, [deed(1), deed(2)], "waiting", 2),
        ({"trigger": "spend", "spend": Decimal(60)}, [deed(1), returned(2, "30", "0.01")], "purchased", None),
        ({"trigger": "spend", "spend": Decimal(60)}, [deed(1, "59"), deed(2, "19")], "purchased", None),
        ({"trigger": "activity", "activity_kind": "survey"}, [deed(1)], "purchased", None),
        ({"trigger": "activity", "activity_kind": "survey"}, [deed(1, "0", kind="survey")], "waiting", 1),
        (
            {"trigger": "activity", "activity_kind": "survey"},
            [deed(1, "0", kind="survey", was_refunded=True)],
            "joined",
            None,
        ),
        ({"trigger": "activity", "activity_kind": "purchase"}, [deed(1, "5"), deed(2)], "waiting", 2),
    ],
)
def test_a_friend_qualifies_by_what_is_left_of_what_they_did(
    said: dict[str, Any], history: list[Deed], state: str, by: int | None
) -> None:
    verdict = judge(terms(**said), history)
    assert (verdict.state, verdict.activity_id) == (state, by)
    assert verdict.due_at == (NOON + (by + 14) * DAY if by else None)


def states_of(referral: Referral) -> list[str]:
    return list(ReferralStep.objects.filter(referral=referral).order_by("pk").values_list("state", flat=True))


@pytest.mark.django_db
def test_a_friend_buys_and_waits_and_what_they_were_told_is_kept() -> None:
    programme(minimum_purchase=20)
    referral = brought(member())
    buys(referral, total=5)
    activity = buys(referral, at=NOON + DAY, total=30)
    assert (referral.state, referral.activity, referral.purchased_at) == ("waiting", activity, NOON)
    assert referral.due_at == NOON + 15 * DAY
    assert states_of(referral) == ["joined", "purchased", "waiting"]
    assert list(Event.objects.filter(name__startswith="referral.").values_list("name", flat=True)) == [
        "referral.joined"
    ]


@pytest.mark.django_db
def test_the_same_told_again_changes_nothing() -> None:
    programme()
    referral = brought(member())
    buys(referral)
    before = states_of(referral)
    for _again in range(2):
        qualification.on_activities([(referral.friend_id, NOON)], at=NOON + DAY)
        qualification.on_refunds([referral.friend_id], at=NOON + DAY)
    assert states_of(referral) == before


@pytest.mark.django_db
def test_what_was_done_before_joining_or_after_the_time_does_not_count() -> None:
    programme(within_days=30)
    referral = brought(member())
    buys(referral, at=NOON - DAY)
    buys(referral, at=NOON + 30 * DAY)
    assert referral.state == "joined"
    buys(referral, at=NOON + 30 * DAY - dt.timedelta(seconds=1))
    assert referral.state == "waiting"


@pytest.mark.django_db
def test_who_does_not_qualify_in_time_lapses_and_a_late_report_of_a_purchase_in_time_still_counts() -> None:
    programme(within_days=30)
    referral = brought(member())
    assert settling.lapse_due(at=NOON + 30 * DAY - dt.timedelta(seconds=1)) == 0
    assert settling.lapse_due(at=NOON + 30 * DAY) == 1
    referral.refresh_from_db()
    assert (referral.state, referral.reason, referral.ended_at) == ("lapsed", "too_late", NOON + 30 * DAY)
    buys(referral, at=NOON + 40 * DAY)
    assert referral.state == "lapsed"
    buys(referral, at=NOON + 10 * DAY)
    assert (referral.state, referral.ended_at) == ("waiting", None)


@pytest.mark.django_db
def test_a_purchase_nobody_heard_of_is_seen_before_the_referral_lapses() -> None:
    programme(within_days=30)
    referral = brought(member())
    bought(referral)
    assert settling.lapse_due(at=NOON + 31 * DAY) == 0
    referral.refresh_from_db()
    assert referral.state == "waiting"


@pytest.mark.django_db
def test_a_purchase_heard_of_before_the_friend_was_attributed_is_caught_up_with() -> None:
    programme()
    referral = brought(member())
    bought(referral)
    assert settling.catch_up(at=NOON) == 1
    referral.refresh_from_db()
    assert referral.state == "waiting"
    assert settling.catch_up(at=NOON) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("at", [NOON + DAY, LAPSE + DAY])
def test_a_return_while_waiting_takes_it_back(at: dt.datetime) -> None:
    programme(waiting_days=120)
    referral = brought(member())
    activity = buys(referral)
    returns(activity, at=at)
    referral.refresh_from_db()
    expected = "joined" if at < LAPSE else "lapsed"
    assert (referral.state, referral.reason, referral.due_at) == (expected, "refunded", None)
    assert settle(referral, at=NOON + 200 * DAY) == expected


@pytest.mark.django_db
def test_another_purchase_takes_the_place_of_one_that_was_returned() -> None:
    programme()
    referral = brought(member())
    first = buys(referral)
    second = buys(referral, at=NOON + 3 * DAY)
    returns(first, at=NOON + 4 * DAY)
    referral.refresh_from_db()
    assert (referral.state, referral.activity, referral.due_at) == ("waiting", second, NOON + 17 * DAY)


@pytest.mark.django_db
def test_an_activity_of_a_kind_can_be_what_it_takes() -> None:
    ActivityKind.objects.get_or_create(code="survey", defaults={"names": {"en": "Survey"}})
    programme(trigger="activity", activity_kind="survey")
    referral = brought(member())
    buys(referral)
    assert referral.state == "purchased"
    buys(referral, kind="survey", total=0)
    assert referral.state == "waiting"


@pytest.mark.django_db
def test_members_whom_nobody_brought_cost_one_statement_however_many() -> None:
    strangers = [(member().pk, NOON) for _number in range(3)]
    with CaptureQueriesContext(connection) as captured:
        qualification.on_activities(strangers, at=NOON)
    assert len(captured) == 1


@pytest.mark.django_db
def test_friends_cost_the_same_however_many() -> None:
    programme()

    def cost(count: int) -> int:
        referrals = [brought(member()) for _number in range(count)]
        for referral in referrals:
            bought(referral)
        with CaptureQueriesContext(connection) as captured:
            qualification.on_activities([(each.friend_id, NOON) for each in referrals], at=NOON)
        assert not Referral.objects.exclude(state="waiting").exists()
        return len(captured)

    assert cost(1) == cost(7)


@pytest.mark.django_db
def test_without_a_programme_a_friend_is_known_and_brings_nothing() -> None:
    referral = attribution.attribute(friend=member(), code=codes.code_of(member(), NOON), at=NOON)
    buys(referral)
    assert (referral.state, referral.reason, referral.terms) == ("joined", "no_programme", None)
