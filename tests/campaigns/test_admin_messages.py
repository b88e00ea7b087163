"""Messages in the admin: why each was sent or not, unknown outcomes settled, addresses lifted, policies written."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import Settings

from campaigns import explaining, suppression
from campaigns.admin.on_members import entries
from campaigns.models import Campaign, ChannelPolicy, Feedback, Message, SendingPolicy, Suppression
from tests.factories.campaigns import MessageFactory, birthday_campaign, celebrant
from tests.factories.members import NOON
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Any:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def support() -> Client:
    return logged_in(staff(group="Support"))


def change(message: Message) -> str:
    return reverse("admin:campaigns_message_change", args=[message.pk])


# --- Why --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"status": "sent"}, "Sent because it was their birthday."),
        (
            {"status": "sent", "reason": "no_consent"},
            "Sent because it was their birthday. No consent to e-mail: shown in the portal instead.",
        ),
        ({"status": "due"}, "Waits to be sent because it is their birthday."),
        (
            {"status": "held_out", "reason": "hold_out"},
            "Not sent because held out, to see the difference that the campaign makes.",
        ),
        (
            {"status": "held_out", "reason": "global_hold_out"},
            "Not sent because held out of every campaign, to see the difference.",
        ),
        (
            {"status": "skipped", "reason": "capped"},
            "Not sent because they have got as many messages as they may.",
        ),
        ({"status": "failed", "reason": "refused"}, "Not sent because the other side refused it."),
    ],
)
def test_a_sentence_says_why(facts: dict[str, str], told: str) -> None:
    assert explaining.sentence(MessageFactory(**facts)) == told


def test_every_status_and_reason_has_a_sentence_of_its_own() -> None:
    campaign = birthday_campaign()
    unsent = set(Message.Reason.values) - {"retrying", "lost"}
    told = {
        reason: explaining.sentence(Message(campaign=campaign, status="skipped", reason=reason))
        for reason in unsent
    }
    assert all(text.startswith(("Not sent because", "Not delivered because")) for text in told.values())
    assert len(set(told.values())) == len(unsent)
    for occasion in ["", *Campaign.Occasion.values]:
        campaign.occasion = occasion
        assert explaining.sentence(Message(campaign=campaign, status="sent")).startswith("Sent because")


def test_the_timeline_says_why_nothing_came(django_assert_num_queries: Any) -> None:
    member = celebrant()
    MessageFactory(member=member, status="held_out", reason="hold_out", subject="")
    MessageFactory(member=member, status="sent", sent_at=NOON)
    with django_assert_num_queries(1):
        sent, held_out = entries(member, None, 10)
    assert held_out.title == "Birthday"
    assert held_out.detail == "Not sent because held out, to see the difference that the campaign makes."
    assert sent.detail == "Sent because it was their birthday. (e-mail)"


def test_list_and_page_show_the_sentence(support: Client) -> None:
    message = MessageFactory(status="skipped", reason="capped")
    told = "Not sent because they have got as many messages as they may."
    assert told in support.get(reverse("admin:campaigns_message_changelist")).content.decode()
    assert told in support.get(change(message)).content.decode()


# --- Unknown outcomes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status"), [("sent", "sent"), ("not_sent", "failed"), ("send_again", "due")]
)
def test_an_unknown_outcome_is_settled(support: Client, outcome: str, status: str) -> None:
    message = MessageFactory(status="unknown", reason="lost", claimed_at=NOON)
    assert "outcomes" in support.get(change(message)).context
    settle = reverse("admin:campaigns_message_settle", args=[message.pk])
    assert support.post(settle, {"outcome": outcome})["Location"] == change(message)
    message.refresh_from_db()
    assert message.status == status


def test_known_outcomes_stay_in_a_list_that_is_settled(support: Client) -> None:
    unknown = MessageFactory(status="unknown", reason="lost", claimed_at=NOON)
    sent = MessageFactory(status="sent", sent_at=NOON)
    answer = support.post(
        reverse("admin:campaigns_message_changelist"),
        {"action": "note_not_sent", "_selected_action": [unknown.pk, sent.pk]},
        follow=True,
    )
    unknown.refresh_from_db()
    sent.refresh_from_db()
    assert (unknown.status, sent.status) == ("failed", "sent")
    told = [str(each) for each in answer.context["messages"]]
    assert told == ["1 message was settled.", "1 message has a known outcome and stays as it is."]


def test_settling_takes_the_right_to() -> None:
    message = MessageFactory(status="unknown", reason="lost")
    client = logged_in(staff("campaigns.view_message"))
    assert "outcomes" not in client.get(change(message)).context
    settle = reverse("admin:campaigns_message_settle", args=[message.pk])
    assert client.post(settle, {"outcome": "sent"}).status_code == 404
    message.refresh_from_db()
    assert message.status == "unknown"


# --- Addresses and feedback -------------------------------------------------------------------------------------------


def put_down() -> Suppression:
    member = celebrant(email="gone@example.com")
    suppression.suppress(
        channel="email", address="gone@example.com", reason="bounce", at=NOON, member_id=member.pk
    )
    return Suppression.objects.get()


def test_an_address_is_lifted_with_a_reason(support: Client) -> None:
    row = put_down()
    url = reverse("admin:campaigns_suppression_lift", args=[row.pk])
    assert url in support.get(reverse("admin:campaigns_suppression_change", args=[row.pk])).content.decode()
    assert "reason" in support.post(url, {"reason": ""}).context["form"].errors
    row.refresh_from_db()
    assert row.lifted_at is None
    support.post(url, {"reason": "She called"})
    row.refresh_from_db()
    assert row.lifted_at is not None
    assert row.lifted_by is not None
    assert not suppression.suppressed("email", ["gone@example.com"])
    list_ = reverse("admin:campaigns_suppression_changelist")
    assert list(support.get(list_).context["cl"].result_list) == []
    assert list(support.get(list_, {"lifted": "all"}).context["cl"].result_list) == [row]


def test_lifting_takes_the_right_to() -> None:
    row = put_down()
    client = logged_in(staff("campaigns.view_suppression"))
    url = reverse("admin:campaigns_suppression_lift", args=[row.pk])
    assert client.post(url, {"reason": "Why not"}).status_code == 403
    row.refresh_from_db()
    assert row.lifted_at is None


def test_feedback_is_listed_with_its_message(support: Client) -> None:
    message = MessageFactory()
    row = Feedback.objects.create(
        source="hook",
        key="1",
        kind="bounce",
        channel="email",
        message=message,
        happened_at=NOON,
        received_at=NOON,
    )
    assert row in support.get(reverse("admin:campaigns_feedback_changelist")).context["cl"].result_list
    page = support.get(reverse("admin:campaigns_feedback_change", args=[row.pk])).content.decode()
    assert change(message) in page


# --- Policies ---------------------------------------------------------------------------------------------------------


def test_a_marketer_writes_the_policy_and_its_history_is_kept() -> None:
    client = logged_in(staff(group="Marketing"))
    page = reverse("admin:campaigns_sendingpolicy_change", args=[1])
    assert page in client.get(reverse("admin:campaigns_sendingpolicy_changelist")).content.decode()
    wanted = {
        "per_day": "1",
        "per_week": "3",
        "per_month": "",
        "global_hold_out_percent": "2",
        "global_hold_out_key": "1",
        "approval_above": "500",
        "value_of_a_point": "0.01",
        "margin_percent": "30",
        "leap_day": "before",
    }
    answer = client.post(page, wanted)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    policy = SendingPolicy.objects.get(pk=1)
    assert (policy.per_day, policy.per_month, policy.approval_above) == (1, None, 500)
    assert policy.history.count() == 1


def test_quiet_hours_of_a_way_are_written(support: Client) -> None:
    page = reverse("admin:campaigns_channelpolicy_change", args=["sms"])
    client = logged_in(staff(group="Marketing"))
    wanted = {
        "is_active": "on",
        "quiet_from": "20:00",
        "quiet_to": "08:00",
        "cost": "0.05",
        "unknown": "list",
    }
    answer = client.post(page, wanted)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    policy = ChannelPolicy.objects.get(pk="sms")
    assert (policy.is_active, policy.quiet_from, policy.quiet_to) == (True, dt.time(20), dt.time(8))
    assert "20.00–08.00" in support.get(reverse("admin:campaigns_channelpolicy_changelist")).content.decode()
    assert support.post(page, wanted).status_code == 403


def test_half_of_the_quiet_hours_is_refused() -> None:
    client = logged_in(staff(group="Marketing"))
    page = reverse("admin:campaigns_channelpolicy_change", args=["email"])
    answer = client.post(page, {"is_active": "on", "quiet_from": "20:00", "cost": "0", "unknown": "list"})
    assert answer.status_code == 200
    assert ChannelPolicy.objects.get(pk="email").quiet_from is None
