"""``manage.py nightly``: all metrics up to a date."""

import datetime as dt
import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from tqdm import tqdm

from analytics.nightly import DateInFuture, Summary, run_nightly
from analytics.tasks import NAME
from loyalty import clock
from loyalty.runs import record


class Command(BaseCommand):
    help = "Computes the nightly metrics up to a date: what changed since the last run, or everything with --full."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date",
            type=_date,
            metavar="D",
            help="last day, YYYY-MM-DD (default: yesterday, programme's time zone)",
        )
        parser.add_argument("--full", action="store_true", help="compute every day afresh")
        parser.add_argument("--json", action="store_true", help="print a summary as JSON")

    def handle(self, *, date: dt.date | None, full: bool, json: bool, **_options: Any) -> None:
        at = clock.now()
        name = NAME if date is None else f"{NAME}.to_date"
        try:
            with record.run(name, at=at, full=full) as run, _bar() as bar:

                def progress(done: int, total: int) -> None:
                    run.row.total = bar.total = total
                    bar.update(done - bar.n)
                    run.progress(done=done - run.row.done)

                summary = run_nightly(at=at, date=date, full=full, progress=progress)
        except DateInFuture as error:
            raise CommandError(str(error)) from None
        self.stdout.write(_as_json(summary) if json else _as_text(summary))


def _bar() -> "tqdm[Any]":
    """A progress bar on a terminal; silent elsewhere."""
    return tqdm(unit=" days", disable=not sys.stderr.isatty(), leave=False)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise CommandError(_("%(text)s is not a date; write YYYY-MM-DD.") % {"text": text}) from None


def _as_json(summary: Summary) -> str:
    return json.dumps({**asdict(summary), "date": summary.date.isoformat()})


def _as_text(summary: Summary) -> str:
    return f"Metrics up to {summary.date}: {summary.days} days computed, {summary.changed} changed."
