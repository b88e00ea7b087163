"""What is known of candidates when a campaign decides about them: a few statements for a page of them, however many."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from campaigns import suppression
from campaigns.models import Campaign, ChannelCode, Message, MessagePreference, PushSubscription
from campaigns.policy import caps
from campaigns.policy.rules import Rules
from members.models import Consent, Member

COUNTED = (Message.Status.DUE, Message.Status.SENDING, Message.Status.SENT, Message.Status.UNKNOWN)
"""Messages that count towards caps: what did not go out for certain does not."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member whose occasion it is. ``settled`` is a Message.Reason when the occasion itself knows why not;
    ``points`` are what this member gets (None: the campaign's bonus points)."""

    member_id: int
    occasion: str
    due_at: dt.datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    settled: str = ""
    points: int | None = None


@dataclass(slots=True)
class Facts:
    """One candidate, and the member as they are now. ``consents`` are the channels they agreed to for the campaign's
    purpose, ``suppressed`` those whose address must not be used; ``counted`` are messages near in time."""

    candidate: Candidate
    is_member: bool
    language: str
    time_zone: str
    email: str = ""
    phone: str = ""
    has_browser: bool = False
    consents: Sequence[str] = ()
    preferred_channel: str = ""
    per_week: int | None = None
    paused_until: dt.date | None = None
    suppressed: tuple[str, ...] = ()
    counted: Sequence[caps.Counted] = ()


_MEMBERS = f"""
SELECT candidate.place, member.status = 'active', member.language, member.time_zone, member.email, member.phone,
       CASE WHEN %(push)s THEN EXISTS (SELECT FROM {PushSubscription._meta.db_table} browser
                                        WHERE browser.member_id = member.id AND browser.gone_at IS NULL)
            ELSE FALSE END,
       CASE WHEN %(consent)s <> '' THEN ARRAY(SELECT consent.channel FROM {Consent._meta.db_table} consent
                                               WHERE consent.member_id = member.id AND consent.granted
                                                 AND consent.purpose = %(consent)s) END,
       coalesce(wish.preferred_channel, ''), wish.per_week, wish.paused_until
  FROM unnest(%(members)s::bigint[], %(occasions)s::text[]) WITH ORDINALITY
       AS candidate (member_id, occasion, place)
  JOIN {Member._meta.db_table} member ON member.id = candidate.member_id
  LEFT JOIN {MessagePreference._meta.db_table} wish ON wish.member_id = member.id
 WHERE NOT EXISTS (SELECT FROM {Message._meta.db_table} known
                    WHERE known.member_id = candidate.member_id AND known.campaign_id = %(campaign)s
                      AND known.step = '' AND known.occasion = candidate.occasion)
 ORDER BY member.id, candidate.place
   FOR KEY SHARE OF member
"""  # noqa: S608  (table names only)

_COUNTED = f"""
SELECT message.member_id, (message.due_at AT TIME ZONE member.time_zone)::date, message.channel, campaign.priority,
       message.id, message.status = 'due'
  FROM {Message._meta.db_table} message
  JOIN {Member._meta.db_table} member ON member.id = message.member_id
  JOIN {Campaign._meta.db_table} campaign ON campaign.id = message.campaign_id AND NOT campaign.ignores_caps
 WHERE message.member_id = ANY(%(members)s::bigint[]) AND message.status = ANY(%(counted)s)
   AND message.channel <> 'inbox' AND message.due_at >= %(since)s AND message.due_at <= %(until)s
"""  # noqa: S608  (table names only)


def load(rules: Rules, candidates: Sequence[Candidate], *, at: dt.datetime) -> list[Facts]:
    """The facts of those without a message for the occasion yet, in the order of members; a repeated one comes once.

    Whoever leaves at this moment has left first, or leaves when this transaction is over: members are held as the rows
    to be written hold them, but before any message that gives way is, which leaving would want in the other order.
    One statement, one for each kind of address that may be suppressed, and one for what counts towards caps.
    """
    once = list({(each.member_id, each.occasion): each for each in candidates}.values())
    found = _members(rules, once)
    _mark_suppressed(rules, found)
    _add_counted(rules, found, at=at)
    return found


def _members(rules: Rules, candidates: Sequence[Candidate]) -> list[Facts]:
    with connection.cursor() as cursor:
        cursor.execute(
            _MEMBERS,
            {
                "campaign": rules.campaign_id,
                "consent": rules.consent,
                "push": ChannelCode.PUSH in rules.ways,
                "members": array_of(each.member_id for each in candidates),
                "occasions": [each.occasion for each in candidates],
            },
        )
        return [Facts(candidates[place - 1], *known) for place, *known in cursor.fetchall()]


def _mark_suppressed(rules: Rules, found: Sequence[Facts]) -> None:
    for channel, address_of in (
        (ChannelCode.EMAIL, lambda facts: facts.email),
        (ChannelCode.SMS, lambda facts: facts.phone),
    ):
        if channel not in rules.ways:
            continue
        down = suppression.suppressed(channel, [address for each in found if (address := address_of(each))])
        for each in found if down else ():
            if address_of(each) in down:
                each.suppressed = (*each.suppressed, channel.value)


def _add_counted(rules: Rules, found: Sequence[Facts], *, at: dt.datetime) -> None:
    """Only where some cap holds, and only as far around as its window may reach (quiet hours and zones allowed for)."""
    if not found or not rules.is_capped:
        return
    limits = [limit for way in rules.ways.values() for limit in way.limits]
    limits += (caps.Limit(caps.Window.WEEK, each.per_week) for each in found if each.per_week is not None)
    if not limits:
        return
    reach = caps.widest(limits) + dt.timedelta(days=3)
    due = [each.candidate.due_at for each in found]
    counted = counted_of(
        {each.candidate.member_id for each in found},
        since=max(min(due), at) - reach,
        until=max(*due, at, rules.waits_until or at) + reach,
    )
    for each in found:
        each.counted = counted.get(each.candidate.member_id, ())


def counted_of(
    member_ids: Iterable[int], *, since: dt.datetime, until: dt.datetime
) -> dict[int, list[caps.Counted]]:
    """What counts for each of the members and is due between two moments, on their calendars; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTED,
            {"members": array_of(member_ids), "counted": list(COUNTED), "since": since, "until": until},
        )
        rows = cursor.fetchall()
    counted: dict[int, list[caps.Counted]] = defaultdict(list)
    for member_id, *known in rows:
        counted[member_id].append(caps.Counted(*known))
    return counted


def array_of(values: Iterable[object]) -> str:
    """Numbers or ids as the database spells an array of them: much quicker than handing over one by one."""
    return "{" + ",".join(map(str, values)) + "}"
