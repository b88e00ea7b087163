"""What is known of each message's member, read for a whole batch: only what the texts of the batch use."""

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
from campaigns.rendering.texts import Ready
from campaigns.rendering.values import Number
from loyalty import clock, programme
from loyalty.models import Programme
from members.models import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that one message is written from. ``inserts`` are plain dicts, lists, texts and values."""

    text: Text
    ready: Ready | None = None
    """The text, parsed; None where ``render`` has to say what is wrong with it."""
    inserts: dict[str, Any] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    """Numbers of the campaign's links by address; empty where nothing is to be counted."""
    opens: bool = False
    unsubscribe_url: str = ""
    programme: Programme = field(default_factory=programme.current)


def load(messages: Sequence[Message], *, at: dt.datetime | None = None) -> dict[int, Context]:
    """The context of each message by its pk, in a number of statements that does not grow with the batch.

    ``at`` is the moment that balances are told for (default: now). A message is left out when its variant has no text
    at all or its member is gone; one whose text cannot be parsed is not: ``render`` says why. Sets ``message.campaign``
    where it was not loaded.
    """
    moment = at or clock.now()
    chosen = _chosen_for(messages)
    members = members_for({message.member_id for message in messages if message.pk in chosen})
    told = [message for message in messages if message.pk in chosen and message.member_id in members]
    found = _facts(told, chosen, members, at=moment)
    counted = _links(told, chosen)
    opens = _looks_at_openings(told)
    contexts = {}
    for message in told:
        member, stop = members[message.member_id], _unsubscribe_url(message)
        tracks = bool(settings.PUBLIC_URL) and not member["message_preference__no_tracking"]
        contexts[message.pk] = Context(
            text=chosen[message.pk].text,
            ready=chosen[message.pk].ready,
            inserts={**_inserts(message, member, stop), **found.get(message.pk, {})},
            links=counted.get(message.campaign_id, {}) if tracks else {},
            opens=opens and tracks and message.channel == ChannelCode.EMAIL,
            unsubscribe_url=stop,
        )
    return contexts


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A text, and parsed where that can be done."""

    text: Text
    ready: Ready | None


def _chosen_for(messages: Sequence[Message]) -> dict[int, _Chosen]:
    """The text of each message, in its language or the nearest there is; sets the messages' campaigns."""
    by_variant: dict[int, list[Text]] = {}
    variants = {message.variant_id for message in messages if message.variant_id is not None}
    for text in Text.objects.filter(variant__in=variants).select_related("variant__campaign"):
        by_variant.setdefault(text.variant_id, []).append(text)
    known: dict[tuple[int, str], _Chosen | None] = {}
    chosen: dict[int, _Chosen] = {}
    for message in messages:
        key = (message.variant_id or 0, message.language)
        if key not in known:
            known[key] = _parsed(texts.choose(by_variant.get(key[0], ()), message.language))
        found = known[key]
        if found is not None:
            chosen[message.pk] = found
            if not Message._meta.get_field("campaign").is_cached(message):
                message.campaign = found.text.variant.campaign
    return chosen


def _parsed(text: Text | None) -> _Chosen | None:
    if text is None:
        return None
    try:
        return _Chosen(text, texts.ready(text))
    except NotRendered:
        return _Chosen(text, None)


def _facts(
    messages: Sequence[Message],
    chosen: Mapping[int, _Chosen],
    members: Mapping[int, Mapping[str, Any]],
    *,
    at: dt.datetime,
) -> dict[int, dict[str, Any]]:
    """The inserts that cost something, of those that the texts ask for."""
    asked = [
        Asked(message=message, member=members[message.member_id], language=chosen[message.pk].text.language)
        for message in messages
    ]
    needed = {root for each in chosen.values() if each.ready for root in each.ready.roots}
    return facts.load(asked, needed, at=at)


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


def _inserts(message: Message, member: Mapping[str, Any], stop: str) -> dict[str, Any]:
    """The inserts that cost nothing."""
    return {
        "member": member_insert(member),
        "points": Number(message.points),
        "event": message.facts,
        "programme": {"name": programme.current().name},
        "links": {**texts.pages(), "unsubscribe": stop},
    }


def _links(messages: Sequence[Message], chosen: Mapping[int, _Chosen]) -> dict[int, dict[str, int]]:
    """The numbers of all addresses that the texts of the batch link to, by campaign."""
    wanted: dict[int, set[str]] = {}
    if settings.PUBLIC_URL:
        for message in messages:
            if (ready := chosen[message.pk].ready) is not None and ready.urls:
                wanted.setdefault(message.campaign_id, set()).update(ready.urls)
    return tracking.links_for({campaign_id: sorted(urls) for campaign_id, urls in sorted(wanted.items())})


def _looks_at_openings(messages: Sequence[Message]) -> bool:
    if not settings.PUBLIC_URL or all(message.channel != ChannelCode.EMAIL for message in messages):
        return False
    return SendingPolicy.objects.filter(pk=1, track_opens=True).exists()


def _unsubscribe_url(message: Message) -> str:
    if not settings.PUBLIC_URL or message.campaign.purpose == Campaign.Purpose.SERVICE:
        return ""
    return unsubscribing.url_for(message)
