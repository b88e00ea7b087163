"""The birthday greeting on a real database: one message and one gift a year, whatever happens."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from campaigns import birthdays, lifecycle
from campaigns.models import Message, SendingPolicy
from loyalty.events.models import Event
from members.models import Member
from rewards import ledger, terms
from rewards.models import Account, TierLevel, Transfer
from tests.factories.campaigns import BY_EMAIL, birthday_campaign, celebrant, recorder
from tests.factories.members import NOON
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def greet(at: dt.datetime = NOON) -> tuple[int, int, int]:
    """One tick; how many were greeted, skipped and failed."""
    run = recorder(at)
    birthdays.greet_due(at=at, run=run)
    return run.row.done, run.row.skipped, run.row.failed


def rows(**where: Any) -> list[tuple[str, str, str, str, int]]:
    found = Message.objects.filter(**where).order_by("id")
    return list(found.values_list("occasion", "channel", "status", "reason", "points"))


def points_of(member: Member) -> int:
    return Account.objects.get(member=member, kind="available").balance or 0


def test_a_birthday_brings_one_message_and_its_points() -> None:
    aino = celebrant(first_name="Aino", language="fi")
    celebrant("1990-06-16")
    assert greet() == (1, 0, 0)
    message = Message.objects.get()
    assert (message.member, message.arm, message.facts["day"]) == (aino, "treated", "2026-06-15")
    assert rows() == [("birthday:2026", "email", "due", "", 100)]
    transfer = Transfer.objects.get()
    assert (transfer.points, transfer.source, transfer.source_id) == (100, "campaigns.birthday", message.pk)
    assert transfer.occasion == f"campaigns.message:{message.pk}"
    assert points_of(aino) == 100


def test_a_repeated_tick_changes_nothing() -> None:
    aino = celebrant()
    assert greet() == (1, 0, 0)
    for hours in range(1, 5):
        assert greet(NOON + dt.timedelta(hours=hours)) == (0, 0, 0)
    assert Message.objects.count() == Transfer.objects.count() == 1
    assert points_of(aino) == 100


def tier_gives(code: str, birthday_points: int | None) -> None:
    TierLevel.objects.filter(tier__code=code).update(birthday_points=birthday_points)
    terms.revised()


def test_a_tier_that_names_birthday_points_gives_those_once() -> None:
    tier_gives("silver", 250)
    bronze, silver = celebrant(language="fi"), celebrant(language="fi")
    assert purchase(silver, total=1000, at=NOON - DAY).tier_code == "silver"
    before = points_of(silver)
    assert greet() == (2, 0, 0)
    assert greet(NOON + dt.timedelta(hours=1)) == (0, 0, 0)
    assert (points_of(bronze), points_of(silver) - before) == (100, 250)
    assert Message.objects.get(member=silver).points == 250


def test_new_birthday_points_of_a_tier_change_no_gift_that_was_given() -> None:
    aino = celebrant()
    greet()
    tier_gives("bronze", 500)
    assert greet(NOON + DAY) == (0, 0, 0)
    assert points_of(aino) == 100


def test_a_tier_that_gives_nothing_for_a_birthday_still_greets() -> None:
    tier_gives("bronze", 0)
    celebrant()
    assert greet() == (1, 0, 0)
    assert rows() == [("birthday:2026", "email", "due", "", 0)]
    assert not Transfer.objects.exists()


def test_somebody_who_was_faster_leaves_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers at once: the second one decides on what it found before the first one had written."""
    aino = celebrant()
    stale = list(birthdays.Search(birthday_campaign(), at=NOON))
    assert greet() == (1, 0, 0)
    monkeypatch.setattr(
        birthdays.Search, "next_page", lambda search: setattr(search, "is_over", True) or stale
    )
    assert greet() == (0, 0, 0)
    assert points_of(aino) == 100
    assert Message.objects.count() == 1


def test_missed_birthdays_are_greeted_for_three_days_and_then_settled_as_too_late() -> None:
    birthday_campaign(looked_at=NOON - 6 * DAY)
    for day in ("09", "10", "11", "12", "13", "14", "15"):
        celebrant(f"1990-06-{day}")
    assert greet() == (4, 3, 0)
    assert {(row[0], *row[2:]) for row in rows(status="skipped")} == {
        ("birthday:2026", "skipped", "too_late", 0)
    }
    assert greet() == (0, 0, 0)
    assert Transfer.objects.count() == 4


def test_the_first_look_ever_settles_only_the_look_back() -> None:
    celebrant("1990-06-10")
    celebrant("1990-06-12")
    assert greet() == (1, 0, 0)
    assert birthday_campaign().looked_at == NOON
    assert greet(NOON + dt.timedelta(hours=1)) == (0, 0, 0)


def test_a_birthday_moved_after_the_gift_brings_no_second_one() -> None:
    aino = celebrant()
    greet()
    Member.objects.filter(pk=aino.pk).update(birth_date=dt.date(1990, 8, 1))
    assert greet(dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC)) == (0, 0, 0)
    Member.objects.filter(pk=aino.pk).update(birth_date=dt.date(1990, 2, 1))
    assert greet(dt.datetime(2027, 2, 1, 12, tzinfo=dt.UTC)) == (0, 1, 0)
    assert [row[2:] for row in rows(occasion="birthday:2027")] == [("skipped", "given_recently", 0)]
    assert points_of(aino) == 100
    assert greet(dt.datetime(2028, 2, 1, 12, tzinfo=dt.UTC)) == (1, 0, 0)


def test_a_time_zone_moved_across_new_year_brings_no_second_gift() -> None:
    aino = celebrant("1990-12-31", time_zone="Pacific/Kiritimati")
    new_year = dt.datetime(2026, 12, 31, 9, tzinfo=dt.UTC)
    assert greet(new_year) == (1, 0, 0)
    Member.objects.filter(pk=aino.pk).update(time_zone="Etc/GMT+12", birth_date=dt.date(1990, 1, 1))
    for hours in range(0, 72, 6):
        greet(new_year + dt.timedelta(hours=hours))
    assert [row[3] for row in rows()] == ["", "given_recently"]
    assert points_of(aino) == 100


@pytest.mark.parametrize(
    ("zone", "first_hour"), [("Pacific/Kiritimati", -14), ("Etc/GMT+12", 12), ("Europe/Helsinki", -3)]
)
def test_the_day_begins_where_the_member_lives(zone: str, first_hour: int) -> None:
    celebrant(time_zone=zone)
    midnight = dt.datetime(2026, 6, 15, tzinfo=dt.UTC) + dt.timedelta(hours=first_hour)
    assert greet(midnight - dt.timedelta(seconds=1)) == (0, 0, 0)
    assert greet(midnight) == (1, 0, 0)


def test_a_leap_day_child_is_greeted_on_1_march_where_the_policy_says_so() -> None:
    SendingPolicy.objects.filter(pk=1).update(leap_day="after")
    celebrant("1988-02-29")
    assert greet(dt.datetime(2027, 2, 28, 12, tzinfo=dt.UTC)) == (0, 0, 0)
    assert greet(dt.datetime(2027, 3, 1, 12, tzinfo=dt.UTC)) == (1, 0, 0)
    assert Message.objects.get().facts["day"] == "2027-03-01"
    assert greet(dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC)) == (1, 0, 0)


def test_a_leap_day_child_is_greeted_on_28_february() -> None:
    celebrant("1988-02-29")
    assert greet(dt.datetime(2027, 2, 28, 12, tzinfo=dt.UTC)) == (1, 0, 0)
    assert greet(dt.datetime(2028, 2, 28, 12, tzinfo=dt.UTC)) == (0, 0, 0)
    assert greet(dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC)) == (1, 0, 0)


@pytest.mark.parametrize("status", [Member.Status.CLOSED, Member.Status.ERASED])
def test_whoever_has_left_is_not_greeted(status: str) -> None:
    aino = celebrant()
    Member.objects.filter(pk=aino.pk).update(status=status)
    assert greet() == (0, 0, 0)
    assert not Message.objects.exists()
    assert not Transfer.objects.exists()


def test_the_portal_inbox_takes_what_may_not_go_by_e_mail() -> None:
    celebrant(agrees=False)
    celebrant(email="", consents=(BY_EMAIL,))
    assert greet() == (2, 0, 0)
    assert [(row[1], row[3]) for row in rows()] == [("inbox", "no_consent"), ("inbox", "no_address")]


def test_one_poisoned_member_does_not_stop_the_others() -> None:
    poisoned, other = celebrant(), celebrant()
    Member.objects.filter(pk=poisoned.pk).update(time_zone="Atlantis/Downtown")
    assert greet() == (1, 0, 1)
    assert Message.objects.get().member == other
    Member.objects.filter(pk=poisoned.pk).update(time_zone="Europe/Helsinki")
    assert greet(NOON + DAY) == (1, 0, 0)


def test_a_failed_gift_leaves_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    celebrant()

    def broken(*_books: Any, **_facts: Any) -> None:
        raise ValueError("no such wallet")

    monkeypatch.setattr(ledger, "write", broken)
    assert greet() == (0, 0, 1)
    assert not Message.objects.exists()
    assert not Event.objects.filter(name="points.earned").exists()


def test_a_paused_campaign_greets_nobody_and_owes_nobody() -> None:
    campaign = birthday_campaign(status="paused", looked_at=NOON - 30 * DAY)
    celebrant("1990-06-01")
    assert greet() == (0, 0, 0)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON)
    assert greet(NOON + DAY) == (0, 0, 0)
    assert not Message.objects.exists()


def test_a_birthday_during_a_short_pause_is_still_greeted() -> None:
    campaign = birthday_campaign(status="paused", looked_at=NOON - 2 * DAY)
    celebrant("1990-06-14")
    assert greet() == (0, 0, 0)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON)
    assert greet() == (1, 0, 0)


def test_only_the_audience_is_greeted() -> None:
    birthday_campaign(audience={"field": "language", "op": "eq", "value": "sv"})
    celebrant(language="fi")
    linnea = celebrant(language="sv")
    assert greet() == (1, 0, 0)
    assert Message.objects.get().member == linnea


def test_an_audience_that_cannot_be_read_halts_the_campaign_and_no_other() -> None:
    birthday_campaign(audience={"field": "shoe_size", "op": "eq", "value": 42})
    celebrant()
    assert greet() == (0, 0, 0)
    campaign = birthday_campaign()
    assert (campaign.status, campaign.looked_at) == ("paused", None)
    assert campaign.problem.startswith("field: ")
    assert Event.objects.filter(name="campaign.halted").count() == 1


def test_a_greeting_can_wait_for_an_hour_of_the_members_own_day() -> None:
    birthday_campaign(rhythm={"at": "09:00"})
    celebrant(time_zone="America/New_York")
    assert greet(dt.datetime(2026, 6, 15, 5, tzinfo=dt.UTC)) == (1, 0, 0)
    assert Message.objects.get().due_at == dt.datetime(2026, 6, 15, 13, tzinfo=dt.UTC)


def test_finding_who_is_due_costs_one_query_for_any_number_beside_the_policy(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(5):
        celebrant()
    campaign = birthday_campaign()
    with django_assert_num_queries(2):
        assert len(list(birthdays.Search(campaign, at=NOON))) == 5


def test_greeting_costs_the_same_for_one_and_for_many() -> None:
    def cost(at: dt.datetime) -> int:
        with CaptureQueriesContext(connection) as captured:
            greet(at)
        return len(captured)

    celebrant("1990-06-15")
    greet()
    celebrant("1990-07-15")
    one = cost(dt.datetime(2026, 7, 15, 12, tzinfo=dt.UTC))
    for _ in range(12):
        celebrant("1990-08-15")
    assert cost(dt.datetime(2026, 8, 15, 12, tzinfo=dt.UTC)) == one
    assert Message.objects.count() == 14


def test_candidates_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [celebrant() for _ in range(5)]
    monkeypatch.setattr(birthdays, "PAGE", 2)
    found = birthdays.Search(birthday_campaign(), at=NOON)
    assert [each.member_id for each in found] == [member.pk for member in members]
    assert greet() == (5, 0, 0)
