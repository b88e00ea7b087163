from typing import Any

import pytest

from loyalty.partners.models import Partner
from members.cards import grouped
from members.identification import UnknownMember, find_member, find_member_ids, visible_profile
from members.models import Activity, Member
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Partner:
    return PartnerFactory()


def test_a_member_is_found_by_each_key(shop: Partner) -> None:
    aino = member(partner=shop, external_id="c-1", email="aino@example.com")
    references: list[dict[str, str]] = [
        {"id": str(aino.public_id)},
        {"external_id": "c-1"},
        {"card_number": aino.card_number},
        {"card_number": grouped(aino.card_number)},
        {"email": "Aino@Example.com"},
    ]
    for reference in references:
        assert find_member(reference, partner=shop) == aino
    everybody = find_member_ids({**dict(enumerate(references)), 9: {"id": "nobody"}}, partner=shop)
    assert everybody == dict.fromkeys(range(5), aino.pk)


@pytest.mark.parametrize(
    "reference",
    [
        {"id": "0190f5c6-7c1e-7cc0-8000-000000000000"},
        {"id": "not-a-uuid"},
        {"external_id": "c-2"},
        {"card_number": "9000000000000001"},
        {"card_number": "1234"},
        {"email": "nobody@example.com"},
        {"email": ""},
    ],
)
def test_anybody_else_is_unknown(shop: Partner, reference: dict[str, str]) -> None:
    member(partner=shop, external_id="c-1", email="")
    with pytest.raises(UnknownMember) as unknown:
        find_member(reference, partner=shop)
    assert [unknown.value.field] == list(reference)


def test_external_ids_belong_to_their_partner(shop: Partner) -> None:
    member(partner=shop, external_id="c-1")
    with pytest.raises(UnknownMember):
        find_member({"external_id": "c-1"}, partner=PartnerFactory())


@pytest.mark.parametrize("status", [Member.Status.CLOSED, Member.Status.ERASED])
def test_those_who_left_are_unknown(shop: Partner, status: str) -> None:
    aino = member(partner=shop)
    Member.objects.update(status=status)
    with pytest.raises(UnknownMember):
        find_member({"card_number": aino.card_number}, partner=shop)


def test_a_batch_costs_one_statement_for_each_key(shop: Partner, django_assert_num_queries: Any) -> None:
    people = [member(partner=shop, external_id=f"c-{number}").pk for number in range(30)]
    references = {place: {"external_id": f"c-{place}"} for place in range(30)}
    with django_assert_num_queries(1):
        assert find_member_ids(references, partner=shop) == dict(enumerate(people))


def test_a_profile_is_seen_by_who_enrolled_or_served(shop: Partner) -> None:
    other = PartnerFactory()
    aino = member(partner=shop)
    assert visible_profile(aino, shop)
    assert not visible_profile(aino, other)
    Activity.objects.create(
        member=aino, partner=other, external_id="1", kind_id="purchase", occurred_at=NOON, recorded_at=NOON,
        currency="EUR", total=1, content_digest=b"",
    )  # fmt: skip
    assert visible_profile(aino, other)
