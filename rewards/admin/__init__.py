"""Points in the admin: one room for each thing that staff look at or decide.

Importing this package registers them all; ``autodiscover`` does, as for every app.
"""

from rewards.admin import (
    activity_page,
    adjust,
    backtest_figures,
    backtests,
    bulk,
    draft_changes,
    draft_forms,
    drafts,
    gifts,
    ledger,
    member_page,
    member_prizes,
    moving_in,
    refund_policy,
    refunding,
    refunds,
    requests,
    rules,
    terms,
    tier_form,
    tier_holds,
    tier_terms,
)
from rewards.catalogue import admin as catalogue_admin
from rewards.causes import admin as causes_admin
from rewards.challenges import admin as challenges_admin
from rewards.draws import admin as draws_admin
from rewards.leaderboards import admin as leaderboards_admin
from rewards.redemption import admin as redemption_admin
from rewards.vouchers import admin as voucher_admin

__all__ = [
    "activity_page",
    "adjust",
    "backtest_figures",
    "backtests",
    "bulk",
    "catalogue_admin",
    "causes_admin",
    "challenges_admin",
    "draft_changes",
    "draft_forms",
    "drafts",
    "draws_admin",
    "gifts",
    "leaderboards_admin",
    "ledger",
    "member_page",
    "member_prizes",
    "moving_in",
    "redemption_admin",
    "refund_policy",
    "refunding",
    "refunds",
    "requests",
    "rules",
    "terms",
    "tier_form",
    "tier_holds",
    "tier_terms",
    "voucher_admin",
]
