"""What the tests of sending share: one round at a moment, the state of a row, and texts that need no templates."""

import datetime as dt
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from campaigns import dispatch
from campaigns.dispatch import claiming, rounds, writing
from campaigns.models import Campaign, ChannelPolicy, Message
from campaigns.rendering.rendered import Rendered
from tests.factories.campaigns import recorder
from tests.factories.members import NOON

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def send_due(at: dt.datetime = NOON) -> tuple[int, int, int]:
    """One round; how many were sent, skipped and neither."""
    run = recorder(at)
    dispatch.dispatch(now=lambda: at, run=run, until=at + MINUTE)
    return run.row.done, run.row.skipped, run.row.failed


def state(message: Message) -> tuple[str, str, int]:
    """Status, reason and number of tries, as they are in the database."""
    message.refresh_from_db()
    return message.status, message.reason, message.attempts


def claim(channel: str = "email", *, at: dt.datetime = NOON, limit: int = claiming.BATCH) -> list[Message]:
    """What a sender claims that is never heard of again."""
    return claiming.take(claiming.uuid.uuid4(), channel=channel, at=at, limit=limit)


def set_policy(channel: str, **changes: Any) -> None:
    assert ChannelPolicy.objects.filter(pk=channel).update(**changes) == 1


def campaign_like(campaign: Campaign, code: str, **changes: Any) -> Campaign:
    """Another running campaign."""
    campaign.pk, campaign.code = None, code
    campaign.public_id = claiming.uuid.uuid4()
    for name, value in changes.items():
        setattr(campaign, name, value)
    campaign.save()
    return campaign


def as_it_stands(message: Message, context: object, *, for_channel: str) -> Rendered:
    """The subject and text that the row was made with."""
    assert context is not None
    if message.subject == "broken":
        raise ZeroDivisionError("nothing can be made of this")
    return Rendered(subject=message.subject, body=message.body, text=message.body, language=message.language)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages go out as their rows were made; what templates make of them is tested elsewhere."""

    def load(messages: Sequence[Message], *, at: dt.datetime) -> dict[int, Any]:
        return {message.pk: SimpleNamespace() for message in messages}

    monkeypatch.setattr(rounds.context, "load", load)
    monkeypatch.setattr(writing, "render", as_it_stands)
