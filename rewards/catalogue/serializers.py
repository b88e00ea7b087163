"""The shapes of rewards in the API. Answers are plain dictionaries built by hand; these describe them for OpenAPI."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework import serializers

from loyalty import programme
from loyalty.translated import in_language
from rewards.catalogue.availability import ObstacleKind
from rewards.catalogue.listing import Shown
from rewards.models import Reward


class PictureSerializer(serializers.Serializer[Any]):
    """A picture of a reward, WebP; its addresses may be kept for good."""

    url = serializers.URLField()
    thumbnail = serializers.URLField()
    width = serializers.IntegerField(help_text="In pixels.")
    height = serializers.IntegerField(help_text="In pixels.")
    text = serializers.CharField(allow_blank=True, help_text="For those who cannot see it.")


class NamedSerializer(serializers.Serializer[Any]):
    """A code with its name in the answer's language."""

    code = serializers.CharField()
    name = serializers.CharField()


class LimitSerializer(serializers.Serializer[Any]):
    """The most that can be taken in a period."""

    most = serializers.IntegerField()
    period = serializers.ChoiceField(choices=Reward._meta.get_field("limit_per_member_period").choices or ())


class EarlyAccessSerializer(serializers.Serializer[Any]):
    """From when members of a tier can get it before the others."""

    tier = NamedSerializer()
    opens_at = serializers.DateTimeField()


class RewardSerializer(serializers.Serializer[Any]):
    """A reward of the catalogue."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    kind = serializers.ChoiceField(choices=Reward.Kind.choices)
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    instructions = serializers.CharField(allow_blank=True)
    points = serializers.IntegerField()
    money = serializers.DecimalField(
        max_digits=10, decimal_places=2, help_text="Paid at the till on top of the points."
    )
    currency = serializers.CharField()
    category = NamedSerializer(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    skus = serializers.ListField(child=serializers.CharField())
    partner = serializers.CharField(allow_null=True, help_text="The slug of the partner whose reward it is.")
    picture = PictureSerializer(allow_null=True)
    opens_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    minimum_tier = NamedSerializer(allow_null=True)
    early_access = EarlyAccessSerializer(allow_null=True)
    limit_per_member = LimitSerializer(allow_null=True)
    limit_in_all = LimitSerializer(allow_null=True)
    pieces_left = serializers.IntegerField(allow_null=True, help_text="Null: it does not run out.")
    given_as = serializers.ChoiceField(choices=Reward.Fulfilment.choices)


class ObstacleSerializer(serializers.Serializer[Any]):
    """One thing that keeps the member from the reward."""

    kind = serializers.ChoiceField(choices=[(str(kind), str(kind)) for kind in ObstacleKind])
    text = serializers.CharField()
    points_missing = serializers.IntegerField(help_text="More than 0 for `points` only.")
    until = serializers.DateTimeField(allow_null=True, help_text="When it goes away by itself.")


class MemberRewardSerializer(RewardSerializer):
    """A reward as one member sees it."""

    available = serializers.BooleanField(help_text="Whether the member can get it now.")
    points_missing = serializers.IntegerField()
    favourite = serializers.BooleanField()
    obstacles = ObstacleSerializer(many=True)


def reward_answer(reward: Reward, *, pieces_left: int | None) -> dict[str, Any]:
    """A reward as the API tells of it; texts in the active language."""
    return {
        "id": str(reward.public_id),
        "code": reward.code,
        "kind": reward.kind,
        "name": reward.name or reward.code,
        "description": in_language(reward.descriptions),
        "instructions": in_language(reward.instructions),
        "points": reward.points,
        "money": f"{reward.money:.2f}",
        "currency": programme.current().base_currency,
        "category": _named(reward.category),
        "tags": reward.tags,
        "skus": reward.skus,
        "partner": reward.partner.slug if reward.partner else None,
        "picture": _picture(reward),
        "opens_at": reward.opens_at,
        "closes_at": reward.closes_at,
        "minimum_tier": _named(reward.minimum_tier),
        "early_access": {"tier": _named(reward.early_tier), "opens_at": reward.early_opens_at}
        if reward.early_tier
        else None,
        "limit_per_member": _limit(reward.limit_per_member, reward.limit_per_member_period),
        "limit_in_all": _limit(reward.limit_in_all, reward.limit_in_all_period),
        "pieces_left": pieces_left,
        "given_as": reward.fulfilment,
    }


def shown_answer(shown: Shown) -> dict[str, Any]:
    """A reward as one member sees it."""
    return {
        **reward_answer(shown.reward, pieces_left=shown.pieces_left),
        "available": shown.is_available,
        "points_missing": shown.points_missing,
        "favourite": shown.is_favourite,
        "obstacles": [
            {
                "kind": str(each.kind),
                "text": each.text,
                "points_missing": each.points_missing,
                "until": each.until,
            }
            for each in shown.obstacles
        ],
    }


def _named(row: Any) -> dict[str, str] | None:
    return {"code": row.code, "name": row.name or row.code} if row is not None else None


def _limit(most: int | None, period: str) -> Mapping[str, Any] | None:
    return {"most": most, "period": period} if most is not None else None


def _picture(reward: Reward) -> dict[str, Any] | None:
    picture = reward.picture
    if picture is None:
        return None
    return {
        "url": settings.PUBLIC_URL + reverse("picture", args=[picture.digest]),
        "thumbnail": settings.PUBLIC_URL + reverse("picture-small", args=[picture.digest]),
        "width": picture.width,
        "height": picture.height,
        "text": in_language(reward.picture_texts),
    }
