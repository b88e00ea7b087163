"""Points in the admin: one room for each thing that staff look at or decide.

Importing this package registers them all; ``autodiscover`` does, as for every app.
"""

from rewards import admin_backtest
from rewards.admin import adjust, bulk, gifts, ledger, moving_in, refunds, requests, rules, terms, tiers

__all__ = [
    "adjust",
    "admin_backtest",
    "bulk",
    "gifts",
    "ledger",
    "moving_in",
    "refunds",
    "requests",
    "rules",
    "terms",
    "tiers",
]
