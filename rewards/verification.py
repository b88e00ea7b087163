"""The ledger proves itself: the invariants A to E and H, each a query that must find nothing.

Called by ``manage.py verify_ledger`` and by the tests, after every step of theirs. Reads only.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from loyalty.prepared import fetch_prepared
from members.models import TierChange
from rewards import terms, tier_rules, tier_sums
from rewards.causes.verification import CHECKS as CAUSE_CHECKS
from rewards.challenges.verification import CHECKS as CHALLENGE_CHECKS
from rewards.draws.verification import CHECKS as DRAW_CHECKS
from rewards.tier_rules import Calendar, Held, Hold
from rewards.vouchers.verification import CHECKS as VOUCHER_CHECKS


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant: which one, in which table, its id, and what is wrong."""

    invariant: str
    table: str
    row: int
    problem: str


@dataclass(frozen=True, slots=True)
class Check:
    """One query for broken rows: (table row id, found, expected) each; ``problem`` is filled with the latter two."""

    invariant: str
    table: str
    problem: str
    sql: str


CHECKS = (
    Check(
        "A",
        "rewards_account",
        "the cached balance is {found}, its transfers sum to {expected}",
        """
        SELECT a.id, a.balance, coalesce(m.points, 0) FROM rewards_account a LEFT JOIN (
            SELECT account_id, sum(points) AS points FROM (
                SELECT to_account_id AS account_id, points FROM rewards_transfer
                UNION ALL SELECT from_account_id, -points FROM rewards_transfer) sides GROUP BY account_id
        ) m ON m.account_id = a.id
        WHERE a.member_id IS NOT NULL AND a.balance IS DISTINCT FROM coalesce(m.points, 0)
        """,
    ),
    Check(
        "A",
        "rewards_transfer",
        "it moves {found} points between accounts of wallets or members that do not go together",
        """
        SELECT t.id, t.points, 0 FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id JOIN rewards_account o ON o.id = t.to_account_id
        WHERE f.wallet_id <> o.wallet_id OR t.points <= 0 OR f.id = o.id
           OR NOT (f.member_id = t.member_id OR o.member_id = t.member_id OR coalesce(f.member_id, o.member_id) IS NULL)
        """,
    ),
    Check(
        "B",
        "rewards_lot",
        "{found} points remain, but its points less its allocations are {expected}",
        """
        SELECT l.id, l.remaining, l.points - coalesce(sum(a.points), 0)
        FROM rewards_lot l LEFT JOIN rewards_allocation a ON a.lot_id = l.id GROUP BY l.id
        HAVING l.remaining <> l.points - coalesce(sum(a.points), 0) OR l.remaining < 0 OR l.remaining > l.points
        """,
    ),
    Check(
        "B",
        "rewards_lot",
        "it holds {found} points, but the transfer that opened it moved {expected} into its account",
        """
        SELECT l.id, l.points, CASE WHEN t.to_account_id = l.account_id THEN t.points ELSE 0 END
        FROM rewards_lot l JOIN rewards_transfer t ON t.id = l.transfer_id
        WHERE l.points <> t.points OR l.account_id <> t.to_account_id OR l.member_id <> t.member_id
        """,
    ),
    Check(
        "B",
        "rewards_account",
        "its balance is {found}, what remains of its lots is {expected}",
        """
        SELECT a.id, a.balance, coalesce(sum(l.remaining), 0)
        FROM rewards_account a LEFT JOIN rewards_lot l ON l.account_id = a.id AND l.remaining > 0
        WHERE a.kind IN ('available', 'pending') GROUP BY a.id HAVING a.balance <> coalesce(sum(l.remaining), 0)
        """,
    ),
    Check(
        "B",
        "rewards_transfer",
        "it moved {found} points out of or back into lots, but its allocations sum to {expected}",
        """
        SELECT t.id, t.points, coalesce(sum(a.points), 0) FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id JOIN rewards_account o ON o.id = t.to_account_id
        LEFT JOIN rewards_allocation a ON a.transfer_id = t.id
        GROUP BY t.id, f.kind, o.kind
        HAVING coalesce(sum(a.points), 0) <> CASE
            WHEN f.kind IN ('available', 'pending') THEN t.points
            WHEN t.kind = 'reverse' AND o.kind = 'available' THEN -t.points ELSE 0 END
        """,
    ),
    Check(
        "B",
        "rewards_lot",
        "it expires at {found} instead of {expected}, and no activity of its member nor a grace proves the move",
        """
        SELECT l.id, l.expires_at, l.granted_expiry FROM rewards_lot l
        WHERE l.granted_expiry IS NOT NULL AND (l.expires_at IS NULL OR l.expires_at <= l.granted_expiry OR NOT EXISTS (
            SELECT 1 FROM rewards_expiryslide s JOIN members_activity a ON a.id = s.activity_id
            WHERE s.member_id = l.member_id AND s.policy_id = l.expiry_policy_id AND s.expires_at = l.expires_at
              AND a.member_id = s.member_id AND a.occurred_at = s.active_at AND s.active_at < s.expires_at
            UNION ALL SELECT 1 FROM rewards_lotgrace g JOIN rewards_transfer r ON r.id = g.transfer_id
            JOIN rewards_transfer o ON o.id = r.reverses_id JOIN rewards_allocation a ON a.transfer_id = r.id
            WHERE g.lot_id = l.id AND g.until = l.expires_at AND a.lot_id = l.id AND a.points < 0
              AND o.occurred_at < g.expired_at AND g.expired_at <= r.occurred_at))
        """,
    ),
    Check(
        "A",
        "rewards_gift",
        "it moved {found} points, expected {expected} out of the giver and as many into the receiver",
        """
        SELECT coalesce(g.id, m.gift_id), coalesce(m.taken, 0)::text || ' and ' || coalesce(m.given, 0)::text, g.points
        FROM rewards_gift g FULL JOIN (
            SELECT t.source_id AS gift_id, sum(t.points) FILTER (WHERE o.kind = 'moved') AS taken,
                   sum(t.points) FILTER (WHERE f.kind = 'moved') AS given,
                   max(f.member_id) FILTER (WHERE o.kind = 'moved') AS giver_id,
                   max(o.member_id) FILTER (WHERE f.kind = 'moved') AS receiver_id,
                   count(DISTINCT t.member_id) AS members
            FROM rewards_transfer t
            JOIN rewards_account f ON f.id = t.from_account_id JOIN rewards_account o ON o.id = t.to_account_id
            WHERE f.kind = 'moved' OR o.kind = 'moved' GROUP BY t.source_id
        ) m ON m.gift_id = g.id
        WHERE g.id IS NULL OR m.taken IS DISTINCT FROM g.points OR m.given IS DISTINCT FROM g.points
           OR m.giver_id IS DISTINCT FROM g.giver_id OR m.receiver_id IS DISTINCT FROM g.receiver_id OR m.members <> 2
        """,
    ),
    Check(
        "C",
        "rewards_transfer",
        "{found} of its {expected} points are reversed",
        """
        SELECT t.id, sum(r.points), t.points FROM rewards_transfer r JOIN rewards_transfer t ON t.id = r.reverses_id
        GROUP BY t.id HAVING sum(r.points) > t.points OR bool_or(r.member_id <> t.member_id)
            OR bool_or(r.kind <> 'reverse') OR t.kind = 'reverse'
        """,
    ),
    Check(
        "H",
        "rewards_rewardstock",
        "{found} pieces are taken, its redemptions that hold are {expected}",
        """
        SELECT s.id, s.taken || ' of ' || s.total, count(r.id)
        FROM rewards_rewardstock s LEFT JOIN rewards_redemption r
          ON r.stock_id = s.id AND r.state IN ('reserved', 'issued', 'fulfilled')
        GROUP BY s.id HAVING s.taken <> count(r.id) OR s.taken > s.total
        """,
    ),
    Check(
        "H",
        "rewards_redemption",
        "it moved {found} points out of its member's account, expected {expected}",
        """
        SELECT r.id, t.points, r.points FROM rewards_redemption r
        JOIN rewards_transfer t ON t.id = r.transfer_id
        JOIN rewards_account f ON f.id = t.from_account_id JOIN rewards_account o ON o.id = t.to_account_id
        WHERE t.points <> r.points OR t.member_id <> r.member_id OR f.member_id IS DISTINCT FROM r.member_id
           OR f.kind <> 'available' OR f.wallet_id <> r.wallet_id OR o.kind NOT IN ('redeemed', 'donated')
        """,
    ),
    Check(
        "H",
        "rewards_redemption",
        "{found} of its points came back, expected {expected}",
        """
        SELECT r.id, coalesce(sum(t.points), 0),
               CASE WHEN r.state IN ('cancelled', 'expired') THEN r.points ELSE 0 END
        FROM rewards_redemption r LEFT JOIN rewards_transfer t ON t.reverses_id = r.transfer_id
        GROUP BY r.id HAVING coalesce(sum(t.points), 0) <>
            CASE WHEN r.state IN ('cancelled', 'expired') THEN r.points ELSE 0 END OR count(t.id) > 1
        """,
    ),
    Check(
        "H",
        "rewards_redemption",
        "its state is {found}, its steps lead to {expected}",
        """
        SELECT r.id, r.state, coalesce(last.to_state, 'none')
        FROM rewards_redemption r LEFT JOIN LATERAL (
            SELECT s.to_state FROM rewards_redemptionstep s WHERE s.redemption_id = r.id ORDER BY s.id DESC LIMIT 1
        ) last ON true
        WHERE r.state IS DISTINCT FROM last.to_state
        UNION ALL
        SELECT redemption_id, from_state, came_from FROM (
            SELECT redemption_id, from_state,
                   coalesce(lag(to_state) OVER (PARTITION BY redemption_id ORDER BY id), '') AS came_from
            FROM rewards_redemptionstep) steps WHERE from_state <> came_from
        """,
    ),
    Check(
        "E",
        "members_activity",
        "its external id stands {found} times, expected {expected}",
        """
        SELECT min(id), count(*), 1 FROM members_activity GROUP BY partner_id, external_id HAVING count(*) > 1
        """,
    ),
    Check(
        "E",
        "rewards_transfer",
        "its activity was granted by the same rule revision {found} times, expected {expected}",
        """
        SELECT min(id), count(*), 1 FROM rewards_transfer
        WHERE kind IN ('earn', 'repayment') AND activity_id IS NOT NULL
        GROUP BY activity_id, rule_revision_id, kind HAVING count(*) > 1
        """,
    ),
    Check(
        "E",
        "rewards_transfer",
        "its occasion has {found} effects, expected {expected}",
        """
        SELECT min(id), count(*), 1 FROM rewards_transfer WHERE occasion IS NOT NULL
        GROUP BY occasion, kind HAVING count(*) > 1
        """,
    ),
)

_JUDGEMENTS = """
SELECT m.id, m.tier_id, m.tier_as_of, m.tier_transfer_id, m.tier_activity_id, m.tier_refund_id, m.joined_at,
       hold.id, hold.tier_id, hold.kind, hold.set_at, ended.member_id IS NOT NULL,
       last.from_tier_id, last.to_tier_id, last.reason, last.changed_at, before.reason, before.changed_at
FROM members_member m
LEFT JOIN LATERAL (
    SELECT h.id, h.tier_id, h.kind, h.set_at FROM members_tierhold h
    WHERE h.member_id = m.id AND h.set_at <= m.tier_as_of
      AND (least(h.until, h.ended_at) IS NULL OR least(h.until, h.ended_at) > m.tier_as_of)
    ORDER BY h.id DESC LIMIT 1
) hold ON true
LEFT JOIN LATERAL (
    SELECT h.member_id FROM members_tierhold h
    WHERE h.member_id = m.id AND least(h.until, h.ended_at) > m.tier_as_of AND least(h.until, h.ended_at) <= %(at)s
    LIMIT 1
) ended ON true
LEFT JOIN LATERAL (
    SELECT c.id, c.from_tier_id, c.to_tier_id, c.reason, c.changed_at FROM members_tierchange c
    WHERE c.member_id = m.id ORDER BY c.id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT c.reason, c.changed_at FROM members_tierchange c
    WHERE c.member_id = m.id AND c.id < last.id ORDER BY c.id DESC LIMIT 1
) before ON true
WHERE m.status <> 'erased' AND m.id > %(after)s ORDER BY m.id LIMIT %(limit)s
"""
_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Judgement:
    """The last time that a member's tier was judged: what was held before, and what was known."""

    member_id: int
    tier_id: int
    as_of: dt.datetime
    known: tier_sums.Known
    calendar: Calendar
    before: Held
    by_history: int
    hold_ended_since: bool


_of_floors_above: list[Check] = []


def add_checks(checks: Iterable[Check]) -> None:
    """Let a floor above have its own rows checked against the books; again changes nothing."""
    _of_floors_above.extend(check for check in checks if check not in _of_floors_above)


def verify(*, at: dt.datetime) -> list[Violation]:
    """Every row that breaks an invariant, as of ``at``; empty when the ledger is sound.

    A: cached balances equal their transfers. B: lots equal points less allocations, and make up the balances.
    C: reversals never exceed what they reverse. D: tiers equal their recomputation. E: each effect at most once.
    H: pieces taken equal the redemptions that hold; points come back exactly once where one ended;
    what vouchers are worth, causes were given, draws have published and challenges gave agrees with its rows.
    """
    return [*verify_points(at=at), *_broken_rows(_OF_REWARDS), *_broken_rows(_of_floors_above)]


def verify_points(*, at: dt.datetime) -> list[Violation]:
    """The same of transfers, lots, balances, tiers and redemptions alone, for who asks after every step."""
    return [*_broken_rows(CHECKS), *_broken_tiers(at)]


_OF_REWARDS = tuple(
    Check("H", each.table, each.problem, each.sql)
    for each in (*VOUCHER_CHECKS, *CAUSE_CHECKS, *DRAW_CHECKS, *CHALLENGE_CHECKS)
)


def _broken_rows(checks: Iterable[Check]) -> Iterator[Violation]:
    for check in checks:
        for row, found, expected in fetch_prepared(check.sql.replace("%", "%%"), ()):
            problem = check.problem.format(found=found, expected=expected)
            yield Violation(check.invariant, check.table, row, problem)


def _rows(sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _broken_tiers(at: dt.datetime) -> Iterator[Violation]:
    """Tiers that are not what the last judgement has to have made of them, or lower than what counts today gives."""
    known, after = terms.current(), 0
    while rows := _rows(_JUDGEMENTS, {"at": at, "after": after, "limit": _AT_ONCE}):
        judgements = [_judgement(row, known) for row in rows]
        after = judgements[-1].member_id
        then = _amounts(judgements, known, at=None)
        now = _amounts(judgements, known, at=at)
        for each, counted, counts in zip(judgements, then, now, strict=True):
            yield from _broken_tier(each, counted, counts, known, at=at)


def _judgement(row: tuple[Any, ...], known: terms.Terms) -> Judgement:
    member_id, tier_id, as_of, transfer_id, activity_id, refund_id, joined_at = row[:7]
    hold_id, held_tier, kind, set_at, hold_ended = row[7:12]
    from_tier, to_tier, reason, changed_at, earlier_reason, earlier_at = row[12:]
    moved = changed_at == as_of and from_tier is not None
    step = (earlier_reason, earlier_at) if moved else (reason, changed_at)
    before = Held(
        tier_id=from_tier if moved else to_tier or tier_id,
        hold=Hold(held_tier, kind, set_at, hold_id) if hold_id else None,
        stepped_at=step[1] if step[0] == TierChange.Reason.STEPPED else None,
    )
    return Judgement(
        member_id=member_id,
        tier_id=tier_id,
        as_of=as_of,
        known=tier_sums.Known(transfer_id, activity_id, refund_id),
        calendar=Calendar(known.time_zone, joined_at),
        before=before,
        by_history=to_tier or tier_id,
        hold_ended_since=hold_ended,
    )


def _amounts(
    judgements: Sequence[Judgement], known: terms.Terms, *, at: dt.datetime | None
) -> list[tier_rules.Amount]:
    """What counted at each judgement, of what was known then; or, with ``at``, what counts now."""
    asks = []
    for each in judgements:
        moment = at or each.as_of
        rules = known.tiers_at(moment)
        seen = tier_sums.EVERYTHING if at else each.known
        look = tier_rules.look(rules, moment, each.calendar, open_end=True)
        asks.append(tier_sums.Ask(each.member_id, rules.basis, look, seen))
    return tier_sums.amounts(asks, currency=known.base_currency)


def _broken_tier(
    each: Judgement,
    then: tier_rules.Amount,
    now: tier_rules.Amount,
    known: terms.Terms,
    *,
    at: dt.datetime,
) -> Iterator[Violation]:
    def broken(problem: str) -> Violation:
        return Violation("D", "members_member", each.member_id, problem)

    rules, name = known.tiers_at(each.as_of), known.tier_names[each.tier_id][0]
    decision = tier_rules.decide(rules, each.before, then, at=each.as_of, calendar=each.calendar)
    if decision.level.tier_id != each.tier_id:
        yield broken(f"the tier is {name}, {then} qualifying {rules.basis} give {decision.level.code}")
    elif each.by_history != each.tier_id:
        yield broken(f"the tier is {name}, its history ends with {known.tier_names[each.by_history][0]}")
    elif known.tiers_at(at) is rules and not each.hold_ended_since:
        held = Held(each.tier_id, each.before.hold)
        due = tier_rules.decide(rules, held, now, at=at, calendar=each.calendar).level
        if due.threshold > rules.level_of(each.tier_id).threshold:
            yield broken(f"the tier is {name}, {now} qualifying {rules.basis} give {due.code}")
