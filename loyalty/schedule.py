"""What beat does and when, declared in code and copied to django-celery-beat's tables after every ``migrate``.

Staff may change an entry's interval or switch it off in the admin: such an edit is kept, and followed again once it
is put back. Ticks are frequent and harmless: what is due is decided by rows in the database, under a claim.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import AppConfig
from django.db import connections, transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

logger = structlog.get_logger("kantis.schedule")

OURS = "kantis"
"""Marks our rows in their ``headers``, with the timing that the code declared when it last wrote the row."""


@dataclass(frozen=True)
class Every:
    """At a steady interval."""

    seconds: int

    def __str__(self) -> str:
        return f"every {self.seconds} s"

    def fields(self) -> dict[str, Any]:
        unit, count = IntervalSchedule.SECONDS, self.seconds
        if count % 60 == 0:
            unit, count = IntervalSchedule.MINUTES, count // 60
        interval = IntervalSchedule.objects.filter(every=count, period=unit).first()
        interval = interval or IntervalSchedule.objects.create(every=count, period=unit)
        return {"interval": interval, "crontab": None}


@dataclass(frozen=True)
class Daily:
    """Once a day, at a time of UTC: free of clock changes."""

    at: dt.time

    def __str__(self) -> str:
        return f"daily at {self.at:%H:%M} UTC"

    def fields(self) -> dict[str, Any]:
        timing: dict[str, Any] = {
            "minute": str(self.at.minute),
            "hour": str(self.at.hour),
            "day_of_week": "*",
            "day_of_month": "*",
            "month_of_year": "*",
            "timezone": "UTC",
        }
        crontab = CrontabSchedule.objects.filter(**timing).first()
        return {"interval": None, "crontab": crontab or CrontabSchedule.objects.create(**timing)}


@dataclass(frozen=True)
class Entry:
    """One task of the schedule; a message not taken in time is dropped, for the next one does the same."""

    task: str
    timing: Every | Daily
    does: str

    @property
    def expire_seconds(self) -> int:
        return max(30, self.timing.seconds) if isinstance(self.timing, Every) else 12 * 3600


SCHEDULE = (
    Entry("loyalty.events.dispatch", Every(5), "Hands waiting events to their subscriptions (the sweep)."),
    Entry("loyalty.prune", Daily(dt.time(1, 15)), "Deletes old events and answers to idempotency keys."),
    Entry("rewards.mature_pending", Every(60), "Makes pending points available when their day has come."),
    Entry("rewards.expire_points", Every(3600), "Lets points expire."),
    Entry("rewards.announce_expiring", Every(3600), "Tells members ahead of time which points expire."),
    Entry("rewards.review_favourites", Every(3600), "Tells members which favourites they can get now."),
    Entry("rewards.prune_pictures", Daily(dt.time(1, 45)), "Deletes pictures that nothing shows any more."),
    Entry("rewards.lapse_redemptions", Every(600), "Lets reservations lapse that nobody collected."),
    Entry(
        "rewards.keep_vouchers",
        Every(60),
        "Lets go of vouchers' locks that are over; marks expired vouchers.",
    ),
    Entry(
        "rewards.hold_draws",
        Every(60),
        "Closes and holds draws, gives prizes; gives back what is called off.",
    ),
    Entry("rewards.make_vouchers", Every(15), "Makes batches of codes; takes in files of codes."),
    Entry("rewards.run_bulk_adjustment", Every(15), "Works off files of adjustments that staff started."),
    Entry("rewards.run_moving_in", Every(15), "Checks and takes in files from other loyalty systems."),
    Entry("rewards.review_tiers", Every(900), "Reviews every member's tier, once after each midnight."),
    Entry("rewards.sweep_backtests", Every(60), "Starts backtests that wait, marks those that died."),
    Entry(
        "rewards.move_tiers", Every(60), "Looks ahead for drafts of tier terms; moves members to new tiers."
    ),
    Entry("rewards.count_challenges", Every(15), "Counts what was done before challenges opened."),
    Entry(
        "rewards.keep_challenges", Every(300), "Begins rounds of challenges; gives vouchers that were owed."
    ),
    Entry(
        "rewards.keep_leaderboards", Every(15), "Builds again what Redis lost of ranks; counts new tables."
    ),
    Entry(
        "rewards.reconcile_leaderboards",
        Every(900),
        "Counts every open leaderboard from the ledger and closes what is settled, once after each midnight.",
    ),
    Entry("members.refresh_segments", Every(900), "Refreshes every segment, once after each midnight."),
    Entry("members.fill_segments", Every(60), "Finds the members of segments that are new or were changed."),
    Entry("referrals.settle", Every(60), "Rewards friends and who brought them when the waiting is over."),
    Entry(
        "campaigns.greet_birthdays",
        Every(900),
        "Prepares greetings for birthdays and anniversaries, on each member's own day.",
    ),
    Entry(
        "campaigns.miss_members", Every(1800), "Finds members who have not bought, or run out of something."
    ),
    Entry("campaigns.decide", Every(30), "Begins campaigns that are due; decides whom they go to."),
    Entry("campaigns.dispatch_messages", Every(30), "Sends the messages that are due."),
    Entry("campaigns.measure", Every(300), "Chooses winning variants; computes what campaigns were worth."),
    Entry("analytics.nightly", Every(900), "Computes the nightly metrics, once after each midnight."),
)


def synchronise() -> None:
    """Make the tables say what the code says, but for what staff changed; other people's rows are left alone."""
    with transaction.atomic():
        for entry in SCHEDULE:
            _synchronise_one(entry)
        names = [entry.task for entry in SCHEDULE]
        PeriodicTask.objects.filter(headers__contains=f'"{OURS}"').exclude(name__in=names).delete()
        PeriodicTasks.update_changed()


def synchronise_after_migrate(sender: AppConfig, using: str, **_kwargs: Any) -> None:
    """Signal handler; does nothing while beat's own tables do not exist yet."""
    with connections[using].cursor() as cursor:
        tables = connections[using].introspection.table_names(cursor)
    if PeriodicTask._meta.db_table in tables:
        synchronise()


def _synchronise_one(entry: Entry) -> None:
    row = PeriodicTask.objects.select_for_update(of=("self",)).filter(name=entry.task).first()
    if row is None:
        row = PeriodicTask(name=entry.task, **entry.timing.fields())
    elif not _is_edited(row) and _declared(row) != str(entry.timing):
        for name, value in entry.timing.fields().items():
            setattr(row, name, value)
    row.task, row.description = entry.task, entry.does
    row.expire_seconds = entry.expire_seconds
    row.headers = json.dumps({OURS: str(entry.timing)})
    row.save()


def _declared(row: PeriodicTask) -> str:
    """The timing that the code declared when it last wrote the row."""
    return str(json.loads(row.headers or "{}").get(OURS, ""))


def _is_edited(row: PeriodicTask) -> bool:
    """Whether staff gave the row a timing other than the code had declared."""
    return _timing_of(row) != _declared(row)


def _timing_of(row: PeriodicTask) -> str:
    if row.interval:
        return str(Every(int(dt.timedelta(**{row.interval.period: row.interval.every}).total_seconds())))
    if row.crontab and row.crontab.hour.isdigit() and row.crontab.minute.isdigit():
        daily = Daily(dt.time(int(row.crontab.hour), int(row.crontab.minute)))
        is_daily = CrontabSchedule.objects.filter(pk=row.crontab.pk, **_daily_only()).exists()
        return str(daily) if is_daily else "edited"
    return "edited"


def _daily_only() -> dict[str, str]:
    return {"day_of_week": "*", "day_of_month": "*", "month_of_year": "*", "timezone": "UTC"}
