"""Reads about members that serve more than one caller: the portal, the API and the admin."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from members import consents
from members.models import Activity, ActivityLine, Consent, ConsentChange, Member, SegmentMember, User
from members.models.consent import ConsentChannel, Purpose

# What a member is asked, in the order it is shown: messages by channel, then how purchases are used.
ASKED: tuple[tuple[Purpose, ConsentChannel], ...] = (
    (Purpose.MARKETING, ConsentChannel.EMAIL),
    (Purpose.MARKETING, ConsentChannel.SMS),
    (Purpose.MARKETING, ConsentChannel.PUSH),
    (Purpose.SURVEYS, ConsentChannel.EMAIL),
    (Purpose.SURVEYS, ConsentChannel.SMS),
    (Purpose.SURVEYS, ConsentChannel.PUSH),
    (Purpose.PROFILING, ConsentChannel.ANY),
    (Purpose.PURCHASE_LINES, ConsentChannel.ANY),
)

PERSON = (
    *("card_number", "first_name", "last_name", "email", "phone", "birth_date", "language", "time_zone"),
    "joined_at",
)


@dataclass(frozen=True)
class ConsentState:
    """One question of consent with the member's present answer (``changed_at`` None: never answered)."""

    purpose: Purpose
    channel: ConsentChannel
    granted: bool
    changed_at: dt.datetime | None


def member_of(user: User) -> Member | None:
    """The member that logs in as this user, with the tier; None for staff who are not members."""
    return Member.objects.select_related("tier").filter(user=user).first()


def consents_of(member: Member) -> list[ConsentState]:
    """Every question the portal asks, with the present answer; not answered means not given."""
    answers = consents.consents_of(member)
    states = []
    for purpose, channel in ASKED:
        row = answers.get((purpose, channel))
        states.append(
            ConsentState(purpose, channel, bool(row and row.granted), row.changed_at if row else None)
        )
    return states


def consent_history(member: Member, *, limit: int = 50) -> list[ConsentChange]:
    """The latest changes of consent, newest first."""
    return list(ConsentChange.objects.filter(member=member).select_related("partner")[:limit])


def lines_by_activity(activity_ids: Iterable[int]) -> dict[int, list[ActivityLine]]:
    """The receipt lines of these activities, one query for all, in the order of the receipt."""
    lines: dict[int, list[ActivityLine]] = {}
    rows = ActivityLine.objects.filter(activity_id__in=list(activity_ids)).select_related(
        "product", "category"
    )
    for line in rows.order_by("activity_id", "position"):
        lines.setdefault(line.activity_id, []).append(line)
    return lines


def segments_of(member: Member) -> list[SegmentMember]:
    """The segments in use that the member is in, newest first, with their segments."""
    held = SegmentMember.objects.filter(member=member, segment__is_active=True).select_related("segment")
    return list(held.order_by("-joined_at", "segment__code"))


def person_of(member: Member) -> dict[str, Any]:
    """Who the member is, as their own copy and the partners that may see the profile are told."""
    return {name: getattr(member, name) for name in PERSON}


def profile_data(member: Member) -> dict[str, Any]:
    """What the programme holds about the person, for their own copy of their data."""
    return {
        "id": str(member.public_id),
        **person_of(member),
        "tier": member.tier.code,
        "external_ids": [
            {"partner": row.partner.name, "external_id": row.external_id}
            for row in member.external_ids.select_related("partner")
        ],
        "segments": [
            {"code": row.segment.code, "name": row.segment.name, "since": row.joined_at}
            for row in segments_of(member)
        ],
        "consents": [
            {
                "purpose": row.purpose,
                "channel": row.channel,
                "granted": row.granted,
                "changed_at": row.changed_at,
            }
            for row in Consent.objects.filter(member=member).order_by("purpose", "channel")
        ],
        "consent_changes": [
            {
                "purpose": row.purpose,
                "channel": row.channel,
                "granted": row.granted,
                "changed_at": row.changed_at,
            }
            for row in ConsentChange.objects.filter(member=member).order_by("id")
        ],
    }


def activity_data(member: Member) -> list[dict[str, Any]]:
    """Every activity of the member with its lines, oldest first, for their own copy of their data."""
    activities: Sequence[Activity] = list(
        member.activities.select_related("store", "channel", "partner").order_by("occurred_at", "id")
    )
    lines = lines_by_activity(activity.pk for activity in activities)
    return [
        {
            "id": str(activity.public_id),
            "external_id": activity.external_id,
            "kind": activity.kind_id,
            "occurred_at": activity.occurred_at,
            "partner": activity.partner.name,
            "store": str(activity.store) if activity.store else None,
            "channel": activity.channel.code if activity.channel else None,
            "total": activity.total,
            "currency": activity.currency,
            "lines": [
                {
                    "sku": line.product.sku if line.product else None,
                    "product": line.product.name if line.product else None,
                    "category": line.category.name if line.category else None,
                    "department": line.category.department if line.category else None,
                    "quantity": line.quantity,
                    "total": line.total,
                }
                for line in lines.get(activity.pk, [])
            ],
        }
        for activity in activities
    ]
