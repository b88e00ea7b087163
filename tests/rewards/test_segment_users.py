"""A segment that a reward or a challenge is meant for cannot be put away unnoticed."""

import pytest

from members.segments.definition import users_of
from tests.factories.challenges import challenge
from tests.factories.redemptions import reward

pytestmark = pytest.mark.django_db

IN_LOYAL = {"field": "segments", "op": "contains", "value": "loyal"}


def test_rewards_and_challenges_are_named_among_its_users() -> None:
    meant = reward(conditions=IN_LOYAL)
    reward()
    asked = challenge(audience=IN_LOYAL)
    challenge()
    assert set(users_of("loyal")) >= {str(meant), str(asked)}
    assert users_of("nobody") == []


def test_archived_rewards_and_closed_challenges_use_it_no_more() -> None:
    gone = reward(conditions=IN_LOYAL, is_active=False)
    gone.archived_at = gone.created_at
    gone.save()
    challenge(audience=IN_LOYAL, is_open=False)
    assert users_of("loyal") == []
