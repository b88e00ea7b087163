"""Campaigns and the one send ledger."""

from campaigns.models.campaign import Campaign
from campaigns.models.message import Message

__all__ = ["Campaign", "Message"]
