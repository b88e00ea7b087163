"""Who is where in a challenge: how many take part and reached each step, in numbers and as a chart for staff."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from loyalty import charts
from loyalty.charts import Chart, Series
from rewards.challenges import wording
from rewards.challenges.terms import Terms
from rewards.models import ChallengeRound, Participation, StepAward


@dataclass(frozen=True)
class Funnel:
    """How many members are where. ``steps``: each step in words, how often it was reached, and withdrawn."""

    joined: int
    left: int
    started: int
    rounds: int
    completed: int
    steps: tuple[tuple[str, int, int], ...]
    points: int
    owed: int
    chart: Chart


def funnel(known: Terms) -> Funnel:
    """Count; four statements, whatever the number of members."""
    parts = Participation.objects.filter(challenge=known.challenge).aggregate(
        joined=Count("pk"), left=Count("pk", filter=Q(left_at__isnull=False))
    )
    rounds = ChallengeRound.objects.filter(challenge=known.challenge).aggregate(
        rounds=Count("pk", filter=Q(progress__gt=0)),
        started=Count("member", distinct=True, filter=Q(progress__gt=0)),
        completed=Count("pk", filter=Q(completed_at__isnull=False)),
    )
    awards = _awards(known)
    steps = tuple(
        (
            wording.amount_text(known.goal.measure, target.amount),
            awards.get(target.step_id, {}).get("reached", 0),
            awards.get(target.step_id, {}).get("undone", 0),
        )
        for target in known.goal.targets
    )
    return Funnel(
        **parts,
        **rounds,
        steps=steps,
        points=sum(row["points"] for row in awards.values()),
        owed=sum(row["owed"] for row in awards.values()),
        chart=charts.bars(
            key="steps",
            title=_("How far members are"),
            axis=_("Step"),
            labels=[
                _("taking part"),
                _("begun"),
                *(wording.figure(target.amount) for target in known.goal.targets),
            ],
            series=[
                Series(
                    _("members and rounds"),
                    [parts["joined"], rounds["rounds"], *(reached for _text, reached, _undone in steps)],
                )
            ],
        ),
    )


def _awards(known: Terms) -> dict[int, Any]:
    """What each step gave and took back, by the step's id."""
    standing = Q(withdrawn_at__isnull=True)
    rows = StepAward.objects.filter(round__challenge=known.challenge).order_by().values("step")
    counted = rows.annotate(
        reached=Count("pk", filter=standing),
        undone=Count("pk", filter=~standing),
        points=Sum("points", filter=standing, default=0),
        owed=Count("pk", filter=standing & Q(voucher_state=StepAward.VoucherState.OWED)),
    )
    return {row["step"]: row for row in counted}
