"""The link that stops messages: signed for one message, without a log-in, for as long as the message is kept.

Used by the pages behind the link, by the e-mail header of RFC 8058 and by services that tell of an unsubscribing. Who
has the link is taken for the one who got the message: they may stop anything, but give only the consent it came by.
"""

import datetime as dt
from urllib.parse import urljoin

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import base36_to_int, int_to_base36

from campaigns.models import Campaign, ChannelCode, Feedback, Message
from members.consents import set_consent
from members.models import ConsentChange, Member
from members.models.consent import Purpose

SOURCE = "unsubscribe"
"""Where our own link stands among the sources of feedback."""
_SALT = "kantis.campaigns.unsubscribe"
_SIGNATURE = 24  # of 64 hexadecimal digits: 96 bits, so that the link leaves room in a text message
_WITH_CONSENT = frozenset({ChannelCode.EMAIL, ChannelCode.SMS, ChannelCode.PUSH})


class NoSuchToken(Exception):
    """Nobody here made this token, or its message is gone."""


class NotAMember(Exception):
    """The member of the message has left: there is nobody to give a consent."""


def takes_consent(message: Message) -> bool:
    """Whether messages like this one rest on a consent: not those of service, nor what only stands in the portal."""
    return message.channel in _WITH_CONSENT and message.campaign.purpose != Campaign.Purpose.SERVICE


def url_for(message: Message) -> str:
    """The address of the page where the member stops messages like this one; "" where there is nothing to stop.

    Reads ``message.campaign``; no statement where that is loaded.
    """
    if not takes_consent(message):
        return ""
    return urljoin(settings.PUBLIC_URL, reverse("unsubscribe", args=[token_for(message)]))


def token_for(message: Message) -> str:
    """The message's number with a signature that only this house can give: ``1z4.0f9c...``."""
    number = int_to_base36(message.pk)
    return f"{number}.{_signature(number, settings.SECRET_KEY)}"


def message_of(token: str) -> Message:
    """The message that a token was made for, with campaign and member. One statement; raises NoSuchToken.

    Tokens signed by a key in SECRET_KEY_FALLBACKS hold too: mails of last year still lie in mailboxes.
    """
    number, _dot, given = token.partition(".")
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(constant_time_compare(given, _signature(number, key)) for key in keys):
        raise NoSuchToken
    message = Message.objects.select_related("campaign", "member").filter(pk=base36_to_int(number)).first()
    if message is None or not takes_consent(message):
        raise NoSuchToken
    return message


def unsubscribe(token: str, *, at: dt.datetime) -> bool:
    """Withdraw the consent to messages of this purpose by this channel; False when it was withdrawn before.

    Raises NoSuchToken, with nothing written.
    """
    message = message_of(token)
    with transaction.atomic():
        changed = withdraw(message, at=at)
        if changed:
            _note(message, at=at)
    return changed


def resubscribe(token: str, *, at: dt.datetime) -> bool:
    """Give back the consent that :func:`unsubscribe` withdrew; False when it stands already.

    Raises NoSuchToken, and NotAMember when the member has left.
    """
    message = message_of(token)
    with transaction.atomic():
        member = Member.objects.select_for_update(no_key=True).get(pk=message.member_id)
        if member.status != Member.Status.ACTIVE:
            raise NotAMember
        return _set(message, granted=True, at=at)


def withdraw(message: Message, *, at: dt.datetime) -> bool:
    """Withdraw the consent that a message rests on; for a complaint as well. False when there was none."""
    return _set(message, granted=False, at=at)


def _set(message: Message, *, granted: bool, at: dt.datetime) -> bool:
    return set_consent(
        member_id=message.member_id,
        purpose=Purpose(message.campaign.purpose),
        channel=message.channel,
        granted=granted,
        source=ConsentChange.Source.MESSAGE,
        at=at,
    )


def _note(message: Message, *, at: dt.datetime) -> None:
    """Write down, once for each message, that it was by this one that the member unsubscribed."""
    Feedback.objects.bulk_create(
        [
            Feedback(
                source=SOURCE,
                key=str(message.public_id),
                kind=Feedback.Kind.UNSUBSCRIBE,
                channel=message.channel,
                message=message,
                happened_at=at,
                received_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def _signature(number: str, key: str) -> str:
    return salted_hmac(_SALT, number, secret=key, algorithm="sha256").hexdigest()[:_SIGNATURE]
