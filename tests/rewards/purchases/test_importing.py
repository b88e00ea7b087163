"""``import_purchases``: what goes in, what is refused, and that nothing ever goes in twice."""

import csv
import datetime as dt
import gzip
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loyalty import clock
from loyalty.models import Event, Partner, Run
from members.models import Activity, ActivityLine, ExternalId, Member, Product, TierChange
from rewards import verification
from rewards.models import Transfer
from rewards.purchases import importing
from rewards.purchases.values import COLUMNS
from tests.real_quarter import LARGE_FILE

pytestmark = pytest.mark.django_db

HEADER = ",".join(COLUMNS)
FIRST = [
    "r1,ada,2024-03-01T10:00:00+02:00,kamppi,store,EUR,bread,Bakery,Food,1,2.50",
    "r1,ada,2024-03-01T10:00:00+02:00,kamppi,store,EUR,milk,Dairy,Food,2,3.10",
]
SECOND = ["r2,bo,2024-03-02T10:00:00+02:00,,web,EUR,,,,0,0.00"]


def write(path: Path, *rows: str) -> Path:
    file = path / "purchases.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    return file


def run(file: Path, *options: str) -> dict[str, Any]:
    """The JSON summary of an import, and its exit code when it is not 0."""
    out = StringIO()
    try:
        call_command("import_purchases", str(file), "--json", *options, stdout=out)
    except CommandError as error:
        return {**json.loads(out.getvalue() or "{}"), "exit": error.returncode, "said": str(error)}
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


def summary(**changes: Any) -> dict[str, Any]:
    nothing = {"lines": 0, "activities": 0, "created": 0, "replayed": 0, "rejected": 0, "members_created": 0}
    return {**nothing, "points": {"base": 0, "tier bonus": 0}, **changes}


def rejected(file: Path) -> list[dict[str, str]]:
    with Path(f"{file}.rejected.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def rows_written() -> tuple[int, ...]:
    return tuple(
        model.objects.count()
        for model in (Activity, ActivityLine, Member, ExternalId, Transfer, Event, Product, Partner, Run)
    )


def test_purchases_become_activities_members_and_points(tmp_path: Path) -> None:
    assert run(write(tmp_path, *FIRST, *SECOND)) == summary(
        lines=3, activities=2, created=2, members_created=2, points={"base": 5, "tier bonus": 0}
    )
    activity = Activity.objects.get(external_id="r1")
    assert (activity.total, activity.currency, activity.kind_id) == (Decimal("5.60"), "EUR", "purchase")
    assert (activity.store.code, activity.channel.code) == ("kamppi", "store")  # type: ignore[union-attr]
    assert [(line.product.sku, line.quantity, line.total) for line in activity.lines.all()] == [  # type: ignore[union-attr]
        ("bread", Decimal("1"), Decimal("2.50")),
        ("milk", Decimal("2"), Decimal("3.10")),
    ]
    ada = Member.objects.get(external_ids__external_id="ada")
    assert ada.joined_at == dt.datetime(2024, 3, 1, 8, tzinfo=dt.UTC)
    assert (ada.source, ada.enrolled_by.slug) == (Member.Source.IMPORT, "import")  # type: ignore[union-attr]
    assert not Path(f"{tmp_path}/purchases.csv.rejected.csv").exists()


def test_a_second_run_adds_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, *FIRST, *SECOND)
    run(file)
    before = rows_written()
    assert run(file) == summary(lines=3, activities=2, replayed=2)
    assert rows_written() == (*before[:-1], before[-1] + 1)  # the run's own row


def test_the_run_is_recorded(tmp_path: Path) -> None:
    run(write(tmp_path, *FIRST, "r3,,2024-03-01T10:00:00Z,,,EUR,,,,1,1"))
    row = Run.objects.get(name=importing.RUN_NAME)
    assert (row.status, row.done, row.failed) == (Run.Status.SUCCEEDED, 1, 1)
    assert (row.detail["file"], row.detail["created"]) == ("purchases.csv", 1)


def test_bad_rows_are_listed_and_the_rest_goes_in(tmp_path: Path) -> None:
    file = write(tmp_path, *FIRST, "r3,=cmd,2024-03-03T10:00:00Z,,,EUR,,,,-1,5.00", "r4,x", *SECOND)
    answer = run(file)
    assert answer.pop("exit") == 1
    assert "line 4: quantity is negative (-1)" in answer.pop("said")
    assert answer == summary(
        lines=5, activities=4, created=2, rejected=2, members_created=2, points={"base": 5, "tier bonus": 0}
    )
    first, second = rejected(file)
    assert (first["line"], first["activity_id"], first["member_id"]) == ("4", "r3", "'=cmd")
    assert (first["quantity"], first["line_total"]) == ("-1", "5.00")
    assert (second["line"], second["reason"][:38]) == ("5", "The row has 2 columns instead of 11: q")


def test_a_corrected_file_completes_the_import(tmp_path: Path) -> None:
    run(write(tmp_path, *FIRST, SECOND[0].replace("EUR", "SEK")))
    assert Path(f"{tmp_path}/purchases.csv.rejected.csv").exists()
    assert run(write(tmp_path, *FIRST, *SECOND)) == summary(
        lines=3, activities=2, created=1, replayed=1, members_created=1
    )
    assert not Path(f"{tmp_path}/purchases.csv.rejected.csv").exists()


def test_other_content_under_a_recorded_id_is_refused(tmp_path: Path) -> None:
    run(write(tmp_path, *FIRST))
    before = rows_written()[:6]
    file = write(tmp_path, *FIRST, "r1,ada,2024-03-01T10:00:00+02:00,kamppi,store,EUR,eggs,Dairy,Food,1,4.00")
    answer = run(file)
    assert (answer["exit"], answer["rejected"], answer["created"]) == (1, 1, 0)
    assert [row["line"] for row in rejected(file)] == ["2", "3", "4"]
    assert "already recorded with other content" in rejected(file)[0]["reason"]
    assert rows_written()[:6] == before


def test_a_dry_run_says_what_would_be_and_writes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, *FIRST)
    run(file)
    before = rows_written()
    file = write(tmp_path, *FIRST, *SECOND, "r3,ada,2024-03-03T10:00:00,,,EUR,,,,1,5.00")
    answer = run(file, "--dry-run")
    assert (answer.pop("exit"), "no time zone" in answer.pop("said")) == (1, True)
    assert answer == summary(lines=4, activities=3, created=1, replayed=1, rejected=1, members_created=1)
    assert rows_written() == before
    assert not Path(f"{file}.rejected.csv").exists()


def test_a_dry_run_on_an_empty_house_makes_not_even_the_partner(tmp_path: Path) -> None:
    before = rows_written()
    assert run(write(tmp_path, *FIRST), "--dry-run")["created"] == 1
    assert rows_written() == before


def test_an_import_that_died_in_the_middle_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_PURCHASES", 2)
    rows = [f"r{n},m{n % 3},2024-03-{n + 1:02}T10:00:00Z,s,web,EUR,x,,,1,10.00" for n in range(9)]
    file = write(tmp_path, *rows)
    original = importing.record_and_reward_many
    calls = iter(range(9))

    def dies(items: Any, *, at: dt.datetime) -> Any:
        answers = original(items, at=at)
        if next(calls) == 2:
            raise KeyboardInterrupt
        return answers

    monkeypatch.setattr(importing, "record_and_reward_many", dies)
    assert run(file)["exit"] == 130
    assert Activity.objects.count() == 4
    monkeypatch.setattr(importing, "record_and_reward_many", original)
    assert run(file) == summary(
        lines=9, activities=9, created=5, replayed=4, points={"base": 50, "tier bonus": 0}
    )
    assert Transfer.objects.count() == 9


def test_a_file_out_of_order_moves_joining_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH_PURCHASES", 1)
    run(
        write(
            tmp_path,
            "r2,ada,2024-05-01T00:00:00Z,,,EUR,,,,1,1.00",
            "r1,ada,2024-04-01T00:00:00Z,,,EUR,,,,1,1.00",
        )
    )
    assert Member.objects.get().joined_at == dt.datetime(2024, 4, 1, tzinfo=dt.UTC)


def test_purchases_are_judged_at_their_own_time(tmp_path: Path) -> None:
    """Silver is reached by the second purchase, so the third earns a quarter more, years ago as it was."""
    answer = run(
        write(
            tmp_path,
            "r1,ada,2019-01-01T00:00:00Z,,,EUR,,,,1,600.00",
            "r2,ada,2019-02-01T00:00:00Z,,,EUR,,,,1,400.99",
            "r3,ada,2019-03-01T00:00:00Z,,,EUR,,,,1,100.00",
            "r4,ada,2021-03-01T00:00:00Z,,,EUR,,,,1,100.00",
        )
    )
    assert answer["points"] == {"base": 1200, "tier bonus": 25}
    assert TierChange.objects.count() == 1  # what was true years ago is no promotion today


def test_partners_have_their_own_ids(tmp_path: Path) -> None:
    Partner.objects.create(slug="harbour", name="Harbour")
    file = write(tmp_path, *FIRST)
    assert run(file)["created"] == run(file, "--partner", "harbour")["created"] == 1
    assert Member.objects.count() == 2


def test_an_unknown_partner_is_refused(tmp_path: Path) -> None:
    answer = run(write(tmp_path, *FIRST), "--partner", "nobody")
    assert (answer["exit"], "No partner “nobody”" in answer["said"]) == (2, True)
    assert not Activity.objects.exists()


def test_a_cut_off_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress("\n".join([HEADER, *FIRST * 1]).encode())[:-9])
    before = rows_written()[:-2]
    answer = run(file)
    assert (answer["exit"], "cut off" in answer["said"]) == (2, True)
    assert rows_written()[:-2] == before


def test_a_thousand_purchases_cost_a_few_statements(
    tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    rows = [
        f"r{n},m{n * 7 % 200},2024-03-01T10:00:00Z,s{n % 9},web,EUR,sku{line},c{line % 5},d,1,{line}.50"
        for n in range(1000)
        for line in range(3)
    ]
    file = write(tmp_path, *rows)
    with django_assert_max_num_queries(70):
        answer = run(file)
    assert (answer["created"], answer["lines"]) == (1000, 3000)
    assert verification.verify(at=clock.now()) == []


@pytest.mark.slow
def test_a_quarter_of_real_purchases(tmp_path: Path) -> None:
    if not LARGE_FILE.exists():
        pytest.skip(f"{LARGE_FILE.name} is not beside the project (../shared/data)")
    rejects = str(tmp_path / "rejected.csv")
    answer = run(LARGE_FILE, "--rejected", rejects)
    bonus = answer["points"].pop("tier bonus")
    assert answer == {
        "lines": 362_683,
        "activities": 37_489,
        "created": 37_489,
        "replayed": 0,
        "rejected": 0,
        "members_created": 2_280,
        "points": {"base": 1_082_932},
    }
    assert bonus > 0
    assert run(LARGE_FILE, "--rejected", rejects) == summary(
        lines=362_683, activities=37_489, replayed=37_489
    )
    assert verification.verify(at=clock.now()) == []
