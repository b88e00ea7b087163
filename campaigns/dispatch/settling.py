"""What staff make of messages that failed or whose outcome is unknown, and what becomes of those who left."""

import datetime as dt
import enum
from collections.abc import Collection

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, Message
from loyalty.events.bus import Announcement, announce_many

Reason, Status = Message.Reason, Message.Status


class Outcome(enum.StrEnum):
    """What staff found out about a message whose outcome was unknown."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    SEND_AGAIN = "send_again"


def retry_failed(*, campaign_id: int, at: dt.datetime) -> int:
    """Have everything of a campaign that failed tried again, with all tries before it; returns how many.

    A campaign that was over goes on for it; who waited for a winner that was chosen since gets that. Raises
    CampaignRefused when it was cancelled or archived.
    """
    with transaction.atomic():
        _reopen(campaign_id)
        failed = Message.objects.filter(campaign=campaign_id, status=Status.FAILED).order_by("pk")
        locked = failed.select_for_update(no_key=True).values("pk")
        chosen = Message.objects.filter(pk__in=locked, status=Status.FAILED)
        waited = chosen.filter(arm=Message.Arm.TREATED, variant=None)
        waited.update(variant=Campaign.objects.filter(pk=campaign_id).values("winner"))
        return _make_due(chosen, at=at)


def settle_unknown(*, message_ids: Collection[int], outcome: str, at: dt.datetime) -> int:
    """Write down an ``Outcome`` for messages whose outcome is unknown; returns how many were (no others change).

    ``sent`` is announced as any sending, at the moment it was handed over. ``send_again`` may make a second one.
    Raises CampaignRefused when one is to be sent again of a campaign that was cancelled or archived.
    """
    chosen = Outcome(outcome)
    with transaction.atomic():
        unknown = Message.objects.filter(pk__in=message_ids, status=Status.UNKNOWN)
        held = list(unknown.select_for_update(no_key=True).order_by("pk"))
        messages = Message.objects.filter(pk__in=[message.pk for message in held])
        match chosen:
            case Outcome.SENT:
                _make_sent(held, at=at)
            case Outcome.NOT_SENT:
                messages.update(status=Status.FAILED, reason=Reason.LOST, claim=None, claimed_at=None)
            case Outcome.SEND_AGAIN:
                for campaign_id in sorted({message.campaign_id for message in held}):
                    _reopen(campaign_id)
                _make_due(messages, at=at)
    return len(held)


def forget(member_id: int) -> None:
    """Take the words out of everything written to a member who leaves; what still waits is not sent.

    The rows stay, with their campaign and occasion: that something was sent, and when, is no secret about a person.
    """
    written = Message.objects.filter(member_id=member_id)
    written.filter(status=Status.DUE).update(status=Status.SKIPPED, reason=Reason.NOT_A_MEMBER)
    written.update(subject="", body="", detail="", content={}, facts={})


def _make_sent(messages: Collection[Message], *, at: dt.datetime) -> None:
    Message.objects.filter(pk__in=[message.pk for message in messages]).update(
        status=Status.SENT, reason="", sent_at=Coalesce(F("claimed_at"), at), claim=None
    )
    announce_many(
        Announcement(
            name="message.sent",
            at=message.claimed_at or at,
            member_id=message.member_id,
            facts={
                "message_id": message.pk,
                "campaign_id": message.campaign_id,
                "occasion": message.occasion,
                "channel": message.channel,
            },
        )
        for message in messages
    )


def _make_due(messages: QuerySet[Message], *, at: dt.datetime) -> int:
    """The reason makes sure that caps are looked at again: what did not go out was not counted."""
    return messages.update(
        status=Status.DUE,
        reason=Reason.RETRYING,
        detail="",
        due_at=at,
        attempts=0,
        claim=None,
        claimed_at=None,
    )


def _reopen(campaign_id: int) -> None:
    """Let a campaign that was over send again. It ends by itself once nothing is due."""
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
    if campaign.archived_at is not None or campaign.status == Campaign.Status.CANCELLED:
        raise CampaignRefused("status", _("The campaign is over for good: nothing more of it is sent."))
    if campaign.status == Campaign.Status.SENT:
        one_off = campaign.kind == Campaign.Kind.ONE_OFF
        campaign.status = Campaign.Status.SENDING if one_off else Campaign.Status.RUNNING
        campaign.ended_at = None
        campaign.save(update_fields=["status", "ended_at"])
