"""Many corrections from one file: checked on upload, started by hand, worked off by the worker, undone as a whole.

Called by the admin and by the task. Every row is posted at most once (its occasion and its status say so), whatever
dies in between. Undoing posts compensating transfers that name the same file; nothing is deleted.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from loyalty.runs.record import RunRecorder
from members.cards import plain
from members.contacts import normal_email
from members.identification import with_email
from members.models import Member
from rewards import ledger, terms
from rewards.adjustments import DecisionRefused, settings
from rewards.adjustments_file import ReadRow, read
from rewards.grants import adjust
from rewards.ledger import InsufficientPoints, Why
from rewards.models import BulkAdjustment, BulkAdjustmentRow, Transfer

logger = structlog.get_logger("kantis.rewards")

SOURCE = "rewards.bulk_adjustment"
CHUNK = 200
Status = BulkAdjustment.Status
Row = BulkAdjustmentRow.Status


class WrongState(Exception):
    """The file is not in the state that this needs; somebody else was quicker."""


# --- Before it runs ---------------------------------------------------------------------------------------------------


def upload(*, name: str, data: bytes, staff_id: int, at: dt.datetime) -> BulkAdjustment:
    """Read and check a file, and keep it with its rows; nothing is posted. Raises FileRefused.

    Members are found by card number, e-mail address or id, in a statement for each kind.
    """
    rows = read(data)
    found = find_members([row.reference for row in rows])
    made = [_checked(row, found.get(row.reference)) for row in rows]
    good = [row for row in made if row.status == Row.READY]
    with transaction.atomic():
        batch = BulkAdjustment.objects.create(
            name=name[:200],
            good=len(good),
            bad=len(made) - len(good),
            given=sum(row.points for row in good if row.points and row.points > 0),
            taken=-sum(row.points for row in good if row.points and row.points < 0),
            uploaded_by_id=staff_id,
            uploaded_at=at,
        )
        for row in made:
            row.batch = batch
        BulkAdjustmentRow.objects.bulk_create(made, batch_size=2000)
    return batch


def _checked(row: ReadRow, member_id: int | None) -> BulkAdjustmentRow:
    problem = row.problem
    if not problem and member_id is None:
        problem = _("No active member is known by this.")
    return BulkAdjustmentRow(
        line=row.line,
        reference=row.reference,
        member_id=member_id,
        points=row.points,
        note=row.note,
        status=Row.BAD if problem else Row.READY,
        problem=problem,
    )


def find_members(references: Iterable[str]) -> dict[str, int]:
    """Active members by card number, e-mail address or id, as written; unknown ones are left out."""
    cards: dict[str, list[str]] = {}
    emails: dict[str, list[str]] = {}
    ids: dict[uuid.UUID, list[str]] = {}
    for reference in set(references):
        if "@" in reference:
            emails.setdefault(normal_email(reference), []).append(reference)
        elif plain(reference).isdecimal():
            cards.setdefault(plain(reference), []).append(reference)
        else:
            try:
                ids.setdefault(uuid.UUID(reference), []).append(reference)
            except ValueError:
                continue
    active = Member.objects.filter(status=Member.Status.ACTIVE)
    found: dict[str, int] = {}
    for card, pk in active.filter(card_number__in=cards).values_list("card_number", "pk"):
        found |= dict.fromkeys(cards[card], pk)
    known = with_email(list(emails)).filter(status=Member.Status.ACTIVE) if emails else Member.objects.none()
    for email, pk in known.values_list("email", "pk"):
        found |= dict.fromkeys(emails[normal_email(email)], pk)
    for public_id, pk in active.filter(public_id__in=ids).values_list("public_id", "pk"):
        found |= dict.fromkeys(ids[public_id], pk)
    return found


def needs_a_second(batch: BulkAdjustment) -> bool:
    """Whether the file waits for a second person: it moves more than one may alone, or the person's own points."""
    own = batch.rows.filter(status=Row.READY, member__user_id=batch.uploaded_by_id)
    return batch.given + batch.taken > settings().approval_above or own.exists()


def start(*, batch_id: int, staff_id: int, at: dt.datetime) -> str:
    """Hand a checked file to the worker, or to a second person where it is large; gives the new status.

    Raises DecisionRefused for somebody else's file, WrongState when it was started already or has nothing to do.
    """
    with transaction.atomic():
        batch = _locked(batch_id, Status.DRAFT)
        if batch.uploaded_by_id != staff_id:
            raise DecisionRefused(_("Only who uploaded the file can start it."))
        if not batch.good:
            raise WrongState
        batch.status = Status.WAITING if needs_a_second(batch) else Status.QUEUED
        batch.started_at = at
        batch.save(update_fields=["status", "started_at"])
        return batch.status


def decide(*, batch_id: int, approve: bool, staff_id: int, at: dt.datetime) -> None:
    """A second person lets a large file run, or declines it. Raises DecisionRefused for one's own, WrongState."""
    with transaction.atomic():
        batch = _locked(batch_id, Status.WAITING)
        if batch.uploaded_by_id == staff_id:
            raise DecisionRefused(_("You asked for this yourself: somebody else has to decide."))
        if approve and batch.rows.filter(status=Row.READY, member__user_id=staff_id).exists():
            raise DecisionRefused(_("These are your own points: somebody else has to decide."))
        batch.status = Status.QUEUED if approve else Status.REJECTED
        batch.decided_by_id, batch.decided_at = staff_id, at
        batch.save(update_fields=["status", "decided_by", "decided_at"])


def undo(*, batch_id: int, into_debt: bool, staff_id: int) -> None:
    """Hand a file that ran to the worker to be undone; points spent since become a debt, or are left to the member.

    Raises WrongState.
    """
    with transaction.atomic():
        batch = _locked(batch_id, Status.DONE)
        batch.status, batch.undone_by_id, batch.undo_into_debt = Status.UNDO_QUEUED, staff_id, into_debt
        batch.save(update_fields=["status", "undone_by", "undo_into_debt"])


def _locked(batch_id: int, *wanted: str) -> BulkAdjustment:
    batch = BulkAdjustment.objects.select_for_update().get(pk=batch_id)
    if batch.status not in wanted:
        raise WrongState
    return batch


# --- The run ----------------------------------------------------------------------------------------------------------

_DUE = (Status.QUEUED, Status.RUNNING, Status.UNDO_QUEUED, Status.UNDOING)


def next_due() -> int | None:
    """The file to be worked on next: started, or left half done by a worker that died."""
    return BulkAdjustment.objects.filter(status__in=_DUE).order_by("pk").values_list("pk", flat=True).first()


def work(*, batch_id: int, at: dt.datetime, run: RunRecorder) -> None:
    """Post what is left of a file, or undo it, in chunks of their own transactions. Call by one worker at a time."""
    with transaction.atomic():
        batch = BulkAdjustment.objects.select_for_update().get(pk=batch_id)
        if batch.status not in _DUE:
            return
        forward = batch.status in (Status.QUEUED, Status.RUNNING)
        batch.status = Status.RUNNING if forward else Status.UNDOING
        batch.run_id = run.row.pk
        batch.save(update_fields=["status", "run_id"])
    todo = batch.rows.filter(status=Row.READY if forward else Row.POSTED)
    run.row.total = todo.count()
    run.detail |= {"file": batch.pk, "undo": not forward}
    while _chunk(batch, forward=forward, at=at, run=run):
        pass
    batch.status = Status.DONE if forward else Status.UNDONE
    batch.save(update_fields=["status"])


def _chunk(batch: BulkAdjustment, *, forward: bool, at: dt.datetime, run: RunRecorder) -> int:
    """Do the next rows in one transaction, their members locked in order; gives how many there were."""
    with transaction.atomic():
        status = Row.READY if forward else Row.POSTED
        rows = list(batch.rows.filter(status=status).order_by("line").select_for_update()[:CHUNK])
        members = [row.member_id for row in rows if row.member_id]
        ledger.lock(members, [terms.current().default_wallet_id])
        active = set(
            Member.objects.filter(pk__in=members, status=Member.Status.ACTIVE).values_list("pk", flat=True)
        )
        for row in rows:
            if forward:
                _post(batch, row, at=at, active=active)
            else:
                _undo(batch, row, at=at)
        BulkAdjustmentRow.objects.bulk_update(rows, ["status", "problem", "undone"])
    skipped = sum(row.status == Row.SKIPPED for row in rows)
    run.progress(done=len(rows) - skipped, skipped=skipped)
    return len(rows)


def occasion_of(batch_id: int, line: int) -> str:
    """What makes a row's posting happen once."""
    return f"bulk:{batch_id}:{line}"


def _post(batch: BulkAdjustment, row: BulkAdjustmentRow, *, at: dt.datetime, active: set[int]) -> None:
    """Post one row, or say why not; one that cannot be posted does not hold up the others."""
    if row.member_id not in active:
        row.status, row.problem = Row.SKIPPED, _("The member is no longer active.")
        return
    try:
        with transaction.atomic():
            adjust(
                member_id=row.member_id,
                points=row.points or 0,
                staff_id=batch.uploaded_by_id,
                note=row.note,
                at=at,
                occasion=occasion_of(batch.pk, row.line),
                source=SOURCE,
                source_id=batch.pk,
            )
    except InsufficientPoints as short:
        row.status, row.problem = Row.SKIPPED, str(short)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        logger.exception("bulk_row_failed", batch=batch.pk, line=row.line)
        row.status, row.problem = Row.SKIPPED, _("It could not be posted; the log says why.")
    else:
        row.status = Row.POSTED


def _undo(batch: BulkAdjustment, row: BulkAdjustmentRow, *, at: dt.datetime) -> None:
    """Reverse what a row posted: of points given, those spent since as the file says; points taken into their lots."""
    why = Why(source=SOURCE, source_id=batch.pk, staff_id=batch.undone_by_id, note=row.note)
    posted = Transfer.objects.filter(occasion=occasion_of(batch.pk, row.line)).order_by("pk")
    into_debt = batch.undo_into_debt or (row.points or 0) < 0
    wanted = undone = 0
    for transfer_id, points in posted.values_list("pk", "points"):
        wanted += points
        undone += ledger.reverse(transfer_id=transfer_id, why=why, at=at, into_debt=into_debt)
    row.status, row.undone = Row.UNDONE, undone
    if undone < wanted:
        row.problem = _("%(points)s points were spent and left to the member.") % {"points": wanted - undone}


def transfers_of(batch: BulkAdjustment) -> Any:
    """Every transfer that a file made, undoing included."""
    return Transfer.objects.filter(Q(source=SOURCE, source_id=batch.pk)).order_by("pk")


def problems_of(batch: BulkAdjustment, *, limit: int) -> Sequence[BulkAdjustmentRow]:
    """The first rows that could not be used or were skipped, with their line numbers."""
    return list(batch.rows.exclude(problem="").order_by("line")[:limit])
