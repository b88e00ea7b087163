"""What all campaigns together were worth: members held out of everything beside all others, over a period.

Who is held out is told by the policy's hash, not by rows: a member whom no campaign ever looked at counts too. All
active members count, whatever they consent to: the portal's inbox reaches everybody, and consents may have been
withdrawn because of what was sent. The figures begin when the hold-out became what it is, at the earliest: under
another key or percentage other members were held out. Service messages go to both sides and are no part of it.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction

from campaigns.experiments import results, statistics
from campaigns.experiments.figures import Comparison, Verdict
from campaigns.experiments.results import Count
from campaigns.experiments.share_sql import share_sql
from campaigns.models import Campaign, Message, SendingPolicy
from loyalty import programme
from members.models import Activity, Member
from rewards.models import Refund, Voucher, VoucherUse

DAYS = 90
PERIODS = (30, 90, 180, 365)
"""The periods in days that staff choose from, and the one they begin with."""
PATIENCE = dt.timedelta(seconds=20)

SHARE = share_sql("%(key)s", "member.id")

_SIDES = f"""
WITH member AS MATERIALIZED (
    SELECT member.id, {SHARE} < %(hold_out)s AS is_held_out
      FROM {Member._meta.db_table} AS member
     WHERE member.status = 'active' AND member.joined_at <= %(at)s
),
purchase AS MATERIALIZED (
    SELECT id, member_id, CASE WHEN currency = %(currency)s THEN total ELSE 0 END AS total
      FROM {Activity._meta.db_table}
     WHERE kind_id = 'purchase' AND occurred_at >= %(since)s AND occurred_at <= %(at)s
),
back AS (
    SELECT refund.activity_id, sum(refund.amount) AS amount
      FROM {Refund._meta.db_table} AS refund
      JOIN {Activity._meta.db_table} AS refunded ON refunded.id = refund.activity_id
     WHERE refund.status = 'posted' AND refund.occurred_at <= %(at)s AND refunded.currency = %(currency)s
       AND refunded.occurred_at >= %(since)s
     GROUP BY refund.activity_id
),
spent AS (
    SELECT purchase.member_id, sum(purchase.total - coalesce(back.amount, 0)) AS revenue
      FROM purchase LEFT JOIN back ON back.activity_id = purchase.id
     GROUP BY purchase.member_id
)
SELECT member.is_held_out, count(*), count(spent.member_id), coalesce(sum(spent.revenue), 0),
       coalesce(sum(spent.revenue * spent.revenue), 0)
  FROM member LEFT JOIN spent ON spent.member_id = member.id
 GROUP BY member.is_held_out
"""  # noqa: S608  (table names only)

_COSTS = f"""
WITH written AS MATERIALIZED (
    SELECT message.id, message.points, message.cost
      FROM {Message._meta.db_table} AS message
      JOIN {Campaign._meta.db_table} AS campaign ON campaign.id = message.campaign_id
     WHERE message.arm = 'treated' AND message.due_at >= %(since)s AND message.due_at <= %(at)s
       AND campaign.purpose <> 'service'
)
SELECT count(*), coalesce(sum(points), 0), coalesce(sum(cost), 0),
       (SELECT coalesce(sum(used.amount), 0)
          FROM written
          JOIN {Voucher._meta.db_table} AS voucher
            ON voucher.source = '{results.VOUCHERS_OF}' AND voucher.source_id = written.id
          JOIN {VoucherUse._meta.db_table} AS used ON used.voucher_id = voucher.id AND used.state = 'redeemed')
  FROM written
"""  # noqa: S608  (table names only)


class TakesTooLong(Exception):
    """The members or purchases are too many for the time that somebody at a page waits."""


@dataclass(frozen=True, slots=True)
class Together:
    """The worth of all campaigns from ``since`` to ``at``: the others beside those held out of everything.

    ``began`` is when the hold-out became what it is; None where no history tells. ``messages`` were meant for the
    others. ``lift`` is None where nobody is held out.
    """

    since: dt.datetime
    at: dt.datetime
    days: int
    began: dt.datetime | None
    percent: float
    verdict: Verdict
    others: Count
    held_out: Count
    messages: int
    lift: Comparison | None
    sample_ratio_p: float | None


def compute(*, at: dt.datetime, days: int = DAYS, patience: dt.timedelta = PATIENCE) -> Together:
    """Measure the last ``days`` days: two statements for all members. Raises TakesTooLong after ``patience``."""
    policy = SendingPolicy.objects.get(pk=1)
    began = began_at(policy)
    since = max(filter(None, (at - dt.timedelta(days=days), began)))
    percent = float(policy.global_hold_out_percent)
    if not percent:
        return Together(since, at, days, None, percent, Verdict.NO_HOLD_OUT, Count(), Count(), 0, None, None)
    asked = {
        "key": f"global:{policy.global_hold_out_key}",
        "hold_out": percent / 100,
        "since": since,
        "at": at,
        "currency": programme.current().base_currency,
    }
    with _bounded(patience):
        others, held_out, messages = _counted(asked)
    lift = _compare(others, held_out, results.Prices(policy), percent)
    ratio = statistics.sample_ratio([others.members, held_out.members], [100 - percent, percent])
    return Together(
        since=since,
        at=at,
        days=days,
        began=began,
        percent=percent,
        verdict=_verdict(others, held_out, lift, ratio),
        others=others,
        held_out=held_out,
        messages=messages,
        lift=lift,
        sample_ratio_p=ratio,
    )


def began_at(policy: SendingPolicy) -> dt.datetime | None:
    """Since when this very key and percentage hold, by the policy's history; None where it does not tell."""
    present = (policy.global_hold_out_key, policy.global_hold_out_percent)
    kept = policy.history.order_by("-history_date", "-history_id").values_list(
        "history_date", "global_hold_out_key", "global_hold_out_percent"
    )
    began = None
    for changed_at, *held in kept:
        if tuple(held) != present:
            break
        began = changed_at
    return began


@contextmanager
def _bounded(patience: dt.timedelta) -> Iterator[None]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            limit = "SELECT set_config('statement_timeout', %s, TRUE)"
            cursor.execute(limit, [f"{max(1, int(patience.total_seconds() * 1000))}ms"])
            yield
            cursor.execute(limit, ["0"])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "57014":  # not cancelled: something else is wrong
            raise
        raise TakesTooLong from error


def _counted(asked: dict[str, Any]) -> tuple[Count, Count, int]:
    """The others with what was spent on them, those held out, and how many messages there were."""
    with connection.cursor() as cursor:
        cursor.execute(_SIDES, asked)
        found = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_COSTS, asked)
        messages, points, sending, vouchers = cursor.fetchone()

    def side(is_held_out: bool) -> Count:
        members, buyers, revenue, squares = found.get(is_held_out, (0, 0, 0, 0))
        return Count(members=members, conversions=buyers, revenue=float(revenue), squares=float(squares))

    spent = Count(points=int(points), sending=float(sending), vouchers=float(vouchers))
    return side(False) + spent, side(True), messages


def _compare(others: Count, held_out: Count, prices: results.Prices, percent: float) -> Comparison:
    rate = statistics.difference_of_shares(others.share, held_out.share)
    money = statistics.difference_of_means(others.money, held_out.money)
    revenue = None if money is None else money.value * others.members
    margin = None if revenue is None else prices.margin(revenue)
    cost = prices.cost(others)
    profit = None if margin is None else margin - cost
    mean = held_out.money.mean or others.money.mean or 0
    return Comparison(
        code="together",
        rate=rate,
        revenue_each=money,
        incremental=None if rate is None else rate.value * others.members,
        incremental_interval=None if rate is None else rate.interval.times(others.members),
        revenue=revenue,
        revenue_interval=None if money is None else money.interval.times(others.members),
        margin=margin,
        cost=cost,
        profit=profit,
        roi=None if profit is None or not cost else profit / cost,
        needed=statistics.size_needed_for_means(
            variance=(others.money + held_out.money).variance,
            lift=mean * results.WORTH_SEEING,
            held_out=percent / 100,
        ),
    )


def _verdict(others: Count, held_out: Count, lift: Comparison, ratio: float | None) -> Verdict:
    """By revenue a member: that is what the whole is worth."""
    if not others.members and not held_out.members:
        return Verdict.NOBODY
    if not held_out.members:
        return Verdict.NO_HOLD_OUT
    if ratio is not None and ratio < results.SUSPICIOUS:
        return Verdict.MISTRUST
    judged = lift.revenue_each
    if judged is not None and judged.is_clear:
        return Verdict.GAIN if judged.value > 0 else Verdict.LOSS
    enough = lift.needed is not None and others.members + held_out.members >= lift.needed
    return Verdict.NO_DIFFERENCE if enough else Verdict.NOT_ENOUGH
