"""What a campaign was worth: those written to beside those held out, by intention to treat.

A member counts once, on the side they were first assigned to, from the moment the message was due: whether it went out,
bounced or was never opened. A goal counts when it happened within the window after any of the campaign's messages to
that member, or the moments when one held-out member would have had theirs. Revenue is that of purchases in the base
currency in those windows, less their refunds. Costs are the points given (at what a point costs), the vouchers used and
the sending. Definitions follow the house's table of figures (campaign lift): the pooled z test, Newcombe's interval,
incremental = difference x treated, and a sample-ratio check beside it.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from campaigns.experiments import statistics
from campaigns.experiments.assignment import hold_out_percent_of
from campaigns.experiments.figures import VERSION, Comparison, Figures, Side, Verdict
from campaigns.experiments.share_sql import share_sql
from campaigns.experiments.statistics import Sample, Share
from campaigns.models import Campaign, CampaignResult, Message, SendingPolicy, Variant
from loyalty import conditions, programme
from members.models import Activity
from rewards.models import Redemption, Refund, Voucher, VoucherUse

TREATED, HELD_OUT = Message.Arm.TREATED.value, Message.Arm.HELD_OUT.value
SUSPICIOUS = 0.001
"""A sample ratio less likely than this is no accident."""
WORTH_SEEING = 0.2
"""How much of the held-out rate a lift has to be to be worth waiting for: the size needed is for such a one."""
VOUCHERS_OF = "campaigns.message"

_EXPOSED = f"""
exposed AS MATERIALIZED (
    SELECT member_id, arm, variant_id, due_at AS starts,
           status = 'sent' AS reached, opened_at IS NOT NULL AS opened, clicked_at IS NOT NULL AS clicked,
           CASE WHEN arm = '{TREATED}' THEN points ELSE 0 END AS points, cost
      FROM {Message._meta.db_table}
     WHERE campaign_id = %(campaign)s AND arm IN ('{TREATED}', '{HELD_OUT}') AND due_at <= %(at)s
       AND (%(until)s::timestamptz IS NULL
            OR created_at < %(until)s AND {share_sql("%(test_key)s", "member_id")} < %(test)s)
),
unit AS MATERIALIZED (
    SELECT member_id, (array_agg(arm ORDER BY starts))[1] AS arm,
           (array_agg(variant_id ORDER BY starts))[1] AS variant_id, max(starts) AS last,
           bool_or(reached) AS reached, bool_or(opened) AS opened, bool_or(clicked) AS clicked,
           sum(points) AS points, sum(cost) AS cost
      FROM exposed GROUP BY member_id
)"""  # noqa: S608  (table names only)

_BOUGHT = f"""
bought AS MATERIALIZED (
    SELECT DISTINCT purchase.id, purchase.member_id, purchase.total
      FROM exposed
      JOIN {Activity._meta.db_table} AS purchase
        ON purchase.member_id = exposed.member_id AND purchase.kind_id = 'purchase'
       AND purchase.occurred_at >= exposed.starts AND purchase.occurred_at < exposed.starts + %(window)s
       AND purchase.occurred_at <= %(at)s AND purchase.currency = %(currency)s
),
spent AS (
    SELECT bought.member_id, sum(bought.total - coalesce(back.amount, 0)) AS revenue
      FROM bought
      LEFT JOIN (SELECT activity_id, sum(amount) AS amount FROM {Refund._meta.db_table}
                  WHERE activity_id IN (SELECT id FROM bought) AND status = 'posted' AND occurred_at <= %(at)s
                  GROUP BY activity_id) AS back ON back.activity_id = bought.id
     GROUP BY bought.member_id
)"""  # noqa: S608  (table names only)

_DID = {
    "activity": f"""SELECT DISTINCT did.member_id FROM exposed
      JOIN {Activity._meta.db_table} AS did
        ON did.member_id = exposed.member_id AND did.kind_id = %(kind)s
       AND did.occurred_at >= exposed.starts AND did.occurred_at < exposed.starts + %(window)s
       AND did.occurred_at <= %(at)s {{among}}""",  # noqa: S608  (table names only)
    "redemption": f"""SELECT DISTINCT did.member_id FROM exposed
      JOIN {Redemption._meta.db_table} AS did
        ON did.member_id = exposed.member_id AND did.state <> 'cancelled'
       AND did.redeemed_at >= exposed.starts AND did.redeemed_at < exposed.starts + %(window)s
       AND did.redeemed_at <= %(at)s""",  # noqa: S608
    "click": "SELECT member_id FROM unit WHERE clicked",
}

_VOUCHERS = f"""
vouchers AS (
    SELECT message.member_id, sum(used.amount) AS amount
      FROM {Message._meta.db_table} AS message
      JOIN {Voucher._meta.db_table} AS voucher
        ON voucher.source = '{VOUCHERS_OF}' AND voucher.source_id = message.id
      JOIN {VoucherUse._meta.db_table} AS used ON used.voucher_id = voucher.id AND used.state = 'redeemed'
     WHERE message.campaign_id = %(campaign)s
     GROUP BY message.member_id
)"""  # noqa: S608  (table names only)

_SIDES = """
WITH {exposed}, {bought}, did AS ({did}), {vouchers}
SELECT unit.arm, unit.variant_id, count(*), count(*) FILTER (WHERE unit.reached),
       count(*) FILTER (WHERE unit.opened), count(*) FILTER (WHERE unit.clicked), count(did.member_id),
       coalesce(sum(spent.revenue), 0), coalesce(sum(spent.revenue * spent.revenue), 0),
       coalesce(sum(unit.points), 0), coalesce(sum(unit.cost), 0), coalesce(sum(vouchers.amount), 0),
       count(*) FILTER (WHERE unit.last + %(window)s > %(at)s)
  FROM unit
  LEFT JOIN spent USING (member_id)
  LEFT JOIN did USING (member_id)
  LEFT JOIN vouchers USING (member_id)
 GROUP BY unit.arm, unit.variant_id
"""


@dataclass(frozen=True, slots=True)
class Count:
    """What the database counted on one side; sides are added up."""

    members: int = 0
    reached: int = 0
    opened: int = 0
    clicked: int = 0
    conversions: int = 0
    revenue: float = 0
    squares: float = 0
    points: int = 0
    sending: float = 0
    vouchers: float = 0
    open_windows: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def share(self) -> Share:
        return Share(self.conversions, self.members)

    @property
    def money(self) -> Sample:
        return Sample(self.members, self.revenue, self.squares)


def compute(campaign: Campaign, *, at: dt.datetime) -> Figures:
    """The result as of ``at``: two or three statements, whatever the number of recipients.

    Once a variant has won, the variants are compared by those only whom they were tried on: whoever gets the winner
    later was not drawn for it, and counts with all written to alone.
    """
    counts = _counts(campaign, at=at)
    policy = SendingPolicy.objects.get(pk=1)
    variants = list(campaign.variants.order_by("code"))
    treated = sum((count for (arm, _variant), count in counts.items() if arm == TREATED), Count())
    held = sum((count for (arm, _variant), count in counts.items() if arm == HELD_OUT), Count())
    tried = counts if campaign.winner_chosen_at is None else _counts(campaign, at=at, tried_only=True)
    by_variant = [(each, tried.get((TREATED, each.pk), Count())) for each in variants]
    prices = Prices(policy)
    lift = _compare("treated", treated, held, prices, campaign)
    ratio = _sample_ratio(campaign, treated, held, by_variant)
    return Figures(
        computed_at=at,
        goal=campaign.goal,
        goal_days=campaign.goal_days,
        verdict=_verdict(campaign.goal, lift, treated, held, ratio),
        treated=_side("treated", "", treated, prices),
        held_out=_side("held_out", "", held, prices),
        variants=tuple(_side(each.code, each.name, count, prices) for each, count in by_variant),
        lift=lift,
        against_held_out=tuple(
            _compare(each.code, count, held, prices, campaign) for each, count in by_variant
        ),
        variants_p=_between([count for _variant, count in by_variant]),
        sample_ratio_p=ratio,
        open_windows=treated.open_windows + held.open_windows,
        not_in_experiment=Message.objects.filter(campaign=campaign, arm=Message.Arm.NONE).count(),
        is_final=_is_final(campaign, treated, held),
        of_trial_only=campaign.winner_chosen_at is not None,
    )


def keep(campaign: Campaign, *, at: dt.datetime) -> CampaignResult:
    """Compute the result and keep it; earlier ones stay, so that what was once shown can be found again."""
    figures = compute(campaign, at=at)
    return CampaignResult.objects.create(
        campaign=campaign,
        computed_at=at,
        version=VERSION,
        is_final=figures.is_final,
        figures=figures.as_json(),
    )


def latest(campaign: Campaign) -> CampaignResult | None:
    """The newest kept result of the present definitions."""
    return campaign.results.filter(version=VERSION).first()


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in the base currency."""

    policy: SendingPolicy

    def cost(self, count: Count) -> float:
        return count.points * float(self.policy.value_of_a_point) + count.sending + count.vouchers

    def margin(self, revenue: float) -> float:
        return revenue * float(self.policy.margin_percent) / 100


def _counts(
    campaign: Campaign, *, at: dt.datetime, tried_only: bool = False
) -> dict[tuple[str, int | None], Count]:
    """By arm and variant; ``tried_only``: of those among whom the variants were drawn, before one of them won."""
    is_part = campaign.kind == Campaign.Kind.ONE_OFF and bool(campaign.winner_by)
    parameters: dict[str, Any] = {
        "until": campaign.winner_chosen_at if tried_only else None,
        "test_key": f"{campaign.public_id}:test",
        "test": campaign.test_percent / 100 if is_part else 1.0,
        "campaign": campaign.pk,
        "at": at,
        "window": dt.timedelta(days=campaign.goal_days),
        "currency": programme.current().base_currency,
    }
    did, more = _goal(campaign, at=at)
    statement = _SIDES.format(exposed=_EXPOSED, bought=_BOUGHT, did=did, vouchers=_VOUCHERS)
    with connection.cursor() as cursor:
        cursor.execute(statement, {**parameters, **more})
        rows = cursor.fetchall()
    return {(arm, variant): Count(*(_plain(figure) for figure in rest)) for arm, variant, *rest in rows}


def _plain(figure: Any) -> Any:
    return float(figure) if isinstance(figure, Decimal) else figure


def _goal(campaign: Campaign, *, at: dt.datetime) -> tuple[str, Mapping[str, Any]]:
    """The query of the members who did what the campaign was for, with its parameters."""
    match campaign.goal:
        case Campaign.Goal.REDEMPTION:
            return _DID["redemption"], {}
        case Campaign.Goal.CLICK:
            return _DID["click"], {}
        case Campaign.Goal.VISIT:
            return _DID["activity"].format(among=""), {"kind": "visit"}
    if not campaign.goal_conditions:
        return _DID["activity"].format(among=""), {"kind": "purchase"}
    condition = conditions.parse(campaign.goal_conditions, "purchase", check_choices=False)
    found = condition.filter(Activity.objects.filter(kind="purchase"), at=at, many=True)
    sql, values = found.order_by().values("pk").query.sql_with_params()
    named = {f"goal_{number}": value for number, value in enumerate(values)}
    places = tuple(f"%({name})s" for name in named)
    return _DID["activity"].format(among=f"AND did.id IN ({sql % places})"), {"kind": "purchase", **named}


def _side(code: str, name: str, count: Count, prices: Prices) -> Side:
    return Side(
        code=code,
        name=name,
        members=count.members,
        reached=count.reached,
        opened=count.opened,
        clicked=count.clicked,
        conversions=count.conversions,
        rate=count.share.rate,
        rate_interval=statistics.wilson(count.share),
        revenue=count.revenue,
        revenue_each=count.money.mean,
        cost=prices.cost(count),
    )


def _compare(code: str, side: Count, held: Count, prices: Prices, campaign: Campaign) -> Comparison:
    rate = statistics.difference_of_shares(side.share, held.share)
    money = statistics.difference_of_means(side.money, held.money)
    revenue = None if money is None else money.value * side.members
    margin = None if revenue is None else prices.margin(revenue)
    cost = prices.cost(side)
    profit = None if margin is None else margin - cost
    return Comparison(
        code=code,
        rate=rate,
        revenue_each=money,
        incremental=None if rate is None else rate.value * side.members,
        incremental_interval=None if rate is None else rate.interval.times(side.members),
        revenue=revenue,
        revenue_interval=None if money is None else money.interval.times(side.members),
        margin=margin,
        cost=cost,
        profit=profit,
        roi=None if profit is None or not cost else profit / cost,
        needed=_needed(side, held, campaign),
    )


def _needed(side: Count, held: Count, campaign: Campaign) -> int | None:
    """How many members it takes to see a lift of a fifth of what is without it, at the hold-out there is."""
    both = side.members + held.members
    if not both:
        return None
    share = held.members / both if held.members else float(hold_out_percent_of(campaign)) / 100
    if campaign.goal == Campaign.Goal.SPEND:
        spent = side.money + held.money
        mean = held.money.mean or side.money.mean or 0
        return statistics.size_needed_for_means(
            variance=spent.variance, lift=mean * WORTH_SEEING, held_out=share
        )
    base = held.share.rate or side.share.rate or 0
    return statistics.size_needed(base=base, lift=min(base * WORTH_SEEING, 1 - base), held_out=share)


def _verdict(goal: str, lift: Comparison, treated: Count, held: Count, ratio: float | None) -> Verdict:
    if not treated.members and not held.members:
        return Verdict.NOBODY
    if not held.members:
        return Verdict.NO_HOLD_OUT
    if ratio is not None and ratio < SUSPICIOUS:
        return Verdict.MISTRUST
    judged = lift.revenue_each if goal == Campaign.Goal.SPEND else lift.rate
    if judged is not None and judged.is_clear:
        return Verdict.GAIN if judged.value > 0 else Verdict.LOSS
    enough = lift.needed is not None and treated.members + held.members >= lift.needed
    return Verdict.NO_DIFFERENCE if enough else Verdict.NOT_ENOUGH


def _sample_ratio(
    campaign: Campaign, treated: Count, held: Count, by_variant: Sequence[tuple[Variant, Count]]
) -> float | None:
    """The least likely of two checks: written to beside held out, and the variants among each other.

    Once a winner was chosen the variants are no longer divided by weight, and only the first is checked.
    """
    held_share = float(hold_out_percent_of(campaign))
    found = [statistics.sample_ratio([treated.members, held.members], [100 - held_share, held_share])]
    if campaign.winner_id is None:
        found.append(
            statistics.sample_ratio(
                [count.members for _variant, count in by_variant],
                [each.weight for each, _count in by_variant],
            )
        )
    return min((p for p in found if p is not None), default=None)


def _between(counts: Sequence[Count]) -> float | None:
    """The p-value of the two best variants being alike."""
    with_members = sorted((each for each in counts if each.members), key=lambda each: each.share.rate or 0)
    if len(with_members) < 2:
        return None
    found = statistics.difference_of_shares(with_members[-1].share, with_members[-2].share)
    return found.p if found else None


def _is_final(campaign: Campaign, treated: Count, held: Count) -> bool:
    ended = campaign.status in {Campaign.Status.SENT, Campaign.Status.CANCELLED, Campaign.Status.FAILED}
    return ended and not treated.open_windows + held.open_windows
