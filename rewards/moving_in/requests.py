"""Moves that staff ask for in the admin: kept with their files, checked and taken in by a worker, with progress.

The files lie in the database, so that web and worker need no common disk; what was uploaded goes once it is in.
"""

import datetime as dt
import gzip
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.runs.exclusive import exclusively
from rewards.models import MovingIn, MovingInFile
from rewards.moving_in.files import LOTS, MEMBERS, TIERS, Sources
from rewards.moving_in.importing import AlreadyRunning, MembersImport, Progress, Results
from rewards.purchases.blocks import FileRefused

Status, Kind = MovingIn.Status, MovingInFile.Kind
UPLOADED = (Kind.MEMBERS, Kind.LOTS, Kind.TIERS)
TO_CHECK, TO_TAKE = (Status.QUEUED, Status.CHECKING), (Status.CONFIRMED, Status.TAKING)
UNDERWAY = (*TO_CHECK, *TO_TAKE)
WRITE_EVERY_SECONDS = 1.0


def ask(
    *, partner_id: int, uploads: Mapping[str, tuple[str, bytes]], staff_id: int, at: dt.datetime
) -> MovingIn:
    """Keep the files (kind: name and content) and ask for their dry run."""
    with transaction.atomic():
        made = MovingIn.objects.create(partner_id=partner_id, requested_by_id=staff_id, requested_at=at)
        MovingInFile.objects.bulk_create(
            MovingInFile(moving_in=made, kind=kind, name=name[:200], content=_packed(content))
            for kind, (name, content) in uploads.items()
        )
    return made


def confirm(*, moving_in_id: int, staff_id: int, at: dt.datetime) -> bool:
    """Have a checked move taken in, in the name of ``staff_id``; False when somebody did so before."""
    checked = MovingIn.objects.filter(pk=moving_in_id, status=Status.CHECKED)
    return bool(checked.update(status=Status.CONFIRMED, confirmed_by_id=staff_id, confirmed_at=at))


def discard(*, moving_in_id: int) -> bool:
    """Delete a move of which nothing was taken in, with its files; False when it is under way or in."""
    unused = MovingIn.objects.filter(
        pk=moving_in_id, status__in=[Status.QUEUED, Status.CHECKED, Status.FAILED], confirmed_at=None
    )
    return bool(unused.delete()[0])


def again(*, moving_in_id: int) -> bool:
    """Go on with a move that failed on its way: what is in already is recognised."""
    failed = MovingIn.objects.filter(pk=moving_in_id, status=Status.FAILED)
    return bool(
        failed.filter(confirmed_at=None).update(status=Status.QUEUED, error="")
        or failed.exclude(confirmed_at=None).update(status=Status.CONFIRMED, error="")
    )


def next_due() -> int | None:
    """The next move that has something to be done, one whose worker died included."""
    return MovingIn.objects.filter(status__in=UNDERWAY).order_by("pk").values_list("pk", flat=True).first()


def work(*, moving_in_id: int, at: dt.datetime) -> bool:
    """Check a move, or take it in, as its state asks; False when another worker has it.

    A file that cannot be read ends in the state “failed” with the reason; another error too, and is raised.
    """
    with exclusively("rewards.run_moving_in") as held:
        moving = MovingIn.objects.select_related("partner").get(pk=moving_in_id)
        if not held or moving.status not in UNDERWAY:
            return False
        moving.status = Status.CHECKING if moving.status in TO_CHECK else Status.TAKING
        moving.save(update_fields=["status"])
        try:
            _run(moving, at=at)
        except AlreadyRunning:
            return False
        except FileRefused as refused:
            _end(moving, Status.FAILED, error=str(refused), at=at)
        except Exception:
            _end(
                moving,
                Status.FAILED,
                error=_("It stopped in the middle. Try again: nothing is doubled."),
                at=at,
            )
            raise
        return True


def _run(moving: MovingIn, *, at: dt.datetime) -> None:
    dry_run = moving.status == Status.CHECKING
    with tempfile.TemporaryDirectory() as folder:
        results = Results(refused=Path(folder) / "refused.csv", parity=Path(folder) / "parity.csv")
        moving.report = MembersImport(
            _written(moving, Path(folder)),
            partner=moving.partner,
            at=at,
            results=results,
            dry_run=dry_run,
            staff_id=moving.requested_by_id if dry_run else moving.confirmed_by_id,
            progress=_progress(moving),
        ).run()
        with transaction.atomic():
            for kind, path in ((Kind.REFUSED, results.refused), (Kind.PARITY, results.parity)):
                moving.files.filter(kind=kind).delete()
                if path.exists():
                    moving.files.create(kind=kind, name=path.name, content=_packed(path.read_bytes()))
            if not dry_run:
                moving.files.filter(kind__in=UPLOADED).delete()
            _end(moving, Status.CHECKED if dry_run else Status.DONE, at=at)


def _end(moving: MovingIn, status: MovingIn.Status, *, at: dt.datetime, error: str = "") -> None:
    moving.status, moving.error, moving.ended_at = status, error, at
    moving.save(update_fields=["status", "error", "ended_at", "report"])


def _written(moving: MovingIn, folder: Path) -> Sources:
    """The uploaded files, packed, in a folder."""
    found: dict[str, Path] = {}
    for file in moving.files.filter(kind__in=UPLOADED):
        found[file.kind] = folder / f"{file.kind}.csv"
        found[file.kind].write_bytes(bytes(file.content))
    return Sources(found[MEMBERS], found.get(LOTS), found.get(TIERS))


def _progress(moving: MovingIn) -> Progress:
    """Writes the step and how far it is to the row, at most once a second."""
    written = 0.0

    def note(*, now: bool = False) -> None:
        nonlocal written
        if now or time.monotonic() - written >= WRITE_EVERY_SECONDS:
            moving.save(update_fields=["phase", "done", "total"])
            written = time.monotonic()

    def step(name: str, total: int | None) -> None:
        moving.phase, moving.done, moving.total = name, 0, total
        note(now=True)

    def moved(count: int) -> None:
        moving.done += count
        note()

    return Progress(step, moved)


def _packed(content: bytes) -> bytes:
    return content if content.startswith(b"\x1f\x8b") else gzip.compress(content, 6)
