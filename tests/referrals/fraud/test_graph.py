"""Circles and chains: pure, over the whole graph, and around referrals."""

import datetime as dt
import itertools
from collections.abc import Sequence

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from members.models import Member
from referrals.fraud import graph, picture
from referrals.fraud.graph import Circle, all_chains, all_circles, chains_of, circles, circles_of
from referrals.fraud.marks import note_marks
from referrals.models import Referral
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY

Pairs = Sequence[tuple[int, int]]


@pytest.mark.parametrize(
    ("pairs", "alike", "expected"),
    [
        ([], [], []),
        ([(1, 0), (2, 1), (3, 1)], [], []),
        ([(1, 0), (0, 1)], [], [Circle((0, 1), 2)]),
        ([(1, 0), (2, 1), (0, 2), (3, 2), (4, 3)], [], [Circle((0, 1, 2), 3)]),
        ([(1, 0)], [[0, 1]], []),  # the mark says it already
        ([(1, 0), (2, 1)], [[0, 2]], [Circle((1, 2), 2)]),
        ([(1, 0), (2, 1), (4, 3)], [[0, 3], [3, 2]], [Circle((1, 2), 2)]),  # alike by way of a third
        ([(1, 0), (3, 2)], [[1, 2], [3, 4]], []),
        ([(1, 0), (0, 1), (3, 2), (2, 3)], [], [Circle((0, 1), 2), Circle((2, 3), 2)]),
    ],
)
def test_circles_lead_back_by_way_of_others(
    pairs: Pairs, alike: list[list[int]], expected: list[Circle]
) -> None:
    assert circles(5, pairs, alike) == expected


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs, list[list[int]]]:
    """Up to twelve members, each brought at most once, and groups who are one person."""
    size = draw(st.integers(2, 12))
    members = st.integers(0, size - 1)
    bringers = draw(st.dictionaries(members, members))
    pairs = [(friend, bringer) for friend, bringer in bringers.items() if friend != bringer]
    return size, pairs, draw(st.lists(st.lists(members, min_size=1, max_size=3), max_size=4))


@given(graphs())
def test_circles_are_those_that_walking_every_way_finds(
    world: tuple[int, Pairs, list[list[int]]],
) -> None:
    size, pairs, alike = world
    person = list(range(size))
    for group in alike:
        for member_ in group:
            old, new = person[member_], person[group[0]]
            person = [new if each == old else each for each in person]
    ways = {who: {person[r] for f, r in pairs if person[f] == who} - {who} for who in set(person)}

    def reached(who: int) -> set[int]:
        seen: set[int] = set()
        coming = list(ways[who])
        while coming:
            if (one := coming.pop()) not in seen:
                seen.add(one)
                coming += ways[one]
        return seen

    expected = {f for f, r in pairs if person[f] != person[r] and person[f] in reached(person[r])}
    assert {friend for circle in circles(size, pairs, alike) for friend in circle.friends} == expected


@pytest.mark.django_db
class TestInTheDatabase:
    @pytest.fixture
    def people(self) -> list[Member]:
        return [member() for _ in range(8)]

    def bring(self, people: list[Member], *numbers: int, apart: dt.timedelta = DAY) -> list[Referral]:
        """Each of these brings the next one, so long after they were brought."""
        return [
            Referral.objects.create(
                referrer=people[one], friend=people[other], joined_at=NOON + place * apart
            )
            for place, (one, other) in enumerate(itertools.pairwise(numbers))
        ]

    def test_circles_are_the_same_around_and_over_all(self, people: list[Member]) -> None:
        ring = self.bring(people, 0, 1, 2, 0)
        outside = self.bring(people, 3, 4)
        found = circles_of([each.pk for each in [*ring, *outside]])
        assert sorted(found) == sorted(each.friend_id for each in ring)
        assert {circle.people for circle in found.values()} == {3}
        assert [circle.friends for circle in all_circles()] == [tuple(sorted(found))]
        assert circles_of([ring[0].pk]) == found
        assert circles_of([outside[0].pk]) == {}

    def test_a_circle_may_close_by_a_common_mark_but_not_by_a_crowds(self, people: list[Member]) -> None:
        ring = self.bring(people, 0, 1, 2)
        for place in (0, 2):
            note_marks(people[place].pk, NOON, device="tablet", address="house")
        expected = {each.friend_id: Circle((people[1].pk, people[2].pk), 2) for each in ring}
        assert circles_of([ring[1].pk]) == expected
        assert all_circles() == list(set(expected.values()))
        for other in (member() for _ in range(graph.CROWD - 1)):
            note_marks(other.pk, NOON, device="tablet")
        assert (circles_of([ring[1].pk]), all_circles()) == ({}, [])

    def test_an_address_alone_closes_no_circle(self, people: list[Member]) -> None:
        ring = self.bring(people, 0, 1, 2)
        for place in (0, 2):
            note_marks(people[place].pk, NOON, address="house")
        assert circles_of([each.pk for each in ring]) == {}

    def test_a_chain_is_of_members_who_each_brought_one_soon(self, people: list[Member]) -> None:
        chain = self.bring(people, 0, 1, 2, 3, 4, 5)
        ids = [each.pk for each in chain]
        assert chains_of(ids) == dict.fromkeys(ids, 5)
        assert all_chains() == [tuple(ids)]
        Referral.objects.create(referrer=people[2], friend=people[6], joined_at=NOON)
        assert chains_of(ids) == dict(zip(ids, [2, 2, 3, 3, 3], strict=True))
        assert all_chains() == []
        assert [len(each) for each in all_chains(least=2)] == [3, 2]

    def test_a_slow_chain_is_none(self, people: list[Member]) -> None:
        chain = self.bring(people, 0, 1, 2, 3, 4, 5, apart=8 * DAY)
        assert set(chains_of([each.pk for each in chain]).values()) == {1}
        assert all_chains() == []

    def test_the_picture_shows_who_is_near_and_says_what_it_leaves_out(self, people: list[Member]) -> None:
        self.bring(people, 0, 1, 2, 3)
        self.bring(people, 0, 4)
        for place in (4, 5):
            note_marks(people[place].pk, NOON, device="tablet", payment="card")
        drawn = picture.around(people[0])
        assert [(node.member, node.steps) for node in drawn.nodes] == [
            (people[0], 0),
            (people[1], 1),
            (people[4], 1),
            (people[2], 2),
            (people[5], 2),
        ]
        assert {(edge.referrer_id, edge.friend_id) for edge in drawn.brought} == {
            (people[0].pk, people[1].pk),
            (people[1].pk, people[2].pk),
            (people[0].pk, people[4].pk),
        }
        assert drawn.alike == (picture.AlikeEdge(people[4].pk, people[5].pk, ("device", "payment")),)
        assert {node.member: node.unseen for node in drawn.nodes if node.unseen} == {people[2]: 1}
        assert not drawn.is_cut
        few = picture.around(people[0], most=3)
        assert (len(few.nodes), few.is_cut) == (3, True)

    def test_the_picture_of_many_costs_as_much_as_that_of_few(self, people: list[Member]) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as statements:
                picture.around(people[0])
            return len(statements)

        self.bring(people, 0, 1, 2)
        few = asked()
        for friend in (member() for _ in range(20)):
            Referral.objects.create(referrer=people[1], friend=friend, joined_at=NOON)
        assert asked() == few
