"""A segment has the very members that SQL written by hand finds: of a handful, and of a quarter of real purchases."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from loyalty import clock
from loyalty.models import Partner
from members.activities import LineFacts
from members.models import Member, MemberValue, Segment
from members.segments import value
from members.segments.refresh import refresh
from rewards.purchases.importing import PurchasesImport
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.segments import members_of, segment

pytestmark = pytest.mark.django_db
LARGE_FILE = Path(__file__).resolve().parents[4] / "shared" / "data" / "complete_journey_2017q1.csv.gz"
DAY = dt.timedelta(days=1)
PASTRY = {"field": "department", "op": "eq", "value": "PASTRY"}


def between(first: str, last: str) -> dict[str, Any]:
    return {"field": "day", "op": "between", "value": [first, last]}


FEBRUARY, MARCH = between("2017-02-01", "2017-02-28"), between("2017-03-01", "2017-03-31")
IN_FEBRUARY = {
    "bought": {"where": {"all": [PASTRY, FEBRUARY]}, "measure": "purchases", "op": "ge", "value": 3}
}
NOTHING_IN_MARCH = {"all": [IN_FEBRUARY, {"not": {"purchases": {"where": MARCH}}}]}
NO_PASTRY_IN_MARCH = {"all": [IN_FEBRUARY, {"not": {"bought": {"where": {"all": [PASTRY, MARCH]}}}}]}

BY_HAND = """
SELECT line.member_id
  FROM members_activityline AS line
  JOIN members_activity AS activity ON activity.id = line.activity_id AND activity.kind_id = 'purchase'
  JOIN members_category AS category ON category.id = line.category_id
 WHERE category.department = 'PASTRY'
   AND activity.occurred_at >= '2017-02-01 00:00 Europe/Helsinki'
   AND activity.occurred_at < '2017-03-01 00:00 Europe/Helsinki'
 GROUP BY line.member_id
HAVING count(DISTINCT activity.id) >= 3
EXCEPT
SELECT activity.member_id
  FROM members_activity AS activity {pastry}
 WHERE activity.kind_id = 'purchase'
   AND activity.occurred_at >= '2017-03-01 00:00 Europe/Helsinki'
   AND activity.occurred_at < '2017-04-01 00:00 Europe/Helsinki'
"""
PASTRY_LINES = """
  JOIN members_activityline AS line ON line.activity_id = activity.id
  JOIN members_category AS category ON category.id = line.category_id AND category.department = 'PASTRY'
"""


def by_hand(pastry: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(BY_HAND.format(pastry=pastry))
        return {row[0] for row in cursor.fetchall()}


def ids(made: Segment) -> set[int]:
    return {each.pk for each in members_of(made)}


def both_readings_agree() -> tuple[set[int], set[int]]:
    """Who bought nothing at all in March, and who bought no pastry then, as by hand."""
    nothing, no_pastry = segment("nothing", NOTHING_IN_MARCH), segment("no-pastry", NO_PASTRY_IN_MARCH)
    assert ids(nothing) == by_hand("")
    assert ids(no_pastry) == by_hand(PASTRY_LINES)
    return ids(nothing), ids(no_pastry)


def buys(who: Member, at: str, department: str = "PASTRY") -> None:
    lines = tuple(LineFacts(sku, "buns", department, Decimal(1), Decimal("2.00")) for sku in ("bun", "cake"))
    moment = dt.datetime.fromisoformat(at)
    purchase(who, total="4.00", at=moment, lines=lines)


def test_bought_pastry_three_times_in_february_and_nothing_in_march() -> None:
    steady, once_more, bread, twice, edge = (
        member(at=dt.datetime(2017, 1, 1, tzinfo=dt.UTC)) for _ in range(5)
    )
    for who in (steady, once_more, bread):
        for day in ("01T00:00", "14T12:00", "28T23:59"):
            buys(who, f"2017-02-{day}:00+02:00")
    buys(once_more, "2017-03-01T00:00:00+02:00")
    buys(bread, "2017-03-31T23:59:00+03:00", "BREAD")
    buys(twice, "2017-02-03T12:00:00+02:00")
    buys(twice, "2017-02-04T12:00:00+02:00")
    for at in ("2017-01-31T23:59:00+02:00", "2017-02-05T12:00:00+02:00", "2017-02-06T12:00:00+02:00"):
        buys(edge, at)
    nothing, no_pastry = both_readings_agree()
    assert nothing == {steady.pk}
    assert no_pastry == {steady.pk, bread.pk}


@pytest.mark.slow
def test_the_same_over_a_quarter_of_real_purchases(tmp_path: Path) -> None:
    if not LARGE_FILE.exists():
        pytest.skip(f"{LARGE_FILE.name} is not beside the project (../shared/data)")
    partner = Partner.objects.create(slug="import", name="Import")
    PurchasesImport(
        LARGE_FILE, partner=partner, at=clock.now(), rejected_path=tmp_path / "rejected.csv"
    ).run()
    with connection.cursor() as cursor:  # what autovacuum does for committed rows
        cursor.execute("ANALYZE")
    nothing, no_pastry = both_readings_agree()
    assert nothing < no_pastry
    assert len(no_pastry) > 3


def test_ready_made_segments_find_their_members() -> None:
    old = NOON - 400 * DAY
    loyal, slipping, lost, once, fresh = (member(at=old) for _ in range(5))
    Member.objects.filter(pk=fresh.pk).update(joined_at=NOON - 3 * DAY, birth_date=dt.date(1980, 6, 30))
    for number in range(10):
        purchase(loyal, at=NOON - (1 + 30 * number) * DAY, total="30.00")
    for number in range(3):
        purchase(slipping, at=NOON - (61 + number) * DAY, total="20.00")
        purchase(lost, at=NOON - (181 + number) * DAY)
    purchase(once, at=NOON - DAY)
    value.compute(at=NOON)
    found = {}
    for made in Segment.objects.all():
        assert refresh(segment_id=made.pk, at=NOON) is not None, made.code
        found[made.code] = members_of(made)
    assert found == {
        "best-5": set(),
        "best-10": set(),
        "best-20": set(),
        "new": {fresh},
        "loyal": {loyal},
        "slipping-away": {slipping},
        "lost": {lost},
        "birthday-month": {fresh},
        "one-purchase": {once},
        "points-expiring": set(),
    }
    with_points = segment(
        "points", {"points": {"where": {}, "measure": "sum", "op": "ge", "value": 300}}, at=NOON
    )
    assert members_of(with_points) == {loyal}


def test_value_is_of_twelve_months_less_what_was_brought_back() -> None:
    from members.models import Activity
    from rewards.refunds import Order, refund

    people = [member(at=NOON - 400 * DAY) for _ in range(10)]
    for number, who in enumerate(people, start=1):
        purchase(who, at=NOON - DAY, total=number * 10)
        purchase(who, at=NOON - 380 * DAY, total=5_000 // number)
    richest = Activity.objects.get(member=people[-1], total=100)
    value.compute(at=NOON)
    assert MemberValue.objects.get(member=people[-1]).top_percent == 10
    refund(activity_id=richest.pk, external_id="r1", order=Order(amount=Decimal(95)), at=NOON - DAY / 2)
    value.compute(at=NOON)
    ranks = {row.member_id: (row.spend, row.top_percent) for row in MemberValue.objects.all()}
    assert ranks[people[-2].pk] == (Decimal("90.00"), 10)
    assert ranks[people[-1].pk] == (Decimal("5.00"), 100)
