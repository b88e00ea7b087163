"""A channel that leads nowhere and remembers what it was given, for benchmarks and tests."""

from campaigns.channels.base import Channel, Recipient
from campaigns.models import ChannelCode, Message
from campaigns.rendering.rendered import Rendered


class NullChannel(Channel):
    """Stands in for e-mail; ``keeps`` the ids of the messages that it was handed, in order."""

    code = ChannelCode.EMAIL.value

    def __init__(self, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.count = 0
        self.handed_over: list[int] = []

    def address_of(self, recipient: Recipient) -> str:
        return recipient.email

    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        self.count += 1
        if self.keeps:
            self.handed_over.append(message.pk)
        return f"null-{message.pk}"
