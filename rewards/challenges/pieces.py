"""What activities are worth to challenges: each as refunds have left it, with the facts that conditions ask for.

An activity is judged as if only what is left of it had been bought, like the points of a refunded purchase. Loaded for
a whole batch in a few statements. Called by ``progress``.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from members.activities import LineFacts, NewActivity
from members.models import Activity, ActivityLine, Tier
from rewards import facts
from rewards import terms as programme_terms
from rewards.case import Case, line_facts
from rewards.challenges.goals import STREAKS, Measure, Piece, day_key
from rewards.challenges.terms import Terms
from rewards.facts import Asked
from rewards.models import Refund, RefundLine
from rewards.refund_parts import Part, Return, as_purchase, is_empty, left_after
from rewards.terms import Level

_ONE = Decimal(1)


@dataclass(frozen=True)
class Deed:
    """An activity as it stands now. ``case`` is what conditions see of it; None: nothing of it is left."""

    activity_id: int
    member_id: int
    time_zone: str
    purchase: NewActivity
    rank: int
    case: Case | None


class Row(NamedTuple):
    """An activity as it was recorded, with the tier held before it. Plain columns: there may be very many."""

    id: int
    member_id: int
    partner_id: int
    external_id: str
    kind: str
    occurred_at: dt.datetime
    currency: str
    total: Decimal
    store: str | None
    channel: str | None
    time_zone: str
    tier_id: int


def rows_of(activities: QuerySet[Activity]) -> list[Row]:
    """The activities of a query; one statement."""
    found = activities.order_by().values_list(
        "pk", "member_id", "partner_id", "external_id", "kind_id", "occurred_at", "currency", "total",
        "store__code", "channel__code", "member__time_zone", Coalesce("judgement__tier_id", "member__tier_id"),
    )  # fmt: skip
    return [Row(*each) for each in found]


Lines = Sequence[tuple[int, LineFacts]]
"""The lines of an activity in order: the row's id, and what it says."""


def deeds(rows: Sequence[Row], *, names: Collection[str], with_lines: bool) -> list[Deed]:
    """Activities as refunds have left them; at most six statements.

    ``names`` are the facts that will be asked for; without lines nothing may ask for lines.
    """
    known = programme_terms.current()
    levels = {
        tier.pk: Level(tier.pk, tier.code, tier.names, tier.rank, 0, _ONE) for tier in Tier.objects.all()
    }
    lines = _lines_by_activity([row.id for row in rows]) if with_lines else {}
    returns = _returns([row.id for row in rows])
    stand = [_what_is_left(row, lines.get(row.id, ()), returns.get(row.id, ())) for row in rows]
    asked = [Asked(row.id, purchase) for row, (purchase, _void) in zip(rows, stand, strict=True)]
    more = facts.gather(asked, terms=known, names=names)
    return [
        Deed(
            activity_id=row.id,
            member_id=row.member_id,
            time_zone=row.time_zone,
            purchase=purchase,
            rank=levels[row.tier_id].rank,
            case=None if is_void else Case(purchase, levels[row.tier_id], more_facts),
        )
        for row, (purchase, is_void), more_facts in zip(rows, stand, more, strict=True)
    ]


def _lines_by_activity(activity_ids: Sequence[int]) -> dict[int, list[tuple[int, LineFacts]]]:
    rows = ActivityLine.objects.filter(activity_id__in=activity_ids).order_by("activity_id", "position")
    found: dict[int, list[tuple[int, LineFacts]]] = defaultdict(list)
    for activity_id, line_id, sku, brand, category, department, quantity, total in rows.values_list(
        "activity_id", "pk", "product__sku", "product__brand", "category__name", "category__department",
        "quantity", "total",
    ):  # fmt: skip
        line = LineFacts(sku or "", category or "", department or "", quantity, total, brand or "")
        found[activity_id].append((line_id, line))
    return found


def _what_is_left(row: Row, lines: Lines, returns: Sequence[Return]) -> tuple[NewActivity, bool]:
    """The activity as if only what is left of it had been done, and whether that is nothing.

    Nothing is left when all the money came back (whatever became of the goods), or all of it where it cost nothing.
    """
    original = NewActivity(
        partner_id=row.partner_id,
        member_id=row.member_id,
        external_id=row.external_id,
        kind=row.kind,
        occurred_at=row.occurred_at,
        currency=row.currency,
        total=row.total,
        store=row.store or "",
        channel=row.channel or "",
        lines=tuple(line for _id, line in lines),
    )
    if not returns:
        return original, False
    left = left_after(original, [id_ for id_, _line in lines], returns if lines else _money_only(returns))
    is_void = left.total <= 0 if original.total > 0 else is_empty(left)
    return as_purchase(original, left), is_void


def _money_only(returns: Sequence[Return]) -> list[Return]:
    return [Return(each.amount) for each in returns]


def _returns(activity_ids: Sequence[int]) -> dict[int, list[Return]]:
    """What the refunds of each activity gave back, in order; two statements, the second only where there were any."""
    made = list(
        Refund.objects.filter(activity_id__in=activity_ids)
        .order_by("pk")
        .values_list("pk", "activity_id", "amount")
    )
    parts: dict[int, list[Part]] = defaultdict(list)
    if made:
        for row in RefundLine.objects.filter(refund__in=[pk for pk, _activity, _amount in made]):
            parts[row.refund_id].append(Part(row.line_id, row.quantity, row.total))
    found: dict[int, list[Return]] = defaultdict(list)
    for pk, activity_id, amount in made:
        found[activity_id].append(Return(amount, tuple(parts[pk])))
    return found


def piece(terms: Terms, deed: Deed, *, time_zone: str, currency: str) -> Piece | None:
    """What a deed contributes to a challenge, or None. Pure.

    ``time_zone`` is that of the member's part, by which days and weeks are told; money counts in ``currency`` only.
    """
    if deed.case is None or not terms.goal.covers(deed.purchase.occurred_at):
        return None
    if not terms.goal.by_choice and not _is_meant(terms, deed):
        return None
    case = deed.case
    if terms.condition and not terms.condition.judge(case.facts, case.at, case.today):
        return None
    lines = _lines(terms, case)
    if terms.lines is not None and not lines:
        return None
    amount, keys = _worth(terms, deed, lines, time_zone=time_zone, currency=currency)
    if amount <= 0:
        return None
    return Piece(deed.activity_id, deed.purchase.occurred_at, amount, keys)


def _is_meant(terms: Terms, deed: Deed) -> bool:
    """Whether the challenge is for this member, at the moment and in the tier of the deed."""
    if terms.minimum_rank is not None and deed.rank < terms.minimum_rank:
        return False
    if terms.audience is None or deed.case is None:
        return terms.audience is None
    case = deed.case
    member: Mapping[str, Any] = {
        **case.facts.get("member", {}),
        "tier": case.level.code,
        "tier_reached": case.facts.get("tier_reached", (case.level.code,)),
    }
    return terms.audience.judge(member, case.at, case.today)


def _lines(terms: Terms, case: Case) -> list[LineFacts]:
    """The purchase lines that count: those that match, of which something is left."""
    left = [line for line in case.activity.lines if line.quantity > 0 or line.total > 0]
    if terms.lines is None:
        return left
    judge = terms.lines.judge
    return [line for line in left if judge(line_facts(line), case.at, case.today)]


def _worth(
    terms: Terms, deed: Deed, lines: Sequence[LineFacts], *, time_zone: str, currency: str
) -> tuple[Decimal, tuple[str, ...]]:
    """The amount that counts and the different things it stands for, sorted."""
    measure, purchase = terms.goal.measure, deed.purchase
    if measure == Measure.SPEND:
        if purchase.currency != currency:
            return Decimal(0), ()
        if terms.lines is None:
            return purchase.total, ()
        return sum((line.total for line in lines), Decimal(0)), ()
    if measure == Measure.QUANTITY:
        return sum((line.quantity for line in lines), Decimal(0)), ()
    keys = _keys(measure, purchase, lines, time_zone)
    if measure == Measure.COUNT:
        return _ONE, ()
    return Decimal(len(keys)), keys


def _keys(measure: str, purchase: NewActivity, lines: Sequence[LineFacts], time_zone: str) -> tuple[str, ...]:
    if measure in STREAKS:
        return (day_key(measure, purchase.occurred_at, time_zone),)
    if measure == Measure.STORES:
        return (f"{purchase.partner_id}\x1f{purchase.store}",) if purchase.store else ()
    if measure == Measure.DEPARTMENTS:
        return tuple(sorted({line.department for line in lines if line.department}))
    if measure == Measure.CATEGORIES:
        return tuple(sorted({f"{line.department}\x1f{line.category}" for line in lines if line.category}))
    return ()
