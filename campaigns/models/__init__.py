"""Campaigns with their variants and texts, the one send ledger, and what may be sent at all."""

from campaigns.models.campaign import Campaign, ChannelCode, Text, Variant
from campaigns.models.message import Message, OpenClaim
from campaigns.models.partner_event import PartnerEvent
from campaigns.models.policy import (
    ChannelPolicy,
    Feedback,
    MessagePreference,
    PushSubscription,
    SendingPolicy,
    Suppression,
)
from campaigns.models.result import CampaignResult
from campaigns.models.round import Round, RoundPage, Trigger
from campaigns.models.tracking import Click, Link

__all__ = [
    "Campaign",
    "CampaignResult",
    "ChannelCode",
    "ChannelPolicy",
    "Click",
    "Feedback",
    "Link",
    "Message",
    "MessagePreference",
    "OpenClaim",
    "PartnerEvent",
    "PushSubscription",
    "Round",
    "RoundPage",
    "SendingPolicy",
    "Suppression",
    "Text",
    "Trigger",
    "Variant",
]
