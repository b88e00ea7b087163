"""What is known of each message's member, read for a whole batch: only what the texts of the batch use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from campaigns.models import Message, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that one message is written from. ``inserts`` are plain dicts, lists, texts and numbers."""

    text: Text
    inserts: dict[str, Any] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    """Numbers of the campaign's links by address; empty where nothing is to be counted."""
    opens: bool = False


def load(messages: Sequence[Message]) -> dict[int, Context]:
    """The context of each message by its pk, in a number of statements that does not grow with the batch.

    A message whose variant has no text at all is left out: ``render`` refuses it with ``NotRendered``.
    """
    raise NotImplementedError
