"""What a channel is: it says whether it may be used for somebody, and hands one message over, or says why not."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.models import Message


class Undelivered(Exception):
    """A message was not handed over. The text is the other side's answer, for staff."""


class PassingError(Undelivered):
    """It certainly did not go out, and may later (a 4xx answer, a full queue, a broken connection)."""


class Refused(Undelivered):
    """It certainly did not go out, and trying again would not help."""


class OutcomeUnknown(Undelivered):
    """It may have gone out: the connection was lost after the text was handed over and before the answer."""


class ChannelDown(Exception):
    """The channel as a whole cannot be used now; nothing was tried with any message."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """The member as they are at the moment of sending."""

    email: str
    is_active: bool
    agrees_to_email: bool


class Channel(ABC):
    """A way to a member. Stateless between messages but for what ``opened`` holds open."""

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hold what one round of messages shares (a connection); raises ChannelDown."""
        yield

    def ready(self) -> None:  # noqa: B027  (most channels have nothing to make sure of)
        """Make sure, before a message is claimed, that the channel still works; raises ChannelDown."""

    @abstractmethod
    def objection(self, recipient: Recipient) -> str:
        """The reason why this member must not get it this way, or an empty text."""

    @abstractmethod
    def deliver(self, message: Message, recipient: Recipient) -> None:
        """Hand the message over; raises PassingError, Refused or OutcomeUnknown."""
