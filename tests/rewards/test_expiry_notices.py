"""Members hear ahead that points expire: 30 and 7 days, each lot once, whatever happened to the task."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from members.models import Member
from rewards import ledger, tasks
from rewards.expiry_notices import announce_expiring
from rewards.ledger import Grant, Why
from rewards.models import ExpiryNotice, Lot, LotNotice, Transfer, Wallet
from rewards.models.ledger import AccountKind
from tests.factories.campaigns import recorder
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
EARNED = NOON - 300 * DAY
EXPIRY = dt.datetime(2026, 11, 30, 22, tzinfo=dt.UTC)
"""The first moment of December in Helsinki; thirty days before it the clocks were already back."""


def grant(
    who: Member, points: int, *, expires_at: dt.datetime = EXPIRY, earned_at: dt.datetime = EARNED
) -> None:
    wallet = Wallet.objects.get(is_default=True)
    ledger.post_grants([Grant(who.pk, wallet.pk, points, earned_at, expires_at)], at=earned_at)


def told(at: dt.datetime) -> list[tuple[int | None, int, int]]:
    """What is announced at a moment: (member, points, days ahead)."""
    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    announce_expiring(at=at, run=recorder(at))
    events = Event.objects.filter(name="points.expiring", pk__gt=last).order_by("pk")
    return [(event.member_id, event.facts["points"], event.facts["days"]) for event in events]


def test_each_lot_is_announced_once_a_notice() -> None:
    who, other = member(), member()
    grant(who, 30)
    grant(who, 12)
    grant(other, 5)
    assert told(EXPIRY - 31 * DAY) == []
    assert told(EXPIRY - 30 * DAY) == [(who.pk, 42, 30), (other.pk, 5, 30)]
    assert told(EXPIRY - 29 * DAY) == []
    assert told(EXPIRY - 7 * DAY) == [(who.pk, 42, 7), (other.pk, 5, 7)]
    assert told(EXPIRY - 1 * DAY) == []
    assert told(EXPIRY + DAY) == []


def test_what_was_announced_is_said_with_its_date() -> None:
    who = member()
    grant(who, 30)
    told(EXPIRY - 30 * DAY)
    assert Event.objects.get(name="points.expiring").facts == {
        "points": 30,
        "expires_at": "2026-11-30T22:00:00Z",
        "days": 30,
        "wallet": "points",
    }


def test_after_an_outage_the_nearest_notice_alone_is_given() -> None:
    who = member()
    grant(who, 30)
    assert told(EXPIRY - 3 * DAY) == [(who.pk, 30, 7)]
    assert told(EXPIRY - 2 * DAY) == []
    assert list(LotNotice.objects.order_by("days").values_list("days", "announced")) == [
        (7, True),
        (30, False),
    ]


def test_after_a_short_outage_the_notice_comes_late() -> None:
    who = member()
    grant(who, 30)
    assert told(EXPIRY - 20 * DAY) == [(who.pk, 30, 30)]
    assert told(EXPIRY - 7 * DAY) == [(who.pk, 30, 7)]


def test_a_notice_added_later_never_follows_a_nearer_one() -> None:
    who = member()
    grant(who, 30)
    ExpiryNotice.objects.filter(days=30).delete()
    assert told(EXPIRY - 6 * DAY) == [(who.pk, 30, 7)]
    ExpiryNotice.objects.create(days=14)
    assert told(EXPIRY - 5 * DAY) == []


def test_points_that_were_short_lived_from_the_start_skip_the_notices_before_their_time() -> None:
    who = member()
    grant(who, 10, earned_at=EXPIRY - 14 * DAY)
    assert told(EXPIRY - 13 * DAY) == []
    assert told(EXPIRY - 7 * DAY) == [(who.pk, 10, 7)]


def test_points_used_before_are_not_announced_and_the_rest_is() -> None:
    who = member()
    grant(who, 30)
    ledger.spend(
        member_id=who.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=18,
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOON,
    )
    assert told(EXPIRY - 30 * DAY) == [(who.pk, 12, 30)]


def test_an_expiry_that_moved_is_announced_again() -> None:
    who = member()
    grant(who, 30)
    told(EXPIRY - 7 * DAY)
    Lot.objects.update(expires_at=EXPIRY + 90 * DAY)
    assert told(EXPIRY) == []
    assert told(EXPIRY + 60 * DAY) == [(who.pk, 30, 30)]


def test_those_who_left_hear_nothing() -> None:
    who = member()
    grant(who, 30)
    Member.objects.update(status=Member.Status.CLOSED)
    assert told(EXPIRY - 7 * DAY) == []


def test_the_notices_cost_as_much_for_one_member_as_for_thirty() -> None:
    told(EXPIRY)  # the terms are read once
    counts = []
    for people in (1, 30):
        for _ in range(people):
            grant(member(), 10)
        run = recorder(EXPIRY)
        with CaptureQueriesContext(connection) as queries:
            announce_expiring(at=EXPIRY - 7 * DAY, run=run)
        counts.append(len(queries))
        assert run.row.done == people
    assert counts[0] == counts[1]


def test_the_task_delivered_five_times_announces_once(monkeypatch: pytest.MonkeyPatch) -> None:
    grant(member(), 10)
    monkeypatch.setattr("loyalty.clock.now", lambda: EXPIRY - 7 * DAY)
    for _ in range(5):
        tasks.announce_expiring()
    assert Event.objects.filter(name="points.expiring").count() == 1
