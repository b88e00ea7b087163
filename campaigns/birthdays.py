"""Greetings that come round each year: on birthdays, and on the day on which a member joined.

At most one message and one gift a year and member, whatever becomes of birthday and time zone meanwhile.
``campaigns.occasions`` says whose day it is; this module finds who may be due, by index, and hands them to
``campaigns.deciding``. The tick ``campaigns.greet_birthdays`` calls it.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Min

from campaigns import audience, awards, lifecycle, occasions, rhythm
from campaigns.deciding import Candidate, Decided, decide
from campaigns.models import Campaign, Message, SendingPolicy
from campaigns.occasions import Birthday, Decision, Verdict
from loyalty.clock import UTC
from loyalty.conditions import ConditionError, NotQueryableError
from loyalty.runs.record import RunRecorder
from members.models import Member
from rewards import terms
from rewards.terms import TierRules

logger = structlog.get_logger("kantis.campaigns")

Occasion = Campaign.Occasion
PAGE = 250
"""Few enough that other campaigns do not wait long to decide, and that a kill undoes little."""
KINDS = {Occasion.BIRTHDAY: occasions.BIRTHDAY, Occasion.ANNIVERSARY: occasions.ANNIVERSARY}
_SETTLED = {
    Verdict.GREET: "",
    Verdict.TOO_LATE: Message.Reason.TOO_LATE,
    Verdict.GIVEN_RECENTLY: Message.Reason.GIVEN_RECENTLY,
}

_FACTS = f"""
SELECT m.id, m.birth_date, m.time_zone, m.joined_at, m.tier_id,
       (SELECT max(g.created_at) FROM {Message._meta.db_table} g
         WHERE g.member_id = m.id AND g.campaign_id = %(campaign)s
           AND (g.arm = 'treated' OR g.points > 0 OR (g.arm = '' AND g.status <> 'skipped')))
"""  # noqa: S608  (table names only)
_BIRTHDAYS = f"""{_FACTS}
  FROM unnest(%(months)s::numeric[], %(days)s::numeric[], %(occasions)s::text[]) AS d (month, day, occasion)
  JOIN {Member._meta.db_table} m
    ON EXTRACT(MONTH FROM m.birth_date) = d.month AND EXTRACT(DAY FROM m.birth_date) = d.day
   AND m.birth_date IS NOT NULL AND m.status = 'active'
 WHERE m.id > %(after)s
   AND NOT EXISTS (SELECT 1 FROM {Message._meta.db_table} o
                    WHERE o.member_id = m.id AND o.campaign_id = %(campaign)s AND o.occasion = d.occasion)
 ORDER BY m.id
 LIMIT %(limit)s
"""  # noqa: S608  (table names only)
_ANNIVERSARIES = f"""{_FACTS}
  FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(years)s::integer[]) AS d (starts, ends, years)
  JOIN {Member._meta.db_table} m ON m.joined_at >= d.starts AND m.joined_at < d.ends AND m.status = 'active'
 CROSS JOIN LATERAL (SELECT EXTRACT(YEAR FROM m.joined_at AT TIME ZONE 'UTC' - interval '14 hours') AS earliest,
                            EXTRACT(YEAR FROM m.joined_at AT TIME ZONE 'UTC' + interval '14 hours') AS latest) AS y
 WHERE m.id > %(after)s
   AND NOT EXISTS (SELECT 1 FROM {Message._meta.db_table} o
                    WHERE o.member_id = m.id AND o.campaign_id = %(campaign)s AND o.step = ''
                      AND y.earliest = y.latest AND o.occasion = %(kind)s || ':' || (y.latest + d.years))
 ORDER BY m.id
 LIMIT %(limit)s
"""  # noqa: S608  (table names only)


@dataclass(frozen=True, slots=True)
class Celebrant:
    """A member whose day is near, perhaps without a message for it yet."""

    member_id: int
    birth_date: dt.date | None
    time_zone: str
    joined_at: dt.datetime
    tier_id: int
    gift_at: dt.datetime | None

    def facts(self, kind: str) -> Birthday:
        """The day that comes round, on the member's own calendar. Raises ZoneInfoNotFoundError."""
        day = self.birth_date
        if kind == occasions.ANNIVERSARY or day is None:
            day = occasions.joining_day(self.joined_at, self.time_zone)
        return Birthday(day, self.time_zone, self.joined_at, self.gift_at)


def greet_due(*, at: dt.datetime, run: RunRecorder) -> None:
    """Decide about whoever has a day open at ``at``, and settle the missed ones as too late, campaign by campaign.

    May be repeated and may run twice at once: the message row decides who does the work. What one member's data breaks
    is counted and logged, and tried again by the next tick; the others are greeted.
    """
    going = Campaign.objects.filter(occasion__in=KINDS, status=Campaign.Status.RUNNING)
    for campaign in going.order_by("pk"):
        if campaign.ends_at is not None and campaign.ends_at <= at:
            continue
        try:
            is_whole = _greet_for(campaign, at=at, run=run)
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # one campaign's trouble must not hold up the others
            logger.exception("greeting_failed", campaign=campaign.code)
            run.progress(failed=1)
            continue
        if is_whole:
            Campaign.objects.filter(pk=campaign.pk).update(looked_at=at)


def _greet_for(campaign: Campaign, *, at: dt.datetime, run: RunRecorder) -> bool:
    """Whether the campaign went through all pages, and was not paused or ended among them."""
    search = Search(campaign, at=at)
    while not search.is_over:
        with transaction.atomic():
            held = lifecycle.hold(campaign.pk)
            if held is None:
                return False
            try:
                asked, failed = _asked(held, search.next_page(), looked_at=campaign.looked_at, at=at)
            except (ConditionError, NotQueryableError) as unreadable:
                lifecycle.halt(held, str(unreadable), at=at)
                return False
            if problem := awards.obstacle(held, needed=len(asked), at=at):
                lifecycle.halt(held, problem, at=at)
                return False
            decided = decide(held, asked, at=at) + Decided(failed=failed)
        run.progress(done=decided.to_send, skipped=decided.held_out + decided.not_sent, failed=decided.failed)
    return True


class Search:
    """Finds members whose day may be open, by index, a page at a time in the order of ids."""

    def __init__(self, campaign: Campaign, *, at: dt.datetime) -> None:
        self.kind = KINDS[Occasion(campaign.occasion)]
        self.is_over = False
        look_back = look_back_of(campaign)
        days_back = occasions.unsettled_days(look_back_days=look_back, looked_at=campaign.looked_at, at=at)
        self._asked: dict[str, Any] = {"campaign": campaign.pk, "limit": PAGE, "after": 0}
        if self.kind == occasions.BIRTHDAY:
            days = list(occasions.candidate_days(at=at, days_back=days_back, leap_day=leap_day()))
            self._asked |= {
                "months": [month for month, _day, _year in days],
                "days": [day for _month, day, _year in days],
                "occasions": [occasions.occasion_of(self.kind, year) for _month, _day, year in days],
            }
        else:
            first = Member.objects.aggregate(first=Min("joined_at"))["first"] or at
            spans = occasions.joining_spans(at=at, days_back=days_back, since=first)
            self._asked |= {
                "starts": [start for start, _end in spans],
                "ends": [end for _start, end in spans],
                "years": list(range(1, len(spans) + 1)),
                "kind": self.kind,
            }

    def next_page(self) -> list[Celebrant]:
        """The next members by id; one statement."""
        with connection.cursor() as cursor:
            cursor.execute(_BIRTHDAYS if self.kind == occasions.BIRTHDAY else _ANNIVERSARIES, self._asked)
            page = [Celebrant(*row) for row in cursor.fetchall()]
        self.is_over = len(page) < PAGE
        if page:
            self._asked["after"] = page[-1].member_id
        return page

    def __iter__(self) -> Iterator[Celebrant]:
        while not self.is_over:
            yield from self.next_page()


def leap_day() -> occasions.LeapDay:
    """On which day the policy keeps 29 February in common years."""
    return occasions.LeapDay[SendingPolicy.objects.values_list("leap_day", flat=True).get(pk=1).upper()]


def look_back_of(campaign: Campaign) -> int:
    return min(campaign.look_back_days, occasions.LONGEST_LOOK_BACK)


def _asked(
    campaign: Campaign, page: Sequence[Celebrant], *, looked_at: dt.datetime | None, at: dt.datetime
) -> tuple[list[Candidate], int]:
    """Those of the page whose day is unsettled and who are in the audience, and of how many that cannot be said."""
    due: dict[int, tuple[Celebrant, Decision]] = {}
    failed, kept_on = 0, leap_day()
    for each in page:
        try:
            decision = occasions.due_birthday(
                each.facts(KINDS[Occasion(campaign.occasion)]),
                at=at,
                look_back_days=look_back_of(campaign),
                looked_at=looked_at,
                leap_day=kept_on,
            )
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            logger.exception("birthday_failed", member_id=each.member_id, campaign=campaign.code)
            failed += 1
            continue
        if decision is not None:
            due[each.member_id] = each, decision
    if campaign.occasion == Occasion.ANNIVERSARY:
        due = _not_decided(campaign, due)
    inside = audience.among(campaign, due, at=at) if due else set()
    tiers = terms.current().tiers_at(at)
    return [_candidate(campaign, *due[member_id], tiers, at=at) for member_id in sorted(inside)], failed


def _not_decided(
    campaign: Campaign, due: dict[int, tuple[Celebrant, Decision]]
) -> dict[int, tuple[Celebrant, Decision]]:
    """Those without a message for this year's day; who joined around new year has a year that only their zone says."""
    years = {decision.day.year for _each, decision in due.values()}
    keys = [occasions.occasion_of(occasions.ANNIVERSARY, year) for year in years]
    written = Message.objects.filter(campaign=campaign, member__in=due, occasion__in=keys)
    done = set(written.values_list("member_id", "occasion"))
    return {
        member_id: (each, decision)
        for member_id, (each, decision) in due.items()
        if (member_id, occasions.occasion_of(occasions.ANNIVERSARY, decision.day.year)) not in done
    }


def _candidate(
    campaign: Campaign, each: Celebrant, decision: Decision, tiers: TierRules, *, at: dt.datetime
) -> Candidate:
    kind = KINDS[Occasion(campaign.occasion)]
    day = decision.day
    facts: dict[str, Any] = {"day": day.isoformat()}
    if kind == occasions.ANNIVERSARY:
        facts["years"] = day.year - occasions.joining_day(each.joined_at, each.time_zone).year
    return Candidate(
        member_id=each.member_id,
        occasion=occasions.occasion_of(kind, day.year),
        due_at=_due_at(campaign, each, day, at=at),
        facts=facts,
        settled=_SETTLED[decision.verdict],
        points=gift_for(campaign, each.tier_id, tiers) if kind == occasions.BIRTHDAY else None,
    )


def _due_at(campaign: Campaign, each: Celebrant, day: dt.date, *, at: dt.datetime) -> dt.datetime:
    """At once, or at the hour of the member's own day that the campaign names."""
    if not campaign.rhythm.get("at"):
        return at
    wall = dt.datetime.combine(day, rhythm.time_of(campaign.rhythm["at"]))
    return max(at, wall.replace(tzinfo=zoneinfo.ZoneInfo(each.time_zone)).astimezone(UTC))


def gift_for(campaign: Campaign, tier_id: int, tiers: TierRules) -> int:
    """Points: as many as the member's tier gives for a birthday, or the campaign's where it names none."""
    of_the_tier = tiers.level_of(tier_id).birthday_points
    return campaign.bonus_points if of_the_tier is None else of_the_tier
