"""Going out to an audience: frozen at the start, a page at a time, once however often and by however many."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import lifecycle, rounds
from campaigns.deciding import Candidate, Decided
from campaigns.models import Campaign, Message, Round, RoundPage
from loyalty.events.models import Event
from members.models import Member
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.audience.PAGE", 2)
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


def going(**facts: Any) -> Campaign:
    """A submitted campaign without caps."""
    no_caps()
    campaign = mailing(**facts)
    return lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=NOON)


def tick(at: dt.datetime = NOON) -> tuple[int, int, int]:
    """Begin and decide what is due; how many go out, do not, and failed."""
    run = recorder(at)
    rounds.begin_due(at=at)
    rounds.decide_open(now=lambda: at, run=run, until=at + HOUR)
    return run.row.done, run.row.skipped, run.row.failed


def state() -> list[tuple[str, str, int | None, int]]:
    """Every round: occasion, status, audience and how many go out."""
    found = Round.objects.order_by("at")
    return list(found.values_list("occasion", "status", "audience", "to_send"))


def test_everybody_in_the_audience_is_decided_about_once() -> None:
    members = [celebrant(language=language) for language in ("fi", "sv", "fi", "fi", "fi", "fi")]
    going(audience={"field": "language", "op": "eq", "value": "fi"})
    assert tick() == (5, 0, 0)
    assert tick() == (0, 0, 0)
    assert state() == [("once", "decided", 5, 5)]
    written = Message.objects.order_by("member_id").values_list("member_id", "occasion", "status", "due_at")
    assert list(written) == [(each.pk, "once", "due", NOON) for each in members if each.language == "fi"]
    assert not RoundPage.objects.exists()


def test_the_audience_is_that_of_the_start() -> None:
    first, *_others = [celebrant(language="fi") for _ in range(3)]
    going(audience={"field": "language", "op": "eq", "value": "fi"})
    rounds.begin_due(at=NOON)
    Member.objects.filter(pk=first.pk).update(language="sv")
    celebrant(language="fi")
    assert tick(NOON + HOUR) == (3, 0, 0)
    assert state() == [("once", "decided", 3, 3)]


def test_whoever_leaves_after_the_start_is_told_of_as_no_member() -> None:
    gone = celebrant()
    going()
    rounds.begin_due(at=NOON)
    Member.objects.filter(pk=gone.pk).update(status=Member.Status.CLOSED)
    assert tick() == (0, 1, 0)
    assert Message.objects.values_list("status", "reason").get() == ("skipped", "not_a_member")


def test_an_empty_audience_is_soon_done() -> None:
    campaign = going()
    assert tick() == (0, 0, 0)
    assert state() == [("once", "decided", 0, 0)]
    assert lifecycle.finish_due(at=NOON) == 1
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def killed_at(call: int, monkeypatch: pytest.MonkeyPatch, decide: Callable[..., Decided]) -> None:
    """The worker dies when it has decided about its ``call``-th page and not yet committed."""
    calls = iter(range(1, 100))

    def deciding(*args: Any, **kwargs: Any) -> Decided:
        decided = decide(*args, **kwargs)
        if next(calls) == call:
            raise KeyboardInterrupt
        return decided

    monkeypatch.setattr(rounds, "decide", deciding)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_killed_worker_leaves_the_rest_to_its_successor(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        celebrant()
    going(bonus_points=10)
    original = rounds.decide
    killed_at(page, monkeypatch, original)
    with pytest.raises(KeyboardInterrupt):
        tick()
    assert Message.objects.count() == 2 * (page - 1)
    assert Round.objects.get().to_send == 2 * (page - 1)
    monkeypatch.setattr(rounds, "decide", original)
    assert tick(NOON + HOUR) == (5 - 2 * (page - 1), 0, 0)
    assert state() == [("once", "decided", 5, 5)]
    assert Event.objects.filter(name="points.earned").count() == Message.objects.count() == 5


def test_a_pause_takes_effect_within_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        celebrant()
    campaign = going()
    original = rounds.decide_page

    def then_pause(round_id: int, *, at: dt.datetime) -> Decided | None:
        decided = original(round_id, at=at)
        if decided is not None and Message.objects.count() == 4:
            lifecycle.pause(campaign_id=campaign.pk, staff_id=None, at=at)
        return decided

    monkeypatch.setattr(rounds, "decide_page", then_pause)
    assert tick() == (4, 0, 0)
    assert tick(NOON + HOUR) == (0, 0, 0)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON + DAY)
    assert tick(NOON + DAY) == (2, 0, 0)
    due = Message.objects.order_by("member_id").values_list("due_at", flat=True)
    assert list(due) == [NOON] * 4 + [NOON + DAY] * 2
    assert state() == [("once", "decided", 6, 6)]


def test_it_starts_at_its_time_and_not_before() -> None:
    celebrant()
    going(send_at=NOON + DAY)
    assert (tick(NOON + DAY - HOUR), state()) == ((0, 0, 0), [])
    assert tick(NOON + DAY) == (1, 0, 0)


def test_a_scheduled_campaign_can_be_started_at_once() -> None:
    celebrant()
    campaign = going(send_at=NOON + DAY)
    lifecycle.start(campaign_id=campaign.pk, staff_id=None, at=NOON)
    assert tick() == (1, 0, 0)


def test_at_each_members_own_time_it_starts_with_the_first_clock_on_earth() -> None:
    """10:00 in Helsinki is meant as 10:00 everywhere: from UTC+14 to UTC-12."""
    zones = ["Pacific/Kiritimati", "Europe/Helsinki", "America/New_York", "Etc/GMT+12", "Atlantis/Downtown"]
    members = {zone: celebrant() for zone in zones}
    for zone, who in members.items():
        Member.objects.filter(pk=who.pk).update(time_zone=zone)
    ten = dt.datetime(2026, 7, 1, 7, tzinfo=dt.UTC)
    going(send_at=ten, in_member_zone=True)
    first = dt.datetime(2026, 6, 30, 20, tzinfo=dt.UTC)
    assert tick(first - HOUR) == (0, 0, 0)
    tick(first)
    due = {
        message.member.time_zone: (message.due_at - first).total_seconds() / 3600
        for message in Message.objects.select_related("member")
    }
    known = {zone: hours for zone, hours in due.items() if zone in zones[:4]}
    assert known == {
        "Pacific/Kiritimati": 0,
        "Europe/Helsinki": 11,
        "America/New_York": 18,
        "Etc/GMT+12": 26,
    }


def test_a_zone_moved_after_the_decision_changes_nothing() -> None:
    who = celebrant(time_zone="Pacific/Kiritimati")
    going(send_at=dt.datetime(2026, 7, 1, 7, tzinfo=dt.UTC), in_member_zone=True)
    at = dt.datetime(2026, 6, 30, 20, tzinfo=dt.UTC)
    tick(at)
    Member.objects.filter(pk=who.pk).update(time_zone="Etc/GMT+12")
    for hours in range(0, 48, 6):
        tick(at + dt.timedelta(hours=hours))
    assert Message.objects.get().due_at == at


def test_a_schedule_goes_out_on_each_of_its_dates_and_after_an_outage_once() -> None:
    """Beat is down for some days: the latest date missed is sent, those before it are told of as too late."""
    celebrant()
    campaign = going(
        kind="recurring", occasion="schedule", rhythm={"every": "day", "at": "12:00"}, look_back_days=3
    )
    noon = dt.datetime(2026, 6, 16, 9, tzinfo=dt.UTC)
    assert tick(noon - HOUR) == (0, 0, 0)
    assert tick(noon) == (1, 0, 0)
    assert tick(noon + HOUR) == (0, 0, 0)
    assert tick(noon + 3 * DAY + HOUR) == (1, 0, 0)
    assert tick(noon + 3 * DAY + 2 * HOUR) == (0, 0, 0)
    assert tick(noon + 4 * DAY) == (1, 0, 0)
    assert list(Round.objects.order_by("at").values_list("occasion", "status", "reason")) == [
        ("2026-06-16", "decided", ""),
        ("2026-06-17", "cancelled", "too_late"),
        ("2026-06-18", "cancelled", "too_late"),
        ("2026-06-19", "decided", ""),
        ("2026-06-20", "decided", ""),
    ]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.looked_at) == ("running", noon + 4 * DAY)


def test_a_date_missed_for_longer_than_the_look_back_is_not_sent() -> None:
    celebrant()
    going(kind="recurring", occasion="schedule", rhythm={"every": "week", "at": "12:00", "weekdays": [3]},
          look_back_days=3)  # fmt: skip
    assert tick(dt.datetime(2026, 6, 22, 9, tzinfo=dt.UTC)) == (0, 0, 0)
    assert Round.objects.values_list("occasion", "status", "reason").get() == (
        "2026-06-17",
        "cancelled",
        "too_late",
    )


def test_a_schedule_by_members_clocks_reaches_each_at_that_time_of_that_date() -> None:
    east, west = celebrant(time_zone="Pacific/Kiritimati"), celebrant(time_zone="America/New_York")
    going(
        kind="recurring",
        occasion="schedule",
        rhythm={"every": "week", "at": "09:00", "weekdays": [3]},
        in_member_zone=True,
    )
    first = dt.datetime(2026, 6, 16, 19, tzinfo=dt.UTC)
    assert tick(first - HOUR) == (0, 0, 0)
    assert tick(first) == (2, 0, 0)
    assert tick(first + DAY) == (0, 0, 0)
    due = dict(Message.objects.values_list("member_id", "due_at"))
    assert due == {east.pk: first, west.pk: dt.datetime(2026, 6, 17, 13, tzinfo=dt.UTC)}


def test_a_schedule_resumed_sends_what_lies_within_the_look_back_and_owes_nothing_else() -> None:
    celebrant()
    campaign = going(
        kind="recurring", occasion="schedule", rhythm={"every": "day", "at": "12:00"}, look_back_days=1
    )
    lifecycle.pause(campaign_id=campaign.pk, staff_id=None, at=NOON)
    Campaign.objects.filter(pk=campaign.pk).update(looked_at=NOON)
    assert tick(NOON + 5 * DAY) == (0, 0, 0)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON + 5 * DAY + HOUR)
    tick(NOON + 5 * DAY + HOUR)
    assert [(occasion, status) for occasion, status, *_ in state()] == [("2026-06-20", "decided")]


def test_an_audience_that_cannot_be_read_halts_its_campaign_and_no_other() -> None:
    celebrant()
    broken = going()
    Campaign.objects.filter(pk=broken.pk).update(audience={"field": "shoe_size", "op": "eq", "value": 1})
    going()
    assert tick() == (1, 0, 0)
    broken.refresh_from_db()
    assert (broken.status, broken.started_at, bool(broken.problem)) == ("paused", None, True)
    Campaign.objects.filter(pk=broken.pk).update(audience={})
    lifecycle.resume(campaign_id=broken.pk, staff_id=None, at=NOON)
    assert tick() == (1, 0, 0)
    broken.refresh_from_db()
    assert broken.problem == ""


def test_trouble_in_one_campaign_leaves_the_others_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    celebrant()
    broken, other = going(), going()
    original = rounds.decide

    def deciding(campaign: Campaign, candidates: list[Candidate], **facts: Any) -> Decided:
        if campaign.pk == broken.pk:
            raise ZeroDivisionError
        return original(campaign, candidates, **facts)

    monkeypatch.setattr(rounds, "decide", deciding)
    assert tick() == (1, 0, 1)
    assert Message.objects.get().campaign == other
    monkeypatch.setattr(rounds, "decide", original)
    assert tick() == (1, 0, 0)


def test_a_page_costs_the_same_for_few_members_and_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.audience.PAGE", 100)

    def cost(language: str) -> int:
        going(bonus_points=5, audience={"field": "language", "op": "eq", "value": language})
        rounds.begin_due(at=NOON)
        with CaptureQueriesContext(connection) as captured:
            rounds.decide_page(Round.objects.latest("pk").pk, at=NOON)
        return len(captured)

    celebrant(language="sv")
    for _ in range(20):
        celebrant(language="fi")
    for language in ("sv", "fi"):
        cost(language)
    assert cost("sv") == cost("fi")
    assert Message.objects.count() == 2 * 21


def test_freezing_takes_one_statement_for_any_number_of_pages() -> None:
    for _ in range(7):
        celebrant()
    going()
    with CaptureQueriesContext(connection) as captured:
        rounds.begin_due(at=NOON)
    frozen = [query for query in captured.captured_queries if "row_number" in (query["sql"] or "")]
    assert len(frozen) == 1
    assert [len(page.member_ids) for page in RoundPage.objects.order_by("number")] == [2, 2, 2, 1]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_beats_at_once_make_one_round_and_one_message_each() -> None:
    for _ in range(9):
        celebrant()
    going(bonus_points=10)
    errors: list[BaseException] = []
    together = threading.Barrier(3)

    def beat() -> None:
        try:
            together.wait(10)
            tick()
            tick()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    beats = [threading.Thread(target=beat) for _ in range(3)]
    for each in beats:
        each.start()
    for each in beats:
        each.join(30)
    assert errors == []
    assert state() == [("once", "decided", 9, 9)]
    assert Message.objects.count() == Event.objects.filter(name="points.earned").count() == 9
    assert Event.objects.filter(name="campaign.started").count() == 1


def test_whom_their_own_data_keeps_from_being_decided_about_has_a_row_that_says_so() -> None:
    broken, sound = celebrant(), celebrant()
    Member.objects.filter(pk=broken.pk).update(time_zone="Nowhere/Land")
    going()
    assert tick() == (1, 0, 1)
    assert tick() == (0, 0, 0)
    rows = Message.objects.order_by("member_id").values_list("member_id", "status", "reason", "arm")
    assert list(rows) == [(broken.pk, "skipped", "error", ""), (sound.pk, "due", "", "treated")]
    assert Round.objects.values_list("to_send", "not_sent", "failed").get() == (1, 0, 1)


def test_a_one_off_halted_before_it_began_can_be_made_a_draft_again() -> None:
    celebrant()
    campaign = mailing(status="scheduled", audience={"field": "gone", "op": "eq", "value": "x"})
    assert tick() == (0, 0, 0)
    campaign.refresh_from_db()
    assert (campaign.status, bool(campaign.problem)) == ("paused", True)
    back = lifecycle.send_back(campaign_id=campaign.pk, staff_id=1, at=NOON)
    assert lifecycle.is_editable(back)


def test_one_that_has_begun_cannot() -> None:
    celebrant()
    campaign = going()
    tick()
    lifecycle.pause(campaign_id=campaign.pk, staff_id=None, at=NOON)
    with pytest.raises(lifecycle.CampaignRefused):
        lifecycle.send_back(campaign_id=campaign.pk, staff_id=1, at=NOON)
    campaign.refresh_from_db()
    assert campaign.status == "paused"
