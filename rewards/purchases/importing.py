"""The import of a purchase file: batches that are each one transaction, taken the same way as the API's purchases.

Called by ``manage.py import_purchases``. What is recorded already is recognised by its external id and content, so
an import that was interrupted is finished by running it again. Refused rows go to a CSV of their own.
"""

import csv
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from django.db import OperationalError, connection, transaction

from loyalty import programme
from loyalty.models import Partner
from loyalty.runs import record
from loyalty.spreadsheet import safe_cell
from members.activities import ActivityConflict, NewActivity
from members.enrolment import NewMember, enrol_many
from members.models import Activity, ExternalId, Member
from rewards.earning import Outcome, record_and_reward_many
from rewards.models import EarningRule
from rewards.purchases.blocks import FileRefused
from rewards.purchases.reading import Purchase, PurchasesFile, Refusal, RefusedRow
from rewards.purchases.surveying import survey
from rewards.purchases.values import COLUMNS

RUN_NAME = "rewards.import_purchases"
KIND = "purchase"
BATCH_PURCHASES = 1_000
BATCH_ROWS = 20_000
REMEMBERED_MEMBERS = 200_000
SHOWN_REASONS = 10
_ATTEMPTS = 3
_TRY_AGAIN = {"40P01", "40001"}  # deadlock, serialisation failure
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass
class Summary:
    """What an import did; ``activities`` = created + replayed + rejected. A dry run tells what would be done."""

    lines: int = 0
    activities: int = 0
    created: int = 0
    replayed: int = 0
    rejected: int = 0
    members_created: int = 0
    points: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    """The first few reasons with their lines, for people; the file of refused rows has all."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "activities": self.activities,
            "created": self.created,
            "replayed": self.replayed,
            "rejected": self.rejected,
            "members_created": self.members_created,
            "points": dict(self.points),
        }


class RejectedRows:
    """The CSV of refused rows: line, reason and the row. It comes into being with the first of them."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
        elif self.path and not error:
            self.path.unlink(missing_ok=True)  # what an earlier run refused has gone in now

    def write(self, rows: list[RefusedRow]) -> None:
        """Add rows. Raises FileRefused when the file cannot be written."""
        if self.path is None:
            return
        try:
            if self._file is None:
                self._file = self.path.open("w", encoding="utf-8", newline="")
                csv.writer(self._file).writerow(["line", "reason", *COLUMNS])
            csv.writer(self._file).writerows(
                [row.line, row.reason, *(_harmless(cell) for cell in row.cells)] for row in rows
            )
            self._file.flush()
        except OSError as error:
            raise FileRefused(
                f"Cannot write the refused rows to {self.path} ({error.strerror}): name another file with --rejected."
            ) from error


def _harmless(cell: str) -> object:
    """A cell that no spreadsheet runs as a formula, without what no text file should hold."""
    cell = cell[:300]
    return cell if _NUMBER.fullmatch(cell) else safe_cell(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", cell))


@dataclass
class _Known:
    """A member behind an external id of this partner."""

    member_id: int
    joined_at: dt.datetime
    imported: bool


class PurchasesImport:
    """One import of one file for one partner. ``at`` is the moment it is judged at; ``dry_run`` writes nothing."""

    def __init__(
        self,
        path: Path,
        *,
        partner: Partner,
        at: dt.datetime,
        dry_run: bool = False,
        rejected_path: Path | None = None,
    ) -> None:
        self.path = path
        self.partner = partner
        self.at = at
        self.dry_run = dry_run
        self.rejected_path = rejected_path or Path(f"{path}.rejected.csv")
        self.summary = Summary()
        self._members: dict[str, _Known] = {}

    def run(
        self,
        *,
        started: Callable[[int], None] = lambda lines: None,
        moved: Callable[[int], None] = lambda lines: None,
    ) -> Summary:
        """Take the whole file in. ``started`` hears how many lines there are, ``moved`` how many more are done.

        Raises FileRefused before anything is written when the file as a whole cannot be read.
        """
        found = survey(self.path)
        started(found.lines)
        self.summary.points = Counter(
            dict.fromkeys(EarningRule.objects.filter(is_active=True).values_list("code", flat=True), 0)
        )
        reader = PurchasesFile(
            currencies=frozenset({programme.current().base_currency}), not_after=self.at, split=found.split
        )
        if self.dry_run:
            for batch in _batches(reader.read(self.path)):
                self._take(batch, None)
                moved(_rows(batch))
            return self.summary
        with (
            record.run(RUN_NAME, at=self.at, file=self.path.name, partner=self.partner.slug) as run,
            RejectedRows(self.rejected_path) as rejected,
        ):
            for batch in _batches(reader.read(self.path)):
                before = self.summary.created + self.summary.replayed, self.summary.rejected
                self._take(batch, rejected)
                run.progress(
                    done=self.summary.created + self.summary.replayed - before[0],
                    failed=self.summary.rejected - before[1],
                )
                moved(_rows(batch))
            run.detail.update(self.summary.as_dict())
        return self.summary

    def _take(self, batch: list[Purchase | Refusal], rejected: RejectedRows | None) -> None:
        """Store a batch's purchases and count it; its refusals keep the order of the file."""
        purchases = [item for item in batch if isinstance(item, Purchase)]
        outcomes = iter((self._preview if self.dry_run else self._store)(purchases))
        for item in batch:
            if isinstance(item, Purchase):
                outcome = next(outcomes)
                if isinstance(outcome, str):
                    self._refuse(item.refused(outcome), rejected)
                else:
                    self._count(outcome, len(item.rows))
            else:
                self._refuse(item, rejected)

    def _count(self, outcome: "Outcome | bool", lines: int) -> None:
        """One purchase that is in; a dry run says only whether it had been in before."""
        replayed = outcome if isinstance(outcome, bool) else outcome.replayed
        self.summary.lines += lines
        self.summary.activities += 1
        self.summary.replayed += replayed
        self.summary.created += not replayed
        if not isinstance(outcome, bool) and not replayed:
            for reason in outcome.reasons:
                self.summary.points[reason.rule] += reason.points

    def _refuse(self, refusal: Refusal, rejected: RejectedRows | None) -> None:
        self.summary.lines += refusal.lines
        self.summary.activities += not refusal.continued
        self.summary.rejected += not refusal.continued
        for row in refusal.rows[: SHOWN_REASONS - len(self.summary.reasons)]:
            self.summary.reasons.append(f"line {row.line}: {row.reason}")
        if rejected:
            rejected.write(refusal.rows)

    # --- Storing ------------------------------------------------------------------------------------------------

    def _store(self, purchases: list[Purchase]) -> "list[Outcome | str]":
        """Record and reward in one transaction, together with the members it makes. A lost deadlock is tried again."""
        for attempt in range(_ATTEMPTS):
            try:
                with transaction.atomic():
                    created = self._enrol_unknown(purchases)
                    answers = record_and_reward_many(
                        [self._activity(item, self._members[item.member].member_id) for item in purchases],
                        at=self.at,
                    )
            except OperationalError as error:
                self._members.clear()
                if getattr(error.__cause__, "sqlstate", "") not in _TRY_AGAIN or attempt == _ATTEMPTS - 1:
                    raise
                continue
            self.summary.members_created += created
            return [
                _conflict(answer) if isinstance(answer, ActivityConflict) else answer for answer in answers
            ]
        raise AssertionError("unreachable")

    def _activity(self, item: Purchase, member_id: int) -> NewActivity:
        return NewActivity(
            partner_id=self.partner.pk,
            member_id=member_id,
            external_id=item.external_id,
            kind=KIND,
            occurred_at=item.occurred_at,
            currency=item.currency,
            total=item.total,
            store=item.store,
            channel=item.channel,
            lines=item.lines,
        )

    def _enrol_unknown(self, purchases: list[Purchase]) -> int:
        """Make members of those the partner's file is the first to name, joined at their first purchase.

        A file that is not in the order of time moves the joining of an imported member back when it comes to an
        earlier purchase. Gives the number of new members.
        """
        first: dict[str, dt.datetime] = {}
        for item in purchases:
            if item.member not in first or item.occurred_at < first[item.member]:
                first[item.member] = item.occurred_at
        self._look_up(first)
        unknown = [name for name in first if name not in self._members]
        members = enrol_many(
            [NewMember(external_id=name, joined_at=first[name]) for name in unknown],
            source=Member.Source.IMPORT,
            at=self.at,
            partner=self.partner,
        )
        for name, member in zip(unknown, members, strict=True):
            self._members[name] = _Known(member.pk, member.joined_at, imported=True)
        earlier = {
            known.member_id: moment
            for name, moment in first.items()
            if (known := self._members[name]).imported and moment < known.joined_at
        }
        if earlier:
            self._move_joining(earlier)
            for name, moment in first.items():
                if self._members[name].member_id in earlier:
                    self._members[name].joined_at = moment
        return len(unknown)

    def _look_up(self, names: dict[str, dt.datetime]) -> None:
        """Remember the members behind external ids, within bounds."""
        if len(self._members) > REMEMBERED_MEMBERS:
            self._members.clear()
        unseen = [name for name in names if name not in self._members]
        if not unseen or self.partner.pk is None:
            return
        rows = ExternalId.objects.filter(partner=self.partner, external_id__in=unseen).values_list(
            "external_id", "member_id", "member__joined_at", "member__source"
        )
        for name, member_id, joined_at, source in rows:
            self._members[name] = _Known(member_id, joined_at, source == Member.Source.IMPORT)

    @staticmethod
    def _move_joining(earlier: dict[int, dt.datetime]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE members_member SET joined_at = given.moment "
                "FROM unnest(%s::bigint[], %s::timestamptz[]) AS given(id, moment) "
                "WHERE members_member.id = given.id AND joined_at > given.moment",
                [list(earlier), list(earlier.values())],
            )

    # --- The dry run --------------------------------------------------------------------------------------------

    def _preview(self, purchases: list[Purchase]) -> list[bool | str]:
        """Per purchase: recorded before with this content, not yet (False), or the reason it would be refused."""
        self._look_up({item.member: item.occurred_at for item in purchases})
        digests = self._recorded([item.external_id for item in purchases])
        answers: list[bool | str] = []
        for item in purchases:
            if item.member not in self._members:
                self.summary.members_created += 1
                self._members[item.member] = _Known(0, item.occurred_at, imported=True)
            content = self._activity(item, self._members[item.member].member_id).digest()
            recorded = digests.get(item.external_id)
            if recorded is None or recorded == content:
                answers.append(recorded is not None)
            else:
                answers.append(_conflict(ActivityConflict(item.external_id)))
        return answers

    def _recorded(self, external_ids: list[str]) -> dict[str, bytes]:
        if self.partner.pk is None:
            return {}
        rows = Activity.objects.filter(partner=self.partner, external_id__in=external_ids)
        return {name: bytes(digest) for name, digest in rows.values_list("external_id", "content_digest")}


def _conflict(conflict: ActivityConflict) -> str:
    return (
        f"{conflict.external_id} is already recorded with other content: leave it out, or correct the recorded one "
        "by a refund."
    )


def _rows(batch: list[Purchase | Refusal]) -> int:
    return sum(len(item.rows) for item in batch)


def _batches(items: Iterator[Purchase | Refusal]) -> Iterator[list[Purchase | Refusal]]:
    """Batches bounded in purchases and in rows."""
    batch: list[Purchase | Refusal] = []
    rows = 0
    for item in items:
        batch.append(item)
        rows += len(item.rows)
        if len(batch) >= BATCH_PURCHASES or rows >= BATCH_ROWS:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch
