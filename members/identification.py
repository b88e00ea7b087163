"""Finding the member that a partner means, and what that partner may see of them. Used by every API route."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Lower

from loyalty.partners.models import Partner
from loyalty.prepared import fetch_prepared
from members.contacts import normal_email
from members.former_cards import former_number
from members.models import Activity, ExternalId, Member

KEYS = ("id", "external_id", "card_number", "email")


class UnknownMember(Exception):
    """No active member by this ``field``."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def find_member(reference: Mapping[str, str], *, partner: Partner) -> Member:
    """The active member, with the tier, whom the partner names by exactly one of KEYS.

    Raises UnknownMember. What of the member may be shown is ``visible_profile``'s matter.
    """
    return Member.objects.select_related("tier").get(pk=find_member_id(reference, partner=partner))


def find_member_id(reference: Mapping[str, str], *, partner: Partner) -> int:
    """The primary key of that member, in one statement at most; raises UnknownMember."""
    [field] = reference
    found = find_member_ids({0: reference}, partner=partner)
    if 0 not in found:
        raise UnknownMember(field)
    return found[0]


def find_member_ids(references: Mapping[int, Mapping[str, str]], *, partner: Partner) -> dict[int, int]:
    """Primary keys of the active members of many references, by their place; unknown ones are left out.

    One statement for each of KEYS, by hand: every purchase passes here. A card is our own or one brought along from an
    earlier system. A number that cannot be a card, or an id that is no UUID, is unknown without asking the database.
    """
    found: dict[int, int] = {}
    for field in KEYS:
        places: dict[str, list[int]] = {}
        for place, reference in references.items():
            if value := _normal(field, reference.get(field, "")):
                places.setdefault(value, []).append(place)
        if places:
            for value, member_id in _by_value(field, list(places), partner):
                found.update(dict.fromkeys(places[value], member_id))
    return found


def with_email(addresses: Collection[str]) -> QuerySet[Member]:
    """Members with one of these addresses (in lower case), in the words that the unique index understands."""
    return (
        Member.objects.select_related("tier")
        .alias(address=Lower("email"))
        .filter(address__in=addresses)
        .exclude(email="")
    )


def visible_profile(member: Member, partner: Partner) -> bool:
    """Whether the partner enrolled the member, knows them by an id of its own, or has served them."""
    return (
        member.enrolled_by_id == partner.pk
        or member.external_ids.filter(partner=partner).exists()
        or Activity.objects.filter(member=member, partner=partner).exists()
    )


def visible_among(member_ids: Collection[int], partner: Partner) -> set[int]:
    """Those of the members whose profile the partner may see, as ``visible_profile`` says of one; three statements."""
    seen = set(Member.objects.filter(pk__in=member_ids, enrolled_by=partner).values_list("pk", flat=True))
    for rows in (ExternalId.objects, Activity.objects):
        others = set(member_ids) - seen
        found = rows.filter(member__in=others, partner=partner).order_by().values_list("member_id", flat=True)
        seen |= set(found.distinct())
    return seen


def _normal(field: str, value: str) -> str:
    """The value as it is stored; "" when nobody can have it."""
    if field == "card_number":
        return former_number(value)
    if field == "email":
        return normal_email(value)
    if field == "id":
        try:
            return str(uuid.UUID(value)) if value else ""
        except ValueError:
            return ""
    return value


_ACTIVE = "FROM members_member AS member WHERE member.status = 'active' AND"
_BY_FIELD = {
    "id": f"SELECT public_id::text, id {_ACTIVE} public_id = ANY(%s::uuid[])",
    "card_number": f"""
        SELECT card.number, member.id FROM members_formercard AS card
        JOIN members_member AS member ON member.id = card.member_id AND member.status = 'active'
        WHERE card.number = ANY(%s::text[])
        UNION ALL SELECT card_number, id {_ACTIVE} card_number = ANY(%s::text[])
    """,  # noqa: S608
    "email": f"SELECT lower(email), id {_ACTIVE} lower(email) = ANY(%s::text[]) AND NOT (email = '')",
    "external_id": """
        SELECT named.external_id, member.id FROM members_externalid AS named
        JOIN members_member AS member ON member.id = named.member_id AND member.status = 'active'
        WHERE named.external_id = ANY(%s::text[]) AND named.partner_id = %s
    """,
}


# LIMIT keeps the join in this order, by the keys of both, whatever PostgreSQL knows or does not know of the tables yet.
_BY_ONE_EXTERNAL_ID = """
    SELECT named.external_id, member.id FROM members_externalid AS named
    JOIN LATERAL (SELECT id FROM members_member WHERE id = named.member_id AND status = 'active' LIMIT 1) member ON true
    WHERE named.external_id = %s AND named.partner_id = %s
"""


def _by_value(field: str, values: list[str], partner: Partner) -> list[tuple[str, int]]:
    if field == "external_id" and len(values) == 1:  # by ``=`` the index is sure to be used
        return fetch_prepared(_BY_ONE_EXTERNAL_ID, [values[0], partner.pk])
    second: dict[str, list[Any]] = {"external_id": [partner.pk], "card_number": [values]}
    return fetch_prepared(_BY_FIELD[field], [values, *second.get(field, [])])
