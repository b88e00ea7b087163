"""The page on campaigns tells the truth: its calls work, its reasons, limits and figures are those of the code."""

import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings

from campaigns import serializers
from campaigns.asking import NOT_IN_AUDIENCE, NOT_MEANT
from campaigns.dispatch import BACK_OFF
from campaigns.experiments import statistics
from campaigns.experiments.statistics import Share
from campaigns.models import Message, SendingPolicy
from campaigns.partner_events import RESERVED
from campaigns.rendering.liquid import MOST_OUTPUT, MOST_ROUNDS
from loyalty import clock
from loyalty.schedule import SCHEDULE
from tests.api.till import Till
from tests.factories.campaigns import BY_EMAIL
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db
PAGE = (Path(settings.BASE_DIR) / "docs" / "campaigns.md").read_text()


def test_the_calls_work_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    no_caps()
    till = Till(PartnerFactory())
    member(partner=till.partner, external_id="customer-1001", consents=(BY_EMAIL,))
    mailing(code="table-ready", kind="triggered", occasion="event", event="api", status="running")
    answers = []
    for block in re.findall(r"```sh\n(curl .*?)```", PAGE, re.DOTALL):
        words = shlex.split(block.replace("\\\n", " "))
        path = next(word for word in words if word.startswith("$KANTIS/")).removeprefix("$KANTIS/")
        headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
        assert headers["Authorization"] == "Bearer $KEY"
        if "-d" in words:
            answers.append(till.post(path, words[words.index("-d") + 1], key=headers["Idempotency-Key"]))
        else:
            answers.append(till.client.get(f"/api/v1/{path}"))
    told, asked, listed = answers
    assert (told.status_code, asked.status_code, listed.status_code) == (201, 201, 200)
    assert asked.json()["results"][0]["status"] == "due"
    assert asked.json()["results"][0]["text"] in PAGE
    assert [each["external_id"] for each in listed.json()["results"]] == ["booking-17"]


def test_every_reason_is_told_of() -> None:
    reasons = [*Message.Reason.values, NOT_IN_AUDIENCE, NOT_MEANT, *RESERVED]
    assert [reason for reason in reasons if f"`{reason}`" not in PAGE] == []


def test_every_tick_is_told_of() -> None:
    ticks = [entry.task for entry in SCHEDULE if entry.task.startswith("campaigns.")]
    assert ticks
    assert [tick for tick in ticks if f"`{tick}`" not in PAGE] == []


def test_the_limits_are_the_codes() -> None:
    for number in (MOST_ROUNDS, MOST_OUTPUT, serializers.MOST_AT_ONCE, SendingPolicy().approval_above):
        assert f"{number:,}" in PAGE
    assert (serializers.MOST_BYTES, serializers.MOST_VALUES, serializers.DEEPEST) == (4096, 100, 3)
    assert "4 KB, 100 values and 3 levels" in PAGE
    minutes = ", ".join(f"{wait.total_seconds() / 60:.0f}" for wait in BACK_OFF)
    assert f"after {minutes} minutes" in PAGE


@pytest.mark.parametrize(
    ("treated", "held_out", "told"),
    [
        (Share(600, 10_000), Share(100, 2_000), ["z = {z:.3f}", "p = {p:.4f}"]),
        (Share(81, 900), Share(6, 100), ["between −{low:.1f} and +{high:.1f}"]),
    ],
)
def test_the_examples_come_out_as_they_stand(treated: Share, held_out: Share, told: list[str]) -> None:
    found = statistics.difference_of_shares(treated, held_out)
    assert found is not None
    figures = {
        "z": found.z,
        "p": found.p,
        "low": -found.interval.low * 100,
        "high": found.interval.high * 100,
    }
    plain = PAGE.replace("\n", " ")
    assert [text for each in told if (text := each.format(**figures)) not in plain] == []
