"""Circles among those who brought each other, straight or as somebody else, and chains; in bulk or around referrals.

An edge goes from a friend to who brought them, so that each member has at most one. Members who share a mark that tells
people apart are taken for one person. A circle is a way from a person back to them by way of others; who only brought
themselves under another name is seen by the mark already. Memory is bounded: three numbers for each member there is,
and what is left once everybody who brought nobody has been taken away, again and again.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from members.models import Member
from referrals.fraud.signals import CHAIN_LINKS, CHAIN_WITHIN
from referrals.models import Mark

STRONG = (Mark.Kind.EMAIL, Mark.Kind.PHONE, Mark.Kind.DEVICE, Mark.Kind.PAYMENT)
"""Marks that tell people apart. An address is shared by a whole house or office."""
CROWD = 20
"""A mark of more members than these is a shop's device, or a library's network: it tells nobody apart."""
_NOBODY = -1
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Circle:
    """``friends``: the members whose referrals make up the circle, in order of their ids; ``people`` on it."""

    friends: tuple[int, ...]
    people: int


# --- Pure ---------------------------------------------------------------------------------------------------------


class _People:
    """Members 0 … size-1, who of them is one person, and who brought them."""

    def __init__(self, size: int) -> None:
        self.person = array("q", range(size))
        self.bringer = array("q", [_NOBODY]) * size
        self.mates: dict[int, list[int]] = {}

    def join(self, groups: Iterable[Sequence[int]]) -> None:
        """Make one person of the members of each group, and of groups that overlap."""
        joined: set[int] = set()
        for group in groups:
            root = self._root(group[0])
            for member in group[1:]:
                self.person[self._root(member)] = root
            joined.update(group)
        mates: dict[int, list[int]] = defaultdict(list)
        for member in joined:
            root = self.person[member] = self._root(member)
            mates[root].append(member)
        self.mates = dict(mates)

    def _root(self, member: int) -> int:
        person = self.person
        while person[member] != member:
            person[member] = person[person[member]]
            member = person[member]
        return member

    def edges_of(self, person: int) -> Iterator[tuple[int, int]]:
        """The members of a person who were brought by other people, with the person who brought them."""
        for member in self.mates.get(person, (person,)):
            bringer = self.bringer[member]
            if bringer != _NOBODY and self.person[bringer] != person:
                yield member, self.person[bringer]

    def left_after_peeling(self, brought: Sequence[int]) -> set[int]:
        """The people who brought somebody who brought somebody … without end: on circles, or above them."""
        waiting = array("q", [0]) * len(self.person)
        person, bringer = self.person, self.bringer
        for friend in brought:
            up = person[bringer[friend]]
            if up != person[friend]:
                waiting[up] += 1
        ready = [who for who in {person[friend] for friend in brought} if not waiting[who]]
        while ready:
            for _member, up in self.edges_of(ready.pop()):
                waiting[up] -= 1
                if not waiting[up]:
                    ready.append(up)
        return {who for friend in brought if waiting[who := person[friend]]}


def circles(size: int, pairs: Iterable[tuple[int, int]], alike: Iterable[Sequence[int]] = ()) -> list[Circle]:
    """The circles among members 0 … size-1: ``pairs`` of friend and referrer, ``alike`` groups who are one person.

    Circles that touch one another are one. In order of their first friends.
    """
    people = _People(size)
    people.join(alike)
    brought = array("q")
    for friend, referrer in pairs:
        people.bringer[friend] = referrer
        brought.append(friend)
    left = people.left_after_peeling(brought)
    found = []
    for together in _strongly_connected(left, lambda who: [up for _m, up in people.edges_of(who)]):
        if len(together) > 1:
            edges = [member for who in together for member, up in people.edges_of(who) if up in together]
            found.append(Circle(tuple(sorted(edges)), len(together)))
    return sorted(found, key=lambda circle: circle.friends)


def _strongly_connected(nodes: Collection[int], ways: Callable[[int], Sequence[int]]) -> Iterator[set[int]]:
    """Tarjan's components of a graph of ``nodes``, without recursion."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for start in nodes:
        if start in number:
            continue
        path: list[tuple[int, Iterator[int]]] = []
        following: int | None = start
        while True:
            if following is not None:
                number[following] = low[following] = len(number)
                stack.append(following)
                on_stack.add(following)
                path.append((following, iter(ways(following))))
            node, rest = path[-1]
            following = None
            for other in rest:
                if other not in nodes:
                    continue
                if other not in number:
                    following = other
                    break
                if other in on_stack:
                    low[node] = min(low[node], number[other])
            if following is not None:
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == number[node]:
                component = set()
                while node not in component:
                    component.add(last := stack.pop())
                    on_stack.discard(last)
                yield component
            if not path:
                break


# --- The whole graph ----------------------------------------------------------------------------------------------

_ALIKE = """
SELECT array_agg(member_id) FROM referrals_mark WHERE kind = ANY(%s)
GROUP BY kind, hash HAVING count(*) BETWEEN 2 AND %s
"""
_PAIRS = "SELECT friend_id, referrer_id FROM referrals_referral"


def all_circles() -> list[Circle]:
    """Every circle there is. Two passes over the tables, read through cursors on the server."""
    size = (Member.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
    with transaction.atomic():
        alike = (members for (members,) in _streamed("circles_alike", _ALIKE, [list(STRONG), CROWD]))
        return circles(size, _streamed("circles_pairs", _PAIRS, []), alike)


def _streamed(name: str, sql: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, so many at once, through a cursor on the server."""
    connection.ensure_connection()
    with connection.connection.cursor(name=f"kantis_{name}") as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows


# --- Around referrals ---------------------------------------------------------------------------------------------

_ABOVE = """
WITH RECURSIVE above(member_id) AS (
    SELECT referrer_id FROM referrals_referral WHERE id = ANY(%(ids)s)
    UNION
    SELECT next.member_id FROM above CROSS JOIN LATERAL (
        SELECT referrer_id AS member_id FROM referrals_referral WHERE friend_id = above.member_id
        UNION ALL
        SELECT unnest(one.members) FROM referrals_mark mine CROSS JOIN LATERAL (
            SELECT array_agg(few.member_id) AS members FROM (
                SELECT member_id FROM referrals_mark WHERE kind = mine.kind AND hash = mine.hash LIMIT %(crowd)s + 1
            ) few
        ) one
        WHERE mine.member_id = above.member_id AND mine.kind = ANY(%(strong)s)
          AND cardinality(one.members) BETWEEN 2 AND %(crowd)s
    ) next
), seen AS (
    SELECT member_id FROM above UNION SELECT friend_id FROM referrals_referral WHERE id = ANY(%(ids)s)
)
SELECT seen.member_id, referral.referrer_id,
    ARRAY(SELECT kind || hash FROM referrals_mark WHERE member_id = seen.member_id AND kind = ANY(%(strong)s))
FROM seen LEFT JOIN referrals_referral referral ON referral.friend_id = seen.member_id
"""
_CROWDS = """
SELECT asked.mark FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked(mark, kind, hash)
WHERE (SELECT count(*) FROM (
    SELECT FROM referrals_mark known WHERE known.kind = asked.kind AND known.hash = asked.hash LIMIT %s
) few) > %s
"""


def circles_of(referral_ids: Collection[int]) -> dict[int, Circle]:
    """The circles that referrals are part of, by the friend's member id. Two statements, however many.

    Looks at whoever is above the referrers, or above somebody who shares a mark with those: a circle leads there.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ABOVE, {"ids": list(referral_ids), "crowd": CROWD, "strong": list(STRONG)})
        rows = cursor.fetchall()
    number = {member: place for place, (member, _bringer, _marks) in enumerate(rows)}
    of_mark: dict[str, list[int]] = defaultdict(list)
    for member, _bringer, marks in rows:
        for mark in marks:
            of_mark[mark].append(number[member])
    of_mark = {mark: members for mark, members in of_mark.items() if len(members) > 1}
    for crowd in _crowds(of_mark):
        del of_mark[crowd]
    pairs = ((number[member], number[bringer]) for member, bringer, _marks in rows if bringer in number)
    found = (
        Circle(tuple(sorted(rows[friend][0] for friend in circle.friends)), circle.people)
        for circle in circles(len(rows), pairs, of_mark.values())
    )
    return {friend: circle for circle in found for friend in circle.friends}


def _crowds(marks: Mapping[str, Any]) -> list[str]:
    """Of marks (kind and hash in one), those that too many members have."""
    keys = list(marks)
    with connection.cursor() as cursor:
        kinds, hashes = [key[:-64] for key in keys], [key[-64:] for key in keys]
        cursor.execute(_CROWDS, [keys, kinds, hashes, CROWD + 1, CROWD])
        return [mark for (mark,) in cursor.fetchall()]


# --- Chains -------------------------------------------------------------------------------------------------------

_LINKS = """
SELECT next.id, prior.id FROM referrals_referral next
JOIN referrals_referral prior ON prior.friend_id = next.referrer_id
WHERE next.joined_at >= prior.joined_at AND next.joined_at <= prior.joined_at + %s
  AND NOT EXISTS (
    SELECT FROM referrals_referral other WHERE other.referrer_id = next.referrer_id AND other.id <> next.id)
"""
_CHAINS = """
WITH RECURSIVE up(asked, id, referrer_id, joined_at, far) AS (
    SELECT id, id, referrer_id, joined_at, 0 FROM referrals_referral WHERE id = ANY(%(ids)s)
    UNION ALL
    SELECT up.asked, prior.id, prior.referrer_id, prior.joined_at, far + 1 FROM up
    JOIN referrals_referral prior ON prior.friend_id = up.referrer_id
    WHERE far < %(far)s AND up.joined_at >= prior.joined_at AND up.joined_at <= prior.joined_at + %(within)s
      AND NOT EXISTS (
        SELECT FROM referrals_referral other WHERE other.referrer_id = up.referrer_id AND other.id <> up.id)
), down(asked, id, friend_id, joined_at, far) AS (
    SELECT id, id, friend_id, joined_at, 0 FROM referrals_referral WHERE id = ANY(%(ids)s)
    UNION ALL
    SELECT down.asked, next.id, next.friend_id, next.joined_at, far + 1 FROM down
    JOIN referrals_referral next ON next.referrer_id = down.friend_id
    WHERE far < %(far)s AND next.joined_at >= down.joined_at AND next.joined_at <= down.joined_at + %(within)s
      AND NOT EXISTS (
        SELECT FROM referrals_referral other WHERE other.referrer_id = down.friend_id AND other.id <> next.id)
)
SELECT asked, 1 + above.far + below.far
FROM (SELECT asked, max(far) AS far FROM up GROUP BY asked) above
JOIN (SELECT asked, max(far) AS far FROM down GROUP BY asked) below USING (asked)
"""
_FURTHEST = 20


def all_chains(*, least: int = CHAIN_LINKS) -> list[tuple[int, ...]]:
    """Every chain of so many referrals or more, the first one first, by referral id; the longest chains first."""
    prior: dict[int, int] = {}
    with transaction.atomic():
        prior.update(_streamed("chain_links", _LINKS, [CHAIN_WITHIN]))
    following = {before: after for after, before in prior.items()}
    found = []
    for start in following.keys() - prior.keys():
        chain = [start]
        while (after := following.get(chain[-1])) is not None:
            chain.append(after)
        if len(chain) >= least:
            found.append(tuple(chain))
    return sorted(found, key=lambda chain: (-len(chain), chain))


def chains_of(referral_ids: Collection[int]) -> dict[int, int]:
    """How many referrals the chain has that each is part of, 1 for none; looked at for twenty in both directions."""
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"ids": list(referral_ids), "within": CHAIN_WITHIN, "far": _FURTHEST}
        cursor.execute(_CHAINS, params)
        return dict(cursor.fetchall())
