"""Quiet hours on the member's own clock."""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.policy.quiet import held_until

NIGHT = (dt.time(21), dt.time(9))
MINUTE = dt.timedelta(minutes=1)


def held(due: str, zone: str, quiet: tuple[dt.time | None, dt.time | None] = NIGHT) -> str:
    """The wall clock on which something due at this wall clock (of the same zone) goes out."""
    when = dt.datetime.fromisoformat(due).replace(tzinfo=zoneinfo.ZoneInfo(zone))
    until = held_until(when.astimezone(dt.UTC), time_zone=zone, quiet_from=quiet[0], quiet_to=quiet[1])
    return until.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None).isoformat(" ", "minutes")


@pytest.mark.parametrize(
    ("due", "until"),
    [
        ("2026-06-15 20:59", "2026-06-15 20:59"),
        ("2026-06-15 21:00", "2026-06-16 09:00"),
        ("2026-06-15 23:59", "2026-06-16 09:00"),
        ("2026-06-16 00:00", "2026-06-16 09:00"),
        ("2026-06-16 08:59", "2026-06-16 09:00"),
        ("2026-06-16 09:00", "2026-06-16 09:00"),
        ("2026-12-31 23:30", "2027-01-01 09:00"),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Helsinki", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_night_across_midnight_is_one_stretch_everywhere(due: str, until: str, zone: str) -> None:
    assert held(due, zone) == until


def test_hours_within_a_day_end_on_that_day() -> None:
    noon = (dt.time(12), dt.time(13))
    assert held("2026-06-15 12:30", "Europe/Helsinki", noon) == "2026-06-15 13:00"
    assert held("2026-06-15 13:00", "Europe/Helsinki", noon) == "2026-06-15 13:00"
    assert held("2026-06-15 11:59", "Europe/Helsinki", noon) == "2026-06-15 11:59"


@pytest.mark.parametrize("quiet", [(None, None), (dt.time(9), dt.time(9))])
def test_without_hours_or_with_empty_ones_nothing_is_held(
    quiet: tuple[dt.time | None, dt.time | None],
) -> None:
    assert held("2026-06-15 23:00", "Europe/Helsinki", quiet) == "2026-06-15 23:00"


def test_an_end_that_the_clock_jumps_over_is_the_jump() -> None:
    """In Helsinki 03:00 becomes 04:00 on 29 March 2026: there is no half past three."""
    assert held("2026-03-29 02:00", "Europe/Helsinki", (dt.time(21), dt.time(3, 30))) == "2026-03-29 04:00"


def test_a_beginning_that_the_clock_jumps_over_is_the_jump() -> None:
    assert held("2026-03-29 04:00", "Europe/Helsinki", (dt.time(3, 30), dt.time(6))) == "2026-03-29 06:00"
    assert held("2026-03-29 02:59", "Europe/Helsinki", (dt.time(3, 30), dt.time(6))) == "2026-03-29 02:59"


def test_an_hour_that_comes_twice_is_quiet_both_times() -> None:
    """In Helsinki 04:00 becomes 03:00 again on 25 October 2026: half past three comes twice, the last one ends it."""
    due = dt.datetime(2026, 10, 24, 22, 0, tzinfo=dt.UTC)
    until = held_until(due, time_zone="Europe/Helsinki", quiet_from=dt.time(21), quiet_to=dt.time(3, 30))
    assert until == dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC)  # in winter time: the second of the two
    between = dt.datetime(2026, 10, 25, 1, 5, tzinfo=dt.UTC)
    assert held_until(
        between, time_zone="Europe/Helsinki", quiet_from=dt.time(3, 10), quiet_to=dt.time(6)
    ) == dt.datetime(2026, 10, 25, 4, 0, tzinfo=dt.UTC)


def test_the_only_hour_that_is_not_quiet_may_be_one_that_is_jumped_over() -> None:
    """Quiet but for twenty minutes, which this day does not have: the next day has them."""
    quiet = (dt.time(3, 30), dt.time(3, 10))
    assert held("2026-03-28 12:00", "Europe/Helsinki", quiet) == "2026-03-30 03:10"


ZONES = st.sampled_from(
    [
        "Europe/Helsinki",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
        "Asia/Kathmandu",
        "America/St_Johns",
        "Africa/Casablanca",
    ]
)
TIMES = st.times().map(lambda time: time.replace(second=0, microsecond=0))
MOMENTS = st.one_of(
    st.datetimes(dt.datetime(2025, 12, 20), dt.datetime(2027, 1, 10), timezones=st.just(dt.UTC)),
    st.sampled_from(
        [dt.datetime(2026, 3, 29, 1), dt.datetime(2026, 10, 25, 1), dt.datetime(2026, 12, 31, 22)]
    ).flatmap(
        lambda near: st.integers(-600, 600).map(
            lambda minutes: near.replace(tzinfo=dt.UTC) + minutes * MINUTE
        )
    ),
)


def is_quiet(moment: dt.datetime, zone: str, quiet_from: dt.time, quiet_to: dt.time) -> bool:
    """By the wall clock alone."""
    shown = moment.astimezone(zoneinfo.ZoneInfo(zone)).time()
    if quiet_from < quiet_to:
        return quiet_from <= shown < quiet_to
    return shown >= quiet_from or shown < quiet_to


def changes_within(zone: str, since: dt.datetime, until: dt.datetime) -> bool:
    """Whether clocks change from a day before to a day after the two moments."""
    day = dt.timedelta(days=1)
    offsets = set()
    moment = since - day
    while moment <= until + day:
        offsets.add(moment.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset())
        moment += dt.timedelta(hours=1)
    return len(offsets) > 1


@given(due=MOMENTS, zone=ZONES, quiet_from=TIMES, quiet_to=TIMES)
def test_what_is_held_goes_out_outside_quiet_hours_and_not_later_than_it_must(
    due: dt.datetime, zone: str, quiet_from: dt.time, quiet_to: dt.time
) -> None:
    until = held_until(due, time_zone=zone, quiet_from=quiet_from, quiet_to=quiet_to)
    if quiet_from == quiet_to:
        assert until == due
        return
    assert until >= due
    assert not is_quiet(until, zone, quiet_from, quiet_to)
    assert held_until(until, time_zone=zone, quiet_from=quiet_from, quiet_to=quiet_to) == until
    if not is_quiet(due, zone, quiet_from, quiet_to) and not changes_within(zone, due, due):
        assert until == due
    if until > due and not changes_within(zone, due, until):
        for part in range(100):
            assert is_quiet(due + (until - due) * part / 100, zone, quiet_from, quiet_to)
