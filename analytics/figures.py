"""The daily figures: what each one means, and the SQL that computes a span of days from members, activities and ledger.

A day is a calendar day in the programme's time zone, and a fact belongs to the day on which it *happened*
(``occurred_at``, ``joined_at``), however late it was recorded. Money is in the base currency, points are those of the
default wallet. Per day:

    members             members enrolled by the end of the day; who closed or was erased since stays in the past's count
    new_members         members enrolled on the day
    active_members      distinct members with at least one activity of any kind on the day
    purchases           activities of kind ``purchase``
    revenue             their totals, as far as they are in the base currency
    points_issued       points granted less grants taken back: out of the account ``issued`` less back into it
    points_redeemed     points spent on rewards or donated, less what was given back on a cancellation
    points_expired      points that ran out on the day, less expiries undone
    points_adjusted     points given by staff less points taken by staff
    points_outstanding  what members held at the end of the day: available and pending less debt; it is the sum of
                        issued - redeemed - expired + adjusted over all days up to it, so it agrees with the ledger

Called by ``analytics.nightly`` only.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection

from loyalty import programme
from rewards.models import Account
from rewards.models.ledger import PROGRAMME_ACCOUNTS

DEFINITION = 1
"""Raise it when a definition above changes: every day is then computed afresh."""

_SLACK = dt.timedelta(hours=3)
"""How far a local midnight may be off when the clocks change at midnight; the day itself is compared again."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What the figures rest on beside the facts; when it changes, all days change."""

    time_zone: str
    currency: str
    definition: int = DEFINITION

    @classmethod
    def current(cls) -> "Basis":
        settings = programme.current()
        return cls(settings.time_zone, settings.base_currency)


def programme_accounts() -> dict[str, list[int]]:
    """The ids of the programme's accounts in the default wallet, by kind."""
    rows = Account.objects.filter(wallet__is_default=True, member=None).values_list("kind", "pk")
    return {str(kind): [pk for found, pk in rows if found == kind] for kind in PROGRAMME_ACCOUNTS}


_COMPUTE = """
WITH day AS (
    SELECT generate_series(%(first)s::date, %(last)s::date, '1 day')::date AS date
), newcomer AS (
    SELECT (joined_at AT TIME ZONE %(zone)s)::date AS date, count(*) AS joined
      FROM members_member WHERE joined_at >= %(since)s AND joined_at < %(until)s GROUP BY 1
), activity AS (
    SELECT (occurred_at AT TIME ZONE %(zone)s)::date AS date,
           count(DISTINCT member_id) AS active,
           count(*) FILTER (WHERE kind_id = 'purchase') AS purchases,
           sum(total) FILTER (WHERE kind_id = 'purchase' AND currency = %(currency)s) AS revenue
      FROM members_activity WHERE occurred_at >= %(since)s AND occurred_at < %(until)s GROUP BY 1
), flow AS (
    SELECT (occurred_at AT TIME ZONE %(zone)s)::date AS date,
           CASE WHEN from_account_id = ANY(%(programme)s) THEN from_account_id ELSE to_account_id END AS account,
           sum(CASE WHEN from_account_id = ANY(%(programme)s) THEN points ELSE -points END) AS paid_out
      FROM rewards_transfer
     WHERE occurred_at >= %(since)s AND occurred_at < %(until)s
       AND (from_account_id = ANY(%(programme)s) OR to_account_id = ANY(%(programme)s))
     GROUP BY 1, 2
), points AS (
    SELECT date,
           sum(paid_out) FILTER (WHERE account = ANY(%(issued)s)) AS issued,
           -sum(paid_out) FILTER (WHERE account = ANY(%(spent)s)) AS redeemed,
           -sum(paid_out) FILTER (WHERE account = ANY(%(expired)s)) AS expired,
           sum(paid_out) FILTER (WHERE account = ANY(%(adjusted)s)) AS adjusted
      FROM flow GROUP BY 1
)
INSERT INTO analytics_dailyfigures AS known (
    date, members, new_members, active_members, purchases, revenue, points_issued, points_redeemed, points_expired,
    points_adjusted, points_outstanding, definition, computed_at)
SELECT day.date, 0, coalesce(joined, 0), coalesce(active, 0), coalesce(purchases, 0), coalesce(revenue, 0),
       coalesce(issued, 0), coalesce(redeemed, 0), coalesce(expired, 0), coalesce(adjusted, 0), 0,
       %(definition)s, %(at)s
  FROM day LEFT JOIN newcomer USING (date) LEFT JOIN activity USING (date) LEFT JOIN points USING (date)
    ON CONFLICT (date) DO UPDATE SET
       new_members = excluded.new_members, active_members = excluded.active_members,
       purchases = excluded.purchases, revenue = excluded.revenue, points_issued = excluded.points_issued,
       points_redeemed = excluded.points_redeemed, points_expired = excluded.points_expired,
       points_adjusted = excluded.points_adjusted, definition = excluded.definition,
       computed_at = excluded.computed_at
 WHERE (known.new_members, known.active_members, known.purchases, known.revenue, known.points_issued,
        known.points_redeemed, known.points_expired, known.points_adjusted, known.definition)
    IS DISTINCT FROM (excluded.new_members, excluded.active_members, excluded.purchases, excluded.revenue,
        excluded.points_issued, excluded.points_redeemed, excluded.points_expired, excluded.points_adjusted,
        excluded.definition)
RETURNING date
"""

_ADD_UP = """
WITH total AS (
    SELECT date, sum(new_members) OVER upto AS members,
           sum(points_issued - points_redeemed - points_expired + points_adjusted) OVER upto AS outstanding
      FROM analytics_dailyfigures WINDOW upto AS (ORDER BY date)
)
UPDATE analytics_dailyfigures known
   SET members = total.members, points_outstanding = total.outstanding, computed_at = %(at)s
  FROM total
 WHERE total.date = known.date
   AND (known.members, known.points_outstanding) IS DISTINCT FROM (total.members, total.outstanding)
RETURNING known.date
"""


def compute(first: dt.date, last: dt.date, *, basis: Basis, at: dt.datetime) -> set[dt.date]:
    """Compute the days ``first`` to ``last`` and carry their sums on to later days; returns the days that changed.

    Two statements, whatever the number of days and facts. A row whose figures stay the same is left as it is. Call it
    inside a transaction.
    """
    accounts = programme_accounts()
    zone = basis.time_zone
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::timestamp AT TIME ZONE %s, (%s::date + 1)::timestamp AT TIME ZONE %s",
            [first, zone, last, zone],
        )
        since, until = cursor.fetchone()
        parameters: dict[str, Any] = {
            "first": first,
            "last": last,
            "since": since - _SLACK,
            "until": until + _SLACK,
            "zone": zone,
            "currency": basis.currency,
            "definition": basis.definition,
            "at": at,
            "programme": [pk for ids in accounts.values() for pk in ids],
            "issued": accounts["issued"],
            "spent": accounts["redeemed"] + accounts["donated"],
            "expired": accounts["expired"],
            "adjusted": accounts["adjusted"],
        }
        cursor.execute(_COMPUTE, parameters)
        changed = {row[0] for row in cursor.fetchall()}
        cursor.execute(_ADD_UP, {"at": at})
        return changed | {row[0] for row in cursor.fetchall()}
