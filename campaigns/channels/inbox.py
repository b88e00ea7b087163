"""The portal inbox: the message row itself is what the member reads, so nothing is handed to anybody."""

from campaigns.channels.base import Channel, Recipient
from campaigns.models import ChannelCode, Message
from campaigns.rendering.rendered import Rendered


class InboxChannel(Channel):
    """Marking a row sent is what shows it."""

    code = ChannelCode.INBOX.value
    marks_together = True

    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        """Nothing to do: marking the row sent is what shows it."""
        return ""
