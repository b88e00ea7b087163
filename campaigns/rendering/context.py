"""What is known of each message's member, read for a whole batch: only what the texts of the batch use."""

import contextlib
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from campaigns import tracking, unsubscribing
from campaigns.models import Campaign, ChannelCode, Message, SendingPolicy, Text
from campaigns.rendering import facts, texts
from campaigns.rendering.facts import Asked
from campaigns.rendering.rendered import NotRendered
from campaigns.rendering.values import Number
from loyalty import clock, programme
from members.models import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that one message is written from. ``inserts`` are plain dicts, lists, texts and values."""

    text: Text
    inserts: dict[str, Any] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    """Numbers of the campaign's links by address; empty where nothing is to be counted."""
    opens: bool = False
    unsubscribe_url: str = ""


def load(messages: Sequence[Message], *, at: dt.datetime | None = None) -> dict[int, Context]:
    """The context of each message by its pk, in a number of statements that does not grow with the batch.

    ``at`` is the moment that balances are told for (default: now). A message is left out when its variant has no text
    at all or its member is gone; one whose text cannot be parsed is not: ``render`` says why. Sets ``message.campaign``
    where it was not loaded.
    """
    moment = at or clock.now()
    chosen, needed = _texts_for(messages)
    told = [message for message in messages if message.pk in chosen]
    members = members_for({message.member_id for message in told})
    told = [message for message in told if message.member_id in members]
    asked = [
        Asked(message=message, member=members[message.member_id], language=chosen[message.pk].language)
        for message in told
    ]
    found = facts.load(asked, needed, at=moment)
    counted = _links(told, chosen)
    opens = _looks_at_openings(told)
    contexts = {}
    for message in told:
        tracks = (
            bool(settings.PUBLIC_URL) and not members[message.member_id]["message_preference__no_tracking"]
        )
        contexts[message.pk] = Context(
            text=chosen[message.pk],
            inserts=_inserts(message, members[message.member_id], found.get(message.pk, {})),
            links=counted.get(message.campaign_id, {}) if tracks else {},
            opens=opens and tracks and message.channel == ChannelCode.EMAIL,
            unsubscribe_url=_unsubscribe_url(message),
        )
    return contexts


def _texts_for(messages: Sequence[Message]) -> tuple[dict[int, Text], set[str]]:
    """The text of each message, in its language or the nearest there is, and the inserts that they ask for."""
    by_variant: dict[int, list[Text]] = {}
    variants = {message.variant_id for message in messages if message.variant_id is not None}
    for text in Text.objects.filter(variant__in=variants).select_related("variant__campaign"):
        by_variant.setdefault(text.variant_id, []).append(text)
    chosen: dict[int, Text] = {}
    needed: set[str] = set()
    for message in messages:
        found = texts.choose(by_variant.get(message.variant_id or 0, ()), message.language)
        if found is None:
            continue
        chosen[message.pk] = found
        with contextlib.suppress(NotRendered):
            needed |= texts.ready(found).roots
        if not Message._meta.get_field("campaign").is_cached(message):
            message.campaign = found.variant.campaign
    return chosen, needed


def members_for(member_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Those of the members that are still there, with what is asked of nearly every one."""
    rows = Member.objects.filter(pk__in=member_ids, status=Member.Status.ACTIVE).values(
        "pk",
        "first_name",
        "last_name",
        "card_number",
        "language",
        "joined_at",
        "tier_id",
        "tier__names",
        "message_preference__no_tracking",
    )
    return {row["pk"]: dict(row) for row in rows}


def member_insert(member: Mapping[str, Any]) -> dict[str, str | None]:
    """What texts may say of who a member is; None where it is not known, for Liquid takes "" as something."""
    return {
        "first_name": member["first_name"].strip() or None,
        "last_name": member["last_name"].strip() or None,
        "card_number": member["card_number"],
        "language": member["language"],
    }


def _inserts(message: Message, member: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "member": member_insert(member),
        "points": Number(message.points),
        "event": message.facts,
        "programme": {"name": programme.current().name},
        "links": {**texts.pages(), "unsubscribe": _unsubscribe_url(message)},
        **found,
    }


def _links(messages: Sequence[Message], chosen: Mapping[int, Text]) -> dict[int, dict[str, int]]:
    """The numbers of all addresses that the texts of the batch link to, by campaign."""
    wanted: dict[int, set[str]] = {}
    if settings.PUBLIC_URL:
        for message in messages:
            with contextlib.suppress(NotRendered):
                wanted.setdefault(message.campaign_id, set()).update(texts.ready(chosen[message.pk]).urls)
    return tracking.links_for(
        {campaign_id: sorted(urls) for campaign_id, urls in sorted(wanted.items()) if urls}
    )


def _looks_at_openings(messages: Sequence[Message]) -> bool:
    if not settings.PUBLIC_URL or all(message.channel != ChannelCode.EMAIL for message in messages):
        return False
    return SendingPolicy.objects.filter(pk=1, track_opens=True).exists()


def _unsubscribe_url(message: Message) -> str:
    if not settings.PUBLIC_URL or message.campaign.purpose == Campaign.Purpose.SERVICE:
        return ""
    return unsubscribing.url_for(message)
