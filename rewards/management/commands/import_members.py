"""``manage.py import_members DIR|FILE``: members, points and tiers from another system (docs/moving-in.md)."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from loyalty import clock
from loyalty.models import Partner
from members.models import User
from rewards.moving_in import parity
from rewards.moving_in.files import Sources
from rewards.moving_in.importing import AlreadyRunning, MembersImport, Progress, Results
from rewards.purchases.blocks import FileRefused

DIFFERS = 1
REFUSED = 2


class Command(BaseCommand):
    help = (
        "Import members, opening points and tiers from another loyalty system, and prove it by a parity report. "
        "Safe to interrupt and to run again: what is in already is recognised. Begin with --dry-run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            type=Path,
            metavar="DIR|FILE",
            help="a folder with members.csv, lots.csv, tiers.csv; or members",
        )
        parser.add_argument("--partner", metavar="SLUG", required=True, help="whose member ids these are")
        parser.add_argument("--dry-run", action="store_true", help="do everything, report, and undo it")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument(
            "--staff",
            metavar="E-MAIL",
            help="in whose name tiers are held that the points alone do not give; without it they are reported",
        )
        parser.add_argument("--rejected", type=Path, metavar="PATH", help="where refused rows go")
        parser.add_argument(
            "--parity", type=Path, metavar="PATH", help="where the parity of each member goes"
        )
        parser.add_argument("--progress", action="store_true", help="show progress even without a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["source"]
        shown = options["progress"] or (sys.stderr.isatty() and options["verbosity"] > 0)
        stem = source / "moving-in" if source.is_dir() else source
        try:
            with tqdm(unit=" rows", unit_scale=True, disable=not shown, file=sys.stderr) as bar:

                def step(name: str, total: int | None) -> None:
                    bar.reset(total)
                    bar.set_description(name)

                report = MembersImport(
                    _sources(source),
                    partner=_partner(options["partner"]),
                    at=clock.now(),
                    results=Results(
                        refused=options["rejected"] or Path(f"{stem}.rejected.csv"),
                        parity=options["parity"] or Path(f"{stem}.parity.csv"),
                    ),
                    dry_run=options["dry_run"],
                    staff_id=_staff(options["staff"]),
                    progress=Progress(step, bar.update),
                ).run()
        except (FileRefused, AlreadyRunning) as error:
            raise CommandError(str(error), returncode=REFUSED) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run the same command again to go on.", returncode=130) from None
        self.stdout.write(json.dumps(report) if options["json"] else parity.text(report))
        if not report["exact"]:
            raise CommandError(parity.headline(report), returncode=DIFFERS)


def _sources(source: Path) -> Sources:
    """The files in a folder, each plain or packed; or a file of members alone."""
    if not source.is_dir():
        return Sources(source)

    def found(name: str) -> Path | None:
        return next(
            (path for path in (source / f"{name}.csv", source / f"{name}.csv.gz") if path.exists()), None
        )

    members = found("members")
    if members is None:
        raise FileRefused(f"There is no members.csv in {source}.")
    return Sources(members, found("lots"), found("tiers"))


def _partner(slug: str) -> Partner:
    partner = Partner.objects.filter(slug=slug).first()
    if partner is None:
        known = ", ".join(Partner.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(
            f"No partner “{slug}” (there are: {known}). Add it in the admin first.", returncode=REFUSED
        )
    return partner


def _staff(email: str | None) -> int | None:
    if not email:
        return None
    found = User.objects.filter(email__iexact=email, is_staff=True, is_active=True).first()
    if found is None:
        raise CommandError(f"No staff member with the address {email}.", returncode=REFUSED)
    return found.pk
