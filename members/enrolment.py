"""How somebody becomes a member: the one way in for the portal, staff, partners' API, imports and demo data.

A whole enrolment (member, external id, consents, first tier, announcement) is one transaction of about six statements,
for one member or for a thousand. The database's unique constraints decide who came first.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from loyalty import programme
from loyalty.events.bus import Announcement, announce_many
from loyalty.partners.models import Partner
from members.cards import new_card_number
from members.consents import ConsentGiven, record_first_consents
from members.contacts import normal_email, normal_phone
from members.identification import with_email
from members.models import ExternalId, Member, Tier, TierChange, User

_Key = tuple[str, str | int]
_ATTEMPTS = 5
_EMAIL_ONCE = "member_email_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """Who is to be enrolled. Empty means unknown; language, time zone and acquisition channel then get a default.

    ``joined_at`` may lie in the past (imports); without it the member joins at the moment of the enrolment.
    """

    joined_at: dt.datetime | None = None
    external_id: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    birth_date: dt.date | None = None
    language: str = ""
    time_zone: str = ""
    consents: tuple[ConsentGiven, ...] = ()
    acquisition_channel: str = ""
    referral_code: str = ""
    visitor: UUID | None = None


class DuplicateMember(Exception):
    """Somebody is a member already by this ``field`` (``external_id``, ``email`` or ``user``): ``member``."""

    def __init__(self, field: str, member: Member) -> None:
        super().__init__(field)
        self.field = field
        self.member = member


def enrol(
    new: NewMember, *, source: str, at: dt.datetime, partner: Partner | None = None, user: User | None = None
) -> Member:
    """Make somebody a member in the lowest tier and announce ``member.enrolled``.

    Raises DuplicateMember when the partner's external id, the e-mail address or the log-in has a member: of any number
    of enrolments of one address at once, the database lets one through. Raises InvalidPhone on an impossible phone.
    """
    if known := _known_members([new], partner):
        raise DuplicateMember("external_id", known[new.external_id])
    return _insert([_normal(new)], source=source, at=at, partner=partner, user=user)[0]


def enrol_many(
    news: Sequence[NewMember], *, source: str, at: dt.datetime, partner: Partner | None = None
) -> list[Member]:
    """The members for ``news`` in its order, all in one transaction.

    Those that the partner knows by external id are taken as they are, the rest enrolled; an external id that comes
    twice is one member.

    Raises DuplicateMember (and enrols nobody) when an e-mail address is taken. An enrolment of the same external id
    elsewhere at the same time is waited for and taken over.
    """
    for attempt in range(_ATTEMPTS):
        known = _known_members(news, partner)
        fresh = {
            _key(new, place): _normal(new) for place, new in enumerate(news) if new.external_id not in known
        }
        try:
            created = _insert(list(fresh.values()), source=source, at=at, partner=partner)
        except DuplicateMember as clash:
            if clash.field != "external_id" or attempt == _ATTEMPTS - 1:
                raise
            continue
        by_key: dict[_Key, Member] = {("external id", name): member for name, member in known.items()}
        by_key |= dict(zip(fresh, created, strict=True))
        return [by_key[_key(new, place)] for place, new in enumerate(news)]
    raise AssertionError("unreachable")


def claim(
    *, user: User, at: dt.datetime, referral_code: str = "", visitor: UUID | None = None
) -> Member | None:
    """The member of a user who has shown that a primary e-mail address is theirs; None before that.

    A member enrolled elsewhere with this address and no log-in becomes the user's; otherwise the user is enrolled.
    None also when the address belongs to a member with another log-in. Safe to call again and at once.
    """
    if member := Member.objects.filter(user=user).first():
        return member
    if not (email := _verified_primary(user)):
        return None
    try:
        return _link(user, email) or enrol(
            NewMember(email=email, referral_code=referral_code, visitor=visitor),
            source=Member.Source.PORTAL,
            at=at,
            user=user,
        )
    except DuplicateMember:  # enrolled or linked since we looked
        return _link(user, email) or Member.objects.filter(user=user).first()


def follow_email(*, user: User) -> bool:
    """Give the user's member the user's verified primary address; says whether it changed.

    An address that another member has is left with that member: support has to merge or correct them.
    """
    email = _verified_primary(user)
    try:
        with transaction.atomic():
            return bool(email and Member.objects.filter(user=user).exclude(email=email).update(email=email))
    except IntegrityError as error:
        if _constraint(error) == _EMAIL_ONCE:
            return False
        raise


def enrolled_with(new: NewMember, *, partner: Partner) -> bool:
    """Whether the partner's external id was enrolled with exactly this content (so that a repeat is a repeat)."""
    kept = (
        ExternalId.objects.filter(partner=partner, external_id=new.external_id)
        .values_list("content_digest", flat=True)
        .first()
    )
    return kept is not None and bytes(kept) == _digest(_normal(new))


def _normal(new: NewMember) -> NewMember:
    return replace(new, email=normal_email(new.email), phone=normal_phone(new.phone))


def _digest(new: NewMember) -> bytes:
    content = asdict(replace(new, joined_at=None))
    del content["visitor"]  # a browser's, never said by a partner
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).digest()


def _key(new: NewMember, place: int) -> _Key:
    """Equal for two entries of a batch exactly when they are one person."""
    return ("external id", new.external_id) if new.external_id else ("place", place)


def _known_members(news: Sequence[NewMember], partner: Partner | None) -> dict[str, Member]:
    wanted = [new.external_id for new in news if new.external_id]
    if not wanted:
        return {}
    rows = ExternalId.objects.filter(partner=partner, external_id__in=wanted).select_related("member__tier")
    return {row.external_id: row.member for row in rows}


def _insert(
    news: Sequence[NewMember],
    *,
    source: str,
    at: dt.datetime,
    partner: Partner | None = None,
    user: User | None = None,
) -> list[Member]:
    """Write new members; raises DuplicateMember for the constraint that refused one. Card numbers are drawn again."""
    if not news:
        return []
    for _attempt in range(_ATTEMPTS):
        members = _members(news, source=source, at=at, partner=partner, user=user)
        try:
            with transaction.atomic():
                _write(members, news, source=source, at=at, partner=partner)
        except IntegrityError as error:
            constraint = _constraint(error)
            if "card_number" in constraint:
                continue
            raise (_clash(constraint, news, partner=partner, user=user) or error) from error
        return members
    raise RuntimeError("No free card number found.")


def _members(
    news: Sequence[NewMember], *, source: str, at: dt.datetime, partner: Partner | None, user: User | None
) -> list[Member]:
    """New members in the lowest tier with fresh card numbers, not yet written."""
    lowest = Tier.objects.order_by("rank")[0]
    house = programme.current()
    return [
        Member(
            user=user,
            card_number=new_card_number(),
            first_name=new.first_name,
            last_name=new.last_name,
            email=new.email,
            phone=new.phone,
            birth_date=new.birth_date,
            language=new.language or house.default_language,
            time_zone=new.time_zone or house.time_zone,
            joined_at=new.joined_at or at,
            source=source,
            enrolled_by=partner,
            acquisition_channel=new.acquisition_channel or _usual_channel(source),
            tier=lowest,
            tier_since=new.joined_at or at,
            tier_as_of=new.joined_at or at,
        )
        for new in news
    ]


def _usual_channel(source: str) -> str:
    if source == Member.Source.PARTNER:
        return Member.AcquisitionChannel.PARTNER
    return Member.AcquisitionChannel.ORGANIC


def _write(
    members: Sequence[Member],
    news: Sequence[NewMember],
    *,
    source: str,
    at: dt.datetime,
    partner: Partner | None,
) -> None:
    """All rows of the enrolments."""
    Member.objects.bulk_create(members)
    pairs = list(zip(members, news, strict=True))
    _write_external_ids(pairs, partner, at=at)
    TierChange.objects.bulk_create(
        TierChange(
            member=member,
            to_tier=member.tier,
            reason=TierChange.Reason.ENROLLED,
            changed_at=member.joined_at,
        )
        for member in members
    )
    partner_id = partner.pk if partner else None
    announce_many([_enrolled(member, new, source, partner_id) for member, new in pairs])
    record_first_consents(
        [(member, consent) for member, new in pairs for consent in new.consents],
        source=source,
        at=at,
        partner_id=partner_id,
    )


def _write_external_ids(
    pairs: Sequence[tuple[Member, NewMember]], partner: Partner | None, *, at: dt.datetime
) -> None:
    """External ids go in by name: two batches at once then wait instead of deadlocking."""
    named = sorted((pair for pair in pairs if pair[1].external_id), key=lambda pair: pair[1].external_id)
    if not named:
        return
    if partner is None:
        raise ValueError("An external id belongs to a partner.")
    ExternalId.objects.bulk_create(
        ExternalId(
            partner=partner,
            external_id=new.external_id,
            member=member,
            content_digest=_digest(new),
            created_at=at,
        )
        for member, new in named
    )


def _enrolled(member: Member, new: NewMember, source: str, partner_id: int | None) -> Announcement:
    facts = {"source": str(source), "acquisition_channel": str(member.acquisition_channel)}
    return Announcement(
        name="member.enrolled",
        member_id=member.pk,
        partner_id=partner_id,
        at=member.joined_at,
        facts=facts
        | ({"referral_code": new.referral_code} if new.referral_code else {})
        | ({"visitor": str(new.visitor)} if new.visitor else {}),
    )


def _clash(
    constraint: str, news: Sequence[NewMember], *, partner: Partner | None, user: User | None
) -> DuplicateMember | None:
    """Who was there first. An external id comes before the e-mail address: then it is the same enrolment again."""
    for known in _known_members(news, partner).values():
        return DuplicateMember("external_id", known)
    addresses = [new.email for new in news if new.email]
    if constraint == _EMAIL_ONCE and (taken := with_email(addresses).first()):
        return DuplicateMember("email", taken)
    if user is not None and (own := Member.objects.select_related("tier").filter(user=user).first()):
        return DuplicateMember("user", own)
    return None


def _constraint(error: IntegrityError) -> str:
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""


def _verified_primary(user: User) -> str:
    """The user's primary address once it is verified, else ""."""
    address = EmailAddress.objects.filter(user=user, primary=True, verified=True).first()
    return normal_email(address.email) if address else ""


def _link(user: User, email: str) -> Member | None:
    """Tie the member with this address and no log-in to the user: one row changed, or someone else won."""
    waiting = with_email([email]).filter(user=None, status=Member.Status.ACTIVE)
    if waiting.update(user=user):
        return Member.objects.select_related("tier").get(user=user)
    return None
