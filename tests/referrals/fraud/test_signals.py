"""From facts to signals, without a database."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.fraud.signals import Facts, Shared, signals


def kinds(**facts: Any) -> list[str]:
    return [each.kind.value for each in signals(Facts(**facts))]


def test_nothing_known_is_no_signal() -> None:
    assert kinds() == []


@pytest.mark.parametrize("mark", ["email", "phone", "device", "address", "payment"])
def test_each_mark_in_common_is_a_signal_with_whom_it_is_shared(mark: str) -> None:
    (found,) = signals(Facts(shared={mark: Shared(with_referrer=False, with_friends=3)}))
    assert (found.kind, found.facts) == (f"same_{mark}", {"referrer": False, "friends": 3})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"joined_near": 4}, []),
        ({"joined_near": 5}, ["velocity"]),
        ({"circle": 2}, ["circle"]),
        ({"chain": 3}, []),
        ({"chain": 4}, ["chain"]),
        ({"paid": Decimal("19.99"), "minimum": Decimal(20)}, []),
        ({"paid": Decimal("20.00"), "minimum": Decimal(20)}, ["just_enough"]),
        ({"paid": Decimal("22.00"), "minimum": Decimal(20)}, ["just_enough"]),
        ({"paid": Decimal("22.01"), "minimum": Decimal(20)}, []),
        ({"paid": Decimal("0.01"), "minimum": Decimal(0)}, []),
        ({"others_bought": 1, "others_returned": 1}, []),
        ({"others_bought": 2, "others_returned": 2}, ["returned"]),
        ({"others_bought": 10, "others_returned": 3}, ["returned"]),
        ({"others_bought": 11, "others_returned": 3}, []),
        ({"is_disposable": True}, ["disposable"]),
    ],
)
def test_signals_begin_where_they_say(facts: dict[str, Any], expected: list[str]) -> None:
    assert kinds(**facts) == expected


@given(
    st.builds(
        Facts,
        shared=st.dictionaries(
            st.sampled_from(["email", "phone", "device", "address", "payment"]),
            st.builds(Shared, st.booleans(), st.integers(0, 9)),
        ),
        joined_near=st.integers(1, 50),
        circle=st.integers(0, 9),
        chain=st.integers(1, 30),
        paid=st.none() | st.decimals(0, 1000, places=2),
        minimum=st.none() | st.decimals(0, 1000, places=2),
        others_bought=st.integers(0, 50),
        others_returned=st.integers(0, 50),
        is_disposable=st.booleans(),
    )
)
def test_each_kind_comes_once_whatever_is_known(facts: Facts) -> None:
    found = [each.kind for each in signals(facts)]
    assert len(found) == len(set(found))
