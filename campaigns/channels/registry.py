"""Which class is which channel, in the order in which a round of sending does them: the quick before the slow."""

from collections.abc import Callable, Mapping

from campaigns.channels.base import Channel
from campaigns.channels.email import EmailChannel
from campaigns.channels.inbox import InboxChannel
from campaigns.channels.push import PushChannel
from campaigns.channels.sms import SmsChannel
from campaigns.channels.webhook import WebhookChannel
from campaigns.models import ChannelCode

CHANNELS: Mapping[str, Callable[[], Channel]] = {
    ChannelCode.INBOX.value: InboxChannel,
    ChannelCode.WEBHOOK.value: WebhookChannel,
    ChannelCode.PUSH.value: PushChannel,
    ChannelCode.SMS.value: SmsChannel,
    ChannelCode.EMAIL.value: EmailChannel,
}


def marks_together(code: str) -> bool:
    """Whether nothing of a channel leaves the house, so that sending again does no harm."""
    made = CHANNELS.get(code)
    return bool(getattr(made, "marks_together", False))
