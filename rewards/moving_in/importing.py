"""The move itself: batches that are each one transaction, then the parity report. A dry run rolls each batch back.

Called by ``manage.py import_members`` and by the worker for moves asked for in the admin. What is in already is
recognised, so a move that was interrupted is finished by running it again.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from loyalty import programme
from loyalty.exports import csv_lines
from loyalty.models import Partner
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from members.enrolment import DuplicateMember
from rewards import ledger, terms
from rewards.models import Wallet
from rewards.moving_in.files import Frame, Refused, Sources
from rewards.moving_in.opening import Move, Opened, open_batch
from rewards.moving_in.parity import HEADER, Parity, Seen, look_up
from rewards.moving_in.staging import Staged, Staging
from rewards.purchases.blocks import FileRefused

RUN_NAME = "rewards.import_members"
BATCH = 500
SHOWN_REASONS = 10
READING, TAKING, COMPARING = "reading", "taking", "comparing"
_ATTEMPTS = 3
_TRY_AGAIN = {"40P01", "40001"}  # deadlock, serialisation failure


class AlreadyRunning(Exception):
    """Another move is under way; two at once would only wait for each other."""


@dataclass(frozen=True)
class Results:
    """Where the refused rows and the parity of each member are written."""

    refused: Path
    parity: Path


@dataclass
class Progress:
    """Whom to tell how it goes: a new step with its size (None: unknown), and how much more of it is done."""

    step: Callable[[str, int | None], None] = lambda _name, _total: None
    moved: Callable[[int], None] = lambda _count: None


class MembersImport:
    """One move of one set of files for one partner, judged at ``at``."""

    def __init__(
        self,
        sources: Sources,
        *,
        partner: Partner,
        at: dt.datetime,
        results: Results,
        dry_run: bool = False,
        staff_id: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.sources = sources
        self.move = Move(partner, at, staff_id)
        self.results = results
        self.dry_run = dry_run
        self.progress = progress or Progress()
        self.parity = _parity(partner, at, dry_run=dry_run)

    def run(self) -> dict[str, Any]:
        """Take the files in, or try; gives the parity report.

        Raises FileRefused, before anything is written, when a file as a whole cannot be read, and AlreadyRunning.
        """
        with exclusively(RUN_NAME) as held:
            if not held:
                raise AlreadyRunning(_("Another move is under way. Try again when it has ended."))
            with Staging(self.move.partner, frame(self.move.at)) as staging, ExitStack() as stack:
                self.progress.step(READING, None)
                staging.load(self.sources, moved=self.progress.moved)
                run = None
                if not self.dry_run:
                    run = stack.enter_context(
                        record.run(
                            RUN_NAME,
                            at=self.move.at,
                            total=staging.count(),
                            file=self.sources.members.name,
                            partner=self.move.partner.slug,
                        )
                    )
                self._take(staging, run)
                report = self._report(staging)
                if run is not None:
                    run.detail["parity"] = {**report, "differences": [], "reasons": []}
                return report

    def _take(self, staging: Staging, run: record.RunRecorder | None) -> None:
        """Batch by batch through the members; a dry run compares before it rolls back, otherwise all is compared at the
        end."""
        rows = self._parity_file() if self.dry_run else None
        with closing(rows) if rows else ExitStack():
            self.progress.step(TAKING, staging.count())
            line = -1
            while batch := staging.batch(line, BATCH):
                line = batch[-1].line
                opened, seen = self._open(batch, staging)
                self.parity.members["new"] += opened.created
                self.parity.members["known"] += len(opened.members) - opened.created
                self.parity.lots["given_now"] += opened.lots_given
                self.parity.holds += opened.holds
                if seen is not None and rows is not None:
                    self._compare(_refreshed(batch, opened), seen, rows)
                if run is not None:
                    run.progress(done=len(opened.members), failed=len(batch) - len(opened.members))
                self.progress.moved(len(batch))
        if self.dry_run:
            return
        with closing(self._parity_file()) as rows:
            self.progress.step(COMPARING, staging.count())
            line = -1
            while batch := staging.batch(line, BATCH):
                line = batch[-1].line
                good = [each for each in batch if not each.refused]
                self._compare(batch, look_up(good, self.move.partner, self.move.at), rows)
                self.progress.moved(len(batch))

    def _open(self, batch: Sequence[Staged], staging: Staging) -> tuple[Opened, Seen | None]:
        """One batch in one transaction. A lost deadlock is tried again; a taken e-mail address refuses its member."""
        good = [each for each in batch if not each.refused]
        attempt = 0
        while good:
            try:
                return self._open_at_once(good)
            except DuplicateMember as clash:
                taken = [
                    each
                    for each in good
                    if clash.field == "email" and each.member.email == clash.member.email
                ]
                if not taken:
                    raise
                staging.hold_back_email(clash.member.email)
                good = [each for each in good if each not in taken]
            except OperationalError as error:
                attempt += 1
                if getattr(error.__cause__, "sqlstate", "") not in _TRY_AGAIN or attempt == _ATTEMPTS:
                    raise
        return Opened({}, 0, 0, 0), Seen({}, {}, {}, {}, {}, {})

    def _open_at_once(self, good: Sequence[Staged]) -> tuple[Opened, Seen | None]:
        seen = None
        try:
            with transaction.atomic():
                opened = open_batch(good, self.move)
                if self.dry_run:
                    seen = look_up(good, self.move.partner, self.move.at)
                    transaction.set_rollback(True)
        finally:
            if self.dry_run:
                ledger.forget()  # a wallet that was rolled back must not be remembered
        return opened, seen

    # --- The report ---------------------------------------------------------------------------------------------------

    def _parity_file(self) -> TextIO:
        stream = _created(self.results.parity)
        stream.writelines(csv_lines(HEADER, []))
        return stream

    def _compare(self, batch: Sequence[Staged], seen: Seen, rows: TextIO) -> None:
        found = (self.parity.csv_row(each) for each in self.parity.compare(batch, seen))
        lines = csv_lines((), found)
        next(lines)
        rows.writelines(lines)

    def _report(self, staging: Staging) -> dict[str, Any]:
        """Write the refused rows, and give the report."""
        parity = self.parity
        with closing(_created(self.results.refused)) as stream:
            stream.writelines(
                csv_lines(("file", "line", "member_id", "reason", "row"), _noted(staging, parity))
            )
        if not parity.refused_rows:
            self.results.refused.unlink()
        parity.shared_phones = staging.shared_phones()
        for wallet_id, (lots, points) in staging.points_left_out().items():
            parity.points["in_file"][wallet_id] += points - parity.points["refused"][wallet_id]
            parity.points["refused"][wallet_id] = points
            parity.lots["refused"] = max(parity.lots["refused"], lots)
        return parity.as_dict()


def _noted(staging: Staging, parity: Parity) -> Any:
    for each in staging.refusals():
        parity.refused_rows += 1
        if len(parity.reasons) < SHOWN_REASONS:
            parity.reasons.append(
                _("%(file)s line %(line)s: %(reason)s")
                % {"file": f"{each.file}.csv", "line": each.line, "reason": each.reason}
            )
        yield _cells(each)


def _cells(each: Refused) -> list[Any]:
    return [f"{each.file}.csv", each.line, each.member_id, each.reason, each.row]


def _refreshed(batch: Sequence[Staged], opened: Opened) -> list[Staged]:
    """The batch with those marked refused that were held back while it was taken in."""
    return [replace(each, refused=each.member.member_id not in opened.members) for each in batch]


def _created(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise FileRefused(
            _("%(file)s cannot be written: %(why)s.") % {"file": path, "why": error.strerror or error}
        ) from error


def frame(at: dt.datetime) -> Frame:
    """What the files' values are judged by, as the programme stands."""
    known = terms.current()
    wallets = {code: pk for pk, code in Wallet.objects.values_list("pk", "code")}
    return Frame(
        at=at,
        time_zone=programme.current().time_zone,
        languages=frozenset(code for code, _name in settings.LANGUAGES),
        tiers={level.code: level.tier_id for level in known.tiers_at(at).levels},
        wallets=wallets,
        default_wallet=next(code for code, pk in wallets.items() if pk == known.default_wallet_id),
    )


def _parity(partner: Partner, at: dt.datetime, *, dry_run: bool) -> Parity:
    known = terms.current()
    return Parity(
        partner=partner,
        at=at,
        dry_run=dry_run,
        names={tier_id: code for tier_id, (code, _names) in known.tier_names.items()},
        wallets=dict(Wallet.objects.values_list("pk", "code")),
    )
