"""The demo's campaigns: what was sent in the last weeks and what came of it, what runs, what is to come.

They go the way of real ones, at moments of the past: submitted, begun, decided about; only the sending is done in bulk.
The newsletter brought some more visits to the café than there would have been (``visits_brought``), so that its result
has something to show. Called by ``analytics.demo``.
"""

import datetime as dt
import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from campaigns import birthdays, lifecycle, ready_made, rounds, suppression
from campaigns.deciding import Candidate, decide
from campaigns.demo_texts import NAMES, TEXTS
from campaigns.dispatch.outcomes import kept_of
from campaigns.experiments import results
from campaigns.experiments.assignment import share_of
from campaigns.models import Campaign, ChannelPolicy, Click, Link, Message, SendingPolicy, Text, Variant
from campaigns.rendering import context
from campaigns.rendering.render import render
from campaigns.trigger_events import ASKED_FOR
from loyalty.events.models import Event
from loyalty.runs.record import RunRecorder
from rewards.demo.shopping import HELSINKI, Trip
from rewards.demo.wares import CAFE

Kind, Occasion, Purpose = Campaign.Kind, Campaign.Occasion, Campaign.Purpose
Channel, Status = Message.Channel, Message.Status

NEWSLETTER = uuid.UUID("0199f3a2-7c00-7000-8000-00000000049d")
"""Fixed, for it says who is written to: the visits it brings are made up before the campaign is."""
HOLD_OUT = Decimal(10)
DAYS_AGO = 26
GOAL_DAYS = 14
BROUGHT = {"A": 0.15, "B": 0.33}
"""The share of those written to who came once more, by variant."""
OPENED = {"A": 0.34, "B": 0.47}
CLICKED = 0.27
"""Of those who opened."""
READ = 0.45
COSTS = {Channel.EMAIL: "0.0012", Channel.SMS: "0.0590"}
HISTORY = dt.timedelta(days=75)
PAGE = 500


def sent_at(at: dt.datetime) -> dt.datetime:
    """When the newsletter went out: some weeks ago at ten."""
    return _at_hour(at - dt.timedelta(days=DAYS_AGO), 10)


def visits_brought(shopping: Sequence[Trip], ids: Mapping[int, int], *, at: dt.datetime) -> list[Trip]:
    """Visits to the café that the newsletter brought, like those that others made; the same for the same shopping."""
    sent = sent_at(at)
    chance = random.Random(DAYS_AGO)  # noqa: S311 - made-up shopping, not secrets
    like = [trip for trip in shopping if trip.shop is CAFE and trip.channel == "store"][-400:]
    made = []
    for person in {trip.person.number: trip.person for trip in shopping}.values():
        luck, day, model = chance.random(), chance.randrange(GOAL_DAYS), chance.choice(like) if like else None
        is_there = (person.new.joined_at or at) < sent and person.leaves_at > sent and not person.is_demo
        if model is None or not is_there or luck >= BROUGHT.get(_variant_of(ids[person.number]), 0):
            continue
        moment = _at_hour(sent + dt.timedelta(days=day), 11 + person.number % 6)
        receipt = f"{CAFE.slug}-{person.number:03}-visit"
        if sent < moment <= at:
            made.append(replace(model, person=person, receipt=receipt, occurred_at=moment))
    return made


def _variant_of(member_id: int) -> str:
    """On which side of the newsletter a member stands; "" held out. As ``experiments.assignment`` says."""
    if share_of(f"{NEWSLETTER}:hold-out", member_id) < HOLD_OUT / 100:
        return ""
    return "A" if share_of(f"{NEWSLETTER}:variant", member_id) < 0.5 else "B"


def make_campaigns(*, demo_member_id: int, staff_id: int, at: dt.datetime, run: RunRecorder) -> None:
    """Make them all, unless they were made before."""
    if Campaign.objects.filter(public_id=NEWSLETTER).exists():
        return
    with transaction.atomic():
        _set_policies()
        began = _at_hour(at - HISTORY, 8)
        _submit(ready_made.create("points-expiring", staff_id=staff_id, at=began), staff_id, began)
        welcome = _submit(ready_made.create("welcome", staff_id=staff_id, at=began), staff_id, began)
        _welcome(welcome, until=at - dt.timedelta(minutes=10))
        _greet(began, until=at - dt.timedelta(days=1), run=run)
        _go_through(list(_to_go_out(staff_id, began, at=at)), at=at, run=run)
        _send(at=at)
        _react(demo_member_id, at=at)
        _upset(welcome, at=at)
        _to_come(staff_id, at=at)
        for campaign in Campaign.objects.filter(started_at__isnull=False):
            results.keep(campaign, at=at)


# --- Making them ------------------------------------------------------------------------------------------------------


def _set_policies() -> None:
    for channel, cost in COSTS.items():
        ChannelPolicy.objects.filter(pk=channel).update(cost=cost)
    SendingPolicy.objects.filter(pk=1).update(track_opens=True)


def _make(code: str, *, at: dt.datetime, **fields: Any) -> Campaign:
    """A draft with its variants and texts."""
    campaign = Campaign.objects.create(code=code, names=dict(NAMES[code]), created_at=at, **fields)
    _say(campaign, code)
    return campaign


def _say(campaign: Campaign, code: str) -> None:
    for letter, said in TEXTS[code].items():
        variant = Variant.objects.create(campaign=campaign, code=letter)
        Text.objects.bulk_create(
            Text(variant=variant, language=language, **words) for language, words in said.items()
        )


def _submit(campaign: Campaign, staff_id: int, at: dt.datetime) -> Campaign:
    return lifecycle.submit(campaign_id=campaign.pk, staff_id=staff_id, at=at)


def _to_go_out(staff_id: int, began: dt.datetime, *, at: dt.datetime) -> Iterator[dt.datetime]:
    """Submit what was sent to an audience; the moments at which there was something to begin."""
    began = max(began, at - dt.timedelta(days=35))
    monthly = _make(
        "month-in-points",
        at=began,
        kind=Kind.RECURRING,
        occasion=Occasion.SCHEDULE,
        rhythm={"every": "month", "day": 1, "at": "09:00"},
        purpose=Purpose.SERVICE,
        channels=[Channel.INBOX],
        goal=Campaign.Goal.REDEMPTION,
    )
    _submit(monthly, staff_id, began)
    yield from (_at_hour(day, 9) for day in _firsts(began, at))
    sent = sent_at(at)
    newsletter = _make(
        "cafe-weeks",
        at=sent - dt.timedelta(days=2),
        public_id=NEWSLETTER,
        audience={"field": "joined_at", "op": "lt", "value": sent.isoformat()},
        bonus_points=20,
        hold_out_percent=HOLD_OUT,
        goal_days=GOAL_DAYS,
        goal_conditions={"field": "partner", "op": "eq", "value": CAFE.slug},
        send_at=sent,
    )
    _submit(newsletter, staff_id, sent - dt.timedelta(days=1))
    yield sent
    told = _at_hour(at - dt.timedelta(days=3), 12)
    news = _make(
        "new-in-the-portal",
        at=told - dt.timedelta(hours=2),
        purpose=Purpose.SERVICE,
        channels=[Channel.INBOX],
        hold_out_percent=0,
        goal=Campaign.Goal.VISIT,
        send_at=told,
    )
    _submit(news, staff_id, told - dt.timedelta(hours=1))
    yield told


def _to_come(staff_id: int, *, at: dt.datetime) -> None:
    """One that partners set off, one that goes out next week, and a draft."""
    asked_for = _make(
        "table-ready",
        at=at,
        kind=Kind.TRIGGERED,
        occasion=Occasion.EVENT,
        event=ASKED_FOR,
        purpose=Purpose.SERVICE,
        goal=Campaign.Goal.VISIT,
        hold_out_percent=0,
    )
    _submit(asked_for, staff_id, at)
    evening = _make(
        "members-evening",
        at=at - dt.timedelta(days=1),
        send_at=_at_hour(at + dt.timedelta(days=7 - at.weekday() + 1), 10),
        in_member_zone=True,
    )
    _submit(evening, staff_id, at)
    draft = ready_made.create("win-back", staff_id=staff_id, at=at)
    Campaign.objects.filter(pk=draft.pk).update(hold_out_percent=HOLD_OUT)
    _say(draft, "win-back")


# --- What they did ----------------------------------------------------------------------------------------------------


def _go_through(moments: Sequence[dt.datetime], *, at: dt.datetime, run: RunRecorder) -> None:
    """Begin and decide about what was due at each of the moments, in their order."""
    for moment in sorted(each for each in moments if each <= at):
        rounds.begin_due(at=moment)
        rounds.decide_open(now=_stopped_at(moment), run=run, until=moment + dt.timedelta(minutes=1))


def _welcome(campaign: Campaign, *, until: dt.datetime) -> None:
    """Whoever joined since it runs was welcomed ten minutes later."""
    began = campaign.started_at or until
    joined = Event.objects.filter(name="member.enrolled", occurred_at__gte=began, member_id__isnull=False)
    delay = dt.timedelta(minutes=campaign.delay_minutes)
    for event in joined.filter(occurred_at__lt=until).order_by("occurred_at", "pk"):
        due_at = event.occurred_at + delay
        decide(
            campaign, [Candidate(event.member_id or 0, f"event:{event.pk}", due_at, event.facts)], at=due_at
        )


def _greet(began: dt.datetime, *, until: dt.datetime, run: RunRecorder) -> None:
    """Birthdays as they came, day by day."""
    Campaign.objects.filter(occasion=Occasion.BIRTHDAY).update(created_at=began, started_at=began)
    day = began
    while day <= until:
        birthdays.greet_due(at=day, run=run)
        day += dt.timedelta(days=1)


def _send(*, at: dt.datetime) -> None:
    """Write and mark what was due, as if it had gone out half a minute later; nothing leaves the house."""
    costs = dict(ChannelPolicy.objects.values_list("channel", "cost"))
    due = Message.objects.filter(status=Status.DUE, due_at__lt=at).exclude(variant=None).order_by("pk")
    waiting = list(due.select_related("campaign"))
    for first in range(0, len(waiting), PAGE):
        page = waiting[first : first + PAGE]
        known = context.load(page, at=at)
        rows = []
        for place, message in enumerate(page):
            kept = kept_of(message, render(message, known.get(message.pk), for_channel=message.channel))
            went = message.due_at + dt.timedelta(seconds=30 + place // 10)
            rows.append({"id": message.pk, **kept, "sent_at": went, "cost": costs[message.channel]})
        _update(_SENT, rows)
    lifecycle.finish_due(at=at)
    for campaign in Campaign.objects.filter(status=Campaign.Status.SENT, started_at__isnull=False):
        Campaign.objects.filter(pk=campaign.pk).update(
            ended_at=(campaign.started_at or at) + dt.timedelta(minutes=2)
        )


def _react(demo_member_id: int, *, at: dt.datetime) -> None:
    """Some opened their e-mails, some of those followed the link, and some looked into their inbox."""
    chance = random.Random(PAGE)  # noqa: S311
    links = {link.campaign_id: link for link in Link.objects.order_by("-pk")}
    clicks, rows = [], []
    sent = Message.objects.filter(status=Status.SENT).select_related("variant").order_by("pk")
    for message in sent:
        letter = message.variant.code if message.variant is not None else "A"
        later = (message.sent_at or at) + dt.timedelta(minutes=chance.lognormvariate(5, 1.5))
        has_opened, has_read = chance.random() < OPENED[letter], chance.random() < READ
        has_clicked = chance.random() < CLICKED
        if later >= at or message.member_id == demo_member_id:
            continue
        if message.channel == Channel.INBOX and has_read:
            rows.append({"id": message.pk, "read_at": later})
        elif message.channel == Channel.EMAIL and has_opened:
            follows = has_clicked and message.campaign_id in links
            rows.append({"id": message.pk, "opened_at": later, "clicked_at": later if follows else None})
            if follows:
                clicks.append(Click(message=message, link=links[message.campaign_id], at=later))
    _update(_LOOKED_AT, rows)
    Click.objects.bulk_create(clicks)


_SENT = f"""
UPDATE {Message._meta.db_table} AS message
   SET status = 'sent', attempts = 1, subject = row.subject, body = row.body, content = row.content,
       reason = row.reason, sent_at = row.sent_at, cost = row.cost
  FROM json_to_recordset(%s::json) AS row (id bigint, subject text, body text, content jsonb, reason text,
                                           sent_at timestamptz, cost numeric)
 WHERE message.id = row.id
"""  # noqa: S608  (table names only)
_LOOKED_AT = f"""
UPDATE {Message._meta.db_table} AS message
   SET read_at = row.read_at, opened_at = row.opened_at, clicked_at = row.clicked_at
  FROM json_to_recordset(%s::json) AS row (id bigint, read_at timestamptz, opened_at timestamptz,
                                           clicked_at timestamptz)
 WHERE message.id = row.id
"""  # noqa: S608  (table names only)


def _update(statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows, cls=DjangoJSONEncoder)])


def _upset(welcome: Campaign, *, at: dt.datetime) -> None:
    """Two e-mails of the newsletter came back, and of one welcome nobody knows whether it went out."""
    by_email = Message.objects.filter(status=Status.SENT, channel=Channel.EMAIL, opened_at=None).order_by(
        "pk"
    )
    for message in by_email.filter(campaign__public_id=NEWSLETTER).select_related("member")[20:22]:
        back_at = (message.sent_at or at) + dt.timedelta(minutes=3)
        words = "550 5.1.1 no such mailbox"
        Message.objects.filter(pk=message.pk).update(
            status=Status.FAILED, reason=Message.Reason.BOUNCED, detail=words
        )
        suppression.suppress(
            channel=Channel.EMAIL,
            address=message.member.email,
            reason="bounce",
            at=back_at,
            detail=words,
            member_id=message.member_id,
        )
    lost = by_email.filter(campaign=welcome).last()
    if lost is not None:
        Message.objects.filter(pk=lost.pk).update(
            status=Status.UNKNOWN, reason=Message.Reason.LOST, sent_at=None
        )


# --- Time -------------------------------------------------------------------------------------------------------------


def _at_hour(moment: dt.datetime, hour: int) -> dt.datetime:
    day = moment.astimezone(HELSINKI).date()
    return dt.datetime.combine(day, dt.time(hour), tzinfo=HELSINKI).astimezone(dt.UTC)


def _stopped_at(moment: dt.datetime) -> Callable[[], dt.datetime]:
    """A clock that stands still."""
    return lambda: moment


def _firsts(after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """Noon of the first of each month between the two."""
    day = (after.astimezone(HELSINKI).replace(day=1, hour=12) + dt.timedelta(days=32)).replace(day=1)
    while day <= until:
        yield day.astimezone(dt.UTC)
        day = (day + dt.timedelta(days=32)).replace(day=1)
