"""Which channels are set up on this installation. ``ChannelPolicy.is_active`` says which of them are in use."""

from django.conf import settings

from campaigns.models import ChannelCode


def usable() -> frozenset[str]:
    """The channels that messages can be handed to: those whose settings are there."""
    found: set[str] = {ChannelCode.INBOX}
    if settings.EMAIL_URL or settings.KANTIS_ANYMAIL:
        found.add(ChannelCode.EMAIL)
    if settings.SMS_GATEWAY["url"]:
        found.add(ChannelCode.SMS)
    if settings.VAPID_PRIVATE_KEY:
        found.add(ChannelCode.PUSH)
    if settings.MESSAGE_WEBHOOK_URL and settings.MESSAGE_WEBHOOK_SECRET:
        found.add(ChannelCode.WEBHOOK)
    return frozenset(str(each) for each in found)
