"""What mail and message services tell of messages: delivered, bounced, complained. The hooks hand it over.

A notice is taken once, by its own number; in one transaction with what follows from it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that a service tells of one message.

    ``key`` is the notice's own number at its source; ``kind`` one of ``Feedback.Kind``. ``provider_id`` is the other
    side's number of the message, ``message_id`` ours (``Message.public_id``), ``address`` whom it went to: as many of
    these as are known.
    """

    key: str
    kind: str
    channel: str
    at: dt.datetime
    provider_id: str = ""
    message_id: str = ""
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many notices were new, and how many had come before."""

    new: int
    repeated: int


def take(*, source: str, notices: Sequence[Notice], at: dt.datetime) -> Taken:
    """Write down what is new and do what follows from it; each notice in a transaction of its own."""
    raise NotImplementedError
