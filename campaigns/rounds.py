"""Going out to an audience: one round of a one-off campaign, one for each date of a schedule.

A round is begun once, by whoever inserts its row, together with its frozen audience. Its pages are decided one by
one, each in a transaction with the page's deletion: a killed worker's successor finds exactly what is left.
"""

import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog
from django.db import InterfaceError, OperationalError, transaction

from campaigns import approval, audience, awards, lifecycle, rhythm
from campaigns.deciding import Candidate, Decided, decide
from campaigns.models import Campaign, Message, Round, RoundPage
from loyalty import programme
from loyalty.clock import UTC
from loyalty.conditions import ConditionError, NotQueryableError
from loyalty.events import bus
from loyalty.runs.record import RunRecorder
from members.models import Member

logger = structlog.get_logger("kantis.campaigns")

Kind, Status, Occasion = Campaign.Kind, Campaign.Status, Campaign.Occasion
ONCE = "once"
EARLIEST = dt.timedelta(hours=14)
"""How far the first clocks on earth are ahead of UTC."""
MOST_DATES = 1_000
"""Dates of a schedule settled in one go, after a very long outage."""


# --- Beginning --------------------------------------------------------------------------------------------------------


def begin_due(*, at: dt.datetime) -> int:
    """Begin the rounds whose time has come: of scheduled one-off campaigns and of running schedules; how many."""
    begun = 0
    one_off = Campaign.objects.filter(kind=Kind.ONE_OFF, status=Status.SCHEDULED).order_by("pk")
    for campaign in one_off:
        if starts_at(campaign, at=at) <= at:
            begun += _apart(campaign, _begin_one_off, at=at)
    schedules = Campaign.objects.filter(occasion=Occasion.SCHEDULE, status=Status.RUNNING).order_by("pk")
    for campaign in schedules:
        begun += _apart(campaign, _begin_dates, at=at)
    return begun


class _TooLarge(Exception):
    """The audience of a round that was about to begin has more members than were approved."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def starts_at(campaign: Campaign, *, at: dt.datetime) -> dt.datetime:
    """When a one-off campaign is decided about: at its time, or when that time comes to the first clocks on earth."""
    if campaign.send_at is None:
        return at
    if not campaign.in_member_zone:
        return campaign.send_at
    return wall_of(campaign.send_at).replace(tzinfo=UTC) - EARLIEST


def wall_of(moment: dt.datetime) -> dt.datetime:
    """What the programme's own clock shows at a moment, without a zone."""
    return moment.astimezone(zoneinfo.ZoneInfo(programme.current().time_zone)).replace(tzinfo=None)


def _apart(campaign: Campaign, begin: Callable[..., int], *, at: dt.datetime) -> int:
    """Begin one campaign's rounds in a transaction of its own; one whose audience cannot be read is halted.

    One whose audience is larger than was approved waits for approval, and nothing of the round is left.
    """
    try:
        with transaction.atomic():
            return begin(campaign.pk, at=at)
    except _TooLarge as too_large:
        with transaction.atomic():
            held = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
            if held.status == campaign.status:
                lifecycle.hold_back(held, size=too_large.size, at=at)
        return 0
    except (ConditionError, NotQueryableError) as unreadable:
        with transaction.atomic():
            held = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
            if held.status == campaign.status:
                lifecycle.halt(held, str(unreadable), at=at)
        return 0


def _begin_one_off(campaign_id: int, *, at: dt.datetime) -> int:
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
    if campaign.status != Status.SCHEDULED or starts_at(campaign, at=at) > at:
        return 0
    campaign.status, campaign.started_at = Status.SENDING, at
    campaign.save()
    bus.announce("campaign.started", at=at, campaign=str(campaign.public_id), code=campaign.code)
    return int(_begin(campaign, ONCE, starts_at(campaign, at=at), at=at))


def _begin_dates(campaign_id: int, *, at: dt.datetime) -> int:
    """A round for the date that has come since the last look; those missed are written down as too late.

    Only the latest is sent after an outage, however many there were, and not after the look-back: nobody is to get the
    same message several times at once.
    """
    campaign = lifecycle.hold(campaign_id)
    if campaign is None:
        return 0
    begun = 0
    come = list(dates(campaign, until=at))
    for due in come:
        is_late = due is not come[-1] or at - due.at > dt.timedelta(days=campaign.look_back_days)
        begun += _begin(campaign, due.occasion, due.at, at=at, is_late=is_late)
    Campaign.objects.filter(pk=campaign_id).update(looked_at=at)
    return begun


def dates(campaign: Campaign, *, until: dt.datetime) -> Iterator[rhythm.Due]:
    """The dates of a running schedule since it was last looked at; for members' own clocks from the first on earth."""
    after = campaign.looked_at or campaign.started_at or campaign.created_at
    until = min(until, campaign.ends_at) if campaign.ends_at else until
    known = rhythm.parse(campaign.rhythm)
    if campaign.in_member_zone:
        found = rhythm.occasions(known, time_zone="UTC", after=after, until=until, lead=EARLIEST)
    else:
        zone = programme.current().time_zone
        found = rhythm.occasions(known, time_zone=zone, after=after, until=until)
    for count, due in enumerate(found):
        if count == MOST_DATES:
            return
        yield due


def _begin(
    campaign: Campaign, occasion: str, due_at: dt.datetime, *, at: dt.datetime, is_late: bool = False
) -> bool:
    """Create the round with its audience; False when there was one. A late one is there to tell that it was missed.

    Raises ``_TooLarge``.
    """
    late = {"status": Round.Status.CANCELLED, "reason": Round.Reason.TOO_LATE, "ended_at": at}
    round_, is_new = Round.objects.get_or_create(
        campaign=campaign,
        occasion=occasion,
        defaults={"at": due_at, "started_at": at, **(late if is_late else {})},
    )
    if not is_new or is_late:
        return False
    round_.campaign = campaign
    size = audience.freeze(round_, at=at)
    if approval.is_needed(campaign, size=size, policy=approval.policy()):
        raise _TooLarge(size)
    Round.objects.filter(pk=round_.pk).update(audience=size)
    return True


# --- Deciding ---------------------------------------------------------------------------------------------------------


def decide_open(*, now: Callable[[], dt.datetime], run: RunRecorder, until: dt.datetime) -> None:
    """Work off the pages of open rounds until none is left or the time is up. May be killed at any point."""
    open_rounds = Round.objects.filter(
        status=Round.Status.DECIDING, campaign__status__in=lifecycle.GOING
    ).order_by("pk")
    for round_id in list(open_rounds.values_list("pk", flat=True)):
        try:
            while now() < until and (decided := decide_page(round_id, at=now())) is not None:
                run.progress(
                    done=decided.to_send, skipped=decided.held_out + decided.not_sent, failed=decided.failed
                )
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # one campaign's trouble must not hold up the others; its page is tried again
            logger.exception("round_failed", round_id=round_id)
            run.progress(failed=1)


def has_work() -> bool:
    """Whether there is anything to decide about, so that a quiet minute costs one look."""
    return Round.objects.filter(status=Round.Status.DECIDING, campaign__status__in=lifecycle.GOING).exists()


def decide_page(round_id: int, *, at: dt.datetime) -> Decided | None:
    """Decide about the next page of a round; None when there is none, or the campaign does not go on (any more).

    Under the campaign's lock: of two workers one waits, and finds the page gone.
    """
    campaign_id = Round.objects.values_list("campaign_id", flat=True).get(pk=round_id)
    with transaction.atomic():
        campaign = lifecycle.hold(campaign_id)
        round_ = Round.objects.get(pk=round_id)
        if campaign is None or round_.status != Round.Status.DECIDING:
            return None
        page = RoundPage.objects.filter(round=round_).order_by("number").first()
        if page is None:
            Round.objects.filter(pk=round_id).update(status=Round.Status.DECIDED, ended_at=at)
            return None
        if problem := awards.obstacle(campaign, needed=len(page.member_ids), at=at):
            lifecycle.halt(campaign, problem, at=at)
            return None
        candidates = _candidates(campaign, round_, page, at=at)
        decided = decide(campaign, candidates, at=at, round_id=round_.pk)
        if decided.failed:
            _write_down_failed(campaign, round_, candidates, at=at)
        _note(round_, page, decided)
    return decided


def _write_down_failed(
    campaign: Campaign, round_: Round, candidates: Sequence[Candidate], *, at: dt.datetime
) -> None:
    """Nobody comes back to a page: whom their own data kept from being decided about have a row that says so."""
    written = Message.objects.filter(campaign=campaign, step="", occasion=round_.occasion)
    done = set(
        written.filter(member__in=[each.member_id for each in candidates]).values_list("member_id", flat=True)
    )
    left = [replace(each, settled=Message.Reason.ERROR) for each in candidates if each.member_id not in done]
    decide(campaign, left, at=at, round_id=round_.pk)


def _candidates(campaign: Campaign, round_: Round, page: RoundPage, *, at: dt.datetime) -> list[Candidate]:
    """The members of the page with the moment it goes to each: never before now."""
    if not campaign.in_member_zone:
        due_at = max(round_.at, at)
        return [Candidate(member_id, round_.occasion, due_at) for member_id in page.member_ids]
    wall = _wall(campaign, round_)
    zones = dict(Member.objects.filter(pk__in=page.member_ids).values_list("pk", "time_zone"))
    return [
        Candidate(member_id, round_.occasion, max(moment_of(wall, zones.get(member_id, "UTC")), at))
        for member_id in page.member_ids
    ]


def _wall(campaign: Campaign, round_: Round) -> dt.datetime:
    """What members' clocks show when the round goes to them."""
    if campaign.kind == Kind.ONE_OFF:
        return wall_of(campaign.send_at or round_.at)
    day = dt.date.fromisoformat(round_.occasion)
    return dt.datetime.combine(day, rhythm.parse(campaign.rhythm).at)


def moment_of(wall: dt.datetime, time_zone: str) -> dt.datetime:
    """The moment at which a clock in the zone shows this; where the zone is unknown, the programme's clock."""
    try:
        zone = zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        zone = zoneinfo.ZoneInfo(programme.current().time_zone)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _note(round_: Round, page: RoundPage, decided: Decided) -> None:
    round_.to_send += decided.to_send
    round_.held_out += decided.held_out
    round_.not_sent += decided.not_sent
    round_.failed += decided.failed
    round_.cursor = page.member_ids[-1]
    round_.save(update_fields=["to_send", "held_out", "not_sent", "failed", "cursor"])
    page.delete()
