"""Days that pass: since a member's last purchase, or since they last bought a product that runs out.

Each last purchase is one occasion, once. One that fell due while nobody looked is made good within the look-back and
written down as too late after it. The tick ``campaigns.miss_members`` calls it.
"""

import datetime as dt
from collections.abc import Sequence

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from campaigns import audience, awards, lifecycle, trigger_events
from campaigns.deciding import Candidate, decide
from campaigns.models import Campaign, Message
from loyalty.conditions import ConditionError, NotQueryableError
from loyalty.runs.record import RunRecorder
from members.models import Activity, ActivityLine, Member

logger = structlog.get_logger("kantis.campaigns")

Occasion = Campaign.Occasion
PAGE = 1_000
KEYS = {Occasion.INACTIVE: "inactive", Occasion.REPLENISH: "replenish"}


def has_work() -> bool:
    """Whether any campaign of these kinds runs."""
    return _going().exists()


def _going() -> QuerySet[Campaign]:
    return Campaign.objects.filter(occasion__in=KEYS, status=Campaign.Status.RUNNING)


def look(*, at: dt.datetime, run: RunRecorder) -> None:
    """Decide, for every running campaign of these kinds, about the members whose days are over at ``at``."""
    for campaign in _going().order_by("pk"):
        if not campaign.days or (campaign.ends_at is not None and campaign.ends_at <= at):
            continue
        try:
            is_whole = _look_for(campaign, at=at, run=run)
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # one campaign's trouble must not hold up the others
            logger.exception("inactivity_failed", campaign=campaign.code)
            run.progress(failed=1)
            continue
        if is_whole:
            Campaign.objects.filter(pk=campaign.pk).update(looked_at=at)


def _look_for(campaign: Campaign, *, at: dt.datetime, run: RunRecorder) -> bool:
    """Whether the campaign went through all pages, and was not paused or ended among them."""
    after = 0
    while True:
        with transaction.atomic():
            held = lifecycle.hold(campaign.pk)
            if held is None:
                return False
            try:
                page = last_purchases(campaign, at=at, after=after)
                asked = _asked(held, page, at=at)
            except (ConditionError, NotQueryableError) as unreadable:
                lifecycle.halt(held, str(unreadable), at=at)
                return False
            if problem := awards.obstacle(held, needed=len(asked), at=at):
                lifecycle.halt(held, problem, at=at)
                return False
            decided = decide(held, asked, at=at)
        run.progress(done=decided.to_send, skipped=decided.held_out + decided.not_sent, failed=decided.failed)
        if len(page) < PAGE:
            return True
        after = page[-1][0]


Last = tuple[int, int, dt.datetime]
"""A member, their last purchase (of the product), and when it was."""


def last_purchases(campaign: Campaign, *, at: dt.datetime, after: int) -> list[Last]:
    """Members, by id after ``after``, whose last purchase is as long ago as the campaign waits; one statement.

    From those that fell due since the last look, or within the look-back, without a message for that purchase.
    """
    days = dt.timedelta(days=campaign.days or 0)
    oldest = at - dt.timedelta(days=campaign.look_back_days)
    since = min(campaign.looked_at or oldest, oldest) - days
    bought = _bought(campaign, at=at)
    later = bought.filter(member=OuterRef("member"), occurred_at__gt=OuterRef("occurred_at"))
    key = Concat(Value(f"{KEYS[Occasion(campaign.occasion)]}:"), Cast(OuterRef("pk"), CharField()))
    told = Message.objects.filter(member=OuterRef("member"), campaign=campaign, step="", occasion=key)
    found = bought.filter(
        ~Exists(later),
        ~Exists(told),
        occurred_at__gt=since,
        occurred_at__lte=at - days,
        member__gt=after,
        member__status=Member.Status.ACTIVE,
    )
    rows = found.order_by("member_id", "-pk").distinct("member_id")
    return list(rows.values_list("member_id", "pk", "occurred_at")[:PAGE])


def _bought(campaign: Campaign, *, at: dt.datetime) -> QuerySet[Activity]:
    """The purchases that count: all of them, or those with a line of the product."""
    purchases = Activity.objects.filter(kind="purchase")
    if campaign.occasion == Occasion.INACTIVE:
        return purchases
    lines = ActivityLine.objects.filter(activity=OuterRef("pk"))
    return purchases.filter(Exists(trigger_events.condition_of(campaign).filter(lines, at=at)))


def _asked(campaign: Campaign, page: Sequence[Last], *, at: dt.datetime) -> list[Candidate]:
    """Those who are in the audience. What fell due before anybody looked is nobody's fault: left out."""
    inside = audience.among(campaign, {member_id for member_id, _id, _when in page}, at=at) if page else set()
    return [
        candidate
        for member_id, activity_id, when in page
        if member_id in inside
        and (candidate := _candidate(campaign, member_id, activity_id, when, at=at)) is not None
    ]


def _candidate(
    campaign: Campaign, member_id: int, activity_id: int, when: dt.datetime, *, at: dt.datetime
) -> Candidate | None:
    due_at = when + dt.timedelta(days=campaign.days or 0)
    is_late = at - due_at > dt.timedelta(days=campaign.look_back_days)
    if is_late and (campaign.looked_at is None or due_at <= campaign.looked_at):
        return None
    return Candidate(
        member_id=member_id,
        occasion=f"{KEYS[Occasion(campaign.occasion)]}:{activity_id}",
        due_at=at,
        facts={"activity_id": activity_id, "days": campaign.days},
        settled=Message.Reason.TOO_LATE if is_late else "",
    )
