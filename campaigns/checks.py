"""Ways of sending that are set up only half, told by ``manage.py check`` before a message fails by them."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Advice
from django.db import DatabaseError

from campaigns.channels import push
from campaigns.channels.setup import usable
from campaigns.models import ChannelPolicy

SHORTEST_SECRET = 20
_ADVICE = "docs/messages.md says what each way of sending needs."


@register()
def channels_are_whole(**_kwargs: Any) -> list[CheckMessage]:
    """What is set for a channel fits together."""
    found: list[CheckMessage] = []
    if settings.VAPID_PRIVATE_KEY:
        try:
            push.public_key(settings.VAPID_PRIVATE_KEY)
        except ValueError:
            found.append(
                Error(
                    "VAPID_PRIVATE_KEY is no key.",
                    hint="manage.py vapid_keys makes one.",
                    id="kantis.E020",
                )
            )
    if settings.SMS_GATEWAY["format"] not in {"json", "form"}:
        found.append(Error("SMS_GATEWAY_FORMAT is neither json nor form.", id="kantis.E021"))
    if bool(settings.MESSAGE_WEBHOOK_URL) != bool(settings.MESSAGE_WEBHOOK_SECRET):
        found.append(Error("MESSAGE_WEBHOOK_URL and MESSAGE_WEBHOOK_SECRET go together.", id="kantis.E022"))
    if not settings.DEMO and settings.MESSAGE_WEBHOOK_URL.startswith("http:"):
        found.append(Error("MESSAGE_WEBHOOK_URL is not https: nothing would be sent.", id="kantis.E023"))
    found += [
        Error(f"The secret of the hook {source!r} is shorter than {SHORTEST_SECRET}.", id="kantis.E024")
        for source, secret in sorted(settings.MESSAGE_HOOK_SECRETS.items())
        if len(secret) < SHORTEST_SECRET
    ]
    return found


@register(Tags.database)
def channels_in_use_are_set_up(databases: Any = None, **_kwargs: Any) -> list[CheckMessage]:
    """Every channel that the channel policies say is in use can be used."""
    if not databases:
        return []
    try:
        in_use = set(ChannelPolicy.objects.filter(is_active=True).values_list("channel", flat=True))
    except DatabaseError:  # before the first migrate
        return []
    return [
        Advice(f"The channel {channel} is in use but not set up.", hint=_ADVICE, id="kantis.W020")
        for channel in sorted(in_use - usable())
    ]
