"""Points: the ledger and the terms (rules, tiers, expiry) under which it grants."""

from rewards.models.adjustment import (
    AdjustmentRequest,
    AdjustmentSettings,
    BulkAdjustment,
    BulkAdjustmentRow,
)
from rewards.models.backtest import Backtest, Draft
from rewards.models.cause import Cause, Donation, Payout
from rewards.models.challenge import (
    Badge,
    Challenge,
    ChallengeCount,
    ChallengeRound,
    ChallengeStep,
    Contribution,
    MemberBadge,
    Participation,
    StepAward,
)
from rewards.models.draw import Draw, DrawEntry, DrawPrize, DrawWinner
from rewards.models.expiry import ExpiryNotice, ExpirySlide, LotNotice
from rewards.models.gift import Gift, GiftPreference, GiftTerms
from rewards.models.judgement import Judgement
from rewards.models.leaderboard import (
    ForbiddenWord,
    Leaderboard,
    LeaderboardProfile,
    LeaderboardScore,
    LeaderboardTable,
)
from rewards.models.ledger import Account, Allocation, Lot, Transfer, Wallet
from rewards.models.moving_in import MovingIn, MovingInFile
from rewards.models.redemption import LotGrace, Redemption, RedemptionStep, RedemptionTerms
from rewards.models.refund import Refund, RefundLine, RefundPolicy
from rewards.models.reward import (
    Aversion,
    AversionKind,
    Favourite,
    MemberAversion,
    Picture,
    Reward,
    RewardCategory,
    RewardStock,
)
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
from rewards.models.voucher import Voucher, VoucherBatch, VoucherFamily, VoucherStep, VoucherUse

__all__ = [
    "Account",
    "AdjustmentRequest",
    "AdjustmentSettings",
    "Allocation",
    "Aversion",
    "AversionKind",
    "Backtest",
    "Badge",
    "BulkAdjustment",
    "BulkAdjustmentRow",
    "Cause",
    "Challenge",
    "ChallengeCount",
    "ChallengeRound",
    "ChallengeStep",
    "Contribution",
    "Donation",
    "Draft",
    "Draw",
    "DrawEntry",
    "DrawPrize",
    "DrawWinner",
    "EarningRule",
    "ExpiryNotice",
    "ExpiryPolicy",
    "ExpirySlide",
    "Favourite",
    "ForbiddenWord",
    "Gift",
    "GiftPreference",
    "GiftTerms",
    "Judgement",
    "Leaderboard",
    "LeaderboardProfile",
    "LeaderboardScore",
    "LeaderboardTable",
    "Lot",
    "LotGrace",
    "LotNotice",
    "MemberAversion",
    "MemberBadge",
    "MovingIn",
    "MovingInFile",
    "OfferActivation",
    "Participation",
    "Payout",
    "Picture",
    "Redemption",
    "RedemptionStep",
    "RedemptionTerms",
    "Refund",
    "RefundLine",
    "RefundPolicy",
    "Reward",
    "RewardCategory",
    "RewardStock",
    "RuleBudget",
    "RuleRevision",
    "StepAward",
    "TierDraft",
    "TierLevel",
    "TierTerms",
    "Transfer",
    "Voucher",
    "VoucherBatch",
    "VoucherFamily",
    "VoucherStep",
    "VoucherUse",
    "Wallet",
]
