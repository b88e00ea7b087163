"""The guide for partners tells the truth: its calls work as they stand there, its limits are the code's."""

import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings

from loyalty.partners.models import Scope
from rewards.serializers import MAX_LINES
from tests.api.till import Till

pytestmark = pytest.mark.django_db
GUIDE = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()


def calls() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(curl .*?)```", GUIDE, re.DOTALL)
    return [shlex.split(block.replace("\\\n", " ")) for block in blocks]


def test_the_calls_work_one_after_the_other(till: Till) -> None:
    answers = []
    for words in calls():
        path = next(word for word in words if word.startswith("$KANTIS/")).removeprefix("$KANTIS/")
        headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
        assert headers["Authorization"] == "Bearer $KEY"
        if "-d" in words:
            answers.append(till.post(path, words[words.index("-d") + 1], key=headers["Idempotency-Key"]))
        else:
            answers.append(till.client.get(f"/api/v1/{path}"))
    enrolled, recorded, found = answers
    assert (enrolled.status_code, recorded.status_code, found.status_code) == (201, 201, 200)
    assert recorded.json()["points"] == {"available": 42, "pending": 0}
    assert found.json()["results"][0]["first_name"] == "Aino"


def test_the_limits_are_the_codes() -> None:
    for number in (settings.API_RATE_PER_MINUTE, settings.API_BATCH_LIMIT, MAX_LINES):
        assert f"{number:,}" in GUIDE
    assert f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MB" in GUIDE
    assert settings.API_IDEMPOTENCY_DAYS == 7


def test_every_scope_is_told_of() -> None:
    assert [scope for scope in Scope.values if f"`{scope}`" not in GUIDE] == []
