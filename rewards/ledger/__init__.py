"""The ledger: the only writer of transfers, lots, allocations and balances.

Every operation locks the member's accounts (in primary-key order), decides what to write from what it then sees,
and writes it in one go. Called by ``earning``, redemption, staff actions and the nightly jobs. The language is
double entry: a transfer moves a positive number of whole points from one account to another.
"""

from rewards.ledger.books import Books, forget, glance, lock, open_wallet, write
from rewards.ledger.entries import Balance, Grant, InsufficientPoints, LedgerError, OverReversal, Why
from rewards.ledger.giving import Movement, move
from rewards.ledger.granting import grant_occasion, plan_grant, post_grants
from rewards.ledger.pending import cancel_pending, confirm_pending, mature_due
from rewards.ledger.reversal import reverse, takeable
from rewards.ledger.sliding import Active, keep_alive
from rewards.ledger.spending import Expired, expire_due, spend

__all__ = [
    "Active",
    "Balance",
    "Books",
    "Expired",
    "Grant",
    "InsufficientPoints",
    "LedgerError",
    "Movement",
    "OverReversal",
    "Why",
    "cancel_pending",
    "confirm_pending",
    "expire_due",
    "forget",
    "glance",
    "grant_occasion",
    "keep_alive",
    "lock",
    "mature_due",
    "move",
    "open_wallet",
    "plan_grant",
    "post_grants",
    "reverse",
    "spend",
    "takeable",
    "write",
]
