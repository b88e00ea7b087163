"""The terms of challenges as they are judged by: a goal, its conditions, and the prizes of its steps. Read in bulk."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from loyalty import conditions
from loyalty.conditions import Condition
from loyalty.conditions.tree import AllOf, AnyOf, Comparison, Node
from members.segments.definition import codes_in
from rewards.challenges.goals import OF_LINES, Goal, Target
from rewards.models import Challenge, ChallengeStep


@dataclass(frozen=True, eq=False)
class Terms:
    """One challenge, ready to be judged. Conditions are None where there are none."""

    challenge: Challenge
    goal: Goal
    steps: dict[int, ChallengeStep]
    condition: Condition | None
    lines: Condition | None
    audience: Condition | None
    minimum_rank: int | None

    @property
    def id(self) -> int:
        return self.challenge.pk

    @cached_property
    def fact_names(self) -> frozenset[str]:
        """What judging an activity by these terms looks at, beyond the activity itself."""
        names = set(self.condition.fact_names if self.condition else ())
        if self.audience and not self.goal.by_choice:
            names |= {f"member.{name}" for name in self.audience.fact_names} | {"tier_reached"}
        return frozenset(names)

    @cached_property
    def takes_lines(self) -> bool:
        """Whether judging takes the purchase lines."""
        asked = self.condition is not None and "lines" in self.condition.fact_names
        return asked or self.lines is not None or self.goal.measure in OF_LINES

    @cached_property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of activity that can count at all; None: every kind."""
        return _kinds(self.condition.node) if self.condition else None


def _kinds(node: Node) -> frozenset[str] | None:
    """The kinds that a condition names, where it holds for no other."""
    match node:
        case Comparison(field, op, value) if field.name == "kind" and op in ("eq", "in"):
            return frozenset(value if isinstance(value, tuple) else (value,))
        case AllOf(children):
            named = [found for child in children if (found := _kinds(child)) is not None]
            return frozenset.intersection(*named) if named else None
        case AnyOf(children) if children:
            sets = [_kinds(child) for child in children]
            return frozenset().union(*(found for found in sets if found)) if None not in sets else None
    return None


def of(challenge: Challenge) -> Terms:
    """The terms of a challenge loaded by :func:`loaded`."""
    steps = sorted(challenge.steps.all(), key=lambda step: step.target)
    goal = Goal(
        measure=challenge.measure,
        window=challenge.window,
        recurs=challenge.recurs,
        starts_at=challenge.starts_at,
        ends_at=challenge.ends_at,
        days=challenge.days,
        grace=challenge.grace,
        by_choice=challenge.by_choice,
        targets=tuple(Target(step.pk, step.target) for step in steps),
    )
    return Terms(
        challenge=challenge,
        goal=goal,
        steps={step.pk: step for step in steps},
        condition=_parsed(challenge.conditions, "activity"),
        lines=_parsed(challenge.lines, "line"),
        audience=_parsed(challenge.audience, "audience"),
        minimum_rank=challenge.minimum_tier.rank if challenge.minimum_tier else None,
    )


def _parsed(stored: Any, subject: str) -> Condition | None:
    condition = conditions.parse(stored or {}, subject, check_choices=False)
    return None if condition.is_always else condition


def loaded(challenges: QuerySet[Challenge] | None = None) -> QuerySet[Challenge]:
    """Challenges with what their terms and pages take: two statements, however many there are."""
    steps = ChallengeStep.objects.select_related("badge__picture", "voucher_family", "draw")
    rows = Challenge.objects.all() if challenges is None else challenges
    return rows.select_related("minimum_tier", "picture").prefetch_related(Prefetch("steps", steps))


def challenges_for_segment(code: str) -> list[str]:
    """The names of challenges in use whose audience, or whose conditions, name a segment."""
    found = []
    for challenge in loaded(Challenge.objects.filter(is_active=True)):
        asked = of(challenge)
        if any(code in codes_in(each.node) for each in (asked.audience, asked.condition) if each):
            found.append(str(challenge))
    return found


def known(ids: Iterable[int]) -> dict[int, Terms]:
    """The terms of challenges by id."""
    return {challenge.pk: of(challenge) for challenge in loaded().filter(pk__in=list(ids))}


def covering(since: dt.datetime, until: dt.datetime) -> list[Terms]:
    """The terms of the open challenges for which something done from ``since`` to ``until`` may count.

    Also those that have ended since: what is late, or comes back, counts when it was done.
    """
    rows = loaded().filter(Q(ends_at=None) | Q(ends_at__gt=since), is_active=True, starts_at__lte=until)
    return [of(challenge) for challenge in rows.order_by("pk")]
