"""The shapes of referrals in the API: plain dictionaries built by hand, and what describes them for OpenAPI."""

from typing import Any

from rest_framework import serializers

from referrals import wording
from referrals.models import ProgrammeTerms, Referral, ReferralGrant, ReferralStep


class GiftsSerializer(serializers.Serializer[Any]):
    """What the member's programme gives now, in words."""

    programme = serializers.CharField(help_text="Its code.")
    name = serializers.CharField()
    takes = serializers.CharField(help_text="What the friend has to do.")
    referrer = serializers.CharField(allow_blank=True, help_text="What the member gets.")
    friend = serializers.CharField(allow_blank=True, help_text="What the friend gets.")


class ReferralCodeSerializer(serializers.Serializer[Any]):
    """A member's code to share. Without a programme that runs for them it brings nobody anything."""

    code = serializers.CharField()
    link = serializers.URLField(help_text="Where a friend who follows it joins with the code.")
    gifts = GiftsSerializer(allow_null=True, help_text="null: no programme runs for the member now.")
    joined = serializers.IntegerField(help_text="How many friends have joined by it.")


class GrantSerializer(serializers.Serializer[Any]):
    """What one side got."""

    side = serializers.ChoiceField(choices=ReferralGrant.Side.choices)
    points = serializers.IntegerField()
    given_at = serializers.DateTimeField()
    reversed_at = serializers.DateTimeField(allow_null=True)


class ReferralSerializer(serializers.Serializer[Any]):
    """A friend of a member. Either may be somebody whom you do not see: then there is no id."""

    id = serializers.UUIDField()
    referrer = serializers.UUIDField(allow_null=True, help_text="The member's id; null: nobody you may see.")
    friend = serializers.UUIDField(allow_null=True, help_text="The member's id; null: nobody you may see.")
    programme = serializers.CharField(allow_null=True, help_text="Its code; null: none was running.")
    state = serializers.ChoiceField(choices=Referral.State.choices)
    reason = serializers.ChoiceField(choices=Referral.Reason.choices, allow_blank=True)
    why = serializers.CharField(allow_blank=True, help_text="State and reason in words for the member.")
    joined_at = serializers.DateTimeField()
    lapses_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True, help_text="When the waiting is over.")
    qualified_at = serializers.DateTimeField(allow_null=True)
    rewarded_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    grants = GrantSerializer(many=True)


class ReferralStepSerializer(serializers.Serializer[Any]):
    """A step. Notes of staff are not told."""

    state = serializers.ChoiceField(choices=Referral.State.choices)
    reason = serializers.ChoiceField(choices=Referral.Reason.choices, allow_blank=True)
    at = serializers.DateTimeField()


class ReferralWithStepsSerializer(ReferralSerializer):
    """A referral with every step it has made."""

    steps = ReferralStepSerializer(many=True)


def gifts_answer(terms: ProgrammeTerms) -> dict[str, Any]:
    return {
        "programme": terms.programme.code,
        "name": str(terms.programme),
        "takes": wording.what_it_takes(terms),
        "referrer": wording.referrers_gift(terms),
        "friend": wording.friends_gift(terms),
    }


def referral_answer(referral: Any) -> dict[str, Any]:
    """A row of ``api.seen_by``, which says whom of the two the partner sees."""
    return {
        "id": str(referral.public_id),
        "referrer": str(referral.referrer.public_id) if referral.sees_referrer else None,
        "friend": str(referral.friend.public_id) if referral.sees_friend else None,
        "programme": referral.terms.programme.code if referral.terms else None,
        "state": referral.state,
        "reason": referral.reason,
        "why": wording.why(referral),
        **{
            name: getattr(referral, name)
            for name in ("joined_at", "lapses_at", "due_at", "qualified_at", "rewarded_at", "ended_at")
        },
        "grants": [
            {
                "side": grant.side,
                "points": grant.points,
                "given_at": grant.given_at,
                "reversed_at": grant.reversed_at,
            }
            for grant in referral.grants.all()
            if (referral.sees_referrer if grant.side == ReferralGrant.Side.REFERRER else referral.sees_friend)
        ],
    }


def step_answer(step: ReferralStep) -> dict[str, Any]:
    return {"state": step.state, "reason": step.reason, "at": step.at}
