#!/usr/bin/env python
"""How many members a campaign decides about in a second, beside a bare INSERT ... SELECT of the very same rows; and how
many messages it sends to nobody, beside only writing them. See README.md.
"""

import argparse
import datetime as dt
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import house

NOW = dt.datetime(2026, 6, 10, 9, 0, tzinfo=dt.UTC)
DECIDING_TARGET = 0.2
SENDING_TARGET = 0.5
MEMORY_TARGET = 1.1

_MEMBERS = """
INSERT INTO members_member (public_id, card_number, status, first_name, last_name, email, phone, language, time_zone,
    joined_at, source, acquisition_channel, tier_id, tier_since, tier_as_of, tier_transfer_id)
SELECT gen_random_uuid(), lpad(n::text, 16, '0'), 'active', 'Aino', 'Virtanen', 'member.' || n || '@example.com', '',
    (ARRAY['fi', 'sv', 'en'])[1 + n %% 3], 'Europe/Helsinki', timestamptz '2026-06-01' - (n %% 1000) * interval '1 day',
    'partner', 'organic', (SELECT min(id) FROM members_tier), now(), now(), 0
  FROM generate_series(1, %s) AS n
"""
_CONSENTS = """
INSERT INTO members_consent (member_id, purpose, channel, granted, changed_at)
SELECT id, 'marketing', channel, TRUE, now()
  FROM members_member CROSS JOIN unnest(ARRAY['email', 'sms']) AS channel WHERE id % 10 <> 0
"""
_WISHES = """
INSERT INTO campaigns_messagepreference (member_id, preferred_channel, no_tracking, per_week, changed_at)
SELECT id, '', FALSE, 3, now() FROM members_member WHERE id % 50 = 0
"""
_EARLIER = """
INSERT INTO campaigns_message ({columns})
SELECT {values} FROM members_member CROSS JOIN generate_series(1, 2) AS n
"""


def fill(members: int) -> None:
    """Members, nine of ten with consents, some with wishes; each was written to twice before, this week and last."""
    from django.db import connection

    from campaigns.models import Message
    from campaigns.suppression import suppress

    campaign = a_campaign("earlier")
    given: dict[str, Any] = {
        "public_id": "gen_random_uuid()",
        "member_id": "id",
        "campaign_id": str(campaign.pk),
        "occasion": "'earlier:' || n",
        "channel": "'email'",
        "language": "'fi'",
        "status": "'sent'",
        "created_at": f"timestamptz '{NOW}' - n * interval '4 days'",
        "due_at": f"timestamptz '{NOW}' - n * interval '4 days'",
    }
    for each in Message._meta.concrete_fields:
        if not (each.primary_key or each.null or each.attname in given):
            default = each.get_default()
            given[each.attname] = f"'{default if default != {} else '{}'}'"
    earlier = _EARLIER.format(columns=", ".join(given), values=", ".join(given.values()))
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [members])
        cursor.execute(_CONSENTS)
        cursor.execute(_WISHES)
        cursor.execute(earlier)
    for number in range(1, members, 200):
        suppress(channel="email", address=f"member.{number}@example.com", reason="bounce", at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def a_campaign(code: str) -> Any:
    """A one-off to everybody: two variants in three languages, by e-mail or in the portal, and the usual hold-out."""
    from campaigns.models import Campaign, Text, Variant

    texts = {name: {"en": code} for name in ("names", "subjects", "bodies") if hasattr(Campaign, name)}
    campaign = Campaign.objects.create(code=code, status=Campaign.Status.SCHEDULED, **texts)
    for letter in "AB":
        variant = Variant.objects.create(campaign=campaign, code=letter)
        for language in ("fi", "sv", "en"):
            Text.objects.create(
                variant=variant,
                language=language,
                subject="{{ member.first_name }}, your points are worth more this week",
                body="You have {{ points }} points.\n\nCome and see what they get you.",
            )
    return campaign


# --- Part 1: deciding -------------------------------------------------------------------------------------------------


def deciding(given: argparse.Namespace) -> bool:
    """Rounds of deciding and of inserting the same rows again, in turn; whether the ratio is what we want."""
    from django.db import connection

    ours, floor = [], []
    for number in range(given.rounds):
        campaign = a_campaign(f"bench-{number}")
        ours.append(decided(campaign))
        with connection.cursor() as cursor:
            keep = "CREATE TABLE kept AS SELECT * FROM campaigns_message WHERE campaign_id = %s ORDER BY id"
            cursor.execute(keep, [campaign.pk])
            rows = cursor.rowcount
            forget(cursor, campaign)
            house.checkpoint()
            began = time.perf_counter()
            cursor.execute("INSERT INTO campaigns_message SELECT * FROM kept ORDER BY id")
            floor.append(time.perf_counter() - began)
            forget(cursor, campaign)
            cursor.execute("DROP TABLE kept")
        if rows != given.members:
            sys.exit(f"{rows} rows for {given.members} members")
        print(
            f"decided {rows / ours[-1]:8.0f} a second, INSERT ... SELECT {rows / floor[-1]:8.0f}, "
            f"ratio {floor[-1] / ours[-1]:.2f}",
            flush=True,
        )
    ratio = statistics.median(floor) / statistics.median(ours)
    print(f"deciding: ratio {ratio:.2f}  (we hold ourselves to {DECIDING_TARGET})")
    return ratio >= DECIDING_TARGET


def decided(campaign: Any) -> float:
    """The seconds that a round takes from its beginning, with the audience frozen, to its last page."""
    from campaigns import rounds
    from campaigns.models import Round

    house.checkpoint()
    began = time.perf_counter()
    rounds.begin_due(at=NOW)
    round_ = Round.objects.get(campaign=campaign)
    pages, after_ten = 0, 0
    while rounds.decide_page(round_.pk, at=NOW) is not None:
        pages += 1
        after_ten = most_memory() if pages == 10 else after_ten
    took = time.perf_counter() - began
    round_.refresh_from_db()
    print(
        f"{round_.to_send} to send, {round_.held_out} held out, {round_.not_sent} not, {round_.failed} failed; "
        f"memory at most {after_ten} MB after 10 pages, {most_memory()} MB after {pages}",
        flush=True,
    )
    return took


def forget(cursor: Any, campaign: Any) -> None:
    """Take the campaign's messages out, and leave table and indexes as they were before."""
    cursor.execute("DELETE FROM campaigns_message WHERE campaign_id = %s", [campaign.pk])
    cursor.execute("VACUUM FULL ANALYZE campaigns_message")


def most_memory() -> int:
    """Megabytes that this process has had at once, at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# --- Part 2: sending --------------------------------------------------------------------------------------------------


CHUNK = 5_000


def sending(given: argparse.Namespace) -> bool:
    """Send e-mails to nobody, in turn with only writing as many; whether ratio and memory are what we want."""
    from campaigns.channels.null import NullChannel

    campaign = a_campaign("sending")
    decided(campaign)
    house.checkpoint()
    channel = NullChannel(keeps=False)
    ours, floor = [], []
    for _ in range(2 * given.rounds):
        floor.append(written(campaign, CHUNK))
        ours.append(sent(channel, CHUNK))
        print(
            f"sent {CHUNK / ours[-1]:8.0f} a second, only written {CHUNK / floor[-1]:8.0f}, "
            f"ratio {floor[-1] / ours[-1]:.2f}",
            flush=True,
        )
    early, so_far = most_memory(), channel.count
    took = sent(channel, given.members)
    print(
        f"memory at most {early} MB after {so_far} messages, {most_memory()} MB after {channel.count}; "
        f"the rest at {(channel.count - so_far) / took:.0f} a second",
        flush=True,
    )
    check_all_sent(campaign, channel.count)
    ratio = statistics.median(floor) / statistics.median(ours)
    flat = most_memory() <= early * MEMORY_TARGET
    print(
        f"sending: ratio {ratio:.2f}  (we hold ourselves to {SENDING_TARGET}), memory {'flat' if flat else 'grows'}"
    )
    return ratio >= SENDING_TARGET and flat


def written(campaign: Any, count: int) -> float:
    """The seconds that it takes to write the next so many e-mails and do nothing with them, a hundred at a time."""
    from campaigns.models import Message
    from campaigns.rendering import context
    from campaigns.rendering.render import render

    due = Message.objects.filter(campaign=campaign, status="due", channel="email").order_by("due_at", "pk")
    began = time.perf_counter()
    for first in range(0, count, 100):
        messages = list(due[first : first + 100])
        known = context.load(messages, at=NOW)
        for message in messages:
            render(message, known[message.pk], for_channel="email")
    return time.perf_counter() - began


def sent(channel: Any, count: int) -> float:
    """The seconds that it takes to send so many, or all there are, each marked before the next."""
    from campaigns.dispatch import rounds
    from loyalty.runs.models import Run
    from loyalty.runs.record import RunRecorder

    enough = channel.count + count
    over = NOW + dt.timedelta(hours=1)
    run = RunRecorder(Run.objects.create(name="bench", at=NOW, started_at=NOW, seen_at=NOW))
    began = time.perf_counter()
    rounds.send_due(
        channel, "email", now=lambda: over if channel.count >= enough else NOW, run=run, until=over
    )
    return time.perf_counter() - began


def check_all_sent(campaign: Any, count: int) -> None:
    """Every e-mail was handed over once, marked and announced."""
    from campaigns.models import Message
    from loyalty.events.models import Event

    mails = Message.objects.filter(campaign=campaign, channel="email")
    of_status = {
        status: mails.filter(status=status).count() for status in ("sent", "due", "sending", "failed")
    }
    announced = Event.objects.filter(name="message.sent").count()
    if of_status != {"sent": count, "due": 0, "sending": 0, "failed": 0} or announced != count:
        sys.exit(f"{count} handed over, {announced} announced, {of_status}")


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {"deciding": deciding, "sending": sending}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--members", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=[*PARTS])
    given = options.parse_args()
    house.open_house()
    fill(given.members)
    met = [part(given) for name, part in PARTS.items() if given.only in {None, name}]
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
