"""``manage.py import_purchases FILE``: purchases from the canonical CSV (docs/import.md)."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from loyalty import clock
from loyalty.models import Partner
from rewards.purchases.blocks import FileRefused
from rewards.purchases.importing import PurchasesImport, Summary

DEFAULT_PARTNER = "import"
REJECTED = 1
REFUSED = 2


class Command(BaseCommand):
    help = (
        "Import purchases from a CSV file, plain or gzip. Safe to interrupt and to run again: what is recorded already "
        "is recognised. Rows that cannot be taken go to FILE.rejected.csv, and the exit code is then 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--partner",
            metavar="SLUG",
            help=f"whose purchases and member ids these are (default: {DEFAULT_PARTNER}, made when missing)",
        )
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")
        parser.add_argument("--rejected", type=Path, metavar="PATH", help="where refused rows go")
        parser.add_argument("--progress", action="store_true", help="show progress even without a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        job = PurchasesImport(
            options["file"],
            partner=self._partner(options["partner"], may_create=not options["dry_run"]),
            at=clock.now(),
            dry_run=options["dry_run"],
            rejected_path=options["rejected"],
        )
        shown = options["progress"] or (sys.stderr.isatty() and options["verbosity"] > 0)
        try:
            with tqdm(unit=" lines", unit_scale=True, disable=not shown, file=sys.stderr) as bar:
                summary = job.run(started=bar.reset, moved=bar.update)
        except FileRefused as error:
            raise CommandError(str(error), returncode=REFUSED) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run the same command again to go on.", returncode=130) from None
        if options["json"]:
            self.stdout.write(json.dumps(summary.as_dict()))
        else:
            self.stdout.write(_sentence(summary, dry_run=options["dry_run"]))
        if summary.rejected:
            raise CommandError(_rejections(summary, None if options["dry_run"] else job), returncode=REJECTED)

    @staticmethod
    def _partner(slug: str | None, *, may_create: bool) -> Partner:
        """The partner named, or the default one. Raises CommandError for a name that nobody has."""
        wanted = slug or DEFAULT_PARTNER
        partner = Partner.objects.filter(slug=wanted).first()
        if partner is None and slug is None:
            partner = Partner(slug=DEFAULT_PARTNER, name="Import")
            if may_create:
                partner, _created = Partner.objects.get_or_create(
                    slug=DEFAULT_PARTNER, defaults={"name": "Import"}
                )
        if partner is None:
            known = ", ".join(Partner.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(
                f"No partner “{slug}” (there are: {known}). Add it in the admin first.", returncode=REFUSED
            )
        return partner


def _sentence(summary: Summary, *, dry_run: bool) -> str:
    points = ", ".join(f"{points:,} {rule}" for rule, points in sorted(summary.points.items()))
    return (
        f"{'Dry run, nothing written. ' if dry_run else ''}{summary.lines:,} lines, {summary.activities:,} purchases: "
        f"{summary.created:,} {'to be created' if dry_run else 'created'}, {summary.replayed:,} recorded before, "
        f"{summary.rejected:,} rejected. {summary.members_created:,} new members."
        + ("" if dry_run else f" Points: {points}.")
    )


def _rejections(summary: Summary, job: PurchasesImport | None) -> str:
    where = f" Every refused row is in {job.rejected_path}." if job else ""
    shown = "\n".join(f"  {reason}" for reason in summary.reasons)
    return f"{summary.rejected:,} purchases were rejected, for example:\n{shown}\n{where}".rstrip()
