"""Campaigns in the admin: built step by step, watched on their way, measured; and every message with its reason.

Importing this package registers it all; ``autodiscover`` does, as for every app.
"""

from campaigns.admin import addresses, campaigns, messages, on_members, policy

__all__ = ["addresses", "campaigns", "messages", "on_members", "policy"]
