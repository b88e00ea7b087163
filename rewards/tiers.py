"""Tiers at a purchase: which one the member held, and promotion at once. The rest is ``tier_review``'s.

The tier held at a moment is the higher of what the history says (a tier is kept until the nightly review takes it)
and what the amount that counts at that moment gives; so a late or imported purchase is judged as it would have been
then. How it is judged stands in ``tier_rules``, how it is summed in ``tier_sums``. Called by ``earning`` under the
members' account locks.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection

from loyalty.events import bus
from loyalty.prepared import array, fetch_prepared
from members.activities import NewActivity
from members.models import Member, TierChange
from members.tiers import TierMove
from rewards import terms, tier_sums
from rewards.terms import Level, Terms, TierRules
from rewards.tier_rules import (
    Amount,
    Basis,
    Calendar,
    Entry,
    Hold,
    Look,
    highest,
    look,
)
from rewards.tier_sums import Ask, Known

Reason = TierChange.Reason


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment at which a member's tier is asked for."""

    member_id: int
    at: dt.datetime


@dataclass(slots=True)
class Counted:
    """What counts at a moment, as the database has it: a sum for each span, or the entries of a sliding window."""

    look: Look
    sums: list[Amount]
    entries: list[Entry] = field(default_factory=list)

    def amount(self, fresh: Iterable[Entry] = ()) -> Amount:
        """The amount that counts, together with ``fresh`` entries."""
        if self.look.slide is not None:
            return highest(self.look, [*self.entries, *fresh])
        return max(
            total
            + sum(
                entry.value
                for entry in fresh
                if span.since < entry.at and (span.until is None or entry.at <= span.until)
            )
            for span, total in zip(self.look.spans, self.sums, strict=True)
        )


@dataclass(slots=True)
class Standing:
    """What is known of a member's tier under lock, kept up to date while a batch is judged.

    ``now`` is what counts now; ``then`` what counted at past moments asked for. ``fresh`` are the qualifying points
    granted in this batch, not yet in the sums read from the ledger; ``bought`` the purchases of this batch.
    """

    tier_id: int
    since: dt.datetime
    now: Counted | None = None
    then: dict[dt.datetime, Counted] = field(default_factory=dict)
    history: tuple[tuple[dt.datetime, int], ...] = ()
    fresh: list[tuple[dt.datetime, int]] = field(default_factory=list)
    bought: list[tuple[dt.datetime, Decimal]] = field(default_factory=list)
    hold: Hold | None = None
    known: Known = field(default_factory=lambda: Known(0, 0, 0))

    def note_purchase(self, new: NewActivity, currency: str) -> None:
        """Remember a purchase of this batch, for tiers by spend or purchases; call once it was judged."""
        if new.kind == "purchase":
            self.bought.append((new.occurred_at, new.total if new.currency == currency else Decimal(0)))

    def fresh_entries(self, basis: str) -> list[Entry]:
        """What this batch adds to the amount."""
        if basis == Basis.POINTS:
            return [Entry(at, points) for at, points in self.fresh]
        return [Entry(at, total if basis == Basis.SPEND else 1) for at, total in self.bought]

    def amount(self, counted: Counted | None, basis: str) -> Amount:
        fresh = self.fresh_entries(basis)
        return sum(entry.value for entry in fresh) if counted is None else counted.amount(fresh)


# LIMIT has each member found by the key, whatever PostgreSQL knows or does not know of the table yet.
_SUMS = """
SELECT asked.n, m.id, m.tier_id, m.tier_since, (
    SELECT coalesce(sum(CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END), 0)
    FROM rewards_transfer t
    WHERE t.member_id = m.id AND t.qualifies_at > asked.since
      AND (asked.until IS NULL OR t.qualifies_at <= asked.until)
)::bigint, hold.id, hold.tier_id, hold.kind, hold.set_at, (SELECT terms_version FROM loyalty_programme WHERE id = 1)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) WITH ORDINALITY AS asked(member_id, since, until, n)
JOIN LATERAL (SELECT id, tier_id, tier_since FROM members_member WHERE id = asked.member_id LIMIT 1) m ON true
LEFT JOIN members_tierhold hold
    ON hold.member_id = m.id AND hold.ended_at IS NULL AND (hold.until IS NULL OR hold.until > %s)
ORDER BY asked.n
"""


def standings(
    members: Iterable[int], moments: Iterable[Moment], *, at: dt.datetime, recording: Iterable[int] = ()
) -> tuple[dict[int, Standing], Terms]:
    """The standing of each member now and at the moments asked for, and the terms in force; usually one statement.

    ``recording`` are the activities of this batch, recorded already but not to be counted yet. Call under the members'
    account locks: then no other transaction changes what is read here.
    """
    asked = list(dict.fromkeys(moments))
    present = list(dict.fromkeys(members))
    known = terms.kept()
    found, version = _read_standings(present, asked, known, recording, at=at)
    if version != known.version:
        known = terms.current(version)
        found, _version = _read_standings(present, asked, known, recording, at=at)
    _read_history(found, asked)
    return found, known


def _read_standings(
    members: Sequence[int],
    asked: Sequence[Moment],
    known: Terms,
    recording: Iterable[int],
    *,
    at: dt.datetime,
) -> tuple[dict[int, Standing], int]:
    """Sums up to each moment asked for, and for each member of what counts now; and the version of the terms."""
    rules = known.tiers_at(at)
    places: list[tuple[int, dt.datetime | None, TierRules]] = [(each, None, rules) for each in members]
    places += [(each.member_id, each.at, known.tiers_at(each.at)) for each in asked]
    calendars = calendars_of(members, known, [rules for _id, _at, rules in places])
    counted = [
        Counted(look(rules, moment or at, calendars[member_id], open_end=moment is None), [])
        for member_id, moment, rules in places
    ]
    found, version = _read_points(places, counted, at=at)
    _read_others(found, places, counted, known, list(recording))
    for (member_id, moment, _rules), each in zip(places, counted, strict=True):
        if moment is None:
            found[member_id].now = each
        else:
            found[member_id].then[moment] = each
    return found, version


def _read_points(
    places: Sequence[tuple[int, dt.datetime | None, TierRules]],
    counted: Sequence[Counted],
    *,
    at: dt.datetime,
) -> tuple[dict[int, Standing], int]:
    """The members' tiers, holds and, where tiers are reached by points over plain spans, the sums; one statement."""
    rows = []
    for place, (each, (member_id, _moment, rules)) in enumerate(zip(counted, places, strict=True)):
        plain = rules.basis == Basis.POINTS and each.look.slide is None
        rows += [
            (place, plain, member_id, span.since, span.until if plain else span.since)
            for span in (each.look.spans if plain else each.look.spans[:1])
        ]
    columns = [array(column) for column in zip(*(row[2:] for row in rows), strict=True)]
    answers = fetch_prepared(_SUMS, [*columns, at])
    found: dict[int, Standing] = {}
    version = 0
    for (place, plain, *_asked), answer in zip(rows, answers, strict=True):
        _n, member_id, tier_id, since, points, hold_id, held_tier, kind, set_at, version = answer
        hold = Hold(held_tier, kind, set_at, hold_id) if hold_id else None
        found.setdefault(member_id, Standing(tier_id, since, hold=hold))
        if plain:
            counted[place].sums.append(points)
    return found, version


def _read_others(
    found: Mapping[int, Standing],
    places: Sequence[tuple[int, dt.datetime | None, TierRules]],
    counted: Sequence[Counted],
    known: Terms,
    recording: list[int],
) -> None:
    """Sums of money or purchases, and the entries of sliding windows; no statement where there are none."""
    asks = [
        Ask(member_id, rules.basis, each.look)
        for (member_id, _moment, rules), each in zip(places, counted, strict=True)
    ]
    plain = [n for n, ask in enumerate(asks) if ask.basis != Basis.POINTS and ask.look.slide is None]
    sliding = [n for n, ask in enumerate(asks) if ask.look.slide is not None]
    currency = known.base_currency
    sums = tier_sums.span_sums([asks[n] for n in plain], currency=currency, without=recording)
    for n, totals in zip(plain, sums, strict=True):
        counted[n].sums = totals
    within = tier_sums.entries([asks[n] for n in sliding], currency=currency, without=recording)
    for n, rows in zip(sliding, within, strict=True):
        counted[n].entries = rows
    if other := next((ask.basis for ask in asks if ask.basis != Basis.POINTS), None):
        for member_id, last in last_known(found, other).items():
            found[member_id].known = last


def calendars_of(members: Iterable[int], known: Terms, rules: Iterable[TierRules]) -> dict[int, Calendar]:
    """The calendar of each member; asks for the days of joining only where some rules look at them."""
    if not any(each.asks_for_joining for each in rules):
        return dict.fromkeys(members, Calendar(known.time_zone))
    joined = Member.objects.filter(pk__in=members).values_list("pk", "joined_at")
    return {member_id: Calendar(known.time_zone, joined_at) for member_id, joined_at in joined}


_LAST = "(SELECT coalesce(max(t.id), 0) FROM {table} t WHERE t.member_id = m.id)"


def last_known(members: Iterable[int], basis: str) -> dict[int, Known]:
    """The last rows of each member that amounts of that basis are summed from; one statement."""
    transfer = _LAST.format(table="rewards_transfer")
    activity, refund = _LAST.format(table="members_activity"), _LAST.format(table="rewards_refund")
    wanted = f"{transfer}, 0, 0" if basis == Basis.POINTS else f"{transfer}, {activity}, {refund}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id, {wanted} FROM unnest(%s::bigint[]) AS m(id)", [list(members)])  # noqa: S608
        return {row[0]: Known(*row[1:]) for row in cursor.fetchall()}


def _read_history(found: Mapping[int, Standing], asked: Iterable[Moment]) -> None:
    """Past tiers, only of members asked about at a moment before they got the tier they hold."""
    early = {each.member_id for each in asked if each.at < found[each.member_id].since}
    if not early:
        return
    changes: dict[int, list[tuple[dt.datetime, int]]] = defaultdict(list)
    rows = TierChange.objects.filter(member_id__in=early).order_by("member_id", "id")
    for member_id, changed_at, tier_id in rows.values_list("member_id", "changed_at", "to_tier_id"):
        changes[member_id].append((changed_at, tier_id))
    for member_id, history in changes.items():
        found[member_id].history = tuple(history)


def held(standing: Standing, rules: TierRules, at: dt.datetime) -> Level:
    """The tier held at a moment that was asked for: by history or by what counted, whichever is higher."""
    by_history = _level_in_history(standing, rules, at)
    if standing.hold is not None and standing.hold.locks and standing.hold.set_at <= at:
        return by_history
    counted = standing.then.get(at)
    earlier = [entry for entry in standing.fresh_entries(rules.basis) if entry.at <= at]
    by_amount = rules.due(counted.amount(earlier) if counted else sum(entry.value for entry in earlier))
    return max(by_amount, by_history, key=lambda level: level.threshold)


def _level_in_history(standing: Standing, rules: TierRules, at: dt.datetime) -> Level:
    if standing.since <= at:
        return rules.level_of(standing.tier_id)
    before = [tier_id for changed_at, tier_id in standing.history if changed_at <= at]
    return rules.level_of(before[-1]) if before else rules.levels[0]


def promotions(
    found: Mapping[int, Standing], transfer_ids: Mapping[int, int], known: Terms, *, at: dt.datetime
) -> list[TierMove]:
    """Which members have reached a higher tier, of those just granted points; ``transfer_ids``: the last of each.

    Where tiers are reached by spend or purchases, everybody in the batch may have.
    """
    rules = known.tiers_at(at)
    moves = []
    for member_id in transfer_ids if rules.basis == Basis.POINTS else found:
        standing = found[member_id]
        if standing.hold is not None and standing.hold.locks and rules.known(standing.hold.tier_id):
            continue
        amount = standing.amount(standing.now, rules.basis)
        due = rules.due(amount)
        if due.threshold > rules.level_of(standing.tier_id).threshold:
            moves.append(
                TierMove(
                    member_id=member_id,
                    from_tier_id=standing.tier_id,
                    to_tier_id=due.tier_id,
                    reason=Reason.PROMOTED,
                    qualifying_points=int(amount),
                    transfer_id=transfer_ids.get(member_id, standing.known.transfer_id or 0),
                    activity_id=standing.known.activity_id or 0,
                    refund_id=standing.known.refund_id or 0,
                    basis=rules.basis,
                )
            )
    return moves


def announcement(each: TierMove, known: Terms, *, at: dt.datetime) -> bus.Announcement:
    """The announcement of a move."""
    return bus.Announcement(
        name="tier.changed",
        member_id=each.member_id,
        at=at,
        facts={
            "from": known.tier_names[each.from_tier_id][0],
            "to": known.tier_names[each.to_tier_id][0],
            "reason": each.reason,
        },
    )


def benefits_of(member: Member, *, at: dt.datetime) -> Level:
    """What the member's tier gives at ``at``: multiplier, birthday points (None: as the campaign says), benefits."""
    return terms.current().tiers_at(at).level_of(member.tier_id)
