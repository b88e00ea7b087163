"""Partners read the codes of members and where friends stand: of whom they enrolled or served, and of nobody else."""

from typing import Any

import pytest

from members.models import Member
from referrals.models import ReferralCode
from tests.api.till import Till
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.referrals import brought, buys, programme, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Till:
    return Till(PartnerFactory())


@pytest.fixture
def other() -> Till:
    return Till(PartnerFactory())


@pytest.fixture
def aino(till: Till) -> Member:
    return member(partner=till.partner)


def states(till: Till, **query: str) -> list[str]:
    answer = till.get("referrals", **query)
    assert answer.status_code == 200
    return [row["state"] for row in answer.json()["results"]]


def test_a_members_code_is_read_with_its_link_and_gifts(till: Till, other: Till, aino: Member) -> None:
    before: dict[str, Any] = till.get(f"members/{aino.public_id}/referral-code").json()
    assert before["gifts"] is None
    programme(minimum_purchase=20)
    brought(aino)
    answer = till.get(f"members/{aino.public_id}/referral-code").json()
    assert answer["code"] == before["code"] == ReferralCode.objects.get(member=aino).code
    assert answer["link"].startswith("http")
    assert answer["link"].endswith(f"/i/{answer['code']}/")
    assert (answer["gifts"]["referrer"], answer["gifts"]["friend"]) == ("100 points", "50 points")
    assert answer["joined"] == 1
    assert other.get(f"members/{aino.public_id}/referral-code").status_code == 404


def test_only_what_the_partner_sees_of_the_two_is_told(till: Till, other: Till, aino: Member) -> None:
    programme()
    referral = brought(aino, friend=member(partner=other.partner))
    buys(referral)
    settle(referral)
    for side, client in (("referrer", till), ("friend", other)):
        row = client.get(f"referrals/{referral.public_id}").json()
        hidden = "friend" if side == "referrer" else "referrer"
        assert row[side] == str(getattr(referral, side).public_id)
        assert row[hidden] is None
        assert [grant["side"] for grant in row["grants"]] == [side]
        assert [step["state"] for step in row["steps"]][-1] == row["state"] == "rewarded"
        assert "note" not in row["steps"][0]
    assert Till(PartnerFactory()).get(f"referrals/{referral.public_id}").status_code == 404


def test_referrals_are_listed_newest_first_by_state_and_in_pages(till: Till, aino: Member) -> None:
    programme()
    first, _second, third = (brought(aino) for _number in range(3))
    brought(member())
    buys(first)
    assert states(till) == ["joined", "joined", "waiting"]
    assert states(till, state="waiting") == ["waiting"]
    assert states(till, member=str(aino.public_id)) == ["joined", "joined", "waiting"]
    assert states(till, member=str(third.friend.public_id)) == []
    page = till.get("referrals", limit="2").json()
    assert page["results"][0]["id"] == str(third.public_id)
    rest = till.client.get(page["next"]).json()
    assert [row["id"] for row in rest["results"]] == [str(first.public_id)]


def test_what_is_asked_for_wrongly_is_refused(till: Till, aino: Member) -> None:
    assert till.get("referrals", state="nonsense").json()["errors"][0]["field"] == "state"
    assert till.get("referrals", member="nobody").status_code == 404


def test_the_list_costs_the_same_however_long(
    till: Till, aino: Member, django_assert_max_num_queries: Any
) -> None:
    programme()
    for _number in range(5):
        buys(brought(aino), at=NOON)
    with django_assert_max_num_queries(8):
        assert len(states(till)) == 5
