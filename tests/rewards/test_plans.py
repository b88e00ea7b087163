"""How PostgreSQL runs a purchase's statements in a small, new house, of which it has no statistics yet."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from loyalty.models import Partner
from members.activities import NewActivity
from members.enrolment import NewMember, enrol_many
from members.identification import find_member_id
from rewards.earning import record_and_reward, record_and_reward_many

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
MEMBERS = 600
GROWING = "members_member|members_externalid|members_activity|rewards_account|rewards_transfer|rewards_lot"


def purchase(partner: Partner, member_id: int, external_id: str) -> NewActivity:
    return NewActivity(
        partner_id=partner.pk,
        member_id=member_id,
        external_id=external_id,
        kind="purchase",
        occurred_at=NOON,
        currency="EUR",
        total=Decimal(25),
    )


def generic_plan(sql: str) -> str:
    """The plan that the server keeps for a prepared statement."""
    number = iter(range(1, 100))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (GENERIC_PLAN) {re.sub('%s', lambda _found: f'${next(number)}', sql)}")
        return "\n".join(line for (line,) in cursor.fetchall())


def test_a_purchase_reads_no_growing_table_from_end_to_end() -> None:
    partner = Partner.objects.create(slug="kauppa", name="Kauppa")
    news = [NewMember(external_id=f"m{number}") for number in range(MEMBERS)]
    members = enrol_many(news, source="partner", at=NOON, partner=partner)
    record_and_reward_many([purchase(partner, each.pk, f"first-{each.pk}") for each in members], at=NOON)
    run: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        run.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        member_id = find_member_id({"external_id": "m7"}, partner=partner)
        record_and_reward(purchase(partner, member_id, "second"), at=NOON)
    plans = [generic_plan(sql) for sql in run if re.search(GROWING, sql)]
    assert len(plans) >= 5
    # "Bitmap" as well: by an index that tells hardly any rows apart it reads the table just the same.
    whole = rf"(Seq|Bitmap Heap) Scan on ({GROWING})\b"
    assert [plan for plan in plans if re.search(whole, plan)] == []
