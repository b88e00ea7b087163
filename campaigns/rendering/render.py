"""One member's message from its text and context."""

from campaigns.models import Message
from campaigns.rendering.context import Context
from campaigns.rendering.rendered import NotRendered, Rendered


def render(message: Message, context: Context | None, *, for_channel: str) -> Rendered:
    """The message for a channel (a ``ChannelCode``), from what ``context.load`` gave for it. No database.

    Raises NotRendered where there is no text, or the text breaks a limit of Liquid.
    """
    raise NotRendered
