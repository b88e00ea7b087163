"""Why a voucher does not count, each reason a problem type of its own. A till shows ``title``, code reads ``code``."""

import datetime as dt
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.api.problems import Problem, Throttled


class Refusal(Problem):
    """The voucher does not count here and now; nothing was written."""

    status, code, title = 422, "voucher-refused", _("The voucher does not count here.")


class UnknownVoucher(Refusal):
    status, code, title = 404, "voucher-unknown", _("There is no voucher with this code.")


class ForeignVoucher(Refusal):
    status, code, title = 403, "voucher-foreign", _("This voucher counts at another partner.")


class CancelledVoucher(Refusal):
    status, code, title = 409, "voucher-cancelled", _("This voucher was cancelled.")


class UsedVoucher(Refusal):
    status, code, title = 409, "voucher-used", _("This voucher is used already.")


class UsedByMember(Refusal):
    status, code, title = (
        409,
        "voucher-used-by-member",
        _("This member has used the code as often as allowed."),
    )


class LockedVoucher(Refusal):
    """Another checkout holds it."""

    status, code, title = 409, "voucher-locked", _("This voucher lies in another checkout just now.")

    def __init__(self, until: dt.datetime | None) -> None:
        super().__init__(locked_until=until.isoformat() if until else None)


class NotYetValid(Refusal):
    code, title = "voucher-not-yet-valid", _("This voucher is not valid yet.")

    def __init__(self, valid_from: dt.datetime) -> None:
        super().__init__(valid_from=valid_from.isoformat())


class ExpiredVoucher(Refusal):
    code, title = "voucher-expired", _("This voucher has expired.")

    def __init__(self, expires_at: dt.datetime | None) -> None:
        super().__init__(expired_at=expires_at.isoformat() if expires_at else None)


class OtherMembers(Refusal):
    code, title = "voucher-other-member", _("This voucher belongs to another member.")


class MemberNeeded(Refusal):
    code, title = "voucher-member-needed", _("This code counts for members: say who is buying.")


class PurchaseNeeded(Refusal):
    code, title = (
        "voucher-purchase-needed",
        _("Whether this voucher counts depends on the purchase: send its total."),
    )


class PurchaseTooSmall(Refusal):
    code, title = "voucher-minimum-purchase", _("The purchase is too small for this voucher.")

    def __init__(self, minimum: Decimal) -> None:
        super().__init__(
            _("At least %(amount)s is needed.") % {"amount": minimum}, minimum_purchase=str(minimum)
        )


class WrongProducts(Refusal):
    code, title = "voucher-wrong-products", _("Nothing in the purchase is what this voucher is for.")


class NothingToTakeOff(Refusal):
    code, title = "voucher-nothing-to-take-off", _("There is nothing to pay that the voucher could lessen.")


class AmountTooHigh(Refusal):
    """More was asked for than is left on the voucher, or than the purchase allows."""

    code, title = "voucher-amount-too-high", _("The voucher does not give as much as was asked for.")

    def __init__(self, most: Decimal) -> None:
        super().__init__(_("At most %(amount)s.") % {"amount": most}, at_most=str(most))


class NotInParts(Refusal):
    code, title = "voucher-not-in-parts", _("This voucher is used as a whole: leave the amount out.")


class OtherContent(Refusal):
    status, code, title = (
        409,
        "voucher-checkout-differs",
        _("This checkout used the voucher with other content."),
    )


class CheckoutClosed(Refusal):
    status, code, title = (
        409,
        "voucher-checkout-closed",
        _("This checkout gave the voucher back. Name the new sale otherwise."),
    )


class NotUsedHere(Refusal):
    status, code, title = (
        404,
        "voucher-not-used-here",
        _("This checkout has neither locked nor used the voucher."),
    )


class TooManyGuesses(Throttled):
    """Answered alike for right and wrong codes."""

    code, title = (
        "voucher-guessing",
        _("Too many unknown codes were tried from here. Wait before the next one."),
    )
