"""How far members are in challenges: kept up with what they do, and counted afresh where one opens or is joined.

What each activity contributes is kept beside the round, once per round and activity; rounds, progress and steps follow
from these (``goals``), so that hearing of an activity again, late or in another order changes nothing. Everything about
one member is decided under that member's lock. Called by the handlers, by joining in and by the worker that counts.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import QuerySet

from loyalty import programme
from loyalty.events import bus
from members.models import Activity
from rewards.challenges import goals, pieces, prizes, terms
from rewards.challenges.goals import Lap, Piece, TakingPart
from rewards.challenges.pieces import Deed, Row
from rewards.challenges.prizes import Reached
from rewards.challenges.terms import Terms
from rewards.models import Challenge, ChallengeRound, Contribution, Participation, StepAward

Pair = tuple[int, int]
"""A challenge's id and a member's."""


def follow(*, public_ids: Collection[str], at: dt.datetime) -> None:
    """Let activities that were recorded, or of which something came back, count. Idempotent, in any order.

    Call inside a transaction. A constant number of statements, but for prizes that are codes or entries.
    """
    if not Challenge.objects.filter(is_active=True).exists():
        return
    rows = pieces.rows_of(Activity.objects.filter(public_id__in=public_ids))
    if not rows:
        return
    moments = [row.occurred_at for row in rows]
    asked = terms.covering(min(moments), max(moments))
    if not asked:
        return
    members = {row.member_id for row in rows}
    lock(members)
    _settle(asked, members, _deeds(rows, asked), at=at, afresh=False)


def recount(*, challenge_ids: Iterable[int], member_ids: Collection[int], at: dt.datetime) -> int:
    """Count all that members did for challenges from the beginning; the number who take part. Changes nothing twice."""
    with transaction.atomic():
        lock(member_ids)
        asked = [each for each in terms.known(challenge_ids).values() if each.challenge.is_active]
        if not asked:
            return 0
        rows = pieces.rows_of(_activities(asked, member_ids))
        return _settle(asked, member_ids, _deeds(rows, asked), at=at, afresh=True)


def lock(member_ids: Iterable[int]) -> None:
    """Hold these members' challenges until the transaction ends; in the order of ids, so that none waits in a ring.

    A lock of its own, not the accounts': purchases need not wait for what challenges make of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('kantis.challenges.' || id, 0)) "
            "FROM (SELECT id FROM unnest(%s::bigint[]) AS asked(id) ORDER BY id) AS sorted",
            [sorted(set(member_ids))],
        )


def _activities(asked: Sequence[Terms], member_ids: Collection[int]) -> QuerySet[Activity]:
    """What these members did in the time of the challenges, of the kinds that can count."""
    ends = [each.goal.ends_at for each in asked]
    kinds = [each.kinds for each in asked]
    rows = Activity.objects.filter(
        member__in=member_ids, occurred_at__gte=min(each.goal.starts_at for each in asked)
    )
    if None not in ends:
        rows = rows.filter(occurred_at__lt=max(end for end in ends if end))
    if None not in kinds:
        rows = rows.filter(kind__in=frozenset().union(*(each for each in kinds if each)))
    return rows


def _deeds(rows: Sequence[Row], asked: Sequence[Terms]) -> list[Deed]:
    names = frozenset().union(*(each.fact_names for each in asked))
    return pieces.deeds(rows, names=names, with_lines=any(each.takes_lines for each in asked))


@dataclass
class _Standing:
    """One member's part in one challenge while it is settled. ``numbers``: the rounds looked at, None for all."""

    terms: Terms
    member_id: int
    part: Participation
    is_new: bool
    afresh: bool
    fresh: dict[int, Piece | None] = field(default_factory=dict)
    numbers: set[int] | None = None
    rounds: dict[int, ChallengeRound] = field(default_factory=dict)
    stored: dict[int, tuple[int, Contribution]] = field(default_factory=dict)

    @property
    def taking(self) -> TakingPart:
        return TakingPart(self.part.joined_at, self.part.left_at, self.part.time_zone)

    def laps(self) -> list[Lap]:
        """The rounds as they should stand."""
        kept = {} if self.afresh else {id_: _piece_of(row) for id_, (_number, row) in self.stored.items()}
        now = {**kept, **self.fresh}
        counted = [piece for piece in now.values() if piece is not None]
        return goals.laps(self.terms.goal, counted, self.taking, numbers=self.numbers)

    @property
    def has_moved(self) -> bool:
        """Whether rounds that follow from what was done now lie elsewhere: what lay outside them was not kept."""
        if self.afresh or not self.rounds or not goals.follows_deeds(self.terms.goal):
            return False
        bounds = [(row.starts_at, row.ends_at) for _number, row in sorted(self.rounds.items())]
        return bounds != [(lap.starts_at, lap.ends_at) for lap in self.laps()]


def _piece_of(row: Contribution) -> Piece:
    return Piece(row.activity_id, row.occurred_at, row.amount, tuple(row.keys))


def _settle(
    asked: Sequence[Terms],
    member_ids: Collection[int],
    judged: Sequence[Deed],
    *,
    at: dt.datetime,
    afresh: bool,
) -> int:
    """Bring rounds, contributions and prizes to where the deeds put them; the number of parts looked at."""
    standings = _standings(asked, member_ids, judged, at=at, afresh=afresh)
    if not standings:
        return 0
    _load_rounds(standings)
    _read_again([standing for standing in standings.values() if standing.has_moved])
    changes = _Changes(at)
    for standing in standings.values():
        changes.note(standing, standing.laps())
    changes.write()
    changes.announce()
    return len(standings)


def _standings(
    asked: Sequence[Terms],
    member_ids: Collection[int],
    judged: Sequence[Deed],
    *,
    at: dt.datetime,
    afresh: bool,
) -> dict[Pair, _Standing]:
    """The parts that the deeds concern, those taken by them included, each with the pieces that the deeds make."""
    currency = programme.current().base_currency
    parts = Participation.objects.filter(challenge__in=[each.id for each in asked], member__in=member_ids)
    known = {(part.challenge_id, part.member_id): part for part in parts}
    by_member: dict[int, list[Deed]] = defaultdict(list)
    for deed in judged:
        by_member[deed.member_id].append(deed)
    found: dict[Pair, _Standing] = {}
    for each in asked:
        for member_id in sorted(set(member_ids) if afresh else by_member):
            mine = by_member.get(member_id, [])
            part = known.get((each.id, member_id))
            if part is None and (each.goal.by_choice or not mine):
                continue
            zone = part.time_zone if part else mine[0].time_zone
            made = {
                deed.activity_id: pieces.piece(each, deed, time_zone=zone, currency=currency) for deed in mine
            }
            is_new = part is None
            if part is None:
                if not any(made.values()):
                    continue
                part = Participation(
                    challenge=each.challenge, member_id=member_id, joined_at=at, time_zone=zone
                )
            standing = _Standing(each, member_id, part, is_new, afresh, made)
            if each.goal.recurs in goals.SCHEDULED and not afresh:
                standing.numbers = {
                    goals.number_at(each.goal, deed.purchase.occurred_at, zone) for deed in mine
                }
            found[each.id, member_id] = standing
    Participation.objects.bulk_create(standing.part for standing in found.values() if standing.is_new)
    return found


def _load_rounds(standings: Mapping[Pair, _Standing]) -> None:
    """Read the rounds of these parts and what counts towards them; two statements."""
    rounds = ChallengeRound.objects.filter(
        challenge__in={pair[0] for pair in standings}, member__in={pair[1] for pair in standings}
    )
    by_id: dict[int, tuple[_Standing, ChallengeRound]] = {}
    for row in rounds:
        standing = standings.get((row.challenge_id, row.member_id))
        if standing and (standing.numbers is None or row.number in standing.numbers):
            row.challenge = standing.terms.challenge
            standing.rounds[row.number] = row
            by_id[row.pk] = standing, row
    for contribution in Contribution.objects.filter(round__in=by_id):
        standing, row = by_id[contribution.round_id]
        standing.stored[contribution.activity_id] = row.number, contribution


def _read_again(moved: Sequence[_Standing]) -> None:
    """Let all that their members did count towards these parts, and not only what was kept beside their rounds."""
    if not moved:
        return
    asked = list({standing.terms.id: standing.terms for standing in moved}.values())
    rows = pieces.rows_of(_activities(asked, {standing.member_id for standing in moved}))
    currency = programme.current().base_currency
    by_member: dict[int, list[Deed]] = defaultdict(list)
    for deed in _deeds(rows, asked):
        by_member[deed.member_id].append(deed)
    for standing in moved:
        standing.afresh = True
        standing.fresh = {
            deed.activity_id: pieces.piece(
                standing.terms, deed, time_zone=standing.part.time_zone, currency=currency
            )
            for deed in by_member[standing.member_id]
        }


class _Changes:
    """What is to be written, gathered over all parts: rounds, contributions, steps reached or no longer reached."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at
        self.laps: list[tuple[_Standing, Lap, ChallengeRound]] = []
        self.new: list[ChallengeRound] = []
        self.changed: list[ChallengeRound] = []
        self.dropped: list[ChallengeRound] = []
        self.gone: list[int] = []
        self.completed: list[ChallengeRound] = []
        self.nearly_done: list[tuple[ChallengeRound, Decimal]] = []

    def note(self, standing: _Standing, laps: Sequence[Lap]) -> None:
        """Compare how one part's rounds stand with how they should."""
        for lap in laps:
            row = standing.rounds.pop(lap.number, None)
            before = Decimal(0) if row is None else row.progress
            if row is None:
                row = ChallengeRound(
                    challenge=standing.terms.challenge, member_id=standing.member_id, number=lap.number
                )
                self._put(row, lap)
                self.new.append(row)
            elif self._put(row, lap):
                self.changed.append(row)
            self.laps.append((standing, lap, row))
            if goals.is_nearly_done(standing.terms.goal, lap, before=before, at=self.at):
                self.nearly_done.append((row, standing.terms.goal.targets[-1].amount))
        for row in standing.rounds.values():
            self._empty(standing, row)

    def _put(self, row: ChallengeRound, lap: Lap) -> bool:
        """Set the round to the lap; whether that changed it."""
        if lap.completed_at and not row.completed_at:
            self.completed.append(row)
        before = (row.starts_at, row.ends_at, row.progress, row.completed_at)
        after = (lap.starts_at, lap.ends_at, lap.progress, lap.completed_at)
        row.starts_at, row.ends_at, row.progress, row.completed_at = after
        return before != after

    def _empty(self, standing: _Standing, row: ChallengeRound) -> None:
        """A round that nothing counts towards any more: one that follows no completed round has never begun."""
        begun = standing.terms.goal.by_choice and standing.terms.goal.recurs in goals.SCHEDULED
        lap = Lap(row.number, row.starts_at, row.ends_at if begun else row.starts_at)
        if self._put(row, lap):
            self.changed.append(row)
        if not begun:
            self.dropped.append(row)
        self.laps.append((standing, lap, row))

    def write(self) -> None:
        ChallengeRound.objects.bulk_create(self.new)
        if self.changed:
            ChallengeRound.objects.bulk_update(
                self.changed, ["starts_at", "ends_at", "progress", "completed_at"], batch_size=1_000
            )
        self._write_contributions()
        self._write_awards()
        self._drop()

    def announce(self) -> None:
        """Tell once of all whose progress moved."""
        moved = sorted({row.member_id for row in (*self.new, *self.changed)})
        if moved:
            bus.announce("challenge.progressed", at=self.at, members=moved)
        bus.announce_many(
            bus.Announcement(
                name="challenge.nearly_done",
                member_id=row.member_id,
                at=self.at,
                facts={
                    "challenge": row.challenge.code,
                    "names": row.challenge.names,
                    "round": row.number,
                    "progress": f"{row.progress.normalize():f}",
                    "target": f"{target.normalize():f}",
                    "missing": f"{(target - row.progress).normalize():f}",
                    "percent": int(row.progress * 100 / target),
                },
            )
            for row, target in self.nearly_done
        )

    def _write_contributions(self) -> None:
        fresh, stale = list[Contribution](), list[int]()
        standings = {id(standing): standing for standing, _lap, _row in self.laps}
        wanted: dict[int, dict[int, tuple[int, Piece]]] = defaultdict(dict)
        for standing, lap, row in self.laps:
            for piece in lap.pieces:
                wanted[id(standing)][piece.activity_id] = row.pk, piece
        for key, standing in standings.items():
            for activity_id, (_number, stored) in standing.stored.items():
                asked = wanted[key].get(activity_id)
                if asked is not None and asked == (stored.round_id, _piece_of(stored)):
                    del wanted[key][activity_id]
                else:
                    stale.append(stored.pk)
            fresh += [
                Contribution(
                    round_id=round_id,
                    activity_id=piece.activity_id,
                    occurred_at=piece.occurred_at,
                    amount=piece.amount,
                    keys=list(piece.keys),
                )
                for round_id, piece in wanted[key].values()
            ]
        if stale:
            Contribution.objects.filter(pk__in=stale).delete()
        Contribution.objects.bulk_create(fresh, batch_size=5_000)

    def _write_awards(self) -> None:
        """Give the prizes of steps reached now, take back those of steps that are not, and follow moved moments."""
        new = {id(row) for row in self.new}
        old = [row.pk for _standing, _lap, row in self.laps if id(row) not in new]
        standing_awards = {
            (award.round_id, award.step_id): award
            for award in StepAward.objects.filter(round__in=old, withdrawn_at=None).select_related(
                "step__badge", "step__voucher_family", "round__challenge", "voucher__family"
            )
        }
        reached, moved = list[Reached](), list[StepAward]()
        for standing, lap, row in self.laps:
            for step_id, moment in lap.reached:
                award = standing_awards.pop((row.pk, step_id), None)
                if award is None:
                    reached.append(Reached(row, standing.terms.steps[step_id], moment))
                elif award.reached_at != moment:
                    award.reached_at = moment
                    moved.append(award)
        if moved:
            StepAward.objects.bulk_update(moved, ["reached_at"], batch_size=1_000)
        prizes.withdraw(list(standing_awards.values()), at=self.at)
        prizes.give(reached, at=self.at)
        prizes.announce_completed(self.completed, at=self.at)

    def _drop(self) -> None:
        """Rounds that never were leave no row, unless prizes were won in them once."""
        if self.dropped:
            ids = [row.pk for row in self.dropped]
            won = StepAward.objects.filter(round__in=ids).values("round")
            ChallengeRound.objects.filter(pk__in=ids).exclude(pk__in=won).delete()
