"""The statement's entries with all that a member may ask about them: what was returned, and why these points.

Read by the portal's statement; the admin reads ``refunds_of`` too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from django.db.models import Prefetch

from rewards.explanations import Explanation, explain_many
from rewards.models import Refund, RefundLine
from rewards.statement import Entry, Line

REFUND = "rewards.refund"
"""The source of transfers that a refund made; ``source_id`` is the refund."""


@dataclass(frozen=True)
class ExplainedEntry(Entry):
    """An entry with its activity's refunds, oldest first, and what each rule gave or why it did not."""

    refunds: list[Refund] = field(default_factory=list)
    explanations: list[Explanation] = field(default_factory=list)

    @property
    def movements(self) -> list[Line]:
        """Its movements without those of the refunds, which are shown as such."""
        shown = {refund.pk for refund in self.refunds}
        return [line for line in self.lines if _refund_of(line) not in shown]

    @property
    def returns(self) -> list[tuple[Refund, int]]:
        """Each refund with what it changed in all that the member has."""
        return [
            (refund, sum(line.points for line in self.lines if _refund_of(line) == refund.pk))
            for refund in self.refunds
        ]


def _refund_of(line: Line) -> int | None:
    return line.transfer.source_id if line.transfer.source == REFUND else None


def explained(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with refunds and explanations, in a constant number of statements."""
    activities = [entry.activity for entry in entries if entry.activity is not None]
    reasons = explain_many(activities)
    refunds = refunds_of(activity.pk for activity in activities)
    return [
        ExplainedEntry(
            **{each.name: getattr(entry, each.name) for each in fields(Entry)},
            refunds=refunds.get(entry.activity.pk, []),
            explanations=reasons[entry.activity.pk],
        )
        if entry.activity
        else ExplainedEntry(**{each.name: getattr(entry, each.name) for each in fields(Entry)})
        for entry in entries
    ]


def refunds_of(activity_ids: Iterable[int]) -> dict[int, list[Refund]]:
    """The refunds of activities with what came back, oldest first, by activity id; two statements."""
    lines = RefundLine.objects.select_related("line__product", "line__category").order_by("line__position")
    rows = Refund.objects.filter(activity__in=list(activity_ids)).select_related("decided_by")
    found: dict[int, list[Refund]] = {}
    for row in rows.prefetch_related(Prefetch("lines", lines)).order_by("pk"):
        found.setdefault(row.activity_id, []).append(row)
    return found
