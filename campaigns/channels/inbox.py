"""The portal inbox: the message row itself is what the member reads, so nothing is handed to anybody."""

from campaigns.channels.base import Channel, Recipient
from campaigns.models import Message


class InboxChannel(Channel):
    def objection(self, recipient: Recipient) -> str:
        return "" if recipient.is_active else Message.Reason.NOT_A_MEMBER

    def deliver(self, message: Message, recipient: Recipient) -> None:
        """Nothing to do: marking the row sent is what shows it."""
