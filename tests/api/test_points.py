"""Balances, statements and tiers through the API."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Member
from rewards import ledger
from tests.api.till import Till, purchase
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db


def test_the_balance_says_what_expires_when(till: Till, aino: Member) -> None:
    till.post("activities", purchase())
    till.post("activities", purchase(occurred_at="2026-01-10T12:00:00+02:00", total="100.00", lines=[]))

    assert till.get(f"members/{aino.public_id}/balance").json() == {
        "available": 142,
        "pending": 0,
        "debt": 0,
        "expiring": [
            {"points": 100, "expires_at": "2028-01-31T22:00:00Z"},
            {"points": 42, "expires_at": "2028-06-30T21:00:00Z"},
        ],
        "tier": {"code": "bronze", "name": "Bronze"},
        "tier_progress": {
            "basis": "points",
            "amount": 142,
            "next": {"code": "silver", "name": "Silver"},
            "threshold": 1000,
            "missing": 858,
            "next_on": "2027-04-30",
            "after_review": {"code": "bronze", "name": "Bronze"},
            "lasts_until": None,
            "falls_to": None,
        },
    }


def test_a_new_members_balance_is_nothing(till: Till, aino: Member) -> None:
    balance = till.get(f"members/{aino.public_id}/balance").json()
    assert {name: balance[name] for name in ("available", "pending", "debt", "expiring")} == {
        "available": 0, "pending": 0, "debt": 0, "expiring": [],
    }  # fmt: skip


class TestStatement:
    def test_every_movement_with_its_reason(self, till: Till, aino: Member) -> None:
        activity = till.post("activities", purchase(external_id="r-1")).json()

        page = till.get(f"members/{aino.public_id}/statement", language="sv").json()

        assert (page["next"], page["previous"]) == (None, None)
        assert page["results"] == [
            {
                "kind": "earn",
                "points": 42,
                "moved": 42,
                "from": None,
                "to": "available",
                "occurred_at": "2026-06-15T08:58:00Z",
                "posted_at": "2026-06-15T09:00:00Z",
                "rule": "base",
                "text": "Baspoäng",
                "activity": {"id": activity["id"], "external_id": "r-1"},
            }
        ]

    def test_another_partners_activity_is_points_only(self, till: Till, other: Till, aino: Member) -> None:
        till.post("activities", purchase(external_id="secret"))
        other.post("activities", purchase(external_id="own", member={"card_number": aino.card_number}))
        rows = other.get(f"members/{aino.public_id}/statement").json()["results"]
        assert [row["activity"] and row["activity"]["external_id"] for row in rows] == ["own", None]
        assert [row["points"] for row in rows] == [42, 42]

    def test_what_staff_wrote_stays_with_staff_and_member(self, till: Till, aino: Member) -> None:
        why = ledger.Why(note="Complained about the soup", source="staff")
        ledger.post_grants(
            [
                ledger.Grant(
                    member_id=aino.pk,
                    wallet_id=_wallet(),
                    points=50,
                    occurred_at=NOON,
                    expires_at=NOON + dt.timedelta(days=365),
                    why=why,
                )
            ],
            at=NOON,
        )
        answer = till.get(f"members/{aino.public_id}/statement")
        assert answer.json()["results"][0]["points"] == 50
        assert "soup" not in answer.content.decode()

    def test_pages_follow_each_other_and_cost_the_same(self, till: Till, aino: Member) -> None:
        till.post(
            "activities/batch", {"activities": [purchase(total=str(n), lines=[]) for n in range(1, 36)]}
        )
        counts = []
        for limit in ("1", "30"):
            with CaptureQueriesContext(connection) as queries:
                page = till.get(f"members/{aino.public_id}/statement", limit=limit).json()
            assert len(page["results"]) == int(limit)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 6
        rest = till.client.get(page["next"]).json()
        points = [row["points"] for row in page["results"] + rest["results"]]
        assert points == list(range(35, 0, -1))
        assert rest["next"] is None


def _wallet() -> int:
    from rewards.models import Wallet

    return Wallet.objects.get(is_default=True).pk


def test_the_tiers_and_their_terms(till: Till) -> None:
    more = {"birthday_points": None, "benefits": []}
    assert till.get("tiers", language="fi").json() == {
        "results": [
            {"code": "bronze", "name": "Pronssi", "rank": 0, "threshold": 0, "multiplier": "1.00", **more},
            {"code": "silver", "name": "Hopea", "rank": 1, "threshold": 1000, "multiplier": "1.25", **more},
            {"code": "gold", "name": "Kulta", "rank": 2, "threshold": 5000, "multiplier": "1.50", **more},
        ],
        "window_days": 365,
        "basis": "points",
        "window": "rolling",
    }
