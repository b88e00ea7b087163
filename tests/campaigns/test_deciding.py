"""Deciding about a campaign's candidates."""

import datetime as dt

import pytest

from campaigns.deciding import Decided, decide
from campaigns.models import Message
from tests.factories.campaigns import celebrant
from tests.factories.deciding import candidate, mailing
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db


def test_a_candidate_who_agrees_is_written_to_once_however_often_it_is_decided() -> None:
    who, campaign = celebrant(), mailing()
    first = decide(campaign, [candidate(who, facts={"name": "Aino\u00e4"})], at=NOON)
    again = decide(campaign, [candidate(who), candidate(who)], at=NOON + dt.timedelta(hours=1))
    assert (first, again) == (Decided(to_send=1), Decided())
    message = Message.objects.get()
    assert (message.status, message.channel, message.arm, message.due_at) == ("due", "email", "treated", NOON)
    assert (message.facts, message.variant_id) == ({"name": "Aino\u00e4"}, campaign.variants.get().pk)
    assert (message.language, message.reason, message.points, message.round_id) == ("en", "", 0, None)
