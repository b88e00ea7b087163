"""``docs/worked-examples.md`` says what comes out; here it is carried out as it stands."""

import pytest

from tests.rewards.worked_examples import Example, NotUnderstood, carry_out, examples

pytestmark = pytest.mark.django_db

ALL = list(examples())


@pytest.mark.parametrize("example", ALL, ids=[example.title for example in ALL])
def test_example(example: Example) -> None:
    carry_out(example)


def test_there_are_enough_examples_and_each_checks_something() -> None:
    assert len(ALL) >= 24
    assert len({example.title for example in ALL}) == len(ALL)
    for example in ALL:
        assert any(line.startswith("= ") for line in example.lines), example.title


@pytest.mark.parametrize(
    "line", ["buy r1 10.00", "= available ten", "rule x: 5 points, on a whim", "2026-03-07 sing", "= r1"]
)
def test_what_is_not_understood_is_not_passed_over(line: str) -> None:
    with pytest.raises(NotUnderstood):
        carry_out(Example("Nonsense", (line,)))


def test_what_is_wrong_is_found() -> None:
    with pytest.raises(AssertionError):
        carry_out(Example("Wrong", ("2026-03-07 buy r1: 10.00", "= available 11")))
