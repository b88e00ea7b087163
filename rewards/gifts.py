"""Members give each other points: within the terms of gifts, both sides in one transaction, told to both.

Called by the portal. Whom one may give to, and by which identifier, the receiver decides; an address that is nobody's
and a member who does not accept gifts by it get the same answer, so that nobody learns who is a member.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from loyalty import clock
from loyalty.events import bus
from members.cards import is_valid_card_number, plain
from members.contacts import normal_email
from members.identification import with_email
from members.models import Member
from rewards import ledger, terms
from rewards.ledger import Why
from rewards.models import Gift, GiftPreference, GiftTerms

SOURCE = "rewards.gift"


class GiftRefused(Exception):
    """The gift cannot be given; the message, for the giver, says why. Nothing was written."""

    def __init__(self, code: str, message: str, *, field: str = "points") -> None:
        super().__init__(message)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class Room:
    """What a giver may give now: the least and the most (points), and whether gifts are open at all."""

    is_open: bool
    minimum: int
    most: int


def terms_at(at: dt.datetime) -> GiftTerms:
    """The terms of gifts in force at a moment; closed where there are none."""
    found = GiftTerms.objects.filter(valid_from__lte=at).order_by("-valid_from").first()
    return found or GiftTerms(valid_from=at, is_open=False)


def find_receiver(reference: str) -> int | None:
    """The id of the active member whom a card number or e-mail address means and who accepts gifts by it; else None."""
    text = reference.replace("\0", "").strip()
    if "@" in text:
        found = with_email([normal_email(text)]).filter(gift_preference__by_email=True)
    elif is_valid_card_number(plain(text)):
        accepts = Q(gift_preference__isnull=True) | Q(gift_preference__by_card=True)
        found = Member.objects.filter(accepts, card_number=plain(text))
    else:
        return None
    return found.filter(status=Member.Status.ACTIVE).values_list("pk", flat=True).first()


def nobody() -> GiftRefused:
    """The one answer for an unknown receiver, one who does not accept gifts, and a number that cannot be."""
    return GiftRefused(
        "no_receiver",
        _("Nobody can be given points by this. Check it, or ask whether they accept gifts."),
        field="receiver",
    )


def room_of(member_id: int, *, spendable: int, at: dt.datetime) -> Room:
    """What a member may still give at a moment: their points within the limits of the day and the month."""
    rules = terms_at(at)
    rest = [spendable]
    rest += [limit - given for limit, given in _limits(rules, member_id, at) if limit is not None]
    return Room(is_open=rules.is_open, minimum=rules.minimum, most=max(min(rest), 0))


def give(
    *, from_member_id: int, to_member_id: int, points: int, token: uuid.UUID, at: dt.datetime
) -> Gift | None:
    """Move points of the default wallet from one member to another, once per giver and ``token`` (None: done before).

    The points keep their expiry. Raises GiftRefused beyond the terms, InsufficientPoints beyond the balance. Under both
    members' locks, taken in primary-key order: parallel gifts keep the limits, opposite ones do not block each other.
    """
    if from_member_id == to_member_id:
        raise GiftRefused("oneself", _("These are your own points already."), field="receiver")
    if points < 1:
        raise GiftRefused("minimum", _("Give 1 point or more."))
    wallet_id = terms.current().default_wallet_id
    with transaction.atomic():
        ledger.lock([from_member_id, to_member_id], [wallet_id])
        if Gift.objects.filter(giver_id=from_member_id, token=token).exists():
            return None
        _check(from_member_id, to_member_id, points, at)
        gift = Gift.objects.create(
            giver_id=from_member_id, receiver_id=to_member_id, points=points, token=token, given_at=at
        )
        why = Why(source=SOURCE, source_id=gift.pk)
        ledger.move(ledger.Movement(from_member_id, to_member_id, wallet_id, points, why), at=at)
        facts: dict[str, Any] = {"points": points, "gift": str(gift.public_id)}
        bus.announce("points.given", member_id=from_member_id, at=at, **facts)
        bus.announce("points.received", member_id=to_member_id, at=at, **facts)
    return gift


def _check(giver: int, receiver: int, points: int, at: dt.datetime) -> None:
    rules = terms_at(at)
    if not rules.is_open:
        raise GiftRefused("closed", _("Points cannot be given at present."))
    active = Member.objects.filter(pk__in=[giver, receiver], status=Member.Status.ACTIVE)
    if active.count() != 2:
        raise nobody()
    if points < rules.minimum:
        raise GiftRefused("minimum", _("A gift is at least %(points)s points.") % {"points": rules.minimum})
    day, month = _limits(rules, giver, at)
    for code, (limit, given), message in (
        ("per_day", day, _("You can give %(points)s more points today.")),
        ("per_month", month, _("You can give %(points)s more points this month.")),
    ):
        if limit is not None and given + points > limit:
            raise GiftRefused(code, message % {"points": max(limit - given, 0)})


def _limits(
    rules: GiftTerms, giver: int, at: dt.datetime
) -> tuple[tuple[int | None, int], tuple[int | None, int]]:
    """The limits of the day and of the month (None: none), each with what the giver has given in it so far."""
    zone = terms.current().time_zone
    today = clock.local_date(at, zone)
    midnight = clock.start_of_day(today, zone)
    first = clock.start_of_day(today.replace(day=1), zone)
    given = Gift.objects.filter(giver_id=giver, given_at__gte=first).aggregate(
        month=Sum("points", default=0), day=Sum("points", default=0, filter=Q(given_at__gte=midnight))
    )
    return (rules.per_day, given["day"]), (rules.per_month, given["month"])


def set_preference(*, member_id: int, by_card: bool, by_email: bool) -> None:
    """Say by which identifiers others may give the member points."""
    GiftPreference.objects.update_or_create(
        member_id=member_id, defaults={"by_card": by_card, "by_email": by_email}
    )


def preference_of(member_id: int) -> GiftPreference:
    """The member's preference, or what holds without one."""
    found = GiftPreference.objects.filter(member_id=member_id).first()
    return found or GiftPreference(member_id=member_id)
