"""Opening, ending and copying challenges, and whether their terms can be so. Called by the admin and the demo.

Terms stand still once somebody takes part. The checks name the field to mend.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from rewards.challenges.goals import DISTINCT, SCHEDULED, STREAKS, Measure, Window
from rewards.challenges.taking_part import has_begun
from rewards.models import Challenge, ChallengeCount, ChallengeStep

TERMS = (
    "measure", "conditions", "lines", "audience", "minimum_tier", "by_choice", "window", "starts_at", "ends_at",
    "days", "recurs", "grace",
)  # fmt: skip
"""The columns that stand still once somebody takes part, like the steps."""


class ChallengeRefused(Exception):
    """The challenge cannot be so; ``field`` is what to mend (blank: the whole), the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check(challenge: Challenge) -> None:
    """Raise ChallengeRefused unless these terms make sense together; the steps are checked when it opens."""
    recurs, measure = challenge.recurs, challenge.measure
    if challenge.ends_at is not None and challenge.ends_at <= challenge.starts_at:
        raise ChallengeRefused("ends_at", _("Choose an end after the beginning."))
    if challenge.window == Window.FROM_JOINING:
        if not challenge.days:
            raise ChallengeRefused("days", _("Give the number of days that a member has."))
        if recurs in SCHEDULED:
            raise ChallengeRefused(
                "recurs",
                _("Weeks and months begin for everybody at once: choose the same time for everybody."),
            )
    if measure == Measure.STREAK_WEEKS and recurs in SCHEDULED:
        raise ChallengeRefused("recurs", _("Weeks in a row go beyond a week or a month: choose another."))
    if challenge.grace and measure not in STREAKS:
        raise ChallengeRefused("grace", _("Only a row of days or weeks can have days of grace."))


def check_steps(challenge: Challenge, targets: Sequence[Decimal]) -> None:
    """Raise ChallengeRefused unless the steps have targets that can be reached one after the other."""
    if not targets:
        raise ChallengeRefused("", _("Add at least one step: what it takes, and its prize."))
    if len(set(targets)) != len(targets):
        raise ChallengeRefused("", _("Give each step a target of its own."))
    whole = (
        challenge.measure in DISTINCT or challenge.measure in STREAKS or challenge.measure == Measure.COUNT
    )
    if whole and any(target != target.to_integral_value() for target in targets):
        raise ChallengeRefused("", _("These are counted one by one: give whole numbers as targets."))


def open_challenge(*, challenge_id: int, at: dt.datetime) -> bool:
    """Let a challenge count, from its beginning on; False when it was open already. Raises ChallengeRefused.

    Where it began before and takes everybody in, a worker counts what was done since (``counting``).
    """
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update().get(pk=challenge_id)
        if challenge.is_active:
            return False
        check(challenge)
        check_steps(challenge, list(challenge.steps.values_list("target", flat=True)))
        if challenge.ends_at is not None and challenge.ends_at <= at:
            raise ChallengeRefused("ends_at", _("It would be over before it opens. Choose a later end."))
        challenge.is_active = True
        challenge.save(update_fields=["is_active"])
        ask_to_count(challenge, at=at)
    return True


def ask_to_count(challenge: Challenge, *, at: dt.datetime) -> None:
    """Have a worker count what was done before now, from the first member on; nothing to do where members join in."""
    if challenge.by_choice or challenge.starts_at >= at:
        return
    ChallengeCount.objects.update_or_create(
        challenge=challenge,
        defaults={
            "state": ChallengeCount.State.WAITING,
            "asked_at": at,
            "after_member": 0,
            "done": 0,
            "total": None,
            "ended_at": None,
        },
    )


def end(*, challenge_id: int, at: dt.datetime) -> bool:
    """Let nothing that is done from now on count; False when it was over. Prizes won stay, refunds still count."""
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update().get(pk=challenge_id)
        if challenge.ends_at is not None and challenge.ends_at <= at:
            return False
        if not challenge.is_active or challenge.starts_at >= at:
            raise ChallengeRefused("", _("It has not begun: delete it, or leave it closed."))
        challenge.ends_at = at
        challenge.save(update_fields=["ends_at"])
        challenge.rounds.filter(ends_at__gt=at).update(ends_at=at)
        challenge.rounds.filter(ends_at__isnull=True).update(ends_at=at)
    return True


def refuse_frozen(challenge: Challenge) -> None:
    """Raise ChallengeRefused when somebody takes part. Locks the challenge, so that nobody comes in meanwhile."""
    Challenge.objects.select_for_update().get(pk=challenge.pk)
    if has_begun(challenge):
        raise ChallengeRefused(
            "", _("Members take part already, so its terms stand still. Make a copy and change that.")
        )


def clone(*, challenge_id: int, code: str) -> Challenge:
    """A closed copy with its steps, under another code; its terms can be changed until somebody takes part."""
    with transaction.atomic():
        copy = Challenge.objects.get(pk=challenge_id)
        steps = list(ChallengeStep.objects.filter(challenge=copy))
        copy.pk, copy.code, copy.is_active = None, code, False
        copy.public_id = Challenge._meta.get_field("public_id").get_default()
        copy._state.adding = True
        copy.save()
        for step in steps:
            step.pk, step.challenge = None, copy
        ChallengeStep.objects.bulk_create(steps)
    return copy


def free_code(code: str) -> str:
    """A code for a copy that no other challenge has: “march-5” becomes “march-5-2”."""
    stem = code[:45]
    taken = set(Challenge.objects.filter(code__startswith=stem).values_list("code", flat=True))
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
