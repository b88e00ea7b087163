"""Anyone recomputes the winners: docs/draws.md's script, as written there, with the files that everybody can get."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from rewards.draws.views import SCRIPT
from rewards.models import Draw, DrawWinner
from tests.api.till import Till
from tests.factories.draws import draw, entered, held
from tests.factories.members import member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).parents[3] / "docs" / "draws.md"


def script() -> str:
    """The Python of the document."""
    (found,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    return str(found)


@pytest.fixture
def drawn() -> Draw:
    """Twelve members, some with several entries and chances, and seven prizes."""
    opened = draw(quantities=(1, 2, 4))
    people = [member() for _each in range(12)]
    for number in range(30):
        entered(opened, people[number * 7 % 12], chances=1 + number % 5)
    return held(opened)


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "recompute.py").write_text(script(), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-I", "recompute.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_document_and_the_portal_have_the_same_script(client: Client) -> None:
    assert script() == SCRIPT.read_text(encoding="utf-8")
    served = client.get("/draws/recompute.py")
    assert served.content.decode() == script()


def test_with_the_portals_files_without_a_log_in(drawn: Draw, tmp_path: Path, client: Client) -> None:
    for name in ("draw.json", "entries.csv"):
        (tmp_path / name).write_bytes(client.get(f"/draws/{drawn.public_id}/{name}").content)
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    numbers = DrawWinner.objects.order_by("position").values_list("prize__position", "entry__number")
    assert done.stdout.splitlines() == [
        *(f"prize {prize}: entry {number}" for prize, number in numbers),
        "The same winners as published.",
    ]
    assert len(numbers) == 7


def test_with_the_apis_answers(drawn: Draw, tmp_path: Path) -> None:
    till = Till(PartnerFactory())
    (tmp_path / "draw.json").write_bytes(till.get(f"draws/{drawn.public_id}").content)
    (tmp_path / "entries.csv").write_bytes(
        till.get(f"draws/{drawn.public_id}/entries", **{"as": "csv"}).content
    )
    assert run(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": "00" * 32}, "not the seed"),
        ({"list_digest": "00" * 32}, "not the list"),
        ({"winners": []}, "Others were named"),
    ],
)
def test_it_notices_what_does_not_fit(
    drawn: Draw, tmp_path: Path, client: Client, change: dict[str, object], says: str
) -> None:
    told = client.get(f"/draws/{drawn.public_id}/draw.json").json() | change
    (tmp_path / "draw.json").write_text(json.dumps(told), encoding="utf-8")
    (tmp_path / "entries.csv").write_bytes(client.get(f"/draws/{drawn.public_id}/entries.csv").content)
    done = run(tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
