"""Campaigns with one text, and messages of them to be written."""

import itertools
from typing import Any

from campaigns.models import Campaign, ChannelCode, Message, Text, Variant
from campaigns.rendering import context
from campaigns.rendering.render import render
from campaigns.rendering.rendered import Rendered
from members.models import Member
from tests.factories.members import NOON, member

_numbers = itertools.count(1)


def campaign(**facts: Any) -> Campaign:
    """A one-off of offers by e-mail and inbox, with no variant yet."""
    facts.setdefault("code", f"written-{next(_numbers)}")
    for texts in ("names", "subjects", "bodies"):
        if hasattr(Campaign, texts):
            facts.setdefault(texts, {"en": "Offers"})
    return Campaign.objects.create(**facts)


def text(*, of: Campaign | None = None, language: str = "en", code: str = "A", **fields: Any) -> Text:
    """A text of a variant of a campaign (a new one by default)."""
    variant, _created = Variant.objects.get_or_create(campaign=of or campaign(), code=code)
    fields.setdefault("subject", "Offers")
    fields.setdefault("body", "For you.")
    return Text.objects.create(variant=variant, language=language, **fields)


def message(of: Text, to: Member | None = None, **facts: Any) -> Message:
    """A due message of the text's variant."""
    who = to or member(at=NOON)
    facts.setdefault("language", who.language)
    facts.setdefault("channel", ChannelCode.EMAIL)
    return Message.objects.create(
        member=who,
        campaign=of.variant.campaign,
        variant=of.variant,
        occasion=f"test:{next(_numbers)}",
        created_at=NOON,
        due_at=NOON,
        **facts,
    )


def written(one: Message, channel: str = "") -> Rendered:
    """The message as it would go out at noon."""
    return render(one, context.load([one], at=NOON).get(one.pk), for_channel=channel or one.channel)


def say(to: Member | None = None, *, channel: str = ChannelCode.EMAIL, **fields: Any) -> Rendered:
    """What a text with these fields comes to, for a member or somebody called Aino Virtanen."""
    return written(message(text(**fields), to, channel=channel))
