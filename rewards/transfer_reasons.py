"""Why these points: what a transfer is called, in the active language, for the statement, the API and the admin."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from rewards.models import Transfer
from rewards.redemption.queries import name_of

Kind = Transfer.Kind

# One label a kind of transfer; where points come from a rule, the rule's own name is said instead.
REASONS: dict[str, Any] = {
    Kind.EARN: _("Points earned"),
    Kind.REPAYMENT: _("Points earned, used to cover points taken back"),
    Kind.MATURE: _("Points became available"),
    Kind.REDEEM: _("Points used"),
    Kind.DONATE: _("Points donated"),
    Kind.EXPIRE: _("Points expired"),
    Kind.ADJUST: _("Correction by customer service"),
    Kind.GIFT: _("Points from another member"),
    Kind.REVERSE: _("Points taken back"),
}
GIVEN_AWAY = _("Points given to another member")
REDEMPTION = "rewards.redemption"
WITH_REDEMPTION = ("redemption__reward", "redemption__donation__cause", "reverses__redemption__reward")
"""What transfers have to be loaded with, for their reasons to name what was redeemed."""
# Sources above this floor, by the name that they write into the transfer.
SOURCES: dict[str, Any] = {
    "campaigns.birthday": _("Birthday greeting"),
    "campaigns.message": _("Campaign bonus"),
    "campaign": _("Campaign bonus"),
    "birthday": _("Birthday greeting"),
    "referral": _("Thank you for inviting a friend"),
    "referral.friend": _("Welcome gift for coming by a friend's invitation"),
    "referral.milestone": _("Thank you for inviting several friends"),
    "moving_in": _("Opening balance from an earlier system"),
    "rewards.challenge": _("Challenge"),
}


def reason_text(transfer: Transfer) -> str:
    """Why these points, in the active language: the rule's name, the source's, or what kind of movement it is."""
    if transfer.kind == Kind.REPAYMENT:
        return str(REASONS[Kind.REPAYMENT])
    if transfer.kind == Kind.GIFT and transfer.to_account.member_id is None:
        return str(GIVEN_AWAY)
    if transfer.rule_revision is not None and transfer.kind == Kind.EARN:
        return transfer.rule_revision.rule.name
    if transfer.source == REDEMPTION:
        return _redeemed(transfer)
    if transfer.source in SOURCES:
        return str(SOURCES[transfer.source])
    if transfer.note and transfer.kind in {Kind.ADJUST, Kind.EARN}:
        return transfer.note
    return str(REASONS.get(transfer.kind, transfer.get_kind_display()))


def _redeemed(transfer: Transfer) -> str:
    """What was redeemed, or what was given back."""
    if transfer.reverses is None:
        row = getattr(transfer, "redemption", None)
        return name_of(row) if row is not None else str(REASONS[transfer.kind])
    row = getattr(transfer.reverses, "redemption", None)
    if row is None:
        return str(REASONS[transfer.kind])
    return str(_("Given back: %(reward)s") % {"reward": name_of(row)})


def change_of(transfer: Transfer) -> int:
    """What a transfer changed in all that the member has (debt counts as less); 0 when points only moved about."""
    gained = transfer.to_account.member_id == transfer.member_id
    given = transfer.from_account.member_id == transfer.member_id
    return transfer.points * (int(gained) - int(given))
