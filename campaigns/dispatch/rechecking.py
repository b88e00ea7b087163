"""Everybody looked at once more, a batch at a time, before anything is handed over: who opted out after the decision,
left, came back from the mail server or has gone to bed is not written to now. A few statements a batch.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef

from campaigns import suppression
from campaigns.channels.base import Channel, Recipient
from campaigns.dispatch import moving
from campaigns.dispatch.claiming import Claim
from campaigns.dispatch.outcomes import mark
from campaigns.lifecycle import GOING
from campaigns.models import Campaign, ChannelCode, ChannelPolicy, Message, PushSubscription
from campaigns.policy.quiet import held_until
from loyalty import clock
from members.models import Consent, Member

Reason, Status = Message.Reason, Message.Status


@dataclass(frozen=True, slots=True)
class Addressee:
    """A message, and the member as they are now. ``agrees`` is to the campaign's purpose by the message's channel."""

    message: Message
    recipient: Recipient
    time_zone: str
    is_member: bool
    agrees: bool
    paused_until: dt.date | None
    per_week: int | None


@dataclass(slots=True)
class Batch:
    """What may go out now, in the order of ids; how many were skipped, and how many put off."""

    policy: ChannelPolicy
    to_send: list[Addressee] = field(default_factory=list)
    skipped: int = 0


def recheck(claim: Claim, channel: Channel, *, at: dt.datetime) -> Batch:
    """Mark what must not go out any more or not yet, and say what may. Nothing may when the campaign has stopped."""
    code = claim.messages[0].channel
    batch = Batch(ChannelPolicy.objects.filter(pk=code).first() or ChannelPolicy(channel=code))
    campaign = Campaign.objects.get(pk=claim.messages[0].campaign_id)
    if campaign.status not in GOING or not batch.policy.is_active:
        return batch
    everybody = addressees(claim.messages, campaign, code)
    suppressed = suppression.suppressed(code, _addresses(everybody, channel))
    skipped: dict[str, list[Message]] = defaultdict(list)
    held: dict[dt.datetime, list[Message]] = defaultdict(list)
    for each in everybody:
        reason = _objection(each, campaign, channel, suppressed, at=at)
        not_before = _not_before(each, campaign, batch.policy, at=at)
        if reason:
            skipped[reason].append(each.message)
        elif not_before > at:
            held[not_before].append(each.message)
        else:
            batch.to_send.append(each)
    for due_at, messages in held.items():
        mark(claim, messages, Status.DUE, reason=Reason.QUIET_HOURS, due_at=due_at, was_tried=False)
    for reason, messages in skipped.items():
        mark(claim, messages, Status.SKIPPED, reason=reason)
        batch.skipped += len(messages)
    _keep_caps(claim, batch, campaign, at=at)
    return batch


def addressees(messages: Sequence[Message], campaign: Campaign, channel: str) -> list[Addressee]:
    """Each message's member as of now, in the order of the messages; one statement, for notifications two."""
    members = _members([message.member_id for message in messages], campaign, channel)
    browsers: dict[int, list[PushSubscription]] = defaultdict(list)
    if channel == ChannelCode.PUSH:
        for each in PushSubscription.objects.filter(member__in=list(members), gone_at__isnull=True):
            browsers[each.member_id].append(each)
    found = []
    for message in messages:
        member = members[message.member_id]
        wish = getattr(member, "message_preference", None)
        recipient = Recipient(
            member_id=member.pk,
            public_id=member.public_id,
            email=member.email,
            phone=member.phone,
            subscriptions=tuple(browsers.get(member.pk, ())),
        )
        found.append(
            Addressee(
                message=message,
                recipient=recipient,
                time_zone=member.time_zone,
                is_member=member.status == Member.Status.ACTIVE,
                agrees=member.agrees,  # type: ignore[attr-defined]
                paused_until=wish.paused_until if wish else None,
                per_week=wish.per_week if wish else None,
            )
        )
    return found


def _members(ids: Sequence[int], campaign: Campaign, channel: str) -> Mapping[int, Member]:
    """The portal's inbox takes no consent, and the webhook's other side writes to whoever agreed to any way."""
    agreed = Consent.objects.filter(member=OuterRef("pk"), purpose=campaign.purpose, granted=True)
    if channel != ChannelCode.WEBHOOK:
        agreed = agreed.filter(channel=channel)
    members = Member.objects.select_related("message_preference").annotate(agrees=Exists(agreed))
    return members.in_bulk(list(ids))


def _addresses(everybody: Sequence[Addressee], channel: Channel) -> list[str]:
    return [address for each in everybody if (address := channel.address_of(each.recipient))]


def _objection(
    each: Addressee, campaign: Campaign, channel: Channel, suppressed: frozenset[str], *, at: dt.datetime
) -> str:
    """The reason why the member must not get it any more, or an empty text."""
    of_their_account = campaign.purpose == Campaign.Purpose.SERVICE
    if not each.is_member:
        return Reason.NOT_A_MEMBER
    paused_until = None if of_their_account else each.paused_until
    if paused_until is not None and clock.local_date(at, each.time_zone) < paused_until:
        return Reason.ON_PAUSE
    if reason := channel.objection(each.message, each.recipient):
        return reason
    if not of_their_account and not each.agrees and each.message.channel != ChannelCode.INBOX:
        return Reason.CONSENT_WITHDRAWN
    return Reason.SUPPRESSED if channel.address_of(each.recipient) in suppressed else ""


def _not_before(
    each: Addressee, campaign: Campaign, policy: ChannelPolicy, *, at: dt.datetime
) -> dt.datetime:
    if campaign.ignores_quiet_hours:
        return at
    return held_until(at, time_zone=each.time_zone, quiet_from=policy.quiet_from, quiet_to=policy.quiet_to)


def _keep_caps(claim: Claim, batch: Batch, campaign: Campaign, *, at: dt.datetime) -> None:
    moved = [
        moving.Moved(each.message, each.time_zone, each.per_week)
        for each in batch.to_send
        if moving.has_moved(each.message, each.time_zone, at=at)
    ]
    full = moving.settle(claim, moved, campaign, batch.policy, at=at)
    batch.to_send = [each for each in batch.to_send if each.message.pk not in full]
    batch.skipped += len(full)
