"""A sender killed at each point of its work: nothing is lost, and one message at most is in doubt."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from campaigns import dispatch
from campaigns.channels.null import NullChannel
from campaigns.dispatch import rounds
from campaigns.models import Message
from loyalty import clock
from loyalty.embedded.places import REPOSITORY
from loyalty.events.models import Event
from tests.campaigns.dispatching import MINUTE, plain, set_policy
from tests.factories.campaigns import MessageFactory, recorder
from tests.faults.sender import DEAD

__all__ = ["plain"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.usefixtures("plain"),
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


def killed_sender(point: str, number: int, folder: Path) -> list[int]:
    """Run a sender that dies there; the ids that the other side has got."""
    address = urlsplit(os.environ["DATABASE_URL"])
    notebook = folder / "handed-over"
    notebook.touch()
    database = address._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.sender", point, str(number), str(notebook)],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "loyalty.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == DEAD, ended.stderr
    return [int(line) for line in notebook.read_text().split()]


def go_on(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the next sender hands over, as soon as the database has noticed that the other is gone."""
    channel = NullChannel()
    monkeypatch.setattr(rounds, "CHANNELS", {"email": lambda: channel})
    deadline = time.monotonic() + 10
    while Message.objects.filter(status__in=["due", "sending"]).exists():
        assert time.monotonic() < deadline, "the dead sender's claim was not found"
        dispatch.dispatch(now=clock.now, run=recorder(clock.now()), until=clock.now() + MINUTE)
    return channel.handed_over


@pytest.mark.parametrize(
    ("point", "handed_over", "marked"),
    [("claiming", 0, 0), ("claimed", 0, 0), ("handed over", 3, 2), ("marking", 3, 2), ("marked", 3, 3)],
)
@pytest.mark.parametrize("policy", ["list", "retry"])
def test_a_sender_killed_at_any_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: str, handed_over: int, marked: int, policy: str
) -> None:
    """Killed at the third of seven. What is in doubt is the first without a mark, handed over or not."""
    set_policy("email", unknown=policy)
    messages = [message.pk for message in MessageFactory.create_batch(7, due_at=clock.now())]
    before = killed_sender(point, 3, tmp_path)
    assert before == messages[:handed_over]
    assert Message.objects.filter(status="sent").count() == marked

    after = go_on(monkeypatch)
    in_doubt = [] if point == "claiming" else messages[marked : marked + 1]
    again = in_doubt if policy == "retry" else []
    assert sorted(after) == sorted([*messages[marked + len(in_doubt) :], *again])
    listed = [] if policy == "retry" else in_doubt
    rows = dict(Message.objects.values_list("pk", "status"))
    assert rows == {pk: "unknown" if pk in listed else "sent" for pk in messages}
    assert sum(count - 1 for count in Counter([*before, *after]).values()) <= 1
    announced = Counter(event.facts["message_id"] for event in Event.objects.filter(name="message.sent"))
    assert announced == Counter([pk for pk in messages if pk not in listed])
