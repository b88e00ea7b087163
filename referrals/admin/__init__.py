"""Referrals in the admin: programmes, who brought whom and what is held, what counts as fraud, what channels cost."""

from referrals.admin import fraud, programmes, referrals, spend

__all__ = ["fraud", "programmes", "referrals", "spend"]
