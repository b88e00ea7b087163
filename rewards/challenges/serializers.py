"""The shapes of challenges in the API: plain dictionaries built by hand, and what describes them for OpenAPI."""

from typing import Any

from rest_framework import serializers

from loyalty.translated import in_language
from rewards.challenges import wording
from rewards.challenges.queries import Place, Shown, ShownBadge
from rewards.challenges.terms import Terms
from rewards.models import Challenge


class StepSerializer(serializers.Serializer[Any]):
    """A step of a challenge."""

    target = serializers.DecimalField(max_digits=12, decimal_places=2)
    name = serializers.CharField(allow_blank=True)
    takes = serializers.CharField(help_text="The target in words.")
    points = serializers.IntegerField()
    prizes = serializers.ListField(child=serializers.CharField(), help_text="Each prize in words.")


class ChallengeSerializer(serializers.Serializer[Any]):
    """A challenge that is open."""

    id = serializers.UUIDField()
    challenge = serializers.CharField(help_text="Its code.")
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    measure = serializers.ChoiceField(choices=Challenge.Measure.choices)
    by_choice = serializers.BooleanField(help_text="Whether members have to join in.")
    recurs = serializers.ChoiceField(choices=Challenge.Recurs.choices)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    steps = StepSerializer(many=True)


class ChallengesSerializer(serializers.Serializer[Any]):
    results = ChallengeSerializer(many=True)


class MemberStepSerializer(StepSerializer):
    """A step as one member has it."""

    reached_at = serializers.DateTimeField(allow_null=True)


class MemberChallengeSerializer(ChallengeSerializer):
    """A challenge as one member has it; the times are those of their present round."""

    state = serializers.ChoiceField(choices=[(str(place), str(place)) for place in Place])
    round = serializers.IntegerField(allow_null=True)
    progress = serializers.DecimalField(max_digits=14, decimal_places=2)
    missing = serializers.CharField(allow_blank=True, help_text="What is missing to the next step, in words.")
    joined_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    completed = serializers.IntegerField(help_text="How many rounds the member has completed.")
    steps = MemberStepSerializer(many=True)


class MemberChallengesSerializer(serializers.Serializer[Any]):
    results = MemberChallengeSerializer(many=True)


class MemberBadgeSerializer(serializers.Serializer[Any]):
    """A badge at the highest level that the member has."""

    badge = serializers.CharField(help_text="Its code.")
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    level = serializers.IntegerField()
    levels = serializers.IntegerField()
    times = serializers.IntegerField(help_text="How often that level was earned.")
    earned_at = serializers.DateTimeField()


class MemberBadgesSerializer(serializers.Serializer[Any]):
    results = MemberBadgeSerializer(many=True)


def challenge_answer(known: Terms) -> dict[str, Any]:
    """A challenge as the API tells of it; texts in the active language."""
    challenge, goal = known.challenge, known.goal
    return {
        "id": str(challenge.public_id),
        "challenge": challenge.code,
        "name": challenge.name or challenge.code,
        "description": in_language(challenge.descriptions),
        "measure": goal.measure,
        "by_choice": goal.by_choice,
        "recurs": goal.recurs,
        "starts_at": goal.starts_at,
        "ends_at": goal.ends_at,
        "steps": [
            {
                "target": f"{target.amount:.2f}",
                "name": in_language(known.steps[target.step_id].names),
                "takes": wording.amount_text(goal.measure, target.amount),
                "points": known.steps[target.step_id].points,
                "prizes": wording.prizes(known.steps[target.step_id]),
            }
            for target in goal.targets
        ],
    }


def member_challenge_answer(shown: Shown) -> dict[str, Any]:
    """A challenge as the API tells of it for one member."""
    answer = challenge_answer(shown.terms)
    reached = {step.step.pk: step.reached_at for step in shown.steps}
    steps = [
        {**step, "reached_at": reached[target.step_id]}
        for step, target in zip(answer["steps"], shown.terms.goal.targets, strict=True)
    ]
    return answer | {
        "state": str(shown.place),
        "round": shown.round_number,
        "progress": f"{shown.progress:.2f}",
        "missing": shown.missing_text,
        "starts_at": shown.starts_at,
        "ends_at": shown.ends_at,
        "joined_at": shown.joined_at,
        "completed_at": shown.completed_at,
        "completed": shown.completed,
        "steps": steps,
    }


def badge_answer(shown: ShownBadge) -> dict[str, Any]:
    return {
        "badge": shown.badge.code,
        "name": shown.name,
        "description": shown.description,
        "level": shown.level,
        "levels": shown.badge.levels,
        "times": shown.times,
        "earned_at": shown.earned_at,
    }
