"""Points: the ledger and the terms (rules, tiers, expiry) under which it grants."""

from rewards.models.adjustment import (
    AdjustmentRequest,
    AdjustmentSettings,
    BulkAdjustment,
    BulkAdjustmentRow,
)
from rewards.models.backtest import Backtest, Draft
from rewards.models.expiry import ExpiryNotice, ExpirySlide, LotNotice
from rewards.models.gift import Gift, GiftPreference, GiftTerms
from rewards.models.judgement import Judgement
from rewards.models.ledger import Account, Allocation, Lot, Transfer, Wallet
from rewards.models.moving_in import MovingIn, MovingInFile
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
    "AdjustmentRequest",
    "AdjustmentSettings",
    "Allocation",
    "Backtest",
    "BulkAdjustment",
    "BulkAdjustmentRow",
    "Draft",
    "EarningRule",
    "ExpiryNotice",
    "ExpiryPolicy",
    "ExpirySlide",
    "Gift",
    "GiftPreference",
    "GiftTerms",
    "Judgement",
    "Lot",
    "LotNotice",
    "MovingIn",
    "MovingInFile",
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
