"""Campaigns, messages, and a recorder for work that runs outside a task."""

import datetime as dt
from typing import Any

import factory

from campaigns.models import Campaign, Message
from loyalty.runs.models import Run
from loyalty.runs.record import RunRecorder
from members.consents import ConsentGiven
from members.models import Member
from members.models.consent import ConsentChannel, Purpose
from tests.factories.members import NOON, member

BY_EMAIL = ConsentGiven(purpose=Purpose.MARKETING, channel=ConsentChannel.EMAIL)
JOINED = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def celebrant(day: str = "1990-06-15", *, agrees: bool = True, **facts: Any) -> Member:
    """A member since 2020, born on ``day``, who agrees to e-mail."""
    facts.setdefault("joined_at", JOINED)
    facts.setdefault("consents", (BY_EMAIL,) if agrees else ())
    return member(at=JOINED, birth_date=dt.date.fromisoformat(day), **facts)


def birthday_campaign(**changes: Any) -> Campaign:
    """The seeded birthday greeting, with some fields changed."""
    Campaign.objects.filter(code="birthday").update(**changes)
    return Campaign.objects.get(code="birthday")


def recorder(at: dt.datetime = NOON) -> RunRecorder:
    """A run that counts."""
    return RunRecorder(Run.objects.create(name="test", at=at, started_at=at, seen_at=at))


class MessageFactory(factory.django.DjangoModelFactory[Message]):
    """A due message by e-mail to a member who agrees to it."""

    class Meta:
        model = Message

    member = factory.LazyFunction(celebrant)
    campaign = factory.LazyFunction(birthday_campaign)
    occasion = factory.Sequence(lambda number: f"test:{number}")
    channel = Message.Channel.EMAIL
    language = "en"
    subject = "Happy birthday, Aino!"
    body = "Many happy returns!"
    created_at = NOON
    due_at = NOON
