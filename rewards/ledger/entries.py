"""The ledger's words: why points move, grants, balances, transfers and lots to be written, and its refusals."""

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from rewards.models import Transfer
from rewards.models.ledger import AccountKind

Kind = Transfer.Kind
AVAILABLE, PENDING, DEBT = AccountKind.AVAILABLE, AccountKind.PENDING, AccountKind.DEBT


class LedgerError(Exception):
    """A ledger operation that the books do not allow; nothing was written."""


class InsufficientPoints(LedgerError):
    """More points asked for than the member can spend (available, less any debt)."""

    def __init__(self, *, asked: int, spendable: int) -> None:
        super().__init__(asked, spendable)
        self.asked = asked
        self.spendable = spendable

    def __str__(self) -> str:
        return _("%(asked)s points were asked for, but only %(spendable)s can be spent.") % {
            "asked": self.asked,
            "spendable": self.spendable,
        }


class OverReversal(LedgerError):
    """More points asked back than the transfer still has unreversed."""

    def __init__(self, *, transfer_id: int, asked: int, left: int) -> None:
        super().__init__(transfer_id, asked, left)
        self.transfer_id = transfer_id
        self.asked = asked
        self.left = left

    def __str__(self) -> str:
        return _("%(asked)s points were to be reversed, but only %(left)s of the transfer are left.") % {
            "asked": self.asked,
            "left": self.left,
        }


@dataclass(frozen=True, slots=True)
class Why:
    """Why a transfer happens: its provenance, copied to the row. See :class:`rewards.models.Transfer`."""

    activity_id: int | None = None
    rule_revision_id: int | None = None
    source: str = ""
    source_id: int | None = None
    occasion: str | None = None
    staff_id: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Points to be given: positive whole ``points`` of ``wallet_id``, earned at ``occurred_at``.

    ``pending`` grants wait in the pending account until ``available_at`` (or confirmation when that is None).
    ``from_kind`` names the programme account that pays: issued, or adjusted for a correction by staff. ``earned_at`` is
    when the points were earned and count towards a tier, where that was before they are given (opening balances).
    ``sliding_policy_id`` is the expiry policy, where that lets activity move the expiry.
    """

    member_id: int
    wallet_id: int
    points: int
    occurred_at: dt.datetime
    expires_at: dt.datetime | None
    why: Why = Why()
    qualifies: bool = False
    pending: bool = False
    available_at: dt.datetime | None = None
    from_kind: AccountKind = AccountKind.ISSUED
    earned_at: dt.datetime | None = None
    sliding_policy_id: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A member's points in one wallet. All are zero or more; ``debt`` is what is owed."""

    available: int = 0
    pending: int = 0
    debt: int = 0

    @property
    def spendable(self) -> int:
        return max(self.available - self.debt, 0)


@dataclass(slots=True)
class NewTransfer:
    """A transfer to write, with the lot it opens and what it takes from (or, negative, gives back to) lots."""

    kind: str
    member_id: int
    from_account: int
    to_account: int
    points: int
    occurred_at: dt.datetime
    why: Why = Why()
    qualifies_at: dt.datetime | None = None
    reverses_id: int | None = None
    opens: "NewLot | None" = None
    takes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NewLot:
    """The lot that a transfer opens in its ``to_account``."""

    earned_at: dt.datetime
    expires_at: dt.datetime | None
    available_at: dt.datetime | None = None
    expiry_policy_id: int | None = None
    granted_expiry: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class LiveLot:
    """A lot as read under the lock. ``remaining`` may be zero when read for a reversal."""

    id: int
    transfer_id: int
    account_id: int
    remaining: int
    earned_at: dt.datetime
    expires_at: dt.datetime | None
    expiry_policy_id: int | None = None
    granted_expiry: dt.datetime | None = None

    def moved_on(self) -> NewLot:
        """A lot of the same terms in another account."""
        return NewLot(
            self.earned_at,
            self.expires_at,
            expiry_policy_id=self.expiry_policy_id,
            granted_expiry=self.granted_expiry,
        )
