"""The main way: what a purchase gives, under the default programme."""

import datetime as dt
from decimal import Decimal

import pytest

from loyalty.models import Partner
from members.activities import ActivityConflict, LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity, ActivityLine, Member, TierChange
from rewards.earning import record_and_reward, record_and_reward_many
from rewards.models import Lot, Transfer

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


@pytest.fixture
def partner() -> Partner:
    return Partner.objects.create(slug="kauppa", name="Kauppa")


@pytest.fixture
def member() -> Member:
    return enrol(
        NewMember(first_name="Aino", joined_at=NOON - dt.timedelta(days=800)), source="portal", at=NOON
    )


def purchase(
    partner: Partner, member: Member, external_id: str, total: str, at: dt.datetime = NOON, **facts: object
) -> NewActivity:
    return NewActivity(
        partner_id=partner.pk,
        member_id=member.pk,
        external_id=external_id,
        kind=str(facts.pop("kind", "purchase")),
        occurred_at=at,
        currency="EUR",
        total=Decimal(total),
        **facts,  # type: ignore[arg-type]
    )


def test_a_purchase_gives_a_point_for_each_full_euro(partner: Partner, member: Member) -> None:
    outcome = record_and_reward(purchase(partner, member, "r-1", "42.99"), at=NOON)

    assert [(reason.rule, reason.points) for reason in outcome.reasons] == [("base", 42)]
    assert (outcome.balance.available, outcome.balance.pending, outcome.balance.debt) == (42, 0, 0)
    assert outcome.tier_code == "bronze"
    lot = Lot.objects.get()
    assert (lot.points, lot.remaining) == (42, 42)
    assert lot.expires_at == dt.datetime(2028, 3, 31, 21, tzinfo=dt.UTC)  # 1 April 2028, 00.00 in Helsinki
