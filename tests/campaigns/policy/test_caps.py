"""How many messages a member may get in a day, a week and a month of their own calendar."""

import datetime as dt
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.policy.caps import Counted, Limit, Window, limits_of, narrow_first, room_for

MONDAY = dt.date(2026, 6, 15)


def sent(day: dt.date, channel: str = "email", *, priority: int = 50, number: int = 0) -> Counted:
    return Counted(day, channel, priority, number, is_due=False)


def waiting(day: dt.date, channel: str = "email", *, priority: int, number: int) -> Counted:
    return Counted(day, channel, priority, number, is_due=True)


def room(day: dt.date, limits: tuple[Limit, ...], counted: list[Counted], priority: int = 50) -> object:
    return room_for(day, priority=priority, limits=limits, counted=counted)


@pytest.mark.parametrize(
    ("window", "others"),
    [
        (Window.DAY, {MONDAY: True, dt.date(2026, 6, 14): False, dt.date(2026, 6, 16): False}),
        (Window.WEEK, {dt.date(2026, 6, 21): True, dt.date(2026, 6, 14): False, dt.date(2026, 6, 22): False}),
        (Window.MONTH, {dt.date(2026, 6, 1): True, dt.date(2026, 5, 31): False, dt.date(2025, 6, 15): False}),
    ],
)
def test_a_message_takes_a_place_in_its_own_window_only(window: Window, others: dict[dt.date, bool]) -> None:
    for day, is_in_it in others.items():
        assert room(MONDAY, (Limit(window, 1),), [sent(day)]) == (None if is_in_it else ())


def test_a_week_that_the_year_ends_in_is_one_week() -> None:
    week = (Limit(Window.WEEK, 1),)
    assert room(dt.date(2026, 12, 31), week, [sent(dt.date(2027, 1, 3))]) is None
    assert room(dt.date(2026, 12, 31), week, [sent(dt.date(2027, 1, 4))]) == ()
    assert room(dt.date(2026, 12, 31), (Limit(Window.MONTH, 1),), [sent(dt.date(2027, 1, 1))]) == ()


def test_a_channels_limit_counts_that_channel_and_the_others_count_them_all() -> None:
    limits = narrow_first(
        (*limits_of(per_day=2, per_week=None, per_month=None), Limit(Window.DAY, 1, "email"))
    )
    assert room(MONDAY, limits, [sent(MONDAY, "sms")]) == ()
    assert room(MONDAY, limits, [sent(MONDAY, "email")]) is None
    assert room(MONDAY, limits, [sent(MONDAY, "sms"), sent(MONDAY, "push")]) is None


def test_a_limit_of_none_at_all_lets_nothing_through() -> None:
    assert room(MONDAY, (Limit(Window.MONTH, 0),), [], priority=100) is None


def test_only_what_is_less_important_and_still_waits_gives_way() -> None:
    day = (Limit(Window.DAY, 1),)
    assert room(MONDAY, day, [waiting(MONDAY, priority=49, number=1)]) == (
        waiting(MONDAY, priority=49, number=1),
    )
    assert room(MONDAY, day, [waiting(MONDAY, priority=50, number=1)]) is None
    assert room(MONDAY, day, [sent(MONDAY, priority=1)]) is None


def test_the_least_important_gives_way_and_of_equals_the_last() -> None:
    today, friday = MONDAY, MONDAY + dt.timedelta(days=4)
    counted = [
        waiting(today, priority=20, number=1),
        waiting(today, priority=10, number=2),
        waiting(friday, priority=10, number=3),
    ]
    week = (Limit(Window.WEEK, 3),)
    assert room(today, week, counted) == (counted[2],)
    assert room(today, (Limit(Window.WEEK, 2),), counted) == (counted[2], counted[1])


def test_nobody_gives_way_when_that_would_not_be_enough() -> None:
    counted = [waiting(MONDAY, priority=1, number=1), sent(MONDAY + dt.timedelta(days=1))]
    limits = narrow_first([Limit(Window.WEEK, 1), Limit(Window.DAY, 1)])
    assert room(MONDAY, limits, counted) is None


def test_what_gives_way_today_makes_room_in_the_week_too() -> None:
    tuesday = waiting(MONDAY + dt.timedelta(days=1), priority=1, number=2)
    today = waiting(MONDAY, priority=5, number=1)
    limits = narrow_first([Limit(Window.WEEK, 2), Limit(Window.DAY, 1)])
    assert room(MONDAY, limits, [today, tuesday]) == (today,)


LIMITS = st.lists(
    st.builds(
        Limit,
        window=st.sampled_from(Window),
        most=st.integers(0, 4),
        channel=st.sampled_from([None, "email", "sms"]),
    ),
    max_size=5,
)
ASKED = st.lists(
    st.tuples(
        st.integers(-40, 40), st.sampled_from(["email", "sms", "push"]), st.integers(0, 3), st.booleans()
    ),
    max_size=30,
)


def window_of(window: Window, day: dt.date) -> object:
    if window == Window.DAY:
        return day
    return day.isocalendar()[:2] if window == Window.WEEK else (day.year, day.month)


@given(limits=LIMITS, asked=ASKED)
def test_no_sequence_of_messages_ever_exceeds_a_limit(
    limits: list[Limit], asked: list[tuple[int, str, int, bool]]
) -> None:
    counted: list[Counted] = []
    for number, (offset, channel, priority, stays_due) in enumerate(asked, start=1):
        day = dt.date(2026, 12, 31) + dt.timedelta(days=offset)
        holding = narrow_first(each for each in limits if each.channel in {None, channel})
        displaced = room_for(day, priority=priority, limits=holding, counted=counted)
        if displaced is None:
            continue
        assert all(each.is_due and each.priority < priority for each in displaced)
        assert len(set(displaced)) == len(displaced)
        counted = [each for each in counted if each not in displaced]
        counted.append(Counted(day, channel, priority, number, stays_due))
        for limit in limits:
            taken = Counter(
                window_of(limit.window, each.day) for each in counted if limit.channel in {None, each.channel}
            )
            assert all(number <= limit.most for number in taken.values())


@given(limits=LIMITS, asked=ASKED)
def test_a_message_is_turned_away_only_where_a_limit_is_full(
    limits: list[Limit], asked: list[tuple[int, str, int, bool]]
) -> None:
    counted: list[Counted] = []
    for number, (offset, channel, _priority, _due) in enumerate(asked, start=1):
        day = dt.date(2026, 12, 31) + dt.timedelta(days=offset)
        holding = narrow_first(each for each in limits if each.channel in {None, channel})
        new = Counted(day, channel, 50, number)
        is_full = any(
            sum(
                window_of(limit.window, each.day) == window_of(limit.window, day)
                and limit.channel in {None, each.channel}
                for each in counted
            )
            >= limit.most
            for limit in holding
        )
        assert (room_for(day, priority=50, limits=holding, counted=counted) is None) == is_full
        if not is_full:
            counted.append(new)
