"""What a channel is: it says whether it can reach somebody, and hands one message over, or says why not."""

import contextlib
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from campaigns.models import Message, PushSubscription
from campaigns.rendering.rendered import Rendered


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The member as they are at the moment of sending; consent, suppression and pause are judged already."""

    member_id: int
    public_id: uuid.UUID
    email: str = ""
    phone: str = ""
    subscriptions: tuple[PushSubscription, ...] = ()
    """The browsers that take notifications; only loaded for that channel."""


class Channel(ABC):
    """A way to members. Stateless between messages but for what ``opened`` holds open.

    ``campaigns.dispatch`` calls, in this order: ``opened`` once a round; for each batch ``address_of`` and
    ``objection`` of every recipient; for each message ``ready`` and ``deliver``.
    """

    code: ClassVar[str]
    marks_together: ClassVar[bool] = False
    """Nothing leaves the house, so a whole batch is marked by one statement, and a dead sender's is sent again."""

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hold what one round of messages shares (a connection); raises ChannelDown."""
        yield

    def ready(self) -> None:  # noqa: B027  (most channels have nothing to make sure of)
        """Make sure, before a message is handed over, that the channel still works; raises ChannelDown."""

    def address_of(self, recipient: Recipient) -> str:
        """What suppressions go by (an e-mail address, a number), or an empty text where there is none."""
        return ""

    def objection(self, message: Message, recipient: Recipient) -> str:
        """The Reason why this channel cannot reach them now, or an empty text."""
        return ""

    @abstractmethod
    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        """Hand the message over; returns the other side's number for it, or an empty text.

        Raises PassingError, Refused or OutcomeUnknown; ChannelDown only when nothing was tried.
        """
