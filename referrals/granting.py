"""What both sides get for a referral, given in one transaction or not at all; ``reversing`` takes it back.

Called by ``settling`` under the row of the referral. Locks come in this order: the programmes'
use, then the members' accounts in primary-key order, then vouchers. Each grant has an occasion of its own, so that it
happens once and is reversed to the very lots.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet, Sum

from loyalty.events import bus
from referrals import milestones, states
from referrals.milestones import Milestone
from referrals.models import MilestoneReached, ProgrammeTerms, ProgrammeUse, Referral, ReferralGrant
from rewards import ledger
from rewards import terms as programme_terms
from rewards.challenges import badges
from rewards.ledger import Grant, Why
from rewards.models import Transfer, Voucher
from rewards.vouchers import issuing
from rewards.vouchers.issuing import FamilyClosed

SOURCE, FRIEND_SOURCE, MILESTONE_SOURCE = "referral", "referral.friend", "referral.milestone"
"""What transfers and vouchers are for; their source id is the referral's, or that of the milestone reached."""
Side, Reason = ReferralGrant.Side, Referral.Reason


class VoucherMissing(Exception):
    """A voucher that belongs to the reward cannot be issued now: nobody gets anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What counts when a referral is to be rewarded, read under the lock of the programme's use.

    ``friends``: rewarded friends of the referrer before this one; ``paid`` and ``paid_in_period``: for how many of them
    the referrer got something. ``reached``: friends of the milestones reached. ``budget_left`` in points.
    """

    referrer_is_active: bool
    friends: int
    paid: int
    paid_in_period: int
    reached: frozenset[int]
    budget_left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be given. ``reason``: why the referrer gets nothing; blank when they do."""

    referrer_points: int
    friend_points: int
    reason: str
    milestones: tuple[Milestone, ...]

    @property
    def points(self) -> int:
        return self.referrer_points + self.friend_points + sum(each.points for each in self.milestones)


def plan(terms: ProgrammeTerms, standing: Standing) -> Plan | None:
    """What a referral brings as things stand; None when the budget has no room for all of it. Pure.

    Whose referrer has had all they may still gets their own side, and counts towards the referrer's milestones.
    """
    reason = _why_not(terms, standing)
    new = (
        each
        for each in milestones.reached(terms, friends=standing.friends + 1)
        if each.friends not in standing.reached
    )
    found = Plan(
        referrer_points=0 if reason else terms.referrer_points,
        friend_points=terms.friend_points,
        reason=reason,
        milestones=tuple(new) if standing.referrer_is_active else (),
    )
    has_room = standing.budget_left is None or found.points <= standing.budget_left
    return found if has_room else None


def _why_not(terms: ProgrammeTerms, standing: Standing) -> str:
    if not standing.referrer_is_active:
        return Reason.LEFT
    if terms.cap is not None and standing.paid >= terms.cap:
        return Reason.CAP
    if terms.cap_per_period is not None and standing.paid_in_period >= terms.cap_per_period:
        return Reason.CAP
    return ""


# --- Reading under the lock ---------------------------------------------------------------------------------------


def lock_use(programme_ids: Iterable[int]) -> dict[int, ProgrammeUse]:
    """The use of programmes by programme id, locked in primary-key order: their caps and budgets stand still."""
    ids = sorted(set(programme_ids))
    rows = ProgrammeUse.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    found = {use.pk: use for use in rows}
    if missing := [id_ for id_ in ids if id_ not in found]:
        ProgrammeUse.objects.bulk_create(
            [ProgrammeUse(programme_id=id_) for id_ in missing], ignore_conflicts=True
        )
        found = {use.pk: use for use in rows.all()}
    return found


def standing_of(
    referral: Referral, terms: ProgrammeTerms, use: ProgrammeUse, *, budget: int | None, at: dt.datetime
) -> Standing:
    """What counts for a referral, the programme's use being locked. ``budget`` is what the programme may give."""
    given = given_to(referral.referrer_id, terms.programme_id)
    paid = given.filter(reason="")
    period = dt.timedelta(days=terms.cap_period_days)
    return Standing(
        referrer_is_active=referral.referrer.status == referral.referrer.Status.ACTIVE,
        friends=given.count(),
        paid=paid.count(),
        paid_in_period=paid.filter(given_at__gt=at - period).count(),
        reached=frozenset(_reached(referral.referrer_id, terms.programme_id)),
        budget_left=None if budget is None else budget - use.points,
    )


def given_to(member_id: int, programme_id: int) -> QuerySet[ReferralGrant]:
    """What a member has for friends brought in a programme and not lost again."""
    return ReferralGrant.objects.filter(
        side=Side.REFERRER,
        reversed_at=None,
        referral__referrer=member_id,
        referral__terms__programme=programme_id,
    )


def _reached(member_id: int, programme_id: int) -> Iterable[int]:
    return MilestoneReached.objects.filter(
        member=member_id, programme=programme_id, reversed_at=None
    ).values_list("friends", flat=True)


# --- Giving -------------------------------------------------------------------------------------------------------


def occasion_of(referral_id: int, side: str) -> str:
    """Under which a side of a referral is given, once."""
    return f"referral {referral_id} {side}"


def milestone_occasion(reached_id: int) -> str:
    """Under which a milestone is given, once."""
    return f"referral milestone {reached_id}"


@dataclass(frozen=True, slots=True)
class _Due:
    """Something that one member is to get."""

    row: ReferralGrant | MilestoneReached
    member_id: int
    occasion: str
    source: str
    source_id: int
    voucher_family_id: int | None


def give(referral: Referral, planned: Plan, *, use: ProgrammeUse, at: dt.datetime) -> None:
    """Give both sides what was planned, and the milestones, all or nothing; ``use`` is locked and counts it.

    Raises VoucherMissing when one cannot be issued, and nothing is written.
    """
    with transaction.atomic():
        due = [*_sides(referral, planned, at=at), *_milestones(referral, planned, at=at)]
        _give_points(referral, due, at=at)
        for each in due:
            if each.voucher_family_id is not None and each.row.voucher_id is None:
                each.row.voucher_id = _voucher(each, at=at)
                each.row.save(update_fields=["voucher_id"])
        badge_id = states.terms_of(referral).referrer_badge_id
        if badge_id is not None and not planned.reason:
            badges.give(member_id=referral.referrer_id, badge_id=badge_id, at=at, source=SOURCE)
        use.points += sum(each.row.points for each in due)
        use.rewarded += 1
        use.save(update_fields=["points", "rewarded"])


def _sides(referral: Referral, planned: Plan, *, at: dt.datetime) -> list[_Due]:
    terms = states.terms_of(referral)
    paid = not planned.reason
    rows = [
        ReferralGrant(
            referral=referral,
            side=Side.REFERRER,
            points=planned.referrer_points,
            badge_id=terms.referrer_badge_id if paid else None,
            reason=planned.reason,
            given_at=at,
        ),
        ReferralGrant(referral=referral, side=Side.FRIEND, points=planned.friend_points, given_at=at),
    ]
    ReferralGrant.objects.bulk_create(rows)
    families = (terms.referrer_voucher_id if paid else None, terms.friend_voucher_id)
    members = (referral.referrer_id, referral.friend_id)
    return [
        _Due(row, member_id, occasion_of(referral.pk, row.side), source, referral.pk, family_id)
        for row, member_id, source, family_id in zip(
            rows, members, (SOURCE, FRIEND_SOURCE), families, strict=True
        )
    ]


def _milestones(referral: Referral, planned: Plan, *, at: dt.datetime) -> list[_Due]:
    """Rows of the milestones, less what the member kept of the same ones when they were taken back before."""
    found = []
    for each in planned.milestones:
        points, voucher_id = _kept(referral, each)
        row = MilestoneReached.objects.create(
            programme_id=states.terms_of(referral).programme_id,
            member_id=referral.referrer_id,
            friends=each.friends,
            points=max(each.points - points, 0),
            voucher_id=voucher_id,
            reached_at=at,
        )
        found.append(
            _Due(
                row,
                referral.referrer_id,
                milestone_occasion(row.pk),
                MILESTONE_SOURCE,
                row.pk,
                each.voucher_family_id,
            )
        )
    return found


def _kept(referral: Referral, milestone: Milestone) -> tuple[int, int | None]:
    """Points and a voucher that a member kept of this milestone, for they were spent or used before it was undone."""
    earlier = MilestoneReached.objects.filter(
        programme_id=states.terms_of(referral).programme_id,
        member_id=referral.referrer_id,
        friends=milestone.friends,
        reversed_at__isnull=False,
    )
    rows = list(earlier)
    if not rows:
        return 0, None
    given = transfers_of([milestone_occasion(row.pk) for row in rows])
    points = sum(row.points - row.undone for row in given)  # type: ignore[attr-defined]
    voucher_ids = [row.voucher_id for row in rows if row.voucher_id is not None]
    kept = Voucher.objects.filter(pk__in=voucher_ids).exclude(state=Voucher.State.CANCELLED).first()
    return points, kept.pk if kept else None


def _give_points(referral: Referral, due: Sequence[_Due], *, at: dt.datetime) -> None:
    """Give all points under one lock of both members' accounts, announcing ``points.earned`` for each grant."""
    known = programme_terms.current()
    wallet_id = known.default_wallet_id
    books = ledger.lock([referral.referrer_id, referral.friend_id], [wallet_id])
    paid = [each for each in due if each.row.points]
    for each in paid:
        ledger.plan_grant(
            books,
            Grant(
                member_id=each.member_id,
                wallet_id=wallet_id,
                points=each.row.points,
                occurred_at=at,
                expires_at=known.expires_at(wallet_id, at),
                sliding_policy_id=known.sliding_policy(wallet_id, at),
                why=Why(source=each.source, source_id=each.source_id, occasion=each.occasion),
            ),
        )
    ledger.write(books, at=at)
    bus.announce_many(
        bus.Announcement(
            name="points.earned",
            member_id=each.member_id,
            at=at,
            facts={"points": each.row.points, "source": each.source, "occasion": each.occasion},
        )
        for each in paid
    )


def _voucher(due: _Due, *, at: dt.datetime) -> int:
    try:
        return issuing.issue(
            family_id=due.voucher_family_id or 0,
            member_id=due.member_id,
            at=at,
            occasion=due.occasion,
            source=due.source,
            source_id=due.source_id,
        ).pk
    except FamilyClosed as error:
        raise VoucherMissing from error


def transfers_of(occasions: Collection[str]) -> Sequence[Transfer]:
    """The transfers that were made for occasions, each with what was taken back of it (``undone``)."""
    rows = Transfer.objects.filter(occasion__in=list(occasions), reverses__isnull=True)
    return list(rows.annotate(undone=Sum("reversals__points", default=0)).order_by("pk"))
