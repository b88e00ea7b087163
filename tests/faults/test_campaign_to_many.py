"""A campaign to thousands whose workers are killed and whose Redis is emptied: everybody once, and nobody forgotten.

With KANTIS_THOROUGH=1 to 20,000 members, which takes some minutes; else to a tenth of them.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiosmtpd.smtp import Envelope, Session
from django.conf import settings

from campaigns import lifecycle, suppression
from campaigns.models import Campaign, Message, SendingPolicy, Text, Variant
from loyalty import clock
from loyalty.events.models import Event
from members.consents import set_consent
from members.enrolment import NewMember, enrol_many
from members.models import Member
from tests.campaigns.dispatching import set_policy
from tests.campaigns.smtp_sink import Sink, running
from tests.factories.campaigns import BY_EMAIL, JOINED
from tests.faults.workers import House, house, kill

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]
MEMBERS = 20_000 if os.environ.get("KANTIS_THOROUGH") == "1" else 2_000
PATIENCE = 30 + MEMBERS / 20
KILLS = 3


class Counting(Sink):
    """Keeps the addresses alone."""

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.recipients.extend(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def sink() -> Iterator[Counting]:
    with running(Counting()) as server:
        assert isinstance(server, Counting)
        yield server


@pytest.fixture
def place(sink: Counting, tmp_path: Path) -> Iterator[House]:
    with house(mail_port=sink.port, folder=tmp_path) as running_house:
        yield running_house


def audience() -> list[Member]:
    """So many members; of each hundred one gives no consent, one has withdrawn it and one's address bounced."""
    news = [
        NewMember(
            first_name="Aino",
            email=f"aino.{number}@example.com",
            language="fi",
            joined_at=JOINED,
            consents=() if number % 100 == 0 else (BY_EMAIL,),
        )
        for number in range(MEMBERS)
    ]
    members = enrol_many(news, source="import", at=JOINED)
    for member in members[1::100]:
        set_consent(
            member_id=member.pk,
            purpose="marketing",
            channel="email",
            granted=False,
            source="portal",
            at=JOINED,
        )
    for member in members[2::100]:
        suppression.suppress(channel="email", address=member.email, reason="bounce", at=JOINED)
    return members


def campaign() -> Campaign:
    """To everybody, with a tenth held out and two variants."""
    SendingPolicy.objects.update(approval_above=10 * MEMBERS)
    words = {name: {"en": "Spring"} for name in ("names", "subjects", "bodies") if hasattr(Campaign, name)}
    made = Campaign.objects.create(
        code="spring", channels=["email"], hold_out_percent=10, audience={}, **words
    )
    for code in "AB":
        variant = Variant.objects.create(campaign=made, code=code)
        for language in ("fi", "en", "sv"):
            Text.objects.create(
                variant=variant, language=language, subject="Spring, {{ member.first_name }}", heading="Spring",
                body="It is here, {{ member.first_name }}.\n\n[Our shop](https://shop.example.com/spring)",
            )  # fmt: skip
    return made


def under_way(sink: Counting, count: int) -> Any:
    return lambda: len(sink.recipients) >= count


def all_final() -> bool:
    final = ("sent", "failed", "unknown", "skipped", "held_out")
    counts = Counter(Message.objects.values_list("status", flat=True))
    return sum(counts[status] for status in final) == MEMBERS


def test_killed_three_times_and_redis_emptied_once(place: House, sink: Counting) -> None:
    set_policy("email", unknown="retry")
    members = audience()
    made = campaign()
    lifecycle.submit(campaign_id=made.pk, staff_id=None, at=clock.now())
    worker = place.start_worker()
    began = time.monotonic()
    place.tick("campaigns.decide")
    for killed in range(1, KILLS + 1):
        share = MEMBERS * killed // (KILLS + 2)
        place.wait_until(under_way(sink, share), seconds=PATIENCE, what=f"{share} mails")
        kill(worker)
        if killed == 2:
            redis.Redis.from_url(settings.REDIS_URL).flushdb()
        worker = place.start_worker()
        place.tick("campaigns.decide")
        place.tick("campaigns.dispatch_messages")

    place.wait_until(under_way(sink, MEMBERS * 4 // 5 - 100), seconds=PATIENCE, what="most mails")
    lifecycle.pause(campaign_id=made.pk, staff_id=None, at=clock.now())
    at_pause = len(sink.recipients)
    time.sleep(2)
    assert len(sink.recipients) <= at_pause + 2, "a pause takes effect with the next message"
    assert not all_final()
    lifecycle.resume(campaign_id=made.pk, staff_id=None, at=clock.now())
    place.tick("campaigns.dispatch_messages")
    place.wait_until(all_final, seconds=PATIENCE, what="everybody to be decided about and written to")
    took = time.monotonic() - began

    assert_everybody_once(members, sink)
    place.tick("campaigns.decide")
    place.wait_until(
        lambda: Campaign.objects.get(pk=made.pk).status == "sent", seconds=30, what="the campaign to end"
    )
    twice = len(sink.recipients) - len(set(sink.recipients))
    print(f"{len(sink.recipients)} mails in {took:.0f} s, {KILLS} kills, {twice} twice")


def assert_everybody_once(members: list[Member], sink: Counting) -> None:
    rows = Counter(Message.objects.values_list("member_id", flat=True))
    assert rows == Counter(member.pk for member in members)
    by_reason = Counter(Message.objects.values_list("status", "reason"))
    assert set(by_reason) == {
        ("sent", ""), ("held_out", "hold_out"), ("skipped", "no_channel"), ("skipped", "suppressed"),
    }  # fmt: skip
    assert by_reason["skipped", "no_channel"] == MEMBERS // 50
    assert by_reason["skipped", "suppressed"] == MEMBERS // 100
    mails = Counter(sink.recipients)
    sent = Message.objects.filter(status="sent")
    assert set(mails) == set(sent.values_list("member__email", flat=True)), "none lost, none beside"
    assert sum(mails.values()) - len(mails) <= KILLS, "at most one duplicate for each kill"
    announced = Counter(Event.objects.filter(name="message.sent").values_list("facts__message_id", flat=True))
    assert announced == Counter(sent.values_list("pk", flat=True))
