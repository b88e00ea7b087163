"""Campaigns to be decided about, with variants and texts, and candidates for them."""

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

from campaigns.deciding import Candidate
from campaigns.models import Campaign, ChannelPolicy, SendingPolicy, Text, Variant
from members.models import Member
from tests.factories.members import NOON

_numbers = itertools.count(1)


def mailing(
    *, variants: Sequence[int] = (1,), languages: Sequence[str] = ("fi", "sv", "en"), **facts: Any
) -> Campaign:
    """A one-off of offers by e-mail without a hold-out; one variant for each of the weights given."""
    facts.setdefault("hold_out_percent", 0)
    facts.setdefault("channels", ["email"])
    facts.setdefault("code", f"mailing-{next(_numbers)}")
    for texts in ("names", "subjects", "bodies"):
        if hasattr(Campaign, texts):
            facts.setdefault(texts, {"en": "Mailing"})
    campaign = Campaign.objects.create(**facts)
    for code, weight in zip("ABCDEF", variants, strict=False):
        variant = Variant.objects.create(campaign=campaign, code=code, weight=weight)
        for language in languages:
            Text.objects.create(variant=variant, language=language, subject="Offers", body="For you.")
    return campaign


def candidate(who: Member, *, occasion: str = "once", due_at: dt.datetime = NOON, **facts: Any) -> Candidate:
    return Candidate(who.pk, occasion, due_at, **facts)


def no_caps(**limits: int) -> None:
    """Only the limits given (``per_day=1``) hold for all channels together; none for one channel."""
    unlimited = {"per_day": None, "per_week": None, "per_month": None}
    SendingPolicy.objects.filter(pk=1).update(**{**unlimited, **limits})
    ChannelPolicy.objects.update(**unlimited)


def channel_policy(channel: str, **facts: Any) -> None:
    """The policy of a channel in use, changed."""
    ChannelPolicy.objects.filter(pk=channel).update(is_active=True, **facts)
