"""Segments are true after each night and after each event, and say who came and who went."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from loyalty.events.dispatch import dispatch_batch
from loyalty.events.models import Event
from loyalty.models import Run
from members import tasks
from members.consents import set_consent
from members.models import Member, Segment, SegmentChange, SegmentMember
from members.privacy import erase
from members.segments import refresh as refreshing
from members.segments.refresh import refresh
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.segments import compare, members_of, segment

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)

SWEDES = compare("language", "eq", "sv")
BUYERS = {"purchases": {"where": {}, "measure": "count", "op": "ge", "value": 2}}
AGREED = compare("consents", "contains", "marketing/email")


def changes(made: Segment) -> list[tuple[Member, bool, dt.datetime]]:
    rows = SegmentChange.objects.filter(segment=made).select_related("member").order_by("pk")
    return [(row.member, row.joined, row.changed_at) for row in rows]


def told() -> list[tuple[str, int | None, Any]]:
    events = Event.objects.filter(name__startswith="segment.").order_by("pk")
    return [(event.name, event.member_id, event.facts["segment"]) for event in events]


def dispatch(at: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.clock.now", lambda: at)
    while dispatch_batch(at=at):
        pass


def test_a_refresh_lets_members_in_and_out_and_tells_of_each() -> None:
    aino, bo = member(language="sv"), member(language="fi")
    made = segment("swedes", SWEDES)
    assert (members_of(made), made.member_count, made.refreshed_at) == ({aino}, 1, NOON)
    Member.objects.filter(pk=aino.pk).update(language="fi")
    Member.objects.filter(pk=bo.pk).update(language="sv")
    moves = refresh(segment_id=made.pk, at=NOON + DAY)
    made.refresh_from_db()
    assert moves is not None
    assert (moves.joined, moves.left, moves.count) == (1, 1, 1)
    assert (members_of(made), made.joined_count, made.left_count) == ({bo}, 1, 1)
    assert changes(made)[0] == (aino, True, NOON)
    assert set(changes(made)[1:]) == {(aino, False, NOON + DAY), (bo, True, NOON + DAY)}
    assert sorted(told()) == [
        ("segment.joined", aino.pk, "swedes"),
        ("segment.joined", bo.pk, "swedes"),
        ("segment.left", aino.pk, "swedes"),
    ]


def test_a_refresh_that_finds_the_same_members_writes_nothing() -> None:
    member(language="sv")
    made = segment("swedes", SWEDES)
    before = (changes(made), told(), list(SegmentMember.objects.values()))
    refresh(segment_id=made.pk, at=NOON + DAY)
    assert (changes(made), told(), list(SegmentMember.objects.values())) == before


def test_events_of_a_segment_that_is_being_filled_say_so() -> None:
    aino = member(language="sv")
    made = segment("swedes", SWEDES)
    assert Event.objects.get(name="segment.joined").facts == {"segment": "swedes", "filling": True}
    Member.objects.filter(pk=aino.pk).update(language="fi")
    refresh(segment_id=made.pk, at=NOON + DAY)
    assert Event.objects.get(name="segment.left").facts == {"segment": "swedes", "filling": False}


def test_history_cannot_be_changed() -> None:
    member(language="sv")
    segment("swedes", SWEDES)
    with pytest.raises(IntegrityError), transaction.atomic():
        SegmentChange.objects.update(joined=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        SegmentChange.objects.all().delete()
    assert SegmentChange.objects.get().joined


def test_only_active_members_are_in_unless_the_status_is_asked_for() -> None:
    aino, bo, erased = member(), member(), member()
    Member.objects.filter(pk=bo.pk).update(status="closed")
    erase(member_id=erased.pk, source="staff", at=NOON)
    assert members_of(segment("all")) == {aino}
    assert members_of(segment("closed", compare("status", "eq", "closed"))) == {bo}


def test_an_event_moves_only_those_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    aino, bo = member(), member()
    made = segment("buyers", BUYERS)
    for number in range(2):
        purchase(aino, at=NOON + number * DAY)
        purchase(bo, at=NOON + number * DAY)
    Event.objects.filter(member_id=bo.pk).delete()
    dispatch(NOON + 2 * DAY, monkeypatch)
    made.refresh_from_db()
    assert (members_of(made), made.member_count) == ({aino}, 1)
    assert changes(made) == [(aino, True, NOON + 2 * DAY)]


def test_an_event_asks_only_segments_that_it_can_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    aino = member(language="sv")
    segment("swedes", SWEDES)
    buyers = segment("buyers", BUYERS)
    asked: list[str] = []
    plain = refreshing._ask_again

    def noted(definition: Any, members: Any, *, at: dt.datetime) -> Any:
        asked.append(definition.segment.code)
        return plain(definition, members, at=at)

    dispatch(NOON, monkeypatch)
    monkeypatch.setattr(refreshing, "_ask_again", noted)
    purchase(aino)
    purchase(aino)
    dispatch(NOON, monkeypatch)
    assert set(asked) == {"buyers"}
    assert members_of(buyers) == {aino}


def test_consents_and_enrolments_are_followed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made, everybody = segment("agreed", AGREED), segment("all")
    aino = member()
    set_consent(
        member_id=aino.pk, purpose="marketing", channel="email", granted=True, source="portal", at=NOON
    )
    dispatch(NOON, monkeypatch)
    assert members_of(made) == members_of(everybody) == {aino}
    set_consent(
        member_id=aino.pk, purpose="marketing", channel="email", granted=False, source="portal", at=NOON
    )
    dispatch(NOON, monkeypatch)
    assert (members_of(made), members_of(everybody)) == (set(), {aino})


def test_whoever_names_a_segment_follows_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    aino = member(language="sv")
    buyers = segment("buyers", BUYERS)
    swedish_buyers = segment("a-swedish", {"all": [SWEDES, compare("segments", "contains", "buyers")]})
    purchase(aino)
    purchase(aino)
    dispatch(NOON, monkeypatch)
    assert members_of(buyers) == members_of(swedish_buyers) == {aino}


def test_the_night_refreshes_all_in_order_and_one_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loyalty.clock.now", lambda: NOON)
    aino = member(language="sv")
    first = segment("a-first", compare("segments", "contains", "z-last"), fill=False)
    last = segment("z-last", SWEDES, fill=False)
    broken = segment("broken", compare("shoe_size", "eq", 42), fill=False)
    ours = [first.pk, last.pk, broken.pk]
    Segment.objects.exclude(pk__in=ours).update(is_active=False)
    for _tick in range(3):
        tasks.refresh_segments()
    run = Run.objects.get(name=tasks.REFRESH)
    assert (run.status, run.total, run.done, run.failed) == ("succeeded", 3, 2, 1)
    assert members_of(first) == members_of(last) == {aino}
    broken.refresh_from_db()
    assert "field" in broken.problem


def test_new_segments_are_filled_without_waiting_for_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    aino = member(language="sv")
    made = segment("swedes", SWEDES, fill=False)
    tasks.fill_segments()
    assert members_of(made) == {aino}
    assert not Run.objects.filter(name=tasks.REFRESH).exists()


def test_an_erased_member_leaves_every_segment() -> None:
    aino, bo = member(), member()
    made = segment("all")
    erase(member_id=aino.pk, source="staff", at=NOON + DAY)
    made.refresh_from_db()
    assert (members_of(made), made.member_count) == ({bo}, 1)
    assert changes(made)[-1] == (aino, False, NOON + DAY)
