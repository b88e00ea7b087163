"""The rules of tiers against a plain model: windows, keeps and downgrades over random histories and dates."""

import datetime as dt
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.tier_rules import (
    Calendar,
    Entry,
    Held,
    Hold,
    Level,
    TierRules,
    decide,
    highest,
    kept_until,
    look,
)

ZONE = "Europe/Helsinki"
HELSINKI = zoneinfo.ZoneInfo(ZONE)
DAY = dt.timedelta(days=1)
LEVELS = tuple(
    Level(number, code, {"en": code}, number, threshold, Decimal(1))
    for number, (code, threshold) in enumerate(
        [("bronze", 0), ("silver", 100), ("gold", 300), ("platinum", 900)], start=1
    )
)
BRONZE, SILVER, GOLD, PLATINUM = LEVELS


def rules(**facts: object) -> TierRules:
    days = facts.pop("days", 365)
    return TierRules(
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        dt.timedelta(days=days),
        LEVELS,
        **facts,  # type: ignore[arg-type]
    )


def at(text: str) -> dt.datetime:
    """A moment in Helsinki."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=HELSINKI).astimezone(dt.UTC)


def counted(
    rules_: TierRules, entries: list[Entry], moment: dt.datetime, joined: str = "2020-06-15T12:00"
) -> int | Decimal:
    return highest(look(rules_, moment, Calendar(ZONE, at(joined))), entries)


# --- The plain model: one moment at a time, days as people count them -------------------------------------------------


def local(moment: dt.datetime) -> dt.date:
    return moment.astimezone(HELSINKI).date()


def year_number(day: dt.date, joined: dt.date | None) -> int:
    """Which calendar or membership year a day is in."""
    if joined is None:
        return day.year
    begins = (joined.month, joined.day)
    if begins == (2, 29) and not (day.year % 4 == 0 and (day.year % 100 or day.year % 400 == 0)):
        begins = (2, 28)
    return day.year - ((day.month, day.day) < begins)


def plain_amount(r: TierRules, entries: list[Entry], moment: dt.datetime, joined: dt.date) -> int | Decimal:
    """What is in the window that ends at a moment."""
    total: int | Decimal = 0
    for entry in entries:
        if entry.at > moment:
            continue
        if r.window_kind == "rolling" and entry.at <= moment - r.window:
            continue
        if r.window_kind in ("calendar", "membership"):
            by = joined if r.window_kind == "membership" else None
            if year_number(local(entry.at), by) != year_number(local(moment), by):
                continue
        total += entry.value
    return total


def still_counts(r: TierRules, earned: dt.datetime, moment: dt.datetime, joined: dt.date) -> bool:
    """Whether a tier earned at one moment is kept at a later one."""
    if earned == moment:
        return True
    if r.keep == "days" and (local(moment) - local(earned)).days <= r.keep_length:
        return True
    if r.keep in ("calendar", "membership"):
        by = joined if r.keep == "membership" else None
        if year_number(local(moment), by) - year_number(local(earned), by) <= r.keep_length:
            return True
    if r.downgrade == "period_end":
        by = joined if "membership" in (r.window_kind, r.keep) else None
        # Years end; a tier is lost so many days of grace later. Since the last such loss nothing is lost, and what was
        # held at the very end of that year still counted then.
        lost_last = year_number(local(moment) - r.grace_days * DAY, by)
        return year_number(local(earned + dt.timedelta(microseconds=1)), by) >= lost_last
    return False


def plain(r: TierRules, entries: list[Entry], moment: dt.datetime, joined: dt.date) -> int | Decimal:
    """The highest amount at any moment whose tier is still kept: at each entry, and where something ends."""
    days = (
        {local(moment) - n * DAY for n in range(3 * 366 + 60)} if r.keep != "none" or r.downgrade else set()
    )
    moments = {moment, *(entry.at for entry in entries if entry.at <= moment)}
    for day in days:
        start = dt.datetime.combine(day, dt.time.min, tzinfo=HELSINKI).astimezone(dt.UTC)
        moments |= {each for each in (start, start - dt.timedelta(microseconds=1)) if each <= moment}
    return max(
        plain_amount(r, entries, each, joined) for each in moments if still_counts(r, each, moment, joined)
    )


EDGES = [
    at("2024-02-28T23:30"), at("2024-02-29T00:00"), at("2024-02-29T23:59:59"), at("2024-03-01T00:00"),
    at("2024-12-31T23:59:59.999999"), at("2025-01-01T00:00"), at("2025-01-01T00:30"), at("2025-02-28T12:00"),
    at("2025-03-01T00:00"), at("2024-03-31T02:59"), at("2024-10-27T03:30"), at("2025-12-31T22:30"),
    at("2026-01-01T01:30"),
]  # fmt: skip
moments = st.one_of(
    st.sampled_from(EDGES),
    st.datetimes(dt.datetime(2023, 1, 1), dt.datetime(2026, 6, 1), timezones=st.just(dt.UTC)),
)
histories = st.lists(st.builds(Entry, moments, st.integers(0, 400)), max_size=12)
all_rules = st.builds(
    rules,
    days=st.sampled_from([30, 90, 365]),
    window_kind=st.sampled_from(["rolling", "calendar", "membership", "lifetime"]),
    keep=st.sampled_from(["none", "days", "calendar", "membership"]),
    keep_length=st.integers(0, 2),
    downgrade=st.sampled_from(["at_once", "period_end"]),
    grace_days=st.sampled_from([0, 1, 31]),
)
joinings = st.sampled_from(["2020-02-29T12:00", "2020-06-15T23:30", "2021-12-31T23:59", "2021-01-01T00:00"])


@settings(max_examples=60)
@given(all_rules, histories, moments, joinings)
def test_what_counts_is_what_a_plain_model_counts(
    r: TierRules, entries: list[Entry], moment: dt.datetime, joined: str
) -> None:
    assert counted(r, entries, moment, joined) == plain(r, entries, moment, local(at(joined)))


@settings(max_examples=60)
@given(all_rules, moments, moments, joinings)
def test_kept_until_is_the_first_moment_at_which_it_is_no_longer_kept(
    r: TierRules, earned: dt.datetime, moment: dt.datetime, joined: str
) -> None:
    if r.downgrade != "period_end" and r.keep != "none" and earned < moment:
        calendar = Calendar(ZONE, at(joined))
        assert (kept_until(r, earned, calendar) > moment) == still_counts(
            r, earned, moment, local(at(joined))
        )


# --- Named cases ------------------------------------------------------------------------------------------------------


def test_the_calendar_year_is_the_programmes_not_utcs() -> None:
    entries = [
        Entry(dt.datetime(2024, 12, 31, 22, 30, tzinfo=dt.UTC), 100)
    ]  # 00.30 on New Year's Day in Helsinki
    r = rules(window_kind="calendar")

    assert counted(r, entries, at("2025-06-01T12:00")) == 100
    assert counted(r, entries, dt.datetime(2024, 12, 31, 21, 59, tzinfo=dt.UTC)) == 0


def test_a_membership_year_of_29_february_begins_on_the_28th_in_common_years() -> None:
    r = rules(window_kind="membership")
    entries = [Entry(at("2025-02-27T12:00"), 1), Entry(at("2025-02-28T12:00"), 10)]

    assert counted(r, entries, at("2025-02-27T23:59"), "2020-02-29T10:00") == 1
    assert counted(r, entries, at("2025-06-01T12:00"), "2020-02-29T10:00") == 10


def test_a_tier_is_kept_until_the_end_of_the_next_year() -> None:
    r = rules(window_kind="calendar", keep="calendar", keep_length=1)
    entries = [Entry(at("2024-03-01T12:00"), 300)]

    assert counted(r, entries, at("2025-12-31T23:59")) == 300
    assert counted(r, entries, at("2026-01-01T00:00")) == 0


def test_days_of_grace_delay_the_fall_and_a_rise_meanwhile_counts() -> None:
    r = rules(window_kind="calendar", downgrade="period_end", grace_days=31)
    entries = [Entry(at("2023-03-01T12:00"), 300), Entry(at("2024-06-01T12:00"), 100)]
    calendar = Calendar(ZONE)

    def tier(moment: str) -> str:
        held = Held(GOLD.tier_id)
        return decide(r, held, counted(r, entries, at(moment)), at=at(moment), calendar=calendar).level.code

    assert tier("2024-12-31T12:00") == "gold"  # reached in 2023, held throughout 2024
    assert tier("2025-01-31T23:59") == "gold"  # the grace
    assert tier("2025-02-01T00:00") == "silver"  # what 2024 gave, held throughout 2025
    assert tier("2026-02-01T00:00") == "bronze"


def test_what_is_taken_back_takes_the_keep_with_it() -> None:
    """Gold by a purchase that was returned is no gold until the end of next year."""
    r = rules(window_kind="calendar", keep="calendar", keep_length=1)
    bought = at("2024-12-31T12:00")

    assert counted(r, [Entry(bought, 300), Entry(bought, -300)], at("2025-01-05T12:00")) == 0


NOW = at("2025-05-01T12:00")


@pytest.mark.parametrize(
    ("downgrade", "stepped_at", "expected"),
    [
        ("at_once", None, ("bronze", "reviewed", True)),
        ("never", None, ("platinum", "reviewed", False)),
        ("one_step", None, ("gold", "stepped", True)),
        ("one_step", NOW - 29 * DAY, ("platinum", "stepped", False)),
        ("one_step", NOW - 31 * DAY, ("gold", "stepped", True)),
        ("period_end", None, ("bronze", "period_end", True)),
    ],
)
def test_how_a_tier_falls(
    downgrade: str, stepped_at: dt.datetime | None, expected: tuple[str, str, bool]
) -> None:
    r = rules(downgrade=downgrade, keep="days", keep_length=30)
    held = Held(PLATINUM.tier_id, stepped_at=stepped_at)
    found = decide(r, held, 0, at=NOW, calendar=Calendar(ZONE))

    assert (found.level.code, found.reason, found.changed) == expected


@pytest.mark.parametrize(
    ("kind", "tier", "amount", "expected"),
    [
        ("floor", SILVER, 0, ("silver", True)),
        ("floor", SILVER, 300, ("gold", False)),
        ("floor", PLATINUM, 0, ("platinum", True)),
        ("lock", SILVER, 900, ("silver", True)),
        ("lock", GOLD, 0, ("gold", False)),
    ],
)
def test_a_floor_lets_rise_and_a_lock_holds(
    kind: str, tier: Level, amount: int, expected: tuple[str, bool]
) -> None:
    held = Held(GOLD.tier_id, Hold(tier.tier_id, kind, NOW))
    found = decide(rules(), held, amount, at=NOW, calendar=Calendar(ZONE))

    assert (found.level.code, found.changed) == expected


def test_a_tier_no_longer_offered_is_left_for_what_the_amount_gives() -> None:
    found = decide(
        rules(downgrade="never"), Held(99, Hold(99, "lock", NOW)), 150, at=NOW, calendar=Calendar(ZONE)
    )

    assert (found.level.code, found.reason, found.changed) == ("silver", "terms", True)
