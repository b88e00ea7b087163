"""Joining in and leaving. Who may is judged when they join; who has joined stays in, whatever becomes of them.

Called by the portal and the API.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty import clock
from members.models import Member, Tier
from members.segments import membership
from rewards.challenges import goals, progress, terms
from rewards.challenges.terms import Terms
from rewards.facts import member_facts
from rewards.models import Challenge, ChallengeRound, Participation


class JoiningRefused(Exception):
    """The member cannot join in, or leave; ``code`` is stable, the text may be shown."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ChallengeUnknown(JoiningRefused):
    """There is no such challenge for this member."""

    def __init__(self) -> None:
        super().__init__("unknown-challenge", _("There is no such challenge for this member now."))


def join(*, member: Member, public_id: UUID, at: dt.datetime) -> Participation:
    """Let a member take part; again changes nothing, and who had left is back as if they had not been away.

    What they did in the challenge's time counts at once. Raises ChallengeUnknown (not open, or for others) and
    JoiningRefused (over, or joined by itself). Of two at once the member's lock lets one in.
    """
    with transaction.atomic():
        progress.lock([member.pk])
        known = _open(public_id)
        part = Participation.objects.filter(challenge=known.challenge, member=member).first()
        if part is None:
            refuse(known, member, at=at)
            part = Participation.objects.create(
                challenge=known.challenge, member=member, joined_at=at, time_zone=member.time_zone
            )
        elif part.left_at is None:
            return part
        elif known.goal.ends_at is not None and known.goal.ends_at <= at:
            raise _over()
        else:
            part.left_at = None
            part.save(update_fields=["left_at"])
        _begin_round(known, part, at=at)
        progress.recount(challenge_ids=[known.id], member_ids=[member.pk], at=at)
    return part


def leave(*, member: Member, public_id: UUID, at: dt.datetime) -> Participation:
    """Let a member take no further part: what they do from now on does not count, what they have won stays theirs.

    Raises ChallengeUnknown where they do not take part. Leaving again changes nothing.
    """
    with transaction.atomic():
        progress.lock([member.pk])
        part = (
            Participation.objects.select_related("challenge")
            .filter(challenge__public_id=public_id, challenge__is_active=True, member=member)
            .first()
        )
        if part is None:
            raise ChallengeUnknown
        if part.left_at is None:
            part.left_at = at
            part.save(update_fields=["left_at"])
    return part


def refuse(known: Terms, member: Member, *, at: dt.datetime) -> None:
    """Raise unless the member may join in now."""
    goal = known.goal
    if goal.starts_at > at or not is_for(known, asking(member, at=at), at=at):
        raise ChallengeUnknown
    if goal.ends_at is not None and goal.ends_at <= at:
        raise _over()
    if not goal.by_choice:
        raise JoiningRefused(
            "joins-by-itself", _("Nobody needs to join in: the first activity that counts is enough.")
        )


def _over() -> JoiningRefused:
    return JoiningRefused("challenge-over", _("This challenge is over."))


def _open(public_id: UUID) -> Terms:
    challenge = terms.loaded().filter(public_id=public_id, is_active=True).first()
    if challenge is None:
        raise ChallengeUnknown
    return terms.of(challenge)


def _begin_round(known: Terms, part: Participation, *, at: dt.datetime) -> None:
    """A round by the calendar begins for the member as they join; others follow from ``progress``."""
    if known.goal.recurs in goals.SCHEDULED:
        number = goals.number_at(known.goal, at, part.time_zone)
        starts_at, ends_at = goals.period(known.goal, number, part.time_zone)
        ChallengeRound.objects.get_or_create(
            challenge=known.challenge,
            member_id=part.member_id,
            number=number,
            defaults={"starts_at": starts_at, "ends_at": ends_at},
        )


def asking(member: Member, *, at: dt.datetime) -> Mapping[str, Any]:
    """A member (with the tier) as the conditions of audiences see them. Two statements."""
    reached = Tier.objects.filter(rank__lte=member.tier.rank).order_by("rank").values_list("code", flat=True)
    columns = ("birth_date", "language", "joined_at", "acquisition_channel", "time_zone")
    row = {name: getattr(member, name) for name in columns}
    return {
        **member_facts(row, at),
        "segments": membership.codes_at([(member.pk, at)])[0],
        "tier": member.tier.code,
        "tier_reached": tuple(reached),
        "tier_rank": member.tier.rank,
        "today": clock.local_date(at, member.time_zone),
    }


def is_for(known: Terms, facts: Mapping[str, Any], *, at: dt.datetime) -> bool:
    """Whether a challenge is meant for a member: its tier and its audience. Pure."""
    if known.minimum_rank is not None and facts["tier_rank"] < known.minimum_rank:
        return False
    return known.audience is None or known.audience.matches(facts, at=at, today=facts["today"])


def has_begun(challenge: Challenge) -> bool:
    """Whether somebody takes part, so that the terms stand still."""
    return Participation.objects.filter(challenge=challenge).exists()
