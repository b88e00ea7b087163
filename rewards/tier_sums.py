"""The amounts that tiers are reached by, summed for many members at once: points, spend or purchases.

Each function takes any number of questions and asks the database once for each kind of sum among them. Called by
``tiers`` (under the members' account locks), ``verification``, previews of new terms and projections.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from rewards.tier_rules import Amount, Basis, Entry, Look


@dataclass(frozen=True, slots=True)
class Known:
    """The last rows that a judgement knew of; None: all there are."""

    transfer_id: int | None = None
    activity_id: int | None = None
    refund_id: int | None = None


EVERYTHING = Known()


@dataclass(frozen=True, slots=True)
class Ask:
    """A member's amount to be summed as ``look`` says, counted in ``basis``, of the rows then known."""

    member_id: int
    basis: str
    look: Look
    known: Known = EVERYTHING


_ASKED = """unnest(%(members)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[], %(last)s::bigint[],
    %(last_refund)s::bigint[]) WITH ORDINALITY AS asked(member_id, since, until, last_id, last_refund_id, n)"""
_POINTS = """
    SELECT t.qualifies_at AS at, CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END AS value
    FROM rewards_transfer t WHERE t.member_id = asked.member_id AND t.qualifies_at > asked.since - %(slide)s
    AND (asked.until IS NULL OR t.qualifies_at <= asked.until) AND (asked.last_id IS NULL OR t.id <= asked.last_id)"""
_PURCHASES = """
    SELECT a.occurred_at AS at, {value} AS value FROM members_activity a
    LEFT JOIN LATERAL (
        SELECT sum(r.amount) AS amount FROM rewards_refund r
        WHERE r.activity_id = a.id AND (asked.last_refund_id IS NULL OR r.id <= asked.last_refund_id)
    ) refunded ON true
    WHERE a.member_id = asked.member_id AND a.kind_id = 'purchase' AND a.occurred_at > asked.since - %(slide)s
    AND (asked.until IS NULL OR a.occurred_at <= asked.until) AND (asked.last_id IS NULL OR a.id <= asked.last_id)
    AND a.id <> ALL(%(without)s::bigint[]) {condition}"""
_SOURCES: dict[str, str] = {
    Basis.POINTS: _POINTS,
    Basis.SPEND: _PURCHASES.format(
        value="a.total - coalesce(refunded.amount, 0)", condition="AND a.currency = %(currency)s"
    ),
    Basis.PURCHASES: _PURCHASES.format(
        value="CASE WHEN refunded.amount >= a.total THEN 0 ELSE 1 END", condition=""
    ),
}
_SUM = "SELECT asked.n, (SELECT coalesce(sum(value), 0) FROM ({source}) counted) FROM {asked}"
_HIGHEST = """
SELECT asked.n, (
    SELECT max(total) FROM (
        SELECT at, sum(value) OVER (ORDER BY at RANGE BETWEEN %(reach)s PRECEDING AND CURRENT ROW) AS total
        FROM ({source} UNION ALL SELECT asked.since, 0) counted
    ) windows WHERE at >= asked.since
) FROM {asked}
"""
_ENTRIES = "SELECT asked.n, counted.at, counted.value FROM {asked} CROSS JOIN LATERAL ({source}) counted"
_TICK = dt.timedelta(microseconds=1)


def amounts(asks: Sequence[Ask], *, currency: str) -> list[Amount]:
    """The amount that counts for each, in order."""
    found: list[Amount] = [0] * len(asks)
    for number, sums in enumerate(span_sums(asks, currency=currency)):
        found[number] = max(sums, default=0)
    sliding: dict[tuple[str, dt.timedelta], list[int]] = defaultdict(list)
    for number, ask in enumerate(asks):
        if ask.look.slide is not None:
            sliding[ask.basis, ask.look.slide].append(number)
    for (basis, slide), numbers in sliding.items():
        rows = _run(
            _HIGHEST, basis, [(asks[number], 0) for number in numbers], currency=currency, slide=slide
        )
        for position, total in rows:
            found[numbers[position - 1]] = _plain(basis, total)
    return found


def span_sums(asks: Sequence[Ask], *, currency: str, without: Iterable[int] = ()) -> list[list[Amount]]:
    """The sum over each span of each ask (none for those whose window slides), leaving out activities ``without``."""
    found: list[list[Amount]] = [[] for _ask in asks]
    plain: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, ask in enumerate(asks):
        if ask.look.slide is None:
            plain[ask.basis] += [(number, span) for span in range(len(ask.look.spans))]
    for basis, places in plain.items():
        rows = _run(
            _SUM, basis, [(asks[number], span) for number, span in places], currency=currency, without=without
        )
        for position, total in sorted(rows):
            found[places[position - 1][0]].append(_plain(basis, total))
    return found


def entries(asks: Sequence[Ask], *, currency: str, without: Iterable[int] = ()) -> list[list[Entry]]:
    """Everything that counts within reach of each ask (one span each), leaving out activities ``without``."""
    found: list[list[Entry]] = [[] for _ask in asks]
    groups: dict[tuple[str, dt.timedelta], list[int]] = defaultdict(list)
    for number, ask in enumerate(asks):
        groups[ask.basis, ask.look.slide or dt.timedelta(0)].append(number)
    for (basis, slide), numbers in groups.items():
        asked = [(asks[number], 0) for number in numbers]
        for position, at, value in _run(
            _ENTRIES, basis, asked, currency=currency, without=without, slide=slide
        ):
            found[numbers[position - 1]].append(Entry(at, value))
    return found


def _run(
    statement: str,
    basis: str,
    asked: Sequence[tuple[Ask, int]],
    *,
    currency: str,
    without: Iterable[int] = (),
    slide: dt.timedelta = dt.timedelta(0),
) -> list[tuple[Any, ...]]:
    spans = [ask.look.spans[number] for ask, number in asked]
    known = [ask.known for ask, _number in asked]
    by_points = basis == Basis.POINTS
    params: dict[str, Any] = {
        "members": [ask.member_id for ask, _number in asked],
        "since": [span.since for span in spans],
        "until": [span.until for span in spans],
        "last": [each.transfer_id if by_points else each.activity_id for each in known],
        "last_refund": [each.refund_id for each in known],
        "currency": currency,
        "without": list(without),
        "slide": slide,
        "reach": slide - _TICK,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement.format(source=_SOURCES[basis], asked=_ASKED), params)
        return cursor.fetchall()


def _plain(basis: str, total: Any) -> Amount:
    """Points and purchases are whole numbers."""
    amount: Amount = total if basis == Basis.SPEND else int(total)
    return amount
