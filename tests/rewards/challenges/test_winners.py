"""A challenge over a quarter of real purchases has the same winners as one SQL query written by hand."""

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from loyalty import clock
from loyalty.models import Partner, Run
from loyalty.runs import record
from members.models import Member
from rewards.challenges import counting, progress
from rewards.models import Challenge, ChallengeCount, ChallengeRound, StepAward
from rewards.purchases.importing import PurchasesImport
from rewards.purchases.values import COLUMNS
from tests.factories.challenges import challenge
from tests.real_quarter import record_quarter

pytestmark = pytest.mark.django_db

WINNERS = """
SELECT a.member_id
FROM members_activity a
JOIN members_activityline l ON l.activity_id = a.id
JOIN members_category c ON c.id = l.category_id
WHERE a.occurred_at >= timestamptz '{year}-03-01 00:00 Europe/Helsinki'
  AND a.occurred_at < timestamptz '{year}-04-01 00:00 Europe/Helsinki'
  AND a.kind_id = 'purchase' AND c.name <> '' AND (l.quantity > 0 OR l.total > 0)
GROUP BY a.member_id
HAVING count(DISTINCT (c.department, c.name)) >= 5
ORDER BY a.member_id
"""

SMALL = [
    # Ada reaches five in two purchases, one of them in the first minute of March
    "a1,ada,2024-03-01T00:00:00+02:00,s,store,EUR,1,Bread,Food,1,1.00",
    "a1,ada,2024-03-01T00:00:00+02:00,s,store,EUR,2,Milk,Food,1,1.00",
    "a1,ada,2024-03-01T00:00:00+02:00,s,store,EUR,3,Tea,Food,1,1.00",
    "a2,ada,2024-03-09T00:00:00+02:00,s,store,EUR,4,Soap,Home,1,1.00",
    "a2,ada,2024-03-09T00:00:00+02:00,s,store,EUR,5,Tea,Home,1,1.00",
    # Bo has five only with what he bought a minute before March
    "b0,bo,2024-02-29T23:59:00+02:00,s,store,EUR,1,Bread,Food,1,1.00",
    *(f"b1,bo,2024-03-02T10:00:00+02:00,s,store,EUR,{n},C{n},Food,1,1.00" for n in range(4)),
    # Cleo's fifth category has no name, and Dan's fifth line cost and weighed nothing
    *(f"c1,cleo,2024-03-02T10:00:00+02:00,s,store,EUR,{n},C{n},Food,1,1.00" for n in range(4)),
    "c1,cleo,2024-03-02T10:00:00+02:00,s,store,EUR,9,,Food,1,1.00",
    *(f"d1,dan,2024-03-02T10:00:00+02:00,s,store,EUR,{n},C{n},Food,1,1.00" for n in range(4)),
    "d1,dan,2024-03-02T10:00:00+02:00,s,store,EUR,8,C8,Food,0,0.00",
    # Eve buys five things of one category
    *(f"e1,eve,2024-03-02T10:00:00+02:00,s,store,EUR,{n},Tea,Food,1,1.00" for n in range(5)),
]


def take_in(file: Path, rejected: Path) -> None:
    partner = Partner.objects.create(slug="import", name="Import")
    PurchasesImport(file, partner=partner, at=clock.now(), rejected_path=rejected).run()


def march(year: int) -> Challenge:
    """Buy from five categories in March: closed, as the import came first."""
    made = challenge(
        measure=Challenge.Measure.CATEGORIES,
        conditions={"field": "kind", "op": "eq", "value": "purchase"},
        starts_at=clock.start_of_day(dt.date(year, 3, 1), "Europe/Helsinki"),
        ends_at=clock.start_of_day(dt.date(year, 4, 1), "Europe/Helsinki"),
        steps=[{"target": 3, "points": 5}, {"target": 5, "points": 50}],
        is_open=False,
    )
    made.is_active = True
    made.save()
    ChallengeCount.objects.create(challenge=made, asked_at=clock.now())
    return made


def count() -> Run:
    with record.run("rewards.count_challenges", at=clock.now()) as run:
        counting.work(count_id=counting.next_due() or 0, at=clock.now(), run=run)
    return run.row


def winners_by_sql(year: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(WINNERS.format(year=year))
        return [row[0] for row in cursor.fetchall()]


def winners(made: Challenge) -> list[int]:
    rounds = ChallengeRound.objects.filter(challenge=made, completed_at__isnull=False)
    return list(rounds.order_by("member_id").values_list("member_id", flat=True))


def test_a_handful_of_purchases_has_the_winners_of_the_query(tmp_path: Path) -> None:
    file = tmp_path / "purchases.csv"
    file.write_text("\n".join([",".join(COLUMNS), *SMALL]) + "\n")
    take_in(file, tmp_path / "rejected.csv")
    made = march(2024)
    run = count()
    assert (run.done, run.total, run.status) == (5, 5, Run.Status.SUCCEEDED)
    ada = Member.objects.get(external_ids__external_id="ada")
    assert winners(made) == winners_by_sql(2024) == [ada.pk]
    assert counting.next_due() is None


def test_a_count_goes_on_where_one_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "purchases.csv"
    file.write_text("\n".join([",".join(COLUMNS), *SMALL]) + "\n")
    take_in(file, tmp_path / "rejected.csv")
    made = march(2024)
    monkeypatch.setattr(counting, "PAGE", 1)
    calls: list[Any] = []
    plain = progress.recount

    def dies_at_the_third(**facts: Any) -> int:
        calls.append(facts["member_ids"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(**facts)

    monkeypatch.setattr(progress, "recount", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        count()
    left = ChallengeCount.objects.get()
    assert (left.state, left.done, left.total) == (ChallengeCount.State.RUNNING, 2, 5)
    count()
    assert [len(ids) for ids in calls] == [1] * 6
    assert calls[2] == calls[3]  # the page that was not finished, once more
    assert winners(made) == winners_by_sql(2024)
    assert StepAward.objects.filter(round__challenge=made, step__target=3).count() == 4


@pytest.mark.slow
def test_a_quarter_of_real_purchases_has_the_winners_of_the_query(tmp_path: Path) -> None:
    record_quarter(tmp_path)
    year = 2017
    made = march(year)
    began = time.monotonic()
    run = count()
    print(f"\ncounted {run.done} members in {time.monotonic() - began:.1f} s")
    expected = winners_by_sql(year)
    assert len(expected) > 1_000
    assert winners(made) == expected
