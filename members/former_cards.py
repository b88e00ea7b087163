"""Cards and dates that members bring along from an earlier system. For moving in, inside its transaction."""

import datetime as dt
import re
from collections.abc import Collection, Mapping

from django.db import connection

from members.cards import LENGTH, is_valid_card_number, plain
from members.models import FormerCard, Member

_SHAPE = re.compile(r"[0-9A-Z]{4,25}", re.ASCII)
_OURS = re.compile(rf"9\d{{{LENGTH - 1}}}", re.ASCII)


def former_number(number: str) -> str:
    """The number of another system's card as it is stored: capitals, without blanks and hyphens; "" when it is none.

    Sixteen digits that begin with 9 are the form of our own cards and pass only with their check digit.
    """
    text = plain(number).upper()
    if not _SHAPE.fullmatch(text) or (_OURS.fullmatch(text) and not is_valid_card_number(text)):
        return ""
    return text


def holders_of(numbers: Collection[str]) -> dict[str, int]:
    """Who has these cards, as their own or brought along: the member's primary key by number."""
    asked = list(numbers)
    found = dict(FormerCard.objects.filter(number__in=asked).values_list("number", "member_id"))
    return found | dict(Member.objects.filter(card_number__in=asked).values_list("card_number", "pk"))


def add_cards(owners: Mapping[str, int], *, partner_id: int, at: dt.datetime) -> None:
    """Let cards find their members from now on. A number that somebody has already stays theirs."""
    FormerCard.objects.bulk_create(
        (
            FormerCard(number=number, member_id=member_id, partner_id=partner_id, created_at=at)
            for number, member_id in sorted(owners.items())
        ),
        ignore_conflicts=True,
    )


def note_tier_since(since: Mapping[int, dt.datetime]) -> None:
    """Note since when members have held the tier they have, where that was before they moved in."""
    if not since:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_member SET tier_since = given.since "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS given(id, since) "
            "WHERE members_member.id = given.id AND members_member.tier_since > given.since",
            [list(since), list(since.values())],
        )
