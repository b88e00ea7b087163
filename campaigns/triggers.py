"""What happened, for the campaigns that wait for it: noted as it is heard of, decided about when its delay is over.

The handler only writes rows, and only for campaigns that listen. Conditions on what happened and the audience are
judged when the message would go out: who returned the purchase meanwhile, or left the audience, is not written to.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet

from campaigns import audience, awards, lifecycle, trigger_events
from campaigns.deciding import Candidate, Decided, decide
from campaigns.echoes import without_echoes
from campaigns.models import Campaign, Message, Trigger
from campaigns.trigger_events import AFFORDABLE, PARTNER_EVENT, TriggerEvent
from loyalty.conditions import Condition, ConditionError, NotQueryableError
from loyalty.events import bus
from loyalty.events.models import Event
from loyalty.runs.record import RunRecorder
from rewards.models import Reward

logger = structlog.get_logger("kantis.campaigns")

Status, Occasion = Campaign.Status, Campaign.Occasion
LISTENING = (Status.RUNNING, Status.PAUSED)
"""While a campaign is paused it still hears; what is within the look-back goes out when it is resumed."""
PAGE = 1_000
GRACE = dt.timedelta(hours=1)
"""A worker may be late by so much even where nothing is to be made good."""

TRY_AGAIN = dt.timedelta(minutes=15)


# --- Hearing ----------------------------------------------------------------------------------------------------------


def notice(events: Sequence[Event]) -> int:
    """Note what happened for every campaign that waits for it; heard again, nothing more. How many were new.

    One look where no campaign listens, and one INSERT for the batch.
    """
    listening = _listening()
    if not listening:
        return 0
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.member_id is not None and not event.facts.get("filling"):
            told[_name_of(event)].append(event)
    rows = []
    for campaign in listening:
        waited_for = _since_start(campaign, told.get(trigger_events.event_of(campaign), ()))
        waited_for = without_echoes(campaign, waited_for)
        if waited_for:
            rows += _rows(campaign, waited_for)
    return _insert(rows)


def _listening() -> list[Campaign]:
    kinds = (Occasion.EVENT, Occasion.AFFORDABLE)
    return list(Campaign.objects.filter(status__in=LISTENING, occasion__in=kinds).order_by("pk"))


def _name_of(event: Event) -> str:
    """The name staff know the event by: a partner's own has its own."""
    if event.name != PARTNER_EVENT:
        return event.name
    return trigger_events.PARTNER_PREFIX + str(event.facts.get("name", ""))


def _since_start(campaign: Campaign, events: Iterable[Event]) -> list[Event]:
    """What happened while the campaign was meant to hear of it; the greetings of old have always run."""
    started, ends = campaign.started_at, campaign.ends_at
    return [
        event
        for event in events
        if (started is None or event.occurred_at >= started) and (ends is None or event.occurred_at < ends)
    ]


Row = dict[str, Any]


def _rows(campaign: Campaign, events: Sequence[Event]) -> list[Row]:
    """The triggers to be written; events whose facts say already that they are not meant are passed over."""
    event = trigger_events.find(trigger_events.event_of(campaign))
    if event is None:
        return []
    meant: Sequence[bool] = [True] * len(events)
    if event.is_judged_at_once:
        try:
            condition = trigger_events.condition_of(campaign)
        except ConditionError:
            return []  # the settling tells of it
        meant = trigger_events.judge(event, condition, [(each.facts, each.occurred_at) for each in events])
    delay = dt.timedelta(minutes=campaign.delay_minutes)
    return [
        {
            "campaign_id": campaign.pk,
            "member_id": each.member_id,
            "occasion": occasion_of(event, each),
            "happened_at": each.occurred_at.isoformat(),
            "due_at": (each.occurred_at + delay).isoformat(),
            "facts": each.facts,
        }
        for each, is_meant in zip(events, meant, strict=True)
        if is_meant
    ]


def occasion_of(event: TriggerEvent, told: Event) -> str:
    """The key of the occasion: the event itself, or the facts of which there is to be one message only."""
    if not event.once:
        return f"event:{told.pk}"
    return ":".join([event.name, *(str(told.facts.get(name, "")) for name in event.once)])[:100]


_INSERT = f"""
INSERT INTO {Trigger._meta.db_table} (campaign_id, member_id, occasion, happened_at, due_at, facts)
SELECT campaign_id, member_id, occasion, happened_at, due_at, facts
  FROM json_to_recordset(%s::json) AS told (campaign_id bigint, member_id bigint, occasion text,
       happened_at timestamptz, due_at timestamptz, facts jsonb)
 WHERE NOT EXISTS (SELECT FROM {Message._meta.db_table} AS done
                    WHERE done.member_id = told.member_id AND done.campaign_id = told.campaign_id
                      AND done.step = '' AND done.occasion = told.occasion)
ON CONFLICT DO NOTHING
"""  # noqa: S608  (table names only)


def _insert(rows: Sequence[Row]) -> int:
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(rows)])
        return cursor.rowcount


def forget(member_id: int) -> None:
    """Drop what waits for a member who is erased."""
    Trigger.objects.filter(member=member_id).delete()


def tell_of_partner(
    *, name: str, member_id: int, partner_id: int, facts: Mapping[str, Any], at: dt.datetime
) -> None:
    """Announce a partner's own event ("cart_abandoned"); campaigns wait for it as "partner.cart_abandoned".

    Inside the caller's transaction, with which it is undone.
    """
    known = {key: value for key, value in facts.items() if key not in {"name", "filling"}}
    bus.announce_many(
        [
            bus.Announcement(
                name=PARTNER_EVENT,
                at=at,
                member_id=member_id,
                partner_id=partner_id,
                facts={**known, "name": name},
            )
        ]
    )


# --- Deciding ---------------------------------------------------------------------------------------------------------


def has_work(*, at: dt.datetime) -> bool:
    """Whether any trigger of a running campaign is due."""
    return _due(at).exists()


def settle_due(*, now: Callable[[], dt.datetime], run: RunRecorder, until: dt.datetime) -> None:
    """Decide about what is due, campaign by campaign, a page at a time; may be killed and run twice at once."""
    for campaign_id in sorted(set(_due(now()).values_list("campaign_id", flat=True))):
        try:
            while now() < until and (decided := settle_page(campaign_id, at=now())) is not None:
                run.progress(
                    done=decided.to_send, skipped=decided.held_out + decided.not_sent, failed=decided.failed
                )
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # one campaign's trouble must not hold up the others; its page is tried again
            logger.exception("triggers_failed", campaign_id=campaign_id)
            run.progress(failed=1)


def settle_page(campaign_id: int, *, at: dt.datetime) -> Decided | None:
    """Decide about the campaign's next due triggers and delete them, in one transaction; None when there are none."""
    with transaction.atomic():
        campaign = lifecycle.hold(campaign_id)
        page = list(_due(at).filter(campaign=campaign_id).order_by("due_at", "pk")[: _page_size(campaign)])
        if campaign is None or not page:
            return None
        try:
            meant = _meant(campaign, page, at=at)
        except (ConditionError, NotQueryableError) as unreadable:
            lifecycle.halt(campaign, str(unreadable), at=at)
            return None
        if problem := awards.obstacle(campaign, needed=len(meant), at=at):
            lifecycle.halt(campaign, problem, at=at)
            return None
        decided = decide(campaign, [_candidate(campaign, each, at=at) for each in meant], at=at)
        again = _postpone(campaign, meant, at=at) if decided.failed else set()
        Trigger.objects.filter(pk__in={each.pk for each in page} - again).delete()
    return decided


def _postpone(campaign: Campaign, meant: Sequence[Trigger], *, at: dt.datetime) -> set[int]:
    """Let those be tried again later that could not be decided about, until the look-back is over; their ids."""
    keys = {(each.member_id, each.occasion) for each in meant}
    members = [member_id for member_id, _occasion in keys]
    done = set(
        Message.objects.filter(campaign=campaign, step="", member__in=members).values_list(
            "member_id", "occasion"
        )
    )
    again = {
        each.pk
        for each in meant
        if (each.member_id, each.occasion) not in done and not _is_late(campaign, each, at=at)
    }
    Trigger.objects.filter(pk__in=again).update(due_at=at + TRY_AGAIN)
    return again


def _due(at: dt.datetime) -> QuerySet[Trigger]:
    return Trigger.objects.filter(campaign__status=Status.RUNNING, due_at__lte=at)


def _page_size(campaign: Campaign | None) -> int:
    with_vouchers = campaign is not None and campaign.voucher_family_id is not None
    return audience.PAGE_WITH_VOUCHERS if with_vouchers else PAGE


def _meant(campaign: Campaign, page: Sequence[Trigger], *, at: dt.datetime) -> list[Trigger]:
    """Those whose event is one the conditions mean, still true, of members of the audience."""
    event = trigger_events.find(trigger_events.event_of(campaign))
    if event is None:
        return []
    condition: Condition = trigger_events.condition_of(campaign)
    judged = trigger_events.judge(event, condition, [(each.facts, each.happened_at) for each in page])
    meant = [each for each, is_meant in zip(page, judged, strict=True) if is_meant]
    if event.name == AFFORDABLE:
        meant = _still_offered(meant)
    inside = audience.among(campaign, {each.member_id for each in meant}, at=at) if meant else set()
    return [each for each in meant if each.member_id in inside]


def _still_offered(page: Sequence[Trigger]) -> list[Trigger]:
    asked = {each.facts.get("reward_id") for each in page}
    offered = set(Reward.objects.filter(pk__in=asked, is_active=True).values_list("pk", flat=True))
    return [each for each in page if each.facts.get("reward_id") in offered]


def _candidate(campaign: Campaign, trigger: Trigger, *, at: dt.datetime) -> Candidate:
    is_late = _is_late(campaign, trigger, at=at)
    return Candidate(
        member_id=trigger.member_id,
        occasion=trigger.occasion,
        due_at=at if is_late else max(trigger.due_at, at),
        facts=trigger.facts,
        settled=Message.Reason.TOO_LATE if is_late else "",
    )


def _is_late(campaign: Campaign, trigger: Trigger, *, at: dt.datetime) -> bool:
    due_at = trigger.happened_at + dt.timedelta(minutes=campaign.delay_minutes)
    return at - due_at > dt.timedelta(days=campaign.look_back_days) + GRACE
