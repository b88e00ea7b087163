"""The birthday greeting: one message and one gift of points a year and member. The tick ``campaigns.greet_birthdays``
calls it; ``campaigns.occasions`` decides, this module finds who may be due and writes what was decided.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from campaigns import occasions, wording
from campaigns.models import Campaign, Message
from campaigns.occasions import Birthday, Decision, Verdict
from campaigns.outbox import insert, way_to
from loyalty.runs.record import RunRecorder
from members.models import Member
from rewards import tiers
from rewards.grants import grant_once

logger = structlog.get_logger("kantis.campaigns")

SOURCE = "campaigns.birthday"
PAGE = 1_000
NOT_GREETED = (Message.Reason.TOO_LATE, Message.Reason.GIVEN_RECENTLY)
_MEMBER_LOCK = 4_001

_CANDIDATES = f"""
    SELECT m.id, m.birth_date, m.time_zone, m.joined_at,
           (SELECT max(g.created_at) FROM {Message._meta.db_table} g
             WHERE g.member_id = m.id AND g.campaign_id = %(campaign)s AND NOT g.reason = ANY(%(not_greeted)s))
      FROM unnest(%(months)s::numeric[], %(days)s::numeric[], %(occasions)s::text[]) AS d (month, day, occasion)
      JOIN {Member._meta.db_table} m
        ON EXTRACT(MONTH FROM m.birth_date) = d.month AND EXTRACT(DAY FROM m.birth_date) = d.day
       AND m.birth_date IS NOT NULL AND m.status = 'active'
     WHERE m.id > %(after)s
       AND NOT EXISTS (SELECT 1 FROM {Message._meta.db_table} o
                        WHERE o.member_id = m.id AND o.campaign_id = %(campaign)s AND o.occasion = d.occasion)
     ORDER BY m.id
     LIMIT %(limit)s
"""  # noqa: S608  (table names only)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member whose month and day are near, without a message for that birthday yet."""

    member_id: int
    facts: Birthday


def greet_birthdays(*, at: dt.datetime, run: RunRecorder) -> None:
    """Greet whoever has a birthday open at ``at``, and settle the missed ones as too late, campaign by campaign.

    May be repeated and may run twice at once: the message row decides who does the work. One member's failure is
    counted and logged, and tried again by the next tick; the others are greeted.
    """
    for campaign in Campaign.objects.filter(occasion=Campaign.Occasion.BIRTHDAY).order_by("pk"):
        if campaign.is_active:
            _greet_for(campaign, at=at, run=run)
        Campaign.objects.filter(pk=campaign.pk).update(looked_at=at)


def _greet_for(campaign: Campaign, *, at: dt.datetime, run: RunRecorder) -> None:
    look_back = min(campaign.look_back_days, occasions.LONGEST_LOOK_BACK)
    looked_at = campaign.looked_at
    days_back = occasions.unsettled_days(look_back_days=look_back, looked_at=looked_at, at=at)
    for candidate in candidates(campaign, at=at, days_back=days_back):
        try:
            decision = occasions.due_birthday(
                candidate.facts, at=at, look_back_days=look_back, looked_at=looked_at
            )
            greeted = settle(campaign, candidate.member_id, decision, at=at) if decision else None
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # one member's bad data must not cost the others their greeting
            logger.exception("birthday_failed", member_id=candidate.member_id, campaign=campaign.code)
            run.progress(failed=1)
            continue
        if greeted is not None:
            run.progress(done=int(greeted), skipped=int(not greeted))


def candidates(campaign: Campaign, *, at: dt.datetime, days_back: int) -> Iterator[Candidate]:
    """Members whose birthday may be open, by the index on month and day, a page at a time in the order of ids."""
    days = list(occasions.candidate_days(at=at, days_back=days_back))
    parameters: dict[str, Any] = {
        "campaign": campaign.pk,
        "not_greeted": list(NOT_GREETED),
        "months": [month for month, _day, _year in days],
        "days": [day for _month, day, _year in days],
        "occasions": [occasions.birthday_occasion(year) for _month, _day, year in days],
        "limit": PAGE,
    }
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_CANDIDATES, {**parameters, "after": after})
            page = cursor.fetchall()
        for member_id, *facts in page:
            yield Candidate(member_id, Birthday(*facts))
        if len(page) < PAGE:
            return
        after = page[-1][0]


def settle(campaign: Campaign, member_id: int, decision: Decision, *, at: dt.datetime) -> bool | None:
    """Write one member's message and gift, in one transaction; True when greeted, False when skipped with a reason.

    None when there was nothing to do: somebody else wrote the message first, or the member has left. The member's
    lock keeps two runs from greeting under two years at once; a row lock would cross the ledger's order of locks.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [_MEMBER_LOCK, member_id])
        member = Member.objects.filter(pk=member_id, status=Member.Status.ACTIVE).first()
        if member is None:
            return None
        if decision.verdict is Verdict.GREET and _has_recent_gift(campaign, member, at=at):
            decision = Decision(decision.day, Verdict.GIVEN_RECENTLY)
        message = _message(campaign, member, decision, at=at)
        if not insert(message):
            return None
        if message.points:
            grant_once(
                member_id=member_id,
                points=message.points,
                occasion=f"{decision.occasion}:{member_id}",
                source=SOURCE,
                source_id=message.pk,
                at=at,
            )
    return decision.verdict is Verdict.GREET


def gift_for(campaign: Campaign, member: Member, *, at: dt.datetime) -> int:
    """Points: as many as the member's tier at ``at`` gives for a birthday, or the campaign's where it names none."""
    of_the_tier = tiers.benefits_of(member, at=at).birthday_points
    return campaign.bonus_points if of_the_tier is None else of_the_tier


def _has_recent_gift(campaign: Campaign, member: Member, *, at: dt.datetime) -> bool:
    given = Message.objects.filter(member=member, campaign=campaign).exclude(reason__in=NOT_GREETED)
    return given.filter(created_at__gt=at - occasions.GIFT_INTERVAL).exists()


def _message(campaign: Campaign, member: Member, decision: Decision, *, at: dt.datetime) -> Message:
    """The row as it is to be written: what goes out, by which way, or why nothing does."""
    points = gift_for(campaign, member, at=at) if decision.verdict is Verdict.GREET else campaign.bonus_points
    subject, body = wording.greeting(
        campaign, language=member.language, first_name=member.first_name, points=points
    )
    message = Message(
        member=member,
        campaign=campaign,
        occasion=decision.occasion,
        language=member.language,
        subject=subject,
        body=body,
        created_at=at,
        due_at=at,
        channel=Message.Channel.INBOX,
        status=Message.Status.DUE,
    )
    if decision.verdict is Verdict.GREET:
        message.points = points
        message.channel, message.reason = way_to(member)
    else:
        message.status = Message.Status.SKIPPED
        message.reason = (
            Message.Reason.TOO_LATE if decision.verdict is Verdict.TOO_LATE else Message.Reason.GIVEN_RECENTLY
        )
    return message
