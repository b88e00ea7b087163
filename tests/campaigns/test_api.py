"""Campaigns in the API: events are told once, campaigns are set off for members, messages are seen by who may."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import triggers
from campaigns.models import Campaign, Click, Link, Message, PartnerEvent, Trigger
from loyalty import clock
from loyalty.models import Event
from members.models import Member
from members.privacy import erase
from tests.api.test_schema import check
from tests.api.till import Till
from tests.factories.campaigns import BY_EMAIL, MessageFactory
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db
JOINED = NOON - dt.timedelta(days=400)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    no_caps()


@pytest.fixture
def till() -> Till:
    return Till(PartnerFactory(slug="shop"))


@pytest.fixture
def other() -> Till:
    return Till(PartnerFactory(slug="other"))


@pytest.fixture
def aino(till: Till) -> Member:
    return shopper(till, "c-1")


def shopper(till: Till, external_id: str, *, agrees: bool = True) -> Member:
    """A member whom the till enrolled."""
    given = (BY_EMAIL,) if agrees else ()
    return member(at=JOINED, partner=till.partner, external_id=external_id, consents=given)


def waiting_for(event: str, **facts: Any) -> Campaign:
    """A running campaign that waits for an event."""
    facts = {"code": "cart", "started_at": JOINED, **facts}
    return mailing(kind="triggered", occasion="event", event=event, status="running", **facts)


def told(**facts: Any) -> dict[str, Any]:
    """A good event; a field of ``...`` is left out."""
    body = {
        "name": "cart_abandoned",
        "member": {"external_id": "c-1"},
        "external_id": "cart-9",
        "occurred_at": "2026-06-15T11:00:00+03:00",
        "facts": {"total": 42.50, "items": ["coffee"], "count": 3},
    } | facts
    return {name: value for name, value in body.items() if value is not ...}


def ask(till: Till, *, campaign: str = "cart", **facts: Any) -> Any:
    body = {"member": {"external_id": "c-1"}, "external_id": "booking-1"} | facts
    return till.post(
        f"campaigns/{campaign}/trigger", {name: value for name, value in body.items() if value is not ...}
    )


# --- Events -----------------------------------------------------------------------------------------------------------


def test_an_event_is_recorded_once_and_told_to_the_campaigns_that_wait_for_it(
    till: Till, aino: Member
) -> None:
    campaign = waiting_for(
        "partner.cart_abandoned", event_conditions={"field": "total", "op": "ge", "value": "40"}
    )
    answer = till.post("events", told())
    assert answer.status_code == 201
    event = PartnerEvent.objects.get()
    assert answer.json() == {
        "id": str(event.public_id),
        "external_id": "cart-9",
        "name": "cart_abandoned",
        "member": {"id": str(aino.public_id)},
        "occurred_at": "2026-06-15T08:00:00Z",
        "recorded_at": "2026-06-15T09:00:00Z",
    }
    assert event.facts == {"total": "42.5", "items": ["coffee"], "count": 3}
    again = till.post("events", told())
    assert (again.status_code, again.json()) == (200, answer.json())
    announced = list(Event.objects.filter(name="partner.event"))
    assert [(each.member_id, each.facts) for each in announced] == [
        (aino.pk, {**event.facts, "name": "cart_abandoned", "partner": "shop"})
    ]
    assert triggers.notice(announced) == 1
    triggers.settle_page(campaign.pk, at=NOON)
    [message] = Message.objects.filter(campaign=campaign)
    assert (message.status, message.member_id, message.facts["total"]) == ("due", aino.pk, "42.5")


def test_a_cart_below_the_campaigns_condition_brings_no_message(till: Till, aino: Member) -> None:
    waiting_for("partner.cart_abandoned", event_conditions={"field": "total", "op": "ge", "value": "50"})
    assert till.post("events", told()).status_code == 201
    assert triggers.notice(list(Event.objects.filter(name="partner.event"))) == 0
    assert not Trigger.objects.exists()


def test_another_event_under_the_same_id_is_refused(till: Till, aino: Member) -> None:
    till.post("events", told())
    answer = till.post("events", told(facts={"total": 1}))
    assert (answer.status_code, answer.json()["code"]) == (409, "event-exists")
    assert PartnerEvent.objects.get().facts["total"] == "42.5"
    assert Event.objects.filter(name="partner.event").count() == 1


def test_each_partners_ids_are_its_own(till: Till, other: Till, aino: Member) -> None:
    shopper(other, "c-1")
    assert till.post("events", told()).status_code == 201
    assert other.post("events", told()).status_code == 201
    assert PartnerEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": ...}, "name"),
        ({"name": "Cart abandoned"}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"external_id": ...}, "external_id"),
        ({"external_id": "x" * 101}, "external_id"),
        ({"occurred_at": ...}, "occurred_at"),
        ({"occurred_at": "2026-06-15T11:00:00"}, "occurred_at"),
        ({"occurred_at": "2026-06-15T13:00:00+03:00"}, "occurred_at"),
        ({"member": {}}, "member"),
        ({"facts": []}, "facts"),
        ({"facts": "cart"}, "facts"),
        ({"facts": None}, "facts"),
        ({"facts": {"partner": "other"}}, "facts"),
        ({"facts": {"voucher": {"code": "FREE"}}}, "facts"),
        ({"facts": {"Total": 1}}, "facts"),
        ({"facts": {"__class__": 1}}, "facts"),
        ({"facts": {"a": {"b": {"c": {"d": 1}}}}}, "facts"),
        ({"facts": {"a": [[[1]]]}}, "facts"),
        ({"facts": {"text": "x" * 501}}, "facts"),
        ({"facts": {f"t{n}": "ä" * 400 for n in range(8)}}, "facts"),
        ({"facts": {"rows": [1] * 101}}, "facts"),
        ({"facts": {"number": 2**53 + 1}}, "facts"),
        ({"facts": {"number": -(2**63)}}, "facts"),
    ],
)
def test_bad_events_are_refused_and_nothing_is_written(
    till: Till, aino: Member, facts: dict[str, Any], field: str
) -> None:
    Event.objects.all().delete()
    answer = till.post("events", told(**facts))
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not PartnerEvent.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", ['{"facts": {"total": 1e9999}}', '{"facts": {"total": NaN}}', "[", "[]"])
def test_what_is_hardly_json_is_refused(till: Till, aino: Member, body: str) -> None:
    assert till.post("events", body).status_code in {400, 422}


def test_facts_within_the_limits_are_kept_as_they_are(till: Till, aino: Member) -> None:
    facts = {"yes": True, "none": None, "deep": {"list": [1, {}]}, "text": "<b>{{ member }}</b>" * 10}
    assert till.post("events", told(facts=facts)).status_code == 422  # one level too many
    facts["deep"] = {"list": [1, -(2**53)]}
    assert till.post("events", told(facts=facts)).status_code == 201
    assert PartnerEvent.objects.get().facts == facts


def test_members_of_other_partners_are_unknown(till: Till, other: Till, aino: Member) -> None:
    for reference in ({"id": str(aino.public_id)}, {"card_number": aino.card_number}, {"email": aino.email}):
        answer = other.post("events", told(member=reference))
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-member")
    assert not PartnerEvent.objects.exists()


def test_an_erased_members_events_say_nothing_any_more(till: Till, aino: Member) -> None:
    till.post("events", told())
    erase(member_id=aino.pk, source="portal", at=NOON)
    assert PartnerEvent.objects.get().facts == {}
    assert Event.objects.get(name="partner.event").facts == {"name": "cart_abandoned"}


# --- Campaigns --------------------------------------------------------------------------------------------------------


def test_campaigns_in_use_are_listed_and_drafts_are_not(till: Till) -> None:
    Campaign.objects.update(archived_at=NOON)
    waiting_for("api")
    for status in ("draft", "awaiting", "cancelled", "failed"):
        mailing(code=status, status=status)
    mailing(code="sent", status="sent")
    found = till.get("campaigns").json()["results"]
    assert [(each["code"], each["can_be_triggered"]) for each in found] == [("sent", False), ("cart", True)]
    assert till.get("campaigns/cart").json() == {
        "code": "cart",
        "name": "Mailing",
        "kind": "triggered",
        "status": "running",
        "purpose": "marketing",
        "occasion": "event",
        "event": "api",
        "channels": ["email"],
        "can_be_triggered": True,
        "send_at": None,
        "started_at": "2025-05-11T09:00:00Z",
        "ends_at": None,
        "ended_at": None,
    }
    for code in ("draft", "cancelled", "none"):
        answer = till.get(f"campaigns/{code}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-campaign")


# --- Setting campaigns off --------------------------------------------------------------------------------------------


def test_a_campaign_is_set_off_for_a_member_once(till: Till, aino: Member) -> None:
    campaign = waiting_for("api", bonus_points=10, delay_minutes=60)
    answer = ask(till, facts={"table": 4})
    message = Message.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "campaign": "cart",
        "external_id": "booking-1",
        "results": [
            {
                "member": {"id": str(aino.public_id)},
                "message": str(message.public_id),
                "status": "due",
                "reason": None,
                "text": "Waits to be sent because of what happened to them.",
            }
        ],
    }
    assert (message.campaign_id, message.due_at, message.facts) == (
        campaign.pk,
        NOON + HOUR,
        {"table": 4, "partner": "shop"},
    )
    again = ask(till, facts={"table": 4})
    assert (again.status_code, again.json()) == (200, answer.json())
    changed = ask(till, facts={"table": 5})
    assert (changed.status_code, changed.json()["code"]) == (409, "trigger-exists")
    assert Message.objects.count() == 1


def test_many_are_decided_about_in_the_order_sent_and_each_is_told_what_came_of_it(
    till: Till, aino: Member
) -> None:
    waiting_for("api", audience={"field": "language", "op": "eq", "value": "en"})
    shopper(till, "silent", agrees=False)
    swedish = shopper(till, "swedish")
    Member.objects.filter(pk=swedish.pk).update(language="sv")
    names = ("nobody", "silent", "c-1", "swedish", "c-1")
    answer = ask(till, member=..., members=[{"external_id": name} for name in names])
    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [(each["status"], each["reason"]) for each in results] == [
        ("unknown_member", None),
        ("skipped", "no_channel"),
        ("due", None),
        ("skipped", "not_in_audience"),
        ("due", None),
    ]
    assert results[2] == results[4]
    assert Message.objects.count() == 2


def test_those_held_out_are_told_of_as_such(till: Till, aino: Member) -> None:
    waiting_for("api", hold_out_percent=100)
    [result] = ask(till).json()["results"]
    assert (result["status"], result["reason"]) == ("held_out", "hold_out")


def test_facts_that_the_campaigns_conditions_do_not_mean_bring_no_message(till: Till, aino: Member) -> None:
    waiting_for("api", event_conditions={"field": "partner", "op": "eq", "value": "other"})
    answer = ask(till)
    [result] = answer.json()["results"]
    assert (answer.status_code, result["status"], result["reason"]) == (200, "skipped", "not_meant")
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("facts", "status", "code"),
    [
        ({"event": "member.enrolled"}, 409, "campaign-not-open"),
        ({"event": "partner.cart_abandoned"}, 409, "campaign-not-open"),
        ({"event": "api", "status": "paused"}, 409, "campaign-not-running"),
        ({"event": "api", "status": "sent"}, 409, "campaign-not-running"),
        ({"event": "api", "ends_at": NOON}, 409, "campaign-not-running"),
        ({"event": "api", "status": "draft"}, 404, "unknown-campaign"),
        ({"event": "api", "archived_at": NOON}, 404, "unknown-campaign"),
    ],
)
def test_only_running_campaigns_that_staff_opened_are_set_off(
    till: Till, aino: Member, facts: dict[str, Any], status: int, code: str
) -> None:
    campaign = waiting_for("api")
    Campaign.objects.filter(pk=campaign.pk).update(**facts)
    answer = ask(till)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        ({"member": ...}, ["member", "members"]),
        ({"members": [{"external_id": "c-1"}]}, ["member", "members"]),
        ({"member": ..., "members": []}, ["members"]),
        ({"member": ..., "members": [{}]}, ["members[0]"]),
        ({"member": ..., "members": [{"external_id": "c-1"}] * 1001}, ["members"]),
        ({"external_id": ...}, ["external_id"]),
        ({"external_id": "x" * 81}, ["external_id"]),
        ({"facts": {"filling": True}}, ["facts"]),
    ],
)
def test_bad_askings_are_refused(till: Till, aino: Member, facts: dict[str, Any], fields: list[str]) -> None:
    waiting_for("api")
    answer = ask(till, **facts)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert not Message.objects.exists()


def test_other_partners_members_are_not_written_to(till: Till, other: Till, aino: Member) -> None:
    waiting_for("api")
    named = {"card_number": aino.card_number}
    assert ask(other, member=named).status_code == 404
    [result] = ask(other, member=..., members=[named]).json()["results"]
    assert (result["member"], result["status"]) == (None, "unknown_member")
    assert not Message.objects.exists()


def test_thirty_members_cost_as_many_statements_as_two(till: Till) -> None:
    waiting_for("api")
    for number in range(30):
        shopper(till, f"m-{number}")

    def statements(numbers: range, external_id: str) -> int:
        named = [{"external_id": f"m-{number}"} for number in numbers]
        with CaptureQueriesContext(connection) as seen:
            assert ask(till, member=..., members=named, external_id=external_id).status_code == 201
        return len(seen)

    statements(range(1), "first")  # the process learns what it keeps
    assert statements(range(30), "many") == statements(range(2), "few")


# --- Messages ---------------------------------------------------------------------------------------------------------


def sent_to(who: Member, **facts: Any) -> Message:
    return MessageFactory(member=who, status="sent", sent_at=NOON, **facts)


def test_a_message_tells_what_became_of_it_and_not_what_it_says(till: Till, aino: Member) -> None:
    message = sent_to(aino, clicked_at=NOON + HOUR, body="Nobody's business")
    link = Link.objects.create(campaign=message.campaign, url="https://example.com/", url_hash="x")
    for _again in range(2):
        Click.objects.create(message=message, link=link, at=NOON + HOUR)
    answer = till.get(f"messages/{message.public_id}")
    assert answer.json() == {
        "id": str(message.public_id),
        "member": {"id": str(aino.public_id)},
        "campaign": {"code": "birthday", "name": message.campaign.names["en"]},
        "external_id": None,
        "status": "sent",
        "reason": None,
        "text": "Sent because it was their birthday.",
        "channel": "email",
        "created_at": "2026-06-15T09:00:00Z",
        "due_at": "2026-06-15T09:00:00Z",
        "sent_at": "2026-06-15T09:00:00Z",
        "read_at": None,
        "opened_at": None,
        "clicked_at": "2026-06-15T10:00:00Z",
        "clicks": 2,
    }


def test_messages_are_listed_by_member_campaign_and_status(till: Till, aino: Member) -> None:
    bertil = shopper(till, "c-2")
    first = sent_to(aino, campaign=mailing(code="one"))
    second = MessageFactory(member=aino, campaign=mailing(code="two"), status="skipped", reason="capped")
    third = sent_to(bertil, campaign=first.campaign)

    def ids(**query: str) -> list[str]:
        return [each["id"] for each in till.get("messages", **query).json()["results"]]

    id_ = str(aino.public_id)
    assert ids(member=id_) == [str(second.public_id), str(first.public_id)]
    assert ids(campaign="one") == [str(third.public_id), str(first.public_id)]
    assert ids(member=id_, campaign="one") == [str(first.public_id)]
    assert ids(member=id_, status="skipped") == [str(second.public_id)]
    assert ids(campaign="none") == []
    page = till.get("messages", campaign="one", limit="1").json()
    assert [each["id"] for each in till.client.get(page["next"]).json()["results"]] == [str(first.public_id)]


def test_a_list_asks_for_a_member_or_a_campaign(till: Till) -> None:
    assert till.get("messages").status_code == 422
    assert till.get("messages", campaign="one", status="lost").status_code == 422
    assert till.get("messages", member="x").status_code == 404


def test_messages_to_other_partners_members_are_not_seen(till: Till, other: Till, aino: Member) -> None:
    message = sent_to(aino)
    assert other.get(f"messages/{message.public_id}").json()["code"] == "unknown-message"
    assert other.get("messages", member=str(aino.public_id)).json()["code"] == "unknown-member"
    assert other.get("messages", campaign="birthday").json()["results"] == []


def test_what_another_partner_brought_about_is_its_own_business(
    till: Till, other: Till, aino: Member
) -> None:
    waiting_for("api")
    ask(till)
    mine = till.get("messages", campaign="cart").json()["results"]
    assert [each["external_id"] for each in mine] == ["booking-1"]
    aino.external_ids.create(partner=other.partner, external_id="their-7", created_at=NOON)
    assert other.get("messages", member=str(aino.public_id)).json()["results"] == []
    assert other.get("messages", campaign="cart").json()["results"] == []
    assert other.get(f"messages/{mine[0]['id']}").status_code == 404
    sent_to(aino)
    assert len(other.get("messages", member=str(aino.public_id)).json()["results"]) == 1


def test_a_page_costs_the_same_for_one_and_for_many(till: Till, aino: Member) -> None:
    campaign = mailing(code="one")

    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            till.get("messages", campaign="one")
        return len(seen)

    sent_to(aino, campaign=campaign)
    statements()  # the key is noted as used
    few = statements()
    for number in range(20):
        sent_to(shopper(till, f"m-{number}"), campaign=campaign)
    assert statements() == few


def test_answers_fit_the_schema(till: Till, aino: Member) -> None:
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    waiting_for("api")
    check(schema, "events", "post", till.post("events", told()))
    check(schema, "events", "post", till.post("events", told(facts={})))
    check(schema, "events", "post", till.post("events", told(member={"external_id": "nobody"})))
    asked = ask(till)
    path = "campaigns/{code}/trigger"
    check(schema, path, "post", asked)
    check(schema, path, "post", ask(till, member=..., members=[{"external_id": "nobody"}], external_id="b-2"))
    check(schema, path, "post", ask(till, facts={"a": 1}))
    check(schema, "campaigns", "get", till.get("campaigns"))
    check(schema, "campaigns/{code}", "get", till.get("campaigns/birthday"))
    check(schema, "messages", "get", till.get("messages", campaign="cart"))
    [result] = asked.json()["results"]
    check(schema, "messages/{public_id}", "get", till.get(f"messages/{result['message']}"))
