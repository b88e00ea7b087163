"""What a redemption turns into (a voucher, a gift to a cause, an entry into a draw), and taking that back again.

Called within the redemption's transaction, after its locks: these parts lock their own rows last.
"""

import datetime as dt

from django.utils.translation import gettext as _

from rewards.draws import entries
from rewards.models import Redemption, Reward, Voucher
from rewards.redemption.refusals import NotCancellable, Refused
from rewards.redemption.rows import Actor
from rewards.vouchers import issuing

SOURCE = "rewards.redemption"


def give_out(redemption: Redemption, reward: Reward, *, at: dt.datetime) -> None:
    """Give what the reward stands for. Raises Refused when it can no longer be had; the caller's work is undone."""
    if reward.fulfilment == Reward.Fulfilment.VOUCHER and reward.voucher_family_id is not None:
        try:
            redemption._state.fields_cache["voucher"] = issuing.issue(
                family_id=reward.voucher_family_id,
                member_id=redemption.member_id,
                at=at,
                source=SOURCE,
                source_id=redemption.pk,
                redemption_id=redemption.pk,
            )
        except issuing.PoolEmpty as empty:
            raise Refused("out-of-stock", str(empty)) from None
        except issuing.FamilyClosed as closed:
            raise Refused("reward-ended", str(closed)) from None
    elif reward.kind == Reward.Kind.DONATION and reward.cause is not None:
        from rewards.causes import giving  # it places redemptions itself

        giving.record(redemption=redemption, cause=reward.cause, at=at)
    elif reward.kind == Reward.Kind.DRAW_ENTRY and reward.draw_id is not None:
        try:
            entries.enter(
                draw_id=reward.draw_id,
                member_id=redemption.member_id,
                source=SOURCE,
                source_id=redemption.pk,
                at=at,
            )
        except entries.DrawClosed:
            raise Refused("reward-ended", _("This draw takes no more entries.")) from None
        except entries.TooManyEntries:
            raise Refused(
                "member-limit-reached", _("You have as many entries as one can have in this draw.")
            ) from None


def take_back(redemption: Redemption, actor: Actor, *, at: dt.datetime) -> None:
    """Take back what the redemption turned into. Raises NotCancellable when that was used or drawn."""
    voucher = Voucher.objects.filter(redemption=redemption).first()
    if voucher is not None:
        try:
            issuing.withdraw(voucher_id=voucher.pk, at=at, note=actor.note, staff_id=actor.staff_id)
        except issuing.VoucherUsed:
            raise NotCancellable(_("The voucher was used, or lies in a checkout.")) from None
    if hasattr(redemption, "donation"):
        from rewards.causes import giving  # it places redemptions itself

        giving.cancel(redemption=redemption, at=at)
    if redemption.reward is not None and not entries.withdraw(source=SOURCE, source_id=redemption.pk, at=at):
        raise NotCancellable(_("The draw has closed, and its list of entries is published."))
