"""The verdict about one candidate: the first thing against it, in the order of the policy."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from campaigns.experiments.assignment import Assignment
from campaigns.policy.caps import Counted, Limit, Window
from campaigns.policy.facts import Candidate, Facts
from campaigns.policy.rules import Rules, Way
from campaigns.policy.verdicts import Verdict, verdict

NOON = dt.datetime(2026, 6, 15, 9, 0, tzinfo=dt.UTC)
"""Noon in Helsinki, a Monday."""
TODAY = dt.date(2026, 6, 15)
SPOKEN = {"fi": "fi", "sv": "fi", "en": "en"}
DAILY = (Limit(Window.DAY, 1),)
NOBODY = Assignment(
    global_key="global:1",
    global_hold_out=0,
    hold_out_key="c:hold-out",
    hold_out=0,
    variant_key="c:variant",
    variant_ids=(7,),
    edges=(1,),
    test_key="c:test",
    test=1,
)


def way(channel: str = "email", **facts: Any) -> Way:
    facts.setdefault("languages", SPOKEN)
    return Way(channel=channel, is_counted=channel != "inbox", **facts)


def rules(*ways: Way, **facts: Any) -> Rules:
    ways = ways or (way(),)
    defaults: dict[str, Any] = {
        "campaign_id": 1,
        "consent": "marketing",
        "ways": {each.channel: each for each in ways},
        "first_channel": "email",
        "priority": 50,
        "points": 10,
        "assignment": NOBODY,
    }
    return Rules(**{**defaults, **facts})


def known(**facts: Any) -> Facts:
    """A member who agrees to everything and can be reached by everything."""
    defaults: dict[str, Any] = {
        "candidate": Candidate(1, "once", NOON),
        "is_member": True,
        "language": "fi",
        "time_zone": "Europe/Helsinki",
        "email": "aino@example.com",
        "phone": "+358401234567",
        "has_browser": True,
        "consents": ["email", "sms", "push"],
    }
    return Facts(**{**defaults, **facts})


def judged(facts: Facts, given: Rules, *, at: dt.datetime = NOON) -> Verdict:
    return verdict(facts, given, at=at, counted=facts.counted)


def test_who_has_nothing_against_it_is_written_to() -> None:
    assert judged(known(), rules()) == Verdict(
        status="due",
        channel="email",
        language="fi",
        due_at=NOON,
        arm="treated",
        variant_id=7,
        points=10,
        day=TODAY,
    )


def test_the_first_reason_in_the_order_of_the_policy_is_the_one_that_is_told() -> None:
    """Everything is against it; what is told is taken away, one after the other, until nothing is left."""
    facts = known(
        candidate=Candidate(1, "once", NOON, settled="too_late"),
        is_member=False,
        paused_until=TODAY + dt.timedelta(days=1),
        consents=[],
        email="",
        suppressed=("email",),
        counted=[Counted(TODAY, "email", 50)],
    )
    given = rules(
        way(languages={}, limits=DAILY, quiet_from=dt.time(11), quiet_to=dt.time(13)),
        assignment=replace(NOBODY, global_hold_out=1, hold_out=1),
    )
    told = []

    def tell() -> None:
        result = judged(facts, given)
        told.append((result.status, result.reason, result.detail, result.arm))

    tell()
    facts.candidate = replace(facts.candidate, settled="")
    tell()
    facts.is_member = True
    tell()
    facts.paused_until = TODAY
    tell()
    facts.consents = ["email"]
    tell()
    facts.email = "aino@example.com"
    tell()
    facts.suppressed = ()
    tell()
    given = replace(given, ways={"email": replace(given.ways["email"], languages=SPOKEN)})
    tell()
    facts.counted = []
    tell()
    given = replace(given, assignment=replace(NOBODY, hold_out=1))
    tell()
    given = replace(given, assignment=NOBODY)
    tell()
    given = rules(way(limits=DAILY))
    tell()
    assert told == [
        ("skipped", "too_late", "", ""),
        ("skipped", "not_a_member", "", ""),
        ("skipped", "on_pause", "", ""),
        ("skipped", "no_channel", "email: no_consent", ""),
        ("skipped", "no_channel", "email: no_address", ""),
        ("skipped", "suppressed", "email: suppressed", ""),
        ("skipped", "no_text", "email: no_text", ""),
        ("skipped", "capped", "", ""),
        ("held_out", "global_hold_out", "", "global"),
        ("held_out", "hold_out", "", "held_out"),
        ("due", "quiet_hours", "", "treated"),
        ("due", "", "", "treated"),
    ]


def test_who_is_held_out_gets_neither_points_nor_variant_and_takes_nobodys_place() -> None:
    lesser = Counted(TODAY, "email", 1, 5, True)
    given = rules(way(limits=DAILY), assignment=replace(NOBODY, hold_out=1))
    result = judged(known(counted=[lesser]), given)
    assert result == Verdict(
        status="held_out", channel="email", language="fi", due_at=NOON, reason="hold_out", arm="held_out"
    )
    assert judged(known(counted=[lesser]), replace(given, assignment=NOBODY)).displaces == (lesser,)


def test_the_points_of_the_candidate_go_before_those_of_the_campaign() -> None:
    assert judged(known(candidate=Candidate(1, "once", NOON, points=3)), rules()).points == 3
    assert judged(known(candidate=Candidate(1, "once", NOON, points=0)), rules()).points == 0


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"consents": []}, "no_consent"),
        ({"email": ""}, "no_address"),
        ({"suppressed": ("email",)}, "suppressed"),
    ],
)
def test_the_portal_stands_in_for_email_and_says_why(facts: dict[str, Any], reason: str) -> None:
    result = judged(known(**facts), rules(way(), way("inbox")))
    assert (result.status, result.channel, result.reason, result.day) == ("due", "inbox", reason, None)


def test_the_first_way_of_the_campaign_that_reaches_them_is_taken() -> None:
    given = rules(way("push"), way("sms"), way("email"))
    assert judged(known(), given).channel == "push"
    assert judged(known(has_browser=False), given).channel == "sms"
    assert judged(known(has_browser=False, phone=""), given).channel == "email"
    assert judged(known(consents=["email"]), given).channel == "email"
    nothing = judged(known(consents=["sms"], phone=""), given)
    assert (nothing.reason, nothing.detail) == (
        "no_channel",
        "push: no_consent, sms: no_address, email: no_consent",
    )


def test_the_preferred_way_comes_first_where_the_campaign_has_it_and_it_reaches_them() -> None:
    given = rules(way("email"), way("sms"))
    assert judged(known(preferred_channel="sms"), given).channel == "sms"
    assert judged(known(preferred_channel="sms", phone=""), given).channel == "email"
    assert judged(known(preferred_channel="push"), given).channel == "email"


def test_a_campaign_whose_ways_are_not_in_use_reaches_nobody() -> None:
    result = judged(known(), replace(rules(), ways={}))
    assert (result.status, result.reason, result.channel) == ("skipped", "no_channel", "email")


def test_the_webhook_needs_a_consent_by_any_way_and_no_address() -> None:
    assert judged(known(email="", consents=["sms"]), rules(way("webhook"))).status == "due"
    assert judged(known(consents=[]), rules(way("webhook"))).reason == "no_channel"


def test_what_is_about_the_members_own_account_takes_no_consent_and_no_notice_of_a_pause_but_caps() -> None:
    service = rules(way(limits=DAILY), consent="")
    facts = known(consents=None, paused_until=dt.date(2030, 1, 1))
    assert judged(facts, service).status == "due"
    facts.counted = [Counted(TODAY, "sms", 50)]
    assert judged(facts, service).reason == "capped"


@pytest.mark.parametrize(
    ("zone", "paused_until", "status"),
    [
        ("Europe/Helsinki", "2026-06-15", "due"),
        ("Europe/Helsinki", "2026-06-16", "skipped"),
        ("Pacific/Kiritimati", "2026-06-16", "skipped"),
        ("Etc/GMT+12", "2026-06-15", "skipped"),
    ],
)
def test_a_pause_ends_on_the_members_own_calendar(zone: str, paused_until: str, status: str) -> None:
    """At 09:00 UTC it is the 15th in Helsinki and (23:00) on Kiritimati, and the 14th at UTC-12."""
    facts = known(time_zone=zone, paused_until=dt.date.fromisoformat(paused_until))
    assert judged(facts, rules()).status == status


def test_the_day_that_counts_is_the_one_after_the_quiet_hours() -> None:
    night = way(limits=DAILY, quiet_from=dt.time(21), quiet_to=dt.time(9))
    late = Candidate(1, "once", dt.datetime(2026, 6, 15, 19, 0, tzinfo=dt.UTC))  # 22:00 in Helsinki
    morning = dt.datetime(2026, 6, 16, 6, 0, tzinfo=dt.UTC)
    result = judged(known(candidate=late, counted=[Counted(TODAY, "email", 50)]), rules(night))
    assert (result.status, result.reason, result.due_at) == ("due", "quiet_hours", morning)
    assert result.day == TODAY + dt.timedelta(days=1)
    tomorrow = [Counted(TODAY + dt.timedelta(days=1), "email", 50)]
    assert judged(known(candidate=late, counted=tomorrow), rules(night)).reason == "capped"


def test_what_was_due_before_now_is_judged_by_now() -> None:
    night = way(limits=DAILY, quiet_from=dt.time(21), quiet_to=dt.time(9))
    yesterday = Candidate(1, "once", NOON - dt.timedelta(days=1))
    at = dt.datetime(2026, 6, 15, 20, 0, tzinfo=dt.UTC)  # 23:00 in Helsinki
    result = judged(known(candidate=yesterday), rules(night), at=at)
    assert result.due_at == dt.datetime(2026, 6, 16, 6, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("zone", "day"), [("Pacific/Kiritimati", "2027-01-01"), ("Etc/GMT+12", "2026-12-31")]
)
def test_the_year_ends_on_the_members_own_calendar(zone: str, day: str) -> None:
    eve = Candidate(1, "once", dt.datetime(2026, 12, 31, 13, 0, tzinfo=dt.UTC))
    given = rules(way(limits=(Limit(Window.MONTH, 1),)))
    december = [Counted(dt.date(2026, 12, 1), "email", 50)]
    result = judged(known(candidate=eve, time_zone=zone, counted=december), given)
    if day.startswith("2027"):
        assert (result.status, str(result.day)) == ("due", day)
    else:
        assert (result.status, result.reason) == ("skipped", "capped")


def test_the_members_own_number_a_week_holds_besides_the_programmes() -> None:
    week = [Counted(TODAY, "sms", 50)]
    given = rules(way(limits=(Limit(Window.WEEK, 5),)))
    assert judged(known(counted=week, per_week=1), given).reason == "capped"
    assert judged(known(counted=week, per_week=2), given).status == "due"
    assert judged(known(counted=week, per_week=1), rules(way("inbox"))).status == "due"


def test_those_outside_the_test_wait_for_the_winner() -> None:
    later = NOON + dt.timedelta(hours=4)
    given = rules(waits_until=later, assignment=replace(NOBODY, test=0))
    result = judged(known(), given)
    assert (result.status, result.arm, result.variant_id, result.due_at) == ("due", "treated", None, later)
    tried = judged(known(), replace(given, assignment=replace(NOBODY, test=0.999999)))
    assert (tried.variant_id, tried.due_at) == (7, NOON)
    evening = Candidate(1, "once", NOON + dt.timedelta(hours=8))
    assert judged(known(candidate=evening), given).due_at == evening.due_at


def test_a_language_without_a_text_is_answered_in_one_that_there_is() -> None:
    assert judged(known(language="sv"), rules()).language == "fi"
    assert judged(known(language="xx"), rules()).language == "fi"
