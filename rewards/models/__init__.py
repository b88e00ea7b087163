"""Points: the ledger and the terms (rules, tiers, expiry) under which it grants."""

from rewards.models.ledger import Account, Allocation, Lot, Transfer, Wallet
from rewards.models.rule import EarningRule, ExpiryPolicy, RuleRevision, TierLevel, TierTerms

__all__ = [
    "Account",
    "Allocation",
    "EarningRule",
    "ExpiryPolicy",
    "Lot",
    "RuleRevision",
    "TierLevel",
    "TierTerms",
    "Transfer",
    "Wallet",
]
