"""The variant that takes over, by a rule fixed before the start; and results computed as time goes by."""

import contextlib
import datetime as dt
from collections.abc import Iterator

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from campaigns.experiments import results
from campaigns.experiments.assignment import chosen_at
from campaigns.experiments.figures import VERSION, Side
from campaigns.models import Campaign, CampaignResult, Message, Variant
from loyalty.events import bus
from loyalty.runs.record import RunRecorder

logger = structlog.get_logger("kantis.campaigns")

_GOING = (Campaign.Status.SENDING, Campaign.Status.RUNNING)
_YOUNG = dt.timedelta(days=3)
"""So long after its start a campaign is measured every hour; later once a day."""


def has_work(*, at: dt.datetime) -> bool:
    """Whether a winner is to be chosen or a result has grown old, so that a quiet tick leaves no run."""
    return bool(_undecided(at=at)) or bool(_outdated(at=at))


def choose_due(*, at: dt.datetime, run: RunRecorder) -> None:
    """Choose the winner of every campaign whose time of trying is over."""
    for campaign in _undecided(at=at):
        with _apart(campaign, run):
            if choose(campaign_id=campaign.pk, at=at) is not None:
                run.progress(done=1)


def _undecided(*, at: dt.datetime) -> list[Campaign]:
    waiting = Campaign.objects.filter(
        status__in=_GOING, winner=None, started_at__isnull=False, winner_after_hours__isnull=False
    ).exclude(winner_by="")
    several = waiting.annotate(count=Count("variants", filter=Q(variants__weight__gt=0))).filter(count__gt=1)
    return [campaign for campaign in several.order_by("pk") if chosen_at(campaign, at=at) <= at]


def choose(*, campaign_id: int, at: dt.datetime) -> Variant | None:
    """Let the best variant by the campaign's rule take over; None when it was done, or there is nothing to choose.

    Those who waited for it get the winner, and so does everybody from now on. Of equals the first code wins. The
    campaign's row is locked, as it is while pages are decided about: nobody falls between the variants. What waited
    stays due when it was: the sender then sees that its day has gone by, and looks at the caps of today.
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(no_key=True, of=("self",)).get(pk=campaign_id)
        variants = {each.code: each for each in campaign.variants.filter(weight__gt=0)}
        if campaign.winner_id is not None or not campaign.winner_by or len(variants) < 2:
            return None
        figures = results.compute(campaign, at=at)
        sides = [side for side in figures.variants if side.code in variants]
        best = min(sides, key=lambda side: (-_merit(side, campaign.winner_by), side.code))
        campaign.winner, campaign.winner_chosen_at = variants[best.code], at
        campaign.save(update_fields=["winner", "winner_chosen_at"])
        _waiting(campaign).update(variant=campaign.winner)
        bus.announce("campaign.winner_chosen", at=at, campaign=campaign.code, variant=best.code)
    return campaign.winner


def _merit(side: Side, winner_by: str) -> float:
    """The share of the variant's members who did it."""
    hits = side.clicked if winner_by == Campaign.WinnerBy.CLICK else side.conversions
    return hits / side.members if side.members else 0.0


def _waiting(campaign: Campaign) -> QuerySet[Message]:
    return Message.objects.filter(
        campaign=campaign, arm=Message.Arm.TREATED, variant=None, status=Message.Status.DUE
    )


def measure_due(*, at: dt.datetime, run: RunRecorder) -> None:
    """Compute and keep the results that have grown old: hourly at first, daily later, until they are final."""
    for campaign in _outdated(at=at):
        with _apart(campaign, run):
            results.keep(campaign, at=at)
            run.progress(done=1)
    _thin_out(at=at)


@contextlib.contextmanager
def _apart(campaign: Campaign, run: RunRecorder) -> Iterator[None]:
    """One campaign's trouble (a goal that cannot be read any more) must not keep the others from their winners."""
    try:
        yield
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        logger.exception("measuring_failed", campaign=campaign.code)
        run.progress(failed=1)


def _outdated(*, at: dt.datetime) -> list[Campaign]:
    last = CampaignResult.objects.filter(campaign=OuterRef("pk"), version=VERSION).order_by("-pk")
    started = Campaign.objects.filter(started_at__isnull=False).exclude(results__is_final=True)
    found = started.annotate(measured_at=Subquery(last.values("computed_at")[:1])).order_by("pk")
    return [campaign for campaign in found if _is_old(campaign.measured_at, campaign.started_at, at)]


def _is_old(measured_at: dt.datetime | None, started_at: dt.datetime | None, at: dt.datetime) -> bool:
    is_young = started_at is not None and at - started_at < _YOUNG
    age = dt.timedelta(minutes=55) if is_young else dt.timedelta(hours=23)
    return measured_at is None or at - measured_at >= age


def _thin_out(*, at: dt.datetime) -> None:
    """Of older days one result each is enough: the last."""
    old = CampaignResult.objects.filter(computed_at__lt=at - _YOUNG)
    lasting = old.order_by("campaign_id", "computed_at__date", "-computed_at", "-pk")
    last = lasting.distinct("campaign_id", "computed_at__date").values("pk")
    old.exclude(Q(pk__in=last) | Q(is_final=True)).delete()
