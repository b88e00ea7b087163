"""The referrals around one member as a picture: who brought whom, and who has marks in common; for the admin."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from members.models import Member
from referrals.fraud.graph import CROWD
from referrals.models import Referral


@dataclass(frozen=True, slots=True)
class Node:
    """A member, so many steps from the one asked about. ``unseen``: friends of theirs that are not in the picture."""

    member: Member
    steps: int
    unseen: int


@dataclass(frozen=True, slots=True)
class BroughtEdge:
    """A referral: from the referrer's member id to the friend's."""

    referrer_id: int
    friend_id: int
    referral: Referral


@dataclass(frozen=True, slots=True)
class AlikeEdge:
    """Two members, the smaller id first, who share a mark of each of these kinds."""

    one_id: int
    other_id: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """``nodes`` from the nearest on. ``is_cut``: there are more members than were asked for."""

    nodes: tuple[Node, ...]
    brought: tuple[BroughtEdge, ...]
    alike: tuple[AlikeEdge, ...]
    is_cut: bool


_NEXT = """
SELECT DISTINCT found.member_id FROM unnest(%(from_)s::bigint[]) AS known(member_id) CROSS JOIN LATERAL (
    SELECT referrer_id AS member_id FROM referrals_referral WHERE friend_id = known.member_id
    UNION ALL
    (SELECT friend_id FROM referrals_referral WHERE referrer_id = known.member_id ORDER BY id DESC LIMIT %(most)s)
    UNION ALL
    SELECT unnest(one.members) FROM referrals_mark mine CROSS JOIN LATERAL (
        SELECT array_agg(member_id) AS members FROM (
            SELECT member_id FROM referrals_mark WHERE kind = mine.kind AND hash = mine.hash LIMIT %(crowd)s + 1
        ) few
    ) one WHERE mine.member_id = known.member_id AND cardinality(one.members) <= %(crowd)s
) found WHERE found.member_id <> ALL(%(seen)s) ORDER BY found.member_id LIMIT %(most)s
"""
_ALIKE = """
SELECT one.member_id, other.member_id, array_agg(DISTINCT one.kind ORDER BY one.kind) FROM referrals_mark one
JOIN referrals_mark other USING (kind, hash)
WHERE one.member_id = ANY(%(ids)s) AND other.member_id = ANY(%(ids)s) AND one.member_id < other.member_id
GROUP BY one.member_id, other.member_id ORDER BY 1, 2
"""


def around(member: Member, *, steps: int = 2, most: int = 60) -> Picture:
    """The member, and whoever is at most so many ``steps`` away by referrals or common marks, ``most`` members at most.

    A mark of a crowd (a library's network) joins nobody. A few statements for each step, however many members.
    """
    far = {member.pk: 0}
    newest: list[int] = [member.pk]
    is_cut = False
    for step in range(1, steps + 1):
        found = _next(newest, far, most=most)
        newest = found[: most - len(far)]
        is_cut = is_cut or len(newest) < len(found)
        far |= dict.fromkeys(newest, step)
        if not newest:
            break
    return _drawn(far, is_cut=is_cut)


def _next(members: Collection[int], seen: Collection[int], *, most: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {"from_": list(members), "seen": list(seen), "crowd": CROWD, "most": most + 1})
        return [found for (found,) in cursor.fetchall()]


def _drawn(far: dict[int, int], *, is_cut: bool) -> Picture:
    """The picture of members whose distances are known."""
    ids = list(far)
    members = Member.objects.in_bulk(ids)
    referrals = Referral.objects.filter(referrer__in=ids, friend__in=ids).order_by("pk")
    brought = tuple(BroughtEdge(each.referrer_id, each.friend_id, each) for each in referrals)
    with connection.cursor() as cursor:
        cursor.execute(_ALIKE, {"ids": ids})
        alike = tuple(AlikeEdge(one, other, tuple(kinds)) for one, other, kinds in cursor.fetchall())
        cursor.execute(
            "SELECT referrer_id, count(*) FROM referrals_referral "
            "WHERE referrer_id = ANY(%(ids)s) AND friend_id <> ALL(%(ids)s) GROUP BY referrer_id",
            {"ids": ids},
        )
        unseen = dict(cursor.fetchall())
    nodes = tuple(
        Node(members[pk], steps, unseen.get(pk, 0))
        for pk, steps in sorted(far.items(), key=lambda item: (item[1], item[0]))
    )
    return Picture(nodes, brought, alike, is_cut)
