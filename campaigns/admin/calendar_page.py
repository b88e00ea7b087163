"""The calendar of what goes out: one-off campaigns, dates of schedules, and what runs on members' occasions."""

import calendar
import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext

from campaigns import rhythm, summary
from campaigns.admin import parts
from campaigns.models import Campaign, Message, Round
from loyalty import clock

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

Kind, Status = Campaign.Kind, Campaign.Status
PLANNED = (Status.DRAFT, Status.AWAITING, Status.SCHEDULED, Status.PAUSED)
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class Entry:
    """One campaign on one day. ``count`` are the members it was decided for; None for what is still to come."""

    campaign: Campaign
    url: str
    state: Any
    time: str = ""
    count: int | None = None


@dataclass(slots=True)
class Day:
    """A day of the grid; ``inside`` says whether it belongs to the month."""

    date: dt.date
    inside: bool
    is_today: bool
    entries: list[Entry] = field(default_factory=list)


def calendar_page(model_admin: "CampaignAdmin", request: HttpRequest) -> HttpResponse:
    """A month (``?month=2026-11``), Monday first; on a phone the days with something on them, one below the other."""
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    at = clock.now()
    first = _month(request.GET.get("month", ""), localtime(at).date())
    weeks = _weeks(first, localtime(at).date())
    entries = _entries(weeks[0][0].date, weeks[-1][-1].date, at=at)
    for week in weeks:
        for day in week:
            day.entries = sorted(entries.get(day.date, []), key=lambda each: (each.time, str(each.campaign)))
    before, after = first - dt.timedelta(days=1), first + dt.timedelta(days=32)
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(
        request,
        "admin/campaigns/calendar.html",
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.model._meta,
            "title": gettext("What goes out"),
            "month": capfirst(date_format(first, "YEAR_MONTH_FORMAT")),
            "weekdays": [capfirst(WEEKDAYS[number]) for number in range(7)],
            "weeks": weeks,
            "is_empty": not any(day.entries for week in weeks for day in week if day.inside),
            "previous": f"{before:%Y-%m}" if before.year >= FIRST_YEAR else "",
            "following": f"{after:%Y-%m}" if after.year <= LAST_YEAR else "",
            "running": _running(first),
            "back": parts.list_url(),
            "may_add": request.user.has_perm(parts.ADD),
        },
    )


def _month(wanted: str, today: dt.date) -> dt.date:
    """The first day of the month in the address; of this month where there is none."""
    try:
        first = dt.datetime.strptime(wanted, "%Y-%m").date()
    except ValueError:
        return today.replace(day=1)
    return first if FIRST_YEAR <= first.year <= LAST_YEAR else today.replace(day=1)


def _weeks(first: dt.date, today: dt.date) -> list[list[Day]]:
    month = calendar.Calendar(calendar.MONDAY)
    return [
        [Day(day, day.month == first.month, day == today) for day in week]
        for week in month.monthdatescalendar(first.year, first.month)
    ]


def _entries(first: dt.date, last: dt.date, *, at: dt.datetime) -> dict[dt.date, list[Entry]]:
    """What went out and what is to, by the day in the programme's time zone."""
    starts = clock.start_of_day(first, settings.TIME_ZONE)
    ends = clock.start_of_day(last + dt.timedelta(days=1), settings.TIME_ZONE)
    found: dict[dt.date, list[Entry]] = defaultdict(list)
    for row in Round.objects.filter(at__gte=starts, at__lt=ends).select_related("campaign"):
        moment = localtime(row.at)
        count = row.to_send + row.held_out + row.not_sent
        found[moment.date()].append(_entry(row.campaign, moment, count))
    planned = Campaign.objects.filter(
        kind=Kind.ONE_OFF, send_at__gte=starts, send_at__lt=ends, status__in=PLANNED, archived_at__isnull=True
    ).exclude(rounds__isnull=False)
    for campaign in planned:
        moment = localtime(campaign.send_at)
        found[moment.date()].append(_entry(campaign, moment))
    if ends > at:
        _add_schedules(found, after=max(starts, at), until=ends)
    return found


def _add_schedules(found: dict[dt.date, list[Entry]], *, after: dt.datetime, until: dt.datetime) -> None:
    """The dates to come of every schedule in use."""
    scheduled = Campaign.objects.filter(
        occasion=Campaign.Occasion.SCHEDULE,
        status__in=[*PLANNED, Status.RUNNING],
        archived_at__isnull=True,
    )
    for campaign in scheduled:
        try:
            parsed = rhythm.parse(campaign.rhythm)
        except rhythm.RhythmError:
            continue
        end = min(until, campaign.ends_at) if campaign.ends_at else until
        for due in rhythm.occasions(parsed, time_zone=settings.TIME_ZONE, after=after, until=end):
            if due.at < until:
                found[due.day].append(_entry(campaign, localtime(due.at)))


def _entry(campaign: Campaign, moment: dt.datetime, count: int | None = None) -> Entry:
    return Entry(
        campaign,
        parts.url("change", campaign.pk),
        parts.state(campaign),
        date_format(moment, "TIME_FORMAT"),
        count,
    )


def _running(first: dt.date) -> list[dict[str, Any]]:
    """What goes out on members' own occasions, with how many of each were sent in the month."""
    following = (first + dt.timedelta(days=32)).replace(day=1)
    rows = list(
        Campaign.objects.exclude(kind=Kind.ONE_OFF)
        .exclude(occasion=Campaign.Occasion.SCHEDULE)
        .filter(status__in=[Status.RUNNING, Status.PAUSED], archived_at__isnull=True)
        .order_by("occasion", "code")
    )
    month = Message.objects.filter(
        campaign__in=rows,
        due_at__gte=clock.start_of_day(first, settings.TIME_ZONE),
        due_at__lt=clock.start_of_day(following, settings.TIME_ZONE),
    )
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    grouped = month.order_by().values("campaign", "status").annotate(count=Count("pk"))
    for row in grouped:
        counts[row["campaign"]][row["status"]] = row["count"]
    return [
        {
            "campaign": campaign,
            "url": parts.url("change", campaign.pk),
            "state": parts.state(campaign),
            "when": summary.when(campaign),
            "sent": counts[campaign.pk].get("sent", 0),
            "waiting": counts[campaign.pk].get("due", 0),
        }
        for campaign in rows
    ]
