"""Taking back what a referral gave: points to the very lots, unused vouchers, the last badge, milestones not held.

Called by ``qualification`` when a refund undoes what a friend qualified by, and by staff's decisions; in the same order
of locks as ``granting``.
"""

import datetime as dt
from collections.abc import Sequence

from referrals import programmes
from referrals.granting import (
    FRIEND_SOURCE,
    MILESTONE_SOURCE,
    SOURCE,
    Side,
    given_to,
    lock_use,
    milestone_occasion,
    occasion_of,
    transfers_of,
)
from referrals.models import MilestoneReached, ProgrammeUse, Referral, ReferralGrant
from rewards import ledger
from rewards import terms as programme_terms
from rewards.challenges import badges
from rewards.ledger import Why
from rewards.models import RefundPolicy, Voucher, VoucherFamily
from rewards.refunds import policy_at
from rewards.vouchers import issuing
from rewards.vouchers.issuing import VoucherUsed

WOKEN = 10
"""How many referrals that wait for the budget are tried again when points came back to it."""


def reverse_many(referrals: Sequence[Referral], *, at: dt.datetime) -> int:
    """Take back what rewarded referrals gave to both sides, and milestones that no longer hold; the points taken.

    Spent points become a debt where the refund policy says so; a voucher that was used stays, and so does one that
    everybody has. What was taken back before is left alone. The caller has locked the referrals' rows, and moves them.
    """
    grants = list(
        ReferralGrant.objects.filter(
            referral__in=[each.pk for each in referrals], reversed_at=None
        ).select_related("referral__terms")
    )
    if not grants:
        return 0
    of_programme = {each.pk: each.terms.programme_id for each in referrals if each.terms}
    uses = lock_use(of_programme[each.referral_id] for each in grants)
    members = {each.referrer_id for each in referrals} | {each.friend_id for each in referrals}
    ledger.lock(members, [programme_terms.current().default_wallet_id])
    taken = 0
    for grant in sorted(grants, key=lambda each: each.pk):
        source = SOURCE if grant.side == Side.REFERRER else FRIEND_SOURCE
        points = _take_points(
            occasion_of(grant.referral_id, grant.side), Why(source=source, source_id=grant.referral_id), at=at
        )
        _take_voucher(grant.voucher_id, at=at)
        grant.reversed_at = at
        grant.save(update_fields=["reversed_at"])
        _take_badge(grant)
        use = uses[of_programme[grant.referral_id]]
        use.points = max(use.points - points, 0)
        use.rewarded = max(use.rewarded - (grant.side == Side.FRIEND), 0)
        taken += points
    for referrer_id, programme_id in sorted(
        {(each.referral.referrer_id, of_programme[each.referral_id]) for each in grants}
    ):
        taken += _take_milestones(referrer_id, uses[programme_id], at=at)
    ProgrammeUse.objects.bulk_update(uses.values(), ["points", "rewarded"])
    if taken:
        for programme_id in uses:
            programmes.wake(programme_id, due_at=at, most=WOKEN)
    return taken


def _take_points(occasion: str, why: Why, *, at: dt.datetime) -> int:
    """Reverse the very transfers that were made for an occasion; the points taken back."""
    into_debt = policy_at(at) == RefundPolicy.Spent.DEBT
    return sum(
        ledger.reverse(transfer_id=row.pk, why=why, at=at, into_debt=into_debt)
        for row in transfers_of([occasion])
    )


def _take_voucher(voucher_id: int | None, *, at: dt.datetime) -> bool:
    """Withdraw a voucher unless it was used; whether it is withdrawn."""
    if voucher_id is None:
        return False
    voucher = Voucher.objects.select_related("family").get(pk=voucher_id)
    if voucher.family.source == VoucherFamily.Source.SHARED:
        return False
    try:
        return issuing.withdraw(voucher_id=voucher_id, at=at, note="The referral was undone")
    except VoucherUsed:
        return False


def _take_badge(grant: ReferralGrant) -> None:
    """Take the badge back with the last friend that it was given for."""
    if grant.badge_id is None:
        return
    member_id = grant.referral.referrer_id
    others = ReferralGrant.objects.filter(
        side=Side.REFERRER, badge_id=grant.badge_id, reversed_at=None, referral__referrer=member_id
    )
    if not others.exists():
        badges.take(member_id=member_id, badge_id=grant.badge_id)


def _take_milestones(member_id: int, use: ProgrammeUse, *, at: dt.datetime) -> int:
    """Take back the milestones for which friends are missing now, and count that in ``use``; the points taken back."""
    friends = given_to(member_id, use.pk).count()
    taken = 0
    for row in MilestoneReached.objects.filter(
        programme_id=use.pk, member_id=member_id, reversed_at=None, friends__gt=friends
    ):
        why = Why(source=MILESTONE_SOURCE, source_id=row.pk)
        taken += _take_points(milestone_occasion(row.pk), why, at=at)
        _take_voucher(row.voucher_id, at=at)
        row.reversed_at = at
        row.save(update_fields=["reversed_at"])
    use.points = max(use.points - taken, 0)
    return taken
