"""Finding the member that a partner means, and what that partner may see of them. Used by every API route."""

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.db.models import QuerySet
from django.db.models.functions import Lower

from loyalty.partners.models import Partner
from members.cards import is_valid_card_number, plain
from members.contacts import normal_email
from members.models import Activity, ExternalId, Member

KEYS = ("id", "external_id", "card_number", "email")


class UnknownMember(Exception):
    """No active member by this ``field``."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def find_member(reference: Mapping[str, str], *, partner: Partner) -> Member:
    """The active member, with the tier, whom the partner names by exactly one of KEYS. One statement at most.

    Raises UnknownMember. What of the member may be shown is ``visible_profile``'s matter.
    """
    [field] = reference
    found = find_members({0: reference}, partner=partner)
    if 0 not in found:
        raise UnknownMember(field)
    return found[0]


def find_members(references: Mapping[int, Mapping[str, str]], *, partner: Partner) -> dict[int, Member]:
    """The active members of many references by their place; unknown ones are left out. One statement for each of KEYS.

    A number that cannot be one of our cards, or an id that is no UUID, is unknown without asking the database.
    """
    found: dict[int, Member] = {}
    for field in KEYS:
        places: dict[str, list[int]] = {}
        for place, reference in references.items():
            if value := _normal(field, reference.get(field, "")):
                places.setdefault(value, []).append(place)
        if places:
            for value, member in _by_value(field, places.keys(), partner):
                if member.status == Member.Status.ACTIVE:
                    found.update(dict.fromkeys(places[value], member))
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


def _normal(field: str, value: str) -> str:
    """The value as it is stored; "" when nobody can have it."""
    if field == "card_number":
        return number if is_valid_card_number(number := plain(value)) else ""
    if field == "email":
        return normal_email(value)
    if field == "id":
        try:
            return str(uuid.UUID(value)) if value else ""
        except ValueError:
            return ""
    return value


def _by_value(field: str, values: Collection[str], partner: Partner) -> Iterable[tuple[str, Member]]:
    members = Member.objects.select_related("tier")
    if field == "external_id":
        rows = ExternalId.objects.filter(partner=partner, external_id__in=values)
        return [(row.external_id, row.member) for row in rows.select_related("member__tier")]
    if field == "email":
        return [(member.email.lower(), member) for member in with_email(values)]
    if field == "card_number":
        return [(member.card_number, member) for member in members.filter(card_number__in=values)]
    return [(str(member.public_id), member) for member in members.filter(public_id__in=values)]
