"""The link that stops messages: signed for one message, works without a log-in and for as long as the message lives."""

import datetime as dt

from campaigns.models import Message


class NoSuchToken(Exception):
    """Nobody here made this token."""


def url_for(message: Message) -> str:
    """The address of the page where the member stops messages like this one; "" where there is nothing to stop.

    Service messages and what only stands in the portal have none. Reads ``message.campaign``; PUBLIC_URL must be set.
    """
    raise NotImplementedError


def token_for(message: Message) -> str:
    """The message's number with a signature that only this house can give."""
    raise NotImplementedError


def message_of(token: str) -> Message | None:
    """The message that a token was made for, with campaign and member; None for a token that nobody here made."""
    raise NotImplementedError


def unsubscribe(token: str, *, at: dt.datetime) -> bool:
    """Withdraw the consent to messages of this purpose by this channel; False when it was withdrawn before.

    Raises NoSuchToken, with nothing written.
    """
    raise NotImplementedError
