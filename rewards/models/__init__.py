"""Points: the ledger and the terms (rules, tiers, expiry) under which it grants."""

from rewards.models.backtest import Backtest, Draft
from rewards.models.judgement import Judgement
from rewards.models.ledger import Account, Allocation, Lot, Transfer, Wallet
from rewards.models.refund import Refund, RefundLine, RefundPolicy
from rewards.models.rule import (
    EarningRule,
    ExpiryPolicy,
    OfferActivation,
    RuleBudget,
    RuleRevision,
    TierDraft,
    TierLevel,
    TierTerms,
)

__all__ = [
    "Account",
    "Allocation",
    "Backtest",
    "Draft",
    "EarningRule",
    "ExpiryPolicy",
    "Judgement",
    "Lot",
    "OfferActivation",
    "Refund",
    "RefundLine",
    "RefundPolicy",
    "RuleBudget",
    "RuleRevision",
    "TierDraft",
    "TierLevel",
    "TierTerms",
    "Transfer",
    "Wallet",
]
