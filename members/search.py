"""One box that finds a member by whatever is at hand: card, e-mail, phone, a partner's id, our own id, or a name.

For the admin. Exact identifiers are looked up through their indexes and win over names.
"""

import contextlib
import uuid
from collections.abc import Iterator

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from loyalty.partners.models import Partner
from members.cards import LENGTH, plain
from members.contacts import InvalidPhone, normal_email, normal_phone
from members.former_cards import former_number
from members.identification import with_email
from members.models import ExternalId, FormerCard, Member

_AT_MOST = 200
_REGIONS = ("FI", "SE")
_FEWEST_CARD_DIGITS = 6


def search(members: QuerySet[Member], text: str) -> QuerySet[Member]:
    """The members among ``members`` that ``text`` may mean; all of them for an empty text."""
    wanted = " ".join(text.replace("\x00", "").split())
    if not wanted:
        return members
    if found := _by_identifier(wanted):
        return members.filter(pk__in=found)
    if "@" in wanted:
        return members.alias(address=Lower("email")).filter(address__startswith=normal_email(wanted))
    return members.filter(_by_name(wanted))


def _by_identifier(wanted: str) -> set[int]:
    """Ids of the members whom one of the identifiers names. A handful of index look-ups."""
    return {
        pk
        for rows in _candidates(wanted)
        for pk in rows.values_list(_key(rows), flat=True).order_by()[:_AT_MOST]
    }


def _key(rows: QuerySet[Member] | QuerySet[ExternalId]) -> str:
    return "member_id" if rows.model is ExternalId else "pk"


def _candidates(wanted: str) -> Iterator[QuerySet[Member] | QuerySet[ExternalId]]:
    members = Member.objects.all()
    digits = plain(wanted)
    if digits.isascii() and digits.isdigit() and _FEWEST_CARD_DIGITS <= len(digits) <= LENGTH:
        yield members.filter(card_number__startswith=digits)
    if phones := _phones(wanted):
        yield members.filter(phone__in=phones).exclude(phone="")
    if "@" in wanted:
        yield with_email([normal_email(wanted)])
    with contextlib.suppress(ValueError):
        yield members.filter(public_id=uuid.UUID(wanted))
    partners = list(Partner.objects.values_list("pk", flat=True))
    if card := former_number(wanted):
        yield members.filter(pk__in=FormerCard.objects.filter(number=card).values("member_id"))
    yield ExternalId.objects.filter(partner__in=partners, external_id=wanted)


def _phones(wanted: str) -> set[str]:
    """The number as it would be stored, read as a Finnish and as a Swedish one."""
    if sum(letter.isdigit() for letter in wanted) < _FEWEST_CARD_DIGITS or any(
        letter.isalpha() for letter in wanted
    ):
        return set()
    numbers = set()
    for region in _REGIONS:
        try:
            numbers.add(normal_phone(wanted, region=region))
        except InvalidPhone:
            continue
    return numbers


def _by_name(wanted: str) -> Q:
    """Every word begins the first or the last name, or a part of it, in any order and case."""
    condition = Q()
    for word in wanted.replace(",", " ").split()[:5]:
        condition &= (
            Q(last_name__istartswith=word)
            | Q(first_name__istartswith=word)
            | Q(last_name__icontains=f" {word}")
            | Q(first_name__icontains=f" {word}")
            | Q(last_name__icontains=f"-{word}")
            | Q(first_name__icontains=f"-{word}")
        )
    return condition
