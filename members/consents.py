"""Consents: what a member agrees to, now and through time. Portal, staff, partners and enrolment change them here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from loyalty.events.bus import Announcement, announce, announce_many
from members.models import Consent, ConsentChange, Member
from members.models.consent import ConsentChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """One answer to one question, as it comes with an enrolment."""

    purpose: str
    channel: str = ConsentChannel.ANY
    granted: bool = True


def set_consent(
    *,
    member_id: int,
    purpose: str,
    channel: str = ConsentChannel.ANY,
    granted: bool,
    source: str,
    at: datetime,
    partner_id: int | None = None,
    staff_id: int | None = None,
) -> bool:
    """Give or withdraw one consent; says whether that changed anything.

    State, history and announcement go in one transaction under the member's row, so that two answers at once end
    with a history that explains the state. The same answer again writes nothing.
    """
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)
        if has_consent(member_id, purpose, channel) == granted:
            return False
        Consent.objects.update_or_create(
            member_id=member_id,
            purpose=purpose,
            channel=channel,
            defaults={"granted": granted, "changed_at": at},
        )
        ConsentChange.objects.create(
            member_id=member_id,
            purpose=purpose,
            channel=channel,
            granted=granted,
            source=source,
            partner_id=partner_id,
            staff_id=staff_id,
            changed_at=at,
        )
        announce(
            "consent.changed",
            member_id=member_id,
            partner_id=partner_id,
            at=at,
            purpose=purpose,
            channel=channel,
            granted=granted,
        )
    return True


def has_consent(member_id: int, purpose: str, channel: str = ConsentChannel.ANY) -> bool:
    """Whether the member agrees now; never asked means no."""
    return Consent.objects.filter(
        member_id=member_id, purpose=purpose, channel=channel, granted=True
    ).exists()


def consents_of(member: Member) -> dict[tuple[str, str], Consent]:
    """The member's present answers by (purpose, channel), withdrawn ones too."""
    return {(consent.purpose, consent.channel): consent for consent in member.consents.all()}


def record_first_consents(
    given: Iterable[tuple[Member, ConsentGiven]], *, source: str, at: datetime, partner_id: int | None
) -> None:
    """Write what new members agreed to, in three statements for all of them; a "no" needs no row.

    For enrolment, inside its transaction: nobody else knows these members yet, so no lock is needed.
    """
    answers = {
        (member.pk, consent.purpose, str(consent.channel)): consent.granted for member, consent in given
    }
    ordered = sorted(key for key, granted in answers.items() if granted)
    if not ordered:
        return
    Consent.objects.bulk_create(
        Consent(member_id=member_id, purpose=purpose, channel=channel, granted=True, changed_at=at)
        for member_id, purpose, channel in ordered
    )
    ConsentChange.objects.bulk_create(
        ConsentChange(
            member_id=member_id,
            purpose=purpose,
            channel=channel,
            granted=True,
            source=source,
            partner_id=partner_id,
            changed_at=at,
        )
        for member_id, purpose, channel in ordered
    )
    announce_many(
        [
            Announcement(
                name="consent.changed",
                member_id=member_id,
                partner_id=partner_id,
                at=at,
                facts={"purpose": purpose, "channel": channel, "granted": True},
            )
            for member_id, purpose, channel in ordered
        ]
    )
